"""Settings: the source of each, and the errors about wrong ones."""

import inspect
import re
from pathlib import Path

import pytest
from attrs import fields

from tiktok_adapters.assembly import Settings, load_settings
from tiktok_adapters.assembly.settings import TABLE
from tiktok_adapters.cli.app import tiktok
from tiktok_core import InvalidSettings, Secret

WHOLE = {
    "TIKTOK_CLIENT_KEY": "key",
    "TIKTOK_CLIENT_SECRET": "canary",
    "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
}


def _config(folder: Path, text: str) -> dict[str, str]:
    (folder / "config.toml").write_text(text)
    return {"TIKTOK_HOME": str(folder)}


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    """Each setting comes from the first source that has it, and `origins` names that source."""
    environ = _config(tmp_path, 'client_key = "file"\nclient_secret = "file"\naccount = "file"\nlog = "info"\n')
    environ |= {"TIKTOK_CLIENT_SECRET": "environment", "TIKTOK_ACCOUNT": "environment"}
    found = load_settings({"account": "option"}, environ)
    assert (found.client_key, found.client_secret, found.account) == ("file", Secret("environment"), "option")
    assert found.log == "INFO"
    assert found.origins == {
        "home": "TIKTOK_HOME",
        "client_key": str(tmp_path / "config.toml"),
        "client_secret": "TIKTOK_CLIENT_SECRET",
        "account": "the option --account",
        "log": str(tmp_path / "config.toml"),
    }


def test_the_home_of_an_option_holds_the_file(tmp_path: Path) -> None:
    """The settings are read from the file in the chosen home folder."""
    _config(tmp_path, 'client_key = "file"\n')
    assert load_settings({"home": str(tmp_path)}, {"TIKTOK_HOME": "/nowhere"}).client_key == "file"


def test_empty_is_not_given(tmp_path: Path) -> None:
    """An empty variable or option does not hide the value of the next source."""
    environ = _config(tmp_path, 'client_key = "file"\n') | {"TIKTOK_CLIENT_KEY": ""}
    assert load_settings({"client_key": ""}, environ).client_key == "file"


def test_without_any_setting_the_defaults_are_the_documented_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default the home is ~/.tiktok and the hosts are TikTok's; reading settings creates nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    found = load_settings({}, {})
    assert found == Settings(home=tmp_path / ".tiktok")
    assert found.api_url == "https://open.tiktokapis.com"
    assert found.auth_url == "https://www.tiktok.com/v2/auth/authorize/"
    assert list(tmp_path.iterdir()) == []


def test_a_loopback_api_leaves_the_page_where_it_is() -> None:
    """Another API address does not change the authorization page: it stays the documented one until it is set."""
    found = load_settings({}, {**WHOLE, "TIKTOK_HOME": "/nowhere", "TIKTOK_API_URL": "http://127.0.0.1:8642"})
    assert found.endpoints().auth_url == "https://www.tiktok.com/v2/auth/authorize/"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("client_key = ", "is not TOML"),
        ('client_kee = "x"', "client_kee: is not a setting, but .*config.toml contains it"),
        ("client_key = 7", "must be a text in quotes"),
        ('log = "loud"', "'loud' is not one of DEBUG"),
        ('home = "/elsewhere"', "home: is not a setting, but .*config.toml contains it"),
    ],
)
def test_a_file_that_makes_no_sense_is_told(text: str, sentence: str, tmp_path: Path) -> None:
    """The error names the broken file and what is wrong in it."""
    with pytest.raises(InvalidSettings, match=sentence) as caught:
        load_settings({}, _config(tmp_path, text))
    assert str(tmp_path / "config.toml") in str(caught.value)


def test_a_file_that_is_not_text_is_told_without_its_content(tmp_path: Path) -> None:
    """The message about a broken file does not quote it: it may hold the secret."""
    (tmp_path / "config.toml").write_bytes(b'client_secret = "canary\xff"')
    with pytest.raises(InvalidSettings, match="not UTF-8") as caught:
        load_settings({"home": str(tmp_path)}, {})
    assert "canary" not in str(caught.value)
    (tmp_path / "config.toml").write_text('client_secret = canary"')
    with pytest.raises(InvalidSettings, match="not TOML") as caught:
        load_settings({"home": str(tmp_path)}, {})
    assert "canary" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The error names a folder that stands in the file's place."""
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(InvalidSettings, match="cannot be read: is a directory"):
        load_settings({"home": str(tmp_path)}, {})


