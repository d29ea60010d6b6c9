"""What a caller gives in place of a name or a source: bytes, open files, uploads of web frameworks, streams.

What belongs here: telling what a thing is, by what it can do and not by its class, so that no framework is imported; and what is
refused. What can be read at any offset is read where it lies. What can only be read on is copied into a temporary file first.
"""

import asyncio
import hashlib
import io
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from inspect import iscoroutinefunction
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from tiktok_adapters.sources.bytes import BytesSource
from tiktok_adapters.sources.files import why
from tiktok_adapters.sources.held import CursorSource, HeldFile
from tiktok_adapters.sources.spooled import Copy
from tiktok_core.errors import InvalidPost, Problem, SourceChanged, TikTokError
from tiktok_core.ports import FillsBuffers, Intake, Source

__all__ = ["open_given"]

PART: Final = 4 << 20
"""Bytes of a file that one step of an intake reads."""
BLOCK: Final = 1 << 20
"""The most bytes of a stream that one step of an intake reads."""
REWINDING: Final = frozenset(
    {
        *(("_compression", "BaseStream"), ("compression._common._streams", "BaseStream")),  # gzip, bz2, lzma, zstd
        ("zipfile", "ZipExtFile"),
    }
)
"""Classes of the standard library that read everything before an offset again to get there."""


def open_given(given: object, /) -> Intake | None:
    """Return the intake of bytes, of an open file, of an upload, or of a stream; None for anything else. It reads nothing yet.

    Raises:
        InvalidPost: an upload has no file.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return _Bytes(given)
    try:
        held: Any = _held(given)
    except Exception as error:
        raise _unreadable(error) from error
    for name in ("read_chunk", "read"):
        if iscoroutinefunction(read := getattr(held, name, None)):
            return _Awaited(lambda: _read_on(read))
    if callable(getattr(held, "read", None)):
        return _OpenFile(held)
    if isinstance(held, Iterator):
        return _Copied(lambda: _next_of(held))
    if isinstance(held, AsyncIterator):
        return _Awaited(lambda: _anext_of(held))
    return None


def _held(given: Any) -> Any:
    """Return the open file that an upload holds; anything else as it is.

    An object that reads by itself is left as it is, unless its `read` is that of the file that it holds: it may decrypt that one.
    """
    for name in ("file", "stream"):
        inner = getattr(given, name, None)
        theirs = getattr(inner, "read", None)
        if inner is given or not callable(theirs):
            continue
        own = getattr(given, "read", None)
        if own is None or iscoroutinefunction(own) or getattr(own, "__wrapped__", own) == theirs:
            return _held(inner)
    return given


class _Bytes:
    """Takes bytes in memory."""

    is_movable = True

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = data
        self.size = memoryview(data).nbytes

    def take(self) -> Source:
        """Return the source: a digest of all bytes is its only cost."""
        return BytesSource(self._data)


class _OpenFile:
    """Takes a file that the caller has open: where it lies, if it can be read at any offset; otherwise a copy of it."""

    def __init__(self, held: Any) -> None:
        self._held = held
        self._taking: _Digested | _Copied | None = None

    @property
    def size(self) -> int:
        """The size of the file, or the number of bytes that were copied."""
        return self._taking.size if self._taking else 0

    @property
    def is_movable(self) -> bool:
        """Whether what is read is a file of the operating system. Another object may belong to the caller's thread."""
        return self._taking is not None and self._taking.is_movable

    def take(self) -> Source | None:
        """Look at the file first, then take part after part of it."""
        try:
            if self._taking is None:
                self._taking = self._begun()
                return None
            return self._taking.take()
        except TikTokError:
            raise
        except Exception as error:
            raise _unreadable(error) from error

    def _begun(self) -> "_Digested | _Copied":
        held = self._held
        if getattr(held, "closed", False) is True:
            raise _refusal("is a closed file; open it again, or give its name")
        if callable(readable := getattr(held, "readable", None)) and not readable():
            raise _refusal('is a file that is open for writing alone; open it for reading ("rb")')
        if isinstance(held, io.TextIOBase):
            raise _text()
        if (fd := _descriptor(held)) is not None:
            return _Digested(HeldFile(fd))
        if not _can_seek(held):
            return _Copied(lambda: _read(held))
        if isinstance(held.read(0), str):
            raise _text()
        if not _rewinds(held):
            return _Digested(CursorSource(held))
        before = held.tell()
        held.seek(0)
        return _Copied(lambda: _read(held), lambda: held.seek(before))


