"""Videos behind URLs: whatever a server does, the right bytes are posted, or one sentence says why not.

What belongs here: the whole job over a real server, honest or wrong. The order of what is fetched ahead is in `test_ahead.py`.
"""

import asyncio
import hashlib
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from clips import HEAD
from crash_report import Watch
from media_server import SECRET, TRICKS, Asked, MediaServer, served
from signed_in import signed_in
from tiktok_adapters import connect, connect_async
from tiktok_adapters.simulator import SimulatedTikTok, Switches
from tiktok_adapters.sources import MediaHosts, Patience, SourceOpener, open_source, ranges
from tiktok_adapters.sources.ranges import Web, _Line
from tiktok_adapters.sources.spooled import NamedCopy
from tiktok_adapters.testing.fakes import Fake
from tiktok_adapters.transports.dialling import dial
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.sockets import Waits
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import InvalidPost, Publication, SourceChanged, TikTok
from tiktok_core.flows.posting.turn import STEP_LEASE
from tiktok_core.hidden import Hidden
from tiktok_core.ports import LONGEST_LEASE, Request, Response, Source

FILM = HEAD + b"".join(number.to_bytes(4, "big") * 1024 for number in range(17 * 256))
"""17 MiB in which no two blocks are alike: a short range, and two whole ones."""
HERE = MediaHosts.parsed("127.0.0.1")
BYTES = "the bytes"
REPLACED = "was replaced while it was read"
NOT_IT = "can no longer be read by ranges: the answer is not the range that was asked for"
NO_VIDEO = r"a page or another text lies there \(text/html\), and no video"
LENGTH = "does not say how long it is, so a copy that is cut off would look whole"
LARGE = r"is larger than 4 GB \(4,294,967,296 bytes\), the most that TikTok takes"
REFUSED = r"the server refuses it \(HTTP 40[13]\)"
NOTHING = r"the server has nothing there( any more)? \(HTTP 4(04|10)\)"
NOT_NOW = "cannot be read now: "
BROKEN = NOT_NOW + "the answer broke off"
CLOSED = NOT_NOW + "the server closed the connection before the answer was complete"
LATE = NOT_NOW + "no answer came in time"

OUTCOMES: dict[str, tuple[str, str]] = {
    "honest": (BYTES, BYTES),
    "ignores ranges": (BYTES, NOT_IT),
    "another range": (BYTES, NOT_IT),
    "another size": (NOT_IT, NOT_IT),
    "an unknown size": (BYTES, NOT_IT),
    "a shorter range": (BYTES, NOT_IT),
    "fewer bytes": (BYTES, "sends fewer bytes than the 8,388,608 of the range"),
    "more bytes": (BYTES, "sends more bytes than the 8,388,608 of the range"),
    "a lying length": (BROKEN, BROKEN),
    "more than announced": (f"{NOT_NOW}the answer is not HTTP: it is longer than it announced",) * 2,
    "a weak ETag": (BYTES, REPLACED),
    "no ETag": (BYTES, NOT_IT),
    "two ETags": (BYTES, REPLACED),
    "an empty ETag": (BYTES, REPLACED),
    "another ETag each time": (REPLACED, REPLACED),
    "many ranges": (BYTES, NOT_IT),
    "401": (REFUSED, REFUSED),
    "403": (REFUSED, REFUSED),
    "404": (NOTHING, NOTHING),
    "410": (NOTHING, NOTHING),
    "412": ("answers with HTTP 412", REPLACED),
    "416": (BYTES, REPLACED),
    "418": ("answers with HTTP 418",) * 2,
    "204": ("answers with HTTP 204",) * 2,
    "a redirect": (r"redirects \(HTTP 302\), which is not followed: give the URL to which it leads",) * 2,
    "a page": (NO_VIDEO, NO_VIDEO),
    "a part of a page": (NO_VIDEO, NO_VIDEO),
    "compressed": (r"compresses it \(gzip\), although it was asked not to",) * 2,
    "503 always": (f"{NOT_NOW}the server answers with HTTP 503",) * 2,
    "503 twice": (BYTES, BYTES),
    "429 once": (BYTES, BYTES),
    "no answer": (CLOSED, CLOSED),
    "no answer once": (BYTES, BYTES),
    "breaks off": (BROKEN, BROKEN),
    "breaks off once": (BYTES, BYTES),
    "hangs": (LATE, LATE),
    "hangs within": (LATE, LATE),
    "hangs once": (BYTES, BYTES),
    "no HTTP": (f"{NOT_NOW}the answer is not HTTP",) * 2,
    "in chunks": (BYTES, BYTES),
    "whole in chunks": (BYTES, NOT_IT),
    "until it closes": (LENGTH, LENGTH),
    "a whole of 5 GiB": (LARGE, BROKEN),
    "a part of 5 GiB": (LARGE, NOT_IT),
}
"""How a post ends whose server does this, from the beginning or from the second range on: with the bytes, or with this sentence."""


