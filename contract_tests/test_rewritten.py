"""What belongs here: that a contract's failing assert shows its values, whatever pytest was told to run."""

import importlib
import pkgutil

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from tiktok_adapters.testing import contracts


@pytest.mark.parametrize("module", [module.name for module in pkgutil.iter_modules(contracts.__path__)])
def test_pytest_rewrites_the_asserts_of_each_contract(module: str) -> None:
    """So does the oldest pytest that is allowed, and a run of some folders."""
    spec = importlib.import_module(f"{contracts.__name__}.{module}").__spec__
    assert spec is not None
    assert isinstance(spec.loader, AssertionRewritingHook)
