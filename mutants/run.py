"""Break the rules of the library in a thousand small ways, and see whether a test notices each.

What belongs here: which mutants there are, the draw, and what became of each. `make mutants` runs it, outside CI.

Why a driver of our own: mutmut 3 mutates functions alone, through trampolines that the tests of parity and purity would
find, and draws nothing; mutatest has not been kept since 2022; cosmic-ray is kept, but writes each mutant over the file,
one at a time, and runs one command for all of them. Its operators are used here. What is ours: the draw by a seed, only
the tests that cover the line, several at once, and going on after an interruption.
"""

import argparse
import ast
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from difflib import SequenceMatcher
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from xml.etree import ElementTree as ET

from attrs import asdict, frozen
from cosmic_ray.ast import Visitor, ast_nodes, get_ast
from cosmic_ray.operators.provider import OperatorProvider
from coverage import CoverageData

__all__: list[str] = []

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
SOURCE: Final = ROOT / "src"
STATE: Final = ROOT / ".mutants"
TABLE: Final = ROOT / "docs" / "mutants.md"
PLACES: Final = (
    "tiktok_core/domain/**/*.py",
    "tiktok_core/flows/posting/*.py",
    *(
        f"tiktok_core/flows/{name}.py"
        for name in ("publish", "wish", "begin", "handover", "upload", "advance", "run", "follow", "learn", "hold")
    ),
)
"""Where mutants are made: the rules, and the flows of a post. A file that is gone has moved to one of the folders."""
FIRST: Final = 40
"""Tests that a mutant meets at first, the quickest ones of as many files as there are."""
SLOWEST: Final = 120
"""Seconds after which a mutant that ends no test counts as noticed: it hangs."""


