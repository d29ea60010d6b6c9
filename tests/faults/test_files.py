"""Rows 36 to 38 of the fault matrix: files that change during an upload, paths without a file, and texts at their limits.

What belongs here: the client's whole work with real files. `tests/adapters/test_sources.py` tests how a source detects
a change.
"""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import HEAD
from example_counts import at_most
from tiktok_core import InvalidPost, SourceChanged
from tiktok_core.domain.posts import PhotoPost, VideoPost, photo_problems, video_problems

CHUNK = 5_242_880


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Give a file of three chunks."""
    path = tmp_path / "film.mp4"
    path.write_bytes(HEAD + os.urandom(3 * CHUNK + 77))
    return path


# --- Row 36: a file that changes ---------------------------------------------------------------------------------------


def grow(path: Path) -> None:
    """Add a byte."""
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    """Take the last byte away."""
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    """Take all bytes away."""
    os.truncate(path, 0)


def replace(path: Path) -> None:
    """Put another file of the same size in its place."""
    other = path.with_name("other.mp4")
    other.write_bytes(HEAD + os.urandom(path.stat().st_size - len(HEAD)))
    other.replace(path)


def rewrite(path: Path) -> None:
    """Change bytes, and put the time of change back."""
    found = path.stat()
    with path.open("r+b") as file:
        file.write(HEAD + b"other bytes")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def delete(path: Path) -> None:
    """Remove it."""
    path.unlink()


CHANGES = (grow, shrink, empty, rewrite)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("nth", [1, 2])
def test_row_36_a_file_that_changes_is_never_completed(bench: Any, film: Path, change: Any, nth: int) -> None:
    """It changes before the first chunk or between two.

    No further byte counts, TikTok has no whole film, and the error says why.
    """
    bench.way.when("put", lambda: change(film), nth=nth)
    end = bench.outcome(lambda it: it.account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish"))
    assert isinstance(end, SourceChanged), end
    assert all(post.bytes_received < post.size for post in bench.sim.posts)
    sent = bench.way.sent.count("put")
    again = bench.outcome(lambda it: it.account.resume("wish"))
    assert isinstance(again, SourceChanged), again
    assert bench.way.sent.count("put") == sent


def overwrite(path: Path) -> None:
    """Write as many other bytes over all of it."""
    with path.open("r+b") as file:
        file.write(HEAD + os.urandom(path.stat().st_size - len(HEAD)))


SIZES = (1_000, 3_000_000, CHUNK + 1, 3 * CHUNK - 1, 3 * CHUNK)


@settings(max_examples=at_most(60), suppress_health_check=list(HealthCheck), deadline=None)
@given(
    world=st.sampled_from(["blocking", "asynchronous"]),
    size=st.sampled_from(SIZES),
    change=st.sampled_from([grow, shrink, empty, replace, delete, overwrite]),
    share=st.floats(0, 1),
)
def test_row_36_whenever_a_file_changes_the_bytes_of_two_are_never_posted(
    open_bench: Any, tmp_path: Path, *, world: str, size: int, change: Callable[[Path], None], share: float
) -> None:
    """The file changes during the first, a middle, the last or the only chunk.

    TikTok publishes the wished file, or nothing.
    """
    path = tmp_path / f"{world}.mp4"
    path.unlink(missing_ok=True)
    path.write_bytes((HEAD + os.urandom(size))[:size])
    wished, changed = hashlib.sha256(path.read_bytes()).hexdigest(), []

    def watch(told: Any) -> None:
        if told.stage == "uploading" and told.sent_bytes >= share * size and not changed:
            changed.append(told.sent_bytes)
            change(path)

    with open_bench(world) as bench:
        chunk = CHUNK if size >= 2 * CHUNK else None
        post = lambda it: it.account.post_video(path, draft=True, chunk_size=chunk, key="wish", on_progress=watch)  # noqa: E731
        end = bench.outcome(post)
        whole = [one for one in bench.sim.posts if one.bytes_received == one.size]
        assert [one.sha256 for one in whole] in ([], [wished])
        assert isinstance(end, SourceChanged) == (not whole), end
        # Every byte sent before belongs to the wished file. The last block leaves only after one more look at the file.
        assert bool(whole) == (not changed or changed[0] == size)
        (record,) = bench.journal.records()
        assert whole or not record.last_left


@pytest.mark.parametrize("change", [replace, delete], ids=lambda change: change.__name__)
def test_row_36_a_file_that_is_replaced_goes_on_as_it_was_opened_but_not_later(
    near: Any, film: Path, change: Any
) -> None:
    """No foreign bytes get in: TikTok posts the bytes of the open file, or the post ends.

    The client refuses to resume it later.
    """
    wished = hashlib.sha256(film.read_bytes()).hexdigest()
    near.sim.faults.add("put:2=status:403")
    near.way.when("put", lambda: change(film), nth=2)
    end = near.outcome(lambda it: it.account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish"))
    assert isinstance(end, SourceChanged)
    assert isinstance(near.outcome(lambda it: it.account.resume("wish")), SourceChanged)
    assert {post.sha256 for post in near.sim.posts} <= {"", wished}
    assert all(post.bytes_received < post.size for post in near.sim.posts)


def test_row_36_a_file_is_told_from_another_with_the_same_ends(near: Any, film: Path) -> None:
    """The key stands for one film, and the client does not continue it with another film of the same size and name."""
    near.sim.faults.add("put:2x99=unreachable")
    near.outcome(lambda it: it.account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish"))
    near.sim.faults.clear()
    middle = film.stat().st_size // 2
    with film.open("r+b") as file:
        file.seek(middle)
        file.write(b"other")
    assert isinstance(near.outcome(lambda it: it.account.resume("wish")), SourceChanged)


# --- Row 37: files that are none ---------------------------------------------------------------------------------------


def fifo(path: Path) -> Path:
    """Make a named pipe: opening it for reading would wait for a writer."""
    os.mkfifo(path)
    return path


def listening(path: Path) -> Path:
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


def folder(path: Path) -> Path:
    """Make a folder."""
    path.mkdir()
    return path


def nothing(path: Path) -> Path:
    """Make an empty file."""
    path.touch()
    return path


def broken_link(path: Path) -> Path:
    """Make a link to nothing."""
    path.symlink_to(path.with_name("gone"))
    return path


def link_to_folder(path: Path) -> Path:
    """Make a link to a folder."""
    path.symlink_to(folder(path.with_name("inside")))
    return path


def device(_path: Path) -> Path:
    """Return the path of a device that never ends."""
    return Path("/dev/zero")


def missing(path: Path) -> Path:
    """Return a name without a file."""
    return path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
@pytest.mark.parametrize(
    "make",
    [fifo, listening, folder, nothing, broken_link, link_to_folder, device, missing],
    ids=lambda make: make.__name__,
)
def test_row_37_what_is_no_file_with_bytes_is_refused(near: Any, tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """The client refuses it as the person's mistake, before it asks TikTok anything."""
    path = make(tmp_path / "it.mp4")
    end = near.outcome(lambda it: it.account.post_video(path, privacy_level="SELF_ONLY"))
    assert isinstance(end, InvalidPost), end
    assert {problem.field for problem in end.problems} == {"video"}
    assert near.sim.arrived == []


