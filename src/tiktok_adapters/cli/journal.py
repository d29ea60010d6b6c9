"""`uploads`, `resume`, `abandon`: list, continue and give up unfinished posts.

What belongs here: how the command line uses the journal. The journal's rules are in the core.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, Final

import click

from tiktok_adapters.cli.common import (
    OF_THE_RECORD,
    POSTING,
    choices,
    common,
    key_of,
    known_post,
    now,
    recorded,
    say,
    settings,
    signed_in,
)
from tiktok_adapters.cli.later import WORKER, begins_later, passed_over, say_the_wait, time_of, waits_for, when_document
from tiktok_adapters.cli.output import DERIVED, UNEXPECTED, PostInterrupted, post_document, report, show, show_post
from tiktok_adapters.cli.progress import display
from tiktok_adapters.cli.spelling import OneOf
from tiktok_core import (
    Account,
    InvalidInput,
    PhotoPost,
    Publication,
    Record,
    Stage,
    StoreError,
    TikTokError,
    Unreadable,
)
from tiktok_core.domain.names import is_url, shown
from tiktok_core.errors import LeaseLost, Problem

__all__ = ["abandon", "left", "of_earlier", "resume", "resumed", "telling_how_far", "uploads"]

NOT_ENDED: Final = 6
"""The exit status where a post is left unfinished until a person says more."""


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
            with known_post(account, forget):
                account.forget(forget := key_of(account, forget))
            said = f"{forget} is forgotten on this machine only; a post that was made under this key stays at TikTok"
            show({"key": forget}, said)
            return
        found, unreadable = account.unfinished(), account.unreadable()
    lines = [_described(one) for one in found]
    lines += [
        f"{one.key}: the record cannot be read, so it is unknown whether the post has ended. {one.reason}"
        for one in unreadable
    ]
    document = {"posts": [_upload_document(one) for one in found], "unreadable": _unreadable_documents(unreadable)}
    show(document, *(lines or ["Every post has ended."]))


@click.command(short_help="Give a post up, for good.")
@click.argument("key", metavar="KEY")
@common
def abandon(key: str) -> None:
    """Give a post up, for good. It is refused, with exit status 2, for a post that may have been published.

    A file can be given up until its last byte leaves, a URL that TikTok pulls only before TikTok was asked. A process that sends
    the file stops.

    Example: tiktok abandon KEY
    """
    with signed_in(settings()) as account, known_post(account, key):
        try:
            done = account.abandon(key := key_of(account, key))
        except LeaseLost as error:
            said = "another process works on it, and could not be stopped from here: end that process, then give the post up"
            raise InvalidInput((Problem("key", said),)) from error
        except StoreError as error:
            if error.kind not in OF_THE_RECORD:
                raise
            raise InvalidInput(
                (Problem("key", f"cannot be given up, because its record cannot be read: {error}"),)
            ) from error
    again = "the same command makes a new post" if key.startswith(DERIVED) else "take another key to post after all"
    show(post_document(done), f"{key} is given up: nothing is posted under this key any more; {again}")


@click.command(short_help="Continue unfinished posts.")
@click.argument("key", metavar="[KEY]", required=False)
@click.argument("video", metavar="[FILE|URL]", required=False)
@click.option("--all", "every", is_flag=True, help="Continue every unfinished post.")
@click.option(
    "--settle", type=OneOf(["posted", "not-posted"]), help="Say whether the post is on TikTok, after you looked."
)
@click.option("--no-wait", is_flag=True, help="Return once TikTok has the media.")
@common
def resume(key: str | None, video: str | None, every: bool, settle: str | None, no_wait: bool) -> int | None:
    """Continue one post, or with --all every unfinished one. It never posts twice.

    FILE or URL is where the same bytes lie now: a file that was moved, or a fresh URL in place of one that has expired.

    Without KEY and --all, it lists what is unfinished and, on a terminal, asks about each post. A post that would start again after
    more than an hour is continued only if you name its key, or say yes on a terminal.

    Example: tiktok resume --settle not-posted KEY
    """
    if settle and video is not None:
        raise click.UsageError("--settle is for what a person has seen, and takes no FILE or URL.")
    if settle and key is None:
        raise click.UsageError("--settle needs the key of the post; 'tiktok uploads' lists them.")
    if key and every:
        raise click.UsageError("Name one post, or use --all, but not both.")
    with signed_in(settings(), any_of=() if settle else POSTING) as account:
        if key is None:
            return _several(account, every=every, until_final=not no_wait)
        with known_post(account, key):
            key = key_of(account, key)
            if settle:
                done = account.settle(key, posted=settle == "posted")
            else:
                done = resumed(account, key, video, wait=not no_wait)
    show_post(done)
    return None


def resumed(account: Account, key: str, video: str | None = None, *, wait: bool) -> Publication:
    """Continue a post, and show its progress; where its time is to come, say so and wait for it."""
    with telling_how_far(account, key):
        record = recorded(account, key)
        if record is not None:
            say_the_wait(record)
        with display() as on_progress:
            return account.resume(key, video, on_progress=on_progress, wait=wait)


def _several(account: Account, *, every: bool, until_final: bool) -> int:
    """Continue the posts that the person chooses, even after one fails. Return the worst exit status."""
    documents, lines, worst = [], [], 0
    for lost in (unreadable := account.unreadable()):
        worst = UNEXPECTED
        say(f"tiktok: {lost.reason}")
    for record, left_with in _chosen(account.unfinished(), every=every):
        done = record.shown
        if left_with is not None:
            worst = max(worst, left_with)
        else:
            try:
                with telling_how_far(account, record.key), display() as on_progress:
                    done = account.resume(record.key, on_progress=on_progress, wait=until_final)
            except TikTokError as error:
                worst = max(worst, report(error, as_json=False))
                done = (recorded(account, record.key) or record).shown
        documents.append(post_document(done))
        lines.append(f"{record.key}: {done.status if left_with is None else record.stage}")
    document = {"posts": documents, "unreadable": _unreadable_documents(unreadable)}
    show(
        document,
        *(lines or ["Every post whose record can be read has ended." if unreadable else "Every post has ended."]),
    )
    return worst


def _chosen(found: Sequence[Record], *, every: bool) -> list[tuple[Record, int | None]]:
    """Return each post with None to continue it, or the exit status with which it is left as it is.

    A person says so on a terminal, and `--all` elsewhere. Neither begins a post that is held, late, or before its time.

    Raises:
        UsageError: there is no terminal on which to ask, and `--all` was not given.
    """
    asks, at = _is_terminal() and not choices().json, now()
    if found and not every and not asks:
        for record in found:
            say(_described(record))
        raise click.UsageError(f"Name the key of a post, or use --all to continue all {len(found)}.")
    answers: list[tuple[Record, int | None]] = []
    for record in found:
        is_stale, is_chosen = record.is_stale(at), True
        if passed_over(record, at):
            say(f"{record.key} is left as it is: {waits_for(record, at)}.")
            # A person held it, or gave it its time. That it is late is news.
            is_expected = record.is_held or begins_later(record, at)
            answers.append((record, 0 if is_expected else NOT_ENDED))
            continue
        if asks and (is_stale or not every):
            say(_described(record))
            warning = "It is older than an hour and may start from the beginning. " if is_stale else ""
            is_chosen = click.confirm(f"{warning}Continue it?", default=False, err=True)
        elif is_stale:
            is_chosen = False
            say(
                f"{record.key} is older than an hour and may start from the beginning, so it is left as it is: "
                f"'tiktok resume {record.key}' continues it, 'tiktok abandon {record.key}' gives it up."
            )
        answers.append((record, None if is_chosen else NOT_ENDED if every else 0))
    return answers


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def telling_how_far(account: Account, key: str) -> Iterator[None]:
    """Name the post, how far it came, and the ways to go on, where a person interrupts the block."""
    try:
        yield
    except KeyboardInterrupt:
        record = None
        with suppress(TikTokError):
            record = recorded(account, key)
        if record is None:
            raise
        raise PostInterrupted(left(record), key, record.publish_id) from None


def left(record: Record) -> str:
    """Return how far a post came that nobody may be working on, and what a person may do."""
    key, begins = record.key, record.is_before_handover
    said = f"Its key is {key}; it is {record.stage}{_where(record)}."
    if record.is_ended:
        return said
    if record.is_processing:
        said = f"{said} TikTok goes on by itself."
    going_on = f"'tiktok resume {key}' {'continues' if begins else 'follows'} it"
    if begins_later(record, now()):
        said = f"Its key is {key}; it is planned for {time_of(record)}."
        going_on = f"{WORKER} posts it then" if record.is_entered else f"'tiktok resume {key}' waits for it"
    if begins and not record.last_left and (record.is_planned or not record.wish.is_pulled):
        return f"{said} {going_on}, 'tiktok abandon {key}' gives it up."
    if record.is_processing and record.wish.is_pulled:
        return f"{said} {going_on}, 'tiktok cancel {key}' may still stop it."
    return f"{said} {going_on}."


def _unreadable_documents(found: Iterable[Unreadable]) -> list[dict[str, Any]]:
    return [{"key": one.key, "open_id": one.account, "code": one.kind, "message": one.reason} for one in found]


@contextmanager
def of_earlier(at: datetime | None) -> Iterator[None]:
    """Mark an error of the block as an answer about the post of an earlier command, which began at that time."""
    try:
        yield
    except TikTokError as error:
        error.__dict__["earlier_at"] = at
        raise


def _described(record: Record) -> str:
    """Return a line about an unfinished post: its key, how far it is, its file, title, account and age."""
    wish = record.wish
    if isinstance(wish.post, PhotoPost):
        media = f"{len(wish.post.photo_images)} photos"
    else:
        media = (
            "a video without a name"
            if wish.video is None or wish.shown is None
            else wish.shown
            if is_url(wish.video)
            else PurePath(wish.video).name
        )
    title = f' "{wish.post.title}"' if wish.post.title else ""
    at = now()
    age, since = _age(at - record.created_at), f"{record.created_at:%Y-%m-%d %H:%M} UTC"
    waits = f"; {said}" if (said := waits_for(record, at)) else ""
    return f"{record.key}: {record.stage}{_where(record)}; {media}{title}; account {record.account}; {age}, since {since}{waits}"


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min old"
    return f"{minutes // 60} h old" if minutes < 48 * 60 else f"{minutes // 1440} days old"


def _upload_document(record: Record) -> dict[str, Any]:
    post = record.wish.post
    return {
        **post_document(record.shown),
        "stage": record.stage,
        "open_id": record.account,
        "video": record.wish.shown,
        "photo_images": list(map(shown, post.photo_images)) if isinstance(post, PhotoPost) else [],
        "title": post.title,
        "created_at": f"{record.created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        **when_document(record),
    }


def _where(record: Record) -> str:
    if record.stage is Stage.UPLOADING and record.plan:
        return f", {record.offset:,} of {record.plan.video_size:,} bytes"
    return f" {record.publish_id}" if record.publish_id else ""
