"""A RabbitMQ and a Redis for tests: once for each process that runs tests, in temporary folders, on free ports.

What belongs here: starting and ending the servers. What is in their queues belongs to the tests.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from postgres_server import free_port, nobody

__all__ = ["BROKER_PASSWORD", "Broker", "RabbitMQ", "Redis", "rabbitmq_server", "redis_server"]

BROKER_PASSWORD = f"canary-of-a-broker-{secrets.token_hex(8)}"
"""The password of both, for the user `owner`."""
RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's own program. The one on PATH takes no user but its own, and no folder but its own."""
QUIET = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""Erlang with one scheduler that does not spin."""


class Broker:
    """A server of its own. Root starts it as the user `nobody`."""

    HELLO = b""
    ANSWER = b""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"tiktok-{name}-"))
        self.user = nobody()
        if self.user is not None:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.port = free_port()
        self._running: list[subprocess.Popen[bytes]] = []

    def url(self) -> str:
        """Return the URL of the broker."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers."""
        raise NotImplementedError

    def run(self, *command: str, environ: dict[str, str] | None = None) -> None:
        """Start a program of the server. Ctrl-C goes to a whole session; the fixture below ends the program."""
        own = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": str(self.folder), **(environ or {})}
        rights: dict[str, object] = {"cwd": self.folder, "env": own, "start_new_session": True}
        if self.user is not None:
            rights |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **rights)
        # If pytest is killed, this pipe ends, and then the program and what it started.
        watch = ["sh", "-c", f"cat; kill -KILL -{process.pid}"]
        self._running += [process, subprocess.Popen(watch, **rights | {"stdin": subprocess.PIPE})]

    def wait(self) -> None:
        """Wait until the server answers."""
        for _attempt in range(1200):
            if any(process.poll() is not None for process in self._running):
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(self.HELLO)
                if connection.recv(16).startswith(self.ANSWER):
                    return
            time.sleep(0.05)
        pytest.fail(f"the server did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End the server and all that it has started, as a crash does."""
        while self._running:
            watcher, process = self._running.pop(), self._running.pop()
            watcher.kill()
            watcher.communicate()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Broker):
    """Redis, which forgets everything when it is stopped."""

    HELLO = f"AUTH {BROKER_PASSWORD}\r\n".encode()
    ANSWER = b"+OK"

    def url(self) -> str:
        """Return the URL of the broker."""
        return f"redis://:{BROKER_PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        kept = self.folder / "redis.conf"
        # In a file, for everybody sees a command line.
        kept.write_text(f'bind 127.0.0.1\nport {self.port}\nrequirepass {BROKER_PASSWORD}\nsave ""\nappendonly no\n')
        self.run("redis-server", str(kept))
        self.wait()


class RabbitMQ(Broker):
    """RabbitMQ, which keeps its queues while it is stopped."""

    HELLO = b"AMQP\x00\x00\x09\x01"
    ANSWER = b"\x01"

    def __init__(self) -> None:
        super().__init__("rabbitmq")
        # The name server of Erlang, on a port of its own, so that it is nobody else's.
        self.names = free_port()
        self.node = f"tiktok-{secrets.token_hex(4)}@localhost"
        # The owner of the folder makes the file when the server starts; it must be able to.
        self.ports = free_port()

    def url(self) -> str:
        """Return the URL of the broker."""
        return f"amqp://owner:{BROKER_PASSWORD}@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\ndefault_user = owner\ndefault_pass = {BROKER_PASSWORD}\n"
            "log.console = true\nlog.console.level = error\nlog.file = false\n"
        )
        environ = {
            "ERL_EPMD_PORT": str(self.names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self.ports),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": QUIET,
        }
        self.run("epmd", "-port", str(self.names), "-address", "127.0.0.1")
        self.run(str(RABBITMQ), environ=environ)
        self.wait()


def _started(broker: Broker) -> Iterator[Broker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Broker]:
    """Give a running Redis. Without one the test is skipped."""
    if sys.platform == "win32" or shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed: apt-get install redis-server")
    yield from _started(Redis("redis"))


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Broker]:
    """Give a running RabbitMQ. Without one the test is skipped."""
    if sys.platform == "win32" or not RABBITMQ.exists():
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    yield from _started(RabbitMQ())
