"""The simulated world in a file, so that a sandbox goes on after a restart where it was.

What belongs here: spelling the world in the file, and reading it again. The file is an SQLite database with one table for the
parts of the world and one for the bytes of videos. It holds tokens, so only its owner may read it.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from attrs import asdict, evolve
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.bench import SimulatedTikTok
from tiktok_adapters.simulator.faults import parse_fault
from tiktok_adapters.simulator.log import LogEntry
from tiktok_adapters.simulator.quotas import Quotas
from tiktok_adapters.simulator.storage import Upload, spool
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Task
from tiktok_adapters.simulator.world import Chance, Code, DataCopy, Delivery, QrCode, Token, World
from tiktok_core.wire.http import BLOCK

__all__ = ["StateError", "StateFile"]

KIND: Final = 0x74747362
"""SQLite's `application_id` of these files."""
VERSION: Final = 1
"""SQLite's `user_version`: the spelling of the parts."""
MOST_REQUESTS: Final = 1000
"""The most requests of the log that are kept, the newest ones."""
SCHEMA: Final = (
    "CREATE TABLE world (part TEXT PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE TABLE videos (publish_id TEXT, start INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (publish_id, start))",
)


class StateError(ValueError):
    """A file cannot serve as a sandbox's state. It stays as it is."""


class StateFile:
    """One sandbox's file, from which no other process may serve meanwhile. A context manager that closes it.

    Args:
        path: a file of an earlier run, or one that does not exist yet.

    Raises:
        StateError: the file is something else, of another version, damaged, in use, or cannot be read or made.

    Attributes:
        port: the port of the server, so that addresses of an earlier run are right again; 0 if there was none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._saved: dict[str, int] = {}
        self.port = 0
        if self.path.is_dir():
            raise StateError(f"{self.path} is a folder. Name a file in it.")
        if self.path.exists() and not self.path.is_file():
            raise StateError(f"{self.path} is no file.")
        if not self.path.parent.is_dir():
            raise StateError(f"There is no folder {self.path.parent} for {self.path.name}.")
        try:
            # Closing a file of one's own that is there already would end the lock of another sandbox in this process.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self.path.chmod(0o600)
        except OSError as error:
            raise StateError(f"{self.path} cannot be opened: {(error.strerror or str(error)).lower()}.") from None
        with self._checked():
            self._file = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._checked():
                self._open()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, so that another process may use it."""
        self._file.close()

    def _open(self) -> None:
        self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
        kind, version = (
            self._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        is_new = not self._file.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if not is_new and kind != KIND:
            raise StateError(
                f"{self.path} is a database of another program. Give another file; this one stays as it is."
            )
        if not is_new and version != VERSION:
            raise StateError(
                f"{self.path} is a sandbox's state of version {version}, and this release reads version {VERSION}. "
                "Give another file, or use the release that wrote it."
            )
        self._file.execute("BEGIN EXCLUSIVE")
        if is_new:
            for statement in (f"PRAGMA application_id = {KIND}", f"PRAGMA user_version = {VERSION}", *SCHEMA):
                self._file.execute(statement)
        self._file.execute("COMMIT")

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except StateError:
            raise
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StateError(
                    f"{self.path} is in use by another sandbox. End that one, or give another file."
                ) from None
            raise StateError(f"{self.path} cannot be read or written: {error}.") from None
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, ExceptionGroup):
            raise StateError(
                f"{self.path} is damaged, or no state of a sandbox. It stays as it is: give another file, or move this one away."
            ) from None

    # --- Reading ------------------------------------------------------------------------------------------------------

    def load(self, sim: SimulatedTikTok) -> bool:
        """Put what the file holds in the place of the simulator's world; do nothing if the file is new.

        Args:
            sim: a simulator that keeps bytes.

        Returns:
            Whether the file held a world.

        Raises:
            StateError: the file is damaged; the simulator stays as it was.
        """
        with sim.lock, self._checked():
            parts = {part: json.loads(text) for part, text in self._file.execute("SELECT part, document FROM world")}
            if not parts:
                return False
            world = self._world(sim, parts)
            log, faults = (
                _CONVERTER.structure(parts["log"], list[LogEntry]),
                [parse_fault(text) for text in parts["faults"]],
            )
            port = _CONVERTER.structure(parts["port"], int)
            self._fill(world)
            self.port = port
            sim.replace(world, log, faults)
            self._saved = {name: upload.offset for name, upload in _uploads(world).items()}
        return True

    def _world(self, sim: SimulatedTikTok, parts: dict[str, Any]) -> World:
        world = evolve(
            sim.world,
            switches=_CONVERTER.structure(parts["switches"], Switches),
            apps=_alike(sim.world.apps, _CONVERTER.structure(parts["apps"], list[App])),
            creators=_alike(sim.world.creators, _CONVERTER.structure(parts["creators"], list[Creator])),
            quotas=Quotas(),
            chance=Chance(None),
        )
        read = _converter(world)
        world.codes = read.structure(parts["codes"], dict[str, Code])
        world.qr_codes = read.structure(parts["qr_codes"], dict[str, QrCode])
        world.tokens = read.structure(parts["tokens"], dict[str, Token])
        world.copies = {one.request_id: one for one in read.structure(parts["copies"], list[DataCopy])}
        world.removals = read.structure(parts["removals"], list[tuple[App, str, datetime]])
        consents = read.structure(parts["consents"], list[tuple[App, Creator, list[str]]])
        world.consents = {(app, creator): frozenset(scopes) for app, creator, scopes in consents}
        told = read.structure(parts["told"], list[tuple[tuple[str, str, str], App, Delivery]])
        world.told = {what: (app, delivery) for what, app, delivery in told}
        world.tasks = {one.publish_id: one for one in read.structure(parts["tasks"], list[Task])}
        world.chance.restore(parts["chance"])
        return world

    def _fill(self, world: World) -> None:
        """Give every upload its bytes again."""
        uploads = _uploads(world)
        try:
            for name, upload in uploads.items():
                promised, upload.offset, upload.file = upload.offset, 0, spool()
                rows = self._file.execute(
                    "SELECT start, bytes FROM videos WHERE publish_id = ? ORDER BY start", (name,)
                )
                for start, block in rows:
                    if start != upload.offset:
                        raise ValueError("a part of a video is missing")
                    upload.append(block)
                if upload.offset != promised:
                    raise ValueError("the end of a video is missing")
        except BaseException:
            for upload in uploads.values():
                upload.close()
            raise

    # --- Writing ------------------------------------------------------------------------------------------------------

    def save(self, sim: SimulatedTikTok) -> None:
        """Write the simulator's world, as a whole or not at all.

        Raises:
            StateError: the file cannot be written.
        """
        with sim.lock, self._checked(), self._file:
            parts, known = {**_parts(sim), "port": self.port}, _uploads(sim.world)
            saved = {name: offset for name, offset in self._saved.items() if name in known}
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(
                "INSERT INTO world VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET document = excluded.document",
                [(part, json.dumps(document)) for part, document in parts.items()],
            )
            # The videos of another world may have the same ids.
            gone = [
                (name,) for (name,) in self._file.execute("SELECT DISTINCT publish_id FROM videos") if name not in saved
            ]
            self._file.executemany("DELETE FROM videos WHERE publish_id = ?", gone)
            rows = (
                (name, start, upload.read(start, BLOCK))
                for name, upload in known.items()
                for start in range(saved.get(name, 0), upload.offset, BLOCK)
            )
            self._file.executemany("INSERT INTO videos VALUES (?, ?, ?)", rows)
        self._saved = {name: upload.offset for name, upload in known.items()}


