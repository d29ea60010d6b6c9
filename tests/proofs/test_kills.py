"""Whatever system call is the last one, or fails: TikTok gets no second post, nothing stored is lost, and no file breaks.

A worker renews its tokens, posts, and follows the post. At one system call it is killed, or the disk is full or broken.
Then another worker continues with the same key. `KILLS=all` tries every call, as `make prove-kills` does;
`docs/proofs.md` has the figures. What belongs here: which points there are, and what has to hold after each.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from attrs import define, evolve, frozen

from clips import HEAD
from tiktok_adapters import connect
from tiktok_adapters.assembly import token_file
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_core import App, Record, Stage, Tokens

KINDS: Final = {
    "write": ("write", "pwrite64", "ftruncate", "fallocate"),
    "sync": ("fsync", "fdatasync"),
    "put in place": ("mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2"),
    "remove": ("unlink", "unlinkat", "rmdir"),
    "send": ("sendto", "sendmsg"),
    "receive": ("recvfrom", "recvmsg"),
}
"""The calls to the system after which something may have to be found again; which of them there are is the machine's."""
TALK: Final = ("send", "receive")
FAULTS: Final = {"kill -9": "signal=KILL", "disk full": "error=ENOSPC", "disk broken": "error=EIO"}
LINE: Final = re.compile(r"^\d+ +(?P<name>\w+)\((?P<rest>.*)$")
HAPPENED: Final = re.compile(r"\(INJECTED\)|\+\+\+ killed by SIGKILL \+\+\+")

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace on this machine")


@frozen(kw_only=True)
class Call:
    """One system call.

    Attributes:
        name: the name of the call.
        nth: the number of the call among those of this name, from 1.
        text: its arguments and result, shortened.
    """

    name: str
    nth: int
    text: str

    @property
    def kind(self) -> str:
        """What the call does."""
        return next(kind for kind, names in KINDS.items() if self.name in names)


@contextmanager
def traced(pid: int, trace: Path, inject: str) -> Iterator[None]:
    """Trace a process to its end, and let strace inject the given fault."""
    names = ",".join(
        f"?{name}" for kind in KINDS.values() for name in kind
    )  # The "?" allows for names of other machines.
    command = ["strace", "-f", "-y", "-s", "600", "-p", str(pid), "-o", str(trace), "-e", f"trace={names}"]
    if inject:
        command += ["-e", f"inject={inject}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            pytest.skip(f"this machine does not let a process be traced: {said.strip()}")
        yield
        tracer.communicate(timeout=60)


def calls(trace: Path, home: Path) -> list[Call]:
    """Return the calls of a trace that change the home folder, send a request or receive an answer, in their order."""
    counts: Counter[str] = Counter()
    found = []
    for match in filter(None, map(LINE.match, trace.read_text(errors="replace").splitlines())):
        counts[match["name"]] += 1
        call = Call(name=match["name"], nth=counts[match["name"]], text=match["rest"])
        # The written bytes may name the folder, too.
        where = call.text.split(", ", 1)[0] if call.kind == "write" else call.text
        if call.kind in TALK or str(home) in where:
            found.append(call)
    return found


# --- The ground -------------------------------------------------------------------------------------------------------

WISHES: Final = ("file", "pull", "photos")
FILM: Final = HEAD + bytes(range(251)) * 43_825
"""Two chunks, in which no byte is like the one a chunk away."""
FILM_DIGEST: Final = hashlib.sha256(FILM).hexdigest()
CALLBACK: Final = "https://app.example.com/callback/"
APP: Final = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, CALLBACK)


