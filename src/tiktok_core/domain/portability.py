"""A copy of an account's data: what may be asked for, and what has become of it.

Sources: developers.tiktok.com/doc/data-portability-api-get-started, /doc/data-portability-api-add-data-request,
/doc/data-portability-api-check-status-of-data-request.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from attrs import frozen

from tiktok_core.errors import InvalidInput, Problem, refuse

__all__ = [
    "DataArchive",
    "DataCategory",
    "DataFormat",
    "DataRequest",
    "DataSelection",
    "DataStatus",
    "check_request_id",
    "is_request_id",
    "select_data",
]

LARGEST_ID: Final = 2**63 - 1


class DataCategory(StrEnum):
    """What a copy can hold; each needs a scope of its own, or `portability.all.*`."""

    ALL_DATA = "all_data"
    VIDEO = "video"
    PROFILE = "profile"
    ACTIVITY = "activity"
    DIRECT_MESSAGE = "direct_message"


class DataFormat(StrEnum):
    """How the files within the archive are written."""

    TEXT = "text"
    JSON = "json"


class DataStatus(StrEnum):
    """How a request is doing. TikTok may say other words, too: a status is kept as it came."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({DataStatus.EXPIRED, DataStatus.CANCELLED})


@frozen(kw_only=True)
class DataSelection:
    """What is asked for.

    Attributes:
        categories: at least one, each once; `all_data` stands alone.
        data_format: of the files in the archive.
    """

    categories: tuple[str, ...]
    data_format: str


@frozen(kw_only=True)
class DataRequest:
    """A request for a copy of the data, as TikTok tells it. What it leaves out is None or empty.

    Attributes:
        request_id: what it is known by, a 64-bit number.
        status: a `DataStatus`, or a word that is new.
        apply_time: when it was made, in seconds since 1970 (UTC).
        collect_time: when TikTok began to collect, in seconds since 1970 (UTC).
        data_format: a `DataFormat`.
        category_selection_list: what was asked for, as TikTok spells it.
    """

    request_id: int
    status: str
    apply_time: int | None = None
    collect_time: int | None = None
    data_format: str | None = None
    category_selection_list: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether the archive can be downloaded: TikTok's word for that is `downloading`, and it lasts four days."""
        return self.status == DataStatus.DOWNLOADING

    @property
    def has_ended(self) -> bool:
        """Whether nothing can come of it any more."""
        return self.status in ENDED


@frozen(kw_only=True)
class DataArchive:
    """An archive that was downloaded as a whole.

    Attributes:
        request_id: the request that it answers.
        size: bytes.
    """

    request_id: int
    size: int


def select_data(categories: Iterable[str], data_format: str) -> DataSelection:
    """Return what to ask for: each category once, and `all_data` alone, since it takes precedence over the others.

    Raises:
        InvalidInput: no category, one that does not exist, or a format that does not.
    """
    words = (categories,) if isinstance(categories, str) else tuple(dict.fromkeys(categories))
    problems = [
        _unknown("category_selection_list", word, DataCategory) for word in words if word not in [*DataCategory]
    ]
    if not words:
        problems.append(Problem("category_selection_list", f"is empty: ask for {', '.join(DataCategory)}"))
    if data_format not in [*DataFormat]:
        problems.append(_unknown("data_format", data_format, DataFormat))
    refuse(InvalidInput, problems)
    chosen = (DataCategory.ALL_DATA,) if DataCategory.ALL_DATA in words else words
    return DataSelection(categories=tuple(str(word) for word in chosen), data_format=str(data_format))


def is_request_id(request_id: object) -> bool:
    """Whether a request can be known by this: a positive 64-bit number."""
    return isinstance(request_id, int) and not isinstance(request_id, bool) and 0 < request_id <= LARGEST_ID


def check_request_id(request_id: object) -> None:
    """Check what a request is known by, before TikTok is asked about it.

    Raises:
        InvalidInput: it is no positive 64-bit number.
    """
    if not is_request_id(request_id):
        raise InvalidInput((Problem("request_id", f"is a positive 64-bit number, not {request_id!r}"),))


def _unknown(name: str, word: object, known: type[StrEnum]) -> Problem:
    return Problem(name, f"{word!r} is not one of {', '.join(known)}")
