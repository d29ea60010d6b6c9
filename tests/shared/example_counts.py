"""How many examples a property takes whose examples are dear."""

from hypothesis import settings

__all__ = ["at_most"]


def at_most(count: int) -> int:
    """Return `count`, or half as many as the Hypothesis profile in use takes of others where that is fewer."""
    return min(count, settings().max_examples // 2)
