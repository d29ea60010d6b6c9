"""The chunk plan, compared with the rules of TikTok's media transfer guide as a separate judge reads them."""

import re
from collections.abc import Iterable
from itertools import pairwise
from types import GeneratorType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import ChunkPlan, fallback_plans, plan_chunks, size_problem
from tiktok_core.errors import InvalidPost

GIB4 = 4_294_967_296
DECIMAL = 1_000_000
BINARY = 1_048_576
BOUNDARIES = (
    5_000_000,
    5_242_880,
    10_000_000,
    10_485_760,
    20_000_000,
    32_000_000,
    64_000_000,
    67_108_864,
    128_000_000,
    134_217_728,
    4_000_000_000,
    GIB4,
)

# video_size, chunk_size, total_chunk_count, bytes of the last chunk, legal by decimal MB, legal by binary MB
WORKED = (
    (1, 1, 1, 1, True, True),
    (4_999_999, 4_999_999, 1, 4_999_999, True, True),
    (5_000_000, 5_000_000, 1, 5_000_000, True, True),
    (5_242_880, 5_242_880, 1, 5_242_880, True, True),
    (5_242_881, 5_242_881, 1, 5_242_881, True, True),
    (12_000_000, 12_000_000, 1, 12_000_000, True, True),
    (12_000_000, 10_000_000, 1, 12_000_000, False, False),
    (12_000_000, 5_242_880, 2, 6_757_120, True, True),
    (41_000_000, 10_000_000, 4, 11_000_000, True, True),
    (41_943_040, 10_485_760, 4, 10_485_760, True, True),
    (50_000_123, 10_000_000, 5, 10_000_123, True, True),
    (64_000_000, 64_000_000, 1, 64_000_000, True, True),
    (64_000_001, 64_000_001, 1, 64_000_001, False, True),
    (64_000_001, 32_000_000, 2, 32_000_001, True, True),
    (64_000_001, 10_000_000, 6, 14_000_001, True, True),
    (66_259_900, 66_259_900, 1, 66_259_900, False, True),
    (66_259_900, 32_000_000, 2, 34_259_900, True, True),
    (66_259_900, 33_129_950, 2, 33_129_950, True, True),
    (67_108_864, 67_108_864, 1, 67_108_864, False, True),
    (67_108_864, 32_000_000, 2, 35_108_864, True, True),
    (67_108_864, 33_554_432, 2, 33_554_432, True, True),
    (67_108_865, 67_108_865, 1, 67_108_865, False, False),
    (67_108_865, 67_108_864, 1, 67_108_865, False, False),
    (67_108_865, 32_000_000, 2, 35_108_865, True, True),
    (83_694_271, 41_847_135, 2, 41_847_136, True, True),
    (128_000_000, 64_000_000, 2, 64_000_000, True, True),
    (128_000_000, 32_000_000, 4, 32_000_000, True, True),
    (134_217_728, 67_108_864, 2, 67_108_864, False, True),
    (134_217_728, 64_000_000, 2, 70_217_728, True, True),
    (134_217_728, 32_000_000, 4, 38_217_728, True, True),
    (150_000_000, 64_000_000, 2, 86_000_000, True, True),
    (150_000_000, 32_000_000, 4, 54_000_000, True, True),
    (158_008_374, 5_242_880, 30, 5_964_854, True, True),
    (158_008_374, 158_008_374, 1, 158_008_374, False, False),
    (4_000_000_000, 32_000_000, 125, 32_000_000, True, True),
    (4_000_000_000, 64_000_000, 62, 96_000_000, True, True),
    (GIB4, 32_000_000, 134, 38_967_296, True, True),
    (GIB4, 64_000_000, 67, 70_967_296, True, True),
)


def complaint(size: int, chunk: int, count: int, mega: int) -> str:
    """Return the rule of the guide that this declaration breaks if a MB has `mega` bytes; empty if it is legal."""
    last = size - chunk * (count - 1)
    rules = {
        "the count is the floor of the division": chunk >= 1 and count == size // chunk,
        "there are 1 to 1000 chunks": 1 <= count <= 1000,
        "a video below 5 MB goes whole": size >= 5 * mega or count == 1,
        "a video above 64 MB goes in several chunks": size <= 64 * mega or count > 1,
        "a single chunk is declared with the video's size": count != 1 or chunk == size,
        "each of several chunks has 5 to 64 MB": count == 1 or 5 * mega <= chunk <= 64 * mega,
        "the last chunk has at most 128 MB": last <= 128 * mega,
    }
    return "; ".join(rule for rule, kept in rules.items() if not kept)


def complaints(plan: ChunkPlan) -> str:
    """Return what is wrong with a plan under either reading of MB."""
    declared = plan.video_size, plan.chunk_size, plan.total_chunk_count
    return complaint(*declared, DECIMAL) or complaint(*declared, BINARY)


