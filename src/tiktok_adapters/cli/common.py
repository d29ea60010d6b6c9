"""What all commands share: the options allowed everywhere, the settings, and a client made from the settings.

What belongs here: nothing that is slow to import. A command imports the core when it needs it.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
from attrs import define

if TYPE_CHECKING:
    from datetime import datetime
    from logging import LogRecord

    from tiktok_adapters.assembly import Settings
    from tiktok_core import Account, Record, TikTok
    from tiktok_core.ports import Clock

__all__ = [
    "BYTES",
    "OF_THE_RECORD",
    "POSTING",
    "Choices",
    "Port",
    "account_of",
    "choices",
    "client",
    "common",
    "key_of",
    "known_post",
    "named_post",
    "now",
    "place",
    "printable",
    "recorded",
    "say",
    "settings",
    "signed_in",
    "wants_json",
]

LONG_WAIT = 5.0
CLOCK = "tiktok_adapters.cli.clock"
"""Where the context of a command keeps the clock of its client."""
POSTING = ("video.publish", "video.upload")
"""The scopes of which one is enough to ask TikTok about a post."""
OF_THE_RECORD = ("damaged", "version")
"""The troubles of a store that are those of one record."""
F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    NumberType = click.ParamType[int]
else:
    NumberType = click.ParamType  # Before click 8.4 the class cannot be subscripted.


@define
class Choices:
    """The options that every command has, whether they stand before or after the command's name."""

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


class Port(NumberType):
    """A port; 0 for a free one where the option allows it."""

    name = "port"

    def __init__(self, least: int = 0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and self._least <= int(text[:6]) <= 65535):
            self.fail(f"{value!r} is not a port: a number from {self._least} to 65535.", param, ctx)
        return int(text)


BYTES = Bytes()


def choices() -> Choices:
    """Return the shared options of the command that runs now."""
    return click.get_current_context().find_root().ensure_object(Choices)


def common(command: F) -> F:
    """Give a command the shared options, which may stand before or after its name."""
    for option in (
        click.option(
            "--json", is_flag=True, expose_value=False, is_eager=True, callback=_keep, help="Print one JSON document."
        ),
        click.option(
            "--account",
            metavar="OPEN_ID",
            expose_value=False,
            callback=_keep,
            help="The account to use, if several are signed in.",
        ),
        click.option(
            "--home",
            metavar="FOLDER",
            expose_value=False,
            callback=_keep,
            help="The folder with the tokens and config.toml.",
        ),
    ):
        command = option(command)
    return command


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    # The later of two values wins; a missing option must not erase the value of an earlier one.
    if value:
        setattr(ctx.find_root().ensure_object(Choices), parameter.name or "", value)


def wants_json(arguments: Sequence[str] | None) -> bool:
    """Whether the arguments seem to ask for JSON. It looks at the words, because click has not parsed them yet."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def say(sentence: str) -> None:
    """Write a line for the person, on standard error."""
    # A closed terminal must not end a post.
    with suppress(OSError, ValueError, AttributeError):
        click.echo(printable(sentence), err=True)


def now() -> "datetime":
    """Return the time by the clock of the client that the command has made; before that, by the machine's."""
    from tiktok_adapters.clocks import SystemClock  # noqa: PLC0415

    made = click.get_current_context(silent=True)
    clock: Clock = made.find_root().meta.get(CLOCK, SystemClock()) if made else SystemClock()
    return clock.now()


def place(found: "Settings") -> str:
    """Return where tokens and posts are kept, as a sentence names it: without user and password."""
    from tiktok_adapters.assembly.shared import shared_stores  # noqa: PLC0415

    return shared_stores(found).name if found.store_url else str(found.home)


