"""Reading a pasted answer: which lines count, and when the end of the input ends the wait."""

import io
import sys
import threading

import pytest

from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.pasted import read_pasted
from tiktok_core import Authorization, Secret, SignInFailed

STATE = "the-state-of-this-sign-in"
CODE = "Xy12Ab34Cd56Ef78Gh90*1!4608.va"
AUTHORIZATION = Authorization(
    url="https://www.example.com/", redirect_uri="", scopes=(), state=Secret(STATE), code_verifier=None
)


def _read(monkeypatch: pytest.MonkeyPatch, text: str, *, takes_codes: bool, is_only_way: bool = True) -> Answers:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    answers, refused = Answers(), []
    read_pasted(
        answers,
        accepts_state(AUTHORIZATION),
        takes_codes=takes_codes,
        refused=lambda: refused.append(1),
        is_only_way=is_only_way,
    )
    for thread in threading.enumerate():
        if thread.name == "tiktok-pasted":
            thread.join(20)
    return answers


@pytest.mark.parametrize("line", [f"https://a.example/?code=x&state={STATE}", f"code=x&state={STATE}"])
@pytest.mark.parametrize("takes_codes", [True, False])
def test_an_address_with_its_state_counts(monkeypatch: pytest.MonkeyPatch, line: str, takes_codes: bool) -> None:
    """The whole address or its query, after lines that are something else."""
    assert _read(monkeypatch, f"\n what?\n{line}\n", takes_codes=takes_codes).wait(1) == line


def test_a_code_alone_counts_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where PKCE ties it to the sign-in."""
    assert _read(monkeypatch, f"{CODE}\n", takes_codes=True).wait(1) == CODE
    with pytest.raises(SignInFailed, match="input ended"):
        _read(monkeypatch, f"{CODE}\n", takes_codes=False).wait(1)


@pytest.mark.parametrize("state", ["wrong", ""])
def test_a_wrong_state_is_never_made_good_by_a_code(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Whatever has the shape of an address needs the state, also where codes alone are taken."""
    with pytest.raises(SignInFailed, match="input ended"):
        _read(monkeypatch, f"https://a.example/?code={CODE}&state={state}\n", takes_codes=True).wait(1)


def test_the_end_of_the_input_ends_the_wait_only_where_nothing_else_can_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a listener the wait goes on."""
    with pytest.raises(SignInFailed, match="nobody answered"):
        _read(monkeypatch, "", takes_codes=True, is_only_way=False).wait(0.01)
