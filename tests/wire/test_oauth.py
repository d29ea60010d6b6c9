"""OAuth: the answer in the redirect, and the answers of the token endpoint, with any status."""

import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.sign_in import failed
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import (
    AccessDenied,
    GrantRejected,
    InvalidInput,
    PostingRefused,
    SignInFailed,
    TikTokError,
    UnexpectedResponse,
)
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.oauth import (
    callback_of,
    read_client_token,
    read_qr_answer,
    read_qr_code,
    read_revoked,
    read_tokens,
)
from tiktok_core.wire.reading import plain

REQUEST = Request(method="POST", url="https://open.tiktokapis.com/v2/oauth/token/")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
CANARY = "kanarienvogel"
ANSWER = {
    "access_token": "act.exampleAccess000",
    "expires_in": 86_400,
    "open_id": "-000AbCdEfGhIjKlMnOpQrStUvWxYz",
    "refresh_token": "rft.exampleRefresh000",
    "refresh_expires_in": 31_522_158,
    "scope": "user.info.basic,video.upload,video.publish",
    "token_type": "Bearer",
}
REDIRECT = "http://127.0.0.1:3455/callback/"
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def answer(document: object, status: int = 200) -> Response:
    """Return an answer of the token endpoint."""
    return Response(status, {}, json.dumps(document).encode())


def test_the_documents_callback_is_read() -> None:
    """The reader decodes the code once. Granted scopes and state come with it."""
    url = f"{REDIRECT}?code=Xy12%2A1%214608.va&scopes=user.info.basic%2Cvideo.upload&state=5f2c9d"
    for given_url in (url, url.partition("?")[2], url.removeprefix("http://127.0.0.1:3455"), f" {url}\n", url + "#_=_"):
        callback = callback_of(given_url)
        assert callback.code.reveal() == "Xy12*1!4608.va"
        assert (callback.scopes, callback.state) == (("user.info.basic", "video.upload"), "5f2c9d")
        assert (callback.error, callback.error_description) == ("", "")


@pytest.mark.parametrize(("escaped", "code"), [("a*b!c", "a*b!c"), ("a%2Ab%21c", "a*b!c"), ("a%252Ab", "a%2Ab")])
def test_a_code_is_decoded_exactly_once(escaped: str, code: str) -> None:
    """Plain and escaped characters are accepted, and an escaped percent sign stays one."""
    assert callback_of(f"{REDIRECT}?code={escaped}").code == Secret(code)


@given(TEXT, TEXT, TEXT, TEXT)
def test_any_callback_comes_out_as_it_went_in(code: str, state: str, error: str, description: str) -> None:
    """Any code and state of TikTok's page are read unchanged, from a URL and from its query.

    The words for people are, too, except characters that do not fit on a line.
    """
    query = urlencode({"code": code, "state": state, "error": error, "error_description": description}, quote_via=quote)
    for text in (query, f"{REDIRECT}?{query}", "?" + query):
        callback = callback_of(text)
        assert (callback.code.reveal(), callback.state) == (code, state)
        assert (callback.error, callback.error_description) == (plain(error), plain(description))


def test_the_address_of_tiktoks_error_page_is_read() -> None:
    """The page keeps the parameters of the request, with its state, and adds the words of the error."""
    page = (
        "https://www.tiktok.com/v2/auth/authorize/?client_key=aw&scope=user.info.basic&response_type=code"
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A3455%2Fcallback%2F&state=s1&error=param_error"
        "&error_type=code_challenge&errCode=10007"
    )
    answer = callback_of(page)
    assert (answer.state, answer.error, answer.error_type, answer.error_code) == (
        "s1",
        "param_error",
        "code_challenge",
        "10007",
    )
    assert answer.is_refusal
    assert not answer.code


@pytest.mark.parametrize("name", ["code", "state", "error", "scopes"])
def test_what_decides_comes_once(name: str) -> None:
    """An answer with two codes or states is refused, even if both are equal: it is unclear which one counts."""
    with pytest.raises(InvalidInput, match="twice") as caught:
        callback_of(f"{REDIRECT}?{name}={CANARY}&x=1&{name}={CANARY}")
    assert [problem.field for problem in caught.value.problems] == [name]
    assert CANARY not in str(caught.value)


