"""The listener on the loopback redirect URI: the answers that it accepts and refuses, and its end."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from inspect import signature
from urllib.parse import quote

import pytest

from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.loopback import LIMIT, MOST, LoopbackListener, unlistenable
from tiktok_core import Authorization, InvalidSettings, Secret, SignInFailed

STATE = "the-state-of-this-sign-in"
AUTHORIZATION = Authorization(
    url="https://www.example.com/", redirect_uri="", scopes=(), state=Secret(STATE), code_verifier=None
)


@pytest.fixture
def answers() -> Answers:
    """The object that receives the answer."""
    return Answers()


@pytest.fixture
def listener(answers: Answers) -> Iterator[LoopbackListener]:
    """A listener that waits for `STATE`, with a short limit for slow connections."""
    with LoopbackListener("http://127.0.0.1:*/callback/", read_timeout=0.3) as listening:
        listening.start(accepts_state(AUTHORIZATION), answers)
        yield listening


def _ask(
    listener: LoopbackListener, target: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(*listener.address, timeout=10)
    try:
        connection.request(method, target, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()


def _still_waits(answers: Answers) -> None:
    with pytest.raises(SignInFailed, match="no answer came"):
        answers.wait(0.01)


def _raw(listener: LoopbackListener, request: bytes) -> bytes:
    with socket.create_connection(listener.address, timeout=10) as wire:
        wire.sendall(request)
        got = b""
        while block := wire.recv(65536):
            got += block
        return got


def test_the_answer_comes_through(listener: LoopbackListener, answers: Answers) -> None:
    """The listener passes on the valid answer unchanged, and tells the person that the window may be closed."""
    answer, page = _ask(listener, f"/callback/?code=a%2Ab%21c&scopes=user.info.basic&state={STATE}")
    assert answer.status == 200
    assert "close this window" in page
    assert answers.wait(5) == f"{listener.redirect_uri}?code=a%2Ab%21c&scopes=user.info.basic&state={STATE}"


def test_the_page_is_kept_by_nobody(listener: LoopbackListener) -> None:
    """The page's headers forbid browsers to store, frame or pass on its address, and other sites to read it."""
    answer, _page = _ask(listener, f"/callback/?code=x&state={STATE}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/callback/?code=x&state=wrong", 400),
        ("/callback/?code=x", 400),
        ("/callback/?code=x&state=", 400),
        ("/callback/", 400),
        ("/callback/?error=access_denied", 400),
        ("/callback/?error=access_denied&state=wrong", 400),
        (f"/callback/?state={STATE}", 400),
        (f"/callback/?code=x&state={STATE}&state=wrong", 400),
        (f"/callback/?code=x&code=y&state={STATE}", 400),
        ("/callback/?code=x&state=%F0%9F%98%80%FF", 400),
        (f"/callback?code=x&state={STATE}", 404),
        (f"/callback/../callback/?code=x&state={STATE}", 404),
        (f"//callback/?code=x&state={STATE}", 404),
        ("/favicon.ico", 404),
    ],
)
def test_what_does_not_fit_does_not_end_the_sign_in(
    target: str, status: int, listener: LoopbackListener, answers: Answers
) -> None:
    """A wrong path, state or shape is refused, and the person's answer still counts afterwards."""
    assert _ask(listener, target)[0].status == status
    _still_waits(answers)
    assert _ask(listener, f"/callback/?code=x&state={STATE}")[0].status == 200
    assert answers.wait(5).endswith(f"?code=x&state={STATE}")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
