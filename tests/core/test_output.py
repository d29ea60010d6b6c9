"""The check of all tests' output finds secrets of each kind."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAKS = {
    "an access token in a debug log": 'logging.getLogger("any").debug("act." + "a" * 64)',
    "a refresh token in a print": 'print("rft." + "a" * 64)',
    "the app's token in a debug log": 'logging.getLogger("any").debug("clt." + "a" * 48)',
    "a code in a print": 'print(f"?code={Chance(1).code()}&x=1")',
    "an escaped code in a print": "print(urllib.parse.quote(Chance(1).code()))",
    "an upload URL on standard error": 'print("upload_token=" + str(uuid.uuid4()), file=sys.stderr)',
    "a verifier in a print": "print(pkce.make_verifier(secrets.token_bytes))",
    "a state, or a ticket, in a print": 'print(f"state={pkce.make_state(secrets.token_bytes)}")',
    "the token of a QR code in a debug log": 'logging.getLogger("any").debug(Chance(1).letters(32))',
    "a client secret in a warning": 'logging.getLogger("any").warning("canary-of-a-client-secret")',
    "a token in a field of a log record": 'logging.getLogger("any").debug("x", extra={"key": "act." + "a" * 64})',
    "a token deep in a field of a warning": 'logging.warning("x", extra={"key": [{"inner": b"rft." + b"a" * 64}]})',
    "a token in the text of a field's value": 'logging.warning("x", extra={"key": Exception("act." + "a" * 64)})',
    "a key of a store in a print": "print(Fernet.generate_key().decode())",
    "a token in a command's output": 'CliRunner().invoke(click.Command("x", callback=lambda: click.echo("act." + "a" * 64)))',
    "a token on a command's standard error": (
        'CliRunner().invoke(click.Command("x", callback=lambda: click.echo("act." + "a" * 64, err=True)))'
    ),
    "a token from a process": 'subprocess.run([sys.executable, "-c", LEAK], capture_output=True)',
    "a token in a line of a process": (
        'with subprocess.Popen([sys.executable, "-c", LEAK], stderr=subprocess.PIPE) as one: one.stderr.readline()'
    ),
}
SHOWN = {
    "the page to open": 'print(f"https://x.example/v2/auth/authorize/?a=b&state={pkce.make_state(secrets.token_bytes)}")',
    "the QR code to scan": 'print(f"aweme://authorize?token={Chance(1).letters(32)}")',
    "what TikTok says to somebody else": 'subprocess.run(["echo", "act." + "a" * 64], capture_output=True)',
}
HEAD = """
import logging, secrets, subprocess, sys, urllib.parse, uuid
import click
from click.testing import CliRunner
from cryptography.fernet import Fernet
from tiktok_adapters.simulator.world import Chance
from tiktok_core.domain import pkce

LEAK = 'import sys; print("act." + "a" * 64, file=sys.stderr)'

def test_fine():
    logging.debug('nothing')
"""


def run(folder: Path, *statements: str) -> str:
    """Run tests of one statement each under the watch, and return pytest's output."""
    shutil.copy(ROOT / "conftest.py", folder)
    tests = [f"def test_{number}():\n    {statement}\n" for number, statement in enumerate(statements)]
    (folder / "test_leak.py").write_text(HEAD + "\n".join(tests))
    shared = f"pythonpath={ROOT / 'tests' / 'shared'}"  # The watch imports this.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", shared, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100).stdout


def test_row_41_a_test_that_shows_a_secret_fails(tmp_path: Path) -> None:
    """A test fails wherever it shows a secret, whatever it asserts. The report does not show the secret again."""
    said = run(tmp_path, *LEAKS.values())
    assert f"{len(LEAKS)} failed, 1 passed" in said
    for number, leak in enumerate(LEAKS):
        assert f"::test_{number}: a secret shows in its" in said, leak
    assert "a" * 40 not in said


@pytest.mark.skipif(shutil.which("echo") is None, reason="there is nothing to say it")
def test_row_41_what_is_shown_on_purpose_is_no_leak(tmp_path: Path) -> None:
    """The URL of TikTok's page has the state, and a person has to open it."""
    assert f"{len(SHOWN) + 1} passed" in run(tmp_path, *SHOWN.values())
