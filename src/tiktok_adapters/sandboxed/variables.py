"""The environment of the command: what makes each kind of client trust the sandbox, and find the proxy.

What belongs here: names of variables, and what each kind of client wants of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tiktok_adapters.sandboxed.authority import TRUSTSTORE_PASSWORD

__all__ = ["AUTHORITIES", "variables"]

AUTHORITIES: Final = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "TIKTOK_CA_FILE")
"""Each is the only one that some kind of client reads, or the first: Go and httpx, curl, requests, Node, and this package's own."""
PROXIES: Final = ("HTTPS_PROXY", "https_proxy")
EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")
HERE: Final = "localhost,127.0.0.1,::1"
"""As addresses: half of the clients do not understand a range."""
REMOVED: Final = (
    *PROXIES,
    *EXCEPTIONS,
    *("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "TIKTOK_PROXY"),
    "SSL_CERT_DIR",
)
"""A proxy of the caller's would lead out; and curl would read the certificates of the folder only."""
JAVA: Final = "JAVA_TOOL_OPTIONS"


def variables(
    environ: Mapping[str, str], certificate: Path, truststore: Path, settings: Mapping[str, str], proxy: str | None
) -> dict[str, str]:
    """Return the environment of the command.

    Args:
        environ: the caller's environment.
        certificate: the file with the authority's certificate.
        truststore: the file with the same for Java.
        settings: variables that connect this package's own clients.
        proxy: the URL of the proxy; None in a namespace, where no proxy is needed.
    """
    own = {name: value for name, value in environ.items() if name not in REMOVED}
    own |= dict.fromkeys(AUTHORITIES, str(certificate))
    java = [
        f'"-Djavax.net.ssl.trustStore={truststore}"',
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}",
    ]
    if proxy is not None:
        own |= dict.fromkeys(PROXIES, proxy) | dict.fromkeys(EXCEPTIONS, HERE) | {"NODE_USE_ENV_PROXY": "1"}
        address = urlsplit(proxy)
        java += [f"-Dhttps.proxyHost={address.hostname}", f"-Dhttps.proxyPort={address.port}"]
    own[JAVA] = " ".join(filter(None, (own.get(JAVA), *java)))
    return {**own, **settings}
