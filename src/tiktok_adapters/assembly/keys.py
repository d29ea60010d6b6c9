"""The token stores, and the keys of the encrypted store.

What belongs here: the list of stores, the package that each needs, and reading the keys. Keys come from the environment or
from a file of their own, which never lies beside the tokens that the keys encrypt.
"""

import importlib.util
import os
import stat
from pathlib import Path
from typing import Final

from tiktok_core import InvalidSettings, Problem, Secret

__all__ = ["KEY_FILE_VARIABLE", "KEY_VARIABLE", "STORES", "check_installed", "store_keys"]

STORES: Final = {"sqlite": "", "keyring": "keyring", "encrypted": "cryptography"}
"""The stores, and the extra package that each needs."""
KEY_VARIABLE: Final = "TIKTOK_STORE_KEY"
KEY_FILE_VARIABLE: Final = "TIKTOK_STORE_KEY_FILE"
LONGEST: Final = 64 * 1_024
EVERYBODY_ELSE: Final = stat.S_IRWXG | stat.S_IRWXO


def check_installed(store: str) -> None:
    """Check that the store's package is installed.

    Raises:
        InvalidSettings: the package is missing.
    """
    package = STORES[store]
    if package and importlib.util.find_spec(package) is None:
        raise _problem("store", f"{store!r} needs {package}: pip install 'tiktok-open[{store}]'")


def store_keys(key: Secret, file: str, home: Path) -> tuple[Secret, ...]:
    """Return the keys, the newest first. Commas, spaces or line ends separate them.

    Args:
        key: the keys from the environment. If there are any, the file is not read.
        file: the file with the keys, to which only its owner may have rights; empty for none.
        home: the folder of the tokens that the keys encrypt.

    Raises:
        InvalidSettings: there is no key, a key is not valid, or the file is not safe for keys.
    """
    from tiktok_adapters.stores.encrypted import check_keys  # noqa: PLC0415 - for this store only

    text = key or (_read(Path(file).expanduser(), home) if file else key)
    if not (found := tuple(map(Secret, text.reveal().replace(",", " ").split()))):
        where = (
            f"{file} holds no key" if file else f"set {KEY_VARIABLE}, or {KEY_FILE_VARIABLE} to a file outside {home}"
        )
        raise _problem("store_key", f"is missing: {where}")
    check_keys(found)
    return found


def _read(path: Path, home: Path) -> Secret:
    if path.resolve().is_relative_to(home.resolve()):
        raise _problem(
            "store_key_file", f"{path} lies beside the tokens, so a thief would get both: move it to another folder"
        )
    try:
        # Without O_NONBLOCK the call would wait for the writer of a pipe.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(fd, encoding="utf-8") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise _problem("store_key_file", f"{path} is not a regular file: name a file that holds the key")
            _check_rights(path, found)
            return Secret(file.read(LONGEST))
    except OSError as error:
        raise _problem("store_key_file", f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        raise _problem("store_key_file", f"{path} cannot be read: it is not UTF-8 text") from None


def _check_rights(path: Path, found: os.stat_result) -> None:
    if not hasattr(os, "geteuid"):  # On Windows a file's mode does not show its access rights.
        return
    if found.st_uid not in {os.geteuid(), 0}:
        raise _problem("store_key_file", f"{path} belongs to another user: use a file of your own")
    if found.st_mode & EVERYBODY_ELSE:
        # A store's file would get a narrower mode here. For a key that is too late: others may have read it already.
        raise _problem(
            "store_key_file", f"other users can read or write {path}: replace the key, and chmod 600 the file"
        )


def _problem(field: str, message: str) -> InvalidSettings:
    return InvalidSettings((Problem(field, message),))
