"""Refusals: the documents' tables of error codes, row by row, and the wait that TikTok asks for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import errors
from tiktok_core.domain.refusals import REFUSALS, explain
from tiktok_core.errors import ApiError, RateLimited, ServerError, SignInFailed, UnexpectedRedirect, UnexpectedResponse
from tiktok_core.wire.envelope import open_envelope, retry_after
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.oauth import read_revoked

REQUEST = Request(method="POST", url="https://open.tiktokapis.com/v2/post/publish/video/init/?hidden=1")
LOG_ID = "202609110102030A0B0C0D0E0F10111213"

# HTTP status, code, class. `tests/flows/test_tables.py` tests which call may get which of them.
TABLES = """
401 access_token_invalid                               AccessTokenInvalid
401 scope_not_authorized                               ScopeMissing
400 scope_permission_missed                            ScopeMissing
400 invalid_params                                     ApiError
400 invalid_file_upload                                ApiError
429 rate_limit_exceeded                                RateLimited
500 internal_error                                     ServerError
200 spam_risk_too_many_posts                           PostingRefused
200 spam_risk_user_banned_from_posting                 PostingRefused
200 reached_active_user_cap                            PostingRefused
400 invalid_param                                      ApiError
403 spam_risk_too_many_posts                           PostingRefused
403 spam_risk_user_banned_from_posting                 PostingRefused
403 reached_active_user_cap                            PostingRefused
403 unaudited_client_can_only_post_to_private_accounts PostingRefused
403 url_ownership_unverified                           PostingRefused
403 privacy_level_option_mismatch                      PostingRefused
403 spam_risk_too_many_pending_share                   PostingRefused
400 app_version_check_failed                           PostingRefused
400 invalid_publish_id                                 ApiError
400 token_not_authorized_for_specified_publish_id      ApiError
400 publish_not_cancellable                            ApiError
503 internal_error                                     ServerError
"""
ROWS = [line.split() for line in TABLES.strip().splitlines()]

OAUTH = """
access_denied             AccessDenied  again
invalid_client            SignInFailed  never
invalid_grant             GrantRejected never
invalid_request           SignInFailed  never
invalid_scope             SignInFailed  never
unauthorized_client       SignInFailed  never
unsupported_grant_type    SignInFailed  never
server_error              ServerError   again
temporarily_unavailable   ServerError   again
unsupported_response_type SignInFailed  never
"""
OAUTH_ROWS = [line.split() for line in OAUTH.strip().splitlines()]


# Code: what it is about, whose fault it is, whether a retry helps; from the documents' tables and from what people saw.
MEANINGS = """
client_key                                         app      app        never
redirect_uri                                       app      app        never
scope                                              app      app        never
code_challenge                                     app      app        never
code_challenge_method                              app      app        never
param_error                                        app      app        never
10003                                              app      app        never
10007                                              app      app        never
10008                                              app      app        never
access_token_invalid                               sign-in  user       never
scope_not_authorized                               sign-in  user       never
scope_permission_missed                            app      app        never
invalid_params                                     post     developer  never
invalid_param                                      post     developer  never
invalid_file_upload                                file     developer  never
invalid_publish_id                                 post     developer  never
token_not_authorized_for_specified_publish_id      account  developer  never
publish_not_cancellable                            post     developer  never
privacy_level_option_mismatch                      account  developer  never
privacy_level_not_authorized                       account  developer  never
unaudited_client_can_only_post_to_private_accounts app      app        never
url_ownership_unverified                           app      app        never
reached_active_user_cap                            quota    app        again
app_version_check_failed                           account  user       again
spam_risk_too_many_posts                           quota    user       again
spam_risk_user_banned_from_posting                 account  user       never
spam_risk_too_many_pending_share                   quota    user       again
spam_risk_text                                     post     user       never
spam_risk                                          post     user       never
rate_limit_exceeded                                quota    developer  again
internal_error                                     tiktok   tiktok     again
file_format_check_failed                           file     developer  never
duration_check_failed                              file     developer  never
frame_rate_check_failed                            file     developer  never
picture_size_check_failed                          file     developer  never
internal                                           tiktok   tiktok     again
video_pull_failed                                  post     developer  again
photo_pull_failed                                  post     developer  again
publish_cancelled                                  post     developer  never
auth_removed                                       sign-in  user       never
access_denied                                      sign-in  user       again
non_sandbox_target                                 sign-in  app        never
invalid_client                                     app      app        never
invalid_grant                                      sign-in  user       never
invalid_request                                    app      app        never
invalid_scope                                      app      app        never
unauthorized_client                                app      app        never
unsupported_grant_type                             app      app        never
unsupported_response_type                          app      app        never
server_error                                       tiktok   tiktok     again
temporarily_unavailable                            tiktok   tiktok     again
"""
MEANING_ROWS = [line.split() for line in MEANINGS.strip().splitlines()]


@pytest.mark.parametrize(("code", "about", "fault", "again"), MEANING_ROWS)
def test_each_code_says_about_what_whose_fault_and_when(code: str, about: str, fault: str, again: str) -> None:
    """An explanation says when to try again if that helps. Unless the fault is TikTok's, it says what to do."""
    found = explain(code)
    assert found is not None
    assert (found.about, found.fault, found.retry_helps) == (about, fault, again == "again")
    assert bool(found.retry_when) == found.retry_helps
    assert found.meaning.endswith(".")
    assert found.advice or found.retry_helps or code in NOTHING_TO_DO


