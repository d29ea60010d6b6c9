"""`post video`, `post photo`, `status`: make a post, and follow it.

What belongs here: the options of a post, and the checks that need no sign-in.
"""

from functools import partial, wraps
from typing import Any, Final

import click
from attrs import fields_dict

from tiktok_adapters.cli.common import (
    BYTES,
    POSTING,
    client,
    common,
    known_post,
    named_post,
    say,
    settings,
    signed_in,
)
from tiktok_adapters.cli.how import MANNERS, Command, How, Option, carry_out, show_only
from tiktok_adapters.cli.journal import left
from tiktok_adapters.cli.output import show_post, status_of
from tiktok_adapters.cli.spelling import ForgivingGroup, Spelling
from tiktok_core import (
    PhotoPost,
    PrivacyLevel,
    Publication,
    PublishFailed,
    PublishStatus,
    Scope,
    StillProcessing,
    VideoPost,
    Wish,
)

__all__ = ["post", "status"]

NOTHING_CAME: Final = 4
"""The exit status of a post of which nothing came."""


def _option(*names: str, **more: Any) -> Option:
    return click.option(*names, **more)


SETTINGS: Final = (
    _option("--title", default="", metavar="TEXT", help="The caption."),
    _option(
        "--privacy",
        "privacy_level",
        type=Spelling(PrivacyLevel),
        metavar="LEVEL",
        help=f"Required unless --draft: {', '.join(PrivacyLevel)}.",
    ),
    _option("--disable-comment", is_flag=True, help="Allow no comments."),
    _option("--brand-content", "brand_content_toggle", is_flag=True, help="Mark it as a paid partnership."),
    _option(
        "--brand-organic", "brand_organic_toggle", is_flag=True, help="Mark it as promoting the creator's own business."
    ),
    _option("--aigc", "is_aigc", is_flag=True, help="Label it as made by AI."),
    _option("--draft", is_flag=True, help="Send it to the creator's inbox; the creator finishes it in the TikTok app."),
)
"""The settings that videos and photos share."""


def post_options(*own: Option) -> Option:
    """Give a command the options of a post: the shared settings, its own, and those that it gets as `how`."""
    options: tuple[Option, ...] = (*SETTINGS, *own, *MANNERS, common)

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            command(how=How(**{name: given.pop(name) for name in fields_dict(How)}), **given)

        decorated: Command = run
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


@click.group(cls=ForgivingGroup, short_help="Post a video or photos.")
@common
def post() -> None:
    """Post a video or photos.

    Example: tiktok post video clip.mp4 --privacy SELF_ONLY
    """


@post.command(short_help="Post a video: a file, or what lies at a URL.")
@click.argument("video", metavar="FILE|URL")
@post_options(
    _option("--disable-duet", is_flag=True, help="Allow no duets."),
    _option("--disable-stitch", is_flag=True, help="Allow no stitches."),
    _option(
        "--cover-ms",
        "video_cover_timestamp_ms",
        type=int,
        metavar="N",
        help="The time of the frame to show as the cover, in ms.",
    ),
    _option("--chunk-size", type=BYTES, metavar="BYTES", help="Bytes of a chunk (default: the library chooses)."),
    _option(
        "--upload/--no-upload",
        default=None,
        help="Send the bytes at the URL, or never do (default: only if TikTok may not pull it).",
    ),
    _option("--no-probe", is_flag=True, help="Do not check codec, frame rate, size and duration."),
)
def video(
    *,
    video: str,
    chunk_size: int | None,
    upload: bool | None,
    no_probe: bool,
    how: How,
    **wishes: Any,
) -> None:
    """Post a video: a file, or what lies at a URL: TikTok pulls from https, or the bytes are sent from here.

    Example: tiktok post video clip.mp4 --title "Hello #world" --privacy SELF_ONLY
    """
    how.check()
    found = settings()
    with client(found, probe=not no_probe) as opened:
        check = partial(opened.check_video, video, VideoPost(**wishes), chunk_size=chunk_size, upload=upload)
        wish = check(fetch=how.check_url)
        if wish.post.draft:
            _tell_what_a_draft_drops("video", wishes)
        if how.dry_run:
            show_only(found, opened, wish, how, check)
            return
        with signed_in(found, opened, needs=_scopes(wish)) as account:
            enter = partial(account.enter_video, video, chunk_size=chunk_size, upload=upload, **wishes)
            make = partial(account.post_video, video, chunk_size=chunk_size, upload=upload, **wishes)
            carry_out(account, how, wish, enter, make)


