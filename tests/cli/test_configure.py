"""`tiktok configure`: the questions of a first run, and the file that keeps the answers."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tiktok_adapters.cli.app import tiktok

SECRET = "canary-of-a-configured-secret"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that does not exist yet."""
    return tmp_path / "new" / "home"


def configure(home: Path, *arguments: str, typed: str) -> Result:
    """Run the command without any settings, and answer its questions."""
    result = CliRunner().invoke(tiktok, ["configure", "--home", str(home), *arguments], input=typed)
    assert SECRET not in result.output
    return result


def test_configure_asks_for_the_settings_and_keeps_them_where_only_the_person_can_read(home: Path) -> None:
    """It says where each stands in the portal; the usual redirect URI is offered."""
    result = configure(home, typed=f"awexample\n{SECRET}\n\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("developer portal") == 2
    assert "tiktok login" in result.stdout
    path = home / "config.toml"
    assert (path.stat().st_mode & 0o777, home.stat().st_mode & 0o777) == (0o600, 0o700)
    assert tomllib.loads(path.read_text()) == {
        "client_key": "awexample",
        "client_secret": SECRET,
        "redirect_uri": "http://127.0.0.1:*/callback/",
    }
    assert [file.name for file in home.iterdir()] == ["config.toml"]


def test_configure_keeps_the_other_settings_and_what_is_not_answered_anew(home: Path) -> None:
    """A second run offers what is set, and loses nothing."""
    configure(home, typed=f"awexample\n{SECRET}\n\n")
    path = home / "config.toml"
    path.write_text(path.read_text() + 'log = "DEBUG"\n')
    result = configure(home, "--client-key", "awother", "--json", typed="\n\n")
    assert json.loads(result.stdout) == {"file": str(path), "settings": ["client_key", "client_secret", "redirect_uri"]}
    kept = tomllib.loads(path.read_text())
    assert (kept["client_key"], kept["client_secret"], kept["log"]) == ("awother", SECRET, "DEBUG")


@pytest.mark.parametrize(
    ("typed", "said"), [("aw\n\n\n", "Client secret: is missing"), (f"aw\n{SECRET}\nftp://x/\n", "Redirect URI")]
)
def test_configure_writes_nothing_that_cannot_work(typed: str, said: str, home: Path) -> None:
    """The rules of the settings hold before the file is written."""
    result = configure(home, typed=typed)
    assert (result.exit_code, home.exists()) == (2, False)
    assert said in result.stderr


def test_what_the_environment_overrides_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment comes first; a variable with the same value is no trouble."""
    monkeypatch.setenv("TIKTOK_CLIENT_KEY", "awother")
    monkeypatch.setenv("TIKTOK_CLIENT_SECRET", SECRET)
    result = configure(home, typed=f"awexample\n{SECRET}\n\n")
    assert result.exit_code == 0
    assert "unset TIKTOK_CLIENT_KEY, or what you have typed does not count" in result.stderr


@pytest.mark.parametrize("given", [0, 1, 2])
def test_input_that_ends_too_soon_writes_nothing(given: int, home: Path, process: Any) -> None:
    """The sentence names the question; a script, or a person who closes the input, gets exit status 2.

    A real pipe ends as people's input does: click's runner of tests answered with empty lines for ever before 8.2.1.
    """
    unset = dict.fromkeys(("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_REDIRECT_URI"), "")
    running = process("configure", "--home", str(home), env=unset)
    _, stderr = running.communicate("".join(line + "\n" for line in ("awexample", SECRET)[:given]), timeout=60)
    assert (running.returncode, home.exists()) == (2, False)
    asked = ("Client key", "Client secret", "Redirect URI")[given]
    assert f'The input ended before "{asked}" was answered, so nothing was written.' in stderr


def test_a_script_sends_the_secret_on_standard_input(home: Path, process: Any) -> None:
    """A process without a terminal reads it from there, and says nothing about terminals."""
    options = ("--client-key", "awexample", "--redirect-uri", "http://127.0.0.1:*/callback/", "--home", str(home))
    running = process("configure", *options)
    _, stderr = running.communicate(f"{SECRET}\n", timeout=60)
    assert running.returncode == 0
    assert "Warning" not in stderr
    assert tomllib.loads((home / "config.toml").read_text())["client_secret"] == SECRET


def test_configure_says_where_a_file_cannot_be_written(home: Path) -> None:
    """A home below a file is one sentence; one that is a file itself is refused before a question is asked."""
    home.parent.write_text("")
    result = configure(home, typed=f"awexample\n{SECRET}\n\n")
    assert result.exit_code == 1
    assert "config.toml" in result.stderr
    result = configure(home.parent, typed="")
    assert result.exit_code == 2
    assert f"{home.parent} is a file: name a folder (it comes from the option --home)" in result.stderr


def test_settings_that_configure_wrote_are_used(home: Path, cli: Any) -> None:
    """The next command finds them; awkward letters survive."""
    assert configure(home, typed=f'aw"\\x\n{SECRET}\n\n').exit_code == 0
    unset = dict.fromkeys(("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_REDIRECT_URI"), "")
    assert cli("accounts", "--home", str(home), env=unset).exit_code == 0


def test_doctor_says_once_what_it_did_not_look_at(cli: Any) -> None:
    """The checks that could not run share one line."""
    result = cli("doctor", env={"TIKTOK_CLIENT_KEY": ""})
    assert result.stdout.count("fix the trouble above first") == 1
    assert "tiktok configure" in result.stdout
