"""`post video`, `post photo`, `status`: posting, and following what was posted.

What belongs here: the options of a post, and the checks that come before the sign-in is looked at.
"""

from functools import partial
from typing import Any

import click

from tiktok_adapters.cli.common import BYTES, client, common, say, settings, signed_in
from tiktok_adapters.cli.dry_run import show_dry_run
from tiktok_adapters.cli.journal import chosen_key
from tiktok_adapters.cli.output import show_post, status_of
from tiktok_adapters.cli.progress import display
from tiktok_core import (
    PhotoPost,
    PrivacyLevel,
    Publication,
    PublishFailed,
    PublishStatus,
    StillProcessing,
    VideoPost,
)

__all__ = ["post", "status"]

title = click.option("--title", default="", metavar="TEXT", help="The caption.")
privacy = click.option(
    "--privacy", "privacy_level", metavar="LEVEL", help=f"Required unless --draft: {', '.join(PrivacyLevel)}."
)
no_comments = click.option("--disable-comment", is_flag=True, help="No comments.")
brand_content = click.option("--brand-content", "brand_content_toggle", is_flag=True, help="A paid partnership.")
brand_organic = click.option(
    "--brand-organic", "brand_organic_toggle", is_flag=True, help="Promotes the creator's own business."
)
aigc = click.option("--aigc", "is_aigc", is_flag=True, help="Label it as made by AI.")
draft = click.option("--draft", is_flag=True, help="To the creator's inbox, to be finished in the app.")
key = click.option("--key", metavar="KEY", help="Names the post: the same key never makes a second one.")
again = click.option("--again", is_flag=True, help="Post even if the same was posted within the last hour.")
check_url = click.option("--check-url", is_flag=True, help="Ask the URL's server whether TikTok could pull it.")
dry_run = click.option("--dry-run", is_flag=True, help="Show all that would be sent, and send none of it.")
no_wait = click.option("--no-wait", is_flag=True, help="Return once TikTok has it.")


@click.group(short_help="Post a video or photos.")
@common
def post() -> None:
    """Post a video or photos.

    Example: tiktok post video clip.mp4 --privacy SELF_ONLY
    """


@post.command(short_help="Post a video: a file, or a URL that TikTok pulls.")
@click.argument("video", metavar="FILE|URL")
@title
@privacy
@no_comments
@click.option("--disable-duet", is_flag=True, help="No duets.")
@click.option("--disable-stitch", is_flag=True, help="No stitches.")
@click.option(
    "--cover-ms", "video_cover_timestamp_ms", type=int, metavar="N", help="The frame to show as cover, in ms."
)
@brand_content
@brand_organic
@aigc
@draft
@click.option("--chunk-size", type=BYTES, metavar="BYTES", help="Bytes of a chunk; planned unless given.")
@click.option("--no-probe", is_flag=True, help="Do not look at codec, frame rate, size and duration.")
@check_url
@key
@again
@no_wait
@dry_run
@common
def video(
    *,
    video: str,
    chunk_size: int | None,
    no_probe: bool,
    check_url: bool,
    key: str | None,
    again: bool,
    no_wait: bool,
    dry_run: bool,
    **wishes: Any,
) -> None:
    """Post a video: a file, or an https URL that TikTok pulls.

    Example: tiktok post video clip.mp4 --title "Hello #world" --privacy SELF_ONLY
    """
    found = settings()
    with client(found, probe=not no_probe) as opened:
        check = partial(opened.check_video, video, VideoPost(**wishes), chunk_size=chunk_size)
        wish = check(fetch=check_url)
        if wish.post.draft:
            _tell_what_a_draft_drops("video", wishes)
        if dry_run:
            show_dry_run(found, opened, wish, lambda creator: check(creator=creator))
            return
        with signed_in(found, opened) as account, display() as on_progress:
            named = chosen_key(account, key, (wish.fingerprint or video, wish.post), again=again)
            done = account.post_video(
                video, chunk_size=chunk_size, key=named, on_progress=on_progress, wait=not no_wait, **wishes
            )
    show_post(done)


@post.command(short_help="Post photos that TikTok pulls.")
@click.argument("photo_images", metavar="URL...", nargs=-1)
@title
@click.option("--description", default="", metavar="TEXT", help="The text below the title.")
@privacy
@click.option("--cover-index", "photo_cover_index", type=int, default=0, metavar="I", help="The cover, from 0.")
@click.option("--no-music", is_flag=True, help="Let TikTok add no music.")
@no_comments
@brand_content
@brand_organic
@aigc
@draft
@click.option(
    "--file", "files", multiple=True, metavar="FILE", help="A picture as a file, to look at; one for each URL."
)
@check_url
@key
@again
@no_wait
@dry_run
@common
def photo(
    *,
    photo_images: tuple[str, ...],
    no_music: bool,
    files: tuple[str, ...],
    check_url: bool,
    key: str | None,
    again: bool,
    no_wait: bool,
    dry_run: bool,
    **wishes: Any,
) -> None:
    """Post 1 to 35 photos that TikTok pulls from https URLs.

    Example: tiktok post photo https://media.example.com/1.jpg --privacy SELF_ONLY
    """
    found = settings()
    with client(found) as opened:
        check = partial(
            opened.check_photos, PhotoPost(photo_images=photo_images, auto_add_music=not no_music, **wishes)
        )
        wish = check(files=files, fetch=check_url)
        if wish.post.draft:
            _tell_what_a_draft_drops("photo", {**wishes, "no_music": no_music, "title": "", "photo_cover_index": 0})
        if dry_run:
            show_dry_run(found, opened, wish, lambda creator: check(creator=creator))
            return
        with signed_in(found, opened) as account, display() as on_progress:
            done = account.post_photos(
                photo_images,
                auto_add_music=not no_music,
                key=chosen_key(account, key, (wish.post,), again=again),
                on_progress=on_progress,
                wait=not no_wait,
                **wishes,
            )
    show_post(done)


@click.command(short_help="Ask how a post is doing.")
@click.argument("publish_id", metavar="PUBLISH_ID")
@click.option("--wait", is_flag=True, help="Follow the post to its end.")
@common
def status(publish_id: str, wait: bool) -> int:
    """Ask how a post is doing. The exit status is 0 when it is done, 4 when it failed, 6 while it goes on.

    Example: tiktok status v_pub_file~v2-1.123 --wait
    """
    with signed_in(settings()) as account:
        try:
            known = account.wait(publish_id) if wait else account.publish_status(publish_id)
        except PublishFailed as error:
            known = Publication(publish_id=publish_id, status=PublishStatus.FAILED, fail_reason=error.reason)
        except StillProcessing as error:
            known = Publication(publish_id=publish_id, status=error.status)
    show_post(known)
    return _verdict(known)


def _verdict(known: Publication) -> int:
    if known.is_failed:
        from tiktok_core import explain  # noqa: PLC0415 - the name of a command elsewhere

        error = PublishFailed(known.publish_id, known.fail_reason, explain(known.fail_reason))
        say(f"tiktok: {error}")
        return status_of(error)
    if known.is_final:
        return 0
    say(f"Post {known.publish_id} is still {known.status}; TikTok goes on by itself, so do not post again.")
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
        say(f"A {kind} draft is finished in the app, so this is not sent: {', '.join(dropped)}.")
