"""PKCE in TikTok's variant, the state, the answer of a browser or a phone, and a stored sign-in."""

import hashlib
import json
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import AppKind
from tiktok_core.domain.pkce import ChallengeEncoding, challenge_of, encoding_for, make_state, make_verifier, same_state
from tiktok_core.domain.qr import QrAnswer, QrCode, granted_code_of_qr
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.sign_in import (
    Authorization,
    Callback,
    bare_code,
    check_age,
    failed,
    granted_code,
    granted_code_alone,
    refused,
)
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import AccessDenied, GrantRejected, InvalidInput, SignInFailed, StateMismatch

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
STATE = "5f2c9d"
CODE = "Xy12Ab34Cd56Ef78Gh90*1!4608.va"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)


def authorization(state: str = STATE) -> Authorization:
    """Return a sign-in that waits for its answer."""
    return Authorization(
        url="https://www.tiktok.com/v2/auth/authorize/",
        redirect_uri="http://127.0.0.1:3455/callback/",
        scopes=("user.info.basic",),
        state=Secret(state),
        code_verifier=Secret(VERIFIER),
    )


def test_the_challenge_is_tiktoks_hexadecimal() -> None:
    """The published example gives 64 lower-case hexadecimal digits, where the RFC would give base64url."""
    assert (
        challenge_of(VERIFIER, ChallengeEncoding.HEX)
        == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    )


def test_the_rfcs_challenge_is_still_there() -> None:
    """The base64url encoding matches the example of RFC 7636, appendix B; and `NONE` gives no challenge."""
    assert challenge_of(VERIFIER, ChallengeEncoding.BASE64URL) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert challenge_of(VERIFIER, ChallengeEncoding.NONE) is None


@pytest.mark.parametrize("kind", list(AppKind))
def test_the_documented_encoding_is_the_default(kind: AppKind) -> None:
    """A program does not have to know that TikTok's challenge is hexadecimal."""
    assert encoding_for(kind) is ChallengeEncoding.HEX


@given(st.binary(min_size=48, max_size=48), st.binary(min_size=32, max_size=32))
def test_verifier_and_state_are_of_the_unreserved_alphabet(seed: bytes, other: bytes) -> None:
    """For any entropy, the verifier has 43 to 128 allowed characters, and the state needs no escaping."""
    verifier = make_verifier(lambda length: seed[:length])
    state = make_state(lambda length: other[:length])
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", state)
    challenge = challenge_of(verifier, ChallengeEncoding.HEX)
    assert challenge == hashlib.sha256(verifier.encode("ascii")).hexdigest()


@given(st.integers(), st.integers())
def test_other_entropy_gives_another_verifier_and_state(one: int, two: int) -> None:
    """No random bit is lost: different entropy never gives the same secret."""
    made = [
        (make_verifier(random.Random(seed).randbytes), make_state(random.Random(seed).randbytes)) for seed in (one, two)
    ]
    same = random.Random(one).randbytes(48) == random.Random(two).randbytes(48)
    assert (made[0][0] == made[1][0]) == same
    assert len({*made[0], *made[1]}) == (2 if same else 4)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 43 + "\n", "é" * 43])
def test_a_bad_verifier_is_refused(verifier: str) -> None:
    """TikTok would refuse such a verifier only after the person's consent. The library refuses it before."""
    for encoding in ChallengeEncoding:
        with pytest.raises(ValueError, match="43 to 128"):
            challenge_of(verifier, encoding)


@pytest.mark.parametrize("verifier", ["a" * 43, "-._~" * 32])
def test_the_longest_and_shortest_verifiers_are_taken(verifier: str) -> None:
    """The limits themselves are inside."""
    assert challenge_of(verifier, ChallengeEncoding.HEX)


@given(ANY_TEXT, ANY_TEXT)
def test_states_are_the_same_when_they_are_equal(sent: str, received: str) -> None:
    """Any texts can be compared, even with lone surrogates, and only equal ones are the same."""
    assert same_state(sent, received) == (sent == received)
    assert same_state(sent, sent)


def test_a_surrogate_pair_is_not_its_character() -> None:
    """Two halves of a pair are not the character they would encode."""
    assert not same_state("\ud83d\ude00", "\U0001f600")


@given(ANY_TEXT, ANY_TEXT.filter(lambda text: text != STATE))
def test_the_state_is_checked_before_anything_is_believed(error: str, state: str) -> None:
    """With another state, or none, neither a code nor an error counts."""
    for callback in (Callback(state=state, error=error), Callback(state=state, code=Secret("code"))):
        with pytest.raises(StateMismatch):
            granted_code(authorization(), callback)


