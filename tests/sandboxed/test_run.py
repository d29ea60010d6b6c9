"""Programs that know nothing of the sandbox, in its world: what answers them, what does not, and how they end."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import certifi
import pytest

from tiktok_adapters.sandboxed.run import Forbidden
from tiktok_adapters.simulator import Creator, SimulatedTikTok
from worlds import Run

STRANGER = str(Path(__file__).parent / "stranger.py")
PYTHON = sys.executable
API = "https://open.tiktokapis.com"


def need(program: str) -> None:
    """Skip the test without this program."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def answering(text: bytes) -> Iterator[int]:
    """Answer every connection to a port on loopback with a text; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# --- What answers ----------------------------------------------------------------------------------------------------


def test_httpx_signs_in_and_posts(either: Run, sim: SimulatedTikTok) -> None:
    """A program with TikTok's addresses and httpx signs in, renews its tokens, and posts; every byte arrives."""
    sim.creators.append(Creator(username="second"))
    sim.switches.auto_consent = "second"
    ran = either(PYTHON, STRANGER, sim.app.client_key, sim.app.client_secret)
    assert ran.outcome.status == 0, ran.err
    (post,) = sim.posts
    assert json.loads(ran.out) == {
        "open_id": sim.creators[1].open_id,
        "username": "second",
        "upload_host": "open-upload.tiktokapis.com",
        "put": 201,
        "status": "PUBLISH_COMPLETE",
    }
    assert (post.title, post.bytes_received) == ("Hello", 5012)
    assert ran.outcome.asked == []


CURL = f"""
curl -sS -o /dev/null -w '%{{http_code}} ' {API}/v2/user/info/
curl -sS -o /dev/null -w '%{{http_code}} ' 'https://www.tiktok.com/v2/auth/authorize/?client_key=nobody'
curl -sS -o /dev/null -w '%{{http_code}} ' -X PUT https://open-upload-sg.tiktokapis.com:443/upload
curl -sS -o /dev/null -w '%{{http_code}}\\n' https://one.more.tiktokapis.com/
curl -sS https://elsewhere.example/ || echo refused
"""


def test_curl_finds_the_sandbox_and_nothing_else(either: Run) -> None:
    """The program curl gets TikTok's own answers from each of its hosts; another name gets none, and is listed."""
    need("curl")
    ran = either("sh", "-c", CURL)
    assert ran.out.splitlines() == ["401 302 404 404", "refused"]
    assert ran.outcome.asked == ["elsewhere.example"]


JAVASCRIPT = """
const dns = require('dns').promises;
(async () => {
  console.log((await fetch('https://open.tiktokapis.com/v2/user/info/')).status);
  console.log(await dns.resolve4('open-upload-va.tiktokapis.com'));
  console.log(await dns.resolve4('elsewhere.example').catch((error) => error.code));
  console.log(await fetch('https://192.0.2.1/').catch((error) => error.cause.code));
})();
"""


def test_node_finds_the_sandbox(confined: Run) -> None:
    """Node trusts the sandbox, and finds it by its own resolver, too, which reads no file of names."""
    need("node")
    ran = confined("node", "-e", JAVASCRIPT)
    assert ran.out.splitlines() == ["401", "[ '10.0.0.1' ]", "ENOTFOUND", "ENETUNREACH"], ran.err


def test_node_finds_the_sandbox_by_proxy(process: Run) -> None:
    """A Node that reads proxy variables finds the sandbox by them."""
    need("node")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, version[1:].split(".")[:2])) < (22, 21):
        pytest.skip(f"Node {version} reads no proxy variables")
    script = "fetch('https://open.tiktokapis.com/v2/user/info/').then((answer) => console.log(answer.status))"
    ran = process("node", "-e", script, by_proxy=True)
    assert (ran.out, ran.outcome.asked) == ("401\n", []), ran.err


JAVA = """
import java.net.URI;
import java.net.http.*;
public class Stranger {
  public static void main(String[] words) throws Exception {
    var request = HttpRequest.newBuilder(URI.create("https://open.tiktokapis.com/v2/user/info/")).build();
    System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode());
    System.out.println(System.getProperty("kept"));
  }
}
"""


def test_java_finds_the_sandbox(either: Run, tmp_path: Path) -> None:
    """Java trusts the sandbox, finds it in both ways, and keeps the options that it had."""
    need("java")
    source = tmp_path / "Stranger.java"
    source.write_text(JAVA)
    ran = either("java", str(source), environ={"JAVA_TOOL_OPTIONS": "-Dkept=yes"})
    assert ran.out.splitlines() == ["401", "yes"], ran.err


