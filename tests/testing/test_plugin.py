"""The fixtures that come with this package: they work, they are isolated from each other, and loading them costs nothing."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clips import CLIP_BYTES
from tiktok_adapters import connect
from tiktok_adapters.testing.fakes import AsyncFake, Fake, Sandbox
from tiktok_core import PublishFailed

TEST_FILE = """
import asyncio
import os
import urllib.request

import pytest
from tiktok_core import PublishFailed

def test_a_fake(tiktok_fake, tiktok_clock, tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"\\0\\0\\0\\x18ftypisom" + bytes(100))
    done = tiktok_fake.account.post_video(clip, privacy_level="SELF_ONLY")
    assert tiktok_fake.simulator.post(done.publish_id).bytes_received == 112
    assert tiktok_clock.slept > 0

def test_an_asynchronous_fake(tiktok_async_fake):
    photos = ["https://media.example.com/1.jpg"]
    done = asyncio.run(tiktok_async_fake.account.post_photos(photos, draft=True))
    assert len(tiktok_async_fake.simulator.posts) == 1

def test_faults(tiktok_fake, tiktok_faults):
    tiktok_faults.add("init=fail:duration_check_failed")
    with pytest.raises(PublishFailed):
        tiktok_fake.account.post_photos(["https://media.example.com/1.jpg"], draft=True)

@pytest.mark.parametrize("turn", range(4))
def test_a_sandbox(tiktok_sandbox, turn):
    with urllib.request.urlopen(tiktok_sandbox.url) as page:
        assert page.status == 200
    assert tiktok_sandbox.simulator.posts == ()
"""


def run_pytest(tmp_path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the test file of a stranger, who knows nothing but the names of the fixtures."""
    (tmp_path / "test_theirs.py").write_text(TEST_FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_stranger_has_the_fixtures(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Without a word of configuration, and with several workers at once."""
    done = run_pytest(tmp_path, *options)
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout


def test_the_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    """All of them begin with the package's name, and none is used without being asked for."""
    listed = run_pytest(tmp_path, "--fixtures").stdout
    for name in ("tiktok_fake", "tiktok_async_fake", "tiktok_sandbox", "tiktok_clock", "tiktok_faults"):
        assert f"\n{name} -- " in listed
    source = Path(sys.modules[Fake.__module__].__file__ or "").with_name("plugin.py").read_text()
    assert "autouse" not in source


def test_loading_the_plugin_brings_nothing_along() -> None:
    """Every pytest run of the environment loads it: nothing of the core, nor attrs, aiohttp or hypothesis, comes with it."""
    code = (
        "import sys, pytest; before = set(sys.modules); import tiktok_adapters.testing.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["tiktok_adapters", "tiktok_adapters.testing", "tiktok_adapters.testing.plugin"]


def test_both_fakes_share_the_clock_and_the_faults(
    tiktok_fake: Fake, tiktok_async_fake: AsyncFake, tiktok_clock: Any, tiktok_faults: Any
) -> None:
    """One test may use both worlds, and orders what goes wrong once."""
    assert tiktok_fake.clock is tiktok_async_fake.clock is tiktok_clock
    assert tiktok_fake.simulator.faults is tiktok_async_fake.simulator.faults is tiktok_faults
    assert tiktok_fake.simulator is not tiktok_async_fake.simulator


def test_a_client_reaches_the_sandbox_by_its_settings(
    tiktok_sandbox: Sandbox, tiktok_faults: Any, tmp_path: Path
) -> None:
    """`connect` and every program go there by the variables; what is ordered to go wrong goes wrong there, too."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(CLIP_BYTES)
    with connect(environ=tiktok_sandbox.environ) as tiktok:
        asked = tiktok.authorization()
        account = tiktok.sign_in(asked, tiktok_sandbox.simulator.authorize(asked.url))
        done = account.post_video(clip, privacy_level="SELF_ONLY")
        assert tiktok_sandbox.simulator.read_video(done.publish_id) == CLIP_BYTES
        tiktok_faults.add("init=fail:internal")
        with pytest.raises(PublishFailed):
            account.post_video(clip, privacy_level="SELF_ONLY")


def test_a_fake_keeps_archives(tiktok_fake: Fake, tmp_path: Path) -> None:
    """A user's own test can fetch a copy of the data, once the simulated app is approved for that."""
    scopes = ("user.info.basic", "portability.all.single")
    tiktok_fake.simulator.app.scopes = scopes
    asked = tiktok_fake.tiktok.authorization(scopes)
    account = tiktok_fake.tiktok.sign_in(asked, tiktok_fake.simulator.authorize(asked.url))
    request_id = account.request_data("profile")
    tiktok_fake.clock.advance(600)
    assert account.download_data(request_id, tmp_path / "data.zip").size == (tmp_path / "data.zip").stat().st_size
