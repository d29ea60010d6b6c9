"""How the public surface reads to a type checker; both strict checkers go over this file, and nothing runs it."""

from pathlib import Path
from typing import assert_type

from tiktok_adapters import connect, connect_async
from tiktok_core import (
    Account,
    App,
    AsyncAccount,
    AsyncTikTok,
    Authorization,
    ChunkPlan,
    ClientToken,
    CreatorInfo,
    DataArchive,
    DataCategory,
    DataRequest,
    Explanation,
    ExportForm,
    PhotoPost,
    PrivacyLevel,
    Progress,
    Publication,
    QrCheck,
    QrCode,
    TikTok,
    Tokens,
    UserInfo,
    VideoFacts,
    VideoPost,
    Wish,
    explain,
    plan_chunks,
)


def shown(progress: Progress) -> None:
    """Stand in for a progress bar."""
    assert_type(progress.sent_bytes, int)
    assert_type(progress.plan, ChunkPlan | None)


def drawn(code: QrCode) -> None:
    """Stand in for whatever draws a QR code."""
    assert_type(code.url, str)


def blocking_face() -> None:
    """Use every method of the blocking clients."""
    with connect(App("key", "secret", "http://127.0.0.1:*/callback/")) as tiktok:
        assert_type(tiktok, TikTok)
        authorization = tiktok.authorization(["video.publish"], redirect_uri="http://127.0.0.1:1/callback/")
        assert_type(authorization, Authorization)
        assert_type(tiktok.sign_in(authorization, "http://127.0.0.1:1/callback/?code=c"), Account)
        assert_type(Authorization.restore(authorization.reveal()), Authorization)
        assert_type(tiktok.sign_in_with_code(authorization, "Xy12*1!4608.va"), Account)
        begun = tiktok.qr_code(["video.publish"])
        assert_type(QrCode.restore(begun.reveal()), QrCode)
        assert_type(tiktok.check_qr_code(begun), QrCheck)
        assert_type(tiktok.sign_in_by_qr_code(drawn, on_status=print, limit=60), Account)
        assert_type(tiktok.client_token(), ClientToken)
        assert_type(tiktok.accounts(), tuple[Tokens, ...])
        account = tiktok.account()
        assert_type(account, Account)
        assert_type(account.open_id, str)
        assert_type(account.with_options(timeout=5, retries=0), Account)
        assert_type(account.creator_info(), CreatorInfo)
        assert_type(account.user_info(["display_name"]), UserInfo)
        done = account.post_video(
            Path("clip.mp4"), title="Hello", privacy_level=PrivacyLevel.SELF_ONLY, on_progress=shown
        )
        assert_type(done, Publication)
        assert_type(tiktok.check_video("clip.mp4", VideoPost(title="Hello"), creator=account.creator_info()), Wish)
        assert_type(tiktok.check_photos(PhotoPost(photo_images=()), files=[Path("1.jpg")], fetch=True), Wish)
        assert_type(account.post_photos(["https://media.example.com/1.jpg"], draft=True), Publication)
        request_id = account.request_data([DataCategory.PROFILE, "activity"], data_format="text")
        assert_type(request_id, int)
        assert_type(account.check_data(request_id), DataRequest)
        assert_type(account.cancel_data(request_id), DataRequest)
        assert_type(account.download_data(request_id, Path("data.zip"), overwrite=True), DataArchive)
        assert_type(account.publish_status("v_pub"), Publication)
        assert_type(account.wait("v_pub"), Publication)
        assert_type(account.tokens(), Tokens)
        assert_type(account.refresh(), Tokens)
        account.revoke()


async def asynchronous_face() -> None:
    """Use every method of the asynchronous clients."""
    async with connect_async() as tiktok:
        assert_type(tiktok, AsyncTikTok)
        assert_type(await tiktok.qr_code(), QrCode)
        assert_type(await tiktok.sign_in_by_qr_code(drawn), AsyncAccount)
        assert_type(await tiktok.client_token(), ClientToken)
        account = await tiktok.account()
        assert_type(account, AsyncAccount)
        assert_type(await account.creator_info(), CreatorInfo)
        assert_type(await account.post_video("clip.mp4", privacy_level="SELF_ONLY", wait=False), Publication)
        assert_type(await account.download_data(await account.request_data("all_data"), "data.zip"), DataArchive)
        assert_type(await account.tokens(), Tokens)


def values() -> None:
    """Use the values and plain functions."""
    form = ExportForm(CreatorInfo(), facts=VideoFacts(duration=3.5)).choose(
        privacy_level="SELF_ONLY", is_disclosed=True
    )
    assert_type(form, ExportForm)
    assert_type([option.is_disabled for option in form.privacy_options], list[bool])
    assert_type(form.declaration.links, tuple[tuple[str, str], ...])
    assert_type(form.video_post(), VideoPost)
    assert_type(form.photo_post(("https://media.example.com/1.jpg",)), PhotoPost)
    assert_type(plan_chunks(50_000_123, 10_000_000), ChunkPlan)
    assert_type(explain("internal_error"), Explanation | None)
    for first, last in plan_chunks(70_000_000).ranges():
        assert_type(first, int)
        assert_type(last, int)


def misuse(account: Account) -> None:
    """Each line is a mistake that a checker has to find; an unused ignore fails the check."""
    account.post_video()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", titel="Hello")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", title=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ExportForm(CreatorInfo()).choose(allow_comments=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", "Hello")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
