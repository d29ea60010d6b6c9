"""Checks before a post, from the command line: wrong media, requests to URLs, and `--dry-run`."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from clips import PHOTO
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core.ports import Request, Response

MEDIA = Path(__file__).parents[1] / "media"
SELF = ("--privacy", "SELF_ONLY")
WRONG_VIDEOS = ("15fps.mp4", "5000-wide.mp4", "renamed.mp4", "cut-frames.mp4", "cut-index.mp4", "eleven-minutes.mp4")
WRONG_PICTURES = ("square.png", "1254.jpg", "heavy.jpg", "cut.jpg")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Yield a folder of photos, one of which has 21 MB."""
    shutil.copytree(MEDIA, tmp_path / "media")
    (tmp_path / "media" / "heavy.jpg").write_bytes((MEDIA / "good.jpg").read_bytes().ljust(21_000_000, b"\0"))
    (tmp_path / "media" / "cut.jpg").write_bytes((MEDIA / "good.jpg").read_bytes()[:30])
    return tmp_path / "media"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("15fps.mp4", "video: the frame rate is 15 a second; TikTok takes 23 to 60"),
        ("5000-wide.mp4", "video: the width is 5000 pixels; TikTok takes 360 to 4096"),
        ("renamed.mp4", "video: the file is a JPEG picture"),
        ("cut-frames.mp4", "video: the file is cut off: it has 4,000 bytes"),
    ],
)
def test_a_wrong_video_is_refused_with_its_figure(name: str, sentence: str, cli: Any) -> None:
    """Wrong media exits 2 with one sentence, and without a sign-in."""
    result = cli("post", "video", str(MEDIA / name), *SELF)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert sentence in result.stderr


def test_a_draft_longer_than_ten_minutes_is_refused(cli: Any) -> None:
    """The limit of drafts is known without asking TikTok for the creator."""
    result = cli("post", "video", str(MEDIA / "eleven-minutes.mp4"), "--draft")
    assert result.exit_code == 2
    assert "it lasts 660.0 s; TikTok takes at most 600 s" in result.stderr


@pytest.mark.usefixtures("signed_in")
def test_a_video_too_long_for_the_creator_is_refused(cli: Any, sim: SimulatedTikTok) -> None:
    """A video longer than this creator may post is refused before the command sends an init."""
    sim.creator.max_video_post_duration_sec = 3
    result = cli("post", "video", str(MEDIA / "good.mp4"), *SELF)
    assert result.exit_code == 2
    assert "it lasts 5.0 s; this creator may post at most 3 s" in result.stderr
    assert sim.count("video_init") == 0


@pytest.mark.usefixtures("signed_in")
def test_the_look_can_be_left_out(cli: Any, sim: SimulatedTikTok) -> None:
    """`--no-probe` leaves codec, rate and size to TikTok; the command still refuses a truncated file."""
    posted = cli("post", "video", str(MEDIA / "15fps.mp4"), *SELF, "--no-probe")
    assert (posted.exit_code, "frame_rate_check_failed" in posted.stderr) == (4, True)
    assert len(sim.posts) == 1
    assert "cut off" in cli("post", "video", str(MEDIA / "cut-index.mp4"), *SELF, "--no-probe").stderr


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("square.png", "a PNG picture"),
        ("1254.jpg", "1254 x 1254 pixels"),
        ("heavy.jpg", "21,000,000 bytes"),
        ("cut.jpg", "cut off or damaged: its 30 bytes"),
    ],
)
def test_the_wrong_picture_is_named(name: str, sentence: str, cli: Any, pictures: Path) -> None:
    """The error names the wrong one of the given files, by its position and name."""
    files = [word for file in ("good.jpg", name) for word in ("--file", str(pictures / file))]
    result = cli("post", "photo", PHOTO, PHOTO, *files, *SELF)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert f"--file 2: {pictures / name}: " in result.stderr
    assert sentence in result.stderr


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("name", [*WRONG_VIDEOS, *WRONG_PICTURES, "good.mp4"])
def test_what_is_refused_begins_no_post(name: str, pictures: Path, cli: Any, sim: SimulatedTikTok) -> None:
    """`--dry-run` refuses each wrong video and photo, and asks TikTok for the creator's longest duration."""
    sim.creator.max_video_post_duration_sec = 3
    photo = name in WRONG_PICTURES
    arguments = ("photo", PHOTO, "--file", str(pictures / name)) if photo else ("video", str(MEDIA / name))
    assert cli("post", *arguments, *SELF).exit_code == 2
    assert sim.count("video_init") == sim.count("photo_init") == 0


