"""`tiktok sandbox run` as a process: what a person reads, how signals travel, and what is left after any end."""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import define
from click.testing import CliRunner

from tiktok_adapters.cli.app import tiktok
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, SimulatedTikTok
from worlds import need_namespaces

PROGRAM = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()", "sandbox")
Start = Callable[..., "subprocess.Popen[str]"]
pytestmark = pytest.mark.full  # real programs, each in a world of its own; `tests/sandboxed` has the quick ones
BOTH = pytest.mark.parametrize("way", ["--no-proxy", "--proxy"])


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Start]:
    """Start `tiktok sandbox` in a session of its own; what still runs at the end is killed by its id."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str, through: Sequence[str] = (), temporary: str | None = None, **ways: Any
    ) -> "subprocess.Popen[str]":
        if "--no-proxy" in arguments:
            need_namespaces()
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environ = {**os.environ, "TMPDIR": str(tmp_path) if temporary is None else temporary}
        running = subprocess.Popen(
            [*through, *PROGRAM, *arguments], text=True, env=environ, **{**pipes, "start_new_session": True, **ways}
        )
        started.append(running)
        return running

    yield start
    for running in started:
        if running.poll() is None:
            running.kill()
        running.communicate()


@define
class Called:
    """How `tiktok sandbox` ended in this process, what the program printed, and the lines for the person."""

    status: int
    out: str
    err: list[str]


Call = Callable[..., Called]


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """Run `tiktok sandbox` in this process; the program is one of its own."""

    def called(*arguments: str) -> Called:
        if "--no-proxy" in arguments:
            need_namespaces()
        capfd.readouterr()
        result = CliRunner().invoke(tiktok, ["sandbox", *arguments])
        return Called(result.exit_code, result.stdout + capfd.readouterr().out, result.stderr.splitlines())

    return called


def appears(path: Path) -> str:
    """Wait for a file with a whole line, and return the line."""
    for _ in range(1200):
        with suppress(FileNotFoundError):
            if (text := path.read_text()).endswith("\n"):
                return text.strip()
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def gone(pid: int) -> bool:
    """Wait until a process is gone."""
    for _ in range(400):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


# --- What a person reads ---------------------------------------------------------------------------------------------


JOB = """
import sys, threading, urllib.request
from tiktok_adapters import connect
from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.loopback import LoopbackListener
from tiktok_adapters.sources import BytesSource
with connect(home=sys.argv[1]) as tiktok, LoopbackListener(tiktok.app.redirect_uri) as listener:
    authorization, answers = tiktok.authorization(redirect_uri=listener.redirect_uri), Answers()
    listener.start(accepts_state(authorization), answers)
    threading.Thread(target=lambda: urllib.request.urlopen(authorization.url, timeout=20).close()).start()
    account = tiktok.sign_in(authorization, answers.wait(20))
    done = account.post_video(BytesSource(bytes.fromhex("0000001866747970") + b"isom"), privacy_level="SELF_ONLY")
    print(authorization.url.partition("?")[0], tiktok.app.client_key, done.status)
"""


@BOTH
def test_this_packages_own_client_posts(call: Call, tmp_path: Path, way: str) -> None:
    """`connect()` needs no settings: its sign-in, with a browser that follows redirects, and its post end well.

    In a namespace it uses TikTok's own addresses. Behind the proxy it gets the sandbox's, which are on this machine.
    """
    done = call("run", way, "--consent", "--", sys.executable, "-c", JOB, str(tmp_path / "home"))
    assert done.status == 0
    address, key, status = done.out.split()
    assert (key, status) == (DEFAULT_CLIENT_KEY, "PUBLISH_COMPLETE")
    assert address.startswith("https://www.tiktok.com" if way == "--no-proxy" else "http://127.0.0.1:")


@BOTH
def test_the_person_reads_first_what_answers_and_last_what_did_not(process: Start, way: str) -> None:
    """The sentences are on standard error, which the program shares; standard output is the program's alone."""
    script = "echo out; echo own >&2; curl -s https://elsewhere.example; curl -s https://more.example; exit 3"
    running = process("run", way, "--", "sh", "-c", script)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (3, "out\n")
    *limit, answers, consent, own, last = err.splitlines()
    assert answers.startswith(
        "A simulated TikTok answers for www.tiktok.com and *.tiktokapis.com; its own page is http://"
    )
    assert consent.startswith("To consent, open the address of the program's authorization page with http://127.0.0.1:")
    assert own == "own"
    assert last == "The program also asked for these names, and got no answer: elsewhere.example, more.example"
    assert len(limit) == (way == "--proxy")


