"""The checks of `doctor` about the way to TikTok: through which proxy requests go, and whose certificates count.

What belongs here: what the settings of the network say. The checks that send requests find out whether it works.
"""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from tiktok_adapters.assembly.network import Network
from tiktok_adapters.cli.findings import Finding
from tiktok_adapters.transports.proxies import Proxy
from tiktok_core.domain.app import is_loopback

__all__ = ["certificates", "media", "proxy"]


def proxy(network: Network, *urls: str) -> Finding:
    """Say through what requests to these URLs go. No part of it shows the proxy's password."""
    said = "requests go to TikTok directly: TIKTOK_PROXY, HTTPS_PROXY and ALL_PROXY are not set"
    if network.proxy is not None:
        password = ", with a password" if network.proxy.headers else ""
        said = f"requests go through {network.proxy.url} (from {network.proxy_from}{password})"
        said = "; ".join((said, *_direct(network.proxy, urls)))
    return Finding(check="proxy", verdict="fine", message=said)


def _direct(through: Proxy, urls: tuple[str, ...]) -> Iterator[str]:
    for url in dict.fromkeys(urls):
        parts = urlsplit(url)
        if not through.serves(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)):
            why = "it is this machine" if is_loopback(url) else "NO_PROXY names it"
            yield f"those to {parts.netloc} go directly, because {why}"


def certificates(network: Network) -> Finding:
    """Say whose certificates the client trusts."""
    if network.ca_file:
        said = f"the authorities in {network.ca_file} are trusted (from {network.ca_from}), and no others"
        return Finding(check="certificates", verdict="fine", message=said)
    import ssl  # noqa: PLC0415 - for this command only

    usual = ssl.get_default_verify_paths()
    named = {"SSL_CERT_FILE": usual.cafile, "SSL_CERT_DIR": usual.capath} | dict(network.certificates)
    places = [
        f"{path} (from {name})" if name in network.certificates else f"{path} (the system's)"
        for name, path in named.items()
        if path
    ]
    if places or os.name == "nt":  # Windows has a store in place of files.
        said = f"the authorities in {' and '.join(places or ('the store of Windows',))} are trusted"
        return Finding(check="certificates", verdict="fine", message=said)
    return Finding(
        check="certificates",
        verdict="warning",
        message="this machine has no list of authorities, so it trusts no server",
        change="Install the system's list (the package ca-certificates), or name a PEM file as ca_file.",
    )


def media(hosts: str) -> Finding:
    """Say from which private hosts videos are read."""
    listed = ", ".join(hosts.replace(",", " ").split())
    said = f"videos are read from {listed} also where that is a private address; from no other private host"
    return Finding(check="media hosts", verdict="fine", message=said)
