"""Compare the quick tests with all tests: the time of `make test`, and the lines that it covers.

What belongs here: `make test-time` and `make test-coverage`. The ratio of two successive runs on one machine says more than
seconds. No test asserts it.
"""

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from coverage import CoverageData

__all__: list[str] = []

ROOT: Final = Path(__file__).parents[1]
BEFORE: Final = "3ef930f"
"""The last commit whose `make test` ran every test."""
PARALLEL: Final = ("-q", "--numprocesses=auto", "--dist=worksteal")
MOST_TIME: Final = 0.35
LEAST_LINES: Final = 0.95


def main() -> int:
    """Measure the figure that the command line names; the status is 0 if it is within its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    asked = parser.add_subparsers(required=True, dest="what")
    timed = asked.add_parser("time", help="run both suites in turns and compare their times")
    timed.add_argument("--before", default=BEFORE, help="the commit whose whole suite is the reference")
    timed.add_argument("--rounds", type=int, default=1)
    covered = asked.add_parser("coverage", help="compare two files of coverage data")
    covered.add_argument("quick", type=Path)
    covered.add_argument("every", type=Path)
    options = parser.parse_args()
    if options.what == "time":
        return compare_times(options.before, options.rounds)
    return compare_lines(options.quick, options.every)


def compare_times(before: str, rounds: int) -> int:
    """Run the suite of a commit and the quick tests of this tree in turns."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", before], cwd=ROOT, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(folder, filter="data")
        for tree in (Path(folder), ROOT):
            seconds(tree, ("-q", "--collect-only"), {})  # Both begin with the same caches.
        ratios = []
        for _ in range(rounds):
            whole = seconds(Path(folder), PARALLEL, {})
            quick = seconds(ROOT, (*PARALLEL, "-m", "not full"), {"HYPOTHESIS_PROFILE": "quick"})
            ratios.append(quick / whole)
            print(f"all tests of {before}: {whole:.0f} s; make test: {quick:.0f} s; ratio {ratios[-1]:.2f}")
    print(f"make test takes {median(ratios):.2f} x the time; the goal is at most {MOST_TIME}")
    return int(median(ratios) > MOST_TIME)


def seconds(tree: Path, options: Sequence[str], environ: dict[str, str]) -> float:
    """Run pytest on a tree, and return the seconds. It prints failed tests, and their time counts too."""
    paths = {"PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=tree, env={**os.environ, **paths, **environ}, check=False, capture_output=True)
    took = time.perf_counter() - began
    print(f"{tree}: {done.stdout.decode().rstrip().splitlines()[-1]}", flush=True)
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr.decode() or done.stdout.decode())
    return took


def compare_lines(quick: Path, every: Path) -> int:
    """Print the share of the covered lines that the quick tests cover, and the files with most of the other lines."""
    seen, all_seen = lines(quick), lines(every)
    missed = {file: found - seen.get(file, set()) for file, found in all_seen.items()}
    total, left = sum(map(len, all_seen.values())), sum(map(len, missed.values()))
    for file, some in sorted(missed.items(), key=lambda pair: -len(pair[1]))[:10]:
        if some:
            print(
                f"{len(some):5} of {len(all_seen[file])} lines of {Path(file).relative_to(ROOT)} are left to make check"
            )
    part = 1 - left / total
    print(f"make test covers {part:.1%} of the lines that make check covers; the goal is at least {LEAST_LINES:.0%}")
    return int(part < LEAST_LINES)


def lines(path: Path) -> dict[str, set[int]]:
    """Return the covered lines of each file in a file of coverage data."""
    data = CoverageData(str(path))
    data.read()
    return {file: set(data.lines(file) or ()) for file in data.measured_files()}


if __name__ == "__main__":
    sys.exit(main())
