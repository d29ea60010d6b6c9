"""`videos`, `find`, `cancel`: list an account's public videos, find the video that a post became, stop a pull.

What belongs here: the commands. The core requests the pages.
"""

from datetime import UTC, datetime
from typing import Final

import click
from attrs import asdict, evolve

from tiktok_adapters.cli.common import POSTING, common, key_of, known_post, named_post, settings, signed_in
from tiktok_adapters.cli.output import show, show_post
from tiktok_core import ApiError, Explanation, Record, Scope, Video

__all__ = ["cancel", "find", "videos"]

NOT_CANCELLABLE: Final = "publish_not_cancellable"
UNLISTED: Final = (
    " Without the scope video.list it was not looked for among the public videos: tiktok login --scope video.list"
)
MOST_VIDEOS: Final = 20
"""The most videos that TikTok returns at once."""


@click.command(short_help="List the account's public videos.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="The most videos to list."
)
@click.option(
    "--cursor", type=click.IntRange(min=0), metavar="MS", help="Only videos older than this time, in ms since 1970."
)
@common
def videos(limit: int, cursor: int | None) -> None:
    """List the account's public videos, the newest first. It needs the scope video.list.

    If there are more, it prints the cursor with which another call continues after the last video shown.

    Example: tiktok videos --limit 5
    """
    found: list[Video] = []
    with signed_in(settings(), needs=[Scope.VIDEO_LIST]) as account:
        while True:
            # The last page ends exactly where the list ends, so that TikTok's own cursor continues from there.
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


@click.command(short_help="Find the public video that a post became.")
@click.argument("post", metavar="KEY|PUBLISH_ID")
@click.option("--wait", is_flag=True, help="Ask again until the video is public.")
@common
def find(post: str, wait: bool) -> int:
    """Find the public video that a post became. The exit status is 6 if there is none: a private post never has one.

    Example: tiktok find v_pub_file~v2-1.123 --wait
    """
    with signed_in(settings(), any_of=POSTING) as account, known_post(account, post):
        found = account.find_post(key_of(account, post), wait=wait)
        hint = "" if found or account.tokens().allows(Scope.VIDEO_LIST) else UNLISTED
    lines = [
        f"{one.share_url or one.embed_link}" + ("" if one.is_certain else "  (by caption and time)") for one in found
    ]
    show(
        {"posts": [asdict(one) for one in found]},
        *(lines or [f"The post is not public yet; a private post never becomes public.{hint}"]),
    )
    return 0 if found else 6


@click.command(short_help="Stop TikTok from pulling a post's media.")
@click.argument("post", metavar="PUBLISH_ID|KEY")
@common
def cancel(post: str) -> None:
    """Ask TikTok to stop pulling a post's media, and show the post's status afterwards: the request may come too late.

    TikTok cannot cancel the upload of a file; give that up with 'tiktok abandon KEY'.

    Example: tiktok cancel v_pub_url~v2-1.123
    """
    with signed_in(settings(), any_of=POSTING) as account:
        publish_id, record = named_post(account, post)
        try:
            with known_post(account, post):
                done = account.cancel(publish_id)
        except ApiError as error:
            raise _explained(record, error) from error
    show_post(done)


def _explained(record: Record | None, error: ApiError) -> ApiError:
    """Return the error with what is the case and what to do, where TikTok does not cancel because the post is no pull."""
    if error.code != NOT_CANCELLABLE or record is None or record.wish.is_pulled:
        return error
    said = _said_of_an_upload(record)
    return error if said is None else evolve(error, explanation=Explanation("post", *said))


def _said_of_an_upload(record: Record) -> tuple[str] | None:
    key, size = record.key, record.plan.video_size if record.plan else 0
    cannot = "TikTok cancels only what it pulls, and this is the upload of a file"
    if record.is_given_up:
        return (f"{cannot}. It was given up, so no more of it is sent and nothing is posted.",)
    if record.is_uploading:
        how = f"'tiktok abandon {key}' gives it up, 'tiktok resume {key}' continues it."
        return (f"{cannot}, of which TikTok has {record.offset:,} of {size:,} bytes. {how}",)
    if record.is_processing:
        return (f"{cannot}. TikTok has the whole file, and nothing can stop it any more.",)
    if record.is_ended:
        return (f"{cannot}. The post has ended: it is {record.stage}.",)
    return None