@define
class Ground:
    """A separate TikTok, and a home folder with an account whose access token has ended."""

    folder: Path
    sim: SimulatedTikTok
    url: str
    account: str = ""

    @property
    def home(self) -> Path:
        """The folder of tokens and journal."""
        return self.folder / "home"

    @property
    def film(self) -> Path:
        """The file that is posted."""
        return self.folder / "film.mp4"

    @property
    def trace(self) -> Path:
        """The file with strace's output about the last traced worker."""
        return self.folder / "trace"

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
        """Set the end of the access token an hour into the past."""
        past = datetime.now(UTC) - timedelta(hours=1)
        with closing(SqliteTokenStore(token_file(self.home, APP))) as store:
            store.save(self.account, evolve(self.tokens(), issued_at=past, expires_at=past))

    def tokens(self) -> Tokens:
        """Return the stored tokens."""
        with closing(SqliteTokenStore(token_file(self.home, APP))) as store:
            kept = store.load(self.account)
        assert kept is not None
        return kept

    def record(self) -> Record | None:
        """Return the record in the journal, or None."""
        if not journal_file(self.home).exists():
            return None
        with closing(SqliteJournal(journal_file(self.home))) as journal:
            records = journal.records()
        assert len(records) <= 1
        return records[0] if records else None

    @property
    def pair(self) -> tuple[str, str]:
        """The stored access and refresh token."""
        kept = self.tokens()
        return kept.access_token.reveal(), kept.refresh_token.reveal()

    @property
    def heard(self) -> "Counter[str]":
        """How often TikTok got each request."""
        return Counter(entry.operation for entry in self.sim.log)

    @property
    def given(self) -> list[tuple[str, str]]:
        """The pairs of access and refresh tokens that TikTok has issued: the simulator makes the two in turns."""
        made = list(self.sim.world.tokens)
        return list(zip(made[::2], made[1::2], strict=False))


@contextmanager
def ground() -> Iterator[Ground]:
    """Give a fresh ground."""
    sim = SimulatedTikTok()
    sim.switches.processing_seconds = sim.switches.download_seconds = 0.0
    with TemporaryDirectory() as folder, closing(sim), SandboxServer(sim).run_in_thread() as server:
        made = Ground(Path(folder), sim, server.url)
        made.film.write_bytes(FILM)
        made.sign_in()
        made.expire()
        yield made


@define
class Zygote:
    """Forks workers, one at a time.

    Attributes:
        process: the process that forks.
        holds_back: what these workers save too late; nothing in the released version.
    """

    process: "subprocess.Popen[str]"
    holds_back: str = ""

    def run(self, here: Ground, wish: str, inject: str | None = None) -> dict[str, str]:
        """Let a worker do its job, and return how it ended; empty if a signal ended it.

        Args:
            here: the ground.
            wish: what it posts.
            inject: the fault in strace's words; if empty, none; if not given, the worker is not traced.
        """
        end, gate = here.folder / "end.json", here.folder / "gate"
        end.unlink(missing_ok=True)
        os.mkfifo(gate)
        names = {"film": str(here.film), "gate": str(gate), "end": str(end)}
        job = {"environ": here.environ, "wish": wish, "holds_back": self.holds_back, **names}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(job), file=self.process.stdin, flush=True)
        with ExitStack() as tracer:
            child = int(self.process.stdout.readline())
            try:
                if inject is not None:
                    tracer.enter_context(traced(child, here.trace, inject))
            finally:
                # Even if it cannot be traced, no worker stays at its gate for ever.
                gate.write_bytes(b"")
                status = int(self.process.stdout.readline())
        gate.unlink()
        assert os.WIFSIGNALED(status) or end.exists()
        ended: dict[str, str] = {} if os.WIFSIGNALED(status) else json.loads(end.read_text())
        return ended


@contextmanager
def zygote(holds_back: str = "") -> Iterator[Zygote]:
    """Start a zygote, and end it."""
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("kills") / "zygote.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Zygote(process, holds_back)


# --- What has to hold -------------------------------------------------------------------------------------------------

OURS: Final = re.compile(r"(tokens-\w+|journal|pace)\.db(-reserve)?")
SIGN_IN_LOST: Final = "the sign-in, its renewal answered and not yet kept"
OUTCOME_LOST: Final = "whether a pull or photos were posted, their init sent and its answer not yet kept"
NOT_KEPT: Final = "a token was used that was not kept"
NO_INIT: Final = "an init was sent that was not written down"
NO_ID: Final = "a post was gone on with whose id was not written down"


@frozen(kw_only=True)
class Point:
    """One way in which a worker fails.

    Attributes:
        wish: what it posts.
        fault: what happens.
        call: at which call.
        is_vital: whether the call stores the publish id.
    """

    wish: str
    fault: str
    call: Call
    is_vital: bool = False

    def __str__(self) -> str:
        return f"{self.wish}, {self.fault} at {self.call.name} {self.call.nth}"


@frozen(kw_only=True)
class Found:
    """The result of a point.

    Attributes:
        broken: the promises that were broken.
        loss: the documented loss; empty if there was none.
        is_met: whether the worker reached the point at all.
    """

    broken: tuple[str, ...] = ()
    loss: str = ""
    is_met: bool = True


