"""How the public surface reads to a type checker; both strict checkers go over this file, and nothing runs it."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Literal, assert_type

from aiohttp import BodyPartReader, StreamReader
from aiohttp.web import FileField

from tiktok_adapters import connect, connect_async
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.page import Shown, export_page, progress_page, read_submission, whole_page
from tiktok_adapters.sources import FileSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    Account,
    App,
    AsyncAccount,
    AsyncTikTok,
    Authorization,
    ChunkPlan,
    ClientToken,
    CreatorInfo,
    Explanation,
    ExportForm,
    FoundPost,
    PhotoPost,
    PrivacyLevel,
    Progress,
    Publication,
    QrCheck,
    QrCode,
    Record,
    Step,
    TikTok,
    TikTokError,
    Tokens,
    Unreadable,
    UserInfo,
    Video,
    VideoFacts,
    VideoPage,
    VideoPost,
    Wish,
    come_again,
    explain,
    plan_chunks,
)
from tiktok_core.events import Event
from tiktok_core.lifting import lift_clock
from tiktok_core.portability import DataArchive, DataCategory, DataRequest
from tiktok_core.ports import AsyncClock, Clock, HasPath, Response, Source


def shown(progress: Progress) -> None:
    """Stand in for a progress bar."""
    assert_type(progress.sent_bytes, int)
    assert_type(progress.plan, ChunkPlan | None)


def drawn(code: QrCode) -> None:
    """Take the place of a function that draws a QR code."""
    assert_type(code.url, str)


def blocking_face() -> None:
    """Use every method of the blocking clients."""
    with connect(App("key", "secret", "http://127.0.0.1:*/callback/")) as tiktok:
        assert_type(tiktok, TikTok)
        assert_type(tiktok.app, App)
        assert_type(tiktok.clock, Clock)
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
        assert_type(tiktok.verify_webhook(b"{}", "t=1,s=0", tolerance=60), Event)
        assert_type(tiktok.received(tiktok.verify_webhook(b"{}", None)), Publication | None)
        account = tiktok.account()
        assert_type(account, Account)
        assert_type(account.open_id, str)
        assert_type(account.with_options(timeout=5, retries=0), Account)
        assert_type(account.creator_info(), CreatorInfo)
        assert_type(account.user_info(["display_name"]), UserInfo)
        videos = account.videos(fields=["id", "title"])
        assert_type(next(videos), Video)
        assert_type([video.title for video in videos], list[str | None])
        assert_type(account.videos(videos.cursor).is_done, bool)
        assert_type(account.video_page(1_790_000_000_000, count=5), VideoPage)
        assert_type(account.query_videos(["7300000000000000099"]), tuple[Video, ...])
        assert_type(account.find_post("order-17", wait=True), tuple[FoundPost, ...])
        done = account.post_video(
            Path("clip.mp4"), title="Hello", privacy_level=PrivacyLevel.SELF_ONLY, on_progress=shown
        )
        assert_type(done, Publication)
        assert_type(tiktok.check_video("clip.mp4", VideoPost(title="Hello"), creator=account.creator_info()), Wish)
        assert_type(account.post_video("https://media.example.com/1.mp4", draft=True, upload=True), Publication)
        assert_type(tiktok.check_photos(PhotoPost(photo_images=()), files=[Path("1.jpg")], fetch=True), Wish)
        assert_type(account.post_photos(["https://media.example.com/1.jpg"], draft=True), Publication)
        assert_type(account.request_data([DataCategory.PROFILE, "activity"], data_format="text"), int)
        assert_type(account.check_data(123), DataRequest)
        assert_type(account.cancel_data(123), DataRequest)
        assert_type(account.download_data(123, Path("data.zip"), overwrite=True), DataArchive)
        assert_type(account.resume("order-17", Path("clip.mp4"), on_progress=shown), Publication)
        assert_type(account.advance("order-17"), Step)
        assert_type(account.post("key"), Record | None)
        assert_type(account.posts(), tuple[Record, ...])
        assert_type(account.posts(since=datetime.now(UTC)), tuple[Record, ...])
        assert_type(account.unfinished(), tuple[Record, ...])
        assert_type(account.enter_video("clip.mp4", draft=True, not_before=datetime.now(UTC), held=True), Record)
        assert_type(account.enter_photos(["https://media.example.com/1.jpg"], draft=True, key="order-18"), Record)
        assert_type(account.release("order-18"), Record)
        assert_type(account.advance("order-18", until_wait=30.0, stop=lambda: False).again_in, float | None)
        assert_type(tiktok.unfinished(), tuple[Record, ...])
        assert_type(tiktok.due_posts(within=60.0), tuple[Record, ...])
        assert_type(tiktok.postpone(tiktok.unfinished()[0], 60.0), bool)
        assert_type(come_again(TikTokError(), times=2), float | None)
        assert_type(account.unreadable(), tuple[Unreadable, ...])
        account.forget("key")
        assert_type(account.settle("order-17", posted=True), Publication)
        assert_type(account.abandon("order-17"), Publication)
        assert_type(account.derived_key("digest"), str)
        assert_type(account.publish_status("v_pub"), Publication)
        assert_type(account.cancel("v_pub"), Publication)
        assert_type(account.wait("v_pub"), Publication)
        assert_type(account.tokens(), Tokens)
        assert_type(account.refresh(), Tokens)
        account.revoke()
        tiktok.forget("somebody")
        tiktok.close()


async def asynchronous_face() -> None:
    """Use every method of the asynchronous clients."""
    async with connect_async() as tiktok:
        assert_type(tiktok, AsyncTikTok)
        assert_type(tiktok.app, App)
        assert_type(tiktok.clock, AsyncClock)
        authorization = tiktok.authorization()
        assert_type(authorization, Authorization)
        assert_type(await tiktok.sign_in(authorization, "http://127.0.0.1:1/callback/?code=c"), AsyncAccount)
        assert_type(await tiktok.sign_in_with_code(authorization, "Xy12*1!4608.va"), AsyncAccount)
        begun = await tiktok.qr_code()
        assert_type(begun, QrCode)
        assert_type(await tiktok.check_qr_code(begun), QrCheck)
        assert_type(await tiktok.sign_in_by_qr_code(drawn), AsyncAccount)
        assert_type(await tiktok.client_token(), ClientToken)
        assert_type(await tiktok.accounts(), tuple[Tokens, ...])
        assert_type(tiktok.verify_webhook(b"{}", "t=1,s=0"), Event)
        assert_type(await tiktok.received(tiktok.verify_webhook(b"{}", None)), Publication | None)
        account = await tiktok.account()
        assert_type(account, AsyncAccount)
        assert_type(account.open_id, str)
        assert_type(account.with_options(patience=5), AsyncAccount)
        assert_type(await account.creator_info(), CreatorInfo)
        assert_type(await account.user_info(), UserInfo)
        videos = account.videos()
        assert_type(await anext(videos), Video)
        assert_type([video.title async for video in videos], list[str | None])
        assert_type(await account.video_page(), VideoPage)
        assert_type(await account.query_videos(["7300000000000000099"], fields=["id"]), tuple[Video, ...])
        assert_type(await account.find_post("order-17"), tuple[FoundPost, ...])
        assert_type(await account.post_video("clip.mp4", privacy_level="SELF_ONLY", wait=False), Publication)
        assert_type(await account.request_data("all_data"), int)
        assert_type(await account.check_data(123), DataRequest)
        assert_type(await account.cancel_data(123), DataRequest)
        assert_type(await account.download_data(123, "data.zip"), DataArchive)
        assert_type(await tiktok.check_video("clip.mp4", VideoPost()), Wish)
        assert_type(await tiktok.check_photos(PhotoPost(photo_images=())), Wish)
        assert_type(await account.post_photos([], privacy_level="SELF_ONLY"), Publication)
        assert_type(await account.resume("order-17"), Publication)
        assert_type(await account.advance("order-17", "clip.mp4"), Step)
        assert_type(await account.post("key"), Record | None)
        assert_type(await account.posts(), tuple[Record, ...])
        assert_type(await account.posts(since=datetime.now(UTC)), tuple[Record, ...])
        assert_type(await account.unfinished(), tuple[Record, ...])
        assert_type(await account.enter_video("clip.mp4", draft=True, not_before=datetime.now(UTC)), Record)
        assert_type(await account.enter_photos(["https://media.example.com/1.jpg"], draft=True), Record)
        assert_type(await account.release("order-18"), Record)
        assert_type(await tiktok.unfinished(), tuple[Record, ...])
        assert_type(await tiktok.due_posts(), tuple[Record, ...])
        assert_type(await tiktok.postpone((await tiktok.unfinished())[0], 60.0), bool)
        assert_type(await account.unreadable(), tuple[Unreadable, ...])
        await account.forget("key")
        assert_type(await account.settle("order-17", posted=False), Publication)
        assert_type(await account.abandon("order-17"), Publication)
        assert_type(await account.derived_key("digest"), str)
        assert_type(await account.publish_status("v_pub"), Publication)
        assert_type(await account.cancel("v_pub"), Publication)
        assert_type(await account.wait("v_pub"), Publication)
        assert_type(await account.tokens(), Tokens)
        assert_type(await account.refresh(), Tokens)
        await account.revoke()
        await tiktok.forget("somebody")
        await tiktok.close()


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


def page(fields: dict[str, str]) -> None:
    """Show the export page, and read what comes back."""
    form = ExportForm(CreatorInfo())
    sent = read_submission(fields)
    assert_type(sent.action, Literal["update", "post", "draft"])
    assert_type(sent.on(form), ExportForm)
    part = export_page(form, action="/post", shown=Shown(video="/clip.mp4"), hidden={"csrf": "x"}, sent=sent)
    assert_type(part, str)
    assert_type(whole_page(part, title="Post", style="/s.css", script="/s.js"), str)
    assert_type(progress_page(Publication(publish_id="1", status="FAILED")), str)
    form.photo_post((), description=sent.photos.description, auto_add_music=sent.photos.auto_add_music)


def ports_by_name() -> None:
    """Change one adapter of a client of either world, and leave the others as usual."""
    clock = ManualClock()
    assert_type(connect(clock=clock, probe=False, store="keyring"), TikTok)
    assert_type(connect(transport=FakeTransport(lambda request: Response(200)), tokens=MemoryTokenStore()), TikTok)
    assert_type(connect_async(clock=lift_clock(clock), entropy=bytes), AsyncTikTok)
    connect(clok=clock)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    connect(clock=MemoryTokenStore())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    connect_async(transport=FakeTransport(lambda request: Response(200)))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def failures(account: Account) -> None:
    """Ask any error of the library which post it is about."""
    try:
        account.post_video("clip.mp4", draft=True)
    except TikTokError as error:
        assert_type(error.key, str | None)
        assert_type(error.publish_id, str | None)


def given(account: Account, file: BinaryIO, spooled: SpooledTemporaryFile[bytes], field: FileField) -> None:
    """Give what is neither a name nor a source."""
    account.post_video(b"bytes", draft=True)
    account.post_video(io.BytesIO(b"bytes"), draft=True)
    account.post_video(file, draft=True)
    account.post_video(spooled, draft=True)
    account.post_video(field, draft=True)
    account.post_video(iter([b"bytes"]), draft=True)
    account.resume("key", file)
    account.advance("key", file)


async def arriving(account: AsyncAccount, part: BodyPartReader, body: StreamReader, rest: AsyncIterator[bytes]) -> None:
    """Give what an event loop brings."""
    await account.post_video(part, draft=True)
    await account.post_video(body, draft=True)
    await account.post_video(rest, draft=True)


def opened(app: App, transport: FakeTransport, tokens: MemoryTokenStore, clock: Clock) -> TikTok:
    """Make a client whose `open_source` is a plain function of the embedder's own."""

    def open_source(name: str | HasPath) -> Source:
        return FileSource(name)

    return TikTok(
        app, transport=transport, tokens=tokens, journal=MemoryJournal(), clock=clock, open_source=open_source
    )


def misuse(account: Account) -> None:
    """Each line is a mistake that a checker has to find; an unused ignore fails the check."""
    account.post_video()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", titel="Hello")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", title=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ExportForm(CreatorInfo()).choose(allow_comments=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video("clip.mp4", "Hello")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    account.post_video(42)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    account.post_video(io.StringIO("text"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    account.enter_video(b"bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
