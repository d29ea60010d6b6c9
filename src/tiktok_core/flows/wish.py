"""What is wished, and its place in the journal: look at the file, and enter the wish under its key, once."""

from typing import Final, cast

from tiktok_core.domain.chunks import DOUBTFUL_VIDEO, ChunkPlan, fallback_plans, plan_chunks, size_problem
from tiktok_core.domain.journal import KEEP, Record, Stage, Wish, learned_chunk, record_name
from tiktok_core.domain.media import HEAD_LENGTH, media_type
from tiktok_core.errors import InvalidInput, InvalidPost, Problem, SignInRequired, refuse
from tiktok_core.flows.exchange import Context, log
from tiktok_core.flows.hold import LEASE, LEASE_WAIT
from tiktok_core.flows.upload import Film
from tiktok_core.ports import HasPath, Source

__all__ = ["enter", "known", "open_film", "usual_plan"]

LONGEST_KEY: Final = 200


def open_film(context: Context, video: str | HasPath | Source, chunk_size: int | None) -> Film:
    """Look at a file: its size, its first bytes, how it will be cut.

    Raises:
        InvalidPost: it is empty, too large, or no video; or the chosen chunk size cannot work.
    """
    source, name = _opened(context, video)
    refuse(InvalidPost, size_problem(source.size))
    if source.size > DOUBTFUL_VIDEO:
        log.warning("The video has %d bytes; TikTok's limit of 4 GB may mean %d", source.size, DOUBTFUL_VIDEO)
    return Film(
        source=source,
        name=name,
        fingerprint=source.fingerprint,
        media_type=media_type(source.read(0, min(source.size, HEAD_LENGTH)), name),
        plan=plan_chunks(source.size, chunk_size),
    )


def _opened(context: Context, video: str | HasPath | Source) -> tuple[Source, str | None]:
    if not isinstance(video, str) and hasattr(video, "read"):
        # `hasattr` and not `isinstance`: a path has no `read`, and asking for `size` would look at the file.
        source = cast(Source, video)
    elif context.open_source is None:
        raise InvalidPost((Problem("video", "is a file's name, and this client was given no open_source"),))
    else:
        source = context.open_source(video)
    # A source that knows its path is found again by another process, whatever folder that one works in.
    named = source if isinstance(source, HasPath) else video
    return source, named if isinstance(named, str) else named.__fspath__() if isinstance(named, HasPath) else None


async def usual_plan(context: Context, film: Film) -> ChunkPlan:
    """Return how to cut a file whose chunk size nobody chose: as planned, or as TikTok has wanted it of late."""
    if film.plan.total_chunk_count == 1:
        return film.plan
    learned = learned_chunk(await context.journal.records(), context.app.client_key)
    return next((plan for plan in fallback_plans(film.plan) if plan.chunk_size == learned), film.plan)


async def enter(context: Context, account: str, wish: Wish, key: str | None) -> Record:
    """Return the record of the key: the one that the journal has, or a new one under a random key.

    Raises:
        SignInRequired: nobody has signed in with this account.
        InvalidPost: the key stands for another post.
    """
    if await context.tokens.load(account) is None:
        raise SignInRequired(account, "nobody has signed in, or the sign-in was ended")
    now = context.clock.now()
    await context.journal.forget(now - KEEP)
    key = _checked(key) if key is not None else context.entropy(12).hex()
    name = record_name(context.app.client_key, account, key)
    fresh = Record(
        key=key, app=context.app.client_key, account=account, wish=wish, created_at=now, updated_at=now, plan=wish.plan
    )
    record = await context.journal.load(name)
    if record is None or record.stage is Stage.ABANDONED:
        record = await _entered(context, fresh)
    if not record.wish.is_same(wish):
        raise InvalidPost((Problem("key", f"{key!r} stands for another post; take another key for this one"),))
    return record


async def _entered(context: Context, fresh: Record) -> Record:
    owner = context.entropy(16).hex()
    while True:
        now = context.clock.now()
        fence = await context.journal.try_lease(fresh.name, owner=owner, now=now, until=now + LEASE)
        if fence is not None:
            break
        await context.clock.sleep(LEASE_WAIT)
    try:
        # Somebody else may have entered the same key between our look and our lease.
        record = await context.journal.load(fresh.name)
        if record is None or record.stage is Stage.ABANDONED:
            await context.journal.save(fresh, fence=fence)
            return fresh
        return record
    finally:
        await context.journal.release(fresh.name, owner=owner)


def _checked(key: str) -> str:
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidPost((Problem("key", f"is 1 to {LONGEST_KEY} printable characters"),))
    return key


async def known(context: Context, account: str, key: str) -> Record:
    """Return the record of a key.

    Raises:
        InvalidInput: the journal of this account has no such post.
    """
    record = await context.journal.load(record_name(context.app.client_key, account, key))
    if record is None:
        raise InvalidInput((Problem("key", f"the journal of this account has no post {key!r}"),))
    return record
