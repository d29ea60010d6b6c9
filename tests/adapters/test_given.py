"""What a caller gives in place of a name: how it is read, what is refused, and what is left as it was.

What belongs here: what holds beyond the contract of sources, which `contract_tests/test_given.py` binds to each kind.
"""

import asyncio
import errno
import gc
import gzip
import io
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clips import CLIP_BYTES
from tiktok_adapters.sources import BytesSource, open_given
from tiktok_adapters.sources.held import CursorSource, HeldFile
from tiktok_adapters.sources.spooled import SpooledSource
from tiktok_core.errors import InvalidPost, SourceChanged
from tiktok_core.ports import Intake, Receives, Source

DATA = Random(11).randbytes(9_000_000)
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts descriptors in /proc")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a file of 9 MB."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(DATA)
    return path


def intake_of(given: object) -> Intake:
    """Return the intake of a thing of a known kind."""
    found = open_given(given)
    assert found is not None
    return found


def taken(given: object) -> Any:
    """Take a thing in, to its end."""
    intake = intake_of(given)
    while (source := intake.take()) is None:
        pass
    return source


def whole(source: Source) -> bytes:
    """Return all bytes of a source."""
    return source.read(0, source.size + 1)


def refused(given: object) -> str:
    """Return the sentence that refuses a thing."""
    with pytest.raises(InvalidPost) as caught:
        taken(given)
    (problem,) = caught.value.problems
    assert problem.field == "video"
    return problem.message


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


# --- How it is read --------------------------------------------------------------------------------------------------


def test_the_same_bytes_have_the_same_fingerprint_however_they_are_given(clip: Path) -> None:
    """So a post that was begun with an upload goes on with bytes, a file or a stream of the same content."""
    with clip.open("rb") as file, tempfile.TemporaryFile() as other:
        other.write(DATA)
        given = [DATA, bytearray(DATA), io.BytesIO(DATA), file, other, iter([DATA[:5], b"", DATA[5:]])]
        found = [taken(one) for one in given]
        assert {one.fingerprint for one in found} == {BytesSource(DATA).fingerprint}
        assert all(whole(one) == DATA for one in found)


def test_a_file_on_the_disk_is_read_by_a_descriptor_of_our_own(clip: Path) -> None:
    """It is no copy, its holder's cursor does not move, and its holder may close it and remove its name."""
    with clip.open("rb") as file:
        file.seek(1_000)
        source = taken(file)
        assert isinstance(source, HeldFile)
        assert file.tell() == 1_000
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == os.lseek(file.fileno(), 0, os.SEEK_CUR)
    clip.unlink()
    assert source.read(0, 10) == DATA[:10]
    source.close()


@pytest.mark.parametrize("buffering", [-1, 0])
def test_the_position_in_the_system_does_not_move_either(clip: Path, buffering: int) -> None:
    """Who shares the descriptor, such as a child process, notices nothing."""
    with clip.open("rb", buffering) as file:
        file.read(5)
        before = os.lseek(file.fileno(), 0, os.SEEK_CUR)
        with taken(file) as source:
            assert whole(source) == DATA
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == before
        assert file.read(5) == DATA[5:10]


@pytest.mark.parametrize("at", [0, 4_000, len(DATA)])
def test_an_open_file_is_given_whole_wherever_its_cursor_stands(at: int) -> None:
    """It is read from its first byte, and its cursor is put back after each read."""
    file = io.BytesIO(DATA)
    file.seek(at)
    source = taken(file)
    assert isinstance(source, CursorSource)
    assert (whole(source), file.tell()) == (DATA, at)


def test_a_stream_is_given_from_where_it_stands() -> None:
    """What was read before is gone."""
    rest = iter([b"read before", CLIP_BYTES])
    next(rest)
    assert whole(taken(rest)) == CLIP_BYTES


def test_a_file_in_memory_stays_there() -> None:
    """Reading a spooled file does not make it write its bytes to the disk."""
    with tempfile.SpooledTemporaryFile() as file:
        file.write(CLIP_BYTES)
        assert isinstance(taken(file), CursorSource)
        assert file.name is None


def test_a_packed_file_is_unpacked_once(tmp_path: Path) -> None:
    """To go back in one means to unpack all before it again, so it is copied; its cursor is put back."""
    path = tmp_path / "clip.gz"
    path.write_bytes(gzip.compress(CLIP_BYTES))
    with gzip.open(path) as file:
        file.read(7)
        source = taken(file)
        assert isinstance(source, SpooledSource)
        assert (whole(source), file.tell()) == (CLIP_BYTES, 7)


