"""Videos at URLs, from the command line: `--upload`, a fresh URL, derived keys, `plan`, `--dry-run`; and no query in any output.

The opener of URLs is a test's own, given to the client as a program would give it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

import tiktok_adapters.assembly
from clips import CLIP_BYTES, PHOTO, PULLED
from elsewhere import ELSEWHERE, FRESH, SIGNED, Elsewhere
from tiktok_adapters.assembly.derived import Spelled
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_core import PhotoPost, VideoPost
from tiktok_core.errors import SourceChanged

SELF = ("--privacy", "SELF_ONLY")

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, signed_in: str) -> Elsewhere:
    """Give each client of a command an opener of URLs."""
    assert signed_in
    found = Elsewhere({ELSEWHERE: CLIP_BYTES, PULLED: CLIP_BYTES + b"more"})
    connect = tiktok_adapters.assembly.connect
    monkeypatch.setattr(
        tiktok_adapters.assembly, "connect", lambda *args, **ports: connect(*args, **ports, open_source=found)
    )
    return found


def shows_no_query(*results: Any) -> None:
    """Assert that no output has the signature of a URL."""
    for result in results:
        assert "canary" not in result.output + result.stderr


def test_what_tiktok_may_not_pull_is_uploaded_and_said_once(cli: Any, sim: SimulatedTikTok) -> None:
    """One line says so, and the document is that of an upload."""
    result = cli("post", "video", SIGNED, *SELF, "--json")
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if "uploaded from here" in line]
    assert line.startswith(f"TikTok may not pull {ELSEWHERE}?..., because it is under none of")
    assert json.loads(result.stdout)["uploaded_bytes"] == len(CLIP_BYTES)
    assert len(sim.posts) == 1
    shows_no_query(result)


def test_upload_and_no_upload(cli: Any, sim: SimulatedTikTok, elsewhere: Elsewhere) -> None:
    """`--upload` asks for no pull, `--no-upload` never opens the URL, and the refusal names the way out."""
    assert cli("post", "video", PULLED, *SELF, "--upload").exit_code == 0
    assert set(elsewhere.opened) == {PULLED}
    refused = cli("post", "video", SIGNED, *SELF, "--no-upload")
    assert refused.exit_code == 4
    assert "url_ownership_unverified" in refused.stderr
    assert "--upload" in refused.stderr
    assert set(elsewhere.opened) == {PULLED}
    wrong = cli("post", "video", PULLED, *SELF, "--chunk-size", "6000000")
    assert (wrong.exit_code, "--chunk-size: is for uploads" in wrong.stderr) == (2, True)
    assert len(sim.posts) == 1


def test_with_listed_properties_it_is_said_once_that_another_url_is_uploaded(cli: Any, sim: SimulatedTikTok) -> None:
    """The check, the post and its journal agree, and the person reads one line."""
    result = cli("post", "video", SIGNED, *SELF, env={"TIKTOK_VERIFIED_URLS": "media.example.com"})
    assert result.exit_code == 0
    assert result.stderr.count("so its bytes are uploaded from here") == 1
    assert sim.count("video_init") == 1
    shows_no_query(result)


@pytest.mark.parametrize("first", [(), ("--upload",)], ids=["none", "upload"])
@pytest.mark.parametrize("again", [(), ("--upload",)], ids=["none", "upload"])
def test_the_same_url_with_and_without_the_option_is_one_post(
    cli: Any, sim: SimulatedTikTok, first: tuple[str, ...], again: tuple[str, ...]
) -> None:
    """Whether it was pulled or uploaded, the repeated command shows the earlier post; `--again` makes another one."""
    for url in (SIGNED, PULLED):
        done = json.loads(cli("post", "video", url, *SELF, *first, "--json").stdout)
        same = json.loads(cli("post", "video", url, *SELF, *again, "--json").stdout)
        assert (same["key"], same["publish_id"]) == (done["key"], done["publish_id"])
    assert len(sim.posts) == 2
    # An account takes six inits a minute, and a planned upload sends none: otherwise, the last command waits for a minute.
    assert cli("post", "video", SIGNED, *SELF, *again, "--again").exit_code == 0
    assert len(sim.posts) == 3


def test_a_fresh_url_of_the_same_upload_is_one_post(cli: Any, sim: SimulatedTikTok) -> None:
    """A script that signs its URL anew each time, and is repeated, posts once."""
    for url in (SIGNED, FRESH, SIGNED):
        assert cli("post", "video", url, *SELF, "--upload").exit_code == 0
    assert len(sim.posts) == 1


def test_an_interrupted_upload_is_resumed_under_a_fresh_url(
    cli: Any, sim: SimulatedTikTok, elsewhere: Elsewhere
) -> None:
    """`uploads` shows the URL without its query, the error says what to type, and `resume KEY URL` goes on."""
    elsewhere.troubles.append(SourceChanged(None, f"{ELSEWHERE} cannot be read now"))
    lost = cli("post", "video", SIGNED, *SELF, "--key", "mine")
    assert lost.exit_code == 2
    assert "go on with a fresh one: 'tiktok resume mine URL'" in lost.stderr
    listed = cli("uploads")
    document = cli("uploads", "--json")
    assert f"{ELSEWHERE}?..." in listed.stdout
    assert json.loads(document.stdout)["posts"][0]["video"] == f"{ELSEWHERE}?..."
    elsewhere.expired.add(SIGNED)
    expired = cli("resume", "mine")
    assert expired.exit_code == 4
    done = cli("post", "video", SIGNED, *SELF, "--key", "mine", "--upload")
    assert done.exit_code == 2
    elsewhere.expired.clear()
    sim.faults.add(parse_fault("putx9=unreachable"))
    elsewhere.troubles.clear()
    assert cli("post", "video", SIGNED, *SELF, "--key", "mine").exit_code in {4, 5}
    sim.faults.clear()
    elsewhere.expired.add(SIGNED)
    assert "'tiktok resume mine URL'" in cli("resume", "mine").stderr
    finished = cli("resume", "mine", FRESH, "--json")
    assert json.loads(finished.stdout)["status"] == "PUBLISH_COMPLETE"
    assert cli("resume", "mine", FRESH, "--settle", "posted").exit_code == 2
    assert len(sim.posts) == 1
    shows_no_query(lost, listed, document, expired, done, finished)


def test_photos_show_no_query(cli: Any, sim: SimulatedTikTok) -> None:
    """Neither a dry run nor the list of what has not ended shows the query of a photo's URL."""
    url = f"{PHOTO}?sig=canary-of-a-photo"
    dry = cli("post", "photo", url, *SELF, "--dry-run", "--json")
    sim.faults.add(parse_fault("init=drop-after"))
    lost = cli("post", "photo", url, *SELF)
    listed = cli("uploads", "--json")
    assert lost.exit_code == 6
    assert json.loads(listed.stdout)["posts"][0]["photo_images"] == [f"{PHOTO}?..."]
    assert f"{PHOTO}?..." in dry.stdout
    shows_no_query(dry, lost, listed)


