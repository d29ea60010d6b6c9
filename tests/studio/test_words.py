"""The words of the local page: sizes, times, rates, names of files, and errors, whatever comes.

What belongs here: plain functions.
"""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.studio.given import LONGEST_NAME, _safe
from tiktok_adapters.studio.layout import text
from tiktok_adapters.studio.posting import SPAN, Running
from tiktok_adapters.studio.words import answer_to, left, problem, sentence, size
from tiktok_core import (
    InvalidPost,
    InvalidSettings,
    OutcomeUnknown,
    Problem,
    Progress,
    SignInRequired,
    StoreError,
    plan_chunks,
)


@given(st.text(max_size=400))
def test_any_name_becomes_one_that_every_file_system_takes(name: str) -> None:
    """It has no folder, is not hidden, is short, and stays the same when it is made safe again."""
    safe = _safe(name)
    assert safe
    assert "/" not in safe
    assert "\\" not in safe
    assert not safe.startswith(".")
    assert len(safe.encode()) <= LONGEST_NAME
    assert safe.isprintable()
    assert _safe(safe) == safe


@given(st.text())
def test_no_text_becomes_markup(value: str) -> None:
    """A text shows itself: it begins no element, and ends no attribute."""
    shown = text(value)
    assert not set(shown) & set("<>\"'\0")
    shown.encode()


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2_500_000, "2.5 MB"), (10**10, "10.0 GB")],
)
def test_sizes(count: int, said: str) -> None:
    """A size is in the unit that suits it."""
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "0 s left"), (89, "89 s left"), (600, "10 min left"), (7_260, "2 h 1 min left")]
)
def test_times(seconds: float, said: str) -> None:
    """A time is in the unit that suits it."""
    assert left(seconds) == said


def progress(sent: int, status: str = "") -> Progress:
    """Return a progress of 100 MB."""
    plan = plan_chunks(100_000_000)
    return Progress(
        stage="uploading", sent_bytes=sent, video_size=100_000_000, publish_id="p", status=status, plan=plan
    )


def test_the_rate_follows_the_line() -> None:
    """Speed and time left come from the last seconds, and nothing is said before they are known or after the last byte."""
    now = [0.0]
    running = Running(lambda: now[0])
    assert running.sentence == ""
    running.tell(progress(0))
    assert running.sentence == "0 bytes of 100.0 MB"
    now[0] = 2.0
    running.tell(progress(20_000_000))
    assert running.sentence == "20.0 MB of 100.0 MB, 10.0 MB/s, 8 s left"
    for _ in range(30):
        now[0] += 1
        running.tell(progress(int(20_000_000 + (now[0] - 2) * 1_000_000)))
    assert running.rate == pytest.approx(1_000_000, rel=1 / SPAN)
    running.tell(progress(100_000_000))
    assert running.sentence == "100.0 MB of 100.0 MB"
    running.tell(progress(100_000_000, "PROCESSING_UPLOAD"))
    assert running.sentence == ""


def test_errors_are_sentences_in_the_words_of_the_page() -> None:
    """A field has its name on the page, and each sentence says what to press."""
    assert problem(Problem("photo_images[1]", "is odd")) == "Picture 2: is odd"
    assert (
        sentence(InvalidPost((Problem("title", "is long"), Problem("other", "is odd"))))
        == "Title: is long; other: is odd."
    )
    assert sentence(InvalidSettings((Problem("home", "is no folder"),))) == "home is no folder."
    assert sentence(SignInRequired("me", "it is gone")).endswith("Sign in again.")
    unknown = OutcomeUnknown("A post", datetime.now(UTC), "the answer was lost")
    assert "press It is there, or It is not there" in sentence(unknown)
    assert answer_to(StoreError("The journal", "is full", "full")) == (
        str(StoreError("The journal", "is full", "full")),
        502,
    )
    assert answer_to(OSError(28, "No space left on device")) == (
        "The studio's folder cannot be used: no space left on device.",
        500,
    )
    assert answer_to(ZeroDivisionError()) is None
