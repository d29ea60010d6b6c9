"""What the code shared by the transports promises: spelling, the length of waits, and what a log never shows."""

import logging

import pytest

from tiktok_adapters.transports.common import _known_target, hide_queries, joined_headers, target_of
from tiktok_adapters.transports.sockets import Waits
from tiktok_core.wire.http import Request

SECRET = "canary-4711"


def test_queries_are_kept_out_of_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """The rest of a log record stays, including arguments that are no strings. A second call changes nothing."""
    hide_queries("tests.adapters.some", "tests.adapters.other")
    hide_queries("tests.adapters.some")
    logger = logging.getLogger("tests.adapters.some")
    logger.warning('%s "%s %s" %d', "http://host", "PUT", f"/upload?id=1&token={SECRET}", 201)
    assert caplog.messages == ['http://host "PUT /upload?***" 201']
    assert len(logger.filters) == 1


def test_a_url_is_settled_without_touching_what_is_ascii() -> None:
    """The code encodes only what HTTP cannot carry, and never sends a fragment."""
    target = target_of(Request(method="GET", url="https://host:8443/a%2fb/ü?q=ü%7E~&r=[1]#part"))
    assert target.url == "https://host:8443/a%2fb/%C3%BC?q=%C3%BC%7E~&r=[1]"
    assert (target.scheme, target.host, target.port) == ("https", "host", 8443)
    assert target.path == "/a%2fb/%C3%BC?q=%C3%BC%7E~&r=[1]"
    assert target_of(Request(method="GET", url="http://host?x")).url == "http://host/?x"


def test_no_query_is_kept_for_a_next_call() -> None:
    """The transport remembers where a call went, so it need not read the URL again.

    It never remembers a query, which may be secret.
    """
    _known_target.cache_clear()
    target_of(Request(method="PUT", url=f"https://host/video/?upload_token={SECRET}"))
    assert _known_target.cache_info().currsize == 0
    place = Request(method="GET", url="https://host/video/")
    assert target_of(place) is target_of(place)


def test_headers_are_joined_in_their_order() -> None:
    """No value is lost, and none changes its place, including empty ones."""
    pairs = [("B", "1"), ("a", ""), ("b", ""), ("A", "2"), ("b", "3")]
    assert joined_headers(pairs) == {"b": "1, , 3", "a": ", 2"}


def test_waits_end_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait is as long as one wait may be, and never longer than the time that is left for all."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    waits, endless = Waits(10, 25), Waits(10, None)
    spans = []
    for _ in range(3):
        spans.append(waits.next())
        now[0] += 10
    assert spans == [10, 10, 5]
    with pytest.raises(TimeoutError):
        waits.next()
    assert endless.next() == 10
