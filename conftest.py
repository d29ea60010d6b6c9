"""The check for every test of this repository: its output and its logs, at the most verbose level, show no secret.

What belongs here: watching the output. The check sees the text that pytest captures, the fields of each log record beside its
text, the results of `CliRunner`, and the pipes of our own processes. It ignores the output of curl and browsers, which is not
ours.
"""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from tiktok_adapters.simulator.world import Chance
from tiktok_core.domain import pkce

pytest_plugins = ["quick", "postgres_server", "postgres_place", "pooler"]

# A failing assert of a contract shows its values. Pytest sees to that by itself where this package is installed from a wheel, and
# older ones not where it is editable, as here. Nothing may import a contract before.
pytest.register_assert_rewrite("tiktok_adapters.testing.contracts")

T = TypeVar("T")

SECRETS = re.compile(
    r"(?:act|rft|clt)\.[A-Za-z0-9]{40,}"  # tokens of the simulated TikTok
    r"|[A-Za-z0-9]{43}(?:\*|%2[Aa])[0-9](?:!|%21)[0-9]{4}\.va"  # its codes
    r"|upload_token=[0-9a-f]{8}-[0-9a-f-]{20,}"  # what makes an upload URL a secret
    r"|canary-of-[a-z-]+"  # client secrets that tests make up
    r"|(?<![A-Za-z0-9_=-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])"  # keys of an encrypted store
)
PAGES = re.compile(r"(?<!\S)\S*\bauthorize/?\?\S*")
"""Addresses for a person to open or a phone to scan: they carry the state or the ticket, and are shown on purpose."""
WORDS = re.compile(r"[A-Za-z0-9_-]{32,}")
remembered: set[str] = set()
"""Secrets that no pattern can find: our verifiers, states and tickets, and the tokens of the simulated TikTok's QR codes."""
heard: list[tuple[str, str]] = []
"""The texts that a test has read and pytest does not capture, each with its origin."""


def _remembering(make: Callable[..., str], is_secret: Callable[[str], bool] = bool) -> Callable[..., str]:
    @wraps(make)
    def made(*arguments: Any) -> str:
        secret = make(*arguments)
        if is_secret(secret):
            remembered.add(secret)
        return secret

    return made


# This has to run before any module imports these functions by name.
pkce.make_verifier = _remembering(pkce.make_verifier)
pkce.make_state = _remembering(pkce.make_state)
Chance.letters = _remembering(Chance.letters, lambda letters: len(letters) == 32)  # type: ignore[method-assign]


def _hear(where: str, what: str | bytes | None) -> None:
    if what:
        heard.append((where, what if isinstance(what, str) else what.decode("utf-8", "replace")))


def _is_ours(process: "subprocess.Popen[Any]") -> bool:
    words = [process.args] if isinstance(process.args, (str, bytes)) else list(process.args)  # type: ignore[arg-type]
    return any(sys.executable in str(word) for word in words)


def _overheard(stream: Any, where: str) -> None:
    """Watch the text that a test reads from a pipe, and not only the result of `communicate`."""
    for name in ("read", "readline"):
        read = getattr(stream, name)

        def hearing(*arguments: Any, read: Callable[..., Any] = read) -> Any:
            what = read(*arguments)
            _hear(where, what)
            return what

        setattr(stream, name, hearing)


OWN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
"""What each log record has by itself. Its other attributes are fields, which a program may write somewhere, but pytest does not."""
invoke, begin, communicate = CliRunner.invoke, subprocess.Popen.__init__, subprocess.Popen.communicate
make_record = logging.Logger.makeRecord


@wraps(make_record)
def _recorded(self: logging.Logger, *arguments: Any, **options: Any) -> logging.LogRecord:
    record = make_record(self, *arguments, **options)
    fields = {name: value for name, value in vars(record).items() if name not in OWN}
    if fields:
        # Both, for a formatter may write either.
        _hear("fields of a log record", f"{fields!r} {' '.join(map(str, fields.values()))}")
    return record


@wraps(invoke)
def _invoked(self: CliRunner, *arguments: Any, **options: Any) -> Result:
    result = invoke(self, *arguments, **options)
    _hear("output of a command", result.stdout_bytes)
    _hear("output of a command", result.stderr_bytes)
    return result


@wraps(begin)
def _begun(self: "subprocess.Popen[Any]", *arguments: Any, **options: Any) -> None:
    begin(self, *arguments, **options)
    if _is_ours(self):
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                _overheard(stream, "pipe of a process")


@wraps(communicate)
def _communicated(self: "subprocess.Popen[Any]", *arguments: Any, **options: Any) -> tuple[Any, Any]:
    said: tuple[Any, Any] = communicate(self, *arguments, **options)
    if _is_ours(self):
        for what in said:
            _hear("pipe of a process", what)
    return said


logging.Logger.makeRecord = _recorded  # type: ignore[method-assign]
CliRunner.invoke = _invoked  # type: ignore[method-assign]
subprocess.Popen.__init__ = _begun  # type: ignore[method-assign]
subprocess.Popen.communicate = _communicated  # type: ignore[method-assign]


def shows_secret(text: str) -> bool:
    """Whether a text contains a secret outside the addresses that are shown on purpose."""
    text = PAGES.sub(" ", text)
    # Comparing words is fast enough for thousands of remembered secrets and texts of megabytes.
    return SECRETS.search(text) is not None or not remembered.isdisjoint(WORDS.findall(text))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose output shows a secret, without showing it again."""
    report = yield
    for where, text in (*report.sections, *heard):
        if shows_secret(text):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: a secret shows in its {where.lower()}"
            report.sections = []
            break
    heard.clear()
    return report


def pytest_configure(config: Any) -> None:
    """Watch every logger at its most verbose level, including the HTTP libraries' and asyncio's; and enable Ctrl-C.

    A shell makes its background processes ignore Ctrl-C, and the processes that a test starts would inherit that. A proxy of
    this machine must not come between a test and what it calls.
    """
    for name in [name for name in os.environ if name.lower() in {"https_proxy", "http_proxy", "all_proxy", "no_proxy"}]:
        del os.environ[name]
    config.option.log_level = config.option.log_level or "DEBUG"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
