"""The planner: prints the microseconds of a plan for 4 GiB, and of each range.

What belongs here: pure functions of the core that run once for an upload or once for a chunk.
"""

import json
import time
from collections.abc import Callable
from typing import Final

from tiktok_core import plan_chunks

__all__: list[str] = []

SIZE: Final = 4 * 1024**3
PLANS: Final = 20_000
WALKS: Final = 500


def microseconds(work: Callable[[], object], times: int) -> float:
    """Return the microseconds of one call of `work`."""
    work()
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


def main() -> None:
    """Print both figures."""
    plan = plan_chunks(SIZE)

    def walk() -> None:
        for _ in plan.ranges():
            pass

    walked = microseconds(walk, WALKS) / plan.total_chunk_count
    print(json.dumps({"plan": microseconds(lambda: plan_chunks(SIZE), PLANS), "range": walked}))


if __name__ == "__main__":
    main()
