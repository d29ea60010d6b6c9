"""From which hosts media are read: those of the internet, and those that a setting allows.

What belongs here: the rule alone. A transport asks it about the address to which it is about to connect, because a name that was looked
up a second time could lead elsewhere.
"""

import ipaddress
import re
import socket
from contextlib import suppress
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from attrs import field, frozen

from tiktok_core.domain.app import is_loopback
from tiktok_core.domain.names import bare
from tiktok_core.hidden import Hidden

__all__ = ["MediaHosts"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

ENTRY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]@?#*]+)(?::(\d{1,5}))?")
NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
INNER: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""Networks whose addresses lead to the IPv4 address in their last four bytes."""
LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
SHARED: Final = ipaddress.IPv4Network("100.64.0.0/10")
ALLOW: Final = "allow the host in media_hosts (TIKTOK_MEDIA_HOSTS) if its media are yours"


@frozen
class MediaHosts:
    """The hosts that may lie in a private network.

    Attributes:
        allowed: each with its port; None for all ports.
    """

    allowed: frozenset[tuple[str, int | None]] = field(default=frozenset())

    @classmethod
    def parsed(cls, words: str) -> "MediaHosts":
        """Return the hosts that a setting lists, separated by commas, each with or without a port.

        Raises:
            ValueError: a word is no host.
        """
        found = set[tuple[str, int | None]]()
        for word in words.replace(",", " ").split():
            parts = ENTRY.fullmatch(word)
            if parts is None or (parts[2] and not 0 < int(parts[2]) < 65_536):
                raise ValueError(f"{word!r} is no host: write media.example.com or 10.0.0.5:8443, without https://")
            found.add((_plain(parts[1]), int(parts[2]) if parts[2] else None))
        return cls(frozenset(found))

    def allows(self, host: str, port: int) -> bool:
        """Return whether the setting names this host."""
        return not self.allowed.isdisjoint({(_plain(host), None), (_plain(host), port)})

    def problem(self, url: str | Hidden[str]) -> str:
        """Return as a clause why nothing is read from a URL, or an empty text. A name may still lead to a private address."""
        plain = bare(url)
        del url  # A crash report would show its query, which says nothing of where it leads.
        try:
            parts = urlsplit(plain)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            host, port = "", 0
        if not host or parts.scheme not in ("https", "http"):
            return "is no complete https URL"
        if parts.username is not None:
            return "carries a user name: media are read without one"
        if parts.scheme == "http" and not (is_loopback(plain) and self.allows(host, port)):
            return "must begin with https://; plain http is for hosts of this machine that media_hosts allows"
        address = _spelled(_plain(host))
        return "" if address is None else self.refusal(host, port, address)

    def refusal(self, host: str, port: int, address: str) -> str:
        """Return as a clause why no connection to this address is made, or an empty text."""
        if self.allows(host, port) or _is_public(ipaddress.ip_address(_plain(address))):
            return ""
        return f"leads to a private address, one that the internet does not have: {ALLOW}"


def _plain(host: str) -> str:
    plain = host.lower().strip("[]").rstrip(".")
    # A zone, as in fe80::1%eth0. In a name, what follows a percent sign belongs to the name.
    return plain.partition("%")[0] if ":" in plain else plain


def _spelled(host: str) -> str | None:
    """Return the address that a host spells, which a proxy may connect to; None for a name that has to be looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    with suppress(ValueError):
        return str(ipaddress.ip_address(host))
    if NUMBER.fullmatch(host.rpartition(".")[2]):
        # Resolvers read 2130706433, 127.1 and 0x7f.1 as 127.0.0.1.
        with suppress(OSError):
            return socket.inet_ntoa(socket.inet_aton(host))
    return None


def _is_public(address: Address) -> bool:
    """Return whether the whole internet knows this address, and one machine has it."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and any(address in network for network in INNER):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address in LOCAL or address.is_site_local:
            return False
    elif address in SHARED:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )
