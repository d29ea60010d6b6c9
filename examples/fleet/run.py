"""Run a fleet against a simulated TikTok, let it go wrong, and judge what came of it. The README beside this file says how.

What belongs here: the run from its beginning to its end.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from fleet import Fleet
from machine import AHEAD, namespace, wrong_clock
from services import missing
from tiktok_adapters import connect
from traffic import events
from trouble import Trouble
from verdict import judged, shown

LONGEST = 600.0
"""Seconds after which a run is given up."""


def main() -> None:
    """Run it, and end with an error if anything is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=300, help="how many posts (300)")
    parser.add_argument("--kills", type=int, default=12, help="how many workers are killed (12)")
    parser.add_argument("--no-crash", action="store_true", help="let PostgreSQL run all the time")
    chosen = parser.parse_args()
    if lacking := missing():
        sys.exit(f"fleet: {lacking}")
    folder = Path(os.environ.get("FLEET_FOLDER", ".fleet")).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for line in surroundings():
        print(line, flush=True)
    with ExitStack() as ending:
        scratch = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="fleet-", ignore_cleanup_errors=True)))
        scratch.chmod(0o755)  # The user of PostgreSQL has a folder in it.
        fleet = Fleet(chosen.posts, folder, scratch, ending)
        print(
            f"{chosen.posts} posts of {len(fleet.accounts)} accounts; what the machines say is in {folder}", flush=True
        )
        trouble = Trouble(fleet, chosen.kills, crash=not chosen.no_crash)
        watched(fleet, trouble)
        rows = judged(fleet, trouble)
        (folder / "table.md").write_text(f"{shown(rows)}\n")
        (folder / "deaths").write_text("".join(trouble.told(events(fleet.road, fleet.wishes))))
        print(shown(rows))
        if find_spec("drawsvg"):
            from picture import Picture  # noqa: PLC0415 - it may be missing

            Picture(fleet, trouble).save(folder / "fleet.svg")
            print(f"The picture is {folder / 'fleet.svg'}")
        else:
            print("There is no picture: pip install -r examples/fleet/requirements.txt")
    if wrong := [row.what for row in rows if row.is_wrong]:
        sys.exit(f"fleet: not as it has to be: {'; '.join(wrong)}")


def surroundings() -> list[str]:
    """Return what of a fleet this system does not allow, a line each; and what it does."""
    network = (
        "Each machine has a network of its own."
        if namespace()
        else "This system forbids network namespaces: one for all."
    )
    clock = (
        f"One worker's clock is {AHEAD} s ahead." if wrong_clock() else "All clocks are right: apt-get install faketime"
    )
    return [network, clock]


def watched(fleet: Fleet, trouble: Trouble) -> None:
    """Let things go wrong until all has ended that has to."""
    wanted, end, asked = {wish.key for wish in fleet.wishes if wish.is_wanted}, time.time() + LONGEST, 0.0
    latest = max(wish.due for wish in fleet.wishes)
    with connect(environ=fleet.environ) as tiktok:
        while time.time() < end:
            trouble.look()
            fleet.supervise()
            if fleet.enqueuer.process.poll():
                sys.exit(f"fleet: the enqueuer has failed: {fleet.enqueuer.log}")
            if time.time() > asked + 1 and fleet.enqueuer.process.poll() is not None:
                asked, left = time.time(), {record.key for record in tiktok.unfinished()} & wanted
                followed = len(trouble.survivors(events(fleet.road, fleet.wishes)))
                if not left and followed == trouble.interrupted and time.time() > latest + 5:
                    return
            time.sleep(0.02)


if __name__ == "__main__":
    main()
