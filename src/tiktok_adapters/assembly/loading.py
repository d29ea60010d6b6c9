"""Reading the settings: each from the first source that has it, and everything that is wrong with the sources at once.

What belongs here: options, environment, `config.toml`. The module `settings` says which settings there are.
"""

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tiktok_adapters.assembly.keys import KEY_VARIABLE
from tiktok_adapters.assembly.network import SHARED
from tiktok_adapters.assembly.settings import CONFIG, TABLE, Settings
from tiktok_core import InvalidSettings, Problem, Secret
from tiktok_core.hidden import Hidden

__all__ = ["load_settings"]


def load_settings(
    options: Mapping[str, str | Secret | None], environ: Mapping[str, str] | Hidden[Mapping[str, str] | None]
) -> Settings:
    """Return the settings: an option overrides the environment, which overrides `config.toml` in the home folder.

    Args:
        options: values by the names in `Settings`; None and empty values count as missing.
        environ: variables such as `TIKTOK_CLIENT_KEY`.

    Raises:
        InvalidSettings: the home folder, the file, the store or the log level is invalid.
    """
    lying, around = Hidden(options), Hidden((environ.reveal() if isinstance(environ, Hidden) else environ) or {})
    del options, environ  # A crash report would show them.
    chosen = _covered(lying)
    variables = _covered(Hidden({name: around.reveal().get(row.variable) for name, row in TABLE.items()}))
    home, home_origin = _home(chosen, variables)
    written = _written(home / CONFIG)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    origins = {"home": home_origin} if home_origin else {}
    for name, row in TABLE.items():
        if name == "home":
            continue
        for value, origin in (
            (chosen.get(name), f"the option --{name.replace('_', '-')}"),
            (variables.get(name), row.variable),
            (written.get(name), str(home / CONFIG)),
        ):
            if value:
                try:
                    values[name], origins[name] = row.read(value), origin
                except ValueError as error:
                    problems.append(Problem(name, f"{error} (it comes from {origin})"))
                break
    if problems:
        raise InvalidSettings(tuple(problems))
    shared = Hidden({name: around.reveal()[name] for name in SHARED if around.reveal().get(name)})
    return Settings(home=home, origins=origins, shared=shared, **values)


def _covered(given: Hidden[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the given values with the secrets hidden. It hides unknown names too: one may be a misspelt secret."""
    covered: dict[str, Any] = {}
    for name in given.reveal():
        is_secret = (name not in TABLE or TABLE[name].read is Secret) and not isinstance(given.reveal()[name], Secret)
        cover = Secret if isinstance(given.reveal()[name], str) else Hidden
        covered[name] = cover(given.reveal()[name]) if is_secret else given.reveal()[name]
    return covered


def _home(options: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[Path, str]:
    for value, origin in ((options.get("home"), "the option --home"), (variables.get("home"), "TIKTOK_HOME")):
        if not value:
            continue
        if "\0" in value:
            raise InvalidSettings((Problem("home", f"contains a NUL character (it comes from {origin})"),))
        home = _at_home(Path(value))
        if home.is_file():
            raise InvalidSettings((Problem("home", f"{home} is a file: name a folder (it comes from {origin})"),))
        return home, origin
    return _at_home(Path("~/.tiktok")), ""


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        message = "cannot be found on this machine: set TIKTOK_HOME to a folder for tokens and settings"
        raise InvalidSettings((Problem("home", message),)) from None


def _written(path: Path) -> dict[str, Any]:
    """Return the settings in the file, with the secrets hidden; none if there is no file."""
    try:
        text = Secret(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _unreadable(path, (error.strerror or type(error).__name__).lower()) from None
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None
    try:
        document = _covered(Hidden(tomllib.loads(text.reveal())))
    except tomllib.TOMLDecodeError as error:
        # TOML's message names the place but does not quote the line, which may hold the secret.
        raise _unreadable(path, f"it is not TOML: {error}") from None
    if "store_key" in document:
        message = f"must not be in {path}, beside the tokens it encrypts: set {KEY_VARIABLE} or store_key_file instead"
        raise InvalidSettings((Problem("store_key", message),))
    known = [name for name, row in TABLE.items() if row.in_file]
    problems = [
        Problem(name, f"is not a setting, but {path} contains it; the settings are {', '.join(known)}")
        if name not in known
        else Problem(name, f"must be a text in quotes in {path}")
        for name, value in document.items()
        if name not in known or not isinstance(value, (str, Secret))
    ]
    if problems:
        raise InvalidSettings(tuple(problems))
    if any(isinstance(value, Secret) for value in document.values()) and path.stat().st_mode & 0o077:
        # The file holds a secret. If another user owns it, the chmod fails, and the mode stays that user's choice.
        with suppress(OSError):
            path.chmod(0o600)
    return document


def _unreadable(path: Path, why: str) -> InvalidSettings:
    return InvalidSettings((Problem(CONFIG, f"{path} cannot be read: {why}"),))
