"""Sockets whose every wait ends in time, plain and TLS.

What belongs here: bytes in and out for a blocking transport. A time-out of the socket alone starts anew with each byte
that comes, so a server that sends one byte a second could hold a caller for ever; and it does not start anew while a long
block leaves slowly, so an uplink that is slow but works would fail.
"""

import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Final, TypeVar

from urllib3.util import wait_for_read, wait_for_write
from urllib3.util.wait import wait_for_socket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["PatientSocket", "TlsSocket", "Waits"]

T = TypeVar("T")

SHORTEST: Final = 0.001
"""Seconds; a time-out of zero would mean "do not wait at all" to a socket."""

CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)  # Linux has it.
READ_BUFFER: Final = 64 * 1024
EARLY: Final = 16 * 1024
"""Bytes that are taken in when the other side speaks before it was asked to."""

wait_for_either: Final[Callable[..., bool]] = partial(wait_for_socket, read=True, write=True)
BLOCKED: Final = (BlockingIOError, ssl.SSLWantWriteError)
INTERIM: Final = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d\b")
"""What an answer begins with that another one follows (RFC 9110 section 15.2); after 101 it would no longer be HTTP."""
INTERIM_HEADS: Final = re.compile(rb"(?:HTTP/1\.\d 1(?!01)\d\d\b[^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n)*")
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n"
STATUS: Final = len(b"HTTP/1.1 200")


class Waits:
    """How long the next wait may take.

    Args:
        each: seconds for each single wait.
        limit: seconds for all of them together, from now on; None for no limit.
    """

    def __init__(self, each: float, limit: float | None) -> None:
        self._each = max(each, SHORTEST)
        self._end = None if limit is None else time.monotonic() + limit

    def next(self) -> float:
        """Return the seconds for the next wait.

        Raises:
            TimeoutError: the limit is used up.
        """
        if self._end is None:
            return self._each
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit is used up")
        return min(self._each, max(left, SHORTEST))


