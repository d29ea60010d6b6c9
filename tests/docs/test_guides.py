"""The guides are complete: each command, each guide, each word."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import get_args

from attrs import fields
from packaging.requirements import Requirement

from tiktok_adapters.cli.app import COMMANDS
from tiktok_adapters.cli.sandbox import sandbox
from tiktok_adapters.simulator import Switches
from tiktok_adapters.simulator.control import PAGES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
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


def test_the_order_of_the_pages_has_no_place_for_two() -> None:
    """The home page puts each guide into one place; a name with a star waits for one page."""
    order = re.findall(r"^(guides/[\w-]+\*?|cookbook/[\w-]+)$", (DOCS / "index.md").read_text(), re.MULTILINE)
    for guide in (DOCS / "guides").glob("*.md"):
        assert len([entry for entry in order if fnmatch(f"guides/{guide.stem}", entry)]) == 1, guide
    assert len(order) == len(set(order))


def test_every_recipe_is_named() -> None:
    """The cookbook's first page leads to each recipe."""
    pages = {page.stem for page in (DOCS / "cookbook").glob("*.md")} - {"index"}
    text = (DOCS / "cookbook" / "index.md").read_text()
    assert set(re.findall(r"\]\((\w[\w-]*)\.md\)", text)) == pages
    assert set(text.partition("{toctree}")[2].split()[1:-1]) == pages


def test_each_extra_has_its_row() -> None:
    """The page about installing says of each extra what it is for, and the first packages that it installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", (DOCS / "install.md").read_text(), re.MULTILINE))
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in {"dev", "check"}}
    assert rows.keys() == extras.keys()
    for name, lines in extras.items():
        wanted = {Requirement(line).name for line in lines} - {project["name"]}
        assert wanted <= set(re.findall(r"[\w-]+", rows[name])), name
    assert f"Python {project['requires-python'].removeprefix('>=')}" in (DOCS / "install.md").read_text()


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
