"""Assembly: the one place that chooses adapters for you, and the settings that it reads.

What belongs here: where a setting comes from, what is wrong with the settings, and which adapters make a client. The
heavy adapters are imported where they are chosen, so that importing this room costs nothing.
"""

import hashlib
import os
import threading
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from attrs import evolve, field, frozen

from tiktok_core import (
    App,
    AppKind,
    AsyncTikTok,
    Endpoints,
    InvalidSettings,
    Problem,
    Record,
    Secret,
    StoreError,
    TikTok,
    Tokens,
)
from tiktok_core.ports import HasPath, Journal, TokenStore

__all__ = ["LOG_LEVELS", "Settings", "connect", "connect_async", "load_settings", "prepare", "token_file"]

T = TypeVar("T")

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
VARIABLES: Final = {
    "client_key": "TIKTOK_CLIENT_KEY",
    "client_secret": "TIKTOK_CLIENT_SECRET",
    "redirect_uri": "TIKTOK_REDIRECT_URI",
    "api_url": "TIKTOK_API_URL",
    "auth_url": "TIKTOK_AUTH_URL",
    "home": "TIKTOK_HOME",
    "account": "TIKTOK_ACCOUNT",
    "log": "TIKTOK_LOG",
}
PORTAL_FIELDS: Final = {
    "client_key": '"Client key"',
    "client_secret": '"Client secret"',
    "redirect_uri": 'a "Redirect URI"',
}
CONFIG: Final = "config.toml"
TOKENS: Final = "tokens-{app}.db"
"""One file for each app: an `open_id` means something to its own app only, and no other may get its tokens."""
JOURNAL: Final = "journal.db"
# What stands in for a missing setting while the others are checked, so that everything wrong is said at once.
PASSABLE: Final = {"client_key": "-", "client_secret": "-", "redirect_uri": "http://127.0.0.1:*/callback/"}
DEFAULTS: Final = Endpoints()


@frozen(kw_only=True)
class Settings:
    """What was set, and where. Nothing is checked yet but the shape of the file: `app` and `endpoints` check.

    Attributes:
        home: folder of the tokens and of `config.toml`.
        client_key: the portal's "Client key"; empty when missing.
        client_secret: the portal's "Client secret"; empty when missing.
        redirect_uri: as registered in the portal; empty when missing.
        api_url: the API host.
        auth_url: the authorization page.
        account: the account to use where several are signed in; None for the only one.
        log: a level of the log; None for no log.
        origins: where each setting came from, in words; a setting that has its default has none.
    """

    home: Path
    client_key: str = ""
    client_secret: Secret = field(default=Secret(""))
    redirect_uri: str = ""
    api_url: str = DEFAULTS.api_url
    auth_url: str = DEFAULTS.auth_url
    account: str | None = None
    log: str | None = None
    origins: Mapping[str, str] = field(factory=dict)

    def app(self, kind: AppKind | str | None = None) -> App:
        """Return the app.

        Raises:
            InvalidSettings: everything that is missing or wrong, hosts included.
        """
        return self.checked(kind)[0]

    def endpoints(self) -> Endpoints:
        """Return where TikTok is.

        Raises:
            InvalidSettings: a host that cannot be used.
        """
        problems: list[Problem] = []
        found = self._tried(problems, lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))
        if found is None:
            raise InvalidSettings(tuple(problems))
        return found

    def checked(self, kind: AppKind | str | None = None) -> tuple[App, Endpoints]:
        """Return the app and where TikTok is.

        Raises:
            InvalidSettings: everything that is missing or wrong, at once.
        """
        problems = list(self._missing())
        given = {
            "client_key": self.client_key,
            "client_secret": self.client_secret.reveal(),
            "redirect_uri": self.redirect_uri,
        }
        whole = {name: value or PASSABLE[name] for name, value in given.items()}
        # What stands in must not meet the rules of a kind that was chosen for the real one.
        chosen = kind if self.redirect_uri else None
        app = self._tried(problems, lambda: App(**whole, kind=chosen))
        endpoints = self._tried(problems, lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))
        if problems or app is None or endpoints is None:
            raise InvalidSettings(tuple(problems))
        return app, endpoints

    def _missing(self) -> Iterator[Problem]:
        for name, portal in PORTAL_FIELDS.items():
            if not getattr(self, name):
                yield Problem(
                    name,
                    f"is missing: set {VARIABLES[name]}, or {name} in {self.home / CONFIG}, "
                    f"to {portal} of the app's page in TikTok's developer portal",
                )

    def _tried(self, problems: list[Problem], make: Callable[[], T]) -> T | None:
        try:
            return make()
        except InvalidSettings as error:
            problems.extend(self._placed(problem) for problem in error.problems)
            return None

    def _placed(self, problem: Problem) -> Problem:
        origin = self.origins.get(problem.field)
        return Problem(problem.field, f"{problem.message} (it comes from {origin})") if origin else problem


