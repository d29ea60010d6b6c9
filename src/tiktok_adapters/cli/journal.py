"""`uploads`, `resume`: the posts that have not ended; and the key under which a command posts.

What belongs here: what the command line makes of the journal. Its rules are the core's.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from tiktok_adapters.cli.common import common, say, settings, signed_in
from tiktok_adapters.cli.output import DERIVED, UNEXPECTED, post_document, report, show, show_post
from tiktok_adapters.cli.progress import display
from tiktok_core import Account, Record, Stage, TikTokError, Unreadable

__all__ = ["chosen_key", "resume", "uploads"]

SAME: Final = timedelta(minutes=60)
"""How long the same command means the same post."""


@click.command(short_help="List the posts that have not ended.")
@click.option(
    "--forget", metavar="KEY", help="Forget this post: its record cannot be read, or it has ended. Its key stays used."
)
@common
def uploads(forget: str | None) -> None:
    """List the posts that have not ended: under way, interrupted, or of unknown outcome.

    Example: tiktok uploads --json
    """
    with signed_in(settings()) as account:
        if forget is not None:
            account.forget(forget)
            said = (
                f"{forget} is forgotten here; TikTok was not told, and what may have been posted under it stays there"
            )
            show({"key": forget}, said)
            return
        found, unreadable = account.unfinished(), account.unreadable()
    lines = [f"{one.key}: {one.stage}{_where(one)}, since {one.created_at:%Y-%m-%d %H:%M} UTC" for one in found]
    lines += [f"{one.key}: cannot be read, so whether it has ended is not known. {one.reason}" for one in unreadable]
    document = {"posts": [post_document(one.shown) for one in found], "unreadable": _unreadable_documents(unreadable)}
    show(document, *(lines or ["Every post has ended."]))


@click.command(short_help="Go on with a post that has not ended.")
@click.argument("key", metavar="[KEY]", required=False)
@click.option(
    "--settle", type=click.Choice(["posted", "not-posted"]), help="Say how an unknown outcome ended, as you saw it."
)
@click.option("--no-wait", is_flag=True, help="Return once TikTok has it.")
@common
def resume(key: str | None, settle: str | None, no_wait: bool) -> int | None:
    """Go on with one post, or with all that have not ended. Nothing is posted twice.

    Example: tiktok resume --settle not-posted KEY
    """
    if settle and not key:
        raise click.UsageError("--settle needs the key of the post; 'tiktok uploads' lists them.")
    with signed_in(settings()) as account:
        if key is None:
            return _all(account, until_final=not no_wait)
        if settle:
            done = account.settle(key, posted=settle == "posted")
        else:
            with display() as on_progress:
                done = account.resume(key, on_progress=on_progress, wait=not no_wait)
    show_post(done)
    return None


def _all(account: Account, *, until_final: bool) -> int:
    """Go on with every post; one that fails does not hold up the others. The worst exit status is the command's."""
    documents, lines, worst = [], [], 0
    for lost in (unreadable := account.unreadable()):
        worst = UNEXPECTED
        say(f"tiktok: {lost.reason}")
    for record in account.unfinished():
        try:
            with display() as on_progress:
                done = account.resume(record.key, on_progress=on_progress, wait=until_final)
        except TikTokError as error:
            worst = max(worst, report(error, as_json=False))
            done = next((one.shown for one in account.posts() if one.key == record.key), record.shown)
        documents.append(post_document(done))
        lines.append(f"{record.key}: {done.status}")
    document = {"posts": documents, "unreadable": _unreadable_documents(unreadable)}
    show(document, *(lines or ["Every post that can be read has ended." if unreadable else "Every post has ended."]))
    return worst


def _unreadable_documents(found: Iterable[Unreadable]) -> list[dict[str, Any]]:
    return [{"key": one.key, "open_id": one.account, "code": one.kind, "message": one.reason} for one in found]


def chosen_key(account: Account, key: str | None, wish: tuple[Any, ...], *, again: bool) -> str | None:
    """Return the key to post under: the one given, none where it shall be a post of its own, or a derived one.

    The same wish within 60 minutes, or while its post has not ended, gives the same key: a command that is repeated
    because it seemed to hang, or by a script, goes on with its post instead of making a second one.
    """
    if key is not None or again:
        return key
    derived = (
        f"{DERIVED}{hashlib.sha256(repr((account.open_id, *wish)).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    )
    now = datetime.now(UTC)
    for record in reversed(account.posts()):
        if record.key.startswith(derived) and (now - record.created_at < SAME or not record.is_ended):
            if record.stage is not Stage.ABANDONED:
                say(f"The same was asked for already: going on with post {record.key}; --again makes another one.")
            return record.key
    for lost in account.unreadable():
        if lost.key.startswith(derived):
            # It may be this very post: using its key tells why it cannot be read.
            return lost.key
    return f"{derived}-{now:%Y%m%dT%H%M%S}"


def _where(record: Record) -> str:
    if record.stage is Stage.UPLOADING and record.plan:
        return f", {record.offset:,} of {record.plan.video_size:,} bytes"
    return f" {record.publish_id}" if record.publish_id else ""
