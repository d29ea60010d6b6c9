"""Assembly: the one place that chooses adapters for you.

What belongs here: `connect` and `connect_async`. The module `ports` chooses the adapters and imports each one only when a client
needs it, so that importing this module is quick.
"""

import os
from collections.abc import Container, Mapping
from typing import Literal, Unpack

from attrs import evolve

from tiktok_adapters.assembly.home import prepare, token_file
from tiktok_adapters.assembly.loading import load_settings
from tiktok_adapters.assembly.ports import AsyncPorts, Chosen, Ports, asynchronous_ports, blocking_ports
from tiktok_adapters.assembly.settings import LOG_LEVELS, Settings
from tiktok_core import App, AsyncTikTok, Endpoints, InvalidSettings, Problem, Secret, TikTok
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath

__all__ = [
    "LOG_LEVELS",
    "AsyncPorts",
    "Ports",
    "Settings",
    "connect",
    "connect_async",
    "load_settings",
    "prepare",
    "token_file",
]


def connect(
    app: App | None = None,
    *,
    home: str | HasPath | None = None,
    environ: Mapping[str, str] | None = None,
    endpoints: Endpoints | None = None,
    timeout: float = 30.0,
    patience: float = 900.0,
    uploads: int = 16,
    store: Literal["sqlite", "keyring", "encrypted"] | None = None,
    store_url: str | Secret | None = None,
    **ports: Unpack[Ports],
) -> TikTok:
    """Return a blocking client with the usual adapters, such as urllib3, or with those you pass.

    Args:
        app: the app (default: from the settings, as the command line reads them).
        home: the folder of the tokens and of `config.toml` (default: `TIKTOK_HOME`, or `~/.tiktok`).
        environ: the environment variables to read instead of the process's own.
        endpoints: the addresses of TikTok (default: from the settings).
        timeout: seconds for each single wait of a request, and for each read of a source.
        patience: seconds to follow a post before `StillProcessing` is raised.
        uploads: how many uploads run at once in the usual `slots`; further ones wait before they begin, and accounts take turns. With
            a database, on all machines together.
        store: where the home folder keeps the usual `tokens` (default: from the settings, otherwise `sqlite`).
        store_url: the database of the usual stores, clock and slots, in place of the home folder (default: from the settings).
        **ports: your own adapters, by the name of their port (`transport=`, `tokens=`, ...): see `Ports`. The client uses the
            usual adapter for every other port. If you pass `tokens`, the store in the settings needs no package and no key.

    Closing the client, or leaving its `with` block, closes its transport, tokens, journal, pacer and `open_source`, including
    those you passed.
    It first waits for a renewal that another thread has begun. If this call raises, it has closed nothing.

    Raises:
        InvalidSettings: settings are missing or wrong; the error names all of them at once.
        TypeError: a keyword names no port.
        ImportError: another package has taken the name urllib3 in this environment.
    """
    around, url = Hidden(environ), Secret(store_url or "")
    del environ, store_url  # A crash report would show them.
    chosen, where = _chosen(app, home, around, endpoints, (store, url), uploads=uploads, given=ports)
    return TikTok(
        chosen.app,
        endpoints=where,
        timeout=timeout,
        patience=patience,
        account=chosen.settings.account,
        **blocking_ports(chosen, ports),
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
    store: Literal["sqlite", "keyring", "encrypted"] | None = None,
    store_url: str | Secret | None = None,
    **ports: Unpack[AsyncPorts],
) -> AsyncTikTok:
    """Return an asynchronous client over aiohttp, for use in `async with`. The arguments are those of `connect`.

    The ports you pass have to be asynchronous: see `AsyncPorts`.

    Raises:
        InvalidSettings: settings are missing or wrong; the error names all of them at once.
        TypeError: a keyword names no port.
        ImportError: aiohttp is not installed, and you passed no transport.
    """
    around, url = Hidden(environ), Secret(store_url or "")
    del environ, store_url  # A crash report would show them.
    chosen, where = _chosen(app, home, around, endpoints, (store, url), uploads=uploads, given=ports)
    return AsyncTikTok(
        chosen.app,
        endpoints=where,
        timeout=timeout,
        patience=patience,
        account=chosen.settings.account,
        **asynchronous_ports(chosen, ports),
    )


def _chosen(
    app: App | None,
    home: str | HasPath | None,
    around: Hidden[Mapping[str, str] | None],
    endpoints: Endpoints | None,
    stores: tuple[str | None, Secret],
    *,
    uploads: int,
    given: Container[str],
) -> tuple[Chosen, Endpoints]:
    store, url = stores
    options = {"home": None if home is None else os.fspath(home), "store": store, "store_url": url}
    settings = load_settings(options, Hidden(os.environ) if around.reveal() is None else around)
    if settings.store_url and store is not None and store != "encrypted":
        message = f"{store!r} is a store of a home folder, and store_url names a database: leave one of them out"
        raise InvalidSettings((Problem("store", message),))
    if "tokens" in given and not settings.store_url:
        settings = evolve(
            settings, store="sqlite"
        )  # This store needs no package and no key, so the check finds none missing.
    if endpoints is not None:
        settings = evolve(settings, api_url=endpoints.api_url, auth_url=endpoints.auth_url)
    found, where = settings.checked(app=app, without=("network",) if "transport" in given else ())
    return Chosen(found, settings, uploads), where
