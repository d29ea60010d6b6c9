"""What the routes of one run share.

What belongs here: the parts of the page, one field each, and the look-ups that several routes need.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from aiohttp import web
from attrs import define, field

from tiktok_adapters.studio.given import GivenFiles
from tiktok_adapters.studio.guard import Guard, Refused
from tiktok_adapters.studio.layout import Layout
from tiktok_adapters.studio.posting import Poster, Work
from tiktok_adapters.studio.signing import SigningIn
from tiktok_core import AsyncAccount, AsyncTikTok, Publication, Record, Stage, TikTokError

__all__ = ["Desk", "Finding"]

SOON = 3.0
"""Seconds to wait for the name of an account, which is shown only."""
REMOVED = (Stage.COMPLETE, Stage.IN_INBOX, Stage.GIVEN_UP)
"""The ends after which a film is no longer needed. After the others the person may post it again."""


class Finding(Protocol):
    """The result of one check of the check-up."""

    @property
    def check(self) -> str:
        """What was checked."""
        ...

    @property
    def verdict(self) -> str:
        """`fine`, `warning`, `trouble` or `not looked at`."""
        ...

    @property
    def message(self) -> str:
        """What was found."""
        ...

    @property
    def change(self) -> str:
        """What to do about it; may be empty."""
        ...

    @property
    def where(self) -> str:
        """Where to do it; may be empty."""
        ...


@define
class Desk:
    """What the routes share.

    Attributes:
        tiktok: the client.
        guard: who may ask.
        layout: the frame of the pages.
        given: films and pictures.
        poster: the posts that run.
        signing: the sign-in.
        examine: makes the check-up, in a thread; None where there is none.
        pause: seconds between two looks at the journal for a page that is open.
        links: the public link of each post whose link is known, by account and key.
        is_ending: set when the studio ends, so that open streams end.
    """

    tiktok: AsyncTikTok
    guard: Guard
    layout: Layout
    given: GivenFiles
    poster: Poster
    signing: SigningIn
    examine: Callable[[], Sequence[Finding]] | None = None
    pause: float = 1.0
    is_ending: asyncio.Event = field(factory=asyncio.Event)
    links: dict[tuple[str, str], str] = field(factory=dict)
    _names: dict[str, str] = field(factory=dict)

    async def account(self, request: web.Request) -> AsyncAccount:
        """Return the account in the path of a request.

        Raises:
            SignInRequired: it is not signed in here.
        """
        return await self.tiktok.account(request.match_info["account"])

    async def name(self, account: AsyncAccount) -> str:
        """Return the name of an account as TikTok shows it, if TikTok says it soon; its `open_id` otherwise."""
        if account.open_id not in self._names:
            with suppress(TikTokError, TimeoutError):
                info = await asyncio.wait_for(account.user_info(["display_name"]), SOON)
                self._names[account.open_id] = info.display_name or account.open_id
        return self._names.get(account.open_id, account.open_id)

    def film_of(self, record: Record) -> str | None:
        """Return the number of the film of a post, if it is one of the studio's."""
        found = self.given.at(record.wish.video)
        return None if found is None else found.id

    async def tidy(self, account: AsyncAccount, key: str) -> None:
        """Remove the film of a post that needs it no longer."""
        record = await account.post(key)
        if record is not None and record.stage in REMOVED and (number := self.film_of(record)):
            await self.let_go(number)

    async def is_needed(self, path: Path | None) -> bool:
        """Whether a post of any account that has not ended is made of the film at a path."""
        return path is not None and any(record.wish.video == str(path) for record in await self.tiktok.unfinished())

    async def let_go(self, number: str) -> None:
        """Remove a film or pictures, unless another post needs them."""
        with suppress(Refused):
            found = await asyncio.to_thread(self.given.get, number)
            if not await self.is_needed(found.path):
                await asyncio.to_thread(self.given.remove, number)

    def go_on(self, account: AsyncAccount, key: str, given: str | None = None) -> None:
        """Continue a post in a task, and remove what it was made of once it has ended well."""
        self.start(account, key, given, lambda tell: account.resume(key, on_progress=tell))

    def start(self, account: AsyncAccount, key: str, given: str | None, work: Work) -> None:
        """Make a post in a task, and remove what it was made of once it has ended well."""

        async def ended(done: Publication | None) -> None:
            await self.tidy(account, key)
            if given is not None and done is not None:
                await self.let_go(given)
            await self.find(account, key)

        self.poster.start(account.open_id, key, work, ended)

    async def wait_again(self) -> None:
        """Wait again for the times of posts of the studio's films, which an earlier run waited for; and remove what is over."""
        ended: list[str] = []
        for tokens in await self.tiktok.accounts():
            account = await self.tiktok.account(tokens.open_id)
            for record in await account.posts():
                if record.wish.video is None or self.film_of(record) is None:
                    continue
                if record.stage in REMOVED:
                    ended.append(record.wish.video)
                elif waits_here(record, self.tiktok.clock.now()):
                    self.go_on(account, record.key)
        needed = {record.wish.video for record in await self.tiktok.unfinished()}
        await asyncio.to_thread(self.given.sweep, [path for path in ended if path not in needed])

    async def find(self, account: AsyncAccount, key: str) -> None:
        """Note the public link of a post, if TikTok has named one."""
        record = await account.post(key)
        if record is None or record.stage is not Stage.COMPLETE or record.last is None or not record.last.post_ids:
            return
        found = await account.find_post(key)
        if found and found[0].share_url:
            self.links[account.open_id, key] = found[0].share_url


def waits_here(record: Record, now: datetime) -> bool:
    """Whether a post waits for its time in a process such as this one: it is left to no worker, and to no person."""
    at = record.schedule
    return record.is_planned and not record.is_held and not record.is_entered and at is not None and now < at.not_before
