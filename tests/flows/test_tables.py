"""Each row of the documents' error tables, through the call that it belongs to: the class, the text, and what to do."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from clips import CLIP, PHOTOS, PULLED
from fail_reasons import FAIL_REASONS
from tiktok_adapters.simulator import parse_fault
from tiktok_core import ApiError, PublishFailed, ServerError, SignInFailed, SignInRequired, TikTokError, errors

MEDIA: Final[dict[str, Any]] = {"file": CLIP, "pull": PULLED, "photos": PHOTOS}

CODES: Final = {
    "invalid_param": ApiError,
    "invalid_params": ApiError,
    "invalid_file_upload": ApiError,
    "access_token_invalid": errors.AccessTokenInvalid,
    "scope_not_authorized": errors.ScopeMissing,
    "scope_permission_missed": errors.ScopeMissing,
    "spam_risk_too_many_posts": errors.PostingRefused,
    "spam_risk_user_banned_from_posting": errors.PostingRefused,
    "spam_risk_too_many_pending_share": errors.PostingRefused,
    "reached_active_user_cap": errors.PostingRefused,
    "unaudited_client_can_only_post_to_private_accounts": errors.PostingRefused,
    "url_ownership_unverified": errors.PostingRefused,
    "privacy_level_option_mismatch": errors.PostingRefused,
    "app_version_check_failed": errors.PostingRefused,
    "invalid_publish_id": ApiError,
    "token_not_authorized_for_specified_publish_id": ApiError,
    "publish_not_cancellable": ApiError,
    "rate_limit_exceeded": errors.RateLimited,
    "internal_error": ServerError,
}
"""Each documented code, and the class that stands for it."""

GENERIC: Final = (
    "401 access_token_invalid",
    "401 scope_not_authorized",
    "400 scope_permission_missed",
    "400 invalid_params",
    "400 invalid_file_upload",
    "429 rate_limit_exceeded",
    "500 internal_error",
)
POSTING: Final = (
    "400 invalid_param",
    "400 invalid_params",
    "401 access_token_invalid",
    "401 scope_not_authorized",
    "403 spam_risk_user_banned_from_posting",
    "403 url_ownership_unverified",
    "429 rate_limit_exceeded",
    "500 internal_error",
    "503 internal_error",
)
DIRECT: Final = (
    "403 spam_risk_too_many_posts",
    "403 reached_active_user_cap",
    "403 unaudited_client_can_only_post_to_private_accounts",
    "403 privacy_level_option_mismatch",
)
KNOWN: Final = (
    "400 invalid_publish_id",
    "400 token_not_authorized_for_specified_publish_id",
    "401 access_token_invalid",
    "401 scope_not_authorized",
    "429 rate_limit_exceeded",
    "500 internal_error",
)
TABLES: Final = {
    "user_info": GENERIC,
    "video_list": GENERIC,
    "video_query": GENERIC,
    "creator_info": (
        "200 spam_risk_too_many_posts",
        "200 spam_risk_user_banned_from_posting",
        "200 reached_active_user_cap",
        "401 access_token_invalid",
        "401 scope_not_authorized",
        "429 rate_limit_exceeded",
        "500 internal_error",
    ),
    "video_init": (*POSTING, *DIRECT),
    "inbox_init": (*POSTING, "403 spam_risk_too_many_pending_share"),
    "photo_init": (*POSTING, *DIRECT, "400 app_version_check_failed", "403 spam_risk_too_many_pending_share"),
    "status": KNOWN,
    "cancel": (*KNOWN, "400 publish_not_cancellable", "403 url_ownership_unverified"),
}
"""Each call's page: the status and the code of each row. Sources: /doc/tiktok-api-v2-error-handling,
/doc/content-posting-api-reference-query-creator-info, -direct-post, -upload-video, -photo-post, -get-video-status, and
/doc/content-posting-api-media-transfer-guide."""
ROWS: Final = [(call, *row.split()) for call, rows in TABLES.items() for row in rows]

CALLS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "user_info": lambda account, _: account.user_info(),
    "video_list": lambda account, _: account.video_page(),
    "video_query": lambda account, _: account.query_videos(["7300000000000000099"]),
    "creator_info": lambda account, _: account.creator_info(),
    "video_init": lambda account, _: account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"),
    "inbox_init": lambda account, _: account.post_video(CLIP, draft=True, key="mine"),
    "photo_init": lambda account, _: account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"),
    "status": lambda account, publish_id: account.publish_status(publish_id),
    "cancel": lambda account, publish_id: account.cancel(publish_id),
}

WORDS: Final = {
    "access_denied": errors.AccessDenied,
    "invalid_client": SignInFailed,
    "invalid_grant": errors.GrantRejected,
    "invalid_request": SignInFailed,
    "invalid_scope": SignInFailed,
    "unauthorized_client": SignInFailed,
    "unsupported_grant_type": SignInFailed,
    "unsupported_response_type": SignInFailed,
    "server_error": ServerError,
    "temporarily_unavailable": ServerError,
}
"""Each word of OAuth's. Source: /doc/oauth-error-handling."""


