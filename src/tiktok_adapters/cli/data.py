"""`data request`, `check`, `cancel`, `download`: a copy of the account's data.

What belongs here: the commands. The core sends the requests, and the destination writes the file.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from attrs import asdict

from tiktok_adapters.cli.common import common, settings, signed_in
from tiktok_adapters.cli.output import show
from tiktok_adapters.cli.spelling import ForgivingGroup, OneOf, Spelling
from tiktok_core import Scope
from tiktok_core.portability import DataCategory, DataFormat, DataRequest

__all__ = ["data"]

PENDING = 6
GONE = 4


PORTABILITY: Final = tuple(scope for scope in Scope if scope.startswith("portability."))


@click.group(cls=ForgivingGroup, short_help="Ask for a copy of the account's data.")
@common
def data() -> None:
    """Ask for a copy of the account's data, and download it once it is ready.

    It needs a portability.* scope. TikTok has to approve the app for it, and only people in the EEA and the UK can grant it.

    Example: tiktok data request profile activity
    """


@data.command(short_help="Ask for a copy.")
@click.argument(
    "categories",
    metavar=f"CATEGORY... ({'|'.join(DataCategory)})",
    nargs=-1,
    required=True,
    type=Spelling(DataCategory),
)
@click.option(
    "--format",
    "data_format",
    type=OneOf(DataFormat),
    default=DataFormat.JSON.value,
    show_default=True,
    help="The format of the files in the archive.",
)
@common
def request(categories: tuple[str, ...], data_format: str) -> None:
    """Ask for a copy of the account's data. This uses up a one-time scope.

    Example: tiktok data request profile activity
    """
    with signed_in(settings(), any_of=PORTABILITY) as account:
        request_id = account.request_data(categories, data_format=data_format)
    show(
        {"request_id": request_id},
        f"{request_id}: asked for; 'tiktok data check {request_id}' shows whether it is ready",
    )


@data.command(short_help="Show the status of a request.")
@click.argument("request_id", metavar="REQUEST_ID", type=int)
@common
def check(request_id: int) -> int:
    """Show the status of a request. The exit status is 6 until it is ready, and 4 if it expired or was cancelled.

    Example: tiktok data check 123451234512345
    """
    with signed_in(settings()) as account:
        found = account.check_data(request_id)
    _show(found)
    return 0 if found.is_ready else GONE if found.has_ended else PENDING


@data.command(short_help="Cancel a request.")
@click.argument("request_id", metavar="REQUEST_ID", type=int)
@common
def cancel(request_id: int) -> None:
    """Cancel a request, and show its status afterwards.

    Example: tiktok data cancel 123451234512345
    """
    with signed_in(settings()) as account:
        _show(account.cancel_data(request_id))


@data.command(short_help="Download an archive.")
@click.argument("request_id", metavar="REQUEST_ID", type=int)
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@common
def download(request_id: int, file: Path | None, overwrite: bool) -> None:
    """Download the archive of a request that is ready, to FILE (default: tiktok-data-REQUEST_ID.zip).

    Example: tiktok data download 123451234512345 my-data.zip
    """
    path = file or Path(f"tiktok-data-{request_id}.zip")
    with signed_in(settings()) as account:
        done = account.download_data(request_id, path, overwrite=overwrite)
    show({**asdict(done), "file": str(path)}, f"{path}: {done.size:,} bytes")


def _show(found: DataRequest) -> None:
    document = {**asdict(found), "category_selection_list": list(found.category_selection_list)}
    asked = (
        f", asked for on {datetime.fromtimestamp(found.apply_time, UTC):%Y-%m-%d %H:%M} UTC" if found.apply_time else ""
    )
    ready = f"; 'tiktok data download {found.request_id}' downloads it" if found.is_ready else ""
    show(document, f"{found.request_id}: {found.status}{asked}{ready}")
