"""The ports of a client, blocking and asynchronous, and the usual adapter of each.

What belongs here: one line for each port of each client. Each function imports the adapter that it makes, so that a client with
another adapter does not need the package of the usual one.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from attrs import frozen

from tiktok_adapters.assembly.home import home_journal, home_pacer, home_tokens, tell_of_home
from tiktok_adapters.assembly.settings import Settings
from tiktok_adapters.assembly.shared import SHARED_STORES, shared_ports, shared_stores, shared_stores_async
from tiktok_adapters.sources import MediaHosts, SourceOpener
from tiktok_core import App
from tiktok_core.ports import (
    AsyncBackground,
    AsyncClock,
    AsyncJournal,
    AsyncPacer,
    AsyncProbe,
    AsyncProtect,
    AsyncTokenStore,
    AsyncTransport,
    AsyncUploadSlots,
    Background,
    Clock,
    HasPath,
    Journal,
    OpenDestination,
    Pacer,
    Probe,
    Protect,
    Source,
    TokenStore,
    Transport,
    UploadSlots,
)

__all__ = [
    "AsyncPorts",
    "Chosen",
    "Ports",
    "asynchronous_ports",
    "blocking_ports",
    "blocking_transport",
    "source_opener",
]


class _BothWorlds(TypedDict, total=False):
    open_source: Callable[[str | HasPath], Source]
    open_destination: OpenDestination
    entropy: Callable[[int], bytes]


class Ports(_BothWorlds, total=False):
    """The ports that `connect` takes by name. The client uses the usual adapter for every port you do not pass.

    Attributes:
        transport: sends requests. Usual: urllib3, through the proxy and with the authorities that the settings name.
        tokens: keeps tokens. Usual: the store that the settings name, in the home folder or in a database.
        journal: keeps the record of each post. Usual: a file in the home folder, or a database.
        clock: tells the time and waits. Usual: the machine's clock, or that of a database.
        pacer: keeps to TikTok's quotas. Usual: one that all processes with the same home folder or database share.
        slots: limits how many uploads run at once. Usual: the `uploads` argument, for this client, or for all machines that share a
            database.
        probe: reads videos that the library cannot read by itself. Usual: the extra `media`, if it is installed. False: no
            properties of a video are checked.
        protect: lets an interrupted renewal finish. Usual: it holds Ctrl-C back in the main thread.
        background: reads files, and abandons a read from a disk that hangs. Usual: threads.
        open_source: opens a named video for `post_video`. Usual: a file on the disk, what lies at an https URL, read through a
            transport of its own, or an object in S3, Google Cloud Storage or Azure, with the extra `objects`. If it has a method `close`, the client calls it at its end.
        open_destination: opens the named file for `download_data`. Usual: a file on the disk.
        entropy: returns the requested number of unpredictable bytes. Usual: the operating system's.
    """

    transport: Transport
    tokens: TokenStore
    journal: Journal
    clock: Clock
    pacer: Pacer
    slots: UploadSlots
    probe: Probe | bool
    protect: Protect
    background: Background


class AsyncPorts(_BothWorlds, total=False):
    """The ports that `connect_async` takes by name: the asynchronous form of each port in `Ports`.

    The usual transport is aiohttp; the usual stores of a home folder and the usual probe work in threads.
    """

    transport: AsyncTransport
    tokens: AsyncTokenStore
    journal: AsyncJournal
    clock: AsyncClock
    pacer: AsyncPacer
    slots: AsyncUploadSlots
    probe: AsyncProbe | bool
    protect: AsyncProtect
    background: AsyncBackground


@frozen
class Chosen:
    """The values from which the functions below make the usual adapters.

    Attributes:
        app: the app.
        settings: the settings, which name the home folder.
        uploads: how many uploads run at once.
    """

    app: App
    settings: Settings
    uploads: int


def blocking_ports(chosen: Chosen, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every port of a blocking client: the passed adapter, or the usual one.

    Raises:
        TypeError: a name in `given` is no port.
        InvalidSettings: the proxy or a file of authorities cannot be used.
    """
    from tiktok_adapters.background import ThreadBackground  # noqa: PLC0415
    from tiktok_adapters.clocks import SystemClock  # noqa: PLC0415
    from tiktok_adapters.protect import MainThreadProtect  # noqa: PLC0415
    from tiktok_adapters.slots import ThreadUploadSlots  # noqa: PLC0415

    return _filled(
        "connect",
        chosen,
        given,
        {
            "transport": lambda: blocking_transport(chosen.settings),
            "tokens": lambda: home_tokens(chosen.settings, chosen.app),
            "journal": lambda: home_journal(chosen.settings.home),
            "clock": SystemClock,
            "pacer": lambda: home_pacer(chosen.settings.home),
            "slots": lambda: ThreadUploadSlots(chosen.uploads),
            "probe": _probe,
            "protect": MainThreadProtect,
            "background": ThreadBackground,
        }
        | _shared(chosen, given, shared_stores),
    )


