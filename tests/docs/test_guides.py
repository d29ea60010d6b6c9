"""The guides are complete: each command, each guide, each word."""

import json
import logging
import re
from pathlib import Path
from typing import Any, get_args

from attrs import fields

from tiktok_adapters.cli.app import COMMANDS
from tiktok_adapters.simulator import Switches
from tiktok_core.errors import Problem
from tiktok_core.logs import FIELDS, SAID

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


def test_each_field_of_the_log_has_its_row() -> None:
    """The page about the log describes the fields in the order in which a line shows them, and its examples are such lines."""
    page = (ROOT / "docs" / "guides" / "logging.md").read_text()
    assert tuple(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)) == FIELDS
    lines = re.findall(r"^(?:DEBUG|WARNING) tiktok_core: .* \[(.+)\]$", page, re.MULTILINE)
    shown = [re.findall(r'(\w+)=(?:"[^"]+"|[0-9.]+)(?: |$)', line) for line in lines]
    assert all(names == [name for name in FIELDS if name in names] for names in shown)
    assert set().union(*shown) == set(FIELDS) - SAID


def test_the_formatter_and_the_search_of_the_guide_to_the_log_find_a_post() -> None:
    """The formatter writes an object with all fields on one line, and each search finds lines of the page's own example."""
    page = (ROOT / "docs" / "guides" / "logging.md").read_text()
    scope: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("handler = ")[0], scope)
    fields = {"key": "job-17", "attempt": 1, "problem": Problem("title", "is odd"), "nothing": None}
    record = logging.makeLogRecord({"msg": "%s\n", "args": ("x",), "levelname": "DEBUG", **fields})
    (line,) = scope["JsonFormatter"]().format(record).splitlines()
    found = json.loads(line)
    assert {**fields, "problem": "title: is odd", "message": "x\n", "level": "DEBUG"}.items() <= found.items()
    assert found.keys() == {*fields, "time", "level", "logger", "message"}
    examples = re.findall(r"^(?:DEBUG|WARNING) tiktok_core: .*$", page, re.MULTILINE)
    for option, wanted in re.findall(r"^\$ grep -([FE]) '(.+)' app.log$", page, re.MULTILINE):
        pattern = re.escape(wanted) if option == "F" else wanted
        assert any(re.search(pattern, example) for example in (*examples, "[attempt=2]"))


def test_every_word_of_the_trade_is_explained() -> None:
    """The glossary explains each word that code, documents and messages use in a special sense."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    explained = {word for line in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for word in line.split(", ")}
    assert set(WORDS.split()) <= explained
