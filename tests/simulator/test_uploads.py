"""The upload host: ranges, order, progress, expiry, and the bytes themselves."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define
from hypothesis import given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.transports.fake import ConnectionDropped
from tiktok_core.wire.http import FileSlice, Request

MIB = 1 << 20
SIZE, CHUNK = 11_000_000, 5 * MIB


@define
class Pattern:
    """A source of any size whose bytes depend on their position; it may end early."""

    size: int
    ends_at: int | None = None
    fingerprint: str = "pattern"

    def read(self, start: int, length: int, /) -> bytes:
        """Return bytes."""
        end = min(start + length, self.size if self.ends_at is None else self.ends_at)
        return bytes((place >> 8 ^ place) & 0xFF for place in range(start, start + 256))[: max(0, end - start)] or b""


@pytest.fixture
def url(play: Any) -> str:
    """The upload URL of a post of two chunks, 5 MiB and the rest."""
    return str(play.video(SIZE, CHUNK).data["upload_url"])


FIRST, LAST = (b"\0\0\0\x18ftypisom" + b"a" * CHUNK)[:CHUNK], b"b" * (SIZE - CHUNK)


def test_two_chunks(play: Any, url: str) -> None:
    """The host answers 206, then 201; the progress header counts bytes; the digest is that of the whole file."""
    first = play.put(url, 0, FIRST, SIZE)
    assert (first.status, first.headers["content-range"], first.body) == (206, f"bytes 0-{CHUNK}/{SIZE}", b"null")
    (post,) = play.sim.posts
    assert (post.bytes_received, post.sha256) == (CHUNK, "")
    last = play.put(url, CHUNK, LAST, SIZE)
    assert (last.status, last.headers["content-range"]) == (201, f"bytes 0-{SIZE}/{SIZE}")
    (post,) = play.sim.posts
    assert post.sha256 == hashlib.sha256(FIRST + LAST).hexdigest()
    assert play.sim.read_video(post.publish_id) == FIRST + LAST


def test_progress_as_last_offset(play: Any, url: str) -> None:
    """With a switch the progress header gives the last offset; other switches change status and body."""
    play.sim.switches.flip({"progress_header": "last", "last_chunk_status": 200, "put_body": ""})
    assert "content-range" not in play.put(url, CHUNK, LAST, SIZE).headers
    first = play.put(url, 0, FIRST, SIZE)
    assert (first.headers["content-range"], first.body) == (f"bytes 0-{CHUNK - 1}/{SIZE}", b"")
    assert play.put(url, CHUNK, LAST, SIZE).status == 200


@pytest.mark.parametrize(
    ("first", "body", "headers", "status"),
    [
        (CHUNK, LAST, {}, 416),
        (1, FIRST, {}, 416),
        (0, FIRST[:-1], {}, 400),
        (0, FIRST + b"x", {}, 400),
        (0, FIRST[:-1], {"Content_Range": f"bytes 0-{CHUNK - 1}/{SIZE}"}, 400),
        (0, FIRST + b"x", {"Content_Range": f"bytes 0-{CHUNK - 1}/{SIZE}"}, 400),
        (0, FIRST, {"Content_Range": f"bytes 0-{CHUNK - 1}/{SIZE + 1}"}, 400),
        (0, FIRST, {"Content_Range": f"bytes 0-{CHUNK - 1}/*"}, 400),
        (0, FIRST, {"Content_Range": f"bytes=0-{CHUNK - 1}/{SIZE}"}, 400),
        (0, FIRST, {"Content_Range": ""}, 416),
        (0, b"", {"Content_Range": f"bytes 5-4/{SIZE}"}, 400),
        (0, FIRST, {"Content_Type": "application/octet-stream"}, 400),
        (0, FIRST, {"Transfer_Encoding": "chunked"}, 400),
    ],
)
def test_unwelcome_chunks(play: Any, first: int, body: bytes, headers: dict[str, str], status: int) -> None:
    """A chunk out of order or unlike its declaration is refused and not stored; the right chunk still works afterwards."""
    url = play.video(SIZE, CHUNK).data["upload_url"]
    assert play.put(url, first, body, SIZE, **headers).status == status
    assert play.sim.posts[0].bytes_received == 0
    assert play.put(url, 0, FIRST, SIZE).status == 206


def test_every_answer_to_a_put_is_the_word_null(play: Any, url: str) -> None:
    """The host answers with the JSON word `null`, whether it stores the bytes or refuses them."""
    answers = [
        play.put(url, CHUNK, LAST, SIZE),
        play.put(url + "x", 0, FIRST, SIZE),
        play.put(url, 0, FIRST, SIZE),
        play.put(url, CHUNK, LAST, SIZE),
    ]
    assert [(answer.status, answer.body) for answer in answers] == [
        (status, b"null") for status in (416, 404, 206, 201)
    ]


@pytest.mark.parametrize(("status", "progress"), [(416, f"bytes 0-0/{SIZE}"), (400, None)])
def test_a_put_without_a_range_is_refused_as_one_that_does_not_fit(
    play: Any, url: str, status: int, progress: str | None
) -> None:
    """Without `Content-Range` the host answers 416, as observed, or with a switch 400, as documented; it stores nothing."""
    play.sim.switches.no_range_status = status
    headers = {"Content-Type": "video/mp4"}
    answer = play.sim.handle(Request(method="PUT", url=url, headers=headers, body=FIRST))
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, b"null", progress)
    assert play.sim.posts[0].bytes_received == 0


def test_mismatch_may_be_a_502(play: Any, url: str) -> None:
    """With a switch, a body with another length than declared gets a server error."""
    play.sim.switches.mismatch_status = 502
    assert play.put(url, 0, FIRST[:-1], SIZE, Content_Range=f"bytes 0-{CHUNK - 1}/{SIZE}").status == 502


def test_repeated_chunk(play: Any, url: str) -> None:
    """If the last chunk is sent again, it is refused with the progress; with a switch it is accepted and stored once."""
    play.put(url, 0, FIRST, SIZE)
    again = play.put(url, 0, FIRST, SIZE)
    assert (again.status, again.headers["content-range"]) == (416, f"bytes 0-{CHUNK}/{SIZE}")
    play.sim.switches.repeat_chunk = "accept"
    assert play.put(url, 0, FIRST, SIZE).status == 206
    assert play.put(url, CHUNK, LAST, SIZE).status == 201
    assert play.put(url, CHUNK, LAST, SIZE).status == 201
    assert play.sim.posts[0].sha256 == hashlib.sha256(FIRST + LAST).hexdigest()


def test_expiry(play: Any, url: str) -> None:
    """An upload URL lives one hour; the post then stays unchanged, or fails with a switch."""
    play.clock.advance(3599)
    assert play.put(url, 0, FIRST, SIZE).status == 206
    play.clock.advance(1)
    assert play.put(url, CHUNK, LAST, SIZE).status == 403
    assert play.sim.posts[0].status == "PROCESSING_UPLOAD"
    play.sim.switches.expired_upload = "fail"
    assert (play.sim.posts[0].status, play.sim.posts[0].fail_reason) == ("FAILED", "internal")


def test_a_status_that_lags_shows_what_was(play: Any, url: str) -> None:
    """With a switch the status and its count are some seconds old; other switches count whole chunks, or leave the count out."""

    def told() -> tuple[str, int | None]:
        data = play.status(play.sim.posts[0].publish_id).data
        return data["status"], data.get("uploaded_bytes")

    play.sim.switches.flip({"status_lag_seconds": 5, "processing_seconds": 2})
    play.put(url, 0, FIRST, SIZE)
    assert told() == ("PROCESSING_UPLOAD", 0)
    play.clock.advance(5)
    assert told() == ("PROCESSING_UPLOAD", CHUNK)
    play.put(url, CHUNK, LAST, SIZE)
    play.clock.advance(4)
    assert told() == ("PROCESSING_UPLOAD", CHUNK)
    play.clock.advance(3)
    assert told() == ("PUBLISH_COMPLETE", SIZE)
    play.sim.switches.uploaded_bytes = "missing"
    assert told() == ("PUBLISH_COMPLETE", None)


def test_a_status_may_count_whole_chunks_only(play: Any, url: str) -> None:
    """The kept bytes of a broken chunk are stored; with a switch they are not counted."""
    play.sim.switches.flip({"partial_bytes": "keep", "uploaded_bytes": "chunks"})
    play.put(url, 0, FIRST, SIZE)
    play.sim.faults.add("put=drop-at:1000")
    with pytest.raises(ConnectionDropped):
        play.put(url, CHUNK, LAST, SIZE)
    (post,) = play.sim.posts
    assert post.bytes_received == CHUNK + 1000
    assert play.status(post.publish_id).data["uploaded_bytes"] == CHUNK


def test_a_finished_upload_may_be_forgotten(play: Any, url: str) -> None:
    """With a switch the host no longer knows an upload after its last byte."""
    play.put(url, 0, FIRST, SIZE)
    play.put(url, CHUNK, LAST, SIZE)
    assert play.put(url, CHUNK, LAST, SIZE).status == 416
    play.sim.switches.finished_upload = "forget"
    assert play.put(url, CHUNK, LAST, SIZE).status == 404


@pytest.mark.parametrize(
    "spoil", [lambda url: url[:-1] + "x", lambda url: url.partition("&")[0], lambda url: url + "1"]
)
def test_unknown_upload(play: Any, url: str, spoil: Callable[[str], str]) -> None:
    """A wrong id or token is an unknown upload."""
    assert play.put(spoil(url), 0, FIRST, SIZE).status == 404


def test_upload_paths_and_methods(play: Any) -> None:
    """The other documented path works too, and only with PUT."""
    play.sim.switches.upload_path = "/upload"
    url = play.video(3).data["upload_url"]
    assert "/upload?upload_id=" in url
    assert play.sim.handle(Request(method="POST", url=url)).status == 405
    assert play.put(url, 0, b"abc", 3).status == 201


@settings(deadline=None, max_examples=at_most(60))
@given(
    order=st.lists(st.integers(0, 3), max_size=14),
    repeat=st.sampled_from(["refuse", "accept"]),
)
def test_any_order_keeps_the_offset_right(new_play: Callable[[], Any], order: list[int], repeat: str) -> None:
    """In any order of chunks, the host stores exactly those that fit, and the file is whole and in order."""
    play = new_play()
    play.sim.switches.repeat_chunk = repeat
    size = 4 * CHUNK + 17
    url = play.video(size, CHUNK).data["upload_url"]
    chunks = [bytes([65 + index]) * (CHUNK + (17 if index == 3 else 0)) for index in range(4)]
    stored = 0
    for index in [*order, 0, 1, 2, 3]:
        answer = play.put(url, index * CHUNK, chunks[index], size)
        again = stored > 0 and index == stored - 1 and repeat == "accept"
        fits = index == stored
        stored += fits
        expected = 416 if not (fits or again) else 201 if stored == 4 else 206
        assert answer.status == expected
        (post,) = play.sim.posts
        assert post.bytes_received == min(stored * CHUNK + (17 if stored == 4 else 0), size)
    assert post.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_slices_are_read_in_blocks(play: Any) -> None:
    """A slice of a source is stored exactly, with any size of the source's blocks."""
    size = 100_000
    source = Pattern(size)
    url = play.video(size).data["upload_url"]
    assert play.put(url, 0, FileSlice(source, 0, size), size).status == 201
    whole = b"".join(FileSlice(source, 0, size).blocks())
    assert play.sim.posts[0].sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize(("kept", "received"), [("discard", 0), ("keep", 40_000)])
