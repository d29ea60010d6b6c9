"""What goes wrong in the fleet: machines die in the midst of a chunk, the database crashes, a film is overwritten.

What belongs here: when each happens, and that it did. Slow roads and the wrong clock are there from the beginning, in `fleet`.
"""

import signal
import time
from random import Random

from attrs import frozen

from fleet import Fleet
from machine import Machine
from plan import ONCE_BEGUN, stored
from traffic import ASKED, INIT, RENEWED, SENT, Event, events

PAUSE = 3.0
"""Seconds between two deaths, at least."""


@frozen
class Death:
    """A worker that was killed.

    Attributes:
        at: seconds since 1970.
        machine: the machine.
        keys: the posts of which it was sending a chunk.
    """

    at: float
    machine: Machine
    keys: tuple[str, ...]


class Trouble:
    """What goes wrong, a little at each look.

    Args:
        fleet: the fleet.
        kills: how many workers are killed.
        crash: whether the database crashes.
    """

    def __init__(self, fleet: Fleet, kills: int, *, crash: bool) -> None:
        self._fleet, self.kills, self.crash, self._chance = fleet, kills, crash, Random(kills)
        self._share, self._next = 0.5, 0.0
        self._spoilt = next(wish for wish in fleet.wishes if wish.trouble == ONCE_BEGUN)
        self.deaths: list[Death] = []
        self.crashes: list[float] = []
        self.overwritten: float | None = None

    def look(self) -> None:
        """See whether it is time for something."""
        road = self._fleet.road
        halfway = [trip for trip in list(road.trips) if trip.method == "PUT" and trip.ended == float("inf")]
        if not halfway:
            return
        seen = events(road, self._fleet.wishes)
        if self.overwritten is None and any(one.kind == SENT and one.key == self._spoilt.key for one in seen):
            stored(self._spoilt.film(take=2), self._spoilt.key)
            self.overwritten = time.time()
        if self.crash and not self.crashes and _begun(seen) > len(self._fleet.wishes) // 3:
            self.crashes.append(time.time())
            self._fleet.postgres.stop(signal.SIGQUIT)
            self._fleet.postgres.start()
        elif len(self.deaths) < self.kills and time.time() > self._next and _begun(seen) >= self._due:
            self._kill(seen)

    @property
    def interrupted(self) -> int:
        """How many posts were interrupted by a death."""
        return sum(len(death.keys) for death in self.deaths)

    def survivors(self, seen: list[Event]) -> list[float]:
        """Return for each interrupted post the seconds until another machine asked TikTok about it, if one has."""
        return [after for death in self.deaths for key in death.keys for after in _after(death, key, seen)]

    def told(self, seen: list[Event]) -> list[str]:
        """Return a line for each interrupted post."""
        return [
            f"{death.at - self._fleet.began:.1f} s: {death.machine.name} died within a chunk of {key}; a survivor went on after"
            f" {', '.join(f'{after:.1f} s' for after in _after(death, key, seen))}\n"
            for death in self.deaths
            for key in death.keys
        ]

    @property
    def _due(self) -> float:
        """How many posts are to have been begun at the next death: deaths are spread over the whole run."""
        return len(self._fleet.wishes) * (len(self.deaths) + 1) / (self.kills + 2)

    def _kill(self, seen: list[Event]) -> None:
        """Kill a worker that is sending a chunk, when a part of it is through that differs each time."""
        chunks = [one for one in seen if one.kind == SENT and one.trip.ended == float("inf") and one.who]
        for worker in [worker for worker in self._fleet.workers if worker.ended == float("inf")]:
            mine = [one for one in chunks if one.who == worker.name]
            if any(abs(one.trip.share - self._share) < 0.1 for one in mine) and not _renews(seen, worker):
                keys = tuple(one.key for one in mine)
                worker.kill()
                self.deaths.append(Death(worker.ended, worker, keys))
                self._fleet.start_worker(worker.slot)
                self._share, self._next = self._chance.uniform(0.1, 0.9), time.time() + PAUSE
                return


def _after(death: Death, key: str, seen: list[Event]) -> list[float]:
    """Return the seconds until another machine asked TikTok about a post; nothing if none has."""
    asked = [one for one in seen if one.key == key and one.kind == ASKED and one.who != death.machine.name]
    return [one.trip.began - death.at for one in asked if one.trip.began > death.at][:1]


def _begun(seen: list[Event]) -> int:
    return len({one.key for one in seen if one.kind == INIT})


def _renews(seen: list[Event], worker: Machine) -> bool:
    """Whether it may hold tokens that nobody else has. A death at that moment may lose the sign-in, as documented.

    `make prove-refresh` has those deaths.
    """
    return any(one.kind == RENEWED and one.who == worker.name and one.trip.ended > time.time() - 1 for one in seen)
