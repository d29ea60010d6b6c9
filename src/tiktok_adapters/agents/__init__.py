"""Tools for agents over the Model Context Protocol: they read, and what they post waits for a person.

What belongs here: the server, its tools, and what they may touch. This package needs the extra `mcp`; only `tiktok mcp` imports it.
"""

from tiktok_adapters.agents.desk import Desk
from tiktok_adapters.agents.permits import Permits
from tiktok_adapters.agents.server import build

__all__ = ["Desk", "Permits", "build"]
