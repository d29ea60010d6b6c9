"""How we spell what stores keep: tokens as one JSON document, with a version, secrets included.

A store of any kind can keep the bytes as they are; protecting them is the store's work.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from tiktok_core.domain.tokens import Secret, Tokens

__all__ = ["dump_tokens", "load_tokens"]

VERSION: Final = 1


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
    try:
        document: dict[str, Any] = json.loads(record)
        version = document["version"]
        if version == VERSION:
            return _tokens(document)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        # `from None`: the original message may quote the record.
        raise ValueError(f"damaged token record ({type(error).__name__})") from None
    found = version if isinstance(version, int) else "unknown"
    raise ValueError(f"token record of version {found}, this release reads version {VERSION}")


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
