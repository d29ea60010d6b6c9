"""What a file as a source promises beyond the contract of its port."""

import gc
import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tiktok_adapters.sources import BytesSource, FileSource, open_source
from tiktok_core.errors import InvalidPost, SourceChanged
from tiktok_core.wire.http import FileSlice

GIB = 1 << 30


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a file of 256,000 bytes."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def _directory(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _path: None, "there is no file at"),
        (_directory, "is a directory"),
        (os.mkfifo, "is a pipe"),
        (_socket, "cannot be opened"),
        (_loop, "cannot be opened"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (lambda path: path.symlink_to("missing"), "there is no file at"),
    ],
)
def test_only_a_regular_file_is_a_source(tmp_path: Path, make: Callable[[Path], object], words: str) -> None:
    """The source refuses everything else at once, with one sentence, and does not wait for a writer."""
    path = tmp_path / "video"
    make(path)
    with pytest.raises(InvalidPost) as caught:
        open_source(path)
    (problem,) = caught.value.problems
    assert problem.field == "video"
    assert words in problem.message


def test_a_path_that_cannot_be_one_is_refused(clip: Path) -> None:
    """A NUL in a path, or a path through a file, is a clear error."""
    for path in ("a\0b", clip / "inside"):
        with pytest.raises(InvalidPost):
            open_source(path)


def test_an_unreadable_file_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system does not let the library read the file, a clear error says so."""

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(InvalidPost, match=r"cannot be opened \(permission denied\)"):
        open_source(clip)


def test_a_link_to_a_regular_file_is_fine(clip: Path, tmp_path: Path) -> None:
    """A symbolic link stands for its file."""
    link = tmp_path / "link.mp4"
    link.symlink_to(clip)
    with FileSource(link) as source:
        assert (source.name, source.size, source.read(254, 4)) == ("link.mp4", 256_000, b"\xfe\xff\x00\x01")


def test_an_empty_file_is_opened(tmp_path: Path) -> None:
    """The core decides whether an empty file is allowed."""
    (tmp_path / "empty").touch()
    with FileSource(tmp_path / "empty") as source:
        assert (source.size, source.read(0, 10)) == (0, b"")
        assert source.fingerprint


def test_a_file_beyond_4_gib_is_read_at_any_offset(tmp_path: Path) -> None:
    """Offsets have more than 32 bits, and holes read as zeros."""
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.truncate(5 * GIB)
        file.seek(4 * GIB + 3)
        file.write(b"here")
    with FileSource(path) as source:
        assert source.size == 5 * GIB
        assert source.read(4 * GIB, 10) == b"\0\0\0here\0\0\0"
        assert source.fingerprint == source.fingerprint
        assert next(FileSlice(source, 4 * GIB, GIB).blocks(16))[3:7] == b"here"


def test_a_file_that_grows_has_another_fingerprint(clip: Path) -> None:
    """`size` stays as it was when the file was opened, and the fingerprint shows the change."""
    with FileSource(clip) as source:
        before = source.fingerprint
        with clip.open("ab") as file:
            file.write(b"more")
        assert source.size == 256_000
        assert source.fingerprint != before


def test_a_file_that_shrinks_ends_its_slice(clip: Path) -> None:
    """A slice that the file can no longer fill raises `SourceChanged`."""
    with FileSource(clip) as source:
        before = source.fingerprint
        os.truncate(clip, 1000)
        assert source.fingerprint != before
        with pytest.raises(SourceChanged):
            list(FileSlice(source, 0, 256_000).blocks())


def test_a_file_that_was_replaced_has_another_fingerprint(clip: Path, tmp_path: Path) -> None:
    """The fingerprint shows a file that was renamed over the path, even with the same bytes and time."""
    with FileSource(clip) as source:
        before, status = source.fingerprint, clip.stat()
        copy = tmp_path / "copy"
        copy.write_bytes(clip.read_bytes())
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        copy.replace(clip)
        assert source.fingerprint != before


def test_a_change_shows_though_time_and_size_are_kept(clip: Path) -> None:
    """The fingerprint shows changed bytes at the head, in the middle or at the tail, even if the file's time is set back."""
    status = clip.stat()
    seen = set()
    with FileSource(clip) as source:
        seen.add(source.fingerprint)
        for position in (0, 128_000, 255_999):
            with clip.open("r+b") as file:
                file.seek(position)
                file.write(b"!")
            os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns))
            seen.add(source.fingerprint)
    assert len(seen) == 4


def test_a_file_that_was_deleted_is_changed(clip: Path) -> None:
    """Without a file at the path, no later call can continue."""
    with FileSource(clip) as source:
        clip.unlink()
        with pytest.raises(SourceChanged, match="gone"):
            _ = source.fingerprint


def test_a_closed_source_reads_nothing(clip: Path) -> None:
    """After closing, the descriptor may be another file's, so the source does not use it. A second close does nothing."""
    source = FileSource(clip)
    source.close()
    source.close()
    with clip.open("rb"), pytest.raises(SourceChanged, match="closed"):
        source.read(0, 10)


def test_trouble_while_reading_is_a_changed_source(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If disk or network fail during a read, the library's error says so."""

    def broken(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with FileSource(clip) as source:
        monkeypatch.setattr(os, "pread", broken)
        with pytest.raises(SourceChanged, match=r"can no longer be read \(input/output error\)"):
            source.read(0, 10)


def test_a_short_read_is_completed(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file system gives fewer bytes than asked for, the source asks again."""
    whole = os.pread
    with FileSource(clip) as source:
        monkeypatch.setattr(os, "pread", lambda fd, length, start: whole(fd, min(length, 7), start))
        assert source.read(100, 1000) == clip.read_bytes()[100:1100]
        assert source.read(255_990, 1000) == clip.read_bytes()[255_990:]


def test_a_system_without_pread_reads_the_same(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `os.pread`, the source moves the cursor under a lock."""
    monkeypatch.delattr(os, "pread")
    with FileSource(clip) as source:
        assert source.read(1000, 500) == clip.read_bytes()[1000:1500]
        assert source.read(0, 5) == clip.read_bytes()[:5]


def test_a_forgotten_source_closes_itself(clip: Path) -> None:
    """No descriptor stays open, and no warning comes (warnings are errors here)."""
    source = FileSource(clip)
    descriptor = source._fd
    del source
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_refused_path_leaves_no_descriptor_open(tmp_path: Path) -> None:
    """Refusing a directory a thousand times uses up no descriptor."""
    if not sys.platform.startswith("linux"):
        pytest.skip("counts descriptors in /proc")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        with pytest.raises(InvalidPost):
            open_source(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_relative_path_stays_the_same_file(clip: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change of the working folder does not change the source."""
    monkeypatch.chdir(clip.parent)
    with FileSource("clip.mp4") as source:
        before = source.fingerprint
        monkeypatch.chdir("/")
        assert source.fingerprint == before


def test_an_open_file_is_not_pickled(clip: Path) -> None:
    """A descriptor means nothing in another process."""
    with FileSource(clip) as source, pytest.raises(TypeError, match="open it again"):
        pickle.dumps(source)


def test_bytes_in_memory_are_copied_where_they_could_change() -> None:
    """A later change of a bytearray does not change the source."""
    data = bytearray(b"video")
    source = BytesSource(data, name="clip")
    data[:] = b"other"
    assert (source.read(0, 5), source.name) == (b"video", "clip")
