"""The state that all modules of the simulated TikTok share: apps, creators, codes, tokens, posts, clock, chance.

What belongs here: reading and changing the state, and the checks at the start of every signed-in call.
"""

import random
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from tiktok_adapters.simulator.accounts import App, Creator, Distinct
from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.quotas import Quotas
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Task

__all__ = ["Chance", "Code", "DataCopy", "Delivery", "Now", "QrCode", "SignIn", "Token", "World"]

_LETTERS: Final = string.ascii_letters + string.digits


class Now(Protocol):
    """An object that tells the time, such as every clock of `tiktok_adapters.clocks`."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...


class Chance:
    """Ids and tokens from one seeded source, so that a run can be repeated. With the seed None they cannot be guessed."""

    def __init__(self, seed: int | None) -> None:
        chosen = secrets.randbits(256) if seed is None else seed
        self._random = random.Random(chosen)  # noqa: S311 - repeatable on purpose; a served sandbox seeds it with 256 unknown bits

    def state(self) -> list[Any]:
        """Return what `restore` goes on from."""
        version, numbers, gauss = self._random.getstate()
        return [version, list(numbers), gauss]

    def restore(self, state: list[Any]) -> None:
        """Go on where a source of this `state` was, and repeat none of its ids."""
        version, numbers, gauss = state
        self._random.setstate((version, tuple(numbers), gauss))

    def letters(self, count: int) -> str:
        """Return letters and digits."""
        return "".join(self._random.choices(_LETTERS, k=count))

    def digits(self, count: int) -> str:
        """Return a decimal number that does not begin with 0."""
        return str(self._random.randrange(10 ** (count - 1), 10**count))

    def post_id(self) -> int:
        """Return 19 digits that fit a signed 64-bit number."""
        return self._random.randrange(7_000_000_000_000_000_000, 8_000_000_000_000_000_000)

    def uuid(self) -> str:
        """Return a text in the form of a UUID."""
        digits = f"{self._random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def log_id(self, now: datetime) -> str:
        """Return 34 characters: a time stamp and hexadecimal digits."""
        return f"{now:%Y%m%d%H%M%S}{self._random.getrandbits(80):020X}"

    def code(self) -> str:
        """Return an authorization code; it contains `*` and `!` as the real ones do."""
        return f"{self.letters(43)}*{self._random.randrange(10)}!{self.digits(4)}.va"


@define(eq=False, kw_only=True)
class Code:
    """An authorization code, and the grant behind it. The code of a QR code has no challenge: None."""

    app: App
    creator: Creator
    scopes: tuple[str, ...]
    redirect_uri: str
    challenge: str | None
    expires_at: datetime
    used: bool = False


@define(eq=False, kw_only=True)
class QrCode:
    """An issued QR code, with the ticket that the phone read from it, and the code after the person agreed."""

    app: App
    scopes: tuple[str, ...]
    state: str
    expires_at: datetime
    ticket: str = ""
    denied: bool = False
    code: str = ""


@define(eq=False, kw_only=True)
class Token:
    """An access, refresh or client token. `creator` is None for a client token."""

    kind: str
    app: App
    creator: Creator | None
    scopes: tuple[str, ...]
    expires_at: datetime
    dead: bool = False


@define(eq=False, kw_only=True)
class DataCopy:
    """A request for a copy of an account's data."""

    request_id: int
    app: App
    creator: Creator
    account: str
    categories: tuple[str, ...]
    data_format: str
    applied_at: datetime
    cancelled_at: datetime | None = None


@frozen(kw_only=True)
class Delivery:
    """One webhook, as its receiver gets it.

    Attributes:
        event: the event's name, for the test.
        headers: the headers of the request.
        body: exactly the signed bytes.
    """

    event: str
    headers: Mapping[str, str]
    body: bytes


@frozen(kw_only=True)
class SignIn:
    """One account that is signed in to one app, as a person may see it.

    Attributes:
        username: the creator's handle.
        account: the creator's `open_id` for this app.
        app, client_key: the app's name and client key.
        scopes: what the creator allowed the app.
        expires_at: the end of the longest life of its tokens (UTC).
    """

    username: str
    account: str
    app: str
    client_key: str
    scopes: tuple[str, ...]
    expires_at: datetime


