"""The log of the library: the fields of its lines, by which a reader finds what belongs to one account, post or request.

What belongs here: the names of the fields, and how a line shows them. What is worth a line is decided where it happens.

The fields are passed on as a value (`Context.log`), like everything else that a flow is given. A context variable would be
wrong in some places: a port of the program's own may run its work (`protect`, `background`) on another thread, which sees
other variables; the blocking client would set the variables of its caller; and a coroutine that is closed from another
thread, or by the garbage collector, cannot reset a variable that it has set. A value is right in threads, in tasks and in
both clients.
"""

import json
import logging
from collections.abc import Mapping
from typing import Final, TypedDict, Unpack

from attrs import field, frozen

from tiktok_core.errors import Problem

__all__ = ["FIELDS", "Fields", "Log", "sentence"]

logger: Final = logging.getLogger("tiktok_core")
# A library does not print: the program that embeds it decides where its log goes.
logger.addHandler(logging.NullHandler())


class Fields(TypedDict, total=False):
    """The fields of a line. The `LogRecord` has an attribute for each that is known, and none for the others.

    Attributes:
        account: the account's `open_id`.
        key: the post's key in the journal.
        publish_id: TikTok's id of the post.
        quota: which of TikTok's quotas is waited for: `init`, `creator_info`, `status` or `portability`.
        log_id: TikTok's id of the exchange.
        attempt: which sending of the request this is, from 1; the repetitions of one call count.
        duration: seconds from handing the request to the transport until it ended, by the client's clock.
        pause: seconds until it goes on; the sentence says it, too.
        problem: what is doubtful about a file or a setting; the sentence says it, too.
    """

    account: str
    key: str | None
    publish_id: str | None
    quota: str
    log_id: str
    attempt: int
    duration: float
    pause: float
    problem: Problem


FIELDS: Final = tuple(Fields.__annotations__)
"""The names of all fields, in the order in which a line shows them."""
SAID: Final = frozenset({"pause", "problem"})
"""Fields that the sentence of a line has in it already."""


@frozen
class Log:
    """Writes lines that carry the fields that are known so far. Nothing is formatted unless a handler asks for the text."""

    _fields: Mapping[str, object] = field(factory=dict)

    def about(self, **fields: Unpack[Fields]) -> "Log":
        """Return a log whose lines carry these fields, too. A field that is None or empty is not known, and changes nothing."""
        return Log({**self._fields, **_known(fields)})

    def is_on(self, level: int) -> bool:
        """Whether lines of this level go anywhere."""
        return logger.isEnabledFor(level)

    def debug(self, text: str, *args: object, **fields: Unpack[Fields]) -> None:
        """Write what helps to follow a call. The text has a `%` place for each argument."""
        self._write(logging.DEBUG, text, args, fields)

    def warning(self, text: str, *args: object, **fields: Unpack[Fields]) -> None:
        """Write what a person may have to know. The text has a `%` place for each argument."""
        self._write(logging.WARNING, text, args, fields)

    def _write(self, level: int, text: str, args: tuple[object, ...], fields: Fields) -> None:
        if logger.isEnabledFor(level):
            known = {**self._fields, **_known(fields)}
            # The fields are an argument: so the text is the same in all lines of a kind, and services can group them by it.
            with_fields = f"{text}%s"
            # The place of a line is that of the flow, three frames above.
            logger.log(level, with_fields, *args, _Shown(known), extra=known, stacklevel=3)


def sentence(record: logging.LogRecord) -> str:
    """Return the text of a line without its fields, for a person who does not search in it."""
    if isinstance(record.args, tuple) and record.args and isinstance(record.args[-1], _Shown):
        return str(record.msg).removesuffix("%s") % record.args[:-1]
    return record.getMessage()


def _known(fields: Fields) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None and value != ""}


@frozen
class _Shown:
    _fields: Mapping[str, object]

    def __str__(self) -> str:
        shown = [
            f"{name}={_spelled(self._fields[name])}" for name in FIELDS if name in self._fields and name not in SAID
        ]
        return f" [{' '.join(shown)}]" if shown else ""


def _spelled(value: object) -> str:
    if isinstance(value, str):
        # In quotes, so that a search for one key does not find others that begin with it; and always on one line.
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return f"{value:.3f}" if isinstance(value, float) else str(value)
