"""Rows 14, 16, 17, 39, 43 and 45: refused, lost or interrupted tokens; hostile input; the listener; two accounts."""

import asyncio
import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from attrs import define, evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import CLIP, CLIP_BYTES
from example_counts import at_most
from tiktok_adapters import connect
from tiktok_adapters.cli.person import consent
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, Creator, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    App,
    AsyncTikTok,
    Endpoints,
    InvalidInput,
    InvalidPost,
    InvalidSettings,
    Secret,
    SignInRequired,
    TikTok,
    Tokens,
    UnexpectedResponse,
)
from tiktok_core.lifting import lift_clock, lift_journal
from tiktok_core.ports import Request, Response
from yielding import Yielding

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
SECOND = Creator(open_id="-000SecondMaker00000000000000", username="maker_two", nickname="Maker Two", private=True)


def expire(bench: Any) -> Tokens:
    """Set the end of the stored access token into the past, and return what is stored."""
    tokens: Tokens = bench.tokens.load(bench.account.open_id)
    past = bench.clock.now() - timedelta(hours=1)
    bench.tokens.save(bench.account.open_id, evolve(tokens, issued_at=past, expires_at=past))
    stored: Tokens = bench.tokens.load(bench.account.open_id)
    return stored


def renewed_elsewhere(bench: Any) -> Tokens:
    """Renew the account's tokens with another client on another machine, and return the new ones."""
    store = MemoryTokenStore()
    store.save(bench.account.open_id, bench.tokens.load(bench.account.open_id))
    handle = super(type(bench.sim), bench.sim).handle
    other = TikTok(APP, transport=FakeTransport(handle), tokens=store, journal=MemoryJournal(), clock=bench.clock)
    return other.account().refresh()


def live(sim: SimulatedTikTok, secret: Secret) -> bool:
    """Return whether TikTok still accepts a token."""
    return not sim.world.tokens[secret.reveal()].dead


# --- 14: the refresh token is refused ---------------------------------------------------------------------------------


def test_row_14_a_revoked_refresh_token_asks_for_a_sign_in(bench: Any) -> None:
    """The client needs one refusal, remembers it, and deletes nothing. The error says what to do."""
    stored = expire(bench)
    bench.sim.disconnect(bench.account.open_id)
    for _ in range(2):
        with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
            bench.run(bench.account.creator_info())
        assert bench.way.sent == ["token"]
        assert bench.tokens.load(bench.account.open_id) == stored


def test_row_14_tokens_rotated_elsewhere_are_adopted(bench: Any) -> None:
    """Another process with the same store renewed first. The client takes over its pair, and the call succeeds."""
    expire(bench)
    newer: list[Tokens] = []

    def rotate() -> None:
        newer.append(renewed_elsewhere(bench))
        bench.tokens.save(bench.account.open_id, newer[0])

    bench.way.when("token", rotate)
    assert bench.run(bench.account.creator_info()).creator_username == bench.sim.creator.username
    assert bench.way.sent == ["token", "creator_info"]
    assert bench.tokens.load(bench.account.open_id) == newer[0]


def test_row_14_tokens_rotated_on_another_machine_stay_where_they_are(bench: Any) -> None:
    """The newer pair is out of reach, so a person has to sign in. The client does not delete the old pair."""
    stored = expire(bench)
    newer = renewed_elsewhere(bench)
    with pytest.raises(SignInRequired):
        bench.run(bench.account.creator_info())
    assert bench.tokens.load(bench.account.open_id) == stored
    assert live(bench.sim, newer.refresh_token)


# --- 16: the answer to a renewal is lost ------------------------------------------------------------------------------


@pytest.fixture(params=["drop-after", "truncate"])
def lost(request: pytest.FixtureRequest) -> str:
    """Give each way in which an answer is lost."""
    fault: str = request.param
    return fault


def spy(bench: Any) -> list[str]:
    """Return a list that gets the refresh token of each renewal request."""
    seen: list[str] = []

    def note(request: Request, handle: Callable[[], Response]) -> Response:
        body = request.body if isinstance(request.body, bytes) else b"".join(request.body.blocks())
        seen.append(dict(parse_qsl(body.decode()))["refresh_token"])
        return handle()

    bench.sim.says("token", note, times=99)
    return seen


