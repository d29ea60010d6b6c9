"""A relay before a database server that loses answers: the server has done its work, and the client never hears of it.

What belongs here: the relay. It knows nothing of the protocol but that a server answers.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

__all__ = ["Lossy"]


class Lossy:
    """A relay on a port of its own.

    Args:
        port: the port of the server on this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._losing: set[int] = set()
        self._answers = 0
        self._before: Callable[[], object] = lambda: None
        self._meanwhile: tuple[int, Callable[[], object]] = (-1, self._before)
        self.lost = 0
        """How many answers were lost."""
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def lose(self, *which: int, before: Callable[[], object] = lambda: None) -> None:
        """Lose these answers, counted from now on, each with its connection. Before the first is missed, something else happens.

        A statement has one answer, and a new connection two before its first statement.
        """
        self._answers, self._losing, self._before = 0, set(which), before

    def meanwhile(self, which: int, act: Callable[[], object]) -> None:
        """Do something before this answer, counted from now on, is passed on."""
        self._answers, self._meanwhile = 0, (which, act)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # It wakes the thread, which closing does not.
        self._listener.close()
        self._thread.join(10)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for source, sink, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=(source, sink, is_answer), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with suppress(OSError), source, sink:
            while block := source.recv(2**16):
                self._answers += is_answer
                if is_answer and self._answers - 1 in self._losing:
                    self.lost += 1
                    before, self._before = self._before, lambda: None
                    before()
                    sink.shutdown(socket.SHUT_RDWR)
                    return
                if is_answer and self._answers - 1 == self._meanwhile[0]:
                    act, self._meanwhile = self._meanwhile[1], (-1, self._before)
                    act()
                sink.sendall(block)
            sink.shutdown(socket.SHUT_RDWR)
