"""Secrets stay secret: the tests look for a canary wherever a value can show itself."""

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import App
from tiktok_core.domain.publishing import Begun
from tiktok_core.domain.qr import QrAnswer, QrCode
from tiktok_core.domain.sign_in import Authorization, Callback
from tiktok_core.domain.tokens import ClientToken, Secret, Tokens
from tiktok_core.wire.http import Request, Response

CANARY = "kanarienvogel"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
URL = f"https://x.tiktokapis.com/video/?upload_token={CANARY}"

HOLDERS = {
    "secret": Secret(CANARY),
    "app": App("key", CANARY, "http://127.0.0.1:*/cb/"),
    "tokens": Tokens(
        open_id="-000",
        access_token=Secret(CANARY),
        refresh_token=Secret(CANARY),
        scope=(),
        issued_at=NOW,
        expires_at=NOW,
        refresh_expires_at=NOW,
    ),
    "authorization": Authorization(
        url=f"https://www.tiktok.com/v2/auth/authorize/?state={CANARY}",
        redirect_uri="http://127.0.0.1:1/",
        scopes=(),
        state=Secret(CANARY),
        code_verifier=Secret(CANARY),
    ),
    "callback": Callback(code=Secret(CANARY)),
    "client token": ClientToken(access_token=Secret(CANARY), issued_at=NOW, expires_at=NOW),
    "qr code": QrCode(
        url=f"aweme://authorize?client_ticket={CANARY}",
        token=Secret(CANARY),
        client_ticket=Secret(CANARY),
        scopes=(),
        begun_at=NOW,
    ),
    "qr answer": QrAnswer(status="confirmed", client_ticket="", code=Secret(CANARY)),
    "ticket": Begun(publish_id="v_pub_file~v2-1.1", upload_url=Secret(URL)),
    "request": Request(
        method="POST", url=URL, headers={"Authorization": f"Bearer {CANARY}"}, body=f"code={CANARY}".encode()
    ),
    "response": Response(200, {"location": CANARY}, CANARY.encode()),
}
holders = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
secret_holders = pytest.mark.parametrize(
    "holder",
    [HOLDERS[name] for name in ("secret", "app", "tokens", "authorization", "callback", "client token", "qr code")],
)


class Collected(logging.Handler):
    """Keeps the lines of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


@holders
def test_no_holder_shows_its_secret(holder: object) -> None:
    """Neither repr nor str nor formatting nor pretty-printing shows it, alone or inside a container."""
    shown = [
        repr(holder),
        str(holder),
        f"{holder}",
        f"{holder!r:>200}",
        "%s %r" % (holder, holder),  # noqa: UP031 - the old way must not show it either
        "{} {!r} {!s}".format(holder, holder, holder),  # noqa: UP032 - nor this one
        pprint.pformat([holder]),
        repr({"it": [holder]}),
        repr(ValueError(holder)),
    ]
    assert not [text for text in shown if CANARY in text]


@holders
def test_no_holder_shows_its_secret_in_a_log(holder: object) -> None:
    """A log record shows no secret in its message, arguments or traceback."""
    collected, logger = Collected(), logging.Logger("canary", logging.DEBUG)  # noqa: LOG001 - of this test alone
    logger.addHandler(collected)
    logger.info("%s and %r", holder, holder)
    logger.info(holder)
    try:
        raise RuntimeError(holder)
    except RuntimeError:
        logger.exception("it broke: %s", holder)
    assert len(collected.lines) == 3
    assert CANARY not in "\n".join(collected.lines)


@holders
def test_no_traceback_shows_a_secret(holder: object) -> None:
    """A traceback shows no secret, even if the crash report lists the local variables."""
    try:
        _ = holder
        raise RuntimeError("broken")
    except RuntimeError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(report.format())
    assert "holder = " in text
    assert CANARY not in text


@secret_holders
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_secrets_are_not_pickled(holder: object, protocol: int) -> None:
    """No protocol pickles a secret, and the refusal does not quote the secret."""
    with pytest.raises(TypeError, match="not pickled") as caught:
        pickle.dumps(holder, protocol)
    assert CANARY not in str(caught.value)


@secret_holders
@pytest.mark.parametrize("dump", [json.dumps, copy.deepcopy])
def test_secrets_are_not_written_or_copied(holder: object, dump: Callable[[object], object]) -> None:
    """JSON cannot write a secret, and a deep copy does not duplicate one."""
    with pytest.raises(TypeError) as caught:
        dump(holder)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("holder", [HOLDERS["app"], HOLDERS["tokens"], HOLDERS["callback"]])
def test_a_dictionary_of_fields_keeps_secrets_covered(holder: attrs.AttrsInstance) -> None:
    """A dictionary of the fields, written with any fallback, does not show the secret."""
    fields = attrs.asdict(holder)
    assert CANARY not in repr(fields)
    assert CANARY not in json.dumps(fields, default=str)
    assert CANARY not in json.dumps(fields, default=repr)
    assert any(isinstance(value, Secret) for value in fields.values())


def test_a_format_specification_does_not_open_a_secret() -> None:
    """Formatting a secret with a width raises, instead of showing its text."""
    with pytest.raises(TypeError):
        format(Secret(CANARY), ">40")


@given(st.text(), st.text())
def test_secrets_are_equal_by_content(one: str, two: str) -> None:
    """Equality and hash follow the content. A plain string is no secret, and wrapping twice changes nothing."""
    assert (Secret(one) == Secret(two)) == (one == two)
    assert hash(Secret(one)) == hash(Secret(Secret(one)))
    assert Secret(Secret(one)).reveal() == one
    assert Secret(one) != one
    assert bool(Secret(one)) == bool(one)
    assert len({Secret(one), Secret(one)}) == 1


@given(st.text(min_size=1))
def test_a_secrets_text_never_depends_on_its_content(content: str) -> None:
    """Every secret has the same text, which does not even reveal its length."""
    assert (repr(Secret(content)), str(Secret(content))) == (repr(Secret("")), str(Secret("")))


def test_a_secret_has_no_state() -> None:
    """A serialiser that reads the state of objects is refused as a pickle is."""
    with pytest.raises(TypeError, match="token store"):
        Secret(CANARY).__getstate__()
