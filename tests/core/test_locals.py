"""No local variable of the library's frames shows a secret.

`crash_report` defines what a crash report with local variables shows. Here every call fails at every port, and the
tests look at the whole chain of its error. They also look at each call that the library makes during the main job, and
so find
places where nothing happens to fail in these tests.
"""

import asyncio
import base64
import hashlib
import hmac
import http.client
import inspect
import io
import json
import secrets as random
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from attrs import define, evolve, field
from click.testing import CliRunner

from clips import CLIP, CLIP_BYTES, PULLED
from crash_report import Watch, shown
from elsewhere import SIGNATURE, SIGNED
from stored import MemoryKeychain
from tiktok_adapters.assembly import load_settings
from tiktok_adapters.cli.app import tiktok as program
from tiktok_adapters.cli.person import consent
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.compat import TikTok as Compat
from tiktok_adapters.destinations import open_destination
from tiktok_adapters.sign_in import Answers, accepts_state, pasted
from tiktok_adapters.sign_in.loopback import LoopbackListener
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, SimulatedTikTok, parse_fault
from tiktok_adapters.simulator import App as PortalApp
from tiktok_adapters.simulator.quotas import Quotas
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource, MediaHosts, SourceOpener, open_source
from tiktok_adapters.stores.encrypted import EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    App,
    AsyncTikTok,
    Endpoints,
    Interrupted,
    InvalidPost,
    InvalidSettings,
    NotSent,
    PhotoPost,
    SourceChanged,
    StoreError,
    TikTok,
    VideoPost,
)
from tiktok_core.events import WebhookRejected, verify_webhook
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response
from tiktok_core.wire.records import load_tokens

SECRET = "canary-of-a-client-secret"
CALLBACK = "http://127.0.0.1:4000/callback/"
DATA = "portability.all.ongoing"
GARBAGE = (
    b'{"access_token": "%s", "refresh_token": "%s", "expires_in": [], "data": {"upload_url": "%s", "publish_id": {}}}'
)
SPOILT = (
    "act.canary-in-an-answer",
    "rft.canary-in-an-answer",
    "https://u.tiktokapis.com/?upload_token=canary-in-an-answer",
)
ANSWERS: dict[str, Callable[[Response], Response]] = {
    "401": lambda _: _refusal(401, "access_token_invalid"),
    "403": lambda _: _refusal(403, "scope_not_authorized"),
    "500": lambda _: Response(500, {}, b"trouble"),
    "307": lambda _: Response(307, {"location": SPOILT[2]}),
    "half": lambda whole: evolve(whole, body=whole.body[: len(whole.body) - 2]),
    "garbage": lambda _: Response(200, {}, GARBAGE % tuple(map(str.encode, SPOILT))),
    "list": lambda _: Response(200, {}, json.dumps(SPOILT).encode()),
}
ERRORS: dict[str, Callable[[], Exception]] = {
    "NotSent": lambda: NotSent("POST somewhere", "it did not leave"),
    "Interrupted": lambda: Interrupted("POST somewhere", "it broke off"),
    "RuntimeError": lambda: RuntimeError("a mistake in an adapter"),
    "StoreError": lambda: StoreError("Store", "it is full", "full"),
    "SourceChanged": lambda: SourceChanged(None, "it is gone"),
    "OSError": lambda: OSError("a mistake in an adapter"),
}
FAILING = [
    *(("transport", name) for name in ("NotSent", "Interrupted", "RuntimeError", *ANSWERS)),
    *(("tokens", name) for name in ("StoreError", "RuntimeError")),
    *(("journal", name) for name in ("StoreError", "RuntimeError")),
    ("clock", "RuntimeError"),
    ("source", "SourceChanged"),
    ("source", "OSError"),
    ("callback", "RuntimeError"),
]
WORLDS = ["blocking", "asynchronous"]


def made_error(name: str) -> Exception:
    """Return the error of that name."""
    return ERRORS[name]()


