"""Draw a QR code in the terminal.

What belongs here: the look of the code. The core decides its content and handles the sign-in.
"""

import io
from typing import Final

import segno

__all__ = ["draw"]

QUIET: Final = 2
"""Width of the light border in modules. Four are recommended, but a code wider than the terminal cannot be read."""


def draw(text: str, *, encoding: str = "utf-8") -> str:
    """Return the lines that draw a QR code: two modules per block character, or escape codes without such characters.

    Args:
        text: the content of the code.
        encoding: the encoding of the terminal.
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
