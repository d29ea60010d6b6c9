"""A PostgreSQL server for tests: once for each process that runs tests, in a temporary folder, on a free port.

What belongs here: starting and ending the server. What is in its databases belongs to the tests.
"""

import os
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

if sys.platform != "win32":
    import pwd

__all__ = ["PASSWORD", "Server", "binary", "free_port", "nobody", "postgres_server"]

PASSWORD = "canary-of-a-database-password"
"""The password of the user `locked`. Only this user needs one."""
ACCESS = """
host all locked 127.0.0.1/32 scram-sha-256
host all all    127.0.0.1/32 trust
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # A test's data need not survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "16MB",
}


def binary(name: str) -> str | None:
    """Return the path of a program of PostgreSQL; None if it is not installed. POSTGRES_BIN names the folder of another version."""
    # Debian keeps the server's programs of each version in a folder that is not on PATH.
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return shutil.which(
        name, path=os.pathsep.join([os.environ.get("POSTGRES_BIN", ""), *map(str, folders), os.environ.get("PATH", "")])
    )


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nobody() -> "pwd.struct_passwd | None":
    """Return the user as whom root starts programs that refuse to run as root; None for everybody else."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


class Server:
    """A server of its own. Programs of PostgreSQL refuse to run as root, so root starts them as the user `nobody`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tiktok-postgres-"))
        self._user = nobody()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.data = data = self._folder / "data"
        data.mkdir(mode=0o700)
        if self._user is not None:
            for path in (self._folder, data):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb", "--no-sync", "--auth=trust", "--username=owner", "--encoding=UTF8", "--no-locale", "-D", data
        )
        (data / "pg_hba.conf").write_text(ACCESS)
        self.start()

    def url(self, database: str = "postgres", *, user: str = "owner", password: str = "") -> str:
        """Return the URL of a database, for a user who needs no password unless it is `locked`."""
        return f"postgresql://{user}{password and ':' + password}@127.0.0.1:{self.port}/{database}"

    def start(self, **settings: str) -> None:
        """Start the server, with these settings beside the usual ones, and wait until it answers."""
        options = [option for pair in (SETTINGS | settings).items() for option in ("-c", "=".join(pair))]
        command = self._command("postgres", "-D", self.data, "-p", str(self.port), *options)
        with (self._folder / "log").open("ab") as log:
            # Ctrl-C goes to a whole session; the fixture below ends the server.
            self._process = subprocess.Popen(command, **self._rights(), stderr=log, start_new_session=True)
        # If pytest is killed, this pipe ends, and then the server.
        watch = ["sh", "-c", f"cat; kill -INT {self._process.pid}"]
        self._watcher = subprocess.Popen(watch, **self._rights() | {"stdin": subprocess.PIPE}, start_new_session=True)
        asking = self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        for _attempt in range(1200):
            if self._process.poll() is not None:
                break
            if subprocess.run(asking, check=False).returncode == 0:
                return
            time.sleep(0.02)
        pytest.fail(f"the server did not start: {(self._folder / 'log').read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: at once, but orderly (SIGINT), or as if it had crashed (SIGQUIT)."""
        if self._process is not None:
            self._watcher.kill()
            self._watcher.communicate()
            with suppress(ProcessLookupError):
                self._process.send_signal(how)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(20)
            self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, name: str, *options: str | Path) -> None:
        done = subprocess.run(self._command(name, *options), **self._rights(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def _command(self, name: str, *options: str | Path) -> list[str]:
        program = binary(name)
        assert program is not None
        return [program, *map(str, options)]

    def _rights(self) -> dict[str, object]:
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
        own = {"cwd": self._folder, "env": environ, "stdin": subprocess.DEVNULL}
        if self._user is None:
            return own
        return own | {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Give a running server. Without PostgreSQL the test is skipped."""
    if sys.platform == "win32" or binary("initdb") is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg finds no libpq for this Python", exc_type=ImportError)
    server = Server()
    try:
        yield server
    finally:
        server.close()
