"""Compare a home of 200,000 posts with an empty one: no call may get slower with the years that a home is old.

Without arguments it builds both homes, measures each call in both, in processes of their own that take turns, and prints a table.
`old_home.py CALL HOME` measures one call and prints its figures. Each call goes through the client of `connect`, with its usual
stores in the home folder, to a simulated TikTok in memory, whose own time is subtracted.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from attrs import evolve, frozen
from ground import MIB, turns, worker
from meter import Meter
from report import Row, compared, spread, table

from tiktok_adapters import connect
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, Creator, SimulatedTikTok, Switches
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.stores.sqlite_facts import FACTS
from tiktok_adapters.stores.stored import microseconds
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import Account, App, Stage, TikTok, VideoPost
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.publishing import Publication
from tiktok_core.events import PostComplete
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.records import dump_record

__all__: list[str] = []

NOW: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
"""Today, because `tiktok doctor` goes by the machine's clock."""
RECORDS: Final = 200_000
ACCOUNTS: Final = 100
UNFINISHED: Final = 20
DAYS: Final = 80
LARGE: Final = 70_000_000
MINE: Final = Creator().open_id
SELF: Final = {"privacy_level": "SELF_ONLY"}
ZEROS: Final = bytes(MIB)
FIRST: Final = b"\0\0\0\x18ftypisom" + ZEROS
MEMORY: Final = Path("/dev/shm")
"""Where there is one, the homes lie in memory: waits for a disk that others use are longer than what is compared."""
FIRST_OPENING, FORGET_ALL = "first opening", "forget all"
MOST_TIME: Final = 1.5
MOST_MEMORY: Final = 16.0


# --- Homes -----------------------------------------------------------------------------------------------------------


def build(home: Path, ended: int) -> float:
    """Make a home with unfinished posts and so many that have ended, and return the seconds that this took."""
    began = time.perf_counter()
    home.mkdir()
    with closing(SqliteJournal(home / "journal.db")) as journal:
        for number in range(UNFINISHED):
            journal.save(unfinished(number), fence=None)
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        statement = "INSERT INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, 1, ?)"
        connection.executemany(statement, rows(ended))
        # A post's lease keeps its row for its number.
        connection.execute("INSERT INTO leases (name, until) SELECT name, updated FROM records WHERE ended")
        connection.execute("COMMIT")
    return time.perf_counter() - began


def usual(account: str, key: str, at: datetime) -> Record:
    """Return a record as posts of a service leave it: about 2 KB."""
    publish_id = f"v_pub_file~v2-1.{key.rpartition('-')[2]:0>20}"
    plan = plan_chunks(LARGE)
    post = VideoPost(title=("A title of the usual length, with #hashtags " * 14).strip(), privacy_level="SELF_ONLY")
    return Record(
        key=key,
        app=DEFAULT_CLIENT_KEY,
        account=account,
        wish=Wish(
            post=post,
            video="/srv/media/2026/03/01/a-name-as-cameras-and-people-give-them.mp4",
            fingerprint=f"{LARGE}:1772366400000000000:{'0' * 16}",
            media_type=MediaType.MP4,
            plan=plan,
        ),
        stage=Stage.COMPLETE,
        created_at=at,
        updated_at=at + timedelta(minutes=1),
        inits=1,
        init_at=at,
        publish_id=publish_id,
        plan=plan,
        offset=LARGE,
        last_left=True,
        handed_at=at,
        last=Publication(publish_id=publish_id, status="PUBLISH_COMPLETE", post_ids=(7_000_000_000_000_000_000,)),
    )


def unfinished(number: int) -> Record:
    """Return a post that TikTok processes: every other one in the account that is measured, and the others for workers."""
    done = usual(account_of(number % 2 * number), f"going-on-{number}", NOW - timedelta(minutes=30, seconds=number))
    return evolve(
        done, stage=Stage.PROCESSING, last=None, publish_id=f"v_pub_file~v2-2.{number:0>20}", is_entered=number % 2 == 1
    )


def account_of(number: int) -> str:
    """Return the name of an account; the first is the one that is measured."""
    return MINE if number % ACCOUNTS == 0 else f"-000{number % ACCOUNTS:032d}"