GO = """
package main

import ("fmt"; "net/http")

func main() {
	answer, problem := http.Get("https://open.tiktokapis.com/v2/user/info/")
	if problem != nil { panic(problem) }
	fmt.Println(answer.StatusCode)
}
"""


def test_go_finds_the_sandbox(either: Run, tmp_path: Path) -> None:
    """A program in Go trusts the sandbox, and finds it in both ways."""
    need("go")
    source = tmp_path / "stranger.go"
    source.write_text(GO)
    subprocess.run(["go", "build", "-o", str(tmp_path / "stranger"), str(source)], check=True, cwd=tmp_path)
    ran = either(str(tmp_path / "stranger"))
    assert ran.out.splitlines() == ["401"], ran.err


BARE = """
import socket, ssl
def asked(place, name):
    try:
        with socket.create_connection((place, 443), timeout=5) as wire:
            trusting = ssl._create_unverified_context()
            with trusting.wrap_socket(wire, server_hostname=name) as tls:
                tls.sendall(b"GET /v2/user/info/ HTTP/1.1\\r\\nHost: " + name.encode() + b"\\r\\nConnection: close\\r\\n\\r\\n")
                return tls.recv(20).decode().split()[1]
    except ssl.SSLError:
        return "no TLS"
    except OSError as problem:
        return type(problem).__name__
print(asked("open.tiktokapis.com", "open.tiktokapis.com"))
print(asked("example.com", "example.com"))
print(asked("1.1.1.1", "one.one.one.one"))
print(asked("10.0.0.1", "example.com"))
"""


def test_a_socket_reaches_the_sandbox_and_nothing_else(confined: Run) -> None:
    """A program that reads no variable reaches the sandbox by TikTok's names, and neither other names nor addresses.

    The sandbox answers for its own names only, whoever asks.
    """
    ran = confined("env", "-i", PYTHON, "-I", "-c", BARE)
    assert ran.out.splitlines() == ["401", "gaierror", "OSError", "no TLS"]
    assert ran.outcome.asked == ["example.com"]


ASKING = """
import contextlib, socket
for name in ("b.example", "A.example.", "b.EXAMPLE"):
    with contextlib.suppress(OSError): socket.create_connection((name, 443))
with contextlib.suppress(OSError): socket.gethostbyaddr("192.0.2.7")
"""


def test_each_name_is_told_once(confined: Run) -> None:
    """A resolver asks twice, and for the names of addresses; a person reads each name once, in order."""
    assert confined(PYTHON, "-c", ASKING).outcome.asked == ["b.example", "a.example"]


def test_without_variables_curl_still_trusts_the_sandbox(confined: Run) -> None:
    """In the namespace the system's own list of authorities is the sandbox's."""
    need("curl")
    if not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        pytest.skip("this system keeps its authorities elsewhere")
    ran = confined("env", "-i", shutil.which("curl") or "", "-sS", "-o", "/dev/null", "-w", "%{http_code}", API)
    assert (ran.out, ran.err) == ("404", "")


def test_a_program_that_trusts_nobody_new_is_told_of(either: Run) -> None:
    """A client with authorities of its own refuses the sandbox's certificate, and the outcome says so."""
    need("curl")
    ran = either("curl", "-sS", "--cacert", "/dev/null", "--capath", "/dev/null", API)
    assert ran.outcome.status in {60, 77}
    foreign = (
        "import ssl, httpx; httpx.get('https://open.tiktokapis.com', verify=ssl.create_default_context(cafile='{}'))"
    )
    ran = either(PYTHON, "-c", foreign.format(certifi.where()))
    assert ran.outcome.status == 1
    assert ran.outcome.is_given_up


# --- The world -------------------------------------------------------------------------------------------------------


def test_the_command_keeps_its_user_and_its_files(confined: Run, tmp_path: Path) -> None:
    """The command runs as the caller, in the caller's folder and with its input; nothing outside changes."""
    before = {name: Path(name).read_bytes() for name in ("/etc/hosts", "/etc/resolv.conf") if Path(name).exists()}
    ran = confined("sh", "-c", f"id -u; pwd; echo left > {tmp_path}/left; cat /etc/hosts")
    user, folder, *names = ran.out.splitlines()
    assert (int(user), folder) == (os.getuid(), str(Path.cwd()))
    assert "10.0.0.1 open.tiktokapis.com" in names
    assert (tmp_path / "left").read_text() == "left\n"
    assert {name: Path(name).read_bytes() for name in before} == before


