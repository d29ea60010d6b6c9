"""Every source keeps the contract of its port.

What belongs here: bindings only.
"""

from pathlib import Path

import pytest

from tiktok_adapters.sources import BytesSource, open_source
from tiktok_adapters.testing.contracts.sources import MakeSource, SourceContract
from tiktok_core.wire.http import Source


class TestBytesSource(SourceContract):
    """Bytes in memory."""

    @pytest.fixture
    def make_source(self) -> MakeSource:
        """Return the maker of sources under contract."""
        return BytesSource


class TestFileSource(SourceContract):
    """A file."""

    @pytest.fixture
    def make_source(self, tmp_path: Path) -> MakeSource:
        """Return the maker of sources under contract."""

        def make(data: bytes) -> Source:
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.mp4"
            path.write_bytes(data)
            return open_source(path)

        return make