def rows(count: int) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Yield rows of ended posts, the documents made from one, because dumping each would take a minute."""
    pattern = dump_record(usual("ACCOUNT", "cli-KEY-0", NOW)).decode()
    born, told = (json.dumps((NOW + timedelta(minutes=minutes)).isoformat()) for minutes in (0, 1))
    publish_id = usual("ACCOUNT", "cli-KEY-0", NOW).publish_id or ""
    for number in range(count):
        account, key = account_of(number), f"cli-{number * 0x9E3779B97F4A7C15 % 2**64:016x}-{number}"
        # Not in the last day: calls that return the posts of a day would return more from this home.
        at = NOW - timedelta(days=1) - timedelta(days=DAYS - 1) * (count - number) / count
        moved = {told: (at + timedelta(minutes=1)).isoformat(), born: at.isoformat()}
        document = pattern.replace("ACCOUNT", account).replace("cli-KEY-0", key)
        document = document.replace(publish_id, f"v_pub_file~v2-1.{number:0>20}")
        for old, new in moved.items():
            document = document.replace(old, json.dumps(new))
        name = f"{DEFAULT_CLIENT_KEY}\n{account}\n{key}"
        yield name.encode(), microseconds(at), microseconds(at + timedelta(minutes=1)), document.encode()


# --- Calls -----------------------------------------------------------------------------------------------------------


class Blank:
    """A video whose bytes cost nothing: a head, and the same zeros again and again."""

    def __init__(self, size: int, number: int) -> None:
        self.size, self.fingerprint = size, f"{size}-{number}-{time.time_ns()}"

    def read(self, start: int, length: int, /) -> bytes:
        """Return the head at the beginning, and zeros elsewhere."""
        length = max(0, min(length, self.size - start))
        return (ZEROS if start else FIRST)[:length]


class Answers:
    """Answers as TikTok does, and counts the time that this takes."""

    def __init__(self, sim: SimulatedTikTok) -> None:
        self._sim = sim
        self.seconds = 0.0

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        began = time.perf_counter()
        try:
            return self._sim.handle(request)
        finally:
            self.seconds += time.perf_counter() - began


@frozen
class Bench:
    """The client of one home, with what a call needs."""

    tiktok: TikTok
    account: Account
    journal: SqliteJournal
    answers: Answers
    clock: ManualClock


def small_post(bench: Bench, number: int) -> None:
    """Post a small video under a derived key, as the command line does."""
    key = bench.account.derived_key(f"cli-{time.time_ns():016x}")
    bench.account.post_video(Blank(1_000_000, number), key=key, **SELF)


def large_post(bench: Bench, number: int) -> None:
    """Post a video of 70 MB, in chunks."""
    bench.account.post_video(Blank(LARGE, number), **SELF)


def find_post(bench: Bench, number: int) -> None:
    """Find the public post of a post that has ended."""
    bench.account.find_post(f"going-on-{number * 2 % UNFINISHED}", wait=False)


def webhook(bench: Bench, number: int) -> None:
    """Note what an event says of a post of the account."""
    received(bench, number, MINE)


def webhook_without_account(bench: Bench, number: int) -> None:
    """Note what an event says that names no account."""
    received(bench, number, "")


def received(bench: Bench, number: int, open_id: str) -> None:
    """Receive an event about one of the unfinished posts, or a repetition."""
    publish_id = unfinished(number * 2 % UNFINISHED).publish_id or ""
    event = PostComplete(
        name="post.publish.complete",
        client_key=DEFAULT_CLIENT_KEY,
        open_id=open_id,
        created_at=NOW,
        signed_at=NOW,
        content={"publish_id": publish_id},
        publish_id=publish_id,
    )
    if bench.tiktok.received(event) is None:
        raise RuntimeError("the journal does not know the post")


def uploads(bench: Bench, _: int) -> None:
    """List what is unfinished and what cannot be read, as `tiktok uploads` does."""
    bench.account.unfinished()
    bench.account.unreadable()


def go_on(bench: Bench, number: int) -> None:
    """Let the post go on of which the next event tells the end."""
    bench.journal.save(unfinished(number * 2 % UNFINISHED), fence=None)


def unfinished_of_all(bench: Bench, _: int) -> None:
    """List what is unfinished over all accounts."""
    bench.tiktok.unfinished()


def due(bench: Bench, _: int) -> None:
    """List what is due for a worker."""
    bench.tiktok.due_posts()


def unreadable(bench: Bench, _: int) -> None:
    """List what cannot be read."""
    bench.account.unreadable()


def doctor(bench: Bench, _: int) -> None:
    """Look at the posts of a day, as `tiktok doctor` does."""
    from tiktok_adapters.cli.doctor import _posts

    _posts(bench.account)


def derived_key(bench: Bench, number: int) -> None:
    """Choose the key of a post that is asked for without one."""
    bench.account.derived_key(f"cli-{number:016x}")


def one_post(bench: Bench, number: int) -> None:
    """Look one post up by its publish id."""
    if bench.account.post(unfinished(number * 2 % UNFINISHED).publish_id or "") is None:
        raise RuntimeError("the journal does not know the post")


def forget(bench: Bench, number: int) -> None:
    """Look for what is to be forgotten, once a day, when it is nothing."""
    bench.journal.forget(NOW + timedelta(days=number * 2), keep=timedelta(days=10_000))


CALLS: Final[dict[str, tuple[Callable[[Bench, int], None], int]]] = {
    "unfinished and unreadable": (uploads, 200),
    "unfinished of all accounts": (unfinished_of_all, 200),
    "due_posts": (due, 200),
    "unreadable": (unreadable, 200),
    "post by publish id": (one_post, 200),
    "derived_key": (derived_key, 200),
    "doctor's look at posts": (doctor, 100),
    "forget": (forget, 30),
    "find_post": (find_post, 10),
    "webhook without an account": (webhook_without_account, 30),
    "webhook": (webhook, 30),
    "small post": (small_post, 12),
    "70 MB post": (large_post, 7),
}
"""Each call, and how often a process makes it. Those that change the unfinished posts come last."""


@contextmanager
def opened(home: Path) -> Iterator[Bench]:
    """Give a client of the home."""
    clock = ManualClock(NOW)
    switches = Switches(processing_seconds=0, download_seconds=0)
    with closing(SimulatedTikTok(clock, switches, keep_bytes=False)) as sim:
        answers = Answers(sim)
        app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
        ports: Any = {"transport": FakeTransport(answers), "clock": clock}
        journal = SqliteJournal(home / "journal.db")
        with connect(app, home=home, environ={}, **ports) as tiktok, closing(journal):
            begun = tiktok.authorization()
            yield Bench(tiktok, tiktok.sign_in(begun, sim.authorize(begun.url)), journal, answers, clock)


def measured(name: str, home: Path) -> dict[str, float]:
    """Make a call several times, and return its time, without the simulator's, and the memory of all.

    The time is the lower quartile: what other programs do to the disk meanwhile lengthens single calls by any amount.
    """
    call, times = CALLS[name]
    with opened(home) as bench:
        call(bench, 0)  # It opens the files.
        bench.clock.advance(600)
        meter, taken = Meter(), []
        for number in range(1, times + 1):
            if name.startswith("webhook"):
                go_on(bench, number)
            bench.answers.seconds, began = 0.0, time.perf_counter()
            call(bench, number)
            taken.append(time.perf_counter() - began - bench.answers.seconds)
            bench.clock.advance(60)
        return {"ms": quantiles(taken, n=4)[0] * 1e3, "memory": meter.read()["memory"]}


def first_opened(home: Path) -> dict[str, float]:
    """Make a home what an older release left, open it, and return the seconds and the memory."""
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as connection:
        made = {name: kind for kind, name in connection.execute("SELECT type, name FROM sqlite_master")}
        for name in sorted(made.keys() & FACTS.keys(), key=lambda name: made[name] == "table"):
            connection.execute(f"DROP {made[name]} IF EXISTS {name}")
    meter = Meter()
    SqliteJournal(home / "journal.db").close()
    figures = meter.read()
    return {"seconds": figures["seconds"], "memory": figures["memory"] / MIB}


def forgotten(home: Path) -> dict[str, float]:
    """Forget every ended post of a home, and return the seconds, the longest write lock, the portions, and the memory."""
    began, locks = 0.0, [0.0]

    def watch(statement: str) -> None:
        nonlocal began
        if statement.startswith("BEGIN"):
            began = 0.0
        elif not began:
            began = time.perf_counter()  # The lock is there, because a statement is run under it.
        if statement == "COMMIT":
            locks.append(time.perf_counter() - began)

    with closing(SqliteJournal(home / "journal.db")) as journal:
        for look in (NOW - timedelta(days=10_000), NOW + timedelta(days=1_000)):  # Two of these remove nothing.
            journal.forget(look, keep=timedelta(0))
        if journal._connection is not None:
            journal._connection.set_trace_callback(watch)
        meter = Meter()
        journal.forget(NOW + timedelta(days=1_001), keep=timedelta(0))
        figures = meter.read()
        return {
            "seconds": figures["seconds"],
            "lock": max(locks),
            "portions": len(locks) - 1,
            "memory": figures["memory"] / MIB,
            "left": len(journal.records()),
        }


OF_ALL: Final = {FIRST_OPENING: first_opened, FORGET_ALL: forgotten}


# --- The whole run ---------------------------------------------------------------------------------------------------


def main() -> None:
    """Build both homes, measure, and print the table; exit with 1 if a call got slower or larger than is promised."""
    parser = argparse.ArgumentParser(description="Compare a home of 200,000 posts with an empty one.")
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="how often to measure (default: %(default)s)"
    )
    parser.add_argument(
        "--records", type=int, default=RECORDS, metavar="N", help="posts of the old home (default: %(default)s)"
    )
    asked = parser.parse_args()
    lines, broken = [], []
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        homes = {"empty": Path(folder, "empty"), "old": Path(folder, "old")}
        build(homes["empty"], 0)
        seconds = build(homes["old"], asked.records)
        size = (homes["old"] / "journal.db").stat().st_size / MIB
        print(
            f"The old home: {asked.records:,} posts, {size:,.0f} MiB, built in {seconds:.0f} s; {asked.rounds} rounds.\n"
        )
        for call in CALLS:
            samples: dict[str, list[dict[str, float]]] = defaultdict(list)
            for name in turns(list(homes), asked.rounds):
                samples[name].append(worker("old_home.py", call, homes[name]))
            memory = spread(
                (a["memory"] - b["memory"]) / MIB for a, b in zip(samples["old"], samples["empty"], strict=True)
            )
            ratio = compared(samples, "old", "empty", lambda one: one["ms"])
            lines.append(
                Row(
                    part=call,
                    variant="old home",
                    unit="ms",
                    figure=spread(one["ms"] for one in samples["old"]),
                    reference="empty home",
                    ratio=ratio,
                    memory_mib=memory,
                )
            )
            if ratio is None or ratio.median > MOST_TIME or memory.median > MOST_MEMORY:
                broken.append(call)
        first = worker("old_home.py", FIRST_OPENING, homes["old"])
        told = worker("old_home.py", FORGET_ALL, homes["old"])
    print(table(lines))
    print(
        f"\nMemory: MiB above the empty home's. Promised: at most {MOST_TIME} times the time, and {MOST_MEMORY:g} MiB more."
    )
    print(
        f"First opening of the old home, as an older release left it: {first['seconds']:.1f} s, {first['memory']:.1f} MiB."
    )
    print(
        f"All ended posts of the old home forgotten: {told['seconds']:.0f} s in {told['portions']:.0f} transactions, of which "
        f"the longest took {told['lock'] * 1e3:.0f} ms after its first statement; {told['memory']:.1f} MiB; "
        f"{told['left']:.0f} posts are left."
    )
    sys.exit(f"Not kept: {', '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in OF_ALL:
        print(json.dumps(OF_ALL[sys.argv[1]](Path(sys.argv[2]))))
    elif len(sys.argv) == 3 and sys.argv[1] in CALLS:
        print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]))))
    else:
        main()
