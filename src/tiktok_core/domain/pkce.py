"""PKCE in TikTok's variant, and the state that ties an answer to its sign-in.

Sources: RFC 7636; developers.tiktok.com/doc/login-kit-desktop. TikTok writes the challenge in lower-case hexadecimal; the RFC
uses base64url without padding.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

from tiktok_core.domain.app import CHALLENGES, AppKind, ChallengeEncoding

__all__ = ["ChallengeEncoding", "challenge_of", "encoding_for", "make_state", "make_verifier", "same_state"]

Entropy = Callable[[int], bytes]
"""Returns the requested number of unpredictable bytes."""

VERIFIER_BYTES: Final = 48
STATE_BYTES: Final = 32
VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def encoding_for(kind: AppKind) -> ChallengeEncoding:
    """Return the default encoding for a kind of app."""
    return CHALLENGES[kind]


def make_verifier(entropy: Entropy) -> str:
    """Return a fresh code verifier: 64 characters of the unreserved alphabet, 384 random bits (RFC 7636 section 4.1)."""
    return _base64url(entropy(VERIFIER_BYTES))


def make_state(entropy: Entropy) -> str:
    """Return a fresh state: 256 random bits, 43 characters."""
    return _base64url(entropy(STATE_BYTES))


def challenge_of(verifier: str, encoding: ChallengeEncoding) -> str | None:
    """Return the code challenge of a verifier; None if the encoding is `NONE`.

    Raises:
        ValueError: the verifier is not 43 to 128 characters of the unreserved alphabet.
    """
    if not VERIFIER.fullmatch(verifier):
        raise ValueError("a code verifier has 43 to 128 of the characters A-Z a-z 0-9 - . _ ~")
    digest = hashlib.sha256(verifier.encode())
    if encoding is ChallengeEncoding.NONE:
        return None
    return digest.hexdigest() if encoding is ChallengeEncoding.HEX else _base64url(digest.digest())


def same_state(sent: str, received: str) -> bool:
    """Compare two states in constant time, so that the time does not reveal how much of them is equal."""
    # As bytes: `compare_digest` raises on strings outside ASCII. Lone surrogates must not raise either.
    return hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), received.encode("utf-8", "surrogatepass"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
