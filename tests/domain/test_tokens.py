"""Tokens: when the client renews them, what a renewal keeps, and what the person granted."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.tokens import ClientToken, Secret, Tokens, lifetime_end, needs_refresh, parse_scope, renewed

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECONDS = st.integers(0, 400 * 86_400)


def tokens(life: float = 86_400, refresh_life: float = 31_536_000, *, scope: tuple[str, ...] = ("a",)) -> Tokens:
    """Return tokens issued at `NOW`."""
    return Tokens(
        open_id="-000",
        access_token=Secret("act.1"),
        refresh_token=Secret("rft.1"),
        scope=scope,
        issued_at=NOW,
        expires_at=NOW + timedelta(seconds=life),
        refresh_expires_at=NOW + timedelta(seconds=refresh_life),
    )


def after(seconds: float) -> datetime:
    """Return the time so many seconds after the tokens came."""
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("life", "age", "due"),
    [
        (86_400, 0, False),
        (86_400, 86_099.9, False),
        (86_400, 86_100, True),
        (7_200, 6_899.9, False),
        (7_200, 6_900, True),
        (1_000, 899.9, False),
        (1_000, 900, True),
        (600, 539.9, False),
        (600, 540, True),
        (64, 59.9, False),
        (64, 60, True),
        (60, 59.9, False),
        (60, 60, True),
        (0, 0, True),
    ],
)
def test_tokens_are_renewed_shortly_before_their_end(*, life: float, age: float, due: bool) -> None:
    """The window is the smaller of 300 s and a tenth of the lifetime, to the second, for old and new lifetimes."""
    assert needs_refresh(tokens(life), after(age)) is due


@given(SECONDS, SECONDS)
def test_a_token_that_has_ended_is_always_renewed(life: int, late: int) -> None:
    """A caller never gets a dead token."""
    held = tokens(life)
    assert held.is_expired(after(life + late))
    assert needs_refresh(held, after(life + late))


@given(SECONDS, st.floats(0, 400 * 86_400))
def test_a_living_token_is_renewed_at_most_once_a_minute(life: int, age: float) -> None:
    """Ahead of its end the client renews a token only if it is a minute old, and within 300 s and a tenth of its end."""
    held, now = tokens(life), after(age)
    if not held.is_expired(now) and needs_refresh(held, now):
        left = held.expires_at - now
        assert now - held.issued_at >= timedelta(seconds=60)
        assert left <= timedelta(seconds=300)
        assert left * 10 <= held.expires_at - held.issued_at


@given(SECONDS, st.integers(-100, 100))
def test_a_refresh_token_dies_at_its_end(life: int, beside: int) -> None:
    """From the very second of its end only a person can sign in."""
    assert tokens(refresh_life=life).is_dead(after(life + beside)) == (beside >= 0)


@given(st.integers(-(10**30), 10**30))
def test_no_lifetime_breaks_the_clock(seconds: int) -> None:
    """Absurd lifetimes end between now and ten years from now; sensible ones are exact to the second."""
    end = lifetime_end(NOW, seconds)
    assert NOW <= end <= NOW + timedelta(days=3660)
    if 0 <= seconds <= 31_536_000:
        assert end == NOW + timedelta(seconds=seconds)


def test_a_renewal_takes_what_is_new() -> None:
    """A rotated refresh token, its new lifetime, and the new scopes replace the old ones."""
    new = evolve(tokens(7_200, 15_552_000, scope=("b",)), access_token=Secret("act.2"), refresh_token=Secret("rft.2"))
    assert renewed(tokens(), new) == new


def test_a_renewal_keeps_what_the_answer_left_out() -> None:
    """Without a new refresh token the old one stays, with its own end. Account and scopes stay, too."""
    old = tokens(refresh_life=1_000)
    new = evolve(tokens(scope=()), open_id="", access_token=Secret("act.2"), refresh_token=Secret(""))
    kept = renewed(old, new)
    assert kept.access_token == Secret("act.2")
    assert (kept.refresh_token, kept.refresh_expires_at) == (old.refresh_token, old.refresh_expires_at)
    assert (kept.open_id, kept.scope) == (old.open_id, old.scope)


@given(st.lists(st.text("abc.", min_size=1, max_size=8)), st.sampled_from([",", ", ", " ", ",,", " ,"]))
def test_scopes_are_read_with_any_separator(words: list[str], separator: str) -> None:
    """Commas are documented, and blanks are accepted. No empty scope is granted, and each scope comes once."""
    assert set(parse_scope(separator.join(words))) == set(words)
    assert len(parse_scope(separator.join(words))) == len(set(words))


def test_scopes_that_were_not_granted_are_told() -> None:
    """People untick scopes: the missing ones are listed in the order of the request."""
    held = tokens(scope=("video.upload", "user.info.basic"))
    assert held.allows("video.upload")
    assert not held.allows("video")
    assert held.missing(["video.publish", "video.upload", "video.list"]) == ("video.publish", "video.list")


@given(SECONDS, st.integers(-100, 100))
def test_a_sign_in_that_ends_soon_is_told(life: int, beside: int) -> None:
    """The warning begins 30 days before the refresh token's end, to the second."""
    last = life - 30 * 86_400 + beside
    assert tokens(refresh_life=life).needs_sign_in_soon(after(last)) == (beside >= 0)


@given(SECONDS, st.integers(-100, 100))
def test_the_apps_own_token_ends_at_its_end(life: int, beside: int) -> None:
    """The token is dead from the very second of its end."""
    token = ClientToken(access_token=Secret("clt.1"), issued_at=NOW, expires_at=after(life))
    assert token.is_expired(after(life + beside)) == (beside >= 0)
