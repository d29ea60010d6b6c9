"""`uploads`, `resume`: list and continue unfinished posts; and choose the key of a post.

What belongs here: how the command line uses the journal. The journal's rules are in the core.
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
"""How long a repeated command means the same post."""


@click.command(short_help="List the unfinished posts.")
@click.option(
    "--forget",
    metavar="KEY",
    help="Delete the record of a post that has ended or cannot be read. Its key cannot be used again.",
)
@common
def uploads(forget: str | None) -> None:
    """List the unfinished posts: in progress, interrupted, or with an unknown outcome.

    Example: tiktok uploads --json
    """
    with signed_in(settings()) as account:
        if forget is not None:
            account.forget(forget)
            said = f"{forget} is forgotten on this machine only; a post that was made under this key stays at TikTok"
            show({"key": forget}, said)
            return
        found, unreadable = account.unfinished(), account.unreadable()
    lines = [f"{one.key}: {one.stage}{_where(one)}, since {one.created_at:%Y-%m-%d %H:%M} UTC" for one in found]
    lines += [
        f"{one.key}: the record cannot be read, so it is unknown whether the post has ended. {one.reason}"
        for one in unreadable
    ]
    document = {"posts": [post_document(one.shown) for one in found], "unreadable": _unreadable_documents(unreadable)}
    show(document, *(lines or ["Every post has ended."]))


@click.command(short_help="Continue an unfinished post.")
@click.argument("key", metavar="[KEY]", required=False)
@click.option(
    "--settle", type=click.Choice(["posted", "not-posted"]), help="Say whether the post is on TikTok, after you looked."
)
@click.option("--no-wait", is_flag=True, help="Return once TikTok has the media.")
@common
def resume(key: str | None, settle: str | None, no_wait: bool) -> int | None:
    """Continue one post, or every unfinished one. It never posts twice.

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
    """Continue every unfinished post, even after one fails. Return the worst exit status."""
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
    show(
        document,
        *(lines or ["Every post whose record can be read has ended." if unreadable else "Every post has ended."]),
    )
    return worst


def _unreadable_documents(found: Iterable[Unreadable]) -> list[dict[str, Any]]:
    return [{"key": one.key, "open_id": one.account, "code": one.kind, "message": one.reason} for one in found]


def chosen_key(account: Account, key: str | None, wish: tuple[Any, ...], *, again: bool) -> str | None:
    """Return the key to post under: the given one, a derived one, or none if `again` asks for a separate post.

    The same post within 60 minutes, or while the earlier one is unfinished, gets the same key. So a command that a person
    repeats because it seemed to hang, or that a script repeats, continues its post and does not make a second one.
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
                say(
                    f"You asked for the same post before: continuing post {record.key}; use --again to make another one."
                )
            return record.key
    for lost in account.unreadable():
        if lost.key.startswith(derived):
            # It may be this very post: using its key raises the error that says why the record cannot be read.
            return lost.key
    return f"{derived}-{now:%Y%m%dT%H%M%S}"


def _where(record: Record) -> str:
    if record.stage is Stage.UPLOADING and record.plan:
        return f", {record.offset:,} of {record.plan.video_size:,} bytes"
    return f" {record.publish_id}" if record.publish_id else ""
