"""The picture: a time line with a row for each post, as SVG.

What belongs here: drawing. Each kind of mark is one path, so that the file stays small.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import drawsvg

from fleet import WORKERS, Fleet
from traffic import INIT, SENT, events
from trouble import Trouble
from verdict import entered

WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 1000, 80, 950, 60, 2.4, 50
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8a5a9e")
"""One for each place of a worker; who takes it after a death has the same one."""
WAITS, DUE = "#999", "#222"


class Picture:
    """The picture of a fleet that has ended."""

    def __init__(self, fleet: Fleet, trouble: Trouble) -> None:
        self._fleet, self._trouble, self._entered = fleet, trouble, entered(fleet)
        self._seen = [one for one in events(fleet.road, fleet.wishes) if one.key]
        self._wishes = sorted(fleet.wishes, key=lambda wish: (wish.account, wish.earliest, wish.number))
        self._rows = {wish.key: TOP + at * ROW for at, wish in enumerate(self._wishes)}
        self._bottom = TOP + len(self._rows) * ROW
        self._last = max(one.trip.ended for one in self._seen) + 1
        self._drawing = drawsvg.Drawing(WIDTH, self._bottom + FOOT)

    def save(self, file: Path) -> None:
        """Draw it, and write it."""
        self._drawing.append(drawsvg.Rectangle(0, 0, WIDTH, self._bottom + FOOT, fill="white"))
        marks: dict[tuple[str, float], list[str]] = defaultdict(list)
        for mark, part in (*self._waits(), *self._work()):
            marks[mark].append(part)
        for (colour, width), parts in marks.items():
            self._drawing.append(drawsvg.Path(d="".join(parts), stroke=colour, stroke_width=width, fill="none"))
        for death in self._trouble.deaths:
            self._line(death.at, COLOURS[death.machine.slot], "kill -9", dashes="3 3")
        for at in self._trouble.crashes:
            self._line(at, "black", "PostgreSQL crashes")
        self._words()
        self._drawing.save_svg(str(file))

    def _waits(self) -> Iterator[tuple[tuple[str, float], str]]:
        """Yield how long each post waits: from its time, or when it was entered, to its first init, or for ever."""
        begun = {one.key: one.trip.began for one in reversed(self._seen) if one.kind == INIT}
        for wish in self._wishes:
            due = max(wish.earliest, self._entered[wish.key])
            y, first = self._rows[wish.key], self._x(min(due, self._last))
            yield (WAITS, 0.6), f"M{first:.1f} {y:.1f}H{self._x(begun.get(wish.key, self._last)):.1f}"
            yield (DUE, ROW * 0.9), f"M{first:.1f} {y:.1f}h.8"

    def _work(self) -> Iterator[tuple[tuple[str, float], str]]:
        """Yield what was sent for each post, and each question about it."""
        slots = {worker.name: worker.slot for worker in self._fleet.workers}
        for one in [one for one in self._seen if one.who in slots]:
            y, first, last = self._rows[one.key], self._x(one.trip.began), self._x(one.trip.ended)
            width, end = (ROW * 0.9, max(last, first + 1)) if one.kind == SENT else (1.0, first + 1)
            yield (COLOURS[slots[one.who]], width), f"M{first:.1f} {y:.1f}H{end:.1f}"

    def _x(self, at: float) -> float:
        share = (max(at, self._fleet.began) - self._fleet.began) / (self._last - self._fleet.began)
        return LEFT + min(share, 1.0) * (RIGHT - LEFT)

    def _line(self, at: float, colour: str, text: str, dashes: str = "none") -> None:
        x, y = self._x(at), TOP - 6
        line = f"M{x:.1f} {TOP - 4}V{self._bottom:.1f}"
        self._drawing.append(drawsvg.Path(d=line, stroke=colour, stroke_width=0.7, stroke_dasharray=dashes))
        self._drawing.append(drawsvg.Text(text, 8, x, y, fill=colour, transform=f"rotate(-45 {x:.1f} {y})"))

    def _words(self) -> None:
        for wish in {wish.account: wish for wish in reversed(self._wishes)}.values():
            self._drawing.append(drawsvg.Text(f"account {wish.account + 1}", 9, 4, self._rows[wish.key] + 8, fill=DUE))
        for second in range(0, int(self._last - self._fleet.began) + 1, 10):
            x = self._x(self._fleet.began + second)
            self._drawing.append(drawsvg.Text(f"{second} s", 9, x, self._bottom + 18, text_anchor="middle"))
        words = {f"worker {slot + 1}": COLOURS[slot] for slot in range(WORKERS)} | {"due": DUE, "waits": WAITS}
        for at, (word, colour) in enumerate(words.items()):
            self._drawing.append(drawsvg.Text(word, 10, LEFT + 100 * at, self._bottom + 38, fill=colour))
