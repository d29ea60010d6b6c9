"""An app as registered in TikTok's developer portal: its keys and redirect URIs, and the scopes that exist.

Sources: developers.tiktok.com/doc/login-kit-desktop, /doc/login-kit-web (redirect rules), /doc/tiktok-api-scopes.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from tiktok_core.domain.media import property_problem
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidSettings, Problem, refuse
from tiktok_core.hidden import Hidden

__all__ = ["DEFAULT_SCOPES", "App", "AppKind", "ChallengeEncoding", "Endpoints", "Scope", "check_scopes", "is_loopback"]

REDIRECT_LENGTH: Final = 512
LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1")
BLANK_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")
UNSENDABLE: Final = re.compile(r"[\x00-\x20\x7f\\]")
# A label of a host name has 63 characters at most, and parsers raise on longer ones.
UPLOAD_HOST: Final = re.compile(r"(?=.{1,253}$)(?:[a-z0-9-]{1,63}\.)+tiktokapis\.com(?::443)?", re.IGNORECASE)
# Parsers of URLs disagree on `[::1].example` and `example[v1.x]`, so only these two forms count as a host.
HOST_AND_PORT: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]+)?", re.IGNORECASE)
PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
# No registered app has one in its URI. A program that decodes it on the way would break a line of a request.
ESCAPED_CONTROL: Final = re.compile(r"%(?:[01][0-9a-f]|7f)", re.IGNORECASE)


class Scope(StrEnum):
    """The scopes that a user's token can have."""

    USER_INFO_BASIC = "user.info.basic"
    USER_INFO_PROFILE = "user.info.profile"
    USER_INFO_STATS = "user.info.stats"
    VIDEO_LIST = "video.list"
    VIDEO_UPLOAD = "video.upload"
    VIDEO_PUBLISH = "video.publish"
    PORTABILITY_ALL_SINGLE = "portability.all.single"
    PORTABILITY_ALL_ONGOING = "portability.all.ongoing"
    PORTABILITY_ACTIVITY_SINGLE = "portability.activity.single"
    PORTABILITY_ACTIVITY_ONGOING = "portability.activity.ongoing"
    PORTABILITY_DIRECTMESSAGES_SINGLE = "portability.directmessages.single"
    PORTABILITY_DIRECTMESSAGES_ONGOING = "portability.directmessages.ongoing"
    PORTABILITY_POSTSANDPROFILE_SINGLE = "portability.postsandprofile.single"
    PORTABILITY_POSTSANDPROFILE_ONGOING = "portability.postsandprofile.ongoing"
    RESEARCH_DATA_BASIC = "research.data.basic"
    RESEARCH_DATA_U18EU = "research.data.u18eu"
    RESEARCH_DATA_VRA = "research.data.vra"
    RESEARCH_ADLIB_BASIC = "research.adlib.basic"
    LOCAL_PRODUCT_MANAGE = "local.product.manage"
    LOCAL_SHOP_MANAGE = "local.shop.manage"
    LOCAL_VOUCHER_MANAGE = "local.voucher.manage"
    ARTIST_CERTIFICATION_READ = "artist.certification.read"
    ARTIST_CERTIFICATION_UPDATE = "artist.certification.update"


DEFAULT_SCOPES: Final = (Scope.USER_INFO_BASIC, Scope.VIDEO_UPLOAD, Scope.VIDEO_PUBLISH)
"""The scopes that posting needs. Further scopes break the consent page of an app that TikTok has not approved for them."""


class AppKind(StrEnum):
    """The platform of Login Kit under which the redirect URI is registered. The two have different rules and PKCE."""

    DESKTOP = "desktop"
    WEB = "web"


class ChallengeEncoding(StrEnum):
    """The encoding of the PKCE challenge, a SHA-256: TikTok's hexadecimal, the RFC's base64url, or no challenge."""

    HEX = "hex"
    BASE64URL = "base64url"
    NONE = "none"


CHALLENGES: Final = {AppKind.DESKTOP: ChallengeEncoding.HEX, AppKind.WEB: ChallengeEncoding.HEX}
"""TikTok documents hexadecimal for desktop apps. It documents no PKCE for web apps, but has refused some that sent no challenge.
Hexadecimal is the safe choice there too, because it is the only encoding that TikTok documents anywhere."""


