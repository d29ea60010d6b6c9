"""The one reader of foreign JSON and numbers: every later step can show, pickle and write what it returns."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.tokens import lifetime_end
from tiktok_core.wire.http import Request, redacted
from tiktok_core.wire.reading import DEEPEST, LONGEST_NUMBER, Unreadable, json_value, keeping, plain, whole_number, word

ANY = st.characters(exclude_categories=())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)


@given(VALUES)
def test_what_is_json_is_read_as_it_was_written(value: Any) -> None:
    """The JSON may be bytes, with or without a byte-order mark, or text."""
    text = json.dumps(value)
    assert json_value(text) == json_value(text.encode()) == json_value(b"\xef\xbb\xbf" + text.encode()) == value


@given(VALUES)
def test_a_reader_of_some_fields_keeps_no_others(value: Any) -> None:
    """At any depth, an object has the wanted fields with their values, and no other field."""
    found = json_value(json.dumps({"a": value, "b": [{"b": value, "a": 1}]}), keeping("a"))
    assert found.keys() == {"a"}
    assert json_value(json.dumps(value), keeping()) == _emptied(value)


def _emptied(value: Any) -> Any:
    if isinstance(value, list):
        return [_emptied(one) for one in value]
    return {} if isinstance(value, dict) else value


@given(st.text(ANY, max_size=9) | st.binary(max_size=9) | VALUES.map(json.dumps))
def test_any_text_is_a_value_or_unreadable(text: str | bytes) -> None:
    """Each value can be shown, pickled and written as UTF-8."""
    try:
        value = json_value(text)
    except Unreadable:
        return
    if isinstance(text, bytes) or text.isascii():
        assert json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    assert pickle.loads(pickle.dumps(value)) == value
    assert repr(value)


@given(st.lists(st.text(ANY, max_size=4), max_size=4))
def test_lone_surrogates_become_a_mark_that_can_be_written(texts: list[str]) -> None:
    """A pair of surrogates is the letter that it spells. Other characters stay."""
    value = json_value(json.dumps({"texts": texts, **dict.fromkeys(texts, 1)}))
    for found, text in zip(value["texts"], texts, strict=True):
        assert found.encode().decode() == found
        assert found == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@pytest.mark.parametrize(
    "text",
    [
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        '{"a":' * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1),
        "[" * 100_000,
        "1" * (LONGEST_NUMBER + 1),
        "1e400",
        "NaN",
        b"\xff\xfe1\0",
        b'"\xed\xa0\x80"',
        "",
    ],
)
def test_what_later_steps_cannot_work_with_is_unreadable(text: str | bytes) -> None:
    """The reader refuses deep nesting, endless numbers, `NaN` and the like, and bytes that are no UTF-8."""
    with pytest.raises(Unreadable):
        json_value(text)


def test_what_is_just_within_the_bounds_is_read() -> None:
    """The bounds are the largest accepted values."""
    assert json_value("[" * DEEPEST + "]" * DEEPEST)
    assert json_value("7" * LONGEST_NUMBER) == int("7" * LONGEST_NUMBER)


@given(st.integers())
def test_a_whole_number_comes_as_one_or_as_digits(number: int) -> None:
    """Within 64 bits the reader accepts both forms, and beyond 64 bits it refuses both."""
    for spelled in (number, str(number), f" {number} "):
        if -(2**63) <= number < 2**64:
            assert whole_number(spelled) == number
        else:
            with pytest.raises(ValueError, match="bounds"):
                whole_number(spelled)


@pytest.mark.parametrize(
    "value", [True, None, 1.0, float("nan"), "", "1_0", "\u0663", "+1", "0x1", "9" * 5_000, [1], {}]
)
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    """A float may have been rounded, and only some readers know other digits."""
    with pytest.raises(ValueError, match="bounds"):
        whole_number(value)


@given(st.none() | st.booleans() | st.text(ANY) | st.integers(-(10**300), 10**300) | st.lists(st.text()))
def test_words_are_texts_and_numbers_alone(value: object) -> None:
    """An object or a list may have a token in it, so no error shows it."""
    assert word(value) == (value if isinstance(value, str) else str(value) if type(value) is int else "")
    assert plain(word(value)).encode().decode().isprintable()


@given(st.text(ANY))
def test_any_url_can_be_shown_without_its_secrets(url: str) -> None:
    """No text raises. Query, fragment and user are left out."""
    shown = redacted(f"https://user:word@host.example/path?{url}")
    assert shown == "https://host.example/path"
    assert redacted(url).count("?") == redacted(url).count("#") == 0


@pytest.mark.parametrize("url", ["http://[", "https://a:99999/x", "https://[::1].x/", "//", "", "a@b"])
def test_a_request_to_an_odd_url_has_a_name(url: str) -> None:
    """Errors and logs show the name, so it must not raise."""
    assert Request(method="GET", url=url).name.startswith("GET ")


@given(st.integers() | st.floats())
def test_any_lifetime_ends_at_some_time(seconds: float) -> None:
    """The end is not before now, and not after ten years."""
    now = datetime(2026, 11, 29, tzinfo=UTC)
    assert now <= lifetime_end(now, seconds) <= now + timedelta(days=3_660)
