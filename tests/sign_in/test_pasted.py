"""Reading a pasted answer: the lines that count, and the end of the input."""

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

import pytest

from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.pasted import read_pasted
from tiktok_core import Authorization, Secret, SignInFailed

STATE = "the-state-of-this-sign-in"
CODE = "Xy12Ab34Cd56Ef78Gh90*1!4608.va"
AUTHORIZATION = Authorization(
    url="https://www.example.com/", redirect_uri="", scopes=(), state=Secret(STATE), code_verifier=None
)


def _in_memory(text: str) -> TextIO:
    return io.StringIO(text)


def _piped(text: str) -> TextIO:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        stream.write(text)
    return os.fdopen(reader)


@pytest.fixture(params=[_in_memory, _piped])
def stdin(request: pytest.FixtureRequest) -> Callable[[str], TextIO]:
    """Make a standard input of each kind: without a descriptor, and with one."""
    make: Callable[[str], TextIO] = request.param
    return make


Read = Callable[..., Answers]


@pytest.fixture
def read(stdin: Callable[[str], TextIO], monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read a text as standard input, to its end."""

    def run(text: str, *, takes_codes: bool, is_only_way: bool = True) -> Answers:
        answers = Answers()
        with contextlib.closing(stdin(text)) as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            read_pasted(
                answers,
                accepts_state(AUTHORIZATION),
                takes_codes=takes_codes,
                refused=lambda: None,
                is_only_way=is_only_way,
            )
            for thread in threading.enumerate():
                if thread.name == "tiktok-pasted":
                    thread.join(20)
        return answers

    return run


@pytest.mark.parametrize("line", [f"https://a.example/?code=x&state={STATE}", f"code=x&state={STATE}"])
@pytest.mark.parametrize("takes_codes", [True, False])
def test_an_address_with_its_state_counts(read: Read, line: str, takes_codes: bool) -> None:
    """The whole address or its query counts, even after other lines."""
    assert read(f"\n what?\n{line}\n", takes_codes=takes_codes).wait(1) == line


def test_a_code_alone_counts_where_it_may(read: Read) -> None:
    """A code alone counts only if PKCE ties it to the sign-in."""
    assert read(f"{CODE}\n", takes_codes=True).wait(1) == CODE
    with pytest.raises(SignInFailed, match="input ended"):
        read(f"{CODE}\n", takes_codes=False).wait(1)


@pytest.mark.parametrize("state", ["wrong", ""])
def test_a_wrong_state_is_never_made_good_by_a_code(read: Read, state: str) -> None:
    """A line in the shape of an address needs the state, even if a code alone would count."""
    with pytest.raises(SignInFailed, match="input ended"):
        read(f"https://a.example/?code={CODE}&state={state}\n", takes_codes=True).wait(1)


def test_the_end_of_the_input_ends_the_wait_only_where_nothing_else_can_come(read: Read) -> None:
    """The end of the input ends the wait only if no listener runs."""
    with pytest.raises(SignInFailed, match="no answer came"):
        read("", takes_codes=True, is_only_way=False).wait(0.01)


def test_a_line_without_end_is_not_kept(read: Read) -> None:
    """A line longer than any answer is discarded; the answer after it still counts."""
    answer = f"https://a.example/?code=x&state={STATE}"
    assert read(f"{'x' * 20_000}\n{answer}\n", takes_codes=True).wait(1) == answer


def test_an_input_that_breaks_has_ended(monkeypatch: pytest.MonkeyPatch, read: Read) -> None:
    """An input that raises an error has ended, such as a closed terminal."""

    def broken(_descriptor: int, _count: int) -> bytes:
        raise OSError(5, "gone")

    monkeypatch.setattr("tiktok_adapters.sign_in.pasted.os.read", broken)
    with pytest.raises(SignInFailed, match="input ended"):
        read("", takes_codes=True).wait(1)
