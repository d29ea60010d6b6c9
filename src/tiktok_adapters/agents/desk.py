"""What all tools share: the client, what they may touch, and the posts that go on here.

What belongs here: everything about posts that needs no word of the protocol.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Final, Protocol

from attrs import define, field

from tiktok_adapters.agents.answers import Data, PostRow
from tiktok_adapters.agents.permits import Permits
from tiktok_adapters.assembly.derived import key_of_the_same_url, prefix_of
from tiktok_core import AsyncAccount, AsyncTikTok, InvalidInput, PhotoPost, Problem, Record, Stage, Step, Wish
from tiktok_core.domain.beginning import needs_release
from tiktok_core.domain.derived_keys import SAME
from tiktok_core.domain.names import is_url, shown

__all__ = ["Desk", "Finding", "moment"]

NEAR: Final = 2.0
"""Seconds that a run of steps may wait for its next one; what takes longer is told to the agent, which comes again."""
PATIENCE: Final = 20.0
"""Seconds for which a tool waits for steps. They go on after it, as long as the server runs."""


class Finding(Protocol):
    """What one check of the check-up finds."""

    @property
    def check(self) -> str:
        """The name of the check."""
        ...

    @property
    def verdict(self) -> str:
        """`fine`, `warning`, `trouble` or `not looked at`."""
        ...

    @property
    def message(self) -> str:
        """What it found."""
        ...

    @property
    def change(self) -> str:
        """What to do about it."""
        ...

    @property
    def where(self) -> str:
        """Where to do it."""
        ...


@define
class Desk:
    """What all tools share.

    Attributes:
        tiktok: the client; it is not closed here.
        permits: what agents may touch.
        account: the account that is meant where a tool names none; None for the only one.
        examine: makes the check-up, in a thread.
    """

    tiktok: AsyncTikTok
    permits: Permits = field(factory=Permits)
    account: str | None = None
    examine: Callable[[], Sequence[Finding]] = tuple
    patience: float = PATIENCE
    _steps: dict[tuple[str, str], "asyncio.Task[Step]"] = field(factory=dict)

    async def account_of(self, open_id: str) -> AsyncAccount:
        """Return the account that a tool means."""
        return await self.tiktok.account(open_id.strip() or self.account)

    async def record_of(self, account: AsyncAccount, name: str) -> Record:
        """Return the record of a post, by its key or its publish id.

        Raises:
            InvalidInput: the journal has no such post.
        """
        found = await account.post(name) if name.strip() else None
        if found is None:
            said = "names no post in the journal of this account: the tool posts lists them"
            raise InvalidInput((Problem("key", said),))
        return found

    async def key_for(self, account: AsyncAccount, wish: Wish) -> tuple[str, bool]:
        """Return the derived key of a wish, and whether a post that was asked for before has it.

        Of a post that TikTok refused before anything was posted, the record is removed: the key begins a new one, which has to be
        released again.
        """
        now = self.tiktok.clock.now()
        key = None
        if wish.video is not None and is_url(wish.video):
            recent = {one.key: one for one in (*await account.unfinished(), *await account.posts(since=now - SAME))}
            key = key_of_the_same_url(wish, None, recent.values(), now)
        key = key or await account.derived_key(prefix_of(account.open_id, wish, None))
        record = await account.post(key)
        if record is not None and record.key == key and record.stage is Stage.ABANDONED:
            await account.forget(key)
            record = None
        return key, record is not None and record.key == key

    def needs_release(self, record: Record) -> bool:
        """Whether a post waits for a person."""
        return needs_release(record, self.tiktok.clock.now())

    async def go_on(self, account: AsyncAccount, key: str) -> None:
        """Take steps of a post until its next wait is long. After `patience` they go on while the caller gets its answer.

        Raises:
            ReleaseRequired: a person has to release it first.
            TikTokError: a step failed; the journal holds what was known by then.
        """
        named = (account.open_id, key)
        task = self._steps.get(named)
        if task is None:
            task = asyncio.create_task(account.advance(key, until_wait=NEAR), name=f"post {key}")
            self._steps[named] = task
            task.add_done_callback(lambda done: self._ended(named, done))
        done, _ = await asyncio.wait({task}, timeout=self.patience)
        if done:
            task.result()

    def _ended(self, named: tuple[str, str], done: "asyncio.Task[Step]") -> None:
        self._steps.pop(named, None)
        if not done.cancelled():
            done.exception()  # An error that no caller waited for is in the journal, and the next call meets it again.

    async def close(self) -> None:
        """Stop the steps that go on. Their posts stay in the journal, and a worker or the next call goes on with them."""
        tasks = list(self._steps.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task

    def row(self, record: Record) -> PostRow:
        """Return a post as the tools show it."""
        post, known = record.wish.post, record.shown
        at = record.schedule
        return PostRow(
            account=record.account,
            key=record.key,
            publish_id=record.publish_id,
            kind="photos" if isinstance(post, PhotoPost) else "video",
            stage=record.stage.value,
            status=known.status,
            fail_reason=known.fail_reason,
            post_ids=list(map(str, known.post_ids)),
            uploaded_bytes=known.uploaded_bytes,
            needs_release=self.needs_release(record),
            draft=post.draft,
            privacy_level=post.privacy_level,
            title=Data(untrusted_text=post.title),
            media=[Data(untrusted_text=one) for one in _media(record.wish)],
            created_at=moment(record.created_at),
            not_before=None if at is None else moment(at.not_before),
        )

    def next_of(self, record: Record) -> str:
        """Return what comes next for a post, in a sentence."""
        key = record.key
        if self.needs_release(record):
            ways = f"'tiktok release {key}', or Release in 'tiktok studio'"
            return f"Nothing is posted before a person releases it: {ways}. Then call resume with this key."
        match record.stage:
            case Stage.COMPLETE:
                return "It is posted."
            case Stage.IN_INBOX:
                return "It is in the creator's inbox; the creator finishes it in the TikTok app."
            case Stage.FAILED | Stage.ABANDONED | Stage.GIVEN_UP:
                return "Nothing came of it; the same call makes a new post, which may need a release again."
            case Stage.UNKNOWN if record.publish_id is None:
                return f"A person has to look whether it is on TikTok, and say so: 'tiktok resume {key} --settle posted' or 'not-posted'."
            case _:
                return "It is under way: call status or resume with this key later, and do not post again."


def moment(at: datetime) -> str:
    """Return a time in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _media(wish: Wish) -> list[str]:
    if isinstance(wish.post, PhotoPost):
        return list(map(shown, wish.post.photo_images))
    if wish.video is None or wish.shown is None:
        return []
    return [wish.shown if is_url(wish.video) else PurePath(wish.video).name]
