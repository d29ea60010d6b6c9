"""The sandbox's own calls, which the real TikTok does not have: reading and changing the simulated world over HTTP.

What belongs here: `/` and every path below `/_sandbox/`, except what the server streams (videos, and the events of the page).
The log leaves out requests for these paths, and faults never meet them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, Final, get_type_hints
from urllib.parse import parse_qsl, urlsplit

from attrs import asdict, evolve
from cattrs import Converter

from tiktok_adapters.simulator.accounts import App, Creator, Distinct
from tiktok_adapters.simulator.answers import Refused, json_answer, plain
from tiktok_adapters.simulator.calls import Call, single_values
from tiktok_adapters.simulator.faults import Faults
from tiktok_adapters.simulator.overview import Sandbox, overview
from tiktok_adapters.simulator.pages import html
from tiktok_adapters.simulator.rules import is_loopback
from tiktok_adapters.simulator.switches import near, read_switch
from tiktok_core.wire.http import Response

__all__ = ["PAGES", "control", "is_control", "is_foreign"]


def is_control(path: str) -> bool:
    """Return whether a path is the sandbox's own."""
    return path == "/" or path.startswith("/_sandbox/")


def control(sandbox: Sandbox, call: Call) -> Response:
    """Answer a request to one of the sandbox's own pages."""
    if is_foreign(call):
        return plain("Only pages of this machine may ask.\n", 403)
    page = PAGES.get((call.request.method, call.path))
    methods = [method for method, path in PAGES if path == call.path]
    if page is None and methods:
        return plain(f"{call.path} takes {' and '.join(methods)}.\n", 405, {"allow": ", ".join(methods)})
    if page is None:
        return plain(f"No such page of the sandbox. There are:\n{_LIST}\n", 404)
    try:
        return page(sandbox, call)
    except (ValueError, Refused) as problem:
        return plain(f"{problem}\n", 400)
    except KeyError as problem:
        return plain(f"There is no {problem.args[0]}.\n", 404)


def is_foreign(call: Call) -> bool:
    """Return whether a page of another site asks. Browsers name its origin, or at least say that it is another site.

    A link from another site may lead to a page here: that site does not see the answer, and nothing changes.
    """
    origin = call.headers.get("origin")
    if origin is not None:
        return not is_loopback(origin) and urlsplit(origin).netloc != urlsplit(call.origin).netloc
    return call.request.method != "GET" and call.headers.get("sec-fetch-site", "none") == "cross-site"


# --- The page --------------------------------------------------------------------------------------------------------


def _page(sandbox: Sandbox, _call: Call) -> Response:
    return html(overview(sandbox), has_script=True)


def _script(_sandbox: Sandbox, _call: Call) -> Response:
    text = resources.files("tiktok_adapters.simulator").joinpath("overview.js").read_bytes()
    return Response(200, {"content-type": "text/javascript; charset=utf-8", "cache-control": "no-store"}, text)


