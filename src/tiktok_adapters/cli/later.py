"""`release`, and posts that are entered for later: at a time, held, for workers.

What belongs here: the words about when and by whom a post is begun. The rules are the core's.
"""

from datetime import datetime
from typing import Any, Final

import click

from tiktok_adapters.cli.common import common, key_of, known_post, now, recorded, say, settings, signed_in
from tiktok_adapters.cli.output import post_document, show, spelled_moment
from tiktok_adapters.cli.times import left_until, spelled_time
from tiktok_core import Account, InvalidPost, Problem, Record, Stage
from tiktok_core.domain.beginning import needs_release

__all__ = [
    "WORKER",
    "begins_later",
    "entered_document",
    "latest",
    "passed_over",
    "posted_before",
    "release",
    "say_the_wait",
    "show_entered",
    "time_of",
    "waits_for",
    "when_document",
]

WORKER: Final = "'tiktok worker'"


@click.command(short_help="Release a post that is held, or late.")
@click.argument("key", metavar="KEY")
@common
def release(key: str) -> None:
    """Let a post be begun that is held, or that was not begun in time. A post whose time has not come still waits for it.

    A late post may be begun within an hour from now. The command itself posts nothing.

    Example: tiktok release KEY
    """
    with signed_in(settings()) as account, known_post(account, key):
        record = account.release(key_of(account, key))
    show(entered_document(record), f"{record.key} is released: {_what_next(record, now())}")


def _what_next(record: Record, at: datetime) -> str:
    resume = f"'tiktok resume {record.key}'"
    if begins_later(record, at):
        who = f"{WORKER} posts it then, or {resume}" if record.is_entered else resume
        return f"its time is {time_of(record)}; {who} waits for it"
    who = f"{WORKER} posts it, or {resume}" if record.is_entered else f"{resume} posts it"
    return who if record.schedule is None else f"{who}, until {_spelled(record, record.schedule.not_after)}"


# --- Entering --------------------------------------------------------------------------------------------------------


def show_entered(record: Record, earlier: datetime | None, *, wanted_held: bool) -> None:
    """Print a post that was entered: its key, and when and by whom it is posted."""
    if wanted_held and not record.is_held:
        say(
            f"{record.key} was entered before and is not held: 'tiktok abandon {record.key}' gives it up before it is posted."
        )
    show(entered_document(record, earlier), f"{record.key}: {_entered(record, now())}")


def _entered(record: Record, at: datetime) -> str:
    if not record.is_planned:
        return f"{record.stage}{f' {record.publish_id}' if record.publish_id else ''}"
    if needs_release(record, at):
        return f"entered; {waits_for(record, at)}"
    when = f"at {time_of(record)}, {_in(record, at)}," if begins_later(record, at) else "as soon as it can"
    return f"entered; {WORKER} posts it {when} and has to run by then"


def entered_document(record: Record, earlier: datetime | None = None) -> dict[str, Any]:
    """Return the document of a post that was entered or released."""
    return {**post_document(record.shown, earlier), "stage": record.stage, **when_document(record)}


def when_document(record: Record) -> dict[str, Any]:
    """Return the fields that say when, and by whom, a post may be begun."""
    at = record.schedule
    return {
        "not_before": None if at is None else spelled_moment(at.not_before),
        "not_after": None if at is None else spelled_moment(at.not_after),
        "zone": None if at is None else at.zone or None,
        "held": record.is_held,
        "entered": record.is_entered,
    }


def latest(account: Account, key: str, at: datetime | None, wanted: datetime | None) -> datetime | None:
    """Return the latest time for a post of a key that an earlier command entered: the one that it has, where none else can be meant.

    Raises:
        InvalidPost: another latest time is wanted for a post that has not been begun.
    """
    record = recorded(account, key)
    own = None if record is None or record.schedule is None or record.schedule.not_before != at else record.schedule
    if record is None or own is None or own.not_after == wanted:
        return wanted
    # A release gives a late post an hour more, and the same command may still be repeated.
    if wanted is None or wanted < now() or not record.is_planned:
        return own.not_after
    said = f"the same post was entered before, to be begun by {_spelled(record, own.not_after)}: 'tiktok abandon {key}' gives it up"
    raise InvalidPost((Problem("not_after", said),))


def posted_before(account: Account, key: str) -> tuple[str, datetime] | None:
    """Return the key before this one in its row, and when its post was asked for; None unless that was posted."""
    prefix, _, number = key.rpartition("-")
    record = recorded(account, f"{prefix}-{int(number) - 1}") if number.isdecimal() else None
    if record is None or record.stage not in (Stage.COMPLETE, Stage.IN_INBOX):
        return None
    say(f"You asked for the same post before, and this is how it ended, post {record.key}; its time is over.")
    return record.key, record.created_at


# --- Waiting ---------------------------------------------------------------------------------------------------------


def begins_later(record: Record, at: datetime) -> bool:
    """Whether the time of a post that has not been begun is to come."""
    return record.is_planned and record.schedule is not None and at < record.schedule.not_before


def say_the_wait(record: Record) -> None:
    """Say until when the command waits, if it does."""
    if begins_later(record, at := now()) and not record.is_held:
        said = f"Waiting until {time_of(record)}, {_in(record, at)}, to post {record.key}."
        say(f"{said} Ctrl-C ends the wait, and 'tiktok resume {record.key}' goes on with it.")


def waits_for(record: Record, at: datetime) -> str:
    """Return what a post waits for before it is begun: a person, its time, a worker; empty if for nothing of these."""
    key, schedule = record.key, record.schedule
    if needs_release(record, at):
        ways = f"'tiktok release {key}' lets it be posted, 'tiktok abandon {key}' gives it up"
        if record.is_held:
            return f"held{f', for {time_of(record)}' if schedule else ''}: {ways}"
        return f"late{f', to be begun by {_spelled(record, schedule.not_after)}' if schedule else ''}: {ways}"
    if begins_later(record, at):
        who = f"{WORKER} posts it then" if record.is_entered else f"'tiktok resume {key}' waits for it"
        return f"waits for {time_of(record)}, {_in(record, at)}: {who}"
    return f"waits for {WORKER}" if record.is_planned and record.is_entered else ""


def passed_over(record: Record, at: datetime) -> bool:
    """Whether nothing but its own key begins a post now: it needs a person, or its time has not come."""
    return needs_release(record, at) or begins_later(record, at)


def time_of(record: Record) -> str:
    """Return the time of a post that has one, as a sentence shows it."""
    return "" if record.schedule is None else _spelled(record, record.schedule.not_before)


def _spelled(record: Record, at: datetime) -> str:
    return spelled_time(at, "" if record.schedule is None else record.schedule.zone)


def _in(record: Record, at: datetime) -> str:
    return "" if record.schedule is None else left_until(record.schedule.not_before, at)