class PatientSocket:
    """A connected socket that is waited for by ourselves: a time-out of its own costs two more system calls each time.

    It has what http.client and urllib3 use of a socket.

    Attributes:
        waits: how long the next waits may take.
        is_untouched: whether nothing of the present request was given to it to send.
    """

    def __init__(self, inner: socket.socket, waits: Waits) -> None:
        inner.setblocking(False)
        self._inner = inner
        self.begin(waits)

    def begin(self, waits: Waits) -> None:
        """Begin another request."""
        self.waits = waits
        self.is_untouched = True

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Send all of `data`; each wait is for some of it to leave.

        Raises:
            ConnectionAbortedError: the other side has answered, or hung up, and takes no more.
            TimeoutError: nothing left in time.
        """
        self.is_untouched = False
        with memoryview(data) as view:
            rest, send, has_waited = view, self._inner.send, False
            until: Callable[..., bool] = wait_for_either
            while rest:
                try:  # Under TLS one record leaves at a time: what is done for each is done for each 16 KiB.
                    rest = rest[send(rest) :]
                    has_waited = False
                except BLOCKED:
                    if has_waited and until is wait_for_either:  # It was not for more to leave that the wait has ended.
                        heard = self._heard()
                        if _is_final(heard):
                            raise ConnectionAbortedError("it takes no more") from None
                        until = wait_for_either if heard is None else wait_for_write
                    self._wait(until)
                    has_waited = True
                except ssl.SSLWantReadError:
                    self._wait(wait_for_read)

    @contextmanager
    def in_full_packets(self) -> Iterator[None]:
        """Let what is sent within this leave in full packets, where the system can: under TLS each record would be one."""
        if CORK is not None:
            self._inner.setsockopt(socket.IPPROTO_TCP, CORK, 1)
        try:
            yield
        finally:
            if CORK is not None:
                with suppress(OSError):
                    self._inner.setsockopt(socket.IPPROTO_TCP, CORK, 0)

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive what comes next, within one wait; 0 at the end."""
        while True:
            self._wait(wait_for_read)
            with suppress(BlockingIOError):  # It was for nothing: there was a bad packet.
                return self._inner.recv_into(buffer)

    def is_quiet(self) -> bool:
        """Return whether the other side has neither said anything that was not read yet, nor hung up."""
        return self._heard() is None

    def has_answered(self) -> bool:
        """Return whether the other side has begun to answer for good, or hung up. What is only an interim answer is none."""
        return _is_final(self._heard())

    def _heard(self) -> bytes | None:
        """Return what was said already, which is read again later; nothing at all where it hung up, None while it is quiet."""
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
        """Return a reader; the socket stays open until both are closed, as with any socket."""
        return _Lines(_Reader(self, self._inner.makefile("rb", buffering=0)), READ_BUFFER)

    def settimeout(self, _seconds: float | None, /) -> None:
        """Do nothing: the waits decide."""

    def shutdown(self, how: int, /) -> None:
        """Shut the connection down."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def _wait(self, until_ready: Callable[..., bool]) -> None:
        if not until_ready(self._inner, timeout=self.waits.next()):
            raise TimeoutError("nothing moved in time")


class TlsSocket(PatientSocket):
    """The same, under TLS.

    Args:
        inner: a connected socket, which belongs to this one from now on.
        waits: as above; the handshake keeps to them.
        context: whom to trust.
        host: whose certificate the server has to show.

    Raises:
        OSError: the handshake failed (`ssl.SSLError` where TLS says why).
    """

    def __init__(self, inner: socket.socket, waits: Waits, context: ssl.SSLContext, host: str) -> None:
        tls = context.wrap_socket(inner, server_hostname=host, do_handshake_on_connect=False)
        super().__init__(tls, waits)
        self._inner: ssl.SSLSocket = tls
        self._early = b""
        try:
            self._done(tls.do_handshake)
        except BaseException:
            tls.close()
            raise

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive and decrypt what comes next; 0 at the end, whether or not the other side said that it is one."""
        if not self._early:
            return self._done(self._inner.recv_into, buffer)
        with memoryview(buffer) as view:
            taken = min(len(self._early), len(view))
            view[:taken], self._early = self._early[:taken], self._early[taken:]
            return taken

    def _heard(self) -> bytes | None:
        # Not every byte that waits was said: servers send tickets for a next session, unasked.
        if len(self._early) < EARLY and (self._inner.pending() or not self._is_silent()):
            try:
                self._early += self._inner.recv(EARLY)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return self._early or None
            except OSError:
                return self._early
            return self._early
        return self._early or None  # To ask TLS would cost an exception each time.

    def _done(self, act: Callable[..., T], *arguments: object) -> T:
        """Let TLS do something; it says by an error what it waits for."""
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                self._wait(wait_for_read)
            except ssl.SSLWantWriteError:
                self._wait(wait_for_write)


def _is_final(heard: bytes | None) -> bool:
    if not heard:
        return heard is not None
    rest = INTERIM_HEADS.sub(b"", heard, count=1)
    return len(rest) >= STATUS and not INTERIM.match(rest)


class _Lines(io.BufferedReader):
    """The lines of one answer's head, for http.client."""

    _is_status = True
    _is_interim = False

    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client takes the end of the stream for the end of the head: an answer that was cut there would pass for
        # a whole one.
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise RemoteDisconnected("the stream ended within a line")
        if self._is_status:
            self._is_interim = INTERIM.match(line) is not None
        # Once an interim head has ended, the next one begins.
        self._is_status = self._is_interim and line in (b"\r\n", b"\n")
        # http.client passes over 100 and takes any other interim answer for the one that was waited for.
        return CONTINUE if self._is_interim and INTERIM.match(line) else line


class _Reader(io.RawIOBase):
    def __init__(self, patient: PatientSocket, raw: io.RawIOBase) -> None:
        self._patient = patient
        self._raw = raw  # Never read from; the socket counts it, and stays open while it is.

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return self._patient.receive_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
