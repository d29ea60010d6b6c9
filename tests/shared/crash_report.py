"""What a crash report shows of our frames, and two ways to look at it.

A crash report with local variables shows the `repr` of each local of each frame, and takes containers and the attributes of
values apart. Only our own frames count: those of urllib3, aiohttp, json, sqlite3 and the like are not ours, nor are those of
the simulated TikTok and of the tests.

`shown` looks at an exception that was raised. `Watch` looks at every call that our code makes while it runs, whether or not
that call fails: what would be shown if it did.
"""

import base64
import functools
import gc
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self
from urllib.parse import quote, quote_plus

import tiktok_adapters
import tiktok_core

ROOTS = tuple(f"{Path(str(package.__file__)).parent}/" for package in (tiktok_core, tiktok_adapters))
NOT_OURS = tuple(f"{ROOTS[1]}{name}/" for name in ("testing", "simulator"))
HIDDEN = f"{ROOTS[0]}hidden.py"
COVERS = ("Hidden", "Secret", "_Url", "_Headers")
DEPTH = 6
OURS = ("tiktok_core", "tiktok_adapters")
THEIRS = ("tiktok_adapters.testing", "tiktok_adapters.simulator")


@functools.cache
def is_ours(filename: str) -> bool:
    """Whether a file is the library's own code."""
    return filename.startswith(ROOTS) and not filename.startswith(NOT_OURS)


def spellings(secrets: Iterable[str]) -> dict[str, str]:
    """Return each spelling of the secrets that would give them away, and the secret."""
    found: dict[str, str] = {}
    for secret in secrets:
        assert len(secret) >= 8, "too short to be looked for"
        raw = secret.encode()
        for text in (
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            raw.hex(),
            # Without the ends, which depend on what stands around it.
            *(base64.b64encode(b"\0" * shift + raw).decode()[4:-4] for shift in range(3)),
            *(base64.urlsafe_b64encode(b"\0" * shift + raw).decode()[4:-4] for shift in range(3)),
        ):
            if len(text) >= 8:
                found[text] = secret
    return found


def texts(value: Any, depth: int = DEPTH, seen: set[int] | None = None) -> Iterator[str]:
    """Yield what a crash report shows of a value."""
    seen = set() if seen is None else seen
    if value is None or isinstance(value, (bool, int, float)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield value.decode("latin-1")
    elif depth == 0:
        return
    elif isinstance(value, Mapping):
        for name, content in list(value.items()):
            yield from texts(name, depth - 1, seen)
            yield from texts(content, depth - 1, seen)
    elif isinstance(value, (Sequence, AbstractSet)) and not isinstance(value, (range, memoryview)):
        for content in list(value):
            yield from texts(content, depth - 1, seen)
    else:
        yield from _object(value, depth, seen)


def _object(value: Any, depth: int, seen: set[int]) -> Iterator[str]:
    try:
        yield repr(value)
    except Exception:  # noqa: BLE001 - a crash report passes over what cannot be shown
        return
    if isinstance(value, functools.partial):
        yield from texts((value.func, value.args, value.keywords), depth - 1, seen)
    elif isinstance(value, BaseException):
        yield from texts(value.args, depth - 1, seen)
    kind = type(value)
    if kind.__name__ in COVERS or not kind.__module__.startswith(OURS) or not all(map(_is_taken_apart, kind.__mro__)):
        return  # `repr` is all that it shows.
    names = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ()) if isinstance(name, str)}
    for name in {*names, *getattr(value, "__dict__", {})} - {"__weakref__"}:
        yield from texts(getattr(value, name, None), depth - 1, seen)


def _is_taken_apart(kind: type) -> bool:
    # A value of ours. What inherits from a class of another library's (a request of aiohttp's) is that library's.
    module = kind.__module__
    return (module.startswith(OURS) and not module.startswith(THEIRS)) or module in ("builtins", "typing", "abc")


def leaks(frame: FrameType, secrets: Mapping[str, str]) -> Iterator[str]:
    """Yield where a frame's locals show a secret."""
    for name, value in list(frame.f_locals.items()):
        for text in texts(value):
            for spelling in secrets:
                if spelling in text:
                    code = frame.f_code
                    yield f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}: {name} ({type(value).__name__})"
                    break


