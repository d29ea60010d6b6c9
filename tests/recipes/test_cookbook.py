"""The recipes of the cookbook do what their pages say: at a sandbox or the fake, a loopback storage, and a real database.

What belongs here: what a recipe promises beyond "its snippets run", which `tests/docs` tests.
"""

import importlib.util
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from clips import CLIP_BYTES, film
from media_server import MediaServer, served
from signed_in import signed_in
from tiktok_adapters import connect
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.sources import FileSource
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.testing.fakes import Fake
from tiktok_core import (
    App,
    NotSent,
    OutcomeUnknown,
    SignInRequired,
    SourceChanged,
    Stage,
    StillProcessing,
    StoreError,
    TikTok,
    TikTokError,
)
from tiktok_core.errors import LeaseLost

COOKBOOK: Final = Path(__file__).parents[2] / "docs" / "cookbook"
SNIPPET: Final = re.compile(r"^(?:<!-- (\w+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECRET: Final = "canary-4711"


def recipe(page: str, *wanted: str) -> dict[str, Any]:
    """Run those snippets of a page whose packages are installed, and that have one of these texts; all without a text."""
    scope: dict[str, Any] = {"__name__": "recipe"}
    for needed, snippet in SNIPPET.findall((COOKBOOK / page).read_text()):
        is_possible = not needed or importlib.util.find_spec(needed)
        if is_possible and (not wanted or any(text in snippet for text in wanted)):
            exec(compile(snippet, page, "exec"), scope)
    return scope


# --- Object storage -------------------------------------------------------------------------------------------------------

STORAGE: Final = recipe("object-storage.md")
MIB: Final = 1024**2


@pytest.fixture
def storage() -> Iterator[MediaServer]:
    """Serve a film of three chunks on loopback, at a URL whose query is a secret."""
    video = film(25_000_000)
    with served(video.read(0, video.size)) as storage:
        yield storage


@pytest.fixture
def opener() -> Iterator[Any]:
    """Give the recipe's opener, which may read from this machine."""
    with closing(STORAGE["make_opener"](private="127.0.0.1")) as opener:
        yield opener


@pytest.mark.full
def test_a_video_is_posted_from_storage_and_gone_on_with_by_another_url(
    storage: MediaServer, opener: Any, tiktok_fake: Fake
) -> None:
    """An interrupted upload goes on with a source of a newly signed URL, and TikTok gets each byte once."""
    stop = KeyboardInterrupt()

    def interrupt(progress: Any) -> None:
        if progress.sent_bytes > 10_000_000:
            raise stop

    with pytest.raises(KeyboardInterrupt):
        tiktok_fake.account.post_video(
            opener(storage.url), privacy_level="SELF_ONLY", key="k", chunk_size=10_000_000, on_progress=interrupt
        )
    assert tiktok_fake.account.posts()[0].stage is Stage.UPLOADING
    resumed = STORAGE["resume_from_storage"](tiktok_fake.account, storage.url + "&X-Date=later", opener, "k")
    again = STORAGE["post_from_storage"](tiktok_fake.account, storage.url, opener, "another")
    assert tiktok_fake.simulator.read_video(resumed.publish_id) == storage.data
    assert [post.status for post in tiktok_fake.simulator.posts] == ["PUBLISH_COMPLETE"] * 2
    assert again.publish_id != resumed.publish_id


def test_what_the_page_says_of_each_request(storage: MediaServer, opener: Any) -> None:
    """Each read names the ETag of the opening, and asks for 8 MiB at most, uncompressed."""
    source = opener(storage.url)
    assert b"".join(source.read(start, MIB) for start in range(0, source.size, MIB)) == storage.data
    opening, *reads = storage.seen
    assert "If-Match" not in opening
    spans = [tuple(map(int, headers["Range"].removeprefix("bytes=").split("-"))) for headers in reads]
    assert sum(last - first + 1 for first, last in spans) == source.size
    assert max(last - first + 1 for first, last in spans) == 8 * MIB
    assert {headers["If-Match"] for headers in reads} == {storage.etag}
    assert {headers["Accept-Encoding"] for headers in storage.seen} == {"identity"}


# --- Schedule -------------------------------------------------------------------------------------------------------------

run_once: Final = recipe("schedule.md", "def run_once")["run_once"]
MINUTE: Final = 60.0


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return the path of a clip."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP_BYTES)
    return path


def enter(fake: Fake, clip: Path, **how: Any) -> None:
    """Enter a post of the fake's account."""
    fake.account.enter_video(clip, **{"privacy_level": "SELF_ONLY", "key": "post-1", "title": "Hello", **how})


def work(fake: Fake, *, rounds: int = 40, dies: bool = False) -> list[str]:
    """Run the worker for so many minutes of the fake's clock; return what it says. A worker that dies forgets when to come again."""
    said: list[str] = []
    waits: dict[str, Any] = {}
    for _ in range(rounds):
        waits = run_once(fake.tiktok, {} if dies else waits, fake.clock.now(), said.append)
        fake.clock.advance(MINUTE)
    return said


def test_a_post_is_made_when_it_is_due_and_not_before(clip: Path, tiktok_fake: Fake) -> None:
    """The worker begins the post once it is due, follows it to its end, and forgets it."""
    now = tiktok_fake.clock.now()
    enter(tiktok_fake, clip, not_before=now + timedelta(seconds=90))
    for seconds in (0, 60, 29):
        tiktok_fake.clock.advance(seconds)
        assert run_once(tiktok_fake.tiktok, {}, tiktok_fake.clock.now()) == {}
    assert not tiktok_fake.simulator.posts
    tiktok_fake.clock.advance(1)
    assert work(tiktok_fake) == []
    assert not tiktok_fake.tiktok.unfinished()
    assert [(post.title, post.status) for post in tiktok_fake.simulator.posts] == [("Hello", "PUBLISH_COMPLETE")]


@pytest.mark.parametrize("fault", ["put=drop-after", "init=drop-after", "put=drop-before", "status=drop-after"])
@pytest.mark.parametrize("dies", [False, True])
def test_a_worker_that_fails_or_dies_posts_once(fault: str, clip: Path, tiktok_fake: Fake, *, dies: bool) -> None:
    """Whatever answer is lost, and whatever the worker has forgotten, one post is published."""
    enter(tiktok_fake, clip)
    tiktok_fake.simulator.faults.add(fault)
    assert work(tiktok_fake, dies=dies) == []
    assert [post.status for post in tiktok_fake.simulator.posts].count("PUBLISH_COMPLETE") == 1


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (LeaseLost("post-1"), 10),
        (StillProcessing("p", "PROCESSING_UPLOAD", 900.0), 30),
        (NotSent("POST x", "no network"), 30),
        (StoreError("journal", "it is locked", "locked"), 30),
        (StoreError("journal", "it is damaged", "damaged"), None),
        (OutcomeUnknown("the init", datetime(2026, 11, 1, tzinfo=UTC), "no answer"), None),
        (SignInRequired("me", "it signed out"), None),
        (SourceChanged(None, "the file is gone"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_comes_again_or_is_told_to_a_person(error: TikTokError, *, pause: float | None) -> None:
    """What passes by itself comes again, later each time; what does not is told, and looked at in a quarter of an hour."""

    def fails(_open_id: str) -> Any:
        raise error

    record, said, now = SimpleNamespace(name="a", key="post-1", account="me"), [], datetime(2026, 11, 1, tzinfo=UTC)
    tiktok = SimpleNamespace(account=fails, due_posts=lambda: [record])
    waits = run_once(tiktok, {}, now, said.append)
    assert waits == {"a": (now + timedelta(seconds=pause or 900), 1)}
    assert said == ([] if pause else [f"post-1 needs a person: {error}"])
    assert run_once(tiktok, waits, now, said.append) == waits, "it is not its turn"
    again, errors = run_once(tiktok, waits, now + timedelta(hours=1), said.append)["a"]
    assert errors == 2
    assert again >= waits["a"][0] + timedelta(hours=1)


def test_what_is_found_late_is_left_to_a_person(clip: Path, tiktok_fake: Fake) -> None:
    """It is told now and then, and posted once a person has released it."""
    enter(tiktok_fake, clip, not_before=tiktok_fake.clock.now() + timedelta(minutes=1))
    tiktok_fake.clock.advance(7_200)
    said = work(tiktok_fake)
    assert not tiktok_fake.simulator.posts
    assert 1 < len(said) < 5
    assert "post-1 needs a person: " in said[0]
    assert "a person has to release it" in said[0]
    tiktok_fake.account.release("post-1")
    assert work(tiktok_fake) == []
    assert [post.status for post in tiktok_fake.simulator.posts] == ["PUBLISH_COMPLETE"]


@pytest.mark.parametrize(
    "fault", ["init=code:spam_risk_too_many_posts", "init=code:spam_risk_user_banned_from_posting"]
)
def test_a_refusal_is_told_once_and_ends_the_post(clip: Path, tiktok_fake: Fake, fault: str) -> None:
    """TikTok posted nothing; to enter the post again is a person's wish."""
    enter(tiktok_fake, clip)
    tiktok_fake.simulator.faults.add(fault)
    (said,) = work(tiktok_fake)
    assert fault.rpartition(":")[2] in said
    assert not tiktok_fake.tiktok.unfinished()


@pytest.mark.full
def test_workers_that_take_the_same_post_make_one(clip: Path, tmp_path: Path) -> None:
    """Of four workers at once, the one that holds the lease acts."""
    sim = SimulatedTikTok()
    sim.switches.processing_seconds = 0
    clock = ManualClock(datetime.now(UTC))
    with signed_in(sim, tmp_path / "home") as settings, connect(environ=settings, clock=clock) as tiktok:
        tiktok.account().enter_video(clip, privacy_level="SELF_ONLY", key="post-1")
        for _ in range(3):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _: run_once(tiktok, {}, clock.now()), range(4)))
        assert [post.status for post in sim.posts] == ["PUBLISH_COMPLETE"]
        assert tiktok.due_posts() == ()


# --- A web application -----------------------------------------------------------------------------------------------------

SITE: Final = recipe("web-application.md")
TestTableTokenStore: Any = SITE["TestTableTokenStore"]
PAGE: Final = "https://app.example.com"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return the path of the site's database."""
    return tmp_path / "site.db"


@pytest.fixture
def site(table: Path, tiktok_fake: Fake) -> Any:
    """Return a browser at the recipe's site, whose user 1 is logged in."""
    pytest.importorskip("flask", reason="flask comes with `make check`")
    tiktok = TikTok(
        App(tiktok_fake.tiktok.app.client_key, tiktok_fake.tiktok.app.client_secret, f"{PAGE}/callback/"),
        transport=tiktok_fake.transport,
        tokens=SITE["TableTokenStore"](table),
        journal=tiktok_fake.journal,
        clock=tiktok_fake.clock,
        open_source=FileSource,
    )
    with closing(sqlite3.connect(table)) as database, database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, open_id TEXT)")
        database.execute("INSERT INTO users (id) VALUES (1)")
    made = SITE["make_site"](tiktok, table, "a secret of the site")
    SITE["add_posts"](made, tiktok, table)
    browser = made.test_client()
    with browser.session_transaction(base_url=PAGE) as session:
        session["user"] = 1
    return browser


