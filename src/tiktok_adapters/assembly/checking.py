"""Reading a whole store, to find what cannot be read.

What belongs here: what is read of a home folder and of a database, and what is told of both. Nothing is changed.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from attrs import define, field

from tiktok_adapters.assembly.home import home_files, journal_file, pacer_file, wrapped
from tiktok_adapters.assembly.settings import Settings
from tiktok_adapters.assembly.shared import shared_stores
from tiktok_adapters.stores.sqlite_leaving import LeavingJournal, LeavingPacer, LeavingTokens
from tiktok_adapters.stores.sqlite_moved import move_of
from tiktok_core import StoreError
from tiktok_core.domain.forgetting import name_parts

__all__ = ["Checked", "check"]


@define
class Checked:
    """What a store holds.

    Attributes:
        place: where it is, without user and password.
        versions: the version of each part of it.
        accounts: how many accounts are signed in, of all apps.
        posts: how many posts the journal has.
        troubles: what cannot be read or used, and why.
        notes: what else a person may want to know.
    """

    place: str
    versions: dict[str, str] = field(factory=dict)
    accounts: int = 0
    posts: int = 0
    troubles: list[tuple[str, str]] = field(factory=list)
    notes: list[str] = field(factory=list)

    @contextmanager
    def noting(self, what: str) -> Iterator[None]:
        """Note an error of the block as a trouble with this."""
        try:
            yield
        except StoreError as error:
            self.troubles.append((what, error.reason))


def check(settings: Settings) -> Checked:
    """Read the store that the settings choose, and look whether a move of the home folder was left half-way.

    Raises:
        InvalidSettings: the URL, the keys or a package cannot be used.
    """
    if settings.store_url:
        return _database(settings)
    found = Checked(str(settings.home))
    if (move := move_of(journal_file(settings.home))) is not None:
        found.troubles.append((str(settings.home), move.sentence))
    _read_home(settings, found)
    return found


def _database(settings: Settings) -> Checked:
    with closing(shared_stores(settings)) as stores:
        found = Checked(stores.name)
        with found.noting(stores.name):
            facts = stores.look()
            found.versions = {"server": facts.server, f"tables in the schema {facts.schema}": str(facts.version)}
            if facts.is_new:
                found.notes.append("there were no tables: they were made just now")
            read = stores.read_all()
            found.accounts, found.posts = read.accounts, read.posts
            found.troubles += [(lost.what, lost.reason) for lost in read.lost]
    move = move_of(journal_file(settings.home))
    if move is not None and not move.is_done:
        found.troubles.append((str(settings.home), move.sentence))
    elif move is None:
        left = Checked(str(settings.home))
        _read_home(settings, left)
        if left.accounts or left.posts:
            said = f"the home folder {settings.home} has {left.accounts} accounts and {left.posts} posts, which are not used"
            found.notes.append(f"{said}: 'tiktok store move' moves them")
    return found


def _read_home(settings: Settings, found: Checked) -> None:
    for app, path in home_files(settings.home, settings.store):
        with found.noting(path.name), closing(LeavingTokens(path)) as file:
            found.versions[path.name] = str(file.version)
            with found.noting(path.name), closing(wrapped(settings, app, file)) as store:
                for account in store.accounts():
                    found.accounts += 1
                    with found.noting(f"account {account!r}"):
                        store.load(account)
    path = journal_file(settings.home)
    if os.path.lexists(path):
        with found.noting(path.name), closing(LeavingJournal(path)) as journal:
            found.versions[path.name] = str(journal.version)
            for portion in journal.walk():
                found.posts += len(portion)
                for one in portion:
                    _app, account, key = name_parts(one.shown_name)
                    if one.record is None:
                        found.troubles.append((f"post {key!r} of account {account!r}", one.reason))
            if found.posts != journal.count():
                found.troubles.append((path.name, f"only {found.posts} of its {journal.count()} records can be read"))
    path = pacer_file(settings.home)
    if os.path.lexists(path):
        with found.noting(path.name), closing(LeavingPacer(path)) as pacer:
            found.versions[path.name] = str(pacer.version)
