"""`tiktok mcp`: tools for agents over the Model Context Protocol, on standard input and output.

What belongs here: the options, and the client of the tools. The tools themselves are `tiktok_adapters.agents`.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tiktok_adapters.assembly import connect_async, prepare
from tiktok_adapters.cli.common import choices, common, settings
from tiktok_adapters.cli.doctor import examiner

if TYPE_CHECKING:
    from tiktok_adapters.agents import Permits
    from tiktok_core import App, Endpoints

__all__ = ["mcp"]


@click.command(short_help="Serve tools for agents over MCP.")
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Let agents use the files below this folder.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Let agents use URLs of this host, such as media.example.com.",
)
@click.option(
    "--allow-posting",
    "accounts",
    multiple=True,
    metavar="OPEN_ID",
    help="Let agents post to this account without a release.",
)
@common
def mcp(folders: tuple[Path, ...], hosts: tuple[str, ...], accounts: tuple[str, ...]) -> None:
    """Serve tools for agents over the Model Context Protocol, until standard input ends. Programs of agents start this.

    What an agent asks to post waits until you release it: tiktok release KEY, or tiktok studio.

    Example: tiktok mcp --folder ~/clips
    """
    if choices().json:
        raise click.UsageError("The protocol is standard output's only use here: leave out --json.")
    try:
        from tiktok_adapters.agents import Permits  # noqa: PLC0415 - it needs packages that may be missing, and 0.7 s
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The tools for agents need {error.name}: pip install 'tiktok-open[mcp]'") from None
    found = settings()
    app, endpoints = found.checked()
    # What is wrong with the store is told to the person who starts this, and not to an agent.
    prepare(found, app)
    permits = Permits(folders=folders, hosts=frozenset(hosts), accounts=frozenset(accounts))
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, endpoints, permits))


async def _serve(app: "App", endpoints: "Endpoints", permits: "Permits") -> None:
    from tiktok_adapters.agents import Desk, build  # noqa: PLC0415 - it needs packages that may be missing

    async with connect_async(app, home=settings().home, environ=os.environ, endpoints=endpoints) as tiktok:
        desk = Desk(tiktok=tiktok, permits=permits, account=choices().account, examine=examiner())
        try:
            await build(desk).run_stdio_async()
        finally:
            await desk.close()
