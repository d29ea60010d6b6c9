"""A copy of an account's data: the choice of data, and the state of a request.

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
    """The kinds of data in a copy. Each needs its own scope, or `portability.all.*`."""

    ALL_DATA = "all_data"
    VIDEO = "video"
    PROFILE = "profile"
    ACTIVITY = "activity"
    DIRECT_MESSAGE = "direct_message"


class DataFormat(StrEnum):
    """The format of the files in the archive."""

    TEXT = "text"
    JSON = "json"


class DataStatus(StrEnum):
    """The status of a request. TikTok may use other words too, so `DataRequest` keeps the status as it came."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({DataStatus.EXPIRED, DataStatus.CANCELLED})


@frozen(kw_only=True)
class DataSelection:
    """The data to ask for.

    Attributes:
        categories: one or more categories without repetitions; `all_data` stands alone.
        data_format: the format of the files in the archive.
    """

    categories: tuple[str, ...]
    data_format: str


@frozen(kw_only=True)
class DataRequest:
    """The state of a request for a copy of the data. A field that TikTok's answer leaves out is None or empty.

    Attributes:
        request_id: TikTok's id of the request, a 64-bit number.
        status: a `DataStatus`, or another word of TikTok's.
        apply_time: when the request was made, in seconds since 1970 (UTC).
        collect_time: when TikTok began to collect the data, in seconds since 1970 (UTC).
        data_format: a `DataFormat`.
        category_selection_list: the requested categories, as TikTok spells them.
    """

    request_id: int
    status: str
    apply_time: int | None = None
    collect_time: int | None = None
    data_format: str | None = None
    category_selection_list: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether the archive can be downloaded. TikTok's word for that is `downloading`, and it lasts four days."""
        return self.status == DataStatus.DOWNLOADING

    @property
    def has_ended(self) -> bool:
        """Whether the request has expired or was cancelled."""
        return self.status in ENDED


@frozen(kw_only=True)
class DataArchive:
    """An archive that was downloaded completely.

    Attributes:
        request_id: the id of its request.
        size: bytes of the archive.
    """

    request_id: int
    size: int


def select_data(categories: Iterable[str], data_format: str) -> DataSelection:
    """Return the data to ask for: each category once, or `all_data` alone, because it takes precedence over the others.

    Raises:
        InvalidInput: no category was given, or a category or the format does not exist.
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
    """Whether this can be the id of a request: a positive 64-bit number."""
    return isinstance(request_id, int) and not isinstance(request_id, bool) and 0 < request_id <= LARGEST_ID


def check_request_id(request_id: object) -> None:
    """Check the id of a request before a call uses it.

    Raises:
        InvalidInput: the id is not a positive 64-bit number.
    """
    if not is_request_id(request_id):
        raise InvalidInput((Problem("request_id", f"must be a positive 64-bit number, not {request_id!r}"),))


def _unknown(name: str, word: object, known: type[StrEnum]) -> Problem:
    return Problem(name, f"{word!r} is not one of {', '.join(known)}")