def test_two_posts_of_one_file_do_not_disturb_one_another() -> None:
    """Sources over the same open file share the lock of its cursor."""
    file = io.BytesIO(DATA)
    first, second, other = taken(file), taken(file), taken(io.BytesIO(DATA))
    assert first._cursor is second._cursor
    assert first._cursor is not other._cursor


def test_what_decrypts_a_file_is_read_by_itself() -> None:
    """A wrapper that holds another file, and gives other bytes than that one, is not unwrapped."""

    class Decrypting:
        def __init__(self) -> None:
            self.file, self.read = io.BytesIO(b"secret"), io.BytesIO(CLIP_BYTES).read

    assert whole(taken(Decrypting())) == CLIP_BYTES


def test_a_wrapper_that_counts_as_a_file_of_the_system_is_read_by_itself(clip: Path) -> None:
    """A class of the caller's own may have the descriptor of what it unpacks."""

    class Unpacking(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            got = super().readinto(buffer) or 0
            buffer[:got] = bytes(byte ^ 1 for byte in buffer[:got])
            return got

        def read(self, size: int | None = -1) -> bytes:
            return bytes(byte ^ 1 for byte in super().read(size) or b"")

    clip.write_bytes(CLIP_BYTES)
    with Unpacking(clip) as file:
        assert whole(taken(file)) == bytes(byte ^ 1 for byte in CLIP_BYTES)


def test_without_pread_the_cursor_is_moved_and_put_back(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor of our own would share the cursor of its holder's."""
    monkeypatch.delattr(os, "pread")
    with clip.open("rb") as file:
        file.seek(3)
        source = taken(file)
        assert isinstance(source, CursorSource)
        assert (whole(source), file.tell()) == (DATA, 3)


def test_a_read_that_gives_less_is_gone_on_with() -> None:
    """A file may give fewer bytes than were asked for, before its end."""

    class Short(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(7, size or 0))

    assert taken(Short(CLIP_BYTES)).read(10, 500) == CLIP_BYTES[10:510]


@pytest.mark.parametrize("given", [object(), None, 7, ["clip.mp4"], (b"a", b"b"), {"read": 1}])
def test_anything_else_is_no_kind_that_is_known(given: object) -> None:
    """The client refuses it."""
    assert open_given(given) is None


# --- What changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 4_500_000, len(DATA) - 1])
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_change_shows_in_the_fingerprint(clip: Path, kind: str, position: int) -> None:
    """As for a file that was given by its name; and a change that is taken back is none."""
    with clip.open("r+b") if kind == "disk" else io.BytesIO(DATA) as file:
        source = taken(file)
        before = source.fingerprint
        file.seek(position)
        file.write(bytes([DATA[position] ^ 1]))
        file.flush()
        assert source.fingerprint != before


def test_a_file_that_changes_while_it_is_looked_at_is_refused() -> None:
    """Its fingerprint would be that of no state of the file. Ours is closed."""
    file = io.BytesIO(DATA)
    intake = intake_of(file)
    assert intake.take() is None
    assert intake.take() is None
    file.seek(0)
    file.write(b"!")
    assert intake.take() is None
    with pytest.raises(SourceChanged, match="changed while it was looked at"):
        intake.take()


@pytest.mark.parametrize("what", ["closed", "cut"])
def test_a_file_that_is_gone_during_the_upload_ends_it(what: str) -> None:
    """One sentence says so."""
    file = io.BytesIO(DATA)
    source = taken(file)
    if what == "cut":
        file.truncate(10)
        assert source.read(100, 10) == b""
        assert source.fingerprint != BytesSource(DATA).fingerprint
    else:
        file.close()
        with pytest.raises(SourceChanged, match=r"can no longer be read \(ValueError: I/O operation on closed file"):
            source.read(0, 10)


# --- What is refused -------------------------------------------------------------------------------------------------


def closed() -> Any:
    """Return a closed file."""
    file = io.BytesIO(CLIP_BYTES)
    file.close()
    return file


def spooled_text() -> Any:
    """Return a temporary file of text that lies on the disk."""
    file = partial(tempfile.SpooledTemporaryFile, max_size=1, mode="w+")()
    file.write("a text")
    return file


def packed(data: bytes) -> Any:
    """Return a packed file."""
    return gzip.GzipFile(fileobj=io.BytesIO(data))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (closed, "is a closed file; open it again, or give its name"),
        (partial(open, __file__), 'is a file that is open as text; open it for reading bytes ("rb")'),
        (lambda: io.StringIO("a text"), "is a file that is open as text"),
        (lambda: iter(["a text"]), "is a file that is open as text"),
        (spooled_text, "is a file that is open as text"),
        (partial(open, os.devnull, "wb"), 'is a file that is open for writing alone; open it for reading ("rb")'),
        (lambda: iter([CLIP_BYTES, None]), "gives NoneType where its bytes belong"),
        (lambda: iter([Path()]), "where its bytes belong"),
        (lambda: packed(gzip.compress(CLIP_BYTES)[:-4]), "cannot be read (EOFError: "),
        (lambda: packed(b"no gzip"), "cannot be read (BadGzipFile: "),
    ],
)
def test_what_gives_no_bytes_is_refused_with_one_sentence(make: Callable[[], Any], words: str) -> None:
    """The sentence says what it is and what to give."""
    given = make()
    assert words in refused(given)
    getattr(given, "close", lambda: None)()


