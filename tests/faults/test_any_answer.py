"""Any answer to any call of either client gives a value that can be stored, or a documented error.

What belongs here: a true answer of the simulated TikTok, changed in one place. `tests/wire/test_fuzz.py` gives any
bytes to the readers, without headers, without most endpoints, and without what the client does with a value afterwards.
"""

import asyncio
import hashlib
import hmac
import inspect
import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Final

import pytest
from attrs import asdict, define, field, has
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import CLIP, PHOTOS
from tiktok_adapters.cli.output import error_document
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
)
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, Secret, TikTok, TikTokError, Tokens
from tiktok_core.domain.events import Event
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response
from tiktok_core.wire.records import dump_record, dump_tokens, load_record, load_tokens

REDIRECT: Final = "http://127.0.0.1:4000/callback/"
SCOPES: Final = (
    "user.info.basic",
    "user.info.profile",
    "user.info.stats",
    "video.list",
    "video.upload",
    "video.publish",
    "portability.all.ongoing",
)
DEEP: Final = "[" * 100_000
ODD: Final = (
    "null", "true", "0", "-1", "1.5", "NaN", "Infinity", "1e18", "1e400", "9" * 30, "9" * 5_000, "-" + "9" * 700,
    '""', '" "', '"9223372036854775808"', '"-9"', '"\u0663"', '"7_0"', '"\\ud800"', '"\\u0000"', '"\\r\\n"', '"\\u202e"',
    '"\u00e9"', '"' + "x" * 70 + '"', '"' + "x" * 100_000 + '"', "[]", "{}", "[[1]]", '[null, "a"]', '{"access_token": "x"}',
    "[" * 60 + "]" * 60, "[" * 900 + "]" * 900, DEEP, DEEP + "]" * 100_000,
    '"https://["', '"https://[::1]:99999/"', '"https://a:99999/"', '"https://u:p@open-upload.tiktokapis.com/"',
    '"https://' + "a" * 64 + '.tiktokapis.com/"', '"https://\u00fc.tiktokapis.com/"', '"http://"', '"https://open-upload.tiktokapis.com\\u0000/"',
)  # fmt: skip
"""Values in JSON's spelling, or in one that is none."""
HEADERS: Final = ("retry-after", "date", "x-tt-logid", "content-range", "range", "content-type", "location", "etag")
SAID: Final = (
    "", "-1", "9" * 5_000, "1e400", "\u0663", "\u00b2", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT",
    "Mon, 00 Foo 0000 99:99:99 GMT", "bytes 0-1/9", "bytes */0", "bytes 0--1/-1", "bytes 0-" + "9" * 30 + "/*",
    "text/html; charset=\udcff", "a\x1bb\x00", "\ud800", "https://[",
)  # fmt: skip
RAW: Final = (
    b"", b"\xff\xfe{\0}\0", b"\xef\xbb\xbf", b"\x1f\x8b\x08\0", b"\0" * 9, b"[" * 200_000, b'{"a":' * 200_000, b"9" * 9_999, b"PK",
    b"PK\x05\x06", b'{"error":{"code":"ok"}}', b'{"error":[]}', b'{"error":{"code":"ok"},"data":[]}', b'"\xed\xa0\x80"', b"null",
    b'{"message":"error","data":{"description":"wrong","error_code":10002}}',
)  # fmt: skip

