"""What the fleet has to post, and where its films lie.

What belongs here: the wishes and their films. Each process makes the same ones from their number alone.
"""

import hashlib
from random import Random

import obstore
from attrs import frozen
from obstore.store import S3Store

HEAD = b"\0\0\0\x18ftypisom"
CHUNK = 5_242_880
BUCKET = "films"
NEVER = float("inf")
ONCE_BEGUN, BEFORE = "overwritten while under way", "overwritten before it is begun"


@frozen
class Wish:
    """One post. No two films have the same size, so the size of an init says whose it is.

    Attributes:
        number: counts from 0.
        account: counts from 0.
        size: bytes of the film.
        is_draft: whether it goes to the inbox.
        due: the time (seconds since 1970) before which it is not begun; 0 for any time.
        released: the time at which a person releases it; None for a post that is not held.
        trouble: what becomes of its film; empty for nothing.
    """

    number: int
    account: int
    size: int
    is_draft: bool
    due: float
    released: float | None = None
    trouble: str = ""

    @property
    def key(self) -> str:
        """The key of the post, and the name of its film."""
        return f"film-{self.number:03}.mp4"

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a post in the end."""
        return not self.trouble and self.released != NEVER

    @property
    def earliest(self) -> float:
        """The time before which nothing may be begun."""
        return max(self.due, self.released or 0.0)

    def film(self, take: int = 1) -> bytes:
        """Return the film; another take has the same size and other bytes."""
        return HEAD + hashlib.shake_128(f"{self.key} {take}".encode()).digest(self.size - len(HEAD))


def accounts_of(posts: int) -> int:
    """Return for how many accounts so many posts are: ten each, or fewer."""
    return max(4, -(-posts // 10))


def wishes(posts: int, start: float) -> list[Wish]:
    """Return the posts: of every account two drafts in five, a quarter of several chunks, half of them later, one in ten held."""
    chance, accounts, late = Random(posts), accounts_of(posts), 2.0 + posts / 5
    found = []
    for number in range(posts):
        nth = number // accounts
        account = (number + nth) % accounts
        chunks = chance.choice((2, 2, 3)) if number // 2 % 4 == 0 else 0
        size = chunks * CHUNK + 200_000 + 1_000 * number + chance.randrange(1_000)
        due = start + chance.uniform(0, late) if number % 2 else 0.0
        held = number % 10 == 7
        released = None if not held else NEVER if number % 30 == 7 else start + chance.uniform(0, late)
        found.append(Wish(number, account, size, is_draft=nth % 5 in {1, 3}, due=due, released=released))
    for number, trouble in ((2, ONCE_BEGUN), (5, BEFORE)):
        due = start + late if trouble == BEFORE else 0.0
        size = 6 * CHUNK + number if trouble == ONCE_BEGUN else found[number].size
        found[number] = Wish(number, found[number].account, size, is_draft=False, due=due, trouble=trouble)
    return found


def stored(film: bytes, name: str) -> str:
    """Put a film where every machine can open it, and return the name by which they do."""
    obstore.put(S3Store(BUCKET), name, film, use_multipart=False)
    return f"s3://{BUCKET}/{name}"
