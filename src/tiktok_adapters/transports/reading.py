"""A body that is read ahead of the line.

What belongs here: handing blocks from a thread that reads to whoever sends. Encrypting a block and sending it take longer
than reading the next one, so the line never waits for a disk that is as quick as it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from tiktok_adapters.threads import taken
from tiktok_core.errors import SourceChanged
from tiktok_core.wire.http import BLOCK, FileSlice

__all__ = ["AHEAD", "LEAVE", "Ahead", "Block", "NotYet", "Reading", "hung"]

Block: TypeAlias = bytes | memoryview

AHEAD: Final = 1
"""Blocks that are read while one is sent."""
FEW: Final = 4
SMALL: Final = BLOCK // 2
"""Bytes of a block, where more than these few bodies are read ahead at once. Large ones make a single upload quicker; many
of them would only take more memory, and keep an event loop from its other tasks for longer."""


LEAVE: Final = 1.0
"""Seconds that an interrupted caller waits for the block that is being read: a disk that works has read it by then."""


def hung(within: float) -> SourceChanged:
    """Return the error for a source that gives no bytes and raises nothing."""
    return SourceChanged(
        None, f"the source gave no bytes within {within:g} s; see whether its disk or network drive hangs"
    )


class NotYet(Exception):
    """The block was not read in time. A class of its own, because a source may raise any other."""


class Reading:
    """The bodies that one transport reads ahead at a time. Threads may share it.

    Attributes:
        count: how many there are now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def pays_for(self, body: FileSlice) -> bool:
        """Whether reading ahead makes a sender quicker that need not do so."""
        # Many senders keep all processors busy.
        return self.count < FEW and body.length > BLOCK

    @contextmanager
    def ahead(self, body: FileSlice, *, by: int = AHEAD) -> Iterator["Ahead"]:
        """Give the blocks of a body, each of them until the next but `by` is asked for."""
        with self._lock:
            self.count += 1
            size = BLOCK if self.count <= FEW else SMALL
        try:
            size = min(size, body.length)
            ahead = Ahead(body.blocks_in(*(memoryview(bytearray(size)) for _ in range(1 + by))), by=by)
            try:
                yield ahead
            finally:
                ahead.stop()
        finally:
            with self._lock:
                self.count -= 1


class Ahead:
    """The blocks of a body, the next of which is read while one is in use.

    Args:
        blocks: the body; it is iterated over in a thread. Each block has to stay as it is until the next but `by` is
            asked for.
        by: how many blocks are read while one is in use.
    """

    def __init__(self, blocks: Iterator[Block], *, by: int = AHEAD) -> None:
        self._blocks = blocks
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._read: SimpleQueue[Block | BaseException | None] = SimpleQueue()
        self._over = False
        self._tell: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="tiktok-reader", daemon=True)
        self._thread.start()
        for _ in range(by):
            self._wanted.put(None)

    def ask(self) -> None:
        """Say that a block is to come: once before each is taken. The memory of the one before may be read into."""
        self._wanted.put(None)

    def take(self, *, within: float | None = None) -> Block | None:
        """Return the next block; None at the end.

        Args:
            within: seconds to wait for it; None for as long as it takes.

        Raises:
            NotYet: it is not there by then.
            Exception: whatever the source raised.
        """
        try:
            block = self._read.get() if within is None else taken(self._read, within)
        except Empty:
            raise NotYet from None
        if isinstance(block, BaseException):
            raise block
        return block

    @contextmanager
    def told(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell` in the reading thread whenever a block has come. One that is there already is not told."""
        self._tell = tell
        try:
            yield
        finally:
            self._tell = None

    def blocks(self, within: float) -> Iterator[Block]:
        """Return the blocks, each asked for by itself.

        Raises:
            SourceChanged: one of them is not there after so many seconds.
        """
        while True:
            self.ask()
            try:
                block = self.take(within=within)
            except NotYet:
                raise hung(within) from None
            if block is None:
                return
            yield block

    def stop(self) -> None:
        """Read no more than what is being read at this moment."""
        self._over = True
        self._wanted.put(None)

    def join(self, within: float) -> None:
        """Stop, and wait until nothing is read any more: whoever gave the source may close it from then on.

        A source that hangs is waited for that many seconds. The thread that reads it is a daemon, and holds up no program.
        """
        self.stop()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            self._wanted.get()
            while not self._over and (block := next(self._blocks, None)) is not None:
                self._put(block)
                self._wanted.get()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
            self._put(error)
        else:
            self._put(None)

    def _put(self, block: Block | BaseException | None) -> None:
        self._read.put(block)
        # Looked at after the block was put: whoever asks to be told looks for the block after that.
        if (tell := self._tell) is not None:
            tell()
