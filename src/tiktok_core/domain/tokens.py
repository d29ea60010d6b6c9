"""Tokens: when they end, when to renew them, and which scopes the person granted; and the wrapper of a secret string.

Sources: developers.tiktok.com/doc/oauth-user-access-token-management, /doc/client-access-token-management. The first has given
two different answers on lifetimes and rotation, so this library takes every figure from TikTok's answer itself.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, field, frozen

from tiktok_core.hidden import Hidden

__all__ = [
    "ClientToken",
    "Secret",
    "Tokens",
    "Unsaved",
    "is_newer",
    "lifetime_end",
    "needs_refresh",
    "parse_scope",
    "renewed",
]

REFRESH_AHEAD: Final = timedelta(seconds=300)
REFRESH_AHEAD_SHARE: Final = 10
REFRESH_AT_MOST_EVERY: Final = timedelta(seconds=60)
SIGN_IN_SOON: Final = timedelta(days=30)
LONGEST_LIFE: Final = timedelta(days=366 * 10)


class Secret(Hidden[str]):
    """A string that hides its content from `repr`, `str`, `format` and logs, and that cannot be pickled.

    Only `reveal()` returns the content, so a search for that word finds every place where a secret leaves.
    """

    __slots__ = ()

    def __init__(self, content: "str | Hidden[str]", /) -> None:
        super().__init__(content.reveal() if isinstance(content, Hidden) else content)


@frozen(kw_only=True)
class Tokens:
    """The tokens of one account.

    Attributes:
        open_id: TikTok's id of the account, which holds for this app only.
        access_token: the token that the library sends with each call.
        refresh_token: the token that renews the access token; TikTok may replace it at each renewal.
        scope: the scopes that the person granted, possibly fewer than the app asked for.
        issued_at: when TikTok issued these tokens (UTC).
        expires_at: when the access token ends (UTC).
        refresh_expires_at: when the refresh token ends (UTC); after that, the person has to sign in again.
        generation: the number of the save that wrote these tokens; a store never gives a number twice. A comparison of two
            tokens ignores it, so saving tokens again does not make them different.
        is_refused: whether TikTok has refused the refresh token (`invalid_grant`). The library then does not use it again,
            and the person has to sign in; the access token may still work. A comparison ignores this too.
    """

    open_id: str
    access_token: Secret
    refresh_token: Secret
    scope: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    refresh_expires_at: datetime
    generation: int = field(default=0, eq=False)
    is_refused: bool = field(default=False, eq=False)

    def allows(self, scope: str) -> bool:
        """Whether the person granted this scope."""
        return scope in self.scope

    def missing(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Return those of the `wanted` scopes that the person did not grant, in their order."""
        return tuple(scope for scope in wanted if not self.allows(scope))

    def is_expired(self, now: datetime) -> bool:
        """Whether the access token has ended."""
        return now >= self.expires_at

    def is_dead(self, now: datetime) -> bool:
        """Whether the refresh token has ended too, so that only a new sign-in helps."""
        return now >= self.refresh_expires_at

    def needs_sign_in_soon(self, now: datetime) -> bool:
        """Whether the refresh token ends within 30 days, so that the person should sign in again before."""
        return now >= self.refresh_expires_at - SIGN_IN_SOON


@frozen(kw_only=True, eq=False)
class Unsaved:
    """Renewed tokens that the store does not hold yet, so that memory has the only copy.

    Attributes:
        account: the account's name in the store.
        tokens: the new tokens.
        over: the tokens that they replace; TikTok no longer accepts those.
    """

    account: str
    tokens: Tokens
    over: Tokens


@frozen(kw_only=True)
class ClientToken:
    """A token of the app itself, for calls on behalf of no account. When it ends, ask for another one.

    Attributes:
        access_token: the token to send with each call.
        issued_at: when TikTok issued it (UTC).
        expires_at: when it ends (UTC).
    """

    access_token: Secret
    issued_at: datetime
    expires_at: datetime

    def is_expired(self, now: datetime) -> bool:
        """Whether the token has ended."""
        return now >= self.expires_at


def parse_scope(text: str) -> tuple[str, ...]:
    """Return the scopes of TikTok's comma-separated list, sorted. The list may contain blanks."""
    return tuple(sorted({word for word in text.replace(" ", ",").split(",") if word}))


def lifetime_end(now: datetime, seconds: float) -> datetime:
    """Return the time `seconds` after `now`. Seconds below 0 count as 0, and a life is at most ten years."""
    # NaN is not greater than 0 either, so it counts as 0.
    return now + min(timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()) if seconds > 0 else 0), LONGEST_LIFE)


def needs_refresh(tokens: Tokens, now: datetime) -> bool:
    """Whether to renew the access token before the next call.

    That is so if it has ended, or ends within 300 s or a tenth of its life, whichever is shorter. A token that has not ended
    is not renewed within 60 s of its issue: otherwise a server that returns the same token again would be asked for ever.
    """
    if tokens.is_expired(now):
        return True
    life = tokens.expires_at - tokens.issued_at
    ahead = min(REFRESH_AHEAD, life / REFRESH_AHEAD_SHARE)
    return now >= tokens.expires_at - ahead and now - tokens.issued_at >= REFRESH_AT_MOST_EVERY


def is_newer(stored: Tokens, seen: Tokens) -> bool:
    """Whether the stored tokens come of a renewal or a sign-in after the caller saw `seen`.

    The generation decides, not the access token: a server may return the same access token with another refresh token.
    Tokens that a store only saved again, for example under another encryption key, are not newer.
    """
    return stored.generation != seen.generation and stored != seen


def renewed(old: Tokens, new: Tokens) -> Tokens:
    """Return the tokens to store after a renewal, whose answer may leave out values that did not change."""
    return evolve(
        new,
        open_id=new.open_id or old.open_id,
        refresh_token=new.refresh_token or old.refresh_token,
        refresh_expires_at=new.refresh_expires_at if new.refresh_token else old.refresh_expires_at,
        scope=new.scope or old.scope,
    )
