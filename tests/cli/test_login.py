"""`tiktok login` as a person uses it: a process, a page, a listener, a pasted answer and a QR code."""

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
    """The URL has its own line; forged answers get 400 and the login keeps waiting; the person's answer ends it."""
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
    """With --no-browser the person may paste the callback's address; another line does not end the wait."""
    running = process("login", "--no-browser")
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"what?\n{callback}x\n{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert stderr.count("not the answer") == 2
    assert "Signed in as" in hides(stdout)
    hides(stderr)


def test_the_pasted_address_of_tiktoks_error_page_ends_the_login_with_what_to_correct(
    process: Start, hides: Hides
) -> None:
    """Beside the URL stands what to do about such a page; its address, pasted, says at once what is wrong."""
    running = process("login", "--no-browser", "--json")
    assert running.stderr is not None
    page = next(line.strip() for line in running.stderr if line.startswith("http"))
    hint = next(line for line in running.stderr if "explain" in line)
    assert all(word in hint for word in ("client_key", "redirect_uri", "scope", "code_challenge"))
    stdout, stderr = running.communicate(f"{page}&error=unauthorized_client&error_type=client_key\n", timeout=30)
    error = json.loads(hides(stdout))["error"]
    assert (running.returncode, error["type"], error["code"]) == (4, "SignInFailed", "unauthorized_client")
    assert "the key and secret of its sandbox" in error["explanation"]["advice"]
    assert "client_key" in stderr


def test_the_wait_for_a_person_can_be_chosen(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer the login ends after `--wait-for`, and says to look up what the page shows."""
    monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", lambda _: True)
    result = cli("login", "--wait-for", "1")
    assert result.exit_code == 4
    assert "no answer came from TikTok's page within 1 seconds" in result.stderr
    assert "client_key, redirect_uri, scope or code_challenge" in result.stderr


def test_the_browser_is_opened(process: Start, tmp_path: Path) -> None:
    """Without --no-browser the command opens the person's browser, and the person types nothing."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import sys\nfrom tiktok_adapters.cli.person import consent\nconsent(sys.argv[1])\nprint('noise')\n"
    )
    running = process("login", env={"BROWSER": f"{sys.executable} {script} %s"})
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "noise" not in stdout + stderr


