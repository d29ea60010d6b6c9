"""Sources: they give the bytes of a video.

What belongs here: the adapters of the `Source` port. They read files, bytes in memory, and objects that lie elsewhere, and know no
rule of TikTok's. The core decides which sizes are allowed. `remote` has what all objects that lie elsewhere share.
"""

from typing import Final

from tiktok_adapters.sources.bytes import BytesSource
from tiktok_adapters.sources.files import FileSource
from tiktok_adapters.sources.given import open_given
from tiktok_core.ports import HasPath, Intake, Source

__all__ = ["BytesSource", "FileSource", "OpenSource", "open_given", "open_source"]


class OpenSource:
    """Opens what a client posts as a source: a file by its path, and bytes, open files, uploads and streams as they are given."""

    def __call__(self, path: str | HasPath, /) -> Source:
        """Open a file by its path.

        Raises:
            InvalidPost: the file does not exist, cannot be read, or is not a regular file.
        """
        return FileSource(path)

    def open_given(self, given: object, /) -> Intake | None:
        """See `OpensGiven`."""
        return open_given(given)


open_source: Final = OpenSource()
"""The usual `open_source` of a client."""
