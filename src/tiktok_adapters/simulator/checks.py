"""The checks of an init: members and types, captions, chunk plans, URLs, privacy, caps.

What belongs here: one function for each check; it returns the value that it read, or raises `Refused` with the code from
TikTok's page of the call. `publishing.py` decides the order of the checks.
"""

from collections.abc import Mapping
from typing import Any, Final

from tiktok_adapters.simulator.accounts import PRIVACY_LEVELS, App, Creator, version_of
from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.rules import owns, plan_problem, pull_url_problem, utf16_units
from tiktok_adapters.simulator.tasks import DAY, Mode
from tiktok_adapters.simulator.world import World

__all__ = [
    "app_version",
    "caption",
    "flag",
    "known_level",
    "may_draft",
    "may_post",
    "names_a_level",
    "ownership",
    "photo_draft",
    "photo_mode",
    "photo_source",
    "post_info",
    "privacy",
    "source_info",
    "toggles",
    "video_source",
]

MAX_PHOTOS: Final = 35
POST_INFO_INVALID: Final = "The request post info is empty or incorrect"
SOURCE_INFO_INVALID: Final = "The request source info is empty or incorrect"
MODE_INVALID: Final = "The request media_type or post_mode is invalid"


UNAUDITED: Final = "unaudited_client_can_only_post_to_private_accounts"


def names_a_level(world: World, app: App, body: Mapping[str, Any]) -> None:
    """Check that an unaudited app has `post_info`, if the switch wants the rule of audits to come first."""
    if world.switches.unaudited_scope == "all" and not app.audited and not body.get("post_info"):
        raise Refused(UNAUDITED)


def photo_draft(world: World, app: App) -> None:
    """Check that the app may make drafts of photos at all."""
    if world.switches.unaudited_scope == "all" and not app.audited:
        raise Refused(UNAUDITED)