def test_only_verified_places_are_pulled_from(cli: Any) -> None:
    """If the settings list verified URLs, the command refuses every other URL; it also refuses an invalid list."""
    listed = {"TIKTOK_VERIFIED_URLS": "https://media.example.com/p/, other.example"}
    result = cli("post", "photo", PHOTO, *SELF, env=listed)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "URL 1: the URL lies under none of the app's verified URL properties" in result.stderr
    wrong = cli("post", "photo", PHOTO, *SELF, env={"TIKTOK_VERIFIED_URLS": "https://media.example.com/p"})
    assert "must end in a slash" in wrong.stderr
    assert "TIKTOK_VERIFIED_URLS" in wrong.stderr


def test_a_url_is_asked_for_only_where_that_is_wanted(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check-url` finds that a host does not exist; without it the command does not look the name up."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def looked_up(host: Any, *rest: Any, **options: Any) -> Any:
        if "example.com" not in str(host):
            return look_up(host, *rest, **options)
        asked.append(str(host))
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    url = "https://media.example.com/1.mp4"
    assert cli("post", "video", url, *SELF, "--dry-run").exit_code == 0
    assert cli("post", "photo", PHOTO, *SELF, "--dry-run").exit_code == 0
    assert asked == []
    for arguments, field in ((("video", url), "URL"), (("photo", PHOTO), "URL 1")):
        result = cli("post", *arguments, *SELF, "--check-url", "--dry-run")
        assert result.exit_code == 2
        assert f"{field}: cannot be fetched from here" in result.stderr
        assert set(asked) == {"media.example.com"}


# --- Shown, not sent -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signed_in")
def test_a_dry_run_shows_what_a_post_then_sends(cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """`--dry-run` shows the bodies, headers and ranges that TikTok then receives, and asks only for the creator's limits."""
    film = tmp_path / "clip.mp4"
    film.write_bytes((MEDIA / "index-first.mp4").read_bytes() + b"\0\0\0\0free" + bytes(12_000_000))
    arguments = ("post", "video", str(film), *SELF, "--title", "Hello \N{CAT FACE}", "--chunk-size", "5242880")
    asked = len(sim.log)
    shown = json.loads(cli(*arguments, "--dry-run", "--json").stdout)
    assert [entry.operation for entry in sim.log[asked:]] == ["creator_info"]
    assert sim.posts == ()
    assert cli(*arguments, "--json").exit_code == 0
    sent = [entry for entry in sim.log[asked + 1 :] if entry.operation != "status"]
    assert [request["method"] for request in shown["requests"]] == ["POST", "POST", "PUT", "PUT", "POST"]
    assert [entry.operation for entry in sent] == ["creator_info", "video_init", "put", "put"]
    init = sim.posts[0]
    assert shown["requests"][1]["body"]["post_info"] == init.post_info
    assert shown["requests"][1]["body"]["source_info"] == {
        "source": "FILE_UPLOAD",
        "video_size": film.stat().st_size,
        "chunk_size": 5_242_880,
        "total_chunk_count": 2,
    }
    assert shown["plan"]["chunks"] == [[0, 5_242_879], [5_242_880, film.stat().st_size - 1]]
    assert [request["headers"]["Content-Range"] for request in shown["requests"][2:4]] == [
        f"bytes {first}-{last}/{film.stat().st_size}" for first, last in shown["plan"]["chunks"]
    ]
    assert shown["media_type"] == "video/mp4"
    assert {request["headers"].get("Authorization") for request in shown["requests"]} == {"Bearer ***", None}


@pytest.mark.usefixtures("signed_in")
def test_a_dry_run_shows_the_plan_that_tiktok_takes(
    cli: Any, sim: SimulatedTikTok, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After TikTok has refused the usual chunk size, `--dry-run` still shows exactly the requests that are sent later."""
    handle = sim.handle

    def picky(request: Request) -> Response:
        body = request.body if isinstance(request.body, bytes) else request.body.source.read(0, 1000)
        if request.method == "POST" and b'"chunk_size": 10000000' in body:
            return Response(400, {}, b'{"error":{"code":"invalid_params","message":"The chunk size is invalid"}}')
        return handle(request)

    monkeypatch.setattr(sim, "handle", picky)
    films = [tmp_path / "1.mp4", tmp_path / "2.mp4"]
    for number, film in enumerate(films):
        film.write_bytes((MEDIA / "index-first.mp4").read_bytes() + b"\0\0\0\0free" + bytes(64_000_000 + number))
    assert cli("post", "video", str(films[0]), *SELF).exit_code == 0
    shown = json.loads(cli("post", "video", str(films[1]), *SELF, "--dry-run", "--json").stdout)
    assert cli("post", "video", str(films[1]), *SELF).exit_code == 0
    sent = [post.source_info for post in sim.posts]
    assert shown["requests"][1]["body"]["source_info"] == sent[-1]
    assert sent[-1]["chunk_size"] == sent[0]["chunk_size"] != 10_000_000


@pytest.mark.usefixtures("signed_in")
def test_a_dry_run_asks_what_this_creator_may_post(cli: Any, sim: SimulatedTikTok) -> None:
    """`--dry-run` refuses a privacy level or duration that this creator may not use, as the post would."""
    sim.creator.max_video_post_duration_sec = 3
    result = cli("post", "video", str(MEDIA / "good.mp4"), "--privacy", "PUBLIC_TO_EVERYONE", "--dry-run")
    assert result.exit_code == 2
    assert "may choose" in result.stderr
    assert "this creator may post at most 3 s" in result.stderr
    photos = cli("post", "photo", PHOTO, "--privacy", "PUBLIC_TO_EVERYONE", "--dry-run")
    assert "may choose" in photos.stderr
    sim.faults.add("creator_info=code:spam_risk_too_many_posts@200")
    assert cli("post", "photo", PHOTO, *SELF, "--dry-run").exit_code == 4


def test_a_dry_run_needs_no_sign_in(cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """Without a sign-in `--dry-run` says so, shows every request, sends none, and makes no folder."""
    result = cli("post", "video", str(MEDIA / "good.mp4"), *SELF, "--dry-run")
    assert result.exit_code == 0
    assert "The creator's limits were not checked." in result.stderr
    assert "PUT {upload_url}" in result.stdout
    assert "  Content-Range: bytes 0-8554/8555" in result.stdout
    assert result.stdout.splitlines()[-1] == "A real post would send these requests; none of them was sent."
    assert sim.log == ()
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("signed_in")
def test_a_dry_run_without_a_network_shows_what_it_can(cli: Any, sim: SimulatedTikTok) -> None:
    """If TikTok cannot be reached, `--dry-run` still shows every request."""
    sim.faults.add("creator_infox9=unreachable")
    result = cli("post", "video", str(MEDIA / "good.mp4"), *SELF, "--dry-run", "--json")
    assert result.exit_code == 0
    assert "were not checked" in result.stderr
    assert json.loads(result.stdout)["dry_run"] is True


@pytest.mark.usefixtures("signed_in")
def test_a_dry_run_of_drafts_and_photos(cli: Any, sim: SimulatedTikTok) -> None:
    """A draft needs no creator info and goes to the inbox; photos have no chunks."""
    asked = len(sim.log)
    draft = json.loads(cli("post", "video", str(MEDIA / "good.mp4"), "--draft", "--dry-run", "--json").stdout)
    assert [request["url"].rpartition("/v2/")[2] for request in draft["requests"]] == [
        "post/publish/inbox/video/init/",
        "{upload_url}",
        "post/publish/status/fetch/",
    ]
    assert len(sim.log) == asked
    photos = json.loads(cli("post", "photo", PHOTO, *SELF, "--aigc", "--dry-run", "--json").stdout)
    assert photos["plan"] is None
    assert [request["method"] for request in photos["requests"]] == ["POST"] * 3
    assert photos["requests"][1]["body"]["is_aigc"] is True
    assert photos["requests"][2]["body"] == {"publish_id": "{publish_id}"}
    assert sim.posts == ()


@pytest.mark.usefixtures("signed_in")
def test_what_is_doubtful_is_told_once(cli: Any) -> None:
    """The command checks a file more than once, but prints a warning about it once."""
    result = cli("post", "video", str(MEDIA / "varying.mp4"), *SELF)
    assert result.exit_code == 0
    assert sum("it may vary" in line for line in result.stderr.splitlines()) == 1