def test_a_dry_run_shows_the_pull_or_the_chunks(cli: Any, sim: SimulatedTikTok) -> None:
    """By default the pull, with `--upload` what would be sent; neither sends anything."""
    pulled = cli("post", "video", SIGNED, *SELF, "--dry-run", "--json")
    uploaded = cli("post", "video", SIGNED, *SELF, "--upload", "--dry-run", "--json")
    source = json.loads(pulled.stdout)["requests"][1]["body"]["source_info"]
    assert source == {"source": "PULL_FROM_URL", "video_url": f"{ELSEWHERE}?..."}
    document = json.loads(uploaded.stdout)
    assert document["plan"]["video_size"] == len(CLIP_BYTES)
    assert [one["method"] for one in document["requests"]] == ["POST", "POST", "PUT", "POST"]
    assert sim.count("video_init") == 0
    shows_no_query(pulled, uploaded)


def test_the_plan_of_what_lies_elsewhere(cli: Any, tmp_path: Path) -> None:
    """The size is asked for where it lies; neither an app nor a home is needed."""
    home = tmp_path / "nowhere"
    settings = {"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": "", "TIKTOK_HOME": str(home)}
    result = cli("plan", SIGNED, "--json", env=settings)
    assert json.loads(result.stdout)["video_size"] == len(CLIP_BYTES), result.output
    refused = cli("plan", "https://nothing.example.com/clip.mp4?sig=canary", env=settings)
    assert refused.exit_code == 2
    assert "HTTP 404" in refused.stderr
    assert not home.exists()
    shows_no_query(result, refused)


@pytest.mark.parametrize(
    "post",
    [
        VideoPost(title="it's", privacy_level="SELF_ONLY"),
        PhotoPost(photo_images=("https://media.example.com/1.jpg", "https://media.example.com/2.jpg")),
    ],
)
def test_derived_keys_are_spelled_as_they_always_were(post: VideoPost | PhotoPost) -> None:
    """Where no URL has a query, the spelling is that of the value itself, as in each earlier release; otherwise the query counts."""
    assert repr(Spelled(post)) == repr(post)
    signed = PhotoPost(photo_images=("https://media.example.com/1.jpg?sig=canary",))
    assert "'https://media.example.com/1.jpg?sig=canary'" in repr(Spelled(signed))
    assert "canary" not in repr(signed)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("video", f"{PULLED}?sig=1", *SELF, "--title", "it's"), "cli-04dfd6df9ddbd633-1"),
        (("photo", f"{PHOTO}?sig=1", *SELF), "cli-77567633bb5540db-1"),
    ],
)
def test_a_derived_key_is_the_same_in_each_release(cli: Any, arguments: tuple[str, ...], key: str) -> None:
    """The digest of a URL has its query in it, as before queries became secrets."""
    assert json.loads(cli("post", *arguments, "--json").stdout)["key"] == key
