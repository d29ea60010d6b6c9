"""The guides are complete: each command, each guide, each word."""

import re
from pathlib import Path
from typing import get_args

from attrs import fields

from tiktok_adapters.cli.app import COMMANDS
from tiktok_adapters.cli.sandbox import sandbox
from tiktok_adapters.simulator import Switches
from tiktok_adapters.simulator.control import PAGES

ROOT = Path(__file__).parents[2]
WORDS = """port adapter transport store source drive lift mirror contract simulator fake sandbox lease flow exchange journal app
account scope grant state page cursor chunk"""


def test_every_command_is_shown() -> None:
    """The page about the command line has a line for each command, and none for a missing one."""
    page = (ROOT / "docs" / "guides" / "command-line.md").read_text()
    assert set(re.findall(r"^\$ tiktok ([a-z]+)", page, re.MULTILINE)) == set(COMMANDS)


def test_every_guide_is_named() -> None:
    """The README links to each guide."""
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"\(docs/guides/([a-z-]+)\.md\)", readme))
    assert named == {path.stem for path in (ROOT / "docs" / "guides").glob("*.md")}


def test_no_switch_lacks_its_row() -> None:
    """The page about switches has one row for each, which begins with the default, names every value, and gives a source."""
    page = (ROOT / "docs" / "guides" / "switches.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", page, re.MULTILINE)
    assert [name for name, _values, _source in rows] == [one.name for one in fields(Switches)]
    for (name, values, source), switch in zip(rows, fields(Switches), strict=True):
        assert values.split(", ")[0].strip("`") == _spelled(switch.default), name
        named = set(re.findall(r"`([^`]+)`", values))
        assert {str(value) for value in get_args(switch.type) if not isinstance(value, type)} <= named, name
        assert re.search(r"\b20\d\d|undated|open|setting|autumn", source), name


def _spelled(default: object) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_word_of_the_trade_is_explained() -> None:
    """The glossary explains each word that code, documents and messages use in a special sense."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    explained = {word for line in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for word in line.split(", ")}
    assert set(WORDS.split()) <= explained


def test_the_guide_of_the_sandbox_has_every_call_and_option() -> None:
    """And no other."""
    page = (ROOT / "docs" / "guides" / "sandbox.md").read_text()
    calls = re.findall(r"^\| `((?:GET|POST|DELETE) \S+)` \|", page, re.MULTILINE)
    assert sorted(calls) == sorted(f"{method} {path}" for method, path in PAGES)
    options = {name for parameter in sandbox.params for name in parameter.opts if name.startswith("--")}
    shared = {"--home", "--account", "--json", "--help"}
    assert {found.split()[0] for found in re.findall(r"^\| `(--[^`]+)` \|", page, re.MULTILINE)} == options - shared