def test_an_unescaped_address_in_a_description_does_not_hide_the_rest() -> None:
    """The reader reads a query without a URL as a query, with any values."""
    callback = callback_of("error=access_denied&state=s&error_description=see http://x.example/?a")
    assert (callback.error, callback.state) == ("access_denied", "s")


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_pasted_text_is_read_or_refused(text: str) -> None:
    """A person may paste any text, with brackets and lone surrogates. It raises nothing but a refusal."""
    for pasted in (text, f"{REDIRECT}?{text}", f"http://[{text}?code=1"):
        try:
            callback = callback_of(pasted)
        except InvalidInput as error:
            assert "twice" in str(error)  # noqa: PT017 - not every text is refused
        else:
            assert isinstance(callback.code, Secret)


def test_the_documents_tokens_are_read() -> None:
    """The reader reads every field of the token answer, counts lifetimes from now, and keeps a shorter refresh lifetime."""
    tokens = read_tokens(REQUEST, answer(ANSWER), NOW)
    assert (tokens.access_token, tokens.refresh_token) == (
        Secret("act.exampleAccess000"),
        Secret("rft.exampleRefresh000"),
    )
    assert tokens.open_id == "-000AbCdEfGhIjKlMnOpQrStUvWxYz"
    assert set(tokens.scope) == {"user.info.basic", "video.upload", "video.publish"}
    assert tokens.issued_at == NOW
    assert tokens.expires_at == NOW + timedelta(hours=24)
    assert tokens.refresh_expires_at == NOW + timedelta(seconds=31_522_158)


WORDS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\x1b\n\r\u2028\x07"), max_size=2_000)


@given(WORDS, WORDS)
def test_words_of_an_address_fit_on_one_line(error: str, description: str) -> None:
    """Anyone can write such a URL. An error shows it shortened, and without characters that move a cursor."""
    callback = callback_of(f"{REDIRECT}?{urlencode({'error': error, 'error_description': description, 'state': 's'})}")
    shown = str(failed(callback.error, callback.error_description))
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()
    assert len(shown) < 2_000


@pytest.mark.parametrize("empty", [None, "absent"])
def test_optional_fields_may_be_missing(empty: str | None) -> None:
    """Only the access token is needed. Without lifetimes the reader takes the shortest documented ones."""
    document = {"access_token": "act.x"} | ({} if empty else dict.fromkeys(set(ANSWER) - {"access_token"}))
    tokens = read_tokens(REQUEST, answer(document), NOW)
    assert (tokens.open_id, tokens.refresh_token, tokens.scope) == ("", Secret(""), ())
    assert tokens.expires_at == NOW + timedelta(hours=2)
    assert tokens.refresh_expires_at == NOW + timedelta(days=180)


def test_lifetimes_may_be_strings_and_absurd() -> None:
    """Digits in a string count. An endless or negative lifetime does not break the clock."""
    tokens = read_tokens(REQUEST, answer({**ANSWER, "expires_in": "7200", "refresh_expires_in": 10**40}), NOW)
    assert tokens.expires_at == NOW + timedelta(hours=2)
    assert tokens.refresh_expires_at > NOW + timedelta(days=365)
    assert read_tokens(REQUEST, answer({**ANSWER, "expires_in": -5}), NOW).expires_at == NOW


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"message": "error"},
        {"access_token": ""},
        {"access_token": None},
        {"data": {"access_token": CANARY, "error_code": 10010}},
        {"error": "", "access_token": ""},
        {"error": {"code": "ok"}},
    ],
)
def test_without_token_and_error_the_answer_is_unexpected(document: dict[str, object]) -> None:
    """HTTP 200 alone is no success."""
    with pytest.raises(UnexpectedResponse, match="neither access_token nor error") as caught:
        read_tokens(REQUEST, answer(document), NOW)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_an_error_is_found_whatever_the_status(status: int) -> None:
    """`invalid_grant` with HTTP 200 was seen. The word counts, even beside a token, and so do both spellings of log_id."""
    document = {**ANSWER, "error": "invalid_grant", "error_description": "used", "logid": "L1"}
    with pytest.raises(GrantRejected, match="used") as caught:
        read_tokens(REQUEST, answer(document, status), NOW)
    assert (caught.value.status, caught.value.log_id) == (status, "L1")


def test_an_envelope_of_the_api_is_understood() -> None:
    """An answer in the other style of TikTok's is the same refusal."""
    with pytest.raises(PostingRefused):
        read_tokens(REQUEST, answer({"error": {"code": "spam_risk"}}, 403), NOW)


