"""Objects in S3, Google Cloud Storage and Azure Blob Storage, by obstore.

What belongs here: opening an object, and what is asked of a storage. Which bytes are fetched when is decided in `ahead`.
"""

import mmap
import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from tiktok_adapters.sources.ahead import Ahead
from tiktok_adapters.sources.object_faults import Fault, fault_of, is_answered, is_replaced
from tiktok_adapters.sources.object_names import OBJECT, ObjectName, parse_name
from tiktok_adapters.sources.object_stores import Limits, make_store
from tiktok_adapters.sources.remote import RemoteSource
from tiktok_core.errors import InvalidPost, Misused, Problem, SourceChanged
from tiktok_core.hidden import Hidden

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import AzureStore, GCSStore, S3Store

    Store: TypeAlias = S3Store | GCSStore | AzureStore

__all__ = ["OBJECT", "Limits", "ObjectRemote", "open_object"]

T = TypeVar("T")

BLOCK: Final = 1 << 18
"""Bytes that are taken from obstore at once."""
FORKED: Final = (
    "object storage was used before this process was forked, and obstore's threads do not live on in a child: "
    "open the first object after the fork, or start processes by 'spawn' or 'forkserver'"
)
LONGEST_START: Final = 60.0
"""Seconds for the first request of a process. obstore ends each by itself, unless its threads were lost in a fork."""


def open_object(
    name: Hidden[str],
    ahead: Ahead,
    client_options: Hidden[Mapping[str, Any]] | None = None,
    limits: Limits | None = None,
) -> RemoteSource:
    """Open an object by its name, with one request.

    Args:
        name: `s3://bucket/key`, with `?versionId=...` for a version of it, `gs://bucket/key` or `az://container/key`.
        ahead: what sources of a client share.
        client_options: the proxy and the authorities, as obstore's `ClientConfig` names them; those of the environment unless given.
        limits: how long to wait for the storage.

    Raises:
        InvalidPost: the name means no object, there is none, or it may not be read; or an extra or a setting is missing.
        SourceChanged: the storage does not answer now.
        Misused: this process was forked from one that has used obstore.
    """
    found = parse_name(name)
    store, proxy = make_store(found, client_options or Hidden[Mapping[str, Any]]({}), limits or Limits())
    return RemoteSource(_opened(store, found, proxy), ahead)


class ObjectRemote:
    """An object in a storage, as it was when it was opened. Threads may share it.

    Args:
        store: obstore's store of the bucket.
        name: the object.
        etag: its ETag.
        size: its bytes.
        proxy: the URL of the proxy on the way, without a password; empty without one.
    """

    def __init__(self, store: "Store", name: ObjectName, etag: str, size: int, proxy: str) -> None:
        self._store: Store | None = store
        self._name, self._proxy = name, proxy
        self._etag, self._size = etag, size

    @property
    def name(self) -> str:
        """The name by which any machine opens it, with the version if one was named. It holds no secret."""
        return str(self._name)

    @property
    def size(self) -> int:
        """The number of bytes when it was opened."""
        return self._size

    @property
    def etag(self) -> str:
        """The ETag of the opening."""
        return self._etag

    def look(self) -> tuple[str, int]:
        """Return the ETag and the size of what lies there now, by one request.

        Raises:
            SourceChanged: nothing lies there any more, or it cannot be asked.
        """
        meta = self._asked(lambda store: _head(store, self._name))
        return meta["e_tag"] or "", meta["size"]

    def fetch(self, start: int, length: int, /) -> memoryview:
        """Return exactly these bytes, which lie inside of the size, and are one at least.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        span = (start, start + length)
        meta, found, data = self._asked(lambda store: _ranged(store, self._name, span, self._etag))
        # A storage that knows no If-Match gives the range of what lies there now.
        if (meta["e_tag"], meta["size"]) != (self._etag, self._size):
            raise self._replaced()
        if found != span or len(data) != length:
            raise SourceChanged(None, f"the storage sent {len(data):,} bytes of {length:,} of {self._name}")
        return data

    def close(self) -> None:
        """Ask for nothing more. A second call does nothing."""
        self._store = None

    def _asked(self, ask: "Callable[[Store], T]") -> T:
        store = self._store
        if store is None:
            raise SourceChanged(None, "the source was closed")
        RUNTIME.check()
        try:
            return ask(store)
        except _errors() as error:  # Its text may quote a signature.
            fault = None if is_replaced(error) else fault_of(error, self._name, proxy=self._proxy)
        # Outside of the handler, so that the sentence does not refer to an error that quotes a signature.
        raise self._replaced() if fault is None else _trouble(fault)

    def _replaced(self) -> SourceChanged:
        return SourceChanged(None, f"another object lies at {self._name} than when it was opened")

    def __repr__(self) -> str:
        return f"ObjectRemote({self.name!r})"


class _Runtime:
    """The threads of obstore in this process. A forked child does not have those of its parent, and would wait for ever."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self.longest = LONGEST_START

    def check(self) -> None:
        """Refuse to ask in a forked child.

        Raises:
            Misused: this process was forked from one that has used obstore here.
        """
        if self._pid not in {None, os.getpid()}:
            raise Misused("the video", FORKED)

    def first(self, ask: Callable[[], T]) -> T:
        """Return what the first request of this process brings, and each later one. The first may find that there are no threads.

        Raises:
            Misused: this process was forked from one that has used obstore, here or elsewhere.
        """
        self.check()
        if self._pid is not None:
            return ask()
        ended: list[T] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                ended.append(ask())
            except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                failed.append(error)

        thread = threading.Thread(target=work, name="tiktok-objects", daemon=True)
        thread.start()
        thread.join(self.longest)
        if not ended and not failed:
            raise Misused("the video", FORKED)
        self._pid = os.getpid()
        if failed:
            raise failed[0]
        return ended[0]