def _refusal(status: int, code: str) -> Response:
    return Response(
        status, {}, json.dumps({"data": {}, "error": {"code": code, "message": "", "log_id": "1"}}).encode()
    )


@define
class Trip:
    """Makes the calls to one port fail, from a given one on."""

    port: str
    what: str
    left: int

    def due(self, port: str) -> bool:
        """Whether this call has to fail."""
        self.left -= port == self.port
        return port == self.port and self.left < 0

    @property
    def was_reached(self) -> bool:
        """Whether any call failed."""
        return self.left < 0


class Port:
    """A port whose calls may fail."""

    def __init__(self, inner: Any, name: str, trip: Trip, answer: Callable[[Any], Any] | None = None) -> None:
        self._inner, self._name, self._trip, self._answer = inner, name, trip, answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name == "close":
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            if not self._trip.due(self._name):
                return found(*arguments, **options)
            if self._trip.what in ANSWERS:
                return ANSWERS[self._trip.what](found(*arguments, **options))
            raise made_error(self._trip.what)

        return call


@define
class Bench:
    """A client, blocking or asynchronous, over ports that may fail, and every secret that it has got.

    Attributes:
        world: `blocking` or `asynchronous`.
        sim: the TikTok behind it.
        tiktok: the client.
        trip: makes ports fail.
        clock: the clock of client and TikTok.
        store: keeps the tokens.
        begun: the begun sign-ins and their answers.
        journal: the journal of posts, if it is a file.
    """

    world: str
    sim: SimulatedTikTok
    tiktok: Any
    trip: Trip
    clock: Any
    store: Any
    begun: list[tuple[Any, str]] = field(factory=list)
    journal: Any = None

    async def run(self, result: Any) -> Any:
        """Return the result of a blocking or asynchronous call."""
        return await result if inspect.isawaitable(result) else result

    async def signed_in(self) -> Any:
        """Sign in."""
        begun = self.tiktok.authorization(
            ["user.info.basic", "video.upload", "video.publish", DATA], redirect_uri=CALLBACK
        )
        callback = self.sim.authorize(begun.url)
        self.begun.append((begun, callback))
        return await self.run(self.tiktok.sign_in(begun, callback))

    def close(self) -> None:
        """Close the files of this run."""
        self.store.close()
        if self.journal is not None:
            self.journal.close()

    def secrets(self) -> set[str]:
        """Return every secret of this run."""
        return secrets_of(self.sim, *self.begun)


def secrets_of(sim: SimulatedTikTok, *begun: tuple[Any, str]) -> set[str]:
    """Return every secret that a TikTok has issued, and those of these sign-ins."""
    uploads = [task.upload for task in sim.world.tasks.values() if task.upload is not None]
    found = {
        SECRET,
        SIGNATURE,
        *SPOILT,
        *sim.world.tokens,
        *sim.world.codes,
        *(upload.upload_token for upload in uploads),
    }
    for authorization, callback in begun:
        found |= {authorization.state.reveal(), authorization.code_verifier.reveal(), urlsplit(callback).query}
    return found


def fresh() -> SimulatedTikTok:
    """Return a TikTok that knows the canary."""
    sim = SimulatedTikTok(ManualClock(datetime.now(UTC)), seed=None, apps=[PortalApp(client_secret=SECRET)])
    sim.app.scopes = (*sim.app.scopes, DATA)
    sim.switches.processing_seconds = sim.switches.download_seconds = 0
    return sim


def opened_anywhere(_name: object) -> BytesSource:
    """Open whatever lies at a URL, and keep nothing of its name."""
    return CLIP