def test_the_command_cannot_leave_the_namespace(confined: Run) -> None:
    """Even root has no power left to enter another network, to watch processes outside, or to change its own network."""
    script = f"""
        grep -q 'CapAmb:.*0000000000000000' /proc/self/status && echo none
        readlink /proc/self/ns/net
        nsenter --net=/proc/{os.getpid()}/ns/net true 2>/dev/null || echo kept
        ip link add two type dummy 2>/dev/null || echo unchanged
        mount -t tmpfs none /mnt 2>/dev/null || echo unmounted
    """
    for program in ("nsenter", "ip", "mount"):
        need(program)
    said = confined("sh", "-c", script).out.splitlines()
    assert said[1] != str(Path("/proc/self/ns/net").readlink())
    assert [said[0], *said[2:]] == ["none", "kept", "unchanged", "unmounted"]


def test_a_port_of_the_caller_can_be_reached(confined: Run) -> None:
    """The command reaches the named ports of the caller's loopback, and the sandbox's own page; no other port."""
    need("curl")
    with answering(b"HTTP/1.0 200 OK\r\n\r\nours") as port, answering(b"HTTP/1.0 200 OK\r\n\r\nother") as other:
        script = f"curl -sS http://127.0.0.1:{port}/; curl -s http://127.0.0.1:{other}/ || echo ' none'; curl -sS $TIKTOK_SANDBOX_URL/_sandbox/posts"
        ran = confined("sh", "-c", script, reach=(port,))
        assert ran.out == "ours none\n[]"
        assert confined("sh", "-c", f"curl -s http://localhost:{other}/ || echo none").out == "none\n"


def test_a_port_where_nobody_listens_is_closed(confined: Run) -> None:
    """A connection to a named port ends at once while nothing listens there outside."""
    port = free_port()
    dial = f"import socket; print(socket.create_connection(('127.0.0.1', {port}), timeout=20).recv(10))"
    assert confined(PYTHON, "-c", dial, reach=(port,)).out == "b''\n"


SERVE = """
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"inside"); self.server.seen = True
    def log_message(self, *words): pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page)
server.seen = False
open(sys.argv[2], "w").close()
while not server.seen: server.handle_request()
"""


def test_a_port_of_the_command_can_be_exposed(confined: Run, tmp_path: Path) -> None:
    """What the command serves is on the caller's loopback, too, if the caller names the port."""
    port = free_port()
    asker = _Asker(f"http://127.0.0.1:{port}/", tmp_path / "ready")
    ran = confined(PYTHON, "-c", SERVE, str(port), str(tmp_path / "ready"), expose=(port,))
    assert asker.answer() == b"inside"
    assert ran.outcome.status == 0


def test_a_person_who_consents_outside_comes_back_into_the_namespace(
    confined: Run, sim: SimulatedTikTok, tmp_path: Path
) -> None:
    """A browser outside, with the sandbox's own page, reaches the program's redirect URI inside."""
    sim.switches.auto_consent = sim.creator.username
    port, page = free_port(), free_port()
    asked = (
        f"client_key={sim.app.client_key}&scope=user.info.basic&response_type=code&state=s&code_challenge={'a' * 64}"
        f"&code_challenge_method=S256&redirect_uri=http://127.0.0.1:{port}/callback/"
    )
    asker = _Asker(f"http://127.0.0.1:{page}/v2/auth/authorize/?{asked}", tmp_path / "ready")
    ran = confined(PYTHON, "-c", SERVE, str(port), str(tmp_path / "ready"), port=page)
    assert asker.answer() == b"inside"
    assert ran.outcome.status == 0


class _Asker:
    """Asks for a URL in a thread, as soon as a file is there."""

    def __init__(self, url: str, ready: Path) -> None:
        self._url = url
        self._ready = ready
        self._answer = b""
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        pause = threading.Event()
        for _ in range(600):
            if self._ready.exists():
                break
            pause.wait(0.05)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(self._url, timeout=20) as answer:
            self._answer = answer.read()

    def answer(self) -> bytes:
        """Return the answer."""
        self._thread.join()
        return self._answer


# --- By proxy --------------------------------------------------------------------------------------------------------


def test_the_proxy_is_announced_with_its_limit(process: Run) -> None:
    """Before a command runs by proxy, one sentence says whom the proxy does not hold back, and why there is one."""
    ran = process("true", by_proxy=True)
    sentence, address, _consent = ran.said
    assert sentence == (
        "The program finds the sandbox through proxy variables, as you wished: a program that ignores these variables "
        "reaches the real TikTok."
    )
    assert re.search(r"its own page is http://127\.0\.0\.1:\d+/$", address)


