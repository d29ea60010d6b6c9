"""The proxy and the certificate authorities of the settings reach both clients; what cannot be used is refused before."""

import asyncio
import logging
import os
import socket
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from attrs import define

from behind_proxy import API, PASSWORD, UPLOAD, Company, company
from clips import CLIP_BYTES
from crash_report import shown
from tiktok_adapters import connect, connect_async
from tiktok_adapters.assembly import Settings, load_settings
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.compat import TikTok as Compat
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, InvalidSettings, NotSent, PrivacyLevel, Secret, SignInRequired
from tiktok_core.lifting import lift_clock

APP = App("k", "s", "http://127.0.0.1:*/c/")
WORLDS = ["connect", "connect_async"]
worlds = pytest.mark.parametrize("world", WORLDS)


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company's network. Every variable of this process about proxies and certificates leads elsewhere."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with company(tmp_path) as here:
        yield here


def job(world: str, here: Company, film: Path, **environ: str) -> str:
    """Sign in and post a video, and return the publish id."""
    variables = {**here.environ, **environ}

    async def awaited() -> str:
        async with connect_async(environ=variables, timeout=5, clock=lift_clock(ManualClock())) as tiktok:
            begun = tiktok.authorization()
            account = await tiktok.sign_in(begun, here.sim.authorize(begun.url))
            return (await account.post_video(film, privacy_level=PrivacyLevel.SELF_ONLY, wait=False)).publish_id

    if world == "connect_async":
        return asyncio.run(awaited())
    with connect(environ=variables, timeout=5, clock=ManualClock()) as tiktok:
        begun = tiktok.authorization()
        account = tiktok.sign_in(begun, here.sim.authorize(begun.url))
        return account.post_video(film, privacy_level=PrivacyLevel.SELF_ONLY, wait=False).publish_id


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A video."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP_BYTES)
    return path


# --- Both reach both clients -----------------------------------------------------------------------------------------


@worlds
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "TIKTOK_PROXY"])
def test_a_post_goes_through_the_proxy_of_the_environment(
    world: str, variable: str, around: Company, film: Path
) -> None:
    """API and upload host are called through the proxy that the given environment names, and its authority is trusted."""
    publish_id = job(world, around, film, **{variable: around.proxy.url, "TIKTOK_CA_FILE": str(around.ca_file)})
    assert around.sim.post(publish_id).bytes_received == len(CLIP_BYTES)
    assert around.hosts == {f"{API}:443", f"{UPLOAD}:443"}


@worlds
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "TIKTOK_CA_FILE"])
def test_the_authorities_of_the_environment_that_is_given_count(
    world: str, variable: str, around: Company, film: Path
) -> None:
    """`SSL_CERT_FILE` counts as well, although OpenSSL reads only the process's own. Without either the client trusts no such server."""
    through = {"HTTPS_PROXY": around.proxy.url}
    assert job(world, around, film, **through, **{variable: str(around.ca_file)})
    with pytest.raises(NotSent, match=r"does not trust its authority; .* as ca_file .*the proxy http") as caught:
        job(world, around, film, **through)
    assert PASSWORD not in str(caught.value)
    assert not shown(caught.value, {PASSWORD})


@worlds
def test_the_file_names_both(world: str, around: Company, film: Path) -> None:
    """`config.toml` names a proxy and a file of authorities, before the variables that other programs read, too."""
    home = Path(around.environ["TIKTOK_HOME"])
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'proxy = "{around.proxy.url}"\nca_file = "{around.ca_file}"\n')
    config.chmod(0o644)
    others = {"HTTPS_PROXY": "http://127.0.0.1:9", "SSL_CERT_FILE": "/nowhere"}
    assert job(world, around, film, **others)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600, "a proxy may have a password"