Spoil = Callable[[Response], Response]


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from _leaves(value[name], (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, (*path, place))


def _leaf(which: int, odd: str) -> Spoil:
    """Return a strategy that puts an odd value in the place of one value of the answer."""

    def spoil(response: Response) -> Response:
        try:
            document = json.loads(response.body)
        except ValueError:
            return response
        paths = [*_leaves(document)] or [()]
        *way, last = paths[which % len(paths)] or ("data",)
        holder = document
        for step in way:
            holder = holder[step]
        if not isinstance(holder, (dict, list)):
            return response
        holder[last] = "\N{SNOWMAN}"
        body = json.dumps(document).replace('"\\u2603"', odd, 1)
        return Response(response.status, response.headers, body.encode("utf-8", "surrogatepass"))

    return spoil


def _bytes(start: int, length: int, new: bytes) -> Spoil:
    def spoil(response: Response) -> Response:
        body = response.body
        if b"?" in body[start : start + length]:
            # A URL appears without its query. Without the sign that begins the query, its secret would appear as a part
            # of the path.
            return response
        return Response(response.status, response.headers, body[:start] + new + body[start + length :])

    return spoil


SPOILS: Final = st.one_of(
    st.builds(_leaf, st.integers(0, 60), st.sampled_from(ODD) | st.text(max_size=5).map(json.dumps)),
    st.builds(_leaf, st.integers(0, 60), st.sampled_from(ODD)),
    st.builds(
        lambda name, value: lambda old: Response(old.status, {**old.headers, name: value}, old.body),
        st.sampled_from(HEADERS),
        st.sampled_from(SAID) | st.text(st.characters(exclude_categories=()), max_size=9),
    ),
    st.builds(lambda status: lambda old: Response(status, old.headers, old.body), st.integers(100, 999)),
    st.builds(
        lambda status, name, value: lambda old: Response(status, {**old.headers, name: value}, b""),
        st.sampled_from([206, 403, 404, 408, 416, 429, 500]),
        st.sampled_from(HEADERS),
        st.sampled_from(SAID),
    ),
    st.builds(lambda body: lambda old: Response(old.status, {}, body), st.sampled_from(RAW) | st.binary(max_size=20)),
    st.builds(_bytes, st.integers(0, 300), st.integers(0, 5), st.binary(max_size=3)),
)


class Basin:
    """A destination in memory."""

    def __init__(self) -> None:
        self.kept = b""

    def begin(self) -> "Basin":
        """Start again from nothing."""
        self.kept = b""
        return self

    def write(self, block: bytes, /) -> None:
        """Take a block."""
        self.kept += block

    def keep(self) -> None:
        """Keep it."""

    def discard(self) -> None:
        """Throw it away."""


@define
class Bench:
    """A client with a signed-in account. A test may change the answers from some moment on.

    Attributes:
        sim: the simulated TikTok.
        clock: the clock of both.
        tokens, journal: what the client keeps.
        runner: runs what the asynchronous client returns.
        spoil: changes each answer whose path ends in the given way.
    """

    sim: SimulatedTikTok
    clock: ManualClock
    tokens: MemoryTokenStore
    journal: MemoryJournal
    runner: asyncio.Runner
    path: str = ""
    spoil: Spoil | None = None
    arrived: int = 0
    tiktok: Any = None
    account: Any = None
    kept: dict[str, Any] = field(factory=dict)

    def handle(self, request: Request) -> Response:
        """Answer as TikTok would, or change that answer."""
        response = self.sim.handle(request)
        place = "PUT" if request.method == "PUT" else request.url.partition("?")[0]
        if self.spoil is not None and place.endswith(self.path):
            self.arrived += 1
            return self.spoil(response)
        return response

    def run(self, result: Any) -> Any:
        """Return a blocking method's result, or await an asynchronous one's."""
        return self.runner.run(result) if inspect.iscoroutine(result) else result

    def post(self, **options: Any) -> Any:
        """Post a clip and follow it."""
        options = {"key": "wish", "privacy_level": "PUBLIC_TO_EVERYONE", **options}
        return self.run(self.account.post_video(options.pop("video", CLIP), **options))


def _opened(world: str, sim: SimulatedTikTok, clock: ManualClock, runner: asyncio.Runner) -> Bench:
    bench = Bench(sim, clock, MemoryTokenStore(), MemoryJournal(), runner)
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI)
    transport = FakeTransport(bench.handle, wait=clock.advance)
    if world == "blocking":
        bench.tiktok = TikTok(
            app,
            transport=transport,
            tokens=bench.tokens,
            journal=bench.journal,
            clock=clock,
            protect=MainThreadProtect(),
            patience=20.0,
        )
    else:
        bench.tiktok = AsyncTikTok(
            app,
            transport=lift_transport(transport),
            tokens=lift_tokens(bench.tokens),
            journal=lift_journal(bench.journal),
            clock=lift_clock(clock),
            protect=AsyncioProtect(),
            patience=20.0,
        )
    sim.app.scopes = tuple(dict.fromkeys((*sim.app.scopes, *SCOPES)))
    sim.app.audited, sim.creator.private = True, False
    begun = bench.tiktok.authorization(SCOPES, redirect_uri=REDIRECT)
    bench.account = bench.run(bench.tiktok.sign_in(begun, sim.authorize(begun.url)))
    return bench


# --- The calls: where the answer comes from, what comes before, what is asked ----------------------------------------


def _begun(bench: Bench) -> None:
    begun = bench.tiktok.authorization(redirect_uri=REDIRECT)
    bench.kept["begun"], bench.kept["answer"] = begun, bench.sim.authorize(begun.url)


