"""A misspelt word is taken for the one that it plainly means; otherwise near words and lists are named."""

import json
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.cli.spelling import near, spelled
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_core.domain.refusals import REFUSALS

SELF = ("--privacy", "SELF_ONLY")


@pytest.mark.parametrize("word", ["SPAM_RISK_too_many_posts", "spam-risk-too-many-posts", " spam_risk_too_many_posts "])
def test_explain_takes_a_code_in_any_spelling(word: str, cli: Any) -> None:
    """Case, hyphens and blanks do not matter; the document has TikTok's own spelling."""
    assert json.loads(cli("explain", word, "--json").stdout)["code"] == "spam_risk_too_many_posts"


def test_explain_without_a_word_lists_every_code(cli: Any) -> None:
    """People get a line for each code, programs a list."""
    assert len(cli("explain").stdout.splitlines()) == len(REFUSALS)
    assert {one["code"] for one in json.loads(cli("explain", "--json").stdout)["codes"]} == set(REFUSALS)


def test_explain_names_near_words_or_says_where_all_are_listed(cli: Any) -> None:
    """A word that no source explains is answered with words like it, if there are any."""
    assert "did you mean client_key" in cli("explain", "clientkeyy").stderr
    assert "'tiktok explain' lists them all" in cli("explain", "zzzz").stderr


def test_a_misspelt_command_runs_or_names_near_ones(cli: Any, film: Path) -> None:
    """Commands and their groups take any spelling."""
    assert cli("Plan", "1000").exit_code == 0
    assert "did you mean explain or plan? Try" in cli("explian").stderr
    assert "did you mean video" in cli("post", "vidoe", str(film)).stderr


@pytest.mark.usefixtures("signed_in")
def test_options_take_their_words_in_any_spelling(cli: Any, film: Path) -> None:
    """A privacy level may be written as people write it; an unknown scope is answered with a near one."""
    assert cli("post", "video", str(film), "--privacy", "self-only").exit_code == 0
    assert cli("whoami", "--field", "Display-Name").stdout.startswith("display_name: ")
    assert "did you mean video.publish" in cli("login", "--scope", "video.publsh").stderr


def test_an_account_is_found_in_any_spelling_and_otherwise_listed(cli: Any, signed_in: str) -> None:
    """An account that is not signed in is answered with those that are; the exit status stays 3."""
    assert cli("refresh", "--account", signed_in.upper().lstrip("-")).exit_code == 0
    for wrong in (signed_in[:-2] + "zz", "nothing-like-it"):
        result = cli("refresh", "--account", wrong)
        assert result.exit_code == 3
        assert signed_in in result.stderr


@pytest.mark.usefixtures("signed_in")
def test_status_takes_a_key_where_an_id_is_meant(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A person has the key of a post at hand more often than TikTok's id of it."""
    cli("post", "video", str(film), *SELF, "--key", "my-film")
    found = json.loads(cli("status", "my-film", "--json").stdout)
    assert (found["publish_id"], found["status"]) == (sim.posts[0].publish_id, "PUBLISH_COMPLETE")


@pytest.mark.usefixtures("signed_in")
def test_status_of_a_key_without_an_id_says_so(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A post that TikTok has not named yet has no status to ask for."""
    sim.faults.add("initx9=unreachable")
    cli("post", "video", str(film), *SELF, "--key", "my-film")
    result = cli("status", "my-film")
    assert result.exit_code == 2
    assert "no publish id yet: tiktok resume my-film" in result.stderr


@pytest.mark.parametrize("command", [("post", "video", "", *SELF), ("plan", "")])
def test_an_empty_file_name_is_called_empty(command: tuple[str, ...], cli: Any) -> None:
    """A shell variable that is not set becomes an empty word."""
    result = cli(*command)
    assert result.exit_code == 2
    assert "the file's name is empty" in result.stderr


def test_logout_shows_its_help_for_the_short_option_too(cli: Any) -> None:
    """Every other command takes -h."""
    result = cli("logout", "-h")
    assert result.exit_code == 0
    assert "Usage: tiktok logout" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("put=slow", "write slow:SECONDS, such as slow:2.5"),
        ("put=drop-after:3", "'drop-after' has nothing after it"),
        ("init=code", "write code:WORD or code:WORD@NNN"),
        ("put=drop-aftr", "did you mean drop-after"),
        ("creator-inf=garbage", "did you mean creator_info"),
    ],
)
def test_the_sandbox_says_how_a_fault_is_written(text: str, said: str, cli: Any) -> None:
    """A fault without its figure, and an unknown word, are answered with what to write."""
    result = cli("sandbox", "--fault", text)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_fault_takes_any_spelling() -> None:
    """Case, hyphens and underscores do not matter in the words of a fault."""
    assert parse_fault("Creator-Info:2=DROP_AFTER") == parse_fault("creator_info:2=drop-after")


def test_two_words_that_differ_only_in_case_are_not_mixed_up() -> None:
    """A word that could mean two known ones stays as it is; a known word always means itself."""
    assert spelled("ab", ["AB", "aB"]) == "ab"
    assert spelled("aB", ["AB", "aB"]) == "aB"
    assert near("zzz", ["AB"]) == ""
