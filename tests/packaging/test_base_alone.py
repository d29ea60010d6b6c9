"""The package without its extras: the work of the base alone, and the errors about missing extras.

What belongs here: processes that can import only the standard library, this package and some of its dependencies.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tiktok_core
from tiktok_adapters.simulator import SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer

BASE = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["dependencies"]
JOB = """
import json, sys
from pathlib import Path
import tiktok_adapters
from tiktok_adapters.cli.person import consent
from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.loopback import LoopbackListener
with tiktok_adapters.connect(environ=json.loads(sys.argv[1]), **ports) as tiktok:
    with LoopbackListener(tiktok.app.redirect_uri) as listener:
        authorization, answers = tiktok.authorization(redirect_uri=listener.redirect_uri), Answers()
        listener.start(accepts_state(authorization), answers)
        consent(authorization.url)
        account = traced(tiktok.sign_in(authorization, answers.wait(20)))
    film = Path(sys.argv[2])
    film.write_bytes(bytes.fromhex("00000020") + b"ftypisom" + bytes.fromhex("00000200") + b"isomiso2avc1mp41" + bytes(9000))
    print(account.post_video(film, privacy_level="SELF_ONLY").status)
"""
PLAIN = "ports, traced = {}, lambda account: account"
TRACED = """
from importlib.util import find_spec
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.otel import traced
from tiktok_adapters.transports.urllib3 import Urllib3Transport
ports = {"transport": traced(Urllib3Transport()), "clock": traced(SystemClock())}
print("an SDK" if find_spec("opentelemetry.sdk") else "no SDK")
"""
WISHES = """
from tiktok_adapters import connect, connect_async
from tiktok_adapters.probes import MediaInfoProbe
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.encrypted import EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.postgres import PostgresStores
from tiktok_core import App, InvalidSettings
app = App("k", "s", "http://127.0.0.1:*/callback/")
for wish in (
    lambda: connect_async(app, environ={}),
    lambda: connect(app, environ={}, store="keyring"),
    lambda: connect(app, environ={}, store="encrypted"),
    lambda: KeyringTokenStore("service", MemoryTokenStore()),
    lambda: EncryptedTokenStore(MemoryTokenStore(), ["x"]),
    lambda: MediaInfoProbe().facts(BytesSource(b"x")),
    lambda: __import__("tiktok_adapters.otel"),
    lambda: __import__("tiktok_adapters.engines.procrastinate"),
    lambda: __import__("tiktok_adapters.engines.celery"),
    lambda: PostgresStores("postgresql://localhost/db"),
):
    try: wish()
    except (ImportError, InvalidSettings) as error: print(error)