def test_everything_wrong_comes_at_once() -> None:
    """One error names all missing and wrong settings, including hosts, each with its source."""
    environ = {
        "TIKTOK_HOME": "/nowhere",
        "TIKTOK_CLIENT_SECRET": "can ary",
        "TIKTOK_REDIRECT_URI": "http://127.0.0.1:1/c/?x",
        "TIKTOK_API_URL": "http://api.example.com",
        "TIKTOK_AUTH_URL": "nonsense",
    }
    with pytest.raises(InvalidSettings) as caught:
        load_settings({}, environ).checked()
    problems = {problem.field: problem.message for problem in caught.value.problems}
    assert list(problems) == ["client_key", "client_secret", "redirect_uri", "api_url", "auth_url"]
    assert "TIKTOK_CLIENT_KEY" in problems["client_key"]
    assert '"Client key"' in problems["client_key"]
    assert "it comes from TIKTOK_REDIRECT_URI" in problems["redirect_uri"]
    assert "it comes from TIKTOK_API_URL" in problems["api_url"]
    assert "can ary" not in str(caught.value)


def test_a_kind_is_the_redirect_uris() -> None:
    """A chosen kind is checked against the redirect URI; if the URI is missing, the error says only that."""
    assert load_settings({}, {**WHOLE, "TIKTOK_HOME": "/nowhere"}).app("desktop").kind == "desktop"
    with pytest.raises(InvalidSettings, match="of a web app must be an absolute https URL"):
        load_settings({}, {**WHOLE, "TIKTOK_HOME": "/nowhere"}).app("web")
    with pytest.raises(InvalidSettings) as caught:
        load_settings({}, {**WHOLE, "TIKTOK_HOME": "/nowhere", "TIKTOK_REDIRECT_URI": ""}).app("web")
    assert [problem.field for problem in caught.value.problems] == ["redirect_uri"]


def test_settings_show_no_secret() -> None:
    """The client secret is not in the repr."""
    assert "canary" not in repr(load_settings({}, {**WHOLE, "TIKTOK_HOME": "/nowhere"}))


def test_a_home_with_a_nul_is_refused() -> None:
    """A path with a NUL character is an error of the setting, not a crash."""
    with pytest.raises(InvalidSettings, match="NUL"):
        load_settings({"home": "a\0b"}, {})


def test_the_documents_have_a_row_for_each_setting() -> None:
    """The page about the command line lists variable, option and default of every setting, in the table's own words."""
    page = (Path(__file__).parents[2] / "docs" / "guides" / "command-line.md").read_text()
    defaults = {found.name: found.default for found in fields(Settings)}
    rows = [
        f"| `{row.variable}` | {f'`{name}`' if row.in_file else ''} | {f'`{row.option}`' if row.option else ''} "
        f"| {f'`{default}`' if isinstance(default := defaults[name], str) and default else ''} | {row.doc} |"
        for name, row in TABLE.items()
    ]
    assert re.findall(r"^\| `TIKTOK_.*$", page, re.MULTILINE) == rows


def test_the_attributes_are_documented_by_the_table() -> None:
    """`help(Settings)` has every setting, in the same words."""
    shown = f"{inspect.getdoc(Settings)}\n"
    assert [name for name, row in TABLE.items() if f"    {name}: {row.doc}.\n" not in shown] == []
    assert TABLE.keys() | {"origins", "shared"} == {found.name for found in fields(Settings)}


def test_the_options_of_the_table_are_the_command_lines() -> None:
    """Every command takes the options that the table names."""
    known = {option for parameter in tiktok.params for option in parameter.opts}
    assert {row.option for row in TABLE.values() if row.option} <= known


def test_every_word_that_makes_no_sense_is_told_at_once() -> None:
    """One error names all misspelt settings, each with its source."""
    environ = {"TIKTOK_HOME": "/nowhere", "TIKTOK_STORE": "safe", "TIKTOK_KIND": "phone", "TIKTOK_LOG": "loud"}
    with pytest.raises(InvalidSettings) as caught:
        load_settings({}, environ)
    assert [problem.field for problem in caught.value.problems] == ["store", "kind", "log"]
    assert "'safe' is not one of sqlite, keyring, encrypted (it comes from TIKTOK_STORE)" in str(caught.value)
