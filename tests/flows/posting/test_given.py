"""Bytes, open files, uploads and streams are posted as files are: looked at, sent once, gone on with, and left as they were.

What belongs here: what the core does with a thing that is neither a name nor a source. How each kind is read is in
`tests/adapters/test_given.py`.
"""

import gc
import io
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from clips import CLIP, CLIP_BYTES, PHOTOS, film
from tiktok_adapters.sources import BytesSource, FileSource, open_given
from tiktok_core import InvalidPost, PhotoPost, SourceChanged, Stage, VideoPost
from tiktok_core.domain.chunks import LARGEST_VIDEO
from tiktok_core.lifting import lift_open_source
from tiktok_core.ports import Source

SELF_ONLY: dict[str, Any] = {"privacy_level": "SELF_ONLY"}
LARGE = film(25_000_000)
LARGE_BYTES = LARGE.read(0, LARGE.size)
GIVEN: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "BytesIO": io.BytesIO,
    "iterator": lambda data: iter([data[:9], data[9:]]),
}


def context(bench: Any) -> Any:
    """Return the client that has a context, blocking or asynchronous."""
    return getattr(bench.tiktok, "_face", bench.tiktok)


def is_blocking(bench: Any) -> bool:
    """Whether the client under test is the blocking one."""
    return hasattr(bench.tiktok, "_face")


def sent(bench: Any) -> list[bytes]:
    """Return the videos that TikTok has."""
    return [bench.sim.read_video(post.publish_id) for post in bench.sim.posts]


@pytest.mark.parametrize("kind", GIVEN)
def test_each_kind_is_checked_and_posted(bench: Any, kind: str) -> None:
    """TikTok gets its bytes, and what was given stays open."""
    account = bench.signed_in()
    wish = bench.run(bench.tiktok.check_video(GIVEN[kind](CLIP_BYTES), VideoPost(draft=True)))
    assert (wish.video, wish.fingerprint, wish.plan.video_size) == (None, CLIP.fingerprint, CLIP.size)
    given = GIVEN[kind](CLIP_BYTES)
    bench.run(account.post_video(given, **SELF_ONLY))
    assert sent(bench) == [CLIP_BYTES]
    assert getattr(given, "closed", False) is False


@pytest.mark.parametrize("kind", GIVEN)
def test_pictures_are_looked_at_too(bench: Any, kind: str) -> None:
    """The files of photos may be given the same way."""
    picture = (Path(__file__).parents[2] / "media" / "square.png").read_bytes()
    with pytest.raises(InvalidPost, match=r"^files\[0\]: the file is a PNG picture"):
        bench.run(bench.tiktok.check_photos(PhotoPost(photo_images=PHOTOS, draft=True), files=[GIVEN[kind](picture)]))


def test_a_file_is_posted_while_its_cursor_stands_anywhere(bench: Any, clip: Path) -> None:
    """The whole file goes, and the cursor stays."""
    with clip.open("rb") as file:
        file.seek(500)
        bench.run(bench.signed_in().post_video(file, **SELF_ONLY))
        assert (file.tell(), file.closed) == (500, False)
    assert sent(bench) == [CLIP_BYTES]


def test_a_post_goes_on_with_the_same_bytes_given_in_another_way(bench: Any) -> None:
    """Begun with a stream, interrupted, and gone on with an open file: TikTok gets each byte once."""
    account, stop = bench.signed_in(), KeyboardInterrupt()

    def interrupt(progress: Any) -> None:
        if progress.sent_bytes > 10_000_000:
            raise stop

    given = iter([LARGE_BYTES[:17], LARGE_BYTES[17:]])
    with pytest.raises(KeyboardInterrupt):
        bench.run(account.post_video(given, key="k", chunk_size=10_000_000, on_progress=interrupt, **SELF_ONLY))
    assert bench.run(account.post("k")).stage is Stage.UPLOADING
    with pytest.raises(InvalidPost, match="was a source without a name; give it again to go on"):
        bench.run(account.resume("k"))
    with pytest.raises(SourceChanged, match="not the one that this post began with"):
        bench.run(account.resume("k", LARGE_BYTES[:-1] + b"!"))
    with tempfile.TemporaryFile() as file:
        file.write(LARGE_BYTES)
        assert bench.run(account.advance("k", file)).again_in is not None
        bench.run(account.resume("k", file))
    assert sent(bench) == [LARGE_BYTES]


