"""Sources: they give the bytes of a video.

What belongs here: the adapters of the `Source` port. They read files, bytes in memory, and objects that lie elsewhere, and know no
rule of TikTok's. The core decides which sizes are allowed. `remote` has what all objects that lie elsewhere share.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from tiktok_adapters.sources.ahead import Ahead
from tiktok_adapters.sources.bytes import BytesSource
from tiktok_adapters.sources.files import FileSource
from tiktok_adapters.sources.hosts import MediaHosts
from tiktok_adapters.sources.object_names import OBJECT
from tiktok_adapters.sources.objects import open_object
from tiktok_adapters.sources.ranges import Patience, Web, open_url
from tiktok_adapters.sources.remote import RemoteSource
from tiktok_core.errors import InvalidPost, Problem, SourceChanged
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath, Source, Transport
from tiktok_core.wire.http import redacted

__all__ = [
    "Ahead",
    "BytesSource",
    "FileSource",
    "MediaHosts",
    "Patience",
    "RemoteSource",
    "SourceOpener",
    "open_source",
]

URL: Final = re.compile(r"https?://", re.IGNORECASE)


def open_source(name: str | HasPath, /) -> Source:
    """Open a file as a source. `SourceOpener` also opens what lies elsewhere.

    Raises:
        InvalidPost: the file does not exist, cannot be read, or is not a regular file; or the name is a URL.
    """
    if URL.match(os.fspath(name)) or OBJECT.match(os.fspath(name)):
        said = f"{redacted(os.fspath(name))} is a URL, and this client opens files only: give it SourceOpener as open_source"
        raise InvalidPost((Problem("video", said),))
    return FileSource(name)


class SourceOpener:
    """Opens paths, and names that any machine opens, as sources. Threads may share it. Close it with the client.

    Such names are `https://...`, `s3://bucket/key`, `gs://bucket/key` and `az://container/key`.

    Args:
        make_transport: makes the blocking transport for media, when the first URL is opened. It has to ask `hosts.refusal` about each
            address before it connects: `Urllib3Transport(refuse=hosts.refusal)`.
        hosts: the hosts from which media are read although they are private.
        object_options: returns the proxy and the authorities for object storage, as obstore's `ClientConfig` names them; those of the
            environment unless given.
        patience: how long to wait for a server of media.
    """

    def __init__(
        self,
        make_transport: Callable[[], Transport],
        hosts: MediaHosts | None = None,
        *,
        object_options: Callable[[], Hidden[Mapping[str, Any]]] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._make_transport = make_transport
        self._object_options = object_options or (lambda: Hidden[Mapping[str, Any]]({}))
        self._hosts = hosts or MediaHosts()
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._ahead = Ahead()
        self._web: Web | None = None
        self._closed = False

    def __call__(self, name: str | HasPath, /) -> Source:
        """Open a source by its name.

        Raises:
            InvalidPost: there is no such file or object, or it cannot be read.
            SourceChanged: where it lies does not answer now; or the client is closed.
            Misused: an object was opened before this process was forked.
            InvalidSettings: the proxy or a file of authorities cannot be used.
        """
        url = Hidden(os.fspath(name))
        del name  # A crash report would show it.
        if OBJECT.match(url.reveal()):
            return open_object(url, self._ahead, self._object_options())
        if not URL.match(url.reveal()):
            return open_source(url.reveal())
        return open_url(url, self._through(), self._ahead)

    def close(self) -> None:
        """Close what was opened from elsewhere, and end what is on its way. A second call does nothing."""
        with self._lock:
            self._closed = True
            web, self._web = self._web, None
        if web is not None:
            web.close()
        self._ahead.close()

    def _through(self) -> Web:
        with self._lock:
            if self._closed:
                raise SourceChanged(None, "the client is closed")
            if self._web is None:
                self._web = Web(self._make_transport(), self._hosts, self._patience)
            return self._web
