"""What has to be done at the end of a call, however that ends.

What belongs here: doing it even if the caller is cancelled or interrupted, once or twice. What it is comes from other flows.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from tiktok_core.errors import StoreError
from tiktok_core.flows.calls.context import Context

__all__ = ["surely"]


async def surely(context: Context, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do the work under protection, and once more where an interruption, or a client that closes, kept it from its end.

    The work may be done twice, and raises nothing.
    """
    is_over = False

    async def done() -> None:
        nonlocal is_over
        await work()
        is_over = True

    try:
        await context.protect(done())
    except StoreError:
        context.log.debug("The client is being closed: it protects nothing any more")
    except GeneratorExit:
        is_over = (
            True  # Nothing more can be done: who closes a coroutine, such as an event loop that ends, awaits nothing.
        )
        raise
    finally:
        # The interruption came before the work was under protection, there is no protection, or it takes no more work.
        if not is_over:
            await done()
