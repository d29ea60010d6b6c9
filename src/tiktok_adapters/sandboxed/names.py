"""TikTok's host names, for which the sandbox answers.

What belongs here: the names, and whether a name is one of them.
"""

from collections.abc import Container
from typing import Final

__all__ = ["KNOWN", "TIKTOK", "Names", "plain"]

KNOWN: Final = (
    "www.tiktok.com",
    "open.tiktokapis.com",
    "open-upload.tiktokapis.com",
    "open-upload-i18n.tiktokapis.com",
    "open-upload-sg.tiktokapis.com",
    "open-upload-va.tiktokapis.com",
    "upload.us.tiktokapis.com",
)
"""The names that have been documented or seen. `Names` has more: every name below `tiktokapis.com`."""


class Names(Container[str]):
    """The authorization page's host, and every host of TikTok's API.

    Attributes:
        page: the name of the authorization page's host.
        api: the domain of the API and of its upload hosts.
    """

    page: Final = "www.tiktok.com"
    api: Final = "tiktokapis.com"

    def __contains__(self, name: object) -> bool:
        """Return whether the sandbox answers for a name, in any case and with or without a dot at its end."""
        return isinstance(name, str) and (plain(name) == self.page or plain(name).endswith(f".{self.api}"))


TIKTOK: Final = Names()


def plain(name: str) -> str:
    """Return a host name in lower case, without the dot at its end."""
    return name.lower().removesuffix(".")
