"""Settings: where each of them comes from, and what is wrong with them, all at once.

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
CONFIG: Final = "config.toml"
DEFAULTS: Final = Endpoints()


@frozen(kw_only=True)
class Setting:
    """What one setting is, besides its name, its type and its default, which its field in `Settings` has.

    Attributes:
        variable: the environment variable.
        doc: what it is for, in words; the documents say it in the same words.
        option: the option of the command line; empty where there is none.
        in_file: whether `config.toml` may say it, under the setting's name.
        read: makes its value of the word that was written; raises `ValueError` with a clause that says what is wrong with it.
        portal: what the developer portal calls it; a setting with such a name is required.
        passable: what stands in for it while it is missing and the others are checked, so that everything wrong is said at once.
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
            raise ValueError(f"{word!r} is none of {', '.join(known)}")
        return meant(word)

    return read


@frozen(kw_only=True)
class Settings:
    """What was set, and where. Nothing is checked yet but the shape of the file: `app` and `endpoints` check.

    Attributes:
        origins: where each setting came from, in words; a setting that has its default has none.
    """

    # One row a setting. The attributes' documentation and the table in the documents are made of these words.
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
            "as registered there; `http://127.0.0.1:*/callback/` takes any free port",
            portal='a "Redirect URI"',
            passable="http://127.0.0.1:*/callback/",
        ),
    )
    account: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_ACCOUNT", "which account, where several are signed in; the only one unless set", option="--account"
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
            in_file=False,  # A key must not lie beside what it encrypts.
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
            "told by the URI unless set",
            read=_one_of(kind.value for kind in AppKind),
        ),
    )
    challenge: str | None = field(
        default=None,
        metadata=_row(
            "TIKTOK_CHALLENGE",
            "`hex`, `base64url` or `none`: how PKCE's challenge is written; as TikTok documents it for the kind unless set",
            read=_one_of(encoding.value for encoding in ChallengeEncoding),
        ),
    )
    verified_urls: str = field(
        default="",
        metadata=_row(
            "TIKTOK_VERIFIED_URLS",
            "the portal's verified URL properties, with commas between them; where it is set, other URLs are refused",
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
            "TIKTOK_LOG", "a level of the log, such as `DEBUG`; no log unless set", read=_one_of(LOG_LEVELS, str.upper)
        ),
    )
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
        whole: dict[str, Any] = {name: value or TABLE[name].passable for name, value in given.items()}
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
        for name, row in TABLE.items():
            if row.portal and not getattr(self, name):
                yield Problem(
                    name,
                    f"is missing: set {row.variable}, or {name} in {self.home / CONFIG}, "
                    f"to {row.portal} of the app's page in TikTok's developer portal",
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
Settings.__doc__ = (Settings.__doc__ or "").rstrip() + "".join(
    f"\n        {name}: {row.doc}." for name, row in TABLE.items()
)


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
    """Return what was given, its secrets covered, and what is no setting: it may be a secret whose name is misspelt."""
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
    known = [name for name, row in TABLE.items() if row.in_file]
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
