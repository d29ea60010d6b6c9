"""Break the rules of the library in a thousand small ways, and check that a test notices each.

What belongs here: finding the mutants, drawing some of them, and recording the result of each. `make mutants` runs this, outside
CI.

Why this project has its own driver: mutmut 3 mutates functions only, uses trampolines that the tests of parity and purity would
find, and cannot draw a sample; mutatest has had no maintainer since 2022; cosmic-ray is maintained, but it writes each mutant
over the file, one at a time, and runs one command for all of them. This driver uses cosmic-ray's operators. It adds the draw by a
seed, runs only the tests that cover the line, runs several mutants at once, and continues after an interruption.
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
PLACES: Final = ("tiktok_core/domain/**/*.py", "tiktok_core/flows/posting/*.py")
"""The code to mutate: the rules, and the flows of a post."""
FIRST: Final = 40
"""The number of tests to run first against a mutant: the quickest ones, from as many files as possible."""
HANGS: Final = 60
"""The seconds after which a test that hangs is ended, and its mutant counts as noticed."""
SLOWEST: Final = 900
"""The seconds after which a mutant counts as noticed, because its tests do not end at all."""


@frozen(kw_only=True)
class Mutant:
    """One change of one file.

    Attributes:
        file: the path below `src`.
        line: the number of the changed line.
        operator: cosmic-ray's name for the change.
        before, after: the lines that differ.
        tests: the number of tests that cover the line.
        end: `noticed`, `survived`, or empty before the mutant has run.
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
        """The identity of the mutant, which stays the same if lines above it move."""
        return hashlib.sha256(f"{self.file}\0{self.before}\0{self.after}\0{self.operator}".encode()).hexdigest()[:8]


# --- Finding the mutants ---------------------------------------------------------------------------------------------


class _Change(Visitor):
    """A visitor that changes the `nth` place that an operator finds."""

    def __init__(self, operator: Any, nth: int) -> None:
        self._operator, self._left = operator, nth

    def visit(self, node: Any) -> Any:
        for index, _ in enumerate(list(self._operator.mutation_positions(node))):
            if self._left == 0:
                node = self._operator.mutate(node, index)
            self._left -= 1
        return node


class _Meaning(ast.NodeTransformer):
    """A transformer that removes the code that only type checkers and readers use."""

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
    """Return a normal form of a source; sources that do the same have the same form."""
    return ast.dump(_Meaning().visit(ast.parse(source)))


def places() -> Iterator[tuple[str, int, str, str, int]]:
    """Yield each place of each file: the file, the line, the operator's family and name, and the number of the place."""
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
    """Draw mutants, and yield each with its source and the tests that cover its line.

    The draw first takes an operator family of a line, then one of its changes, so that an operator with ten replacements is as
    likely as one with two. A change of annotations only is not a mutant.
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


# --- Finding the tests -----------------------------------------------------------------------------------------------


def covered() -> tuple[dict[tuple[str, int], list[str]], dict[str, float]]:
    """Return the tests that cover each line, and the seconds of each test, from one cached run of the quick tests."""
    STATE.mkdir(exist_ok=True)
    data, times = STATE / "coverage", STATE / "times.xml"
    digest = hashlib.sha256(b"".join(sorted(path.read_bytes() for path in SOURCE.rglob("*.py")))).hexdigest()
    if not data.exists() or (STATE / "source").read_text() != digest:
        print("Running the quick tests once, to find the lines that each of them covers.", flush=True)
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
    """Return the seconds of each test, by its name without the folder."""
    root = ET.parse(times).getroot()
    return {str(case.get("name")): float(case.get("time") or 0) for case in root.iter("testcase")}


def first_tests(covering: Sequence[str], times: dict[str, float]) -> list[str]:
    """Return the quickest tests, taking one from each file in turn."""
    files = defaultdict[str, list[str]](list)
    for test in sorted(covering, key=lambda name: times.get(name.rpartition("::")[2], 1.0)):
        files[test.partition("::")[0]].append(test)
    turns = [test for turn in range(FIRST) for tests in files.values() for test in tests[turn : turn + 1]]
    return turns[:FIRST]


# --- Running them ----------------------------------------------------------------------------------------------------


def run(mutant: Mutant, source: str, covering: Sequence[str], times: dict[str, float]) -> Mutant:
    """Return the mutant with its end: run the first tests and, if it survives them, all tests that cover its line."""
    first = first_tests(covering, times)
    rest = sorted(set(covering) - set(first), key=lambda name: times.get(name.rpartition("::")[2], 1.0))
    survives = passes(mutant, source, first) and (not rest or passes(mutant, source, rest))
    return Mutant(**{**asdict(mutant), "end": "survived" if survives else "noticed"})


def passes(mutant: Mutant, source: str, tests: Sequence[str]) -> bool:
    """Return whether all tests pass with the mutant instead of its module."""
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
            # The cache of parsed tests saves half of the time. A mutant is never cached: see `planted`.
            "PYTHONDONTWRITEBYTECODE": "",
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
            f"--timeout={HANGS}",
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
    if b"while loading conftest" in done.stderr or b"\nERROR " in done.stdout:  # The mutant cannot be imported.
        return False
    if done.returncode > 2:  # The run failed for another reason than a failed test or import.
        raise SystemExit(done.stderr.decode() + done.stdout.decode())
    return done.returncode == 0


def main() -> int:
    """Draw mutants, run those that have not run, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--minutes", type=float, default=60, help="start no mutant after this many minutes")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--no-table", action="store_true", help="do not write the table into the documents")
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

EQUIVALENT: Final = "equivalent"
"""The first word of a person's remark on a mutant that behaves as the original does."""
ROW: Final = re.compile(r"^\| `(?P<key>[0-9a-f]{8})` \|.*\| (?P<verdict>[^|]*) \|$")


def write(survivors: Sequence[Mutant], run: int, seed: int) -> None:
    """Write the table of survivors; keep a person's remark on a mutant as long as the mutant survives."""
    rows = filter(None, map(ROW.match, TABLE.read_text().splitlines())) if TABLE.exists() else ()
    said = {row["key"]: row["verdict"] for row in rows}
    verdicts = [said.get(one.key, "open") for one in survivors]
    equal = sum(verdict.startswith(EQUIVALENT) for verdict in verdicts)
    noticed, others = run - len(survivors), run - equal
    lines = [
        "# Mutants",
        "",
        "What `make mutants` found: small changes of the rules and of the flows of a post that no quick test noticed. The verdict of",
        "each says which test holds the rule since then, or why the change does no harm.",
        "",
        f"Drawn with seed {seed}: {run} mutants. {equal} survivors are equivalent: no test could tell them from the original. Of the other",
        f"{others}, {noticed} were noticed ({100 * noticed / max(1, others):.1f} %).",
        "",
        "| | where | before | after | verdict |",
        "|---|---|---|---|---|",
    ]
    for one, verdict in zip(survivors, verdicts, strict=True):
        before, after = (text.replace("|", "\\|") for text in (one.before, one.after))
        where = f"`{one.file.removeprefix('tiktok_core/')}`, line {one.line}"
        lines.append(f"| `{one.key}` | {where} | `` {before} `` | `` {after} `` | {verdict} |")
    TABLE.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
