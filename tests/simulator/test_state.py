"""A sandbox's state in a file: a restart changes nothing, and a file that cannot serve is refused and kept."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict
from hypothesis import given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import App, Creator, SimulatedTikTok
from tiktok_adapters.simulator.state import StateError, StateFile
from tiktok_adapters.transports.fake import ConnectionDropped


def restarted(sim: SimulatedTikTok, clock: ManualClock, path: Path) -> SimulatedTikTok:
    """Save a simulator, and return another one that has loaded the file."""
    with StateFile(path) as file:
        file.save(sim)
    other = SimulatedTikTok(clock, apps=[App(client_key="aw-of-a-new-start")])
    with StateFile(path) as file:
        assert file.load(other)
    return other


def seen(sim: SimulatedTikTok) -> Any:
    """Return all that a person or a program can see of a simulator."""
    return (
        sim.posts,
        [sim.read_video(post.publish_id) for post in sim.posts],
        sim.sign_ins,
        sim.log,
        sim.switches,
        [asdict(app) for app in sim.apps],
        [asdict(creator) for creator in sim.creators],
        [str(fault) for fault in sim.faults.left],
        sim.webhooks(again=True),
    )


ACTS: dict[str, Callable[[Any], Any]] = {
    "sign in": lambda play: play.sign_in(),
    "refresh": lambda play: play.refresh(play.sign_in().get("refresh_token", "")),
    "half an upload": lambda play: play.put(
        play.video(11_000_000, 5_242_880).data["upload_url"], 0, b"x" * 5_242_880, 11_000_000
    ),
    "upload": lambda play: play.upload(play.video()),
    "draft": lambda play: play.sim.finish_draft(play.upload(play.draft())),
    "pull": lambda play: play.pull(),
    "photos": lambda play: play.photos(),
    "webhooks": lambda play: play.sim.webhooks(),
    "disconnect": lambda play: play.sim.disconnect("maker_one"),
    "copy of the data": lambda play: play.post(
        "/v2/user/data/add/?fields=request_id", {"data_format": "json", "category_selection_list": ["all_data"]}
    ),
    "another creator": lambda play: play.sim.creators.append(Creator(username="maker_two", private=False)),
    "a switch": lambda play: play.sim.switches.flip({"mb": "binary", "access_seconds": 60}),
    "a fault": lambda play: play.sim.faults.add("init:2x3=drop-after"),
    "time": lambda play: play.clock.advance(40),
}


@given(st.lists(st.sampled_from(sorted(ACTS)), max_size=7))
@settings(max_examples=at_most(60), deadline=None)
def test_a_restart_changes_nothing(
    new_play: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory, acts: list[str]
) -> None:
    """Whatever was done: what can be seen stays the same, old tokens work or do not as before, and no id comes twice."""
    play = new_play()
    for name in acts:
        try:
            ACTS[name](play)
        except (AssertionError, KeyError, TypeError, ValueError, ConnectionDropped):
            continue  # refused, or met by a fault
    before, old = play.sim, seen(play.sim)
    after = restarted(before, play.clock, tmp_path_factory.mktemp("state") / "sandbox.state")
    assert seen(after) == old
    answers = []
    for sim in (before, after):
        play.sim = sim
        sim.faults.clear()
        asked = [play.status(post.publish_id) for post in sim.posts]
        answers.append(([(one.status, one.document.get("data")) for one in asked], play.sim.webhooks()))
    assert answers[0] == answers[1]
    play.tokens.clear()
    begun = play.video()
    assert begun.code != "ok" or begun.data["publish_id"] not in {post.publish_id for post in before.posts}
    before.close()
    after.close()


def test_an_upload_goes_on_after_a_restart(play: Any, tmp_path: Path) -> None:
    """Its URL stays valid, the next chunk fits, and the digest is that of the whole file."""
    content = b"\0\0\0\x18ftypisom" + bytes(range(250)) * 44_000
    url = play.video(len(content), 5_242_880).data["upload_url"]
    assert play.put(url, 0, content[:5_242_880], len(content)).status == 206
    for _ in range(2):
        before = play.sim
        play.sim = restarted(before, play.clock, tmp_path / "state")
        before.close()
    assert play.put(url, 5_242_880, content[5_242_880:], len(content)).status == 201
    again = restarted(play.sim, play.clock, tmp_path / "state")
    (post,) = again.posts
    assert again.read_video(post.publish_id) == content
    assert post.sha256 == hashlib.sha256(content).hexdigest()
    again.close()
    play.sim.close()


def test_only_the_owner_can_read_the_file(play: Any, tmp_path: Path) -> None:
    """It holds tokens; a file that others could read is closed to them, too."""
    path = tmp_path / "state"
    path.touch(0o644)
    with StateFile(path) as file:
        file.save(play.sim)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_forgotten_is_gone_from_the_file(play: Any, tmp_path: Path) -> None:
    """After a reset the file holds neither the posts nor their bytes."""
    path = tmp_path / "state"
    with StateFile(path) as file:
        play.upload(play.video())
        file.save(play.sim)
        play.sim.reset()
        file.save(play.sim)
        assert file.load(play.sim)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM videos").fetchone() == (0,)


# --- Files that cannot serve -------------------------------------------------------------------------------------------


@pytest.fixture
def good(play: Any, tmp_path: Path) -> Path:
    """A file of a sandbox with a post."""
    play.upload(play.video())
    path = tmp_path / "good"
    with StateFile(path) as file:
        file.save(play.sim)
    return path


def refusal(path: Path) -> str:
    """Return the sentence with which a file is refused; the file stays as it was."""
    before, sim = path.read_bytes(), SimulatedTikTok(ManualClock())
    with pytest.raises(StateError) as caught, StateFile(path) as file:
        file.load(sim)
    assert path.read_bytes() == before
    assert (sim.posts, sim.log) == ((), ())
    return str(caught.value)


def changed(path: Path, *statements: str) -> Path:
    """Change a file as a database."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