def open_ids(table: Path) -> list[tuple[str | None]]:
    """Return what the site knows of its users' accounts."""
    with closing(sqlite3.connect(table)) as database:
        return database.execute("SELECT open_id FROM users").fetchall()


def test_a_user_connects_and_posts(site: Any, table: Path, clip: Path, tiktok_fake: Fake) -> None:
    """The sign-in ends in the site's own tables, and the worker makes the post that the form has entered, once."""
    there = site.get("/tiktok/connect", base_url=PAGE)
    answer = tiktok_fake.simulator.authorize(there.headers["Location"])
    assert site.get(answer, base_url=PAGE).status_code == 302
    assert open_ids(table) == [(tiktok_fake.account.open_id,)]
    assert SITE["TableTokenStore"](table).accounts() == (tiktok_fake.account.open_id,)
    form = {"file": str(clip), "title": "From the site", "privacy": "SELF_ONLY", "key": "form-1"}
    for _ in range(2):
        assert site.post("/posts", data=form, base_url=PAGE).status_code == 202
    wrong = site.post("/posts", data={**form, "title": "Another"}, base_url=PAGE)
    assert (wrong.status_code, "stands for another post" in wrong.json["wrong"]) == (400, True)
    assert work(tiktok_fake) == []
    assert [post.title for post in tiktok_fake.simulator.posts] == ["From the site"]


