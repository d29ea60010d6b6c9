"""A proxy on loopback that opens tunnels, and fails on demand, with real sockets.

What belongs here: CONNECT and its failures. `proxy.FaultProxy` breaks connections without a tunnel.
"""

import socket
import struct
import threading
from contextlib import ExitStack, suppress
from typing import Final, Self

from attrs import define, field

__all__ = ["ConnectProxy"]

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\nProxy-Agent: small\r\n\r\n"
RESET: Final = struct.pack("ii", 1, 0)
"""With this value of SO_LINGER, closing a socket resets its connection."""


@define
class ConnectProxy:
    """A proxy on loopback that handles only CONNECT. Use it as a context manager.

    Attributes:
        says: its answer to CONNECT. After any answer but the usual one it closes the connection.
        dies_after: bytes of the client that it passes on before it resets both sides. None never resets.
        dies_before: bytes of the server that it passes on before it closes the connection. None never closes.
        leads: for the name of a host, the port on loopback to which its tunnels lead instead.
        user: name and password for its URL, `name:password`. The proxy accepts any.
        heads: the heads of the requests that it got.
        came: all bytes that clients sent through tunnels.
    """

    says: bytes = ESTABLISHED
    dies_after: int | None = None
    dies_before: int | None = None
    user: str = ""
    leads: dict[str, int] = field(factory=dict)
    heads: list[str] = field(factory=list)
    came: bytearray = field(factory=bytearray)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _open: ExitStack = field(factory=ExitStack)

    @property
    def url(self) -> str:
        """The proxy's URL, with user and password."""
        return f"http://{self.user}{'@' * bool(self.user)}127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._open.enter_context(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_details: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._open.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.enter_context(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            self.heads.append(head.decode("latin-1"))
            client.sendall(self.says)
            if self.says != ESTABLISHED:
                client.close()
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            place = ("127.0.0.1", self.leads[host]) if host in self.leads else (host.strip("[]"), int(port))
            server = self._open.enter_context(socket.create_connection(place))
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            self._requests(client, server)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := client.recv(65536):
                self.came += block
                if self.dies_after is not None and len(self.came) > self.dies_after:
                    break
                server.sendall(block)
        for side in (client, server):
            with suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            side.close()

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        left = self.dies_before
        with suppress(OSError):
            while block := server.recv(65536):
                if left is not None and (left := left - len(block)) < 0:
                    break
                client.sendall(block)
            client.shutdown(socket.SHUT_RDWR)
