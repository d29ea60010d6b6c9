"""What the traffic to TikTok tells: which machine has begun which post, sends its bytes, and asks for its status.

What belongs here: reading the trips of a road. The fleet judges by what TikTok is asked, and not by what anybody says.
"""

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from plan import Wish
from road import Road, Trip

INIT, ASKED, SENT, RENEWED = "init", "status", "chunk", "token"


@frozen
class Event:
    """A trip, and what it was for.

    Attributes:
        kind: one of the four words above.
        key: the post; empty for a renewal.
        who: the machine.
        trip: the request.
    """

    kind: str
    key: str
    who: str
    trip: Trip


def events(road: Road, wishes: list[Wish]) -> list[Event]:
    """Return what has happened on the road so far, in order.

    The size of an init says whose it is, and its answer how the post is called from then on. A chunk is sent by the machine that
    last began the post or asked for it: only one acts at a time.
    """
    key_of = {wish.size: wish.key for wish in wishes}
    named: dict[str, str] = {}
    owner: dict[str, str] = {}
    found = []
    for trip in list(road.trips):
        path = urlsplit(trip.path)
        if path.path.endswith("/oauth/token/"):
            found.append(Event(RENEWED, "", trip.who, trip))
        elif path.path.endswith("/init/"):
            key = key_of[_read(trip.body)["source_info"]["video_size"]]
            owner[key] = trip.who
            if data := _data(trip.answer):
                named[data["publish_id"]] = named[_upload(data["upload_url"])] = key
            found.append(Event(INIT, key, trip.who, trip))
        elif path.path.endswith("/status/fetch/"):
            key = named.get(_read(trip.body)["publish_id"], "")
            owner[key] = trip.who
            found.append(Event(ASKED, key, trip.who, trip))
        elif trip.method == "PUT":
            key = named.get(_upload(trip.path), "")
            found.append(Event(SENT, key, owner.get(key, ""), trip))
    return found


@cache
def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _data(answer: bytes) -> dict[str, Any]:
    return _read(answer).get("data") or {}


@cache
def _upload(url: str) -> str:
    return parse_qs(urlsplit(url).query)["upload_id"][0]
