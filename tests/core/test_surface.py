"""The names that the core offers: one table makes them, type checkers read the same ones, and no earlier name is lost."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tiktok_core
from tiktok_core import events, lifting, portability, ports

SOURCE = Path(tiktok_core.__file__).read_text("utf-8")


def test_type_checkers_read_the_names_that_programs_get() -> None:
    """The imports that a checker reads, and the table that programs use, have the same names in the same modules."""
    tree = ast.parse(SOURCE)
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {"__version__": "version"}
    for line in block.body:
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            assert alias.asname == alias.name, f"{alias.name} is not exported: import it as itself"
            seen[alias.name] = (line.module or "").removeprefix("tiktok_core.")
    assert seen == dict(tiktok_core._MODULES)
    assert sorted(tiktok_core.__all__) == sorted(seen)


@pytest.mark.parametrize("name", tiktok_core.__all__)
def test_every_public_name_comes_from_the_module_that_defines_it(name: str) -> None:
    """Each name of the table exists, is the same object as in its module, and is in `dir`."""
    module = importlib.import_module(f"tiktok_core.{tiktok_core._MODULES[name]}")
    assert getattr(tiktok_core, name) is getattr(module, name)
    assert getattr(module.__dict__[name], "__module__", module.__name__) == module.__name__
    assert name in dir(tiktok_core)


@pytest.mark.parametrize(("name", "module"), tiktok_core._MOVED.items())
def test_a_name_that_moved_is_found_and_says_where_it_is(name: str, module: str) -> None:
    """A program that imports a moved name still works, and the warning says which line to write."""
    with pytest.warns(DeprecationWarning, match=f"from tiktok_core.{module} import {name}$"):
        found = getattr(tiktok_core, name)
    place = importlib.import_module(f"tiktok_core.{module}")
    assert found is getattr(place, name)
    assert name in place.__all__
    assert name not in tiktok_core.__all__


def test_a_name_that_never_was_is_an_attribute_error() -> None:
    """A misspelt name fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'TikTock'"):
        _ = tiktok_core.TikTock


def test_a_star_brings_every_public_name() -> None:
    """`from tiktok_core import *` imports what `__all__` names, without a warning."""
    code = "from tiktok_core import *; import tiktok_core; print(sorted(set(tiktok_core.__all__) - set(globals())))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", [events, lifting, portability, ports])
def test_a_public_module_has_what_it_promises(module: object) -> None:
    """Each name that a public module promises is there."""
    assert [name for name in module.__all__ if not hasattr(module, name)] == []  # type: ignore[attr-defined]


def test_the_author_of_an_adapter_needs_no_other_module_than_ports() -> None:
    """What a transport gets and returns, and the bytes that a store keeps, are beside the ports."""
    needed = {"Request", "Response", "Body", "FileSlice", "Source", "Sink", "BLOCK", "MAX_RESPONSE"}
    needed |= {"dump_record", "load_record", "dump_tokens", "load_tokens", "dump_trace", "load_trace", "OtherVersion"}
    needed |= {"Trace", "Forgetting", "forgetting", "lasting", "name_digest", "name_parts", "trace_of", "Guests"}
    assert needed <= set(ports.__all__)
