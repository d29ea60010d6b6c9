"""The audit guide: its table has each point of TikTok's guidelines, and each picture that the film makes."""

import re
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/audit.md").read_text("utf-8")
FILM = (ROOT / "examples/audit/film.py").read_text("utf-8")
POINTS: Final = (
    *("1a", "1b", "1c", "1d"),
    *("2a", "2b", "2c", "2d"),
    *("3a", "3b", "3c", "3d", "3e", "3f"),
    *("4a", "4b"),
    *("5a", "5b", "5c", "5d"),
)
"""The rows of developers.tiktok.com/doc/content-sharing-guidelines."""


def shown() -> list[str]:
    """Return the names of what the film shows, in their order in the script."""
    return re.findall(r'shows\(\s*"([^"]+)"', FILM)


def test_the_table_has_each_point() -> None:
    """Every row of the guidelines has a line."""
    lines = re.findall(r"^\| ([0-9a-f, ]+) \|", GUIDE, re.MULTILINE)
    assert [point for line in lines for point in line.split(", ")] == list(POINTS)


def test_the_film_shows_each_point_that_a_film_can_show() -> None:
    """1a and 1b are one picture, and 1c needs a creator who cannot post."""
    assert {name[:2] for name in shown() if name[:2] in POINTS} == {*POINTS} - {"1a", "1c"}


def test_each_picture_is_in_the_guide() -> None:
    """What the film writes is what the guide links to, and each file is there."""
    linked = set(re.findall(r"images/audit/([^.]+)\.webp", GUIDE))
    assert linked == {*shown()} - {"accounts"}
    assert {path.stem for path in (ROOT / "docs/images/audit").glob("*.webp")} >= linked
