"""The chunk plan: how to cut a video so that TikTok cannot refuse it.

Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide. The guide does not define its "MB", so a plan keeps
every limit under the decimal and the binary reading: a chunk has 5,242,880 to 64,000,000 bytes, the last one at most
128,000,000, and a file above 64,000,000 bytes always goes in several chunks.
"""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from tiktok_core.errors import InvalidPost, Problem, refuse

__all__ = [
    "DEFAULT_CHUNK",
    "DOUBTFUL_VIDEO",
    "LARGEST_VIDEO",
    "ChunkPlan",
    "fallback_plans",
    "plan_chunks",
    "size_problem",
]

SMALLEST_CHUNK: Final = 5_242_880
LARGEST_CHUNK: Final = 64_000_000
LARGEST_VIDEO: Final = 4 * 1024**3
DOUBTFUL_VIDEO: Final = 4_000_000_000
"""Bytes. A larger video exceeds TikTok's limit of "4 GB" if TikTok means decimal gigabytes."""
DEFAULT_CHUNK: Final = 10_000_000
"""Bytes. The guide's own example, and the size that most programs have used with success."""
FALLBACK_CHUNKS: Final = (DEFAULT_CHUNK, 32_000_000, SMALLEST_CHUNK)


@frozen
class ChunkPlan:
    """A way to cut a video into chunks, in the words of TikTok's `source_info`.

    Attributes:
        video_size: bytes of the whole video.
        chunk_size: bytes of each chunk but the last.
        total_chunk_count: `video_size // chunk_size`; the last chunk takes the rest too, so it may be larger.
    """

    video_size: int
    chunk_size: int
    total_chunk_count: int

    def chunk(self, index: int) -> tuple[int, int]:
        """Return the first and the last byte (inclusive) of chunk `index`, counted from 0.

        Raises:
            IndexError: there is no such chunk.
        """
        if not 0 <= index < self.total_chunk_count:
            raise IndexError(f"chunk {index} of {self.total_chunk_count}")
        first = index * self.chunk_size
        if index == self.total_chunk_count - 1:
            return first, self.video_size - 1
        return first, first + self.chunk_size - 1

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield the first and the last byte (inclusive) of each chunk, in order."""
        size = self.chunk_size
        last = (self.total_chunk_count - 1) * size
        for first in range(0, last, size):
            yield first, first + size - 1
        yield last, self.video_size - 1


def plan_chunks(video_size: int, chunk_size: int | None = None) -> ChunkPlan:
    """Return a plan that is valid under both readings of "MB".

    Args:
        video_size: bytes of the video, 1 to 4 GiB.
        chunk_size: bytes of a chunk, used as given or refused. Unless given, a file up to 64,000,000 bytes goes in one
            chunk, and a larger one in chunks of 10,000,000.

    Raises:
        InvalidPost: the video's size or the given chunk size cannot work; for a chunk size, the error names one that works.
    """
    if not 1 <= video_size <= LARGEST_VIDEO:
        refuse(InvalidPost, size_problem(video_size))
    if chunk_size is None:
        chunk_size = _usual_chunk(video_size)
    elif reason := _chunk_problem(video_size, chunk_size):
        raise InvalidPost((Problem("chunk_size", reason),))
    return ChunkPlan(video_size, chunk_size, video_size // chunk_size)


def fallback_plans(plan: ChunkPlan) -> tuple[ChunkPlan, ...]:
    """Return the other legal plans for the same file, best first, to try after TikTok's "The chunk size is invalid"."""
    size = plan.video_size
    candidates = dict.fromkeys((*((size,) if size <= LARGEST_CHUNK else ()), *FALLBACK_CHUNKS, size // 2))
    return tuple(
        ChunkPlan(size, chunk, size // chunk)
        for chunk in candidates
        if chunk != plan.chunk_size and chunk and not _chunk_problem(size, chunk)
    )


def size_problem(video_size: int) -> Iterator[Problem]:
    """Yield the problem of a video of this size, if it has one."""
    if video_size < 1:
        yield Problem("video", "the file is empty")
    elif video_size > LARGEST_VIDEO:
        yield Problem("video", f"the file has {video_size:,} bytes; TikTok takes at most 4 GB ({LARGEST_VIDEO:,})")


def _usual_chunk(video_size: int) -> int:
    return video_size if video_size <= LARGEST_CHUNK else DEFAULT_CHUNK


def _chunk_problem(video_size: int, chunk_size: int) -> str:
    if chunk_size == video_size:
        if video_size <= LARGEST_CHUNK:
            return ""
        return f"a video above {LARGEST_CHUNK:,} bytes must go in several chunks; {DEFAULT_CHUNK:,} is a good size"
    if chunk_size > video_size:
        return (
            f"{chunk_size:,} is more than the video's {video_size:,} bytes; {_usual_chunk(video_size):,} is a good size"
        )
    if video_size < SMALLEST_CHUNK:
        return f"a video below {SMALLEST_CHUNK:,} bytes goes in one chunk of its own size, {video_size:,}"
    if not SMALLEST_CHUNK <= chunk_size <= LARGEST_CHUNK:
        return (
            f"{chunk_size:,} is not between {SMALLEST_CHUNK:,} and {LARGEST_CHUNK:,}, the limits of a chunk; "
            f"{_usual_chunk(video_size):,} is a good size"
        )
    if video_size // chunk_size == 1:
        whole = f"{video_size:,} (the whole video) or " if video_size <= LARGEST_CHUNK else ""
        at_most = max(video_size // 2, SMALLEST_CHUNK)
        half = f"at most {at_most:,}" if video_size // at_most > 1 else ""
        return (
            f"{chunk_size:,} would make one chunk of {video_size:,} bytes, and TikTok wants a single chunk "
            f"to have the video's own size; take {whole}{half}".removesuffix(" or ")
        )
    return ""
