"""Faults: what shall go wrong, where and when.

One readable grammar, usable from Python, the served sandbox and the command line:

    WHERE[:N][xM]=WHAT

`WHERE` is an operation: `authorize`, `token`, `revoke`, `get_qrcode`, `check_qrcode`, `user_info`, `video_list`,
`video_query`, `creator_info`, `init` (any of the three, or one of `video_init`, `inbox_init`, `photo_init`), `put`,
`status`, `cancel`, `data_add`, `data_check`, `data_cancel`, `data_download`, or `*`. `N` counts the matching requests from now on; the next one is 1, which is the default. `M` is
how many requests in a row it meets; the default is 1. Examples: `put:2=drop-after`, `statusx3=code:internal_error`,
`init=fail:spam_risk`. Several faults may meet one request; two that shall come one after the other need different `N`.

`WHAT` is one of:

- `unreachable`: nothing leaves the client, and it knows that (over a socket it looks like `drop-before`).
- `drop-before`: the request arrives and the connection is closed before it is handled; the client cannot know that.
- `drop-after`: it is handled and its answer is lost.
- `drop-at:N`: the connection is lost after N bytes of the body (`put`).
- `truncate`: the answer's body is cut in the middle.
- `garbage`: an answer of status 200 that is not in any documented shape.
- `slow:SECONDS`: handled at once, answered late.
- `status:NNN`: a bare HTTP status, not handled.
- `code:WORD` or `code:WORD@NNN`: a refusal in the documented shape with the documented (or this) HTTP status.
- `redirect:URL`: sent elsewhere with 307, not handled.
- `expire`: the access token, or the upload URL of a `put`, dies just before the request.
- `foreign-upload-host`: the upload URL of an init is on another host.
- `fail:REASON`: the post of this init fails with this reason; `late-fail:REASON`: after it was complete.
- `never-ends`: the post of this init stays in progress; `backwards`: its status goes back once; `word:WORD`: its status
  is an unknown word while it is in progress.

What belongs here: the vocabulary, and which fault meets which request. What a fault does stands in `mishaps.py`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field, frozen

__all__ = ["INITS", "OAUTH", "OPERATIONS", "POST_FAULTS", "Fault", "Faults", "parse_fault"]

INITS: Final = frozenset({"video_init", "inbox_init", "photo_init"})
OAUTH: Final = frozenset({"token", "revoke", "get_qrcode", "check_qrcode"})
OPERATIONS: Final = (
    *("authorize", "token", "revoke", "get_qrcode", "check_qrcode"),
    *("user_info", "video_list", "video_query", "creator_info"),
    *("video_init", "inbox_init", "photo_init", "put", "status", "cancel"),
    *("data_add", "data_check", "data_cancel", "data_download"),
)
_WHERES: Final = frozenset({*OPERATIONS, "init", "*"})
_POSTING: Final = frozenset({*INITS, "init"})

POST_FAULTS: Final = frozenset({"fail", "late-fail", "never-ends", "backwards", "word"})
"""Faults that change the life of the post which an init begins."""


@frozen
class Fault:
    """One thing that goes wrong.

    Attributes:
        where: an operation, `init`, or `*`.
        what: the word of the vocabulary.
        detail: what stands after the word's colon; empty where it has none.
        nth: the first matching request that it meets, counted from 1.
        times: how many in a row.
    """

    where: str
    what: str
    detail: str = ""
    nth: int = 1
    times: int = 1

    def __str__(self) -> str:
        nth = f":{self.nth}" if self.nth != 1 else ""
        times = f"x{self.times}" if self.times != 1 else ""
        return f"{self.where}{nth}{times}={self.what}" + (f":{self.detail}" if self.detail else "")

    def meets(self, operation: str) -> bool:
        """Return whether `operation` is where this fault is."""
        return self.where in {"*", operation} or (self.where == "init" and operation in INITS)


def _none(detail: str) -> bool:
    return not detail


def _reason(detail: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._-]{1,64}", detail) is not None


def _seconds(detail: str) -> bool:
    return re.fullmatch(r"\d{1,6}(\.\d{1,6})?", detail, re.ASCII) is not None


def _bytes(detail: str) -> bool:
    return re.fullmatch(r"\d{1,12}", detail, re.ASCII) is not None


def _status(detail: str) -> bool:
    return re.fullmatch(r"[2-5]\d\d", detail, re.ASCII) is not None


def _code(detail: str) -> bool:
    return re.fullmatch(r"[a-z0-9_]{1,64}(@[2-5]\d\d)?", detail, re.ASCII) is not None


def _url(detail: str) -> bool:
    return detail.isprintable() and " " not in detail and bool(urlsplit(detail).netloc)


_VOCABULARY: Final[Mapping[str, tuple[Callable[[str], bool], frozenset[str]]]] = {
    "unreachable": (_none, _WHERES),
    "drop-before": (_none, _WHERES),
    "drop-after": (_none, _WHERES),
    "drop-at": (_bytes, frozenset({"put"})),
    "truncate": (_none, _WHERES),
    "garbage": (_none, _WHERES),
    "slow": (_seconds, _WHERES),
    "status": (_status, _WHERES),
    "code": (_code, _WHERES - {"authorize", "put", "*"}),
    "redirect": (_url, _WHERES),
    "expire": (_none, _WHERES - {"authorize", *OAUTH}),
    "foreign-upload-host": (_none, frozenset({"init", "video_init", "inbox_init"})),
    "fail": (_reason, _POSTING),
    "late-fail": (_reason, _POSTING),
    "never-ends": (_none, _POSTING),
    "backwards": (_none, _POSTING),
    "word": (_reason, _POSTING),
}

_SHAPE: Final = re.compile(
    r"(?P<where>[a-z_]+|\*)(:(?P<nth>[1-9]\d{0,5}))?(x(?P<times>[1-9]\d{0,5}))?=(?P<what>[a-z-]+)(:(?P<detail>.*))?",
    re.ASCII,
)


def parse_fault(text: str) -> Fault:
    """Return the fault that `text` describes: `WHERE[:N][xM]=WHAT`, as at the head of this module.

    Raises:
        ValueError: another shape, an unknown word, a detail that does not fit, or a word that has no sense there.
    """
    found = _match(text.strip())
    where, what, detail = found["where"], found["what"], found["detail"] or ""
    if where not in _WHERES:
        raise ValueError(f"{text!r}: no operation is called {where!r}; there are {', '.join(sorted(_WHERES))}")
    if what not in _VOCABULARY:
        raise ValueError(f"{text!r}: no fault is called {what!r}; there are {', '.join(_VOCABULARY)}")
    fits, places = _VOCABULARY[what]
    if not fits(detail):
        raise ValueError(f"{text!r}: {detail!r} is not what {what!r} needs")
    if where not in places:
        raise ValueError(f"{text!r}: {what!r} has no sense at {where!r}, only at {', '.join(sorted(places))}")
    return Fault(where, what, detail, int(found["nth"] or 1), int(found["times"] or 1))


def _match(text: str) -> Mapping[str, Any]:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a fault: it is spelled WHERE[:N][xM]=WHAT, such as put:2=drop-after")
    return found.groupdict()


@define(eq=False)
class _Waiting:
    fault: Fault
    seen: int = 0


@define(eq=False)
class Faults:
    """The faults that are still to come."""

    _waiting: list[_Waiting] = field(factory=list)

    def add(self, fault: Fault | str) -> Fault:
        """Add a fault, parsed where it is a text, and return it.

        Raises:
            ValueError: the text is not a fault.
        """
        parsed = parse_fault(fault) if isinstance(fault, str) else fault
        self._waiting.append(_Waiting(parsed))
        return parsed

    def clear(self) -> None:
        """Forget all that are still to come."""
        self._waiting.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What is still to come, in the order in which it was added."""
        return tuple(waiting.fault for waiting in self._waiting)

    def take(self, operation: str) -> tuple[Fault, ...]:
        """Count a request of this operation and return the faults that meet it."""
        met = []
        for waiting in [one for one in self._waiting if one.fault.meets(operation)]:
            waiting.seen += 1
            if waiting.seen >= waiting.fault.nth:
                met.append(waiting.fault)
            if waiting.seen >= waiting.fault.nth + waiting.fault.times - 1:
                self._waiting.remove(waiting)
        return tuple(met)
