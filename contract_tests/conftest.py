"""What belongs here: nothing but what all bindings share. A binding itself stands in the file of its port."""

import pytest

# The contracts are imported, not collected: without this, their asserts would fail without saying what they compared.
for module in (
    "behaviour",
    "clocks",
    "journal_model",
    "journals",
    "probes",
    "sources",
    "stores",
    "tiktok",
    "tls",
    "transports",
    "wire",
):
    pytest.register_assert_rewrite(f"tiktok_adapters.testing.contracts.{module}")
