"""A body that is read ahead of the line.

What belongs here: handing blocks from a thread that reads to whoever sends. Encrypting a block and sending it take longer
than reading the next one, so the line never waits for a disk that is as quick as it.
"""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Final, TypeAlias

__all__ = ["Ahead", "Block"]

Block: TypeAlias = bytes | memoryview

AHEAD: Final = 1
"""Blocks that are read while one is sent."""


class Ahead:
    """The blocks of a body, the next of which is read while one is in use.

    Args:
        blocks: the body; it is iterated over in a thread. Each block has to stay as it is until the next but one is
            asked for.
    """

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._wanted: SimpleQueue[None] = SimpleQueue()
        self._read: SimpleQueue[Block | BaseException | None] = SimpleQueue()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="tiktok-reader", daemon=True)
        self._thread.start()
        for _ in range(AHEAD):
            self._wanted.put(None)

    def ask(self) -> None:
        """Say that a block is to come: once before each is taken. The memory of the one before may be read into."""
        self._wanted.put(None)

    def take(self, *, wait: bool = True) -> Block | None:
        """Return the next block; None at the end.

        Raises:
            Empty: it is not there yet, and was not to be waited for.
            Exception: whatever the source raised.
        """
        block = self._read.get(block=wait)
        if isinstance(block, BaseException):
            raise block
        return block

    def stop(self) -> None:
        """Read no more than what is being read at this moment."""
        self._over = True
        self._wanted.put(None)

    def __enter__(self) -> Iterator[Block]:
        """Return the blocks, each asked for by itself."""
        return iter(self._next, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whoever gave the source may close it from now on.
        self.stop()
        self._thread.join()

    def _next(self) -> Block | None:
        self.ask()
        return self.take()

    def _run(self) -> None:
        try:
            self._wanted.get()
            while not self._over and (block := next(self._blocks, None)) is not None:
                self._read.put(block)
                self._wanted.get()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
            self._read.put(error)
        else:
            self._read.put(None)
