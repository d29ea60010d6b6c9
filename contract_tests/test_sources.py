"""Every source keeps the contract of its port.

What belongs here: bindings only.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from media_server import TRICKS, served
from object_server import object_server
from tiktok_adapters.sources import Ahead, BytesSource, MediaHosts, SourceOpener, open_source
from tiktok_adapters.sources.objects import open_object
from tiktok_adapters.testing.contracts.sources import MakeSource, SourceContract
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.hidden import Hidden
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


class TestObjectSource(SourceContract):
    """An object in S3, as moto serves it."""

    @pytest.fixture
    def make_source(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSource]:
        """Return the maker of sources under contract."""
        server, ahead = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False), Ahead()
        server.start()
        try:
            host, port = server.get_host_and_port()
            for name, value in {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "us-east-1",
            }.items():
                monkeypatch.setenv(name, value)
            client = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket="videos")

            def make(data: bytes) -> Source:
                key = f"of the day/{uuid4()}.mp4"
                client.put_object(Bucket="videos", Key=key, Body=data)
                return open_object(Hidden(f"s3://videos/{key}"), ahead)

            yield make
            client.close()
        finally:
            ahead.close()
            server.stop()


class TestObjectSourceOfAnyStorage(SourceContract):
    """An object in each of the storages, as a small server of ours serves them."""

    @pytest.fixture(params=["s3", "gs", "az"])
    def make_source(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeSource]:
        """Return the maker of sources under contract."""
        ahead = Ahead()
        with object_server() as server:
            for name, value in server.environment().items():
                monkeypatch.setenv(name, value)

            def make(data: bytes) -> Source:
                key = f"videos/of the day/{uuid4()}.mp4"
                server.put(key, data)
                return open_object(Hidden(f"{request.param}://{key}"), ahead)

            yield make
            ahead.close()


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
