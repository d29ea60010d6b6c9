"""The reference documents every public name, and every public name has a docstring."""

import importlib
import inspect
import pkgutil
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import tiktok_adapters.testing
import tiktok_core

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
DIRECTIVE: Final = re.compile(r"^\.\. auto(\w+):: (\S+)$", re.MULTILINE)
INNER: Final = ("behaviour", "journal_model")
"""The parts of the contracts, which adapters' authors do not bind."""
PUBLIC: Final = (
    "tiktok_core",
    "tiktok_core.errors",
    "tiktok_core.ports",
    "tiktok_core.events",
    "tiktok_core.lifting",
    "tiktok_core.portability",
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


_SPEC: Final = spec_from_file_location("conf", REFERENCE.parent / "conf.py")
assert _SPEC is not None
assert _SPEC.loader is not None
conf: Final = module_from_spec(_SPEC)
_SPEC.loader.exec_module(conf)


def documented() -> list[tuple[str, Any, ModuleType]]:
    """Return the entries of the reference: each name, its object, and the module that the directive names."""
    found: list[tuple[str, Any, ModuleType]] = []
    for page in sorted(REFERENCE.glob("*.md")):
        for kind, target in DIRECTIVE.findall(page.read_text()):
            if kind in {"method", "attribute"}:
                continue
            path, _, name = target.rpartition(".")
            module = importlib.import_module(target if kind == "module" else path)
            names = module.__all__ if kind == "module" else [name]
            found += [(one, getattr(module, one), module) for one in names]
    return found


DOCUMENTED: Final = documented()


@pytest.mark.parametrize("public", PUBLIC)
def test_every_public_name_is_in_the_reference(public: str) -> None:
    """Every name that a public module exports has an entry, under that module or the one that defines it."""
    module = importlib.import_module(public)
    for name in getattr(module, "__all__", []):
        value = getattr(module, name)
        places = [place for known, what, place in DOCUMENTED if known == name and what is value]
        assert places, f"{public}.{name} is not in the reference"
        assert any(is_described(name, value, place) for place in places), f"{public}.{name} has no words of its own"


def is_described(name: str, value: Any, place: ModuleType) -> bool:
    """Whether a name has a docstring: its own or, for a constant, the text below it."""
    if inspect.isclass(value) or inspect.isroutine(value) or hasattr(value, "__wrapped__"):
        return bool(value.__doc__)
    return bool(conf.words_of_a_constant(place.__name__, name))


def test_the_reference_lists_public_names_only() -> None:
    """Each entry is a name that a program may import, from a public module or from any module of the adapters."""
    public = {f"{module}.{name}" for module in PUBLIC for name in importlib.import_module(module).__all__}
    for page in sorted(REFERENCE.glob("*.md")):
        for kind, target in DIRECTIVE.findall(page.read_text()):
            if kind == "module" or target.startswith("tiktok_adapters."):
                assert target.startswith("tiktok_adapters.") or target in PUBLIC, target
            else:
                owner = target.rpartition(".")[0]
                assert (owner if kind in {"method", "attribute"} else target) in public, target


@pytest.mark.parametrize("face", [tiktok_core.TikTok, tiktok_core.Account])
def test_every_method_of_a_client_has_its_entry(face: type) -> None:
    """The reference groups the methods by use; each method is there once."""
    text = "".join(page.read_text() for page in REFERENCE.glob("*.md"))
    entries = [target for kind, target in DIRECTIVE.findall(text) if kind in {"method", "attribute"}]
    listed = [one.rpartition(".")[2] for one in entries if one.startswith(f"tiktok_core.{face.__name__}.")]
    assert sorted(listed) == [name for name in sorted(dir(face)) if not name.startswith("_")]