def test_row_16_a_lost_renewal_is_tried_once_with_the_same_token(bench: Any, lost: str) -> None:
    """TikTok has rotated and its answer was lost.

    The client tries once more with the same token, then asks for a sign-in.
    """
    stored, sent = expire(bench), spy(bench)
    bench.sim.faults.add(f"token={lost}")
    with pytest.raises(SignInRequired) as raised:
        bench.run(bench.account.creator_info())
    assert sent == [stored.refresh_token.reveal()] * 2
    assert bench.way.sent == ["token", "token"]
    assert str(raised.value).endswith("needs a sign-in: TikTok no longer takes its refresh token (invalid_grant).")
    assert bench.tokens.load(bench.account.open_id) == stored


def test_row_16_without_rotation_the_second_try_brings_tokens(bench: Any, lost: str) -> None:
    """By the older pages the refresh token stays valid, so the second try gets the tokens."""
    bench.sim.switches.lifetimes = "legacy"
    stored, sent = expire(bench), spy(bench)
    bench.sim.faults.add(f"token={lost}")
    assert bench.run(bench.account.creator_info()).creator_username == bench.sim.creator.username
    assert sent == [stored.refresh_token.reveal()] * 2
    assert bench.tokens.load(bench.account.open_id).access_token != stored.access_token


# --- 17: a person interrupts a renewal --------------------------------------------------------------------------------


def yielding_client(transport: FakeTransport, store: MemoryTokenStore, clock: ManualClock) -> AsyncTikTok:
    """Return a client that lets other tasks run at each call of its transport and token store."""
    return AsyncTikTok(
        APP,
        transport=Yielding(transport),
        tokens=Yielding(store),
        journal=lift_journal(MemoryJournal()),
        clock=lift_clock(clock),
        protect=AsyncioProtect(),
    )


def test_row_17_a_renewal_that_is_cancelled_anywhere_is_whole() -> None:
    """The caller cancels at each step in turn. TikTok has not rotated, or the new pair is stored.

    No later call waits for a lease.
    """

    async def cancelled_after(steps: int) -> bool:
        clock, store = ManualClock(), MemoryTokenStore()
        with contextlib.closing(SimulatedTikTok(clock)) as sim:
            tiktok = yielding_client(FakeTransport(sim.handle), store, clock)
            begun = tiktok.authorization()
            account = await tiktok.sign_in(begun, sim.authorize(begun.url))
            task = asyncio.create_task(account.refresh())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            stored = store.load(account.open_id)
            assert stored is not None
            assert live(sim, stored.refresh_token)
            assert await account.refresh() != stored
            assert clock.slept == 0
            return task.cancelled()

    steps = itertools.takewhile(lambda count: asyncio.run(cancelled_after(count)), itertools.count())
    assert len(list(steps)) > 10


def test_row_17_a_sign_in_that_is_cancelled_anywhere_is_whole() -> None:
    """A code works once.

    The caller cancels at each step in turn: the client has not spent the code, or has stored the tokens.
    """

    async def cancelled_after(steps: int) -> bool:
        clock, store = ManualClock(), MemoryTokenStore()
        with contextlib.closing(SimulatedTikTok(clock)) as sim:
            tiktok = yielding_client(FakeTransport(sim.handle), store, clock)
            begun = tiktok.authorization()
            task = asyncio.create_task(tiktok.sign_in(begun, sim.authorize(begun.url)))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert len(store.accounts()) == sim.count("token")
            return task.cancelled()

    steps = itertools.takewhile(lambda count: asyncio.run(cancelled_after(count)), itertools.count())
    assert len(list(steps)) > 3


def test_row_17_an_interrupt_of_a_sign_in_waits_for_the_save(open_bench: Any) -> None:
    """After Ctrl-C the same holds: TikTok has accepted the code, so the client stores its tokens before the program ends."""
    with open_bench("blocking") as bench:
        bench.tokens.delete(bench.account.open_id)
        bench.way.when("token", lambda: signal.raise_signal(signal.SIGINT))
        begun = bench.tiktok.authorization()
        callback = bench.sim.authorize(begun.url)
        with pytest.raises(KeyboardInterrupt):
            bench.tiktok.sign_in(begun, callback)
        assert bench.tokens.accounts() == (bench.account.open_id,)


