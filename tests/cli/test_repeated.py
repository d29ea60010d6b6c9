"""The same command twice: it never makes two posts by chance, and never keeps a person from trying again."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.cli import keys
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault

SELF = ("--privacy", "SELF_ONLY")
PHOTO = ("post", "photo", "https://media.example.com/1.jpg", *SELF, "--json")

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.mark.parametrize("reason", ["internal", "photo_pull_failed", "auth_removed"])
def test_after_a_failure_the_same_command_makes_a_new_post(reason: str, cli: Any, sim: SimulatedTikTok) -> None:
    """The advice to try again as a new post is then true: the failed post does not lend its key again."""
    sim.faults.add(parse_fault(f"init=fail:{reason}"))
    failed = cli(*PHOTO)
    assert (failed.exit_code, json.loads(failed.stdout)["error"]["code"]) == (4, reason)
    again = cli(*PHOTO)
    assert (again.exit_code, json.loads(again.stdout)["status"]) == (0, "PUBLISH_COMPLETE")
    assert json.loads(again.stdout)["key"] != json.loads(failed.stdout)["error"]["key"]
    assert len(sim.posts) == 2


def test_an_explicit_key_keeps_its_contract_after_a_failure(cli: Any, sim: SimulatedTikTok) -> None:
    """The key tells the old failure again, and the document says that it is an old one and from when."""
    sim.faults.add(parse_fault("init=fail:internal"))
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert json.loads(cli(*PHOTO, "--key", "mine").stdout)["error"]["earlier_at"] is None
    error = json.loads(cli(*PHOTO, "--key", "mine").stdout)["error"]
    assert error["code"] == "internal"
    assert before < datetime.fromisoformat(error["earlier_at"]) <= datetime.now(UTC)
    assert len(sim.posts) == 1


def test_the_document_says_that_an_answer_is_an_earlier_commands_and_from_when(
    cli: Any, sim: SimulatedTikTok, film: Path
) -> None:
    """A program can tell a new post from the result of the one an hour ago, and a person is told the time."""
    command = ("post", "video", str(film), *SELF, "--json")
    assert json.loads(cli(*command).stdout)["earlier_at"] is None
    again = cli(*command)
    at = datetime.fromisoformat(json.loads(again.stdout)["earlier_at"])
    assert f"at {at:%Y-%m-%d %H:%M} UTC" in again.stderr
    assert len(sim.posts) == 1


def test_commands_of_neighbouring_seconds_get_the_same_key(
    cli: Any, sim: SimulatedTikTok, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commands that begin before either has entered its post count the same records; no second stands in the key."""
    seen = []
    chosen = keys.chosen_key

    def beside(account: Any, key: Any, wish: Any, **how: Any) -> Any:
        seen.append(chosen(account, key, wish, **how)[0])
        seen.append(chosen(account, key, wish, **how)[0])
        return chosen(account, key, wish, **how)

    monkeypatch.setattr("tiktok_adapters.cli.how.chosen_key", beside)
    assert cli("post", "video", str(film), *SELF).exit_code == 0
    assert len(set(seen)) == 1
    assert seen[0].endswith("-1")
    assert len(sim.posts) == 1