def test_denied_consent_is_refused(process: Start, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """If the person denies, the exit status is 4, and no tokens are kept."""
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
    """A sign-in with fewer scopes than requested succeeds with a warning."""
    running = process("login", "--no-browser")
    assert _get(sim.authorize(_page(running), scopes=["user.info.basic"])) == 200
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "You did not grant: video.upload, video.publish" in stderr
    assert "Granted: user.info.basic" in stdout


def test_ctrl_c_ends_the_wait(process: Start, environ: dict[str, str]) -> None:
    """Ctrl-C ends the login with status 130, without a traceback and without a sign-in."""
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
    """If the command cannot listen on the redirect URI, it says so, and the person pastes the answer."""
    sim.app.redirect_uris = (redirect,)
    running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert f"have to paste the answer here, because {redirect}" in stderr
    assert "Signed in as" in stdout


def test_a_taken_port_leaves_pasting(process: Start, sim: SimulatedTikTok) -> None:
    """If another program uses the port, the command names it, and the person can paste the answer."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        redirect = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
        stdout, stderr = running.communicate(f"{sim.authorize(_page(running))}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert f"this machine cannot listen on {redirect} (address already in use)" in stderr
    assert "Signed in as" in stdout


def test_no_answer_can_come_after_the_end_of_the_only_input(process: Start) -> None:
    """If pasting is the only way, the end of the input ends the wait with status 4."""
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
    assert result.exit_code == (2 if place == "a file" else 1)
    assert "http" not in result.stdout
    assert len(result.stderr.splitlines()) == 1


# --- A code alone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [str, lambda code: quote(code, safe="")])
def test_a_code_alone_can_be_pasted(
    spelled: Callable[[str], str], process: Start, sim: SimulatedTikTok, hides: Hides
) -> None:
    """The command takes the code alone, plain or percent-encoded, and says what protects it; it refuses another word."""
    running = process("login", "--no-browser")
    code = callback_values(sim.authorize(_page(running)))["code"]
    stdout, stderr = running.communicate(f"what?\n{spelled(code)}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert stderr.count("not the answer") == 1
    assert "only TikTok's check of PKCE" in stderr
    assert "Signed in as Maker One" in hides(stdout)
    hides(stderr)


def test_a_code_of_another_sign_in_is_refused(process: Start, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """A code from another person's sign-in is refused, because TikTok finds that the verifier does not match."""
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
    """A simulated person at the browser and the terminal of a command that runs in this process.

    Attributes:
        pages: the addresses that the browser opened.
    """

    sim: SimulatedTikTok
    monkeypatch: pytest.MonkeyPatch
    pages: list[str] = field(factory=list)

    def agrees(self, **choices: Any) -> None:
        """Decide on the page as soon as it opens, and follow the redirect."""

        def open_browser(page: str) -> bool:
            self.pages.append(page)
            return _get(self.sim.authorize(page, **choices)) == 200

        self.monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", open_browser)

    def pastes(self, *lines: Callable[[str], str]) -> None:
        """Agree, and paste lines that are made from the address that the browser was sent to."""
        self.monkeypatch.setattr("tiktok_adapters.cli.login.open_browser", self.pages.append)

        def read_pasted(answers: Answers, accepts: Any, **options: Any) -> None:
            callback = self.sim.authorize(self.pages[-1])
            text = "".join(f"{line(callback)}\n" for line in lines)
            self.monkeypatch.setattr(sys, "stdin", io.StringIO(text))
            pasted.read_pasted(answers, accepts, **options)

        self.monkeypatch.setattr("tiktok_adapters.cli.login.read_pasted", read_pasted)


@pytest.fixture
def person(sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person who signs in."""
    return Person(sim, monkeypatch)


def _code(callback: str) -> str:
    return callback_values(callback)["code"]


WEB = {"TIKTOK_REDIRECT_URI": "https://app.example.com/callback/"}


@pytest.mark.parametrize(("redirect", "warned"), [(WEB["TIKTOK_REDIRECT_URI"], True), ("taken", False)])
def test_a_web_apps_code_is_taken_with_a_warning(redirect: str, warned: bool, cli: Any, person: Person) -> None:
    """TikTok documents the check of PKCE for desktop apps only, so a web app's login recommends the whole address."""
    person.pastes(_code)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        result = cli("login", env={"TIKTOK_REDIRECT_URI": taken if redirect == "taken" else redirect})
    assert result.exit_code == 0, result.stderr
    assert "only TikTok's check of PKCE" in result.stderr
    assert ("it is safer to paste the whole address" in result.stderr) == warned


def test_without_a_challenge_a_code_alone_is_no_answer(cli: Any, person: Person) -> None:
    """Without PKCE nothing ties a code to the sign-in, so the command asks for the whole address."""
    person.pastes(_code, str)
    result = cli("login", "--challenge", "none", env=WEB)
    assert "code_challenge" not in person.pages[0]
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("not the answer") == 1
    assert "or the code" not in result.stderr


def test_the_challenge_can_be_chosen(cli: Any, person: Person) -> None:
    """`--challenge` chooses the RFC's encoding, for an app for which TikTok requires it."""
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
    """If an account other than the chosen one signs in, the command keeps it, says so, and says how to choose."""
    person.agrees(account="maker_two")
    result = cli("login", "--account", signed_in)
    assert result.exit_code == 0, result.stderr
    assert f"Signed in as Maker Two ({second})" in result.stdout
    assert f"{second} has signed in, but you asked for {signed_in}" in result.stderr
    assert "tiktok login --switch" in result.stderr
    assert f"This machine now has several accounts ({signed_in} too)" in result.stderr


def test_the_same_account_again_is_nothing_to_tell(cli: Any, person: Person, signed_in: str) -> None:
    """Signing in again with the same account prints nothing about other accounts."""
    person.agrees()
    result = cli("login", "--account", signed_in)
    assert "you asked for" not in result.stderr
    assert "several accounts" not in result.stderr


def test_a_switch_of_accounts_asks_for_the_page(cli: Any, person: Person, signed_in: str, second: str) -> None:
    """With --switch TikTok shows its page, although it could use the session that it knows."""
    person.sim.switches.auto_auth = True
    person.agrees(account="maker_two")
    assert signed_in in cli("login").stdout
    assert second in cli("login", "--switch").stdout
    assert "disable_auto_auth" not in person.pages[0]
    assert parse_qs(urlsplit(person.pages[1]).query)["disable_auto_auth"] == ["1"]


def test_an_account_without_a_profile_has_its_id_for_a_name(cli: Any, person: Person) -> None:
    """The sign-in succeeds even if the scope for the name is missing or the request for the name fails."""
    person.sim.switches.basic_scope = "asked"
    person.agrees(scopes=["video.upload"])
    result = cli("login")
    assert f"Signed in as {person.sim.creator.open_id}." in result.stdout
    assert "You did not grant: user.info.basic, video.publish" in result.stderr
    person.agrees()
    person.sim.faults.add("user_infox9=code:internal_error")
    assert f"Signed in as {person.sim.creator.open_id}." in cli("login").stdout


# --- The end of the wait ----------------------------------------------------------------------------------------------


def test_five_minutes_are_waited_and_no_longer(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After five minutes the login exits with status 4 and stops listening."""
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
    """The command draws the QR code, prints its address below on its own line, and ends when the phone answers."""
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
    """A phone that scans the drawn code while the command sleeps; the command's clock triggers it."""

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
    """With --json standard output is only the document; the drawn code contains the address printed below it."""
    phone = Phone(monkeypatch, sim.scan)
    result = cli("login", "--qr", "--json")
    assert json.loads(result.stdout)["open_id"] == sim.creator.open_id
    assert phone.seen == [_said(result.stderr)]


def test_each_step_at_the_phone_is_told(cli: Any, sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reports each step: scanned, expired and drawn again, agreed."""
    phone = Phone(
        monkeypatch,
        lambda url: sim.scan(url, allow=None),
        lambda url: sim.scan(url, allow=False),
        lambda _url: None,
        sim.scan,
    )
    result = cli("login", "--qr")
    assert result.exit_code == 0, result.stderr
    assert "You scanned the code. Now agree on the phone." in result.stderr
    assert "has expired; here is a new one" in result.stderr
    assert len(phone.seen) == 2


@pytest.mark.parametrize("option", [("--switch",), ("--no-browser",), ("--challenge", "hex")])
def test_options_of_a_page_mean_nothing_to_a_qr_code(option: tuple[str, ...], cli: Any) -> None:
    """The command refuses these options before it sends anything."""
    result = cli("login", "--qr", *option)
    assert result.exit_code == 2
    assert "opens no page" in result.stderr


def test_without_the_library_it_is_said_what_to_install(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package, one sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "segno", None)
    monkeypatch.delitem(sys.modules, "tiktok_adapters.sign_in.qr", raising=False)
    result = cli("login", "--qr")
    assert result.exit_code == 1
    assert "tiktok-open[cli]" in result.stderr


def test_a_narrow_terminal_is_told_of(environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """If the terminal is too narrow for the QR code, the command says how wide it has to be."""
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
        with suppress(OSError):  # A closed terminal raises this.
            while os.read(leader, 65536):
                pass
        _stdout, stderr = running.communicate(timeout=30)
    finally:
        running.kill()
        running.communicate()
        os.close(leader)
    assert running.returncode == 0
    assert "columns, but this terminal has 40" in stderr
