"""A web application in aiohttp: each user connects a TikTok account, uploads films, and posts them from an export page.

Start `tiktok sandbox --port 8642`. In two more terminals set what it printed, and TIKTOK_HOME=/tmp/site
TIKTOK_REDIRECT_URI=http://127.0.0.1:8000/callback/ SITE_KEY=$(openssl rand -base64 32 | tr +/ -_). Then run `tiktok worker`, which posts, in one,
and `python examples/web/aiohttp_app.py` in the other; open http://127.0.0.1:8000.
"""

import asyncio
import json
import os
import secrets
import shutil
import sqlite3
from contextlib import closing, suppress
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web
from attrs import asdict
from cryptography.fernet import Fernet, InvalidToken
from werkzeug.security import check_password_hash, generate_password_hash

import tiktok_core
from tiktok_adapters import connect_async, page
from tiktok_core import AsyncTikTok, Authorization, ExportForm, InvalidPost, PostingRefused, TikTokError

TABLES = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT, open_id TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, user INTEGER NOT NULL, name TEXT NOT NULL);
"""
OWN = "SELECT * FROM films WHERE id = ? AND user = ?"
HEADERS = {"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
SESSION, USER = web.RequestKey("session", dict), web.RequestKey("user", object)
PARTS = {"/page.css": (page.STYLE, "text/css"), "/page.js": (page.SCRIPT, "text/javascript")}
FIELDS = '<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>'
NO_PASSWORD = generate_password_hash(secrets.token_hex())  # so that an unknown name takes as long as a known one


def make_site(tiktok: AsyncTikTok, folder: Path, key: str) -> web.Application:  # noqa: C901, PLR0915 - view after view
    """Return the application. The folder holds its database and the films; the key encrypts the cookies of its sessions."""
    database, films, box, routes = folder / "site.db", folder / "films", Fernet(key), web.RouteTableDef()
    films.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as opened:
        opened.executescript(TABLES)

    def ask(statement: str, *values: Any) -> list[Any]:  # A millisecond; a database elsewhere would need `await`.
        with closing(sqlite3.connect(database, isolation_level=None)) as opened:
            opened.row_factory = sqlite3.Row
            return opened.execute(statement, values).fetchall()

    def shown(*parts: str, status: int = 200) -> web.Response:
        text = page.whole_page("".join(parts), title="Films", style="/page.css", script="/page.js")
        return web.Response(text=text, status=status, content_type="text/html")

    def told(words: object, status: int = 400) -> web.Response:
        return shown(f'<p role="alert">{escape(str(words))}</p><p><a href="/">Go on</a></p>', status=status)

    def to(url: str, status: int = 303) -> web.Response:
        return web.Response(status=status, headers={"Location": url})

    def form(request: web.Request, action: str, button: str, inner: str = "") -> str:
        inner += f'<input type="hidden" name="csrf" value="{request[SESSION]["csrf"]}"> <button>{button}</button>'
        return f'<form method="post" action="{action}" enctype="multipart/form-data">{inner}</form>'

    async def account(request: web.Request) -> tiktok_core.AsyncAccount:
        if request[USER]["open_id"] is None:  # Without a name, the client takes the only account that is signed in.
            raise web.HTTPFound("/")
        return await tiktok.account(request[USER]["open_id"])

    def film_of(request: web.Request) -> Any:
        for film in ask(OWN, request.match_info["film"], request[USER]["id"]):
            return film["id"], film["name"]
        raise web.HTTPNotFound

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> web.Response:
        before, session = b"{}", {}
        with suppress(InvalidToken):
            before = box.decrypt(request.cookies.get("session", "").encode(), ttl=86_400)
            session = json.loads(before)
        sent, token = await request.post(), session.setdefault("csrf", secrets.token_urlsafe())
        found = ask("SELECT * FROM users WHERE id = ?", session.get("user"))
        request[SESSION], request[USER] = session, found[0] if found else None
        try:
            if request.method == "POST" and not secrets.compare_digest(str(sent.get("csrf")).encode(), token.encode()):
                answer = told("This form is not of this session. Load its page again.", 403)
            elif request.path in PARTS:
                answer = web.Response(text=PARTS[request.path][0], content_type=PARTS[request.path][1])
            elif not found and request.path != "/enter":
                answer = to("/enter", 302)
            else:
                answer = await handler(request)
        except TikTokError as error:
            is_pause = isinstance(error, PostingRefused)
            answer = shown(page.cannot_post_page(reason=str(error))) if is_pause else told(error, 502)
        if (after := json.dumps(session).encode()) != before:
            # Lax, not Strict: the browser comes back from TikTok's page. Only the sandbox is without https.
            safe = {"httponly": True, "samesite": "Lax", "secure": tiktok.app.redirect_uri.startswith("https:")}
            answer.set_cookie("session", box.encrypt(after).decode(), **safe)
        answer.headers.update(HEADERS)
        return answer

    @routes.view("/enter")
    async def enter(request: web.Request) -> web.Response:
        if request.method == "GET":
            return shown(form(request, "/enter", "Log in", FIELDS), form(request, "/enter?new=1", "Sign up", FIELDS))
        sent = await request.post()
        name, password = str(sent["name"]), str(sent["password"])
        if "new" in request.query and name and len(password) >= 8:
            made = await asyncio.to_thread(generate_password_hash, password)
            ask("INSERT OR IGNORE INTO users (name, password) VALUES (?, ?)", name, made)
        found = ask("SELECT * FROM users WHERE name = ?", name)
        stored = found[0]["password"] if found else NO_PASSWORD
        if not await asyncio.to_thread(check_password_hash, stored, password):
            return told("Name or password is wrong. A new user needs a new name, and 8 characters as password.", 403)
        request[SESSION].clear()  # Another person may have begun this browser's session.
        request[SESSION]["user"] = found[0]["id"]
        return to("/")

    @routes.post("/leave")
    async def leave(request: web.Request) -> web.Response:
        request[SESSION].clear()
        return to("/enter")

    @routes.get("/")
    async def home(request: web.Request) -> web.Response:
        out = f"<h1>{escape(request[USER]['name'])}</h1>" + form(request, "/leave", "Log out")
        if request[USER]["open_id"] is None:  # A link: the policy lets no form lead to TikTok's page.
            return shown(out, '<p><a href="/connect">Connect TikTok</a></p>')
        own = ask("SELECT * FROM films WHERE user = ?", request[USER]["id"])
        lines = [f'<li><a href="/films/{film["id"]}">{escape(film["name"])}</a></li>' for film in own]
        upload = form(request, "/films", "Upload", '<input type="file" name="film" required>')
        return shown(out, "<ul>", *lines, "</ul>", upload, form(request, "/disconnect", "Disconnect TikTok"))

    @routes.get("/connect")
    async def begin(request: web.Request) -> web.Response:
        begun = tiktok.authorization(["user.info.basic", "video.publish"])
        request[SESSION]["tiktok"] = begun.reveal()  # the state and the PKCE verifier
        return to(begun.url, 302)

    @routes.get("/callback/")
    async def callback(request: web.Request) -> web.Response:
        if (kept := request[SESSION].pop("tiktok", None)) is None:
            return told("This browser began no sign-in. Begin it again.")
        open_id = (await tiktok.sign_in(Authorization.restore(kept), str(request.url))).open_id
        if ask("UPDATE OR IGNORE users SET open_id = ? WHERE id = ? RETURNING id", open_id, request[USER]["id"]):
            return to("/", 302)
        return told("Another user of this site has connected this TikTok account.", 409)

    @routes.post("/films")
    async def upload(request: web.Request) -> web.Response:
        film, brought = secrets.token_urlsafe(16), (await request.post())["film"]
        (films / film).touch(0o600, exist_ok=False)
        with (films / film).open("wb") as stored:
            await asyncio.to_thread(shutil.copyfileobj, brought.file, stored)
        ask("INSERT INTO films (id, user, name) VALUES (?, ?, ?)", film, request[USER]["id"], brought.filename)
        return to(f"/films/{film}")

    @routes.get("/films/{film}/video")
    async def video(request: web.Request) -> web.FileResponse:
        return web.FileResponse(films / film_of(request)[0], headers={"Content-Type": "video/mp4"})

    @routes.view("/films/{film}")
    async def export(request: web.Request) -> web.Response:
        (film, name), owner = film_of(request), await account(request)
        path, url = films / film, f"/films/{film}"
        if record := await owner.post(film):
            if record.is_ended:
                path.unlink(missing_ok=True)
            return shown(page.progress_page(record.shown, again=url))
        creator, sent = await owner.creator_info(), page.read_submission(await request.post())
        chosen, problems = sent.on(ExportForm(creator)), sent.problems
        if sent.action == "post" and not problems:
            try:
                post = chosen.video_post()
                await tiktok.check_video(path, post, creator=creator)
                await owner.enter_video(path, key=film, **asdict(post))  # The worker posts it. One key is one post.
                return to(url)
            except InvalidPost as error:
                problems = error.problems
        kept = {"shown": page.Shown(video=f"{url}/video", name=name), "hidden": {"csrf": request[SESSION]["csrf"]}}
        return shown(page.export_page(chosen, action=url, refused=problems, draft=False, sent=sent, **kept))

    @routes.post("/disconnect")
    async def disconnect(request: web.Request) -> web.Response:
        owner = await account(request)
        for record in await owner.unfinished():
            with suppress(tiktok_core.InvalidInput):  # TikTok has it already.
                await owner.abandon(record.key)
        await owner.revoke()
        for film in ask("DELETE FROM films WHERE user = ? RETURNING id", request[USER]["id"]):
            (films / film["id"]).unlink(missing_ok=True)
        ask("UPDATE users SET open_id = NULL WHERE id = ?", request[USER]["id"])
        return to("/")

    site = web.Application(middlewares=[guard], client_max_size=4 * 1024**3)
    site.add_routes(routes)
    return site


async def main() -> None:
    """Serve on loopback."""
    async with connect_async() as tiktok:
        site = make_site(tiktok, Path(os.environ["TIKTOK_HOME"]) / "site", os.environ["SITE_KEY"])
        await (runner := web.AppRunner(site, access_log=None)).setup()
        await web.TCPSite(runner, "127.0.0.1", 8000).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
