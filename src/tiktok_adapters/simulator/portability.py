"""Copies of an account's data: request, check, cancel, and download as a zip.

What belongs here: https://developers.tiktok.com/doc/data-portability-api-add-data-request and TikTok's pages about check,
cancel and download.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.answers import Refused, success
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.world import DataCopy, World
from tiktok_core.wire.http import Response

__all__ = ["add", "cancel", "check", "download", "ready_at", "status_of"]

FORMATS: Final = ("text", "json")
KINDS: Final[Mapping[str, str]] = {
    "all_data": "all",
    "video": "postsandprofile",
    "profile": "postsandprofile",
    "activity": "activity",
    "direct_message": "directmessages",
}
"""Each category, and the middle part of the scopes that allow it; the scopes of `all` allow every category."""
FIELDS: Final = ("request_id", "apply_time", "collect_time", "status", "data_format", "category_selection_list")


def add(world: World, call: Call) -> Response:
    """Answer `POST /v2/user/data/add/?fields=request_id`; the request uses up a one-time scope."""
    app, creator = world.admit(call, "data_add")
    _fields(call, ("request_id",))
    body = call.json()
    categories, data_format = body.get("category_selection_list"), body.get("data_format")
    if not isinstance(categories, list) or not categories or any(one not in KINDS for one in categories):
        raise Refused.param(f"category_selection_list must hold some of {', '.join(KINDS)}")
    if data_format not in FORMATS:
        raise Refused.param(f"data_format must be one of {', '.join(FORMATS)}")
    wanted = ("all_data",) if "all_data" in categories else tuple(dict.fromkeys(categories))
    _spend(world, app, creator, _opening(world, call, wanted))
    copy = DataCopy(
        request_id=world.chance.post_id(),
        app=app,
        creator=creator,
        account=world.account(app, creator),
        categories=wanted,
        data_format=data_format,
        applied_at=world.now,
    )
    world.copies[copy.request_id] = copy
    return success({"request_id": copy.request_id}, world.log_id())


def check(world: World, call: Call) -> Response:
    """Answer `POST /v2/user/data/check/?fields=...`."""
    copy = _own(world, call, "data_check")
    wanted = _fields(call, FIELDS)
    spelled = {"direct_message": world.switches.data_spelling}
    values = {
        "request_id": copy.request_id,
        "apply_time": int(copy.applied_at.timestamp()),
        "collect_time": int(copy.applied_at.timestamp()),
        "status": status_of(world, copy),
        "data_format": copy.data_format,
        "category_selection_list": [spelled.get(one, one) for one in copy.categories],
    }
    return success({name: values[name] for name in wanted}, world.log_id())


def cancel(world: World, call: Call) -> Response:
    """Answer `POST /v2/user/data/cancel/`; a request that has ended cannot be cancelled."""
    copy = _own(world, call, "data_cancel")
    if status_of(world, copy) not in {"pending", "downloading"}:
        raise _incorrect()
    copy.cancelled_at = world.now
    return success(None, world.log_id())


def download(world: World, call: Call) -> Response:
    """Answer `POST /v2/user/data/download/`: the archive alone, without an envelope."""
    copy = _own(world, call, "data_download")
    if status_of(world, copy) != "downloading":
        raise _incorrect()
    headers = {"content-type": world.switches.data_media_type or "application/zip"}
    return Response(200, headers, _archive(world, copy))


def ready_at(world: World, copy: DataCopy) -> datetime | None:
    """Return the time at which a copy is ready; None if it was cancelled before."""
    ready = copy.applied_at + timedelta(seconds=world.switches.data_seconds)
    return None if copy.cancelled_at is not None and copy.cancelled_at < ready else ready


def status_of(world: World, copy: DataCopy) -> str:
    """Return TikTok's word for the status of a copy; a ready copy is `downloading`."""
    ready = ready_at(world, copy)
    if copy.cancelled_at is not None or ready is None:
        return "cancelled"
    if world.now < ready:
        return "pending"
    kept = timedelta(seconds=world.switches.data_keep_seconds)
    return "downloading" if world.now < ready + kept else "expired"


def _own(world: World, call: Call, operation: str) -> DataCopy:
    # The scope is not checked here: the request has used up a one-time scope, but its copy can still be downloaded.
    app, creator = world.admit(call, operation)
    request_id = call.json().get("request_id")
    copy = world.copies.get(request_id) if isinstance(request_id, int) else None
    if copy is None or copy.app is not app or copy.creator is not creator:
        raise _incorrect()
    return copy


def _incorrect() -> Refused:
    return Refused.param("Incorrect `request_id`. Please validate the request.")


def _fields(call: Call, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(",".join(value for name, value in call.query if name == "fields").split(","))
    if unknown := [name for name in names if name not in known]:
        raise Refused.param(f"fields: {unknown[0] or 'missing'} is not a field of this call")
    return tuple(dict.fromkeys(names))


def _opening(world: World, call: Call, categories: Iterable[str]) -> set[str]:
    """Return the one-time scopes that a request uses up: none if lasting scopes allow it, and `all` before the others."""
    granted = world.bearer(call)[2]
    kinds = {KINDS[one] for one in categories}
    lasting = {kind for kind in kinds if f"portability.{kind}.ongoing" in granted}
    if lasting == kinds or "portability.all.ongoing" in granted:
        return set()
    if "portability.all.single" in granted:
        return {"portability.all.single"}
    needed = {f"portability.{kind}.single" for kind in kinds - lasting}
    if not needed <= granted:
        raise Refused("scope_not_authorized", "The user did not authorize the scope required for this request")
    return needed


def _spend(world: World, app: App, creator: Creator, scopes: set[str]) -> None:
    # The used scope leaves the tokens, as the documents say; only another consent brings it back.
    for token in world.tokens.values():
        if token.app is app and token.creator is creator:
            token.scopes = tuple(scope for scope in token.scopes if scope not in scopes)


def _archive(world: World, copy: DataCopy) -> bytes:
    """Return the zip: a file for each category and, if a switch sets the size, a file that fills the zip up to it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for category in copy.categories:
            name, content = _file(copy, category)
            archive.writestr(_entry(name, copy), content)
        if world.switches.data_bytes is not None:
            archive.writestr(_entry("filler.bin", copy), bytes(world.switches.data_bytes))
    return made.getvalue()


def _entry(name: str, copy: DataCopy) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, copy.applied_at.timetuple()[:6])


def _file(copy: DataCopy, category: str) -> tuple[str, str]:
    values: dict[str, Any] = {"username": copy.creator.username, "category": category}
    if copy.data_format == "json":
        return f"{category}.json", json.dumps(values)
    return f"{category}.txt", "".join(f"{name}: {value}\n" for name, value in values.items())
