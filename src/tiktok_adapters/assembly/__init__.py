"""Assembly: the one place that chooses adapters for you.

What belongs here: which adapters make a client. The heavy ones are imported where they are chosen, so that importing this
room costs nothing.
"""

import os
from collections.abc import Mapping
from typing import Literal

from attrs import evolve

from tiktok_adapters.assembly.home import (
    JournalOnDemand,
    PacerOnDemand,
    TokensOnDemand,
    journal_file,
    pacer_file,
    prepare,
    token_file,
)
from tiktok_adapters.assembly.settings import LOG_LEVELS, Settings, load_settings
from tiktok_core import App, AsyncTikTok, Endpoints, TikTok
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath

__all__ = ["LOG_LEVELS", "Settings", "connect", "connect_async", "load_settings", "prepare", "token_file"]


def connect(
    app: App | None = None,
    *,
    home: str | HasPath | None = None,
    environ: Mapping[str, str] | None = None,
    endpoints: Endpoints | None = None,
    timeout: float = 30.0,
    patience: float = 900.0,
    uploads: int = 16,
    probe: bool = True,
    store: Literal["sqlite", "keyring", "encrypted"] | None = None,
) -> TikTok:
    """Return a client that blocks: urllib3, tokens where the settings say, the machine's clock.

    Args:
        app: the app; read from the settings, as the command line reads them, unless given.
        home: folder of the tokens and of `config.toml`; `TIKTOK_HOME` or `~/.tiktok` unless given.
        environ: read in place of the process's environment.
        endpoints: where TikTok is; read from the settings unless given.
        timeout: seconds for each single wait of a request, and for a source that is asked for bytes.
        patience: seconds to follow a post before saying that it is still processing.
        uploads: how many uploads run at once; further ones wait before they begin, the accounts by turns.
        probe: look into each video before it is posted, where the extra `media` is installed: its codec, frame rate, size
            and duration.
        store: where tokens are kept; read from the settings unless given, and otherwise `sqlite`.

    Closing the client, or leaving its `with` block, closes its connections and its token file, after a renewal that another
    thread is in the midst of.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
        ImportError: another package has taken the name urllib3 in this environment.
    """
    around = Hidden(environ)
    del environ  # A crash report would show it.
    found, where, settings = _chosen(app, home, around, endpoints, store)
    from tiktok_adapters.background import ThreadBackground  # noqa: PLC0415
    from tiktok_adapters.clocks import SystemClock  # noqa: PLC0415
    from tiktok_adapters.destinations import open_destination  # noqa: PLC0415
    from tiktok_adapters.media import usual_probe  # noqa: PLC0415
    from tiktok_adapters.protect import MainThreadProtect  # noqa: PLC0415
    from tiktok_adapters.slots import ThreadUploadSlots  # noqa: PLC0415
    from tiktok_adapters.sources import open_source  # noqa: PLC0415
    from tiktok_adapters.transports.urllib3 import Urllib3Transport  # noqa: PLC0415

    return TikTok(
        found,
        transport=Urllib3Transport(),
        tokens=TokensOnDemand(settings, found),
        journal=JournalOnDemand(journal_file(settings.home)),
        clock=SystemClock(),
        pacer=PacerOnDemand(pacer_file(settings.home)),
        slots=ThreadUploadSlots(uploads),
        probe=usual_probe() if probe else None,
        protect=MainThreadProtect(),
        background=ThreadBackground(),
        open_source=open_source,
        open_destination=open_destination,
        endpoints=where,
        timeout=timeout,
        patience=patience,
        account=settings.account,
    )


def connect_async(
    app: App | None = None,
    *,
    home: str | HasPath | None = None,
    environ: Mapping[str, str] | None = None,
    endpoints: Endpoints | None = None,
    timeout: float = 30.0,
    patience: float = 900.0,
    uploads: int = 16,
    probe: bool = True,
    store: Literal["sqlite", "keyring", "encrypted"] | None = None,
) -> AsyncTikTok:
    """Return a client that is awaited: over aiohttp, otherwise as `connect`; for use in `async with`.

    Args:
        app: the app; read from the settings, as the command line reads them, unless given.
        home: folder of the tokens and of `config.toml`; `TIKTOK_HOME` or `~/.tiktok` unless given.
        environ: read in place of the process's environment.
        endpoints: where TikTok is; read from the settings unless given.
        timeout: seconds for each single wait of a request, and for a source that is asked for bytes.
        patience: seconds to follow a post before saying that it is still processing.
        uploads: how many uploads run at once; further ones wait before they begin, the accounts by turns.
        probe: look into each video before it is posted, where the extra `media` is installed: its codec, frame rate, size
            and duration.
        store: where tokens are kept; read from the settings unless given, and otherwise `sqlite`.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
        ImportError: aiohttp is not installed.
    """
    around = Hidden(environ)
    del environ  # A crash report would show it.
    found, where, settings = _chosen(app, home, around, endpoints, store)
    try:
        from tiktok_adapters.transports.aiohttp import AiohttpTransport  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        raise ImportError("connect_async needs aiohttp: pip install 'tiktok-open[async]'", name="aiohttp") from None
    from tiktok_adapters.background import AsyncioBackground  # noqa: PLC0415
    from tiktok_adapters.clocks import AsyncioClock  # noqa: PLC0415
    from tiktok_adapters.destinations import open_destination  # noqa: PLC0415
    from tiktok_adapters.media import ThreadedProbe, usual_probe  # noqa: PLC0415
    from tiktok_adapters.protect import AsyncioProtect  # noqa: PLC0415
    from tiktok_adapters.slots import AsyncioUploadSlots  # noqa: PLC0415
    from tiktok_adapters.sources import open_source  # noqa: PLC0415
    from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedPacer, ThreadedTokenStore  # noqa: PLC0415

    found_probe = usual_probe() if probe else None
    return AsyncTikTok(
        found,
        transport=AiohttpTransport(),
        tokens=ThreadedTokenStore(TokensOnDemand(settings, found)),
        journal=ThreadedJournal(JournalOnDemand(journal_file(settings.home))),
        clock=AsyncioClock(),
        pacer=ThreadedPacer(PacerOnDemand(pacer_file(settings.home))),
        slots=AsyncioUploadSlots(uploads),
        probe=None if found_probe is None else ThreadedProbe(found_probe),
        protect=AsyncioProtect(),
        background=AsyncioBackground(),
        open_source=open_source,
        open_destination=open_destination,
        endpoints=where,
        timeout=timeout,
        patience=patience,
        account=settings.account,
    )


def _chosen(
    app: App | None,
    home: str | HasPath | None,
    around: Hidden[Mapping[str, str] | None],
    endpoints: Endpoints | None,
    store: str | None,
) -> tuple[App, Endpoints, Settings]:
    options = {"home": None if home is None else os.fspath(home), "store": store}
    settings = load_settings(options, Hidden(os.environ) if around.reveal() is None else around)
    if app is not None:
        settings.store_keys()
        return app, endpoints or settings.endpoints(), settings
    if endpoints is not None:
        settings = evolve(settings, api_url=endpoints.api_url, auth_url=endpoints.auth_url)
    return *settings.checked(), settings
