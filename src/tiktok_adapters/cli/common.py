"""What all commands share: the options that stand anywhere, the settings, and a client made from them.

What belongs here: nothing that costs time to import; the core comes when a command needs it.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import define

if TYPE_CHECKING:
    from logging import LogRecord

    from tiktok_adapters.assembly import Settings
    from tiktok_core import Account, TikTok

__all__ = ["BYTES", "Choices", "choices", "client", "common", "printable", "say", "settings", "signed_in", "wants_json"]

LONG_WAIT = 5.0
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    NumberType = click.ParamType[int]
else:
    NumberType = click.ParamType  # Before click 8.4 the class cannot be subscripted.


@define
class Choices:
    """What was chosen for all commands, before or after the command's name."""

    home: str | None = None
    account: str | None = None
    json: bool = False


class Bytes(NumberType):
    """A number of bytes: 10000000, 10_000_000 or 10,000,000."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value).replace("_", "").replace(",", "")
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            self.fail(f"{value!r} is not a number of bytes, such as 10_000_000.", param, ctx)
        return int(text)


BYTES = Bytes()


def choices() -> Choices:
    """Return what was chosen in the command that runs now."""
    return click.get_current_context().find_root().ensure_object(Choices)


def common(command: F) -> F:
    """Give a command the options that are the same everywhere, and may stand before or after its name."""
    for option in (
        click.option(
            "--json", is_flag=True, expose_value=False, is_eager=True, callback=_keep, help="Print one JSON document."
        ),
        click.option(
            "--account",
            metavar="OPEN_ID",
            expose_value=False,
            callback=_keep,
            help="The account, where there are several.",
        ),
        click.option(
            "--home", metavar="FOLDER", expose_value=False, callback=_keep, help="Where tokens and config.toml are."
        ),
    ):
        command = option(command)
    return command


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    # Given twice, the later one wins; not given, it must not undo the earlier one.
    if value:
        setattr(ctx.find_root().ensure_object(Choices), parameter.name or "", value)


def wants_json(arguments: Sequence[str] | None) -> bool:
    """Whether a JSON document is wanted, as far as it can be told before the arguments are understood."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def say(sentence: str) -> None:
    """Write a line for the person, on standard error."""
    # Telling is not doing: a closed terminal must not end a post.
    with suppress(OSError, ValueError, AttributeError):
        click.echo(printable(sentence), err=True)


def printable(text: str) -> str:
    """Return the text without what could move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def settings() -> "Settings":
    """Return the settings of this command, not yet checked, and begin the log that they ask for.

    Raises:
        InvalidSettings: the home folder, its `config.toml` or the level of the log makes no sense.
    """
    from tiktok_adapters.assembly import load_settings  # noqa: PLC0415

    chosen = choices()
    found = load_settings({"home": chosen.home, "account": chosen.account}, os.environ)
    import logging  # noqa: PLC0415

    warnings = logging.Handler(logging.WARNING)
    warnings.emit = partial(_say_warning, set[str]())  # type: ignore[method-assign]  # a handler of one line needs no class
    logging.getLogger("tiktok_core").handlers[:] = [warnings]
    if found.log:
        logging.basicConfig(level=found.log, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return found


def _say_warning(said: set[str], record: "LogRecord") -> None:
    # A person who watches a command stand still for a minute wants to know why; of short waits nobody does. Of a file it
    # is told once, though it is looked at before the sign-in and again before the post.
    sentence, pause = record.getMessage(), getattr(record, "pause", None)
    if (pause is None and sentence not in said) or (pause is not None and pause >= LONG_WAIT):
        said.add(sentence)
        say(sentence)


def client(found: "Settings", kind: str | None = None, *, probe: bool = True) -> "TikTok":
    """Return a client made from the settings; nothing is opened or created yet.

    Args:
        found: the settings.
        kind: of the app, where it was chosen.
        probe: look into videos before they are posted.

    Raises:
        InvalidSettings: everything that is missing or wrong, at once.
    """
    from tiktok_adapters.assembly import connect  # noqa: PLC0415

    app, endpoints = found.checked(kind)
    return connect(app, home=found.home, environ=os.environ, endpoints=endpoints, probe=probe)


@contextmanager
def signed_in(found: "Settings", opened: "TikTok | None" = None) -> Iterator["Account"]:
    """Open the account of the settings, and close the client afterwards.

    Raises:
        InvalidSettings: a setting is missing or wrong, or several accounts are signed in and none was chosen.
        SignInRequired: nobody is signed in, or not the account chosen.
    """
    with opened or client(found) as tiktok:
        yield tiktok.account(found.account)
