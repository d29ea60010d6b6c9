"""The installed command line behind a company's proxy, with the company's own authority: it works, and `doctor` says how.

What belongs here: the program in a process of its own, and the sentences of `doctor` about the network.
"""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from behind_proxy import API, PASSWORD, UPLOAD, Company, company
from tiktok_adapters import connect
from tiktok_adapters.cli.app import tiktok

PROGRAM = Path(sys.executable).with_name("tiktok")
SHARED = ("proxy", "SSL_CERT")
SELF = ("--privacy", "SELF_ONLY")


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Company]:
    """A company's network, in which a person has signed in through the proxy."""
    with company(tmp_path) as here:
        trusted = {"TIKTOK_PROXY": here.proxy.url, "TIKTOK_CA_FILE": str(here.ca_file)}
        with connect(environ=here.environ | trusted) as client:
            begun = client.authorization()
            client.sign_in(begun, here.sim.authorize(begun.url))
        here.proxy.heads.clear()
        yield here


def ran(here: Company, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed program with no variable about proxies and certificates but these."""
    own = {name: value for name, value in os.environ.items() if not any(part in name for part in SHARED)}
    own = {name: value for name, value in own.items() if "PROXY" not in name}
    command = [str(PROGRAM), *arguments]
    done = subprocess.run(
        command, env={**own, **here.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def findings(done: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, str]]:
    """Return what `doctor` found, by the name of the check."""
    return {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}


@pytest.mark.parametrize("authority", ["SSL_CERT_FILE", "TIKTOK_CA_FILE"])
def test_a_post_goes_through_the_proxy(around: Company, film: Path, authority: str) -> None:
    """`tiktok post` uploads a video through the proxy of `HTTPS_PROXY`, and trusts the company's authority."""
    settings = {"HTTPS_PROXY": around.proxy.url, authority: str(around.ca_file)}
    done = ran(around, "post", "video", str(film), *SELF, "--no-wait", **settings)
    assert (done.returncode, done.stderr.count("does not trust")) == (0, 0), done.stderr
    assert [post.bytes_received for post in around.sim.posts] == [film.stat().st_size]
    assert around.hosts == {f"{API}:443", f"{UPLOAD}:443"}


def test_doctor_says_through_what_requests_go(around: Company) -> None:
    """The findings name the proxy without its password, the variable, and the file of authorities; both hosts answer."""
    settings = {"HTTPS_PROXY": around.proxy.url, "TIKTOK_CA_FILE": str(around.ca_file)}
    done = ran(around, "doctor", "--json", **settings)
    found = findings(done)
    assert done.returncode == 0, found
    assert found["proxy"]["message"] == f"requests go through {around.shown} (from HTTPS_PROXY, with a password)"
    expected = f"the authorities in {around.ca_file} are trusted (from TIKTOK_CA_FILE), and no others"
    assert found["certificates"]["message"] == expected
    assert {found[name]["verdict"] for name in ("TikTok's API", "upload host")} == {"fine"}
    assert around.hosts == {f"{API}:443", f"{UPLOAD}:443"}
    lines = CliRunner().invoke(tiktok, ["doctor"], env={**around.environ, **settings}).stdout
    assert f"+ proxy: requests go through {around.shown} (from HTTPS_PROXY, with a password)\n" in lines
    assert f"+ certificates: {expected}\n" in lines


def test_no_proxy_is_honoured_and_said(around: Company) -> None:
    """A host that `NO_PROXY` names is called directly: here its name leads nowhere, and the proxy gets no request for it."""
    settings = {
        "HTTPS_PROXY": around.proxy.url,
        "NO_PROXY": "invalid, example.com",
        "TIKTOK_API_URL": "https://tiktok.invalid",
        "TIKTOK_CA_FILE": str(around.ca_file),
    }
    found = findings(ran(around, "doctor", "--json", **settings))
    assert found["proxy"]["message"].endswith("; those to tiktok.invalid go directly, because NO_PROXY names it")
    assert "the host's name was not found" in found["TikTok's API"]["message"]
    assert "proxy" not in found["TikTok's API"]["message"]
    assert found["upload host"]["verdict"] == "fine"
    assert around.hosts == {f"{UPLOAD}:443"}


def test_a_proxy_that_wants_a_password_is_named(around: Company) -> None:
    """The error of a refused tunnel, in `doctor` and in every other command, names the proxy."""
    around.proxy.says = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    settings = {"HTTPS_PROXY": around.shown, "TIKTOK_CA_FILE": str(around.ca_file)}
    done = ran(around, "doctor", "--json", **settings)
    found = findings(done)
    sentence = f"the proxy {around.shown} wants a user name and a password, or refused those it was given (HTTP 407)"
    assert done.returncode == 5
    assert sentence in found["TikTok's API"]["message"]
    assert "'proxy' and 'certificates'" in found["TikTok's API"]["change"]
    assert found["proxy"]["message"] == f"requests go through {around.shown} (from HTTPS_PROXY)"
    done = ran(around, "status", "v_pub_file~v2-1.1", **settings)
    assert (done.returncode, sentence in done.stderr) == (5, True), done.stderr


def test_an_unknown_authority_is_told(around: Company) -> None:
    """Without the company's authority the error says which setting takes its file."""
    found = findings(ran(around, "doctor", "--json", HTTPS_PROXY=around.proxy.url))
    assert "name the authority's PEM file as ca_file" in found["TikTok's API"]["message"]
    assert around.shown in found["TikTok's API"]["message"]
    usual = ssl.get_default_verify_paths()
    assert usual.openssl_capath in found["certificates"]["message"]
    assert "the system's" in found["certificates"]["message"]


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("ALL_PROXY", f"socks5h://me:{PASSWORD}@proxy:1080", "http is the only scheme supported, not socks5h"),
        ("TIKTOK_PROXY", f"http://me:{PASSWORD}@proxy:port", "it comes from TIKTOK_PROXY"),
        ("TIKTOK_CA_FILE", "/nowhere/ca.pem", "/nowhere/ca.pem cannot be read: no such file or directory"),
        ("SSL_CERT_FILE", "/", "/ is a folder: name a file with certificates in PEM"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_sent(
    around: Company, film: Path, variable: str, value: str, sentence: str
) -> None:
    """One sentence and the exit status of wrong settings; `doctor` says where to mend it. `webhook verify` needs neither."""
    settings = {"HTTPS_PROXY": "" if "ALL" in variable else around.proxy.url, variable: value}
    done = ran(around, "post", "video", str(film), *SELF, **settings)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert sentence in done.stderr
    found = findings(ran(around, "doctor", "--json", **settings))
    assert sentence in found["settings"]["message"]
    assert variable in found["settings"]["where"]
    assert found["proxy"]["verdict"] == "not looked at"
    done = ran(around, "webhook", "verify", "--signature", f"t=1,s={'0' * 64}", str(film), **settings)
    assert done.returncode == 4
    assert around.proxy.heads == []


def test_this_machine_is_called_directly(cli: Any, signed_in: str) -> None:
    """`doctor` says so of a sandbox, whose calls never go through a proxy."""
    found = cli("doctor", "--json", env={"HTTPS_PROXY": "http://proxy.invalid:3128", "TIKTOK_ACCOUNT": signed_in})
    messages = {finding["check"]: finding["message"] for finding in json.loads(found.stdout)["findings"]}
    assert found.exit_code == 0
    assert messages["proxy"].startswith("requests go through http://proxy.invalid:3128 (from HTTPS_PROXY); those to ")
    assert messages["proxy"].endswith("go directly, because it is this machine")


def test_a_machine_without_authorities_is_told(cli: Any, signed_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small container has no list of authorities: `doctor` says what to install, or which setting to use."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    none = ssl.get_default_verify_paths()._replace(cafile=None, capath=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: none)
    found = cli("doctor", "--json", env={"TIKTOK_ACCOUNT": signed_in})
    (told,) = [one for one in json.loads(found.stdout)["findings"] if one["check"] == "certificates"]
    assert (told["verdict"], "ca-certificates" in told["change"]) == ("warning", True)
    assert "ca_file" in told["change"]
