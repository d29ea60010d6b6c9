"""The command `tiktok`: its sub-commands by name, and how each of them ends.

What belongs here: the table of commands, loaded one at a time so that `--help` stays quick, and the one place where
errors become exit statuses.
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

__all__ = ["LazyGroup", "tiktok"]

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "login": ("login", "Sign in to TikTok and keep the tokens."),
    "accounts": ("account", "List the signed-in accounts."),
    "whoami": ("account", "Show the account's profile."),
    "refresh": ("account", "Renew the account's tokens now."),
    "logout": ("account", "End a sign-in, at TikTok and here."),
    "creator": ("account", "Show what this creator may post now."),
    "plan": ("plan", "Show how a video is cut into chunks."),
    "post": ("post", "Post a video or photos."),
    "status": ("post", "Ask how a post is doing."),
    "cancel": ("display", "Stop a pull."),
    "find": ("display", "Find what a post has become in public."),
    "videos": ("display", "List the account's public videos."),
    "data": ("data", "Ask for a copy of the account's data."),
    "uploads": ("journal", "List the posts that have not ended."),
    "resume": ("journal", "Go on with a post that has not ended."),
    "webhook": ("webhook", "Check webhooks."),
    "doctor": ("doctor", "Find out why you cannot post."),
    "explain": ("plan", "Tell what a refusal means and what to do."),
    "sandbox": ("sandbox", "Serve a simulated TikTok on this machine."),
    "demo": ("demo", "Show the whole job against a simulated TikTok."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, and which ends the process as the commands say."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tiktok_adapters.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the table; no command is imported for it."""
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
        del standalone_mode  # The process ends here in any case: this is where errors become statuses.
        as_json = wants_json(args)
        if isinstance(sys.stdout, io.TextIOWrapper):
            # What an old encoding cannot show is spelled out: it must not turn a post that was made into an error.
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            result = super().main(
                args, prog_name, complete_var, standalone_mode=False, windows_expand_args=windows_expand_args, **extra
            )
            status = result if isinstance(result, int) else 0
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, a person gets a sentence
            from tiktok_adapters.cli.output import report, status_of  # noqa: PLC0415 - brings the whole core

            status = status_of(error)
            # Nobody may be there any more to read what went wrong.
            with suppress(OSError, ValueError):
                status = report(error, as_json=as_json)
        _let_go(sys.stdout, sys.stderr)
        raise SystemExit(status)


def _let_go(*streams: TextIO | None) -> None:
    # What can no longer be written would fail again as the interpreter ends, and change the exit status.
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