def test_an_upload_without_a_file_is_refused() -> None:
    """A framework's own error becomes one sentence."""

    class NoFile:
        @property
        def file(self) -> Any:
            raise ValueError("The 'film' attribute has no file associated with it.")

        seek = property(lambda self: self.file.seek)

    assert refused(NoFile()) == "cannot be read (ValueError: The 'film' attribute has no file associated with it.)"


def test_a_pipe_without_bytes_that_does_not_wait_is_refused() -> None:
    """It would look like the end of the video."""
    end, other = os.pipe()
    os.set_blocking(end, False)
    with os.fdopen(end, "rb", 0) as pipe, os.fdopen(other, "wb"):
        assert "gives NoneType where its bytes belong" in refused(pipe)


def test_the_callers_own_error_reaches_the_caller() -> None:
    """A generator that fails fails the call with its own error."""
    error = RuntimeError("the disk of the other service is on fire")

    def blocks() -> Iterator[bytes]:
        yield CLIP_BYTES
        raise error

    with pytest.raises(InvalidPost) as caught:
        taken(io.BufferedReader(Broken()))
    assert "cannot be read (OSError: [Errno 5] broken)" in str(caught.value)
    with pytest.raises(RuntimeError) as own:
        taken(blocks())
    assert own.value is error


class Broken(io.RawIOBase):
    """A disk that fails."""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, _buffer: Any) -> int:
        """Fail."""
        raise OSError(errno.EIO, "broken")


# --- The copy --------------------------------------------------------------------------------------------------------