@pytest.mark.parametrize("moment", ["before the request", "before the save"])
def test_row_17_an_interrupt_waits_for_the_save(open_bench: Any, moment: str) -> None:
    """The program gets Ctrl-C during a renewal only after the client has stored the new pair."""
    with open_bench("blocking") as bench:
        old, save = bench.tokens.load(bench.account.open_id), bench.tokens.save

        def interrupted_save(account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
            signal.raise_signal(signal.SIGINT)
            return save(account, tokens, seen=seen)  # type: ignore[no-any-return]

        if moment == "before the save":
            bench.tokens.save = interrupted_save
        else:
            bench.way.when("token", lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            bench.run(bench.account.refresh())
        stored = bench.tokens.load(bench.account.open_id)
        assert stored.refresh_token != old.refresh_token
        assert live(bench.sim, stored.refresh_token)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[tuple[SimulatedTikTok, dict[str, str]]]:
    """Serve a TikTok, and give it with the environment that names it."""
    with contextlib.closing(SimulatedTikTok(seed=None)) as sim, SandboxServer(sim).run_in_thread() as server:
        yield (
            sim,
            {
                "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
                "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
                "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
                "TIKTOK_API_URL": server.url,
                "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
                "TIKTOK_HOME": str(tmp_path / "home"),
            },
        )


@contextlib.contextmanager
def command(environ: dict[str, str], *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `tiktok` as a process. At the end, the fixture ends processes that still run, by their ids."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    running = subprocess.Popen(
        [sys.executable, "-c", "from tiktok_adapters.cli import main; main()", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean | environ,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def test_row_17_ctrl_c_at_a_process_waits_for_the_save(sandbox: tuple[SimulatedTikTok, dict[str, str]]) -> None:
    """A real process gets a real signal.

    TikTok has rotated and answers slowly; the process stores the pair before it exits with 130.
    """
    sim, environ = sandbox
    with connect(environ=environ) as tiktok:
        begun = tiktok.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        old = tiktok.sign_in(begun, sim.authorize(begun.url)).tokens()
    sim.faults.add("token=slow:1.5")
    with command(environ, "refresh") as running:
        patience = time.monotonic() + 20
        while sim.count("token") < 2 and time.monotonic() < patience:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130, stderr
    with connect(environ=environ) as tiktok:
        (stored,) = tiktok.accounts()
    assert stored.refresh_token != old.refresh_token
    assert live(sim, stored.refresh_token)


# --- 39: what could break a line, or lead to another host -----------------------------------------------------------

BREAKS = st.sampled_from(["\r", "\n", "\0", "\r\nX-Injected: 1", "\r\n\r\nGET / HTTP/1.1"])
PLAIN = st.text("abcXYZ019-_.", max_size=8)
BROKEN = st.builds("".join, st.tuples(PLAIN, BREAKS, PLAIN))
ELSEWHERE = st.sampled_from(["//evil.example/", "\\\\evil.example/", "https://x.example\\@evil.example/", "/callback/"])
ESCAPED = st.sampled_from(["%0d%0a", "%0D%0AX:1", "%00", "%7f"])
ROW_39 = settings(max_examples=at_most(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@ROW_39
@given(BROKEN)
def test_row_39_scopes_and_titles_that_break_a_line_are_not_sent(near: Any, broken: str) -> None:
    """No scope of TikTok's contains a line break.

    Of the characters in a caption the client refuses only NUL: JSON carries the others.
    """
    for ask in (
        lambda: near.tiktok.authorization([broken]),
        lambda: near.run(near.tiktok.qr_code([broken])),
        lambda: near.run(near.account.post_photos([f"https://media.example.com/{broken}"], privacy_level="SELF_ONLY")),
        lambda: near.run(near.account.post_video(f"https://media.example.com/{broken}", privacy_level="SELF_ONLY")),
        lambda: near.run(near.account.post_video(CLIP, title=f"{broken}\0", privacy_level="SELF_ONLY")),
        lambda: near.run(near.account.post_video(f"clip{broken}\0.mp4", privacy_level="SELF_ONLY")),
    ):
        with pytest.raises(InvalidInput):
            ask()
    assert not {"get_qrcode", "video_init", "photo_init", "put"} & set(near.way.sent)


@ROW_39
@given(BROKEN | ESCAPED)
def test_row_39_redirect_uris_and_hosts_that_break_a_line_are_refused(near: Any, broken: str) -> None:
    """The client refuses them when they are set: an app, an authorization and an endpoint, escaped or not."""
    for uri in (f"http://127.0.0.1:*/callback/{broken}", f"http://127.0.0.1:1{broken}/", f"https://x.example/{broken}"):
        with pytest.raises(InvalidSettings):
            App("key", "secret", uri)
        with pytest.raises(InvalidSettings):
            near.tiktok.authorization(redirect_uri=uri)
        with pytest.raises(InvalidSettings):
            Endpoints(api_url=uri)


@ROW_39
@given(ELSEWHERE)
def test_row_39_what_may_be_read_as_another_host_is_refused(near: Any, elsewhere: str) -> None:
    """An address without a scheme, or with a backslash, is neither a redirect URI nor an endpoint."""
    with pytest.raises(InvalidSettings):
        App("key", "secret", elsewhere)
    with pytest.raises(InvalidSettings):
        near.tiktok.authorization(redirect_uri=elsewhere)
    for name in ("api_url", "auth_url"):
        with pytest.raises(InvalidSettings):
            Endpoints(**{name: elsewhere})


@ROW_39
@given(BROKEN)
def test_row_39_keys_that_break_a_line_are_refused(broken: str) -> None:
    """The client checks client key and secret when they are set, and does not show them."""
    for pair in ((broken, "secret"), ("key", broken)):
        with pytest.raises(InvalidSettings) as raised:
            App(*pair, "http://127.0.0.1:*/callback/")
        assert broken not in str(raised.value)


@ROW_39
@given(BROKEN, st.sampled_from(["access_token", "refresh_token"]))
def test_row_39_a_token_that_breaks_a_line_is_not_kept(near: Any, broken: str, field: str) -> None:
    """The client refuses a token that no header can carry, before it stores it."""
    stored = near.tokens.load(near.account.open_id)
    document = {"access_token": "act.x", "refresh_token": "rft.x", "open_id": near.account.open_id, field: broken}
    near.sim.says("token", Response(200, {}, json.dumps(document).encode()))
    with pytest.raises(UnexpectedResponse):
        near.run(near.account.refresh())
    assert near.tokens.load(near.account.open_id) == stored


@ROW_39
@given(BROKEN)
def test_row_39_a_stored_token_that_breaks_a_line_goes_nowhere(near: Any, broken: str) -> None:
    """If the store holds one all the same, the client can build no request with it."""
    stored = near.tokens.load(near.account.open_id)
    near.tokens.save(near.account.open_id, evolve(stored, access_token=Secret(broken)))
    try:
        with pytest.raises(ValueError, match="control character"):
            near.run(near.account.creator_info())
        assert "creator_info" not in near.way.sent
    finally:
        near.tokens.save(near.account.open_id, stored)


def test_row_39_a_file_may_have_any_name_that_the_system_has(near: Any, tmp_path: Path) -> None:
    """The client never sends the name of a file, so a line break in it is no reason to refuse the file."""
    path = tmp_path / "a\r\nX-Injected: 1.mp4"
    path.write_bytes(CLIP_BYTES)
    near.run(near.account.post_video(path, privacy_level="SELF_ONLY"))
    with pytest.raises(InvalidPost, match="NUL"):
        open_source("a\0.mp4")


# --- 43: the listener of a login --------------------------------------------------------------------------------------


def raw(address: tuple[str, int], request: bytes) -> int:
    """Send bytes, and return the status of the answer; 0 if there is none."""
    with socket.create_connection(address, timeout=20) as wire:
        wire.sendall(request)
        with contextlib.suppress(ConnectionError):
            words = wire.recv(65536).split(b" ", 2)
            return int(words[1]) if len(words) > 1 else 0
    return 0


@define
class Login:
    """A login under way, in a separate process.

    Attributes:
        running: the process.
        page: TikTok's page, as the process printed it.
        sim: the simulated TikTok.
    """

    running: "subprocess.Popen[str]"
    page: str
    sim: SimulatedTikTok

    @property
    def redirect(self) -> str:
        """The redirect URI at which the login waits for the answer."""
        return parse_qs(urlsplit(self.page).query)["redirect_uri"][0]

    @property
    def address(self) -> tuple[str, int]:
        """The listener's address."""
        return "127.0.0.1", urlsplit(self.redirect).port or 0

    def still_waits(self) -> bool:
        """Return whether the login has neither ended nor spent a code."""
        return self.running.poll() is None and self.sim.count("token") == 0

    def ends_well(self) -> bool:
        """Let the person agree, and return whether the login ends with tokens."""
        assert consent(self.page) == 200
        _stdout, stderr = self.running.communicate(timeout=30)
        assert self.running.returncode == 0, stderr
        return self.sim.count("token") == 1


@pytest.fixture
def under_way(sandbox: tuple[SimulatedTikTok, dict[str, str]]) -> Iterator[Login]:
    """Start a login."""
    sim, environ = sandbox
    with command(environ, "login", "--no-browser") as running:
        assert running.stdout is not None
        yield Login(running, running.stdout.readline().strip(), sim)


def test_row_43_no_forged_answer_ends_a_login(under_way: Login) -> None:
    """The login refuses a wrong state, an error without one, another path, method or host, noise, too much.

    It continues.
    """
    state = parse_qs(urlsplit(under_way.page).query)["state"][0]
    port = under_way.address[1]

    def request(line: str, host: str = f"127.0.0.1:{port}") -> bytes:
        return f"{line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    good = f"/callback/?code=forged&state={state}"
    expected = {
        request("GET /callback/?code=forged&state=wrong"): 400,
        request("GET /callback/?code=forged"): 400,
        request("GET /callback/?error=access_denied"): 400,
        request("GET /callback/?error=access_denied&state="): 400,
        request(f"GET /callback/?code=forged&state={state}&state=wrong"): 400,
        request(f"GET /other/?code=forged&state={state}"): 404,
        request(f"GET /callback?code=forged&state={state}"): 404,
        request(f"POST {good}"): 405,
        request(f"OPTIONS {good}"): 405,
        request(f"GET {good}", "evil.example.com"): 400,
        request(f"GET {good}", f"evil.example.com:{port}"): 400,
        request(f"GET {good}", f"localhost:{port}"): 400,
        f"GET {good} HTTP/1.1\r\n\r\n".encode(): 400,
        b"\x16\x03\x01\x02\x00\r\n\r\n": 400,
        b"GET /" + b"x" * 8192: 431,
    }
    assert {asked: raw(under_way.address, asked) for asked in expected} == expected
    assert under_way.still_waits()
    assert under_way.ends_well()


def test_row_43_slow_connections_hinder_nobody(under_way: Login) -> None:
    """A hundred connections that say next to nothing delay neither the answer nor the end."""
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            wire = stack.enter_context(socket.create_connection(under_way.address, timeout=20))
            wire.sendall(b"GET /callback/?code=")
        assert under_way.ends_well()


def test_row_43_a_second_answer_finds_nobody(under_way: Login) -> None:
    """A state works once, and after the first valid answer the port is closed."""
    callback = urlsplit(under_way.sim.authorize(under_way.page))
    statuses: list[int] = []

    def answer() -> None:
        connection = http.client.HTTPConnection(*under_way.address, timeout=20)
        with contextlib.suppress(ConnectionError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", f"{callback.path}?{callback.query}")
            statuses.append(connection.getresponse().status)

    threads = [threading.Thread(target=answer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400}
    _stdout, stderr = under_way.running.communicate(timeout=30)
    assert under_way.running.returncode == 0, stderr
    assert under_way.sim.count("token") == 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(under_way.address, timeout=20)


def test_row_43_a_taken_port_is_told_and_never_shared(sandbox: tuple[SimulatedTikTok, dict[str, str]]) -> None:
    """Another program has the registered port, and gets no answer of TikTok's.

    The login asks the person to paste the answer.
    """
    sim, environ = sandbox
    with socket.create_server(("127.0.0.1", 0)) as other:
        redirect = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        with command(environ | {"TIKTOK_REDIRECT_URI": redirect}, "login", "--no-browser") as running:
            _stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 4
    assert f"have to paste the answer here, because this machine cannot listen on {redirect}" in stderr
    assert sim.count("token") == 0


# --- 45: two accounts at once -----------------------------------------------------------------------------------------

WHAT = st.sampled_from(["creator_info", "post", "refresh", "expire", "refused", "lost"])
PLANS = st.lists(st.tuples(st.sampled_from(["one", "two"]), WHAT), min_size=2, max_size=14)


@settings(max_examples=at_most(60), deadline=None)
@given(PLANS)
def test_row_45_two_accounts_never_meet(plan: list[tuple[str, str]]) -> None:
    """Two accounts make calls at once.

    Each call carries its own token, and each post and each pair of tokens stays with its account.
    """

    async def story() -> None:
        clock, store = ManualClock(), MemoryTokenStore()
        with contextlib.closing(SimulatedTikTok(clock, creators=[Creator(), SECOND])) as sim:
            tiktok = yielding_client(FakeTransport(sim.handle, wait=clock.advance), store, clock)
            accounts = {}
            for who, username in (("one", "maker_one"), ("two", "maker_two")):
                begun = tiktok.authorization()
                callback = sim.authorize(begun.url, account=username)
                accounts[who] = await tiktok.sign_in(begun, callback)

            async def act(number: int, who: str, what: str) -> None:
                account, canary = accounts[who], f"{who} says {number}"
                if what == "expire":
                    tokens = store.load(account.open_id)
                    assert tokens is not None
                    store.save(account.open_id, evolve(tokens, expires_at=clock.now()))
                elif what in {"refused", "lost"}:
                    sim.faults.add("creator_info=expire" if what == "refused" else "creator_info=drop-after")
                elif what == "refresh":
                    assert (await account.refresh()).open_id == account.open_id
                elif what == "post":
                    await account.post_video(CLIP, title=canary, privacy_level="SELF_ONLY", key=canary)
                else:
                    assert (await account.creator_info()).creator_username == f"maker_{who}"

            await asyncio.gather(*(act(number, who, what) for number, (who, what) in enumerate(plan)))
            for who, account in accounts.items():
                assert {post.title.split()[0] for post in sim.posts if post.account == account.open_id} <= {who}
                stored = store.load(account.open_id)
                assert stored is not None
                assert stored.open_id == account.open_id
                for token in (stored.access_token, stored.refresh_token):
                    known = sim.world.tokens[token.reveal()]
                    assert known.creator is not None
                    assert known.creator.username == f"maker_{who}"
            posts = [number for number, (_who, what) in enumerate(plan) if what == "post"]
            assert len(sim.posts) == len(posts)

    asyncio.run(story())


def test_row_45_one_accounts_quota_is_not_the_others(near: Any) -> None:
    """One account has used up its calls of a minute and waits; the other does not."""
    near.sim.creators.append(SECOND)
    begun = near.tiktok.authorization()
    other = near.run(near.tiktok.sign_in(begun, near.sim.authorize(begun.url, account="maker_two")))
    for _ in range(20):
        near.run(near.account.creator_info())
    assert near.clock.slept == 0
    for _ in range(20):
        near.run(other.creator_info())
    assert near.clock.slept == 0
    near.run(near.account.creator_info())
    assert near.clock.slept > 0
    assert {entry.status for entry in near.sim.log if entry.operation == "creator_info"} == {200}


def test_row_45_one_accounts_trouble_is_not_the_others(near: Any) -> None:
    """The grant of one account has ended, and its call asks for a sign-in.

    The other account's call succeeds, and no tokens change.
    """
    near.sim.creators.append(SECOND)
    begun = near.tiktok.authorization()
    other = near.run(near.tiktok.sign_in(begun, near.sim.authorize(begun.url, account="maker_two")))
    kept = {account.open_id: near.tokens.load(account.open_id) for account in (near.account, other)}
    near.sim.disconnect("maker_one")
    with pytest.raises(SignInRequired) as raised:
        near.run(near.account.creator_info())
    assert raised.value.account == near.account.open_id
    assert near.run(other.creator_info()).creator_username == "maker_two"
    assert {open_id: near.tokens.load(open_id) for open_id in kept} == kept
