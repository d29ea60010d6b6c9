"""The apps and creators of the simulated TikTok, with defaults that need no further setup.

What belongs here: the values of a developer portal and of a creator's settings. A test may change them while the simulator
runs (`sim.app.audited = True`); the next request sees the change.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable, MutableSequence
from typing import Any, Final, Literal, TypeVar, overload

from attrs import Attribute, define, field
from attrs.validators import in_

from tiktok_adapters.simulator.rules import SCOPES, registration_problem

__all__ = [
    "DEFAULT_CLIENT_KEY",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_OPEN_ID",
    "DEFAULT_REDIRECT_URI",
    "DEFAULT_SCOPES",
    "DEFAULT_URL_PROPERTIES",
    "PRIVACY_LEVELS",
    "App",
    "Creator",
    "Distinct",
    "version_of",
]

One = TypeVar("One")

DEFAULT_CLIENT_KEY: Final = "sbawsimulated0001"
"""The client key of the default app."""
DEFAULT_CLIENT_SECRET: Final = "simulated-client-secret"  # noqa: S105 - it is a secret for the simulator only
"""The client secret of the default app."""
DEFAULT_REDIRECT_URI: Final = "http://127.0.0.1:*/callback/"
"""A redirect URI of the default app, with any port of this machine."""
DEFAULT_REDIRECT_URIS: Final = (
    DEFAULT_REDIRECT_URI,
    "http://localhost:*/callback/",
    "https://app.example.com/callback/",
)
DEFAULT_SCOPES: Final = (
    "user.info.basic",
    "user.info.profile",
    "user.info.stats",
    "video.list",
    "video.upload",
    "video.publish",
)
"""The scopes that TikTok has approved for the default app."""
DEFAULT_URL_PROPERTIES: Final = ("media.example.com", "https://files.example.org/videos/user/")
"""The verified URL properties of the default app."""
DEFAULT_OPEN_ID: Final = "-000SimulatedMakerOne00000000"
"""The `open_id` of the default creator."""
DEFAULT_USERNAME: Final = "maker_one"

PRIVACY_LEVELS: Final = frozenset({"PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"})
_PRIVATE: Final = ("FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
_PUBLIC: Final = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")


def _registrable(app: "App", _attribute: "Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
    if len(value) > 10:
        raise ValueError("an app registers at most 10 redirect URIs")
    for uri in value:
        if problem := registration_problem(uri, app.kind):
            raise ValueError(f"{uri}: {problem}")


def _known_scopes(_app: "App", _attribute: "Attribute[tuple[str, ...]]", value: tuple[str, ...]) -> None:
    if unknown := sorted(set(value) - SCOPES):
        raise ValueError(f"TikTok has no scope {', '.join(unknown)}")


def _usable(_creator: "Creator", _attribute: "Attribute[str]", value: str) -> None:
    if not value.strip():
        raise ValueError(f"{value!r} is no username: it has at least one letter")


@define(kw_only=True, eq=False)
class App:
    """The data of one app in the developer portal.

    Attributes:
        client_key: the public name of the app.
        client_secret: the app's password.
        name: the name on the consent page.
        kind: `desktop` needs a code challenge, `web` does not, `both` needs one for loopback redirects only.
        redirect_uris: the registered redirect URIs; a loopback one may have `*` as its port.
        scopes: the scopes that TikTok has approved for the app.
        approved: whether TikTok's review of the app is over; before that, only the key of a sandbox may sign in.
        audited: whether the app has passed the audit of the Content Posting API.
        active_user_cap: how many users of an audited app may post in 24 hours; None for any number.
        url_properties: verified domains (`media.example.com`) and prefixes (`https://example.org/videos/`).
        grant_types: the grant types that the app may use at the token endpoint.
        target_users: the user names that may sign in to a sandbox app; None for all users.

    Raises:
        ValueError: the portal would refuse a redirect URI, or a scope is unknown.
    """

    client_key: str = DEFAULT_CLIENT_KEY
    client_secret: str = field(default=DEFAULT_CLIENT_SECRET, repr=False)
    name: str = "Sandbox App"
    kind: Literal["both", "desktop", "web"] = field(default="both", validator=in_(("both", "desktop", "web")))
    redirect_uris: tuple[str, ...] = field(validator=_registrable)
    scopes: tuple[str, ...] = field(default=DEFAULT_SCOPES, validator=_known_scopes)
    approved: bool = True
    audited: bool = False
    active_user_cap: int | None = None
    url_properties: tuple[str, ...] = DEFAULT_URL_PROPERTIES
    grant_types: tuple[str, ...] = ("authorization_code", "refresh_token", "client_credentials")
    target_users: tuple[str, ...] | None = None

    @redirect_uris.default
    def _registrable_ones(self) -> tuple[str, ...]:
        return tuple(uri for uri in DEFAULT_REDIRECT_URIS if registration_problem(uri, self.kind) is None)


@define(kw_only=True, eq=False)
class Creator:
    """One TikTok account and its settings.

    Attributes:
        username: the handle.
        open_id: the account's id for the simulator's first app; every other app has its own id for it. Each username has its
            own unless it is given.
        nickname: the display name (default: the username).
        private: whether the account is private.
        options: the privacy levels on offer; None for the documented ones of a private or public account.
        comment_disabled: whether the creator has switched comments off.
        duet_disabled, stitch_disabled: whether this interaction is off; None for TikTok's rule, off if the account is private.
        max_video_post_duration_sec: the longest video, in seconds.
        banned: whether TikTok has barred the creator from posting.
        daily_posts: how many API posts the creator may make in 24 hours, with all apps together.
        app_version: the version of the TikTok app on the creator's phone.
    """

    username: str = field(default=DEFAULT_USERNAME, validator=_usable)
    open_id: str = field()
    nickname: str = field()
    private: bool = True
    options: tuple[str, ...] | None = None
    comment_disabled: bool = False
    duet_disabled: bool | None = None
    stitch_disabled: bool | None = None
    max_video_post_duration_sec: int = 300
    banned: bool = False
    daily_posts: int = 15
    app_version: str = "41.0.0"
    bio: str = "Made by the simulator"
    verified: bool = False
    followers: int = 12
    following: int = 7
    likes: int = 99

    @nickname.default
    def _own_name(self) -> str:
        return "Maker One" if self.username == DEFAULT_USERNAME else self.username

    @open_id.default
    def _own_id(self) -> str:
        return DEFAULT_OPEN_ID if self.username == DEFAULT_USERNAME else _open_id(self.username)

    @property
    def privacy_level_options(self) -> tuple[str, ...]:
        """The levels of https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info."""
        return self.options if self.options is not None else _PRIVATE if self.private else _PUBLIC

    @property
    def disabled(self) -> dict[str, bool]:
        """The interactions of creator info, each with whether it is off. Nobody may duet with or stitch a private account."""
        return {
            "comment_disabled": self.comment_disabled,
            "duet_disabled": self.private if self.duet_disabled is None else self.duet_disabled,
            "stitch_disabled": self.private if self.stitch_disabled is None else self.stitch_disabled,
        }

    def name_for(self, app: App, first: App) -> str:
        """Return this account's `open_id` for `app`; each app has its own."""
        if app is first:
            return self.open_id
        return _open_id(f"{app.client_key} {self.open_id}")


