"""Settings: read each from its source, and report everything that is wrong with them at once.

What belongs here: options, environment, `config.toml`; nothing that makes an adapter.
"""

import tomllib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import field, fields, frozen

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
"""The words that `TIKTOK_LOG` may have."""
CONFIG: Final = "config.toml"
DEFAULTS: Final = Endpoints()


@frozen(kw_only=True)
class Setting:
    """The description of one setting. Its field in `Settings` has its name, type and default.

    Attributes:
        variable: the environment variable.
        doc: the purpose of the setting; the documentation uses the same words.
        option: the command-line option; empty if there is none.
        in_file: whether `config.toml` may contain it, under the setting's name.
        read: turns the written word into the value; raises `ValueError` with a clause that says what is wrong with the word.
        portal: the name in the developer portal; a setting with such a name is required.
        passable: a valid value that replaces a missing setting while the others are checked, so that one error names every problem.
    """

    variable: str
    doc: str
    option: str = ""
    in_file: bool = True
    read: Callable[[str], Any] = str
    portal: str = ""
    passable: str = ""


def _row(variable: str, doc: str, **more: Any) -> dict[str, Setting]:
    return {"setting": Setting(variable=variable, doc=doc, **more)}


def _one_of(words: Iterable[str], meant: Callable[[str], str] = str) -> Callable[[str], str]:
    known = tuple(words)

    def read(word: str) -> str:
        if meant(word) not in known:
            raise ValueError(f"{word!r} is not one of {', '.join(known)}")
        return meant(word)

    return read


