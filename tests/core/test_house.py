"""The project's own rules: the length of modules, the place of a post's decisions, and the direction of imports.

What belongs here: rules about the source text that no linter checks.
"""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src"
FLOWS: Final = SOURCE / "tiktok_core" / "flows"
CALLS: Final = FLOWS / "calls"
POSTING: Final = FLOWS / "posting"
LONGEST: Final = 400
"""Lines of a module."""
LONGEST_FLOW: Final = 250
LONG: Final = (
    "tiktok_core/errors.py",
    "tiktok_core/ports.py",
    "tiktok_core/account.py",
    "tiktok_core/client.py",
    "tiktok_adapters/compat.py",
    "tiktok_adapters/testing/contracts/*.py",
)
"""Modules that may be longer. Each that is says why in its first docstring."""
REASON: Final = "Longer than 400 lines because"
ROOT_FILES: Final = frozenset(
    {
        *(
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "LICENSE",
            "Makefile",
            "pyproject.toml",
            "conftest.py",
        ),
        *("requirements-dev.txt", "requirements-check.txt", "requirements-lowest.txt"),
        "PKG-INFO",  # a source distribution has it
    }
)
DECIDING: Final = frozenset({"stage", "code", "offset"})
"""What a flow of a post does not decide by: the stage and the offset of a record, the code of an error."""


def modules(folder: Path) -> list[Path]:
    """Return the modules of a folder, without its `__init__`."""
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text().splitlines())


def described(path: Path) -> str:
    """Return a module's first docstring."""
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def test_the_first_folder_has_only_what_a_stranger_looks_for() -> None:
    """A note or a trial that was left there is no part of the project."""
    assert {path.name for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".")} <= ROOT_FILES


# --- How much a reader has to keep in mind ---------------------------------------------------------------------------


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    """No module has more than 400 lines, except modules that say why."""
    long = {path for path in SOURCE.rglob("*.py") if lines(path) > LONGEST}
    allowed = {path for pattern in LONG for path in SOURCE.glob(pattern)}
    assert long <= allowed
    assert [path.name for path in sorted(long) if REASON not in described(path)] == []


def test_the_flows_are_two_wings_and_few_modules_beside_them() -> None:
    """Each of the two packages has at most 11 modules. At most 6 are beside them, and none has more than 250 lines."""
    assert {path.name for path in FLOWS.iterdir() if path.is_dir()} - {"__pycache__"} == {"calls", "posting"}
    assert 0 < len(modules(CALLS)) <= 11
    assert 0 < len(modules(POSTING)) <= 11
    assert 0 < len(modules(FLOWS)) <= 6
    assert [path.name for path in FLOWS.rglob("*.py") if lines(path) > LONGEST_FLOW] == []


@pytest.mark.parametrize("wing", [CALLS, POSTING], ids=lambda path: path.name)
def test_each_wing_tells_its_story(wing: Path) -> None:
    """The docstring of each package names all its modules, in few lines."""
    story = described(wing / "__init__.py")
    assert [path.stem for path in modules(wing) if f"`{path.stem}`" not in story] == []
    assert len(story.splitlines()) <= 12


def test_the_imports_of_the_flows_have_no_circle() -> None:
    """A reader can read each flow after the flows that it uses."""
    graph = {path: set(imported(path)) for path in FLOWS.rglob("*.py") if path.name != "__init__.py"}
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)
    assert sum(map(len, graph.values())) > len(graph)


def imported(path: Path) -> Iterator[Path]:
    """Yield the modules of the flows that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tiktok_core.flows"):
            target = SOURCE.joinpath(*str(node.module).split("."))
            names = [target / alias.name for alias in node.names] if target.is_dir() else [target]
            yield from (name.with_suffix(".py") for name in names)


# --- Where decisions are ---------------------------------------------------------------------------------------------


def decisions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield what a program decides by: the conditions of `if`, `while` and `match`, and every comparison."""
    for node in ast.walk(tree):
        match node:
            case ast.If() | ast.IfExp() | ast.While() | ast.Assert():
                yield node.test
            case ast.Match():
                yield node.subject
                yield from (case.guard for case in node.cases if case.guard is not None)
            case ast.comprehension():
                yield from node.ifs
            case ast.Compare() | ast.BoolOp() | ast.Subscript():
                yield node
            case _:
                pass


def read(condition: ast.AST) -> set[str]:
    """Return which names a condition reads of those that no flow may decide by."""
    attributes = {node.attr for node in ast.walk(condition) if isinstance(node, ast.Attribute)}
    names = {node.id for node in ast.walk(condition) if isinstance(node, ast.Name)}
    return (attributes | names) & DECIDING


def test_one_place_in_the_flows_of_a_post_reads_its_stage() -> None:
    """No condition reads a record's stage or offset, or an error's code, except the one choice in `advance`."""
    found = [
        (path.name, ast.unparse(condition))
        for path in modules(POSTING)
        for condition in decisions(ast.parse(path.read_text()))
        if read(condition)
    ]
    assert found == [("advance.py", "turn.record.stage")]


@pytest.mark.parametrize(
    "text",
    [
        "if record.stage is Stage.PLANNED: pass",
        "x = 1 if error.code == 'a' else 2",
        "while turn.record.offset < size: pass",
        "match record.stage:\n    case _: pass",
        "is_it = record.stage is Stage.UNKNOWN",
        "y = [r for r in records if r.stage]",
        "after = {Stage.PLANNED: begin}[record.stage]",
        "z = record.offset and 1",
    ],
)
def test_a_decision_by_a_stage_a_code_or_an_offset_is_seen(text: str) -> None:
    """The check finds every form in which a decision is written."""
    assert any(read(condition) for condition in decisions(ast.parse(text)))


# --- Where tests are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FLOWS.rglob("*.py")), ids=lambda path: str(path.relative_to(FLOWS)))
def test_the_tests_of_each_flow_can_be_found(path: Path) -> None:
    """The tests of a flow have the module's name, or its docstring says where they are."""
    if path.name == "__init__.py":
        return
    tests = ROOT / "tests" / "flows" / path.relative_to(FLOWS).parent
    said = described(path).partition("Its tests: ")[2].split("`")[1::2]
    assert all((ROOT / name).is_file() for name in said)
    assert said or (tests / f"test_{path.name}").is_file()
