"""The values of a stored document, read as strictly as they were written: what does not fit is damage, and is never guessed.

What belongs here: how one value is read. Which values a document has is said by `records`.
"""

from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin

from attrs import fields

__all__ = ["built", "count_of", "fits", "text_of", "time_of", "time_or_none", "value_of"]


def value_of(document: dict[str, Any], name: str, kind: Any) -> Any:
    """Return a field of exactly this type.

    Raises:
        LookupError, TypeError: it is missing, or of another type.
    """
    if not fits(document[name], kind):
        raise TypeError(name)
    return document[name]


def text_of(document: dict[str, Any], name: str) -> str:
    """Return a field that is a text."""
    text: str = value_of(document, name, str)
    return text


def count_of(document: dict[str, Any], name: str) -> int:
    """Return a field that is a whole number, and not negative."""
    number: int = value_of(document, name, int)
    if number < 0:
        raise ValueError(name)
    return number


def time_of(document: dict[str, Any], name: str) -> datetime:
    """Return a field that is a time with its zone, in UTC."""
    value = datetime.fromisoformat(text_of(document, name))
    if value.tzinfo is None:
        raise TypeError(name)
    return value.astimezone(UTC)


def time_or_none(document: dict[str, Any], name: str) -> datetime | None:
    """Return a field that is such a time, or null."""
    return None if document[name] is None else time_of(document, name)


def built(kind: Any, document: dict[str, Any]) -> Any:
    """Return a flat attrs value. A missing field counts as damage, because its default may mean another post."""
    values = {attribute.name: value_of(document, attribute.name, attribute.type) for attribute in fields(kind)}
    if values.keys() != document.keys():
        raise ValueError("unknown field")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def fits(value: object, kind: Any) -> bool:
    """Whether a JSON value has exactly this type: a bool is not an int. JSON holds a tuple as a list."""
    if isinstance(kind, UnionType):
        return any(fits(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(fits(one, get_args(kind)[0]) for one in value)
    return type(value) is kind
