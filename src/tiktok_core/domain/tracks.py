"""What a film's tracks say together: their rate, and which of them count.

This module holds what MP4, MOV and WebM have in common. `movies` and `elements` read the tracks.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from tiktok_core.domain.media import VideoFacts

__all__ = ["Film", "Frames", "Track", "joined"]

FINE: Final = 10
"""Where a frame is shown for at least so many units, two frames of a constant rate may differ by `ROUNDING`."""
ROUNDING: Final = 2
NEGATIVE: Final = 1 << 31
"""Some writers mean a negative time by a duration from here on. It says nothing about the rate."""


@define
class Frames:
    """How long the frames of a track are shown, in the track's units.

    Attributes:
        count: the number of frames.
        ticks: units of all of them.
        shortest: units of the shortest one.
        longest: units of the longest one.
    """

    count: int = 0
    ticks: int = 0
    shortest: int = NEGATIVE
    longest: int = 0
    _first: int | None = None
    _last: int = 0
    _told: int = 0
    _held: tuple[int, int] = (0, 0)

    def add(self, count: int, ticks: int) -> None:
        """Add frames that are shown for `ticks` units each."""
        if count:
            self._take()
            self._held = count, ticks
            self.count += count
            self.ticks += count * ticks

    def add_fragment(self, begins: int, samples: Sequence[int]) -> None:
        """Add the frames of a fragment. Its beginning counts, because some writers do not know how long its last frame is."""
        if not samples:
            return
        if self._first is None:
            self._first = self._last = begins
        elif begins <= self._last:
            self.longest = NEGATIVE  # Fragments that do not follow each other have no rate together.
        self._last = begins
        self.count += len(samples)
        self._told += sum(samples)
        self.ticks = begins + sum(samples) - self._first
        for ticks in samples[:-1]:
            self._span(ticks)

    def rate(self, scale: int) -> tuple[float | None, bool]:
        """Return the frames a second, None if unknown, and whether the time between them varies.

        Args:
            scale: units a second.
        """
        count, ticks = self.count, self.ticks
        # The last frame is often shown for a time of its own.
        if self._held[0] == 1 and count > 1:
            count, ticks = count - 1, ticks - self._held[1]
        else:
            self._take()
        if count < 2 or ticks <= 0 or self.longest >= NEGATIVE or not scale:
            return None, False
        differ = self.longest - self.shortest
        is_constant = differ <= 0 or (differ <= ROUNDING and ticks >= FINE * count)
        if self._first is not None:
            # Between fragments, or in their last samples, there is time that no sample tells.
            is_constant = is_constant and abs(ticks - self._told) * 100 <= ticks
        return count * scale / ticks, not is_constant

    def _take(self) -> None:
        count, ticks = self._held
        if count:
            self._span(ticks)
        self._held = 0, 0

    def _span(self, ticks: int) -> None:
        self.shortest, self.longest = min(self.shortest, ticks), max(self.longest, ticks)


@frozen(kw_only=True)
class Track:
    """A track of pictures, as it was read.

    Attributes:
        pictures: codec, width and height of each kind of picture; None and 0 if unknown.
        scale: units a second.
        shown: the pixels that a player shows, if the track is cropped.
        has_times: whether each frame has a time of its own, so that a player goes by no rate.
        is_aside: whether it is no film: a single picture, a thumbnail, or the pictures of chapters.
    """

    pictures: tuple[tuple[str | None, int, int], ...]
    frames: Frames
    scale: int
    shown: tuple[int, int] | None = None
    has_times: bool = False
    is_aside: bool = False


@frozen(kw_only=True)
class Film:
    """What a file says about itself.

    Attributes:
        facts: the properties of the video.
        size: bytes of the file; 0 if nothing was looked at.
        promised: the offset at which the file would end by its own layout, if that is beyond its end; else 0.
        lacks_index: whether the file is complete by its layout, and yet has no index.
    """

    facts: VideoFacts = field(factory=VideoFacts)
    size: int = 0
    promised: int = 0
    lacks_index: bool = False


def joined(
    tracks: Sequence[Track],
    *,
    duration: float | None,
    has_end: bool,
    is_partial: bool,
    has_tracks: bool,
    promised: int = 0,
    lacks_index: bool = False,
) -> Film:
    """Return what the tracks say together.

    Args:
        tracks: those with pictures.
        duration: seconds; None if unknown.
        has_end: whether the end of the film was seen; else it may last longer.
        is_partial: whether the look ended before it had seen all frames.
        has_tracks: whether the list of tracks was read.
        promised: see `Film`.
        lacks_index: see `Film`.
    """
    # Beside a film, a single picture is its cover. Alone, it is the film.
    counting = [track for track in tracks if not track.is_aside] or tracks
    facts = [one for track in counting for one in _facts(track, is_partial=is_partial)]
    whole = evolve(
        facts[0] if facts else VideoFacts(),
        duration=duration,
        may_be_longer=duration is not None and not has_end,
        has_picture=bool(facts) if has_tracks else None,
        others=tuple(facts[1:]),
    )
    return Film(facts=whole, promised=promised, lacks_index=lacks_index)


def _facts(track: Track, *, is_partial: bool) -> list[VideoFacts]:
    rate, varies = track.frames.rate(track.scale)
    return [
        VideoFacts(
            codec=codec,
            frame_rate=rate,
            # Of a film that was seen in part, nobody knows whether the rest is alike.
            has_variable_rate=rate is not None and (varies or is_partial or track.has_times),
            width=width or None,
            height=height or None,
            shown=track.shown,
        )
        for codec, width, height in track.pictures
    ]
