"""Whatever call to the system is the last one, or fails: nothing is posted twice, nothing known is lost, no file breaks.

A worker renews its tokens, posts, and follows the post; at one call to the system it is killed, or the disk is full or
broken. Then another worker goes on with the same key. `KILLS=all` tries every call, as `make prove-kills` does;
`docs/proofs.md` has the figures. What belongs here: which points there are, and what has to hold after each.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from attrs import define, evolve, frozen

from tiktok_adapters import connect
from tiktok_adapters.assembly import token_file
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_core import App, Record, Stage

STORES: Final = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
)
SOCKETS: Final = ("sendto", "sendmsg", "recvfrom", "recvmsg")
LINE: Final = re.compile(r"^\d+ +(?:<\.\.\. )?(?P<call>\w+)(?:\((?P<rest>.*)| resumed>.*)$")


@frozen(kw_only=True)
class Call:
    """One call to the system.

    Attributes:
        name: of the call.
        nth: which of the calls of this name it is, from 1.
        text: its arguments and result, cut.
    """

    name: str
    nth: int
    text: str

    @property
    def is_to_a_socket(self) -> bool:
        """Whether it sends a request, or receives an answer."""
        return self.name in SOCKETS


def why_not() -> str:
    """Return why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "there is no strace on this machine"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else "this machine does not let a process be traced (ptrace)"


@contextmanager
def attached(pid: int, *options: str) -> Iterator[None]:
    """Trace a process, and its end."""
    names = ",".join(f"?{name}" for name in (*STORES, *SOCKETS))
    command = ["strace", "-f", "-y", "-s", "600", "-p", str(pid), "-e", f"trace={names}", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise RuntimeError(f"strace: {said}")
            yield
        finally:
            # It ends by itself with the process; reading lets it say so.
            if tracer.stderr is not None:
                tracer.stderr.read()
            tracer.wait(30)


def calls(trace: Path, home: Path) -> list[Call]:
    """Return the calls of a trace that write the home folder, send a request or receive an answer, in their order."""
    counts: Counter[str] = Counter()
    found = []
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None or match["rest"] is None:
            continue
        counts[match["call"]] += 1
        call = Call(name=match["call"], nth=counts[match["call"]], text=match["rest"])
        if call.is_to_a_socket or str(home) in call.text.split(", ", 1)[0]:
            found.append(call)
    return found


# --- The ground -------------------------------------------------------------------------------------------------------

SHORT: Final = 40
ZYGOTE: Final = Path(__file__).with_name("kills") / "zygote.py"
WISHES: Final = ("file", "pull", "photos")
FAULTS: Final = {"kill -9": "signal=KILL", "disk full": "error=ENOSPC", "disk broken": "error=EIO"}
CALLBACK: Final = "https://app.example.com/callback/"
APP: Final = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, CALLBACK)


@frozen(kw_only=True)
class Point:
    """One way in which a worker fails.

    Attributes:
        wish: what it posts.
        fault: what happens.
        call: where.
        order: how many calls came before, in an undisturbed run.
        is_vital: whether the publish id is being stored here.
    """

    wish: str
    fault: str
    call: Call
    order: int
    is_vital: bool

    def __str__(self) -> str:
        return f"{self.wish}, {self.fault} at {self.call.name} {self.call.nth}"


