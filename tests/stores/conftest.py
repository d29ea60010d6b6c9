"""Which tests of stores a Python can run.

What belongs here: what is looked up before the tests are imported.
"""

from contextlib import suppress

# Without libpq, psycopg cannot be imported. The contracts in `contract_tests/test_postgres.py` are skipped with the reason.
collect_ignore_glob = ["test_postgres*.py"]
with suppress(ImportError):
    import psycopg  # noqa: F401 - it is looked for

    collect_ignore_glob = []
