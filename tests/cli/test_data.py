"""`data request`, `check`, `cancel`, `download`."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_SCOPES, SimulatedTikTok

SCOPES = ("user.info.basic", "portability.all.ongoing")


@pytest.fixture(autouse=True)
def portable(sim: SimulatedTikTok, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in a user who grants the app their data, and change to an empty folder."""
    sim.app.scopes = (*DEFAULT_SCOPES, *SCOPES)
    with connect(environ=environ) as client:
        asked = client.authorization(SCOPES, redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(asked, sim.authorize(asked.url))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_a_copy_is_asked_for_and_fetched(cli: Any, sim: SimulatedTikTok) -> None:
    """Each step names the next one, and its exit status shows a program how far the request is."""
    asked = cli("data", "request", "profile", "activity")
    request_id = asked.stdout.partition(":")[0]
    assert f"tiktok data check {request_id}" in asked.stdout
    pending = cli("data", "check", request_id)
    assert (pending.exit_code, "pending" in pending.stdout) == (6, True)
    refused = cli("data", "download", request_id)
    assert (refused.exit_code, "Incorrect `request_id`" in refused.stderr) == (4, True)
    assert list(Path().iterdir()) == []
    sim.switches.data_seconds = 0
    ready = cli("data", "check", request_id)
    assert ready.exit_code == 0
    assert f"tiktok data download {request_id}" in ready.stdout
    fetched = cli("data", "download", request_id)
    assert (fetched.exit_code, fetched.stdout.startswith(f"tiktok-data-{request_id}.zip: ")) == (0, True)
    assert zipfile.ZipFile(f"tiktok-data-{request_id}.zip").namelist() == ["profile.json", "activity.json"]
    again = cli("data", "download", request_id)
    assert (again.exit_code, "already exists" in again.stderr) == (2, True)
    assert cli("data", "download", request_id, "--overwrite").exit_code == 0
    cancelled = cli("data", "cancel", request_id)
    assert (cancelled.exit_code, "cancelled" in cancelled.stdout) == (0, True)
    assert cli("data", "check", request_id).exit_code == 4


def test_every_step_has_its_document(cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """With TikTok's field names."""
    sim.switches.data_seconds = 0
    asked = json.loads(cli("data", "request", "all_data", "--format", "text", "--json").stdout)
    request_id = str(asked["request_id"])
    found = json.loads(cli("data", "check", request_id, "--json").stdout)
    assert found.keys() == {
        *("request_id", "status", "apply_time", "collect_time", "data_format", "category_selection_list")
    }
    assert (found["status"], found["data_format"], found["category_selection_list"]) == (
        "downloading",
        "text",
        ["all_data"],
    )
    path = tmp_path / "mine.zip"
    fetched = json.loads(cli("data", "download", request_id, str(path), "--json").stdout)
    assert fetched == {"request_id": asked["request_id"], "size": path.stat().st_size, "file": str(path)}
    cancelled = json.loads(cli("data", "cancel", request_id, "--json").stdout)
    assert cancelled["status"] == "cancelled"


def test_what_cannot_be_asked_for_is_a_usage_error(cli: Any, sim: SimulatedTikTok) -> None:
    """The command refuses an unknown word without a call, and lists the known ones."""
    unknown = cli("data", "request", "likes")
    assert (unknown.exit_code, "all_data, video, profile" in unknown.stderr) == (2, True)
    for wrong in (("data", "request"), ("data", "check", "mine"), ("data", "check", "0"), ("data",)):
        assert cli(*wrong).exit_code == 2
    assert sim.count("data_add") + sim.count("data_check") == 0
