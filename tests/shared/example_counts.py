"""How many examples a property takes whose examples are dear."""

from hypothesis import settings

__all__ = ["at_most"]


def at_most(count: int) -> int:
    """Return `count`, or the number of the Hypothesis profile in use where that is smaller."""
    return min(count, settings().max_examples)
