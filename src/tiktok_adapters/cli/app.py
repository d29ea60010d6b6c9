"""The command `tiktok`: the table of its sub-commands, and their exit statuses.

What belongs here: the table of commands, which are imported one at a time so that `--help` stays quick, and the only place
that turns errors into exit statuses.
"""

import importlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, TextIO

import click

from tiktok_adapters.cli.common import common, wants_json
from tiktok_adapters.cli.spelling import ForgivingGroup

__all__ = ["LazyGroup", "tiktok"]

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "configure": ("configure", "Set up: ask for what is missing, and keep it."),
    "login": ("login", "Sign in to TikTok and keep the tokens."),
    "accounts": ("account", "List the signed-in accounts."),
    "whoami": ("account", "Show the account's profile."),
    "refresh": ("account", "Renew the account's tokens now."),
    "logout": ("account", "End a sign-in, at TikTok and on this machine."),
    "creator": ("account", "Show what this creator may post now."),
    "plan": ("plan", "Show how a video is cut into chunks."),
    "post": ("post", "Post a video or photos."),
    "status": ("post", "Show the status of a post."),
    "cancel": ("display", "Stop TikTok from pulling a post's media."),
    "find": ("display", "Find the public video that a post became."),
    "videos": ("display", "List the account's public videos."),
    "data": ("data", "Ask for a copy of the account's data."),
    "uploads": ("journal", "List the unfinished posts."),
    "resume": ("journal", "Continue unfinished posts."),
    "abandon": ("journal", "Give a post up, for good."),
    "worker": ("worker", "Go on with the posts that were entered for workers."),
    "release": ("later", "Release a post that is held, or late."),
    "webhook": ("webhook", "Check a webhook's signature."),
    "doctor": ("doctor", "Find out why you cannot post."),
    "store": ("store", "Look at a store, or move a home folder to a database."),
    "explain": ("plan", "Explain a refusal, and what to do about it."),
    "sandbox": ("sandbox", "Serve a simulated TikTok on this machine."),
    "mcp": ("mcp", "Serve tools for agents over MCP."),
    "studio": ("studio", "Open a page on this machine to post from."),
    "demo": ("demo", "Try everything against a simulated TikTok."),
}


class LazyGroup(ForgivingGroup):
    """A group that imports a command only to run it, and ends the process with the command's exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tiktok_adapters.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = "tiktok",
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run a command and end the process with its exit status."""
        del standalone_mode  # This method always ends the process, because it turns errors into exit statuses.
        as_json = wants_json(args)
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Escape what an old encoding cannot show: an encoding error must not hide that the post was made.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            result = super().main(
                args, prog_name, complete_var, standalone_mode=False, windows_expand_args=windows_expand_args, **extra
            )
            status = result if isinstance(result, int) else 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error becomes one sentence for the person
            from tiktok_adapters.cli.output import report, status_of  # noqa: PLC0415 - brings the whole core

            status = status_of(error)
            # The terminal or pipe may be closed by now.
            with suppress(OSError, ValueError):
                status = report(error, as_json=as_json)
        _let_go(sys.stdout, sys.stderr)
        raise SystemExit(status)


def _let_go(*streams: TextIO | None) -> None:
    # The interpreter flushes its streams again as it ends: a failure there would change the exit status.
    for stream in streams:
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from tiktok_core.version import __version__  # noqa: PLC0415 - brings the whole core

        click.echo(f"tiktok-open {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try it without an account: tiktok demo",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
@common
def tiktok() -> None:
    """Post to TikTok through its Open API."""
