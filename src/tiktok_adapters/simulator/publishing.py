"""The start of a post: creator info and the three inits.

What belongs here: the calls, with the order of their checks. The checks themselves are in `checks.py`.
Sources: https://developers.tiktok.com/doc/content-posting-api-reference-query-creator-info, and beside it the pages
that end in -direct-post, -upload-video and -photo-post.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from attrs import frozen

from tiktok_adapters.simulator import checks
from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.media import pull_problem
from tiktok_adapters.simulator.storage import Upload, spool
from tiktok_adapters.simulator.tasks import Kind, Mode, Task
from tiktok_adapters.simulator.world import World

__all__ = ["PHOTO_DESCRIPTION", "PHOTO_TITLE", "VIDEO_TITLE", "creator_info", "inbox_init", "photo_init", "video_init"]

VIDEO_TITLE: Final = 2200
"""The limit in UTF-16 units, like the other two."""
PHOTO_TITLE: Final = 90
PHOTO_DESCRIPTION: Final = 4000

# The second and the last are spelled on the wire otherwise than in the documents, which print `v_pub_url~v2.` and
# `p_pub_url~v2.` for them.
_PREFIXES: Final[Mapping[tuple[str, str, str], str]] = {
    ("video", "DIRECT_POST", "FILE_UPLOAD"): "v_pub_file~v2-1.",
    ("video", "DIRECT_POST", "PULL_FROM_URL"): "v_pub_url~v2-1.",
    ("video", "MEDIA_UPLOAD", "FILE_UPLOAD"): "v_inbox_file~v2.",
    ("video", "MEDIA_UPLOAD", "PULL_FROM_URL"): "v_inbox_url~v2.",
    ("photo", "DIRECT_POST", "PULL_FROM_URL"): "p_pub_url~v2.",
    ("photo", "MEDIA_UPLOAD", "PULL_FROM_URL"): "p_inbox_url~v2.",
}


def creator_info(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/post/publish/creator_info/query/`; if the creator may not post now, the refusal has HTTP 200."""
    app, creator = world.admit(call, "creator_info", "video.publish")
    if call.body:
        call.json()
    try:
        checks.may_post(world, app, creator)
    except Refused as refused:
        raise Refused(refused.code, status=200) from None
    return {
        "creator_avatar_url": f"https://p16-sign.tiktokcdn.com/simulated/{creator.username}.jpeg",
        "creator_username": creator.username,
        "creator_nickname": creator.nickname,
        "privacy_level_options": list(creator.privacy_level_options),
        **creator.disabled,
        "max_video_post_duration_sec": creator.max_video_post_duration_sec,
    }


def video_init(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/post/publish/video/init/`: a direct post of a video."""
    app, creator = world.admit(call, "video_init", "video.publish")
    body = call.json()
    checks.names_a_level(world, app, body)
    info, source = checks.post_info(body), checks.source_info(body)
    checks.caption(world, info, "title", VIDEO_TITLE)
    checks.known_level(info)
    checks.toggles(world, info, ("disable_duet", "disable_stitch", "disable_comment", "is_aigc"))
    checks.video_source(world, source)
    checks.may_post(world, app, creator)
    checks.privacy(world, app, creator, info)
    checks.ownership(app, source.get("video_url"))
    return _begun(world, _Wish(app, creator, "video", "DIRECT_POST", info, source, info.get("is_aigc") is True))


def inbox_init(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/post/publish/inbox/video/init/`: a video draft. The call takes `source_info` only."""
    app, creator = world.admit(call, "inbox_init", "video.upload")
    body = call.json()
    if "post_info" in body and world.switches.inbox_post_info == "refuse":
        raise Refused.param("post_info is not a parameter of this call")
    source = checks.source_info(body)
    checks.video_source(world, source)
    checks.app_version(creator, world.switches.video_draft_min_version)
    checks.may_draft(world, creator)
    checks.ownership(app, source.get("video_url"))
    return _begun(world, _Wish(app, creator, "video", "MEDIA_UPLOAD", _kept(world, body), source, is_aigc=False))


def _kept(world: World, body: Mapping[str, Any]) -> Mapping[str, Any]:
    info = body.get("post_info")
    if (
        world.switches.inbox_post_info != "title"
        or not isinstance(info, dict)
        or not isinstance(info.get("title"), str)
    ):
        return {}
    return {"title": info["title"]}


def photo_init(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/post/publish/content/init/`: a direct post or a draft of photos."""
    world.bearer(call)  # the scope depends on the body, the token does not
    body = call.json()
    mode = checks.photo_mode(body)
    scope = "video.publish" if mode == "DIRECT_POST" else "video.upload"
    app, creator = world.admit(call, "photo_init", scope)
    info, source = checks.post_info(body), checks.source_info(body)
    checks.caption(world, info, "title", PHOTO_TITLE)
    checks.caption(world, info, "description", PHOTO_DESCRIPTION)
    checks.photo_source(world, source)
    checks.flag(body, "is_aigc")
    if mode == "DIRECT_POST":
        checks.known_level(info)
        checks.toggles(world, info, ("disable_comment", "auto_add_music"))
        checks.may_post(world, app, creator)
        checks.privacy(world, app, creator, info)
    else:
        checks.photo_draft(world, app)
        checks.app_version(creator, "31.8")
        checks.may_draft(world, creator)
    checks.ownership(app, *source["photo_images"])
    return _begun(world, _Wish(app, creator, "photo", mode, info, source, body.get("is_aigc") is True))


@frozen
class _Wish:
    """A requested post that has passed all checks."""

    app: App
    creator: Creator
    kind: Kind
    mode: Mode
    info: Mapping[str, Any]
    source: Mapping[str, Any]
    is_aigc: bool


def _task(world: World, wish: _Wish) -> Task:
    source = wish.source
    task = Task(
        publish_id=_PREFIXES[wish.kind, wish.mode, source["source"]] + world.chance.digits(19),
        app=wish.app,
        creator=wish.creator,
        account=world.account(wish.app, wish.creator),
        kind=wish.kind,
        mode=wish.mode,
        post_info=wish.info,
        source_info=source,
        is_aigc=wish.is_aigc,
        created_at=world.now,
        post_id=world.chance.post_id(),
        upload=_upload(world, source) if source["source"] == "FILE_UPLOAD" else None,
    )
    if task.upload is None and world.switches.media_check != "off":
        task.script.fail_reason = pull_problem(task.kind, task.urls)
    world.tasks[task.publish_id] = task
    return task


def _upload(world: World, source: Mapping[str, Any]) -> Upload:
    return Upload(
        upload_id=world.chance.digits(19),
        upload_token=world.chance.uuid(),
        size=source["video_size"],
        chunk_size=source["chunk_size"],
        count=source["total_chunk_count"],
        expires_at=world.now + timedelta(seconds=world.switches.upload_seconds),
        file=spool() if world.keep_bytes else None,
    )


def _begun(world: World, wish: _Wish) -> dict[str, Any]:
    task = _task(world, wish)
    if task.upload is None:
        return {"publish_id": task.publish_id}
    query = urlencode({"upload_id": task.upload.upload_id, "upload_token": task.upload.upload_token})
    return {"publish_id": task.publish_id, "upload_url": f"{world.upload_base}{world.switches.upload_path}?{query}"}