def post_info(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `post_info`, which has to be an object that is not empty."""
    return _object(body, "post_info", POST_INFO_INVALID)


def source_info(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return `source_info`, which has to be an object that is not empty."""
    return _object(body, "source_info", SOURCE_INFO_INVALID)


def _object(body: Mapping[str, Any], name: str, sentence: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict) or not value:
        raise Refused.param(sentence)
    return value


def caption(world: World, info: Mapping[str, Any], name: str, limit: int) -> None:
    """Check the length, in UTF-16 units, of a text that may be absent."""
    value = info.get(name)
    if value is None:
        return
    if not isinstance(value, str):
        raise Refused.param(POST_INFO_INVALID)
    if utf16_units(value) > limit:
        code = world.switches.long_title_code
        raise Refused(code, POST_INFO_INVALID) if code else Refused.param(POST_INFO_INVALID)


def flag(values: Mapping[str, Any], name: str) -> None:
    """Check a boolean that may be absent."""
    if not isinstance(values.get(name), bool | None):
        raise Refused.param(f"{name} is not a boolean")


def toggles(world: World, info: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Check the booleans of a direct post, and that branded content is not `SELF_ONLY`."""
    brands = ("brand_content_toggle", "brand_organic_toggle")
    for name in (*names, *brands):
        flag(info, name)
    if world.switches.brand_toggles == "required" and any(info.get(name) is None for name in brands):
        raise Refused.param("brand_content_toggle and brand_organic_toggle are required")
    hidden = info.get("brand_content_toggle") is True and info.get("privacy_level") == "SELF_ONLY"
    if hidden and world.switches.brand_self_only == "refuse":
        raise Refused.param("Branded content visibility cannot be set to private")


def video_source(world: World, source: Mapping[str, Any]) -> None:
    """Check the source of a video: its chunk plan, or its URL."""
    kind = source.get("source")
    if kind == "PULL_FROM_URL":
        if problem := pull_url_problem(source.get("video_url")):
            raise Refused.param(problem)
        return
    if kind != "FILE_UPLOAD":
        raise Refused.param(SOURCE_INFO_INVALID)
    size, chunk, count = (_integer(source, name) for name in ("video_size", "chunk_size", "total_chunk_count"))
    lenient = world.switches.single_chunk == "lenient"
    if problem := plan_problem(size, chunk, count, mb=world.switches.mb, lenient=lenient):
        raise Refused.param(problem)


def _integer(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refused.param(f"{name} must be a positive integer")
    return value


def photo_mode(body: Mapping[str, Any]) -> Mode:
    """Return the `post_mode` of photos."""
    if body.get("media_type") != "PHOTO":
        raise Refused.param(MODE_INVALID)
    mode = body.get("post_mode")
    if mode == "DIRECT_POST":
        return "DIRECT_POST"
    if mode == "MEDIA_UPLOAD":
        return "MEDIA_UPLOAD"
    raise Refused.param(MODE_INVALID)


def photo_source(world: World, source: Mapping[str, Any]) -> None:
    """Check the photos' URLs, their number, and the index of the cover (counted from 0)."""
    if source.get("source") != "PULL_FROM_URL":
        raise Refused.param(SOURCE_INFO_INVALID)
    images = source.get("photo_images")
    if not isinstance(images, list) or not 1 <= len(images) <= MAX_PHOTOS:
        raise Refused.param(f"photo_images must hold 1 to {MAX_PHOTOS} URLs")
    for url in images:
        if problem := pull_url_problem(url):
            raise Refused.param(problem)
    cover = source.get("photo_cover_index")
    past = MAX_PHOTOS if world.switches.photo_cover == "any" else len(images)
    if not isinstance(cover, int) or isinstance(cover, bool) or not 0 <= cover < past:
        raise Refused.param("photo_cover_index must be the index of one of photo_images")


def known_level(info: Mapping[str, Any]) -> None:
    """Check that the privacy level, if there is one, is a word that TikTok knows."""
    level = info.get("privacy_level")
    if level is not None and (not isinstance(level, str) or level not in PRIVACY_LEVELS):
        raise Refused.param(POST_INFO_INVALID)


def privacy(world: World, app: App, creator: Creator, info: Mapping[str, Any]) -> None:
    """Check the privacy level of a direct post: the audit's rule first, then the creator's own options.

    `known_level` has refused a word that is no level.
    """
    level = info.get("privacy_level")
    if level is not None and not app.audited and (level != "SELF_ONLY" or not creator.private):
        raise Refused(UNAUDITED)
    if level not in creator.privacy_level_options:
        raise Refused(world.switches.privacy_mismatch_code, status=403)


def ownership(app: App, *urls: str | None) -> None:
    """Check that the app has verified the domain or prefix of every URL."""
    if not all(owns(app.url_properties, url) for url in urls if url is not None):
        raise Refused("url_ownership_unverified")


def app_version(creator: Creator, least: str | None) -> None:
    """Check the TikTok app on the creator's phone."""
    if least is not None and version_of(creator.app_version) < version_of(least):
        raise Refused("app_version_check_failed", f"The user's TikTok app must be {least} or newer")


def may_post(world: World, app: App, creator: Creator) -> None:
    """Check the ban and the caps on direct posts: the creator's posts and the app's users in 24 hours."""
    if creator.banned:
        raise Refused("spam_risk_user_banned_from_posting")
    now, switches = world.now, world.switches
    counted = [task for task in world.tasks.values() if task.counts_as_post(now, switches)]
    if sum(task.creator is creator for task in counted) >= creator.daily_posts:
        raise Refused("spam_risk_too_many_posts")
    users = {task.creator for task in counted if task.app is app} - {creator}
    cap = app.active_user_cap if app.audited else switches.active_user_cap
    if cap is not None and len(users) >= cap:
        raise Refused("reached_active_user_cap")


def may_draft(world: World, creator: Creator) -> None:
    """Check the ban and the cap on drafts that wait in the creator's inbox."""
    if creator.banned:
        raise Refused("spam_risk_user_banned_from_posting")
    now, switches = world.now, world.switches
    drafts = [task for task in world.tasks.values() if now - task.created_at < DAY and task.creator is creator]
    if sum(task.is_pending_draft(now, switches) for task in drafts) >= switches.pending_cap:
        raise Refused("spam_risk_too_many_pending_share")
