"""What a caller gives in place of a name is read through sources that keep the contract of their port, whatever it is.

What belongs here: bindings only.
"""

import gzip
import io
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.sources import open_given
from tiktok_adapters.testing.contracts.sources import MakeSource, SourceContract
from tiktok_core.wire.http import Source

Give = Callable[[bytes, Path], Any]
"""Gives these bytes as a thing of its kind; the folder is its own."""


class Own:
    """An open file of the caller's own class, which has a cursor and no more."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)
        self.read, self.seek, self.tell = self._inner.read, self._inner.seek, self._inner.tell


class Stream:
    """A stream, which can only be read on, and gives few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        return self._inner.read(min(size, 70_001))


def opened(mode: str, buffering: int = -1) -> Give:
    """Return a giver of files that are open in this mode."""

    def give(data: bytes, folder: Path) -> Any:
        (folder / "clip.mp4").write_bytes(data)
        return (folder / "clip.mp4").open(mode, buffering)

    return give


def written(make: Callable[[], Any]) -> Give:
    """Return a giver of temporary files as they are after the last write: the cursor stands at the end, and nothing was flushed."""

    def give(data: bytes, _folder: Path) -> Any:
        file = make()
        file.write(data)
        return file

    return give


def zipped(data: bytes, folder: Path) -> Any:
    """Give the member of an archive."""
    with zipfile.ZipFile(folder / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip.mp4", data)
    return zipfile.ZipFile(folder / "films.zip").open("clip.mp4")


def gzipped(data: bytes, folder: Path) -> Any:
    """Give a packed file."""
    (folder / "clip.gz").write_bytes(gzip.compress(data, 1))
    return gzip.open(folder / "clip.gz")


def piped(data: bytes, _folder: Path) -> Any:
    """Give the end of a pipe."""
    end, other = os.pipe()

    def write() -> None:
        with os.fdopen(other, "wb") as pipe:
            pipe.write(data)

    threading.Thread(target=write).start()
    return os.fdopen(end, "rb")


def werkzeug(data: bytes, _folder: Path) -> Any:
    """Give an upload of Flask's."""
    datastructures = pytest.importorskip("werkzeug.datastructures", reason="flask comes with `make check`")
    return datastructures.FileStorage(io.BytesIO(data), "clip.mp4")


def starlette(limit: int) -> Give:
    """Return a giver of uploads of FastAPI's, which lie on the disk above so many bytes."""

    def give(data: bytes, folder: Path) -> Any:
        datastructures = pytest.importorskip("starlette.datastructures", reason="fastapi comes with `make check`")
        file = written(partial(tempfile.SpooledTemporaryFile, max_size=limit))(data, folder)
        return datastructures.UploadFile(file, filename="clip.mp4", size=len(data))

    return give


def django(kind: str) -> Give:
    """Return a giver of uploads of Django's."""

    def give(data: bytes, _folder: Path) -> Any:
        files = pytest.importorskip("django.core.files.uploadedfile", reason="django comes with `make check`")
        from django.conf import settings  # noqa: PLC0415

        if not settings.configured:
            settings.configure(ALLOWED_HOSTS=["127.0.0.1"], LOGGING_CONFIG=None)
        if kind == "memory":
            return files.InMemoryUploadedFile(io.BytesIO(data), "film", "clip.mp4", "video/mp4", len(data), None)
        file = files.TemporaryUploadedFile("clip.mp4", "video/mp4", len(data), None)
        file.write(data)
        return file

    return give


def django_field(data: bytes, folder: Path) -> Any:
    """Give the file of a field of a model of Django's."""
    django("memory")(data, folder)  # It skips the test without Django, and sets that up.
    from django.core.files.storage import FileSystemStorage  # noqa: PLC0415
    from django.db.models import FileField  # noqa: PLC0415
    from django.db.models.fields.files import FieldFile  # noqa: PLC0415

    (folder / "clip.mp4").write_bytes(data)
    return FieldFile(None, FileField(storage=FileSystemStorage(location=folder)), "clip.mp4")


def aiohttp(data: bytes, folder: Path) -> Any:
    """Give a field of a form of aiohttp's."""
    from aiohttp import web  # noqa: PLC0415
    from multidict import CIMultiDict, CIMultiDictProxy  # noqa: PLC0415

    file = written(tempfile.TemporaryFile)(data, folder)
    return web.FileField("film", "clip.mp4", file, "video/mp4", CIMultiDictProxy(CIMultiDict()))


GIVEN: dict[str, Give] = {
    "bytes": lambda data, _folder: data,
    "bytearray": lambda data, _folder: bytearray(data),
    "memoryview": lambda data, _folder: memoryview(data),
    "BytesIO": lambda data, _folder: io.BytesIO(data),
    "open-rb": opened("rb"),
    "open-unbuffered": opened("rb", 0),
    "open-r+b": opened("r+b"),
    "TemporaryFile": written(tempfile.TemporaryFile),
    "NamedTemporaryFile": written(tempfile.NamedTemporaryFile),
    "SpooledTemporaryFile-in-memory": written(tempfile.SpooledTemporaryFile),
    "SpooledTemporaryFile-on-disk": written(partial(tempfile.SpooledTemporaryFile, max_size=1)),
    "own-class": lambda data, _folder: Own(data),
    "zip-member": zipped,
    "gzip": gzipped,
    "pipe": piped,
    "stream": lambda data, _folder: Stream(data),
    "generator": lambda data, _folder: (data[start : start + 7_001] for start in range(0, len(data), 7_001)),
    "flask": werkzeug,
    "fastapi-in-memory": starlette(1 << 20),
    "fastapi-on-disk": starlette(1),
    "django-in-memory": django("memory"),
    "django-on-disk": django("disk"),
    "django-field": django_field,
    "aiohttp": aiohttp,
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestGiven(SourceContract):
    """Each kind of thing that holds bytes."""

    @pytest.fixture(params=GIVEN)
    def make_source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSource]:
        """Return the maker of sources under contract; what it gave stays open for so long."""
        kept = []

        def make(data: bytes) -> Source:
            folder = tmp_path / f"{len(kept)}"
            folder.mkdir()
            kept.append(GIVEN[request.param](data, folder))
            intake = open_given(kept[-1])
            assert intake is not None
            while (source := intake.take()) is None:
                pass
            return source

        yield make
        for given in kept:
            getattr(getattr(given, "file", given), "close", lambda: None)()
