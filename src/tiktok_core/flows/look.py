"""Looking before posting: into a video, at pictures, and, only where that is asked for, at what a URL gives.

What belongs here: what is read, and in which order. What TikTok takes is told by `domain.media`.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from attrs import evolve

from tiktok_core.domain.chunks import size_problem
from tiktok_core.domain.containers import layout_problems, picture_facts
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.media import (
    HEAD_LENGTH,
    PictureFacts,
    VideoFacts,
    media_doubts,
    media_problems,
    media_type,
    picture_doubts,
    picture_problems,
)
from tiktok_core.domain.retry import Operation
from tiktok_core.errors import InvalidPost, Problem, TransportError
from tiktok_core.flows.disks import look_or_doubt
from tiktok_core.flows.exchange import Context, exchange, log
from tiktok_core.ports import Source
from tiktok_core.wire.http import read_from
from tiktok_core.wire.pulled import Pulled, pull_request, read_pulled

__all__ = ["look_at_picture", "look_at_picture_url", "look_at_video", "look_at_video_url", "video_facts"]


async def video_facts(context: Context, source: Source) -> VideoFacts:
    """Return what is known of a video; nothing, where nobody looks into videos."""
    return VideoFacts() if context.probe is None else await context.probe.facts(source)


async def look_at_video(context: Context, source: Source, creator: CreatorInfo | None = None) -> Sequence[Problem]:
    """Return why TikTok would refuse a video, and log why it may."""
    facts = await video_facts(context, source)
    _tell(media_doubts(facts))
    nothing: tuple[Problem, ...] = ()
    cut = await look_or_doubt(
        context, source, lambda: tuple(layout_problems(source.size, partial(read_from, source))), nothing
    )
    return (*cut, *media_problems(facts, creator))


async def look_at_picture(context: Context, field: str, source: Source) -> Sequence[Problem]:
    """Return why TikTok would refuse a picture, and log why it may."""
    facts = await look_or_doubt(context, source, lambda: picture_facts(source.size, partial(read_from, source)), None)
    return () if facts is None else _judged(field, facts)


async def look_at_video_url(context: Context, field: str, url: str) -> Sequence[Problem]:
    """Ask a media server for the beginning of a video, and return why TikTok could not pull it."""
    pulled, problems = await _pulled(context, field, url, is_picture=False)
    if pulled is None:
        return problems
    found = [] if pulled.size is None else [*size_problem(pulled.size), *layout_problems(pulled.size, pulled.read)]
    try:
        media_type(pulled.head[:HEAD_LENGTH], url.partition("?")[0])
    except InvalidPost as error:
        found.extend(error.problems)
    return (*problems, *(Problem(field, problem.message) for problem in found))


async def look_at_picture_url(context: Context, field: str, url: str) -> Sequence[Problem]:
    """Ask a media server for the beginning of a picture, and return why TikTok could not pull it or would refuse it."""
    pulled, problems = await _pulled(context, field, url, is_picture=True)
    if pulled is None:
        return problems
    facts = picture_facts(pulled.size or len(pulled.head), pulled.read)
    # Without a length nobody knows whether the bytes that came are all of them.
    known = facts if pulled.size else evolve(facts, is_cut=False)
    return (*problems, *_judged(field, known))


def _judged(field: str, facts: PictureFacts) -> Sequence[Problem]:
    _tell(picture_doubts(field, facts))
    return tuple(picture_problems(field, facts))


async def _pulled(
    context: Context, field: str, url: str, *, is_picture: bool
) -> tuple[Pulled | None, Sequence[Problem]]:
    request = pull_request(url, is_picture=is_picture)
    try:
        pulled = await exchange(context, request, read_pulled, Operation.READ)
    except TransportError as error:
        return None, (Problem(field, f"cannot be fetched from here: {error}"),)
    if 300 <= pulled.status < 400:
        return None, (Problem(field, f"sends elsewhere (HTTP {pulled.status}), and TikTok follows no redirect"),)
    if not pulled.is_given:
        return None, (Problem(field, f"its server answers HTTP {pulled.status}"),)
    problems = []
    if pulled.status == 200:
        problems.append(
            Problem(field, "its server gives no part of a file by itself (Range), which a long pull may need")
        )
    if pulled.size is None:
        problems.append(Problem(field, "its server does not say how long the file is"))
    return pulled, problems


def _tell(doubts: Iterable[Problem]) -> None:
    for doubt in doubts:
        log.warning("%s", doubt)
