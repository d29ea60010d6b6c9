"""The bytes of uploads: appended in order, hashed at once, kept in a spooled temporary file.

What belongs here: storing bytes. `uploads.py` decides which bytes to accept.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any, Final

from attrs import define, field

from tiktok_adapters.simulator.media import HEAD
from tiktok_core.wire.http import BLOCK, Body

__all__ = ["IN_MEMORY", "Upload", "blocks_of", "spool"]

IN_MEMORY: Final = 8 << 20
"""The most bytes of one file to hold in memory; a longer file goes to a temporary file."""


def spool() -> IO[bytes]:
    """Return an empty file for the bytes of one body; the caller closes it."""
    return tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # the caller closes it


def blocks_of(body: Body, limit: int | None = None) -> Iterator[bytes]:
    """Yield a body in blocks, cut at `limit` bytes."""
    left = limit if limit is not None else len(body) if isinstance(body, bytes) else body.length
    blocks = _sliced(body) if isinstance(body, bytes) else body.blocks()
    while left > 0 and (block := next(blocks, b"")):
        yield block[:left]
        left -= len(block[:left])


def _sliced(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), BLOCK):
        yield body[start : start + BLOCK]


@define(eq=False, kw_only=True)
class Upload:
    """One upload: its declaration at the init, and the bytes so far.

    Attributes:
        upload_id, upload_token: the two secrets in the upload URL.
        size, chunk_size, count: the declared chunk plan.
        expires_at: the time at which the URL expires.
        offset: the number of stored bytes; the next PUT has to begin here.
        history: the number of stored bytes at each time, oldest first; the caller, which knows the time, fills it.
        last_range: the first and last byte of the last stored chunk.
        completed_at: the time at which the last byte was stored.
        media_type: the type that the last PUT declared.
        head: the first bytes, which are always kept.
        file: the stored bytes; None if they are not kept.
    """

    upload_id: str
    upload_token: str = field(repr=False)
    size: int
    chunk_size: int
    count: int
    expires_at: datetime
    offset: int = 0
    history: list[tuple[datetime, int]] = field(factory=list)
    last_range: tuple[int, int] | None = None
    completed_at: datetime | None = None
    media_type: str = "video/mp4"
    head: bytes = field(default=b"", repr=False)
    file: IO[bytes] | None = field(default=None, repr=False)
    _hasher: Any = field(factory=hashlib.sha256, repr=False)

    @property
    def sha256(self) -> str:
        """The digest of the whole file in hexadecimal; empty until every byte has arrived."""
        return str(self._hasher.hexdigest()) if self.offset == self.size else ""

    def chunk_end(self, first: int) -> int:
        """Return the last offset of the chunk that contains `first`."""
        index = min(first // self.chunk_size, self.count - 1)
        return self.size - 1 if index == self.count - 1 else (index + 1) * self.chunk_size - 1

    def counted(self, at: datetime) -> int:
        """Return the number of bytes stored by that time; all stored bytes if there is no history."""
        later = [since for since, _ in self.history if since > at]
        if not later:
            return self.offset
        return max((offset for since, offset in self.history if since <= at), default=0)

    def whole(self, offset: int) -> int:
        """Return the number of these bytes that make whole chunks."""
        return offset if offset == self.size else offset // self.chunk_size * self.chunk_size

    def append(self, body: Body, limit: int | None = None, *, keep_partial: bool = False) -> int:
        """Append the body, cut at `limit` bytes, and return the number of bytes that arrived.

        If the body breaks off, this keeps none of it unless `keep_partial` is set, and raises the error again.
        """
        hasher, came, head = self._hasher.copy(), 0, self.head
        if self.file is not None:
            self.file.seek(self.offset)
        try:
            for block in blocks_of(body, limit):
                hasher.update(block)
                came += len(block)
                head += block[: HEAD - len(head)] if len(head) < HEAD else b""
                if self.file is not None:
                    self.file.write(block)
        except BaseException:
            if keep_partial:
                self._advance(hasher, came, head)
            raise
        self._advance(hasher, came, head)
        return came

    def _advance(self, hasher: Any, came: int, head: bytes) -> None:
        self._hasher, self.head = hasher, head
        self.offset += came

    def close(self) -> None:
        """Close the file; its bytes are gone."""
        if self.file is not None:
            self.file.close()
            self.file = None

    def read(self, start: int, length: int) -> bytes:
        """Return stored bytes; no bytes if they were not kept."""
        if self.file is None:
            return b""
        self.file.seek(start)
        return self.file.read(max(0, min(length, self.offset - start)))