def test_source_that_ends_early(play: Any, kept: str, received: int) -> None:
    """The host keeps none of a broken body, or with a switch the bytes that arrived; the next PUT begins there."""
    play.sim.switches.partial_bytes = kept
    size = 100_000
    url = play.video(size).data["upload_url"]
    with pytest.raises(Exception, match="ended at byte 40000"):
        play.put(url, 0, FileSlice(Pattern(size, ends_at=40_000), 0, size), size)
    assert play.sim.posts[0].bytes_received == received
    rest = FileSlice(Pattern(size), received, size - received)
    assert play.put(url, received, rest, size).status == 201
    assert play.sim.posts[0].sha256 == hashlib.sha256(b"".join(FileSlice(Pattern(size), 0, size).blocks())).hexdigest()


def test_bytes_need_not_be_kept(play: Any) -> None:
    """A video whose bytes are not kept still has its digest."""
    play.sim = SimulatedTikTok(play.clock, keep_bytes=False)
    publish_id = play.upload(play.video())
    assert play.sim.post(publish_id).sha256 == hashlib.sha256(b"\0\0\0\x18ftypisom" + b"v" * 88).hexdigest()
    assert play.sim.read_video(publish_id) == b""


def test_large_files_leave_memory(play: Any, url: str) -> None:
    """A file above 8 MiB goes to a temporary file, which closing the simulator closes."""
    play.put(url, 0, FIRST, SIZE)
    play.put(url, CHUNK, LAST, SIZE)
    upload = next(iter(play.sim.world.tasks.values())).upload
    file = upload.file
    assert file._rolled
    play.sim.close()
    play.sim.close()
    assert file.closed
    assert play.sim.read_video(play.sim.posts[0].publish_id) == b""
