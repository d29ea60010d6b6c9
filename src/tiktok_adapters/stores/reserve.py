"""Disk space reserved for saves that must succeed after a request has left for TikTok.

What belongs here: the file that occupies the space. Its content has no meaning.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Reserve"]

SIZE: Final = 128 * 1024
"""Bytes: several times what one save of tokens or of a record needs, including SQLite's rollback journal."""


class Reserve:
    """A file that is written before a risky action, and deleted when a save finds the disk full.

    Args:
        path: the file. The first `hold` creates it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """Create the file, unless it exists at full size.

        Raises:
            OSError: the disk has not enough space. The file does not exist afterwards.
        """
        with suppress(OSError):
            if self._path.lstat().st_size >= SIZE:
                return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
                # Random bytes: a file system may store zeros without using space. The fsync: some allocate only then.
                file.write(os.urandom(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            raise

    def give_up(self) -> bool:
        """Delete the file to free its space, and return whether there was one."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
