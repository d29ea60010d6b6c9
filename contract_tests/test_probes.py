"""Every probe keeps the contract of its port.

What belongs here: bindings only.
"""

import pytest

from tiktok_adapters.probes import MediaInfoProbe, ThreadedProbe
from tiktok_adapters.testing.contracts.probes import ProbeContract


class TestMediaInfo(ProbeContract):
    """MediaInfo, blocking."""

    @pytest.fixture
    def probe(self) -> MediaInfoProbe:
        """Return the probe under contract."""
        return MediaInfoProbe()


class TestThreadedMediaInfo(ProbeContract):
    """MediaInfo in a worker thread, awaited."""

    @pytest.fixture
    def probe(self) -> ThreadedProbe:
        """Return the probe under contract."""
        return ThreadedProbe(MediaInfoProbe())