def printable(text: str) -> str:
    """Return the text with every unprintable character replaced, so that it cannot move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in text)


def settings() -> "Settings":
    """Return the settings of this command, not yet checked, and start the log that they ask for.

    Raises:
        InvalidSettings: the home folder, its `config.toml` or the log level is invalid.
    """
    from tiktok_adapters.assembly import load_settings  # noqa: PLC0415

    chosen = choices()
    found = load_settings({"home": chosen.home, "account": chosen.account}, os.environ)
    import logging  # noqa: PLC0415

    warnings = logging.Handler(logging.WARNING)
    warnings.emit = partial(_say_warning, set[str]())  # type: ignore[method-assign]  # a handler of one line needs no class
    logging.getLogger("tiktok_core").handlers[:] = [warnings]
    if found.log:
        logging.basicConfig(
            level=found.log, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
    return found


def _say_warning(said: set[str], record: "LogRecord") -> None:
    # Long waits are shown, because a person wants to know why the command stands still; short waits are not. A warning
    # about a file is shown once, although the file is checked before the sign-in and again before the post.
    from tiktok_core.logs import sentence  # noqa: PLC0415

    text, pause, problem = sentence(record), getattr(record, "pause", None), getattr(record, "problem", None)
    if problem is not None:
        from tiktok_adapters.cli.options import option_of  # noqa: PLC0415

        text = f"{option_of(problem.field)}: {problem.message}"
    if (pause is None and text not in said) or (pause is not None and pause >= LONG_WAIT):
        said.add(text)
        say(text)


def client(found: "Settings", kind: str | None = None, *, probe: bool = True) -> "TikTok":
    """Return a client made from the settings. It does not open or create anything yet.

    Args:
        found: the settings.
        kind: the app's kind, if `--kind` chose it.
        probe: check videos before they are posted.

    Raises:
        InvalidSettings: settings are missing or wrong; the error names all of them at once.
    """
    from tiktok_adapters.assembly import connect  # noqa: PLC0415

    app, endpoints = found.checked(kind)
    tiktok = connect(app, home=found.home, environ=os.environ, endpoints=endpoints, probe=probe)
    click.get_current_context().find_root().meta[CLOCK] = tiktok.clock
    return tiktok


@contextmanager
def signed_in(
    found: "Settings", opened: "TikTok | None" = None, *, needs: Iterable[str] = (), any_of: Iterable[str] = ()
) -> Iterator["Account"]:
    """Yield the account that the settings choose, and close the client afterwards.

    Args:
        found: the settings.
        opened: the client; made from the settings unless given.
        needs: the scopes without which TikTok would refuse the command.
        any_of: scopes of which one is enough.

    Raises:
        InvalidSettings: a setting is missing or wrong, or several accounts are signed in and none was chosen.
        SignInRequired: no account is signed in, or the chosen one is not, or it did not grant what the command needs.
    """
    with opened or client(found) as tiktok:
        account = account_of(tiktok, found.account)
        tiktok.clock.now()  # A database's clock needs its first look before the client closes; sentences are made after that.
        needed, either = tuple(needs), tuple(any_of)
        _check_scopes(tiktok, account.open_id, needed, either)
        with _naming(needed or either[:1]):
            yield account


@contextmanager
def _naming(scopes: Sequence[str]) -> Iterator[None]:
    """Note with a refusal for want of a scope which scopes the command needs: TikTok does not say."""
    from tiktok_core import ScopeMissing  # noqa: PLC0415

    try:
        yield
    except ScopeMissing as error:
        error.__dict__["needed"] = scopes
        raise


def _check_scopes(tiktok: "TikTok", open_id: str, needs: Sequence[str], any_of: Sequence[str]) -> None:
    # What was granted lies in the store, so no request is needed. Tokens from elsewhere may lie there without their scopes.
    if not needs and not any_of:
        return
    tokens = next((one for one in tiktok.accounts() if one.open_id == open_id), None)
    if tokens is None or not tokens.scope:
        return
    lacking = tokens.missing(needs)
    if any_of and not lacking and len(tokens.missing(any_of)) == len(any_of):
        lacking = tuple(any_of[:1])
    if lacking:
        from tiktok_adapters.cli.output import NotGranted  # noqa: PLC0415

        command = click.get_current_context().command_path
        raise NotGranted(open_id, f"it did not grant {', '.join(lacking)}, which '{command}' needs", lacking)


def account_of(tiktok: "TikTok", wanted: str | None) -> "Account":
    """Return the account that is meant, in any spelling, or the only one.

    Raises:
        InvalidSettings: several accounts are signed in and none was chosen.
        SignInRequired: no account is signed in, or the chosen one is not; the error names the accounts that are.
    """
    from tiktok_adapters.cli.spelling import near, spelled  # noqa: PLC0415
    from tiktok_core import SignInRequired  # noqa: PLC0415

    try:
        return tiktok.account(wanted)
    except SignInRequired:
        known = [tokens.open_id for tokens in tiktok.accounts()] if wanted else []
        if not wanted or not known:
            raise
        if (meant := spelled(wanted, known)) != wanted:
            return tiktok.account(meant)
        said = near(wanted, known) or f"; signed in: {', '.join(known)}"
        raise SignInRequired(wanted, f"it is not signed in here{said}") from None


def named_post(account: "Account", post: str) -> "tuple[str, Record | None]":
    """Return the publish id and the record of a post that a person named by its key or by its publish id.

    Raises:
        InvalidInput: the key is that of a post that TikTok has not named yet, or it is empty.
    """
    from tiktok_core import InvalidInput, Problem  # noqa: PLC0415

    if (record := _record_of(account, post)) is None:
        return post, None
    if record.publish_id is None:
        said = f"{post!r} is {record.stage}, and TikTok has given it no publish id"
        if not record.is_given_up:
            said = f"{said} yet: tiktok {'release' if record.is_held else 'resume'} {post}"
        raise InvalidInput((Problem("key", said),))
    return record.publish_id, record


def key_of(account: "Account", post: str) -> str:
    """Return the key of a post that a person named by its key or by its publish id; what the journal does not know stays.

    Raises:
        InvalidInput: it is empty.
    """
    record = _record_of(account, post)
    return post if record is None else record.key


def recorded(account: "Account", post: str) -> "Record | None":
    """Return the record of a post by its key or its publish id; None where there is none, or none that can be read."""
    from tiktok_core import StoreError  # noqa: PLC0415

    try:
        return account.post(post)
    except StoreError as error:
        if error.kind not in OF_THE_RECORD:
            raise
        return None


def _record_of(account: "Account", post: str) -> "Record | None":
    from tiktok_core import InvalidInput, Problem  # noqa: PLC0415

    if not post.strip():
        raise InvalidInput((Problem("key", "is empty; 'tiktok uploads' lists the posts that have not ended"),))
    return recorded(account, post)


@contextmanager
def known_post(account: "Account", post: str) -> Iterator[None]:
    """Say of a post that the journal does not know, nor TikTok if it was asked, which keys are near."""
    from tiktok_core import ApiError, InvalidInput, Problem  # noqa: PLC0415

    no_post = f"the journal of this account has no post {post!r}"
    try:
        yield
    except (ApiError, InvalidInput) as error:
        if isinstance(error, ApiError):
            # TikTok's ids contain a tilde, and keys seldom do.
            is_unknown = error.code == "invalid_publish_id" and "~" not in post and _record_of(account, post) is None
            said = f"neither the journal of this account nor TikTok knows a post {post!r}"
        else:
            is_unknown, said = error.problems == (Problem("key", no_post),), no_post
        if not is_unknown:
            raise
        from tiktok_adapters.cli.spelling import near  # noqa: PLC0415

        raise InvalidInput((Problem("key", f"{said}{near(post, (one.key for one in account.posts()))}"),)) from error
