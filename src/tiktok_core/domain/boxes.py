"""The boxes of MP4 and MOV files, and what is known of a film while they are read.

This module holds what `movies` and `fragments` share.

Sources: ISO/IEC 14496-12 (boxes).
"""

from collections.abc import Iterator

from attrs import define, field

from tiktok_core.domain.reading import Window
from tiktok_core.domain.tracks import Frames

__all__ = ["Movie", "MovieTrack", "box_at", "boxes", "stated"]


@define
class MovieTrack:
    """What is known of a track so far.

    Attributes:
        duration: in units of the film; 0 while unknown.
        media_duration: in units of the track; 0 while unknown.
        pictures: codec, width and height of each kind of picture.
        frames: how long each of its frames is shown, in units of the track.
        begin: the beginning of the first fragment that was read, in units of the track.
        end: the end of the last one.
        usual_ticks: how long a sample of a fragment lasts where the fragment does not say it.
    """

    number: int = 0
    scale: int = 0
    duration: int = 0
    media_duration: int = 0
    is_video: bool = False
    is_aside: bool = False
    pictures: list[tuple[str | None, int, int]] = field(factory=list)
    frames: Frames = field(factory=Frames)
    begin: int | None = None
    end: int = 0
    usual_ticks: int = 0


@define
class Movie:
    """What is known of a film so far.

    Attributes:
        scale: units a second.
        durations: what the file states, in seconds.
        listed: beginning and end, in seconds, of what each index of segments lists.
        is_partial: whether the look ended before the file did.
        has_end: whether the end of the film is known: it has no fragments, or the last one was read.
        promised: the offset at which the last box that was read ends by its own length.
    """

    tracks: list[MovieTrack] = field(factory=list)
    scale: int = 0
    durations: list[float] = field(factory=list)
    listed: list[tuple[float, float]] = field(factory=list)
    is_partial: bool = False
    has_end: bool = True
    has_index: bool = False
    lacks_index: bool = False
    promised: int = 0
    asides: set[int] = field(factory=set)
    samples: int = 0

    def track(self, number: int) -> MovieTrack | None:
        """Return the track of a number; None if the index has none."""
        return next((track for track in self.tracks if track.number == number), None)


def box_at(window: Window, position: int, limit: int) -> tuple[bytes, int, int]:
    """Return the kind of a box, the offset of what is in it, and the offset of its end; a body after its end is no box."""
    head = window.bytes_at(position, 16)
    length, kind, body = int.from_bytes(head[:4]), head[4:8], position + 8
    if length == 1:
        length, body = int.from_bytes(head[8:16]), position + 16
    # A length of 0 means the rest of what holds the box.
    return kind, body, position + length if length else max(limit, position + 8)


def boxes(window: Window, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each box within another one; a box that is longer than what holds it ends there."""
    while start + 8 <= end:
        kind, body, after = box_at(window, start, end)
        if body > after:
            return
        yield kind, body, min(after, end)
        start = after


def stated(duration: int, width: int) -> int:
    """Return a duration; 0 for one of all ones, which means "unknown"."""
    return 0 if duration == (1 << 8 * width) - 1 else duration
