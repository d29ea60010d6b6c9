"""A simulated TikTok that only a proxy can reach, under TikTok's own names, with certificates of an authority of its own.

What belongs here: the world of a company's network. The names lead nowhere else, so a client that does not go through the proxy,
or does not trust the authority, gets no answer.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from attrs import define

from tiktok_adapters.sandboxed.names import TIKTOK
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.testing.tunnel import ConnectProxy

__all__ = ["API", "PASSWORD", "UPLOAD", "Company", "company"]

API = "open.tiktokapis.com"
UPLOAD = "open-upload.tiktokapis.com"
PASSWORD = "canary-of-a-proxy"


@define
class Company:
    """The company's network.

    Attributes:
        sim: TikTok.
        proxy: the way to it.
        port: where TikTok listens on this machine, by TLS.
        ca_file: the file with the authority of its certificate.
        environ: settings of an app and a home folder, without proxy and authority.
    """

    sim: SimulatedTikTok
    proxy: ConnectProxy
    port: int
    ca_file: Path
    environ: dict[str, str]

    @property
    def shown(self) -> str:
        """The proxy's URL without user and password."""
        return self.proxy.url.replace(f"me:{PASSWORD}@", "")

    @property
    def hosts(self) -> set[str]:
        """The hosts to which clients have asked the proxy for a tunnel."""
        return {head.split()[1] for head in self.proxy.heads}


@contextmanager
def company(folder: Path) -> Iterator[Company]:
    """Serve it. The files lie in the folder."""
    authority, ca_file = trustme.CA(), folder / "authority.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(API, UPLOAD, "localhost", "127.0.0.1").configure_cert(tls)
    sim = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    with SandboxServer(sim, tls=tls, names=TIKTOK).run_in_thread() as server:
        port = int(server.url.rpartition(":")[2])
        with ConnectProxy(user=f"me:{PASSWORD}", leads={API: port, UPLOAD: port}) as proxy:
            environ = {
                "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
                "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
                "TIKTOK_REDIRECT_URI": "http://127.0.0.1:3455/callback/",
                "TIKTOK_HOME": str(folder / "home"),
            }
            yield Company(sim, proxy, port, ca_file, environ)
    sim.close()
