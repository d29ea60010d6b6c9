"""PKCE as TikTok does it, the state, and the answer that the browser brings back."""

import hashlib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import AppKind
from tiktok_core.domain.pkce import ChallengeEncoding, challenge_of, encoding_for, make_state, make_verifier, same_state
from tiktok_core.domain.sign_in import Authorization, Callback, failed, granted_code
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import AccessDenied, GrantRejected, SignInFailed, StateMismatch

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
STATE = "5f2c9d"
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
    """The published vector: 64 lower-case hexadecimal digits, where the RFC would have base64url."""
    assert (
        challenge_of(VERIFIER, ChallengeEncoding.HEX)
        == "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    )


def test_the_rfcs_challenge_is_still_there() -> None:
    """RFC 7636, appendix B, to the letter, for whoever needs it; and no challenge at all on request."""
    assert challenge_of(VERIFIER, ChallengeEncoding.BASE64URL) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert challenge_of(VERIFIER, ChallengeEncoding.NONE) is None


@pytest.mark.parametrize("kind", list(AppKind))
def test_the_documented_encoding_is_the_default(kind: AppKind) -> None:
    """Nobody has to know that TikTok's challenge is hexadecimal."""
    assert encoding_for(kind) is ChallengeEncoding.HEX


@given(st.binary(min_size=48, max_size=48), st.binary(min_size=32, max_size=32))
def test_verifier_and_state_are_of_the_unreserved_alphabet(seed: bytes, other: bytes) -> None:
    """Whatever the entropy, the verifier has 43 to 128 allowed characters and the state needs no escaping."""
    verifier = make_verifier(lambda length: seed[:length])
    state = make_state(lambda length: other[:length])
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", state)
    challenge = challenge_of(verifier, ChallengeEncoding.HEX)
    assert challenge == hashlib.sha256(verifier.encode("ascii")).hexdigest()


@given(st.integers(), st.integers())
def test_other_entropy_gives_another_verifier_and_state(one: int, two: int) -> None:
    """No random bit is lost: different entropy never ends in the same secret."""
    made = [
        (make_verifier(random.Random(seed).randbytes), make_state(random.Random(seed).randbytes)) for seed in (one, two)
    ]
    same = random.Random(one).randbytes(48) == random.Random(two).randbytes(48)
    assert (made[0][0] == made[1][0]) == same
    assert len({*made[0], *made[1]}) == (2 if same else 4)


@pytest.mark.parametrize("verifier", ["", "a" * 42, "a" * 129, "a" * 42 + "+", "a" * 43 + "\n", "é" * 43])
def test_a_bad_verifier_is_refused(verifier: str) -> None:
    """A verifier that TikTok would refuse after the person has consented is refused before."""
    for encoding in ChallengeEncoding:
        with pytest.raises(ValueError, match="43 to 128"):
            challenge_of(verifier, encoding)


@pytest.mark.parametrize("verifier", ["a" * 43, "-._~" * 32])
def test_the_longest_and_shortest_verifiers_are_taken(verifier: str) -> None:
    """The limits themselves are inside."""
    assert challenge_of(verifier, ChallengeEncoding.HEX)


@given(ANY_TEXT, ANY_TEXT)
def test_states_are_the_same_when_they_are_equal(sent: str, received: str) -> None:
    """Any text can be compared, surrogates and all, and only equals are the same."""
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
    """The code comes out as it is, stars and exclamation marks included."""
    assert granted_code(authorization(), Callback(state=STATE, code=Secret("Xy*1!4608.va"))).reveal() == "Xy*1!4608.va"


def test_an_error_wins_over_a_code() -> None:
    """An answer with both is a refusal, with what TikTok said and what it means."""
    callback = Callback(state=STATE, code=Secret("c"), error="access_denied", error_description="No, thanks")
    with pytest.raises(AccessDenied, match="No, thanks") as caught:
        granted_code(authorization(), callback)
    assert caught.value.explanation is not None


def test_an_answer_with_nothing_in_it_is_a_failure() -> None:
    """Neither code nor error is no success."""
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
    """Each word of OAuth's raises its class, and keeps what came with it."""
    error = failed(code, "why", "log1", 400)
    assert type(error) is kind
    assert (error.code, error.message, error.log_id, error.status) == (code, "why", "log1", 400)
    assert (error.explanation is None) == (code == "x")
