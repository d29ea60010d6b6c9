"""`tiktok sandbox`: serve the simulated TikTok on loopback until Ctrl-C.

What belongs here: making the simulated TikTok that the options describe, starting its server, and printing the address for
people and programs.
"""

import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tiktok_adapters.cli.common import Port, choices, common
from tiktok_adapters.cli.sandbox_run import run
from tiktok_adapters.cli.spelling import ForgivingGroup

if TYPE_CHECKING:
    import ssl

    from tiktok_adapters.simulator import SimulatedTikTok
    from tiktok_adapters.simulator.state import StateFile

__all__ = ["environment", "sandbox", "simulated"]

PORTABILITY = ("portability.all.single", "portability.all.ongoing")
"""Scopes that a new app does not have; the sandbox grants them so that people can try them."""


@click.group(cls=ForgivingGroup, invoke_without_command=True, short_help="Serve a simulated TikTok on this machine.")
@click.option(
    "--port",
    type=Port(),
    default=0,
    metavar="N",
    help="The port (default: that of the state's last run, or a free one).",
)
@click.option(
    "--creator", "creators", multiple=True, metavar="NAME", help="The username of an account (default: maker_one)."
)
@click.option("--public-creators", is_flag=True, help="Make the accounts public, not private.")
@click.option("--audited", is_flag=True, help="Let TikTok have audited the app, so that it may post in public.")
@click.option(
    "--redirect-uri", "uris", multiple=True, metavar="URI", help="A redirect URI of the app, beside the usual ones."
)
@click.option(
    "--set", "switches", multiple=True, metavar="NAME=VALUE", help="A switch, such as mb=binary; the page lists them."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="FAULT", help="A fault to simulate, such as put:2=drop-after."
)
@click.option("--state", metavar="FILE", help="Go on where this file says, and keep it up to date.")
@click.option("--tls", is_flag=True, help="Serve https, with a certificate made for this run.")
@common
@click.pass_context
def sandbox(context: click.Context, /, port: int, state: str | None, tls: bool, **wanted: Any) -> None:
    """Serve a simulated TikTok on this machine until Ctrl-C; it prints the settings that connect to it.

    Its page shows posts, accounts and requests, and has faults and switches to click.

    Example: tiktok sandbox --port 8642 --fault init=code:spam_risk_too_many_posts
    """
    if context.invoked_subcommand is not None:
        return
    with simulated(state, **wanted) as (world, file), _trusted(tls) as (context_here, trusting):
        _serve(world, port, file, context_here, trusting)


@contextmanager
def simulated(
    state: str | None,
    *,
    creators: Sequence[str] = (),
    public_creators: bool = False,
    audited: bool = False,
    uris: Sequence[str] = (),
    switches: Sequence[str] = (),
    faults: Sequence[str] = (),
) -> "Iterator[tuple[SimulatedTikTok, StateFile | None]]":
    """Give the simulated TikTok that the options describe, and the file that keeps it.

    What the file holds comes first; the options change it.

    Raises:
        click.UsageError: an option or the file cannot be used.
        click.ClickException: a library of the extra `sandbox` is missing.
    """
    try:
        from tiktok_adapters.simulator import DEFAULT_SCOPES, App, Creator, SimulatedTikTok, Switches  # noqa: PLC0415
        from tiktok_adapters.simulator.server import serve_forever  # noqa: F401, PLC0415 - it needs the package that may be missing
        from tiktok_adapters.simulator.state import StateError, StateFile  # noqa: PLC0415
        from tiktok_adapters.simulator.switches import read_switch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The sandbox needs {error.name}: pip install 'tiktok-open[sandbox]'") from None
    # `curl -T` adds the file's name to a URL that ends in a slash, so the sandbox uses the other documented path.
    usual = Switches(upload_path="/upload", data_seconds=60)
    world = SimulatedTikTok(switches=usual, apps=[App(scopes=(*DEFAULT_SCOPES, *PORTABILITY))], seed=None)
    with ExitStack() as closing:
        closing.callback(world.close)
        file, is_kept = None, False
        if state is not None:
            with _refused("--state", StateError):
                file = closing.enter_context(StateFile(state))
                is_kept = file.load(world)
        with _refused("--set", ValueError):
            world.switches.flip(dict(read_switch(one) for one in switches))
        with _refused("--fault", ValueError):
            for fault in faults:
                world.faults.add(fault)
        with _refused("--redirect-uri", ValueError):
            world.app.redirect_uris = tuple(dict.fromkeys((*world.app.redirect_uris, *uris)))
        named = [name.removeprefix("@") for name in dict.fromkeys(creators)]
        with _refused("--creator", ValueError):
            if named and not is_kept:
                del world.creators[:]
            for name in named:
                if world.world.creator(name) is None:
                    world.creators.append(Creator(username=name))
        for creator in world.creators:
            creator.private = creator.private and not public_creators
        world.app.audited = world.app.audited or audited
        yield world, file


@contextmanager
def _refused(option: str, error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error as problem:
        raise click.BadParameter(str(problem), param_hint=option) from None


@contextmanager
def _trusted(tls: bool) -> "Iterator[tuple[ssl.SSLContext | None, Mapping[str, str]]]":
    """Give the context for TLS, and the variables that make each kind of client trust it while the sandbox runs."""
    if not tls:
        yield None, {}
        return
    try:
        from tiktok_adapters.sandboxed.authority import Authority  # noqa: PLC0415
        from tiktok_adapters.sandboxed.variables import AUTHORITIES  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"'--tls' needs {error.name}: pip install 'tiktok-open[sandbox]'") from None
    authority = Authority.of_loopback()
    with tempfile.TemporaryDirectory(prefix="tiktok-sandbox-") as folder:
        certificate = Path(folder, "authority.pem")
        certificate.write_bytes(authority.pem)
        yield authority.context_here(), dict.fromkeys(AUTHORITIES, str(certificate))


def _serve(
    world: "SimulatedTikTok",
    port: int,
    file: "StateFile | None",
    tls: "ssl.SSLContext | None",
    trusting: Mapping[str, str],
) -> None:
    from tiktok_adapters.simulator.server import serve_forever  # noqa: PLC0415
    from tiktok_adapters.simulator.state import StateError  # noqa: PLC0415

    as_json = choices().json

    def tell(url: str) -> None:
        variables = {**environment(url), **trusting}
        if as_json:
            click.echo(json.dumps({"url": url, "environment": variables}))
            return
        lines = [f"# A simulated TikTok is at {url}; Ctrl-C ends it. Settings that connect to it:"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        click.echo("\n".join(lines))

    port = port or (file.port if file is not None else 0)
    try:
        serve_forever(world, port=port, on_ready=tell, state=file, tls=tls)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise click.ClickException(
            f"The sandbox cannot listen on 127.0.0.1:{port}: {reason}. Give another port by --port, or end what is there."
        ) from None
    except StateError as error:
        raise click.ClickException(str(error)) from None


sandbox.add_command(run)


def environment(url: str) -> dict[str, str]:
    """Return the environment variables that connect the command line to a sandbox at `url`."""
    from tiktok_adapters.simulator import (  # noqa: PLC0415
        DEFAULT_CLIENT_KEY,
        DEFAULT_CLIENT_SECRET,
        DEFAULT_REDIRECT_URI,
    )

    return {
        "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
        "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "TIKTOK_REDIRECT_URI": DEFAULT_REDIRECT_URI,
        "TIKTOK_API_URL": url,
        "TIKTOK_AUTH_URL": f"{url}/v2/auth/authorize/",
    }