def test_options_of_the_group_apply(call: Call) -> None:
    """A fault of the group's meets the program; the port is that of the sandbox's page."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    group = ("--port", str(port), "--fault", "user_info=code:internal_error")
    done = call(
        *group,
        "run",
        "--proxy",
        "--consent",
        "maker_one",
        "--",
        "curl",
        "-sS",
        "https://open.tiktokapis.com/v2/user/info/",
    )
    assert (done.status, "internal_error" in done.out) == (0, True)
    assert done.err[1:] == [
        f"A simulated TikTok answers for www.tiktok.com and *.tiktokapis.com; its own page is http://127.0.0.1:{port}/"
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["run"], 2, "Which program? Its name stands behind two hyphens: tiktok sandbox run -- python app.py"),
        (
            ["run", "--fault", "x", "--", "true"],
            2,
            "--fault stands before 'run': tiktok sandbox --fault ... run -- COMMAND",
        ),
        (["run", "--colour", "--", "true"], 2, "--colour"),
        (["run", "--reach", "0", "--", "true"], 2, "--reach"),
        (["--fault", "nonsense", "run", "--", "true"], 2, "--fault"),
        (["run", "--consent", "python", "app.py"], 2, "there is no account 'python', only maker_one"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(
    call: Call, arguments: list[str], status: int, sentence: str
) -> None:
    """One sentence says what is wrong; nothing is started."""
    done = call(*arguments)
    assert (done.status, done.out, len(done.err)) == (status, "", 1)
    assert sentence in done.err[0]


def test_json_does_not_go_with_run(call: Call) -> None:
    """Standard output is the program's: a document of ours has no place there, but for this refusal."""
    done = call("--json", "run", "--", "true")
    assert (done.status, json.loads(done.out)["error"]["type"]) == (2, "UsageError")
    assert "--json does not go with 'run': standard output belongs to the program." in done.err[0]


def test_a_taken_port_is_told(call: Call) -> None:
    """The port of the page may be in use; the program then does not run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = call("--port", port, "run", "--proxy", "--", "echo", "ran")
    assert (done.status, done.out, len(done.err)) == (1, "", 1)
    assert "address already in use" in done.err[0]


def test_consent_is_for_one_run(call: Call, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """A state that goes on from run to run does not keep `--consent`: the next program meets the page."""
    asked = {
        "client_key": sim.app.client_key,
        "scope": "user.info.basic",
        "response_type": "code",
        "redirect_uri": "https://app.example.com/callback/",
        "state": "s",
    }
    page = f"https://www.tiktok.com/v2/auth/authorize/?{urlencode(asked)}"
    program = ("--", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", page)
    state = ("--state", str(tmp_path / "state"))
    assert call(*state, "run", "--proxy", "--consent", *program).out == "302"
    assert call(*state, "run", "--proxy", *program).out == "200"


def test_a_long_list_of_names_is_cut(call: Call) -> None:
    """A person reads the first names, and how many more there are."""
    script = "for n in $(seq 25); do curl -s https://n$n.example; done; exit 0"
    done = call("run", "--proxy", "--", "sh", "-c", script)
    assert done.err[-1].endswith(" n19.example, n20.example, and 5 more")


def test_who_insists_on_a_namespace_gets_one_or_a_reason(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without namespaces, `--no-proxy` refuses to run the program."""

    class Elsewhere:
        platform = "elsewhere"

    monkeypatch.setattr("tiktok_adapters.sandboxed.run.sys", Elsewhere())
    done = call("run", "--no-proxy", "--", "echo", "ran")
    assert (done.status, done.out, len(done.err)) == (1, "", 1)
    assert done.err[0].startswith("tiktok: The program cannot have a network of its own: ")


