"""The main job on a system without Linux's special features. `test_elsewhere` runs this file as a program.

What belongs here: removing what Windows or macOS lack before this project's modules are imported, and the job with both clients.
No Windows is available here: the program removes what Python's documents say is missing on Windows.
"""

# ruff: noqa: PLC0415 - this project's modules are imported after the removal

import asyncio
import contextlib
import errno
import io
import json
import logging
import os
import shutil
import signal
import socket
import sqlite3  # noqa: F401 - the standard library may not be able to import this after the removal
import stat
import subprocess  # noqa: F401 - as above
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_ON_WINDOWS = {
    os: (
        *("geteuid", "getuid", "getegid", "getgid", "getgroups", "uname", "chown", "fchown", "lchown", "fchmod"),
        *(
            "pread",
            "preadv",
            "pwrite",
            "pwritev",
            "posix_fadvise",
            "posix_fallocate",
            "sendfile",
            "statvfs",
            "fstatvfs",
        ),
        *("fork", "forkpty", "register_at_fork", "killpg", "setsid", "mkfifo", "mknod", "sysconf", "getloadavg"),
        *("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_SYNC", "O_DSYNC"),
    ),
    signal: ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGCHLD", "setitimer", "alarm", "pthread_sigmask"),
    socket: ("TCP_CORK", "TCP_NOTSENT_LOWAT"),
}
IN_ORDER = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
NO_MODULES = ("fcntl", "grp", "pwd", "resource", "termios")


def be_macos() -> None:
    """Remove what macOS lacks: `/proc`, a corked socket, reading into buffers by position (before macOS 11)."""
    for module, names in {socket: ("TCP_CORK",), os: ("preadv", "posix_fadvise", "posix_fallocate")}.items():
        _take_away(module, names)
    _hide_proc()


def be_windows() -> None:
    """Remove what Windows lacks: users, modes, forks, reading by position, open folders, signals in event loops."""
    for module, names in NOT_ON_WINDOWS.items():
        _take_away(module, names)
    _hide_proc()
    for name in NO_MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    # On Windows the standard library removes folders in this way.
    shutil._use_fd_functions = False  # type: ignore[attr-defined]
    shutil._rmtree_impl = shutil._rmtree_unsafe  # type: ignore[attr-defined]  # since Python 3.13
    opened, renamed = os.open, os.rename

    def open_file(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, mode, dir_fd=dir_fd)

    def rename(source: Any, target: Any) -> None:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "File exists")
        renamed(source, target)

    def link(_source: Any, _target: Any) -> None:
        raise OSError(errno.ENOTSUP, "a file system without hard links")

    def add_signal_handler(*_arguments: object) -> None:
        raise NotImplementedError

    os.open, os.rename = open_file, rename
    os.link = link  # type: ignore[assignment]
    os.chmod = lambda *_arguments, **_options: None  # On Windows it only sets the flag "read only".
    asyncio.SelectorEventLoop.add_signal_handler = add_signal_handler  # type: ignore[assignment]
    for name in ("stat", "lstat", "fstat"):
        setattr(os, name, _without_modes(getattr(os, name)))


def _take_away(module: Any, names: tuple[str, ...]) -> None:
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


def _hide_proc() -> None:
    readlink = os.readlink

    def elsewhere(path: Any, *, dir_fd: int | None = None) -> Any:
        if os.fspath(path).startswith("/proc/"):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return readlink(path, dir_fd=dir_fd)

    os.readlink = elsewhere


def _without_modes(look: Any) -> Any:
    def looked(*arguments: Any, **options: Any) -> os.stat_result:
        found = look(*arguments, **options)
        kind = stat.S_IFMT(found.st_mode)
        values = list(found)
        values[stat.ST_MODE] = kind | (0o777 if kind == stat.S_IFDIR else 0o666)
        values[stat.ST_UID] = values[stat.ST_GID] = 0
        names = [name for name in dir(found) if name.startswith("st_") and name not in IN_ORDER]
        return os.stat_result(values, {name: getattr(found, name) for name in names})

    return looked


PHOTOS = ["https://media.example.com/1.jpg"]
FILM = Path(__file__).parents[1] / "media" / "good.mp4"


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[tuple[dict[str, str], Any]]:
    """Serve a simulated TikTok; yield the variables that connect to it, and the simulator."""
    from tiktok_adapters.simulator import SimulatedTikTok, Switches
    from tiktok_adapters.simulator.server import SandboxServer

    simulated = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    with contextlib.closing(simulated), SandboxServer(simulated).run_in_thread() as server:
        yield (
            {
                "TIKTOK_CLIENT_KEY": simulated.app.client_key,
                "TIKTOK_CLIENT_SECRET": simulated.app.client_secret,
                "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
                "TIKTOK_API_URL": server.url,
                "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
                "TIKTOK_HOME": str(folder / "home"),
            },
            simulated,
        )


