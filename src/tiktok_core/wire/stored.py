"""The values in a stored document, read strictly: what has another type than it was written with is damage.

What belongs here: values of any document. What a document is made of is in `records`.
"""

from datetime import UTC, datetime
from types import UnionType
from typing import Any, get_args, get_origin

from attrs import fields

__all__ = ["built", "count_in", "dump_time", "fits", "text_in", "time_in", "time_or_none", "value_in"]


def value_in(document: dict[str, Any], name: str, kind: Any) -> Any:
    """Return a value of exactly this type."""
    if not fits(document[name], kind):
        raise TypeError(name)
    return document[name]


def fits(value: object, kind: Any) -> bool:
    """Whether a JSON value has exactly this type: a bool is not an int. JSON holds a tuple as a list."""
    if isinstance(kind, UnionType):
        return any(fits(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(fits(one, get_args(kind)[0]) for one in value)
    return type(value) is kind


def text_in(document: dict[str, Any], name: str) -> str:
    """Return a text."""
    text: str = value_in(document, name, str)
    return text


def count_in(document: dict[str, Any], name: str) -> int:
    """Return a number from 0 on."""
    number: int = value_in(document, name, int)
    if number < 0:
        raise ValueError(name)
    return number


def time_in(document: dict[str, Any], name: str) -> datetime:
    """Return a time in UTC. One without a zone counts as damage."""
    value = datetime.fromisoformat(text_in(document, name))
    if value.tzinfo is None:
        raise TypeError(name)
    return value.astimezone(UTC)


def time_or_none(document: dict[str, Any], name: str) -> datetime | None:
    """Return a time, or None."""
    return None if document[name] is None else time_in(document, name)


def dump_time(moment: datetime | None) -> str | None:
    """Return the text of a time."""
    return None if moment is None else moment.isoformat()


def built(kind: Any, document: dict[str, Any]) -> Any:
    """Return a flat attrs value. A missing field counts as damage, because its default may mean another post."""
    values = {attribute.name: value_in(document, attribute.name, attribute.type) for attribute in fields(kind)}
    if values.keys() != document.keys():
        raise ValueError("unknown field")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
