"""Run public clients of TikTok, unmodified, in the sandbox: do the simulator and its strangers agree?

What belongs here: installing the clients, running each of them, and recording the results. `make strangers` runs this, outside
CI; README.md says more.
"""

import argparse
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from attrs import asdict
from clients import ACTS, CLIENTS, SIZES, SWITCHES, Client
from judge import Film, perform
from page import Unexplained, written
from world import World

from tiktok_adapters.cli.padded import PaddedFilm, film
from tiktok_core.version import __version__

__all__: list[str] = []

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
PAGE: Final = HERE.parent / "docs" / "strangers.md"
PIECE: Final = 1 << 20


class Missing(Exception):
    """This machine has not what a client runs on."""


def python_of(least: tuple[int, int]) -> str:
    """Return a Python from `least` on: this one, or one on the path or among pyenv's.

    Raises:
        Missing: there is none.
    """
    if sys.version_info >= least:
        return sys.executable
    for minor in range(least[1], least[1] + 5):
        found = shutil.which(f"python3.{minor}")
        candidates = [found] if found else []
        candidates += map(str, (Path.home() / ".pyenv/versions").glob(f"3.{minor}.*/bin/python"))
        for candidate in candidates:
            # A shim of pyenv may exist but not run.
            if subprocess.run([candidate, "-c", "import venv, ssl"], capture_output=True, check=False).returncode == 0:
                return candidate
    raise Missing(f"no Python {least[0]}.{least[1]} or newer was found")


def installed(client: Client, folder: Path) -> list[str]:
    """Install a client into a folder; return the command that starts its driver.

    Raises:
        Missing: this machine has not what it runs on.
    """
    folder.mkdir(parents=True)
    pins = HERE / "pins" / client.pins
    drivers = shutil.copytree(HERE / "drivers", folder / "drivers")
    if client.runs_on == "Node":
        if shutil.which("npm") is None:
            raise Missing("npm was not found")
        for file in pins.iterdir():
            shutil.copy(file, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)
        return ["node", str(drivers / client.driver)]
    if client.runs_on == "system":
        if shutil.which(client.name) is None:
            raise Missing(f"{client.name} was not found")
        return [sys.executable, str(drivers / f"{client.name}.py")]
    subprocess.run([python_of(client.python), "-m", "venv", str(folder / "venv")], check=True, timeout=120)
    python = str(folder / "venv/bin/python")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--no-deps", "--require-hashes"]
    subprocess.run([*pip, "-r", str(pins)], check=True, timeout=600, stderr=subprocess.DEVNULL)
    return [python, str(drivers / client.driver)]


@contextmanager
def films(folder: Path) -> Iterator[dict[str, Film]]:
    """Make a video for each size, and remove them at the end."""
    made, small = {}, film()
    for name, size in SIZES.items():
        source, path, digest = PaddedFilm(small, size), folder / f"{size}.mp4", hashlib.sha256()
        with path.open("wb") as file:
            for start in range(0, size, PIECE):
                piece = source.read(start, min(PIECE, size - start))
                digest.update(piece)
                file.write(piece)
        made[name] = Film(str(path), digest.hexdigest())
    try:
        yield made
    finally:
        for one in made.values():
            Path(one.path).unlink()


def versions(client: Client, command: Sequence[str]) -> dict[str, str]:
    """Return the versions of a client and of what it runs on."""
    said = subprocess.run([command[0], "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    runs_on = {"Node": f"Node {said.removeprefix('v')}", "Python": f"Python {said}"}.get(client.runs_on, "")
    version = client.version
    if not version:
        version = subprocess.run([client.name, "--version"], capture_output=True, text=True, check=True).stdout.split()[
            1
        ]
    return {"version": version, "runs_on": runs_on}


def witnessed(client: Client, folder: Path, made: Mapping[str, Film]) -> dict[str, Any]:
    """Run a client under the defaults and under each switch; return what came of it."""
    begun = time.monotonic()
    command = installed(client, folder)
    world = World(command, folder)
    try:
        usual = perform(world, client, ACTS, made)
        under = {}
        for switch, acts in SWITCHES.items():
            results = perform(world, client, acts, made, switch)
            if results:
                changed = {act: asdict(one) for act, one in results.items() if _differs(one, usual[act])}
                under[switch] = {"acts": list(results), "changed": changed}
    finally:
        world.close()
    done = sum(one.outcome == "done" for one in usual.values())
    print(f"{client.name}: {done} of {len(usual)} acts done, {time.monotonic() - begun:.0f} s", flush=True)
    return {**versions(client, command), "usual": {act: asdict(one) for act, one in usual.items()}, "under": under}


def _differs(one: Any, other: Any) -> bool:
    return (one.outcome, one.code, _name(one.said)) != (other.outcome, other.code, _name(other.said))


def _name(said: str) -> str:
    return re.split(r"\W", said)[0]


def _save(record: dict[str, Any]) -> None:
    found = record["clients"]
    record["clients"] = {client.name: found[client.name] for client in CLIENTS if client.name in found}
    record |= {"tiktok-open": __version__, "day": datetime.now(UTC).date().isoformat(), "system": platform.system()}
    RESULTS.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Run what the command line asks for.

    Raises:
        SystemExit: a failure is not explained.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", help="only these; the results of the others stay as they are")
    parser.add_argument("--page", action="store_true", help="run nothing, and write the page from results.json")
    parser.add_argument("--keep", metavar="FOLDER", help="install here, and leave everything there")
    wanted = parser.parse_args()
    record = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"clients": {}}
    chosen = [client for client in CLIENTS if not wanted.clients or client.name in wanted.clients]
    if not wanted.page:
        with TemporaryDirectory(prefix="strangers-") as name, films(Path(name)) as made:
            for client in chosen:
                folder = Path(wanted.keep or name) / client.pins.removesuffix(".txt")
                try:
                    record["clients"][client.name] = witnessed(client, folder, made)
                except Missing as missing:
                    record["clients"][client.name] = {"left_out": str(missing)}
                _save(record)
    try:
        PAGE.write_text(written(record))
    except Unexplained as unexplained:
        raise SystemExit(str(unexplained)) from None


if __name__ == "__main__":
    main()
