"""Sockets, plain and TLS, whose every wait has a limit.

What belongs here: receiving and sending bytes for a blocking transport. The time-out of an ordinary socket does not fit. It
restarts with each byte received, so a server that sends one byte a second could block a caller for ever. And it does not
restart while a long block is being sent, so a slow but working line would fail.
"""

import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.client import BadStatusLine, HTTPException, LineTooLong, RemoteDisconnected
from typing import TYPE_CHECKING, Final, TypeVar

from urllib3.util import wait_for_read, wait_for_write
from urllib3.util.wait import wait_for_socket

from tiktok_adapters.transports.heads import MOST_FIELDS
from tiktok_core.hidden import Hidden

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["PatientSocket", "TlsSocket", "Waits"]

T = TypeVar("T")

SHORTEST: Final = 0.001
"""Seconds. A socket would take a time-out of zero for "do not wait at all"."""

CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)  # Only Linux has it.
READ_BUFFER: Final = 64 * 1024
EARLY: Final = 16 * 1024
"""Bytes that are read when the server sends before the request is complete."""

wait_for_either: Final[Callable[..., bool]] = partial(wait_for_socket, read=True, write=True)
BLOCKED: Final = (BlockingIOError, ssl.SSLWantWriteError)
INTERIM: Final = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d\b")
"""The beginning of an interim answer, which another answer follows (RFC 9110 section 15.2). After 101 follows no HTTP."""
INTERIM_HEADS: Final = re.compile(rb"(?:HTTP/1\.\d 1(?!01)\d\d\b[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n)*")
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n"
STATUS: Final = len(b"HTTP/1.1 200")
# The lines of an answer (RFC 9112). A folded field continues on a line that begins with a blank.
TEXT: Final = rb"[^\x00-\x08\x0a-\x1f\x7f]*\r?\n"
STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] [1-9]\d\d(?: " + TEXT + rb"|\r?\n)")
FIELD_LINE: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:|[ \t])" + TEXT + rb"|\r?\n")
SIZE_LINE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*(?:;" + TEXT + rb"|\r\n)")


class Waits:
    """Computes how long the next wait may take.

    Args:
        each: seconds for each single wait.
        limit: seconds for all waits together, from now on. None sets no limit.
    """

    def __init__(self, each: float, limit: float | None) -> None:
        self._each = max(each, SHORTEST)
        self._end = None if limit is None else time.monotonic() + limit
        self._head_end: float | None = None

    def begin_head(self) -> None:
        """Limit all waits from now on, together, to the time of one. Interim answers and single bytes are no progress."""
        self._head_end = time.monotonic() + self._each

    def end_head(self) -> None:
        """Give each wait its own time again."""
        self._head_end = None

    def next(self) -> float:
        """Return the seconds for the next wait.

        Raises:
            TimeoutError: the limit is used up.
        """
        ends = [end for end in (self._end, self._head_end) if end is not None]
        if not ends:
            return self._each
        left = min(ends) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit is used up")
        return min(self._each, max(left, SHORTEST))