def prove(worker: Zygote, point: Point) -> Found:
    """Let a worker fail at the point, let another one continue, and judge by what TikTok knows."""
    with ground() as here:
        inject = f"{point.call.name}:{FAULTS[point.fault]}:when={point.call.nth}"
        failed = worker.run(here, point.wish, inject)
        if not HAPPENED.search(here.trace.read_text(errors="replace")):
            return Found(is_met=False)
        known = here.record()
        broken = [*told(point, failed), *written_ahead(here), *sound(here)]
        done, loss = worker.run(here, point.wish), ""
        if done.get("error") == "SignInRequired":
            loss = SIGN_IN_LOST
            broken.extend(could_be_kept(here, point))
            here.sign_in()
            done = worker.run(here, point.wish)
        if done.get("error") == "OutcomeUnknown":
            loss = OUTCOME_LOST
        broken.extend((*settled(here, known, done), *sound(here), *tidy(here)))
        return Found(broken=tuple(broken), loss=loss)


def told(point: Point, failed: dict[str, str]) -> Iterator[str]:
    """Check that the worker overcame a fault of the disk, or named it."""
    if point.fault != "kill -9" and failed.get("status") != "PUBLISH_COMPLETE" and failed.get("error") != "StoreError":
        yield f"the fault was told as {failed}"


def written_ahead(here: Ground) -> Iterator[str]:
    """Check that the worker stored everything before it asked TikTok."""
    heard, record = here.heard, here.record()
    if heard["creator_info"] and here.pair != here.given[-1]:
        yield NOT_KEPT
    if heard["video_init"] + heard["photo_init"] > (record.inits if record else 0):
        yield NO_INIT
    if heard["put"] + heard["status"] and (record is None or record.publish_id is None):
        yield NO_ID


def sound(here: Ground) -> Iterator[str]:
    """Check that the files are whole after the next opener has repaired them, and that no other user may read them."""
    # The mode of our folder protects the files in it.
    for path in here.home.iterdir():
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"others may read {path.name}"
    for file in here.home.glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            if connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                yield f"{file.name} is damaged"
    if here.pair not in here.given:
        yield "the tokens are not what TikTok gave"


def could_be_kept(here: Ground, point: Point) -> Iterator[str]:
    """Check that a lost sign-in is the documented loss: TikTok replaced a token, and its answer died with the worker."""
    if point.fault != "kill -9" or len(here.given) != 2 or here.pair != here.given[0]:
        yield "a sign-in was lost that could be kept"


def settled(here: Ground, known: Record | None, done: dict[str, str]) -> Iterator[str]:
    """Compare the end with what TikTok has, and with what the journal knew before."""
    posted = [post for post in here.sim.posts if post.source != "FILE_UPLOAD" or post.bytes_received]
    last = here.record()
    if len(posted) > 1:
        yield f"posted {len(posted)} times"
    if known is not None and known.wish.is_pulled and known.stage in {Stage.INIT_SENT, Stage.UNKNOWN}:
        if done.get("error") != "OutcomeUnknown" or last is None or last.stage is not Stage.UNKNOWN:
            yield f"what nobody can know was told as {done}"
        return
    if done.get("status") != "PUBLISH_COMPLETE" or last is None or last.stage is not Stage.COMPLETE or not posted:
        yield f"not posted: {done}"
        return
    names = {done["publish_id"], last.publish_id, *(post.publish_id for post in posted)}
    if known is not None and known.publish_id is not None:
        names.add(known.publish_id)
    if len(names) > 1:
        yield "a publish id was lost"
    if any(post.sha256 != FILM_DIGEST for post in posted if post.source == "FILE_UPLOAD"):
        yield "other bytes than the file's were posted"


def tidy(here: Ground) -> Iterator[str]:
    """Check that no file stays for ever: the next write removes what SQLite had not begun to use."""
    now = datetime.now(UTC)
    with closing(SqliteTokenStore(token_file(here.home, APP))) as store:
        store.try_lease(here.account, owner="next", now=now, until=now + timedelta(seconds=1))
        store.release(here.account, owner="next")
    yield from (f"{path.name} is left" for path in here.home.iterdir() if not OURS.fullmatch(path.name))


# --- The points -------------------------------------------------------------------------------------------------------

SHORT: Final = 40
JOURNAL: Final = "/journal.db-journal"
"""SQLite's own, by whose removal it commits what is saved in ours."""
TRIES: Final = 3
"""How often a point is looked for: into how many pieces a body is sent differs from run to run."""


