"""Sources: they give the bytes of a video.

What belongs here: the adapters of the `Source` port. They read files, bytes in memory, and objects that lie elsewhere, and know no
rule of TikTok's. The core decides which sizes are allowed. `remote` has what all objects that lie elsewhere share.
"""

from tiktok_adapters.sources.bytes import BytesSource
from tiktok_adapters.sources.files import FileSource
from tiktok_core.ports import HasPath, Source

__all__ = ["BytesSource", "FileSource", "open_source"]


def open_source(path: str | HasPath, /) -> Source:
    """Open a file as a source.

    Raises:
        InvalidPost: the file does not exist, cannot be read, or is not a regular file.
    """
    return FileSource(path)
