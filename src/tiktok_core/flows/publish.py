"""Publishing, top to bottom: check, ask the creator info, begin the post, hand over its bytes, follow it to the end."""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from tiktok_core.domain.chunks import plan_chunks, size_problem
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.media import HEAD_LENGTH, is_url, media_type, url_problems
from tiktok_core.domain.posts import PhotoPost, VideoPost, creator_problems, photo_problems, video_problems
from tiktok_core.domain.publishing import Progress, Publication, PublishStatus, Ticket
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import Interrupted, InvalidPost, OutcomeUnknown, Problem, ServerError, refuse
from tiktok_core.flows.access import authorized
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.follow import wait
from tiktok_core.flows.upload import Film, upload
from tiktok_core.ports import HasPath, Source
from tiktok_core.wire.http import Request
from tiktok_core.wire.publishing import (
    creator_info_request,
    photo_init_request,
    read_creator_info,
    read_ticket,
    video_init_request,
)

__all__ = ["creator_info", "post_photos", "post_video"]

OnProgress = Callable[[Progress], None]


async def creator_info(context: Context, account: str) -> CreatorInfo:
    """Ask what this creator may post now."""
    return await authorized(context, account, partial(creator_info_request, context.endpoints), read_creator_info)


async def post_video(
    context: Context,
    account: str,
    video: str | HasPath | Source,
    post: VideoPost,
    *,
    chunk_size: int | None,
    on_progress: OnProgress | None,
    until_final: bool,
) -> Publication:
    """Post a video from a file, a source, or a URL that TikTok pulls."""
    url = video if isinstance(video, str) and is_url(video) else None
    problems = [*video_problems(post), *(url_problems("video_url", url) if url else ())]
    film = None
    if url is None:
        # One refusal for all: what is wrong with the file, and what is wrong with the settings.
        try:
            film = open_film(context, video, chunk_size)
        except InvalidPost as error:
            problems = [*error.problems, *problems]
    elif chunk_size is not None:
        problems.append(Problem("chunk_size", "is for files; TikTok pulls a URL by itself"))
    refuse(InvalidPost, problems)
    if not post.draft:
        refuse(InvalidPost, creator_problems(post, await creator_info(context, account)))

    if film is None:
        ticket = await _begin_pull(
            context, account, lambda token: video_init_request(context.endpoints, token, post, url or "")
        )
    else:
        ticket = await _begin_upload(context, account, post, film)
        await _hand_over(context, ticket, film, on_progress)
    return await _finish(context, account, ticket, film, on_progress, until_final=until_final)


async def post_photos(
    context: Context, account: str, post: PhotoPost, *, on_progress: OnProgress | None, until_final: bool
) -> Publication:
    """Post photos that TikTok pulls from URLs."""
    refuse(InvalidPost, photo_problems(post))
    if not post.draft:
        refuse(InvalidPost, creator_problems(post, await creator_info(context, account)))
    ticket = await _begin_pull(context, account, lambda token: photo_init_request(context.endpoints, token, post))
    return await _finish(context, account, ticket, None, on_progress, until_final=until_final)


def open_film(context: Context, video: str | HasPath | Source, chunk_size: int | None) -> Film:
    """Look at a file: its size, its first bytes, how it will be cut.

    Raises:
        InvalidPost: it is empty, too large, or no video; or the chosen chunk size cannot work.
    """
    source, name = _opened(context, video)
    refuse(InvalidPost, size_problem(source.size))
    return Film(
        source=source,
        fingerprint=source.fingerprint,
        media_type=media_type(source.read(0, min(source.size, HEAD_LENGTH)), name),
        plan=plan_chunks(source.size, chunk_size),
    )


def _opened(context: Context, video: str | HasPath | Source) -> tuple[Source, str | None]:
    if not isinstance(video, str | HasPath):
        return video, None
    if context.open_source is None:
        raise InvalidPost((Problem("video", "is a file's name, and this client was given no open_source"),))
    return context.open_source(video), video if isinstance(video, str) else video.__fspath__()


async def _begin_upload(context: Context, account: str, post: VideoPost, film: Film) -> Ticket:
    def build(token: Secret) -> Request:
        return evolve(video_init_request(context.endpoints, token, post, film.plan), fresh_connection=True)

    return await authorized(context, account, build, partial(read_ticket, endpoints=context.endpoints, uploads=True))


async def _begin_pull(context: Context, account: str, build: Callable[[Secret], Request]) -> Ticket:
    # TikTok starts to publish at this call, and no repetition can be told from a second post.
    since = context.clock.now()
    try:
        return await authorized(
            context,
            account,
            lambda token: evolve(build(token), fresh_connection=True),
            partial(read_ticket, endpoints=context.endpoints, uploads=False),
        )
    except (Interrupted, ServerError) as error:
        raise OutcomeUnknown("the post that TikTok pulls", since, str(error).rstrip(".")) from error


async def _hand_over(context: Context, ticket: Ticket, film: Film, on_progress: OnProgress | None) -> None:
    furthest = 0

    def tell(sent: int) -> None:
        nonlocal furthest
        furthest = max(furthest, sent)
        if on_progress:
            on_progress(_progress(ticket, film, furthest, ""))

    await upload(context, ticket.publish_id, ticket.upload_url or "", film, tell)


async def _finish(
    context: Context,
    account: str,
    ticket: Ticket,
    film: Film | None,
    on_progress: OnProgress | None,
    *,
    until_final: bool,
) -> Publication:
    size = film.plan.video_size if film else None
    handed_over = Publication(
        publish_id=ticket.publish_id,
        status=PublishStatus.PROCESSING_UPLOAD if film else PublishStatus.PROCESSING_DOWNLOAD,
        uploaded_bytes=size,
    )
    if not until_final:
        return handed_over

    def tell(publication: Publication) -> None:
        if on_progress:
            on_progress(_progress(ticket, film, size or 0, publication.status))

    return await wait(context, account, ticket.publish_id, known=handed_over, tell=tell)


def _progress(ticket: Ticket, film: Film | None, sent: int, status: str) -> Progress:
    return Progress(
        stage="processing" if status else "uploading",
        sent_bytes=sent,
        video_size=film.plan.video_size if film else 0,
        publish_id=ticket.publish_id,
        status=status,
        plan=film.plan if film else None,
    )
