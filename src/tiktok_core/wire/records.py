"""The storage format of tokens and of the journal's records and traces: each is one JSON document with a version.

Every store can keep these bytes unchanged. The store has to protect them.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import UnionType
from typing import Any, Final, TypeVar, get_args, get_origin

from attrs import asdict, evolve, fields

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.kept_refusal import Refusal
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.moves import leaving
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.schedule import Schedule
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.hidden import Hidden

__all__ = [
    "LATER_VERSION",
    "RECORD_VERSION",
    "USUAL_VERSION",
    "OtherVersion",
    "dump_record",
    "dump_tokens",
    "dump_trace",
    "load_record",
    "load_tokens",
    "load_trace",
    "record_version",
]

T = TypeVar("T")

VERSION: Final = 1
"""The version of tokens."""
RECORD_VERSION: Final = 5
"""The version of a record of a URL that has, or had, a query, or that the library is to upload, or never may: releases that would
pull from a URL without its query, or pull once more what is an upload, stop there."""
LATER_VERSION: Final = 4
"""The version of a record with `LATER_FIELDS`: releases that would begin its post early, or unasked, stop there."""
GIVEN_UP_VERSION: Final = 3
"""The version of the record of a post that was given up: releases that would misread it stop there, and begin nothing."""
USUAL_VERSION: Final = 2
"""The version of all other records, so that older releases can go on with them. This release reads version 1 too."""
TRACE_VERSION: Final = 1
"""The version of the journal's traces."""
SINCE_FIRST: Final[dict[str, Any]] = {"last_left": False, "lost_inits": 0, "others": [], "refusal": None}
"""The fields that version 1 of a record does not have, with their values."""
LATER_FIELDS: Final = frozenset({"schedule", "held", "entered", "again_at"})
"""The fields that versions before `LATER_VERSION` do not have: when a post may be begun, and by whom."""
URL_FIELDS: Final = frozenset({"query", "query_digest", "upload"})
"""The fields of a wish that only `RECORD_VERSION` has."""
SECRET_FIELDS: Final = frozenset({"access_token", "refresh_token", "upload_url", "video", "query"})
"""The fields that may hold a secret. Releases before `RECORD_VERSION` wrote a URL's query into `video`."""
DAMAGE: Final = (LookupError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)


class OtherVersion(ValueError):
    """Another release wrote the document, in a version that this release cannot read."""


def dump_tokens(tokens: Tokens) -> bytes:
    """Return the tokens as UTF-8 JSON. The result is a secret."""
    # In one expression, so that no variable holds the tokens.
    return json.dumps(
        {
            "version": VERSION,
            "open_id": tokens.open_id,
            "access_token": tokens.access_token.reveal(),
            "refresh_token": tokens.refresh_token.reveal(),
            "scope": list(tokens.scope),
            "issued_at": tokens.issued_at.isoformat(),
            "expires_at": tokens.expires_at.isoformat(),
            "refresh_expires_at": tokens.refresh_expires_at.isoformat(),
            # Without the generation, which the store knows. The mark is left out if false: older releases do not know it.
            **({"refused": True} if tokens.is_refused else {}),
        },
        sort_keys=True,
    ).encode()


def load_tokens(record: bytes | Hidden[bytes]) -> Tokens:
    """Return the tokens that `dump_tokens` wrote.

    Raises:
        ValueError: the bytes are damaged, or of another version (`OtherVersion`). The message never quotes them.
    """
    lying = record if isinstance(record, Hidden) else Hidden(record)
    del record  # A crash report would show it.
    return _loaded(lying, {VERSION: _tokens})


def dump_record(record: Record) -> bytes:
    """Return a record of the journal as UTF-8 JSON. The result is a secret while it has an upload URL, or the query of a URL."""
    # In one expression, so that no variable holds a secret.
    return json.dumps(
        {
            "version": record_version(record),
            "key": record.key,
            "app": record.app,
            "account": record.account,
            "wish": {
                "kind": "video" if isinstance(record.wish.post, VideoPost) else "photo",
                "post": asdict(record.wish.post),
                "video": record.wish.video,
                "fingerprint": record.wish.fingerprint,
                "media_type": record.wish.media_type,
                "plan": _dump_plan(record.wish.plan),
                "is_cut_chosen": record.wish.is_cut_chosen,
                **(
                    {
                        "query": None if record.wish.query is None else record.wish.query.reveal(),
                        "query_digest": record.wish.query_digest,
                        "upload": record.wish.upload,
                    }
                    if record_version(record) == RECORD_VERSION
                    else {}
                ),
            },
            "stage": record.stage,
            "created_at": record.created_at.isoformat(),
            "updated_at": record.updated_at.isoformat(),
            "inits": record.inits,
            "lost_inits": record.lost_inits,
            "init_at": _dump_time(record.init_at),
            "publish_id": record.publish_id,
            "others": list(record.others),
            "upload_url": None if record.upload_url is None else record.upload_url.reveal(),
            "plan": _dump_plan(record.plan),
            "offset": record.offset,
            "last_left": record.last_left,
            "handed_at": _dump_time(record.handed_at),
            "last": asdict(record.last) if record.last else None,
            "refusal": asdict(record.refusal) if record.refusal else None,
            **(_dump_later_fields(record) if record_version(record) >= LATER_VERSION else {}),
        },
        sort_keys=True,
    ).encode()


