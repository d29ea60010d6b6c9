"""The routes of the sign-in, of the check-up, and of the style sheets and scripts.

What belongs here: pages that are about no post.
"""

import asyncio
from typing import Final

from aiohttp import web

from tiktok_adapters.page import SCRIPT, STYLE
from tiktok_adapters.studio.desk import Desk, Finding
from tiktok_adapters.studio.guard import Refused
from tiktok_adapters.studio.layout import asset, link, text
from tiktok_adapters.studio.post_routes import field_of
from tiktok_core import Secret

__all__ = ["answer_sign_in", "begin_sign_in", "check_up", "file", "offer_check_up", "sign_in", "sign_in_state"]

FILES: Final = {
    "studio.css": (asset("studio.css"), "text/css"),
    "studio.js": (asset("studio.js"), "text/javascript"),
    "page.css": (STYLE, "text/css"),
    "page.js": (SCRIPT, "text/javascript"),
}


async def file(_desk: Desk, request: web.Request) -> web.Response:
    """Return a style sheet or a script."""
    found = FILES.get(request.match_info["file"])
    if found is None:
        raise Refused("Nothing is here.", 404)
    return web.Response(text=found[0], content_type=found[1], charset="utf-8")


# --- Sign-in ---------------------------------------------------------------------------------------------------------


async def sign_in(desk: Desk, _request: web.Request) -> web.Response:
    """Show the sign-in: how to begin one, or what to do in the one that is under way."""
    signing, path = desk.signing, desk.guard.path("sign-in")
    if signing.is_waiting:
        page = text(signing.url)
        body = (
            f'<p><a class="press" href="{page}" target="_blank" rel="noopener noreferrer">Open TikTok\'s page and agree there</a></p>'
            f'<p id="signing" data-state="{text(f"{path}/state")}" role="status">The studio waits for your answer there.</p>'
        )
        if signing.must_paste:
            field = '<label for="answer">The address to which TikTok\'s page led</label><input id="answer" name="answer" required>'
            body += f"<p>You have to paste the answer here, because {text(signing.must_paste)}.</p>"
            body += desk.layout.form(f"{path}/answer", f"{field}<button>Use this answer</button>")
        body += f"<p>{link(path, 'See whether it has worked')}</p>"
        return desk.layout.page("Sign in", body)
    said = f'<p role="alert" class="trouble">{text(signing.trouble)}</p>' if signing.trouble else ""
    if signing.account:
        said = f"<p>Signed in. {link(desk.guard.path('a', signing.account), 'Go to the posts of this account')}</p>"
    switch = '<label><input type="checkbox" name="switch" value="on"> Let me choose another account on TikTok\'s page</label>'
    return desk.layout.page("Sign in", said + desk.layout.form(path, f"{switch}<button>Begin to sign in</button>"))


async def begin_sign_in(desk: Desk, request: web.Request) -> web.Response:
    """Begin a sign-in, and show its page."""
    await desk.signing.begin(switch=await field_of(request, "switch") == "on")
    raise web.HTTPSeeOther(desk.guard.path("sign-in"))


async def sign_in_state(desk: Desk, _request: web.Request) -> web.Response:
    """Return where to go once the sign-in has ended; null while it waits."""
    signing = desk.signing
    where = None if signing.is_waiting else desk.guard.path("sign-in")
    if signing.account and not signing.is_waiting:
        where = desk.guard.path("a", signing.account)
    return web.json_response({"go": where})


async def answer_sign_in(desk: Desk, request: web.Request) -> web.Response:
    """Take the answer that a person pasted."""
    desk.signing.paste(Secret((await field_of(request, "answer")).strip()))
    raise web.HTTPSeeOther(desk.guard.path("sign-in"))


# --- The check-up ----------------------------------------------------------------------------------------------------


async def offer_check_up(desk: Desk, _request: web.Request) -> web.Response:
    """Show the button that begins the check-up."""
    if desk.examine is None:
        raise Refused("This studio has no check-up: run `tiktok doctor`.", 404)
    about = "<p>Checks everything that a post needs, in order, and says what to change and where.</p>"
    return desk.layout.page(
        "Check-up", about + desk.layout.form(desk.guard.path("doctor"), "<button>Begin the check-up</button>")
    )


async def check_up(desk: Desk, _request: web.Request) -> web.Response:
    """Make the check-up, and show what it finds."""
    if desk.examine is None:
        raise Refused("This studio has no check-up: run `tiktok doctor`.", 404)
    found = await asyncio.to_thread(desk.examine)
    again = desk.layout.form(desk.guard.path("doctor"), "<button>Check again</button>")
    return desk.layout.page("Check-up", f'<dl class="findings">{"".join(map(_finding, found))}</dl>{again}')


def _finding(one: Finding) -> str:
    change = f"<br>{text(one.change)}{f' ({text(one.where)})' if one.where else ''}" if one.change else ""
    mark = f'<span class="mark">{text(one.verdict)}</span>'
    kind = one.verdict.replace(" ", "-")
    return f'<div class="{text(kind)}"><dt>{text(one.check)} {mark}</dt><dd>{text(one.message)}{change}</dd></div>'
