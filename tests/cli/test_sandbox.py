"""`tiktok sandbox`: its options, and a state that survives a restart."""

import json
import resource
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

Start = Callable[..., Any]


def begun(process: Start, *arguments: str) -> tuple[Any, str]:
    """Start a sandbox; return the process and its address."""
    running = process("sandbox", "--json", *arguments)
    line = running.stdout.readline()
    assert line, running.communicate()[1]
    return running, json.loads(line)["url"]


def read(url: str, path: str, body: Any = None) -> Any:
    """Ask the sandbox's own part."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data=data), timeout=30) as answer:
        return json.load(answer)


def ended(running: Any, by: signal.Signals = signal.SIGTERM) -> None:
    """End a sandbox, which says nothing about it."""
    running.send_signal(by)
    _stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stderr) == (0 if by is not signal.SIGKILL else -9, "")


def test_the_options_make_the_world(process: Start) -> None:
    """Accounts, the app's audit, its redirect URIs, switches and faults are as asked for."""
    running, url = begun(
        process,
        *("--creator", "@anna", "--creator", "bela", "--creator", "anna", "--public-creators", "--audited"),
        *("--redirect-uri", "https://example.com/back/", "--set", "mb=binary", "--set", "data-seconds=1.5"),
        *("--fault", "put:2=drop-after"),
    )
    assert [(one["username"], one["private"]) for one in read(url, "/_sandbox/creators")] == [
        ("anna", False),
        ("bela", False),
    ]
    (app,) = read(url, "/_sandbox/apps")
    assert (app["audited"], app["redirect_uris"][-1]) == (True, "https://example.com/back/")
    assert "http://127.0.0.1:*/callback/" in app["redirect_uris"]
    switches = read(url, "/_sandbox/switches")
    assert (switches["mb"], switches["data_seconds"], switches["upload_path"]) == ("binary", 1.5, "/upload")
    assert read(url, "/_sandbox/faults") == ["put:2=drop-after"]
    ended(running)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "mbb=binary"), "--set: 'mbb=binary': no switch is called 'mbb'; did you mean mb?"),
        (("--set", "mb=metric"), "--set: 'mb=metric': it takes strict, decimal or binary, not 'metric'"),
        (("--set", "mb"), "--set: 'mb' is not a switch: write NAME=VALUE"),
        (("--fault", "put=slow"), "--fault:"),
        (
            ("--redirect-uri", "http://example.com/"),
            "--redirect-uri: http://example.com/: a web URI is https and absolute",
        ),
        (("--creator", ""), "--creator: '' is no username"),
        (("--port", "abc"), "'abc' is not a port: a number from 0 to 65535"),
        (("--port", "65536"), "'65536' is not a port: a number from 0 to 65535"),
        (("--state", "/"), "--state: / is a folder. Name a file in it."),
        (("--state", "/nowhere/at/all"), "--state: There is no folder /nowhere/at for all."),
    ],
)
def test_a_wrong_option_is_one_sentence(cli: Any, arguments: tuple[str, ...], said: str) -> None:
    """Nothing is served; the exit status is 2."""
    result = cli("sandbox", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_the_state_survives_a_restart(process: Start, tmp_path: Path, by: signal.Signals) -> None:
    """Also one by `kill -9`, once a second has passed. What the options say then comes on top."""
    path = tmp_path / "sandbox.state"
    running, url = begun(process, "--state", str(path), "--creator", "anna", "--set", "mb=binary")
    read(url, "/_sandbox/creators", {"username": "bela", "private": False})
    if by is signal.SIGKILL:
        saved = path.stat().st_mtime_ns
        read(url, "/_sandbox/switches", {"retry_after": True})
        while path.stat().st_mtime_ns == saved:
            read(url, "/_sandbox/switches")
    ended(running, by)
    assert path.stat().st_mode & 0o777 == 0o600
    earlier = url
    running, url = begun(process, "--state", str(path), "--creator", "carl", "--set", "processing_seconds=9")
    assert url == earlier
    assert [one["username"] for one in read(url, "/_sandbox/creators")] == ["anna", "bela", "carl"]
    switches = read(url, "/_sandbox/switches")
    assert (switches["mb"], switches["processing_seconds"]) == ("binary", 9)
    ended(running)


def test_a_state_of_another_version_is_kept_and_named(cli: Any, tmp_path: Path) -> None:
    """So is a file that is something else."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which are no database " * 50)
    result = cli("sandbox", "--state", str(path))
    assert (result.exit_code, f"{path} is damaged, or no state of a sandbox" in result.stderr) == (2, True)
    assert path.read_text().startswith("my notes")


def test_tls_is_trusted_by_the_variables_that_it_prints(process: Start, cli: Any, tmp_path: Path) -> None:
    """By any name of this machine; the authority may sign for no other name, and its file goes with the sandbox."""
    running = process("sandbox", "--json", "--tls")
    document = json.loads(running.stdout.readline())
    trusted = ssl.create_default_context(cafile=document["environment"]["SSL_CERT_FILE"])
    port = urlsplit(document["url"]).port
    for host in ("127.0.0.1", "localhost"):
        with urllib.request.urlopen(f"https://{host}:{port}/_sandbox/faults", timeout=30, context=trusted) as answer:
            assert json.load(answer) == []
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(document["url"], timeout=30, context=ssl.create_default_context())
    result = cli("doctor", "--home", str(tmp_path / "home"), env=document["environment"])
    assert "CERTIFICATE" not in result.output
    ended(running)
    assert not Path(document["environment"]["SSL_CERT_FILE"]).exists()


def test_a_state_that_could_not_be_written_is_named_at_the_end(process: Start, tmp_path: Path) -> None:
    """The sandbox goes on without it, and ends with one sentence."""
    path = tmp_path / "sandbox.state"
    running, url = begun(process, "--state", str(path))
    resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
    for number in range(40):
        read(url, "/_sandbox/creators", {"username": f"maker_{number}", "bio": "x" * 1000})
    assert len(read(url, "/_sandbox/creators")) == 41
    running.send_signal(signal.SIGTERM)
    _stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, len(stderr.splitlines())) == (1, 1), stderr
    assert f"{path} cannot be read or written" in stderr
