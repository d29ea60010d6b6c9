"""The guides are complete: each command, each guide, each word."""

import re
from pathlib import Path

from tiktok_adapters.cli.app import COMMANDS

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


def test_every_word_of_the_trade_is_explained() -> None:
    """The glossary explains each word that code, documents and messages use in a special sense."""
    page = (ROOT / "docs" / "glossary.md").read_text()
    explained = {word for line in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for word in line.split(", ")}
    assert set(WORDS.split()) <= explained