def chain(error: BaseException) -> Iterator[TracebackType]:
    """Yield every traceback entry of an exception and of those that it came from."""
    todo, seen = [error], set[int]()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        entry = one.__traceback__
        while entry is not None:
            yield entry
            entry = entry.tb_next
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
        todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def shown(error: BaseException, secrets: Iterable[str]) -> list[str]:
    """Return where a crash report of this exception would show a secret in a frame of ours."""
    looked_for = spellings(secrets)
    return sorted(
        {
            leak
            for entry in chain(error)
            if is_ours(entry.tb_frame.f_code.co_filename)
            for leak in leaks(entry.tb_frame, looked_for)
        }
    )


HARMLESS = (str, bytes, bytearray, dict, list, set, frozenset, tuple, memoryview, int)
"""What works in memory alone. Its methods fail, if at all, by the caller's fault, and a test of that fault looks at it."""
PURE_MODULES = (
    "builtins",
    "re",
    "_hmac",
    "_hashlib",
    "_operator",
    "_json",
    "urllib.parse",
    "_functools",
    "_sre",
    "itertools",
)
NEVER = 1_000.0
"""Seconds after which a thread that computes lets others run. One that waits lets them run at once."""
PURE = {
    (f"{ROOTS[0]}domain/pkce.py", "same_state"),
    (f"{ROOTS[0]}domain/pkce.py", "challenge_of"),
}


class Watch:
    """Looks at our frames at each call that they make, in every thread that is begun meanwhile.

    Locals are looked at when a call leaves the frame, so a parameter may be covered, and dropped, before anything else is done.
    Calls into the cover itself, and into what only works in memory, do not count.

    Meanwhile Python collects no garbage, which would be a call at any place, and no other thread runs while a frame is looked at:
    CPython 3.11 writes a frame's variables back afterwards, and would undo what that thread did to a shared one.
    """

    def __init__(self) -> None:
        self.frames: list[tuple[str, list[tuple[str, str]]]] = []
        self._seen: dict[tuple[Any, int], int] = {}
        self._interval = sys.getswitchinterval()

    def __enter__(self) -> Self:
        gc.disable()
        sys.setswitchinterval(NEVER)
        threading.setprofile(self._look)
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # it takes None, as `sys.setprofile` does
        sys.setswitchinterval(self._interval)
        gc.enable()

    def leaks(self, secrets: Iterable[str]) -> list[str]:
        """Return where one of these secrets was shown."""
        looked_for = spellings(secrets)
        return sorted(
            {
                f"{where}: {name}"
                for where, shown_there in self.frames
                for name, text in shown_there
                if any(spelling in text for spelling in looked_for)
            }
        )

    def _look(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            callee, frame = frame.f_code, frame.f_back  # type: ignore[assignment]
            if frame is None or callee.co_filename == HIDDEN or (callee.co_filename, callee.co_name) in PURE:
                return
            if callee.co_filename == f"{ROOTS[0]}domain/tokens.py" and callee.co_name == "__init__":
                return
            if (
                callee.co_filename.startswith("<frozen")
                or "/urllib/parse.py" in callee.co_filename
                or "/re/" in callee.co_filename
            ):
                return
        elif event == "c_call":
            owner = getattr(argument, "__self__", None)
            if isinstance(owner, HARMLESS) or getattr(argument, "__module__", None) in PURE_MODULES:
                return
            if type(owner).__module__ in PURE_MODULES or (isinstance(owner, type) and issubclass(owner, HARMLESS)):
                return
        else:
            return
        code = frame.f_code
        if not is_ours(code.co_filename) or code.co_filename == HIDDEN or code.co_name == "<module>":
            return
        # A loop comes by the same place many times.
        place = (code, frame.f_lasti)
        if self._seen.get(place, 0) >= 3:
            return
        self._seen[place] = self._seen.get(place, 0) + 1
        sys.setprofile(None)
        try:
            what = getattr(argument, "__qualname__", "") if event == "c_call" else callee.co_qualname
            where = f"{code.co_filename}:{frame.f_lineno} {code.co_qualname} (calling {what})"
            self.frames.append(
                (where, [(name, text) for name, value in list(frame.f_locals.items()) for text in texts(value)])
            )
        finally:
            sys.setprofile(self._look)