def test_a_system_without_namespaces_gets_the_proxy(process: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no namespaces, the proxy takes their place and the reason is told, unless the caller forbade it."""
    monkeypatch.setattr("platform.system", lambda: "Elsewhere")
    monkeypatch.setattr("tiktok_adapters.sandboxed.run.sys", _Elsewhere())
    ran = process("true")
    assert ran.outcome.status == 0
    assert "because Elsewhere has no network namespaces: a program" in ran.said[0]
    with pytest.raises(Forbidden, match="Elsewhere has no network namespaces"):
        process("true", by_proxy=False)


class _Elsewhere:
    platform = "elsewhere"


def test_plain_http_and_other_ports_are_refused_by_the_proxy(process: Run) -> None:
    """The proxy opens tunnels to TikTok's port for https only, says why, and lists what it refused."""
    need("curl")
    script = """
        curl -sS -x "$HTTPS_PROXY" --noproxy '' http://plain.example/page
        curl -sS -x "$HTTPS_PROXY" -p http://open.tiktokapis.com:80/ 2>/dev/null || echo refused
        curl -sS https://open.tiktokapis.com:8443/ 2>/dev/null || echo refused
    """
    ran = process("sh", "-c", script, by_proxy=True)
    assert ran.out.splitlines() == [
        "tiktok sandbox run answers for TikTok's names only, over https, and lets nothing else out.",
        "refused",
        "refused",
    ]
    assert ran.outcome.asked == ["plain.example", "open.tiktokapis.com"]


# --- The end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
)
def test_the_status_is_handed_on(either: Run, script: str, status: int) -> None:
    """The exit status is the command's own, and 128 and the number for a signal."""
    assert either("sh", "-c", script).outcome.status == status


def test_a_command_that_cannot_be_run_is_told_apart(either: Run, tmp_path: Path) -> None:
    """A shell's own numbers say whether the command is missing, or cannot be executed."""
    text = tmp_path / "text"
    text.write_text("no program")
    missing, forbidden = either("no-such-program-here"), either(str(text))
    assert (missing.outcome.status, missing.outcome.problem) == (127, "no such file or directory")
    assert (forbidden.outcome.status, forbidden.outcome.problem) == (126, "permission denied")


def test_signals_are_as_the_caller_had_them(either: Run) -> None:
    """A program may end by a closed pipe as ever, although Python ignores that signal."""
    ran = either(PYTHON, "-c", "import signal; print(open('/proc/self/status').read())")
    (ignored,) = re.findall(r"SigIgn:\s+(\w+)", either("grep", "SigIgn", "/proc/self/status").out)
    assert "SigIgn" in ran.out
    assert not int(ignored, 16) >> (signal.SIGPIPE - 1) & 1
    assert not int(ignored, 16) >> (signal.SIGTERM - 1) & 1


def test_a_signal_goes_to_the_command(either: Run, tmp_path: Path) -> None:
    """While the command runs, a signal for this process is the command's; afterwards it is this process's again."""
    ready = tmp_path / "ready"

    def send() -> None:
        pause = threading.Event()
        while not ready.exists():
            pause.wait(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.getsignal(signal.SIGUSR1)
    thread = threading.Thread(target=send)
    thread.start()
    ran = either("sh", "-c", f"trap 'echo got; exit 4' USR1; : > {ready}; while :; do sleep 0.05; done")
    thread.join()
    assert (ran.outcome.status, ran.out) == (4, "got\n")
    assert signal.getsignal(signal.SIGUSR1) is before


def test_an_ignored_signal_stays_ignored(either: Run, tmp_path: Path) -> None:
    """What the caller ignores, as `nohup` does, reaches neither this process nor the command."""
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        script = f"kill -USR2 {os.getpid()}; kill -USR2 $$; echo unharmed"
        assert either("sh", "-c", script).out == "unharmed\n"
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_what_the_command_left_running_ends_with_it(either: Run, tmp_path: Path) -> None:
    """A process that the command left in the background is gone before the run is over, even one that ignores SIGTERM."""
    kept = tmp_path / "pids"
    script = f"(trap '' TERM; echo $$ > /dev/null; sh -c 'echo $PPID >> {kept}; exec sleep 300') & sleep 300 & echo $! >> {kept}; sleep 0.3"
    assert either("sh", "-c", script).outcome.status == 0
    pids = [int(line) for line in kept.read_text().split()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
