"""What came of it: each post, judged by what the simulated TikTok has, by what went over the road, and by the journal.

What belongs here: counting, and the table.
"""

import time
from collections import Counter
from hashlib import sha256
from statistics import median

from attrs import frozen

from fleet import Fleet
from plan import NEVER, Wish
from tiktok_adapters import connect
from tiktok_core import SourceChanged, TikTok, TikTokError
from traffic import INIT, RENEWED, events
from trouble import Trouble


@frozen
class Row:
    """A row of the table.

    Attributes:
        what: what was counted.
        found: how much of it.
        expected: how much of it there has to be; None where any number is right.
    """

    what: str
    found: str | int
    expected: str | int | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether it is not as it has to be."""
        return self.expected not in {None, self.found}


def entered(fleet: Fleet) -> dict[str, float]:
    """Return when each post was entered, in seconds since 1970, as the journal knows it."""
    with connect(environ=fleet.environ) as tiktok:
        records = [record for account in fleet.accounts for record in tiktok.account(account).posts()]
    return {record.key: record.created_at.timestamp() for record in records}


def judged(fleet: Fleet, trouble: Trouble) -> list[Row]:
    """Return the table, once the fleet has ended."""
    seen = events(fleet.road, fleet.wishes)
    posts = [post for post in fleet.sim.posts if post.sha256]
    films, sizes = Counter(post.sha256 for post in posts), Counter(post.size for post in posts)
    begun = {one.key: one.trip.began for one in reversed(seen) if one.kind == INIT}
    wanted = [wish for wish in fleet.wishes if wish.is_wanted]
    kept = [wish for wish in fleet.wishes if wish.released == NEVER]
    spoilt = [wish for wish in fleet.wishes if wish.trouble]
    early = [wish for wish in fleet.wishes if begun.get(wish.key, NEVER) < wish.earliest]
    times = sorted(trouble.survivors(seen))
    with connect(environ=fleet.environ) as tiktok:
        unfinished = {record.key for record in tiktok.unfinished()}
        reasons = [_reason(tiktok, fleet, wish) for wish in spoilt]
        for wish, reason in zip(spoilt, reasons, strict=True):
            print(f"{wish.key} ({wish.trouble}): {reason or 'no reason'}")
        signed_in = sum(_is_signed_in(tiktok, account) for account in fleet.accounts)
    return [
        Row("keys that are to have a post", len(wanted)),
        Row("keys with exactly one, of the bytes of their film (SHA-256)", _equal(wanted, films, sizes), len(wanted)),
        Row("keys with two or more", sum(sizes[wish.size] > 1 for wish in fleet.wishes), 0),
        Row("keys with none", sum(not sizes[wish.size] for wish in wanted), 0),
        Row("posts that have not ended in the journal", sum(wish.key in unfinished for wish in wanted), 0),
        Row("posts that were begun before their time, or before their release", len(early), 0),
        Row("held posts that nobody released", len(kept)),
        Row("of these, begun", sum(wish.key in begun for wish in kept), 0),
        Row("films that were overwritten, under way or before", len(spoilt)),
        Row("of these, posted", sum(bool(sizes[wish.size]) for wish in spoilt), 0),
        Row("of these, refused as changed", sum(bool(reason) for reason in reasons), len(spoilt)),
        Row("inits that TikTok got", sum(one.kind == INIT for one in seen)),
        Row("workers that were killed in the midst of a chunk", len(trouble.deaths), trouble.kills),
        Row("posts that they were sending", trouble.interrupted),
        Row("of these, a survivor went on with", len(times), trouble.interrupted),
        Row("seconds until then: median, 95th percentile, longest", ", ".join(f"{one:.1f}" for one in _three(times))),
        Row("workers that ended by themselves, and were replaced", fleet.restarts),
        Row("crashes of PostgreSQL", len(trouble.crashes), int(trouble.crash)),
        Row("requests to the object store that were answered 503", fleet.film_road.refused),
        Row("renewals of sign-ins", sum(one.kind == RENEWED and b'"refresh_token"' in one.trip.answer for one in seen)),
        Row("sign-ins that were lost", len(fleet.accounts) - signed_in, 0),
    ]


def shown(rows: list[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"| {row.what} | {row.found}{f' (wrong: {row.expected} expected)' if row.is_wrong else ''} |" for row in rows
    ]
    return "\n".join(["| what was counted | |", "|---|---|", *lines])


def _equal(wanted: list[Wish], films: Counter[str], sizes: Counter[int]) -> int:
    return sum(sizes[wish.size] == films[sha256(wish.film()).hexdigest()] == 1 for wish in wanted)


def _three(times: list[float]) -> tuple[float, float, float]:
    if not times:
        return 0.0, 0.0, 0.0
    return median(times), times[max(0, -(-len(times) * 95 // 100) - 1)], times[-1]


def _reason(tiktok: TikTok, fleet: Fleet, wish: Wish) -> str:
    """Return why there is no post of a film that was overwritten: what a further step says."""
    for _ in range(20):
        try:
            step = tiktok.account(fleet.accounts[wish.account]).advance(wish.key)
        except SourceChanged as error:
            return error.reason
        except TikTokError:
            return ""
        if step.again_in is None:
            return ""
        # A worker is at it, or has just died; or its account has had all inits of this minute.
        time.sleep(min(step.again_in, 5.0))
    return ""


def _is_signed_in(tiktok: TikTok, account: str) -> bool:
    try:
        tiktok.account(account).user_info()
    except TikTokError:
        return False
    return True
