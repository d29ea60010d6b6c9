"""`worker`: go on with the posts that were entered for workers and are due.

What belongs here: options, signals and sentences. `tiktok_adapters.engines` does the work.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from tiktok_adapters.cli.common import client, common, place, say, settings

__all__ = ["worker"]

ENGINES = ("procrastinate", "celery")
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command(short_help="Go on with the posts that were entered for workers.")
@click.option("--once", is_flag=True, help="End when nothing is due any more.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=4, metavar="N", help="How many posts to go on with at once (4)."
)
@click.option(
    "--engine",
    "name",
    type=click.Choice(ENGINES),
    help="Be called by an engine (TIKTOK_ENGINE_URL), instead of looking every few seconds.",
)
@common
def worker(*, once: bool, jobs: int, name: str | None) -> None:
    """Go on with the posts that were entered for workers (post ... --enter-only) and are due, of all accounts.

    Any number of workers may run. SIGTERM or Ctrl-C ends this one after the chunks that are under way; a second one ends it at once.

    Example: tiktok worker
    """
    from tiktok_adapters.engines.rounds import Rounds  # noqa: PLC0415
    from tiktok_adapters.engines.sweeper import PROMPT  # noqa: PLC0415
    from tiktok_adapters.engines.worker import GRACE, Worker  # noqa: PLC0415

    if once and name:
        raise click.UsageError("--once is for a worker without an engine: leave out --engine")
    found, stop = settings(), threading.Event()
    with client(found) as tiktok:
        tiktok.due_posts()  # A store that cannot be used ends the command. Later on a worker waits until it can be used again.
        run = None
        if name:
            from tiktok_adapters.cli.engines import engine  # noqa: PLC0415

            run = engine(name, found)
        going = Worker(tiktok, clock=tiktok.clock, stop=stop.is_set, grace=PROMPT if run else GRACE)
        with _stopped_by_signals(stop):
            if not once:
                say(f"Going on with what is due in {place(found)}; Ctrl-C ends it.")
            if run is not None:
                run(going, stop, jobs)
            else:
                Rounds(tiktok, going, jobs=jobs).run(stop, once=once)
    if stop.is_set():
        say("Ended; what is not finished goes on with the next worker.")


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set the event at the first signal. The next one ends the process at once, as `kill -9` does."""
    usual = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, _frame: FrameType | None) -> None:
        for one in SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        say(f"{signal.Signals(number).name}: ending after the chunks that are under way")
        stop.set()

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