def _qr(bench: Bench) -> None:
    bench.kept["qr"] = bench.run(bench.tiktok.qr_code())
    bench.sim.scan(bench.kept["qr"].url)


def _posted(bench: Bench) -> None:
    bench.kept["post"] = bench.post()


def _public(bench: Bench) -> None:
    _posted(bench)
    bench.clock.advance(3_600)
    bench.kept["post"] = bench.run(bench.account.publish_status(bench.kept["post"].publish_id))


def _asked(bench: Bench) -> None:
    bench.kept["data"] = bench.run(bench.account.request_data(["profile"]))
    bench.clock.advance(600)


def _nothing(_bench: Bench) -> None:
    pass


CALLS: dict[str, tuple[str, Callable[[Bench], None], Callable[[Bench], Any]]] = {
    "code": ("/oauth/token/", _begun, lambda it: it.tiktok.sign_in(it.kept["begun"], it.kept["answer"])),
    "refresh": ("/oauth/token/", _nothing, lambda it: it.account.refresh()),
    "client token": ("/oauth/token/", _nothing, lambda it: it.tiktok.client_token()),
    "revoke": ("/oauth/revoke/", _nothing, lambda it: it.account.revoke()),
    "QR code": ("/get_qrcode/", _nothing, lambda it: it.tiktok.qr_code()),
    "check of a QR code": ("/check_qrcode/", _qr, lambda it: it.tiktok.check_qr_code(it.kept["qr"])),
    "profile": ("/user/info/", _nothing, lambda it: it.account.user_info()),
    "videos": ("/video/list/", _public, lambda it: it.account.video_page()),
    "query of videos": (
        "/video/query/",
        _public,
        lambda it: it.account.query_videos([str(one) for one in it.kept["post"].post_ids] or ["1"]),
    ),
    "search for a post": ("/video/query/", _public, lambda it: it.account.find_post("wish")),
    "creator info": ("/creator_info/query/", _nothing, lambda it: it.account.creator_info()),
    "init of a file": ("/publish/video/init/", _nothing, lambda it: it.post()),
    "init of a draft": ("/inbox/video/init/", _nothing, lambda it: it.post(draft=True, privacy_level=None)),
    "init of a pull": ("/publish/video/init/", _nothing, lambda it: it.post(video="https://media.example.com/c.mp4")),
    "init of photos": (
        "/content/init/",
        _nothing,
        lambda it: it.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish"),
    ),
    "chunk": ("PUT", _nothing, lambda it: it.post()),
    "status while posting": ("/status/fetch/", _nothing, lambda it: it.post()),
    "status": ("/status/fetch/", _posted, lambda it: it.account.publish_status(it.kept["post"].publish_id)),
    "wait": ("/status/fetch/", _posted, lambda it: it.account.wait(it.kept["post"].publish_id)),
    "cancel": ("/publish/cancel/", _posted, lambda it: it.account.cancel(it.kept["post"].publish_id)),
    "request of data": ("/data/add/", _nothing, lambda it: it.account.request_data(["profile"])),
    "check of data": ("/data/check/", _asked, lambda it: it.account.check_data(it.kept["data"])),
    "cancel of data": ("/data/cancel/", _asked, lambda it: it.account.cancel_data(it.kept["data"])),
    "download": ("/data/download/", _asked, lambda it: it.account.download_data(it.kept["data"], Basin())),
}


def check_can_be_kept(value: Any) -> None:
    """Assert that a value can be printed, pickled, and written as JSON, as the command line does."""
    said = repr(value) + str(value)
    assert said.encode().decode() == said
    if isinstance(value, TikTokError):
        json.dumps(error_document(value)).encode()
        if (event := getattr(value, "event", None)) is not None:
            check_can_be_kept(event)
    elif isinstance(value, (list, tuple)):
        for one in value:
            check_can_be_kept(one)
        return
    elif has(type(value)) and not _secret(value):
        json.dumps(asdict(value), default=str, allow_nan=False).encode()
    if not _secret(value) and has(type(value)):
        copy = pickle.loads(pickle.dumps(value))
        assert repr(copy) == repr(value)


def _secret(value: Any) -> bool:
    return any(isinstance(getattr(value, name, None), Secret) for name in dir(value) if not name.startswith("_"))


def check_stores(bench: Bench) -> None:
    """Assert that a store of bytes and texts can write what the client has kept, and reads the same back."""
    for record in bench.journal.records(""):
        assert load_record(dump_record(record)) == record
        for text in (record.name, record.publish_id or "", record.account):
            assert text.encode().decode() == text
            assert "\0" not in text
    for account in bench.tokens.accounts():
        tokens = bench.tokens.load(account)
        assert account.encode()
        assert isinstance(tokens, Tokens)
        assert load_tokens(dump_tokens(tokens)) == tokens


