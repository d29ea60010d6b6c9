"""Videos behind URLs: whatever a server does, the right bytes are posted, or one sentence says why not.

What belongs here: the whole job over a real server, honest or wrong. The order of what is fetched ahead is in `test_ahead.py`.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from clips import HEAD
from media_server import SECRET, TRICKS, MediaServer, served
from tiktok_adapters.sources import MediaHosts, Patience, SourceOpener
from tiktok_adapters.testing.fakes import Fake
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import InvalidPost, SourceChanged

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
    try:
        fake.account.post_video(opener(url), title="From elsewhere", privacy_level="SELF_ONLY")
    except (InvalidPost, SourceChanged) as error:
        assert SECRET not in f"{error} {error!r}"
        assert str(error).count(". ") == 0  # One sentence.
        assert all(post.bytes_received < post.size for post in fake.simulator.posts)
        return str(error)
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