def test_an_empty_state_never_matches() -> None:
    """Even a sign-in that had no state cannot be answered without one."""
    with pytest.raises(StateMismatch):
        granted_code(authorization(state=""), Callback(code=Secret("code")))


def test_a_code_with_the_right_state_is_granted() -> None:
    """The code comes out unchanged, with its stars and exclamation marks."""
    assert granted_code(authorization(), Callback(state=STATE, code=Secret("Xy*1!4608.va"))).reveal() == "Xy*1!4608.va"


def test_an_error_wins_over_a_code() -> None:
    """An answer with both is a refusal, with TikTok's text and its explanation."""
    callback = Callback(state=STATE, code=Secret("c"), error="access_denied", error_description="No, thanks")
    with pytest.raises(AccessDenied, match="No, thanks") as caught:
        granted_code(authorization(), callback)
    assert caught.value.explanation is not None


# error, error_type, errCode: the rows of TikTok's own error page, and the word whose explanation each of them gets.
PAGE_ROWS = [
    ("unauthorized_client", "client_key", "", "client_key"),
    ("param_error", "client_key", "10003", "10003"),
    ("invalid_scope", "scope", "", "scope"),
    ("invalid_request", "redirect_uri", "", "redirect_uri"),
    ("", "redirect_uri", "", "redirect_uri"),
    ("param_error", "code_challenge", "10007", "code_challenge"),
    ("param_error", "code_challenge_method", "10008", "code_challenge_method"),
    ("access_denied", "non_sandbox_target", "", "non_sandbox_target"),
    ("param_error", "not_yet_known", "", "param_error"),
]


@pytest.mark.parametrize(("error", "error_type", "error_code", "explained"), PAGE_ROWS)
def test_each_row_of_tiktoks_error_page_is_a_typed_error_that_says_what_to_correct(
    error: str, error_type: str, error_code: str, explained: str
) -> None:
    """The error keeps the three words and explains the most exact one. Only a person's own refusal is `AccessDenied`."""
    answer = Callback(state=STATE, error=error, error_type=error_type, error_code=error_code)
    with pytest.raises(SignInFailed) as caught:
        granted_code(authorization(), answer)
    assert type(caught.value) is SignInFailed
    assert (caught.value.code, caught.value.error_type, caught.value.error_code) == (
        error or error_type,
        error_type,
        error_code,
    )
    assert caught.value.explanation == explain(explained)
    assert all(word in str(caught.value) for word in (error, error_type, error_code))


def test_an_answer_with_nothing_in_it_is_a_failure() -> None:
    """An answer with neither code nor error is no success."""
    with pytest.raises(SignInFailed, match="neither"):
        granted_code(authorization(), Callback(state=STATE))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("access_denied", AccessDenied),
        ("invalid_grant", GrantRejected),
        ("invalid_scope", SignInFailed),
        ("x", SignInFailed),
    ],
)
def test_the_class_follows_oauths_word(code: str, kind: type[SignInFailed]) -> None:
    """Each word of OAuth's raises its class, which keeps the other fields."""
    error = failed(code, "why", "log1", 400)
    assert type(error) is kind
    assert (error.code, error.message, error.log_id, error.status) == (code, "why", "log1", 400)
    assert (error.explanation is None) == (code == "x")


# --- A code alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [CODE, f" {CODE}\n", quote(CODE, safe=""), CODE.replace("*", "%2a")])
def test_a_code_alone_is_known_by_its_shape(text: str) -> None:
    """The code may be plain or as in a URL, with the characters that a terminal puts around it."""
    assert bare_code(text) == Secret(CODE)
    assert granted_code_alone(authorization(), text) == Secret(CODE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "what?",
        "yes",
        "Xy*1!4608.va",
        f"code={CODE}",
        f"?{CODE}",
        f"http://127.0.0.1:1/callback/?code={CODE}&state={STATE}",
        f"{CODE} {CODE}",
        f"{CODE}%0d%0a{CODE}",
        f"{CODE}%00",
        f"{CODE}%ff",
        f"{CODE}\u0661",
        "x" * 2049,
    ],
)
def test_nothing_else_is_a_code(text: str) -> None:
    """A word, a URL, and a text that could smuggle something in are no codes."""
    assert bare_code(text) is None
    with pytest.raises(InvalidInput, match="code"):
        granted_code_alone(authorization(), text)


def test_a_code_alone_needs_a_verifier() -> None:
    """A code alone has no state, so without PKCE nothing ties it to this sign-in."""
    begun = authorization()
    unbound = Authorization(
        url=begun.url, redirect_uri=begun.redirect_uri, scopes=begun.scopes, state=begun.state, code_verifier=None
    )
    with pytest.raises(SignInFailed, match="a code alone is not enough"):
        granted_code_alone(unbound, CODE)


