"""`tiktok sandbox run`: run any program with TikTok's host names answered by the simulated TikTok.

What belongs here: options, sentences and exit statuses. `tiktok_adapters.sandboxed` does the work.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tiktok_adapters.cli.common import Port, choices, say

if TYPE_CHECKING:
    from tiktok_adapters.sandboxed.run import Outcome, Wish
    from tiktok_adapters.simulator import SimulatedTikTok

__all__ = ["run"]

PORT = Port(least=1)
MOST_NAMES = 20
FIRST = ""
"""What `--consent` alone says: the first account."""


class _Run(click.Command):
    """A command that says of the group's options where they stand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            others = [] if ctx.parent is None else ctx.parent.command.params
            if error.option_name in {name for other in others for name in other.opts}:
                said = f"{error.option_name} stands before 'run': tiktok sandbox {error.option_name} ... run -- COMMAND"
                raise click.UsageError(said, ctx) from None
            raise


@click.command(
    cls=_Run,
    short_help="Run a program with TikTok's host names answered by the sandbox.",
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--consent",
    is_flag=False,
    flag_value=FIRST,
    metavar="[USERNAME]",
    help="Consent by itself, as this account (default: the first one), wherever the program asks for it.",
)
@click.option(
    "--reach", multiple=True, type=PORT, metavar="PORT", help="A port of this machine that the program may reach."
)
@click.option(
    "--expose",
    multiple=True,
    type=PORT,
    metavar="PORT",
    help="A port of the program that this machine is to have, too.",
)
@click.option(
    "--proxy/--no-proxy",
    "by_proxy",
    default=None,
    help="Lead the program to the sandbox by proxy variables, or never do so (default: where the system has no namespaces).",
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND...")
@click.pass_context
def run(ctx: click.Context, /, command: tuple[str, ...], consent: str | None, **ways: Any) -> int:
    """Run a program, in any language, in a world in which a simulated TikTok answers for TikTok's host names.

    On Linux the program gets a network of its own: TikTok's names lead to the sandbox, and nothing else is there. Where the
    system does not allow that, proxy variables lead the program to the sandbox. The options of 'tiktok sandbox' stand before
    the word 'run'.

    Example: tiktok sandbox --fault put:2=drop-after run --reach 5432 -- python app.py
    """
    if not command:
        raise click.UsageError("Which program? Its name stands behind two hyphens: tiktok sandbox run -- python app.py")
    if choices().json:
        raise click.UsageError("--json does not go with 'run': standard output belongs to the program.")
    from tiktok_adapters.cli.sandbox import environment, simulated  # noqa: PLC0415 - that module imports this one

    options = {} if ctx.parent is None else dict(ctx.parent.params)
    port = options.pop("port", 0)
    del options["tls"]  # the program's own world is served by TLS anyway
    try:
        from tiktok_adapters.sandboxed.run import Wish  # noqa: PLC0415
        from tiktok_adapters.simulator import API_URL, AUTH_URL  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"'run' needs {error.name}: pip install 'tiktok-open[sandbox]'") from None

    def settings(url: str | None) -> Mapping[str, str]:
        return {**environment(url or API_URL), **({} if url else {"TIKTOK_AUTH_URL": AUTH_URL})}

    with simulated(**options) as (world, file):
        usual = world.switches.auto_consent
        if consent is not None:
            world.switches.auto_consent = _consenting(world, consent)
        outcome = _ran(world, Wish(command=command, environ=os.environ, settings=settings, port=port, **ways))
        # `--consent` is for this run only, and not for whoever goes on with the file.
        world.switches.auto_consent = usual
        if file is not None:
            file.save(world)
    if outcome.asked:
        more = len(outcome.asked) - MOST_NAMES
        named = ", ".join(outcome.asked[:MOST_NAMES]) + (f", and {more} more" if more > 0 else "")
        say(f"The program also asked for these names, and got no answer: {named}")
    if outcome.is_given_up:
        say(
            "The program gave up a TLS connection to the sandbox: perhaps it trusts none of the certificates of its variables."
        )
    if outcome.problem:
        say(f"tiktok: {command[0]} cannot be run: {outcome.problem}")
    return outcome.status


def _ran(simulated: "SimulatedTikTok", wish: "Wish") -> "Outcome":
    from tiktok_adapters.sandboxed.run import Forbidden  # noqa: PLC0415
    from tiktok_adapters.sandboxed.run import run as run_sandboxed  # noqa: PLC0415

    try:
        return asyncio.run(run_sandboxed(simulated, wish, say))
    except Forbidden as error:
        raise click.ClickException(f"The program cannot have a network of its own: {error}.") from None
    except OSError as error:
        raise click.ClickException(f"The sandbox cannot begin: {(error.strerror or str(error)).lower()}.") from None


def _consenting(simulated: "SimulatedTikTok", username: str) -> str:
    """Return the user name of the account that consents by itself.

    Raises:
        BadParameter: there is no such account.
    """
    known = [creator.username for creator in simulated.creators]
    if username and username not in known:
        said = f"there is no account {username!r}, only {', '.join(known)}; a program's name stands behind --"
        raise click.BadParameter(said, param_hint="--consent")
    return username or known[0]