@pytest.fixture
def directly(around: Company, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lead the upload host to TikTok for clients that look its name up, and return a list of these look-ups."""
    look_up, asked = socket.getaddrinfo, list[str]()

    def looked_up(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host != UPLOAD:
            return look_up(host, port, *rest, **options)
        asked.append(host)
        return look_up("127.0.0.1", around.port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return asked


@pytest.mark.parametrize(
    "exception", [UPLOAD, f"{UPLOAD}:443", f"10.9.9.9, .{UPLOAD}", "127.0.0.1 open-upload.tiktokapis.com"]
)
def test_an_exempt_upload_host_is_called_directly(
    exception: str, around: Company, film: Path, directly: list[str]
) -> None:
    """One client calls the API through the proxy, and the upload host without it."""
    settings = {"HTTPS_PROXY": around.proxy.url, "NO_PROXY": exception, "TIKTOK_CA_FILE": str(around.ca_file)}
    publish_id = job("connect", around, film, **settings)
    assert around.sim.post(publish_id).bytes_received == len(CLIP_BYTES)
    assert (around.hosts, set(directly)) == ({f"{API}:443"}, {UPLOAD})


def test_an_exempt_host_is_called_directly_by_the_awaited_client(around: Company, directly: list[str]) -> None:
    """The same: nothing listens where its direct call leads, as aiohttp keeps the port of the URL."""
    around.proxy.leads[API] = 9
    settings = {"HTTPS_PROXY": around.proxy.url, "NO_PROXY": UPLOAD, "TIKTOK_API_URL": f"https://{UPLOAD}"}

    async def asked() -> None:
        async with connect_async(environ={**around.environ, **settings}, clock=lift_clock(ManualClock())) as tiktok:
            await tiktok.client_token()

    with pytest.raises(NotSent) as caught:
        asyncio.run(asked())
    assert "proxy" not in str(caught.value)
    assert (around.proxy.heads, set(directly)) == ([], {UPLOAD})


@worlds
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_sandbox_is_never_called_through_a_proxy(world: str, host: str, around: Company, film: Path) -> None:
    """The proxy of the settings does not count for this machine."""
    url = f"https://{host}:{around.port}"
    environ = {"TIKTOK_API_URL": url, "TIKTOK_CA_FILE": str(around.ca_file)}
    assert job(world, around, film, TIKTOK_PROXY=around.proxy.url, **environ)
    assert around.proxy.heads == []


@worlds
def test_the_process_is_not_asked_behind_a_given_environment(world: str, around: Company, film: Path) -> None:
    """The variables of this process name a proxy, and the given environment names none: the client goes directly."""
    url = f"https://localhost:{around.port}"
    environ = {"TIKTOK_API_URL": url, "SSL_CERT_FILE": str(around.ca_file)}
    assert load_settings({}, around.environ).network().proxy is None
    assert job(world, around, film, **environ)


def test_the_moved_library_goes_the_same_way(around: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other library's interface reads the process's environment for its addresses, and so for the proxy."""
    monkeypatch.setenv("HTTPS_PROXY", around.proxy.url)
    monkeypatch.delenv("https_proxy")
    monkeypatch.setenv("TIKTOK_CA_FILE", str(around.ca_file))
    monkeypatch.setenv("TIKTOK_HOME", around.environ["TIKTOK_HOME"])
    app = (around.sim.app.client_key, around.sim.app.client_secret, APP.redirect_uri)
    with Compat(*app) as tiktok, pytest.raises(SignInRequired, match="refresh token"):
        tiktok.refresh_access_token("rft.unknown")
    assert around.hosts == {f"{API}:443"}
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy:1080")
    with pytest.raises(ValueError, match="HTTPS_PROXY: cannot be used"):
        Compat("k", "s", APP.redirect_uri)


def test_the_default_of_openssl_is_not_loaded_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the process's own variables name the file, OpenSSL reads it by itself, once and late."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "a.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "a.pem"))
    named = load_settings({}, {"SSL_CERT_FILE": str(tmp_path / "a.pem"), "TIKTOK_HOME": "/nowhere"}).network()
    assert named.options() == {"proxy": None, "ssl_context": None}
    assert load_settings({}, {"SSL_CERT_DIR": str(tmp_path)}).network().options()["ssl_context"] is not None


# --- What cannot be used ---------------------------------------------------------------------------------------------


@define
class Files:
    """Files that are no list of authorities."""

    folder: Path

    def make(self, kind: str) -> str:
        """Make one and return its path."""
        path = self.folder / kind
        match kind:
            case "folder":
                path.mkdir()
            case "empty":
                path.touch()
            case "der":
                path.write_bytes(b"0\x82\x03\x01" + bytes(700))
            case "key":
                trustme.CA().private_key_pem.write_to_path(path)
            case "broken":
                path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            case "pipe":
                os.mkfifo(path)
        return str(path)


FAULTS = {
    "missing": "cannot be read: no such file or directory",
    "folder": "is a folder: name a file with certificates in PEM",
    "pipe": "is no file: name a file with certificates in PEM",
    "empty": "holds no certificate in PEM",
    "der": "openssl x509 -inform der",
    "key": "holds no certificate in PEM",
    "broken": "cannot be read: ",
}


@worlds
@pytest.mark.parametrize("variable", ["TIKTOK_CA_FILE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_file_that_is_no_list_of_authorities_is_refused(
    world: str, variable: str, kind: str, around: Company, film: Path
) -> None:
    """One sentence names the file and what is wrong with it; nothing is sent, and no other authority is trusted instead."""
    path = Files(film.parent).make(kind)
    with pytest.raises(InvalidSettings) as caught:
        job(world, around, film, HTTPS_PROXY=around.proxy.url, **{variable: path})
    (problem,) = caught.value.problems
    assert problem.field == ("ca_file" if variable == "TIKTOK_CA_FILE" else variable)
    assert path in problem.message
    assert FAULTS[kind] in problem.message
    assert ("it comes from TIKTOK_CA_FILE" in problem.message) == (variable == "TIKTOK_CA_FILE" and kind != "broken")
    assert around.proxy.heads == []


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    """The file of settings may hold it, and no file can have such a name."""
    (tmp_path / "config.toml").write_text('ca_file = "a\\u0000b"\n')
    with pytest.raises(InvalidSettings, match="ca_file: contains a NUL character"):
        connect(APP, home=tmp_path, environ={})


@worlds
@pytest.mark.parametrize("where", ["HTTPS_PROXY", "all_proxy", "TIKTOK_PROXY", "config.toml"])
@pytest.mark.parametrize("url", ["socks5://me:{}@proxy:1080", "https://me:{}@proxy", "http://me:{}@proxy:port"])
def test_a_proxy_that_cannot_be_used_is_refused_and_not_shown(
    world: str, where: str, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The sentence names the setting, its origin and what is supported. No local variable and no log shows the password."""
    caplog.set_level(logging.DEBUG)
    environ = {"TIKTOK_HOME": str(tmp_path)}
    if where == "config.toml":
        (tmp_path / where).write_text(f'proxy = "{url.format(PASSWORD)}"\n')
    else:
        environ[where] = url.format(PASSWORD)
    with pytest.raises(InvalidSettings, match="the proxy must be a URL such as http://host:port") as caught:
        {"connect": connect, "connect_async": connect_async}[world](APP, environ=environ)
    assert where in str(caught.value)
    assert not shown(caught.value, {PASSWORD})
    assert PASSWORD not in "".join(traceback.format_exception(caught.value)) + caplog.text


def test_everything_wrong_with_the_network_comes_with_the_rest(tmp_path: Path) -> None:
    """One error names the missing app, the proxy and the file of authorities."""
    environ = {"TIKTOK_HOME": str(tmp_path), "ALL_PROXY": "socks5://h:1", "TIKTOK_CA_FILE": "/nowhere/ca.pem"}
    with pytest.raises(InvalidSettings) as caught:
        connect(environ=environ)
    wrong = ["client_key", "client_secret", "redirect_uri", "ALL_PROXY", "ca_file"]
    assert [problem.field for problem in caught.value.problems] == wrong
    with pytest.raises(InvalidSettings) as caught:
        connect(APP, environ=environ | {"TIKTOK_STORE": "encrypted", "TIKTOK_API_URL": "http://api.example.com"})
    assert [problem.field for problem in caught.value.problems] == ["api_url", "store_key", "ALL_PROXY", "ca_file"]


def test_a_transport_of_ones_own_needs_neither(tmp_path: Path) -> None:
    """A program that passes a transport is not held up by a proxy that it does not use."""
    environ = {"TIKTOK_HOME": str(tmp_path), "ALL_PROXY": "socks5://h:1", "TIKTOK_CA_FILE": "/nowhere/ca.pem"}
    own = FakeTransport(lambda request: pytest.fail("nothing is sent"))
    with connect(APP, environ=environ, transport=own) as tiktok:
        assert tiktok.app is APP


def test_settings_show_no_password(around: Company, tmp_path: Path) -> None:
    """Neither the settings nor a client show the proxy's password, wherever it comes from."""
    for name in ("HTTPS_PROXY", "TIKTOK_PROXY"):
        found = load_settings({}, {**around.environ, name: around.proxy.url})
        network = found.network()
        assert found != Settings(home=found.home)
        with connect(environ={**around.environ, name: around.proxy.url}) as tiktok:
            assert PASSWORD not in repr((found, network, network.options(), tiktok))
    assert found.proxy == Secret(around.proxy.url)


# --- The process's own variables -------------------------------------------------------------------------------------

PROGRAM = """
import asyncio
from tiktok_adapters import connect, connect_async

async def awaited():
    async with connect_async() as tiktok:
        return await tiktok.client_token()

with connect() as tiktok:
    print(tiktok.client_token().expires_at.year, asyncio.run(awaited()).expires_at.year)
"""


@pytest.mark.parametrize("authority", ["SSL_CERT_FILE", "TIKTOK_CA_FILE"])
def test_without_an_argument_the_variables_of_the_process_count(around: Company, authority: str) -> None:
    """Both clients work in a process with `HTTPS_PROXY` and a file of authorities, without a word in the program."""
    own = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    own |= {**around.environ, "https_proxy": around.proxy.url, authority: str(around.ca_file)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.split())) == (0, 2), done.stderr
    assert around.hosts == {f"{API}:443"}
    assert len(around.proxy.heads) == 2


# --- Object storage --------------------------------------------------------------------------------------------------


def options_of(**environ: str) -> dict[str, Any]:
    """Return the options for object storage under these variables."""
    found = load_settings({}, environ).network().object_options()
    assert PASSWORD not in repr(found)
    return dict(found.reveal())


def test_object_storage_gets_the_proxy_and_the_authorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In obstore's words. What obstore finds in the process by itself is not given."""
    ca_file = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(ca_file)
    home = str(tmp_path / "home")
    assert options_of(TIKTOK_HOME=home) == {}
    proxied = options_of(
        TIKTOK_HOME=home, TIKTOK_PROXY=f"me:{PASSWORD}@proxy.example.com:3128", NO_PROXY="minio.internal"
    )
    assert proxied == {
        "proxy_url": f"http://me:{PASSWORD}@proxy.example.com:3128",
        "proxy_excludes": "localhost,127.0.0.0/8,::1,minio.internal",
    }
    assert options_of(TIKTOK_HOME=home, HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="*") == {}
    for name in ("TIKTOK_CA_FILE", "SSL_CERT_FILE"):
        assert options_of(TIKTOK_HOME=home, **{name: str(ca_file)}) == {"root_certificate": ca_file.read_bytes()}
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert options_of(TIKTOK_HOME=home, SSL_CERT_FILE=str(ca_file)) == {}
    network = load_settings({}, {"TIKTOK_HOME": home, "TIKTOK_CA_FILE": str(ca_file)}).network()
    monkeypatch.delenv("SSL_CERT_FILE")
    ca_file.unlink()
    with pytest.raises(InvalidSettings, match="cannot be read: no such file or directory"):
        network.object_options()