def test_row_37_a_link_to_a_file_is_fine_and_so_are_holes(near: Any, film: Path, tmp_path: Path) -> None:
    """The client posts the bytes that it reads there."""
    link, sparse = tmp_path / "link.mp4", tmp_path / "sparse.mp4"
    link.symlink_to(film)
    sparse.write_bytes(HEAD)
    os.truncate(sparse, 4 * 1024**3)
    assert near.run(near.account.post_video(link, draft=True)).status == "SEND_TO_USER_INBOX"
    wish = near.tiktok.check_video(sparse, VideoPost(draft=True))
    wish = near.run(wish) if hasattr(wish, "__await__") else wish
    assert wish.plan.video_size == 4 * 1024**3


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is unreadable for this user")
def test_row_37_an_unreadable_file_is_refused(near: Any, film: Path) -> None:
    """The system refuses to open it, and so does the client."""
    film.chmod(0)
    assert isinstance(near.outcome(lambda it: it.account.post_video(film, draft=True)), InvalidPost)


# --- Row 38: texts at their limits ---------------------------------------------------------------------------------------

WIDE = st.sampled_from(["a", "é", "日", "\N{GRINNING FACE}", "\u200d", "\u202e", "👩\u200d👧", "ﷺ"])


def units(text: str) -> int:
    """Return the count as TikTok counts: in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


@given(st.lists(WIDE, min_size=1, max_size=8), st.integers(-1, 1))
def test_row_38_texts_are_counted_in_utf_16_units(pattern: list[str], beside: int) -> None:
    """With emoji, joiners and text from right to left, the client accepts a text at the limit, and refuses one unit more."""
    whole, text = "".join(pattern), ""
    while units(text + whole) <= 2_200 + beside:
        text += whole
    text += "a" * (2_200 + beside - units(text))
    problems = list(video_problems(VideoPost(title=text, draft=True)))
    assert bool(problems) == (beside > 0)


@given(st.text(max_size=30), st.sampled_from(["\ud83d", "\ude00", "\0"]), st.text(max_size=30))
def test_row_38_half_a_pair_and_nul_are_refused_wherever_they_stand(before: str, wrong: str, after: str) -> None:
    """The client refuses them in titles and descriptions. It does not cut or change a text."""
    text = before + wrong + after
    video = {problem.field for problem in video_problems(VideoPost(title=text, draft=True))}
    photos = PhotoPost(photo_images=("https://media.example.com/1.jpg",), title=text[:40], description=text, draft=True)
    assert "title" in video
    assert "description" in {problem.field for problem in photo_problems(photos)}