@post.command(short_help="Post photos that TikTok pulls.")
@click.argument("photo_images", metavar="URL...", nargs=-1)
@post_options(
    _option("--description", default="", metavar="TEXT", help="The text below the title."),
    _option(
        "--cover-index",
        "photo_cover_index",
        type=int,
        default=0,
        metavar="I",
        help="The photo to show as the cover; the first is 0.",
    ),
    _option("--no-music", is_flag=True, help="Do not let TikTok add music."),
    _option(
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        help="A photo's file, to check before the post; one for each URL.",
    ),
)
def photo(
    *,
    photo_images: tuple[str, ...],
    no_music: bool,
    files: tuple[str, ...],
    how: How,
    **wishes: Any,
) -> None:
    """Post 1 to 35 photos that TikTok pulls from https URLs.

    Example: tiktok post photo https://media.example.com/1.jpg --privacy SELF_ONLY
    """
    how.check()
    found = settings()
    with client(found) as opened:
        check = partial(
            opened.check_photos, PhotoPost(photo_images=photo_images, auto_add_music=not no_music, **wishes)
        )
        wish = check(files=files, fetch=how.check_url)
        if wish.post.draft:
            _tell_what_a_draft_drops("photo", {**wishes, "no_music": no_music, "title": "", "photo_cover_index": 0})
        if how.dry_run:
            show_only(found, opened, wish, how, check)
            return
        with signed_in(found, opened, needs=_scopes(wish)) as account:
            enter = partial(account.enter_photos, photo_images, auto_add_music=not no_music, **wishes)
            make = partial(account.post_photos, photo_images, auto_add_music=not no_music, **wishes)
            carry_out(account, how, wish, enter, make)


def _scopes(wish: Wish) -> tuple[Scope, ...]:
    return (Scope.VIDEO_UPLOAD if wish.post.draft else Scope.VIDEO_PUBLISH,)


@click.command(short_help="Show the status of a post.")
@click.argument("post", metavar="PUBLISH_ID|KEY")
@click.option("--wait", is_flag=True, help="Follow the post to its end.")
@common
def status(post: str, wait: bool) -> int:
    """Show the status of a post. The exit status is 0 if it is done, 4 if nothing came of it, 6 while it goes on.

    Example: tiktok status v_pub_file~v2-1.123 --wait
    """
    with signed_in(settings(), any_of=POSTING) as account:
        publish_id, record = named_post(account, post)
        if record is not None and record.is_given_up:
            show_post(record.shown)
            say(f"tiktok: {record.key} was given up, so nothing is posted under this key.")
            return NOTHING_CAME
        if record is not None and record.is_uploading:
            say(f"This is an upload. {left(record)}")
        try:
            with known_post(account, post):
                known = account.wait(publish_id) if wait else account.publish_status(publish_id)
        except PublishFailed as error:
            known = Publication(publish_id=publish_id, status=PublishStatus.FAILED, fail_reason=error.reason)
        except StillProcessing as error:
            known = Publication(publish_id=publish_id, status=error.status, fail_reason=error.fail_reason)
    show_post(known)
    return _verdict(known, is_upload=record is not None and record.is_uploading)


def _verdict(known: Publication, *, is_upload: bool) -> int:
    if known.is_failed:
        from tiktok_core import explain  # noqa: PLC0415 - the name of a command elsewhere

        error = PublishFailed(known.publish_id, known.fail_reason, explain(known.fail_reason))
        say(f"tiktok: {error}")
        return status_of(error)
    if known.is_final:
        return 0
    reason = f" ({known.fail_reason})" if known.fail_reason else ""
    how = "it waits for the rest of the file" if is_upload else "TikTok continues by itself, so do not post again"
    say(f"Post {known.publish_id} is still {known.status}{reason}; {how}.")
    return 6


def _tell_what_a_draft_drops(kind: str, wishes: dict[str, Any]) -> None:
    names = {
        "title": "title",
        "privacy_level": "privacy level",
        "disable_comment": "comment setting",
        "disable_duet": "duet setting",
        "disable_stitch": "stitch setting",
        "video_cover_timestamp_ms": "cover",
        "brand_content_toggle": "paid partnership",
        "brand_organic_toggle": "own business",
        "is_aigc": "AI label",
        "no_music": "music setting",
    }
    if dropped := [text for name, text in names.items() if wishes.get(name) not in ("", None, False)]:
        say(f"A {kind} draft is finished in the TikTok app, so the post leaves out: {', '.join(dropped)}.")
