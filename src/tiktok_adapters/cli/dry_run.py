"""`--dry-run`: show every request that a post would send, and send none of them.

What belongs here: printing the requests without secrets. The same functions build them as for a real post.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import evolve, frozen

from tiktok_adapters.cli.common import account_of, say
from tiktok_adapters.cli.output import show, spelled_moment
from tiktok_adapters.cli.plan import plan_document
from tiktok_adapters.cli.times import spelled_time
from tiktok_adapters.transports.common import wire_headers
from tiktok_core import CreatorInfo, PhotoPost, Schedule, Secret, SignInRequired, TransportError, Wish
from tiktok_core.domain.names import shown
from tiktok_core.ports import Request, Source
from tiktok_core.wire.envelope import USER_AGENT
from tiktok_core.wire.publishing import (
    chunk_request,
    creator_info_request,
    photo_init_request,
    status_request,
    video_init_request,
)

if TYPE_CHECKING:
    from tiktok_adapters.assembly import Settings
    from tiktok_core import TikTok

__all__ = ["show_dry_run"]

HIDDEN: Final = Secret("***")
UPLOAD_URL: Final = Secret("{upload_url}")
PUBLISH_ID: Final = "{publish_id}"
"""Braces mark the values that only TikTok's answer to the init gives."""


def show_dry_run(
    found: "Settings",
    tiktok: "TikTok",
    wish: Wish,
    check: Callable[[CreatorInfo], object],
    *,
    at: Schedule | None = None,
) -> None:
    """Show the requests of a post. If an account is signed in, check first what its creator may post.

    Args:
        found: the settings.
        tiktok: the client.
        wish: the post.
        check: raises if this creator may not post it.
        at: when it may be begun; None for now.
    """
    if not wish.post.draft:
        _ask_the_creator(found, tiktok, check)
    requests = [_document(request) for request in _requests(found, wish)]
    plan = None if wish.plan is None else plan_document(wish.plan)
    show(
        {
            "dry_run": True,
            "media_type": wish.media_type,
            "plan": plan,
            "not_before": None if at is None else spelled_moment(at.not_before),
            "not_after": None if at is None else spelled_moment(at.not_after),
            "zone": None if at is None else at.zone or None,
            "requests": requests,
        },
        *(line for request in requests for line in _lines(request)),
        f"A real post would send these requests{_when(at)}; none of them was sent.",
    )


def _when(at: Schedule | None) -> str:
    if at is None:
        return ""
    first, last = (spelled_time(moment, at.zone) for moment in (at.not_before, at.not_after))
    return f" from {first} on, and begin by {last}"


def _ask_the_creator(found: "Settings", tiktok: "TikTok", check: Callable[[CreatorInfo], object]) -> None:
    try:
        creator = account_of(tiktok, found.account).creator_info()
    except (SignInRequired, TransportError) as error:
        say(f"The creator's limits were not checked. {error}")
    else:
        check(creator)


@frozen
class _Sized:
    """Stands for a source of so many bytes, of which none is read."""

    size: int


def _requests(found: "Settings", wish: Wish) -> Iterator[Request]:
    endpoints = found.endpoints()
    if not wish.post.draft:
        yield creator_info_request(endpoints, HIDDEN)
    if isinstance(wish.post, PhotoPost):
        # The query of a URL may be a signature.
        images = tuple(map(shown, wish.post.photo_images))
        yield photo_init_request(endpoints, HIDDEN, evolve(wish.post, photo_images=images))
    else:
        yield video_init_request(endpoints, HIDDEN, wish.post, wish.plan or Secret(wish.shown or ""))
    if wish.plan is not None and wish.media_type is not None:
        # Of the source nothing but its size is shown.
        source = cast(Source, _Sized(wish.plan.video_size))
        for chunk in wish.plan.ranges():
            yield chunk_request(UPLOAD_URL, source, chunk, wish.media_type)
    yield status_request(endpoints, HIDDEN, PUBLISH_ID)


def _document(request: Request) -> dict[str, Any]:
    sent = evolve(request, headers={"User-Agent": USER_AGENT, **request.headers})
    body = request.body if isinstance(request.body, bytes) else b""
    return {
        "method": request.method,
        "url": request.url,
        "headers": wire_headers(sent),
        "body": json.loads(body) if body else None,
    }


def _lines(request: dict[str, Any]) -> Iterator[str]:
    yield f"{request['method']} {request['url']}"
    yield from (f"  {name}: {value}" for name, value in request["headers"].items())
    if request["body"] is not None:
        yield from (f"  {line}" for line in json.dumps(request["body"], indent=2, ensure_ascii=False).splitlines())
    yield ""
