"""The dependencies and Pythons in pyproject.toml, compared with the tested ones.

What belongs here: facts that are in two files because a tool needs them there.
"""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOOLS = ("dev", "check")
"""Extras for work on the repository: their packages are pinned, and no user installs them."""


def _requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name in extras if name not in TOOLS for line in extras[name])]
    return [one for one in map(Requirement, lines) if canonicalize_name(one.name) != PROJECT["name"]]


def test_each_dependency_is_tested_with_the_lowest_release_that_is_allowed() -> None:
    """`make lowest` installs the lowest releases that pyproject.toml allows, for the base and for every extra."""
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements-lowest.txt").read_text(), re.MULTILINE))
    for requirement in _requirements():
        pinned = pins[canonicalize_name(requirement.name)]
        (lowest,) = (each.version for each in requirement.specifier if each.operator == ">=")
        assert pinned.split(".") == [*lowest.split("."), "0", "0"][: len(pinned.split("."))], requirement


def test_the_pythons_that_are_named_were_run() -> None:
    """Each Python in the classifiers has its test result in docs/pythons.md."""
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    ran = re.findall(r"^\| (3\.\d+)\.\d+", (ROOT / "docs" / "pythons.md").read_text(), re.MULTILINE)
    assert named == ran
    assert PROJECT["requires-python"] == f">={named[0]}"
