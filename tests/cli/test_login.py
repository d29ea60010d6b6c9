"""`tiktok login` as a person meets it: as a process, with a page, a listener, a pasted answer and a QR code."""

import http.client
import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import segno
from attrs import define, field

from tiktok_adapters import connect
from tiktok_adapters.cli.person import consent
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.sign_in import Answers, pasted
from tiktok_adapters.simulator import Creator, SimulatedTikTok, callback_values

Start = Callable[..., "subprocess.Popen[str]"]
Hides = Callable[[str], str]


def _page(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().rstrip("\n")


def _get(url: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        return connection.getresponse().status
    finally:
        connection.close()


def _redirect(page: str) -> str:
    return parse_qs(urlsplit(page).query)["redirect_uri"][0]


def test_login_goes_from_end_to_end(process: Start, sim: SimulatedTikTok, hides: Hides, tmp_path: Path) -> None:
    """The URL stands alone on a line; forged answers get 400 and the login goes on; the person's answer ends it."""
    running = process("login", "--no-browser")
    assert running.stdin is not None
    running.stdin.close()  # The end of the input does not end the wait.
    running.stdin = None
    page = _page(running)
    assert page.startswith("http://127.0.0.1:")
    redirect = _redirect(page)
    assert _get(f"{redirect}?code=forged&state=wrong") == 400
    assert _get(f"{redirect}?error=access_denied") == 400
    assert consent(page) == 200
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "Signed in as Maker One" in hides(stdout)
    hides(stderr)
    assert parse_qs(urlsplit(page).query)["scope"] == ["user.info.basic,video.upload,video.publish"]
    assert sim.count("token") == 1
    home = tmp_path / "home"
    assert home.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in home.iterdir())


def test_with_json_the_document_is_an_account(process: Start, sim: SimulatedTikTok, hides: Hides) -> None:
    """With --json the URL is on standard error, alone on its line, and standard output is the document."""
    running = process("login", "--no-browser", "--json", "--scope", "user.info.basic", "--scope", "video.upload")
    assert running.stderr is not None
    page = next(line.strip() for line in running.stderr if line.startswith("http"))
    assert consent(page) == 200
    stdout, _stderr = running.communicate(timeout=30)
    document = json.loads(hides(stdout))
    assert list(document) == ["open_id", "scope", "expires_at", "refresh_expires_at"]
    assert document["scope"] == "user.info.basic,video.upload"
    assert document["open_id"] == sim.creator.open_id


def test_an_answer_can_be_pasted(process: Start, sim: SimulatedTikTok, hides: Hides) -> None:
    """With --no-browser the callback's address may be pasted; another line does not end the wait."""
    running = process("login", "--no-browser")
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"what?\n{callback}x\n{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert stderr.count("not the answer") == 2
    assert "Signed in as" in hides(stdout)
    hides(stderr)


def test_the_browser_is_opened(process: Start, tmp_path: Path) -> None:
    """Without --no-browser the person's browser gets the page, and nothing has to be typed."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import sys\nfrom tiktok_adapters.cli.person import consent\nconsent(sys.argv[1])\nprint('noise')\n"
    )
    running = process("login", env={"BROWSER": f"{sys.executable} {script} %s"})
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "noise" not in stdout + stderr


def test_denied_consent_is_refused(process: Start, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """4: the person said no, nothing is kept."""
    running = process("login", "--no-browser", "--json")
    assert running.stderr is not None
    page = next(line.strip() for line in running.stderr if line.startswith("http"))
    assert _get(sim.authorize(page, allow=False)) == 200
    stdout, _stderr = running.communicate(timeout=30)
    error = json.loads(stdout)["error"]
    assert (running.returncode, error["type"], error["code"]) == (4, "AccessDenied", "access_denied")
    with connect(environ=environ) as client:
        assert client.accounts() == ()


def test_scopes_that_were_unticked_are_named(process: Start, sim: SimulatedTikTok) -> None:
    """Fewer scopes than wanted is a success with a warning."""
    running = process("login", "--no-browser")
    assert _get(sim.authorize(_page(running), scopes=["user.info.basic"])) == 200
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Not granted, though it was asked for: video.upload, video.publish" in stderr
    assert "Granted: user.info.basic" in stdout


def test_ctrl_c_ends_the_wait(process: Start, environ: dict[str, str]) -> None:
    """130: interrupted, without a traceback, and nobody is signed in."""
    running = process("login", "--no-browser")
    _page(running)
    running.send_signal(signal.SIGINT)
    _stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stderr.splitlines()[-1] == "tiktok: interrupted"
    assert "Traceback" not in stderr
    with connect(environ=environ) as client:
        assert client.accounts() == ()


@pytest.mark.parametrize("redirect", ["https://app.example.com/callback/", "https://127.0.0.1:3455/callback/"])
def test_a_redirect_elsewhere_is_pasted(redirect: str, process: Start, sim: SimulatedTikTok) -> None:
    """Where nobody can listen, a sentence says so, and the answer is pasted."""
    sim.app.redirect_uris = (redirect,)
    running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert f"has to be pasted here, because {redirect}" in stderr
    assert "Signed in as" in stdout


def test_a_taken_port_leaves_pasting(process: Start, sim: SimulatedTikTok) -> None:
    """A port that another program holds is named, and the answer can be pasted."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        redirect = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
        stdout, stderr = running.communicate(f"{sim.authorize(_page(running))}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert "cannot be listened on (address already in use)" in stderr
    assert "Signed in as" in stdout


def test_no_answer_can_come_after_the_end_of_the_only_input(process: Start) -> None:
    """Where pasting is the only way, the end of the input ends the wait with status 4."""
    running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": "https://app.example.com/callback/"})
    _stdout, stderr = running.communicate("", timeout=30)
    assert running.returncode == 4
    assert "the input ended" in stderr


@pytest.mark.parametrize("place", ["a file", "a folder for everybody"])
def test_tokens_that_cannot_be_kept_are_found_out_before_anybody_is_asked(cli: Any, tmp_path: Path, place: str) -> None:
    """A home folder that cannot hold tokens ends the login before the page is printed: no grant is left over."""
    home = tmp_path / "odd"
    if place == "a file":
        home.touch()
    else:
        home.mkdir()
        home.chmod(0o777)
    result = cli("login", "--no-browser", "--home", str(home))
    assert result.exit_code == 1
    assert "http" not in result.stdout
    assert len(result.stderr.splitlines()) == 1


# --- A code alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [str, lambda code: quote(code, safe="")])
def test_a_code_alone_can_be_pasted(
    spelled: Callable[[str], str], process: Start, sim: SimulatedTikTok, hides: Hides
) -> None:
    """The code will do, plain or as an address spells it, and it is said what that is worth; a word is not a code."""
    running = process("login", "--no-browser")
    code = callback_values(sim.authorize(_page(running)))["code"]
    stdout, stderr = running.communicate(f"what?\n{spelled(code)}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert stderr.count("not the answer") == 1
    assert "only PKCE" in stderr
    assert "Signed in as Maker One" in hides(stdout)
    hides(stderr)


def test_a_code_of_another_sign_in_is_refused(process: Start, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """What somebody else was given signs nobody in: TikTok finds that the verifier does not fit."""
    with connect(environ=environ) as client:
        other = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
    running = process("login", "--no-browser")
    _page(running)
    _stdout, stderr = running.communicate(callback_values(sim.authorize(other.url))["code"] + "\n", timeout=30)
    assert running.returncode == 4
    assert "Sign-in failed" in stderr
    with connect(environ=environ) as client:
        assert client.accounts() == ()


@define
class Person:
    """Somebody at the browser of a command that runs in this process, and at its terminal.

    Attributes:
        pages: what the browser was sent to.
    """

    sim: SimulatedTikTok
    monkeypatch: pytest.MonkeyPatch
    pages: list[str] = field(factory=list)

    def agrees(self, **choices: Any) -> None:
        """Decide on the page as soon as it opens, and follow where it leads."""

        def open_browser(page: str) -> bool:
            self.pages.append(page)
            return _get(self.sim.authorize(page, **choices)) == 200

        self.monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", open_browser)

    def pastes(self, *lines: Callable[[str], str]) -> None:
        """Agree, and paste lines that are made of where the browser was sent to."""
        self.monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", self.pages.append)

        def read_pasted(answers: Answers, accepts: Any, **options: Any) -> None:
            callback = self.sim.authorize(self.pages[-1])
            text = "".join(f"{line(callback)}\n" for line in lines)
            self.monkeypatch.setattr(sys, "stdin", io.StringIO(text))
            pasted.read_pasted(answers, accepts, **options)

        self.monkeypatch.setattr("tiktok_adapters.cli.login.read_pasted", read_pasted)


@pytest.fixture
def person(sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody who signs in."""
    return Person(sim, monkeypatch)


def _code(callback: str) -> str:
    return callback_values(callback)["code"]


WEB = {"TIKTOK_REDIRECT_URI": "https://app.example.com/callback/"}


@pytest.mark.parametrize(("redirect", "warned"), [(WEB["TIKTOK_REDIRECT_URI"], True), ("taken", False)])
def test_a_web_apps_code_is_taken_with_a_warning(redirect: str, warned: bool, cli: Any, person: Person) -> None:
    """TikTok documents the check of PKCE for desktop apps alone, so for a web app the whole address is recommended."""
    person.pastes(_code)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        result = cli("login", env={"TIKTOK_REDIRECT_URI": taken if redirect == "taken" else redirect})
    assert result.exit_code == 0, result.stderr
    assert "only PKCE" in result.stderr
    assert ("the whole address is the safer answer" in result.stderr) == warned


def test_without_a_challenge_a_code_alone_is_no_answer(cli: Any, person: Person) -> None:
    """Where nothing ties a code to this sign-in, the whole address is asked for, and taken."""
    person.pastes(_code, str)
    result = cli("login", "--challenge", "none", env=WEB)
    assert "code_challenge" not in person.pages[0]
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("not the answer") == 1
    assert "or the code" not in result.stderr


def test_the_challenge_can_be_chosen(cli: Any, person: Person) -> None:
    """An app of which TikTok wants the RFC's spelling can have it."""
    person.sim.switches.pkce = "base64url"
    person.agrees()
    result = cli("login", "--challenge", "base64url")
    assert result.exit_code == 0, result.stderr


# --- Which account ----------------------------------------------------------------------------------------------------


@pytest.fixture
def second(sim: SimulatedTikTok) -> str:
    """Another account that may sign in."""
    sim.creators.append(Creator(open_id="-000Second", username="maker_two", nickname="Maker Two"))
    return "-000Second"


def test_another_account_than_the_one_wanted_is_told(cli: Any, person: Person, signed_in: str, second: str) -> None:
    """Whoever signs in is kept, and it is said that it is somebody else, new here, and how to choose."""
    person.agrees(account="maker_two")
    result = cli("login", "--account", signed_in)
    assert result.exit_code == 0, result.stderr
    assert f"Signed in as Maker Two ({second})" in result.stdout
    assert f"{second} has signed in, and not {signed_in}, which was wanted" in result.stderr
    assert "tiktok login --switch" in result.stderr
    assert f"This account is new here, beside {signed_in}" in result.stderr


def test_the_same_account_again_is_nothing_to_tell(cli: Any, person: Person, signed_in: str) -> None:
    """Signing in anew says nothing about other accounts."""
    person.agrees()
    result = cli("login", "--account", signed_in)
    assert "wanted" not in result.stderr
    assert "new here" not in result.stderr


def test_a_switch_of_accounts_asks_for_the_page(cli: Any, person: Person, signed_in: str, second: str) -> None:
    """With --switch TikTok shows its page, where it would otherwise take the session it knows."""
    person.sim.switches.auto_auth = True
    person.agrees(account="maker_two")
    assert signed_in in cli("login").stdout
    assert second in cli("login", "--switch").stdout
    assert "disable_auto_auth" not in person.pages[0]
    assert parse_qs(urlsplit(person.pages[1]).query)["disable_auto_auth"] == ["1"]


def test_an_account_without_a_profile_has_its_id_for_a_name(cli: Any, person: Person) -> None:
    """The name is a courtesy: where it is not granted, or cannot be had, the sign-in is complete all the same."""
    person.agrees(scopes=["video.upload"])
    result = cli("login")
    assert f"Signed in as {person.sim.creator.open_id}." in result.stdout
    assert "Not granted, though it was asked for: user.info.basic, video.publish" in result.stderr
    person.agrees()
    person.sim.faults.add("user_infox9=code:internal_error")
    assert f"Signed in as {person.sim.creator.open_id}." in cli("login").stdout


# --- The end of the wait ----------------------------------------------------------------------------------------------


def test_five_minutes_are_waited_and_no_longer(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that the login ends with status 4, and nobody listens any more."""
    wait, usual, waited = Answers.wait, Answers.wait.__defaults__ or (), []

    def wait_less(answers: Answers, *seconds: float) -> str:
        waited.extend(seconds or usual)
        return wait(answers, 0.05)

    monkeypatch.setattr(Answers, "wait", wait_less)
    result = cli("login", "--no-browser")
    assert waited == [300.0]
    assert result.exit_code == 4
    assert "no answer came" in result.stderr
    page = next(line for line in result.stdout.splitlines() if line.startswith("http"))
    with pytest.raises(ConnectionRefusedError):
        _get(_redirect(page))


# --- By QR code -------------------------------------------------------------------------------------------------------


def _said(output: str) -> str:
    return next(line for line in output.splitlines() if line.startswith("aweme://"))


def test_a_phone_can_sign_in(process: Start, sim: SimulatedTikTok, hides: Hides) -> None:
    """The QR code is drawn, what it says stands below it alone on its line, and the phone's answer ends the wait."""
    running = process("login", "--qr", "--scope", "user.info.basic", env={"PYTHONIOENCODING": "utf-8"})
    assert running.stdout is not None
    drawn = []
    while not (line := running.stdout.readline()).startswith("aweme://"):
        drawn.append(line.rstrip("\n"))
    assert len(drawn) > 15
    assert set("".join(drawn)) <= set(" \u2580\u2584\u2588")
    sim.scan(line.strip(), allow=None)
    sim.scan(line.strip())
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "Signed in as Maker One" in hides(stdout)
    hides(stderr)
    assert sim.count("authorize") == 0


class Phone:
    """Scans what the command draws, while the command sleeps: its clock is the phone's cue."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *acts: Callable[[str], None]) -> None:
        self.seen: list[str] = []
        self.acts = list(acts)
        make = segno.make

        def make_and_see(text: str, **options: Any) -> Any:
            self.seen.append(text)
            return make(text, **options)

        monkeypatch.setattr(segno, "make", make_and_see)
        monkeypatch.setattr(SystemClock, "sleep", self._sleep)

    def _sleep(self, _seconds: float) -> None:
        if self.acts:
            self.acts.pop(0)(self.seen[-1])


def test_with_json_the_qr_code_is_on_standard_error(
    cli: Any, sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output is the document alone; what is drawn is what the line below it says."""
    phone = Phone(monkeypatch, sim.scan)
    result = cli("login", "--qr", "--json")
    assert json.loads(result.stdout)["open_id"] == sim.creator.open_id
    assert phone.seen == [_said(result.stderr)]


def test_each_step_at_the_phone_is_told(cli: Any, sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scanned, ended and drawn anew, agreed to."""
    phone = Phone(
        monkeypatch,
        lambda url: sim.scan(url, allow=None),
        lambda url: sim.scan(url, allow=False),
        lambda _url: None,
        sim.scan,
    )
    result = cli("login", "--qr")
    assert result.exit_code == 0, result.stderr
    assert "It was scanned. Agree on the phone." in result.stderr
    assert "has ended; here is another one" in result.stderr
    assert len(phone.seen) == 2


@pytest.mark.parametrize("option", [("--switch",), ("--no-browser",), ("--challenge", "hex")])
def test_options_of_a_page_mean_nothing_to_a_qr_code(option: tuple[str, ...], cli: Any) -> None:
    """They are refused before anything is asked."""
    result = cli("login", "--qr", *option)
    assert result.exit_code == 2
    assert "opens no page" in result.stderr


def test_without_the_library_it_is_said_what_to_install(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence names the extra."""
    monkeypatch.setitem(sys.modules, "segno", None)
    monkeypatch.delitem(sys.modules, "tiktok_adapters.sign_in.qr", raising=False)
    result = cli("login", "--qr")
    assert result.exit_code == 1
    assert "tiktok-open[cli]" in result.stderr


def test_a_narrow_terminal_is_told_of(environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """A QR code that will be wrapped cannot be read, and it is said how wide the terminal would have to be."""
    leader, follower = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", "from tiktok_adapters.cli import main; main()", "login", "--qr"],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ, "COLUMNS": "40", "PYTHONIOENCODING": "utf-8"},
    )
    os.close(follower)
    try:
        shown = ""
        while "aweme://" not in shown or not shown.endswith("\n"):
            shown += os.read(leader, 65536).decode("utf-8", "replace")
        sim.scan(_said(shown))
        with suppress(OSError):  # The end of a terminal.
            while os.read(leader, 65536):
                pass
        _stdout, stderr = running.communicate(timeout=30)
    finally:
        running.kill()
        running.communicate()
        os.close(leader)
    assert running.returncode == 0
    assert "has 40 columns and the QR code needs" in stderr
