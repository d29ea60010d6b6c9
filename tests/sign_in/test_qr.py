"""Drawing a QR code: the picture has every module of the code."""

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.sign_in.qr import QUIET, draw

DARK = {" ": (True, True), "\u2580": (False, True), "\u2584": (True, False), "\u2588": (False, False)}


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=400))
def test_every_module_is_drawn_in_its_place(text: str) -> None:
    """Read back from the half blocks, without its quiet border, the picture is the QR code of the text."""
    lines = draw(f"aweme://authorize?token={text}").splitlines()
    assert len({len(line) for line in lines}) == 1
    rows = [[DARK[block][half] for block in line] for line in lines for half in (0, 1)]
    matrix = segno.make(f"aweme://authorize?token={text}", error="l", micro=False).matrix
    size = len(matrix)
    assert [row[QUIET:-QUIET] for row in rows[QUIET : QUIET + size]] == [[bool(dark) for dark in row] for row in matrix]
    border = rows[:QUIET] + [[*row[:QUIET], *row[-QUIET:]] for row in rows[: size + 2 * QUIET]]
    assert not any(any(row) for row in border)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no such encoding"])
def test_where_there_are_no_blocks_colours_draw(encoding: str) -> None:
    """An old terminal gets escape codes, which every encoding can show."""
    picture = draw("aweme://authorize", encoding=encoding)
    assert "\x1b[" in picture
    assert picture.isascii()