class _Digested:
    """Reads a source once, so that its fingerprint is that of its bytes, however they were given."""

    def __init__(self, source: HeldFile | CursorSource) -> None:
        self._source = source
        self._digest = hashlib.blake2b(digest_size=16)
        self._done = 0
        self.size = source.size
        self.is_movable = isinstance(source, FillsBuffers)

    def take(self) -> Source | None:
        """Read the next part."""
        try:
            block = self._source.read(self._done, min(PART, self.size - self._done))
            self._digest.update(block)
            self._done += len(block)
            if block and self._done < self.size:
                return None
            self._source.settle(self._digest.hexdigest())
        except BaseException:
            self._source.close()
            raise
        return self._source


class _Copied:
    """Copies what comes once into a temporary file, which is closed, and so gone, as soon as anything fails.

    Args:
        next_block: returns the next bytes; none at the end.
        at_end: called at the end, and after an error.
    """

    is_movable = False

    def __init__(self, next_block: Callable[[], object], at_end: Callable[[], object] = lambda: None) -> None:
        self._next_block = next_block
        self._at_end = at_end
        self._copy: Copy | None = None

    @property
    def size(self) -> int:
        """The number of bytes that were copied."""
        return self._copy.size if self._copy else 0

    def take(self) -> Source | None:
        """Copy the next bytes."""
        self._copy = self._copy or Copy(_no_room)
        try:
            block = _checked(self._next_block())
            self._copy.write(block)
            if block:
                return None
            self._at_end()
        except BaseException:
            self._drop()
            raise
        return self._copy.source()

    def _drop(self) -> None:
        if self._copy is not None:
            self._copy.close()
        with suppress(Exception):  # The error that led here counts.
            self._at_end()


class _Awaited(_Copied):
    """The same for bytes that an event loop brings.

    Args:
        next_block: returns the next bytes, awaited; none at the end.
    """

    is_movable = True

    def __init__(self, next_block: Callable[[], Awaitable[object]]) -> None:
        super().__init__(lambda: self._received)
        self._next_awaited = next_block
        self._received: object = b""

    async def receive(self, within: float, /) -> None:
        """See `Receives`."""
        try:
            async with asyncio.timeout(within):
                self._received = await self._next_awaited()
        except TimeoutError:
            self._drop()
            raise SourceChanged(None, f"no bytes of the file came within {within:g} s") from None
        except BaseException:
            self._drop()
            raise


def _descriptor(held: Any) -> int | None:
    """Return the descriptor of a regular file that gives the same bytes as `held`, if there is one.

    Only classes of the standard library count: a file of another class may decrypt or unpack what lies there.
    """
    if not hasattr(os, "pread"):
        return None  # Without it, reading by a descriptor moves the cursor of its holder.
    if type(held) is SpooledTemporaryFile:
        # While it lies in memory it has no name, and asking for its descriptor would write it to the disk.
        raw: Any = None if held.name is None or isinstance(held.read(0), str) else held
    else:
        raw = held.raw if type(held) in {io.BufferedReader, io.BufferedRandom} else held
        raw = raw if type(raw) is io.FileIO else None
    if raw is None or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    if held.writable():
        held.flush()  # What its holder has written may still be in memory.
    fd: int = raw.fileno()
    return fd


def _can_seek(held: Any) -> bool:
    if callable(seekable := getattr(held, "seekable", None)):
        return bool(seekable())
    return all(callable(getattr(held, name, None)) for name in ("seek", "tell"))


def _rewinds(held: Any) -> bool:
    inside = getattr(held, "raw", held)
    return any((kind.__module__, kind.__name__) in REWINDING for kind in type(inside).__mro__)


def _read(held: Any) -> object:
    # A pipe gives what is there, and not only once a whole block is; some streams give nothing before they end.
    read_1 = getattr(held, "read1", None)
    return (read_1(BLOCK) if callable(read_1) else None) or held.read(BLOCK)


def _next_of(held: Iterator[object]) -> object:
    return next((block for block in held if block != b""), b"")


async def _read_on(read: Callable[[int], Awaitable[object]]) -> object:
    try:
        return await read(BLOCK)
    except Exception as error:
        raise _unreadable(error) from error


async def _anext_of(held: AsyncIterator[object]) -> object:
    async for block in held:
        if block != b"":
            return block
    return b""


def _checked(block: object) -> bytes:
    if isinstance(block, str):
        raise _text()
    if not isinstance(block, bytes | bytearray | memoryview):
        raise _refusal(
            f"gives {type(block).__name__} where its bytes belong; give a file that is open for reading bytes"
        )
    return bytes(block)


def _text() -> InvalidPost:
    return _refusal('is a file that is open as text; open it for reading bytes ("rb")')


def _refusal(said: str) -> InvalidPost:
    return InvalidPost((Problem("video", said),))


def _no_room(error: OSError) -> InvalidPost:
    return _refusal(
        f"is read once, and cannot be copied into a temporary file ({why(error)}); make room for that, set TMPDIR to another folder, or give "
        "the name of a file"
    )


def _unreadable(error: Exception) -> InvalidPost:
    return _refusal(f"cannot be read ({type(error).__name__}: {error})")
