"""How to post: under which key, when, by whom, or not really; the same for videos and photos.

What belongs here: the options that each `tiktok post` has for this, and what follows from them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import click
from attrs import evolve, frozen

from tiktok_adapters.cli.common import now
from tiktok_adapters.cli.dry_run import show_dry_run
from tiktok_adapters.cli.journal import of_earlier, resumed, telling_how_far
from tiktok_adapters.cli.keys import chosen_key
from tiktok_adapters.cli.later import latest, posted_before, show_entered
from tiktok_adapters.cli.output import show_post
from tiktok_adapters.cli.progress import display
from tiktok_adapters.cli.times import Time, spelled_time, zone_name
from tiktok_core import Account, InvalidInput, InvalidPost, Problem, Publication, Record, Wish
from tiktok_core.domain.schedule import FURTHEST, Schedule, schedule, schedule_problems
from tiktok_core.errors import refuse

if TYPE_CHECKING:
    from tiktok_adapters.assembly import Settings
    from tiktok_core import TikTok

__all__ = ["MANNERS", "Command", "How", "Option", "carry_out", "show_only"]

Command: TypeAlias = Callable[..., None]
Option: TypeAlias = Callable[[Command], Command]


@frozen
class How:
    """The options that say how to post.

    Attributes:
        check_url: ask the URL's server before TikTok does.
        key: the key of the post.
        again: post even if you posted the same within the last hour.
        no_wait: return once TikTok has the media.
        dry_run: send nothing.
        not_before: the time at which to begin the post; None for now.
        not_after: the latest time to begin it; None for an hour after that.
        enter_only: leave it to a worker.
        held: leave it to a worker, once a person has released it.
    """

    check_url: bool
    key: str | None
    again: bool
    no_wait: bool
    dry_run: bool
    not_before: datetime | None
    not_after: datetime | None
    enter_only: bool
    held: bool

    @property
    def is_for_workers(self) -> bool:
        """Whether this command leaves the post to a worker."""
        return self.enter_only or self.held

    @property
    def schedule(self) -> Schedule | None:
        """When the post may be begun."""
        return schedule(self.not_before, self.not_after)

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            UsageError: some do.
        """
        if self.again and self.key is not None:
            raise click.UsageError("A --key makes one post, ever, and --again makes another one: use one of them.")
        if self.not_after is None:
            return
        if self.not_before is None:
            raise click.UsageError("--not-after needs --at, the time at which the post is begun.")
        if self.not_after <= self.not_before:
            first, last = (_spelled(at) for at in (self.not_before, self.not_after))
            raise click.UsageError(f"--not-after, {last}, is not later than --at, {first}.")


MANNERS: Final = (
    click.option("--check-url", is_flag=True, help="First ask the URL's server whether TikTok can pull it."),
    click.option("--key", metavar="KEY", help="The post's key: one key never makes a second post."),
    click.option("--again", is_flag=True, help="Post even if you posted the same within the last hour."),
    click.option("--no-wait", is_flag=True, help="Return once TikTok has the media."),
    click.option("--dry-run", is_flag=True, help="Show the requests of the post, and send none of them."),
    click.option(
        "--at",
        "not_before",
        type=Time(),
        metavar="TIME",
        help='Wait, and post at this time: "2026-12-24 18:00 Europe/Berlin", or 2026-12-24T18:00+01:00.',
    ),
    click.option(
        "--not-after",
        type=Time(),
        metavar="TIME",
        help="Later than this, a person has to release the post (default: an hour after --at).",
    ),
    click.option("--enter-only", is_flag=True, help="Leave the post to 'tiktok worker', and return at once."),
    click.option(
        "--hold", "held", is_flag=True, help="Like --enter-only, but first 'tiktok release' has to be called."
    ),
)
"""The fields of `How`."""


def carry_out(
    account: Account,
    how: How,
    wish: Wish,
    enter: Callable[..., Record],
    make: Callable[..., Publication],
) -> None:
    """Make the post now, or at its time, or enter it for a worker; and show it."""
    named, earlier = _key(account, how, wish)
    with _as_typed(how), of_earlier(earlier), telling_how_far(account, named):
        if how.not_before is not None or how.is_for_workers:
            record = enter(
                key=named,
                not_before=how.not_before,
                not_after=latest(account, named, how.not_before, how.not_after) if earlier else how.not_after,
                held=how.held,
                for_workers=how.is_for_workers,
            )
            if how.is_for_workers:
                show_entered(record, earlier, wanted_held=how.held)
                return
            done = resumed(account, named, wait=not how.no_wait)
        else:
            with display() as on_progress:
                done = make(key=named, on_progress=on_progress, wait=not how.no_wait)
    show_post(done, earlier)


def _key(account: Account, how: How, wish: Wish) -> tuple[str, datetime | None]:
    """Return the key to post under, and when an earlier command asked for its post; its time belongs to what is asked for."""
    named, earlier = chosen_key(account, how.key, wish, again=how.again, at=how.not_before)
    if how.not_before is None:
        return named, earlier
    if how.key is None and not how.again and earlier is None and how.not_before < now():
        # Nothing new can be asked for at a time that is over.
        return posted_before(account, named) or (named, earlier)
    return named, earlier


def show_only(found: "Settings", opened: "TikTok", wish: Wish, how: How, check: Callable[..., object]) -> None:
    """Show the requests of the post, and when they would be sent."""
    with _as_typed(how):
        refuse(InvalidPost, schedule_problems(how.schedule, now()))
    show_dry_run(found, opened, wish, lambda creator: check(creator=creator), at=how.schedule)


@contextmanager
def _as_typed(how: How) -> Iterator[None]:
    """Name the key by the option that gives it, which other commands take as an argument; and say the time as it was typed."""
    try:
        yield
    except InvalidInput as error:
        error.problems = tuple(_in_typed_words(one, how.not_before) for one in error.problems)
        raise


def _in_typed_words(problem: Problem, at: datetime | None) -> Problem:
    if problem.field == "key":
        return evolve(problem, field="--key")
    if problem.field != "not_before" or at is None:
        return problem
    is_over = at < now()
    why = (
        "is over: name a time to come, or post now, without --at"
        if is_over
        else f"is more than {FURTHEST.days} days ahead"
    )
    return evolve(problem, message=f"{_spelled(at)} {why}")


def _spelled(at: datetime) -> str:
    return spelled_time(at, zone_name(at))