@pytest.fixture
def media() -> Iterator[MediaServer]:
    """Serve the film."""
    with served(FILM) as media:
        yield media
    assert SECRET in media.url


Opens = Callable[..., SourceOpener]


@pytest.fixture
def opens() -> Iterator[Opens]:
    """Return the maker of openers, each with its time-out; at the end nothing of them is left."""
    made: list[SourceOpener] = []

    def opens(hosts: MediaHosts = HERE, timeout: float = 5.0) -> SourceOpener:
        patience = Patience(timeout=timeout, pauses=(0.0, 0.0))
        made.append(SourceOpener(lambda: Urllib3Transport(refuse=hosts.refusal), hosts, patience=patience))
        return made[-1]

    yield opens
    for opener in made:
        opener.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "tiktok-range"] == []


def ended(fake: Fake, opener: SourceOpener, url: str) -> str:
    """Post what lies at the URL. Return the sentence that it ends with, or that the right bytes were posted."""
    told: InvalidPost | SourceChanged | None = None
    try:
        fake.account.post_video(opener(url), title="From elsewhere", privacy_level="SELF_ONLY")
    except (InvalidPost, SourceChanged) as error:
        told = error
    if told is not None:
        assert isinstance(told, InvalidPost) or told.passes == (NOT_NOW in str(told))  # Whether a worker comes again.
        assert SECRET not in f"{told} {told!r}"
        assert str(told).count(". ") == 0  # One sentence.
        assert all(post.bytes_received < post.size for post in fake.simulator.posts)
        return str(told)
    (post,) = fake.simulator.posts
    assert post.sha256 == hashlib.sha256(FILM).hexdigest()
    return BYTES


def test_the_table_has_every_trick() -> None:
    """For each trick of the server, both outcomes are known."""
    assert OUTCOMES.keys() == TRICKS.keys()


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("midway", [False, True], ids=["from the beginning", "midway"])
def test_a_server_that_is_wrong_gives_the_right_bytes_or_one_sentence(
    trick: str, midway: bool, media: MediaServer, opens: Opens, tiktok_fake: Fake
) -> None:
    """Nothing is posted unless its bytes are the film's, and no sentence shows the signature."""
    media.trick = TRICKS[trick]
    if midway:
        media.applies = lambda asked: asked.first is not None and asked.first > 2**16
    told = ended(tiktok_fake, opens(timeout=1.0 if "hangs" in trick else 5.0), media.url)
    expected = OUTCOMES[trick][midway]
    assert re.search(expected, told)
    assert (told == BYTES) == (expected == BYTES)


# --- The whole job, as a client does it ------------------------------------------------------------------------------


@pytest.mark.parametrize("trick", ["honest", "ignores ranges", "another range", "403"])
def test_no_frame_shows_the_query_of_a_url(trick: str, media: MediaServer, opens: Opens) -> None:
    """A crash report shows the local variables of each frame, so no call is made while one of them holds the query."""
    media.trick, opener = TRICKS[trick], opens()
    url = media.url
    with Watch() as watch, suppress(InvalidPost), opener(url) as source:
        source.read(0, 2**21)
        assert source.fingerprint
    assert watch.frames
    assert watch.leaks({SECRET}) == []


