"""Sealed tokens: what a store keeps in the place of an account's tokens, where keys encrypt them.

What belongs here: how tokens are sealed and opened, and the errors for those that cannot be opened. `sealing` encrypts.
"""

from attrs import evolve

from tiktok_adapters.stores.sealing import MARK, NotOpened, Seal, Swapped
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import OtherVersion, dump_tokens, load_tokens

__all__ = ["Box"]


class Box:
    """Seals tokens with the keys: the sealed document takes the place of the access token.

    Args:
        keys: 32 random bytes each, in URL-safe base64.

    Raises:
        InvalidSettings: there is no key, or one of them is malformed.
        ImportError: `cryptography` is not installed.
    """

    def __init__(self, keys: tuple[Secret, ...]) -> None:
        self._seal = Seal(keys)

    def sealed(self, account: str, tokens: Tokens) -> Tokens:
        """Return the sealed tokens, to store in place of the plain ones."""
        sealed = Secret(self._seal.sealed(account, Hidden(dump_tokens(tokens))).decode())
        return evolve(tokens, access_token=sealed, refresh_token=Secret(""))

    def opened(self, account: str, kept: Tokens) -> Tokens:
        """Return the plain tokens.

        Raises:
            StoreError: they are not encrypted, no key decrypts them, they are another account's, or they are damaged.
        """
        if not kept.access_token.reveal().startswith(MARK.decode()):
            raise _error(
                account, "they are not encrypted, or another release encrypted them: nothing was changed", "version"
            )
        try:
            return evolve(load_tokens(self._seal.opened(account, _lying(kept))), generation=kept.generation)
        except NotOpened:
            raise _error(
                account,
                "no key decrypts them: give the key that encrypted them; nothing was overwritten",
                "key",
            ) from None
        except Swapped:
            reason = "they belong to another account: the stored tokens were swapped"
            raise _error(account, reason, "damaged") from None
        except ValueError as error:
            raise _error(account, str(error), "version" if isinstance(error, OtherVersion) else "damaged") from None

    def is_newest(self, kept: Tokens) -> bool:
        """Return whether the first key encrypted these tokens."""
        return self._seal.is_newest(_lying(kept))


def _lying(kept: Tokens) -> Hidden[bytes]:
    # A lone surrogate, which no sealed document has, becomes a question mark, which opens nothing.
    return Hidden(kept.access_token.reveal().encode("ascii", "replace"))


def _error(account: str, reason: str, kind: StoreTrouble) -> StoreError:
    return StoreError(f"Encrypted tokens of {account!r}", reason, kind)
