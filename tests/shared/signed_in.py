"""A served TikTok where a person has signed in already, and the settings that lead a program to it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer

__all__ = ["signed_in"]


@contextmanager
def signed_in(sim: SimulatedTikTok, home: Path) -> Iterator[dict[str, str]]:
    """Serve it, sign a person in, and return the settings; `home` holds the tokens."""
    with closing(sim), SandboxServer(sim).run_in_thread() as sandbox:
        settings = {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TIKTOK_REDIRECT_URI": "https://app.example.com/callback/",
            "TIKTOK_API_URL": sandbox.url,
            "TIKTOK_AUTH_URL": f"{sandbox.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(home),
        }
        with connect(environ=settings) as tiktok:
            begun = tiktok.authorization()
            tiktok.sign_in(begun, sim.authorize(begun.url))
        yield settings
