"""Where tokens are kept, and the keys of those that are kept encrypted.

What belongs here: which stores there are, what each needs, and how keys are read. Keys come from the environment or from a
file of their own, and never lie beside what they encrypt.
"""

import importlib.util
import os
import stat
from pathlib import Path
from typing import Final

from tiktok_core import InvalidSettings, Problem, Secret

__all__ = ["KEY_FILE_VARIABLE", "KEY_VARIABLE", "STORES", "check_installed", "store_keys"]

STORES: Final = {"sqlite": "", "keyring": "keyring", "encrypted": "cryptography"}
"""The stores, and the package that each needs beyond the base."""
KEY_VARIABLE: Final = "TIKTOK_STORE_KEY"
KEY_FILE_VARIABLE: Final = "TIKTOK_STORE_KEY_FILE"
LONGEST: Final = 64 * 1_024
EVERYBODY_ELSE: Final = stat.S_IRWXG | stat.S_IRWXO


def check_installed(store: str) -> None:
    """Look whether the store's package is there.

    Raises:
        InvalidSettings: it is not.
    """
    package = STORES[store]
    if package and importlib.util.find_spec(package) is None:
        raise _problem("store", f"{store!r} needs {package}: pip install 'tiktok-open[{store}]'")


def store_keys(key: Secret, file: str, home: Path) -> tuple[Secret, ...]:
    """Return the keys, the newest first. They stand one after the other, with commas, blanks or line ends between.

    Args:
        key: from the environment; the file is not read then.
        file: where keys are otherwise; its owner alone may have any rights to it. Empty for none.
        home: the folder of what they encrypt.

    Raises:
        InvalidSettings: there is no key, one is none, or the file must not hold one.
    """
    from tiktok_adapters.stores.encrypted import check_keys  # noqa: PLC0415 - for this store only

    text = key or (_read(Path(file).expanduser(), home) if file else key)
    if not (found := tuple(map(Secret, text.reveal().replace(",", " ").split()))):
        where = f"{file} holds none" if file else f"set {KEY_VARIABLE}, or {KEY_FILE_VARIABLE} to a file outside {home}"
        raise _problem("store_key", f"is missing: {where}")
    check_keys(found)
    return found


def _read(path: Path, home: Path) -> Secret:
    if path.resolve().is_relative_to(home.resolve()):
        raise _problem(
            "store_key_file", f"{path} lies beside the tokens, and whoever gets those would get it: move it elsewhere"
        )
    try:
        # A pipe would be waited for.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(fd, encoding="utf-8") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise _problem("store_key_file", f"{path} is not a regular file")
            _check_rights(path, found)
            return Secret(file.read(LONGEST))
    except OSError as error:
        raise _problem("store_key_file", f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise _problem("store_key_file", f"{path} cannot be read: it is no text") from None


def _check_rights(path: Path, found: os.stat_result) -> None:
    if not hasattr(os, "geteuid"):  # Windows has rights of another kind, which a mode does not show.
        return
    if found.st_uid not in {os.geteuid(), 0}:
        raise _problem("store_key_file", f"{path} belongs to another user")
    if found.st_mode & EVERYBODY_ELSE:
        # Not narrowed, as a store is: whoever could read it has the key already.
        raise _problem("store_key_file", f"{path} can be read by others: replace the key, and chmod 600 the file")


def _problem(field: str, message: str) -> InvalidSettings:
    return InvalidSettings((Problem(field, message),))
