"""Drawing a QR code in the terminal.

What belongs here: what it looks like. What it says, and what comes of it, is the core's.
"""

import io
from typing import Final

import segno

__all__ = ["draw"]

QUIET: Final = 2
"""Light modules around it. Four are recommended, but a code that is wider than the terminal cannot be read at all."""


def draw(text: str, *, encoding: str = "utf-8") -> str:
    """Return the lines that draw a QR code: two modules in a character, or escape codes where there is no such character.

    Args:
        text: what it says.
        encoding: of the terminal.
    """
    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=QUIET, compact=_has_blocks(encoding))
    return out.getvalue().rstrip("\n")


def _has_blocks(encoding: str) -> bool:
    try:
        "█▀▄".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
