"""Stores in PostgreSQL: tokens, journal, pacer and upload slots for many machines, and a clock that the database sets.

What belongs here: names only. `places` opens the stores, `sql` has every statement, `schema` makes the tables, `pools` connects,
`server` holds what is the same for each call and `troubles` the errors; `tokens`, `journal`, `pacer`, `slots` and `clock` are the
adapters, each a coroutine class and its blocking twin, on the bases of `parts`.
"""

from tiktok_adapters.stores.postgres.places import AsyncPostgresStores, PostgresStores

__all__ = ["AsyncPostgresStores", "PostgresStores"]