@BOTH
def test_what_cannot_be_run_is_one_more_sentence(call: Call, way: str) -> None:
    """A missing program has a shell's status, and a sentence that names it."""
    done = call("run", way, "--consent", "--", "no-such-program-here")
    assert (done.status, done.out) == (127, "")
    assert done.err[-1] == "tiktok: no-such-program-here cannot be run: no such file or directory"


def test_a_program_with_authorities_of_its_own_is_told_of(call: Call) -> None:
    """Who sees a refused certificate learns at the end why that may be, and which other names got no answer."""
    program = (
        "import certifi, contextlib, ssl, httpx\n"
        "with contextlib.suppress(httpx.HTTPError): httpx.get('https://elsewhere.example')\n"
        "httpx.get('https://open.tiktokapis.com', verify=ssl.create_default_context(cafile=certifi.where()))"
    )
    done = call("run", "--proxy", "--", sys.executable, "-c", program)
    assert done.status == 1
    assert done.err[-2:] == [
        "The program also asked for these names, and got no answer: elsewhere.example",
        "The program gave up a TLS connection to the sandbox: perhaps it trusts none of the certificates of its variables.",
    ]


POOR = {
    "root without its powers": ["setpriv", "--bounding-set=-sys_admin"],
    "another user": [
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        # To read a Python that belongs to root; it is of no use to the program.
        *("--inh-caps=-all,+dac_read_search,+dac_override", "--ambient-caps=-all,+dac_read_search,+dac_override"),
    ],
}


@pytest.mark.parametrize("who", list(POOR))
def test_who_has_no_rights_gets_a_user_namespace(process: Start, who: str) -> None:
    """Without the right to make namespaces, a namespace of users gives it; the program keeps its user and gets no rights."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can play others, with setpriv")
    script = "id -u; grep CapEff /proc/self/status; env -i curl -sS -o /dev/null -w '%{http_code}\n' https://open.tiktokapis.com/"
    running = process(
        "run", "--no-proxy", "--consent", "--", "sh", "-c", script, through=POOR[who], temporary=tempfile.gettempdir()
    )
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    user, rights, answer = out.splitlines()
    assert (user, answer) == ("0" if who.startswith("root") else "65534", "404")
    held = int(rights.split()[1], 16)
    assert held == 0 if who == "another user" else not held >> 21 & 1


def test_where_the_system_forbids_namespaces_the_proxy_takes_over(process: Start) -> None:
    """The sentence says why there is no namespace; who insists on one gets that reason instead of a run."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can forbid it, with setpriv")
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-sys_admin "$@"'
    through = ["unshare", "-U", "-r", "sh", "-c", forbid, "sh"]
    script = "curl -sS -o /dev/null -w '%{http_code}\n' https://open.tiktokapis.com/"
    running = process("run", "--consent", "--", "sh", "-c", script, through=through)
    out, err = running.communicate(timeout=60)
    if "unshare: unshare failed" in err:
        pytest.skip("this system allows no user namespaces at all")
    assert (running.returncode, out) == (0, "404\n")
    assert "because this system allows no network namespace (unshare: No space left on device): a program that" in err
    running = process("run", "--no-proxy", "--", "echo", "ran", through=through)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (1, "")
    assert err == (
        "tiktok: The program cannot have a network of its own: this system allows no network namespace (unshare: No space "
        "left on device).\n"
    )


# --- Signals and ends ------------------------------------------------------------------------------------------------


TRAPS = "trap 'echo got {name}; exit 9' {name}; echo ready > {ready}; while :; do sleep 0.05; done"


@BOTH
@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1"])
def test_a_signal_goes_to_the_program(process: Start, tmp_path: Path, way: str, name: str) -> None:
    """What reaches `tiktok` is meant for the program, which decides what it does."""
    if signal.getsignal(getattr(signal, f"SIG{name}")) is signal.SIG_IGN:
        pytest.skip(f"SIG{name} is ignored here, as by nohup, and a shell cannot trap what it ignores from its start")
    running = process("run", way, "--", "sh", "-c", TRAPS.format(name=name, ready=tmp_path / "ready"))
    appears(tmp_path / "ready")
    running.send_signal(getattr(signal, f"SIG{name}"))
    out, _err = running.communicate(timeout=60)
    assert (running.returncode, out) == (9, f"got {name}\n")


