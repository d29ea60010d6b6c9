"""The reference documents every public name once, and nothing else, on pages of a screen or two."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

import tiktok_adapters.testing
import tiktok_core
from tiktok_adapters import compat, simulator

ROOT: Final = Path(__file__).parents[2]
REFERENCE: Final = ROOT / "docs" / "reference"
REFERENCE_PAGES: Final = sorted(REFERENCE.rglob("*.md"))
OTHER_PAGES: Final = [
    *(page for page in (ROOT / "docs").rglob("*.md") if page not in REFERENCE_PAGES and "_build" not in page.parts),
    ROOT / "README.md",
    *(ROOT / "examples").rglob("*.py"),
]
DIRECTIVE: Final = re.compile(r"^\.\. auto(\w+):: (\S+)((?:\n   :.*)*)", re.MULTILINE)
IMPORTED: Final = re.compile(r"^\s*from (tiktok_\S+) import (\([^)]*\)|.*)$", re.MULTILINE)
INNER: Final = ("behaviour", "journal_model", "proxy_script")
"""Parts of the testing package that authors of tests and adapters do not import."""
PUBLIC: Final = (
    "tiktok_core",
    "tiktok_core.errors",
    "tiktok_core.ports",
    "tiktok_core.events",
    "tiktok_core.lifting",
    "tiktok_core.portability",
    "tiktok_adapters",
    "tiktok_adapters.assembly",
    "tiktok_adapters.background",
    "tiktok_adapters.clocks",
    "tiktok_adapters.compat",
    "tiktok_adapters.destinations",
    "tiktok_adapters.engines.celery",
    "tiktok_adapters.engines.procrastinate",
    "tiktok_adapters.engines.rounds",
    "tiktok_adapters.engines.sweeper",
    "tiktok_adapters.engines.worker",
    "tiktok_adapters.otel",
    "tiktok_adapters.page",
    "tiktok_adapters.probes",
    "tiktok_adapters.protect",
    "tiktok_adapters.simulator",
    "tiktok_adapters.simulator.server",
    "tiktok_adapters.simulator.state",
    "tiktok_adapters.slots",
    "tiktok_adapters.sources",
    "tiktok_adapters.stores.encrypted",
    "tiktok_adapters.stores.keyring",
    "tiktok_adapters.stores.memory",
    "tiktok_adapters.stores.on_demand",
    "tiktok_adapters.stores.postgres",
    "tiktok_adapters.stores.sqlite",
    "tiktok_adapters.stores.sqlite_pacer",
    "tiktok_adapters.stores.threaded",
    "tiktok_adapters.transports.aiohttp",
    "tiktok_adapters.transports.fake",
    "tiktok_adapters.transports.heads",
    "tiktok_adapters.transports.urllib3",
    *(
        module.name
        for module in pkgutil.walk_packages(tiktok_adapters.testing.__path__, "tiktok_adapters.testing.")
        if not module.name.endswith(INNER)
    ),
)
LONGEST: Final = 110
"""Lines of docstrings that a page may show. About as many fill two or three screens."""


_SPEC: Final = spec_from_file_location("conf", REFERENCE.parent / "conf.py")
assert _SPEC is not None
assert _SPEC.loader is not None
conf: Final = module_from_spec(_SPEC)
_SPEC.loader.exec_module(conf)


def directives(page: Path) -> list[tuple[str, str, str]]:
    """Return the entries of a page: each kind, name and options."""
    return DIRECTIVE.findall(page.read_text())


def documented() -> list[tuple[str, Any, ModuleType]]:
    """Return the entries of the reference: each name, its object, and the module that the directive names."""
    found: list[tuple[str, Any, ModuleType]] = []
    for page in REFERENCE_PAGES:
        for kind, target, _options in directives(page):
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
    """Each entry is a name that a program may import, from a public module or from any module of the adapters but the commands."""
    public = {
        f"{module}.{name}" for module in PUBLIC for name in getattr(importlib.import_module(module), "__all__", [])
    }
    for page in REFERENCE_PAGES:
        for kind, target, _options in directives(page):
            owner, _, name = target.rpartition(".")
            entry = owner if kind in {"method", "attribute"} else target
            assert not target.startswith("tiktok_adapters.cli"), target
            assert not name.startswith("_") or name == "__version__", target
            if target.startswith("tiktok_core"):
                assert entry in public, target
            elif kind != "module":
                module, _, named = entry.rpartition(".")
                assert named in importlib.import_module(module).__all__, target


def test_no_name_has_two_entries() -> None:
    """Each name has one place, so that a reader who has found it has found all of it."""
    entries = Counter(target for page in REFERENCE_PAGES for _kind, target, _options in directives(page))
    assert [target for target, times in entries.items() if times > 1] == []


@pytest.mark.parametrize("page", OTHER_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_imports_is_in_the_reference(page: Path) -> None:
    """Guides, recipes and examples use public names only."""
    known = {(name, id(value)) for name, value, _place in DOCUMENTED}
    for path, names in IMPORTED.findall(page.read_text()):
        module = importlib.import_module(path)
        for name in re.findall(r"(\w+)(?: as \w+)?", names.partition("#")[0]):
            value = getattr(module, name, None) or importlib.import_module(f"{path}.{name}")
            is_module = inspect.ismodule(value) and value.__name__ in PUBLIC
            assert is_module or (name, id(value)) in known, f"{path}.{name}"


@pytest.mark.parametrize(
    "face",
    [tiktok_core.TikTok, tiktok_core.Account, compat.TikTok, simulator.SimulatedTikTok],
    ids=lambda face: face.__module__,
)
def test_every_method_of_a_client_has_its_entry(face: type) -> None:
    """The reference groups the methods by use; each method is there once."""
    entries = [(kind, target) for page in REFERENCE_PAGES for kind, target, _options in directives(page)]
    package = next(public for public in PUBLIC if getattr(importlib.import_module(public), face.__name__, None) is face)
    listed = [
        target.rpartition(".")[2]
        for kind, target in entries
        if kind in {"method", "attribute"} and target.startswith(f"{package}.{face.__name__}.")
    ]
    assert sorted(listed) == [name for name in sorted(dir(face)) if not name.startswith("_")]


@pytest.mark.parametrize("page", REFERENCE_PAGES, ids=lambda page: page.relative_to(REFERENCE).as_posix())
def test_a_page_is_a_screen_or_two(page: Path) -> None:
    """A page of the reference shows no more than a reader can look through."""
    lines = 0
    for kind, target, options in directives(page):
        owner, _, name = target.rpartition(".")
        if kind in {"method", "attribute"}:
            module, _, cls = owner.rpartition(".")
            lines += shown(getattr(getattr(importlib.import_module(module), cls), name))
            continue
        value = getattr(importlib.import_module(owner), name)
        lines += shown(value) if inspect.isclass(value) or inspect.isroutine(value) else 2
        if inspect.isclass(value) and ":no-members:" not in options:
            lines += sum(shown(member) for inner, member in vars(value).items() if not inner.startswith("_"))
    assert lines <= LONGEST


def shown(value: Any) -> int:
    """Return about how many lines an entry takes: its signature, and its docstring."""
    return 1 + len((inspect.getdoc(value) or "").splitlines()) if getattr(value, "__doc__", None) else 0
