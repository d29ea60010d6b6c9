"""The source over a temporary copy, of a video that cannot be read by ranges.

What belongs here: the copy, while it comes and once it is there. It has no name on the disk, so nothing is left of it, even after a kill.
"""

import errno
import hashlib
import tempfile
from collections.abc import Callable
from typing import IO, Final, NoReturn

from tiktok_adapters.sources.files import OpenFile
from tiktok_core.domain.chunks import LARGEST_VIDEO
from tiktok_core.errors import InvalidPost, Problem
from tiktok_core.hidden import Hidden
from tiktok_core.wire.http import redacted

__all__ = ["Copy", "SpooledSource", "too_large"]

FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)  # Windows has no quotas.


class Copy:
    """Takes the bytes of a video as they come: a `Sink`.

    Args:
        name: the name by which any machine opens the video. Its query is a secret.
        check: raises, before each block, if the copy is no longer wanted.
    """

    def __init__(self, name: Hidden[str], check: Callable[[], None]) -> None:
        self._name, self._check = name, check
        self._size = 0
        self._digest = hashlib.blake2b(digest_size=16)
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it outlives this call
        except OSError as error:
            self._fail(error)

    def write(self, block: bytes, /) -> None:
        """Take the next bytes.

        Raises:
            InvalidPost: they are too many, for TikTok or for the disk.
        """
        self._check()
        self._size += len(block)
        if self._size > LARGEST_VIDEO:
            raise too_large(self._name)
        self._digest.update(block)
        try:
            rest = memoryview(block)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._fail(error)

    def source(self) -> "SpooledSource":
        """Return the source of the complete copy, which owns it from now on."""
        return SpooledSource(self._file, self._size, self._digest.hexdigest(), self._name)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def _fail(self, error: OSError) -> NoReturn:
        folder = tempfile.gettempdir() if tempfile.tempdir else "the temporary folder"
        why = (error.strerror or type(error).__name__).lower()
        if error.errno in FULL:
            why = "its disk is full"
        said = (
            f"{redacted(self._name)} has to be copied before it is sent, because its server gives no ranges, and {folder} "
            f"cannot take it: {why}; free up to 4 GiB there, or set TMPDIR to another folder"
        )
        raise InvalidPost((Problem("video", said),)) from None


class SpooledSource(OpenFile):
    """A temporary copy of a video that lies elsewhere. Each read names its position, so threads may share it.

    Args:
        file: the copy, which this source owns from now on.
        size: its bytes.
        digest: of all of them.
        name: the name by which any machine opens the video. Its query is a secret.
    """

    def __init__(self, file: IO[bytes], size: int, digest: str, name: Hidden[str]) -> None:
        super().__init__(file.fileno(), file.close)
        self._size = size
        self._known = f"{size}-{digest}"
        self._name = name

    @property
    def name(self) -> str:
        """The name of the video without its query, which may be a secret."""
        return redacted(self._name)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """A digest of all bytes. It never changes, because nobody else can write the copy."""
        return self._known

    def __fspath__(self) -> str:
        """Return the whole name, by which another process can open the video."""
        return self._name.reveal()

    def __repr__(self) -> str:
        return f"SpooledSource({self.name!r})"


def too_large(name: Hidden[str]) -> InvalidPost:
    """Return the error for a video that TikTok does not take."""
    said = f"{redacted(name)} is larger than 4 GB ({LARGEST_VIDEO:,} bytes), the most that TikTok takes"
    return InvalidPost((Problem("video", said),))