# --- A stored sign-in ------------------------------------------------------------------------------------------------

MOMENTS = st.datetimes(timezones=st.just(UTC))
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(WORDS, WORDS, st.none() | WORDS, st.none() | MOMENTS)
def test_a_sign_in_comes_back_as_it_was_kept(uri: str, state: str, verifier: str | None, begun_at: Any) -> None:
    """Everything but the page's URL, which is no longer needed, comes back through JSON."""
    begun = Authorization(
        url="",
        redirect_uri=uri,
        scopes=("user.info.basic", "video.upload"),
        state=Secret(state),
        code_verifier=None if verifier is None else Secret(verifier),
        begun_at=begun_at,
    )
    assert Authorization.restore(json.loads(json.dumps(begun.reveal()))) == begun


@given(WORDS, WORDS, WORDS, MOMENTS)
def test_a_qr_code_comes_back_as_it_was_kept(url: str, token: str, ticket: str, begun_at: datetime) -> None:
    """A sign-in by QR code comes back with its URL, because a program may have to draw it again."""
    begun = QrCode(
        url=url, token=Secret(token), client_ticket=Secret(ticket), scopes=("video.upload",), begun_at=begun_at
    )
    assert QrCode.restore(json.loads(json.dumps(begun.reveal()))) == begun


@pytest.mark.parametrize("kept", [{}, {"state": 1}, {"begun_at": "yesterday"}, {"begun_at": "2026-11-22T12:00:00"}])
@pytest.mark.parametrize("kind", [Authorization, QrCode])
def test_what_was_not_kept_is_refused(kind: Any, kept: dict[str, Any]) -> None:
    """A session without its sign-in, or with something else, raises an error that says so."""
    whole = dict.fromkeys(("url", "token", "client_ticket", "redirect_uri", "scopes", "state", "code_verifier"), "x")
    for given_kept in (kept, whole | kept) if "begun_at" in kept else (kept,):
        with pytest.raises(InvalidInput, match="begin the sign-in again"):
            kind.restore(given_kept)


@given(st.timedeltas(timedelta(0), timedelta(minutes=20)))
def test_a_sign_in_is_old_after_ten_minutes(age: timedelta) -> None:
    """The limit is exact. A sign-in without a known beginning is never too old."""
    check_age(None, NOW)
    if age <= timedelta(minutes=10):
        check_age(NOW - age, NOW)
        return
    with pytest.raises(SignInFailed, match="10 minutes"):
        check_age(NOW - age, NOW)


@pytest.mark.parametrize(
    ("seconds", "said"), [(59.0, "59 seconds"), (60.0, "1 minutes"), (90.0, "1.5 minutes"), (2_700.0, "45 minutes")]
)
def test_how_long_an_answer_counts_is_said_in_its_unit(seconds: float, said: str) -> None:
    """Below a minute in seconds."""
    with pytest.raises(SignInFailed, match=f"more than {said} ago"):
        check_age(NOW - timedelta(hours=2), NOW, seconds)


@pytest.mark.parametrize("error_type", ["", "client_key", "zzz"])
def test_only_a_target_that_is_missing_is_no_refusal_by_the_person(error_type: str) -> None:
    """Of any other kind of `access_denied` the person has denied the access."""
    said = Callback(state=STATE, error="access_denied", error_type=error_type)
    assert type(refused(said)) is AccessDenied
    assert type(refused(evolve(said, error_type="non_sandbox_target"))) is SignInFailed


# --- The answer to a QR code ------------------------------------------------------------------------------------------


def qr_code() -> QrCode:
    """Return a QR code that was drawn."""
    return QrCode(url="aweme://authorize", token=Secret("t"), client_ticket=Secret(STATE), scopes=(), begun_at=NOW)


@given(ANY_TEXT.filter(lambda text: text != STATE))
def test_a_ticket_that_is_not_ours_is_not_believed(ticket: str) -> None:
    """The rest of the answer does not matter."""
    with pytest.raises(StateMismatch):
        granted_code_of_qr(qr_code(), QrAnswer(status="confirmed", client_ticket=ticket, code=Secret(CODE)))


def test_our_ticket_grants_the_code() -> None:
    """With our ticket the code counts; without a code there is none."""
    answer = QrAnswer(status="confirmed", client_ticket=STATE, code=Secret(CODE))
    assert granted_code_of_qr(qr_code(), answer) == Secret(CODE)
    with pytest.raises(SignInFailed, match="no code"):
        granted_code_of_qr(qr_code(), QrAnswer(status="confirmed", client_ticket=STATE))