@pytest.mark.parametrize("what", ["state", "denied", "twice", "scope"])
def test_an_answer_that_does_not_count_connects_nobody(site: Any, table: Path, tiktok_fake: Fake, what: str) -> None:
    """A forged state, a no, an answer without a sign-in and a missing scope are each refused in plain text."""
    there = site.get("/tiktok/connect", base_url=PAGE).headers["Location"]
    scopes = ["user.info.basic"] if what == "scope" else None
    answer = tiktok_fake.simulator.authorize(there, allow=what != "denied", scopes=scopes)
    if what == "state":
        answer = re.sub("state=[^&]*", "state=<b>forged</b>", answer)
    elif what == "twice":
        assert site.get(answer, base_url=PAGE).status_code == 302
        with closing(sqlite3.connect(table)) as database, database:
            database.execute("UPDATE users SET open_id = NULL")
    refused = site.get(answer, base_url=PAGE)
    assert (refused.status_code, refused.mimetype) == (400, "text/plain")
    assert open_ids(table) == [(None,)]


# --- Tokens of another program ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_access_token", [True, False])
def test_imported_tokens_post_and_are_renewed(tiktok_fake: Fake, *, has_access_token: bool) -> None:
    """Tokens that another program of the same app kept serve here; the first renewal brings their right end."""
    theirs = tiktok_fake.tokens.load(tiktok_fake.account.open_id)
    assert theirs is not None
    rest = {"access_token": theirs.access_token.reveal(), "expires_in": 3600} if has_access_token else {}
    imported = recipe("import-tokens.md", "def imported")["imported"]
    ours = MemoryTokenStore()
    ours.save(
        theirs.open_id,
        imported(
            theirs.open_id,
            theirs.refresh_token.reveal(),
            ",".join(theirs.scope),
            now=tiktok_fake.clock.now(),
            **rest,
        ),
    )
    tiktok = TikTok(
        tiktok_fake.tiktok.app,
        transport=tiktok_fake.transport,
        tokens=ours,
        journal=tiktok_fake.journal,
        clock=tiktok_fake.clock,
    )
    account = tiktok.account()
    account.creator_info()
    assert (tiktok_fake.simulator.count("token") == 2) == (not has_access_token)  # the sign-in, and a renewal
    renewed = account.refresh()
    assert set(renewed.scope) == set(theirs.scope)
    assert renewed.expires_at > tiktok_fake.clock.now() + timedelta(hours=1)
