"""The services that the fleet's machines share: PostgreSQL, an object store, and a simulated TikTok.

What belongs here: starting and ending each on this machine, and what is asked of the system for it.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import urllib3

from plan import BUCKET


def program(name: str) -> str | None:
    """Return the path of a program of PostgreSQL; Debian keeps those of each version in a folder that is not on PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """A PostgreSQL server with a folder of its own. It refuses to run as root, so root runs it as the user `nobody`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.port = folder, folder / "data", free_port()
        self.socket = folder / f".s.PGSQL.{self.port}"
        self.url = f"postgresql://owner@127.0.0.1:{self.port}/postgres"
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._rights = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.data.mkdir(mode=0o700, parents=True)
        if user is not None:
            for path in (folder, self.data):
                os.chown(path, user.pw_uid, user.pw_gid)
        made = [program("initdb"), "--no-sync", "--auth=trust", "--username=owner", "--encoding=UTF8", "-D", self.data]
        subprocess.run(made, **self._rights, cwd=folder, stdout=subprocess.DEVNULL, check=True)
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers. It ends when its standard input does."""
        # A fleet's data need not survive a power cut of this machine.
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder, "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [program("postgres"), "-D", self.data, "-p", str(self.port), "-c", "max_connections=200", *options]
        script = '"$@" <&- & cat; kill -INT $! 2>&-; wait'
        with (self.folder / "log").open("ab") as log:
            streams = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log}
            whole = ["sh", "-c", script, "sh", *command]
            self._process = subprocess.Popen(whole, **self._rights, **streams, cwd=self.folder, start_new_session=True)
        asking = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(asking, check=False).returncode:
            if self._process.poll() is not None:
                raise SystemExit(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-1000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it orderly, or as if it had crashed (SIGQUIT)."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), how)
        self._process.communicate()


class ObjectStore:
    """An object store that speaks S3, from the package moto."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inside = [sys.executable, str(Path(__file__).with_name("inside.py")), "{}"]
        command = [*inside, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        # Films lie on the disk, and not in memory.
        environ = {**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "65536", "TMPDIR": str(folder)}
        with (folder / "moto.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ, start_new_session=True
            )
        retries = urllib3.Retry(connect=60, backoff_factor=0.05, backoff_max=0.5)
        urllib3.PoolManager().request("PUT", f"{self.url}/{BUCKET}", retries=retries)

    def close(self) -> None:
        """End it: it does when its standard input ends."""
        self._process.communicate()


def missing() -> str:
    """Return what this system lacks for a fleet, as a sentence; empty if it lacks nothing."""
    if sys.platform != "linux":
        return "the fleet needs Linux"
    if program("initdb") is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if importlib.util.find_spec("moto") is None:
        return "the object store is not installed: pip install 'moto[server]'"
    return ""