@frozen(kw_only=True)
class Settings:
    """The settings and their sources. Only the shape of the file is checked so far: `app` and `endpoints` check the values.

    Attributes:
        origins: the source of each setting, in words; a setting with its default value has none.
    """

    # One row for each setting. The attributes' docstrings and the table in the documentation use these words.
    home: Path = field(
        metadata=_row(
            "TIKTOK_HOME",
            "folder of the tokens, the journal and `config.toml`; files 0600, folder 0700",
            option="--home",
            in_file=False,  # A file in that folder cannot say where the folder is.
        )
    )
    client_key: str = field(
        default="",
        metadata=_row(
            "TIKTOK_CLIENT_KEY",
            "from the app's page in TikTok's developer portal",
            portal='"Client key"',
            passable="-",
        ),
    )
    client_secret: Secret = field(
        default=Secret(""),
        metadata=_row(
            "TIKTOK_CLIENT_SECRET",
            "from the app's page in TikTok's developer portal",
            read=Secret,
            portal='"Client secret"',
            passable="-",
        ),
    )
    redirect_uri: str = field(
        default="",
        metadata=_row(
            "TIKTOK_REDIRECT_URI",
            "exactly as registered there; `http://127.0.0.1:*/callback/` uses any free port",
            portal='a "Redirect URI"',
            passable="http://127.0.0.1:*/callback/",
        ),
    )
    account: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_ACCOUNT", "the account to use; with one signed in, that one unless set", option="--account"
        ),
    )
    store: str = field(
        default="sqlite",
        metadata=_row(
            "TIKTOK_STORE", "where tokens are kept: `sqlite`, `keyring` or `encrypted`", read=_one_of(STORES)
        ),
    )
    store_key: Secret = field(
        default=Secret(""),
        metadata=_row(
            KEY_VARIABLE,
            "the keys of an encrypted store",
            read=Secret,
            in_file=False,  # A key must not lie beside the tokens that it encrypts.
        ),
    )
    store_key_file: str = field(
        default="", metadata=_row(KEY_FILE_VARIABLE, "a file with the keys of an encrypted store")
    )
    kind: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_KIND",
            "`desktop` or `web`: the platform of Login Kit under which the redirect URI is registered; "
            "the URI decides unless set",
            read=_one_of(kind.value for kind in AppKind),
        ),
    )
    challenge: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_CHALLENGE",
            "`hex`, `base64url` or `none`: the encoding of the PKCE challenge; as TikTok documents it for the kind unless set",
            read=_one_of(encoding.value for encoding in ChallengeEncoding),
        ),
    )
    verified_urls: str = field(
        default="",
        metadata=_row(
            "TIKTOK_VERIFIED_URLS",
            "the portal's verified URL properties, separated by commas; if set, the client refuses other URLs",
        ),
    )
    api_url: str = field(
        default=DEFAULTS.api_url, metadata=_row("TIKTOK_API_URL", "the address of the API; another one for a sandbox")
    )
    auth_url: str = field(
        default=DEFAULTS.auth_url,
        metadata=_row("TIKTOK_AUTH_URL", "the address of the authorization page; another one for a sandbox"),
    )
    log: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_LOG", "the log level, such as `DEBUG`; no log unless set", read=_one_of(LOG_LEVELS, str.upper)
        ),
    )
    origins: Mapping[str, str] = field(factory=dict)

    def app(self, kind: AppKind | str | None = None, *, without: Container[str] = ()) -> App:
        """Return the app.

        Args:
            kind: the app's kind, if the caller chose it.
            without: settings that the caller does not need; a valid value replaces each missing one.

        Raises:
            InvalidSettings: settings, or hosts, are missing or wrong; the error names all of them at once.
        """
        return self.checked(kind, without=without)[0]

    def endpoints(self) -> Endpoints:
        """Return the addresses of TikTok.

        Raises:
            InvalidSettings: a host cannot be used.
        """
        problems: list[Problem] = []
        found = self._tried(problems, lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))
        if found is None:
            raise InvalidSettings(tuple(problems))
        return found

    def store_keys(self) -> tuple[Secret, ...]:
        """Return the keys of an encrypted store, the newest first; none for another store.

        Raises:
            InvalidSettings: the store's package or its keys are missing, or a key cannot be used.
        """
        problems: list[Problem] = []
        found = self._tried(problems, self._store_keys)
        if found is None:
            raise InvalidSettings(tuple(problems))
        return found

    def checked(self, kind: AppKind | str | None = None, *, without: Container[str] = ()) -> tuple[App, Endpoints]:
        """Return the app and the addresses of TikTok, and check the store's settings too.

        Args:
            kind: the app's kind, if the caller chose it.
            without: as for `app`.

        Raises:
            InvalidSettings: settings are missing or wrong; the error names all of them at once.
        """
        problems = [problem for problem in self._missing() if problem.field not in without]
        given = {
            "client_key": self.client_key,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
        }
        whole: dict[str, Any] = {name: value or TABLE[name].passable for name, value in given.items()}
        # The replacement of a missing redirect URI must not fail the rules of the kind that was chosen for the real one.
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
        for name, row in TABLE.items():
            if row.portal and not getattr(self, name):
                yield Problem(
                    name,
                    f"is missing: set {row.variable}, or {name} in {self.home / CONFIG}, "
                    f"to {row.portal} from the app's page in TikTok's developer portal",
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


TABLE: Final[Mapping[str, Setting]] = {
    found.name: found.metadata["setting"] for found in fields(Settings) if "setting" in found.metadata
}
"""Each setting by its name."""
_margin: Final = (Settings.__doc__ or "").partition("Attributes:")[0].rpartition("\n")[2]
"""The indentation of the docstring, which the compiler removes from Python 3.13 on."""
Settings.__doc__ = (Settings.__doc__ or "").rstrip() + "".join(
    f"\n{_margin}    {name}: {row.doc}." for name, row in TABLE.items()
)


def load_settings(
    options: Mapping[str, str | None], environ: Mapping[str, str] | Hidden[Mapping[str, str] | None]
) -> Settings:
    """Return the settings: an option overrides the environment, which overrides `config.toml` in the home folder.

    Args:
        options: values by the names in `Settings`; None and empty values count as missing.
        environ: variables such as `TIKTOK_CLIENT_KEY`.

    Raises:
        InvalidSettings: the home folder, the file, the store or the log level is invalid.
    """
    lying, around = Hidden(options), Hidden((environ.reveal() if isinstance(environ, Hidden) else environ) or {})
    del options, environ  # A crash report would show them.
    chosen = _covered(lying)
    variables = _covered(Hidden({name: around.reveal().get(row.variable) for name, row in TABLE.items()}))
    home, home_origin = _home(chosen, variables)
    written = _written(home / CONFIG)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    origins = {"home": home_origin} if home_origin else {}
    for name, row in TABLE.items():
        if name == "home":
            continue
        for value, origin in (
            (chosen.get(name), f"the option --{name.replace('_', '-')}"),
            (variables.get(name), row.variable),
            (written.get(name), str(home / CONFIG)),
        ):
            if value:
                try:
                    values[name], origins[name] = row.read(value), origin
                except ValueError as error:
                    problems.append(Problem(name, f"{error} (it comes from {origin})"))
                break
    if problems:
        raise InvalidSettings(tuple(problems))
    return Settings(home=home, origins=origins, **values)


def _covered(given: Hidden[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the given values with the secrets hidden. It hides unknown names too: one may be a misspelt secret."""
    covered: dict[str, Any] = {}
    for name in given.reveal():
        is_secret = (name not in TABLE or TABLE[name].read is Secret) and not isinstance(given.reveal()[name], Secret)
        cover = Secret if isinstance(given.reveal()[name], str) else Hidden
        covered[name] = cover(given.reveal()[name]) if is_secret else given.reveal()[name]
    return covered


def _home(options: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[Path, str]:
    for value, origin in ((options.get("home"), "the option --home"), (variables.get("home"), "TIKTOK_HOME")):
        if not value:
            continue
        if "\0" in value:
            raise InvalidSettings((Problem("home", f"contains a NUL character (it comes from {origin})"),))
        home = _at_home(Path(value))
        if home.is_file():
            raise InvalidSettings((Problem("home", f"{home} is a file: name a folder (it comes from {origin})"),))
        return home, origin
    return _at_home(Path("~/.tiktok")), ""


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        message = "cannot be found on this machine: set TIKTOK_HOME to a folder for tokens and settings"
        raise InvalidSettings((Problem("home", message),)) from None


def _written(path: Path) -> dict[str, Any]:
    """Return the settings in the file, with the secrets hidden; none if there is no file."""
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
        # TOML's message names the place but does not quote the line, which may hold the secret.
        raise _unreadable(path, f"it is not TOML: {error}") from None
    if "store_key" in document:
        message = f"must not be in {path}, beside the tokens it encrypts: set {KEY_VARIABLE} or store_key_file instead"
        raise InvalidSettings((Problem("store_key", message),))
    known = [name for name, row in TABLE.items() if row.in_file]
    problems = [
        Problem(name, f"is not a setting, but {path} contains it; the settings are {', '.join(known)}")
        if name not in known
        else Problem(name, f"must be a text in quotes in {path}")
        for name, value in document.items()
        if name not in known or not isinstance(value, (str, Secret))
    ]
    if problems:
        raise InvalidSettings(tuple(problems))
    if "client_secret" in document and path.stat().st_mode & 0o077:
        # The file holds a secret. If another user owns it, the chmod fails, and the mode stays that user's choice.
        with suppress(OSError):
            path.chmod(0o600)
    return document


def _unreadable(path: Path, why: str) -> InvalidSettings:
    return InvalidSettings((Problem(CONFIG, f"{path} cannot be read: {why}"),))
