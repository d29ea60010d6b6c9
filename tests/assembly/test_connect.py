"""`connect` and `connect_async`: which adapters they choose, when files appear, and how they end."""

import asyncio
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiktok_adapters
from clips import CLIP_BYTES
from tiktok_adapters import connect, connect_async
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_core import App, Endpoints, InvalidSettings, PrivacyLevel, SignInRequired, StoreError

REDIRECT = "http://127.0.0.1:3455/callback/"


@pytest.fixture
def sim() -> Iterator[SimulatedTikTok]:
    """A simulated TikTok whose posts are done when the client first asks."""
    simulated = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    yield simulated
    simulated.close()


@pytest.fixture
def environ(sim: SimulatedTikTok, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings that connect to it."""
    with SandboxServer(sim).run_in_thread() as server:
        yield {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TIKTOK_REDIRECT_URI": REDIRECT,
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path / "home"),
        }


def test_a_blocking_client_does_the_whole_job(environ: dict[str, str], sim: SimulatedTikTok, tmp_path: Path) -> None:
    """Sign in, post a file by its name, and find the sign-in again in the next client."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(CLIP_BYTES)
    with connect(environ=environ) as tiktok:
        authorization = tiktok.authorization()
        tiktok.sign_in(authorization, sim.authorize(authorization.url))
    with connect(environ=environ) as tiktok:
        done = tiktok.account().post_video(film, privacy_level=PrivacyLevel.SELF_ONLY, wait=False)
    assert sim.post(done.publish_id).bytes_received == len(CLIP_BYTES)


def test_an_awaited_client_does_the_whole_job(environ: dict[str, str], sim: SimulatedTikTok, tmp_path: Path) -> None:
    """The same with the asynchronous client; both clients share the tokens of one home folder."""
    film = tmp_path / "clip.mp4"
    film.write_bytes(CLIP_BYTES)

    async def job() -> str:
        async with connect_async(environ=environ) as tiktok:
            authorization = tiktok.authorization()
            account = await tiktok.sign_in(authorization, sim.authorize(authorization.url))
            return (await account.post_video(film, privacy_level=PrivacyLevel.SELF_ONLY, wait=False)).publish_id

    assert sim.post(asyncio.run(job())).bytes_received == len(CLIP_BYTES)
    with connect(environ=environ) as tiktok:
        assert tiktok.account().open_id == sim.creator.open_id


def test_looking_leaves_no_trace(environ: dict[str, str], sim: SimulatedTikTok, tmp_path: Path) -> None:
    """The home folder appears with the first token, 0700, and its files are 0600."""
    home = tmp_path / "home"
    with connect(environ=environ) as tiktok:
        assert tiktok.accounts() == ()
        with pytest.raises(SignInRequired):
            tiktok.account()
        assert not home.exists()
        authorization = tiktok.authorization()
        tiktok.sign_in(authorization, sim.authorize(authorization.url))
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in home.iterdir()} == {0o600}


def test_closing_closes_store_and_transport(environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """After the block the client refuses every call, whether or not it had opened the store."""
    with connect(environ=environ) as tiktok:
        pass
    with pytest.raises(StoreError, match="closed"):
        tiktok.accounts()
    with connect(environ=environ) as tiktok:
        authorization = tiktok.authorization()
        account = tiktok.sign_in(authorization, sim.authorize(authorization.url))
    with pytest.raises(StoreError, match="closed"):
        account.tokens()


def test_an_app_may_be_given(environ: dict[str, str], tmp_path: Path) -> None:
    """With an app and endpoints the client needs no settings; arguments override the environment."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, REDIRECT)
    where = Endpoints(api_url=environ["TIKTOK_API_URL"], auth_url=environ["TIKTOK_AUTH_URL"])
    with connect(app, home=tmp_path / "other", environ={}, endpoints=where) as tiktok:
        assert tiktok.app is app
        assert tiktok.authorization().url.startswith(where.auth_url)
    with connect(app, environ=environ) as tiktok:
        assert tiktok.authorization().url.startswith(where.auth_url)
    with connect(environ={**environ, "TIKTOK_API_URL": "http://wrong.example.com"}, endpoints=where) as tiktok:
        assert tiktok.authorization().url.startswith(where.auth_url)


@pytest.mark.parametrize("make", [connect, connect_async])
def test_missing_settings_are_told(make: object, tmp_path: Path) -> None:
    """Without settings `connect` raises; the sentence names the variable and the portal's field."""
    assert callable(make)
    with pytest.raises(InvalidSettings, match=r'TIKTOK_CLIENT_KEY.*"Client key".*TIKTOK_CLIENT_SECRET'):
        make(home=tmp_path, environ={})


def test_importing_the_adapters_is_light() -> None:
    """`import tiktok_adapters` imports no library and no core, and still offers `connect`."""
    script = (
        "import sys, tiktok_adapters\n"
        "heavy = ('urllib3', 'aiohttp', 'sqlite3', 'click', 'rich', 'tiktok_core')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "tiktok_adapters.connect\n"
        "print([name for name in heavy[:5] if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tiktok_adapters.nonsense


def test_a_missing_aiohttp_names_the_extra(tmp_path: Path) -> None:
    """Without aiohttp `connect_async` says what to install."""
    script = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from tiktok_adapters import connect_async\nfrom tiktok_core import App\n"
        "try: connect_async(App('k', 's', 'http://127.0.0.1:*/c/'), home=sys.argv[1])\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "connect_async needs aiohttp: pip install 'tiktok-open[async]'"


def test_the_account_of_the_settings_is_the_clients_own(tmp_path: Path) -> None:
    """`TIKTOK_ACCOUNT` chooses the account, for programs and for the command line."""
    environ = {
        "TIKTOK_CLIENT_KEY": "k",
        "TIKTOK_CLIENT_SECRET": "s",
        "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
        "TIKTOK_HOME": str(tmp_path / "home"),
        "TIKTOK_ACCOUNT": "-000Chosen",
    }
    with connect(environ=environ) as client, pytest.raises(SignInRequired, match="-000Chosen"):
        client.account()
