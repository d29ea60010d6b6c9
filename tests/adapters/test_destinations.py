"""A download's file is there as a whole, or not at all."""

import errno
import os
import pickle
import stat
import threading
from pathlib import Path

import pytest

from tiktok_adapters import destinations
from tiktok_adapters.destinations import FileDestination, open_destination
from tiktok_core.errors import InvalidInput, StoreError
from tiktok_core.ports import Destination


def left_in(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_nothing_stands_under_the_name_before_it_is_kept(tmp_path: Path) -> None:
    """Nothing has the name until `keep`. Then the whole file has it, for its owner only, and nothing else is left."""
    path = tmp_path / "data.zip"
    destination: Destination = open_destination(path)
    assert left_in(tmp_path) == []
    sink = destination.begin()
    sink.write(b"one ")
    (part,) = left_in(tmp_path)
    assert part.startswith(".tiktok-")
    assert stat.S_IMODE((tmp_path / part).stat().st_mode) == 0o600
    sink.write(b"two")
    destination.keep()
    destination.discard()
    assert (left_in(tmp_path), path.read_bytes()) == (["data.zip"], b"one two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_begun_again_begins_from_the_front(tmp_path: Path) -> None:
    """Neither bytes nor file of the first try stay."""
    destination = FileDestination(tmp_path / "data.zip")
    destination.begin().write(b"half")
    destination.begin().write(b"whole")
    destination.keep()
    assert (left_in(tmp_path), (tmp_path / "data.zip").read_bytes()) == (["data.zip"], b"whole")


def test_what_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    """`discard` leaves nothing, once or twice, before or after `begin`."""
    destination = FileDestination(tmp_path / "data.zip")
    destination.discard()
    destination.begin().write(b"half")
    destination.discard()
    destination.discard()
    assert left_in(tmp_path) == []
    for act in (lambda: destination.write(b"late"), destination.keep):
        with pytest.raises(StoreError, match="call begin"):
            act()


def test_a_relative_name_is_settled_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the working folder in the meantime does not move the file."""
    monkeypatch.chdir(tmp_path)
    destination = FileDestination("data.zip")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    destination.begin().write(b"x")
    destination.keep()
    assert left_in(tmp_path) == ["data.zip", "other"]


@pytest.mark.parametrize("name", ["nowhere/data.zip", "folder", "there.zip", "dangling"])
def test_a_name_that_cannot_be_used_is_refused_at_once(tmp_path: Path, name: str) -> None:
    """The destination refuses a missing folder, a folder, and an existing file or link."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.zip").write_bytes(b"mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    with pytest.raises(InvalidInput, match=r"^to: "):
        FileDestination(tmp_path / name)


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_a_file_that_comes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """`keep` leaves such a file alone, even on file systems without hard links. Otherwise the download gets its name."""
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    destination = FileDestination(tmp_path / "data.zip")
    destination.begin().write(b"theirs")
    (tmp_path / "data.zip").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match="already exists"):
        destination.keep()
    destination.discard()
    assert (left_in(tmp_path), (tmp_path / "data.zip").read_bytes()) == (["data.zip"], b"mine")
    other = FileDestination(tmp_path / "other.zip")
    other.begin().write(b"theirs")
    other.keep()
    assert left_in(tmp_path) == ["data.zip", "other.zip"]


def refuse_links(*_places: object) -> None:
    """Behave as a file system without hard links."""
    raise OSError(errno.EPERM, "Operation not permitted")


def test_a_file_is_replaced_where_that_is_wanted(tmp_path: Path) -> None:
    """The new file replaces the old one as a whole; until then the old one is there."""
    path = tmp_path / "data.zip"
    path.write_bytes(b"old")
    destination = open_destination(path, overwrite=True)
    destination.begin().write(b"new")
    assert path.read_bytes() == b"old"
    destination.keep()
    assert (left_in(tmp_path), path.read_bytes()) == (["data.zip"], b"new")


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the file's name and the reason, and nothing is left."""
    destination = FileDestination(tmp_path / "data.zip")
    sink = destination.begin()

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match=r"data\.zip: it cannot be written \(no space left on device\)"):
        sink.write(bytes(destinations.SYNC_EVERY))
    with pytest.raises(StoreError, match="no space"):
        destination.keep()
    destination.discard()
    assert left_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_closed_is_told_as_such(tmp_path: Path) -> None:
    """The error comes with the archive, because the folder may be closed at any time before."""
    destination = FileDestination(tmp_path / "data.zip")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="permission denied"):
            destination.begin()
    finally:
        tmp_path.chmod(0o700)


def test_a_write_that_still_goes_on_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled caller leaves a thread behind. The destination does not close the file while the thread writes."""
    destination = FileDestination(tmp_path / "data.zip")
    sink, writing, go_on = destination.begin(), threading.Event(), threading.Event()

    def slow(_descriptor: int) -> None:
        writing.set()
        assert go_on.wait(5)

    monkeypatch.setattr(os, "fsync", slow)
    writer = threading.Thread(target=sink.write, args=(bytes(destinations.SYNC_EVERY),))
    writer.start()
    assert writing.wait(5)
    discarder = threading.Thread(target=destination.discard)
    discarder.start()
    discarder.join(0.05)
    assert discarder.is_alive()
    go_on.set()
    writer.join(5)
    discarder.join(5)
    assert left_in(tmp_path) == []


def test_an_open_file_is_not_pickled(tmp_path: Path) -> None:
    """An open file means nothing in another process. The repr shows the file's name."""
    destination = FileDestination(tmp_path / "data.zip")
    assert str(tmp_path) in repr(destination)
    with pytest.raises(TypeError):
        pickle.dumps(destination)
