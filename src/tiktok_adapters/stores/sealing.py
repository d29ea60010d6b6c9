"""Sealing documents with Fernet keys (github.com/fernet/spec), so that whoever reads a store cannot read or change them.

What belongs here: encryption, and the check of keys. What is sealed, and where it lies, the stores know.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidSettings, Problem
from tiktok_core.hidden import Hidden

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

__all__ = ["MARK", "NotOpened", "Seal", "Swapped", "check_keys"]

MARK: Final = b"fernet1:"
"""The beginning of a sealed document. It names the format, and distinguishes the document from a plain one."""
KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}=")
BASE64: Final = re.compile(rb"[A-Za-z0-9_-]+={0,2}")
DIGEST: Final = hashlib.sha256().digest_size


class NotOpened(Exception):
    """No key opens the document."""


class Swapped(Exception):
    """The document was sealed under another name."""


def check_keys(keys: Sequence[Secret]) -> None:
    """Check the keys.

    Raises:
        InvalidSettings: there is no key, or one of them is malformed.
    """
    if not keys:
        raise InvalidSettings((Problem("store_key", "is missing: an encrypted store needs a key"),))
    for number, key in enumerate(keys, 1):
        # Stricter than the library, which skips characters outside base64, and everything after the padding.
        if not KEY.fullmatch(key.reveal()):
            message = f"key {number} is malformed: a key is 32 random bytes in URL-safe base64, 44 characters"
            raise InvalidSettings((Problem("store_key", message),))


class Seal:
    """Seals documents with the first key, and opens them with any.

    Args:
        keys: 32 random bytes each, in URL-safe base64.

    Raises:
        InvalidSettings: there is no key, or one of them is malformed.
        ImportError: `cryptography` is not installed.
    """

    def __init__(self, keys: tuple[Secret, ...]) -> None:
        try:
            from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # noqa: PLC0415 - only where it is used
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "cryptography":
                raise
            message = "an encrypted store needs cryptography: pip install 'tiktok-open[encrypted]'"
            raise ImportError(message, name="cryptography") from None
        check_keys(keys)
        self.marks = tuple(hashlib.sha256(b"mark of " + key.reveal().encode()).digest()[:8] for key in keys)
        """What tells the keys apart, the newest first. A key cannot be guessed from it."""
        fernets = [Fernet(key.reveal()) for key in keys]
        self._newest, self._all, self._refused = fernets[0], MultiFernet(fernets), InvalidToken

    def sealed(self, name: str, document: Hidden[bytes]) -> bytes:
        """Return the document, sealed under a name."""
        return MARK + self._newest.encrypt(_digest(name) + document.reveal())

    def opened(self, name: str, sealed: Hidden[bytes]) -> Hidden[bytes]:
        """Return what was sealed under a name.

        Raises:
            NotOpened: no key opens it.
            Swapped: it was sealed under another name.
        """
        content = self._decrypted(sealed, self._all)
        if not content.reveal().startswith(_digest(name)):
            raise Swapped
        return Hidden(content.reveal()[DIGEST:])

    def is_newest(self, sealed: Hidden[bytes]) -> bool:
        """Return whether the first key sealed it."""
        try:
            self._decrypted(sealed, self._newest)
        except NotOpened:
            return False
        return True

    def _decrypted(self, sealed: Hidden[bytes], keys: "Fernet | MultiFernet") -> Hidden[bytes]:
        if not _is_base64(Hidden(sealed.reveal().removeprefix(MARK))):
            raise NotOpened
        try:
            return Hidden(keys.decrypt(sealed.reveal().removeprefix(MARK)))
        except self._refused:
            raise NotOpened from None


def _is_base64(text: Hidden[bytes]) -> bool:
    """Return whether the text is URL-safe base64 exactly as an encoder writes it.

    A decoder also accepts missing padding, characters outside the alphabet and unused bits, and releases of Python differ
    in this. Without this check, some changed texts would decrypt.
    """
    if not BASE64.fullmatch(text.reveal()):
        return False
    try:
        return base64.urlsafe_b64encode(base64.urlsafe_b64decode(text.reveal())) == text.reveal()
    except ValueError:
        return False


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
