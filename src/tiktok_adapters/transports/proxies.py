"""An HTTP proxy: its address, the headers for it, and the hosts that are called without it.

What belongs here: settings only. Each transport talks to the proxy itself.
"""

import base64
import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, cast
from urllib.parse import quote, unquote, urlsplit

from attrs import field, frozen

from tiktok_core.errors import InvalidSettings, Problem
from tiktok_core.hidden import Hidden

__all__ = ["EXCEPTIONS", "VARIABLES", "Proxy"]

VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""The first variable that is set counts."""
EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")
HERE: Final = ("localhost", "127.0.0.0/8", "::1")
"""This machine. A proxy on another machine could not reach it."""
OTHERS: Final = ("https", "socks", "socks4", "socks4a", "socks5", "socks5h")
"""Kinds of proxies that these transports do not speak to. An error quotes no other scheme: it may be part of a password."""


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

    @property
    def whole_url(self) -> Hidden[str]:
        """The proxy's URL with user and password, for a client that is given nothing else."""
        basic = Hidden(self.headers.get("Proxy-Authorization", "").removeprefix("Basic "))
        if not basic:
            return Hidden(self.url)
        # A user name holds no colon, so the first one ends it.
        user = Hidden(base64.b64decode(basic.reveal()).partition(b":"))
        told = Hidden(f"{quote(user.reveal()[0], safe='')}:{quote(user.reveal()[2], safe='')}@")
        return Hidden(self.url.replace("://", f"://{told.reveal()}", 1))

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
    def parsed(cls, url: str | Hidden[str], *exceptions: str) -> "Proxy":
        """Return the proxy that a URL `http://user:password@host:port` names.

        Raises:
            ValueError: the text is not such a URL. The message does not quote it, because it may hold a password.
        """
        lying = url if isinstance(url, Hidden) else Hidden(url)
        del url  # A crash report would show it.
        try:
            parts = Hidden(urlsplit(lying.reveal()))
            host, port = parts.reveal().hostname, parts.reveal().port or 80
        except ValueError:  # The port is not a number, or a bracket is missing.
            parts, host, port = Hidden(urlsplit("")), None, 0
        if parts.reveal().scheme != "http" or not host:
            other = next((f", not {kind}" for kind in OTHERS if parts.reveal().scheme == kind), "")
            raise ValueError(
                f"the proxy must be a URL such as http://host:port; http is the only scheme supported{other}"
            )
        if parts.reveal().username is None:
            return cls(host, port, {}, exceptions)
        user = Hidden(f"{unquote(parts.reveal().username or '')}:{unquote(parts.reveal().password or '')}")
        basic = Hidden(f"Basic {base64.b64encode(_encoded(user)).decode()}")
        return cls(host, port, Hidden({"Proxy-Authorization": basic.reveal()}), exceptions)

    @classmethod
    def named_by(cls, environ: Mapping[str, str]) -> "Proxy | None":
        """Return the proxy that `HTTPS_PROXY` or `ALL_PROXY` names, with the exceptions of `NO_PROXY`, or None.

        The names may be in lower or upper case, and lower case comes first. Calls to this machine never use a proxy.

        Raises:
            InvalidSettings: the variable does not hold the URL of an http proxy.
        """
        around = Hidden(environ)
        del environ  # A crash report would show it, and other secrets beside a password.
        name = _first(VARIABLES, around)
        return cls.beside(name, Hidden(around.reveal()[name]), around) if name else None

    @classmethod
    def beside(cls, name: str, url: Hidden[str], environ: Hidden[Mapping[str, str]]) -> "Proxy":
        """Return the proxy that a setting names, with the exceptions of `NO_PROXY`. The URL may lack its scheme.

        Args:
            name: the setting or variable, for the error.
            url: the proxy's URL.
            environ: the variables, of which `NO_PROXY` counts.

        Raises:
            InvalidSettings: the text is not the URL of an http proxy.
        """
        exceptions = environ.reveal().get(_first(EXCEPTIONS, environ), "").replace(",", " ").split()
        whole = url if "://" in url.reveal() else Hidden(f"http://{url.reveal()}")
        try:
            return cls.parsed(whole, *HERE, *exceptions)
        except ValueError as error:
            raise InvalidSettings((Problem(name, f"cannot be used: {error}"),)) from None

    def named_in(self, reason: str) -> str:
        """Return the reason for a failed connection with the proxy's address in it."""
        named = f"the proxy {self.url}"
        return (
            reason.replace("the proxy", named, 1)
            if "the proxy" in reason
            else f"{reason} (the connection goes through {named})"
        )

    @staticmethod
    def refusal(status: int) -> str:
        """Return as a clause why the proxy refused a tunnel, from its HTTP status."""
        if status == 407:
            return "the proxy wants a user name and a password, or refused those it was given (HTTP 407)"
        return f"the proxy refused to open a tunnel (HTTP {status})"

    def serves(self, host: str, port: int) -> bool:
        """Return whether calls to this host go through the proxy."""
        return not any(_covers(exception.lower(), host.lower().rstrip("."), port) for exception in self.exceptions)


def _first(names: tuple[str, ...], environ: Hidden[Mapping[str, str]]) -> str:
    """Return the name of the first variable that is set, or an empty name."""
    return next((name for name in names if environ.reveal().get(name)), "")


def _encoded(user: Hidden[str]) -> bytes:
    """Return user and password as bytes; those of an environment that is not UTF-8 come as they were.

    Raises:
        ValueError: a program's text holds half of a character.
    """
    with suppress(UnicodeEncodeError):  # That error would hold the password.
        return user.reveal().encode("utf-8", "surrogateescape")
    raise ValueError("the user or the password of the proxy holds half of a character")


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