@BOTH
def test_ctrl_c_on_a_terminal_reaches_the_program_once(process: Start, tmp_path: Path, way: str) -> None:
    """The terminal tells both processes; the program must not get a second signal, which may mean more to it."""
    counting = """
import signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
open(sys.argv[1], "w").write("ready\\n")
while not seen: time.sleep(0.05)
time.sleep(1)
print("times", len(seen))
"""
    main, terminal = pty.openpty()
    try:
        ways: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
        running = process(
            *("run", way, "--", sys.executable, "-c", counting, str(tmp_path / "ready")),
            **ways,
            start_new_session=False,
            preexec_fn=lambda: os.login_tty(0),
        )
        os.close(terminal)
        appears(tmp_path / "ready")
        os.write(main, b"\x03")
        said = b""
        with suppress(OSError):  # the terminal is gone with its last process
            while block := os.read(main, 4096):
                said += block
        assert running.wait(60) == 0
        assert b"times 1\r\n" in said
    finally:
        os.close(main)


FAMILY = "echo $$ > {pids}.new; sleep 300 & echo $! >> {pids}.new; (trap '' HUP TERM; exec sleep 300) & echo $! >> {pids}.new; mv {pids}.new {pids}; wait"


@BOTH
def test_nothing_is_left_when_tiktok_is_killed(process: Start, tmp_path: Path, way: str) -> None:
    """Even kill -9 takes along the program, all its descendants, and the files: the warden sees to it."""
    pids = tmp_path / "pids"
    running = process("run", way, "--", "sh", "-c", FAMILY.format(pids=pids))
    appears(pids)
    family = [int(line) for line in pids.read_text().split()]
    assert len(family) == 3
    assert list(tmp_path.glob("tiktok-sandbox-*"))
    running.kill()
    running.communicate(timeout=60)
    assert all(gone(pid) for pid in family)
    for _ in range(200):
        if not list(tmp_path.glob("tiktok-sandbox-*")):
            break
        time.sleep(0.05)
    assert list(tmp_path.glob("tiktok-sandbox-*")) == []


@BOTH
def test_the_program_ends_with_its_warden(process: Start, tmp_path: Path, way: str) -> None:
    """Who kills the warden kills the program, too; `tiktok` says so by its status, and leaves no file."""
    ready = tmp_path / "ready"
    running = process("run", way, "--", "sh", "-c", f"echo $$ $PPID > {ready}; exec sleep 300")
    program, warden = map(int, appears(ready).split())
    os.kill(warden, signal.SIGKILL)
    running.communicate(timeout=60)
    assert running.returncode == 137
    assert gone(program)
    assert [path.name for path in tmp_path.glob("tiktok-sandbox-*")] == []


@BOTH
def test_descriptors_of_the_caller_reach_the_program_and_ours_do_not(process: Start, way: str) -> None:
    """A descriptor that the caller handed on, as `<(...)` does, is open in the program; none of this package's is."""
    reads, writes = os.pipe()
    try:
        script = f"import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{{n}}'))); print(os.fstat({reads}).st_ino)"
        os.set_inheritable(reads, True)
        running = process("run", way, "--", sys.executable, "-c", script, close_fds=False)
        out, err = running.communicate(timeout=60)
        numbers, inode = out.splitlines()
        assert numbers == str([0, 1, 2, reads]), err
        assert int(inode) == os.fstat(reads).st_ino
    finally:
        os.close(reads)
        os.close(writes)


def test_a_port_that_is_taken_cannot_be_exposed(process: Start) -> None:
    """The sentence names the port, and the program does not begin."""
    need_namespaces()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        running = process("run", "--no-proxy", "--expose", str(port), "--", "echo", "begun")
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (1, "")
    assert f"port {port} of this machine, which is to lead to the program, is taken" in err
