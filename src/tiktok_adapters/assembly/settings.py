"""Settings: where each of them comes from, and what is wrong with them, all at once.

What belongs here: options, environment, `config.toml`; nothing that makes an adapter.
"""

import tomllib
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import field, frozen

from tiktok_adapters.assembly.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, STORES, check_installed, store_keys
from tiktok_core import (
    App,
    AppKind,
    ChallengeEncoding,
    Endpoints,
    InvalidSettings,
    Problem,
    Secret,
)
from tiktok_core.hidden import Hidden

__all__ = ["LOG_LEVELS", "Settings", "load_settings"]

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
    "kind": "TIKTOK_KIND",
    "challenge": "TIKTOK_CHALLENGE",
    "verified_urls": "TIKTOK_VERIFIED_URLS",
    "store": "TIKTOK_STORE",
    "store_key": KEY_VARIABLE,
    "store_key_file": KEY_FILE_VARIABLE,
    "log": "TIKTOK_LOG",
}
NOT_IN_FILE: Final = ("home", "store_key")
"""A file in the home folder cannot say where that is, and a key must not lie beside what it encrypts."""
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "store": tuple(STORES),
    "kind": tuple(kind.value for kind in AppKind),
    "challenge": tuple(encoding.value for encoding in ChallengeEncoding),
}
"""The words that a setting may have."""
SECRETS: Final = ("client_secret", "store_key")
PORTAL_FIELDS: Final = {
    "client_key": '"Client key"',
    "client_secret": '"Client secret"',
    "redirect_uri": 'a "Redirect URI"',
}
CONFIG: Final = "config.toml"
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
        kind: how the redirect URI is registered, `desktop` or `web`; None to tell by the URI.
        challenge: how PKCE's challenge is written: `hex`, `base64url` or `none`; None for what the kind wants.
        verified_urls: the portal's verified URL properties, with blanks or commas between them.
        store: where tokens are kept: `sqlite`, `keyring` or `encrypted`.
        store_key: keys of an encrypted store, from the environment; empty when missing.
        store_key_file: a file with them; empty when missing.
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
    kind: str | None = None
    challenge: str | None = None
    verified_urls: str = ""
    store: str = "sqlite"
    store_key: Secret = field(default=Secret(""))
    store_key_file: str = ""
    log: str | None = None
    origins: Mapping[str, str] = field(factory=dict)

    def app(self, kind: AppKind | str | None = None, *, without: Container[str] = ()) -> App:
        """Return the app.

        Args:
            kind: of the app, where it was chosen.
            without: settings that the caller can do without; what is missing of them is filled with something.

        Raises:
            InvalidSettings: everything that is missing or wrong, hosts included.
        """
        return self.checked(kind, without=without)[0]

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

    def store_keys(self) -> tuple[Secret, ...]:
        """Return the keys of an encrypted store, the newest first; none for another store.

        Raises:
            InvalidSettings: the store's package is missing, or its keys are, or cannot be used.
        """
        problems: list[Problem] = []
        found = self._tried(problems, self._store_keys)
        if found is None:
            raise InvalidSettings(tuple(problems))
        return found

    def checked(self, kind: AppKind | str | None = None, *, without: Container[str] = ()) -> tuple[App, Endpoints]:
        """Return the app and where TikTok is, once the store's settings are found to be good, too.

        Args:
            kind: of the app, where it was chosen.
            without: as for `app`.

        Raises:
            InvalidSettings: everything that is missing or wrong, at once.
        """
        problems = [problem for problem in self._missing() if problem.field not in without]
        given = {
            "client_key": self.client_key,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
        }
        whole: dict[str, Any] = {name: value or PASSABLE[name] for name, value in given.items()}
        # What stands in must not meet the rules of a kind that was chosen for the real one.
        chosen = (kind or self.kind) if self.redirect_uri else None
        verified = self.verified_urls.replace(",", " ").split()
        options: dict[str, Any] = {"kind": chosen, "challenge": self.challenge, "verified_urls": verified}
        app = self._tried(problems, lambda: App(**whole, **options))
        endpoints = self._tried(problems, lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))
        self._tried(problems, self._store_keys)
        if problems or app is None or endpoints is None:
            raise InvalidSettings(tuple(problems))
        return app, endpoints

    def _store_keys(self) -> tuple[Secret, ...]:
        check_installed(self.store)
        return store_keys(self.store_key, self.store_key_file, self.home) if self.store == "encrypted" else ()

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