def bench_of(world: str, trip: Trip, sim: SimulatedTikTok, folder: Path, opener: Any = opened_anywhere) -> Bench:
    """Return a client of that TikTok, over files, as most programs have them."""
    clock, app = ManualClock(datetime.now(UTC)), App(DEFAULT_CLIENT_KEY, SECRET, "http://127.0.0.1:*/callback/")
    store, journal = SqliteTokenStore(folder / "tokens"), SqliteJournal(folder / "journal")
    ports: dict[str, Any] = {
        "transport": Port(FakeTransport(sim.handle), "transport", trip),
        "tokens": Port(store, "tokens", trip),
        "journal": Port(journal, "journal", trip),
        "clock": Port(clock, "clock", trip),
    }
    common: dict[str, Any] = {"open_destination": open_destination, "retries": 1, "open_source": opener}
    if world == "blocking":
        return Bench(world, sim, TikTok(app, **common, **ports), trip, clock, store, journal=journal)
    lifts = {"transport": lift_transport, "tokens": lift_tokens, "journal": lift_journal, "clock": lift_clock}
    lifted = {name: lifts[name](port) for name, port in ports.items()}  # type: ignore[operator]
    return Bench(world, sim, AsyncTikTok(app, **common, **lifted), trip, clock, store, journal=journal)


async def _sign_in(bench: Bench, _account: Any, _folder: Path) -> None:
    await bench.signed_in()


async def _sign_in_with_code(bench: Bench, _account: Any, _folder: Path) -> None:
    begun = bench.tiktok.authorization(redirect_uri=CALLBACK)
    callback = bench.sim.authorize(begun.url)
    bench.begun.append((begun, callback))
    code = callback.partition("code=")[2].partition("&")[0]
    await bench.run(bench.tiktok.sign_in_with_code(begun, code))


async def _qr_code(bench: Bench, _account: Any, _folder: Path) -> None:
    begun = await bench.run(bench.tiktok.qr_code(["user.info.basic"]))
    bench.sim.scan(begun.url)
    await bench.run(bench.tiktok.check_qr_code(begun))


async def _post(bench: Bench, account: Any, _folder: Path) -> None:
    def on_progress(_: object) -> None:
        if bench.trip.due("callback"):
            raise made_error(bench.trip.what)

    film: Any = Port(CLIP, "source", bench.trip)
    await bench.run(account.post_video(film, privacy_level="SELF_ONLY", on_progress=on_progress))


async def _post_elsewhere(bench: Bench, account: Any, _folder: Path) -> None:
    await bench.run(account.post_video(SIGNED, privacy_level="SELF_ONLY"))


async def _post_pulled(bench: Bench, account: Any, _folder: Path) -> None:
    await bench.run(account.post_video(f"{PULLED}?{SIGNATURE}", privacy_level="SELF_ONLY", upload=False))


async def _check_pulled(bench: Bench, _account: Any, _folder: Path) -> None:
    post = VideoPost(privacy_level="SELF_ONLY")
    await bench.run(bench.tiktok.check_video(f"{PULLED}?{SIGNATURE}", post, fetch=True))


async def _download(bench: Bench, account: Any, folder: Path) -> None:
    request_id = await bench.run(account.request_data(["profile"]))
    bench.sim.clock.advance(3600)
    await bench.run(account.download_data(request_id, folder / "data.zip"))