def _as_encoding(encoding: ChallengeEncoding | str | None) -> ChallengeEncoding | None:
    return None if encoding is None else ChallengeEncoding(encoding)


def _as_kind(kind: AppKind | str | None) -> AppKind | None:
    return None if kind is None else AppKind(kind)


def _as_words(words: Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


@frozen
class App:
    """An app as registered in TikTok's developer portal.

    Attributes:
        client_key: the "Client key" in the portal.
        client_secret: the "Client secret" in the portal.
        redirect_uri: the redirect URI, exactly as registered; for a desktop app the port may be the wildcard `*`.
        kind: the platform of Login Kit; unless given, desktop for a loopback redirect URI, and web for any other.
        verified_urls: the verified "URL properties" in the portal, domains (`example.com`) and prefixes
            (`https://media.example.com/p/`). TikTok pulls from no other place. If any are given, the library refuses a photo's
            URL outside them before it sends the post, and uploads a video from there.
        challenge: the encoding of the PKCE challenge, for all sign-ins of this app; chosen by `kind` unless given.

    Raises:
        InvalidSettings: a setting is wrong; the error lists every problem.
    """

    client_key: str
    client_secret: Secret = field(converter=Secret)
    redirect_uri: str
    _kind: AppKind | None = field(default=None, converter=_as_kind, alias="kind", kw_only=True)
    verified_urls: tuple[str, ...] = field(default=(), converter=_as_words, kw_only=True)
    _challenge: ChallengeEncoding | None = field(default=None, converter=_as_encoding, alias="challenge", kw_only=True)

    def __attrs_post_init__(self) -> None:
        refuse(InvalidSettings, _app_problems(self))

    @property
    def kind(self) -> AppKind:
        """The platform of Login Kit: the given one, or the one that the redirect URI implies."""
        if self._kind is not None:
            return self._kind
        return AppKind.DESKTOP if is_loopback(self.redirect_uri.replace(":*", "", 1)) else AppKind.WEB

    @property
    def challenge(self) -> ChallengeEncoding:
        """The encoding of the PKCE challenge: the given one, or the one for this kind of app."""
        return CHALLENGES[self.kind] if self._challenge is None else self._challenge

    @property
    def has_wildcard_port(self) -> bool:
        """Whether the redirect URI has the wildcard `*` as its port, so that any port is allowed."""
        return urlsplit(self.redirect_uri).netloc.endswith(":*")

    def redirect_on(self, port: int) -> str:
        """Return the redirect URI with `port` in place of the wildcard."""
        return self.redirect_uri.replace(":*/", f":{port}/", 1)

    def accepts_redirect(self, uri: str) -> bool:
        """Whether `uri` is this app's redirect URI, with a concrete port in place of a wildcard."""
        if not self.has_wildcard_port:
            return uri == self.redirect_uri
        head, _, tail = self.redirect_uri.partition("*")
        port = uri[len(head) : len(uri) - len(tail)]
        matches = uri.startswith(head) and uri.endswith(tail) and PORT.fullmatch(port)
        return bool(matches) and int(port) < 65536


@frozen(kw_only=True)
class Endpoints:
    """TikTok's addresses.

    Attributes:
        api_url: the URL of the API host, without a trailing slash.
        auth_url: the URL of the authorization page.

    Raises:
        InvalidSettings: a URL is neither https, nor plain http to a loopback address.
    """

    api_url: str = "https://open.tiktokapis.com"
    auth_url: str = "https://www.tiktok.com/v2/auth/authorize/"

    def __attrs_post_init__(self) -> None:
        refuse(InvalidSettings, (*_host_problems("api_url", self.api_url), *_host_problems("auth_url", self.auth_url)))

    def at(self, path: str) -> str:
        """Return the URL of an API path."""
        return self.api_url.rstrip("/") + path

    def allows_upload_to(self, url: str | Secret) -> bool:
        """Whether the library may send a video to `url`. It may send to TikTok's upload hosts, over https.

        If the API is on this machine, its upload host may be on this machine too.
        """
        place = Secret(url)
        del url  # A crash report would show it.
        if not place.reveal().isascii() or UNSENDABLE.search(place.reveal()):
            return False
        try:
            parts = Hidden(urlsplit(place.reveal()))
            scheme, host, _port = parts.reveal().scheme, parts.reveal().netloc, parts.reveal().port
        except ValueError:
            return False
        if scheme == "https" and UPLOAD_HOST.fullmatch(host):
            return True
        return is_loopback(self.api_url) and scheme in ("http", "https") and _is_here(host)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    try:
        return _is_here(urlsplit(url).netloc)
    except ValueError:
        return False


def _is_here(place: str) -> bool:
    found = HOST_AND_PORT.fullmatch(place)
    if not found:
        return False
    host = (found[1] or found[2]).lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes in their order, without repetitions.

    Raises:
        InvalidSettings: there is no scope, or a word is not one of TikTok's scopes.
    """
    wanted = tuple(dict.fromkeys(str(scope) for scope in scopes))
    known = {scope.value for scope in Scope}
    problems = [Problem("scope", f"{word!r} is not one of TikTok's scopes") for word in wanted if word not in known]
    refuse(InvalidSettings, problems if wanted else [Problem("scope", "at least one scope is needed")])
    return wanted


def _app_problems(app: App) -> Iterator[Problem]:
    for one in app.verified_urls:
        if (message := property_problem(one)) is not None:
            yield Problem("verified_urls", message)
    for name, value in (("client_key", Secret(app.client_key)), ("client_secret", app.client_secret)):
        if not value:
            yield Problem(name, "is missing: copy it from the app's page in TikTok's developer portal")
        elif not value.reveal().isascii() or BLANK_OR_CONTROL.search(value.reveal()):
            yield Problem(name, "contains a blank, a control character or a character outside ASCII")
    if not app.redirect_uri:
        yield Problem("redirect_uri", "is missing: give it exactly as registered in TikTok's developer portal")
        return
    for message in _redirect_problems(app.redirect_uri, app.kind):
        yield Problem("redirect_uri", message)


UNWANTED: Final = (
    ("?", "must not have a query: TikTok refuses it at registration and at sign-in"),
    ("#", "must not have a fragment"),
    ("@", "must not contain a user name"),
)


def _redirect_problems(uri: str, kind: AppKind) -> Iterator[str]:
    if not uri.isascii() or any(character <= " " or character in "\\\x7f" for character in uri):
        yield "must be plain ASCII without blanks, backslashes or control characters"
        return
    if ESCAPED_CONTROL.search(uri):
        yield "must not contain an escaped control character, such as %0d%0a"
    try:
        parts = urlsplit(uri.replace(":*/", ":1/", 1))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield "is not a URL"
        return
    longest = len(uri.replace(":*/", ":65535/", 1))
    if longest >= REDIRECT_LENGTH:
        yield f"has {longest} characters (with the longest port), and TikTok takes fewer than {REDIRECT_LENGTH}"
    yield from (message for mark, message in UNWANTED if mark in uri)
    if kind is AppKind.DESKTOP:
        yield from _desktop_problems(parts.scheme, host, port)
    elif parts.scheme != "https" or not host:
        yield "of a web app must be an absolute https URL"
    elif ":*" in uri:
        yield "of a web app cannot have a wildcard port"


def _desktop_problems(scheme: str, host: str, port: int | None) -> Iterator[str]:
    if scheme not in ("http", "https"):
        yield "of a desktop app must be http or https"
    if host not in LOOPBACK_NAMES:
        yield f"of a desktop app must be on {' or '.join(LOOPBACK_NAMES)}, not {host or 'an empty host'}"
    elif not port:
        yield "of a desktop app needs a port, or the wildcard: http://127.0.0.1:*/callback/"


def _host_problems(name: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        valid = HOST_AND_PORT.fullmatch(parts.netloc) is not None and url.isascii() and parts.port != 0
    except ValueError:
        valid = False
    if (
        not valid
        or any(character <= " " or character in "?#\\\x7f" for character in url)
        or ESCAPED_CONTROL.search(url)
    ):
        yield Problem(name, "must be an absolute URL without user name, query and fragment")
    elif parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        yield Problem(name, "must be https; plain http is allowed for a loopback address only")
