"""Another package may take the name urllib3: one sentence says so, and what does not need urllib3 works.

What belongs here: a stand-in for urllib3-future, which niquests installs: its start-up file puts its own files in
urllib3's place (`findings/niquests-takes-the-name-of-urllib3.sh`).
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ANYTHING = "def __getattr__(name):\n    if name.startswith('__'): raise AttributeError(name)\n    return type(name, (Exception,), {})\n"
# As in urllib3-future: the class has the same name, and is not built on the standard library's.
CONNECTION = "class HTTPConnection: pass\nclass HTTPSConnection(HTTPConnection): pass\n" + ANYTHING
SETTINGS = {
    "TIKTOK_CLIENT_KEY": "k",
    "TIKTOK_CLIENT_SECRET": "s",
    "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
}
TAKEN = (
    "has replaced urllib3 in this environment, and the blocking client cannot work with it: install this library in "
)
CONNECTS = """
import sys
from tiktok_adapters import connect, connect_async
from tiktok_adapters.transports.urllib3 import Urllib3Transport
for make in (connect, Urllib3Transport):
    try: make()
    except ImportError as error: print(error.name, error)
print(type(connect_async()).__name__)
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Give the variables of a process that finds another package under urllib3's name."""
    package = tmp_path / "taken" / "urllib3"
    (package / "util").mkdir(parents=True)
    for name in ("__init__", "exceptions", "response", "util/__init__", "util/wait"):
        (package / f"{name}.py").write_text(ANYTHING)
    (package / "connection.py").write_text(CONNECTION)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    path = os.pathsep.join([str(package.parent), *filter(None, [inherited.get("PYTHONPATH")])])
    return {**inherited, **SETTINGS, "PYTHONPATH": path, "TIKTOK_HOME": str(tmp_path / "home")}


@pytest.fixture
def named(tmp_path: Path) -> None:
    """Let the package tell its name to a program that asks for its distribution."""
    about = tmp_path / "taken" / "urllib3_future-2.25.904.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: urllib3-future\nVersion: 2.25.904\n")
    (about / "RECORD").write_text("urllib3/__init__.py,,\nurllib3/connection.py,,\n")


@pytest.mark.usefixtures("named")
def test_a_blocking_client_says_which_package_has_taken_the_name_of_urllib3(environ: dict[str, str]) -> None:
    """The client says so when it is made, and what to do. The asynchronous client needs no urllib3."""
    done = subprocess.run([sys.executable, "-c", CONNECTS], env=environ, capture_output=True, text=True, check=True)
    *blocking, awaited = done.stdout.splitlines()
    assert len(blocking) == 2
    for said in blocking:
        assert said.startswith(f"urllib3 urllib3-future {TAKEN}a separate environment, or reinstall both")
        assert said.endswith(
            "pip install --force-reinstall --no-deps --no-binary urllib3-future urllib3-future urllib3"
        )
    assert awaited == "AsyncTikTok"


def test_a_package_that_does_not_say_its_name_is_told_as_well(environ: dict[str, str]) -> None:
    """Files may be in urllib3's place that no installer knows."""
    done = subprocess.run([sys.executable, "-c", CONNECTS], env=environ, capture_output=True, text=True, check=True)
    said = f"urllib3 another package {TAKEN}a separate environment, or reinstall urllib3"
    assert done.stdout.splitlines() == [said, said, "AsyncTikTok"]


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("command", ["whoami", "doctor"])
def test_the_command_line_says_which_package_has_taken_the_name_of_urllib3(
    environ: dict[str, str], command: str
) -> None:
    """Standard error and the document have one sentence, and there is no traceback."""
    program = [sys.executable, "-c", "from tiktok_adapters.cli import main; main()", command, "--json"]
    done = subprocess.run(program, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"tiktok: urllib3-future {TAKEN}")
    assert len(done.stderr.splitlines()) == 1
    assert f"tiktok: {json.loads(done.stdout)['error']['message']}\n" == done.stderr