def _uploads(world: World) -> dict[str, Upload]:
    return {name: task.upload for name, task in world.tasks.items() if task.upload is not None}


def _alike(known: Any, members: list[Any]) -> Any:
    """Return a list with other members, whose twins it refuses in the same way."""
    return type(known)(members, *known.by)


def _parts(sim: SimulatedTikTok) -> dict[str, Any]:
    world, spell = sim.world, _converter(sim.world)
    return {
        "switches": asdict(world.switches),
        "apps": _CONVERTER.unstructure(list(world.apps)),
        "creators": _CONVERTER.unstructure(list(world.creators)),
        "faults": [str(fault) for fault in sim.faults.left],
        "log": _CONVERTER.unstructure(list(sim.log[-MOST_REQUESTS:])),
        "codes": spell.unstructure(world.codes),
        "qr_codes": spell.unstructure(world.qr_codes),
        "tokens": spell.unstructure(world.tokens),
        "copies": spell.unstructure(list(world.copies.values())),
        "removals": spell.unstructure(world.removals),
        "consents": [[app.client_key, who.username, sorted(scopes)] for (app, who), scopes in world.consents.items()],
        "told": [[what, app.client_key, spell.unstructure(one)] for what, (app, one) in world.told.items()],
        "tasks": spell.unstructure(list(world.tasks.values())),
        "chance": world.chance.state(),
    }


def _converter(world: World | None) -> Converter:
    """Return the spelling of the world's parts. Within a world, apps and creators stand for themselves by their names."""
    made = Converter(forbid_extra_keys=True)
    made.register_unstructure_hook(datetime, datetime.isoformat)
    made.register_structure_hook(datetime, lambda text, _kind: datetime.fromisoformat(text))
    made.register_unstructure_hook(bytes, lambda text: text.decode("latin-1"))
    made.register_structure_hook(bytes, lambda text, _kind: text.encode("latin-1"))
    # What follows from the bytes is not written.
    out = override(omit=True)
    made.register_unstructure_hook(Upload, make_dict_unstructure_fn(Upload, made, file=out, _hasher=out, head=out))
    made.register_structure_hook(Upload, make_dict_structure_fn(Upload, made, file=out, _hasher=out, head=out))
    if world is not None:
        apps, creators = {one.client_key: one for one in world.apps}, {one.username: one for one in world.creators}
        made.register_unstructure_hook(App, lambda app: app.client_key)
        made.register_structure_hook(App, lambda name, _kind: apps[name])
        made.register_unstructure_hook(Creator, lambda creator: creator.username)
        made.register_structure_hook(Creator, lambda name, _kind: creators[name])
    return made


_CONVERTER: Final = _converter(None)