class Distinct(MutableSequence[One]):
    """A list of apps or creators of which no two are the same in TikTok's eyes.

    Args:
        of: the first ones.
        by: the attributes that each has for itself alone.

    Raises:
        ValueError: two of them share one; the list stays as it was.

    Attributes:
        by: the attributes; the first one names a member.
    """

    def __init__(self, of: Iterable[One], *by: str) -> None:
        self.by = by
        self._all = self._checked(list(of))

    def _checked(self, members: list[One]) -> list[One]:
        for name in self.by:
            values = [getattr(one, name) for one in members]
            if len(set(values)) < len(values):
                raise ValueError(f"two of them have the same {name}; each needs its own")
        return members

    def _changed(self, change: Callable[[list[One]], None]) -> None:
        trial = list(self._all)
        change(trial)
        self._all = self._checked(trial)

    @overload
    def __getitem__(self, at: int) -> One: ...
    @overload
    def __getitem__(self, at: slice) -> list[One]: ...
    def __getitem__(self, at: Any) -> Any:
        return self._all[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        self._changed(lambda members: members.__setitem__(at, value))

    def __delitem__(self, at: Any) -> None:
        self._changed(lambda members: members.__delitem__(at))

    def __len__(self) -> int:
        return len(self._all)

    def insert(self, index: int, value: One) -> None:
        """See `list.insert`."""
        self._changed(lambda members: members.insert(index, value))

    def __repr__(self) -> str:
        return repr(self._all)


def _open_id(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return "-000" + base64.urlsafe_b64encode(digest)[:25].decode()


def version_of(text: str) -> tuple[int, ...]:
    """Return an app version such as `31.8` as numbers that can be compared."""
    return tuple(int(part) for part in text.split("."))