"""
SENTENCES = [
    "connect_async needs aiohttp: pip install 'tiktok-open[async]'",
    "store: 'keyring' needs keyring: pip install 'tiktok-open[keyring]' (it comes from the option --store)",
    "store: 'encrypted' needs cryptography: pip install 'tiktok-open[encrypted]' (it comes from the option --store)",
    "the keychain needs keyring: pip install 'tiktok-open[keyring]'",
    "an encrypted store needs cryptography: pip install 'tiktok-open[encrypted]'",
    "reading the properties of videos needs pymediainfo: pip install 'tiktok-open[media]'",
    "telemetry needs opentelemetry-api: pip install 'tiktok-open[otel]'",
    "the engine needs procrastinate: pip install 'tiktok-open[procrastinate]'",
    "the engine needs celery: pip install 'tiktok-open[celery]'",
    "stores in PostgreSQL need psycopg and libpq: pip install 'tiktok-open[postgres]'",
]
COMMAND = "import sys; from tiktok_adapters.cli import main; main(sys.argv[1:])"


def _installed(folder: Path, lines: Iterable[str]) -> None:
    """Fill a folder with these requirements and their own requirements, as an installer does."""
    seen: set[str] = set()
    wanted = [*map(Requirement, lines)]
    while wanted:
        name = canonicalize_name(wanted.pop().name)
        if name in seen:
            continue
        seen.add(name)
        found = distribution(name)
        for part in {_linked(found, file.parts) for file in found.files or ()}:
            if part.parts[0] not in {"..", "__pycache__"} and not (folder / part).exists():
                (folder / part).parent.mkdir(exist_ok=True)
                (folder / part).symlink_to(Path(str(found.locate_file(part))))
        required = [*map(Requirement, found.requires or ())]
        wanted += [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]


def _linked(found: Distribution, parts: tuple[str, ...]) -> Path:
    """Return what to link for a file: its package, and within a folder of several distributions its part of that."""
    top = Path(str(found.locate_file(parts[0])))
    return Path(*parts[: 2 if top.is_dir() and not (top / "__init__.py").exists() else 1])


def _python(folder: Path, code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python that can import only from the folder, this package, and the standard library."""
    path = [str(folder), str(Path(tiktok_core.__file__).parents[1])]
    program = f"import sys; sys.path += {path!r}\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with the dependencies of the base."""
    folder = tmp_path / "base"
    folder.mkdir()
    _installed(folder, BASE)
    return folder


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that connect to a simulated TikTok, which this process serves."""
    simulated = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    with SandboxServer(simulated).run_in_thread() as server:
        yield {
            "TIKTOK_CLIENT_KEY": simulated.app.client_key,
            "TIKTOK_CLIENT_SECRET": simulated.app.client_secret,
            "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path / "home"),
        }
    simulated.close()


def test_the_base_alone_signs_in_and_posts(base: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """The blocking client needs no extra, from the listener of the sign-in to the end of a post."""
    done = _python(base, PLAIN + JOB, json.dumps(environ), str(tmp_path / "clip.mp4"))
    assert (done.stdout, done.stderr) == ("PUBLISH_COMPLETE\n", "")


def test_the_api_of_opentelemetry_alone_changes_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    """A traced client posts where no SDK is installed that could take its spans."""
    base = tmp_path / "base"
    base.mkdir()
    _installed(base, [*BASE, "opentelemetry-api"])
    done = _python(base, TRACED + JOB, json.dumps(environ), str(tmp_path / "clip.mp4"))
    assert (done.stdout, done.stderr) == ("no SDK\nPUBLISH_COMPLETE\n", "")


def test_each_missing_extra_is_one_sentence(base: Path) -> None:
    """The sentence names the feature and the package that it needs, and says how to install it."""
    done = _python(base, WISHES)
    assert (done.stdout.splitlines(), done.stderr) == (SENTENCES, "")


def test_a_missing_command_line_is_one_sentence(base: Path) -> None:
    """The program exists even without its extra, and says what to install."""
    done = _python(base, COMMAND, "whoami")
    assert done.returncode == 1
    assert done.stderr == "The command line needs click and rich: pip install 'tiktok-open[cli]'\n"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("demo", "The demo needs aiohttp: pip install 'tiktok-open[sandbox]'"),
        ("sandbox", "The sandbox needs aiohttp: pip install 'tiktok-open[sandbox]'"),
        ("login --qr", "A QR code needs segno: pip install 'tiktok-open[cli]'"),
    ],
)
def test_a_command_that_needs_more_says_so_in_one_sentence(
    base: Path, tmp_path: Path, command: str, sentence: str
) -> None:
    """One sentence names the extra that the command needs; the other commands work without it."""
    _installed(base, ["click"])
    settings = {"CLIENT_KEY": "k", "CLIENT_SECRET": "s", "REDIRECT_URI": "http://127.0.0.1:*/c/", "HOME": str(tmp_path)}
    given = f"import os; os.environ.update({ {f'TIKTOK_{name}': value for name, value in settings.items()}!r})\n"
    done = _python(base, given + COMMAND, *command.split())
    assert (done.returncode, done.stderr) == (1, f"tiktok: {sentence}\n")
    assert "one chunk" in _python(base, COMMAND, "plan", "1000").stdout


def test_to_run_a_program_needs_certificates(base: Path) -> None:
    """The sandbox alone does not need the package that makes certificates; `run` says that it does."""
    _installed(base, ["click", "aiohttp"])
    done = _python(base, COMMAND, "sandbox", "run", "--", "true")
    assert (done.returncode, done.stderr) == (
        1,
        "tiktok: 'run' needs cryptography: pip install 'tiktok-open[sandbox]'\n",
    )