@pytest.fixture
def account(bench: Any) -> Any:
    """Give an account that lets its videos be listed."""
    asked = bench.tiktok.authorization(
        ["user.info.basic", "video.list", "video.upload", "video.publish"],
        redirect_uri="http://127.0.0.1:4000/callback/",
    )
    return bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))


@pytest.mark.parametrize(("call", "status", "code"), ROWS)
def test_each_row_of_each_call_raises_its_class(bench: Any, account: Any, call: str, status: str, code: str) -> None:
    """The error has TikTok's code, status and log_id, and an explanation. TikTok posts nothing."""
    publish_id = bench.run(account.post_video(PULLED, draft=True, wait=False)).publish_id
    bench.sim.faults.add(parse_fault(f"{call}x99=code:{code}@{status}"))
    before = len(bench.sim.posts)
    with pytest.raises(TikTokError) as caught:
        bench.run(CALLS[call](account, publish_id))
    error = told(caught.value, is_pull=call == "photo_init")
    assert type(error) is CODES[code]
    assert (error.code, error.status) == (code, int(status))
    assert error.log_id
    assert error.log_id in str(error)
    assert error.explanation is not None
    assert len(bench.sim.posts) == before


def told(error: TikTokError, *, is_pull: bool) -> Any:
    """Return the refusal that caused an error.

    A 5xx at the init of a pull becomes `OutcomeUnknown`, with the refusal as its cause.
    """
    if isinstance(error, errors.OutcomeUnknown):
        assert is_pull
        return error.__cause__
    return error


def test_every_documented_code_stands_in_a_table() -> None:
    """Each documented code has a row of its own, and none has only the explanation of its class."""
    assert {code for _, _, code in ROWS} == set(CODES)


GRANTS: Final[dict[str, tuple[str, Callable[[Any, Any], Any]]]] = {
    "a code": ("token", lambda bench, begun: bench.tiktok.sign_in(*begun)),
    "a client's grant": ("token", lambda bench, _: bench.tiktok.client_token()),
    "a renewal": ("token", lambda bench, _: bench.run(bench.tiktok.account()).refresh()),
    "an end": ("revoke", lambda bench, _: bench.run(bench.tiktok.account()).revoke()),
    "a QR code": ("get_qrcode", lambda bench, _: bench.tiktok.qr_code()),
    "a QR code's status": ("check_qrcode", lambda bench, begun: bench.tiktok.check_qr_code(begun)),
}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("grant", GRANTS)
def test_each_word_of_oauth_raises_its_class(bench: Any, grant: str, word: str) -> None:
    """Each call that speaks OAuth explains the word.

    A dead refresh token asks for a new sign-in, and a dead token counts as revoked.
    """
    operation, call = GRANTS[grant]
    bench.signed_in()
    begun: Any = None
    if grant == "a code":
        asked = bench.tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
        begun = (asked, bench.sim.authorize(asked.url))
    elif grant == "a QR code's status":
        begun = bench.run(bench.tiktok.qr_code())
    bench.sim.faults.add(parse_fault(f"{operation}x99=code:{word}"))
    if grant == "an end" and word == "invalid_grant":
        assert bench.run(call(bench, begun)) is None
        return
    with pytest.raises(TikTokError) as caught:
        bench.run(call(bench, begun))
    error: Any = caught.value
    if grant == "a renewal" and word == "invalid_grant":
        assert type(error) is SignInRequired
        return
    assert type(error) is WORDS[word]
    assert (error.code, bool(error.log_id)) == (word, True)
    assert error.explanation is not None


@pytest.mark.parametrize("reason", [*FAIL_REASONS, "brand_new"])
@pytest.mark.parametrize("kind", MEDIA)
def test_each_reason_of_a_failure_is_told(bench: Any, account: Any, kind: str, reason: str) -> None:
    """The error has the reason as TikTok spells it, with what to do.

    A new reason of TikTok's comes without an explanation. TikTok gets one post.
    """
    bench.sim.faults.add(parse_fault(f"init=fail:{reason}"))
    post = account.post_photos if kind == "photos" else account.post_video
    with pytest.raises(PublishFailed) as caught:
        bench.run(post(MEDIA[kind], privacy_level="SELF_ONLY"))
    assert caught.value.reason == reason
    explanation = caught.value.explanation
    assert (explanation is None) == (reason not in FAIL_REASONS)
    assert explanation is None or explanation.retry_helps == FAIL_REASONS[reason]
    assert len(bench.sim.posts) == 1
