"""Names of accounts and posts in an engine's messages.

What belongs here: one spelling that every queue takes. JSON in PostgreSQL refuses NUL, and UTF-8 refuses lone surrogates; a key may
have both.
"""

__all__ = ["spelled", "unspelled"]


def spelled(name: str) -> str:
    """Return a name as printable ASCII. Most names stay what they are."""
    return name.encode("unicode_escape").decode("ascii")


def unspelled(text: str) -> str:
    """Return the name that was spelled so."""
    return text.encode("ascii").decode("unicode_escape")
