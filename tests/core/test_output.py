"""The watch over the output of all tests sees what it is there to see."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAKS = {
    "an access token in a debug log": 'logging.getLogger("any").debug("act." + "a" * 64)',
    "a refresh token in a print": 'print("rft." + "a" * 64)',
    "an upload URL on standard error": 'print("upload_token=" + str(uuid.uuid4()), file=sys.stderr)',
    "a verifier in a print": "print(make_verifier(secrets.token_bytes))",
    "a client secret in a warning": 'logging.getLogger("any").warning("canary-of-a-client-secret")',
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_row_41_a_test_that_shows_a_secret_fails(tmp_path: Path, leak: str) -> None:
    """Whatever it asserts; and the report does not show the secret again."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_leak.py").write_text(
        "import logging, secrets, sys, uuid\nfrom tiktok_core.domain.pkce import make_verifier\n"
        f"def test_fine():\n    logging.debug('nothing')\ndef test_leak():\n    {leak}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert "1 failed, 1 passed" in done.stdout
    assert "a secret shows in its captured" in done.stdout
    assert "a" * 60 not in done.stdout
