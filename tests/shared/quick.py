"""Which tests `make test` leaves to `make check`, and why: one table, and one rule for tables of parameters.

What belongs here: the choice, so that it can be read in one place. A test that is left to `make check` has the mark
`full`; `make test` runs the others. A test may be marked by hand, too, where its own file is the better place.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from fnmatch import fnmatchcase
from typing import Any, Final

import pytest

__all__ = ["FULL", "covering", "pytest_collection_modifyitems"]

PROOF: Final = "a proof, of which `make check` runs a short one and `make prove-...` the whole"
PROCESSES: Final = "starts processes, a second each; others of its file stay"
LARGE: Final = "moves 100 MB and more; that a body is never in memory as a whole is in the contracts, too"
DISK: Final = "runs a process on a disk of its own; others of its file stay"
WAITS: Final = "waits three seconds; bound to one transport it stays"
DATABASE: Final = "asks a database; a binding of the other world, or without a pooler, stays"
RESTARTS: Final = "starts a database again; others of its file stay"
EVERYWHERE: Final = "fails at every call in turn; what fails at every third call stays"
FULL: Final[dict[str, str]] = {
    "tests/proofs/": PROOF,
    "tests/assembly/test_elsewhere.py::test_the_main_job_needs_nothing_that_this_system_lacks[[]macos": "Windows lacks more",
    "tests/cli/test_login.py::test_a_narrow_terminal_": PROCESSES,
    "tests/cli/test_giving_up.py::test_an_upload_in_another_process_": PROCESSES,
    "tests/core/test_locals.py::test_no_local_variable_holds_a_secret_over_sockets": "without sockets it stays",
    "tests/memory/": LARGE,
    "tests/browser/": "starts a browser",
    "tests/docs/test_snippets.py::test_each_example_": PROCESSES,
    "tests/docs/test_snippets.py::test_the_tests_of_a_page_pass": PROCESSES,
    "tests/docs/test_snippets.py::test_the_contract_finds_": PROCESSES,
    "tests/core/test_output.py::test_row_41_": PROCESSES,
    "tests/testing/test_plugin.py::test_a_stranger_has_the_fixtures": PROCESSES,
    "tests/testing/test_plugin.py::test_the_fixtures_are_listed_": PROCESSES,
    "tests/assembly/test_closing.py::test_ctrl_c_in_asyncio_run_waits_for_the_save[[]2": PROCESSES,
    "tests/stores/test_journal_processes.py::test_eight_processes_": PROCESSES,
    "tests/simulator/test_server.py::test_serve_forever_ends_cleanly[[]2": PROCESSES,
    "tests/faults/test_journal.py::test_row_19_whoever_asks_again_after_the_process_ended_finds_one_post[[]*-film": LARGE,
    "tests/faults/test_journal.py::test_row_19_whoever_asks_again_after_the_process_ended_finds_one_post[[]*-draft": LARGE,
    "tests/faults/test_journal.py::test_row_19_whoever_asks_again_after_the_process_ended_finds_one_post[[]*-photos": PROCESSES,
    "tests/faults/test_sign_in.py::test_row_17_ctrl_c_at_a_process_": PROCESSES,
    "tests/faults/test_stores.py::test_row_18_a_kill_at_any_moment_": PROCESSES,
    "tests/faults/test_stores.py::test_row_21_a_disk_": DISK,
    "tests/faults/test_stores.py::test_row_22_a_record_that_cannot_be_read_is_told_and_kept[[]a record of 100 MB": LARGE,
    "tests/faults/test_stores.py::test_row_22_a_file_that_is_no_store_of_ours_is_told_and_kept[[]100 MB": LARGE,
    "tests/faults/test_stores.py::test_row_22_a_file_cut_anywhere_": "cuts a file at every byte",
    "tests/faults/test_stores.py::test_row_40_a_name_is_a_key_and_never_a_path[[]encrypted": "the store in it says the same",
    "tests/cli/test_surroundings.py::test_a_closed_terminal_does_not_end_a_post[[]2>&1 ": PROCESSES,
    "tests/cli/test_surroundings.py::test_a_closed_terminal_does_not_end_a_post[[]2>/dev/full": PROCESSES,
    "tests/cli/test_looking.py::test_a_dry_run_shows_the_plan_that_tiktok_takes": LARGE,
    "tests/flows/posting/test_advance.py::test_the_next_cut_is_tried_": LARGE,
    "tests/flows/posting/test_advance.py::test_the_cuts_that_are_tried_are_bounded": LARGE,
    "contract_tests/test_httpx.py::TestHttpx::test_a_slow_line_": WAITS,
    "contract_tests/test_transports.py::TestAiohttp::test_a_slow_line_": WAITS,
    "contract_tests/test_transports.py::*OverTls::test_a_slow_line_": WAITS,
    "contract_tests/test_secret_service.py::TestSecretService::": "asks a daemon; a keychain in memory has the same contract",
    "contract_tests/test_secret_service.py::test_a_password_that_nobody_types_": "waits three seconds for a daemon",
    "contract_tests/test_postgres.py::TestSealedTokens*::": DATABASE,
    "contract_tests/test_postgres.py::TestTokensAsync::": DATABASE,
    "contract_tests/test_postgres.py::TestJournal::": DATABASE,
    "contract_tests/test_postgres.py::TestPacer::": DATABASE,
    "contract_tests/test_postgres.py::TestSlots::": DATABASE,
    "contract_tests/test_postgres.py::Test*BehindPooler*::": DATABASE,
    "tests/stores/test_postgres_faults.py::test_no_call_fails_while_the_server_restarts": RESTARTS,
    "tests/stores/test_postgres_faults.py::test_a_replica_is_refused": RESTARTS,
    "tests/flows/calls/test_surely.py::test_a_cancelled_call_keeps_nothing_locked[[]None-": EVERYWHERE,
}
"""What only `make check` runs: a pattern for the start of a test's name, and the reason."""
STARTS: Final = frozenset({"process", "under_way"})
"""Fixtures that start processes: of each file's tests that use one, the first stays in the quick run."""


