"""The routes of what is to be posted: to give it, to see it and what is wrong with it, and to post it.

What belongs here: what a request asks for, and the answer. The export page is `tiktok_adapters.page`'s, and its rules are the core's.
"""

import asyncio
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from aiohttp import web
from attrs import asdict, evolve, frozen

from tiktok_adapters.assembly.derived import prefix_of
from tiktok_adapters.page import Shown, Submission, cannot_post_page, export_page, read_submission
from tiktok_adapters.sources.files import FileSource
from tiktok_adapters.studio.desk import Desk
from tiktok_adapters.studio.given import Given
from tiktok_adapters.studio.guard import CSRF, IMAGES, Refused
from tiktok_adapters.studio.layout import text
from tiktok_adapters.studio.post_routes import field_of
from tiktok_adapters.studio.words import answer_to, moment, told
from tiktok_core import (
    AsyncAccount,
    CreatorInfo,
    ExportForm,
    InvalidPost,
    PhotoPost,
    PostingRefused,
    PrivacyLevel,
    Problem,
    Record,
    Scope,
    Stage,
    VideoPost,
    Wish,
)
from tiktok_core.domain.containers import film as look_into
from tiktok_core.domain.media import HEAD_LENGTH, MediaType, VideoFacts, media_type
from tiktok_core.domain.posts import MOST_PHOTOS
from tiktok_core.domain.schedule import schedule, schedule_problems
from tiktok_core.errors import refuse
from tiktok_core.hidden import Hidden

__all__ = ["export", "keep_film", "keep_pictures", "preview", "remove", "submit"]

BLOCK: Final = 256 * 1024
"""Bytes of a film in memory at once, beside what the server holds."""
NAME_HEADER: Final = "X-Studio-Name"
AT: Final = "at"
AGAIN: Final = "again"
"""The field that asks for another post: it holds the key, so that a second press of this button, too, makes no second post."""
AGAIN_KEY: Final = re.compile(r"[0-9a-f]{24}")


# --- Giving ----------------------------------------------------------------------------------------------------------


async def keep_film(desk: Desk, request: web.Request) -> web.Response:
    """Take a film as the body of a request, and say where to go on. A script sends it, so the answer is JSON."""
    one = await desk.account(request)
    try:
        if request.content_length is None:
            raise Refused("The film came without its size: choose the file again.", 411)
        name = unquote(request.headers.get(NAME_HEADER, ""), errors="replace")
        found = await desk.given.film(name, request.content_length, request.content.iter_chunked(BLOCK))
        try:
            await asyncio.to_thread(_looked, found)
        except InvalidPost:
            await asyncio.to_thread(desk.given.remove, found.id)
            raise
    except (Refused, InvalidPost, OSError) as error:
        sentence, status = answer_to(error) or ("", 500)
        return web.json_response({"refused": sentence}, status=status)
    return web.json_response({"go": desk.guard.path("a", one.open_id, "given", found.id)})


async def keep_pictures(desk: Desk, request: web.Request) -> web.Response:
    """Take the URLs of pictures."""
    one = await desk.account(request)
    # A query may be a signature, and a crash report shows local variables.
    urls = Hidden((await field_of(request, "urls")).split())
    if not 1 <= len(urls.reveal()) <= MOST_PHOTOS:
        raise Refused(f"Give 1 to {MOST_PHOTOS} URLs of pictures, one a line: these are {len(urls.reveal())}.")
    found = await asyncio.to_thread(desk.given.pictures, urls.reveal())
    raise web.HTTPSeeOther(desk.guard.path("a", one.open_id, "given", found.id))


async def remove(desk: Desk, request: web.Request) -> web.Response:
    """Remove a film or pictures, unless a post needs them."""
    one = await desk.account(request)
    found = await asyncio.to_thread(desk.given.get, request.match_info["given"])
    if await desk.is_needed(found.path):
        raise Refused("A post that has not ended needs this film: give that post up first.", 409)
    await asyncio.to_thread(desk.given.remove, found.id)
    raise web.HTTPSeeOther(desk.guard.path("a", one.open_id))


