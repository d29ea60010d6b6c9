"""`tiktok sandbox`: serve the simulated TikTok on loopback until Ctrl-C.

What belongs here: starting the server, and printing its address for people and programs.
"""

import json
import shlex

import click

from tiktok_adapters.cli.common import choices, common
from tiktok_adapters.cli.spelling import ForgivingGroup

__all__ = ["environment", "sandbox"]

PORTABILITY = ("portability.all.single", "portability.all.ongoing")
"""Scopes that a new app does not have; the sandbox grants them so that people can try them."""


@click.group(cls=ForgivingGroup, invoke_without_command=True, short_help="Serve a simulated TikTok on this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port (default: a free one).")
@click.option(
    "--fault", "faults", multiple=True, metavar="FAULT", help="A fault to simulate, such as put:2=drop-after."
)
@common
def sandbox(port: int, faults: tuple[str, ...]) -> None:
    """Serve a simulated TikTok on this machine until Ctrl-C; it prints the settings that connect to it.

    Example: tiktok sandbox --port 8642 --fault init=code:spam_risk_too_many_posts
    """
    try:
        from tiktok_adapters.simulator import DEFAULT_SCOPES, App, SimulatedTikTok, Switches  # noqa: PLC0415
        from tiktok_adapters.simulator.server import serve_forever  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The sandbox needs {error.name}: pip install 'tiktok-open[sandbox]'") from None
    # `curl -T` adds the file's name to a URL that ends in a slash, so the sandbox uses the other documented path.
    app = App(scopes=(*DEFAULT_SCOPES, *PORTABILITY))
    simulated = SimulatedTikTok(switches=Switches(upload_path="/upload", data_seconds=60), apps=[app], seed=None)
    for fault in faults:
        try:
            simulated.faults.add(fault)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--fault") from None
    as_json = choices().json

    def tell(url: str) -> None:
        variables = environment(url)
        if as_json:
            click.echo(json.dumps({"url": url, "environment": variables}))
            return
        lines = [f"# A simulated TikTok is at {url}; Ctrl-C ends it. Settings that connect to it:"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        click.echo("\n".join(lines))

    try:
        serve_forever(simulated, port=port, on_ready=tell)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise click.ClickException(f"The sandbox cannot listen on 127.0.0.1:{port}: {reason}.") from None
    finally:
        simulated.close()


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
