"""The sandbox's own pages, which the real TikTok does not have: posts, requests, faults, switches.

What belongs here: `/` and every path below `/_sandbox/`, except the videos, which the server streams. The log leaves out
requests for these pages, and faults never meet them.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import asdict, frozen

from tiktok_adapters.simulator.answers import Refused, json_answer, plain
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.faults import Faults
from tiktok_adapters.simulator.pages import html, posts_page
from tiktok_adapters.simulator.rules import is_loopback
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Post
from tiktok_core.wire.http import Response

__all__ = ["LogEntry", "Sandbox", "control", "is_control"]


@frozen
class LogEntry:
    """One request in the log.

    Attributes:
        method: the method, in upper case.
        path: the path without the query, which may hold secrets.
        operation: the name in the vocabulary of faults; `other` for an unknown path.
        status: the HTTP status of the answer; None if the connection was lost.
        account: the `open_id` of the request's token or upload URL; empty if it had none.
    """

    method: str
    path: str
    operation: str
    status: int | None
    account: str


class Sandbox(Protocol):
    """The parts of the simulator that these pages show and change."""

    switches: Switches
    faults: Faults
    keep_bytes: bool

    @property
    def posts(self) -> Sequence[Post]:
        """All posts, in the order of their inits."""
        ...

    @property
    def log(self) -> Sequence[LogEntry]:
        """All requests, in order."""
        ...


def is_control(path: str) -> bool:
    """Return whether a path is the sandbox's own."""
    return path == "/" or path.startswith("/_sandbox/")


def control(sandbox: Sandbox, call: Call) -> Response:
    """Answer a request to one of the sandbox's own pages."""
    if _is_foreign(call):
        return plain("Only pages of this machine may ask.\n", 403)
    page = _PAGES.get((call.request.method, call.path))
    if page is None:
        return plain("Not found\n", 404)
    try:
        return page(sandbox, call)
    except (ValueError, Refused) as problem:
        return plain(f"{problem}\n", 400)


def _is_foreign(call: Call) -> bool:
    """Return whether a page of another site asks. Browsers name its origin, or at least say that it is another site.

    A link from another site may lead to a page here: that site does not see the answer, and nothing changes.
    """
    origin = call.headers.get("origin")
    if origin is not None:
        return not is_loopback(origin) and urlsplit(origin).netloc != urlsplit(call.origin).netloc
    return call.request.method != "GET" and call.headers.get("sec-fetch-site", "none") == "cross-site"


def _posts_page(sandbox: Sandbox, _call: Call) -> Response:
    return html(posts_page(sandbox.posts, videos=sandbox.keep_bytes))


def _posts(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([_spelled(post) for post in sandbox.posts])


def _spelled(post: Post) -> dict[str, Any]:
    document = asdict(post)
    document["created_at"] = post.created_at.isoformat()
    return document


def _log(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([asdict(entry) for entry in sandbox.log])


def _add_faults(sandbox: Sandbox, call: Call) -> Response:
    """Add the faults in the body, one on each line; if one is wrong, add none."""
    lines = [line for line in call.body.decode("utf-8", "replace").splitlines() if line.strip()]
    trial = Faults()
    parsed = [trial.add(line) for line in lines]
    for fault in parsed:
        sandbox.faults.add(fault)
    return _show_faults(sandbox, call)


def _show_faults(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([str(fault) for fault in sandbox.faults.pending])


def _clear_faults(sandbox: Sandbox, call: Call) -> Response:
    sandbox.faults.clear()
    return _show_faults(sandbox, call)


def _flip(sandbox: Sandbox, call: Call) -> Response:
    values = json.loads(call.body)
    if not isinstance(values, dict):
        raise ValueError("switches must be a JSON object")  # noqa: TRY004 - the value comes from the request, not from our code
    sandbox.switches.flip(values)
    return _show_switches(sandbox, call)


def _show_switches(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer(asdict(sandbox.switches))


_PAGES: dict[tuple[str, str], Callable[[Sandbox, Call], Response]] = {
    ("GET", "/"): _posts_page,
    ("GET", "/_sandbox/posts"): _posts,
    ("GET", "/_sandbox/log"): _log,
    ("GET", "/_sandbox/faults"): _show_faults,
    ("POST", "/_sandbox/faults"): _add_faults,
    ("DELETE", "/_sandbox/faults"): _clear_faults,
    ("GET", "/_sandbox/switches"): _show_switches,
    ("POST", "/_sandbox/switches"): _flip,
}
