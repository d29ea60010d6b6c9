"""Videos that lie elsewhere: an opener of URLs for clients, and what lies under them, for tests to change."""

import hashlib
from typing import Any

from attrs import define, evolve, field

from clips import CLIP_BYTES
from tiktok_adapters.sources import BytesSource, open_source
from tiktok_core.domain.names import is_url
from tiktok_core.errors import InvalidPost, Problem, SourceChanged
from tiktok_core.ports import HasPath, Source

__all__ = ["ELSEWHERE", "FRESH", "SIGNATURE", "SIGNED", "Elsewhere", "opening"]

ELSEWHERE = "https://bucket.elsewhere.example/clip.mp4"
"""A URL from which the app of the tests may not pull."""
SIGNATURE = "canary-of-a-signature"
SIGNED = f"{ELSEWHERE}?X-Expires=60&X-Signature={SIGNATURE}"
FRESH = f"{ELSEWHERE}?X-Expires=60&X-Signature=canary-of-a-fresh-signature"


@define
class Elsewhere:
    """Opens files by their path, and what lies at a URL.

    Attributes:
        objects: the bytes under each URL without its query.
        expired: the URLs, with their query, that open nothing any more.
        opened: each URL that was opened, in order.
        troubles: errors that the next openings raise.
    """

    objects: dict[str, bytes] = field(factory=lambda: {ELSEWHERE: CLIP_BYTES})
    expired: set[str] = field(factory=set)
    opened: list[str] = field(factory=list)
    troubles: list[Exception] = field(factory=list)

    def __call__(self, name: str | HasPath, /) -> Source:
        """Open a file, or what lies at a URL."""
        if not isinstance(name, str) or not is_url(name):
            return open_source(name)
        self.opened.append(name)
        if self.troubles:
            raise self.troubles.pop(0)
        bare = name.partition("?")[0]
        if name in self.expired or bare not in self.objects:
            status = 403 if name in self.expired else 404
            raise InvalidPost((Problem("video", f"{bare} cannot be read: the server answered with HTTP {status}"),))
        return Opened(self, name, self.objects[bare])


class Opened(BytesSource):
    """What lay at a URL when it was opened. It can be read as long as the same bytes lie there and the URL has not expired."""

    def __init__(self, elsewhere: Elsewhere, name: str, data: bytes) -> None:
        super().__init__(data)
        self._elsewhere, self._name, self._bytes = elsewhere, name, data
        self._digest = hashlib.sha256(data).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The digest and the size of what lies there."""
        self._check()
        return f"{self._digest}-{len(self._bytes)}"

    def read(self, start: int, length: int, /) -> bytes:
        """Return the bytes, while they lie there."""
        self._check()
        return super().read(start, length)

    def _check(self) -> None:
        bare = self._name.partition("?")[0]
        if self._name in self._elsewhere.expired:
            raise SourceChanged(None, f"{bare} can no longer be read: the server answered with HTTP 403")
        if self._elsewhere.objects.get(bare) != self._bytes:
            raise SourceChanged(None, f"{bare} was replaced while it was read")


def opening(tiktok: Any, elsewhere: Elsewhere | None, **app: Any) -> Any:
    """Let a client, of either world, open URLs through `elsewhere`, for an app with these settings; and return the client."""
    face = getattr(tiktok, "_face", tiktok)
    face._context = evolve(face._context, open_source=elsewhere, app=evolve(face._context.app, **app))
    return tiktok
