"""A machine whose own clock is an hour off shares a database with others: held and timed posts go by the database's clock.

What belongs here: whole commands under libfaketime, which shifts what the operating system says of the time of day.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine_place import until
from postgres_place import Database, database
from postgres_server import postgres_server
from tiktok_adapters.simulator import SimulatedTikTok

__all__ = ["database", "postgres_server"]

Start = Callable[..., "subprocess.Popen[str]"]
Off = tuple[timedelta, dict[str, str]]
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def environ(environ: dict[str, str], database: Database) -> dict[str, str]:
    """The settings of a machine whose stores are in the database."""
    return environ | {"TIKTOK_STORE_URL": database.url}


@pytest.fixture(params=["+1h", "-1h"])
def off(request: pytest.FixtureRequest) -> Off:
    """An hour, and the variables under which a program sees a clock that is off by it."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: apt-get install faketime")
    found = subprocess.run(["faketime", "-f", request.param, "env"], capture_output=True, text=True, check=True).stdout
    env = dict(line.partition("=")[::2] for line in found.splitlines() if line.startswith(("LD_PRELOAD=", "FAKETIME")))
    # The clocks that count since a start are shifted, too, by an amount that stays: no library may mind. With them left alone,
    # Python's `time.sleep` fails.
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"], env=env, capture_output=True, text=True, check=True
    )
    by = timedelta(hours=1 if request.param == "+1h" else -1)
    if abs(float(shown.stdout) - time.time() - by.total_seconds()) > 600:
        pytest.skip("this Python does not see the clock that faketime shows")
    return by, env


@pytest.mark.full
def test_a_worker_begins_what_is_due_by_the_clock_of_the_database(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, off: Off
) -> None:
    """Never a held post, nor one whose time has not come; and one whose time has come is neither early nor late."""
    account, now = opened.account(), opened.clock.now()
    soon = now + timedelta(seconds=3)
    for key, how in {
        "held": {"held": True},
        "later": {"not_before": now + HALF_AN_HOUR},
        "held and later": {"held": True, "not_before": now + HALF_AN_HOUR},
        "due": {"not_before": soon, "not_after": now + HALF_AN_HOUR},
        "any time": {},
    }.items():
        account.enter_video(film, draft=True, key=key, **how)
    until(lambda: opened.clock.now() >= soon)
    running = process("worker", "--once", env=off[1])
    assert (*running.communicate(timeout=120), running.returncode) == ("", "", 0)
    assert {post.key for post in account.posts() if post.is_ended} == {"due", "any time"}
    assert sim.count("inbox_init") == 2
    assert {post.key for post in account.posts() if not post.is_planned} == {"due", "any time"}


@pytest.mark.full
def test_a_command_judges_a_time_by_the_clock_of_the_database(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, off: Off
) -> None:
    """What is over is refused, and what is to come is taken, whatever the machine says."""
    now = datetime.now(UTC)
    for key, at in {"over": now - HALF_AN_HOUR, "to come": now + HALF_AN_HOUR}.items():
        spelled = f"{at:%Y-%m-%d %H:%M} UTC"
        running = process(
            *("post", "video", str(film), "--draft", "--key", key, "--at", spelled, "--enter-only"), env=off[1]
        )
        said = running.communicate(timeout=120)
        assert running.returncode == (2 if key == "over" else 0), said
    assert [post.key for post in opened.account().posts()] == ["to come"]
    assert sim.count("inbox_init") == 0