@pytest.mark.parametrize("world", ["blocking", "asynchronous"])
def test_a_client_opens_urls_by_itself(world: str, media: MediaServer, tmp_path: Path) -> None:
    """With the host in the settings, both clients post what lies at a URL, and leave nothing behind when they are closed.

    The look into the video and all checks of its fingerprint cost two requests beyond those for its three ranges.
    """
    with signed_in(SimulatedTikTok(switches=Switches(processing_seconds=0.0)), tmp_path / "home") as environ:
        environ["TIKTOK_MEDIA_HOSTS"] = "media.example.com, 127.0.0.1"
        if world == "blocking":
            with connect(environ=environ) as tiktok:
                done = tiktok.account().post_video(opened_by(tiktok, media.url), privacy_level="SELF_ONLY")
        else:

            async def job() -> Publication:
                async with connect_async(environ=environ) as tiktok:
                    account = await tiktok.account()
                    source = await asyncio.to_thread(opened_by, tiktok, media.url)
                    return await account.post_video(source, privacy_level="SELF_ONLY")

            done = asyncio.run(job())
        assert done.status == "PUBLISH_COMPLETE"
    assert len(media.seen) <= 3 + 2
    assert all("Accept-Encoding" in headers and headers["Accept-Encoding"] == "identity" for headers in media.seen)
    assert [thread.name for thread in threading.enumerate() if thread.name == "tiktok-range"] == []


def opened_by(tiktok: Any, url: str) -> Source:
    """Open a URL by the opener of a client, as the client does with the name of a file."""
    opener = getattr(tiktok, "_face", tiktok)._context.open_source
    opened: Source = opener(url)
    return opened


def test_a_client_that_is_closed_opens_nothing(opens: Opens, media: MediaServer) -> None:
    """What it has opened ends with it."""
    opener = opens()
    source = opener(media.url)
    opener.close()
    opener.close()
    with pytest.raises(SourceChanged, match="the source was closed"):
        source.read(len(FILM) - 5, 5)
    with pytest.raises(SourceChanged, match="the client is closed"):
        opener(media.url)


