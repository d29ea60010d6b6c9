"""What PostgreSQL's errors mean for a store: one sentence, the kind of `StoreError`, and whether another attempt can help.

What belongs here: the table of SQLSTATE codes. No sentence holds a password: none comes from the connection string.
"""

from typing import Final

import psycopg
from attrs import frozen

from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.hidden import Hidden

__all__ = ["Failure", "failure_of", "lost", "not_connected"]

LONGEST: Final = 400
"""Characters of the server's own words in a sentence."""


@frozen
class Failure:
    """Why an attempt failed.

    Attributes:
        error: for the caller.
        may_pass: whether another attempt may succeed within seconds.
        was_sent: whether the server may have carried out what it was sent.
    """

    error: StoreError
    may_pass: bool = False
    was_sent: bool = False


READ_ONLY: Final = "the server takes no writes: it is a replica, or read-only by its settings: name the primary server"
GONE: Final = "the server ended the connection: it restarts, or was restarted"
MEANINGS: Final[dict[str, tuple[StoreTrouble, str, bool]]] = {
    "25006": ("foreign", READ_ONLY, False),
    "40001": ("locked", "too many calls wrote the same row at once", True),
    "40P01": ("locked", "two calls waited for one another", True),
    "42501": ("foreign", "{said}: grant the user the rights that the guide names", False),
    "53100": ("full", "the server's disk is full", False),
    "53300": ("locked", "the server has no connection left for this user", True),
    "55P03": ("locked", "another session locks the row for too long", False),
    "57014": ("locked", "the server cancelled the call, which took longer than statement_timeout allows", False),
    "57P01": ("locked", GONE, True),
    "57P02": ("locked", GONE, True),
    "57P03": ("locked", "the server is starting or shutting down", True),
}
"""By SQLSTATE: the kind, the sentence, and whether another attempt can help."""
CLASSES: Final[dict[str, tuple[StoreTrouble, str, bool]]] = {
    "08": ("locked", GONE, True),
    "28": ("failed", "the server refuses the user or the password: {said}", False),
    "3D": ("missing", "{said}: create it, or name another one", False),
    "3F": ("missing", "{said}: the schema was dropped while the store was open", False),
    "42": ("damaged", "the tables are not as this release made them: {said}", False),
    "53": ("locked", "the server lacks a resource: {said}", True),
    "XX": ("damaged", "the server reports damaged data: {said}", False),
}
"""The same by the first two characters of a SQLSTATE."""


def failure_of(error: psycopg.Error, store: str, *, is_lost: bool) -> Failure:
    """Return what an error of a statement means. `is_lost` says whether its connection is gone."""
    state = error.sqlstate or ""
    said = _said(error.diag.message_primary or str(error))
    kind, meaning, may_pass = MEANINGS.get(state) or CLASSES.get(state[:2]) or ("failed", "{said}", False)
    if is_lost:
        kind, may_pass = "locked", True
        meaning = meaning if state in MEANINGS else GONE
    return Failure(StoreError(store, meaning.format(said=said), kind), may_pass, was_sent=is_lost)


def lost(store: str) -> Failure:
    """Return what it means that a connection was closed before anything was sent."""
    return Failure(StoreError(store, GONE, "locked"), may_pass=True)


def not_connected(error: psycopg.Error, store: str) -> Failure:
    """Return what it means that no connection could be made."""
    # Who was asked for a password, and refused, gets no further by waiting. Who could not ask may.
    # Covered, because libpq's description of a connection that has failed shows the password.
    ended = Hidden(error.pgconn if isinstance(error, psycopg.OperationalError) else None)
    is_refused = bool(
        getattr(ended.reveal(), "used_password", False) or getattr(ended.reveal(), "needs_password", False)
    )
    kind: StoreTrouble = "failed" if is_refused else "locked"
    return Failure(StoreError(store, f"cannot connect: {_said(str(error))}", kind), may_pass=not is_refused)


def _said(text: str) -> str:
    words = " ".join(text.split()).rstrip(".")
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
