"""The page about the strangers is made from the results of the last run, and explains each failure."""

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
HERE: Final = ROOT / "strangers"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What makes the page; its modules are not on the path of the others, and leave with the test."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(HERE))
    import page  # noqa: PLC0415 - it is on the path only here

    yield page
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_the_page_is_made_from_the_results(written: Any) -> None:
    """Nobody changes the page, the results or the explanations alone."""
    record = json.loads((HERE / "results.json").read_text())
    assert written.written(record) == (ROOT / "docs" / "strangers.md").read_text()


@pytest.mark.parametrize("code", ["invalid_grant", "access_denied"])
def test_a_failure_without_an_explanation_is_told(written: Any, code: str) -> None:
    """A new failure is not written down as if somebody had looked at it."""
    record = json.loads((HERE / "results.json").read_text())
    record["clients"]["curl"]["usual"]["1 MB"] = {"outcome": "refused", "code": code, "said": "", "adopted": False}
    with pytest.raises(written.Unexplained, match=r"curl, 1 MB: .* has no explanation"):
        written.written(record)


def test_an_explanation_without_a_failure_is_told(written: Any) -> None:
    """What a client mended is no longer said of it."""
    record = json.loads((HERE / "results.json").read_text())
    record["clients"]["tiktok-api-client"]["usual"]["draft"]["outcome"] = "done"
    with pytest.raises(written.Unexplained, match="No act fails as"):
        written.written(record)


def test_each_client_has_its_driver_and_its_pins(written: Any) -> None:
    """A version that the page names is the one that is installed."""
    for client in written.CLIENTS:
        assert (HERE / "drivers" / client.driver).exists() or client.runs_on == "system"
        if client.runs_on == "Python":
            assert f"{client.name}=={client.version} " in (HERE / "pins" / client.pins).read_text()
        if client.runs_on == "Node":
            asked = json.loads((HERE / "pins" / client.pins / "package.json").read_text())
            assert asked["dependencies"] == {client.name: client.version}