@define(eq=False, kw_only=True)
class World:
    """The whole state of the simulated TikTok."""

    clock: Now
    switches: Switches
    chance: Chance
    apps: Distinct[App]
    creators: Distinct[Creator]
    keep_bytes: bool
    upload_base: str
    quotas: Quotas = field(factory=Quotas)
    codes: dict[str, Code] = field(factory=dict)
    qr_codes: dict[str, QrCode] = field(factory=dict)
    tokens: dict[str, Token] = field(factory=dict)
    consents: dict[tuple[App, Creator], frozenset[str]] = field(factory=dict)
    tasks: dict[str, Task] = field(factory=dict)
    removals: list[tuple[App, str, datetime]] = field(factory=list)
    told: dict[tuple[str, str, str], tuple[App, Delivery]] = field(factory=dict)
    copies: dict[int, DataCopy] = field(factory=dict)

    @property
    def now(self) -> datetime:
        """The time."""
        return self.clock.now()

    def later(self, seconds: float) -> datetime:
        """Return the time in `seconds`."""
        return self.now + timedelta(seconds=seconds)

    def log_id(self) -> str:
        """Return a new log id."""
        return self.chance.log_id(self.now)

    def app(self, client_key: str) -> App | None:
        """Return the app with this key, or None."""
        return next((app for app in self.apps if app.client_key == client_key), None)

    def creator(self, name: str) -> Creator | None:
        """Return the creator with this user name or `open_id` (as any app knows it), or None."""
        return next((one for one in self.creators if name in {one.username, *self._names(one)}), None)

    def _names(self, creator: Creator) -> Iterable[str]:
        return (self.account(app, creator) for app in self.apps)

    def account(self, app: App, creator: Creator) -> str:
        """Return the creator's `open_id` for this app."""
        return creator.name_for(app, self.apps[0])

    def live_token(self, text: str, kind: str) -> Token | None:
        """Return a token that is known, valid and of this kind, or None."""
        token = self.tokens.get(text)
        alive = token is not None and token.kind == kind and not token.dead and self.now < token.expires_at
        return token if alive else None

    def sign_ins(self) -> tuple[SignIn, ...]:
        """Return who is signed in to which app now."""
        last: dict[tuple[App, Creator], Token] = {}
        for token in self.tokens.values():
            if token.creator is not None and not token.dead and self.now < token.expires_at:
                known = last.setdefault((token.app, token.creator), token)
                last[token.app, token.creator] = max(known, token, key=lambda one: one.expires_at)
        return tuple(
            SignIn(
                username=creator.username,
                account=self.account(app, creator),
                app=app.name,
                client_key=app.client_key,
                scopes=token.scopes,
                expires_at=token.expires_at,
            )
            for (app, creator), token in last.items()
        )

    def forget(self) -> None:
        """Forget what has happened; apps, creators and switches stay."""
        for task in self.tasks.values():
            if task.upload is not None:
                task.upload.close()
        for known in (self.codes, self.qr_codes, self.tokens, self.consents, self.tasks, self.told, self.copies):
            known.clear()
        self.removals.clear()
        self.quotas = Quotas()

    def admit(self, call: Call, operation: str, *scopes: str) -> tuple[App, Creator]:
        """Check the access token, one of these scopes, and the quota; return the token's app and creator.

        Raises:
            Refused: `access_token_invalid`, `scope_not_authorized` or `rate_limit_exceeded`.
        """
        app, creator, granted = self.bearer(call)
        if scopes and not granted & set(scopes):
            raise Refused("scope_not_authorized", "The user did not authorize the scope required for this request")
        self.quotas.spend(operation, token=call.bearer(), app=app.client_key, now=self.now, switches=self.switches)
        return app, creator

    def bearer(self, call: Call) -> tuple[App, Creator, frozenset[str]]:
        """Return app, creator and granted scopes of the call's access token.

        Raises:
            Refused: `access_token_invalid`.
        """
        token = self.live_token(call.bearer(), "access")
        if token is None or token.creator is None:
            raise Refused("access_token_invalid", "The access token is invalid or not found in the request.")
        return token.app, token.creator, frozenset(token.scopes)

    def task(self, publish_id: object) -> Task | None:
        """Return the task with this id, or None if the id is unknown or too old."""
        task = self.tasks.get(publish_id) if isinstance(publish_id, str) else None
        life = self.switches.publish_id_seconds
        if task is None or (life is not None and self.now >= task.created_at + timedelta(seconds=life)):
            return None
        return task

    def disconnect(self, app: App, creator: Creator) -> None:
        """Invalidate every token of this account for this app; posts in progress fail with `auth_removed`."""
        self.removals.append((app, self.account(app, creator), self.now))
        for token in self.tokens.values():
            token.dead |= token.app is app and token.creator is creator
        for code in self.codes.values():
            code.used |= code.app is app and code.creator is creator
        self.consents.pop((app, creator), None)
        for task in self.tasks.values():
            if task.app is app and task.creator is creator and self._in_progress(task):
                task.cut = (self.now, "auth_removed")

    def _in_progress(self, task: Task) -> bool:
        state = task.state(self.now, self.switches)
        return state.status not in {"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"}