def is_safe(size: int, chunk: int) -> bool:
    """Return whether both readings accept this chunk size for this video."""
    return chunk >= 1 and not any(complaint(size, chunk, size // chunk, mega) for mega in (DECIMAL, BINARY))


def covers(ranges: Iterable[tuple[int, int]], size: int, chunk: int, count: int) -> bool:
    """Return whether the ranges contain each byte once, in order, and all but the last have the declared length."""
    found = list(ranges)
    return (
        len(found) == count
        and found[0][0] == 0
        and found[-1][1] == size - 1
        and all(later[0] == earlier[1] + 1 for earlier, later in pairwise(found))
        and all(last - first + 1 == chunk for first, last in found[:-1])
        and found[-1][1] >= found[-1][0]
    )


@st.composite
def sizes(draw: st.DrawFn) -> int:
    """Draw sizes of every order, many of them near a limit."""
    near = st.sampled_from(BOUNDARIES).flatmap(lambda limit: st.integers(limit - 3, min(limit + 3, GIB4)))
    magnitude = st.integers(0, 31).flatmap(lambda bits: st.integers(1 << bits, min((2 << bits) - 1, GIB4)))
    return draw(st.one_of(near, magnitude, st.integers(1, GIB4)))


@st.composite
def sizes_and_chunks(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a size, and a chunk size that is likely to be near a limit for it."""
    size = draw(sizes())
    limits = (5_000_000, 5_242_880, 32_000_000, 64_000_000, 67_108_864, size, size // 2, size // 3, size // 1000)
    chunk = st.sampled_from(limits).flatmap(lambda limit: st.integers(limit - 2, limit + 2))
    return size, draw(st.one_of(chunk, st.integers(5_242_880, 64_000_000), st.integers(-10, GIB4)))


@pytest.mark.parametrize(("size", "chunk", "count", "last", "decimal", "binary"), WORKED)
def test_the_judge_agrees_with_the_worked_examples(
    *, size: int, chunk: int, count: int, last: int, decimal: bool, binary: bool
) -> None:
    """The judge of these tests gives the verdicts that were worked out by hand."""
    verdicts = [not complaint(size, chunk, count, mega) for mega in (DECIMAL, BINARY)]
    assert verdicts == [decimal, binary]
    assert size - chunk * (count - 1) == last


@pytest.mark.parametrize(("size", "chunk", "count", "last", "decimal", "binary"), WORKED)
def test_a_worked_example_is_honoured_exactly_when_it_is_safe(
    *, size: int, chunk: int, count: int, last: int, decimal: bool, binary: bool
) -> None:
    """If both readings accept a chosen chunk size, the plan has exactly this size.

    For any other chunk size the error names `chunk_size`.
    """
    if not (decimal and binary):
        with pytest.raises(InvalidPost) as caught:
            plan_chunks(size, chunk)
        assert [problem.field for problem in caught.value.problems] == ["chunk_size"]
        return
    plan = plan_chunks(size, chunk)
    ranges = list(plan.ranges())
    assert plan == ChunkPlan(size, chunk, count)
    assert covers(ranges, size, chunk, count)
    assert ranges[-1][1] - ranges[-1][0] + 1 == last


def test_the_guides_own_example_has_the_guides_ranges() -> None:
    """The plan cuts 50,000,123 bytes at 10,000,000 as the guide prints it."""
    assert list(plan_chunks(50_000_123, 10_000_000).ranges()) == [
        (0, 9_999_999),
        (10_000_000, 19_999_999),
        (20_000_000, 29_999_999),
        (30_000_000, 39_999_999),
        (40_000_000, 50_000_122),
    ]


@pytest.mark.parametrize("limit", BOUNDARIES)
def test_every_size_around_a_limit_has_a_legal_plan(limit: int) -> None:
    """TikTok can refuse no plan, neither the first nor a later one, for any size within 2,000 bytes of a limit."""
    for size in range(limit - 2_000, min(limit + 2_000, GIB4) + 1):
        plan = plan_chunks(size)
        assert not complaints(plan), (size, complaints(plan))
        for other in fallback_plans(plan):
            assert not complaints(other), (size, other, complaints(other))


@given(sizes())
def test_every_plan_hands_over_each_byte_once(size: int) -> None:
    """The ranges of the planned chunks are contiguous and end with the file."""
    plan = plan_chunks(size)
    assert plan.video_size == size
    assert not complaints(plan)
    assert covers(plan.ranges(), size, plan.chunk_size, plan.total_chunk_count)


@given(sizes_and_chunks())
def test_a_chosen_chunk_is_kept_or_refused_by_name(pair: tuple[int, int]) -> None:
    """A plan keeps a chosen size exactly if it is legal under both readings. Otherwise the error names `chunk_size`."""
    size, chunk = pair
    try:
        plan = plan_chunks(size, chunk)
    except InvalidPost as error:
        assert [problem.field for problem in error.problems] == ["chunk_size"]  # noqa: PT017 - not all are refused
        assert not is_safe(size, chunk)
    else:
        assert plan.chunk_size == chunk
        assert not complaints(plan)
        assert covers(plan.ranges(), size, chunk, plan.total_chunk_count)


@pytest.mark.parametrize(
    ("size", "chunk", "said"),
    [
        (12_000_000, 9_000_000, "take 12,000,000 (the whole video) or at most 6,000,000"),
        (9_000_000, 8_000_000, "take 9,000,000 (the whole video)"),
    ],
)
def test_a_refusal_names_half_the_video_only_where_two_chunks_fit(size: int, chunk: int, said: str) -> None:
    """A chunk has a least size."""
    with pytest.raises(InvalidPost) as caught:
        plan_chunks(size, chunk)
    assert str(caught.value).endswith(said)


@given(sizes_and_chunks())
def test_a_refusal_names_a_size_that_works(pair: tuple[int, int]) -> None:
    """The error that refuses a chunk size names one that works."""
    size, chunk = pair
    try:
        plan_chunks(size, chunk)
    except InvalidPost as error:
        named = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", str(error))]
        assert any(is_safe(size, number) for number in named), str(error)  # noqa: PT017 - not all are refused
    else:
        assert is_safe(size, chunk)


@given(sizes_and_chunks())
def test_the_ladder_offers_other_legal_plans(pair: tuple[int, int]) -> None:
    """Each fallback is legal, differs from the first plan and from the others, and they are few."""
    size, chunk = pair
    plan = plan_chunks(size, chunk if is_safe(size, chunk) else None)
    ladder = fallback_plans(plan)
    assert len({plan, *ladder}) == len(ladder) + 1
    assert len(ladder) <= 5
    assert not [complaints(other) for other in ladder if complaints(other)]
    assert {other.video_size for other in ladder} <= {size}


@given(sizes_and_chunks(), st.integers(5_242_880, 64_000_000))
def test_the_ladder_is_empty_only_where_nothing_else_is_legal(pair: tuple[int, int], other: int) -> None:
    """If any second legal chunk size exists, the ladder has one."""
    size, chunk = pair
    plan = plan_chunks(size, chunk if is_safe(size, chunk) else None)
    alternatives = {other, size, 5_242_880, size // 2} - {plan.chunk_size}
    assume(any(is_safe(size, alternative) for alternative in alternatives))
    assert fallback_plans(plan)


@pytest.mark.parametrize("size", [10_485_759, 10_485_760, 10_485_761])
def test_the_ladder_begins_where_two_chunks_fit(size: int) -> None:
    """From twice the smallest chunk on, a whole file gets a second plan; below that it gets none."""
    assert [plan.chunk_size for plan in fallback_plans(plan_chunks(size))] == (
        [] if size < 2 * 5_242_880 else [5_242_880]
    )


@pytest.mark.parametrize(
    ("size", "chosen", "others"),
    [
        (60_000_000, None, [10_000_000, 5_242_880, 30_000_000]),
        (60_000_000, 10_000_000, [60_000_000, 5_242_880, 30_000_000]),
        (100_000_000, None, [32_000_000, 5_242_880, 50_000_000]),
    ],
)
def test_the_ladder_tries_the_whole_file_usual_sizes_and_halves(
    size: int, chosen: int | None, others: list[int]
) -> None:
    """In this order; the size that was refused is not tried again."""
    assert [plan.chunk_size for plan in fallback_plans(plan_chunks(size, chosen))] == others


@given(sizes())
def test_one_chunk_and_all_ranges_agree(size: int) -> None:
    """`chunk(k)` is the k-th of `ranges()`, which are tuples of whole numbers, made when needed."""
    plan = plan_chunks(size)
    ranges = plan.ranges()
    assert isinstance(ranges, GeneratorType)
    assert list(ranges) == [plan.chunk(index) for index in range(plan.total_chunk_count)]
    assert plan.chunk(0)[0] == 0


@pytest.mark.parametrize("index", [-1, 6, 7])
def test_there_is_no_chunk_outside_the_plan(index: int) -> None:
    """Asking for a chunk that does not exist raises, and never names bytes outside the file."""
    with pytest.raises(IndexError, match="of 6"):
        plan_chunks(64_000_001).chunk(index)


@pytest.mark.parametrize("size", [-1, 0, GIB4 + 1, 10**12])
def test_empty_and_oversize_videos_are_refused(size: int) -> None:
    """An empty file, and one above 4 GiB, has no plan for any chunk size."""
    assert list(size_problem(size))
    for chunk in (None, 5_242_880, size):
        with pytest.raises(InvalidPost, match=r"^video: "):
            plan_chunks(size, chunk)


@given(sizes())
def test_a_possible_size_has_no_problem(size: int) -> None:
    """Sizes from 1 byte to 4 GiB have no problem."""
    assert not list(size_problem(size))
