"""Drawing with Pillow, in a virtual environment of its own: neither the library nor its tests depend on it.

What belongs here: making that environment, and running a few words in it.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final

from corpus.made import Absent

__all__ = ["drawn"]

VERSION: Final = "12.3.0"
BEFORE: Final = """
import sys
from PIL import Image, ImageCms

out = sys.argv[1]


def picture(shift=0):
    return Image.linear_gradient("L").resize((1080, 1080)).rotate(30 + shift).convert("RGB")


"""


def _python(folder: Path) -> str:
    """Return the environment's Python; make the environment where there is none."""
    home = folder / "pillow"
    python = str(home / "bin" / "python")
    if not (home / "ready").exists():
        install = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", f"pillow=={VERSION}"]
        for command in ([sys.executable, "-m", "venv", str(home)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = (done.stderr or done.stdout).strip().splitlines()
                raise Absent(f"Pillow could not be installed: {lines[-1] if lines else done.returncode}")
        (home / "ready").touch()
    return python


def drawn(folder: Path, out: Path, words: str) -> None:
    """Run a few words of Python, which save a picture to `out`."""
    done = subprocess.run(
        [_python(folder), "-c", BEFORE + words, str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