def undisturbed(worker: Zygote, wish: str) -> list[Call]:
    """Return the calls of a worker without a fault."""
    with ground() as here:
        done = worker.run(here, wish, inject="")
        assert done.get("status") == "PUBLISH_COMPLETE", done
        return calls(here.trace, here.home)


def answered(made: list[Call], word: str) -> int:
    """Return the number of the call that received the first answer with that word."""
    return next(at for at, call in enumerate(made) if call.kind == "receive" and word in call.text)


def points(worker: Zygote) -> list[Point]:
    """Return all points of the proof, from an undisturbed run of each wish."""
    found = []
    for wish in WISHES:
        made = undisturbed(worker, wish)
        named = answered(made, "publish_id")
        saved = next(
            at for at, call in enumerate(made) if at > named and call.kind == "remove" and JOURNAL in call.text
        )
        for at, call in enumerate(made):
            for fault in FAULTS:
                if fault == "kill -9" or call.kind not in TALK:
                    is_vital = fault == "kill -9" and at in {named, named + 1, saved, saved + 1}
                    found.append(Point(wish=wish, fault=fault, call=call, is_vital=is_vital))
    return found


def chosen(found: list[Point]) -> list[Point]:
    """Return the points to try: all, or forty: the vital ones, and as many of each kind, spread over the run."""
    if os.environ.get("KILLS") == "all":
        return found
    vital = [point for point in found if point.is_vital]
    kinds: dict[tuple[str, str], list[Point]] = {}
    for point in found:
        if not point.is_vital:
            kinds.setdefault((point.fault, point.call.kind), []).append(point)
    left = SHORT - len(vital)
    rest = []
    for number, kind in enumerate(kinds.values()):
        first, last = (left * turn // len(kinds) for turn in (number, number + 1))
        shift = (number + 0.5) / len(kinds)
        rest.extend(kind[int((turn + shift) * len(kind) / (last - first))] for turn in range(last - first))
    return [*vital, *rest]


def outcomes(worker: Zygote, tried: list[Point]) -> Iterator[tuple[Point, Found]]:
    """Yield the result of each point."""
    for point in tried:
        found = Found()
        for _ in range(TRIES):
            try:
                found = prove(worker, point)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no end of a post
                found = Found(broken=(f"{type(error).__name__}: {error}",))
            if found.is_met:
                break
        yield point, found


def test_no_end_of_a_process_posts_twice_or_loses_a_post() -> None:
    """A worker is killed, or its disk is full or broken, at each write of the stores and each exchange with TikTok.

    Another one continues.
    """
    with zygote() as one, zygote() as other, ThreadPoolExecutor(2) as pool:
        tried = chosen(points(one))
        halves = pool.map(lambda half: list(outcomes(*half)), ((one, tried[::2]), (other, tried[1::2])))
        ends = [end for half in halves for end in half]
    unmet = [str(point) for point, found in ends if not found.is_met]
    broken = sorted(f"{promise}: {point}" for point, found in ends for promise in found.broken)
    kinds = Counter((point.fault, point.call.kind) for point, found in ends if found.is_met)
    losses = Counter((point.fault, found.loss) for point, found in ends if found.loss)
    print(*(f"{fault}, {kind}: {count}" for (fault, kind), count in kinds.items()), sep="\n")
    print(*(f"{fault}, lost {loss}: {count}" for (fault, loss), count in losses.items()), sep="\n")
    print(f"{len(tried)} points, {len(unmet)} of them never met, {len(broken)} violations", *unmet)
    assert not broken, "\n".join(broken)
    assert all(point.call.kind == "send" for point, found in ends if not found.is_met)
    assert len(tried) >= SHORT


@pytest.mark.parametrize(
    ("wish", "holds_back", "answer", "promises"),
    [
        ("pull", "init sent", "publish_id", {NO_INIT, "posted 2 times"}),
        ("photos", "init sent", "publish_id", {NO_INIT, "posted 2 times"}),
        ("file", "uploading", "content-range", {NO_ID, "posted 2 times"}),
        ("pull", "tokens", "privacy_level_options", {NOT_KEPT}),
    ],
)
def test_a_version_that_saves_too_late_is_found_out(
    wish: str, holds_back: str, answer: str, promises: set[str]
) -> None:
    """Such a version is killed when TikTok has answered what it did not store before.

    It breaks its promises, and the proof sees it.
    """
    with zygote(holds_back) as worker:
        made = undisturbed(worker, wish)
        found = prove(worker, Point(wish=wish, fault="kill -9", call=made[answered(made, answer) + 1]))
    assert found.is_met
    assert promises <= set(found.broken)
