"""`videos`, `find`, `cancel`: what an account shows in public, what a post has become there, and stopping a pull.

What belongs here: the commands. Asking page by page is the core's.
"""

from datetime import UTC, datetime
from typing import Final

import click
from attrs import asdict

from tiktok_adapters.cli.common import common, settings, signed_in
from tiktok_adapters.cli.output import show, show_post
from tiktok_core import Video

__all__ = ["cancel", "find", "videos"]

MOST_VIDEOS: Final = 20
"""Videos that TikTok gives at once."""


@click.command(short_help="List the account's public videos.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many.")
@click.option(
    "--cursor", type=click.IntRange(min=0), metavar="MS", help="Only those before this time, in ms since 1970."
)
@common
def videos(limit: int, cursor: int | None) -> None:
    """List the account's public videos, the newest first. It needs the scope video.list.

    Where there are more, it tells the cursor with which another call goes on after the last one shown.

    Example: tiktok videos --limit 5
    """
    found: list[Video] = []
    with signed_in(settings()) as account:
        while True:
            # A page ends where the list is to end, so that TikTok's own cursor leads on from there.
            page = account.video_page(cursor, count=min(limit - len(found), MOST_VIDEOS))
            found += page.videos
            before, cursor = cursor, page.cursor
            if cursor is None or (before is not None and cursor >= before) or len(found) >= limit:
                break
    documents = [{name: value for name, value in asdict(video).items() if value is not None} for video in found]
    lines = [_line(video) for video in found] or ["There are no public videos."]
    if cursor is not None:
        lines.append(f"There may be more: tiktok videos --cursor {cursor}")
    show({"videos": documents, "cursor": cursor}, *lines)


def _line(video: Video) -> str:
    at = f"{datetime.fromtimestamp(video.create_time, UTC):%Y-%m-%d %H:%M}" if video.create_time else ""
    return f"{video.id}  {at}  {video.view_count or 0:,} views  {video.title or video.video_description or ''}"


@click.command(short_help="Find what a post has become in public.")
@click.argument("post", metavar="KEY|PUBLISH_ID")
@click.option("--wait", is_flag=True, help="Ask again until it is there.")
@common
def find(post: str, wait: bool) -> int:
    """Find what a post has become in public. The exit status is 6 while it is not public, or never will be.

    Example: tiktok find v_pub_file~v2-1.123 --wait
    """
    with signed_in(settings()) as account:
        found = account.find_post(post, wait=wait)
    lines = [
        f"{one.share_url or one.embed_link}" + ("" if one.is_certain else "  (by caption and time)") for one in found
    ]
    show({"posts": [asdict(one) for one in found]}, *(lines or ["It is not public yet; a private post never is."]))
    return 0 if found else 6


@click.command(short_help="Stop a pull.")
@click.argument("publish_id", metavar="PUBLISH_ID")
@common
def cancel(publish_id: str) -> None:
    """Ask TikTok to stop pulling a post, and show how it is doing afterwards: it may have been too late.

    Example: tiktok cancel v_pub_url~v2.123
    """
    with signed_in(settings()) as account:
        show_post(account.cancel(publish_id))
