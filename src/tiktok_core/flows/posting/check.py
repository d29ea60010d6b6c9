"""Checking a post before anything of it is sent: its settings, its file, its pictures, and what its URLs give.

What belongs here: what is read, and in which order; a URL is fetched only where that is asked for. What TikTok takes is said by
`domain.posts`, `domain.media`, `domain.containers` and `domain.pictures`.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve

from tiktok_core.domain.chunks import size_problem
from tiktok_core.domain.containers import film, layout_problems
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.journal import Wish
from tiktok_core.domain.media import (
    HEAD_LENGTH,
    media_doubts,
    media_problems,
    media_type,
    ownership_problems,
    pull_problems,
    source_url_problems,
    url_problems,
)
from tiktok_core.domain.names import bare, is_never_pulled, shown
from tiktok_core.domain.pictures import (
    PictureFacts,
    picture_doubts,
    picture_facts,
    picture_problems,
    picture_url_doubts,
)
from tiktok_core.domain.posts import (
    MOST_PHOTOS,
    PhotoPost,
    VideoPost,
    creator_problems,
    photo_field,
    photo_problems,
    video_problems,
)
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidPost, Misused, Problem, TransportError, refuse
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import LONGEST_LOOK, Openable, look_or_doubt, read_in_time, taken_in
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.posting.video_file import VideoFile, looked_into, open_media, open_video, planned
from tiktok_core.ports import Media, Source
from tiktok_core.wire.pulled import Pulled, answer_problems, pull_request, read_pulled

__all__ = ["is_to_be_opened", "look_at_video", "photo_wish", "video_wish"]

NOT_READ: Final = Problem(
    "video", "its codec, rate, size and duration are not checked, because they cannot be read: TikTok may refuse it"
)


async def video_wish(
    context: Context,
    video: Openable,
    post: VideoPost,
    chunk_size: int | None,
    *,
    creator: CreatorInfo | None = None,
    fetch: bool = False,
    upload: bool | None = None,
) -> tuple[Wish, VideoFile | None]:
    """Return what is asked for, with its file if bytes of it are to be sent, after all checks that need no answer of TikTok.

    Raises:
        InvalidPost: what is wrong with the file or URL, and what is wrong with the settings, at once.
    """
    problems = [*video_problems(post, _options(creator)), *_creator_problems(post, creator)]
    if isinstance(video, Secret) and not is_to_be_opened(context, video, upload):
        problems.extend(pull_problems(video, chunk_size, upload=upload))
        problems.extend(await _pull_problems(context, "video_url", video, _look_at_video_url if fetch else None))
        refuse(InvalidPost, problems)
        return Wish(post=post, video=video.reveal(), upload=upload), None
    if upload is False:
        problems.append(Problem("upload", "can be False for a URL only: a file is uploaded in any case"))
    if isinstance(video, Secret):
        problems.extend(source_url_problems("video_url", video))
        refuse(InvalidPost, problems)
        if not upload:
            foreign = _foreign(context, video)
            _tell(
                context, (evolve(one, message=f"{one.message}; so its bytes are uploaded from here") for one in foreign)
            )
    return await _with_file(context, video, post, chunk_size, creator=creator, problems=problems)


async def _with_file(
    context: Context,
    video: Openable,
    post: VideoPost,
    chunk_size: int | None,
    *,
    creator: CreatorInfo | None,
    problems: Iterable[Problem],
) -> tuple[Wish, VideoFile]:
    try:
        video_file = await open_video(context, video, chunk_size)
    except InvalidPost as error:
        raise InvalidPost((*error.problems, *problems)) from error.__cause__
    refuse(InvalidPost, (*problems, *await look_at_video(context, video_file.source, post, creator)))
    # A caller's own source has another name than a URL, or none, and is uploaded in any case.
    wish = Wish(post=post, upload=True if isinstance(video, Secret) else None, is_cut_chosen=chunk_size is not None)
    return planned(wish, video_file), video_file


def is_to_be_opened(context: Context, url: Secret, upload: bool | None) -> bool:
    """Whether the library sends what lies at a URL from the beginning, because TikTok would not or is not to pull it."""
    if upload is not None:
        return upload
    return is_never_pulled(url) or (context.open_source is not None and bool(_foreign(context, url)))


def _foreign(context: Context, url: Secret) -> Sequence[Problem]:
    """Return why the app may not let TikTok pull from a URL; nothing of a name that TikTok never pulls."""
    return () if is_never_pulled(url) else tuple(ownership_problems("video_url", url, context.app.verified_urls))


async def photo_wish(
    context: Context,
    post: PhotoPost,
    *,
    files: Sequence[Media | Secret] = (),
    creator: CreatorInfo | None = None,
    fetch: bool = False,
) -> Wish:
    """Return what is asked for, after all checks that need no answer of TikTok.

    Raises:
        InvalidPost: every problem at once.
    """
    problems = [*photo_problems(post, _options(creator)), *_creator_problems(post, creator)]
    for index, url in enumerate(map(Secret, post.photo_images[:MOST_PHOTOS])):
        problems.extend(await _pull_problems(context, photo_field(index), url, _look_at_picture_url if fetch else None))
        if not fetch:
            _tell(context, picture_url_doubts(photo_field(index), bare(url)))
    if files and len(files) != len(post.photo_images):
        said = f"are {len(files)} for {len(post.photo_images)} photos: give one for each, in their order"
        problems.append(Problem("files", said))
    for index, file in enumerate(files):
        problems.extend(await _file_problems(context, f"files[{index}]", file))
    refuse(InvalidPost, problems)
    return Wish(post=post)


async def _pull_problems(
    context: Context,
    field: str,
    url: Secret,
    look: Callable[[Context, str, Secret], Awaitable[Sequence[Problem]]] | None,
) -> Sequence[Problem]:
    foreign = tuple(ownership_problems(field, url, context.app.verified_urls))
    if foreign or look is None or any(url_problems(field, url)):
        return foreign
    return await look(context, field, url)


async def _file_problems(context: Context, field: str, file: Media | Secret) -> Sequence[Problem]:
    try:
        async with taken_in(context, file) as taken:
            source, name = await open_media(context, taken)
            found = await _look_at_picture(context, field, source)
    except InvalidPost as error:
        return [Problem(field, problem.message) for problem in error.problems]
    return [Problem(field, f"{shown(name)}: {problem.message}" if name else problem.message) for problem in found]


def _options(creator: CreatorInfo | None) -> Sequence[str]:
    return () if creator is None else creator.privacy_level_options


def _creator_problems(post: VideoPost | PhotoPost, creator: CreatorInfo | None) -> Iterator[Problem]:
    if creator is not None and post.privacy_level is not None and not post.draft:
        yield from creator_problems(post, creator)


async def look_at_video(
    context: Context, source: Source, post: VideoPost, creator: CreatorInfo | None = None
) -> Sequence[Problem]:
    """Return why TikTok would refuse a video, and log why it may."""
    found = await looked_into(context, source)
    facts = found.facts
    if found.size and facts.has_picture is None and facts.codec is None and context.probe is not False:
        _tell(context, [NOT_READ])
    _tell(context, media_doubts(facts, post.video_cover_timestamp_ms))
    cut = layout_problems(found)
    if creator is None and not post.draft:
        # The creator's own figure judges a direct post, and TikTok gives it just before the init.
        facts = evolve(facts, duration=None)
    return (*cut, *media_problems(facts, creator, draft=post.draft))


async def _look_at_picture(context: Context, field: str, source: Source) -> Sequence[Problem]:
    """Return why TikTok would refuse a picture, and log why it may."""
    read = read_in_time(context, source, LONGEST_LOOK)
    facts = await look_or_doubt(context, source, lambda: picture_facts(source.size, read), None)
    return () if facts is None else _judged(context, field, facts)


async def _look_at_video_url(context: Context, field: str, url: Secret) -> Sequence[Problem]:
    """Ask a media server for the beginning of a video, and return why TikTok could not pull it."""
    pulled, problems = await _pulled(context, field, url, is_picture=False)
    if pulled is None:
        return problems
    found: list[Problem] = []
    if pulled.size is not None:
        found.extend(size_problem(pulled.size))
        found.extend(layout_problems(film(pulled.size, pulled.read)))
    try:
        media_type(pulled.head[:HEAD_LENGTH])
    except InvalidPost as error:
        found.extend(error.problems)
    return (*problems, *(Problem(field, problem.message) for problem in found))


async def _look_at_picture_url(context: Context, field: str, url: Secret) -> Sequence[Problem]:
    """Ask a media server for the beginning of a picture, and return why TikTok could not pull it or would refuse it."""
    pulled, problems = await _pulled(context, field, url, is_picture=True)
    if pulled is None:
        return problems
    return (*problems, *_judged(context, field, picture_facts(pulled.size, pulled.read)))


def _judged(context: Context, field: str, facts: PictureFacts) -> Sequence[Problem]:
    _tell(context, picture_doubts(field, facts))
    return tuple(picture_problems(field, facts))


async def _pulled(
    context: Context, field: str, url: Secret, *, is_picture: bool
) -> tuple[Pulled | None, Sequence[Problem]]:
    try:
        pulled = await exchange(context, pull_request(url, is_picture=is_picture), read_pulled, Operation.READ)
    except Misused:
        raise
    except TransportError as error:
        return None, (Problem(field, f"cannot be fetched from here: {error}"),)
    return pulled if pulled.is_file else None, tuple(answer_problems(field, pulled))


def _tell(context: Context, doubts: Iterable[Problem]) -> None:
    for doubt in doubts:
        # The program that shows the warning to a person may call the field as that person does.
        context.log.warning("%s", doubt, problem=doubt)
