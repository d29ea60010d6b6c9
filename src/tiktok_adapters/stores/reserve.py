"""Room on the disk that is held for what has to be saved after TikTok was asked.

What belongs here: the file that holds the room. What is in it means nothing.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Reserve"]

SIZE: Final = 128 * 1024
"""Several times what saving tokens or a record takes, the copies of SQLite's rollback journal included."""


class Reserve:
    """A file that is filled while nothing is at stake, and given up for a save that finds no other room.

    Args:
        path: the file. It is there from the first `hold` on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def hold(self) -> None:
        """See that the room is taken.

        Raises:
            OSError: there is none; nothing was taken.
        """
        with suppress(OSError):
            if self._path.lstat().st_size >= SIZE:
                return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            with os.fdopen(os.open(self._path, flags, 0o600), "wb") as file:
                # Random, because zeros may take no room; synchronised, because room may be given out that late.
                file.write(os.urandom(SIZE))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            self.give_up()
            raise

    def give_up(self) -> bool:
        """Give the room back, and return whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