def asynchronous_ports(chosen: Chosen, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every port of an asynchronous client: the passed adapter, or the usual one.

    Raises:
        TypeError: a name in `given` is no port.
        InvalidSettings: the proxy or a file of authorities cannot be used.
        ImportError: the client needs the usual transport, but aiohttp is not installed.
    """
    from tiktok_adapters.background import AsyncioBackground  # noqa: PLC0415
    from tiktok_adapters.clocks import AsyncioClock  # noqa: PLC0415
    from tiktok_adapters.protect import AsyncioProtect  # noqa: PLC0415
    from tiktok_adapters.slots import AsyncioUploadSlots  # noqa: PLC0415
    from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedPacer, ThreadedTokenStore  # noqa: PLC0415

    return _filled(
        "connect_async",
        chosen,
        given,
        {
            "transport": lambda: _aiohttp(chosen.settings),
            "tokens": lambda: ThreadedTokenStore(home_tokens(chosen.settings, chosen.app)),
            "journal": lambda: ThreadedJournal(home_journal(chosen.settings.home)),
            "clock": AsyncioClock,
            "pacer": lambda: ThreadedPacer(home_pacer(chosen.settings.home)),
            "slots": lambda: AsyncioUploadSlots(chosen.uploads),
            "probe": _threaded_probe,
            "protect": AsyncioProtect,
            "background": AsyncioBackground,
        }
        | _shared(chosen, given, shared_stores_async),
    )


def _shared(
    chosen: Chosen, given: Mapping[str, Any], opened: Callable[[Settings], Any]
) -> dict[str, Callable[[], Any]]:
    """Return what makes the ports over the database that the settings name, if they name one and a store of it is needed."""
    if not chosen.settings.store_url or not set(SHARED_STORES) - given.keys():
        return {}
    if "tokens" not in given:
        tell_of_home(chosen.settings, chosen.app)
    return shared_ports(opened(chosen.settings), chosen.app.client_key, chosen.uploads)


def _filled(
    caller: str, chosen: Chosen, given: Mapping[str, Any], usual: dict[str, Callable[[], Any]]
) -> dict[str, Any]:
    from tiktok_adapters.destinations import open_destination  # noqa: PLC0415

    usual |= {"open_source": lambda: source_opener(chosen.settings), "open_destination": lambda: open_destination}
    if unknown := given.keys() - usual.keys() - {"entropy"}:
        raise TypeError(f"{caller}() got an unexpected keyword argument {min(unknown)!r}")
    # Only `probe` may be a boolean: True for the usual probe, False for no look at a video's properties.
    found = {name: port for name, port in given.items() if port is not True}
    return found | {name: make() for name, make in usual.items() if name not in found}


def blocking_transport(settings: Settings) -> Transport:
    """Return the usual blocking transport, with the proxy and the authorities that the settings name.

    Raises:
        InvalidSettings: the proxy or a file of authorities cannot be used.
        ImportError: another package has taken the name urllib3 in this environment.
    """
    from tiktok_adapters.transports.urllib3 import Urllib3Transport  # noqa: PLC0415

    return Urllib3Transport(**settings.network().options())


def source_opener(settings: Settings) -> SourceOpener:
    """Return the usual opener of sources for both worlds: the core reads sources in threads, so its transport may block."""
    hosts = MediaHosts.parsed(settings.media_hosts)

    def media_transport() -> Transport:
        from tiktok_adapters.transports.urllib3 import Urllib3Transport  # noqa: PLC0415

        return Urllib3Transport(**settings.network().options(), refuse=hosts.refusal)

    return SourceOpener(media_transport, hosts, object_options=lambda: settings.network().object_options())


def _aiohttp(settings: Settings) -> Any:
    try:
        from tiktok_adapters.transports.aiohttp import AiohttpTransport  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        raise ImportError("connect_async needs aiohttp: pip install 'tiktok-open[async]'", name="aiohttp") from None
    return AiohttpTransport(**settings.network().options())


def _probe() -> Any:
    from tiktok_adapters.probes import usual_probe  # noqa: PLC0415

    return usual_probe()


def _threaded_probe() -> Any:
    from tiktok_adapters.probes import ThreadedProbe, usual_probe  # noqa: PLC0415

    found = usual_probe()
    return None if found is None else ThreadedProbe(found)
