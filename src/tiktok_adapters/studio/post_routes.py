"""The routes of accounts and their posts: the lists, the live progress, and the buttons of each post.

What belongs here: what a request asks for, and the answer. The journal's rules are the core's.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from aiohttp import web
from attrs import asdict

from tiktok_adapters.studio.desk import Desk
from tiktok_adapters.studio.faults import tell_where
from tiktok_adapters.studio.guard import Refused
from tiktok_adapters.studio.layout import link, text
from tiktok_adapters.studio.posts_page import Row, account_page, row_of
from tiktok_core import AsyncAccount, Record, TikTokError
from tiktok_core.domain.pacing import DAY

__all__ = ["ACTIONS", "account", "accounts", "act", "events", "field_of"]

LOST: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


async def field_of(request: web.Request, name: str) -> str:
    """Return a field of a form; empty if it has none of this name."""
    value = (await request.post()).get(name, "")
    return value if isinstance(value, str) else ""


async def accounts(desk: Desk, _request: web.Request) -> web.Response:
    """List the signed-in accounts."""
    found = await desk.tiktok.accounts()
    opened = [await desk.tiktok.account(tokens.open_id) for tokens in found]
    names = await asyncio.gather(*map(desk.name, opened))
    rows = [
        f'<li>{link(desk.guard.path("a", tokens.open_id), name)} <span class="small">granted: '
        f"{text(', '.join(tokens.scope))}</span></li>"
        for tokens, name in zip(found, names, strict=True)
    ]
    listed = f'<ul class="accounts">{"".join(rows)}</ul>' if rows else "<p>No account is signed in.</p>"
    return desk.layout.page("Accounts", f"{listed}<p>{link(desk.guard.path('sign-in'), 'Sign in to an account')}</p>")


async def account(desk: Desk, request: web.Request) -> web.Response:
    """Show what can be posted from an account, and its posts."""
    one = await desk.account(request)
    records, unreadable = await one.posts(), await one.unreadable()
    films = await asyncio.to_thread(desk.given.all)
    return desk.layout.page(
        f"Posts of {await desk.name(one)}", account_page(desk, one.open_id, records, unreadable, films)
    )


# --- Live progress ---------------------------------------------------------------------------------------------------


async def events(desk: Desk, request: web.Request) -> web.StreamResponse:
    """Stream the rows that change, until the browser leaves or the studio ends."""
    one = await desk.account(request)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    seen: dict[str, Row] = {}
    with suppress(*LOST):
        await response.prepare(request)
        records: Sequence[Record] = await one.posts(since=desk.tiktok.clock.now() - DAY)
        while not desk.is_ending.is_set():
            films = await asyncio.to_thread(desk.given.all)
            rows = {record.key: row_of(desk, record, films) for record in records}
            changed = [asdict(row) for key, row in rows.items() if seen.get(key) != row]
            seen |= rows
            # A line without data shows whether the browser is still there.
            await response.write(f"data: {json.dumps(changed)}\n\n".encode() if changed else b":\n\n")
            await desk.poster.news(desk.pause)
            await asyncio.sleep(desk.pause / 4)
            try:
                records = await _moving(one, seen)
            except TikTokError as error:
                # The store may be busy; the next look may succeed, and the page keeps its stream.
                tell_where(error)
    return response


async def _moving(one: AsyncAccount, seen: Mapping[str, Row]) -> list[Record]:
    """Return the posts that may change, and those that have ended since they were last seen.

    A post may have ended after the page was made and before the stream began: so the first look is at all posts of a day.
    """
    found = {record.key: record for record in await one.unfinished()}
    for key in [key for key, row in seen.items() if not row.is_ended and key not in found]:
        record = await one.post(key)
        if record is not None:
            found[key] = record
    return list(found.values())


# --- The buttons of a post -------------------------------------------------------------------------------------------


async def _go_on(desk: Desk, one: AsyncAccount, key: str) -> None:
    record = await one.post(key)
    if record is None or record.key != key:
        raise Refused("This account has no such post.", 404)
    desk.go_on(one, key)


async def _release(_desk: Desk, one: AsyncAccount, key: str) -> None:
    await one.release(key)


async def _give_up(desk: Desk, one: AsyncAccount, key: str) -> None:
    await one.abandon(key)
    desk.poster.settle(one.open_id, key)
    await desk.tidy(one, key)


async def _posted(desk: Desk, one: AsyncAccount, key: str) -> None:
    await one.settle(key, posted=True)
    desk.poster.settle(one.open_id, key)
    await desk.tidy(one, key)


async def _not_posted(desk: Desk, one: AsyncAccount, key: str) -> None:
    await one.settle(key, posted=False)
    desk.poster.settle(one.open_id, key)


async def _find(desk: Desk, one: AsyncAccount, key: str) -> None:
    found = await one.find_post(key)
    if not found or found[0].share_url is None:
        raise Refused("TikTok names no public page of this post: it is private, or not public yet.", 404)
    desk.links[one.open_id, key] = found[0].share_url


ACTIONS: Final[dict[str, Callable[[Desk, AsyncAccount, str], Awaitable[None]]]] = {
    "go-on": _go_on,
    "release": _release,
    "give-up": _give_up,
    "posted": _posted,
    "not-posted": _not_posted,
    "find": _find,
}
"""What each button of a post does."""


async def act(desk: Desk, request: web.Request) -> web.Response:
    """Do what a button of a post asks for, and show the account's page again."""
    one = await desk.account(request)
    action = ACTIONS.get(request.match_info["action"])
    if action is None:
        raise Refused("Nothing is here.", 404)
    await action(desk, one, await field_of(request, "key"))
    raise web.HTTPSeeOther(desk.guard.path("a", one.open_id))
