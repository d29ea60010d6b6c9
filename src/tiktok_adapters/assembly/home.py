"""The home folder: its files, and the stores in those files.

What belongs here: the names and modes of files. The stores decide what their files contain and when to open them.
"""

import logging
import os
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from tiktok_adapters.assembly.settings import Settings
from tiktok_adapters.assembly.shared import shared_stores
from tiktok_adapters.stores.apps import app_digest
from tiktok_adapters.stores.on_demand import JournalOnDemand, PacerOnDemand, TokensOnDemand
from tiktok_core import App, StoreError
from tiktok_core.ports import Journal, Pacer, TokenStore

__all__ = [
    "TOKENS",
    "home_files",
    "home_journal",
    "home_pacer",
    "home_tokens",
    "journal_file",
    "pacer_file",
    "prepare",
    "tell_of_home",
    "token_file",
    "wrapped",
]

TOKENS: Final = {"sqlite": "tokens-{app}.db", "keyring": "keychain-{app}.db", "encrypted": "encrypted-{app}.db"}
"""One file for each app: an `open_id` is valid for one app only, and no other app may get its tokens.

Each store has a file of its own too, so that no store reads another's file: the file beside a keychain holds no secrets.
"""
SERVICE: Final = "tiktok-open {app}"
JOURNAL: Final = "journal.db"
PACER: Final = "pace.db"

log: Final = logging.getLogger("tiktok_core")


def token_file(home: Path, app: App, store: str = "sqlite") -> Path:
    """Return the file in which a store keeps the tokens of this app's accounts, or the accounts without their tokens."""
    return home / TOKENS[store].format(app=app_digest(app.client_key))


def journal_file(home: Path) -> Path:
    """Return the file that keeps the records of posts of all apps; each record names its app."""
    return home / JOURNAL


def pacer_file(home: Path) -> Path:
    """Return the file through which the processes of this machine share TikTok's quotas."""
    return home / PACER


def prepare(settings: Settings, app: App) -> None:
    """Make or reach the store that keeps an app's tokens, so that its errors come before a person is asked to consent.

    Raises:
        StoreError: the store cannot keep tokens.
        InvalidSettings: the store's package or key is missing.
    """
    opened = _open_tokens(settings, app) if not settings.store_url else shared_stores(settings).tokens(app.client_key)
    with closing(opened) as store:
        store.load(
            ""
        )  # No account has this name: the call only finds out whether a keychain is locked, or a server there.
        if settings.store_keys():
            for account in store.accounts():
                store.load(account)  # This finds out whether the key is wrong.
    home = settings.home
    if hasattr(os, "geteuid") and home.exists() and home.stat().st_uid == os.geteuid():
        home.chmod(0o700)


def home_files(home: Path, store: str) -> list[tuple[str, Path]]:
    """Return the files in which a store keeps tokens in a home folder, each with the digest of its app."""
    before, _, after = TOKENS[store].partition("{app}")
    found = sorted(home.glob(f"{before}*{after}"))
    return [(path.name.removeprefix(before).removesuffix(after), path) for path in found]


def wrapped(settings: Settings, app: str, file: TokenStore) -> TokenStore:
    """Return the store that keeps an app's tokens by way of a file: the file itself, a keychain beside it, or what seals them.

    Args:
        settings: the settings, which choose the store.
        app: the digest of the app's client key.
        file: the file. Closing the store closes it.

    Raises:
        InvalidSettings: the store's package or its keys are missing, or a key cannot be used.
    """
    if settings.store == "keyring":
        from tiktok_adapters.stores.keyring import KeyringTokenStore  # noqa: PLC0415

        return KeyringTokenStore(SERVICE.format(app=app), file)
    if settings.store == "encrypted":
        from tiktok_adapters.stores.encrypted import EncryptedTokenStore  # noqa: PLC0415

        return EncryptedTokenStore(file, settings.store_keys())
    return file


def _open_tokens(settings: Settings, app: App) -> TokenStore:
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    settings.store_keys()  # Before the file is made.
    return wrapped(
        settings, app_digest(app.client_key), SqliteTokenStore(token_file(settings.home, app, settings.store))
    )


def home_tokens(settings: Settings, app: App) -> TokensOnDemand:
    """Return the store of an app's tokens that the settings choose.

    The client never reads from or writes to the other stores. It logs a warning if one of them has tokens of this app, and if
    only other apps have accounts there.
    """

    def tell_of_others() -> None:
        for kind in TOKENS:
            file = token_file(settings.home, app, kind)
            if kind != settings.store and _has_accounts(file):
                said = "The store %r has tokens of this app too (%s): the client ignores them, because it uses the store %r"
                log.warning(said, kind, file, settings.store)
        # Most homes have one app's file: then nothing is opened here.
        others = [file for file in settings.home.glob(TOKENS[settings.store].format(app="*")) if file != path]
        if any(map(_has_accounts, others)) and not _has_accounts(path):
            log.warning(
                "Accounts are signed in with another client key here: if they are missed, is this key mistyped?"
            )

    path = token_file(settings.home, app, settings.store)
    return TokensOnDemand(path, lambda: _open_tokens(settings, app), tell_of_others)


def home_journal(home: Path) -> JournalOnDemand:
    """Return the journal of a home folder."""

    def open_journal() -> Journal:
        from tiktok_adapters.stores.sqlite import SqliteJournal  # noqa: PLC0415

        return SqliteJournal(journal_file(home))

    return JournalOnDemand(journal_file(home), open_journal)


def home_pacer(home: Path) -> PacerOnDemand:
    """Return the pacer of a home folder."""

    def open_pacer() -> Pacer:
        from tiktok_adapters.stores.sqlite_pacer import SqlitePacer  # noqa: PLC0415

        return SqlitePacer(pacer_file(home))

    return PacerOnDemand(pacer_file(home), open_pacer)


def tell_of_home(settings: Settings, app: App) -> None:
    """Log a warning if accounts of this app are signed in in the home folder, while a database is to keep them.

    Raises:
        StoreError: the home folder is being moved.
    """
    from tiktok_adapters.stores.sqlite_moved import move_of  # noqa: PLC0415

    move = move_of(journal_file(settings.home))
    if move is not None and not move.is_done:
        raise StoreError(f"Home folder {settings.home}", move.sentence, "moved")
    for kind in TOKENS:
        if _has_accounts(token_file(settings.home, app, kind)):
            said = "Accounts and posts of this app are in the home folder %s, too, and a key posts once in each: 'tiktok store move' moves them"
            log.warning(said, settings.home)
            return


def _has_accounts(file: Path) -> bool:
    if not os.path.lexists(file):
        return False
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    with suppress(StoreError), closing(SqliteTokenStore(file)) as store:
        return bool(store.accounts())
    return False
