"""The reference documents every public name, and every public name has something to be documented by."""

import ast
import importlib
import inspect
import pkgutil
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import tiktok_adapters.testing

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
DIRECTIVE: Final = re.compile(r"^\.\. auto(\w+):: (\S+)$", re.MULTILINE)
INNER: Final = ("behaviour", "journal_model")
"""What the contracts are made of, and nobody binds."""
PUBLIC: Final = (
    "tiktok_core",
    "tiktok_core.errors",
    "tiktok_core.ports",
    "tiktok_core.blocking",
    "tiktok_core.domain.events",
    "tiktok_adapters",
    "tiktok_adapters.compat",
    "tiktok_adapters.simulator",
    "tiktok_adapters.simulator.server",
    *(
        module.name
        for module in pkgutil.walk_packages(tiktok_adapters.testing.__path__, "tiktok_adapters.testing.")
        if not module.name.endswith(INNER)
    ),
)


def documented() -> list[tuple[str, Any, ModuleType]]:
    """Return what the directives of the reference name: each name, what it stands for, and the module that was named."""
    found: list[tuple[str, Any, ModuleType]] = []
    for page in sorted(REFERENCE.glob("*.md")):
        for kind, target in DIRECTIVE.findall(page.read_text()):
            path, _, name = target.rpartition(".")
            module = importlib.import_module(target if kind == "module" else path)
            names = module.__all__ if kind == "module" else [name]
            found += [(one, getattr(module, one), module) for one in names]
    return found


DOCUMENTED: Final = documented()


@pytest.mark.parametrize("room", PUBLIC)
def test_every_public_name_is_in_the_reference(room: str) -> None:
    """Whatever may be imported from a public room has its entry, there or where it is defined."""
    module = importlib.import_module(room)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        places = [place for known, what, place in DOCUMENTED if known == name and what is value]
        assert places, f"{room}.{name} is not in the reference"
        assert any(is_described(name, value, place) for place in places), f"{room}.{name} has no words of its own"


def is_described(name: str, value: Any, place: ModuleType) -> bool:
    """Whether something has a docstring: its own or, as a constant, the text that stands below it."""
    if inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "__wrapped__"):
        return bool(value.__doc__)
    body = ast.parse(inspect.getsource(place)).body
    for statement, below in pairwise(body):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        if any(getattr(target, "id", "") == name for target in targets):
            return isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    return name == "__version__"
