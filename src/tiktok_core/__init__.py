"""TikTok's Open API as a pure core: values, rules, and flows over abstract ports. It does no I/O of its own."""

from tiktok_core.version import __version__

__all__ = ["__version__"]
