"""`store check`, `move`: look at a whole store, and move a home folder to a database.

What belongs here: questions and sentences. The assembly reads and moves.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import click

from tiktok_adapters.assembly.checking import check as checked
from tiktok_adapters.assembly.moving import Contents, HomeMove
from tiktok_adapters.cli.common import choices, common, say, settings
from tiktok_adapters.cli.output import UNEXPECTED, show
from tiktok_adapters.cli.spelling import ForgivingGroup
from tiktok_core import StoreError

__all__ = ["store"]

AFTERWARDS: Final = "Set TIKTOK_STORE_URL wherever these accounts are used. The home folder stays, and no release uses its files any more"


@click.group(cls=ForgivingGroup, short_help="Look at a store, or move a home folder to a database.")
@common
def store() -> None:
    """Look at the store of tokens and posts, or move a home folder to a database.

    Example: tiktok store check
    """


@store.command(short_help="Read everything, and name what cannot be read.")
@common
def check() -> int:
    """Read every account and every post of the store, and name what cannot be read. It changes nothing.

    The store is the database that TIKTOK_STORE_URL names, or the home folder. A move that was left half-way is named, too. The exit
    status is 1 if anything is wrong.

    Example: tiktok store check --json
    """
    found = checked(settings())
    document = {
        "store": found.place,
        "versions": found.versions,
        "accounts": found.accounts,
        "posts": found.posts,
        "troubles": [{"what": what, "reason": reason} for what, reason in found.troubles],
        "notes": found.notes,
    }
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    show(
        document,
        f"{found.place}: {found.accounts} accounts, {found.posts} posts{f' ({versions})' if versions else ''}",
        *(f"x {what}: {reason}" for what, reason in found.troubles),
        *(f"! {note}" for note in found.notes),
        *(() if found.troubles else ("Everything can be read.",)),
    )
    return UNEXPECTED if found.troubles else 0


@store.command(short_help="Move a home folder to the database of TIKTOK_STORE_URL.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--cancel", is_flag=True, help="Take a move back that was begun and has not come to its end.")
@common
def move(*, yes: bool, cancel: bool) -> None:
    """Move the home folder to the database that TIKTOK_STORE_URL names: accounts of every app, posts, and what is remembered of them.

    Nobody may use the home folder meanwhile. At no time can both stores post. If the command is interrupted, run it again: it goes on.
    There is no way back from the database.

    Example: tiktok store move --yes
    """
    if cancel and yes:
        raise click.UsageError("--cancel asks nothing: leave out --yes.")
    with HomeMove(settings()) as moving:
        found, begun = moving.contents(), moving.begun()
        document = {"home": str(found.home), "to": found.place, "accounts": found.accounts, "posts": found.posts}
        if cancel:
            said = f"{found.home} can be used again" if moving.cancel() else f"no move of {found.home} is under way"
            show({**document, "moved": False}, f"{said[0].upper()}{said[1:]}.")
            return
        if begun is None and not yes and not _agreed(found):
            show({**document, "moved": False}, "Nothing was moved.")
            return
        with _saying_what_next(moving):
            moving.run()
    if begun is not None and begun.is_done:
        show({**document, "to": begun.place, "moved": True}, f"{found.home} was moved to {begun.place} before.")
        return
    said = f"Moved {found.accounts} accounts and {found.posts} posts to {found.place}"
    show({**document, "moved": True}, f"{said}. {AFTERWARDS}.")


@contextmanager
def _saying_what_next(moving: HomeMove) -> Iterator[None]:
    """Say how to go on, where a move that was begun does not come to its end."""
    try:
        yield
    except (StoreError, KeyboardInterrupt):
        with suppress(StoreError):
            if (left := moving.begun()) is not None and not left.is_done:
                say(
                    "The move is under way, and nothing is lost. Run the same command again to go on, or with --cancel to take it back."
                )
        raise


def _agreed(found: Contents) -> bool:
    if choices().json or not _is_terminal():
        raise click.UsageError("There is no terminal on which to ask: say --yes.")
    say(f"This moves {found.accounts} accounts and {found.posts} posts from {found.home} to {found.place}.")
    say("End the programs that use the home folder. There is no way back.")
    return click.confirm("Move them?", default=False, err=True)


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
