"""The enqueuer: puts films where machines find them, enters a post for each, and releases some of those that are held.

What belongs here: what a program of yours would do. It is a process of its own, and knows no worker.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial

from plan import BEFORE, CHUNK, NEVER, Wish, stored, wishes
from tiktok_adapters import connect
from tiktok_core import InvalidPost, TikTok


def enter(tiktok: TikTok, account: str, wish: Wish) -> None:
    """Put a film into the store, and enter its post. A time that is over by now is refused, and means now."""
    entered = partial(
        tiktok.account(account).enter_video,
        stored(wish.film(), wish.key),
        draft=wish.is_draft,
        privacy_level=None if wish.is_draft else "SELF_ONLY",
        key=wish.key,
        chunk_size=CHUNK if wish.size > 2 * CHUNK else None,
        held=wish.released is not None,
    )
    try:
        entered(not_before=datetime.fromtimestamp(wish.due, UTC) if wish.due else None)
    except InvalidPost:
        entered()
    if wish.trouble == BEFORE:
        stored(wish.film(take=2), wish.key)


def main(posts: int, start: float, accounts: list[str]) -> None:
    """Enter all posts, a few at a time; then release what a person has looked at, each at its time."""
    wanted = wishes(posts, start)
    with connect() as tiktok, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda wish: enter(tiktok, accounts[wish.account], wish), wanted))
        print(f"{len(wanted)} posts are entered", flush=True)
        held = [wish for wish in wanted if wish.released not in {None, NEVER}]
        for wish in sorted(held, key=lambda wish: wish.released or 0.0):
            time.sleep(max(0.0, (wish.released or 0.0) - time.time()))
            tiktok.account(accounts[wish.account]).release(wish.key)
        print(f"{len(held)} held posts are released", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3].split(","))
