"""A process that forks workers which have imported everything already, so that each point of the proof costs little.

It reads jobs, one JSON document a line, and forks for each. A worker waits until its gate is opened, posts under the key
"mine", and writes down how that ended. What belongs here: nothing that judges.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import tiktok_adapters.protect
import tiktok_adapters.slots
import tiktok_adapters.stores.sqlite
import tiktok_adapters.stores.sqlite_pacer
import tiktok_adapters.transports.urllib3  # noqa: F401 - what `connect` would import late
from tiktok_adapters import connect
from tiktok_core import Publication, TikTokError

CHUNK = 5_242_880


def post(wish: str, film: str) -> Publication:
    """Make the wished post, or go on with it."""
    with connect() as tiktok:
        account = tiktok.account()
        if wish == "file":
            return account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="mine")
        if wish == "pull":
            return account.post_video("https://media.example.com/a.mp4", privacy_level="SELF_ONLY", key="mine")
        return account.post_photos(["https://media.example.com/1.jpg"], privacy_level="SELF_ONLY", key="mine")


def work(job: dict[str, Any]) -> None:
    """Do a job, and write down how it ended."""
    os.environ.update(job["environ"])
    Path(job["gate"]).read_bytes()
    try:
        done = post(job["wish"], job["film"])
        end = {"publish_id": done.publish_id, "status": done.status}
    except TikTokError as error:
        end = {"error": type(error).__name__, "message": str(error), "publish_id": getattr(error, "publish_id", None)}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the proof has to see it
        end = {"unexpected": f"{type(error).__name__}: {error}"}
    Path(job["end"]).write_text(json.dumps(end))


def main() -> None:
    """Fork a worker for each job; say its process id when it waits at its gate, and how it went when it has gone."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line))
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
