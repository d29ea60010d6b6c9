"""The source over bytes in memory.

What belongs here: bytes that are there already.
"""

import hashlib

__all__ = ["BytesSource"]


class BytesSource:
    """Bytes in memory.

    Args:
        data: the bytes. Mutable data is copied.
        name: a name for them.
    """

    def __init__(self, data: bytes | bytearray | memoryview, *, name: str = "video") -> None:
        self._data = bytes(data)
        self._name = name
        self._fingerprint = f"{len(self._data)}-{hashlib.blake2b(self._data, digest_size=16).hexdigest()}"

    @property
    def name(self) -> str:
        """The name of the bytes."""
        return self._name

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self._data)

    @property
    def fingerprint(self) -> str:
        """A digest of all bytes. It never changes, because the bytes cannot change."""
        return self._fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end."""
        return self._data[start : start + length]

    def __repr__(self) -> str:
        return f"BytesSource({self._name!r}, {self.size} bytes)"
