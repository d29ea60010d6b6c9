"""Read a body ahead of sending it.

What belongs here: passing blocks from a reading thread to the sender. Encrypting and sending a block take longer than
reading the next one. So the sender does not wait for a disk that is as fast as the line.
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
"""Number of blocks that are read while one is sent."""
FEW: Final = 4
SMALL: Final = BLOCK // 2
"""Bytes of a block while more than `FEW` bodies are read ahead. Large blocks make a single upload faster. With many uploads
they would only take more memory, and keep an event loop from its other tasks for longer."""


LEAVE: Final = 1.0
"""Seconds that an interrupted caller waits for the current read. A working disk needs less."""


def hung(within: float) -> SourceChanged:
    """Return the error for a source that neither gives bytes nor raises."""
    return SourceChanged(
        None, f"the source gave no bytes within {within:g} s; check whether its disk or network drive hangs"
    )


class NotYet(Exception):
    """The block was not read in time. This class is separate from all errors that a source may raise."""


class Reading:
    """Counts the bodies that one transport reads ahead. Threads may share it.

    Attributes:
        count: the number of bodies that are read ahead now.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def pays_for(self, body: FileSlice) -> bool:
        """Return whether reading ahead makes an upload faster, for a sender that could also read block by block."""
        # Many senders keep all processors busy, so reading ahead would gain nothing.
        return self.count < FEW and body.length > BLOCK

    @contextmanager
    def ahead(self, body: FileSlice, *, by: int = AHEAD) -> Iterator["Ahead"]:
        """Give the blocks of a body. The memory of a block is reused once `by` + 1 further blocks are asked for."""
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
    """The blocks of a body. A thread reads the next blocks while one is in use.

    Args:
        blocks: the body. A thread iterates over it. Each block must keep its content until `by` + 1 further blocks are
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
        """Ask for one more block. Call it once before each `take`. From then on the previous block's memory may be reused."""
        self._wanted.put(None)

    def take(self, *, within: float | None = None) -> Block | None:
        """Return the next block, or None at the end.

        Args:
            within: seconds to wait for it. None waits without a limit.

        Raises:
            NotYet: the block was not read within that time.
            Exception: the error that the source raised.
        """
        try:
            block = self._read.get() if within is None else taken(self._read, within)
        except Empty:
            raise NotYet from None
        if isinstance(block, BaseException):
            raise block
        return block

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Iterator[None]:
        """Call `tell` in the reading thread after each block that is read from now on."""
        self._tell = tell
        try:
            yield
        finally:
            self._tell = None

    def blocks(self, within: float) -> Iterator[Block]:
        """Return the blocks, and ask for each of them.

        Raises:
            SourceChanged: the source gave no block within `within` seconds.
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
        """Stop reading after the block that is being read now."""
        self._over = True
        self._wanted.put(None)

    def join(self, within: float) -> None:
        """Stop, and wait until the thread reads no more. Then the owner of the source may close it.

        The wait for a source that hangs ends after `within` seconds. Its thread is a daemon, so the program can still exit.
        """
        self.stop()
        self._thread.join(within)

    def _run(self) -> None:
        try:
            self._wanted.get()
            while not self._over and (block := next(self._blocks, None)) is not None:
                self._put(block)
                self._wanted.get()
        except BaseException as error:  # noqa: BLE001 - `take` raises every error to the sender
            self._put(error)
        else:
            self._put(None)

    def _put(self, block: Block | BaseException | None) -> None:
        self._read.put(block)
        # Read `_tell` only after the put. A sender sets it before it looks for the block, so it cannot miss one.
        if (tell := self._tell) is not None:
            tell()
