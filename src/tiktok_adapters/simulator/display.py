"""Reading: the profile of the signed-in user and the list of public videos (the Display API).

What belongs here: https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info, /doc/tiktok-api-v2-video-list and
/doc/tiktok-api-v2-video-query.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.answers import Refused, json_answer, plain
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.rules import FIELD_SCOPES, VIDEO_FIELDS
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Task
from tiktok_adapters.simulator.world import World
from tiktok_core.wire.http import Response

__all__ = ["oembed", "user_info", "video_list", "video_query"]

MAX_COUNT: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def user_info(world: World, call: Call) -> dict[str, Any]:
    """Answer `GET /v2/user/info/?fields=...`."""
    app, creator = world.admit(call, "user_info")
    known = dict(FIELD_SCOPES)
    if world.switches.profile_web_link:
        known["profile_web_link"] = "user.info.profile"
    fields = _fields(call, frozenset(known))
    if any(known[name] not in app.scopes for name in fields):
        raise Refused("scope_permission_missed", "The app lacks a scope that a requested field needs")
    granted = world.bearer(call)[2]
    if world.switches.field_scope == "refuse" and any(known[name] not in granted for name in fields):
        raise Refused("scope_not_authorized", "The user did not authorize the scope required for this request")
    profile = _profile(world, app, creator)
    return {"user": {name: profile[name] for name in fields if known[name] in granted}}


def _profile(world: World, app: App, creator: Creator) -> dict[str, Any]:
    avatar = f"https://p16-sign.tiktokcdn.com/simulated/{creator.username}"
    union = hashlib.sha256(creator.open_id.encode()).hexdigest()
    return {
        "open_id": world.account(app, creator),
        "union_id": "-".join((union[:8], union[8:12], union[12:16], union[16:20], union[20:32])),
        "avatar_url": f"{avatar}.jpeg",
        "avatar_url_100": f"{avatar}_100.jpeg",
        "avatar_url_200": f"{avatar}_200.jpeg",
        "avatar_large_url": f"{avatar}_large.jpeg",
        "display_name": creator.nickname,
        "bio_description": creator.bio,
        "profile_deep_link": f"https://vm.tiktok.com/{creator.username}/",
        "profile_web_link": f"https://www.tiktok.com/@{creator.username}",
        "is_verified": creator.verified,
        "username": creator.username,
        "follower_count": creator.followers,
        "following_count": creator.following,
        "likes_count": creator.likes,
        "video_count": len(_videos(world, creator)),
    }


def video_list(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/video/list/?fields=...`: the public videos before `cursor` (ms), newest first."""
    _app, creator = world.admit(call, "video_list", "video.list")
    fields = _fields(call, VIDEO_FIELDS)
    body = call.json() if call.body else {}
    cursor, count = body.get("cursor"), body.get("max_count", 10)
    if not _is_integer(count) or not 1 <= count <= MAX_COUNT:
        raise Refused.param(f"max_count must be 1 to {MAX_COUNT}")
    if cursor is not None and not _is_integer(cursor):
        raise Refused.param("cursor must be an integer")
    older = [video for video in _videos(world, creator) if not cursor or video.posted_ms < cursor]
    page = older[:count]
    return {
        "videos": [_spelled(video, fields, world.switches) for video in page],
        "cursor": page[-1].posted_ms if page else cursor or 0,
        "has_more": len(older) > len(page),
    }


def video_query(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/video/query/?fields=...`: those of the named videos that are the user's and public."""
    _app, creator = world.admit(call, "video_query", "video.list")
    fields = _fields(call, VIDEO_FIELDS)
    filters = call.json().get("filters")
    wanted = filters.get("video_ids") if isinstance(filters, dict) else None
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= MAX_COUNT:
        raise Refused.param(f"filters.video_ids must hold 1 to {MAX_COUNT} ids")
    if world.switches.query_ids == "integers" and not all(_is_id(one) for one in wanted):
        raise Refused.param("The video id must be an integer")
    asked = {str(one) for one in wanted}
    found = [video for video in _videos(world, creator) if str(video.post_id) in asked]
    return {"videos": [_spelled(video, fields, world.switches) for video in found]}


def oembed(world: World, call: Call) -> Response:
    """Answer `GET /oembed?url=...` of the site, which needs no token: what a page needs to show a public video.

    Source: https://oembed.com, which has the fields and the two statuses; TikTok's own answers were not observed.
    """
    asked = dict(call.query)
    if asked.get("format", "json") != "json":
        return plain("Only json is answered.\n", 501)
    for creator in world.creators:
        for video in _videos(world, creator):
            shown = _spelled(
                video, ("title", "share_url", "embed_html", "cover_image_url", "height", "width"), world.switches
            )
            if asked.get("url", "").partition("?")[0] == shown["share_url"]:
                return json_answer(_embedded(creator, shown))
    return plain("There is no such public video.\n", 404)


def _embedded(creator: Creator, video: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "type": "video",
        "title": video["title"],
        "author_name": creator.nickname,
        "author_url": f"https://www.tiktok.com/@{creator.username}",
        "provider_name": "TikTok",
        "provider_url": "https://www.tiktok.com",
        "html": video["embed_html"],
        "width": video["width"],
        "height": video["height"],
        "thumbnail_url": video["cover_image_url"],
        "thumbnail_width": video["width"],
        "thumbnail_height": video["height"],
    }


def _is_id(value: object) -> bool:
    return _is_integer(value) or (isinstance(value, str) and value.isascii() and value.isdigit())


@frozen
class _Video:
    posted_ms: int
    post_id: int
    task: Task


def _videos(world: World, creator: Creator) -> list[_Video]:
    """Return the public videos, newest first. No two have the same millisecond, because the cursor could not separate them."""
    now, switches = world.now, world.switches
    found = [
        ((at - _EPOCH) // timedelta(milliseconds=1), post_id, task)
        for task in world.tasks.values()
        if task.creator is creator and task.kind == "video"
        for at, post_id in task.public_since(now, switches)
    ]
    videos: list[_Video] = []
    for posted_ms, post_id, task in sorted(found, key=lambda one: one[:2]):
        earliest = videos[-1].posted_ms + 1 if videos else posted_ms
        videos.append(_Video(max(posted_ms, earliest), post_id, task))
    return videos[::-1]


def _spelled(video: _Video, fields: tuple[str, ...], switches: Switches) -> dict[str, Any]:
    title = video.task.post_info.get("title") or ""
    share_url = f"https://www.tiktok.com/@{video.task.creator.username}/video/{video.post_id}"
    values = {
        "id": video.post_id if switches.video_ids == "numbers" else str(video.post_id),
        "create_time": video.posted_ms // 1000,
        "cover_image_url": f"https://p16-sign.tiktokcdn.com/simulated/{video.post_id}.jpeg",
        "share_url": share_url,
        "video_description": title[:150],
        "duration": 15,
        "height": 1024,
        "width": 576,
        "title": title[:150],
        "embed_html": f'<blockquote class="tiktok-embed" cite="{share_url}"></blockquote>',
        "embed_link": f"https://www.tiktok.com/embed/v2/{video.post_id}",
        **dict.fromkeys(("like_count", "comment_count", "share_count", "view_count"), 0),
    }
    return {name: values[name] for name in fields}


def _fields(call: Call, known: frozenset[str]) -> tuple[str, ...]:
    names = tuple(",".join(value for name, value in call.query if name == "fields").split(","))
    if unknown := [name for name in names if name not in known]:
        raise Refused.param(f"fields: {unknown[0] or 'missing'} is not a field of this call")
    return tuple(dict.fromkeys(names))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
