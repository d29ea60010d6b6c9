"""The page "How a post works" is drawn from the table of moves, and names the modules that there are. So does its second page.

Run as a program, this file draws the page anew.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tiktok_core.domain.journal import Stage
from tiktok_core.domain.moves import NEXT, SAID_BY_TIKTOK

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "how-a-post-works.md"
LOST: Final = ROOT / "docs" / "when-an-answer-is-lost.md"
LONGEST: Final = 130
"""Lines: two screens of a large monitor."""


def ours() -> str:
    """Draw each stage and the moves of ours that lead away from it."""
    drawn = []
    for stage in Stage:
        moves = [(move, ends) for move, ends in NEXT[stage].items() if move not in SAID_BY_TIKTOK]
        drawn.append(f"{stage}" if moves else f"{stage}: no move of ours")
        for number, (move, ends) in enumerate(moves, 1):
            branch = "└" if number == len(moves) else "├"
            drawn.append(f"  {branch}─ {move} ─▶ {named(ends)}")
    return "\n".join(["```text", *drawn, "```"])


def said() -> str:
    """Draw what TikTok's word makes of each stage."""
    rows = [f"| {stage} | {' | '.join(named(NEXT[stage][move]) for move in SAID_BY_TIKTOK)} |" for stage in Stage]
    head = ["| stage | " + " | ".join(f"`{move}` leads to" for move in SAID_BY_TIKTOK) + " |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def named(stages: frozenset[Stage]) -> str:
    """Return the stages in their order, in words."""
    return " or ".join(stage for stage in Stage if stage in stages)


PARTS: Final[Mapping[str, str]] = {"our moves": ours(), "what TikTok says": said()}


def drawn(text: str) -> str:
    """Return the page with its parts drawn from the table."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: drawn from NEXT -->\n", "<!-- end -->"
        before, middle, after = text.partition(begin)
        assert middle
        text = f"{before}{begin}\n{part}\n\n{end}{after.partition(end)[2]}"
    return text


def test_the_page_is_drawn_from_the_table() -> None:
    """All stages and moves are shown as the table has them; `python tests/docs/test_how_a_post_works.py` draws them anew."""
    text = PAGE.read_text()
    assert text == drawn(text)
    assert all(str(stage) in text for stage in Stage)
    assert all(move in text for moves in NEXT.values() for move in moves)


def test_the_page_names_each_module_of_a_post() -> None:
    """A reader follows one post through all of them, in two screens."""
    text = PAGE.read_text()
    modules = {path.stem for path in (ROOT / "src/tiktok_core/flows/posting").glob("*.py")} - {"__init__"}
    rules = {"moves", "verdicts", "init_verdicts", "upload_verdicts", "chunk_answers"}
    assert {name for name in modules | rules if f"`{name}`" not in text} == set()
    assert all((ROOT / "src/tiktok_core/domain" / f"{name}.py").is_file() for name in rules)
    assert len(text.splitlines()) <= LONGEST


def test_each_function_that_the_page_names_exists() -> None:
    """The steps after a lost answer lead to the code, under its names of today, in one screen."""
    page = LOST.read_text()
    code = "\n".join(
        path.read_text()
        for place in ("domain", "flows/posting")
        for path in (ROOT / "src/tiktok_core" / place).glob("*.py")
    )
    named = set(re.findall(r"`(\w+)`", page))
    assert len(named) > 12
    assert {name for name in named if not re.search(rf"\b{name}\b", code)} == set()
    assert len(page.splitlines()) <= LONGEST // 2


def test_the_page_can_be_found() -> None:
    """From the front page of the documents, the README, and the page for who changes something."""
    for page in (PAGE, LOST):
        assert re.search(rf"^{page.stem}$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE)
    assert f"({LOST.name})" in PAGE.read_text()
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/how-a-post-works.md)" in (ROOT / name).read_text()


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