NOTHING_TO_DO = {
    "publish_not_cancellable",
    "publish_cancelled",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
}


def test_every_code_is_explained_and_no_other() -> None:
    """The table has exactly the codes that are documented or were seen."""
    assert set(REFUSALS) == {row[0] for row in MEANING_ROWS}
    assert {row[1] for row in ROWS} | {row[0] for row in OAUTH_ROWS} <= set(REFUSALS)


def refusal(
    code: str, status: int, headers: dict[str, str] | None = None, extra: dict[str, object] | None = None
) -> ApiError:
    """Return the error of a refused call."""
    error = {"code": code, "message": "Please review our guidelines.", "log_id": LOG_ID}
    response = Response(status, headers or {}, json.dumps({"error": error, **(extra or {})}).encode())
    with pytest.raises(ApiError) as caught:
        open_envelope(REQUEST, response)
    return caught.value


@pytest.mark.parametrize(("status", "code", "name"), ROWS)
@pytest.mark.parametrize("extra", [{}, {"data": {}}, {"data": None}])
def test_each_documented_code_raises_its_class(status: str, code: str, name: str, extra: dict[str, object]) -> None:
    """Every row of the tables has class, code, message, status, log_id and explanation, with or without data."""
    error = refusal(code, int(status), extra=extra)
    assert type(error) is getattr(errors, name)
    assert (error.code, error.status, error.log_id) == (code, int(status), LOG_ID)
    assert error.message == "Please review our guidelines."
    assert error.explanation is explain(code)
    assert error.explanation is not None
    assert LOG_ID in str(error)


@pytest.mark.parametrize("code", sorted({row[1] for row in ROWS} - {"rate_limit_exceeded", "internal_error"}))
def test_the_class_follows_the_code_and_not_the_status(code: str) -> None:
    """TikTok sends refusals with 200 as well as 403, and both are the same refusal."""
    assert type(refusal(code, 200)) is type(refusal(code, 403)) is type(refusal(code, 400))


@given(
    st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), max_size=100).filter(
        lambda code: code != "ok" and not explain(code)
    )
)
def test_unknown_codes_are_kept(code: str) -> None:
    """An unknown code is an `ApiError` with that code. With a 429 it is `RateLimited`, with a 5xx `ServerError`."""
    assert type(refusal(code, 403)) is ApiError
    assert refusal(code, 400).code == code
    assert type(refusal(code, 429)) is RateLimited
    assert type(refusal(code, 502)) is ServerError


@given(st.text(), st.text())
def test_tiktoks_words_fit_on_one_line(code: str, message: str) -> None:
    """An error shows any code or message shortened, on one line, and fit for any encoding."""
    answer = json.dumps({"error": {"code": code, "message": message * 300, "log_id": LOG_ID}}).encode()
    if code == "ok":
        return
    with pytest.raises(ApiError) as caught:
        open_envelope(REQUEST, Response(403, {}, answer))
    shown = str(caught.value)
    assert len(shown.splitlines()) <= 1
    assert len(caught.value.message) <= 500
    shown.encode()


