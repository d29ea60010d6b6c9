"""How we spell what stores keep: tokens, and the journal's records, each as one JSON document with a version.

A store of any kind can keep the bytes as they are; protecting them is the store's work.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from attrs import asdict, fields

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.tokens import Secret, Tokens

__all__ = ["dump_record", "dump_tokens", "load_record", "load_tokens"]

T = TypeVar("T")

VERSION: Final = 1
DAMAGE: Final = (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)


def dump_tokens(tokens: Tokens) -> bytes:
    """Return the tokens as UTF-8 JSON. The result is a secret."""
    document = {
        "version": VERSION,
        "open_id": tokens.open_id,
        "access_token": tokens.access_token.reveal(),
        "refresh_token": tokens.refresh_token.reveal(),
        "scope": list(tokens.scope),
        "issued_at": tokens.issued_at.isoformat(),
        "expires_at": tokens.expires_at.isoformat(),
        "refresh_expires_at": tokens.refresh_expires_at.isoformat(),
    }
    return json.dumps(document, sort_keys=True).encode()


def load_tokens(record: bytes) -> Tokens:
    """Return the tokens of a record.

    Raises:
        ValueError: the record is damaged or of another version. The message never quotes it.
    """
    return _loaded(record, _tokens)


def dump_record(record: Record) -> bytes:
    """Return a record of the journal as UTF-8 JSON. The result is a secret while it has an upload URL."""
    document = {
        "version": VERSION,
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
        },
        "stage": record.stage,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
        "inits": record.inits,
        "init_at": record.init_at.isoformat() if record.init_at else None,
        "publish_id": record.publish_id,
        "upload_url": record.upload_url.reveal() if record.upload_url else None,
        "plan": _dump_plan(record.plan),
        "offset": record.offset,
        "last": asdict(record.last) if record.last else None,
    }
    return json.dumps(document, sort_keys=True).encode()


def load_record(record: bytes) -> Record:
    """Return a record of the journal.

    Raises:
        ValueError: the record is damaged or of another version. The message never quotes it.
    """
    return _loaded(record, _record)


def _loaded(record: bytes, read: Callable[[dict[str, Any]], T]) -> T:
    try:
        document: dict[str, Any] = json.loads(record)
        version = document["version"]
    except DAMAGE as error:
        raise _damaged(error) from None
    if version != VERSION:
        found = version if isinstance(version, int) else "unknown"
        raise ValueError(f"record of version {found}, this release reads version {VERSION}")
    try:
        return read(document)
    except DAMAGE as error:
        # `from None`: the original message may quote the record.
        raise _damaged(error) from None


def _damaged(error: Exception) -> ValueError:
    return ValueError(f"damaged record ({type(error).__name__})")


def _tokens(document: dict[str, Any]) -> Tokens:
    return Tokens(
        open_id=_text(document, "open_id"),
        access_token=Secret(_text(document, "access_token")),
        refresh_token=Secret(_text(document, "refresh_token")),
        scope=_words(document, "scope"),
        issued_at=_time(document, "issued_at"),
        expires_at=_time(document, "expires_at"),
        refresh_expires_at=_time(document, "refresh_expires_at"),
    )


def _record(document: dict[str, Any]) -> Record:
    return Record(
        key=_text(document, "key"),
        app=_text(document, "app"),
        account=_text(document, "account"),
        wish=_wish(document["wish"]),
        stage=Stage(document["stage"]),
        created_at=_time(document, "created_at"),
        updated_at=_time(document, "updated_at"),
        inits=int(document["inits"]),
        init_at=_time(document, "init_at") if document["init_at"] else None,
        publish_id=_text(document, "publish_id") if document["publish_id"] else None,
        upload_url=Secret(_text(document, "upload_url")) if document["upload_url"] else None,
        plan=_plan(document["plan"]),
        offset=int(document["offset"]),
        last=_publication(document["last"]),
    )


def _wish(document: dict[str, Any]) -> Wish:
    post = document["post"]
    if document["kind"] == "photo":
        post = PhotoPost(**{**post, "photo_images": tuple(post["photo_images"])})
    else:
        post = VideoPost(**post)
    return Wish(
        post=post,
        video=document["video"],
        fingerprint=_text(document, "fingerprint"),
        media_type=MediaType(document["media_type"]) if document["media_type"] else None,
        plan=_plan(document["plan"]),
    )


def _dump_plan(plan: ChunkPlan | None) -> list[int] | None:
    return None if plan is None else [getattr(plan, attribute.name) for attribute in fields(ChunkPlan)]


def _plan(numbers: list[int] | None) -> ChunkPlan | None:
    return None if numbers is None else ChunkPlan(*(int(number) for number in numbers))


def _publication(document: dict[str, Any] | None) -> Publication | None:
    return None if document is None else Publication(**{**document, "post_ids": tuple(document["post_ids"])})


def _text(document: dict[str, Any], name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _words(document: dict[str, Any], name: str) -> tuple[str, ...]:
    value = document[name]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError(name)
    return tuple(value)


def _time(document: dict[str, Any], name: str) -> datetime:
    value = datetime.fromisoformat(_text(document, name))
    if value.tzinfo is None:
        raise TypeError(name)
    return value.astimezone(UTC)
