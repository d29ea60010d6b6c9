"""The media that tests post: how a video begins, one small clip, and URLs from which TikTok pulls."""

import hashlib

from tiktok_adapters.sources import BytesSource

__all__ = ["CLIP", "CLIP_BYTES", "HEAD", "PHOTO", "PHOTOS", "PULLED", "clip", "film"]

HEAD = b"\0\0\0\x18ftypisom"
"""The first bytes of a video: enough to know it as an MP4. A test that needs a certain size or content goes on from here."""
CLIP_BYTES = HEAD + bytes(1_000)
CLIP = BytesSource(CLIP_BYTES)
PULLED = "https://media.example.com/clip.mp4"
PHOTO = "https://media.example.com/1.jpg"
PHOTOS = (PHOTO,)


def clip(number: int) -> BytesSource:
    """Return a clip that differs from those with another number."""
    return BytesSource(HEAD + number.to_bytes(4, "big"))


def film(size: int) -> BytesSource:
    """Return a video with so many bytes after its head, of which no two stretches are alike."""
    return BytesSource(HEAD + hashlib.shake_128(str(size).encode()).digest(size))
