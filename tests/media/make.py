"""Make the files of the corpus: `python tests/media/make.py FOLDER [NAME ...]`, all of them unless some are named.

Files that exist already and whose steps have not changed stay, so a run that was ended goes on where it was. A file whose
program is absent is passed over with the reason. What belongs here: the order, the folder, and what came of it.
"""

import hashlib
import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import define, field

from corpus import CORPUS, INGREDIENTS, Absent, Made
from corpus.made import Step

try:
    import fcntl
except ModuleNotFoundError:  # Windows has none.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Kitchen", "needed"]

KNOWN: Final = {made.name: made for made in (*INGREDIENTS, *CORPUS)}
AT_ONCE: Final = 2
"""How many files are made at the same time. Some programs need more than one processor, and recordings need time only."""


def needed(names: Iterable[str]) -> list[Made]:
    """Return some files and all those of which they are made, each after those that it needs."""
    found: dict[str, Made] = {}

    def add(name: str) -> None:
        if name not in found:
            made = KNOWN[name]
            for other in sorted((made.words & KNOWN.keys()) - {name}):
                add(other)
            found[name] = made

    for name in names:
        add(name)
    return list(found.values())


def _told(step: Step) -> str:
    """Return a step as a text that changes whenever the step makes something else."""
    if isinstance(step, str):
        return step
    return f"{inspect.getsource(step.func)}{sorted(step.keywords.items())}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process makes files in the folder, where the system has locks."""
    with (folder / "lock").open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@define
class Kitchen:
    """A folder in which files are made.

    Attributes:
        folder: where the files lie. It is made if it does not exist.
        absent: the files that cannot be made on this machine, and why.
        failed: the files whose making failed, and what the program said.
    """

    folder: Path
    absent: dict[str, str] = field(factory=dict)
    failed: dict[str, str] = field(factory=dict)

    def make(self, names: Iterable[str], *, is_shown: bool = False) -> None:
        """Make files, and what they need. Each waits for those that it needs."""
        (self.folder / "making").mkdir(parents=True, exist_ok=True)
        (self.folder / "made").mkdir(exist_ok=True)
        under_way: dict[str, Future[None]] = {}
        with _alone(self.folder), ThreadPoolExecutor(AT_ONCE) as pool:
            for made in needed(names):
                before = [under_way[word] for word in made.words if word in under_way]
                under_way[made.name] = pool.submit(self._one, made, before, is_shown)
        for future in under_way.values():
            future.result()

    def _one(self, made: Made, before: list["Future[None]"], is_shown: bool) -> None:
        # What is waited for was begun earlier, so no thread waits for one that could not begin.
        for future in before:
            future.result()
        lacking = [word for word in made.words if word in self.absent or word in self.failed]
        programs = sorted(program for program in made.programs if shutil.which(program) is None)
        out, mark = self.folder / made.name, self.folder / "made" / f"{made.name}.json"
        digest = self._digest(made)
        if lacking or programs:
            self.absent[made.name] = (
                f"not installed: {', '.join(programs)}" if programs else f"made from {', '.join(lacking)}"
            )
        elif not (out.exists() and mark.exists() and json.loads(mark.read_text()) == digest):
            self._steps(made, out)
            if out.exists():
                mark.write_text(json.dumps(digest))
                if is_shown:
                    print(f"{made.name}: {out.stat().st_size:,} bytes", flush=True)

    def _digest(self, made: Made) -> str:
        told = [_told(step) for one in needed([made.name]) for step in one.steps]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def _steps(self, made: Made, out: Path) -> None:
        here = self.folder / "making" / made.name
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir()
        new = here / made.name
        out.unlink(missing_ok=True)
        try:
            for step in made.steps:
                self._step(step, new)
            if not new.stat().st_size:
                raise RuntimeError("the file is empty")
            new.rename(out)
        except Absent as absent:
            self.absent[made.name] = str(absent)
        except (OSError, RuntimeError, AssertionError) as error:
            self.failed[made.name] = str(error) or type(error).__name__
        shutil.rmtree(here)

    def _step(self, step: Step, new: Path) -> None:
        if isinstance(step, partial):
            step(self.folder, new)
            return
        here = new.parent.relative_to(self.folder)
        command = step.format(out=here / new.name, here=here)
        nice = ["nice"] if shutil.which("nice") else []
        ended = subprocess.run(
            [*nice, "sh", "-c", command],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        # mkvmerge ends with 1 if it only warns.
        if ended.returncode > ("mkv" in command):
            said = (ended.stderr.strip() or ended.stdout.strip() or "nothing").splitlines()
            raise RuntimeError(f"{command.split()[0]} ended with {ended.returncode} and said: {' / '.join(said[-3:])}")


def main() -> None:
    """Make what the command line names, and say what could not be made."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    kitchen = Kitchen(Path(sys.argv[1]).absolute())
    names = sys.argv[2:] or [made.name for made in CORPUS]
    kitchen.make(names, is_shown=True)
    for what, why in kitchen.absent.items():
        print(f"not made here: {what}: {why}")
    for what, why in kitchen.failed.items():
        print(f"FAILED: {what}: {why}")
    print(f"{len(names) - len(kitchen.absent) - len(kitchen.failed)} of {len(names)} files are in {kitchen.folder}")


if __name__ == "__main__":
    main()