@frozen(kw_only=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: below `src`.
        line: of what is changed.
        operator: cosmic-ray's name for the change.
        before, after: the lines that differ.
        tests: how many tests cover the line.
        end: `noticed`, `survived`, or empty as long as it has not run.
    """

    file: str
    line: int
    operator: str
    before: str
    after: str
    tests: int = 0
    end: str = ""

    @property
    def key(self) -> str:
        """What tells it from all others, also after lines above it have moved."""
        return hashlib.sha256(f"{self.file}\0{self.before}\0{self.after}\0{self.operator}".encode()).hexdigest()[:8]


# --- Which mutants there are -----------------------------------------------------------------------------------------


class _Change(Visitor):
    """Changes the place that an operator comes to as the `nth`."""

    def __init__(self, operator: Any, nth: int) -> None:
        self._operator, self._left = operator, nth

    def visit(self, node: Any) -> Any:
        for index, _ in enumerate(list(self._operator.mutation_positions(node))):
            if self._left == 0:
                node = self._operator.mutate(node, index)
            self._left -= 1
        return node


class _Meaning(ast.NodeTransformer):
    """Leaves out what only a type checker or a reader looks at."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Constant(value=None)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name


def meaning(source: str) -> str:
    """Return what a source does, spelled the same for all sources that do the same."""
    return ast.dump(_Meaning().visit(ast.parse(source)))


def places() -> Iterator[tuple[str, int, str, str, int]]:
    """Give each place of each file: the file, the line, the operator's family, its name, and which of its places it is."""
    files = sorted({path for pattern in PLACES for path in SOURCE.glob(pattern)})
    provider = OperatorProvider()
    for path in files:
        tree = get_ast(path.read_text())
        for name in sorted(provider):
            kind = provider[name]
            if kind.arguments():
                continue
            operator, nth = kind(), 0
            for node in ast_nodes(tree):
                for (line, _column), _end in operator.mutation_positions(node):
                    yield str(path.relative_to(SOURCE)), line, kind.__module__.rpartition(".")[2], name, nth
                    nth += 1


def changed(file: str, operator: str, nth: int) -> str:
    """Return the source of a file with one change."""
    source = (SOURCE / file).read_text()
    return str(_Change(OperatorProvider()[operator](), nth).walk(get_ast(source)).get_code())


def draw(count: int, seed: int, tests: dict[tuple[str, int], list[str]]) -> Iterator[tuple[Mutant, str, list[str]]]:
    """Draw mutants and give each with its source and the tests that cover its line.

    First a line's operator family is drawn, then one of its changes: an operator of ten replacements is no likelier than one
    of two. A change that only annotations show is none.
    """
    families = defaultdict[tuple[str, int, str], list[tuple[str, int]]](list)
    for file, line, family, operator, nth in places():
        if tests.get((file, line)):
            families[file, line, family].append((operator, nth))
    chance = random.Random(seed)
    order, originals, drawn = sorted(families), dict[str, str](), set[str]()
    chance.shuffle(order)
    for file, line, family in order:
        if len(drawn) == count:
            return
        operator, nth = chance.choice(families[file, line, family])
        source = changed(file, operator, nth)
        original = originals.setdefault(file, meaning((SOURCE / file).read_text()))
        try:
            if meaning(source) == original:
                continue
        except SyntaxError:
            continue
        covering = tests[file, line]
        mutant = Mutant(file=file, line=line, operator=operator, tests=len(covering), **difference(file, source))
        if mutant.key not in drawn:
            drawn.add(mutant.key)
            yield mutant, source, covering


def difference(file: str, source: str) -> dict[str, str]:
    """Return the lines that differ."""
    old, new = (SOURCE / file).read_text().splitlines(), source.splitlines()
    changes = [change for change in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes() if change[0] != "equal"]
    first, last = changes[0], changes[-1]
    before, after = old[first[1] : last[2]], new[first[3] : last[4]]
    return {name: " ".join(map(str.strip, lines)) for name, lines in (("before", before), ("after", after))}


# --- Which tests there are -------------------------------------------------------------------------------------------


def covered() -> tuple[dict[tuple[str, int], list[str]], dict[str, float]]:
    """Return the tests that go over each line, and the seconds of each test: from one run of the quick tests, kept."""
    STATE.mkdir(exist_ok=True)
    data, times = STATE / "coverage", STATE / "times.xml"
    digest = hashlib.sha256(b"".join(sorted(path.read_bytes() for path in SOURCE.rglob("*.py")))).hexdigest()
    if not data.exists() or (STATE / "source").read_text() != digest:
        print("Running the quick tests once, to see which of them covers which line.", flush=True)
        command = [sys.executable, "-m", "pytest", "-q", "--numprocesses=auto", "--dist=worksteal", "-m", "not full"]
        command += ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0", f"--junitxml={times}"]
        environ = {**os.environ, "HYPOTHESIS_PROFILE": "quick", "COVERAGE_FILE": str(data)}
        subprocess.run(command, cwd=ROOT, env=environ, check=False)
        (STATE / "source").write_text(digest)
    found = CoverageData(str(data))
    found.read()
    tests = defaultdict[tuple[str, int], list[str]](list)
    for file in found.measured_files():
        if Path(file).is_relative_to(SOURCE):
            for line, contexts in found.contexts_by_lineno(file).items():
                names = {context.rpartition("|")[0] for context in contexts}
                tests[str(Path(file).relative_to(SOURCE)), line] = sorted(names - {""})
    return tests, seconds(times)


def seconds(times: Path) -> dict[str, float]:
    """Return the seconds of each test, by its name without folder."""
    root = ET.parse(times).getroot()
    return {str(case.get("name")): float(case.get("time") or 0) for case in root.iter("testcase")}


def first_tests(covering: Sequence[str], times: dict[str, float]) -> list[str]:
    """Return the quickest tests, one of each file in turns."""
    files = defaultdict[str, list[str]](list)
    for test in sorted(covering, key=lambda name: times.get(name.rpartition("::")[2], 1.0)):
        files[test.partition("::")[0]].append(test)
    turns = [test for turn in range(FIRST) for tests in files.values() for test in tests[turn : turn + 1]]
    return turns[:FIRST]


# --- Running them ----------------------------------------------------------------------------------------------------


def run(mutant: Mutant, source: str, covering: Sequence[str], times: dict[str, float]) -> Mutant:
    """Return the mutant with its end: let it meet the first tests, and where it survives them all that cover its line."""
    first = first_tests(covering, times)
    rest = sorted(set(covering) - set(first), key=lambda name: times.get(name.rpartition("::")[2], 1.0))
    survives = passes(mutant, source, first) and (not rest or passes(mutant, source, rest))
    return Mutant(**{**asdict(mutant), "end": "survived" if survives else "noticed"})


def passes(mutant: Mutant, source: str, tests: Sequence[str]) -> bool:
    """Return whether all tests pass with the mutant in the place of its module."""
    with TemporaryDirectory() as folder:
        planted = Path(folder) / "mutant.py"
        planted.write_text(source)
        (Path(folder) / "tests").write_text("\n".join(tests))
        module = mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        environ = {
            **os.environ,
            "MUTANT_MODULE": module,
            "MUTANT_PATH": str(SOURCE / mutant.file),
            "MUTANT_SOURCE": str(planted),
            "PYTHONPATH": os.pathsep.join((str(HERE), str(SOURCE))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HYPOTHESIS_PROFILE": "quick",
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "planted",
            "-q",
            "-x",
            "--timeout=60",
            "--tb=no",
            "--no-header",
        ]
        command += [f"--basetemp={folder}/work", f"@{folder}/tests"]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environ,
                check=False,
                capture_output=True,
                timeout=SLOWEST,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return False
    if b"while loading conftest" in done.stderr or b"\nERROR " in done.stdout:  # It cannot be imported.
        return False
    if done.returncode > 2:  # Neither a test that failed nor a module that cannot be imported.
        raise SystemExit(done.stderr.decode() + done.stdout.decode())
    return done.returncode == 0


def main() -> int:
    """Draw, run what has not been run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--minutes", type=float, default=60, help="begin no mutant after so many")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--no-table", action="store_true", help="leave the documents as they are")
    options = parser.parse_args()
    began = time.monotonic()
    tests, times = covered()
    kept = STATE / "ends.jsonl"
    ends = {}
    if kept.exists():
        ends = {mutant.key: mutant for mutant in (Mutant(**json.loads(line)) for line in kept.read_text().splitlines())}
    drawn = list(draw(options.count, options.seed, tests))
    left = [one for one in drawn if one[0].key not in ends]
    if drawn:
        mutant, _, covering = drawn[0]
        if not passes(mutant, (SOURCE / mutant.file).read_text(), first_tests(covering, times)):
            raise SystemExit("the tests fail without a mutant, too: mend them first")
    print(f"{len(drawn)} mutants, of which {len(drawn) - len(left)} have run", flush=True)

    def turn(mutant: Mutant, source: str, covering: Sequence[str]) -> Mutant | None:
        late = time.monotonic() - began > options.minutes * 60
        return None if late else run(mutant, source, covering, times)

    with ThreadPoolExecutor(options.at_once) as pool, kept.open("a") as file:
        for future in as_completed([pool.submit(turn, *one) for one in left]):
            if (mutant := future.result()) is not None:
                ends[mutant.key] = mutant
                file.write(json.dumps(asdict(mutant)) + "\n")
                file.flush()
                if mutant.end == "survived":
                    print(f"survived: {mutant.file}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    done = [ends[mutant.key] for mutant, _, _ in drawn if mutant.key in ends]
    survivors = sorted((one for one in done if one.end == "survived"), key=lambda one: (one.file, one.line))
    print(f"{len(done)} of {len(drawn)} have run: {len(done) - len(survivors)} noticed, {len(survivors)} survived")
    if not options.no_table:
        write(survivors, len(done), options.seed)
    return 0


# --- The table -------------------------------------------------------------------------------------------------------

ROW: Final = re.compile(r"^\| `(?P<key>[0-9a-f]{8})` \|.*\| (?P<verdict>[^|]*) \|$")


def write(survivors: Sequence[Mutant], run: int, seed: int) -> None:
    """Write the table of survivors; what a person has said of one is kept as long as it survives."""
    rows = filter(None, map(ROW.match, TABLE.read_text().splitlines())) if TABLE.exists() else ()
    said = {row["key"]: row["verdict"] for row in rows}
    lines = [
        "# Mutants",
        "",
        "What `make mutants` found: small changes of the rules and of the flows of a post that no test noticed. Each line of the",
        "table waits for a test, or for a reason why the change does no harm.",
        "",
        f"Drawn with seed {seed}: {run} mutants, of which {run - len(survivors)} were noticed and {len(survivors)} survived.",
        "",
        "| | where | before | after | verdict |",
        "|---|---|---|---|---|",
    ]
    for one in survivors:
        before, after = (text.replace("|", "\\|") for text in (one.before, one.after))
        where = f"`{one.file.removeprefix('tiktok_core/')}`, line {one.line}"
        lines.append(f"| `{one.key}` | {where} | `` {before} `` | `` {after} `` | {said.get(one.key, 'open')} |")
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