@define
class Zygote:
    """Forks workers, one at a time."""

    process: "subprocess.Popen[str]"

    def run(self, ground: "Ground", wish: str, *options: str) -> dict[str, Any]:
        """Let a worker do its job, traced if there are options, and return how it ended; empty when it was killed."""
        end, gate = ground.folder / "end.json", ground.folder / "gate"
        end.unlink(missing_ok=True)
        os.mkfifo(gate)
        job = {"environ": ground.environ, "wish": wish, "film": str(ground.film), "gate": str(gate), "end": str(end)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        if options:
            with attached(child, *options):
                gate.write_bytes(b"")
        else:
            gate.write_bytes(b"")
        status = int(self.process.stdout.readline())
        gate.unlink()
        assert end.exists() or os.WIFSIGNALED(status)
        text = end.read_text() if end.exists() else ""
        # Killed while it wrote this down: it had come to its end.
        return json.loads(text) if text.endswith("}") else {}


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Start a zygote, and end it."""
    command = [sys.executable, "-W", "error", str(ZYGOTE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Zygote(process)
        assert process.stdin is not None
        process.stdin.close()


@define
class Ground:
    """A TikTok of its own, and a home folder with an account whose access token has ended."""

    folder: Path
    film: Path
    sim: SimulatedTikTok
    url: str
    account: str = ""

    @property
    def home(self) -> Path:
        """Where tokens and journal are."""
        return self.folder / "home"

    @property
    def environ(self) -> dict[str, str]:
        """The settings of the workers."""
        return {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TIKTOK_REDIRECT_URI": CALLBACK,
            "TIKTOK_API_URL": self.url,
            "TIKTOK_AUTH_URL": f"{self.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(self.home),
        }

    def sign_in(self) -> None:
        """Let the creator consent, and keep the tokens."""
        with connect(environ=self.environ) as tiktok:
            asked = tiktok.authorization()
            self.account = tiktok.sign_in(asked, self.sim.authorize(asked.url)).open_id

    def expire(self) -> None:
        """Let the access token have ended an hour ago."""
        with closing(SqliteTokenStore(token_file(self.home, APP))) as store:
            tokens = store.load(self.account)
            assert tokens is not None
            past = datetime.now(UTC) - timedelta(hours=1)
            store.save(self.account, evolve(tokens, issued_at=past, expires_at=past))

    def record(self) -> Record | None:
        """Return what the journal has; also proves that it can be read."""
        if not journal_file(self.home).exists():
            return None
        with closing(SqliteJournal(journal_file(self.home))) as journal:
            records = journal.records()
        assert len(records) <= 1
        return records[0] if records else None

    def check_files(self) -> None:
        """Hold the stores to be whole: after whatever a writer left behind was undone, as every opening does."""
        for file in (token_file(self.home, APP), journal_file(self.home)):
            if file.exists() and file.stat().st_size:
                with closing(sqlite3.connect(file)) as connection:
                    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with closing(SqliteTokenStore(token_file(self.home, APP))) as store:
            tokens = store.load(self.account)
        assert tokens is not None
        assert tokens.access_token.reveal() in self.sim.world.tokens
        assert tokens.refresh_token.reveal() in self.sim.world.tokens


@contextmanager
def ground() -> Iterator[Ground]:
    """Give a fresh one."""
    sim = SimulatedTikTok()
    sim.switches.processing_seconds = sim.switches.download_seconds = 0.0
    with TemporaryDirectory() as folder, closing(sim), SandboxServer(sim).run_in_thread() as server:
        film = Path(folder) / "film.mp4"
        film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(11_000_000))
        made = Ground(Path(folder), film, sim, server.url)
        made.sign_in()
        made.expire()
        yield made


# --- What has to hold -------------------------------------------------------------------------------------------------


def prove(worker: Zygote, point: Point) -> None:
    """Let a worker fail at the point, let another go on, and judge by what TikTok knows."""
    with ground() as here:
        failed = worker.run(
            here,
            point.wish,
            "-o",
            "/dev/null",
            "-e",
            f"inject={point.call.name}:{FAULTS[point.fault]}:when={point.call.nth}",
        )
        assert "unexpected" not in failed, failed
        if "error" in failed and not point.call.is_to_a_socket:
            assert failed["error"] in {"StoreError", "SignInRequired", "OutcomeUnknown"}, failed
        here.check_files()
        known = here.record()
        done = worker.run(here, point.wish)
        if done.get("error") == "SignInRequired":
            # The one loss that cannot be helped: TikTok has replaced the refresh token, and nobody could keep the new one.
            assert here.sim.count("token") >= 2
            here.sign_in()
            done = worker.run(here, point.wish)
        here.check_files()
        judge(here, point, known, done)


def judge(here: Ground, point: Point, known: Record | None, done: dict[str, Any]) -> None:
    """Compare how it ended with what TikTok has, and with what was known before."""
    last = here.record()
    assert last is not None
    posted = [post for post in here.sim.posts if post.source != "FILE_UPLOAD" or post.bytes_received]
    if done.get("error") == "OutcomeUnknown":
        # Honest only where the init publishes by itself, its answer was not stored, and nobody says that it was.
        assert point.wish != "file"
        assert known is not None
        assert (known.stage, known.publish_id) in {(Stage.INIT_SENT, None), (Stage.UNKNOWN, None)}
        assert last.stage is Stage.UNKNOWN
        assert len(posted) <= 1
        return
    assert done.get("status") == "PUBLISH_COMPLETE", done
    assert len(posted) == 1, posted
    post = posted[0]
    assert post.publish_id == done["publish_id"] == last.publish_id
    assert last.stage is Stage.COMPLETE
    if known is not None and known.publish_id is not None:
        assert known.publish_id == post.publish_id
    if point.wish == "file":
        assert post.bytes_received == here.film.stat().st_size
        assert post.sha256 == FILM_DIGEST


FILM_DIGEST: Final = hashlib.sha256(b"\0\0\0\x18ftypisom" + bytes(11_000_000)).hexdigest()


# --- The points -------------------------------------------------------------------------------------------------------


def points(worker: Zygote) -> list[Point]:
    """Return all points of the proof, from an undisturbed run of each wish."""
    found = []
    for wish in WISHES:
        with ground() as here:
            trace = here.folder / "trace"
            assert worker.run(here, wish, "-o", str(trace))["status"] == "PUBLISH_COMPLETE"
            made = calls(trace, here.home)
        # From the answer that names the post until this is safe on the disk.
        named = next(at for at, call in enumerate(made) if "publish_id" in call.text and call.name.startswith("recv"))
        saved = next(at for at in range(named, len(made)) if made[at].name.startswith("unlink"))
        for order, call in enumerate(made):
            for fault in FAULTS:
                if fault == "kill -9" or not call.is_to_a_socket:
                    is_vital = fault == "kill -9" and order in {named, named + 1, saved, saved + 1}
                    found.append(Point(wish=wish, fault=fault, call=call, order=order, is_vital=is_vital))
    return found


def chosen(found: list[Point]) -> list[Point]:
    """Return those that are tried: all, or forty that lie evenly, the vital ones among them."""
    if os.environ.get("KILLS") == "all":
        return found
    vital = [point for point in found if point.is_vital]
    rest = [point for point in found if not point.is_vital]
    wanted = SHORT - len(vital)
    return [*vital, *(rest[at * len(rest) // wanted] for at in range(wanted))]


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace works")
@pytest.mark.timeout(7200)
def test_no_end_of_a_process_posts_twice_or_loses_a_post() -> None:
    """Killed, or with a full or broken disk, at every write of the stores and every word with TikTok; then gone on with."""
    with zygote() as one, zygote() as other, ThreadPoolExecutor(2) as pool:
        tried = chosen(points(one))
        halves = ((one, tried[::2]), (other, tried[1::2]))
        broken = [line for found in pool.map(lambda half: list(violations(*half)), halves) for line in found]
    kinds = Counter((point.fault, "to TikTok" if point.call.is_to_a_socket else "to a store") for point in tried)
    print(*(f"{fault} {where}: {count}" for (fault, where), count in sorted(kinds.items())), sep="\n")
    print(f"{len(tried)} points, {len(broken)} violations")
    assert broken == []
    assert len(tried) >= SHORT


def violations(worker: Zygote, tried: list[Point]) -> Iterator[str]:
    """Yield what does not hold, point by point."""
    for point in tried:
        try:
            prove(worker, point)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no end of a post
            yield f"{point}: {type(error).__name__} {error}"
