"""The simulated TikTok: the Open API in memory, as a fake behind `FakeTransport` or served on loopback.

What belongs here: the public names of the simulator. The server is in `tiktok_adapters.simulator.server`, which needs aiohttp.
"""

from tiktok_adapters.simulator.accounts import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_OPEN_ID,
    DEFAULT_REDIRECT_URI,
    DEFAULT_SCOPES,
    DEFAULT_URL_PROPERTIES,
    App,
    Creator,
)
from tiktok_adapters.simulator.bench import SimulatedTikTok, callback_values
from tiktok_adapters.simulator.faults import Fault, Faults, parse_fault
from tiktok_adapters.simulator.log import LogEntry
from tiktok_adapters.simulator.router import API_URL, AUTH_URL, UPLOAD_BASE
from tiktok_adapters.simulator.switches import Lifetimes, Switches
from tiktok_adapters.simulator.tasks import Post

__all__ = [
    "API_URL",
    "AUTH_URL",
    "DEFAULT_CLIENT_KEY",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_OPEN_ID",
    "DEFAULT_REDIRECT_URI",
    "DEFAULT_SCOPES",
    "DEFAULT_URL_PROPERTIES",
    "UPLOAD_BASE",
    "App",
    "Creator",
    "Fault",
    "Faults",
    "Lifetimes",
    "LogEntry",
    "Post",
    "SimulatedTikTok",
    "Switches",
    "callback_values",
    "parse_fault",
]
