"""Faults: the errors that the simulator makes on purpose, where and when.

One readable grammar serves Python, the served sandbox and the command line:

    WHERE[:N][xM]=WHAT

`WHERE` is an operation: `authorize`, `token`, `revoke`, `get_qrcode`, `check_qrcode`, `user_info`, `video_list`,
`video_query`, `creator_info`, `init` (any of the three, or one of `video_init`, `inbox_init`, `photo_init`), `put`,
`status`, `cancel`, `data_add`, `data_check`, `data_cancel`, `data_download`, or `*`. `N` counts the matching requests from now
on; the next one is 1, which is the default. `M` is the number of requests in a row that the fault meets; the default is 1.
Examples: `put:2=drop-after`, `statusx3=code:internal_error`, `init=fail:spam_risk`. Several faults may meet one request; two
faults that should come one after the other need different `N`.

`WHAT` is one of:

- `unreachable`: the client sends nothing, and knows it (over a socket this looks like `drop-before`).
- `drop-before`: the request arrives, and the server closes the connection before it handles the request; the client cannot
  know that.
- `drop-after`: the server handles the request, and the answer is lost.
- `drop-at:N`: the connection is lost after N bytes of the body (`put`).
- `truncate`: the body of the answer is cut in the middle.
- `garbage`: the answer has status 200 and no documented shape.
- `slow:SECONDS`: the server handles the request at once and answers late.
- `status:NNN`: a bare HTTP status; the server does not handle the request.
- `code:WORD` or `code:WORD@NNN`: a refusal in the documented shape with the documented (or this) HTTP status.
- `redirect:URL`: a redirect with 307; the server does not handle the request.
- `expire`: the access token, or the upload URL of a `put`, expires just before the request.
- `foreign-upload-host`: the upload URL of an init is on another host.
- `fail:REASON`: the post of this init fails with this reason; `late-fail:REASON`: it fails after it was complete.
- `never-ends`: the post of this init stays in progress; `backwards`: its status goes back once; `word:WORD`: its status
  is an unknown word while it is in progress.

What belongs here: the vocabulary, and which fault meets which request. The effects of a fault are in `mishaps.py`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, evolve, field, frozen

from tiktok_adapters.simulator.switches import near

__all__ = ["INITS", "OAUTH", "OPERATIONS", "POST_FAULTS", "WORDS", "Fault", "Faults", "parse_fault"]

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
"""Faults that change the life of the post that an init begins."""


@frozen
class Fault:
    """One fault.

    Attributes:
        where: an operation, `init`, or `*`.
        what: the word of the vocabulary.
        detail: the text after the word's colon; empty if there is none.
        nth: the first matching request that the fault meets, counted from 1.
        times: the number of requests in a row that it meets.
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
        """Return whether this fault applies to `operation`."""
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

WORDS: Final = tuple(_VOCABULARY)
"""Everything that a fault may do."""

_WANTS: Final[Mapping[Callable[[str], bool], str]] = {
    _reason: "{}:WORD, such as {}:spam_risk",
    _seconds: "{}:SECONDS, such as {}:2.5",
    _bytes: "{}:BYTES, such as {}:1000",
    _status: "{}:NNN, such as {}:503",
    _code: "{}:WORD or {}:WORD@NNN, such as {}:internal_error@500",
    _url: "{}:URL, such as {}:https://www.example.com/",
}
"""How to write a fault of each kind, with the fault's word for each pair of braces."""

_SHAPE: Final = re.compile(
    r"(?P<where>[A-Za-z_-]+?|\*)(:(?P<nth>[1-9]\d{0,5}))?(x(?P<times>[1-9]\d{0,5}))?=(?P<what>[A-Za-z_-]+)(:(?P<detail>.*))?",
    re.ASCII,
)


def parse_fault(text: str) -> Fault:
    """Return the fault that `text` describes: `WHERE[:N][xM]=WHAT`, as in this module's docstring.

    Raises:
        ValueError: the text has another shape, an unknown word, a wrong detail, or a word that does not apply to WHERE.
    """
    found = _match(text.strip())
    where, what = found["where"].lower().replace("-", "_"), found["what"].lower().replace("_", "-")
    detail = found["detail"] or ""
    if where not in _WHERES:
        said = f"{near(where, _WHERES)}; the operations are {', '.join(sorted(_WHERES))}"
        raise ValueError(f"{text!r}: no operation is called {where!r}{said}")
    if what not in _VOCABULARY:
        said = f"{near(what, _VOCABULARY)}; the faults are {', '.join(_VOCABULARY)}"
        raise ValueError(f"{text!r}: no fault is called {what!r}{said}")
    fits, places = _VOCABULARY[what]
    if not fits(detail):
        wants = _WANTS.get(fits)
        said = f"write {wants.replace('{}', what)}" if wants else f"{what!r} has nothing after it"
        raise ValueError(f"{text!r}: {detail!r} does not fit {what!r}: {said}")
    if where not in places:
        raise ValueError(f"{text!r}: {what!r} does not apply to {where!r}, only to {', '.join(sorted(places))}")
    return Fault(where, what, detail, int(found["nth"] or 1), int(found["times"] or 1))


def _match(text: str) -> Mapping[str, Any]:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a fault: write WHERE[:N][xM]=WHAT, such as put:2=drop-after")
    return found.groupdict()


@define(eq=False)
class _Waiting:
    fault: Fault
    seen: int = 0


@define(eq=False)
class Faults:
    """The faults that are still pending."""

    _waiting: list[_Waiting] = field(factory=list)

    def add(self, fault: Fault | str) -> Fault:
        """Add a fault, or parse and add a text, and return the fault.

        Raises:
            ValueError: the text does not describe a fault.
        """
        parsed = parse_fault(fault) if isinstance(fault, str) else fault
        self._waiting.append(_Waiting(parsed))
        return parsed

    def clear(self) -> None:
        """Remove all pending faults."""
        self._waiting.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The pending faults, in the order in which they were added."""
        return tuple(waiting.fault for waiting in self._waiting)

    @property
    def left(self) -> tuple[Fault, ...]:
        """What is left of the pending faults, counted from now on."""
        return tuple(
            evolve(
                one.fault,
                nth=max(1, one.fault.nth - one.seen),
                times=one.fault.times - max(0, one.seen - one.fault.nth + 1),
            )
            for one in self._waiting
        )

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
