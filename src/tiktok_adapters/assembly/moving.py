"""Moving a home folder to a database, so that at no time both can post, and so that a kill at any point loses nothing.

What belongs here: the order of the steps.

1. The database is told of the move. Only it knows from then on whether the move came to its end.
2. Each file of the home is marked, the journal first: nobody can write it any more, in this release or an older one. A file in which
   somebody holds a lease is not marked; then the move is taken back.
3. The database takes everything in, in one transaction that also says that the move is done. Before it neither store can post, after
   it the database can.
4. Each file is marked as moved, the journal last. This only changes what a program is told.

Whatever ends the process, the next run goes on with the move that the journal's mark names.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from attrs import evolve, frozen

from tiktok_adapters.assembly.home import TOKENS, home_files, journal_file, pacer_file, wrapped
from tiktok_adapters.assembly.settings import Settings
from tiktok_adapters.assembly.shared import shared_stores
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.stores.apps import app_digest
from tiktok_adapters.stores.sqlite_leaving import Holder, LeavingJournal, LeavingPacer, LeavingTokens
from tiktok_adapters.stores.sqlite_moved import Conflict, Move
from tiktok_core import StoreError, Tokens
from tiktok_core.domain.forgetting import name_parts
from tiktok_core.errors import InvalidSettings, Problem, StoreTrouble
from tiktok_core.ports import TokenStore

__all__ = ["Contents", "HomeMove"]

NAMED: Final = 5
"""How many of those who hold leases a sentence names."""
UNCHANGED: Final = "nothing was changed"


@frozen
class Contents:
    """What a home holds.

    Attributes:
        home: the folder.
        place: the database, without user and password.
        accounts: how many accounts are signed in, of all apps.
        posts: how many posts the journal has.
    """

    home: Path
    place: str
    accounts: int
    posts: int


class HomeMove:
    """The move of the home folder that the settings name to the database that they name. To be used in `with`.

    Args:
        settings: the settings: home folder, store, keys, and the URL of the database.

    Raises:
        InvalidSettings: no database is named, or it, the keys or a package cannot be used.
        StoreError: a file of the home folder cannot be opened.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.store_url:
            message = "is missing: set TIKTOK_STORE_URL to the database that the home folder is to be moved to"
            raise InvalidSettings((Problem("store_url", message),))
        self._settings = settings
        self._home = settings.home
        self._clock = SystemClock()
        self._closing = ExitStack()
        self._others: list[tuple[str, str, LeavingTokens]] = []
        self._tokens: dict[str, tuple[LeavingTokens, TokenStore]] = {}
        self._pacers: list[LeavingPacer] = []
        self._stores = self._closing.enter_context(shared_stores(settings))
        try:
            self._journal = self._opened()
        except BaseException:
            self._closing.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    def begun(self) -> Move | None:
        """Return the move that the home is marked with; None if there is none."""
        return self._journal.move()

    def contents(self) -> Contents:
        """Return what is to be moved.

        Raises:
            StoreError: a file cannot be read.
        """
        accounts = sum(len(store.accounts()) for _file, store in self._tokens.values())
        return Contents(self._home, self._stores.name, accounts, self._journal.count())

    def run(self) -> None:
        """Move the home, or go on with a move that was begun. A home that was moved is left as it is.

        Raises:
            StoreError: something cannot be read, somebody uses the home, the database has some of it already, or one of both stores
                cannot be used. The sentence says whether the home is as it was, or whether the command has to be run again.
        """
        move = self._journal.move()
        if move is None:
            self._check()
            move = Move(secrets.token_bytes(16), self._stores.name)
            self._arrival.announce(move.id)
        if not move.is_done:
            state: str | None = self._state_of(move)
            if state == "begun":
                self._mark(move)
                state = self._received(move)
            if state != "done":
                raise self._error(
                    "the move was taken back: 'tiktok store move --cancel' brings that to its end", "moved"
                )
        for file in (*self._files(), self._journal):
            file.mark(evolve(move, is_done=True), self._clock.now())

    def cancel(self) -> bool:
        """Take a move back, and return whether there was one. The home can be used again.

        Raises:
            StoreError: the database has taken over already, or cannot be asked.
        """
        move = self._journal.move()
        if move is None:
            return False
        if move.is_done or self._state_of(move) == "done":
            raise self._error(f"it is too late: {move.place} has taken over", "moved")
        self._take_back(move)
        return True

    # --- The home ----------------------------------------------------------------------------------------------------

    def _opened(self) -> LeavingJournal:
        self._arrival = self._stores.arrival()
        file = journal_file(self._home)
        if not os.path.lexists(file) and not any(home_files(self._home, store) for store in TOKENS):
            raise self._error("there is nothing to move: it holds no account and no post", "missing")
        journal = self._closing.enter_context(closing(LeavingJournal(file)))
        self._open_rest()
        return journal

    def _open_rest(self) -> None:
        """Open what is not open yet: others may make files as long as the journal is not marked."""
        settings = self._settings
        for store in TOKENS:
            there = dict(home_files(self._home, store))
            if store == settings.store and settings.client_key:
                # The file of this app is marked, too, so that a sign-in here is told where to go.
                app = app_digest(settings.client_key)
                there[app] = self._home / TOKENS[store].format(app=app)
            for app, path in there.items():
                if store == settings.store and app not in self._tokens:
                    file = LeavingTokens(path)
                    self._tokens[app] = file, self._closing.enter_context(closing(wrapped(settings, app, file)))
                elif store != settings.store and (store, app) not in {(kind, of) for kind, of, _file in self._others}:
                    self._others.append((store, app, self._closing.enter_context(closing(LeavingTokens(path)))))
        if not self._pacers and os.path.lexists(pacer_file(self._home)):
            self._pacers.append(self._closing.enter_context(closing(LeavingPacer(pacer_file(self._home)))))

    def _files(self) -> Iterator[LeavingTokens | LeavingPacer]:
        """Yield the files beside the journal."""
        yield from (file for file, _store in self._tokens.values())
        yield from (file for _store, _app, file in self._others)
        yield from self._pacers

    def _check(self) -> None:
        """Check, before anything is changed, that everything can be read and nobody uses it."""
        for store, app, file in self._others:
            left = set(file.accounts()) - set(self._tokens[app][1].accounts() if app in self._tokens else ())
            if left:
                said = (
                    f"the store {store!r} has accounts that the store {self._settings.store!r} has not ({', '.join(sorted(left))}): "
                    f"choose {store!r} by TIKTOK_STORE, or forget them there, by 'tiktok logout --forget'; {UNCHANGED}"
                )
                raise self._error(said, "foreign")
        self._kept()
        now, held = self._clock.now(), [*self._journal.holders(self._clock.now())]
        for file, _store in self._tokens.values():
            held += file.holders(now)
        if held:
            raise self._in_use(tuple(held))

    def _kept(self) -> dict[tuple[str, str], Tokens]:
        return {
            (app, account): tokens
            for app, (_file, store) in self._tokens.items()
            for account in store.accounts()
            if (tokens := store.load(account)) is not None
        }

    def _mark(self, move: Move) -> None:
        held = self._journal.mark(move, self._clock.now())
        self._open_rest()
        for file in self._files():
            held = held or file.mark(move, self._clock.now())
        if held:
            self._take_back(move)
            raise self._in_use(held)

    # --- The database ------------------------------------------------------------------------------------------------

    def _state_of(self, move: Move) -> str:
        state = self._arrival.state(move.id)
        if state is None:
            said = f"its move to {move.place} was begun, and {self._stores.name} knows nothing of it: set TIKTOK_STORE_URL to the former"
            raise self._error(said, "moved")
        return state

    def _received(self, move: Move) -> str | None:
        conflict = ""
        try:
            return self._arrival.receive(move.id, self._kept(), self._journal)
        except Conflict as error:
            conflict = str(error)
        self._take_back(move)
        raise self._error(f"it cannot be moved to {self._stores.name}: {conflict}; {UNCHANGED}", "foreign")

    def _take_back(self, move: Move) -> None:
        if self._arrival.cancel(move.id) == "done":
            raise self._error(f"another process has moved it to {move.place} meanwhile", "moved")
        for file in self._files():
            file.unmark(move)
        # Last: as long as any file is marked, the journal is.
        self._journal.unmark(move)

    def _in_use(self, held: tuple[Holder, ...]) -> StoreError:
        said = list(dict.fromkeys(map(_told, held)))
        more = f", and {len(said) - NAMED} more" if len(said) > NAMED else ""
        advice = f"wait for the end of that, or end the process, and run the command again; {UNCHANGED}"
        return self._error(f"it is in use: {', '.join(said[:NAMED])}{more}: {advice}", "locked")

    def _error(self, reason: str, kind: StoreTrouble) -> StoreError:
        return StoreError(f"Home folder {self._home}", reason, kind)


def _told(holder: Holder) -> str:
    who = "another process" if holder.pid is None else f"process {holder.pid}"
    _app, account, key = name_parts(holder.name)
    return (
        f"{who} works on post {key!r} of account {account!r}" if key else f"{who} renews the sign-in of {holder.name!r}"
    )