def _click(sandbox: Sandbox, call: Call) -> Response:
    """Do what a button of the page stands for, and show the page again."""
    values, _repeated = single_values(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    for name, act in _CLICKS.items():
        if name in values:
            act(sandbox, values)
            return Response(303, {"location": f"/#{values.get('at', '')}"}, b"")
    raise ValueError("This form has no button of the page.")


def _set_switch(sandbox: Sandbox, values: Mapping[str, str]) -> None:
    sandbox.switches.flip(dict([read_switch(f"{values['switch']}={values.get('value', '')}")]))


def _add_fault(sandbox: Sandbox, values: Mapping[str, str]) -> None:
    detail = values.get("detail", "").strip()
    what = values.get("what", "") + (f":{detail}" if detail else "")
    sandbox.faults.add(f"{values['fault']}:{values.get('nth') or 1}={what}")


def _set_creator(sandbox: Sandbox, values: Mapping[str, str]) -> None:
    _toggle("creator", sandbox.world.creator, values, ("private", "banned"))


def _set_app(sandbox: Sandbox, values: Mapping[str, str]) -> None:
    _toggle("app", sandbox.world.app, values, ("audited", "approved"))


def _toggle(kind: str, find: Callable[[str], object], values: Mapping[str, str], names: Sequence[str]) -> None:
    """Switch settings of the named app or creator on or off."""
    found = find(values[kind])
    if found is None:
        raise KeyError(f"{kind} {values[kind]!r}")
    for name in names:
        if name in values:
            setattr(found, name, values[name] == "on")


def _disconnect(sandbox: Sandbox, account: str) -> None:
    found = [one for one in sandbox.sign_ins if account in {one.account, one.username}]
    if not found:
        raise KeyError(f"sign-in of {account!r}")
    for one in found:
        app, creator = sandbox.world.app(one.client_key), sandbox.world.creator(one.username)
        if app is not None and creator is not None:
            sandbox.world.disconnect(app, creator)


_CLICKS: Final[Mapping[str, Callable[[Sandbox, Mapping[str, str]], object]]] = {
    "fault": _add_fault,
    "no-faults": lambda sandbox, _values: sandbox.faults.clear(),
    "switch": _set_switch,
    "creator": _set_creator,
    "app": _set_app,
    "disconnect": lambda sandbox, values: _disconnect(sandbox, values["disconnect"]),
    "draft": lambda sandbox, values: _finish(sandbox, values["draft"], None),
    "reset": lambda sandbox, _values: sandbox.reset(),
}
"""What each button of the page does, by the name of its field."""


# --- Posts, requests and sign-ins ------------------------------------------------------------------------------------


def _posts(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([{**asdict(post), "created_at": post.created_at.isoformat()} for post in sandbox.posts])


def _finish_draft(sandbox: Sandbox, call: Call) -> Response:
    body = _object(call)
    publish_id, public = body.get("publish_id"), body.get("public")
    if not isinstance(publish_id, str) or not isinstance(public, bool | None):
        raise ValueError('Write {"publish_id": "...", "public": true}; without "public" the account decides.')  # noqa: TRY004 - from a request
    _finish(sandbox, publish_id, public)
    return _posts(sandbox, call)


def _finish(sandbox: Sandbox, publish_id: str, public: bool | None) -> None:
    if publish_id not in sandbox.world.tasks:
        raise KeyError(f"post {publish_id!r}")
    sandbox.finish_draft(publish_id, public=public)


def _log(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([{**asdict(entry), "at": entry.at.isoformat()} for entry in sandbox.log])


def _sign_ins(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([{**asdict(one), "expires_at": one.expires_at.isoformat()} for one in sandbox.sign_ins])


def _end_sign_in(sandbox: Sandbox, call: Call) -> Response:
    account = dict(call.query).get("account", "")
    if not account:
        raise ValueError("Name the account in the query: ?account=USERNAME")
    _disconnect(sandbox, account)
    return _sign_ins(sandbox, call)


def _webhooks(sandbox: Sandbox, call: Call) -> Response:
    again = dict(call.query).get("again", "off") == "on"
    found = sandbox.webhooks(again=again)
    return json_answer([{"event": one.event, "headers": dict(one.headers), "body": one.body.decode()} for one in found])


def _reset(sandbox: Sandbox, _call: Call) -> Response:
    sandbox.reset()
    return json_answer({})


# --- Faults and switches ---------------------------------------------------------------------------------------------


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
    sandbox.switches.flip(_object(call))
    return _show_switches(sandbox, call)


def _show_switches(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer(asdict(sandbox.switches))


# --- Apps and creators -----------------------------------------------------------------------------------------------


def _show_apps(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer(
        [{name: one for name, one in asdict(app).items() if name != "client_secret"} for app in sandbox.apps]
    )


def _set_apps(sandbox: Sandbox, call: Call) -> Response:
    _put(sandbox.world.apps, App, _object(call))
    return _show_apps(sandbox, call)


def _show_creators(sandbox: Sandbox, _call: Call) -> Response:
    return json_answer([asdict(creator) for creator in sandbox.creators])


def _set_creators(sandbox: Sandbox, call: Call) -> Response:
    _put(sandbox.world.creators, Creator, _object(call))
    return _show_creators(sandbox, call)


def _put(known: "Distinct[Any]", kind: type, values: Mapping[str, Any]) -> None:
    """Change the app or creator that `values` names, or add one.

    Raises:
        ValueError: a field or value does not exist, or two would be the same; nothing has changed.
    """
    key, hints = known.by[0], get_type_hints(kind)
    if key not in values:
        raise ValueError(f"Say which one: {key} is missing.")
    if unknown := sorted(set(values) - set(hints)):
        raise ValueError(f"There is no field {unknown[0]!r}{near(unknown[0], hints)}")
    read = {name: _read(name, value, hints[name]) for name, value in values.items()}
    found = next((at for at, one in enumerate(known) if getattr(one, key) == read[key]), None)
    if found is None:
        known.append(kind(**read))
        return
    # Tokens and posts refer to the one that is there, so it is changed, once a copy has shown that the values fit.
    Distinct([*known[:found], evolve(known[found], **read), *known[found + 1 :]], *known.by)
    for name, value in read.items():
        setattr(known[found], name, value)


def _read(name: str, value: Any, hint: Any) -> Any:
    try:
        return _CONVERTER.structure(value, hint)
    except Exception:  # noqa: BLE001 - cattrs has no base class for what it raises
        raise ValueError(f"{name} cannot be {json.dumps(value)}.") from None


def _strict(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind)
    return value


_CONVERTER: Final = Converter()
for _kind in (str, int, bool):
    _CONVERTER.register_structure_hook(_kind, _strict)


def _object(call: Call) -> dict[str, Any]:
    try:
        values = json.loads(call.body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ValueError('The body must be a JSON object, such as {"mb": "binary"}.')  # noqa: TRY004 - from a request
    return values


PAGES: Final[Mapping[tuple[str, str], Callable[[Sandbox, Call], Response]]] = {
    ("GET", "/"): _page,
    ("POST", "/"): _click,
    ("GET", "/_sandbox/page.js"): _script,
    ("GET", "/_sandbox/posts"): _posts,
    ("POST", "/_sandbox/drafts"): _finish_draft,
    ("GET", "/_sandbox/log"): _log,
    ("GET", "/_sandbox/sign-ins"): _sign_ins,
    ("DELETE", "/_sandbox/sign-ins"): _end_sign_in,
    ("POST", "/_sandbox/webhooks"): _webhooks,
    ("GET", "/_sandbox/faults"): _show_faults,
    ("POST", "/_sandbox/faults"): _add_faults,
    ("DELETE", "/_sandbox/faults"): _clear_faults,
    ("GET", "/_sandbox/switches"): _show_switches,
    ("POST", "/_sandbox/switches"): _flip,
    ("GET", "/_sandbox/apps"): _show_apps,
    ("POST", "/_sandbox/apps"): _set_apps,
    ("GET", "/_sandbox/creators"): _show_creators,
    ("POST", "/_sandbox/creators"): _set_creators,
    ("POST", "/_sandbox/reset"): _reset,
}
"""Every call of the sandbox's own, as the guide of the sandbox documents it."""
_LIST: Final = "\n".join(f"{method} {path}" for method, path in PAGES)
