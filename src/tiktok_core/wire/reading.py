"""The one reader of foreign data: JSON documents, whole numbers and words.

This module turns foreign bytes into values that all later code can print, pickle, store and compute with. It refuses a
document that cannot become such a value, and gives one reason, so that no later code has to deal with it.
"""

import json
import re
from codecs import BOM_UTF8
from functools import partial
from math import isfinite
from typing import Any, Final, NoReturn

from tiktok_core.domain.tokens import Secret
from tiktok_core.hidden import Hidden

__all__ = ["PLAIN", "Unreadable", "covering", "json_value", "keeping", "plain", "whole_number", "word"]

DEEPEST: Final = 64
"""The most levels of nested lists and objects. TikTok uses five; Python can print and pickle many more than 64."""
LONGEST_NUMBER: Final = 640
"""The most digits of a number: Python prints this many under each of its settings (`sys.set_int_max_str_digits`)."""
LEAST: Final = -(2**63)
MOST: Final = 2**64 - 1
LONGEST_WORDS: Final = 500
WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class Unreadable(ValueError):
    """The text is not a JSON document that the library can use. The message is one clause and quotes none of the text."""


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(f"it contains {name}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise Unreadable("a number in it is beyond the limit of floats")
    return number


def _short(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise Unreadable(f"a number in it is beyond the limit of {LONGEST_NUMBER} digits")
    return int(digits)


_decoder = partial(json.JSONDecoder, parse_constant=_no_constant, parse_float=_finite, parse_int=_short)
PLAIN: Final = _decoder()


def covering(*names: str) -> json.JSONDecoder:
    """Return a decoder that turns strings in these fields, at any depth of the document, into `Secret`s."""
    return _decoder(object_hook=partial(_covered, names=frozenset(names)))


def _covered(found: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    for name in names & found.keys():
        if isinstance(found[name], str):
            found[name] = Secret(found[name])
    return found


def keeping(*names: str) -> json.JSONDecoder:
    """Return a decoder that drops all but these fields, at any depth of the document."""
    return _decoder(object_hook=partial(_kept, names=frozenset(names)))


def _kept(found: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    for name in found.keys() - names:
        del found[name]
    return found


def json_value(text: bytes | str, decoder: json.JSONDecoder = PLAIN) -> Any:
    """Return the value of a JSON text. Lone surrogates become U+FFFD, because no store can write them.

    Args:
        text: the document.
        decoder: `PLAIN`, or one that wraps the secrets of the document.

    Raises:
        Unreadable: the text is not JSON (NaN, Infinity and numbers too large for a float are not), it has more than 64
            nested levels, or a number has more than 640 digits.
    """
    said: Hidden[Any] = Hidden(text)
    del text  # A crash report would show it.
    try:
        if isinstance(said.reveal(), bytes):
            said = Hidden(said.reveal().removeprefix(BOM_UTF8).decode())
        value = decoder.decode(said.reveal())
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("it is not JSON") from None
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    if said.reveal().count("[") + said.reveal().count("{") > DEEPEST:
        _check_depth(value)
    return _without_surrogates(value) if SURROGATE.search(said.reveal()) else value


def whole_number(value: object, *, least: int = LEAST, most: int = MOST) -> int:
    """Return a whole number that came as an integer or as a string of ASCII digits. A float does not count: it may be rounded.

    Args:
        value: the JSON value.
        least: the smallest allowed number; that of signed 64 bits unless given.
        most: the largest allowed number; that of unsigned 64 bits unless given.

    Raises:
        ValueError: the value is not a whole number, or is out of bounds.
    """
    if isinstance(value, str) and WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError("not a whole number within its bounds")
    return value


def word(value: object) -> str:
    """Return a JSON value as a string: a string unchanged, a whole number in digits, and an empty string for other values."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def plain(text: str) -> str:
    """Return foreign words for one line of a message: shortened, and without control characters or lone surrogates."""
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"
        for letter in text[:LONGEST_WORDS]
    ).strip()


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level if isinstance(one, (dict, list)) for inner in _members(one)]
    if any(isinstance(one, (dict, list)) for one in level):
        raise Unreadable("it is nested too deeply")


def _members(one: dict[str, Any] | list[Any]) -> Any:
    return one.values() if isinstance(one, dict) else one


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, Secret):
        return Secret(_without_surrogates(value.reveal()))
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(one) for one in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(one) for name, one in value.items()}
    return value
