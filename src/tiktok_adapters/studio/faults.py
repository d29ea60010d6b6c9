"""The log of errors that are faults of the program.

What belongs here: one function. A person reads the sentence on the page; the log says where in the program it came from.
"""

import logging
import traceback
from typing import Final

__all__ = ["tell_where"]

log: Final = logging.getLogger("tiktok_adapters.studio")


def tell_where(error: BaseException) -> None:
    """Log where an error came from, for who asks for the log at the level DEBUG. Its own text may hold a secret, and is left out."""
    log.debug("%s\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
