"""How stores name an app.

What belongs here: the digest of a client key, which may hold characters that a file name must not.
"""

import hashlib

__all__ = ["app_digest"]


def app_digest(client_key: str) -> str:
    """Return the 12 hexadecimal digits by which stores keep the tokens of different apps apart."""
    return hashlib.sha256(client_key.encode()).hexdigest()[:12]
