"""The pages for authors of adapters are complete: each promise of a contract is on its checklist, each version on its page.

What belongs here: pages that repeat what contracts and codecs say, held to them.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tiktok_adapters.testing.contracts.journals import DurableJournalContract, JournalContract
from tiktok_adapters.testing.contracts.stores import DurableTokenStoreContract, TokenStoreContract
from tiktok_adapters.testing.contracts.tls import TlsWireContract
from tiktok_adapters.testing.contracts.transports import TransportContract
from tiktok_adapters.testing.contracts.wire import WireContract
from tiktok_core import ports
from tiktok_core.wire import records

GUIDES: Final = Path(__file__).parents[2] / "docs" / "guides"
CHECKLISTS: Final = {
    "checklist-transport.md": (TransportContract, WireContract, TlsWireContract),
    "checklist-store.md": (
        TokenStoreContract,
        DurableTokenStoreContract,
        JournalContract,
        DurableJournalContract,
    ),
}
CODECS: Final = {
    "Tokens": ([records.VERSION], [records.VERSION]),
    "Record": (
        [1, records.USUAL_VERSION, records.GIVEN_UP_VERSION, records.LATER_VERSION, records.RECORD_VERSION],
        [records.USUAL_VERSION, records.GIVEN_UP_VERSION, records.LATER_VERSION, records.RECORD_VERSION],
    ),
    "Trace": ([records.TRACE_VERSION], [records.TRACE_VERSION]),
}
"""For each value, the versions of its document that this release reads, and those that it writes."""


def section(page: str, contract: type) -> str:
    """Return the part of a checklist that is about a contract."""
    text = (GUIDES / page).read_text()
    (heading,) = re.findall(rf"^## .*: `{contract.__name__}`$", text, re.MULTILINE)
    return text.partition(heading)[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("page", "contract"), [(page, contract) for page, contracts in CHECKLISTS.items() for contract in contracts]
)
def test_each_test_of_a_contract_is_named_by_one_promise(page: str, contract: type) -> None:
    """A checklist names every test that the contract adds to those that it includes, once, and no other."""
    lines = re.findall(r"^  (`\w+`(?: `\w+`)*)$", section(page, contract), re.MULTILINE)
    named = [f"test_{name}" for line in lines for name in re.findall(r"\w+", line)]
    assert sorted(named) == sorted(name for name in vars(contract) if name.startswith("test_"))


@pytest.mark.parametrize(
    ("page", "contract"), [(page, contract) for page, contracts in CHECKLISTS.items() for contract in contracts]
)
def test_each_promise_names_its_tests(page: str, contract: type) -> None:
    """No promise stands without a test that holds it."""
    promises = re.split(r"^- ", section(page, contract), flags=re.MULTILINE)[1:]
    assert promises
    assert [promise for promise in promises if not re.search(r"^  `\w+`", promise, re.MULTILINE)] == []


@pytest.mark.parametrize("value", CODECS)
def test_the_page_about_values_names_each_version_and_function(value: str) -> None:
    """The table has the versions of the codec, and its functions are public."""
    text = (GUIDES / "store-format.md").read_text()
    (row,) = re.findall(rf"^\| `{value}` \|(.*)\|$", text, re.MULTILINE)
    write, read, reads, writes, _secret = (cell.strip() for cell in row.split("|"))
    numbers: list[Any] = [[int(number) for number in re.findall(r"\d+", cell)] for cell in (reads, writes)]
    assert numbers == list(CODECS[value])
    assert (write, read) == (f"`dump_{value.lower()}`", f"`load_{value.lower()}`")
    assert {write.strip("`"), read.strip("`")} <= set(ports.__all__)
