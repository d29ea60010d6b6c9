"""`tiktok studio`: open a page on this machine for one person, until Ctrl-C.

What belongs here: the options, the client of the page, and with `--sandbox` the simulated TikTok that it talks to. The page itself is
`tiktok_adapters.studio`.
"""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from tiktok_adapters.assembly import connect_async, prepare
from tiktok_adapters.cli.common import Port, choices, common, say, settings
from tiktok_adapters.cli.doctor import examiner
from tiktok_adapters.cli.sandbox import environment, simulated
from tiktok_adapters.sign_in.browser import open_browser

if TYPE_CHECKING:
    from pathlib import Path

    from tiktok_adapters.studio import Studio
    from tiktok_core import App, AsyncTikTok, Endpoints

__all__ = ["studio"]

OURS = "TIKTOK_"


@click.command(short_help="Open a page on this machine to post from.")
@click.option("--port", type=Port(), default=0, metavar="N", help="The port of the page (default: a free one).")
@click.option("--no-browser", is_flag=True, help="Open no browser; print the address only.")
@click.option(
    "--sandbox", is_flag=True, help="Use a simulated TikTok: nothing reaches the real one, and nothing is kept."
)
@click.option("--name", default="", metavar="APP", help="The name of your app, to stand at the top of each page.")
@common
def studio(port: int, *, no_browser: bool, sandbox: bool, name: str) -> None:
    """Open a page on this machine: sign in, drop a film, see what is wrong with it, post it, and follow your posts.

    Only the browser that opens the printed address can use the page. Ctrl-C ends it: posts and films stay, and the next run goes on
    with them.

    Example: tiktok studio --sandbox
    """
    try:
        import tiktok_adapters.studio  # noqa: F401, PLC0415 - it needs the package that may be missing
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The studio needs {error.name}: pip install 'tiktok-open[studio]'") from None
    if not sandbox:
        _run(port, no_browser=no_browser, name=name)
        return
    if choices().home:
        raise click.UsageError("--sandbox keeps everything in a folder of its own: leave out --home.")
    with _sandbox() as note:
        _run(port, no_browser=no_browser, name=name, note=note)


def _run(port: int, *, no_browser: bool, name: str, note: str = "") -> None:
    from tiktok_adapters.studio import Studio  # noqa: PLC0415 - it needs a package that may be missing

    found = settings()
    app, endpoints = found.checked()
    # What is wrong with the store is told here, and not on the page after a person has consented.
    prepare(found, app)
    as_json = choices().json

    def tell(url: str) -> None:
        say("Open this page; its address works once, in one browser. Ctrl-C ends the studio, and nothing is lost:")
        click.echo(json.dumps({"url": url}) if as_json else url)
        if not no_browser:
            open_browser(url)

    with suppress(KeyboardInterrupt):
        asyncio.run(
            _serve(app, endpoints, partial(Studio, port=port, note=note, app_name=name, examine=examiner()), tell)
        )


async def _serve(
    app: "App", endpoints: "Endpoints", page_of: "Callable[[AsyncTikTok, Path], Studio]", tell: Callable[[str], None]
) -> None:
    stop, loop, home = asyncio.Event(), asyncio.get_running_loop(), settings().home
    for number in (signal.SIGINT, signal.SIGTERM):
        # On systems whose loops cannot watch signals, Ctrl-C raises an exception.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    tiktok = connect_async(app, home=home, environ=os.environ, endpoints=endpoints)
    async with tiktok, page_of(tiktok, home) as page:
        tell(page.url)
        await stop.wait()


@contextmanager
def _sandbox() -> Iterator[str]:
    """Serve a simulated TikTok, and let this process know of no other one. Give what the pages say about it.

    Variables and files of the person could lead to the real TikTok, so that none of them counts meanwhile.
    """
    with simulated(None) as (world, _file), tempfile.TemporaryDirectory(prefix="tiktok-studio-") as home:
        from tiktok_adapters.simulator.server import SandboxServer  # noqa: PLC0415 - `simulated` has told if it is missing

        before = dict(os.environ)
        with SandboxServer(world).run_in_thread() as server:
            for name in [name for name in before if name.startswith(OURS)]:
                del os.environ[name]
            os.environ.update({**environment(server.url), "TIKTOK_HOME": home})
            try:
                yield f"A simulated TikTok at {server.url}. Nothing here reaches TikTok, and nothing is kept after the end."
            finally:
                for name in [name for name in os.environ if name.startswith(OURS)]:
                    del os.environ[name]
                os.environ.update({name: value for name, value in before.items() if name.startswith(OURS)})
