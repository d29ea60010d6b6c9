"""Whatever step of a move is the last one: at no time can both stores post, and the next run brings everything to its place.

A home is moved, and the process dies at one step; or it is taken back, and dies there. Then the command runs again. `MOVES=all` tries
every step, as `make prove-moves` does. What belongs here: which steps there are, and what has to hold after each.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from moved_home import APPS, DONE, KEY, RECORDS, Held, fill, held, opened
from postgres_place import Database
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.stores.postgres import PostgresStores
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_core.errors import StoreError

MOVER: Final = Path(__file__).parent / "moving" / "mover.py"
DIED: Final = 77
REFUSED: Final = 3
EVERY: Final = 1 if os.environ.get("MOVES") == "all" else 11
"""Which steps are tried: each one, or some."""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


class Ground:
    """A home, a database, and a process that moves the one to the other."""

    def __init__(self, home: Path, database: Database, store: str, mover: "subprocess.Popen[str]") -> None:
        self.home, self.database, self.store = home, database, store
        self._mover = mover
        self._whole = home.with_name("whole")
        fill(self._whole, store)
        self.begin()
        self.original = self.in_home()

    def begin(self) -> None:
        """Start anew."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._whole, self.home)
        self.database.execute("DROP SCHEMA IF EXISTS tiktok CASCADE")

    def do(self, what: str, last: int = 0) -> tuple[int, int]:
        """Let the process do something and die at a step; return its exit status and the number of its steps."""
        settings = {
            "TIKTOK_HOME": str(self.home),
            "TIKTOK_STORE": self.store,
            "TIKTOK_STORE_URL": self.database.url,
            "TIKTOK_STORE_KEY": KEY if self.store == "encrypted" else "",
            "TIKTOK_CLIENT_KEY": APPS[0],
        }
        assert self._mover.stdin is not None
        assert self._mover.stdout is not None
        self._mover.stdin.write(json.dumps({"settings": settings, "what": what, "last": last}) + "\n")
        self._mover.stdin.flush()
        status, steps = json.loads(self._mover.stdout.readline())
        return status, steps

    def in_home(self) -> Held:
        """Return what the home holds, by stores that refuse it where it is marked."""
        stores = {app: opened(self.home, self.store, app) for app in APPS}
        with closing(SqliteJournal(journal_file(self.home))) as journal:
            found = held(journal, stores)
        for store in stores.values():
            store.close()
        return found

    def in_database(self) -> Held:
        """Return what the database holds."""
        keys = [KEY] if self.store == "encrypted" else []
        with PostgresStores(self.database.url, keys=keys) as stores:
            return held(stores.journal(), {app: stores.tokens(app) for app in APPS})

    def home_posts(self) -> bool:
        """Whether a post can be made from the home: it takes a lease and a record."""
        with suppress(StoreError), closing(SqliteJournal(journal_file(self.home))) as journal:
            now = datetime.now(UTC)
            fence = journal.try_lease(DONE.name, owner="test", now=now, until=now + timedelta(seconds=5))
            journal.save(DONE, fence=fence)
            journal.release(DONE.name, owner="test")
            return True
        return False

    def home_renews(self) -> bool:
        """Whether a sign-in of the home can be renewed."""
        now = datetime.now(UTC)
        with suppress(StoreError), closing(opened(self.home, self.store, APPS[0])) as tokens:
            taken: bool = tokens.try_lease("me", owner="test", now=now, until=now + timedelta(seconds=5))
            tokens.release("me", owner="test")
            return taken
        return False

    def database_has(self) -> set[str]:
        """Return which tables of the database hold something."""
        if not self.database.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'tiktok' AND tablename = 'meta'"):
            return set()
        names = ("tokens", "records", "traces", "learned")
        return {name for name in names if self.database.execute(f"SELECT 1 FROM {{s}}.{name} LIMIT 1")}

    def check_one_posts(self) -> None:
        """At most one of both stores can be used, and the database has all or nothing."""
        there = self.database_has()
        assert there in (set(), {"tokens", "records", "traces", "learned"})
        assert not (there and (self.home_posts() or self.home_renews()))

    def check_moved(self) -> None:
        """Everything is in the database, once, and the home refuses everything."""
        assert self.in_database() == self.original
        assert self.database_has()
        assert not self.home_posts()
        assert not self.home_renews()
        assert self.database.execute("SELECT count(*) FROM {s}.tokens") == [(3,)]
        assert self.database.execute("SELECT count(*) FROM {s}.records") == [(len(RECORDS) + 1,)]
        assert self.database.execute("SELECT state FROM {s}.moves WHERE state = 'done'") == [("done",)]
        with closing(sqlite3.connect(journal_file(self.home))) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] // 1000 == 2

    def check_as_it_was(self) -> None:
        """Everything is in the home as before, which can be used, and the database has nothing."""
        assert self.in_home() == self.original
        assert self.home_posts()
        assert self.home_renews()
        assert self.database_has() == set()


@pytest.fixture(scope="module")
def mover() -> Iterator["subprocess.Popen[str]"]:
    """A process that moves homes."""
    with subprocess.Popen(
        [sys.executable, str(MOVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")},
    ) as running:
        yield running
        running.kill()


@pytest.fixture(params=["sqlite", "encrypted"])
def ground(
    request: pytest.FixtureRequest, tmp_path: Path, database: Database, mover: "subprocess.Popen[str]"
) -> Ground:
    """A home with each kind of store that lies in files."""
    return Ground(tmp_path / "home", database, request.param, mover)


def each_step(ground: Ground, what: str, prepare: Callable[[], Any]) -> Iterator[int]:
    """Let the process die at one step after the other; yield the step."""
    prepare()
    status, steps = ground.do(what)
    assert status == 0
    assert steps > 20
    points = sorted({*range(1, steps + 1, EVERY), steps})
    print(f"{what} over {ground.store}: {len(points)} of {steps} steps")
    for last in points:
        prepare()
        assert ground.do(what, last)[0] == DIED
        yield last


def test_a_move_that_dies_at_any_step_goes_on(ground: Ground) -> None:
    """The next run ends it. Until then at most one store can be used, and afterwards the database holds what the home held."""
    for _step in each_step(ground, "run", ground.begin):
        ground.check_one_posts()
        assert ground.do("run")[0] == 0
        ground.check_moved()


def test_a_move_that_dies_at_any_step_can_be_taken_back_until_the_database_has_it(ground: Ground) -> None:
    """Either the home is as it was, or it is too late and the next run ends the move."""
    outcomes = set()
    for _step in each_step(ground, "run", ground.begin):
        status = ground.do("cancel")[0]
        outcomes.add(status)
        if status == 0:
            ground.check_as_it_was()
        else:
            assert ground.do("run")[0] == 0
            ground.check_moved()
    assert outcomes == {0, REFUSED}


def test_taking_back_that_dies_at_any_step_goes_on(ground: Ground) -> None:
    """The next one ends it, and the home is as it was."""
    ground.begin()
    latest = ground.do("run")[1]
    # The last step at which the database has nothing: every file is marked by then.
    while ground.database_has():
        latest -= 1
        ground.begin()
        ground.do("run", latest)

    def half_way() -> None:
        ground.begin()
        assert ground.do("run", latest)[0] == DIED

    for _step in each_step(ground, "cancel", half_way):
        ground.check_one_posts()
        assert ground.do("run")[0] in {0, REFUSED}
        if ground.database_has():
            ground.check_moved()
        else:
            assert ground.do("cancel")[0] == 0
            ground.check_as_it_was()
