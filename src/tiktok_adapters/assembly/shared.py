"""The stores that many machines share: what the URL of a store may be, and the ports over its database.

What belongs here: choosing by the URL. The stores decide what lies in the database and when to connect. The URL may hold a password,
so no sentence quotes more of it than its scheme.
"""

import importlib.util
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tiktok_core import InvalidSettings, Problem, Secret

if TYPE_CHECKING:
    from tiktok_adapters.assembly.settings import Settings
    from tiktok_adapters.stores.postgres import AsyncPostgresStores, PostgresStores

__all__ = ["SHARED_STORES", "check_url", "shared_ports", "shared_stores", "shared_stores_async"]

T = TypeVar("T")

SCHEMES: Final = ("postgresql", "postgres")
SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]{0,20})://", re.IGNORECASE)
WRITE: Final = "write postgresql://user@host/database"
SHARED_STORES: Final = ("tokens", "journal", "pacer")
"""The ports over a database that a client closes."""


def check_url(url: Secret, keys: tuple[Secret, ...]) -> None:
    """Check the URL of a store. Nothing is connected.

    Raises:
        InvalidSettings: the URL is malformed or of another kind of store, or the store's package is missing.
    """
    _opened("PostgresStores", url, keys)


def _check_scheme(url: Secret) -> None:
    scheme = SCHEME.match(url.reveal())
    if scheme is not None and scheme[1].lower() not in SCHEMES:
        raise _problem(
            f"begins with {scheme[0]}, and PostgreSQL is the only such store: {WRITE} (postgres:// is the same)"
        )
    if scheme is None:
        raise _problem(f"is no URL of a PostgreSQL database: {WRITE}")
    if importlib.util.find_spec("psycopg") is None:
        raise _problem("needs psycopg: pip install 'tiktok-open[postgres]'")


def shared_stores(settings: "Settings") -> "PostgresStores":
    """Return the stores of the database that the settings name, for threads. Nothing is connected yet.

    Raises:
        InvalidSettings: the URL, the keys or a package cannot be used.
    """
    found: PostgresStores = _opened("PostgresStores", settings.store_url, settings.store_keys())
    return found


def shared_stores_async(settings: "Settings") -> "AsyncPostgresStores":
    """As `shared_stores`, for the tasks of one event loop."""
    found: AsyncPostgresStores = _opened("AsyncPostgresStores", settings.store_url, settings.store_keys())
    return found


def shared_ports(stores: Any, client_key: str, uploads: int) -> dict[str, Callable[[], Any]]:
    """Return what makes each port over a database: the stores of an app, the upload slots, and one clock."""
    clocks: list[Any] = []

    def clock() -> Any:
        if not clocks:
            clocks.append(stores.clock())
        return clocks[0]

    return {
        "tokens": lambda: stores.tokens(client_key),
        "journal": stores.journal,
        "pacer": stores.pacer,
        "clock": clock,
        "slots": lambda: stores.slots(uploads, clock=clock()),
    }


def _opened(kind: str, url: Secret, keys: tuple[Secret, ...]) -> Any:
    _check_scheme(url)
    from tiktok_adapters.stores import postgres  # noqa: PLC0415 - few clients need it

    lack = ""
    try:
        return getattr(postgres, kind)(url, keys=keys)
    except ImportError as error:
        if error.name != "psycopg":
            raise
        lack = error.msg
    raise _problem(f"cannot be used: {lack}")


def _problem(message: str) -> InvalidSettings:
    return InvalidSettings((Problem("store_url", message),))