def load_settings(options: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Return the settings: an option wins over the environment, which wins over `config.toml` in the home folder.

    Args:
        options: by the names of `Settings`; None and empty ones count as not given.
        environ: variables such as `TIKTOK_CLIENT_KEY`.

    Raises:
        InvalidSettings: the home folder, the file or the level of the log makes no sense.
    """
    home, home_origin = _home(options, environ)
    written = _written(home / CONFIG)
    values: dict[str, Any] = {}
    origins = {"home": home_origin} if home_origin else {}
    for name, variable in VARIABLES.items():
        if name == "home":
            continue
        for value, origin in (
            (options.get(name), f"the option --{name.replace('_', '-')}"),
            (environ.get(variable), variable),
            (written.get(name), str(home / CONFIG)),
        ):
            if value:
                values[name], origins[name] = value, origin
                break
    if "client_secret" in values:
        values["client_secret"] = Secret(values["client_secret"])
    if "log" in values:
        values["log"] = _level(values["log"], origins["log"])
    return Settings(home=home, origins=origins, **values)


def connect(
    app: App | None = None,
    *,
    home: str | HasPath | None = None,
    environ: Mapping[str, str] | None = None,
    endpoints: Endpoints | None = None,
    timeout: float = 30.0,
    patience: float = 900.0,
) -> TikTok:
    """Return a client that blocks: urllib3, tokens in a file of the home folder, the machine's clock.

    Args:
        app: the app; read from the settings, as the command line reads them, unless given.
        home: folder of the tokens and of `config.toml`; `TIKTOK_HOME` or `~/.tiktok` unless given.
        environ: read in place of the process's environment.
        endpoints: where TikTok is; read from the settings unless given.
        timeout: seconds for each single wait of a request.
        patience: seconds to follow a post before saying that it is still processing.

    Closing the client, or leaving its `with` block, closes its connections and its token file.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
    """
    found, where, folder = _chosen(app, home, environ, endpoints)
    from tiktok_adapters.clocks import SystemClock  # noqa: PLC0415
    from tiktok_adapters.protect import MainThreadProtect  # noqa: PLC0415
    from tiktok_adapters.sources import open_source  # noqa: PLC0415
    from tiktok_adapters.transports.urllib3 import Urllib3Transport  # noqa: PLC0415

    return TikTok(
        found,
        transport=Urllib3Transport(),
        tokens=_TokensOnDemand(token_file(folder, found)),
        journal=_JournalOnDemand(folder / JOURNAL),
        clock=SystemClock(),
        protect=MainThreadProtect(),
        open_source=open_source,
        endpoints=where,
        timeout=timeout,
        patience=patience,
    )


def connect_async(
    app: App | None = None,
    *,
    home: str | HasPath | None = None,
    environ: Mapping[str, str] | None = None,
    endpoints: Endpoints | None = None,
    timeout: float = 30.0,
    patience: float = 900.0,
) -> AsyncTikTok:
    """Return a client that is awaited: over aiohttp, otherwise as `connect`; for use in `async with`.

    Args:
        app: the app; read from the settings, as the command line reads them, unless given.
        home: folder of the tokens and of `config.toml`; `TIKTOK_HOME` or `~/.tiktok` unless given.
        environ: read in place of the process's environment.
        endpoints: where TikTok is; read from the settings unless given.
        timeout: seconds for each single wait of a request.
        patience: seconds to follow a post before saying that it is still processing.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
        ImportError: aiohttp is not installed.
    """
    found, where, folder = _chosen(app, home, environ, endpoints)
    try:
        from tiktok_adapters.transports.aiohttp import AiohttpTransport  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiohttp":
            raise
        raise ImportError("connect_async needs aiohttp: pip install 'tiktok-open[async]'", name="aiohttp") from None
    from tiktok_adapters.clocks import AsyncioClock  # noqa: PLC0415
    from tiktok_adapters.protect import AsyncioProtect  # noqa: PLC0415
    from tiktok_adapters.sources import open_source  # noqa: PLC0415
    from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedTokenStore  # noqa: PLC0415

    return AsyncTikTok(
        found,
        transport=AiohttpTransport(),
        tokens=ThreadedTokenStore(_TokensOnDemand(token_file(folder, found))),
        journal=ThreadedJournal(_JournalOnDemand(folder / JOURNAL)),
        clock=AsyncioClock(),
        protect=AsyncioProtect(),
        open_source=open_source,
        endpoints=where,
        timeout=timeout,
        patience=patience,
    )


def token_file(home: Path, app: App) -> Path:
    """Return the file that keeps the tokens of this app's accounts."""
    # A client key is no file name: whatever stands in it, its digest is one.
    return home / TOKENS.format(app=hashlib.sha256(app.client_key.encode()).hexdigest()[:12])


def prepare(home: Path, app: App) -> None:
    """Make the home folder and its token file, so that what is wrong with them is known before a person is asked.

    Raises:
        StoreError: tokens could not be kept there.
    """
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    SqliteTokenStore(token_file(home, app)).close()
    if hasattr(os, "geteuid") and home.stat().st_uid == os.geteuid():
        home.chmod(0o700)


S = TypeVar("S", TokenStore, Journal)


class _OnDemand(ABC, Generic[S]):
    """A file of a home folder, opened at the first call that needs it: looking leaves no traces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._store: S | None = None
        self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()

    def _exists(self) -> bool:
        # A closed store is asked all the same: it has to say that it is closed.
        return self._closed or self._store is not None or os.path.lexists(self._path)

    def _opened(self) -> S:
        with self._lock:
            if self._store is None:
                if self._closed:
                    raise StoreError(str(self._path), "it is closed")
                self._store = self._open(self._path)
            return self._store

    @abstractmethod
    def _open(self, path: Path) -> S: ...


class _TokensOnDemand(_OnDemand[TokenStore]):
    def load(self, account: str, /) -> Tokens | None:
        return self._opened().load(account) if self._exists() else None

    def save(self, account: str, tokens: Tokens, /) -> None:
        self._opened().save(account, tokens)

    def delete(self, account: str, /) -> None:
        if self._exists():
            self._opened().delete(account)

    def accounts(self) -> tuple[str, ...]:
        return self._opened().accounts() if self._exists() else ()

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        return self._opened().try_lease(account, owner=owner, now=now, until=until)

    def release(self, account: str, /, *, owner: str) -> None:
        if self._exists():
            self._opened().release(account, owner=owner)

    def _open(self, path: Path) -> TokenStore:
        from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

        return SqliteTokenStore(path)


class _JournalOnDemand(_OnDemand[Journal]):
    def load(self, name: str, /) -> Record | None:
        return self._opened().load(name) if self._exists() else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        self._opened().save(record, fence=fence)

    def records(self) -> tuple[Record, ...]:
        return self._opened().records() if self._exists() else ()

    def forget(self, before: datetime, /) -> None:
        if self._exists():
            self._opened().forget(before)

    def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        return self._opened().try_lease(name, owner=owner, now=now, until=until)

    def release(self, name: str, /, *, owner: str) -> None:
        if self._exists():
            self._opened().release(name, owner=owner)

    def _open(self, path: Path) -> Journal:
        from tiktok_adapters.stores.sqlite import SqliteJournal  # noqa: PLC0415

        return SqliteJournal(path)


def _chosen(
    app: App | None,
    home: str | HasPath | None,
    environ: Mapping[str, str] | None,
    endpoints: Endpoints | None,
) -> tuple[App, Endpoints, Path]:
    options = {"home": None if home is None else os.fspath(home)}
    settings = load_settings(options, os.environ if environ is None else environ)
    if app is not None:
        return app, endpoints or settings.endpoints(), settings.home
    if endpoints is not None:
        settings = evolve(settings, api_url=endpoints.api_url, auth_url=endpoints.auth_url)
    return *settings.checked(), settings.home


def _home(options: Mapping[str, str | None], environ: Mapping[str, str]) -> tuple[Path, str]:
    for value, origin in ((options.get("home"), "the option --home"), (environ.get("TIKTOK_HOME"), "TIKTOK_HOME")):
        if not value:
            continue
        if "\0" in value:
            raise InvalidSettings((Problem("home", f"holds a NUL character (it comes from {origin})"),))
        return _at_home(Path(value)), origin
    return _at_home(Path("~/.tiktok")), ""


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        message = "no home folder is known: set TIKTOK_HOME to a folder for tokens and settings"
        raise InvalidSettings((Problem("home", message),)) from None


def _written(path: Path) -> dict[str, str]:
    """Return what the file says; an absent file says nothing."""
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _unreadable(path, (error.strerror or type(error).__name__).lower()) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The message names a place and never quotes the line, which may hold the secret.
        raise _unreadable(path, f"it is not TOML: {error}") from None
    known = [name for name in VARIABLES if name != "home"]
    problems = [
        Problem(name, f"is no setting of {path}: there are {', '.join(known)}")
        if name not in known
        else Problem(name, f"must be a text in quotes, in {path}")
        for name, value in document.items()
        if name not in known or not isinstance(value, str)
    ]
    if problems:
        raise InvalidSettings(tuple(problems))
    if "client_secret" in document and path.stat().st_mode & 0o077:
        # It holds a secret; where it is not ours to narrow, it is the owner's choice.
        with suppress(OSError):
            path.chmod(0o600)
    return document


def _unreadable(path: Path, why: str) -> InvalidSettings:
    return InvalidSettings((Problem(CONFIG, f"{path} cannot be read: {why}"),))


def _level(word: str, origin: str) -> str:
    if word.upper() not in LOG_LEVELS:
        message = f"{word!r} is none of {', '.join(LOG_LEVELS)} (it comes from {origin})"
        raise InvalidSettings((Problem("log", message),))
    return word.upper()
