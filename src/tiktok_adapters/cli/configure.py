"""`configure`: ask for the settings that an app needs, and write them to `config.toml`.

What belongs here: the questions, and writing the file. `assembly` says what a setting is and whether it can work.
"""

import json
import os
import secrets
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click
from attrs import evolve

from tiktok_adapters.assembly.settings import CONFIG
from tiktok_adapters.cli.advice import CREDENTIALS, REDIRECTS
from tiktok_adapters.cli.common import common, say, settings
from tiktok_adapters.cli.output import show
from tiktok_core import InvalidSettings, Secret, StoreError
from tiktok_core.hidden import Hidden

__all__ = ["configure"]

QUESTIONS: Final = {
    "client_key": ("Client key", f"{CREDENTIALS}. Until TikTok has approved the app, take those of its sandbox."),
    "client_secret": ("Client secret", "The same page. What you type is not shown."),
    "redirect_uri": (
        "Redirect URI",
        f"{REDIRECTS}. Register one for desktop, and give exactly the same here; a * as port means any free port.",
    ),
}
USUAL: Final = "http://127.0.0.1:*/callback/"


@click.command(short_help="Set up: ask for what is missing, and keep it.")
@click.option("--client-key", metavar="KEY", help="The app's client key.")
@click.option("--redirect-uri", metavar="URI", help="The redirect URI, as registered.")
@common
def configure(client_key: str | None, redirect_uri: str | None) -> None:
    """Ask for the app's settings, say where they stand in TikTok's developer portal, and write them to config.toml.

    Only you can read that file (mode 0600). The client secret is asked for and never an option, which other programs could see;
    a script sends it on standard input.

    Example: tiktok configure
    """
    found = settings()
    path = found.home / CONFIG
    say(f"The settings will be kept in {path}, which only you can read.")
    key = client_key or _asked("client_key", found.client_key)
    secret = _asked_secret(found.client_secret)
    uri = redirect_uri or _asked("redirect_uri", found.redirect_uri or USUAL)
    changed = evolve(found, client_key=key, client_secret=secret, redirect_uri=uri, origins={})
    with _as_asked():
        changed.checked(without=("network",))
    answers: dict[str, str | Secret] = {"client_key": key, "client_secret": secret, "redirect_uri": uri}
    _write(path, answers)
    names = list(QUESTIONS)
    if others := [variable for name in names if _is_other(variable := f"TIKTOK_{name.upper()}", answers[name])]:
        say(f"The environment comes first: unset {' and '.join(others)}, or what you have typed does not count.")
    show({"file": str(path), "settings": names}, f"Kept {', '.join(names)} in {path}. Now sign in: tiktok login")


def _is_other(variable: str, answer: str | Secret) -> bool:
    return bool(os.environ.get(variable)) and Secret(os.environ[variable]) != Secret(answer)


def _asked(name: str, usual: str) -> str:
    title, where = QUESTIONS[name]
    say(where)
    with _answered(title):
        answer: str = click.prompt(title, default=usual or None, err=True)
    return answer.strip()


def _asked_secret(known: Secret) -> Secret:
    title, where = QUESTIONS["client_secret"]
    say(where)
    kept = " (press Return to keep the one that is set)" if known else ""
    with _answered(title):
        if sys.stdin is not None and sys.stdin.isatty():
            typed = Secret(click.prompt(f"{title}{kept}", default="", show_default=False, hide_input=True, err=True))
        else:
            # A hidden prompt reads from the terminal of the session, where it has one, and not what a script sends.
            typed = Secret(sys.stdin.readline() if sys.stdin is not None else "")
            if not typed:
                raise EOFError
    return Secret(typed.reveal().strip()) or known


@contextmanager
def _answered(title: str) -> Iterator[None]:
    """Say which question was not answered, where the input ends instead."""
    try:
        yield
    except (click.Abort, EOFError) as error:
        if isinstance(error, click.Abort) and not isinstance(error.__context__, EOFError):
            raise
        raise click.UsageError(f'The input ended before "{title}" was answered, so nothing was written.') from None


@contextmanager
def _as_asked() -> Iterator[None]:
    """Name a setting as it was asked for, because it stands in no file yet."""
    try:
        yield
    except InvalidSettings as error:
        problems = [
            evolve(one, field=QUESTIONS[one.field][0]) if one.field in QUESTIONS else one for one in error.problems
        ]
        raise InvalidSettings(tuple(problems)) from None


def _write(path: Path, answers: Mapping[str, str | Secret]) -> None:
    """Write the answers over what the file holds of them, and leave its other settings as they are.

    Raises:
        StoreError: the file cannot be written.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _kept(path, answers)
        text = Secret("".join(f"{name} = {_quoted(Secret(value))}\n" for name, value in (*answers.items(), *kept)))
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text.reveal())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StoreError(str(path), (error.strerror or type(error).__name__).lower(), "failed") from None


def _kept(path: Path, answers: Mapping[str, str | Secret]) -> list[tuple[str, Secret]]:
    """Return the settings of the file that are not answered now."""
    written = Hidden(tomllib.loads(path.read_text("utf-8")) if path.exists() else {})
    return [(name, Secret(written.reveal()[name])) for name in written.reveal() if name not in answers]


def _quoted(value: Secret) -> str:
    # A JSON string in ASCII is a basic string of TOML, but for DEL, which TOML wants escaped.
    return json.dumps(value.reveal()).replace("\x7f", "\\u007f")
