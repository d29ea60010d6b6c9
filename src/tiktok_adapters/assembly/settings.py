"""Settings: which there are, and everything that is wrong with their values at once.

What belongs here: the table of the settings, and their checks; nothing that makes an adapter. The module `loading` reads them.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import field, fields, frozen

from tiktok_adapters.assembly.keys import KEY_FILE_VARIABLE, KEY_VARIABLE, STORES, check_installed, store_keys
from tiktok_adapters.assembly.network import Network, chosen_network
from tiktok_adapters.assembly.shared import check_url
from tiktok_adapters.sources.hosts import MediaHosts
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

__all__ = ["CONFIG", "LOG_LEVELS", "TABLE", "Settings"]

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


def _hosts(words: str) -> str:
    MediaHosts.parsed(words)
    return words


@frozen(kw_only=True)
class Settings:
    """The settings and their sources. Only the shape of the file is checked so far: `app` and `endpoints` check the values.

    Attributes:
        origins: the source of each setting, in words; a setting with its default value has none.
        shared: the variables about proxies and certificates that other programs read, too.
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
            "TIKTOK_STORE", "where a home folder keeps tokens: `sqlite`, `keyring` or `encrypted`", read=_one_of(STORES)
        ),
    )
    store_key: Secret = field(
        default=Secret(""),
        metadata=_row(
            KEY_VARIABLE,
            "the keys of an encrypted store; in a database they encrypt tokens and records",
            read=Secret,
            in_file=False,  # A key must not lie beside the tokens that it encrypts.
        ),
    )
    store_key_file: str = field(
        default="", metadata=_row(KEY_FILE_VARIABLE, "a file with the keys of an encrypted store")
    )
    store_url: Secret = field(
        default=Secret(""),
        metadata=_row(
            "TIKTOK_STORE_URL",
            "a database for tokens, journal, quotas and upload slots of many machines, `postgresql://user@host/database`; "
            "the home folder unless set",
            read=Secret,  # It may hold a password.
        ),
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
            "the portal's verified URL properties, separated by commas; if set, a video at another URL is uploaded, and photos are refused",
        ),
    )
    media_hosts: str = field(
        default="",
        metadata=_row(
            "TIKTOK_MEDIA_HOSTS",
            "hosts, separated by commas, from which videos are read although they lie in a private network; a host of this machine "
            "may then use plain http",
            read=_hosts,
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
    proxy: Secret = field(
        default=Secret(""),
        metadata=_row(
            "TIKTOK_PROXY",
            "the URL of an HTTP proxy, `http://user:password@host:port`; `HTTPS_PROXY` or `ALL_PROXY` unless set",
            read=Secret,  # It may hold a password.
        ),
    )
    ca_file: str = field(
        default="",
        metadata=_row(
            "TIKTOK_CA_FILE",
            "a PEM file of the authorities to trust in place of the system's; `SSL_CERT_FILE` and `SSL_CERT_DIR` unless set",
        ),
    )
    engine_url: Secret = field(
        default=Secret(""),
        metadata=_row(
            "TIKTOK_ENGINE_URL",
            "where the engine of `tiktok worker --engine` keeps its calls: `postgresql://...` for Procrastinate "
            "(the `store_url` unless set), `amqp://...` or `redis://...` for Celery",
            read=Secret,  # It may hold a password.
        ),
    )
    origins: Mapping[str, str] = field(factory=dict)
    shared: Hidden[Mapping[str, str]] = field(factory=lambda: Hidden[Mapping[str, str]]({}), repr=False)

    def app(self, kind: AppKind | str | None = None, *, without: Container[str] = ()) -> App:
        """Return the app.

        Args:
            kind: the app's kind, if the caller chose it.
            without: settings that the caller does not need; a valid value replaces each missing one. `network` is for a
                caller that sends nothing by the usual transport.

        Raises:
            InvalidSettings: settings, or hosts, are missing or wrong; the error names all of them at once.
        """
        return self.checked(kind, without=without)[0]

    def endpoints(self) -> Endpoints:
        """Return the addresses of TikTok.

        Raises:
            InvalidSettings: a host cannot be used.
        """
        return self._made(lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))

    def store_keys(self) -> tuple[Secret, ...]:
        """Return the keys of an encrypted store or of a database, the newest first; none for a store that is not encrypted.

        Raises:
            InvalidSettings: the store's package or its keys are missing, or a key cannot be used.
        """
        return self._made(self._store_keys)

    def network(self) -> Network:
        """Return the proxy and the authorities to trust.

        Raises:
            InvalidSettings: the proxy or the file of authorities cannot be used.
        """
        return self._made(self._network)

    def checked(
        self, kind: AppKind | str | None = None, *, app: App | None = None, without: Container[str] = ()
    ) -> tuple[App, Endpoints]:
        """Return the app and the addresses of TikTok, and check the settings of the store and of the network too.

        Args:
            kind: the app's kind, if the caller chose it.
            app: the app, if the caller has one.
            without: as for `app`.

        Raises:
            InvalidSettings: settings are missing or wrong; the error names all of them at once.
        """
        problems = [problem for problem in self._missing() if problem.field not in without and app is None]
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
        app = app or self._tried(problems, lambda: App(**whole, **options))
        endpoints = self._tried(problems, lambda: Endpoints(api_url=self.api_url, auth_url=self.auth_url))
        keys = self._tried(problems, self._store_keys)
        if self.store_url and keys is not None:
            self._tried(problems, lambda: check_url(self.store_url, keys))
        if "network" not in without:
            self._tried(problems, self._network)
        if problems or app is None or endpoints is None:
            raise InvalidSettings(tuple(problems))
        return app, endpoints

    def _store_keys(self) -> tuple[Secret, ...]:
        is_encrypted = self.store == "encrypted"
        if self.store_url:
            # A keychain keeps the tokens of a home folder. Keys encrypt what lies in a database.
            is_encrypted = is_encrypted or bool(self.store_key or self.store_key_file)
        check_installed("encrypted" if self.store_url and is_encrypted else "sqlite" if self.store_url else self.store)
        return store_keys(self.store_key, self.store_key_file, self.home) if is_encrypted else ()

    def _network(self) -> Network:
        return chosen_network(self.proxy, self.ca_file, self.origins, self.shared)

    def _missing(self) -> Iterator[Problem]:
        for name, row in TABLE.items():
            if row.portal and not getattr(self, name):
                yield Problem(
                    name,
                    f"is missing: set {row.variable}, or {name} in {self.home / CONFIG}, "
                    f"to {row.portal} from the app's page in TikTok's developer portal",
                )

    def _made(self, make: Callable[[], T]) -> T:
        problems: list[Problem] = []
        found = self._tried(problems, make)
        if found is None:
            raise InvalidSettings(tuple(problems))
        return found

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