def test_a_file_of_another_version_is_refused_by_name(good: Path) -> None:
    """The sentence has both versions."""
    said = refusal(changed(good, "PRAGMA user_version = 7"))
    assert said.startswith(f"{good} is a sandbox's state of version 7, and this release reads version 1.")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """It might be the journal."""
    path = changed(tmp_path / "other", "CREATE TABLE records (name TEXT)")
    assert "database of another program" in refusal(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE world SET document = substr(document, 1, 20) WHERE part = 'tasks'",
        "UPDATE world SET document = '[{}]' WHERE part = 'tasks'",
        "UPDATE world SET document = '{\"mb\": \"metric\"}' WHERE part = 'switches'",
        "UPDATE world SET document = '[]' WHERE part = 'creators'",
        "UPDATE world SET document = '[\"nonsense\"]' WHERE part = 'faults'",
        "UPDATE world SET document = '[3, [], null]' WHERE part = 'chance'",
        "DELETE FROM world WHERE part = 'tokens'",
        "DELETE FROM videos",
        "UPDATE videos SET start = 5",
        "DROP TABLE videos",
    ],
)
def test_a_damaged_file_is_refused(good: Path, statement: str) -> None:
    """Nothing of it is taken over."""
    assert str(good) in refusal(changed(good, statement))


@given(data=st.data())
@settings(max_examples=at_most(100), deadline=None)
def test_a_file_with_other_bytes_is_refused_or_read(
    new_play: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever a disk did to it, no other error comes."""
    play = new_play()
    path = tmp_path_factory.mktemp("state") / "bad"
    with StateFile(path) as file:
        file.save(play.sim)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + 8] = data.draw(st.binary(min_size=1, max_size=8))
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        with closing(SimulatedTikTok(play.clock)) as sim, StateFile(path) as file:
            file.load(sim)
    except StateError as error:
        assert str(path) in str(error)  # noqa: PT017 - most files are refused, some are not


def test_two_sandboxes_do_not_share_a_file(good: Path) -> None:
    """The second one is told, and the first one goes on; also from another process."""
    with StateFile(good) as file:
        with pytest.raises(StateError, match="in use by another sandbox"):
            StateFile(good)
        program = "import sys; from tiktok_adapters.simulator.state import StateFile; StateFile(sys.argv[1])"
        other = subprocess.run(
            [sys.executable, "-c", program, str(good)], check=False, capture_output=True, text=True, timeout=60
        )
        assert (other.returncode, "in use by another sandbox" in other.stderr) == (1, True)
        with closing(SimulatedTikTok()) as sim:
            assert file.load(sim)


def test_a_folder_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    """The sentence says what the system says, and the folder stays open to those who could read it."""
    mode = tmp_path.stat().st_mode
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "missing" / "state", "There is no folder")):
        with pytest.raises(StateError, match=said):
            StateFile(path)
    assert tmp_path.stat().st_mode == mode


def test_a_copy_of_the_file_works_elsewhere(good: Path, tmp_path: Path) -> None:
    """No path of the machine is in it."""
    shutil.copy(good, tmp_path / "copy")
    with closing(SimulatedTikTok(ManualClock())) as sim, StateFile(tmp_path / "copy") as file:
        assert file.load(sim)
        assert len(sim.posts) == 1
