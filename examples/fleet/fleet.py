"""The fleet: the services, the accounts that are signed in, the enqueuer and the workers.

What belongs here: what is there before anything goes wrong. What goes wrong is in `trouble`.
"""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from machine import Machine, namespace, wrong_clock
from plan import NEVER, accounts_of, wishes
from road import Road
from services import ObjectStore, Postgres, free_port
from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, App, Creator, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer

WORKERS = 4
HERE = Path(__file__).parent
WORKER = (str(Path(sys.executable).with_name("tiktok")), "worker")
RATE = 12e6
"""Bytes a second on a road, for a chunk to take half a second."""
DELAY = 0.2
"""Seconds for which a request to the object store waits at most; half of it on average."""
REFUSED = 0.02
"""How many of the requests to the object store are answered 503."""
LIFE = 70
"""Seconds of an access token, for each account to renew it once a minute."""


class Fleet:
    """A fleet, from its services to its workers.

    Args:
        posts: how many posts it has.
        folder: where what machines say, and the picture, go.
        scratch: where services lie; a short path, for the Unix sockets in it.
        ending: closes what the fleet opens.
    """

    def __init__(self, posts: int, folder: Path, scratch: Path, ending: ExitStack) -> None:
        self.folder, self.scratch, self.workers, self.restarts = folder, scratch, list[Machine](), 0
        self.postgres, self.store = Postgres(scratch / "postgres"), ObjectStore(scratch)
        ending.callback(self.postgres.stop)
        ending.callback(self.store.close)
        creators = [Creator(username=f"maker-{number}") for number in range(accounts_of(posts))]
        behaviour = Switches(processing_seconds=0.5, access_seconds=LIFE)
        self.sim = SimulatedTikTok(switches=behaviour, apps=[App(audited=True)], creators=creators, keep_bytes=False)
        ending.callback(self.sim.close)
        sandbox = ending.enter_context(SandboxServer(self.sim).run_in_thread())
        self.road = Road(sandbox.url, rate=RATE)
        self.film_road = Road(self.store.url, rate=5 * RATE, delay=DELAY, refusal=REFUSED)
        for road in (self.road, self.film_road):
            ending.callback(road.close)
            road.open("", road.port)
        self.sim.upload_base = f"http://127.0.0.1:{self.road.port}"
        # This process is a person at a machine of its own, whose way to TikTok is not watched.
        self.environ = self._settings(sandbox.url) | {"TIKTOK_HOME": str(scratch / "home")}
        os.environ.update({name: value for name, value in self.environ.items() if name.startswith("AWS_")})
        with connect(environ=self.environ) as tiktok:
            for creator in creators:
                begun = tiktok.authorization()
                tiktok.sign_in(begun, self.sim.authorize(begun.url, account=creator.username))
        ending.callback(self.close)
        # By then most posts are entered.
        self.began, self.start = time.time(), time.time() + 2 + posts / 6
        self.wishes = wishes(posts, self.start)
        self.accounts = [creator.open_id for creator in creators]
        entering = (sys.executable, str(HERE / "enqueuer.py"), str(posts), str(self.start), ",".join(self.accounts))
        self.enqueuer = self.machine("enqueuer", entering)
        for slot in range(WORKERS):
            self.start_worker(slot)

    def start_worker(self, slot: int) -> None:
        """Start one more worker, on a machine that nobody has seen yet. In the second slot the clock is wrong."""
        clock = (wrong_clock() or {}) if slot == 1 else {}
        self.workers.append(self.machine(f"worker-{len(self.workers) + 1}", WORKER, slot, clock))

    def supervise(self) -> None:
        """Replace each worker that has ended by itself, as systemd would: one does that finds no database at its start."""
        for worker in [
            worker for worker in self.workers if worker.ended == NEVER and worker.process.poll() is not None
        ]:
            worker.ended, self.restarts = time.time(), self.restarts + 1
            self.start_worker(worker.slot)

    def machine(
        self, name: str, command: tuple[str, ...], slot: int = 0, more: dict[str, str] | None = None
    ) -> Machine:
        """Start a machine. Its roads know it: by their ends in its network or, without that, by the port to which it goes."""
        ports, port = {}, self.road.port
        if namespace() is None:
            self.road.open(name, port := free_port())
        else:
            ports = {self.postgres.port: self.postgres.socket}
            for what, road in (("t", self.road), ("f", self.film_road)):
                ports[road.port] = self.scratch / f"{name}.{what}"
                road.open(name, ports[road.port])
        environ = self._settings(f"http://127.0.0.1:{port}") | (more or {})
        return Machine(name, self.folder, command, environ, ports, slot=slot)

    def _settings(self, url: str) -> dict[str, str]:
        return {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TIKTOK_REDIRECT_URI": "https://app.example.com/callback/",
            "TIKTOK_API_URL": url,
            "TIKTOK_AUTH_URL": f"{url}/v2/auth/authorize/",
            "TIKTOK_STORE_URL": self.postgres.url,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.film_road.port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "fleet",
            "AWS_SECRET_ACCESS_KEY": "fleet",
        }

    def close(self) -> None:
        """Switch off what still runs."""
        for machine in (*self.workers, self.enqueuer):
            if machine.process.poll() is None:
                machine.kill()