@pytest.mark.parametrize("call", CALLS)
def test_every_failure_after_a_request_has_left_is_a_documented_error(call: str) -> None:
    """For any bytes of an answer the call returns a value or raises a `TikTokError`, which can be printed and stored."""
    path, before, ask = CALLS[call]

    @settings(max_examples=60)
    @given(SPOILS, st.booleans(), st.sampled_from(["blocking", "asynchronous"]))
    def spoilt(spoil: Spoil, always: bool, world: str) -> None:
        clock = ManualClock()
        with closing(SimulatedTikTok(clock)) as sim, asyncio.Runner() as runner:
            bench = _opened(world, sim, clock, runner)
            before(bench)
            bench.path, bench.spoil = path, spoil if always else _once(spoil)
            try:
                outcome = bench.run(ask(bench))
            except TikTokError as error:
                outcome = error
            assert bench.arrived
            check_can_be_kept(outcome)
            check_stores(bench)
            # Once TikTok answers well, the client can continue with what it kept.
            bench.spoil = None
            for record in bench.journal.records(""):
                try:
                    check_can_be_kept(bench.run(bench.account.resume(record.key)))
                except TikTokError as error:
                    check_can_be_kept(error)

    spoilt()


def _once(spoil: Spoil) -> Spoil:
    left = [spoil]

    def spoilt(response: Response) -> Response:
        return left.pop()(response) if left else response

    return spoilt


# --- Webhooks --------------------------------------------------------------------------------------------------------

EVENTS = (
    "tiktok.ping", "authorization.removed", "post.publish.failed", "post.publish.complete", "post.publish.inbox_delivered",
    "post.publish.publicly_available", "post.publish.no_longer_publicaly_available", "video.upload.failed",
    "portability.download.ready", "something.new",
)  # fmt: skip
ODD_HEADERS = st.sampled_from(
    [
        "",
        "t=\u0661,s=" + "0" * 64,
        "t=" + "9" * 5_000 + ",s=" + "0" * 64,
        "t=1,t=2,s=a,s=b",
        "\ud800",
        "t=1,s=\ud800",
        "\0",
    ]
)


@pytest.mark.parametrize("world", ["blocking", "asynchronous"])
@pytest.mark.parametrize("event", EVENTS)
def test_a_signed_webhook_however_odd_raises_only_what_is_documented(world: str, event: str) -> None:
    """A signed body of any bytes is an event or raises `WebhookRejected`, and `received` accepts every event."""
    clock = ManualClock()
    with closing(SimulatedTikTok(clock)) as sim, asyncio.Runner() as runner:
        bench = _opened(world, sim, clock, runner)
        publish_id = bench.post().publish_id
        inner = {"publish_id": publish_id, "reason": "internal", "post_id": 7, "request_id": 7, "share_id": "s"}

        @settings(max_examples=60)
        @given(SPOILS, SPOILS, st.booleans(), st.none() | ODD_HEADERS)
        def delivered(outer: Spoil, content: Spoil, is_text: bool, header: str | None) -> None:
            said = content(Response(200, {}, json.dumps(inner).encode())).body.decode("utf-8", "replace")
            document = {
                "client_key": DEFAULT_CLIENT_KEY,
                "event": event,
                "create_time": int(clock.now().timestamp()),
                "user_openid": bench.account.open_id,
                "content": said if is_text else "\N{SNOWMAN}",
            }
            body = outer(Response(200, {}, json.dumps(document).encode())).body
            body = body if is_text else body.replace(b'"\\u2603"', said.encode())
            signature = header if header is not None else signed(body, int(clock.now().timestamp()))
            try:
                found: Any = bench.tiktok.verify_webhook(body, signature)
            except TikTokError as error:
                check_can_be_kept(error)
                return
            assert isinstance(found, Event)
            assert len(found.key) == 64
            check_can_be_kept(found)
            check_can_be_kept(bench.run(bench.tiktok.received(found)))
            check_stores(bench)

        delivered()


def signed(body: bytes, seconds: int) -> str:
    """Return the signature header that TikTok would send with these bytes."""
    key = DEFAULT_CLIENT_SECRET.encode()
    return f"t={seconds},s={hmac.new(key, f'{seconds}.'.encode() + body, hashlib.sha256).hexdigest()}"
