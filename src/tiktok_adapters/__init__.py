"""Everything that touches the world: transports, stores, clocks, sources, sign-in, the simulated TikTok, the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiktok_adapters.assembly import AsyncPorts, Ports, connect, connect_async

__all__ = ["AsyncPorts", "Ports", "connect", "connect_async"]


def __getattr__(name: str) -> Any:
    # Late, so that importing one adapter does not import them all.
    if name in __all__:
        from tiktok_adapters import assembly  # noqa: PLC0415

        return getattr(assembly, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