class PatientSocket:
    """A connected, non-blocking socket with its own waits. Python's time-out would cost two more system calls each time.

    It has the methods of a socket that http.client and urllib3 use.

    Attributes:
        waits: how long the next waits may take.
        left_over: whether bytes followed the last answer that belong to no request.
        is_untouched: whether no byte of the current request was passed to it yet.
    """

    def __init__(self, inner: socket.socket, waits: Waits) -> None:
        inner.setblocking(False)
        self._inner = inner
        self.begin(waits)

    def begin(self, waits: Waits) -> None:
        """Prepare for the next request."""
        self.waits = waits
        self.left_over = False
        self.is_untouched = True

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Send all of `data`. Each wait ends when some bytes are sent.

        Raises:
            ConnectionAbortedError: the server has answered or closed the connection, and accepts no more.
            TimeoutError: no byte was sent in time.
        """
        self.is_untouched = False
        with memoryview(data) as view:
            del data  # Keep only the view: a crash report does not show its content.
            rest, send, has_waited = view, self._inner.send, False
            until: Callable[..., bool] = wait_for_either
            while rest:
                try:  # TLS sends one record (16 KiB) at a time, so keep this loop cheap.
                    rest = rest[send(rest) :]
                    has_waited = False
                except BLOCKED:
                    if (
                        has_waited and until is wait_for_either
                    ):  # The wait has ended, but not because more could be sent.
                        is_final = _is_final(self._heard())
                        if is_final:
                            raise ConnectionAbortedError("the server takes no more") from None
                        until = wait_for_either if is_final is None else wait_for_write
                    self._wait(until)
                    has_waited = True
                except ssl.SSLWantReadError:
                    self._wait(wait_for_read)

    @contextmanager
    def in_full_packets(self) -> Iterator[None]:
        """Send in full packets meanwhile, if the system can. Otherwise each TLS record would be sent on its own."""
        if CORK is not None:
            self._inner.setsockopt(socket.IPPROTO_TCP, CORK, 1)
        try:
            yield
        finally:
            if CORK is not None:
                with suppress(OSError):
                    self._inner.setsockopt(socket.IPPROTO_TCP, CORK, 0)

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive the next bytes within one wait. Return 0 at the end."""
        while True:
            self._wait(wait_for_read)
            with suppress(BlockingIOError):  # The wait may end without data, after a bad packet.
                return self._inner.recv_into(buffer)

    def is_quiet(self) -> bool:
        """Return whether the server has neither sent unread bytes nor closed the connection."""
        return self._heard() is None

    def has_answered(self) -> bool:
        """Return whether the server has begun its final answer, or closed the connection. Interim answers do not count."""
        return bool(_is_final(self._heard()))

    def _heard(self) -> bytes | None:
        """Return received bytes without consuming them. Empty: the server closed the connection. None: nothing came yet."""
        if self._is_silent():
            return None
        try:
            return self._inner.recv(EARLY, socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _is_silent(self) -> bool:
        return not wait_for_read(self._inner, timeout=0.0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader. As with any socket, the connection stays open until the socket and the reader are closed."""
        return _Lines(_Reader(self, self._inner.makefile("rb", buffering=0)))

    def settimeout(self, _seconds: float | None, /) -> None:
        """Do nothing: `waits` sets the time-outs."""

    def shutdown(self, how: int, /) -> None:
        """Shut the connection down."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def _wait(self, until_ready: Callable[..., bool]) -> None:
        if not until_ready(self._inner, timeout=self.waits.next()):
            raise TimeoutError("no bytes moved in time")


class TlsSocket(PatientSocket):
    """A `PatientSocket` under TLS.

    Args:
        inner: a connected socket, which this object owns from now on.
        waits: how long the next waits may take, including those of the handshake.
        context: the TLS settings, such as the trusted authorities.
        host: the name that the server's certificate must hold.

    Raises:
        OSError: the handshake failed. It is an `ssl.SSLError` if TLS gives a reason.
    """

    def __init__(self, inner: socket.socket, waits: Waits, context: ssl.SSLContext, host: str) -> None:
        tls = context.wrap_socket(inner, server_hostname=host, do_handshake_on_connect=False)
        super().__init__(tls, waits)
        self._inner: ssl.SSLSocket = tls
        self._early = Hidden(b"")
        try:
            self._done(tls.do_handshake)
        except BaseException:
            tls.close()
            raise

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive and decrypt the next bytes. Return 0 at the end, whether or not the server announced it."""
        if not self._early:
            return self._done(self._inner.recv_into, buffer)
        with memoryview(buffer) as view:
            taken = min(len(self._early.reveal()), len(view))
            view[:taken], self._early = self._early.reveal()[:taken], Hidden(self._early.reveal()[taken:])
            return taken

    def _heard(self) -> bytes | None:
        # Waiting bytes need not be an answer: servers send session tickets unasked. So decrypt them to find out.
        if len(self._early.reveal()) < EARLY and (self._inner.pending() or not self._is_silent()):
            try:
                self._early = Hidden(self._early.reveal() + self._inner.recv(EARLY))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return self._early.reveal() or None
            except OSError:
                return self._early.reveal()
            return self._early.reveal()
        return (
            self._early.reveal() or None
        )  # Do not call TLS here: without data it raises an exception, which costs time.

    def _done(self, act: Callable[..., T], *arguments: object) -> T:
        """Run a TLS operation, and wait for the socket each time TLS asks for it by an error."""
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                self._wait(wait_for_read)
            except ssl.SSLWantWriteError:
                self._wait(wait_for_write)


def _is_final(heard: bytes | None) -> bool | None:
    """Return whether these bytes begin the final answer or are the end of the stream. None: no bytes came."""
    if not heard:
        return None if heard is None else True
    rest = INTERIM_HEADS.sub(b"", heard, count=1)
    return len(rest) >= STATUS and not INTERIM.match(rest)


class _Lines(io.BufferedReader):
    """Reads one answer for http.client. It refuses malformed lines, after which http.client would misread the answer's end."""

    def __init__(self, reader: "_Reader") -> None:
        super().__init__(reader, READ_BUFFER)
        self._reader = reader
        self._part = STATUS_LINE
        self._fields = 0
        self._is_interim = False
        self._left = 0  # Bytes of the chunk that are still to come.
        self._is_ended = True  # Whether the line end after the chunk has come.

    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client takes the end of the stream for the end of the head. So it would accept an answer that was cut off
        # within the head.
        line = super().readline(size)
        if not line.endswith(b"\n") or not self._part.fullmatch(line):
            trouble = _trouble(line, size)
            del line  # A crash report shows local variables.
            raise trouble
        if self._part is STATUS_LINE:
            self._is_interim = INTERIM.match(line) is not None
            self._part, self._fields = FIELD_LINE, 0
            # http.client skips status 100 only, and takes any other interim answer for the final one. So show it a 100.
            return CONTINUE if self._is_interim else line
        if self._part is SIZE_LINE:
            self._left = int(line.partition(b";")[0], 16)
            self._is_ended = False
            if not self._left:
                self._part, self._fields = FIELD_LINE, 0  # The trailer.
        elif line in (b"\r\n", b"\n"):
            # After an interim head, the next head begins.
            self._part = STATUS_LINE if self._is_interim else SIZE_LINE
        else:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise BadStatusLine("too many fields")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._left:
            self._left -= len(data)
        elif not self._is_ended:
            # http.client discards the line end after a chunk without checking it.
            if data != b"\r\n":
                raise BadStatusLine("a chunk does not end where it should")
            self._is_ended = True
        return data

    def close(self) -> None:
        if not self.closed:
            self._reader.end()
            self._reader.patient.left_over = bool(self.peek(1))
        super().close()


def _trouble(line: bytes, size: int | None) -> HTTPException:
    if line.endswith(b"\n"):
        return BadStatusLine("a line of the answer is not HTTP")
    return (
        LineTooLong("line of an answer") if len(line) == size else RemoteDisconnected("the stream ended within a line")
    )


class _Reader(io.RawIOBase):
    def __init__(self, patient: PatientSocket, raw: io.RawIOBase) -> None:
        self.patient = patient
        self._is_over = False
        self._raw = raw  # Not read from. The socket stays open while this file is open.

    def readable(self) -> bool:
        return True

    def end(self) -> None:
        """End the stream now: read no more from the socket."""
        self._is_over = True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return 0 if self._is_over else self.patient.receive_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