def covering(rows: list[frozenset[Hashable]]) -> set[int]:
    """Return the places of few rows in which each value stands at least once; where there is a choice, the rarest values.

    The same rows always give the same places: each worker of a parallel run chooses for itself.
    """
    left = set[Hashable]().union(*rows)
    used = Counter[Hashable]()
    chosen = set[int]()
    while left:
        place = max(
            (place for place in range(len(rows)) if place not in chosen),
            key=lambda place: (len(rows[place] & left), -sum(used[value] for value in rows[place]), -place),
        )
        chosen.add(place)
        left -= rows[place]
        used.update(rows[place])
    return chosen


def _table(item: pytest.Item) -> Hashable:
    """Return what all rows of one table share; a contract is one table over all adapters that it is bound to."""
    function = getattr(item, "function", None)
    return (function.__module__, function.__qualname__) if function is not None else item.nodeid


def _row(item: pytest.Item) -> frozenset[Hashable]:
    """Return the binding of a contract, the value of each parameter, and as one value what one `parametrize` gives."""
    values: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    together = {name: names for names in map(_names, item.iter_markers("parametrize")) for name in names}
    groups = {together.get(name, (name,)) for name in values}
    row = {(group, tuple(_known(values[name]) for name in group if name in values)) for group in groups}
    return frozenset(row | {(("the binding",), (item.parent,))})


def _names(mark: pytest.Mark) -> tuple[str, ...]:
    names = mark.args[0] if mark.args else mark.kwargs["argnames"]
    return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else tuple(names)


def _known(value: Any) -> Hashable:
    """Return the text that distinguishes a parameter's value from the others of its list."""
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value


def _unwanted(items: Iterable[pytest.Item]) -> Iterable[pytest.Item]:
    tables, started = defaultdict[Hashable, list[pytest.Item]](list), set[Any]()
    for item in items:
        if item.get_closest_marker("full") is not None:
            continue
        starts = not STARTS.isdisjoint(getattr(item, "fixturenames", ()))
        if any(fnmatchcase(item.nodeid, f"{pattern}*") for pattern in FULL) or (starts and item.path in started):
            yield item
        elif starts:
            started.add(item.path)
        else:
            tables[_table(item)].append(item)
    for table in tables.values():
        chosen = covering([_row(item) for item in table])
        yield from (item for place, item in enumerate(table) if place not in chosen)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Mark what only `make check` runs, before pytest looks for marks."""
    for item in _unwanted(items):
        item.add_marker("full")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are processors: some tests wait for a process, or for a time limit to pass."""
    return (os.cpu_count() or 1) + 1
