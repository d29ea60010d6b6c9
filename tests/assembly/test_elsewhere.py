"""Systems other than Linux: the main job without Linux's special features."""

import subprocess
import sys
from pathlib import Path

import pytest

JOB = Path(__file__).with_name("elsewhere.py")


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_the_main_job_needs_nothing_that_this_system_lacks(system: str) -> None:
    """Sign in, post a file and photos, ask for their status, read the journal: with both clients and the command line.

    The system's gaps cause no false alarm: the library logs no warning, and refuses no file for its mode.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", str(JOB), system], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    size = (JOB.parents[1] / "media" / "good.mp4").stat().st_size
    assert done.stdout.splitlines() == [
        "blocking PUBLISH_COMPLETE PUBLISH_COMPLETE",
        "command line PUBLISH_COMPLETE PUBLISH_COMPLETE",
        "awaited PUBLISH_COMPLETE PUBLISH_COMPLETE",
        f"bytes {size} {size} {size}",
    ]
