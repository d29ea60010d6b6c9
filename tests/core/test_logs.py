"""One line of the log: its fields, what it shows of them, and what it costs where nobody listens."""

import json
import logging
import logging.handlers
import queue
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.errors import Problem
from tiktok_core.logs import FIELDS, SAID, Fields, Log, logger, sentence

TEXTS = st.text(min_size=1)
"""Also with quotes and line breaks."""
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("account", "key", "publish_id", "quota", "log_id"), TEXTS),
    "attempt": st.integers(1, 99),
    "duration": st.floats(0, 1e6),
    "pause": st.floats(0, 60),
    "problem": st.builds(Problem, TEXTS, TEXTS),
}
SOME = st.fixed_dictionaries({}, optional=VALUES)


def written(write: Callable[[], object], level: int = logging.DEBUG) -> Any:
    """Return the record of the line that `write` writes, and None if it writes none.

    Nobody else gets the line: a terminal could not show every text that a property makes up.
    """
    found: list[logging.LogRecord] = []
    ears = logging.Handler()
    ears.emit = found.append  # type: ignore[method-assign,assignment]
    others, logger.handlers[:], logger.propagate = logger.handlers[:], [ears], False
    logger.setLevel(level)
    try:
        write()
    finally:
        logger.handlers[:], logger.propagate = others, True
        logger.setLevel(logging.NOTSET)
    assert len(found) < 2
    return found[0] if found else None


def test_no_field_is_named_as_what_a_record_has_by_itself() -> None:
    """`logging` refuses such a name, on any Python that this runs on."""
    own = {*vars(logging.makeLogRecord({})), "message", "asctime"}
    assert own.isdisjoint(FIELDS)
    assert set(FIELDS) == set(VALUES)


def test_each_field_is_described() -> None:
    """The one place that names the fields says what each is."""
    described = re.findall(r"^\s+(\w+): ", Fields.__doc__ or "", re.MULTILINE)
    assert tuple(described) == FIELDS


@given(SOME, SOME, st.sampled_from(["debug", "warning"]))
def test_a_line_has_each_field_that_is_known_twice(known: dict[str, Any], more: dict[str, Any], level: str) -> None:
    """The record has them as attributes, and the text has those that the sentence does not say. Later ones win."""
    record = written(partial(getattr(Log().about(**known), level), "A %d %% %s", 3, "b", **more))
    fields = {**known, **more}
    assert {name: getattr(record, name) for name in FIELDS if hasattr(record, name)} == fields
    assert record.levelname == level.upper()
    assert sentence(record) == "A 3 % b"
    text = record.getMessage()
    assert len(text.splitlines()) == 1
    assert text.isprintable()
    shown = [name for name in FIELDS if name in fields and name not in SAID]
    if not shown:
        assert text == "A 3 % b"
        return
    rest = text.removeprefix("A 3 % b [").removesuffix("]")
    for name in shown:
        name_there, _, rest = rest.partition("=")
        value, end = json.JSONDecoder().raw_decode(rest)
        rest = rest[end:].removeprefix(" ")
        assert name_there == name
        assert value == (pytest.approx(fields[name], abs=0.001) if name == "duration" else fields[name])
    assert rest == ""


@given(TEXTS, TEXTS, SOME)
def test_the_search_for_one_key_finds_no_other(key: str, other: str, fields: dict[str, Any]) -> None:
    """The text of a line has `key="..."` for its own key alone, whatever the other fields say; so it is with each field."""
    line, another = (
        written(partial(Log().about(**{**fields, "key": one}).debug, "x")).getMessage() for one in (key, other)
    )
    wanted = re.search(r'key="(?:[^"\\]|\\.)*"', line)
    assert wanted
    assert (wanted[0] in another) is (key == other)


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_not_known_hides_nothing(nothing: str | None) -> None:
    """A field that is None or empty is left out, and does not cover what was known before."""
    log = Log().about(account="a", key="b").about(account="", key=nothing)
    record = written(partial(log.debug, "x", publish_id=nothing, log_id=""))
    assert record.getMessage() == 'x [account="a" key="b"]'
    assert not hasattr(record, "publish_id")
    assert not hasattr(record, "log_id")


def test_half_a_character_can_be_written() -> None:
    """A lone surrogate, which no file takes, is escaped."""
    text = written(partial(Log().about(account="a\ud800").debug, "x")).getMessage()
    assert text.encode() == b'x [account="a\\ud800"]'


def test_a_log_does_not_change() -> None:
    """What one flow adds is not seen by another that shares the log that it came from."""
    log = Log().about(account="a")
    assert written(partial(log.about(key="b").debug, "x", attempt=1)).key == "b"
    assert written(partial(log.debug, "x")).getMessage() == 'x [account="a"]'


class Dear:
    """A value that must not be written."""

    def __str__(self) -> str:
        """Fail."""
        raise AssertionError("it was formatted")


@pytest.mark.parametrize("heard", [True, False])
def test_nothing_is_formatted_for_nobody(heard: bool) -> None:
    """Where the level is off no record is made, and where no handler asks for the text it is not made."""
    write = partial(Log().about(key="a").debug, "%s", Dear())
    assert (written(write, logging.DEBUG if heard else logging.WARNING) is not None) is heard


@pytest.mark.parametrize("level", [logging.DEBUG, logging.WARNING])
def test_a_log_knows_which_levels_are_on(level: int) -> None:
    """Who would have to look for a field asks before."""
    found: list[bool] = []
    written(lambda: found.extend(Log().is_on(one) for one in (logging.DEBUG, logging.WARNING)), level)
    assert found == [level == logging.DEBUG, True]


def test_lines_of_a_kind_have_one_text() -> None:
    """Services group lines by `msg`, so no value stands in it."""
    first = written(partial(Log().about(key="a").warning, "%s: trouble", "x"))
    assert written(partial(Log().about(key="b").warning, "%s: trouble", "y", pause=1.0)).msg == first.msg


def test_a_line_is_where_it_was_written() -> None:
    """File and function are those of the caller."""

    def here() -> None:
        Log().warning("x")

    record = written(here)
    assert (Path(record.pathname), record.funcName) == (Path(__file__), "here")


def test_a_line_goes_through_a_queue_as_it_is() -> None:
    """A queue's handler makes the text, and keeps the fields; the text is then the whole sentence."""
    lines: queue.Queue[Any] = queue.Queue()
    record = written(partial(Log().about(account="a").warning, "%d %%", 1, pause=2.0))
    logging.handlers.QueueHandler(lines).emit(record)
    passed = lines.get_nowait()
    assert passed.getMessage() == sentence(passed) == '1 % [account="a"]'
    assert (passed.account, passed.pause) == ("a", 2.0)


def test_the_sentence_of_somebody_elses_line_is_its_text() -> None:
    """Lines of the adapters, and of other libraries, have no fields to leave out."""
    record = logging.makeLogRecord({"msg": "%s of %s", "args": ("a", "b")})
    assert sentence(record) == "a of b"
    assert sentence(logging.makeLogRecord({"msg": "100 %"})) == "100 %"
