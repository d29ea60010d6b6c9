"""`-` in place of a file's name: the video that comes on standard input.

What belongs here: reading it once, for the check and for the post.
"""

import sys
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from tiktok_core.ports import Source

__all__ = ["STANDARD_INPUT", "media_of"]

STANDARD_INPUT: Final = "-"
"""A file of this name is `./-`."""


def media_of(video: str) -> "str | Source":
    """Return the name as it is, or a source of standard input: a file where it lies, what comes through a pipe as a copy.

    Raises:
        UsageError: standard input is a terminal or closed.
        InvalidPost: it cannot be read or copied, or is too large.
    """
    if video != STANDARD_INPUT:
        return video
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise click.UsageError("- reads the video from standard input: send a file or a pipe there.")
    from tiktok_adapters.sources import open_given  # noqa: PLC0415
    from tiktok_core import InvalidPost  # noqa: PLC0415
    from tiktok_core.domain.chunks import LARGEST_VIDEO, size_problem  # noqa: PLC0415
    from tiktok_core.errors import refuse  # noqa: PLC0415

    intake, source = open_given(sys.stdin.buffer), None
    while intake is not None and source is None:
        source = intake.take()
        if intake.size > LARGEST_VIDEO:
            refuse(InvalidPost, size_problem(intake.size))
    return source or video
