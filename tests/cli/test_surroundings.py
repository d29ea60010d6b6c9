"""The surroundings of a command must not change its work: closed pipes, odd encodings, other apps, file modes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clips import HEAD
from tiktok_adapters import connect
from tiktok_adapters.assembly import token_file
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_core import App

PROGRAM = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()")
SELF = ("--privacy", "SELF_ONLY")


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2>&1 >/dev/null | true"])
def test_a_closed_terminal_does_not_end_a_post(
    redirection: str, environ: dict[str, str], sim: SimulatedTikTok, film: Path
) -> None:
    """The post succeeds even if the reader of the progress has gone."""
    command = " ".join(f"'{word}'" for word in (*PROGRAM, "post", "video", str(film), *SELF))
    done = subprocess.run(
        f"{command} {redirection}", shell=True, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0
    assert [post.bytes_received for post in sim.posts] == [film.stat().st_size]


@pytest.mark.usefixtures("signed_in")
def test_an_old_encoding_does_not_turn_success_into_an_error(environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """The output escapes a name that its encoding cannot show."""
    sim.creator.nickname = "Maker 🎬"
    done = subprocess.run(
        [*PROGRAM, "whoami"],
        env={**os.environ, **environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\U0001f3ac" in done.stdout


@pytest.mark.usefixtures("signed_in")
def test_the_tokens_of_one_app_are_not_another_apps(cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """Another client key has no signed-in accounts, sends nothing, and leaves the first app's tokens."""
    before = len(sim.log)
    other = {"TIKTOK_CLIENT_KEY": "awanother"}
    assert json.loads(cli("accounts", "--json", env=other).stdout) == {"accounts": []}
    for command in ("whoami", "refresh", "logout"):
        assert cli(command, env=other).exit_code == 3
    assert len(sim.log) == before
    assert len(json.loads(cli("accounts", "--json").stdout)["accounts"]) == 1
    names = {token_file(tmp_path, App(key, "s", "http://127.0.0.1:*/c/")) for key in ("a", "b", "../c")}
    assert len(names) == 3
    assert {name.parent for name in names} == {tmp_path}


def test_a_home_folder_that_others_may_look_into_is_closed(
    environ: dict[str, str], tmp_path: Path, sim: SimulatedTikTok, cli: Any
) -> None:
    """A sign-in sets an existing home folder to 0700; reading a file with the secret sets it to 0600."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    config = home / "config.toml"
    config.write_text(f'client_secret = "{environ.pop("TIKTOK_CLIENT_SECRET")}"\n')
    config.chmod(0o644)
    with connect(environ=environ) as client:
        assert client.app.client_key == sim.app.client_key
    assert config.stat().st_mode & 0o777 == 0o600
    login = subprocess.Popen(
        [*PROGRAM, "login", "--no-browser"], env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    )
    assert login.stdout
    assert login.stdout.readline().startswith("http")
    login.kill()
    login.communicate()
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("signed_in")
def test_a_photo_draft_says_what_is_not_sent(cli: Any, sim: SimulatedTikTok) -> None:
    """The command says so if it drops a disclosure that TikTok does not accept for drafts."""
    url = "https://media.example.com/1.jpg"
    result = cli("post", "photo", url, "--draft", *SELF, "--brand-organic", "--disable-comment", "--no-wait")
    assert result.exit_code == 0
    assert "own business" in result.stderr
    assert "comment setting" in result.stderr
    assert set(sim.posts[0].post_info) == {"title"}


def test_a_closed_port_is_told_as_such(cli: Any, signed_in: str) -> None:
    """The command does not call a refused connection a time-out."""
    result = cli("creator", env={"TIKTOK_API_URL": "http://127.0.0.1:9", "TIKTOK_ACCOUNT": signed_in})
    assert result.exit_code == 5
    assert "refused the connection" in result.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.usefixtures("signed_in")
def test_curl_uploads_a_file_by_its_own_option_to_the_sandbox(process: Any, tmp_path: Path) -> None:
    """`curl -T` adds the file's name to a URL that ends in a slash; the upload URLs of `tiktok sandbox` do not."""
    running = process("sandbox", "--json")
    assert running.stdout
    exported = json.loads(running.stdout.readline())["environment"]
    home = {"TIKTOK_HOME": str(tmp_path / "other")}
    with connect(environ={**exported, **home}) as client:
        from tiktok_adapters.cli.person import consent  # noqa: PLC0415 - for this test only
        from tiktok_adapters.sign_in import Answers, accepts_state  # noqa: PLC0415
        from tiktok_adapters.sign_in.loopback import LoopbackListener  # noqa: PLC0415

        with LoopbackListener(client.app.redirect_uri) as listener:
            begun = client.authorization(redirect_uri=listener.redirect_uri)
            answers = Answers()
            listener.start(accepts_state(begun), answers)
            consent(begun.url)
            token = client.sign_in(begun, answers.wait(10)).tokens().access_token.reveal()
    film = tmp_path / "film.mp4"
    film.write_bytes(HEAD + bytes(5_000 - len(HEAD)))
    source = {"source": "FILE_UPLOAD", "video_size": 5_000, "chunk_size": 5_000, "total_chunk_count": 1}
    init = subprocess.run(
        [
            *("curl", "-s", "-X", "POST", f"{exported['TIKTOK_API_URL']}/v2/post/publish/inbox/video/init/"),
            *("-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json; charset=UTF-8"),
            *("-d", json.dumps({"source_info": source})),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    put = subprocess.run(
        [
            *("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", film),
            *("-H", "Content-Type: video/mp4", "-H", "Content-Range: bytes 0-4999/5000"),
            json.loads(init.stdout)["data"]["upload_url"],
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert put.stdout == "201"


@pytest.mark.usefixtures("signed_in")
def test_a_long_wait_is_explained(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A command that waits for a minute of TikTok's quota says so in a sentence without the fields of the log, and does its work."""
    sim.faults.add(parse_fault("init=code:rate_limit_exceeded"))
    result = cli("post", "video", str(film), *SELF, "--no-wait")
    assert result.exit_code == 0
    (said,) = [line for line in result.stderr.splitlines() if "RateLimited" in line]
    assert re.fullmatch(r"Post cli-\S+: RateLimited; again in 60\.\d s", said)
