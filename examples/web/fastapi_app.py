"""A web application in FastAPI: each user connects a TikTok account, uploads films, and posts them from an export page.

Start `tiktok sandbox --port 8642`. In two more terminals set what it printed, and TIKTOK_HOME=/tmp/site
TIKTOK_REDIRECT_URI=http://127.0.0.1:8000/callback/ SITE_KEY=$(openssl rand -hex 32). Then run `tiktok worker`, which posts, in one,
and `python examples/web/fastapi_app.py` in the other; open http://127.0.0.1:8000.
"""

import asyncio
import os
import secrets
import shutil
import sqlite3
from contextlib import closing, suppress
from html import escape
from pathlib import Path
from typing import Any

import uvicorn
from attrs import asdict
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.middleware.sessions import SessionMiddleware
from werkzeug.security import check_password_hash, generate_password_hash

import tiktok_core
from tiktok_adapters import connect_async, page
from tiktok_core import AsyncTikTok, Authorization, ExportForm, InvalidPost, PostingRefused, TikTokError

TABLES = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT, open_id TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, user INTEGER NOT NULL, name TEXT NOT NULL);
"""
HEADERS = {"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
FIELDS = '<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>'
NO_PASSWORD = generate_password_hash(secrets.token_hex())  # so that an unknown name takes as long as a known one


def make_site(tiktok: AsyncTikTok, folder: Path, key: str) -> FastAPI:  # noqa: C901, PLR0915 - one view after the other
    """Return the application. The folder holds its database and the films; the key signs the cookies of its sessions."""
    database, films = folder / "site.db", folder / "films"
    films.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as opened:
        opened.executescript(TABLES)

    def ask(statement: str, *values: Any) -> list[Any]:  # A millisecond; a database elsewhere would need `await`.
        with closing(sqlite3.connect(database, isolation_level=None)) as opened:
            opened.row_factory = sqlite3.Row
            return opened.execute(statement, values).fetchall()

    def shown(*parts: str, status: int = 200) -> Response:
        text = page.whole_page("".join(parts), title="Films", style="/page.css", script="/page.js")
        return HTMLResponse(text, status, HEADERS)

    def told(words: object, status: int = 400) -> Response:
        return shown(f'<p role="alert">{escape(str(words))}</p><p><a href="/">Go on</a></p>', status=status)

    def form(request: Request, action: str, button: str, inner: str = "") -> str:
        inner += f'<input type="hidden" name="csrf" value="{request.session["csrf"]}"> <button>{button}</button>'
        return f'<form method="post" action="{action}" enctype="multipart/form-data">{inner}</form>'

    async def account(request: Request) -> tiktok_core.AsyncAccount:
        if request.state.user["open_id"] is None:  # Without a name, the client takes the only account.
            raise HTTPException(302, headers={"Location": "/"})
        return await tiktok.account(request.state.user["open_id"])

    def film_of(request: Request) -> Any:
        for film in ask(
            "SELECT * FROM films WHERE id = ? AND user = ?", request.path_params["film"], request.state.user["id"]
        ):
            return film
        raise HTTPException(404)

    async def guard(request: Request) -> Any:
        async with request.form() as sent:  # kept for the view, and closed after it
            token = request.session.setdefault("csrf", secrets.token_urlsafe())
            if request.method == "POST" and not secrets.compare_digest(str(sent.get("csrf")).encode(), token.encode()):
                raise HTTPException(403, "This form is not of this session. Load its page again.")
            found = ask("SELECT * FROM users WHERE id = ?", request.session.get("user"))
            if not found and request.url.path not in ("/enter", "/page.css", "/page.js"):
                raise HTTPException(302, headers={"Location": "/enter"})
            request.state.user = found[0] if found else None
            yield

    site = FastAPI(dependencies=[Depends(guard)], openapi_url=None)
    site.add_exception_handler(TikTokError, lambda _, error: told(error, 502))
    site.add_exception_handler(PostingRefused, lambda _, error: shown(page.cannot_post_page(reason=str(error))))
    site.add_api_route("/page.css", lambda: Response(page.STYLE, 200, HEADERS, "text/css"))
    site.add_api_route("/page.js", lambda: Response(page.SCRIPT, 200, HEADERS, "text/javascript"))

    @site.api_route("/enter", methods=["GET", "POST"])
    async def enter(request: Request) -> Response:
        if request.method == "GET":
            return shown(form(request, "/enter", "Log in", FIELDS), form(request, "/enter?new=1", "Sign up", FIELDS))
        sent = await request.form()
        name, password = str(sent["name"]), str(sent["password"])
        if "new" in request.query_params and name and len(password) >= 8:
            made = await asyncio.to_thread(generate_password_hash, password)
            ask("INSERT OR IGNORE INTO users (name, password) VALUES (?, ?)", name, made)
        found = ask("SELECT * FROM users WHERE name = ?", name)
        stored = found[0]["password"] if found else NO_PASSWORD
        if not await asyncio.to_thread(check_password_hash, stored, password):
            return told("Name or password is wrong. A new user needs a new name, and 8 characters as password.", 403)
        request.session.clear()  # Another person may have begun this browser's session.
        request.session["user"] = found[0]["id"]
        return RedirectResponse("/", 303)

    @site.post("/leave")
    async def leave(request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/enter", 303)

    @site.get("/")
    async def home(request: Request) -> Response:
        user = request.state.user
        out = f"<h1>{escape(user['name'])}</h1>" + form(request, "/leave", "Log out")
        if user["open_id"] is None:  # A link: the policy lets no form lead to TikTok's page.
            return shown(out, '<p><a href="/connect">Connect TikTok</a></p>')
        own = ask("SELECT * FROM films WHERE user = ?", user["id"])
        lines = [f'<li><a href="/films/{film["id"]}">{escape(film["name"])}</a></li>' for film in own]
        upload = form(request, "/films", "Upload", '<input type="file" name="film" required>')
        return shown(out, "<ul>", *lines, "</ul>", upload, form(request, "/disconnect", "Disconnect TikTok"))

    @site.get("/connect")
    async def begin(request: Request) -> Response:
        begun = tiktok.authorization(["user.info.basic", "video.publish"])
        request.session["tiktok"] = begun.reveal()  # the state and the PKCE verifier
        return RedirectResponse(begun.url, 302)

    @site.get("/callback/")
    async def callback(request: Request) -> Response:
        if (kept := request.session.pop("tiktok", None)) is None:
            return told("This browser began no sign-in. Begin it again.")
        open_id = (await tiktok.sign_in(Authorization.restore(kept), str(request.url))).open_id
        if ask("UPDATE OR IGNORE users SET open_id = ? WHERE id = ? RETURNING id", open_id, request.state.user["id"]):
            return RedirectResponse("/", 302)
        return told("Another user of this site has connected this TikTok account.", 409)

    @site.post("/films")
    async def upload(request: Request) -> Response:
        film, brought = secrets.token_urlsafe(16), (await request.form())["film"]
        (films / film).touch(0o600, exist_ok=False)
        with (films / film).open("wb") as stored:
            await asyncio.to_thread(shutil.copyfileobj, brought.file, stored)
        ask("INSERT INTO films (id, user, name) VALUES (?, ?, ?)", film, request.state.user["id"], brought.filename)
        return RedirectResponse(f"/films/{film}", 303)

    @site.get("/films/{film}/video")
    async def video(film: str, request: Request) -> Response:
        return FileResponse(films / film_of(request)["id"], media_type="video/mp4", headers=HEADERS)

    @site.api_route("/films/{film}", methods=["GET", "POST"])
    async def export(request: Request, film: str) -> Response:
        name, owner, path, url = film_of(request)["name"], await account(request), films / film, f"/films/{film}"
        if record := await owner.post(film):
            if record.is_ended:
                path.unlink(missing_ok=True)
            return shown(page.progress_page(record.shown, again=url))
        creator, sent = await owner.creator_info(), page.read_submission(dict(await request.form()))
        chosen, problems = sent.on(ExportForm(creator)), sent.problems
        if sent.action == "post" and not problems:
            try:
                post = chosen.video_post()
                await tiktok.check_video(path, post, creator=creator)
                await owner.enter_video(path, key=film, **asdict(post))  # The worker posts it. One key is one post.
                return RedirectResponse(url, 303)
            except InvalidPost as error:
                problems = error.problems
        kept = {"shown": page.Shown(video=f"{url}/video", name=name), "hidden": {"csrf": request.session["csrf"]}}
        return shown(page.export_page(chosen, action=url, refused=problems, draft=False, sent=sent, **kept))

    @site.post("/disconnect")
    async def disconnect(request: Request) -> Response:
        owner = await account(request)
        for record in await owner.unfinished():
            with suppress(tiktok_core.InvalidInput):  # TikTok has it already.
                await owner.abandon(record.key)
        await owner.revoke()
        for film in ask("DELETE FROM films WHERE user = ? RETURNING id", request.state.user["id"]):
            (films / film["id"]).unlink(missing_ok=True)
        ask("UPDATE users SET open_id = NULL WHERE id = ?", request.state.user["id"])
        return RedirectResponse("/", 303)

    # Lax, not Strict: the browser comes back from TikTok's page. Only the sandbox is without https.
    site.add_middleware(
        SessionMiddleware, key, same_site="lax", https_only=tiktok.app.redirect_uri.startswith("https:")
    )
    return site


async def main() -> None:
    """Serve on loopback."""
    async with connect_async() as tiktok:
        site = make_site(tiktok, Path(os.environ["TIKTOK_HOME"]) / "site", os.environ["SITE_KEY"])
        await uvicorn.Server(uvicorn.Config(site, port=8000, access_log=False)).serve()


if __name__ == "__main__":
    asyncio.run(main())
