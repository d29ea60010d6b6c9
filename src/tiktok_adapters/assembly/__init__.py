"""Assembly: the one place that chooses adapters for you.

What belongs here: `connect` and `connect_async`. Which adapters they choose stands in `ports`; the heavy ones are imported where
they are chosen, so that importing this module costs nothing.
"""

import os
from collections.abc import Mapping
from typing import Literal, Unpack

from attrs import evolve

from tiktok_adapters.assembly.home import prepare, token_file
from tiktok_adapters.assembly.ports import AsyncPorts, Chosen, Ports, asynchronous_ports, blocking_ports
from tiktok_adapters.assembly.settings import LOG_LEVELS, Settings, load_settings
from tiktok_core import App, AsyncTikTok, Endpoints, TikTok
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
    **ports: Unpack[Ports],
) -> TikTok:
    """Return a client that blocks: urllib3, tokens where the settings say, the machine's clock; or the ports that are given.

    Args:
        app: the app; read from the settings, as the command line reads them, unless given.
        home: folder of the tokens and of `config.toml`; `TIKTOK_HOME` or `~/.tiktok` unless given.
        environ: read in place of the process's environment.
        endpoints: where TikTok is; read from the settings unless given.
        timeout: seconds for each single wait of a request, and for a source that is asked for bytes.
        patience: seconds to follow a post before saying that it is still processing.
        uploads: how many uploads run at once in the usual `slots`; further ones wait before they begin, the accounts by turns.
        store: where the usual `tokens` are kept; read from the settings unless given, and otherwise `sqlite`.
        **ports: adapters of your own, by the name of their port (`transport=`, `tokens=`, ...): see `Ports`. Each port that is
            not given is the usual one. Where `tokens` is given, nothing has to be installed or set for the settings' store.

    Closing the client, or leaving its `with` block, closes its transport, tokens, journal and pacer, those that were given, too,
    after a renewal that another thread is in the midst of. A call that raises has closed nothing.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
        TypeError: no port has such a name.
        ImportError: another package has taken the name urllib3 in this environment.
    """
    around = Hidden(environ)
    del environ  # A crash report would show it.
    chosen, where = _chosen(app, home, around, endpoints, store, uploads=uploads, has_tokens="tokens" in ports)
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
    **ports: Unpack[AsyncPorts],
) -> AsyncTikTok:
    """Return a client that is awaited: over aiohttp, otherwise as `connect`, with the same arguments; for use in `async with`.

    The ports that are given are of the asynchronous family: see `AsyncPorts`.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
        TypeError: no port has such a name.
        ImportError: aiohttp is not installed, and no transport was given.
    """
    around = Hidden(environ)
    del environ  # A crash report would show it.
    chosen, where = _chosen(app, home, around, endpoints, store, uploads=uploads, has_tokens="tokens" in ports)
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
    store: str | None,
    *,
    uploads: int,
    has_tokens: bool,
) -> tuple[Chosen, Endpoints]:
    options = {"home": None if home is None else os.fspath(home), "store": store}
    settings = load_settings(options, Hidden(os.environ) if around.reveal() is None else around)
    if has_tokens:
        settings = evolve(settings, store="sqlite")  # It needs nothing, so that nothing is found to be missing.
    if app is not None:
        settings.store_keys()
        return Chosen(app, settings, uploads), endpoints or settings.endpoints()
    if endpoints is not None:
        settings = evolve(settings, api_url=endpoints.api_url, auth_url=endpoints.auth_url)
    found, where = settings.checked()
    return Chosen(found, settings, uploads), where
