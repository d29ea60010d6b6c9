"""The way to TikTok: the proxy that requests go through, and the authorities whose certificates the client trusts.

What belongs here: what the settings, and the variables that other programs read, too, say about both. This library's own settings
come first.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from tiktok_adapters.transports.proxies import EXCEPTIONS, VARIABLES, Proxy
from tiktok_core import InvalidSettings, Problem, Secret
from tiktok_core.hidden import Hidden

if TYPE_CHECKING:
    import ssl

__all__ = ["SHARED", "Network", "chosen_network"]

CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""OpenSSL's variables. Each replaces the system's file or folder, and leaves the other one."""
SHARED: Final = (*VARIABLES, *EXCEPTIONS, *CERTIFICATES)
PEM: Final = (
    b"-----BEGIN CERTIFICATE-----",
    b"-----BEGIN TRUSTED CERTIFICATE-----",
    b"-----BEGIN X509 CERTIFICATE-----",
)
LONGEST: Final = 1 << 26
"""Bytes of a file of authorities that are looked at. The longest list in use has less than one hundredth of them."""


@frozen(kw_only=True)
class Network:
    """What requests go through, and whom the client trusts.

    Attributes:
        proxy: the proxy; None if requests go to their hosts directly.
        proxy_from: the setting or variable that names the proxy.
        ca_file: the file of the authorities in place of the system's; empty for the system's.
        ca_from: the setting that names this file.
        certificates: those of OpenSSL's variables that are set.
    """

    proxy: Proxy | None
    proxy_from: str
    ca_file: str
    ca_from: str
    certificates: Mapping[str, str]

    def options(self) -> dict[str, Any]:
        """Return the arguments for a transport.

        Raises:
            InvalidSettings: a file of authorities cannot be read.
        """
        return {"proxy": self.proxy, "ssl_context": self._context()}

    def object_options(self) -> Hidden[Mapping[str, Any]]:
        """Return the proxy and the authorities for object storage, as obstore's `ClientConfig` names them.

        obstore reads `HTTPS_PROXY` and `SSL_CERT_FILE` of the process by itself, and trusts the given authorities beside the system's.

        Raises:
            InvalidSettings: a file of authorities cannot be read.
        """
        options: Hidden[dict[str, Any]] = Hidden({})
        if self.proxy is not None and "*" not in self.proxy.exceptions:
            options.reveal()["proxy_url"] = self.proxy.whole_url.reveal()
            options.reveal()["proxy_excludes"] = ",".join(self.proxy.exceptions)
        path = self.ca_file or self.certificates.get("SSL_CERT_FILE", "")
        if path and path != os.environ.get("SSL_CERT_FILE"):
            try:
                options.reveal()["root_certificate"] = Path(path).read_bytes()
            except OSError as error:
                name, why = (
                    "ca_file" if self.ca_file else "SSL_CERT_FILE",
                    (error.strerror or type(error).__name__).lower(),
                )
                raise InvalidSettings((Problem(name, f"{path} cannot be read: {why}"),)) from None
        return options

    def _context(self) -> "ssl.SSLContext | None":
        if not self.ca_file and all(os.environ.get(name) == value for name, value in self.certificates.items()):
            return (
                None  # The transport's own context trusts the same authorities: OpenSSL reads the process's variables.
            )
        import ssl  # noqa: PLC0415 - few clients need it so early

        from tiktok_adapters.transports.tls import context_of  # noqa: PLC0415

        name, file, folder = "ca_file", self.ca_file, None
        if not file:
            usual = ssl.get_default_verify_paths()
            name = "SSL_CERT_FILE"
            file = self.certificates.get("SSL_CERT_FILE") or usual.cafile or ""
            folder = self.certificates.get("SSL_CERT_DIR") or usual.capath
        try:
            return context_of(file or None, folder)
        except OSError as error:
            why = getattr(error, "reason", None) or error.strerror or type(error).__name__
            raise InvalidSettings((Problem(name, f"{file} cannot be read: {why.replace('_', ' ').lower()}"),)) from None


def chosen_network(
    proxy: Secret, ca_file: str, origins: Mapping[str, str], shared: Hidden[Mapping[str, str]]
) -> Network:
    """Return what the settings choose.

    Args:
        proxy: the URL of the proxy that the settings name; empty if they name none.
        ca_file: the file of authorities that the settings name; empty if they name none.
        origins: where both come from.
        shared: the variables of `SHARED` that are set.

    Raises:
        InvalidSettings: the proxy or a file cannot be used.
    """
    problems: list[Problem] = []
    found = None
    try:
        found = Proxy.beside("proxy", proxy, shared) if proxy else Proxy.named_by(shared.reveal())
    except InvalidSettings as error:
        problems += error.problems
    ca_file = os.path.expanduser(ca_file)  # noqa: PTH111 - a path without a home folder stays as it is
    certificates = {name: shared.reveal()[name] for name in CERTIFICATES if name in shared.reveal() and not ca_file}
    for name, path in (("ca_file", ca_file), ("SSL_CERT_FILE", certificates.get("SSL_CERT_FILE", ""))):
        if path and (fault := _fault(path)):
            problems.append(Problem(name, fault))
    if problems:
        raise InvalidSettings(tuple(problems))
    return Network(
        proxy=found,
        proxy_from=origins.get("proxy") or next((name for name in VARIABLES if name in shared.reveal()), ""),
        ca_file=ca_file,
        ca_from=origins.get("ca_file", ""),
        certificates=certificates,
    )


def _fault(path: str) -> str:
    """Return as a clause why this cannot be a file of authorities, or an empty text. OpenSSL would pass over such a file."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path with a NUL has its sentence below
        if not stat.S_ISREG(mode):
            return f"{path} is {'a folder' if stat.S_ISDIR(mode) else 'no file'}: name a file with certificates in PEM"
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            text = file.read(LONGEST)
    except OSError as error:
        return f"{path} cannot be read: {(error.strerror or type(error).__name__).lower()}"
    except ValueError:
        return "contains a NUL character"
    if any(line in text for line in PEM):
        return ""
    return f"{path} holds no certificate in PEM; 'openssl x509 -inform der -in FILE -out FILE.pem' converts one in DER"
