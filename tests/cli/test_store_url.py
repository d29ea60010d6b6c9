"""The whole command line over a database that `TIKTOK_STORE_URL` names, and what is said where it cannot be used."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postgres_place import Database
from postgres_server import PASSWORD, Server, free_port
from tiktok_adapters import connect
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import SimulatedTikTok

Start = Callable[..., "subprocess.Popen[str]"]
KEY = "Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="


@pytest.fixture
def environ(environ: dict[str, str], database: Database) -> dict[str, str]:
    """The settings of a machine whose stores are in the database."""
    return environ | {"TIKTOK_STORE_URL": database.url}


@pytest.fixture
def hides(hides: Callable[[str], str]) -> Callable[[str], str]:
    """Assert that a text holds no password, either."""

    def check(text: str) -> str:
        assert PASSWORD not in hides(text)
        return text

    return check


# --- The whole command line ------------------------------------------------------------------------------------------


def test_two_machines_share_one_database(
    cli: Any, sim: SimulatedTikTok, signed_in: str, film: Path, tmp_path: Path
) -> None:
    """What one signs in, the other posts; a key makes one post on both, and neither writes a store into its home folder."""
    other = {"TIKTOK_HOME": str(tmp_path / "other")}
    assert signed_in in cli("accounts", env=other).stdout
    done = cli("post", "video", str(film), "--draft", "--key", "one", "--json", env=other)
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "SEND_TO_USER_INBOX")
    again = cli("post", "video", str(film), "--draft", "--key", "one", "--json")
    assert json.loads(again.stdout)["publish_id"] == json.loads(done.stdout)["publish_id"]
    assert sim.count("inbox_init") == 1
    assert cli("uploads", "--json").exit_code == 0
    assert cli("refresh").exit_code == 0
    assert cli("whoami", env=other).exit_code == 0
    assert cli("logout", env=other).exit_code == 0
    assert "No account is signed in" in cli("accounts").stdout
    assert not [path for name in ("home", "other") for path in (tmp_path / name).glob("*.db*")]


def test_one_machine_goes_on_with_what_another_left(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], signed_in: str, film: Path, tmp_path: Path
) -> None:
    """`resume` and the worker find what was entered elsewhere."""
    other = {"TIKTOK_HOME": str(tmp_path / "other")}
    assert signed_in
    for key in ("first", "second"):
        entered = cli("post", "video", str(film), "--draft", "--key", key, "--enter-only")
        assert entered.exit_code == 0, entered.output
    assert [one["key"] for one in json.loads(cli("uploads", "--json", env=other).stdout)["posts"]] == ["first", "second"]
    assert cli("resume", "first", env=other).exit_code == 0
    assert cli("worker", "--once", env=other).exit_code == 0
    with connect(environ=environ) as tiktok:
        assert all(record.is_ended for record in tiktok.account().posts())
    assert sim.count("inbox_init") == 2


def test_login_checks_the_store_first(cli: Any, sim: SimulatedTikTok, process: Start, tmp_path: Path) -> None:
    """A server that cannot be reached is told before a person consents; a sign-in elsewhere is one on both machines."""
    gone = {"TIKTOK_STORE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/db"}
    said = cli("login", "--no-browser", env=gone)
    assert (said.exit_code, "http" in said.stdout) == (1, False)
    assert "cannot connect" in said.stderr
    running = process("login", "--no-browser", env={"TIKTOK_HOME": str(tmp_path / "other")})
    assert running.stdout is not None
    url = running.stdout.readline().strip()
    assert running.stdin is not None
    running.stdin.write(sim.authorize(url) + "\n")
    running.stdin.flush()
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert len(json.loads(cli("accounts", "--json").stdout)["accounts"]) == 1
