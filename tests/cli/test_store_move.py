"""`tiktok store move` takes a home folder to a database, and nothing of it is lost, doubled or left usable."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from postgres_place import Database
from postgres_server import PASSWORD
from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok


@pytest.fixture
def there(database: Database) -> dict[str, str]:
    """The setting that names the database."""
    return {"TIKTOK_STORE_URL": database.url}


@pytest.fixture
def hides(hides: Callable[[str], str]) -> Callable[[str], str]:
    """Assert that a text holds no password, either."""

    def check(text: str) -> str:
        assert PASSWORD not in hides(text)
        return text

    return check


def test_a_home_moves(cli: Any, sim: SimulatedTikTok, signed_in: str, film: Path, there: dict[str, str]) -> None:
    """Accounts and posts are there afterwards, a key answers with its post, and the home folder refuses everything."""
    done = cli("post", "video", str(film), "--draft", "--key", "one", "--json")
    assert cli("post", "video", str(film), "--draft", "--key", "two", "--enter-only").exit_code == 0
    moved = cli("store", "move", "--yes", env=there)
    assert moved.exit_code == 0, moved.output
    assert "Moved 1 accounts and 2 posts to PostgreSQL 127.0.0.1:" in moved.stdout
    again = cli("post", "video", str(film), "--draft", "--key", "one", "--json", env=there)
    assert json.loads(again.stdout)["publish_id"] == json.loads(done.stdout)["publish_id"]
    assert cli("worker", "--once", env=there).exit_code == 0
    assert sim.count("inbox_init") == 2
    assert signed_in in cli("accounts", env=there).stdout
    for command in (["accounts"], ["post", "video", str(film), "--draft"], ["worker", "--once"], ["login", "--no-browser"]):
        refused = cli(*command)
        assert (refused.exit_code, "its home was moved to PostgreSQL 127.0.0.1" in refused.stderr) == (1, True)
    assert "was moved" in cli("store", "move", "--yes", env=there).stdout
    assert cli("store", "check", env=there).exit_code == 0
    assert cli("store", "check").exit_code == 1
