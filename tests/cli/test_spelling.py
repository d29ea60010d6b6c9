"""A misspelt word is taken for the one that it plainly means; otherwise near words and lists are named."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tiktok_adapters.cli.spelling import near, spelled
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_adapters.simulator.faults import _VOCABULARY
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


MISSPELT: Final = {
    "Client-Key": "client_key",
    "CLIENT KEY": "client_key",
    "clientkey": "client_key",
    "client_keyy": "client_key",
    "redirect-uri": "redirect_uri",
    "redirecturi": "redirect_uri",
    "code challenge": "code_challenge",
    "codechalenge": "code_challenge",
    "spam risk": "spam_risk",
    "SpamRisk": "spam_risk",
    "spamrsk": "spam_risk",
    "too_many_posts": "spam_risk_too_many_posts",
    "banned": "spam_risk_user_banned_from_posting",
    "user_banned": "spam_risk_user_banned_from_posting",
    "unverified_url": "url_ownership_unverified",
    "url-ownership": "url_ownership_unverified",
    "unaudited_client": "unaudited_client_can_only_post_to_private_accounts",
    "private_accounts": "unaudited_client_can_only_post_to_private_accounts",
    "publish_id_invalid": "invalid_publish_id",
    "invalid-publish-id": "invalid_publish_id",
    "rate-limit": "rate_limit_exceeded",
    "ratelimitexceeded": "rate_limit_exceeded",
    "rate_limit_exceded": "rate_limit_exceeded",
    "access_token": "access_token_invalid",
    "acess_token_invalid": "access_token_invalid",
    "scope_not_authorised": "scope_not_authorized",
    "Scope Not Authorized": "scope_not_authorized",
    "invalid-grant": "invalid_grant",
    "invalid_grand": "invalid_grant",
    "privacy_mismatch": "privacy_level_option_mismatch",
    "frame_rate": "frame_rate_check_failed",
    "framerate": "frame_rate_check_failed",
    "duration_check": "duration_check_failed",
    "file_format": "file_format_check_failed",
    "video-pull": "video_pull_failed",
    "photo_pull_fail": "photo_pull_failed",
    "picture_size": "picture_size_check_failed",
    "auth-removed": "auth_removed",
    "publish_canceled": "publish_cancelled",
    "active_user_cap": "reached_active_user_cap",
    "internal_eror": "internal_error",
    "unauthorised_client": "unauthorized_client",
}


@pytest.mark.parametrize(("word", "meant"), MISSPELT.items())
def test_a_misspelt_code_is_taken_or_answered_with_what_it_means(word: str, meant: str, cli: Any) -> None:
    """Forty and more: case, blanks and hyphens, letters that are wrong, and the parts of a word that a person remembers."""
    assert meant in REFUSALS
    told = cli("explain", word)
    assert told.stdout.startswith(f"{meant} (") or meant in told.stderr.partition("did you mean")[2]


@pytest.mark.parametrize("word", _VOCABULARY)
def test_every_word_of_a_fault_is_answered_by_what_there_is(word: str, cli: Any) -> None:
    """Without its figure, with one too many, misspelt, and where it cannot be: each is one sentence with a way out."""
    (check, wheres), misspelt = _VOCABULARY[word], word[:-1] + "x"
    where = "put" if "put" in wheres else "init"
    near = cli("sandbox", "--fault", f"{where}={misspelt}")
    assert (near.exit_code, f"did you mean {word}" in near.stderr or word in near.stderr) == (2, True), near.stderr
    wrong = cli("sandbox", "--fault", f"{where}={word}:" + ("3" if check("") else "!"))
    assert wrong.exit_code == 2
    assert word in wrong.stderr
    if not check(""):
        bare = cli("sandbox", "--fault", f"{where}={word}")
        assert (bare.exit_code, f"such as {word}:" in bare.stderr) == (2, True), bare.stderr
    elsewhere = next((one for one in ("put", "authorize", "token") if one not in wheres), None)
    if elsewhere is not None:
        refused = cli("sandbox", "--fault", f"{elsewhere}={word}")
        assert (refused.exit_code, word in refused.stderr) == (2, True), refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resume", "--settle", "not_posted", "k"), "no post 'k'"),
        (("resume", "--settle", "not-poste", "k"), "did you mean not-posted"),
        (("login", "--kind", "dektop"), "did you mean desktop"),
        (("login", "--challenge", "base64"), "did you mean base64url"),
        (("doctor", "--for", "pst"), "did you mean post"),
        (("data", "request", "profile", "--format", "jsn"), "did you mean json"),
    ],
)
@pytest.mark.usefixtures("signed_in")
def test_an_option_of_a_few_words_forgives_spelling_too(arguments: tuple[str, ...], said: str, cli: Any) -> None:
    """An unknown word is answered with the words that there are, and near ones."""
    told = cli(*arguments)
    assert told.exit_code == 2
    assert said in told.stderr


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
