"""The one reader of foreign JSON and numbers: what it returns can be shown, pickled and written by every later step."""

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.tokens import lifetime_end
from tiktok_core.wire.http import Request, redacted
from tiktok_core.wire.reading import DEEPEST, LONGEST_NUMBER, Unreadable, json_value, plain, whole_number, word

ANY = st.characters(exclude_categories=())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)


@given(VALUES)
def test_what_is_json_is_read_as_it_was_written(value: Any) -> None:
    """As bytes with and without a byte-order mark, and as a text."""
    text = json.dumps(value)
    assert json_value(text) == json_value(text.encode()) == json_value(b"\xef\xbb\xbf" + text.encode()) == value


@given(st.text(ANY, max_size=9) | st.binary(max_size=9) | VALUES.map(json.dumps))
def test_any_text_is_a_value_or_unreadable(text: str | bytes) -> None:
    """Nothing else comes out of it, and each value can be shown, pickled and written as UTF-8."""
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
    """A pair of them is the letter that it spells; what is no surrogate stays."""
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
    """Nesting, numbers without end, what is no number, and bytes that are no UTF-8."""
    with pytest.raises(Unreadable):
        json_value(text)


def test_what_is_just_within_the_bounds_is_read() -> None:
    """The bounds are the largest that are taken."""
    assert json_value("[" * DEEPEST + "]" * DEEPEST)
    assert json_value("7" * LONGEST_NUMBER) == int("7" * LONGEST_NUMBER)


@given(st.integers())
def test_a_whole_number_comes_as_one_or_as_digits(number: int) -> None:
    """Within 64 bits it is read either way, and beyond them it is refused either way."""
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
    """A float may have been rounded, and other digits are another reader's."""
    with pytest.raises(ValueError, match="bounds"):
        whole_number(value)


@given(st.none() | st.booleans() | st.text(ANY) | st.integers(-(10**300), 10**300) | st.lists(st.text()))
def test_words_are_texts_and_numbers_alone(value: object) -> None:
    """An object or a list may hold a token, and is nothing to be shown."""
    assert word(value) == (value if isinstance(value, str) else str(value) if type(value) is int else "")
    assert plain(word(value)).encode().decode().isprintable()


@given(st.text(ANY))
def test_any_url_can_be_shown_without_its_secrets(url: str) -> None:
    """No text raises, and neither query, fragment nor user is in it."""
    shown = redacted(f"https://user:word@host.example/path?{url}")
    assert shown == "https://host.example/path"
    assert redacted(url).count("?") == redacted(url).count("#") == 0


@pytest.mark.parametrize("url", ["http://[", "https://a:99999/x", "https://[::1].x/", "//", "", "a@b"])
def test_a_request_to_an_odd_url_has_a_name(url: str) -> None:
    """Errors and logs show it, so it may not raise."""
    assert Request(method="GET", url=url).name.startswith("GET ")


@given(st.integers() | st.floats())
def test_any_lifetime_ends_at_some_time(seconds: float) -> None:
    """Not before now, and not after ten years."""
    now = datetime(2026, 11, 29, tzinfo=UTC)
    assert now <= lifetime_end(now, seconds) <= now + timedelta(days=3_660)
