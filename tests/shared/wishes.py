"""Wishes of each kind, and the record of a file's post where it begins: what the tests of a record start from."""

from datetime import UTC, datetime, timedelta

from attrs import evolve

from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.moves import begun, init_sent
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Begun
from tiktok_core.domain.tokens import Secret

__all__ = ["FILE", "LATER", "NOW", "PHOTOS", "PLAN", "PULL", "record", "uploading"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
PLAN = plan_chunks(70_000_000)
FILE = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", media_type=MediaType.MP4, plan=PLAN)
PULL = Wish(post=VideoPost(), video="https://media.example.com/a.mp4")
PHOTOS = Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg",)))


def record(wish: Wish = FILE) -> Record:
    """Return a record that was just planned."""
    return Record(key="k", app="a", account="o", wish=wish, created_at=NOW, updated_at=NOW, plan=wish.plan)


def uploading(offset: int = 0) -> Record:
    """Return the record of an upload under way."""
    sent = init_sent(record(), NOW, PLAN)
    return evolve(begun(sent, NOW, Begun(publish_id="p", upload_url=Secret("https://u"))), offset=offset)
