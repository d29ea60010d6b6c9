"""What agents may touch: files below named folders, URLs of named hosts, and the accounts that post without a release.

What belongs here: permissions that the person gave when the server was started. They never grow while it runs.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from tiktok_core import InvalidInput, PhotoPost, PrivacyLevel, Problem, VideoPost
from tiktok_core.domain.names import is_url

__all__ = ["Permits"]

HOST: Final = re.compile(r"([A-Za-z0-9.-]+)(:[0-9]{1,5})?")
"""A host as every parser reads it: without user, password, backslash or letters outside ASCII."""


def _lower(hosts: Iterable[str]) -> frozenset[str]:
    return frozenset(map(str.lower, hosts))


def _resolved(folders: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(folder.resolve() for folder in folders)


@frozen
class Permits:
    """What agents may touch.

    Attributes:
        folders: files below these may be read; their own symbolic links are followed.
        hosts: URLs of these may be posted; lower case.
        accounts: the `open_id` of each account for which an agent posts without a release.
    """

    folders: tuple[Path, ...] = field(default=(), converter=_resolved)
    hosts: frozenset[str] = field(default=frozenset(), converter=_lower)
    accounts: frozenset[str] = frozenset()

    def media(self, video: str) -> str:
        """Return the name under which to open a video that an agent named: a URL as it is, the path of a file without links.

        Raises:
            InvalidInput: it lies elsewhere, or there is no such file.
        """
        return self.url("video", video) if is_url(video) else str(self._file(video))

    def url(self, name: str, url: str) -> str:
        """Return a URL that an agent gave as this parameter.

        Raises:
            InvalidInput: it is not https, or its host was not named.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _problem(name, "is not a URL that can be read: give an https URL") from None
        host = HOST.fullmatch(parts.netloc)
        if parts.scheme.lower() != "https" or host is None:
            raise _problem(name, "is not a plain https URL: give one without user and password, with a host in ASCII")
        if host[1].lower() not in self.hosts:
            raise _problem(
                name, f"lies at a host that was not named: 'tiktok mcp --host {host[1].lower()}' would allow it"
            )
        return url

    def _file(self, video: str) -> Path:
        if not video.strip() or "\0" in video:
            raise _problem("video", "is not the path of a file")
        # A relative path is one below a named folder: what folder the server was started in says nothing to an agent.
        places = [(folder / video).resolve() for folder in self.folders] or [Path(video).absolute()]
        within = [place for place in places if any(place.is_relative_to(folder) for folder in self.folders)]
        if not within:
            # The same sentence whether there is such a file or not: an agent may not look around.
            raise _problem("video", "lies in no folder that was named: 'tiktok mcp --folder DIR' would allow one")
        if (found := next((place for place in within if place.is_file()), None)) is None:
            raise _problem("video", "is no file: below the named folders there is none of this name")
        return found

    def is_held(self, account: str, post: VideoPost | PhotoPost) -> bool:
        """Whether a person has to release what an agent enters, before it is posted.

        A draft waits in the creator's inbox for that person anyway. A privacy level that this library does not know may mean
        anything, so that it is always held.
        """
        if post.draft:
            return False
        return account not in self.accounts or post.privacy_level not in list(PrivacyLevel)


def _problem(name: str, message: str) -> InvalidInput:
    return InvalidInput((Problem(name, message),))
