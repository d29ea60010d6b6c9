"""What a person gave to post: films in the home folder, and URLs of pictures, until they are posted or removed.

What belongs here: files and folders. A film is streamed to a folder whose name begins with a dot, and the folder is renamed once
the film is whole. So a film is there whole or not at all, whenever the process ends. The folder's name is a digest of what is in it:
a film that is dropped twice is one film, and its post is one post.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import field, frozen

from tiktok_adapters.studio.guard import Refused
from tiktok_adapters.studio.words import size as spelled

__all__ = ["LARGEST", "MOST", "Given", "GivenFiles"]

MOST: Final = 20
"""Films and sets of pictures that are kept at once."""
LARGEST: Final = 4 * 2**30
"""Bytes of a film; TikTok takes none that is larger."""
SPARE: Final = 256 * 2**20
"""Bytes that a film leaves free on the disk, for the journal and for others."""
OLD: Final = 3_600.0
"""Seconds without a byte after which a film that is not whole is no longer expected: it may be another process's until then."""
PICTURES: Final = "pictures.json"
NAME: Final = re.compile(r"[0-9a-f]{16}")
UNSAFE: Final = frozenset('<>:"/\\|?*')
LONGEST_NAME: Final = 120
"""Bytes of a film's name; file systems take 255."""


@frozen(kw_only=True)
class Given:
    """A film or pictures.

    Attributes:
        id: a digest of it, which is its name in addresses.
        name: what the person called it.
        path: the film; None for pictures.
        pictures: the URLs of pictures, whose queries may be signatures; none for a film.
        size: bytes of the film.
    """

    id: str
    name: str
    path: Path | None = None
    pictures: tuple[str, ...] = field(default=(), repr=False)
    size: int = 0

    @property
    def is_film(self) -> bool:
        """Whether it is a film."""
        return self.path is not None