def load_settings(
    options: Mapping[str, str | None], environ: Mapping[str, str] | Hidden[Mapping[str, str] | None]
) -> Settings:
    """Return the settings: an option wins over the environment, which wins over `config.toml` in the home folder.

    Args:
        options: by the names of `Settings`; None and empty ones count as not given.
        environ: variables such as `TIKTOK_CLIENT_KEY`.

    Raises:
        InvalidSettings: the home folder, the file, the store or the level of the log makes no sense.
    """
    lying, around = Hidden(options), Hidden((environ.reveal() if isinstance(environ, Hidden) else environ) or {})
    del options, environ  # A crash report would show them.
    chosen = _covered(lying)
    variables = _covered(Hidden({name: around.reveal().get(variable) for name, variable in VARIABLES.items()}))
    home, home_origin = _home(chosen, variables)
    written = _written(home / CONFIG)
    values: dict[str, Any] = {}
    origins = {"home": home_origin} if home_origin else {}
    for name, variable in VARIABLES.items():
        if name == "home":
            continue
        for value, origin in (
            (chosen.get(name), f"the option --{name.replace('_', '-')}"),
            (variables.get(name), variable),
            (written.get(name), str(home / CONFIG)),
        ):
            if value:
                values[name], origins[name] = value, origin
                break
    for name, words in CHOICES.items():
        if (word := values.get(name, words[0])) not in words:
            message = f"{word!r} is none of {', '.join(words)} (it comes from {origins[name]})"
            raise InvalidSettings((Problem(name, message),))
    if "log" in values:
        values["log"] = _level(values["log"], origins["log"])
    return Settings(home=home, origins=origins, **values)


def _covered(given: Hidden[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what was given, its secrets covered, and what is no setting: it may be a secret whose name is misspelt."""
    covered: dict[str, Any] = {}
    for name in given.reveal():
        is_secret = (name in SECRETS or name not in VARIABLES) and not isinstance(given.reveal()[name], Secret)
        cover = Secret if isinstance(given.reveal()[name], str) else Hidden
        covered[name] = cover(given.reveal()[name]) if is_secret else given.reveal()[name]
    return covered


def _home(options: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[Path, str]:
    for value, origin in ((options.get("home"), "the option --home"), (variables.get("home"), "TIKTOK_HOME")):
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


def _written(path: Path) -> dict[str, Any]:
    """Return what the file says, its secrets covered; an absent file says nothing."""
    try:
        text = Secret(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _unreadable(path, (error.strerror or type(error).__name__).lower()) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None
    try:
        document = _covered(Hidden(tomllib.loads(text.reveal())))
    except tomllib.TOMLDecodeError as error:
        # The message names a place and never quotes the line, which may hold the secret.
        raise _unreadable(path, f"it is not TOML: {error}") from None
    if "store_key" in document:
        message = f"must not stand in {path}, beside what it encrypts: set {KEY_VARIABLE}, or store_key_file"
        raise InvalidSettings((Problem("store_key", message),))
    known = [name for name in VARIABLES if name not in NOT_IN_FILE]
    problems = [
        Problem(name, f"is no setting of {path}: there are {', '.join(known)}")
        if name not in known
        else Problem(name, f"must be a text in quotes, in {path}")
        for name, value in document.items()
        if name not in known or not isinstance(value, (str, Secret))
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