def test_tokens_with_a_failing_status_are_not_believed() -> None:
    """The reader refuses a token that comes with HTTP 400."""
    with pytest.raises(UnexpectedResponse, match="no OAuth error"):
        read_tokens(REQUEST, answer(ANSWER, 400), NOW)


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("evil", ["a\nb", "a\r\nX: 1", "a b", "\0", "é", "\ud800", "\U0001f600"])
def test_a_token_that_no_header_can_carry_is_refused(field: str, evil: str) -> None:
    """The reader refuses a token that would break each later call, so no store gets it."""
    with pytest.raises(UnexpectedResponse, match="cannot be sent") as caught:
        read_tokens(REQUEST, answer({**ANSWER, field: evil}), NOW)
    assert evil not in str(caught.value)


READERS: Any = (
    read_revoked,
    read_qr_answer,
    lambda request, response: read_tokens(request, response, NOW),
    lambda request, response: read_client_token(request, response, NOW),
    lambda request, response: read_qr_code(request, response, Secret("t"), (), NOW),
)
"""What reads the answer of each call of the sign-in."""


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token":"act.kanarienvogel","expires_in":864',
        b'{"access_token":"act.kanarienvogel","expires_in":NaN}',
        b'\xef\xbb\xbf {"access_token":"kanarienvogel"',
        b'["kanarienvogel"]',
        b'"kanarienvogel"',
        b'\xff\xfe{\0"kanarienvogel',
        b"token: act.kanarienvogel",
        b"<p>act.kanarienvogel</p>",
        b"access_token=kanarienvogel-0123456789abcdef",
        b'{"access_token":"act.x","expires_in":"kanarienvogel"}',
        b'{"access_token":["kanarienvogel"]}',
        b'{"open_id":"kanarienvogel"}',
    ],
)
def test_no_broken_answer_shows_its_tokens(body: bytes) -> None:
    """Neither the error nor its traceback quotes a token of an unreadable answer."""
    for read in READERS:
        try:
            read(REQUEST, Response(200, {}, body))
        except UnexpectedResponse as error:
            assert CANARY not in "".join(traceback.format_exception(error))  # noqa: PT017 - some are no failure


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"data":{},"error":{"code":"ok"}}', b'{"error":""}'])
def test_a_revocation_succeeds_with_an_empty_answer(body: bytes) -> None:
    """An empty body, blanks and an empty object are TikTok's success."""
    read_revoked(REQUEST, Response(200, {}, body))


@pytest.mark.parametrize(("status", "body"), [(404, b""), (400, b""), (400, b"{}"), (200, b"<html>"), (200, b"null")])
def test_a_revocation_that_says_nothing_clear_has_not_succeeded(status: int, body: bytes) -> None:
    """An empty body with a failing status, or a web page, is no success."""
    with pytest.raises(UnexpectedResponse):
        read_revoked(REQUEST, Response(status, {}, body))


OLDER_SHAPE = {"message": "error", "data": {"error_code": 10013, "description": "Client key is unknown", "captcha": ""}}


@pytest.mark.parametrize("status", [200, 400, 500])
def test_tiktoks_words_in_an_answer_of_its_older_shape_are_kept_by_every_call(status: int) -> None:
    """A revocation that it refuses has not succeeded, whatever the HTTP status; no value of a token is shown."""
    body = json.dumps({**OLDER_SHAPE, "access_token": ""}).encode()
    for read in READERS:
        with pytest.raises(TikTokError, match="error, 10013, Client key is unknown"):
            read(REQUEST, Response(status, {}, body))


def test_a_revocation_that_the_older_shape_confirms_has_succeeded() -> None:
    """The older shape says success in words, too."""
    read_revoked(REQUEST, answer({"message": "success", "data": {"error_code": 0, "description": ""}}))


def test_an_unknown_word_is_still_a_failure() -> None:
    """Words that OAuth may get later end the sign-in, without an explanation."""
    with pytest.raises(SignInFailed, match="new_word") as caught:
        read_tokens(REQUEST, answer({"error": "new_word"}), NOW)
    assert caught.value.explanation is None


def test_the_documents_client_token_is_read() -> None:
    """The token has no account, no refresh token and no scope. Without a lifetime the reader takes the documented one."""
    document = {"access_token": "clt.exampleClient000", "expires_in": 7200, "token_type": "Bearer"}
    token = read_client_token(REQUEST, answer(document), NOW)
    assert token.access_token == Secret("clt.exampleClient000")
    assert (token.issued_at, token.expires_at) == (NOW, NOW + timedelta(hours=2))
    assert read_client_token(REQUEST, answer({"access_token": "clt.x"}), NOW).expires_at == NOW + timedelta(hours=2)