CALLS: dict[str, Callable[[Bench, Any, Path], Any]] = {
    "sign_in": _sign_in,
    "sign_in_with_code": _sign_in_with_code,
    "qr_code": _qr_code,
    "post_video": _post,
    "post_elsewhere": _post_elsewhere,
    "post_pulled": _post_pulled,
    "check_pulled": _check_pulled,
    "download_data": _download,
    "refresh": lambda bench, account, _: bench.run(account.refresh()),
    "revoke": lambda bench, account, _: bench.run(account.revoke()),
    "user_info": lambda bench, account, _: bench.run(account.user_info()),
    "client_token": lambda bench, _, __: bench.run(bench.tiktok.client_token()),
    "accounts": lambda bench, _, __: bench.run(bench.tiktok.accounts()),
}
USED: dict[str, tuple[str, ...]] = {
    "source": ("post_video",),
    "callback": ("post_video",),
    "journal": ("post_video", "post_elsewhere", "post_pulled"),
    "tokens": tuple(call for call in CALLS if call not in {"client_token", "check_pulled"}),
    "clock": tuple(call for call in CALLS if call != "check_pulled"),
}
COMMON = ("RuntimeError", "garbage")
"""What the quick run lets happen: each call meets each port's failure, and an answer that nobody can read."""
STEPS = [
    pytest.param(call, port, what, id=f"{call}-{port}-{what}", marks=() if what in COMMON else pytest.mark.full)
    for call in CALLS
    for port, what in FAILING
    if call in USED.get(port, CALLS) and not (port in ("transport", "clock") and call == "accounts")
]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("call", "port", "what"), STEPS)
def test_no_local_variable_of_our_frames_holds_a_secret(
    world: str, call: str, port: str, what: str, tmp_path: Path
) -> None:
    """Any call to a port fails in any way. No frame of the library's in the whole chain of the error shows a secret."""
    for number in range(40):
        trip = Trip(port, what, 10**9)
        folder = tmp_path / str(number)
        folder.mkdir()
        with closing(fresh()) as sim:
            bench = bench_of(world, trip, sim, folder)

            async def run(bench: Bench = bench, number: int = number, folder: Path = folder) -> Exception | None:
                account = await bench.signed_in()
                bench.trip.left = number
                try:
                    await CALLS[call](bench, account, folder)
                except Exception as raised:  # noqa: BLE001 - whatever it is, a crash report would show it
                    return raised
                return None

            error = asyncio.run(run())
            if error is not None:
                assert not shown(error, bench.secrets() | _kept(bench))
            bench.close()
        if not trip.was_reached:
            break
    assert number


def _kept(bench: Bench) -> set[str]:
    found = [bench.store.load(account) for account in bench.store.accounts()]
    return {secret.reveal() for tokens in found if tokens for secret in (tokens.access_token, tokens.refresh_token)}


# --- Over sockets ----------------------------------------------------------------------------------------------------

FAULTS = [
    f"{where}x99={what}"
    for where in ("token", "creator_info", "video_init", "user_info", "revoke")
    for what in (
        "drop-before",
        "drop-after",
        "truncate",
        "garbage",
        "status:500",
        "redirect:https://elsewhere.example/?q=1",
    )
] + [
    "putx99=drop-at:10",
    "putx99=status:500",
    "putx99=expire",
    "putx99=redirect:https://elsewhere.example/",
    "video_initx99=foreign-upload-host",
    "creator_infox99=code:spam_risk_too_many_posts@200",
    "tokenx99=code:invalid_grant",
]


@pytest.mark.parametrize("world", WORLDS)
def test_no_local_variable_holds_a_secret_over_sockets(world: str) -> None:
    """No frame shows a secret over urllib3 and aiohttp, with any fault of the network."""
    failures, found = list[Exception](), list[str]()
    with closing(fresh()) as sim, SandboxServer(sim).run_in_thread() as server:
        endpoints = Endpoints(api_url=server.url, auth_url=f"{server.url}/v2/auth/authorize/")
        clock = ManualClock(datetime.now(UTC))
        begun: list[tuple[Any, str]] = []

        async def run() -> None:
            common: dict[str, Any] = {"endpoints": endpoints, "timeout": 5.0, "retries": 1}
            app, store = App(DEFAULT_CLIENT_KEY, SECRET, "http://127.0.0.1:*/callback/"), MemoryTokenStore()
            if world == "blocking":
                tiktok: Any = TikTok(
                    app, transport=Urllib3Transport(), tokens=store, journal=MemoryJournal(), clock=clock, **common
                )
            else:
                tiktok = AsyncTikTok(
                    app,
                    transport=AiohttpTransport(),
                    tokens=lift_tokens(store),
                    journal=lift_journal(MemoryJournal()),
                    clock=lift_clock(clock),
                    **common,
                )
            bench = Bench(world, sim, tiktok, Trip("none", "", 0), clock, store, begun)
            for fault in FAULTS:
                sim.faults.clear()
                sim.world.quotas = Quotas()
                account = await bench.signed_in()
                sim.faults.add(parse_fault(fault))
                calls: list[Callable[[], Any]] = [account.refresh, account.user_info, account.revoke]
                if fault.startswith(("creator", "video", "put")):
                    calls = [lambda account=account: account.post_video(CLIP, privacy_level="SELF_ONLY")]
                for one in calls:
                    try:
                        await bench.run(one())
                    except Exception as error:  # noqa: BLE001 - whatever it is, a crash report would show it
                        failures.append(error)
                        found.extend(shown(error, bench.secrets()))
            sim.faults.clear()
            await bench.run(tiktok.close())

        asyncio.run(run())
    assert not found
    assert len(failures) > len(FAULTS) // 2


@pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])
@pytest.mark.parametrize("when", ["sink", "write", "on_sent"])
def test_what_a_guest_of_a_transport_raises_shows_no_request(kind: Any, when: str) -> None:
    """A sink or a callback raises in the middle of an exchange. The error shows neither URL nor headers nor body."""
    canary = "canary-of-a-download"

    class Broken:
        def write(self, _block: bytes) -> None:
            raise RuntimeError

    def sink(_head: Response) -> Any:
        if when == "sink":
            raise RuntimeError
        return Broken()

    def on_sent(_sent: int) -> None:
        raise RuntimeError

    with closing(fresh()) as sim, SandboxServer(sim).run_in_thread() as server:
        request = Request(
            method="POST",
            url=f"{server.url}/v2/user/info/?key={canary}",
            headers={"Authorization": f"Bearer {canary}"},
            body=f"token={canary}".encode(),
            sink=None if when == "on_sent" else sink,
            on_sent=on_sent if when == "on_sent" else None,
        )

        with pytest.raises(RuntimeError) as caught:
            asyncio.run(_sent(kind, request))
    assert not shown(caught.value, {canary})


async def _awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


async def _sent(kind: Any, request: Request) -> Any:
    transport = kind()
    try:
        return await _awaited(transport.send(request))
    finally:
        await _awaited(transport.close())


@pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])
@pytest.mark.parametrize(
    "url", ["http://user:{}@localhost:1/", "nonsense://a/?q={}", "http://127.0.0.1:1/?q={}", "http://[/?q={}"]
)
def test_a_request_that_cannot_be_sent_is_not_shown(kind: Any, url: str) -> None:
    """For an unusable URL, or a host out of reach, the error shows no query."""
    canary = "canary-of-a-download"
    request = Request(method="GET", url=url.format(canary), headers={"Authorization": canary})

    with pytest.raises((NotSent, ValueError)) as caught:
        asyncio.run(_sent(kind, request))
    assert not shown(caught.value, {canary})


@pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])
@pytest.mark.parametrize("url", ["socks5://user:{}@proxy", "http://user:{}@proxy:x", "http://user:{}@", "http://[{}@"])
def test_a_proxy_that_cannot_be_used_is_not_shown(kind: Any, url: str) -> None:
    """The error shows no password of a proxy's URL, whether the program or the environment named it."""
    canary = "canary-of-a-proxy"
    with pytest.raises(ValueError, match="the proxy must be a URL") as caught:
        kind(proxy=url.format(canary))
    assert not shown(caught.value, {canary})
    with pytest.raises(InvalidSettings) as named:
        Proxy.named_by({"HTTPS_PROXY": url.format(canary), "TIKTOK_CLIENT_SECRET": SECRET})
    assert not shown(named.value, {canary, SECRET})


# --- At every call, whether or not it fails ----------------------------------------------------------------------------


def _key() -> str:
    return base64.urlsafe_b64encode(random.token_bytes(32)).decode()