def callback(authorization_of: Any) -> tuple[Any, str]:
    """Let a person consent on TikTok's page; return the authorization and the callback that the listener received."""
    from tiktok_adapters.cli.person import consent
    from tiktok_adapters.sign_in import Answers, accepts_state
    from tiktok_adapters.sign_in.loopback import LoopbackListener

    with LoopbackListener("http://127.0.0.1:*/callback/") as listener:
        authorization, answers = authorization_of(redirect_uri=listener.redirect_uri), Answers()
        listener.start(accepts_state(authorization), answers)
        consent(authorization.url)
        return authorization, answers.wait(20)


def blocking_job(environ: dict[str, str], film: Path) -> list[str]:
    """Sign in, post a file and photos, ask for their status, and read the journal."""
    from tiktok_adapters import connect

    with connect(environ=environ) as tiktok:
        account = tiktok.sign_in(*callback(tiktok.authorization))
        made = [
            account.post_video(film, privacy_level="SELF_ONLY", key="film"),
            account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="photos"),
        ]
    with connect(environ=environ) as tiktok:
        account = tiktok.account()
        account.refresh()
        assert sorted(record.key for record in account.posts()) == ["film", "photos"]
        return [account.publish_status(post.publish_id).status for post in made]


async def awaited_job(environ: dict[str, str], film: Path) -> list[str]:
    """The same with the asynchronous client."""
    from tiktok_adapters import connect_async

    async with connect_async(environ=environ) as tiktok:
        account = await tiktok.sign_in(*await asyncio.to_thread(callback, tiktok.authorization))
        made = [
            await account.post_video(film, privacy_level="SELF_ONLY", key="film"),
            await account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="photos"),
        ]
    async with connect_async(environ=environ) as tiktok:
        account = await tiktok.account()
        await account.refresh()
        assert sorted(record.key for record in await account.posts()) == ["film", "photos"]
        return [(await account.publish_status(post.publish_id)).status for post in made]


def told(environ: dict[str, str], *words: str) -> Any:
    """Run a command of the command line in this process, and return its document."""
    from tiktok_adapters.cli import main

    out = io.StringIO()
    os.environ.update(environ)
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*words, "--json"])
    return json.loads(out.getvalue())


def command_line_job(environ: dict[str, str], film: Path) -> list[str]:
    """Post with the command line and the earlier sign-in; check the post, the journal and the account."""
    posted = told(environ, "post", "video", str(film), "--privacy", "SELF_ONLY", "--again")
    assert told(environ, "uploads")["posts"] == []
    assert len(told(environ, "accounts")["accounts"]) == 1
    return [posted["status"], told(environ, "status", posted["publish_id"])["status"]]


def keep_a_file(folder: Path) -> None:
    """Write a destination as a download does: a new file, and then over it with `overwrite`."""
    from tiktok_adapters.destinations import open_destination

    for overwrite in (False, True):
        destination = open_destination(folder / "data.zip", overwrite=overwrite)
        destination.begin().write(b"data")
        destination.keep()
    assert [path.name for path in folder.iterdir()] == ["data.zip"]


def main(system: str) -> None:
    """Do the job, and print the result; a logged warning is a failure."""
    {"macos": be_macos, "windows": be_windows}[system]()

    class Fails(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise AssertionError(record.getMessage())

    logging.raiseExceptions = False
    logging.getLogger("tiktok_core").addHandler(Fails(logging.WARNING))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film, key, data = folder / "clip.mp4", folder / "key", folder / "data"
        film.write_bytes(FILM.read_bytes())
        key.write_text("A" * 43 + "=")
        key.touch(mode=0o600)
        data.mkdir()
        key.chmod(0o600)
        with sandbox(folder) as (environ, simulated):
            print("blocking", *blocking_job(environ, film))
            print("command line", *command_line_job(environ, film))
            encrypted = {
                "TIKTOK_HOME": str(folder / "second"),
                "TIKTOK_STORE": "encrypted",
                "TIKTOK_STORE_KEY_FILE": str(key),
            }
            print("awaited", *asyncio.run(awaited_job({**environ, **encrypted}, film)))
            print("bytes", *(post.bytes_received for post in simulated.posts if post.bytes_received))
        keep_a_file(data)


if __name__ == "__main__":
    main(sys.argv[1])
