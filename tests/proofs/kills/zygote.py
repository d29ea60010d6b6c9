"""A process that has imported everything and forks workers, so that each point of the proof takes little time.

It reads jobs, one JSON document a line, and forks for each. A worker waits until its gate opens, posts under the key
"mine", and writes down how that ended. What belongs here: the work alone. The proof judges it.
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import tiktok_adapters.probes
import tiktok_adapters.protect
import tiktok_adapters.slots
import tiktok_adapters.stores.sqlite_pacer
import tiktok_adapters.transports.urllib3  # noqa: F401 - what `connect` would import late
from tiktok_adapters import connect
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_core import Publication, Record, TikTokError

CHUNK = 5_242_880
PR_SET_PTRACER = 0x59616D61
ANYBODY = ctypes.c_ulong(-1)


def post(wish: str, film: str) -> Publication:
    """Make the wished post, or resume it."""
    with connect(probe=False) as tiktok:
        account = tiktok.account()
        if wish == "file":
            return account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="mine")
        if wish == "pull":
            return account.post_video("https://media.example.com/a.mp4", privacy_level="SELF_ONLY", key="mine")
        return account.post_photos(["https://media.example.com/1.jpg"], privacy_level="SELF_ONLY", key="mine")


def hold_back(what: str) -> None:
    """Behave like a version that keeps in memory what it should save: the tokens, or the journal's record at that stage."""
    kept: dict[str, Any] = {}
    save, load, load_tokens = SqliteJournal.save, SqliteJournal.load, SqliteTokenStore.load

    def save_later(self: SqliteJournal, record: Record, /, *, fence: int | None) -> None:
        if record.stage == what:
            kept[record.name] = record
        else:
            kept.pop(record.name, None)
            save(self, record, fence=fence)

    SqliteJournal.save = save_later  # type: ignore[method-assign]
    SqliteJournal.load = lambda self, name: kept.get(name) or load(self, name)  # type: ignore[method-assign]
    if what == "tokens":
        SqliteTokenStore.save = lambda _, account, tokens, **__: kept.update({account: tokens}) or 1  # type: ignore[method-assign]
        SqliteTokenStore.load = lambda self, account: kept.get(account) or load_tokens(self, account)  # type: ignore[method-assign]


def work(job: dict[str, Any]) -> None:
    """Do a job, and write down how it ended."""
    # Where only parents may trace (yama), a process may allow it to others.
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)
    # The simulated TikTok is done at once, so no wait has to be as long as for the real one.
    SystemClock.sleep = lambda _, seconds: time.sleep(seconds / 50)  # type: ignore[method-assign]
    os.environ.update(job["environ"])
    if job["holds_back"]:
        hold_back(job["holds_back"])
    Path(job["gate"]).read_bytes()
    try:
        done = post(job["wish"], job["film"])
        end = {"publish_id": done.publish_id, "status": done.status}
    except TikTokError as error:
        end = {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the proof has to see it
        end = {"error": f"unexpected {type(error).__name__}", "message": str(error)}
    Path(job["end"]).write_text(json.dumps(end))


def main() -> None:
    """Fork a worker for each job. Print its process id when it waits at its gate, and how it ended when it is gone."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line))
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