STORES: dict[str, Callable[[Path, str], Any]] = {
    "memory": lambda _folder, _key: MemoryTokenStore(),
    "sqlite": lambda folder, _key: SqliteTokenStore(folder / "tokens"),
    "encrypted": lambda folder, key: EncryptedTokenStore(SqliteTokenStore(folder / "tokens"), [key]),
    "keyring": lambda folder, _key: KeyringTokenStore(
        "test", SqliteTokenStore(folder / "tokens"), keychain=MemoryKeychain()
    ),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("store", STORES)
def test_no_local_variable_holds_a_secret_at_any_call_of_the_main_job(world: str, store: str, tmp_path: Path) -> None:
    """Signing in, posting, renewing and revoking, with every store: no frame shows a secret at any call that it makes."""
    key, begun = _key(), list[tuple[Any, str]]()
    known: set[str] = {key}

    async def run(sim: SimulatedTikTok, url: str) -> None:
        endpoints = Endpoints(api_url=url, auth_url=f"{url}/v2/auth/authorize/")
        app, tokens = App(DEFAULT_CLIENT_KEY, SECRET, "http://127.0.0.1:*/callback/"), STORES[store](tmp_path, key)
        journal, clock = SqliteJournal(tmp_path / "journal"), ManualClock(datetime.now(UTC))
        if world == "blocking":
            tiktok: Any = TikTok(
                app, transport=Urllib3Transport(), tokens=tokens, journal=journal, clock=clock, endpoints=endpoints
            )
        else:
            tiktok = AsyncTikTok(
                app,
                transport=AiohttpTransport(),
                tokens=lift_tokens(tokens),
                journal=lift_journal(journal),
                clock=lift_clock(clock),
                endpoints=endpoints,
            )
        bench = Bench(world, sim, tiktok, Trip("none", "", 0), clock, tokens, begun)
        await _qr_code(bench, None, tmp_path)
        account = await bench.signed_in()
        await bench.run(account.user_info())
        await bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY"))
        await bench.run(account.refresh())
        await bench.run(tiktok.client_token())
        known.update(_kept(bench))
        await bench.run(account.revoke())
        await bench.run(tiktok.close())

    with closing(fresh()) as sim, SandboxServer(sim).run_in_thread() as server:
        with Watch() as watch:
            asyncio.run(run(sim, server.url))
        assert not watch.leaks(known | secrets_of(sim, *begun))
    assert len(watch.frames) > 500


def test_no_local_variable_holds_a_secret_at_any_call_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tiktok login` (with the listener and with a pasted answer), a post, a refusal and `logout` show no secret."""
    key, pages, outcomes = _key(), list[str](), list[int]()
    (tmp_path / "config.toml").write_text(f'client_secret = "{SECRET}"\n')
    with closing(fresh()) as sim, SandboxServer(sim).run_in_thread() as server:
        environ = {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path),
            "TIKTOK_STORE": "encrypted",
            "TIKTOK_STORE_KEY": key,
        }

        def agree(page: str) -> bool:
            pages.append(page)
            return consent(page) == 200

        def paste(answers: Answers, accepts: Any, **options: Any) -> None:
            text = f"no answer\n{sim.authorize(pages[-1])}\n"
            monkeypatch.setattr(sys, "stdin", io.StringIO(text))
            pasted.read_pasted(answers, accepts, **options)

        def tiktok(*arguments: str) -> None:
            outcomes.append(CliRunner().invoke(program, list(arguments), env=environ).exit_code)

        film = tmp_path / "film.mp4"
        film.write_bytes(CLIP_BYTES)
        with Watch() as watch:
            monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", agree)
            tiktok("login")
            tiktok("post", "video", str(film), "--draft")
            sim.faults.add(parse_fault("user_infox9=status:500"))
            tiktok("whoami")
            environ["TIKTOK_STORE_KEY"] = f"{key}{key}"
            tiktok("accounts")
            environ["TIKTOK_STORE_KEY"] = key
            tiktok("logout")
            monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", pages.append)
            monkeypatch.setattr("tiktok_adapters.cli.login.read_pasted", paste)
            environ["TIKTOK_REDIRECT_URI"] = CALLBACK
            sim.app.redirect_uris = (CALLBACK,)
            with LoopbackListener(CALLBACK):
                tiktok("login")
        states = {dict(pair.split("=", 1) for pair in urlsplit(page).query.split("&"))["state"] for page in pages}
        assert not watch.leaks({key, *states, *secrets_of(sim)})
    assert outcomes == [0, 0, 4, 2, 0, 0]


def test_no_local_variable_holds_a_secret_at_any_call_of_the_older_surface(tmp_path: Path) -> None:
    """The surface of `tiktok-api-client`, with tokens from outside and a call that fails."""
    known = {"act.canary-from-outside", "rft.canary-from-outside"}
    with closing(fresh()) as sim:
        film = tmp_path / "film.mp4"
        film.write_bytes(CLIP_BYTES)
        with (
            Watch() as watch,
            Compat(
                DEFAULT_CLIENT_KEY,
                SECRET,
                CALLBACK,
                transport=FakeTransport(sim.handle),
                clock=ManualClock(datetime.now(UTC)),
                endpoints=Endpoints(),
            ) as compat,
        ):
            callback = sim.authorize(compat.get_authorization_url())
            known |= {compat.code_verifier, urlsplit(callback).query}
            answer = dict(parse_qsl(urlsplit(callback).query))
            compat.exchange_code_for_token(answer["code"], state=answer["state"])
            compat.get_creator_info()
            compat.create_video("FILE_UPLOAD", "UPLOAD_VIDEO_FILE", "", "", video_path=str(film))
            compat.refresh_access_token()
            compat.revoke_access_token()
            compat.token_data = {"access_token": "act.canary-from-outside", "refresh_token": "rft.canary-from-outside"}
            for act in (
                compat.get_creator_info,
                lambda: compat.get_creator_info("act.canary-from-outside"),
                lambda: compat.refresh_access_token("rft.canary-from-outside"),
                lambda: compat.exchange_code_for_token("canary-of-a-forged-code", state="canary-of-a-forged-state"),
            ):
                with pytest.raises(Exception, match=r".") as caught:
                    act()
                assert not shown(caught.value, known | secrets_of(sim))
        assert not watch.leaks(known | secrets_of(sim))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("opener", ["files", "anywhere"])
def test_an_opener_that_refuses_a_url_shows_none_of_its_query(world: str, opener: str, tmp_path: Path) -> None:
    """Neither what opens it nor what stands between it and the client: files only, or a host that is not public."""
    hosts = MediaHosts()
    opens = open_source if opener == "files" else SourceOpener(lambda: Urllib3Transport(refuse=hosts.refusal), hosts)
    url = f"https://127.0.0.1/clip.mp4?sig={SIGNATURE}"
    with (
        closing(fresh()) as sim,
        closing(bench_of(world, Trip("none", "RuntimeError", 0), sim, tmp_path, opens)) as bench,
    ):
        for work in (
            lambda: bench.tiktok.check_video(url, VideoPost(draft=True), upload=True),
            lambda: bench.tiktok.check_photos(PhotoPost(photo_images=(PULLED,)), files=[url]),
        ):
            with pytest.raises(InvalidPost) as caught:
                asyncio.run(bench.run(work()))
            assert not shown(caught.value, {SIGNATURE})


# --- One by one ------------------------------------------------------------------------------------------------------


def test_settings_that_make_no_sense_show_no_secret(tmp_path: Path) -> None:
    """If a setting is wrong, the error shows neither the environment, nor `config.toml`, nor a key file."""
    key = _key()
    key_file = tmp_path / "keys"
    key_file.write_text(f"{key}, spoilt")
    key_file.chmod(0o600)
    environ = {
        "TIKTOK_CLIENT_KEY": "a b",
        "TIKTOK_CLIENT_SECRET": SECRET,
        "TIKTOK_STORE_KEY": key,
        "TIKTOK_HOME": str(tmp_path / "home"),
        "TIKTOK_STORE": "encrypted",
    }
    spoilt = [
        {**environ, "TIKTOK_STORE": "drawer"},
        {**environ, "TIKTOK_LOG": "LOUD"},
        {**environ, "TIKTOK_STORE_KEY": f"{key}{key}"},
        {**environ, "TIKTOK_STORE_KEY": "", "TIKTOK_STORE_KEY_FILE": str(key_file)},
    ]
    for one in spoilt:
        with pytest.raises(InvalidSettings) as caught:
            load_settings({}, one).checked()
        assert not shown(caught.value, {SECRET, key})
    (tmp_path / "home").mkdir()
    for text in (
        f'client_secret = "{SECRET}"\nsecret = "{SECRET}"',
        f'client_secret = "{SECRET}',
        f'client_secret = ["{SECRET}"]',
        f'secrets = {{client = "{SECRET}"}}',
        f'store_key = "{key}"',
    ):
        (tmp_path / "home" / "config.toml").write_text(text)
        with pytest.raises(InvalidSettings) as caught:
            load_settings({}, environ)
        assert not shown(caught.value, {SECRET, key})
    with pytest.raises(InvalidSettings) as caught:
        EncryptedTokenStore(MemoryTokenStore(), [key, f"{key}{key}"])
    assert not shown(caught.value, {key})


def test_a_forged_webhook_shows_neither_the_secret_nor_the_signature_that_it_lacks() -> None:
    """No frame shows what a forger would need."""
    body, app = b'{"event": "tiktok.ping"}', App(DEFAULT_CLIENT_KEY, SECRET, CALLBACK)
    expected = hmac.new(SECRET.encode(), b"1790000001." + body, hashlib.sha256).hexdigest()
    with pytest.raises(WebhookRejected) as caught:
        verify_webhook(app, body, f"t=1790000001,s={'0' * 64}", now=datetime.now(UTC))
    assert not shown(caught.value, {SECRET, expected})


@pytest.mark.parametrize("spoilt", ["", "}", '"version": 9, ', '"scope": 3, '])
def test_a_record_that_cannot_be_read_is_not_shown(spoilt: str) -> None:
    """The error about a damaged record of tokens shows none of them."""
    record = f'{{"version": 1, {spoilt} "access_token": "{SPOILT[0]}", "refresh_token": "{SPOILT[1]}"}}'
    with pytest.raises(ValueError, match="record") as caught:
        load_tokens(record.encode())
    assert not shown(caught.value, SPOILT)


def test_an_answer_to_the_listener_is_shown_at_no_call() -> None:
    """The listener gets forged answers, the true one, and another one after it. No frame shows the code or the state."""
    app = App(DEFAULT_CLIENT_KEY, SECRET, "http://127.0.0.1:*/callback/")
    with closing(fresh()) as sim, Watch() as watch:
        tiktok = TikTok(
            app,
            transport=FakeTransport(sim.handle),
            tokens=MemoryTokenStore(),
            journal=MemoryJournal(),
            clock=ManualClock(datetime.now(UTC)),
        )
        answers = Answers()
        with LoopbackListener(app.redirect_uri) as listener:
            begun = tiktok.authorization(redirect_uri=listener.redirect_uri)
            listener.start(accepts_state(begun), answers)
            callback = sim.authorize(begun.url)
            for url in (callback.replace("state=", "state=x"), callback, callback):
                _get(url)
            assert answers.wait(5) == callback
    assert not watch.leaks(secrets_of(sim, (begun, callback)))


def _get(url: str) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    connection.getresponse().read()
    connection.close()