class GivenFiles:
    """The folder of what was given.

    Args:
        folder: the folder. It is made when something is given.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._coming: dict[str, int] = {}

    # --- Giving ------------------------------------------------------------------------------------------------------

    async def film(self, name: str, size: int, blocks: AsyncIterator[bytes]) -> Given:
        """Keep a film, block by block.

        Raises:
            Refused: there is no room for it, or it did not come whole; nothing is kept.
            OSError: the folder cannot be written.
        """
        await asyncio.to_thread(self._check_room, size)
        coming = self._folder / f".{secrets.token_hex(8)}"
        self._coming[coming.name] = size
        try:
            return await self._received(coming, _safe(name), size, blocks)
        except BaseException:
            shutil.rmtree(coming, ignore_errors=True)
            raise
        finally:
            del self._coming[coming.name]

    async def _received(self, coming: Path, name: str, size: int, blocks: AsyncIterator[bytes]) -> Given:
        fd = await asyncio.to_thread(self._begun, coming, name)
        digest, count = hashlib.sha256(), 0

        def keep(block: bytes) -> None:
            digest.update(block)
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(fd, rest) :]

        try:
            async for block in blocks:
                count += len(block)
                if count > size:
                    break
                await asyncio.to_thread(keep, block)
            if count != size:
                raise Refused(f"The film did not come whole: {count:,} of {size:,} bytes. Drop it again.")
            await asyncio.to_thread(os.fsync, fd)
        finally:
            os.close(fd)
        return self._moved(coming, digest.hexdigest()[:16])

    def _moved(self, coming: Path, number: str) -> Given:
        if (self._folder / number).exists():
            shutil.rmtree(coming)
        else:
            coming.rename(self._folder / number)
        return self.get(number)

    def pictures(self, urls: Sequence[str]) -> Given:
        """Keep the URLs of pictures.

        Raises:
            Refused: too much is kept already.
            OSError: the folder cannot be written.
        """
        self._check_room(0)
        coming = self._folder / f".{secrets.token_hex(8)}"
        written = json.dumps(list(urls)).encode()
        with os.fdopen(self._begun(coming, PICTURES), "wb") as file:
            file.write(written)
        return self._moved(coming, hashlib.sha256(written).hexdigest()[:16])

    def _begun(self, coming: Path, name: str) -> int:
        # A parent that `mkdir` makes by the way has the usual mode, so that others could look into the home folder.
        for folder in (self._folder.parent, self._folder):
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._folder.chmod(0o700)
        coming.mkdir(mode=0o700)
        return os.open(coming / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)

    def _check_room(self, size: int) -> None:
        if size > LARGEST:
            raise Refused(f"The film has {spelled(size)}, and TikTok takes at most {spelled(LARGEST)}.", 413)
        if len(self.all()) + len(self._coming) >= MOST:
            raise Refused(f"The studio keeps {MOST} films and sets of pictures: post or remove one first.", 409)
        where = next(folder for folder in (self._folder, *self._folder.parents) if folder.exists())
        free = shutil.disk_usage(where).free - sum(self._coming.values())
        if size and free < size + SPARE:
            raise Refused(
                f"The disk has no room for a film of {spelled(size)}: {spelled(max(0, free))} are free. Free some, or use another home "
                "folder.",
                507,
            )

    # --- What is there -----------------------------------------------------------------------------------------------

    def all(self) -> tuple[Given, ...]:
        """Return what is kept, the latest first."""
        if not self._folder.is_dir():
            return ()
        folders = [folder for folder in self._folder.iterdir() if NAME.fullmatch(folder.name)]
        return tuple(filter(None, map(_read, sorted(folders, key=_time, reverse=True))))

    def get(self, number: str) -> Given:
        """Return one of them.

        Raises:
            Refused: there is none of this name.
        """
        found = _read(self._folder / number) if NAME.fullmatch(number) else None
        if found is None:
            raise Refused(
                "This film or these pictures are no longer here: they were posted or removed. Give them again.", 404
            )
        return found

    def at(self, path: str | None) -> Given | None:
        """Return the film at a path, as a post names it; None if it is none of these."""
        return next((one for one in self.all() if one.path is not None and str(one.path) == path), None)

    def remove(self, number: str) -> None:
        """Remove what is kept under a name; nothing happens if there is nothing."""
        if NAME.fullmatch(number):
            shutil.rmtree(self._folder / number, ignore_errors=True)

    def sweep(self, ended: Collection[str]) -> None:
        """Remove films whose posts have ended, and what is left of films that never came whole.

        Args:
            ended: the paths of the films.
        """
        for one in self.all():
            if str(one.path) in ended:
                self.remove(one.id)
        for folder in self._folder.glob(".*"):
            with suppress(OSError):
                times = [path.stat().st_mtime for path in (folder, *folder.iterdir())]
                if time.time() - max(times) > OLD:
                    shutil.rmtree(folder, ignore_errors=True)


def _time(folder: Path) -> float:
    # A post that ends may remove its film between two looks.
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _read(folder: Path) -> Given | None:
    with suppress(OSError, ValueError):
        (file,) = folder.iterdir()
        if file.name == PICTURES:
            urls = tuple(map(str, json.loads(file.read_text("utf-8"))))
            count = f"{len(urls)} picture{'s' * (len(urls) != 1)}"
            return Given(id=folder.name, name=count, pictures=urls)
        return Given(id=folder.name, name=file.name, path=file, size=file.stat().st_size)
    return None


def _safe(name: str) -> str:
    """Return a name that is one on every file system, and looks like the person's."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join("_" if one in UNSAFE or not one.isprintable() else one for one in last).strip(". ")
    stem, dot, kind = plain.rpartition(".")
    if not dot or len(kind) > 8:
        stem, dot, kind = plain, "", ""
    room = LONGEST_NAME - len((dot + kind).encode())
    short = stem.encode()[:room].decode("utf-8", "ignore").strip(". ")
    whole = f"{short or 'film'}{dot}{kind}"
    return f"film-{whole}" if whole == PICTURES else whole
