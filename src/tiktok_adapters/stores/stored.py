"""How names, times and documents lie in a store, in a file and in a database alike.

What belongs here: values turned into what is stored, and back; and the sentences for what cannot be read. Where it is stored is the
business of each store.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import load_record, load_trace

__all__ = [
    "DAMAGED",
    "NEWER",
    "known",
    "microseconds",
    "moment",
    "name_bytes",
    "name_text",
    "names_lying",
    "readable",
    "trace_in",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAMAGED: Final = "it is kept, and 'tiktok uploads --forget' with this key removes it"
NEWER: Final = f"another release wrote it: upgrade to that one; {DAMAGED}"


def name_bytes(name: str) -> bytes:
    """Return the bytes that store a name. SQLite's text type would end at a NUL, and cannot hold a lone surrogate."""
    return name.encode("utf-8", "surrogatepass")


def name_text(lying: bytes) -> str:
    """Return the name that the bytes store. In a damaged name, bytes that are not UTF-8 are escaped."""
    try:
        return lying.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return lying.decode("utf-8", "surrogateescape")


def names_lying(name: str) -> tuple[bytes, ...]:
    """Return the bytes that may store a name: as `name_bytes` writes it, and as damage that `name_text` has escaped."""
    written = name_bytes(name)
    try:
        escaped = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return (written,)
    return (written,) if escaped == written else (written, escaped)


def microseconds(moment: datetime) -> int:
    """Return the number that stores a moment: microseconds since 1970 (UTC)."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(lying: int) -> datetime:
    """Return the moment that a number of `microseconds` stores."""
    return EPOCH + timedelta(microseconds=lying)


def known(name: object, record: Hidden[bytes]) -> Record:
    """Return the record that is stored under this name.

    Raises:
        ValueError: the record is damaged, or another release wrote it (`OtherVersion`). A record that holds another name
            than the one it is stored under is damaged: a lookup by its own name would not find it.
    """
    found = load_record(record)
    if name_bytes(found.name) != name:
        raise ValueError("damaged record (it is under another post's name)")
    return found


def readable(name: object, record: Hidden[bytes]) -> Record | None:
    """Return the record that is stored under this name; None if it cannot be read."""
    try:
        return known(name, record)
    except ValueError:
        return None


def trace_in(digest: str, document: bytes) -> Trace:
    """Return the trace in a document, or what is known of one that cannot be read."""
    try:
        return load_trace(document)
    except ValueError:
        # The trace proves that there was a post, though its details cannot be read.
        return Trace(digest=digest, end=None)
