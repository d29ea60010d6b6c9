"""Read the answer that a person pastes into the terminal: a callback URL, or only its code.

What belongs here: reading lines of standard input in a thread.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

from tiktok_adapters.sign_in import Answers, belongs
from tiktok_core.domain.sign_in import bare_code
from tiktok_core.domain.tokens import Secret
from tiktok_core.hidden import Hidden

__all__ = ["read_pasted"]

BLOCK: Final = 4096
LONGEST: Final = 8192


def read_pasted(
    answers: Answers,
    accepts: Callable[[str], bool],
    *,
    takes_codes: bool,
    refused: Callable[[], None],
    is_only_way: bool,
) -> None:
    """Start to read standard input, and hand over the first line that is the answer to this sign-in.

    Args:
        answers: receives the answer.
        accepts: checks whether a state belongs to this sign-in.
        takes_codes: whether a code without a URL counts as an answer. Such a code carries no state. So allow it only with
            PKCE, and only where a person pastes it.
        refused: called for each line that is not the answer. Reading goes on.
        is_only_way: whether no other way can bring the answer. If so, the end of the input ends the wait.
    """

    def read() -> None:
        for line in _lines():
            if not line:
                continue
            if belongs(line, accepts) or (takes_codes and bare_code(line)):
                answers.put(line)
                return
            refused()
        if is_only_way:
            answers.give_up()

    threading.Thread(target=read, name="tiktok-pasted", daemon=True).start()


def _lines() -> Iterator[Secret]:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):  # Standard input is no file, closed or missing.
        yield from (Secret(line) for line in map(str.strip, sys.stdin or ()))
        return
    # Read the descriptor: a thread inside `sys.stdin.readline` would crash the interpreter when it exits.
    rest = Hidden(b"")
    while block := _read(descriptor):
        *lines, rest = map(Hidden, (rest.reveal() + block.reveal()).split(b"\n"))
        yield from map(_text, lines)
        rest = rest if len(rest.reveal()) <= LONGEST else Hidden(b"")
    yield _text(rest)


def _text(line: Hidden[bytes]) -> Secret:
    return Secret(line.reveal().decode("utf-8", "replace").strip())


def _read(descriptor: int) -> Hidden[bytes]:
    try:
        return Hidden(os.read(descriptor, BLOCK))
    except OSError:
        return Hidden(b"")
