"""Requesting a copy of an account's data, and downloading it."""

from collections.abc import Iterable
from functools import partial

from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.portability import DataArchive, DataRequest, check_request_id, select_data
from tiktok_core.domain.retry import Operation
from tiktok_core.errors import InvalidInput, Problem
from tiktok_core.flows.calls.access import authorized
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import discard, keep, open_destination
from tiktok_core.flows.calls.surely import surely
from tiktok_core.ports import Destination, HasPath
from tiktok_core.wire.envelope import open_envelope
from tiktok_core.wire.portability import (
    ArchiveReader,
    add_data_request,
    cancel_data_request,
    check_data_request,
    download_request,
    read_data_request,
    read_request_id,
)

__all__ = ["cancel_data", "check_data", "download_data", "request_data"]


async def request_data(context: Context, account: str, categories: Iterable[str], data_format: str) -> int:
    """Ask TikTok for a copy, and do not repeat this after a lost answer: each request may spend a one-time scope."""
    ask = partial(add_data_request, context.endpoints, selection=select_data(categories, data_format))
    return await authorized(
        context, account, ask, read_request_id, operation=Operation.ADD_DATA, quota=Quota.PORTABILITY
    )


async def check_data(context: Context, account: str, request_id: int) -> DataRequest:
    """Ask TikTok for the status of a request."""
    check_request_id(request_id)
    ask = partial(check_data_request, context.endpoints, request_id=request_id)
    return await authorized(context, account, ask, read_data_request, quota=Quota.PORTABILITY)


async def cancel_data(context: Context, account: str, request_id: int) -> DataRequest:
    """Cancel a request, and return its status afterwards."""
    check_request_id(request_id)
    ask = partial(cancel_data_request, context.endpoints, request_id=request_id)
    await authorized(context, account, ask, open_envelope, operation=Operation.CANCEL, quota=Quota.PORTABILITY)
    return await check_data(context, account, request_id)


async def download_data(
    context: Context, account: str, request_id: int, to: str | HasPath | Destination, *, overwrite: bool
) -> DataArchive:
    """Download an archive to its destination, where it appears only once it is complete."""
    check_request_id(request_id)
    context = context.about(account=account)
    destination = await _opened(context, to, overwrite=overwrite)
    reader = ArchiveReader(destination.begin)
    ask = partial(download_request, context.endpoints, request_id=request_id, sink=reader.sink)
    try:
        size = await authorized(
            context, account, ask, reader.read, operation=Operation.DOWNLOAD, quota=Quota.PORTABILITY
        )
        await keep(context, destination)
    except BaseException:
        await surely(context, partial(discard, context, destination))
        raise
    return DataArchive(request_id=request_id, size=size)


async def _opened(context: Context, to: str | HasPath | Destination, *, overwrite: bool) -> Destination:
    if not isinstance(to, (str, HasPath)):
        return to
    if context.open_destination is None:
        raise InvalidInput(
            (Problem("to", "is a path, but this client has no open_destination; give a destination instead"),)
        )
    return await open_destination(context, partial(context.open_destination, to, overwrite=overwrite))
