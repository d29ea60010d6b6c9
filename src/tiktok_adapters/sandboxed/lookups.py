"""How names are found in a network with loopback only: the files that a resolver reads, and a small name server.

What belongs here: what stands in the files that cover those of the system, and the packets of a name server.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tiktok_adapters.sandboxed.names import KNOWN, TIKTOK, plain

__all__ = ["ADDRESS", "Answer", "NameServer", "answered", "covering", "hosts", "nsswitch"]

ADDRESS: Final = "10.0.0.1"
"""The address of TikTok's names in the namespace, which has no other addresses besides loopback's."""
AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
"""Where Linux systems keep the certificates of authorities, for clients that read no variable."""
FINDERS: Final = ("/run/systemd/resolve/io.systemd.Resolve", "/run/nscd/socket", "/var/run/nscd/socket")
"""Sockets of processes in the outer network that find names for others."""
RESOLV: Final = "nameserver 127.0.0.1\nsearch .\noptions timeout:1 attempts:1\n"
"""`/etc/resolv.conf`: the name server in the namespace, and no domain that would be added to names."""

HEAD: Final = struct.Struct("!6H")
QUESTION: Final = struct.Struct("!2H")
A: Final = 1
IN: Final = 1
RESPONSE: Final = 0x8400
"""The answer of a server that is responsible for the name."""
ASKED_RECURSION: Final = 0x0100
NO_SUCH_NAME: Final = 3
LONGEST_LABEL: Final = 63


def covering(folder: Path, authority: str) -> list[tuple[str, str]]:
    """Write the files that are to cover those of the system; return pairs of a path and the file to show there.

    Args:
        folder: where the files are written.
        authority: the certificate of the only authority, in PEM.
    """
    texts = {
        "/etc/hosts": hosts(_text("/etc/hosts"), socket.gethostname()),
        "/etc/resolv.conf": RESOLV,
        "/etc/nsswitch.conf": nsswitch(_text("/etc/nsswitch.conf")),
        **dict.fromkeys(AUTHORITIES, authority),
        **dict.fromkeys(FINDERS, ""),
    }
    pairs = []
    for path, text in texts.items():
        if Path(path).exists():
            by = folder / path.strip("/").replace("/", "-")
            by.write_text(text, "utf-8")
            pairs.append((path, str(by)))
    return pairs


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def hosts(text: str, hostname: str) -> str:
    """Return what `/etc/hosts` says in the namespace: TikTok's names, the machine's own name at loopback, the rest as it was."""
    own = {plain(hostname), "localhost"}
    lines = [f"127.0.0.1 localhost {hostname}".rstrip(), "::1 localhost", *(f"{ADDRESS} {name}" for name in KNOWN)]
    for line in text.splitlines():
        place, *names = line.partition("#")[0].split() or [""]
        left = [name for name in names if name not in TIKTOK and plain(name) not in own]
        if left:
            lines.append(" ".join((place, *left)))
    return "\n".join((*lines, ""))


def nsswitch(text: str) -> str:
    """Return what `/etc/nsswitch.conf` says in the namespace: host names come from the file and the name server only."""
    changed, count = re.subn(r"^hosts:.*$", "hosts: files dns", text, flags=re.MULTILINE)
    return changed if count else f"{text}\nhosts: files dns\n"


@frozen
class Answer:
    """A name server's answer.

    Attributes:
        packet: the bytes to send back.
        name: the name that was asked for.
        is_found: whether there is such a name.
    """

    packet: bytes
    name: str
    is_found: bool


def answered(query: bytes) -> Answer | None:
    """Return the answer to a query: the sandbox for TikTok's names, and that no other name exists. None if it is no query."""
    try:
        number, flags, questions, *_others = HEAD.unpack_from(query)
        labels, place = _labels(query)
        kind, family = QUESTION.unpack_from(query, place)
        name = ".".join(label.decode("ascii") for label in labels)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError):
        return None
    # Bit 15 marks an answer, and bits 11 to 14 are 0 in a question about a name.
    if flags & 0xF800 or questions != 1:
        return None
    is_found = name in TIKTOK
    found = []
    if is_found and (kind, family) == (A, IN):
        octets = socket.inet_aton(ADDRESS)
        # 0xC00C points to the name in the question.
        found = [struct.pack("!3HIH", 0xC00C, A, IN, 0, len(octets)) + octets]
    status = RESPONSE | flags & ASKED_RECURSION | (0 if is_found else NO_SUCH_NAME)
    head = HEAD.pack(number, status, 1, len(found), 0, 0)
    question = query[HEAD.size : place + QUESTION.size]
    return Answer(b"".join((head, question, *found)), name, is_found)


def _labels(query: bytes) -> tuple[list[bytes], int]:
    """Return the labels of the name in the question, and the place after it."""
    labels, place = [], HEAD.size
    while length := query[place]:
        if length > LONGEST_LABEL:
            raise ValueError("a question has no pointers")
        label = query[place + 1 : place + 1 + length]
        labels.append(label)
        place += 1 + length
    return labels, place + 1


class NameServer(asyncio.DatagramProtocol):
    """Answers the queries of the namespace.

    Args:
        note: is called with each name that it does not have.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer, unless it is no query."""
        answer = answered(data)
        if answer is None:
            return
        if not answer.is_found:
            self._note(answer.name)
        self._transport.sendto(answer.packet, addr)
