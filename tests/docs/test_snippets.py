"""Every Python snippet of the README and the guides runs unchanged; every example runs by itself."""

import asyncio
import importlib.util
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clips import CLIP_BYTES
from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in (".", "contract_tests", "docs", "docs/*", "examples", "examples/*")
    for page in ROOT.glob(f"{folder}/*.md")
)
SNIPPET = re.compile(r"^(?:<!-- (\w+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A comment before a snippet names the package that it needs; the package may be missing."""
TEST = "def test_"
SCRIPTS = sorted(path for path in (ROOT / "examples").glob("*.py") if "test" not in path.stem)


def snippets_of(page: Path) -> list[str]:
    """Return the snippets of a page whose packages are installed."""
    found = SNIPPET.findall(page.read_text())
    return [snippet for needed, snippet in found if not needed or importlib.util.find_spec(needed)]


@pytest.fixture
def signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Yield a folder with a clip, and settings with an account that is signed in at a sandbox. A page may set up the log."""
    log = logging.getLogger("tiktok_core")
    handlers, level = log.handlers[:], log.level
    simulated = SimulatedTikTok()
    simulated.switches.processing_seconds = 0
    with closing(simulated), SandboxServer(simulated).run_in_thread() as sandbox:
        for name, value in {
            "CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "REDIRECT_URI": "https://app.example.com/callback/",
            "API_URL": sandbox.url,
            "AUTH_URL": f"{sandbox.url}/v2/auth/authorize/",
            "HOME": str(tmp_path / "home"),
        }.items():
            monkeypatch.setenv(f"TIKTOK_{name}", value)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "clip.mp4").write_bytes(CLIP_BYTES)
        with connect() as tiktok:
            authorization = tiktok.authorization()
            tiktok.sign_in(authorization, simulated.authorize(authorization.url))
        yield
    log.handlers[:] = handlers
    log.setLevel(level)


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if SNIPPET.search(page.read_text())],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_snippets_of_a_page_run_one_after_another(
    page: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The snippets of a page run one after another; an event loop runs a coroutine `main`. A page may have a database."""
    if "DATABASE_URL" in page.read_text():
        monkeypatch.setenv("DATABASE_URL", request.getfixturevalue("postgres_server").url())
    # The page about contracts imports the reader's own adapter, so this provides one.
    yours = ModuleType("yours")
    yours.__dict__.update(YourTransport=Urllib3Transport, YourFake=FakeTransport)
    monkeypatch.setitem(sys.modules, "yours", yours)
    scope: dict[str, Any] = {"__name__": "guide"}
    snippets = [snippet for snippet in snippets_of(page) if TEST not in snippet]
    assert snippets
    for number, snippet in enumerate(snippets):
        scope.pop("main", None)
        exec(compile(snippet, f"{page.name}[{number}]", "exec"), scope)
        if "main" in scope:
            asyncio.run(scope["main"]())


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if TEST in page.read_text()],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_tests_of_a_page_pass(page: Path, tmp_path: Path) -> None:
    """The tests that a page shows pass."""
    tests = [snippet for snippet in snippets_of(page) if TEST in snippet]
    for number, snippet in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(snippet)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    assert f"{sum(snippet.count(TEST) for snippet in tests)} passed" in done.stdout


def test_the_contract_finds_what_the_guide_says_of_its_transport(tmp_path: Path) -> None:
    """Of the quick checks, the guide's transport breaks those about cut answers and progress, and keeps the one about sending once."""
    page = ROOT / "docs" / "guides" / "adapter.md"
    needed = [one for one in snippets_of(page) if "class " in one]
    (tmp_path / "test_own.py").write_text("\n\n".join(needed))
    chosen = "progress_counts or redirect or (broken_exchange and POST and truncated) or (broken_exchange and POST and reset)"
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--tb=no", str(tmp_path)]
    done = subprocess.run(
        [*command, "-k", chosen], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    ends = dict(
        reversed(line.split(" ", 1)) for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED"))
    )
    broken = {test.partition("::test_")[2].partition("[")[0] for test, end in ends.items() if end == "FAILED"}
    kept = {test.partition("::test_")[2].partition("[")[0] for test, end in ends.items() if end == "PASSED"}
    assert broken == {"progress_counts_up_to_the_length", "a_broken_exchange_is_interrupted_and_not_repeated"}
    assert len(kept - broken) >= 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_each_example_runs_by_itself(script: Path) -> None:
    """An example ends with success, prints something, and gives no warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_each_example_that_is_a_test_passes() -> None:
    """The example tests are found and pass under pytest, as their docstrings say."""
    files = [ROOT / "examples" / "property_test_planner.py", ROOT / "examples" / "downstream_test.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Every link of a page leads to an existing file."""
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