def record_version(record: Record) -> int:
    """Return the version of the document that `dump_record` writes: the oldest that says all that the record says."""
    if _is_about_urls(record.wish):
        return RECORD_VERSION
    if _is_later(record):
        return LATER_VERSION
    return GIVEN_UP_VERSION if record.is_given_up else USUAL_VERSION


def _is_about_urls(wish: Wish) -> bool:
    has_query = wish.query is not None or wish.query_digest != "" or wish.upload is not None
    return has_query or (isinstance(wish.post, PhotoPost) and wish.post.is_without_queries)


def _is_later(record: Record) -> bool:
    return record.schedule is not None or record.is_held or record.is_entered


def load_record(record: bytes | Hidden[bytes]) -> Record:
    """Return the record that `dump_record` wrote.

    Raises:
        ValueError: the bytes are damaged, or of another version (`OtherVersion`). The message never quotes them.
    """
    lying = record if isinstance(record, Hidden) else Hidden(record)
    del record  # A crash report would show it.
    return _loaded(
        lying,
        {
            1: _first_record,
            USUAL_VERSION: _usual_record,
            GIVEN_UP_VERSION: _given_up_record,
            LATER_VERSION: _later_record,
            RECORD_VERSION: _url_record,
        },
    )


def dump_trace(trace: Trace) -> bytes:
    """Return a trace of the journal as UTF-8 JSON."""
    return json.dumps({"version": TRACE_VERSION, **asdict(trace)}, sort_keys=True).encode()


def load_trace(record: bytes) -> Trace:
    """Return the trace that `dump_trace` wrote.

    Raises:
        ValueError: the bytes are damaged, or of another version (`OtherVersion`).
    """
    return _loaded(Hidden(record), {TRACE_VERSION: _trace})


def _loaded(record: Hidden[bytes], readers: Mapping[int, Callable[[dict[str, Any]], T]]) -> T:
    try:
        document: dict[str, Any] = json.loads(record.reveal(), object_hook=_covered)
        version = document["version"]
    except DAMAGE as error:
        raise _damaged(error) from None
    read = readers.get(version) if type(version) is int else None
    if read is None:
        found = version if type(version) is int else "unknown"
        raise OtherVersion(f"record of version {found}, this release reads version {max(readers)}")
    try:
        return read(document)
    except DAMAGE as error:
        # `from None`, because the original message may quote the record.
        raise _damaged(error) from None


def _covered(found: dict[str, Any]) -> dict[str, Any]:
    # The parser wraps secrets, so that no code that reads a record sees them as plain text.
    for name in SECRET_FIELDS & found.keys():
        if isinstance(found[name], str):
            found[name] = Secret(found[name])
    return found


def _damaged(error: Exception) -> ValueError:
    return ValueError(f"damaged record ({type(error).__name__})")


def _tokens(document: dict[str, Any]) -> Tokens:
    return Tokens(
        open_id=_text(document, "open_id"),
        access_token=_value(document, "access_token", Secret),
        refresh_token=_value(document, "refresh_token", Secret),
        scope=tuple(_value(document, "scope", tuple[str, ...])),
        issued_at=_time(document, "issued_at"),
        expires_at=_time(document, "expires_at"),
        refresh_expires_at=_time(document, "refresh_expires_at"),
        is_refused="refused" in document and _value(document, "refused", bool),
    )


def _first_record(document: dict[str, Any]) -> Record:
    if document.keys() & SINCE_FIRST.keys():
        raise ValueError("a field of a later version")
    record = _usual_record({**document, **SINCE_FIRST})
    # Version 1 does not say which inits were answered, nor whether the last byte had left. Assume the worse in both.
    record = evolve(record, lost_inits=record.inits if record.stage is Stage.INIT_SENT else 0)
    return leaving(record, record.updated_at) if record.stage is Stage.UPLOADING else record


def _usual_record(document: dict[str, Any]) -> Record:
    record = _record(document)
    if record.is_given_up:
        raise ValueError("a stage of a later version")
    return record


def _given_up_record(document: dict[str, Any]) -> Record:
    record = _record(document)
    if not record.is_given_up:
        raise ValueError("a stage of an earlier version")
    return record


def _later_record(document: dict[str, Any]) -> Record:
    record = _with_later_fields(document, _record(_without_later_fields(document)))
    if not _is_later(record):
        raise ValueError("fields of an earlier version")
    return record


def _url_record(document: dict[str, Any]) -> Record:
    plain = {**document, "wish": {name: value for name, value in document["wish"].items() if name not in URL_FIELDS}}
    record = _with_later_fields(document, _record(_without_later_fields(plain)))
    if record.wish.query is not None:
        raise ValueError("a spelling of an earlier version")
    wish = evolve(
        record.wish,
        query=_value(document["wish"], "query", Secret | None),
        query_digest=_text(document["wish"], "query_digest"),
        upload=_value(document["wish"], "upload", bool | None),
    )
    if not _is_about_urls(wish):
        raise ValueError("fields of an earlier version")
    return evolve(record, wish=wish)


