"""Every source keeps the contract of its port.

What belongs here: bindings only.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from media_server import TRICKS, served
from tiktok_adapters.sources import BytesSource, MediaHosts, SourceOpener, open_source
from tiktok_adapters.testing.contracts.sources import MakeSource, SourceContract
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.wire.http import Source

HERE = MediaHosts.parsed("127.0.0.1")


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


class TestUrl(SourceContract):
    """A video on a web server that gives ranges."""

    trick = "honest"

    @pytest.fixture
    def make_source(self) -> Iterator[MakeSource]:
        """Yield the maker of sources under contract."""
        opener = SourceOpener(lambda: Urllib3Transport(refuse=HERE.refusal), HERE)
        with ExitStack() as servers:

            def make(data: bytes) -> Source:
                media = servers.enter_context(served(data))
                media.trick = TRICKS[self.trick]
                return opener(media.url)

            yield make
            opener.close()


class TestUrlWithoutRanges(TestUrl):
    """A video on a web server that gives none, so that it is copied."""

    trick = "ignores ranges"
