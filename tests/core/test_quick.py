"""The choice of tests for `make test` keeps some of every part.

What belongs here: the choice itself, in `tests/shared/quick.py`. No test checks its figures; they are measured.
"""

import ast
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quick import FULL, covering

ROOT = Path(__file__).parents[2]
ROWS = st.lists(
    st.frozensets(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1), min_size=1, max_size=60
)


@given(ROWS)
def test_each_value_of_a_table_stays_in_the_quick_run(rows: list[frozenset[tuple[str, int]]]) -> None:
    """The choice keeps few rows, none of them in vain, and together they have each value of each parameter."""
    chosen = covering(list(rows))
    assert frozenset().union(*(rows[place] for place in chosen)) == frozenset().union(*rows)
    assert len(chosen) <= len(frozenset().union(*rows))
    assert chosen == covering(list(rows))


def test_a_table_of_one_parameter_stays_whole() -> None:
    """Each of its rows has a value that no other row has."""
    assert covering([frozenset({("code", number)}) for number in range(50)]) == set(range(50))


def test_a_product_keeps_as_many_rows_as_its_longest_parameter() -> None:
    """`make check` tests each transport with each status. The quick run tests each transport and each status once."""
    product = [frozenset({("way", way), ("status", status)}) for way in range(4) for status in range(10)]
    assert len(covering(product)) == 10


@pytest.mark.parametrize("pattern", FULL)
def test_each_pattern_of_what_is_left_out_fits_a_test(pattern: str) -> None:
    """A renamed test neither comes back into the quick run nor stays out of it unnoticed. Each pattern has its reason."""
    assert FULL[pattern].strip()
    path, _, name = pattern.partition("::")
    if not name:
        assert list((ROOT / path).glob("test_*.py"))
        return
    wanted = name.split("[")[0]
    tree = ast.parse((ROOT / path).read_text())
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if "::" in wanted:  # The test of a contract, by the class that binds it.
        binding, _, _test = wanted.partition("::")
        assert any(fnmatchcase(found, binding) for found in classes)
    else:
        assert any(fnmatchcase(found, f"{wanted}*") for found in names)