def _without_later_fields(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in LATER_FIELDS}


def _with_later_fields(document: dict[str, Any], record: Record) -> Record:
    return evolve(
        record,
        schedule=_schedule(document["schedule"]),
        is_held=_value(document, "held", bool),
        is_entered=_value(document, "entered", bool),
        again_at=_time_or_none(document, "again_at"),
    )


def _record(document: dict[str, Any]) -> Record:
    if document.keys() & LATER_FIELDS or document["wish"].keys() & URL_FIELDS:
        raise ValueError("a field of a later version")
    record = Record(
        key=_text(document, "key"),
        app=_text(document, "app"),
        account=_text(document, "account"),
        wish=_wish(document["wish"]),
        stage=Stage(document["stage"]),
        created_at=_time(document, "created_at"),
        updated_at=_time(document, "updated_at"),
        inits=_count(document, "inits"),
        lost_inits=_count(document, "lost_inits"),
        init_at=_time_or_none(document, "init_at"),
        publish_id=_value(document, "publish_id", str | None),
        others=tuple(_value(document, "others", tuple[str, ...])),
        upload_url=_value(document, "upload_url", Secret | None),
        plan=_plan(document["plan"]),
        offset=_count(document, "offset"),
        last_left=_value(document, "last_left", bool),
        handed_at=_time_or_none(document, "handed_at"),
        last=None if document["last"] is None else _built(Publication, document["last"]),
        refusal=None if document["refusal"] is None else _built(Refusal, document["refusal"]),
    )
    # Earlier releases kept the queries of posts that have ended.
    return evolve(record, wish=record.wish.without_queries) if record.is_ended else record


def _dump_later_fields(record: Record) -> dict[str, Any]:
    at = record.schedule
    return {
        "schedule": at
        and {"not_before": at.not_before.isoformat(), "not_after": at.not_after.isoformat(), "zone": at.zone},
        "held": record.is_held,
        "entered": record.is_entered,
        "again_at": _dump_time(record.again_at),
    }


def _schedule(document: dict[str, Any] | None) -> Schedule | None:
    if document is None:
        return None
    return Schedule(
        not_before=_time(document, "not_before"),
        not_after=_time(document, "not_after"),
        zone=_text(document, "zone"),
    )


def _trace(document: dict[str, Any]) -> Trace:
    end = document["end"]
    return Trace(
        digest=_text(document, "digest"),
        end=None if end is None else Stage(end),
        publish_id=_value(document, "publish_id", str | None),
        fail_reason=_text(document, "fail_reason"),
    )


def _wish(document: dict[str, Any]) -> Wish:
    media_type, video = document["media_type"], _value(document, "video", Secret | None)
    return Wish(
        post=_built({"photo": PhotoPost, "video": VideoPost}[document["kind"]], document["post"]),
        video=None if video is None else video.reveal(),
        fingerprint=_text(document, "fingerprint"),
        media_type=None if media_type is None else MediaType(media_type),
        plan=_plan(document["plan"]),
        is_cut_chosen=_value(document, "is_cut_chosen", bool),
    )


def _count(document: dict[str, Any], name: str) -> int:
    number: int = _value(document, name, int)
    if number < 0:
        raise ValueError(name)
    return number


def _dump_plan(plan: ChunkPlan | None) -> list[int] | None:
    return None if plan is None else [getattr(plan, attribute.name) for attribute in fields(ChunkPlan)]


def _plan(numbers: list[int] | None) -> ChunkPlan | None:
    if numbers is None:
        return None
    if not _fits(numbers, tuple[int, ...]) or min(numbers) < 1:
        raise ValueError("plan")
    return ChunkPlan(*numbers)


def _dump_time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time_or_none(document: dict[str, Any], name: str) -> datetime | None:
    return None if document[name] is None else _time(document, name)


def _built(kind: Any, document: dict[str, Any]) -> Any:
    """Return a flat attrs value. A missing field counts as damage, because its default may mean another post."""
    values = {attribute.name: _value(document, attribute.name, attribute.type) for attribute in fields(kind)}
    if values.keys() != document.keys():
        raise ValueError("unknown field")
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _value(document: dict[str, Any], name: str, kind: Any) -> Any:
    if not _fits(document[name], kind):
        raise TypeError(name)
    return document[name]


def _fits(value: object, kind: Any) -> bool:
    """Whether a JSON value has exactly this type: a bool is not an int. JSON holds a tuple as a list."""
    if isinstance(kind, UnionType):
        return any(_fits(value, one) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(_fits(one, get_args(kind)[0]) for one in value)
    return type(value) is kind


def _text(document: dict[str, Any], name: str) -> str:
    text: str = _value(document, name, str)
    return text


def _time(document: dict[str, Any], name: str) -> datetime:
    value = datetime.fromisoformat(_text(document, name))
    if value.tzinfo is None:
        raise TypeError(name)
    return value.astimezone(UTC)
