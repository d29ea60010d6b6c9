"""No secret shows anywhere: the main job runs over real sockets, with every log level on and everything printed."""

import asyncio
import logging
import pickle
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from clips import CLIP
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, SimulatedTikTok, parse_fault
from tiktok_adapters.simulator.quotas import Quotas
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedTokenStore
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import App, AsyncTikTok, Endpoints, TikTok, TikTokError, Tokens
from tiktok_core.lifting import lift_clock

SECRET = "canary-of-a-client-secret"
APP = App(DEFAULT_CLIENT_KEY, SECRET, "https://app.example.com/callback/")
FAULTS = (
    "put=drop-at:10",
    "put=status:500",
    "put=expire",
    "video_init=foreign-upload-host",
    "video_init=garbage",
    "video_init=status:500",
    "init=fail:internal",
    "creator_info=code:spam_risk_too_many_posts@200",
    "token=code:invalid_grant",
    "put=redirect:https://elsewhere.example/",
)


@pytest.fixture
def sandbox() -> Iterator[tuple[SimulatedTikTok, Endpoints]]:
    """Serve a TikTok that knows the canary."""
    simulated = SimulatedTikTok(seed=None)
    simulated.app.client_secret = SECRET
    simulated.switches.processing_seconds = 0
    with closing(simulated), SandboxServer(simulated).run_in_thread() as server:
        yield simulated, Endpoints(api_url=server.url, auth_url=f"{server.url}/v2/auth/authorize/")


def order(simulated: SimulatedTikTok, fault: str) -> None:
    """Let this alone go wrong from now on, and every quota be whole."""
    simulated.faults.clear()
    simulated.faults.add(parse_fault(fault.replace("=", "x99=", 1)))
    simulated.world.quotas = Quotas()


def secrets_of(simulated: SimulatedTikTok, authorization: Any, callback: str, tokens: Tokens) -> set[str]:
    """Return every secret that this run has seen."""
    upload_tokens = {task.upload.upload_token for task in simulated.world.tasks.values() if task.upload}
    assert upload_tokens
    return {
        SECRET,
        authorization.state.reveal(),
        authorization.code_verifier.reveal(),
        dict(parse_qsl(urlsplit(callback).query))["code"],
        tokens.access_token.reveal(),
        tokens.refresh_token.reveal(),
        *simulated.world.tokens,
        *upload_tokens,
    }


def shown(*values: Any) -> Iterator[str]:
    """Yield each way in which a value shows itself."""
    for value in values:
        yield repr(value)
        yield str(value)
        yield f"{value}"
        if isinstance(value, BaseException):
            yield "".join(traceback.format_exception(value))
            yield pickle.dumps(value).decode("latin-1")


def test_row_41_the_blocking_client_shows_no_secret(
    sandbox: tuple[SimulatedTikTok, Endpoints], caplog: pytest.LogCaptureFixture
) -> None:
    """A run with every kind of failure has no secret in logs, reprs, messages, tracebacks and pickles."""
    caplog.set_level(logging.DEBUG)
    simulated, endpoints = sandbox
    store = MemoryTokenStore()
    errors: list[BaseException] = []
    with TikTok(
        APP,
        transport=Urllib3Transport(),
        tokens=store,
        journal=MemoryJournal(),
        clock=ManualClock(datetime.now(UTC)),
        endpoints=endpoints,
        timeout=5,
    ) as tiktok:
        begun = tiktok.authorization()
        callback = simulated.authorize(begun.url)
        account = tiktok.sign_in(begun, callback)
        for fault in FAULTS:
            order(simulated, fault)
            try:
                account.refresh() if fault.startswith("token") else account.post_video(CLIP, privacy_level="SELF_ONLY")
            except TikTokError as error:
                errors.append(error)
        (tokens,) = tiktok.accounts()
        output = "\n".join([caplog.text, *shown(tiktok, account, APP, begun, tokens, store, *errors)])
    assert len(errors) == len(FAULTS)
    for secret in secrets_of(simulated, begun, callback, tokens):
        assert secret not in output


def test_row_41_the_asynchronous_client_shows_no_secret(
    sandbox: tuple[SimulatedTikTok, Endpoints], caplog: pytest.LogCaptureFixture
) -> None:
    """A run of the asynchronous client, with the event loop's debug mode, shows none either."""
    caplog.set_level(logging.DEBUG)
    simulated, endpoints = sandbox
    store = MemoryTokenStore()
    errors: list[BaseException] = []

    async def run() -> tuple[Any, str, Tokens, str]:
        async with AsyncTikTok(
            APP,
            transport=AiohttpTransport(),
            tokens=ThreadedTokenStore(store),
            journal=ThreadedJournal(MemoryJournal()),
            clock=lift_clock(ManualClock(datetime.now(UTC))),
            endpoints=endpoints,
            timeout=5,
        ) as tiktok:
            begun = tiktok.authorization()
            callback = simulated.authorize(begun.url)
            account = await tiktok.sign_in(begun, callback)
            for fault in FAULTS:
                order(simulated, fault)
                try:
                    if fault.startswith("token"):
                        await account.refresh()
                    else:
                        await account.post_video(CLIP, privacy_level="SELF_ONLY")
                except TikTokError as error:
                    errors.append(error)
            (tokens,) = await tiktok.accounts()
            return begun, callback, tokens, "\n".join(shown(tiktok, account, begun, tokens, *errors))

    begun, callback, tokens, output = asyncio.run(run(), debug=True)
    assert len(errors) == len(FAULTS)
    for secret in secrets_of(simulated, begun, callback, tokens):
        assert secret not in output + caplog.text