def test_closing_ends_a_copy_that_is_being_made(opens: Opens, media: MediaServer) -> None:
    """The thread that opens gets an error with the next bytes, and the copy is gone."""
    half = threading.Event()

    def stops_halfway(asked: Asked) -> None:
        asked.whole(FILM[: len(FILM) // 2], content_length=str(len(FILM)))
        half.set()
        asked.server.let_go.wait(20)
        asked.handler.wfile.write(FILM[len(FILM) // 2 :])
        asked.end()

    media.trick = stops_halfway
    opener = opens()
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(opener, media.url)
        assert half.wait(20)
        opener.close()
        media.let_go.set()
        with pytest.raises(SourceChanged, match="the source was closed"):
            opening.result(20)


def test_closing_ends_a_pause(media: MediaServer) -> None:
    """Who closes a source does not wait for its next try."""
    transport = Urllib3Transport()
    line = _Line(Hidden(media.url), Web(transport, HERE, Patience(pauses=(3600.0,))))
    media.trick = TRICKS["503 always"]
    with transport, ThreadPoolExecutor(1) as pool:
        asking = pool.submit(line.ask, {}, lambda _head: None)
        while not media.seen or media.running:
            time.sleep(0.001)
        line.close()
        with pytest.raises(SourceChanged, match="the source was closed"):
            asking.result(20)


@pytest.mark.parametrize("size", [100, 1_000_000, len(FILM)])
@pytest.mark.parametrize("becomes", ["replaced", "gone"])
def test_a_film_that_changes_while_it_is_sent_is_not_posted(
    size: int, becomes: str, media: MediaServer, opens: Opens, tiktok_fake: Fake
) -> None:
    """Also one that was read to its end long before its last byte leaves."""
    media.data = FILM[:size]
    source = opens()(media.url)
    source.read(0, size)

    def change() -> None:
        media.data = media.data[:-1] + b"!"
        if becomes == "gone":
            media.trick = TRICKS["404"]

    usual = tiktok_fake.transport.send

    def sends(request: Any) -> Any:
        if request.method == "PUT":
            change()
        return usual(request)

    tiktok_fake.transport.send = sends  # type: ignore[method-assign]
    with pytest.raises(
        SourceChanged, match=r"was replaced|can no longer be read|is not the one that this post began with"
    ):
        tiktok_fake.account.post_video(source, privacy_level="SELF_ONLY")
    assert all(post.bytes_received < post.size for post in tiktok_fake.simulator.posts)


def test_an_empty_video_is_told(media: MediaServer, opens: Opens, tiktok_fake: Fake) -> None:
    """It opens as an empty source, and the client says that it is empty, with and without ranges."""
    media.data = b""
    for trick in ("honest", "ignores ranges"):
        media.trick = TRICKS[trick]
        assert opens()(media.url).size == 0
        assert "empty" in ended(tiktok_fake, opens(), media.url)


def test_an_empty_object_in_place_of_a_film_is_a_change(media: MediaServer, opens: Opens) -> None:
    """The look at the end finds nothing of it."""
    media.data = FILM[:100]
    source = opens()(media.url)
    known = source.fingerprint
    source.read(0, 100)
    media.data = b""
    assert source.fingerprint != known


def test_a_server_that_gives_no_more_ranges_at_the_end_is_a_change(media: MediaServer, opens: Opens) -> None:
    """What answers the last look is not believed either."""
    media.data = FILM[:100]
    source = opens()(media.url)
    source.read(0, 100)
    media.trick = TRICKS["ignores ranges"]
    with pytest.raises(SourceChanged, match="by ranges"):
        _ = source.fingerprint


# --- The copy --------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open files are listed as Linux does")
def test_the_copy_has_no_name_and_is_the_callers_alone(media: MediaServer, opens: Opens) -> None:
    """Nothing is left of it, even after a kill, and no other user can read it. It is opened elsewhere by its URL."""
    media.trick = TRICKS["ignores ranges"]
    source = opens()(media.url)
    assert isinstance(source, NamedCopy)
    assert str(Path(f"/proc/self/fd/{source._fd}").readlink()).endswith("(deleted)")
    assert os.fstat(source._fd).st_mode & 0o077 == 0
    assert source.name == media.url.partition("?")[0]
    assert SECRET not in repr(source)
    assert os.fspath(source) == media.url
    source.close()
    with pytest.raises(SourceChanged, match="closed"):
        source.read(0, 1)


@pytest.mark.parametrize("trick", ["a weak ETag", "no ETag", "two ETags", "an empty ETag"])
def test_without_an_etag_that_tells_versions_apart_a_copy_is_made(media: MediaServer, opens: Opens, trick: str) -> None:
    """Ranges of two versions could not be told apart."""
    media.trick = TRICKS[trick]
    with opens()(media.url) as source:
        assert isinstance(source, NamedCopy)


def test_a_copy_that_the_disk_cannot_take_is_told(media: MediaServer, opens: Opens, tiktok_fake: Fake) -> None:
    """The sentence says that the disk is full and what to do, and nothing is left open."""
    resource = pytest.importorskip("resource")
    media.trick = TRICKS["ignores ranges"]
    opener, usual = opens(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, usual[1]))
    try:
        told = ended(tiktok_fake, opener, media.url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    # No `InvalidPost`, which would end a post that another machine can send.
    assert told.startswith("Upload failed: ")
    assert re.search(r"cannot take it: its disk is full; free up to 4 GiB there, or set TMPDIR to another folder", told)


def test_a_folder_that_takes_no_copy_is_told(
    media: MediaServer, opens: Opens, tiktok_fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where TMPDIR names a folder that is gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    media.trick = TRICKS["ignores ranges"]
    assert re.search(r"gone cannot take it: no such file or directory", ended(tiktok_fake, opens(), media.url))


def test_a_copy_may_take_longer_than_a_range(media: MediaServer) -> None:
    """The opening may become a copy of 4 GiB, and gets the time for that; a range gets its own, shorter one."""

    class Noting(Urllib3Transport):
        limits: dict[str, float | None] = {}  # noqa: RUF012 - of one test

        def send(self, request: Request, /) -> Response:
            self.limits[request.headers["Range"]] = request.time_limit
            return super().send(request)

    with closing(SourceOpener(Noting, HERE)) as opener:
        source = opener(media.url)
        source.read(len(FILM) - 5, 5)
    opening, *fetched = Noting.limits.values()
    assert (opening, fetched) == (Patience().longest, [Patience().limit])


def test_all_tries_share_the_time_of_one(media: MediaServer) -> None:
    """A server that breaks off again and again does not get the time of a whole copy for each try, and the last try may be the first."""
    left: list[float] = []

    class Noting(Urllib3Transport):
        def send(self, request: Request, /) -> Response:
            left.append(request.time_limit or 0.0)
            return super().send(request)

    media.trick = TRICKS["503 always"]
    for longest, tries in ((3600.0, 3), (1e-9, 1)):
        left.clear()
        patience = Patience(longest=longest, pauses=(0.0, 0.0))
        with closing(SourceOpener(Noting, HERE, patience=patience)) as opener, pytest.raises(SourceChanged) as caught:
            opener(media.url)
        assert NOT_NOW in str(caught.value)
        assert len(left) == tries
        assert left == sorted(set(left), reverse=True)


def test_a_stream_that_never_ends_is_cut_at_the_limit(
    media: MediaServer, opens: Opens, tiktok_fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not say how much it sends cannot fill the disk."""
    monkeypatch.setattr(ranges, "LARGEST_VIDEO", 1_000_000)
    media.trick = TRICKS["whole in chunks"]
    assert "is larger than 4 GB" in ended(tiktok_fake, opens(), media.url)


def test_a_copy_that_breaks_off_is_made_anew(media: MediaServer, opens: Opens, tiktok_fake: Fake) -> None:
    """No byte of the first try is left in it."""

    def breaks_off_once(asked: Asked) -> None:
        if media.tricked > 1:
            asked.whole()
            return
        asked.whole(FILM[::-1][: len(FILM) // 2], content_length=str(len(FILM)))
        asked.end()

    media.trick = breaks_off_once
    assert ended(tiktok_fake, opens(), media.url) == BYTES
    assert len(media.seen) == 2


# --- By its name -----------------------------------------------------------------------------------------------------


class NotesWaits:
    """A `Background` that makes calls at once, and notes how long each may take."""

    def __init__(self) -> None:
        self.within: list[float] = []

    def __call__(self, work: Callable[[], Any], /, *, within: float, **_: Any) -> Any:
        """Make the call."""
        self.within.append(within)
        return work()


def test_a_post_goes_on_by_the_name_of_its_video(
    media: MediaServer, opens: Opens, tiktok_fake: Fake, tmp_path: Path
) -> None:
    """The client opens the URL of the record again. That may take as long as its lease, for it may be a copy."""
    longest = (LONGEST_LEASE - STEP_LEASE).total_seconds()
    background, stop = NotesWaits(), KeyboardInterrupt()
    with TikTok(
        tiktok_fake.tiktok.app,
        transport=tiktok_fake.transport,
        tokens=tiktok_fake.tokens,
        journal=tiktok_fake.journal,
        clock=tiktok_fake.clock,
        background=background,
        open_source=opens(),
    ) as tiktok:
        account = tiktok.account()

        def interrupt(progress: Any) -> None:
            if progress.sent_bytes > 6_000_000:
                raise stop

        source = opened_by(tiktok, media.url)
        with pytest.raises(KeyboardInterrupt):
            account.post_video(source, privacy_level="SELF_ONLY", key="k", chunk_size=6_000_000, on_progress=interrupt)
        del source
        assert max(background.within) == tiktok._face._context.timeout
        done = account.resume("k")
        assert max(background.within) == longest
        (tmp_path / "clip.mp4").write_bytes(FILM[:100])
        background.within.clear()
        account.post_video(str(tmp_path / "clip.mp4"), privacy_level="SELF_ONLY")
        assert max(background.within) == tiktok._face._context.timeout
        tiktok.close()
        with pytest.raises(SourceChanged, match="the client is closed"):
            opened_by(tiktok, media.url)
    assert tiktok_fake.simulator.read_video(done.publish_id) == FILM


# --- Where it may go -------------------------------------------------------------------------------------------------


def test_a_private_host_is_refused_unless_the_setting_allows_it(
    media: MediaServer, opens: Opens, tiktok_fake: Fake
) -> None:
    """Nothing is sent there."""
    url = media.url.replace("http://127.0.0.1", "https://127.0.0.1")
    for hosts in (MediaHosts(), MediaHosts.parsed("127.0.0.2 127.0.0.1:1")):
        told = ended(tiktok_fake, opens(hosts), url)
        assert "leads to a private address" in told
        assert "media_hosts (TIKTOK_MEDIA_HOSTS)" in told
        assert "must begin with https://" in ended(tiktok_fake, opens(hosts), media.url)
    assert media.seen == []


def test_a_name_that_leads_to_a_private_address_is_refused_where_it_is_connected(
    media: MediaServer, opens: Opens, tiktok_fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses of one lookup are judged and used. So a name that leads elsewhere the next time reaches nothing more."""
    port = int(media.url.partition("127.0.0.1:")[2].partition("/")[0])
    looked_up = []

    def rebinding(host: str, *_: Any, **__: Any) -> Any:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    told = ended(tiktok_fake, opens(MediaHosts()), f"https://media.example.com/clip.mp4?{SECRET}")
    assert "leads to a private address" in told
    assert looked_up == ["media.example.com"]
    assert media.seen == []


def test_of_several_addresses_the_private_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may lead to both; a connection is made to the others alone."""
    asked: list[str] = []

    def refuse(_host: str, _port: int, address: str) -> str:
        asked.append(address)
        return "" if address == "127.0.0.1" else "is private"

    with socket.create_server(("127.0.0.1", 0)) as server:
        here = server.getsockname()
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in (("10.0.0.1", 9), here)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        dial("GET https://x", "both.example.com", here[1], Waits(5.0, None), refuse=refuse).close()
        assert asked == ["10.0.0.1", "127.0.0.1"]


def test_a_proxy_looks_names_up_by_itself() -> None:
    """What goes through one is not judged by an address that the client cannot know."""

    def refuse(*_: Any) -> str:
        raise AssertionError("the client does not know where the proxy connects")

    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = Proxy.parsed(f"http://127.0.0.1:{server.getsockname()[1]}")
        dial("GET https://x", "media.example.com", 80, Waits(5.0, None), proxy=proxy, refuse=refuse).close()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1%eth0", "fc00::1", "fec0::1"),
        *(
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:a00:1::",
            "::127.0.0.1",
        ),
        *("2001:0:a00:1::f5ff:fffe", "2001:db8::1"),
    ],
)
def test_an_address_that_the_internet_does_not_have_is_private(address: str) -> None:
    """Also one within another: IPv4 in IPv6, and the forms of tunnels and translators."""
    assert "leads to a private address" in MediaHosts().refusal("media.example.com", 443, address)
    assert MediaHosts.parsed("media.example.com").refusal("media.example.com", 443, address) == ""


def test_a_name_that_begins_like_an_allowed_one_is_another_name() -> None:
    """A zone belongs to an IPv6 address alone: any name under a domain of somebody's can hold a percent sign."""
    hosts = MediaHosts.parsed("media.local [fe80::1]")
    assert "leads to a private address" in hosts.refusal("media.local%.example.com", 443, "169.254.169.254")
    assert hosts.refusal("fe80::1%eth0", 443, "fe80::1%eth0") == ""


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_an_address_of_the_internet_is_not(address: str) -> None:
    """Whatever form it has."""
    assert MediaHosts().refusal("media.example.com", 443, address) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://media.example.com/clip.mp4", ""),
        ("https://8.8.8.8/clip.mp4", ""),
        ("https://media.local:8443/clip.mp4", ""),
        ("http://127.0.0.1:8080/clip.mp4", ""),
        ("http://media.example.com/clip.mp4", "must begin with https://"),
        ("http://media.local:8443/clip.mp4", "must begin with https://"),
        ("http://localhost/clip.mp4", "must begin with https://"),
        ("https://localhost/clip.mp4", "leads to a private address"),
        ("https://a.localhost./clip.mp4", "leads to a private address"),
        ("https://[::1]/clip.mp4", "leads to a private address"),
        ("https://10.0.0.5:9/clip.mp4", "leads to a private address"),
        ("https://2130706433/clip.mp4", "leads to a private address"),
        ("https://0x7f.1/clip.mp4", "leads to a private address"),
        ("https://0177.0.0.1./clip.mp4", "leads to a private address"),
        ("https://134744072/clip.mp4", ""),
        ("https://media.example.1x/clip.mp4", ""),
        ("https://1.2.3.4.5/clip.mp4", ""),
        ("https://10.0.0.5:8443/clip.mp4", ""),
        ("https://me:secret@media.example.com/", "carries a user name"),
        ("https:///clip.mp4", "is no complete https URL"),
        ("https://media.example.com:port/", "is no complete https URL"),
        ("https://[::1/", "is no complete https URL"),
    ],
)
def test_a_url_is_judged_before_anything_is_sent(url: str, words: str) -> None:
    """By its spelling, as far as that tells where it leads."""
    told = MediaHosts.parsed("media.local, 127.0.0.1:8080 10.0.0.5:8443").problem(url)
    assert told == "" if not words else words in told


@pytest.mark.parametrize("word", ["https://media.example.com", "media/x", "a:0", "a:99999", "me@host", "::1", "a?b"])
def test_a_setting_that_names_no_host_is_refused(word: str) -> None:
    """The word is quoted, with an example of what to write."""
    with pytest.raises(ValueError, match=re.escape(f"{word!r} is no host: write media.example.com or 10.0.0.5:8443")):
        MediaHosts.parsed(f"media.example.com, {word}")
    assert MediaHosts.parsed("[::1]:8443, A.Example.COM.").allowed == {("::1", 8443), ("a.example.com", None)}


def test_a_transport_of_a_parents_process_is_told(opens: Opens, media: MediaServer) -> None:
    """As after a fork, or once the transport was closed: the reason is the transport's own."""
    opener = opens()
    source = opener(media.url)
    assert opener._web is not None
    opener._web.transport.close()
    with pytest.raises(SourceChanged, match="cannot be read: the transport is closed"):
        source.read(len(FILM) - 5, 5)


def test_a_plain_opener_of_files_refuses_urls() -> None:
    """It says what to give the client instead, and no signature."""
    with pytest.raises(InvalidPost, match="is a URL, and this client opens files only: give it SourceOpener") as caught:
        open_source(f"https://media.example.com/clip.mp4?{SECRET}")
    assert SECRET not in str(caught.value)


def test_an_opener_opens_files_too(opens: Opens, tmp_path: Path) -> None:
    """Paths mean what they mean without it."""
    (tmp_path / "clip.mp4").write_bytes(FILM[:100])
    assert opens()(tmp_path / "clip.mp4").read(0, 200) == FILM[:100]
    assert opens()(str(tmp_path / "clip.mp4")).size == 100
