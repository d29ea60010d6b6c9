"""The fleet of `examples/fleet` in a short form: twenty posts on four workers, of which one is killed; `make fleet` runs the long one.

The figures of the long one are in `docs/proofs.md`.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from postgres_server import binary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fleet needs Linux")

ROOT = Path(__file__).parents[2]
SHORT = ("--posts", "20", "--kills", "1", "--no-crash")


def test_twenty_posts_come_through_a_death(tmp_path: Path) -> None:
    """Each key has one post with its bytes, none is early, nothing held or overwritten is posted, and a survivor went on."""
    if binary("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg finds no libpq for this Python", exc_type=ImportError)
    pytest.importorskip("obstore")
    if importlib.util.find_spec("moto") is None:  # Imported, it would change other tests.
        pytest.skip("moto is not installed")
    command = [sys.executable, str(ROOT / "examples" / "fleet" / "run.py"), *SHORT]
    environ = {**os.environ, "FLEET_FOLDER": str(tmp_path / "fleet")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=110)
    logs = {log.parent.name: log.read_text()[-2000:] for log in tmp_path.glob("fleet/*/log")}
    assert (done.returncode, done.stderr) == (0, ""), (done.stdout, logs)
    table = dict(re.findall(r"^\| (.+?) \| (.*?) \|$", (tmp_path / "fleet" / "table.md").read_text(), re.MULTILINE))
    assert table["keys that are to have a post"] == "17"
    assert table["keys with exactly one, of the bytes of their film (SHA-256)"] == "17"
    assert table["workers that were killed in the midst of a chunk"] == "1"


def test_what_is_missing_is_said_before_anything_starts(tmp_path: Path) -> None:
    """Without PostgreSQL the fleet ends with a sentence that says what to install, and leaves nothing."""
    program = "import services, run; services.program = lambda name: None; run.main()"
    environ = {**os.environ, "FLEET_FOLDER": str(tmp_path / "fleet"), "PYTHONPATH": str(ROOT / "examples" / "fleet")}
    pytest.importorskip("obstore")
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "fleet: PostgreSQL is not installed: apt-get install postgresql\n")
    assert not (tmp_path / "fleet").exists()
