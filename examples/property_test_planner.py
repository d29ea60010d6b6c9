"""Property-test the chunk planner: it is a plain function on integers, so hypothesis can try all of them.

Run with `pytest examples/property_test_planner.py`.
"""

from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import plan_chunks

FOUR_GIB = 4 * 1024**3


@given(st.integers(1, FOUR_GIB))
def test_a_plan_covers_each_byte_once(video_size: int) -> None:
    """The ranges follow one another without a gap and end at the end of the file."""
    expected = 0
    plan = plan_chunks(video_size)
    for first, last in plan.ranges():
        assert first == expected
        expected = last + 1
    assert expected == video_size


@given(st.integers(1, FOUR_GIB))
def test_a_plan_declares_what_tiktok_computes(video_size: int) -> None:
    """The count is rounded down, and a single chunk has the file's own size."""
    plan = plan_chunks(video_size)
    assert plan.total_chunk_count == video_size // plan.chunk_size
    if plan.total_chunk_count == 1:
        assert plan.chunk_size == video_size