def test_sockets_and_pipes_are_copied() -> None:
    """What comes from another program is a video, too."""
    here, there = socket.socketpair()
    with here, there, here.makefile("rb") as file:
        there.sendall(CLIP_BYTES)
        there.shutdown(socket.SHUT_WR)
        assert whole(taken(file)) == CLIP_BYTES
    command = [sys.executable, "-c", "import sys; sys.stdout.buffer.write(b'abc' * 100_000)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert whole(taken(child.stdout)) == b"abc" * 100_000


def test_nobody_else_can_open_the_copy() -> None:
    """It has no name, and no other user could read it."""
    source = taken(iter([CLIP_BYTES]))
    status = os.fstat(source._fd)
    assert (status.st_nlink, stat.S_IMODE(status.st_mode)) == (0, 0o600)
    source.close()
    with pytest.raises(SourceChanged, match="closed"):
        source.read(0, 1)
    with pytest.raises(SourceChanged, match="closed"):
        _ = source.fingerprint


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to do."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    said = refused(iter([CLIP_BYTES]))
    assert said == (
        "is read once, and cannot be copied into a temporary file (no space left on device); make room for that, set TMPDIR to "
        "another folder, or give the name of a file"
    )


def test_a_folder_that_takes_no_file_is_the_same_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a folder for temporary files that is not there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert "cannot be copied into a temporary file (no such file or directory)" in refused(iter([CLIP_BYTES]))


def test_a_write_that_takes_less_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is whole."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, block: write(fd, block[:333]))
    assert whole(taken(iter([CLIP_BYTES]))) == CLIP_BYTES


async def _awaited(blocks: list[Any]) -> AsyncIterator[Any]:
    for block in blocks:
        await asyncio.sleep(0)
        if isinstance(block, BaseException):
            raise block
        yield block


@LINUX
@pytest.mark.parametrize(
    "make",
    [
        lambda: io.BytesIO(DATA),
        lambda: packed(gzip.compress(CLIP_BYTES)[:-4]),
        lambda: iter([CLIP_BYTES, "text"]),
        lambda: iter([CLIP_BYTES, None]),
    ],
)
def test_nothing_stays_open_after_an_error(make: Callable[[], Any]) -> None:
    """Not even while somebody keeps the error."""
    given, before = make(), descriptors()
    kept: list[Exception] = []
    intake = intake_of(given)
    try:
        for _ in range(3):
            intake.take()
        given.seek(0)
        given.write(b"!")
        while intake.take() is None:
            pass
    except (InvalidPost, SourceChanged) as error:
        kept.append(error)
    del intake
    assert kept
    assert descriptors() == before


# --- What an event loop brings ---------------------------------------------------------------------------------------


async def received(given: object, within: float = 10.0) -> Any:
    """Take in what an event loop brings, as an asynchronous client does."""
    intake = intake_of(given)
    assert isinstance(intake, Receives)
    while True:
        await intake.receive(within)
        if (source := intake.take()) is not None:
            return source


def test_what_an_event_loop_brings_is_copied() -> None:
    """An asynchronous iterator, a body in aiohttp's way, and a part of a form: all bytes come, in order."""

    class Body:
        def __init__(self) -> None:
            self._inner = io.BytesIO(CLIP_BYTES)

        async def read(self, size: int) -> bytes:
            await asyncio.sleep(0)
            return self._inner.read(min(size, 100))

    class Part(Body):
        async def read_chunk(self, size: int) -> bytes:
            return await super().read(size)

        async def read(self, size: int) -> bytes:
            raise AssertionError(f"this would take all of it into memory, and not {size} bytes")

    for given in (_awaited([CLIP_BYTES[:10], b"", CLIP_BYTES[10:]]), Body(), Part()):
        source = asyncio.run(received(given))
        assert (whole(source), source.fingerprint) == (CLIP_BYTES, BytesSource(CLIP_BYTES).fingerprint)


def test_a_part_of_a_form_is_copied_while_it_arrives() -> None:
    """The reader of aiohttp gives the film of a form, and nothing of what is around it."""
    from aiohttp import BodyPartReader, MultipartReader, StreamReader  # noqa: PLC0415
    from aiohttp.base_protocol import BaseProtocol  # noqa: PLC0415
    from multidict import CIMultiDict, CIMultiDictProxy  # noqa: PLC0415

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        stream = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        form = b'--b\r\nContent-Disposition: form-data; name="film"\r\n\r\n' + CLIP_BYTES + b"\r\n--b--\r\n"
        for start in range(0, len(form), 50):
            stream.feed_data(form[start : start + 50])
        stream.feed_eof()
        headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "multipart/form-data; boundary=b"}))
        part = await MultipartReader(headers, stream).next()
        assert isinstance(part, BodyPartReader)
        return await received(part)

    assert whole(asyncio.run(main())) == CLIP_BYTES


class Reset:
    """A body whose connection breaks."""

    def __init__(self) -> None:
        self._parts = iter([CLIP_BYTES])

    async def read(self, _size: int) -> bytes:
        """Give the first bytes, and fail then."""
        for part in self._parts:
            return part
        raise ConnectionResetError("gone")


class Silent(Reset):
    """A body that stops coming."""

    async def read(self, size: int) -> bytes:
        """Give the first bytes, and nothing then."""
        try:
            return await super().read(size)
        except ConnectionResetError:
            return await asyncio.get_running_loop().create_future()


@LINUX
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: _awaited([CLIP_BYTES, ConnectionResetError("gone")]), ConnectionResetError, "gone"),
        (lambda: _awaited([ConnectionResetError("at once")]), ConnectionResetError, "at once"),
        (lambda: _awaited([CLIP_BYTES, "text"]), InvalidPost, "open as text"),
        (Reset, InvalidPost, r"cannot be read \(ConnectionResetError: gone\)"),
        (Silent, SourceChanged, "no bytes of the file came within 0.01 s"),
    ],
)
def test_what_breaks_off_leaves_nothing(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    """The copy is closed, though somebody keeps the error."""
    before = descriptors()
    with pytest.raises(error, match=words):
        asyncio.run(received(make(), 0.01))
    assert descriptors() == before