def test_the_same_key_takes_the_same_bytes_alone(bench: Any) -> None:
    """A form that is sent twice is one post, and another film under its key is refused."""
    account = bench.signed_in()
    first = bench.run(account.post_video(io.BytesIO(CLIP_BYTES), key="form-1", **SELF_ONLY))
    again = bench.run(account.post_video(iter([CLIP_BYTES]), key="form-1", **SELF_ONLY))
    assert again.publish_id == first.publish_id
    with pytest.raises(InvalidPost, match="stands for another post"):
        bench.run(account.post_video(CLIP_BYTES + b"!", key="form-1", **SELF_ONLY))


def test_a_stream_is_taken_in_once_though_the_post_is_looked_at_twice(bench: Any) -> None:
    """A level that the documents do not name is looked up at the creator, after a first look at the file."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost) as caught:
        bench.run(account.post_video(iter([CLIP_BYTES]), privacy_level="NEW_LEVEL"))
    assert {problem.field for problem in caught.value.problems} == {"privacy_level"}


def test_an_upload_without_a_file_is_told(bench: Any) -> None:
    """Neither its `seek` nor its `read` is asked for on the way to the sentence."""

    class NoFile:
        @property
        def file(self) -> Any:
            raise ValueError("no file is associated with it")

        read = seek = property(lambda self: self.file.seek)

    with pytest.raises(InvalidPost, match=r"^video: cannot be read \(ValueError: no file is associated with it\)$"):
        bench.run(bench.tiktok.check_video(NoFile(), VideoPost(draft=True)))


def test_all_problems_are_told_at_once(bench: Any) -> None:
    """What cannot be read does not hide what is wrong with the settings."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost) as caught:
        bench.run(account.post_video(io.StringIO("text"), title="x" * 3000, **SELF_ONLY))
    assert [problem.field for problem in caught.value.problems] == ["video", "title"]
    assert bench.sim.posts == ()


@pytest.mark.parametrize("given", [b"", io.BytesIO(), iter([b""])], ids=["bytes", "BytesIO", "iterator"])
def test_what_is_empty_is_refused(bench: Any, given: Any) -> None:
    """As an empty file is."""
    with pytest.raises(InvalidPost, match="video: the file is empty"):
        bench.run(bench.signed_in().post_video(given, **SELF_ONLY))


def test_a_file_above_the_limit_is_refused_before_it_is_read(bench: Any, tmp_path: Path) -> None:
    """Its size is known."""
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.truncate(LARGEST_VIDEO + 1)
    with path.open("rb") as file, pytest.raises(InvalidPost, match="the file has 4,294,967,297 bytes"):
        bench.run(bench.tiktok.check_video(file, VideoPost(draft=True)))


@define
class Endless:
    """An `open_source` whose intake has no end, and claims a GiB for each part."""

    takes: int = 0
    is_movable: bool = True

    def __call__(self, name: Any) -> Source:
        """Open nothing by a name."""
        raise AssertionError(name)

    def open_given(self, _given: object) -> "Endless":
        """Take everything."""
        return self

    @property
    def size(self) -> int:
        """The bytes so far."""
        return self.takes << 30

    def take(self) -> None:
        """Take a part."""
        self.takes += 1


def test_a_stream_without_an_end_is_left_at_the_limit(bench: Any) -> None:
    """The fifth GiB is one too many; nothing more is taken."""
    face, endless = context(bench), Endless()
    face._context = evolve(face._context, open_source=endless)
    with pytest.raises(InvalidPost, match="TikTok takes at most 4 GB"):
        bench.run(bench.tiktok.check_video(iter([b""]), VideoPost(draft=True)))
    assert endless.takes == 5


@pytest.mark.parametrize("given", [CLIP_BYTES, io.BytesIO(CLIP_BYTES), iter([CLIP_BYTES])])
def test_what_has_no_name_cannot_be_left_to_a_worker(bench: Any, given: Any) -> None:
    """Nothing of it is read: nobody could open it later."""
    with pytest.raises(InvalidPost, match="without a name, which no later step could open; give the name of a file"):
        bench.run(bench.signed_in().enter_video(given, **SELF_ONLY))
    assert bench.sim.posts == ()