def test_only_get_is_answered(method: str, listener: LoopbackListener, answers: Answers) -> None:
    """The listener accepts an answer by GET only."""
    answer, _page = _ask(listener, f"/callback/?code=x&state={STATE}", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    _still_waits(answers)


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1", "127.0.0.1:1", "localhost:{port}", ""])
def test_another_host_name_is_refused(host: str, listener: LoopbackListener, answers: Answers) -> None:
    """The listener refuses a request from a site whose host name points to this machine."""
    named = host.format(port=listener.address[1])
    assert _ask(listener, f"/callback/?code=x&state={STATE}", Host=named)[0].status == 400
    _still_waits(answers)


@pytest.mark.parametrize("lines", [b"", b"Host: 127.0.0.1:{port}\r\nHost: evil.example.com\r\n"])
def test_a_host_must_be_named_once(lines: bytes, listener: LoopbackListener, answers: Answers) -> None:
    """The listener refuses a request with no Host header, or with two."""
    lines = lines.replace(b"{port}", str(listener.address[1]).encode())
    request = b"GET /callback/?code=x&state=" + STATE.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n"
    assert _raw(listener, request).startswith(b"HTTP/1.1 400 ")
    _still_waits(answers)


def test_a_refusal_with_the_state_is_an_answer(listener: LoopbackListener, answers: Answers) -> None:
    """TikTok's `error` ends the wait if its state is right, and the page escapes it."""
    answer, page = _ask(listener, f"/callback/?error={quote('<script>alert(1)</script>')}&state={STATE}")
    assert answer.status == 200
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "error=" in answers.wait(5)


def test_a_second_answer_is_refused(listener: LoopbackListener, answers: Answers) -> None:
    """The listener accepts a state once."""
    assert _ask(listener, f"/callback/?code=first&state={STATE}")[0].status == 200
    assert _ask(listener, f"/callback/?code=second&state={STATE}")[0].status == 400
    assert "first" in answers.wait(5)
    _still_waits(answers)


@pytest.mark.parametrize("begin", [b"", b"GET /callback/?code=x"])
def test_a_slow_connection_hinders_nobody(begin: bytes, answers: Answers) -> None:
    """While one connection sends too little, the listener answers others."""
    with LoopbackListener("http://127.0.0.1:*/callback/", read_timeout=600) as patient:
        patient.start(accepts_state(AUTHORIZATION), answers)
        with socket.create_connection(patient.address, timeout=10) as slow:
            slow.sendall(begin)
            assert _ask(patient, f"/callback/?code=x&state={STATE}")[0].status == 200
            assert answers.wait(5)


@pytest.mark.parametrize("begin", [b"", b"GET /callback/?code=x"])
def test_many_connections_take_few_threads_and_hinder_nobody(begin: bytes, answers: Answers) -> None:
    """With many silent connections the listener keeps few threads: it drops the oldest, and the answer arrives."""
    before = threading.active_count()
    with LoopbackListener("http://127.0.0.1:*/callback/", read_timeout=60) as patient, ExitStack() as stack:
        patient.start(accepts_state(AUTHORIZATION), answers)
        slow = []
        for _ in range(5 * MOST):
            slow.append(stack.enter_context(socket.create_connection(patient.address, timeout=10)))
            slow[-1].sendall(begin)
        assert _ask(patient, f"/callback/?code=x&state={STATE}")[0].status == 200
        assert answers.wait(5)
        assert threading.active_count() - before <= MOST + 1  # One more thread accepts connections.
        for early in slow[: 4 * MOST]:
            with suppress(ConnectionResetError):
                assert early.recv(1) == b""
        slow[-1].settimeout(0.05)
        with pytest.raises(TimeoutError):
            slow[-1].recv(1)


def test_a_listener_that_gets_no_thread_goes_on(
    listener: LoopbackListener, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the system cannot start a thread, the listener closes that connection and answers the next one."""

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        for _ in range(2 * MOST):
            with suppress(ConnectionResetError):
                assert _raw(listener, b"") == b""
    assert _ask(listener, f"/callback/?code=x&state={STATE}")[0].status == 200
    assert answers.wait(5)


@pytest.mark.parametrize("begin", [b"", b"GET /callback/?code=x"])
def test_a_slow_connection_is_dropped(begin: bytes, listener: LoopbackListener) -> None:
    """The listener closes a connection that sends too little."""
    assert _raw(listener, begin) == b""


def test_a_slow_connection_has_five_seconds_unless_the_caller_gives_another_limit() -> None:
    """The other tests set this limit, and its default is five seconds."""
    assert signature(LoopbackListener).parameters["read_timeout"].default == 5


def test_a_trickle_is_dropped_too(listener: LoopbackListener) -> None:
    """The limit applies to the whole request: single bytes do not prolong it."""
    with socket.create_connection(listener.address, timeout=10) as slow:
        stop = threading.Event()

        def trickle() -> None:
            while not stop.wait(0.05):
                try:
                    slow.sendall(b"x")
                except OSError:
                    return

        feeding = threading.Thread(target=trickle)
        feeding.start()
        try:
            got = slow.recv(1000)
        except ConnectionResetError:
            got = b""
        finally:
            stop.set()
            feeding.join()
        assert got == b""


def test_a_long_request_is_refused(listener: LoopbackListener, answers: Answers) -> None:
    """The listener reads at most 8 KiB of a request."""
    request = b"GET /callback/?state=" + STATE.encode() + b"&code="
    assert _raw(listener, request + b"x" * (LIMIT - len(request))).startswith(b"HTTP/1.1 431 ")
    _still_waits(answers)


@pytest.mark.parametrize("request_line", [b"nonsense", b"GET /callback/", b"\x16\x03\x01\x02\x00"])
def test_what_is_no_http_is_refused(request_line: bytes, listener: LoopbackListener) -> None:
    """A TLS greeting or noise gets a refusal."""
    assert _raw(listener, request_line + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_it_is_bound_to_this_machine_alone(host: str) -> None:
    """The listener uses 127.0.0.1 for every loopback name, and a free port in place of the wildcard."""
    with LoopbackListener(f"http://{host}:*/callback/") as listening:
        address, port = listening.address
        assert listening._server.socket.getsockname() == ("127.0.0.1", port)
        assert address == "127.0.0.1"
        assert listening.redirect_uri == f"http://{host}:{port}/callback/"


def test_a_name_is_asked_for_by_its_name(answers: Answers) -> None:
    """With a redirect URI on localhost the listener accepts requests for localhost, and refuses those for 127.0.0.1."""
    with LoopbackListener("http://localhost:*/callback/") as listening:
        listening.start(accepts_state(AUTHORIZATION), answers)
        port = listening.address[1]
        target = f"/callback/?code=x&state={STATE}"
        assert _ask(listening, target, Host=f"127.0.0.1:{port}")[0].status == 400
        assert _ask(listening, target, Host=f"localhost:{port}")[0].status == 200


def test_after_closing_nobody_listens(listener: LoopbackListener) -> None:
    """The port is open only during the sign-in."""
    listener.close()
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address, timeout=10)


def test_a_taken_port_is_told() -> None:
    """A registered port that another program uses raises the system's error."""
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        LoopbackListener(f"http://127.0.0.1:{other.getsockname()[1]}/callback/")


@pytest.mark.parametrize(
    ("redirect", "why"),
    [
        ("https://app.example.com/callback/", "not on this machine"),
        ("https://127.0.0.1:3455/callback/", "certificate"),
        ("https://localhost:*/callback/", "certificate"),
    ],
)
def test_what_cannot_be_listened_on_is_told(redirect: str, why: str) -> None:
    """For a redirect URI on another host or over TLS, a clause says why the listener cannot use it."""
    assert why in unlistenable(redirect)
    with pytest.raises(InvalidSettings, match=why):
        LoopbackListener(redirect)


def test_nothing_more_can_come() -> None:
    """Giving up ends the wait at once, unless an answer came first."""
    answers = Answers()
    answers.put("first")
    answers.give_up()
    assert answers.wait(5) == "first"
    with pytest.raises(SignInFailed, match="input ended"):
        answers.wait(5)
