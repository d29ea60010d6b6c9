"""What is wished, and its place in the journal: look at the media, and enter the wish under its key, once."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Final, cast

from attrs import evolve

from tiktok_core.domain.chunks import DOUBTFUL_VIDEO, fallback_plans, plan_chunks, size_problem
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import KEEP, Record, Stage, Wish, learned_chunk, record_name
from tiktok_core.domain.media import HEAD_LENGTH, is_url, media_type, ownership_problems, url_problems
from tiktok_core.domain.pacing import DAY, quota_warning
from tiktok_core.domain.posts import (
    MOST_PHOTOS,
    PhotoPost,
    VideoPost,
    creator_problems,
    photo_field,
    photo_problems,
    video_problems,
)
from tiktok_core.errors import InvalidInput, InvalidPost, LeaseLost, Problem, SignInRequired, StoreError, refuse
from tiktok_core.flows.disks import look, open_source
from tiktok_core.flows.exchange import Context, log
from tiktok_core.flows.hold import LEASE, LEASE_WAIT
from tiktok_core.flows.leases import given_back, try_lease
from tiktok_core.flows.look import look_at_picture, look_at_picture_url, look_at_video, look_at_video_url
from tiktok_core.flows.upload import Film
from tiktok_core.flows.watch import Watch
from tiktok_core.ports import HasPath, Source
from tiktok_core.wire.http import read_from

__all__ = ["enter", "known", "no_post", "open_film", "photo_wish", "usually_cut", "video_wish"]

LONGEST_KEY: Final = 200


async def video_wish(
    context: Context,
    video: str | HasPath | Source,
    post: VideoPost,
    chunk_size: int | None,
    *,
    creator: CreatorInfo | None = None,
    fetch: bool = False,
) -> tuple[Wish, Film | None]:
    """Return what is wished, with its file if it is one, after all that can be told without asking TikTok.

    Raises:
        InvalidPost: what is wrong with the file or URL, and what is wrong with the settings, at once.
    """
    url = video if isinstance(video, str) and is_url(video) else None
    problems = [*video_problems(post, _options(creator)), *_creator_problems(post, creator)]
    film = None
    if url is None:
        try:
            film = await open_film(context, video, chunk_size)
        except InvalidPost as error:
            problems = [*error.problems, *problems]
        else:
            problems.extend(await look_at_video(context, film.source, creator))
    else:
        problems.extend(url_problems("video_url", url))
        if chunk_size is not None:
            problems.append(Problem("chunk_size", "is for files; TikTok pulls a URL by itself"))
        problems.extend(await _pull_problems(context, "video_url", url, look_at_video_url if fetch else None))
    refuse(InvalidPost, problems)
    if film is None:
        return Wish(post=post, video=url), None
    wish = Wish(
        post=post,
        video=film.name,
        fingerprint=film.fingerprint,
        media_type=film.media_type,
        plan=film.plan,
        is_cut_chosen=chunk_size is not None,
    )
    return wish, film


async def photo_wish(
    context: Context,
    post: PhotoPost,
    *,
    files: Sequence[str | HasPath | Source] = (),
    creator: CreatorInfo | None = None,
    fetch: bool = False,
) -> Wish:
    """Return what is wished, after all that can be told without asking TikTok.

    Raises:
        InvalidPost: every problem at once.
    """
    problems = [*photo_problems(post, _options(creator)), *_creator_problems(post, creator)]
    for index, url in enumerate(post.photo_images[:MOST_PHOTOS]):
        problems.extend(await _pull_problems(context, photo_field(index), url, look_at_picture_url if fetch else None))
    if files and len(files) != len(post.photo_images):
        said = f"are {len(files)} for {len(post.photo_images)} photos: give one for each, in their order"
        problems.append(Problem("files", said))
    for index, file in enumerate(files):
        problems.extend(await _file_problems(context, photo_field(index), file))
    refuse(InvalidPost, problems)
    return Wish(post=post)


async def _pull_problems(
    context: Context, field: str, url: str, look: Callable[[Context, str, str], Awaitable[Sequence[Problem]]] | None
) -> Sequence[Problem]:
    foreign = tuple(ownership_problems(field, url, context.app.verified_urls))
    if foreign or look is None or any(url_problems(field, url)):
        return foreign
    return await look(context, field, url)


async def _file_problems(context: Context, field: str, file: str | HasPath | Source) -> Sequence[Problem]:
    try:
        source, name = await _opened(context, file)
    except InvalidPost as error:
        return [Problem(field, problem.message) for problem in error.problems]
    found = await look_at_picture(context, field, source)
    return [Problem(field, f"{name}: {problem.message}" if name else problem.message) for problem in found]


def _options(creator: CreatorInfo | None) -> Sequence[str]:
    return () if creator is None else creator.privacy_level_options


def _creator_problems(post: VideoPost | PhotoPost, creator: CreatorInfo | None) -> Iterator[Problem]:
    if creator is not None and post.privacy_level is not None and not post.draft:
        yield from creator_problems(post, creator)


async def open_film(context: Context, video: str | HasPath | Source, chunk_size: int | None) -> Film:
    """Look at a file: its size, its first bytes, how it will be cut.

    Raises:
        InvalidPost: it is empty, too large, or no video; or the chosen chunk size cannot work.
        SourceChanged: it does not answer within the time-out, or can no longer be read.
    """
    source, name = await _opened(context, video)
    return await look(context, source, partial(_film, source, name, chunk_size))


def _film(source: Source, name: str | None, chunk_size: int | None) -> Film:
    refuse(InvalidPost, size_problem(source.size))
    return Film(
        source=source,
        name=name,
        fingerprint=source.fingerprint,
        media_type=media_type(read_from(source, 0, min(source.size, HEAD_LENGTH)), name),
        plan=plan_chunks(source.size, chunk_size),
    )


async def _opened(context: Context, video: str | HasPath | Source) -> tuple[Source, str | None]:
    if not isinstance(video, str) and hasattr(video, "read"):
        # `hasattr` and not `isinstance`: a path has no `read`, and asking for `size` would look at the file.
        source = cast(Source, video)
    elif context.open_source is None:
        raise InvalidPost((Problem("video", "is a file's name, and this client was given no open_source"),))
    else:
        source = await open_source(context, partial(context.open_source, video))
    # A source that knows its path is found again by another process, whatever folder that one works in.
    named = source if isinstance(source, HasPath) else video
    return source, named if isinstance(named, str) else named.__fspath__() if isinstance(named, HasPath) else None


async def usually_cut(context: Context, wish: Wish) -> Wish:
    """Return the wish with its file cut as planned or, if nobody chose a size, as TikTok has wanted it of late."""
    if wish.plan is None or wish.is_cut_chosen or wish.plan.total_chunk_count == 1:
        return wish
    try:
        learned = learned_chunk(await context.journal.records(f"{context.app.client_key}\n"))
    except StoreError as error:
        # What was learned saves a refused init, and is worth no post.
        log.warning(
            "The usual chunk size is taken, because the journal does not say what TikTok took before: %s", error
        )
        return wish
    plan = next((plan for plan in fallback_plans(wish.plan) if plan.chunk_size == learned), wish.plan)
    return evolve(wish, plan=plan)


async def enter(context: Context, account: str, wish: Wish, key: str | None) -> Record | Trace:
    """Return the record of the key: the one that the journal has, or a new one under a random key.

    Where the journal has removed the record of the key, and the post may exist, its trace is returned: nothing is begun.

    Raises:
        SignInRequired: nobody has signed in with this account.
        InvalidPost: the key stands for another post.
        LeaseLost: somebody else keeps the key, and has entered nothing under it.
    """
    if await context.tokens.load(account) is None:
        raise SignInRequired(account, "nobody has signed in, or the sign-in was ended")
    now = context.clock.now()
    await context.journal.forget(now, keep=KEEP)
    key = _checked(key) if key is not None else context.entropy(12).hex()
    found = await _looked_up(context, record_name(context.app.client_key, account, key))
    if found is None:
        wish = await usually_cut(context, wish)
        app = context.app.client_key
        fresh = Record(key=key, app=app, account=account, wish=wish, created_at=now, updated_at=now, plan=wish.plan)
        found = await _entered(context, fresh)
    if isinstance(found, Record) and not found.wish.is_same(wish):
        raise InvalidPost((Problem("key", f"{key!r} stands for another post; take another key for this one"),))
    return found


async def _looked_up(context: Context, name: str) -> Record | Trace | None:
    """Return what keeps a post from being begun under this name; None where nothing does."""
    record = await context.journal.load(name)
    # In this order: a record that is removed leaves its trace in the same act.
    found = await context.journal.trace(name) if record is None else record
    end = found.end if isinstance(found, Trace) else found and found.stage
    return None if end is Stage.ABANDONED else found


async def _entered(context: Context, fresh: Record) -> Record | Trace:
    owner, watch, deadline = context.entropy(16).hex(), Watch(context.clock), context.patience.deadline
    while watch.look(most=deadline) <= deadline:
        async with given_back(context, context.journal, fresh.name, owner):
            fence = await try_lease(context, context.journal, fresh.name, owner, LEASE)
            try:
                # Whoever holds the key may have entered it by now, or have done so between our look and our lease.
                found = await _looked_up(context, fresh.name)
                if found is not None:
                    return found
                if fence is not None:
                    await context.journal.save(fresh, fence=fence)
                    await _warn(context, fresh)
                    return fresh
            except LeaseLost:
                log.debug("The lease was slept through: %s is looked at again", fresh.key)
        await context.clock.sleep(LEASE_WAIT)
        watch.slept(LEASE_WAIT)
    error = LeaseLost(fresh.key)
    error.name_post(fresh.key)
    raise error


async def _warn(context: Context, fresh: Record) -> None:
    """Tell what TikTok may refuse, though nobody can know before it does."""
    plan = fresh.wish.plan
    if plan is not None and plan.video_size > DOUBTFUL_VIDEO:
        said = "The file has {:,} bytes; TikTok's limit of 4 GB may mean {:,}"
        log.warning(said.format(plan.video_size, DOUBTFUL_VIDEO))
    mine = record_name(fresh.app, fresh.account, "")
    try:
        warning = quota_warning(await context.journal.records(mine, since=fresh.created_at - DAY), fresh)
    except StoreError as error:
        # The wish is entered; that no warning can be given must not lose its key.
        warning = f"Whether the day's share is used up is not known: {error}"
    if warning is not None:
        log.warning(warning)


def _checked(key: str) -> str:
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidPost((Problem("key", f"is 1 to {LONGEST_KEY} printable characters"),))
    return key


async def known(context: Context, account: str, key: str) -> Record | Trace:
    """Return the record of a key, or what remains of it.

    Raises:
        InvalidInput: the journal of this account has no such post.
    """
    name = record_name(context.app.client_key, account, key)
    found = await context.journal.load(name) or await context.journal.trace(name)
    if found is None:
        raise no_post(key)
    return found


def no_post(key: str) -> InvalidInput:
    """Return the error for a key that the journal does not know."""
    return InvalidInput((Problem("key", f"the journal of this account has no post {key!r}"),))