async def preview(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Return a film, or the part that the browser asks for."""
    found = await asyncio.to_thread(desk.given.get, request.match_info["given"])
    if found.path is None:
        raise Refused("Nothing is here.", 404)
    looked = await asyncio.to_thread(_looked, found)
    # Browsers play a MOV of H.264 as an MP4, and refuse it under its own type.
    kind = MediaType.MP4 if looked.kind is MediaType.QUICKTIME else looked.kind
    return web.FileResponse(found.path, headers={"Content-Type": kind})


@frozen
class _Looked:
    kind: MediaType
    facts: VideoFacts


def _looked(found: Given) -> _Looked:
    """Look into a film.

    Raises:
        InvalidPost: it is no film that TikTok takes.
    """
    with FileSource(str(found.path)) as source:
        kind = media_type(source.read(0, HEAD_LENGTH))
        return _Looked(kind, look_into(source.size, source.read).facts)


# --- The export page -------------------------------------------------------------------------------------------------


async def export(desk: Desk, request: web.Request) -> web.Response:
    """Show the export page of a film or of pictures."""
    one = await desk.account(request)
    found = await asyncio.to_thread(desk.given.get, request.match_info["given"])
    return await _export_page(desk, request, one, found, at=request.query.get(AT, ""))


async def _export_page(
    desk: Desk,
    request: web.Request,
    one: AsyncAccount,
    found: Given,
    *,
    at: str,
    sent: Submission | None = None,
    refused: Sequence[Problem] = (),
    form: ExportForm | None = None,
) -> web.Response:
    path, tokens = desk.guard.path("a", one.open_id, "given", found.id), await one.tokens()
    when = _when(path, at)
    if not tokens.allows(Scope.VIDEO_PUBLISH):
        return desk.layout.page("Send a draft", when + _draft_only(desk, path, found, at))
    if form is None:
        try:
            form = await _form(one, found)
        except PostingRefused as error:
            fragment = cannot_post_page(reason=str(error), again=path)
            return desk.layout.page("Post to TikTok", fragment, extra="page", headline=False)
    if sent is None and not refused:
        refused = await _film_problems(desk, found, form.creator)
    if found.pictures:
        request[IMAGES] = tuple(dict.fromkeys(filter(None, map(_origin, found.pictures))))
    fragment = export_page(
        form,
        action=path,
        shown=Shown(
            video=desk.guard.path("given", found.id, "video") if found.is_film else "",
            pictures=found.pictures,
            name=found.name,
            lines=told(form.facts, found.size) if found.is_film else (),
        ),
        hidden={CSRF: desk.guard.csrf, AT: at},
        refused=refused,
        draft=tokens.allows(Scope.VIDEO_UPLOAD),
        sent=sent,
    )
    status = 400 if refused and sent is not None else 200
    return desk.layout.page("Post to TikTok", when + fragment, status=status, extra="page", headline=False)


async def _form(one: AsyncAccount, found: Given) -> ExportForm:
    creator = await one.creator_info()
    if not found.is_film:
        return ExportForm(creator, is_photo=True)
    return ExportForm(creator, facts=(await asyncio.to_thread(_looked, found)).facts)


async def _film_problems(desk: Desk, found: Given, creator: CreatorInfo) -> tuple[Problem, ...]:
    """Return what is wrong with a film, whatever the person will choose."""
    if not found.is_film:
        return ()
    try:
        # The level stands for any: only what is wrong with the film itself is told before the person chooses.
        post = VideoPost(privacy_level=PrivacyLevel.SELF_ONLY)
        await desk.tiktok.check_video(str(found.path), post, creator=creator)
    except InvalidPost as error:
        return tuple(one for one in error.problems if one.field == "video")
    return ()


def _when(path: str, at: str) -> str:
    """Return the choice of the time. It is a form of its own, so that the address keeps what was chosen."""
    now = f"{datetime.now().astimezone():%Z}"
    said = "" if not at else f"<p>Post and Send to inbox wait until {text(at.replace('T', ' '))} {text(now)}.</p>"
    return (
        f'<form method="get" action="{text(path)}" class="when"><label for="at">Time ({text(now)}); empty for now</label>'
        f'<input type="datetime-local" id="at" name="{AT}" value="{text(at)}"><button>Set the time</button>{said}</form>'
    )


def _draft_only(desk: Desk, path: str, found: Given, at: str) -> str:
    said = "This account did not grant video.publish, so the studio can only send a draft to its inbox."
    button = '<button name="button" value="draft">Send to inbox as draft</button>'
    return f"<p>{text(found.name)}</p><p>{said}</p>" + desk.layout.form(path, button, fields={AT: at})


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return (
        f"https://{parts.netloc}"
        if parts.scheme == "https" and parts.netloc.isascii() and "@" not in parts.netloc
        else ""
    )


# --- Posting ---------------------------------------------------------------------------------------------------------


async def submit(desk: Desk, request: web.Request) -> web.Response:
    """Post, send a draft, or show the page again with what the person chose."""
    one = await desk.account(request)
    found = await asyncio.to_thread(desk.given.get, request.match_info["given"])
    fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    sent, at = read_submission(fields), fields.get(AT, "")
    form = None
    try:
        refuse(InvalidPost, sent.problems)
        if sent.action == "draft":
            post, creator = _draft(found, sent), None
        else:
            form = sent.on(await _form(one, found))
            if sent.action == "update":
                return await _export_page(desk, request, one, found, at=at, sent=sent, form=form)
            post, creator = _direct(found, form, sent), form.creator
        wish = await _checked(desk, found, post, creator)
        moment_of = _time(at)
        refuse(InvalidPost, schedule_problems(schedule(moment_of, None), desk.tiktok.clock.now()))
    except InvalidPost as error:
        return await _export_page(desk, request, one, found, at=at, sent=sent, refused=error.problems, form=form)
    return await _begin(desk, one, found, wish, at=moment_of, fields=fields)


def _direct(found: Given, form: ExportForm, sent: Submission) -> VideoPost | PhotoPost:
    if found.is_film:
        return form.video_post()
    return form.photo_post(found.pictures, **asdict(sent.photos))


def _draft(found: Given, sent: Submission) -> VideoPost | PhotoPost:
    if found.is_film:
        return VideoPost(draft=True)
    blank = sent.on(ExportForm(CreatorInfo(), is_photo=True))
    return PhotoPost(photo_images=found.pictures, title=blank.title, draft=True, **asdict(sent.photos))


async def _checked(desk: Desk, found: Given, post: VideoPost | PhotoPost, creator: CreatorInfo | None) -> Wish:
    if isinstance(post, PhotoPost):
        return await desk.tiktok.check_photos(post, creator=creator)
    return await desk.tiktok.check_video(str(found.path), post, creator=creator)


def _time(at: str) -> datetime | None:
    try:
        # A time without a zone is one of this machine, at which the person sits.
        return datetime.fromisoformat(at).astimezone() if at else None
    except (ValueError, OverflowError, OSError):
        raise InvalidPost((Problem("not_before", "is not a date with a time: set it again"),)) from None


async def _begin(
    desk: Desk,
    one: AsyncAccount,
    found: Given,
    wish: Wish,
    *,
    at: datetime | None,
    fields: Mapping[str, str],
) -> web.Response:
    """Begin the post, or show how the same one ended that was asked for before."""
    if AGAIN_KEY.fullmatch(fields.get(AGAIN, "")):
        key = fields[AGAIN]
    else:
        key = await one.derived_key(prefix_of(one.open_id, _named(wish, found), at))
        record = await one.post(key)
        if record is not None and record.stage in (Stage.COMPLETE, Stage.IN_INBOX):
            return _posted_before(desk, one, found, record, fields)
        if record is not None and not record.wish.is_same(wish):
            # It was refused, and its copy removed: what was dropped since is another file, and the key means the first one.
            key = secrets.token_hex(12)
    settings: Hidden[dict[str, Any]] = Hidden(asdict(wish.post, recurse=False))
    if at is not None:
        await _enter(one, wish, settings, key, at)
        desk.go_on(one, key, found.id)
    elif isinstance(wish.post, PhotoPost):
        desk.start(one, key, found.id, lambda tell: one.post_photos(**settings.reveal(), key=key, on_progress=tell))
    else:
        path = str(found.path)
        desk.start(
            one, key, found.id, lambda tell: one.post_video(path, **settings.reveal(), key=key, on_progress=tell)
        )
    raise web.HTTPSeeOther(desk.guard.path("a", one.open_id))


def _named(wish: Wish, found: Given) -> Wish:
    """Return the wish under a name that its film keeps when it is dropped again, which makes another file of it."""
    return evolve(wish, fingerprint=found.id) if found.is_film else wish


async def _enter(one: AsyncAccount, wish: Wish, settings: Hidden[dict[str, Any]], key: str, at: datetime) -> None:
    if isinstance(wish.post, PhotoPost):
        await one.enter_photos(**settings.reveal(), key=key, not_before=at, for_workers=False)
    else:
        await one.enter_video(wish.video or "", **settings.reveal(), key=key, not_before=at, for_workers=False)


def _posted_before(
    desk: Desk, one: AsyncAccount, found: Given, record: Record, fields: Mapping[str, str]
) -> web.Response:
    kept = {name: value for name, value in fields.items() if name != CSRF}
    path = desk.guard.path("a", one.open_id, "given", found.id)
    said = f"You asked for the same post at {moment(record.created_at)}, and it was made. Nothing was posted again."
    button = desk.layout.button(path, "Post it once more", fields={**kept, AGAIN: secrets.token_hex(12)})
    return desk.layout.page("Posted before", f"<p>{text(said)}</p>{button}", status=409)