SENTENCES = {
    "bytes": "is bare bytes; give the name of a file, or tiktok_adapters.sources.BytesSource with its bytes",
    "BytesIO": "is an open file; give its name, or tiktok_adapters.sources.BytesSource with its bytes",
    "iterator": "is neither the name of a file nor a source; give a name, or tiktok_adapters.sources.BytesSource with the bytes",
}


@pytest.mark.parametrize("kind", GIVEN)
@pytest.mark.parametrize("opens", [FileSource, None, lambda name: BytesSource(name.encode())])
def test_an_open_source_that_knows_names_alone_gets_names_alone(bench: Any, kind: str, opens: Any) -> None:
    """An embedder's own never sees what it was not made for: the client refuses it with one sentence, and sends nothing."""
    face = context(bench)
    face._context = evolve(face._context, open_source=opens)
    account, sentence = bench.signed_in(), SENTENCES.get(kind, SENTENCES["bytes"])
    with pytest.raises(InvalidPost, match=f"^video: {sentence}$"):
        bench.run(account.post_video(GIVEN[kind](CLIP_BYTES), draft=True))
    with pytest.raises(InvalidPost, match=rf"^files\[0\]: {sentence}$"):
        bench.run(
            bench.tiktok.check_photos(PhotoPost(photo_images=PHOTOS, draft=True), files=[GIVEN[kind](CLIP_BYTES)])
        )
    assert bench.sim.posts == ()


@pytest.mark.parametrize("media", [object(), None, ["clip.mp4"], 7])
def test_what_is_of_no_known_kind_is_told_what_is(bench: Any, media: Any) -> None:
    """One sentence, and nothing is sent."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match=f"^video: {SENTENCES['iterator']}$"):
        bench.run(account.post_video(media, draft=True))
    with pytest.raises(InvalidPost, match=r"^files\[0\]: is neither the name of a file nor a source"):
        bench.run(bench.tiktok.check_photos(PhotoPost(photo_images=PHOTOS, draft=True), files=[media]))
    assert bench.sim.posts == ()


async def _arriving() -> AsyncIterator[bytes]:
    yield CLIP_BYTES[:100]
    yield CLIP_BYTES[100:]


def test_what_an_event_loop_brings_is_for_the_asynchronous_client(bench: Any) -> None:
    """The blocking one says which client takes it."""
    account = bench.signed_in()
    if is_blocking(bench):
        with pytest.raises(InvalidPost, match=r"can only be awaited; post it with an asynchronous client"):
            account.post_video(_arriving(), **SELF_ONLY)
        return
    bench.run(account.post_video(_arriving(), **SELF_ONLY))
    assert sent(bench) == [CLIP_BYTES]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts descriptors in /proc")
@pytest.mark.parametrize("kind", ["iterator", "file"])
@pytest.mark.parametrize("end", ["posted", "refused", "interrupted"])
def test_nothing_of_ours_stays_open(bench: Any, clip: Path, kind: str, end: str) -> None:
    """However the post ends, and though somebody keeps the error, our copy or descriptor is closed, and the file is not."""
    account, stop = bench.signed_in(), KeyboardInterrupt()

    def hear(_progress: Any) -> None:
        if end == "interrupted":
            raise stop

    with clip.open("rb") as file:
        gc.collect()
        before = len(list(Path("/proc/self/fd").iterdir()))
        if end == "refused":
            bench.sim.faults.add("init=code:spam_risk_too_many_posts")
        kept: BaseException | None = None
        try:
            given = iter([CLIP_BYTES]) if kind == "iterator" else file
            bench.run(account.post_video(given, on_progress=hear, **SELF_ONLY))
        except BaseException as error:  # noqa: BLE001 - whichever it is
            kept = error
        assert (kept is None) == (end == "posted")
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        assert not file.closed


def test_a_lifted_opener_is_closed_with_its_client() -> None:
    """The blocking client puts a face before an opener; names and the end of the client pass through."""
    closed: list[str] = []

    class Opener:
        def __call__(self, name: Any) -> Source:
            return BytesSource(name.encode())

        def open_given(self, given: object) -> Any:
            return open_given(given)

    class Closing(Opener):
        def close(self) -> None:
            closed.append("closed")

    lifted: Any = lift_open_source(Closing())
    assert lifted("a name").read(0, 9) == b"a name"
    lifted.close()
    assert closed == ["closed"]
    plain: Any = lift_open_source(Opener())
    plain.close()
    assert lift_open_source(FileSource) is FileSource
