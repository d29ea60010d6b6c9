"""Rows of the journal in PostgreSQL: how a record becomes one, and what one says.

What belongs here: values alone. `journal` sends them, and `arriving` those of a home that is moved.
"""

import hashlib
from typing import Any

from attrs import frozen

from tiktok_adapters.stores.postgres.parts import id_of
from tiktok_adapters.stores.sealing import MARK, NotOpened, Seal, Swapped
from tiktok_adapters.stores.stored import DAMAGED, NEWER, known, microseconds, name_bytes, name_text, trace_in
from tiktok_core.domain.forgetting import Trace, name_digest
from tiktok_core.domain.journal import Record, learned_chunk
from tiktok_core.errors import StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import OtherVersion, dump_record, record_version

__all__ = ["Row", "Rows", "Unread", "format_of"]


class Unread(Exception):
    """A record that cannot be read. `reason` is one clause."""

    def __init__(self, reason: str, kind: StoreTrouble) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class Rows:
    """Makes and reads rows, sealed if there is a seal.

    Args:
        seal: encrypts records, and opens those that are encrypted; None for rows that are not encrypted.
    """

    def __init__(self, seal: Seal | None) -> None:
        self._seal = seal

    def values(self, record: Record) -> dict[str, Any]:
        """Return the values of a record's row."""
        document, key = Hidden(dump_record(record)), b""
        if self._seal is not None:
            document, key = Hidden(self._seal.sealed(record.name, document)), self._seal.marks[0]
        return {
            "id": id_of(record.name),
            "name": name_bytes(record.name),
            "created": microseconds(record.created_at),
            "updated": microseconds(record.updated_at),
            "ended": record.is_ended,
            "due": record.due_at and microseconds(record.due_at),
            "post": None if record.publish_id is None else id_of(record.publish_id),
            "format": format_of(record_version(record), key),
            "digest": hashlib.sha256(document.reveal()).digest(),
            "document": document,
            "app": id_of(record.app),
            "size": learned_chunk(record),
        }

    def known(self, row: "Row") -> Record:
        """Return the record in a row.

        Raises:
            Unread: it is damaged, another release wrote it, or no key opens it.
        """
        document = row.document
        if document.reveal().startswith(MARK):
            if self._seal is None:
                raise Unread(f"it is encrypted: give the key; {DAMAGED}", "key")
            try:
                document = self._seal.opened(row.name, document)
            except NotOpened:
                raise Unread(f"no key decrypts it: give the key that encrypted it; {DAMAGED}", "key") from None
            except Swapped:
                raise Unread(
                    f"it belongs to another post: the stored records were swapped; {DAMAGED}", "damaged"
                ) from None
        try:
            return known(name_bytes(row.name), document)
        except OtherVersion as error:
            raise Unread(f"{error}: {NEWER}", "version") from None
        except ValueError as error:
            raise Unread(f"{error}: {DAMAGED}", "damaged") from None


@frozen
class Row:
    """What lies under a name: the record's document and its digest, and the document of the trace that lies beside it."""

    lying: Hidden[bytes]
    digest: Hidden[bytes]
    document: Hidden[bytes]
    left: Hidden[bytes] | None = None

    @property
    def name(self) -> str:
        """The name."""
        return name_text(self.lying.reveal())

    @property
    def trace(self) -> Trace | None:
        """The trace beside the record; None if there is none."""
        return None if self.left is None else trace_in(name_digest(self.name), self.left.reveal())


def format_of(version: int, key: bytes) -> bytes:
    """Return what it takes to read a record: its version, and the key that sealed it."""
    return str(version).encode() + b" " * bool(key) + key
