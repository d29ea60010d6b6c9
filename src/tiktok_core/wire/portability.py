"""The formats of Data Portability: requests for a copy of the data, and telling an archive from other answers.

Sources: developers.tiktok.com/doc/data-portability-api-add-data-request, /doc/data-portability-api-check-status-of-data-request,
/doc/data-portability-api-cancel-data-request, /doc/data-portability-api-download. The samples print another host and the
prefix of a client token; both contradict the text beside them.
"""

from collections.abc import Callable
from typing import Final, Self

from attrs import define, evolve, field, frozen

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.portability import DataRequest, DataSelection, is_request_id
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import Interrupted
from tiktok_core.wire.envelope import api_request, open_envelope, structured, unexpected
from tiktok_core.wire.http import MAX_RESPONSE, Request, Response, Sink
from tiktok_core.wire.reading import plain

__all__ = [
    "ArchiveReader",
    "add_data_request",
    "cancel_data_request",
    "check_data_request",
    "download_request",
    "read_data_request",
    "read_request_id",
]

FIELDS: Final = "request_id,apply_time,collect_time,status,data_format,category_selection_list"
ZIP_BEGINS: Final = b"PK"
ZIP_ENDS: Final = b"PK\x05\x06"
"""The end of a zip's list of contents (APPNOTE.TXT 4.3.16)."""
ZIP_TAIL: Final = 22 + 0xFFFF
"""The most bytes from that mark to the end of the file: the record itself, and a comment."""


def add_data_request(endpoints: Endpoints, access_token: Secret, selection: DataSelection) -> Request:
    """Return the request for a copy of the data."""
    document = {"data_format": selection.data_format, "category_selection_list": list(selection.categories)}
    request = api_request(endpoints, "POST", "/v2/user/data/add/?fields=request_id", access_token, document)
    # The call spends a one-time scope, so a dropped idle connection must not make the outcome doubtful.
    return evolve(request, fresh_connection=True)


def read_request_id(request: Request, response: Response) -> int:
    """Return the id of the new request.

    Raises:
        UnexpectedResponse: the answer has no usable request_id.
    """
    return _asked_about(
        request, response, structured(_Added, request, response, open_envelope(request, response)).request_id
    )


def check_data_request(endpoints: Endpoints, access_token: Secret, request_id: int) -> Request:
    """Return the request for the status of a data request."""
    path = f"/v2/user/data/check/?fields={FIELDS}"
    return api_request(endpoints, "POST", path, access_token, {"request_id": request_id})


def read_data_request(request: Request, response: Response) -> DataRequest:
    """Return the state of a data request.

    Raises:
        UnexpectedResponse: a field is missing or of another type, or the request_id is not usable.
    """
    read = structured(DataRequest, request, response, open_envelope(request, response))
    _asked_about(request, response, read.request_id)
    return evolve(read, status=plain(read.status))


def cancel_data_request(endpoints: Endpoints, access_token: Secret, request_id: int) -> Request:
    """Return the request that cancels a data request. Its answer is only the envelope."""
    return api_request(endpoints, "POST", "/v2/user/data/cancel/", access_token, {"request_id": request_id})


def download_request(
    endpoints: Endpoints, access_token: Secret, request_id: int, sink: Callable[[Response], Sink | None]
) -> Request:
    """Return the request that downloads an archive. `sink` chooses where its bytes go."""
    request = api_request(endpoints, "POST", "/v2/user/data/download/", access_token, {"request_id": request_id})
    return evolve(request, headers={**request.headers, "Accept": "application/zip, application/json"}, sink=sink)


def _asked_about(request: Request, response: Response, request_id: int) -> int:
    if not is_request_id(request_id):
        raise unexpected(request, response, "its request_id is not a positive 64-bit number")
    return request_id


@frozen
class _Added:
    request_id: int


@define(eq=False)
class ArchiveReader:
    """Tells an archive from another answer in its place, while the answer streams through.

    TikTok's documents do not say which `Content-Type` an archive has, nor that a refusal has another status than 200. So the
    first bytes decide. The reader keeps an answer that does not begin like a zip, to read it like any other answer, and writes
    none of it to the file.

    Args:
        begin: called once for each answer that is an archive; returns the sink for its bytes.
    """

    _begin: Callable[[], Sink]
    _archive: Sink | None = None
    _other: bytearray = field(init=False, factory=bytearray)
    _tail: bytes = field(init=False, default=b"")
    _size: int = field(init=False, default=0)

    def sink(self, head: Response) -> Self | None:
        """Return the sink for the body of an answer; None if the status already shows that it is not an archive."""
        self._archive, self._other, self._tail, self._size = None, bytearray(), b"", 0
        return self if 200 <= head.status < 300 else None

    def write(self, block: bytes, /) -> None:
        """Take the next bytes of the answer."""
        if self._archive is None and len(self._other) < len(ZIP_BEGINS):
            block = bytes(self._other) + block
            if block.startswith(ZIP_BEGINS):
                self._archive = self._begin()
            else:
                self._other.clear()
        if self._archive is None:
            self._other += block[: MAX_RESPONSE + 1 - len(self._other)]
            return
        self._archive.write(block)
        self._size += len(block)
        self._tail = (self._tail + block)[-ZIP_TAIL:]

    def read(self, request: Request, response: Response) -> int:
        """Return the size of the archive in bytes, after the whole answer has come.

        Raises:
            ApiError: the answer is a refusal.
            Interrupted: the archive is incomplete.
            UnexpectedResponse: the answer is neither an archive nor a refusal.
        """
        if self._archive is None:
            response = evolve(response, body=bytes(self._other) or response.body)
            open_envelope(request, response)
            raise unexpected(request, response, "it reports success without an archive")
        # An answer without a length ends with the connection, even if that broke. So the archive's own end decides.
        if ZIP_ENDS not in self._tail:
            raise Interrupted(request.name, f"the archive broke off after {self._size:,} bytes")
        return self._size
