"""Open a blocking connection: look up the name, connect, open a tunnel, start TLS. Each step has a time limit.

What belongs here: everything before the first byte of a request. So each failure here is `NotSent`, with a clause as reason.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPException, RemoteDisconnected, parse_headers
from typing import Any, Final, TypeAlias

from tiktok_adapters.transports.common import ready
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.sockets import PatientSocket, TlsSocket, Waits
from tiktok_adapters.transports.tls import tls_fault
from tiktok_core.errors import NotSent

__all__ = ["Refuse", "dial"]

Address: TypeAlias = tuple[Any, ...]
Reasons: TypeAlias = tuple[tuple[type[Exception], str], ...]
Refuse: TypeAlias = Callable[[str, int, str], str]

LONGEST_LINE: Final = 65536

# For each step: its errors and their meaning. The first entry that fits counts.
LOOKING_UP: Final[Reasons] = (
    (TimeoutError, "the lookup of the host's name took too long"),
    (UnicodeError, "the host's name is not valid"),
    (OSError, "the host's name was not found"),
)
LOOKING_UP_PROXY: Final[Reasons] = (
    (TimeoutError, "the lookup of the name of the proxy took too long"),
    (UnicodeError, "the name of the proxy is not valid"),
    (OSError, "the name of the proxy was not found"),
)
CONNECTING: Final[Reasons] = (
    (TimeoutError, "the connection was not made in time"),
    (OSError, "the host refused the connection or is out of reach"),
)
TO_PROXY: Final[Reasons] = (
    (TimeoutError, "the connection to the proxy was not made in time"),
    (OSError, "the proxy refused the connection or is out of reach"),
)
TUNNELLING: Final[Reasons] = (
    (TimeoutError, "the proxy did not answer in time"),
    (RemoteDisconnected, "the proxy closed the connection before the tunnel was open"),
    (HTTPException, "the proxy did not answer in HTTP"),
    (OSError, "the proxy closed the connection before the tunnel was open"),
)


def dial(
    name: str,
    host: str,
    port: int,
    waits: Waits,
    *,
    proxy: Proxy | None = None,
    tls: ssl.SSLContext | None = None,
    refuse: Refuse | None = None,
) -> PatientSocket:
    """Return a connected socket.

    Args:
        name: the name of the request, for errors.
        host: the host of the server.
        port: the port of the server.
        waits: how long each step may take.
        proxy: the proxy to use. With TLS the connection is a tunnel through it. Without TLS it ends at the proxy.
        tls: the TLS settings. None makes a plain connection.
        refuse: called with the host, the port and each address found for it; it returns as a clause why no connection is made to that
            address, or an empty text. A proxy looks the name up by itself, so nothing is asked then.

    Raises:
        NotSent: the connection could not be made.
    """
    if proxy is None:
        return _started(name, host, port, waits, tls=tls, refuse=refuse)
    try:
        return _started(name, host, port, waits, proxy=proxy, tls=tls)
    except NotSent as error:
        raise NotSent(name, proxy.named_in(error.reason)) from None


def _started(
    name: str,
    host: str,
    port: int,
    waits: Waits,
    *,
    proxy: Proxy | None = None,
    tls: ssl.SSLContext | None,
    refuse: Refuse | None = None,
) -> PatientSocket:
    if proxy is None:
        inner = _dialled(name, host, port, waits, (LOOKING_UP, CONNECTING), refuse=refuse)
    else:
        inner = _dialled(name, proxy.host, proxy.port, waits, (LOOKING_UP_PROXY, TO_PROXY))
    try:
        plain = PatientSocket(inner, waits)
        if tls is None:
            return plain
        if proxy is not None:
            _tunnel(name, host, port, plain, proxy)
        try:
            return TlsSocket(inner, waits, tls, host.rstrip("."))
        except OSError as error:
            raise NotSent(name, tls_fault(error)) from None
    except BaseException:
        inner.close()
        raise


def _dialled(
    name: str, host: str, port: int, waits: Waits, reasons: tuple[Reasons, Reasons], *, refuse: Refuse | None = None
) -> socket.socket:
    unknown, out_of_reach = reasons
    with _reported(name, unknown):
        addresses = _addresses(host, port, waits.next())
    if refuse is not None:
        # Here, and not before the request: a name that is looked up a second time may lead elsewhere.
        answers = [(address, refuse(host, port, str(address[4][0]))) for address in addresses]
        addresses = [address for address, why in answers if not why]
        if not addresses:
            raise NotSent(name, answers[0][1])
    with _reported(name, out_of_reach):
        for family, kind, protocol, _, address in addresses[:-1]:
            try:
                return _connected(socket.socket(family, kind, protocol), address, waits.next())
            except OSError:
                continue
        family, kind, protocol, _, address = addresses[-1]
        return _connected(socket.socket(family, kind, protocol), address, waits.next())


def _addresses(host: str, port: int, timeout: float) -> Sequence[Address]:
    """Return at least one address.

    A lookup cannot be interrupted. So a thread does it, and after `timeout` the caller no longer waits for that thread.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found: Future[Sequence[Address]] = Future()
        threading.Thread(target=_look_up, args=(found, host, port), name="tiktok-name", daemon=True).start()
        return found.result(timeout)
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _look_up(found: "Future[Sequence[Address]]", host: str, port: int) -> None:
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except BaseException as error:  # noqa: BLE001 - the caller gets every error
        found.set_exception(error)


def _connected(inner: socket.socket, address: Any, timeout: float) -> socket.socket:
    try:
        inner.settimeout(timeout)
        inner.connect(address)
        ready(inner)
    except BaseException:
        inner.close()
        raise
    return inner


def _tunnel(name: str, host: str, port: int, plain: PatientSocket, proxy: Proxy) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with _reported(name, TUNNELLING):
        plain.sendall(_connect(target, proxy))
        with plain.makefile("rb") as reader:
            version, _, rest = reader.readline(LONGEST_LINE).partition(b" ")
            status = rest[:3].decode("latin-1")
            if not version.startswith(b"HTTP/1.") or not status.isdecimal():
                raise HTTPException
            parse_headers(reader)
    if not status.startswith("2"):
        raise NotSent(name, proxy.refusal(int(status)))


def _connect(target: str, proxy: Proxy) -> bytes:
    # In one expression, so that no local variable holds the proxy's password.
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    return "\r\n".join([*lines, *map(": ".join, proxy.headers.items()), "", ""]).encode("latin-1")


@contextmanager
def _reported(name: str, reasons: Reasons) -> Iterator[None]:
    """Turn foreign errors into ours. Drop their messages, which may quote a password."""
    try:
        yield
    except tuple(kind for kind, _ in reasons) as error:
        raise NotSent(name, next(reason for kind, reason in reasons if isinstance(error, kind))) from None
