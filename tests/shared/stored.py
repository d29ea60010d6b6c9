"""What tests put into stores: tokens, a journal's record, and the moments of their leases; and where stores put it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from attrs import evolve

from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.tokens import Secret, Tokens

__all__ = ["LATER", "NEWER", "NOW", "RECORD", "TOKENS", "MemoryKeychain", "umask"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
TOKENS = Tokens(
    open_id="open-id",
    access_token=Secret("act.canary"),
    refresh_token=Secret("rft.canary"),
    scope=("video.publish",),
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    refresh_expires_at=NOW + timedelta(days=180),
)
NEWER = evolve(TOKENS, access_token=Secret("act.newer"), refresh_token=Secret("rft.newer"))
RECORD = Record(
    key="key",
    app="app",
    account="me",
    wish=Wish(post=VideoPost(title="title")),
    stage=Stage.UPLOADING,
    created_at=NOW,
    updated_at=NOW,
    upload_url=Secret("https://upload.example.com/?upload_token=canary"),
)


class MemoryKeychain:
    """A keychain in memory. It is no dictionary itself: a crash report would show what lies in one."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return an entry, or None."""
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Remove an entry."""
        del self.entries[service, username]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Let new files have these rights taken away."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