RUNTIME: Final = _Runtime()


def _opened(store: "Store", name: ObjectName, proxy: str) -> ObjectRemote:
    try:
        meta = RUNTIME.first(lambda: _head(store, name))
    except _errors() as error:
        fault = fault_of(_with_body(error, store, name), name, proxy=proxy)
    else:
        etag = meta["e_tag"]
        if etag and etag.startswith('"') and etag != '""':  # An empty one is the same for every version.
            return ObjectRemote(store, name, etag, meta["size"], proxy)
        fault = Fault(f"the storage gives no strong ETag for {name}, so a change could not be noticed")
    raise _trouble(fault) if fault.passes else InvalidPost((Problem("video", fault.sentence),))


def _trouble(fault: Fault) -> SourceChanged:
    return SourceChanged(None, fault.sentence, passes=fault.passes)


def _with_body(error: Exception, store: "Store", name: ObjectName) -> Exception:
    """Return the same error with its body, which the answer to a HEAD does not have: it tells a missing bucket from an object."""
    if is_answered(error):
        try:
            _ranged(store, name, (0, 1), None)
        except _errors() as other:
            return other
    return error


def _head(store: "Store", name: ObjectName) -> "ObjectMeta":
    import obstore  # noqa: PLC0415 - an extra

    return obstore.get(store, name.key, options=_options(name, {"head": True})).meta


def _ranged(
    store: "Store", name: ObjectName, span: tuple[int, int], etag: str | None
) -> "tuple[ObjectMeta, tuple[int, int], memoryview]":
    import obstore  # noqa: PLC0415 - an extra

    # Not `get_range`, which knows neither If-Match nor versions.
    options: GetOptions = {"range": span}
    if etag is not None:
        options["if_match"] = etag
    result = obstore.get(store, name.key, options=_options(name, options))
    # Memory of its own, which goes back to the system at once. Python's allocator would keep some for each thread that ever fetched.
    data, filled = memoryview(mmap.mmap(-1, span[1] - span[0])), 0
    # Not `result.bytes()`, which needs the memory of the range three times.
    for block in result.stream(min_chunk_size=BLOCK):
        if filled + len(block) > len(data):
            return result.meta, result.range, data[:0]  # More than was asked for is as wrong as less.
        data[filled : filled + len(block)] = memoryview(block)
        filled += len(block)
    return result.meta, result.range, data[:filled].toreadonly()


def _options(name: ObjectName, options: "GetOptions") -> "GetOptions":
    if name.version is not None:  # obstore takes no None, although its types allow it.
        options["version"] = name.version
    return options


def _errors() -> tuple[type[Exception], ...]:
    """Return what obstore raises for a request that failed."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra

    return BaseError, OSError, ValueError
