"""`tiktok worker`: it goes on with what is due, ends after the chunk that is under way, and another one goes on after its death."""

import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from processes import seen
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault

Start = Callable[..., "subprocess.Popen[str]"]
CHUNK = 5_242_880


@pytest.fixture
def long_film(film: Path) -> Path:
    """A video of 12 chunks."""
    with film.open("r+b") as file:
        file.truncate(12 * CHUNK)
    return film


def test_it_posts_what_is_due_and_nothing_else(cli: Any, sim: SimulatedTikTok, opened: Any, film: Path) -> None:
    """With `--once` it ends then. What is held, of a later time, or a caller's own, is left alone."""
    account, now = opened.account(), SystemClock().now()
    for key, how in {
        "due": {},
        "held": {"held": True},
        "later": {"not_before": now + timedelta(hours=1)},
        "own": {"for_workers": False},
    }.items():
        account.enter_video(film, draft=True, key=key, **how)
    assert cli("worker", "--once").exit_code == 0
    assert {record.key: record.is_ended for record in account.posts()} == {
        "due": True,
        "held": False,
        "later": False,
        "own": False,
    }
    account.release("held")
    done = cli("worker", "--once", "--jobs", "1", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert account.post("held").is_ended
    assert sim.count("inbox_init") == 2


@pytest.mark.full
def test_it_asks_for_the_status_of_fifty_chunks_at_most_twice(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path
) -> None:
    """It has the post under one owner, so nothing is in doubt between two chunks."""
    with long_film.open("r+b") as file:
        file.truncate(50 * CHUNK)
    opened.account().enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    running = process("worker", "--once")
    assert running.communicate(timeout=120) == ("", "")
    assert running.returncode == 0
    assert sim.count("put") == 50
    assert sim.count("status") <= 2
    assert opened.account().post("long").is_ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_chunk(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path, number: signal.Signals
) -> None:
    """The chunk under way is answered and stored, no other is begun, and the next worker goes on from there."""
    opened.account().enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.2"))
    running = process("worker")
    seen(lambda: sim.count("put") >= 2, running)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0
    assert f"{number.name}: ending after the chunks that are under way" in said
    record, sent = opened.account().post("long"), sim.count("put")
    assert record.offset == sent * CHUNK < long_film.stat().st_size
    sim.faults.clear()
    assert process("worker", "--once").communicate(timeout=60) == ("", "")
    assert sim.count("put") == 12
    assert [post.status for post in sim.posts] == ["SEND_TO_USER_INBOX"]


def test_another_worker_goes_on_after_a_kill(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path
) -> None:
    """`kill -9` in the midst of a chunk: the journal sees that the process is gone, and the bytes are those of the file."""
    opened.account().enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.2"))
    first, second = process("worker"), process("worker")
    for running in (first, second):
        seen(lambda: sim.count("put") >= 2, running)
    first.kill()
    first.communicate()
    sim.faults.clear()
    seen(lambda: opened.account().post("long").is_ended, second)
    (post,) = sim.posts
    assert post.size == post.bytes_received
    assert sim.count("inbox_init") == 1


def test_no_jobs_are_no_worker(cli: Any) -> None:
    """It is a usage error."""
    assert cli("worker", "--jobs", "0").exit_code == 2