def test_a_refused_client_token_is_told_with_http_200_too() -> None:
    """The word counts, not the status, and an answer without a token is refused."""
    with pytest.raises(SignInFailed, match="unauthorized_client"):
        read_client_token(REQUEST, answer({"error": "unauthorized_client"}), NOW)
    with pytest.raises(UnexpectedResponse, match="neither"):
        read_client_token(REQUEST, answer({}), NOW)


# --- QR codes ---------------------------------------------------------------------------------------------------------

SCANNED = "aweme://authorize?client_key=awexample&client_ticket=tobefilled&scope=user.info.basic&token=tok000"


def test_our_ticket_replaces_the_documents_placeholder() -> None:
    """The rest of the URL is drawn as TikTok gave it."""
    code = read_qr_code(REQUEST, answer({"scan_qrcode_url": SCANNED, "token": "tok000"}), Secret("my-1"), ("a",), NOW)
    assert code.url == SCANNED.replace("tobefilled", "my-1")
    assert (code.token, code.client_ticket, code.scopes) == (Secret("tok000"), Secret("my-1"), ("a",))
    assert code.begun_at == NOW


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"scan_qrcode_url": SCANNED},
        {"scan_qrcode_url": SCANNED, "token": ""},
        {"scan_qrcode_url": SCANNED.replace("tobefilled", "filled"), "token": "t"},
        {"scan_qrcode_url": SCANNED + "&client_ticket=tobefilled", "token": "t"},
        {"scan_qrcode_url": SCANNED + "\x1b[2J", "token": "t"},
        {"scan_qrcode_url": SCANNED + "é", "token": "t"},
    ],
)
def test_a_qr_code_that_cannot_be_drawn_is_unexpected(document: dict[str, str]) -> None:
    """Such a code has no token, not exactly one place for the ticket, or characters that could move a terminal's cursor."""
    with pytest.raises(UnexpectedResponse, match="no QR code"):
        read_qr_code(REQUEST, answer(document), Secret("my-1"), (), NOW)


def test_the_documents_confirmed_answer_is_read() -> None:
    """The reader decodes the code once. The redirect URI without its query comes with it."""
    document = {
        "client_ticket": "my-ticket-1",
        "status": "confirmed",
        "redirect_uri": "https://example.com?code=Xy12%2A1%214608.va",
        "state": "s1",
    }
    found = read_qr_answer(REQUEST, answer(document))
    assert (found.status, found.client_ticket, found.redirect_uri) == (
        "confirmed",
        "my-ticket-1",
        "https://example.com",
    )
    assert found.code == Secret("Xy12*1!4608.va")


def test_a_code_in_a_field_of_its_own_is_read() -> None:
    """One table of the documents has this field, in which the code is not escaped."""
    found = read_qr_answer(REQUEST, answer({"client_ticket": "t", "status": "confirmed", "code": "Xy*1!4%2A"}))
    assert (found.code, found.redirect_uri) == (Secret("Xy*1!4%2A"), "")


@pytest.mark.parametrize("status", ["new", "scanned", "expired", "utilised", "something_new"])
def test_any_status_is_read(status: str) -> None:
    """The reader keeps words that it does not know."""
    found = read_qr_answer(REQUEST, answer({"client_ticket": None, "status": status, "redirect_uri": ""}))
    assert (found.status, found.client_ticket, found.code) == (status, "", Secret(""))


def test_a_refusal_may_stand_in_the_redirect_uri() -> None:
    """A refusal that a browser would bring is the same refusal here."""
    uri = "https://example.com/?error=access_denied&error_description=No, thanks"
    with pytest.raises(AccessDenied, match="No, thanks"):
        read_qr_answer(REQUEST, answer({"status": "confirmed", "redirect_uri": uri}))


@pytest.mark.parametrize("document", [{}, {"status": ""}, {"status": "confirmed", "redirect_uri": "x:/?code=1&code=2"}])
def test_an_answer_that_says_nothing_clear_is_unexpected(document: dict[str, str]) -> None:
    """The answer has no status, or two codes."""
    with pytest.raises(UnexpectedResponse):
        read_qr_answer(REQUEST, answer(document))