@pytest.mark.parametrize(("code", "name", "again"), OAUTH_ROWS)
@pytest.mark.parametrize("status", [200, 400, 401])
def test_each_word_of_oauth_raises_its_class(code: str, name: str, again: str, status: int) -> None:
    """OAuth's words raise their class, with any status, and have explanations."""
    body = json.dumps({"error": code, "error_description": "The request is malformed.", "log_id": LOG_ID}).encode()
    with pytest.raises((SignInFailed, ServerError), match="The request is malformed") as caught:
        read_revoked(REQUEST, Response(status, {}, body))
    assert type(caught.value) is getattr(errors, name)
    assert (caught.value.code, caught.value.status, caught.value.log_id) == (code, status, LOG_ID)
    assert caught.value.explanation is not None
    assert caught.value.explanation.retry_helps == (again == "again")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
@pytest.mark.parametrize("body", [b"", b"<html>moved</html>", b'{"data":{},"error":{"code":"ok"}}'])
def test_a_redirect_is_an_error_of_its_own(status: int, body: bytes) -> None:
    """With any body, the client does not follow a redirect or use it as an answer. The error does not repeat the target."""
    response = Response(status, {"location": "https://evil.example/secret"}, body)
    for read in (open_envelope, read_revoked):
        with pytest.raises(UnexpectedRedirect) as caught:
            read(REQUEST, response)
        assert caught.value.status == status
        assert "evil" not in str(caught.value)
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data":{},"error":{"code":"ok"}}', b'{"error":[]}', b"[1]"])
@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimited), (500, ServerError), (502, ServerError), (599, ServerError)]
)
def test_overload_is_told_by_the_status_where_nothing_else_tells(
    body: bytes, status: int, kind: type[ApiError]
) -> None:
    """A 429 or 5xx without TikTok's own error can be repeated, and has the log_id of its header."""
    response = Response(status, {"x-tt-logid": LOG_ID, "retry-after": "7"}, body)
    with pytest.raises(kind) as caught:
        open_envelope(REQUEST, response)
    assert caught.value.log_id == LOG_ID
    assert getattr(caught.value, "retry_after", 7.0) == 7.0


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("body", [b"", b"busy", b"{}", b'{"message":"x"}'])
def test_oauth_overload_is_no_refusal(status: int, body: bytes) -> None:
    """A busy token endpoint counts neither as a dead sign-in nor as a broken protocol."""
    with pytest.raises(RateLimited if status == 429 else ServerError):
        read_revoked(REQUEST, Response(status, {}, body))


@pytest.mark.parametrize("status", [200, 400, 403, 404])
@pytest.mark.parametrize("body", [b"{}", b'{"error":"x"}', b'{"error":{}}', b'{"error":{"code":0}}', b'{"error":null}'])
def test_an_answer_without_a_code_is_unexpected(status: int, body: bytes) -> None:
    """The error names the call and the status."""
    with pytest.raises(UnexpectedResponse, match=r"error\.code") as caught:
        open_envelope(REQUEST, Response(status, {}, body))
    assert caught.value.status == status


@pytest.mark.parametrize("status", [400, 404])
def test_ok_with_a_failing_status_is_unexpected(status: int) -> None:
    """An answer whose code and status contradict each other is no success."""
    with pytest.raises(UnexpectedResponse, match="HTTP status"):
        open_envelope(REQUEST, Response(status, {}, b'{"data":{},"error":{"code":"ok"}}'))


NOV = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60.0),
        ({"retry-after": ""}, 60.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"retry-after": "-1"}, 60.0),
        ({"retry-after": "1000000000000"}, 86_400.0),
        ({"retry-after": "9" * 5_000}, 60.0),
        ({"retry-after": "nan"}, 60.0),
        ({"retry-after": "inf"}, 60.0),
        ({"retry-after": "soon"}, 60.0),
        ({"retry-after": "²"}, 60.0),
        ({"retry-after": "5, 5"}, 60.0),
        ({"retry-after": NOV}, 60.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": NOV}, 30.0),
        ({"retry-after": NOV, "date": NOV}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:59:59 GMT", "date": NOV}, 60.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:00 GMT", "date": NOV}, 86_400.0),
        ({"retry-after": "Sun, 99 Nov 2026 12:00:30 GMT", "date": NOV}, 60.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": "today"}, 60.0),
    ],
)
def test_the_wait_is_what_tiktok_says_within_reason(headers: dict[str, str], seconds: float) -> None:
    """Seconds or a date count up to a day; a senseless value counts as a minute."""
    assert retry_after(headers) == seconds
    error = refusal("rate_limit_exceeded", 429, headers)
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_header_gives_a_bounded_wait(value: str, date: str) -> None:
    """No header makes the wait negative, endless, or an exception."""
    assert 0.0 <= retry_after({"retry-after": value, "date": date}) <= 86_400.0
