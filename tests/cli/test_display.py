"""`videos`, `find`, `cancel`: what is public, and stopping a pull."""

import json
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok


@pytest.fixture
def lister(sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """Sign in a public creator who lets the app list videos."""
    sim.app.audited, sim.creator.private = True, False
    sim.switches.moderation_seconds = sim.switches.download_seconds = 0
    with connect(environ=environ) as client:
        scopes = ["user.info.basic", "video.upload", "video.publish", "video.list"]
        asked = client.authorization(scopes, redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(asked, sim.authorize(asked.url))


@pytest.mark.usefixtures("lister")
def test_videos_are_listed_and_gone_on_with(cli: Any, film: Path) -> None:
    """`videos` lists the newest first, up to the limit, from the cursor."""
    assert "no public videos" in cli("videos").stdout
    for number in range(3):
        post = ("post", "video", str(film), "--title", f"clip {number}", "--privacy", "PUBLIC_TO_EVERYONE", "--again")
        assert cli(*post).exit_code == 0
    page = json.loads(cli("videos", "--limit", "2", "--json").stdout)
    assert [video["title"] for video in page["videos"]] == ["clip 2", "clip 1"]
    assert cli("videos").stdout.count("clip") == 3
    assert cli("videos", "--cursor", "1").stdout.count("clip") == 0


@pytest.mark.usefixtures("lister")
@pytest.mark.parametrize("limit", [1, 2, 3, 20, 21, 22, 25, 45])
def test_the_cursor_goes_on_after_the_last_video(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], limit: int
) -> None:
    """With any limit, following the cursors lists every video exactly once."""
    with connect(environ=environ, probe=False) as client:
        draft = client.account().post_video("https://media.example.com/a.mp4", draft=True)
    for _ in range(22):
        sim.finish_draft(draft.publish_id, public=True)
    with connect(environ=environ) as client:
        ids = [video.id for video in client.account().videos()]
    assert len(ids) == 22
    cursor, seen = [], []
    while True:
        page = json.loads(cli("videos", "--limit", str(limit), *cursor, "--json").stdout)
        seen += [video["id"] for video in page["videos"]]
        if page["cursor"] is None:
            break
        assert len(page["videos"]) == limit
        cursor = ["--cursor", str(page["cursor"])]
    assert seen == ids
    told = cli("videos", "--limit", str(limit)).stdout
    assert ("tiktok videos --cursor" in told) == (limit < 22)


@pytest.mark.usefixtures("lister")
def test_a_post_is_found(cli: Any, film: Path) -> None:
    """`find` takes the post's key; its exit status shows a program that the post is not public yet."""
    assert cli("post", "video", str(film), "--privacy", "PUBLIC_TO_EVERYONE", "--key", "mine").exit_code == 0
    found = cli("find", "mine")
    assert found.exit_code == 0
    assert "/video/" in found.stdout
    assert json.loads(cli("find", "mine", "--json").stdout)["posts"][0]["is_certain"] is True
    assert cli("post", "video", str(film), "--privacy", "SELF_ONLY", "--key", "other").exit_code == 0
    missing = cli("find", "other")
    assert missing.exit_code == 6
    assert "private" in missing.stdout


@pytest.mark.usefixtures("lister")
def test_a_pull_is_cancelled(cli: Any, sim: SimulatedTikTok) -> None:
    """`cancel` stops a pull while TikTok downloads; afterwards it says that it is too late."""
    sim.switches.download_seconds = 60
    pulled = cli("post", "video", "https://media.example.com/a.mp4", "--draft", "--no-wait", "--json")
    publish_id = json.loads(pulled.stdout)["publish_id"]
    assert "publish_cancelled" in cli("cancel", publish_id).stdout
    assert cli("cancel", publish_id).exit_code == 4
