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
# The lines of an answer (RFC 9112). A field that was folded goes on in a line that begins with a blank.
TEXT: Final = rb"[^\x00-\x08\x0a-\x1f\x7f]*\r?\n"
STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] [1-9]\d\d(?: " + TEXT + rb"|\r?\n)")
FIELD_LINE: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:|[ \t])" + TEXT + rb"|\r?\n")
SIZE_LINE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}[ \t]*(?:;" + TEXT + rb"|\r\n)")


class Waits:
    """How long the next wait may take.

    Args:
        each: seconds for each single wait.
        limit: seconds for all of them together, from now on; None for no limit.
    """

    def __init__(self, each: float, limit: float | None) -> None:
        self._each = max(each, SHORTEST)
        self._end = None if limit is None else time.monotonic() + limit
        self._head_end: float | None = None

    def begin_head(self) -> None:
        """Let all waits from now on together take no longer than one: interim answers and single bytes are no headway."""
        self._head_end = time.monotonic() + self._each

    def end_head(self) -> None:
        """Let each wait have its own time again."""
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
    """A connected socket that is waited for by ourselves: a time-out of its own costs two more system calls each time.

    It has what http.client and urllib3 use of a socket.

    Attributes:
        waits: how long the next waits may take.
        left_over: whether more than the last answer came along with it, which belongs to no request.
        is_untouched: whether nothing of the present request was given to it to send.
    """

    def __init__(self, inner: socket.socket, waits: Waits) -> None:
        inner.setblocking(False)
        self._inner = inner
        self.begin(waits)

    def begin(self, waits: Waits) -> None:
        """Begin another request."""
        self.waits = waits
        self.left_over = False
        self.is_untouched = True

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Send all of `data`; each wait is for some of it to leave.

        Raises:
            ConnectionAbortedError: the other side has answered, or hung up, and takes no more.
            TimeoutError: nothing left in time.
        """
        self.is_untouched = False
        with memoryview(data) as view:
            del data  # A view does not show what it looks at.
            rest, send, has_waited = view, self._inner.send, False
            until: Callable[..., bool] = wait_for_either
            while rest:
                try:  # Under TLS one record leaves at a time: what is done for each is done for each 16 KiB.
                    rest = rest[send(rest) :]
                    has_waited = False
                except BLOCKED:
                    if has_waited and until is wait_for_either:  # It was not for more to leave that the wait has ended.
                        is_final = _is_final(self._heard())
                        if is_final:
                            raise ConnectionAbortedError("it takes no more") from None
                        until = wait_for_either if is_final is None else wait_for_write
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
        return bool(_is_final(self._heard()))

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
        return _Lines(_Reader(self, self._inner.makefile("rb", buffering=0)))

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
        self._early = Hidden(b"")
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
            taken = min(len(self._early.reveal()), len(view))
            view[:taken], self._early = self._early.reveal()[:taken], Hidden(self._early.reveal()[taken:])
            return taken

    def _heard(self) -> bytes | None:
        # Not every byte that waits was said: servers send tickets for a next session, unasked.
        if len(self._early.reveal()) < EARLY and (self._inner.pending() or not self._is_silent()):
            try:
                self._early = Hidden(self._early.reveal() + self._inner.recv(EARLY))
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return self._early.reveal() or None
            except OSError:
                return self._early.reveal()
            return self._early.reveal()
        return self._early.reveal() or None  # To ask TLS would cost an exception each time.

    def _done(self, act: Callable[..., T], *arguments: object) -> T:
        """Let TLS do something; it says by an error what it waits for."""
        while True:
            try:
                return act(*arguments)
            except ssl.SSLWantReadError:
                self._wait(wait_for_read)
            except ssl.SSLWantWriteError:
                self._wait(wait_for_write)


def _is_final(heard: bytes | None) -> bool | None:
    """Return whether this begins the answer that was waited for, or is the end; None where nothing was said."""
    if not heard:
        return None if heard is None else True
    rest = INTERIM_HEADS.sub(b"", heard, count=1)
    return len(rest) >= STATUS and not INTERIM.match(rest)


class _Lines(io.BufferedReader):
    """The lines of one answer, for http.client, which takes some that HTTP does not allow and would cut it short or long."""

    def __init__(self, reader: "_Reader") -> None:
        super().__init__(reader, READ_BUFFER)
        self._reader = reader
        self._part = STATUS_LINE
        self._fields = 0
        self._is_interim = False
        self._left = 0  # Bytes of the chunk that are to come.
        self._is_ended = True  # Whether the end of the chunk has come, too.

    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client takes the end of the stream for the end of the head: an answer that was cut there would pass for
        # a whole one.
        line = super().readline(size)
        if not line.endswith(b"\n") or not self._part.fullmatch(line):
            trouble = _trouble(line, size)
            del line  # A crash report would show it.
            raise trouble
        if self._part is STATUS_LINE:
            self._is_interim = INTERIM.match(line) is not None
            self._part, self._fields = FIELD_LINE, 0
            # http.client passes over 100 and takes any other interim answer for the one that was waited for.
            return CONTINUE if self._is_interim else line
        if self._part is SIZE_LINE:
            self._left = int(line.partition(b";")[0], 16)
            self._is_ended = False
            if not self._left:
                self._part, self._fields = FIELD_LINE, 0  # The trailer.
        elif line in (b"\r\n", b"\n"):
            # Once an interim head has ended, the next one begins.
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
            # http.client throws away what stands behind a chunk without a look.
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
        return BadStatusLine("a line of the answer is none of HTTP's")
    return (
        LineTooLong("line of an answer") if len(line) == size else RemoteDisconnected("the stream ended within a line")
    )


class _Reader(io.RawIOBase):
    def __init__(self, patient: PatientSocket, raw: io.RawIOBase) -> None:
        self.patient = patient
        self._is_over = False
        self._raw = raw  # Never read from; the socket counts it, and stays open while it is.

    def readable(self) -> bool:
        return True

    def end(self) -> None:
        """Give nothing more, without waiting for it."""
        self._is_over = True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return 0 if self._is_over else self.patient.receive_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
