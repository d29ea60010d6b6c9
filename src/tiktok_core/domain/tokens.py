"""Tokens and their life: when they end, when to renew them, what was granted; and secrets that do not show.

Sources: developers.tiktok.com/doc/oauth-user-access-token-management (two dated answers on lifetimes and rotation,
so every figure is taken from the answer itself), /doc/client-access-token-management.
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
    """A string that does not show itself: not in repr, str, format, logs or pickles.

    `reveal()` is the one way to its content, so a search for that word finds every place where a secret leaves.
    """

    __slots__ = ()

    def __init__(self, content: "str | Hidden[str]", /) -> None:
        super().__init__(content.reveal() if isinstance(content, Hidden) else content)


@frozen(kw_only=True)
class Tokens:
    """What one account granted to the app.

    Attributes:
        open_id: the account, as this app sees it.
        access_token: sent with each call.
        refresh_token: renews the access token; may be replaced at each renewal.
        scope: the scopes that the person granted, which may be fewer than were asked for.
        issued_at: when these tokens came (UTC).
        expires_at: when the access token ends (UTC).
        refresh_expires_at: when the refresh token ends (UTC): from then on a person has to sign in again.
        generation: the number of the save that they come from; the store gives it, and none is ever given twice. It is no
            part of what was granted, so tokens that were only saved once more are equal.
        is_refused: whether TikTok has refused the refresh token (`invalid_grant`). It is never used again, and a person
            has to sign in; the access token may still live. No part of what was granted either.
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
        """Return the scopes of `wanted` that the person did not grant, in their order."""
        return tuple(scope for scope in wanted if not self.allows(scope))

    def is_expired(self, now: datetime) -> bool:
        """Whether the access token has ended."""
        return now >= self.expires_at

    def is_dead(self, now: datetime) -> bool:
        """Whether the refresh token has ended too, so that only a new sign-in helps."""
        return now >= self.refresh_expires_at

    def needs_sign_in_soon(self, now: datetime) -> bool:
        """Whether the refresh token ends within 30 days, so that a person had better sign in again before."""
        return now >= self.refresh_expires_at - SIGN_IN_SOON


@frozen(kw_only=True, eq=False)
class Unsaved:
    """Renewed tokens whose only copy is in memory.

    Attributes:
        account: whose they are.
        tokens: the new ones.
        over: those that they replace; TikTok no longer takes them.
    """

    account: str
    tokens: Tokens
    over: Tokens


@frozen(kw_only=True)
class ClientToken:
    """A token of the app itself, for calls without an account. Ask for another one when it ends.

    Attributes:
        access_token: sent with each call.
        issued_at: when it came (UTC).
        expires_at: when it ends (UTC).
    """

    access_token: Secret
    issued_at: datetime
    expires_at: datetime

    def is_expired(self, now: datetime) -> bool:
        """Whether it has ended."""
        return now >= self.expires_at


def parse_scope(text: str) -> tuple[str, ...]:
    """Return the scopes of TikTok's comma-separated list (blanks are tolerated)."""
    return tuple(sorted({word for word in text.replace(" ", ",").split(",") if word}))


def lifetime_end(now: datetime, seconds: float) -> datetime:
    """Return when a life of `seconds` from `now` ends; absurd lengths are cut to ten years."""
    # Not a number is greater than nothing, so that it is no time at all.
    return now + min(timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()) if seconds > 0 else 0), LONGEST_LIFE)


def needs_refresh(tokens: Tokens, now: datetime) -> bool:
    """Whether to renew before the next call: ended, or within the smaller of 300 s and a tenth of the life of its end.

    Renewing ahead never happens twice within 60 s: a server that hands out the same token again is not asked for ever.
    """
    if tokens.is_expired(now):
        return True
    life = tokens.expires_at - tokens.issued_at
    ahead = min(REFRESH_AHEAD, life / REFRESH_AHEAD_SHARE)
    return now >= tokens.expires_at - ahead and now - tokens.issued_at >= REFRESH_AT_MOST_EVERY


def is_newer(stored: Tokens, seen: Tokens) -> bool:
    """Whether the tokens were renewed, or a person signed in, since they were seen.

    The generation says so, not the access token: a server may hand out the same one again, with another refresh token.
    What was only saved once more, say under another key, is no newer.
    """
    return stored.generation != seen.generation and stored != seen


def renewed(old: Tokens, new: Tokens) -> Tokens:
    """Return what to keep after a renewal: an answer may leave out what did not change."""
    return evolve(
        new,
        open_id=new.open_id or old.open_id,
        refresh_token=new.refresh_token or old.refresh_token,
        refresh_expires_at=new.refresh_expires_at if new.refresh_token else old.refresh_expires_at,
        scope=new.scope or old.scope,
    )
