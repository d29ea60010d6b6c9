"""An HTTP proxy: its address, the headers for it, and the hosts that are called without it.

What belongs here: settings only. Each transport talks to the proxy itself.
"""

import base64
import ipaddress
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from tiktok_core.errors import InvalidSettings, Problem
from tiktok_core.hidden import Hidden

__all__ = ["Proxy"]

VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""The first variable that is set counts."""
EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")
HERE: Final = ("localhost", "127.0.0.0/8", "::1")
"""This machine. A proxy on another machine could not reach it."""


def _hidden(headers: dict[str, str] | Hidden[dict[str, str]]) -> Hidden[dict[str, str]]:
    return headers if isinstance(headers, Hidden) else Hidden(headers)


@frozen
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: the proxy's name or address.
        port: the proxy's port.
        headers: the headers to send to the proxy. They may hold a password.
        exceptions: hosts that are called without the proxy. Each is a name (which covers its subdomains), an address or a
            network (`10.0.0.0/8`), with or without a port, or `*` for all hosts.
    """

    host: str
    port: int
    _headers: Hidden[dict[str, str]] = field(converter=_hidden, repr=False)
    exceptions: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """The headers to send to the proxy. They may hold a password."""
        return self._headers.reveal()

    @property
    def url(self) -> str:
        """The proxy's URL, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @classmethod
    def chosen(cls, given: "Hidden[str | Proxy | None]") -> "Proxy | None":
        """Return the proxy that a transport was given, covered because a URL may hold a password.

        Raises:
            ValueError: as `parsed`.
        """
        if isinstance(given.reveal(), str):
            return cls.parsed(cast(str, given.reveal()))
        return cast("Proxy | None", given.reveal())

    @classmethod
    def parsed(cls, url: str, *exceptions: str) -> "Proxy":
        """Return the proxy that a URL `http://user:password@host:port` names.

        Raises:
            ValueError: the text is not such a URL. The message does not quote it, because it may hold a password.
        """
        lying = Hidden(url)
        del url  # A crash report would show it.
        try:
            parts = Hidden(urlsplit(lying.reveal()))
            host, port = parts.reveal().hostname, parts.reveal().port or 80
        except ValueError:  # The port is not a number, or a bracket is missing.
            parts, host, port = Hidden(urlsplit("")), None, 0
        if parts.reveal().scheme != "http" or not host:
            raise ValueError("the proxy must be a URL such as http://host:port")
        if parts.reveal().username is None:
            return cls(host, port, {}, exceptions)
        user = Hidden(f"{unquote(parts.reveal().username or '')}:{unquote(parts.reveal().password or '')}".encode())
        basic = Hidden(f"Basic {base64.b64encode(user.reveal()).decode()}")
        return cls(host, port, Hidden({"Proxy-Authorization": basic.reveal()}), exceptions)

    @classmethod
    def named_by(cls, environ: Mapping[str, str]) -> "Proxy | None":
        """Return the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, with the exceptions of `NO_PROXY`, or None.

        The names may be in lower or upper case, and lower case comes first. Calls to this machine never use a proxy.

        Raises:
            InvalidSettings: the variable does not hold the URL of an http proxy.
        """
        name = next((name for name in VARIABLES if environ.get(name)), None)
        if name is None:
            return None
        around = Hidden(environ)
        del environ  # A crash report would show it, and other secrets beside a password.
        exceptions = next((around.reveal()[name] for name in EXCEPTIONS if around.reveal().get(name)), "")
        value = Hidden(around.reveal()[name])
        try:
            return cls.parsed(
                value.reveal() if "://" in value.reveal() else f"http://{value.reveal()}",
                *HERE,
                *exceptions.replace(",", " ").split(),
            )
        except ValueError as error:
            raise InvalidSettings((Problem(name, f"cannot be used: {error}"),)) from None

    @staticmethod
    def refusal(status: int) -> str:
        """Return as a clause why the proxy refused a tunnel, from its HTTP status."""
        if status == 407:
            return "the proxy wants a user name and a password, or refused those it was given (HTTP 407)"
        return f"the proxy refused to open a tunnel (HTTP {status})"

    def serves(self, host: str, port: int) -> bool:
        """Return whether calls to this host go through the proxy."""
        return not any(_covers(exception.lower(), host.lower().rstrip("."), port) for exception in self.exceptions)


def _covers(exception: str, host: str, port: int) -> bool:
    if exception == "*":
        return True
    name, colon, number = exception.rpartition(":")
    if colon and number.isdecimal() and (":" not in name or name.startswith("[")):
        if int(number) != port:
            return False
        exception = name
    exception = exception.strip("[]").strip(".")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exception, strict=False)
    except ValueError:  # One of the two is a name.
        return bool(exception) and (host == exception or host.endswith(f".{exception}"))
