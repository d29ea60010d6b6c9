"""What belongs here: only what all bindings share. Each binding is in the file of its port."""

import pytest

# Pytest imports the contracts and does not collect them: without this, a failing assert would not show its values.
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
