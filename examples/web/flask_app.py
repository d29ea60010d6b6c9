"""A web application in Flask: each user connects a TikTok account, uploads films, and posts them from an export page.

Start `tiktok sandbox --port 8642`. In two more terminals set what it printed, and TIKTOK_HOME=/tmp/site
TIKTOK_REDIRECT_URI=http://127.0.0.1:8000/callback/ SITE_KEY=$(openssl rand -hex 32). Then run `tiktok worker`, which posts, in one,
and `python examples/web/flask_app.py` in the other; open http://127.0.0.1:8000.
"""

import os
import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from attrs import asdict
from flask import Flask, Response, abort, g, redirect, request, send_file, session
from markupsafe import escape
from werkzeug.security import check_password_hash, generate_password_hash

import tiktok_core
from tiktok_adapters import connect, page
from tiktok_core import Authorization, ExportForm, InvalidPost, PostingRefused, TikTok, TikTokError

TABLES = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT, open_id TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, user INTEGER NOT NULL, name TEXT NOT NULL);
"""
HEADERS = {"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
FIELDS = '<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>'
NO_PASSWORD = generate_password_hash(secrets.token_hex())  # so that an unknown name takes as long as a known one


def make_site(tiktok: TikTok, folder: Path, key: str) -> Flask:  # noqa: C901, PLR0915 - one view after the other
    """Return the application. The folder holds its database and the films; the key signs the cookies of its sessions."""
    site, database, films = Flask("site"), folder / "site.db", folder / "films"
    films.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as opened:
        opened.executescript(TABLES)
    # Lax, not Strict: the browser comes back from TikTok's page. Only the sandbox is without https.
    site.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=4 * 1024**3)
    site.config.update(SECRET_KEY=key, SESSION_COOKIE_SECURE=tiktok.app.redirect_uri.startswith("https:"))

    def ask(statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(database, isolation_level=None)) as opened:
            opened.row_factory = sqlite3.Row
            return opened.execute(statement, values).fetchall()

    def shown(*parts: str, status: int = 200) -> Any:
        return page.whole_page("".join(parts), title="Films", style="/page.css", script="/page.js"), status

    def told(words: object, status: int = 400) -> Any:
        return shown(f'<p role="alert">{escape(words)}</p><p><a href="/">Go on</a></p>', status=status)

    def form(action: str, button: str, inner: str = "") -> str:
        begin = f'<form method="post" action="{action}" enctype="multipart/form-data">{inner}'
        return f'{begin}<input type="hidden" name="csrf" value="{session["csrf"]}"> <button>{button}</button></form>'

    def account() -> tiktok_core.Account:
        if g.user["open_id"] is None:  # Without a name, the client would take the only account that is signed in.
            abort(redirect("/"))
        return tiktok.account(g.user["open_id"])

    def film_of(film: str) -> Any:
        found = ask("SELECT * FROM films WHERE id = ? AND user = ?", film, g.user["id"])
        return found[0] if found else abort(404)

    @site.before_request
    def guard() -> Any:
        token, sent = session.setdefault("csrf", secrets.token_urlsafe()), request.form.get("csrf", "")
        if request.method == "POST" and not secrets.compare_digest(sent.encode(), token.encode()):
            return told("This form is not of this session. Load its page again.", 403)
        g.user = next(iter(ask("SELECT * FROM users WHERE id = ?", session.get("user"))), None)
        return None if g.user or request.path in ("/enter", "/page.css", "/page.js") else redirect("/enter")

    site.after_request(lambda answer: answer.headers.update(HEADERS) or answer)
    site.register_error_handler(TikTokError, lambda error: told(error, 502))
    site.register_error_handler(
        PostingRefused, lambda error: shown(page.cannot_post_page(reason=str(error.explanation)))
    )
    site.add_url_rule("/page.css", "style", lambda: Response(page.STYLE, mimetype="text/css"))
    site.add_url_rule("/page.js", "script", lambda: Response(page.SCRIPT, mimetype="text/javascript"))
    site.add_url_rule("/films/<film>/video", "video", lambda film: send_file(films / film_of(film)["id"], "video/mp4"))

    @site.route("/enter", methods=["GET", "POST"])
    def enter() -> Any:
        if request.method == "GET":
            return shown(form("/enter", "Log in", FIELDS), form("/enter?new=1", "Sign up", FIELDS))
        name, password = request.form["name"], request.form["password"]
        if "new" in request.args and name and len(password) >= 8:
            hashed = generate_password_hash(password)
            ask("INSERT OR IGNORE INTO users (name, password) VALUES (?, ?)", name, hashed)
        found = ask("SELECT * FROM users WHERE name = ?", name)
        if not check_password_hash(found[0]["password"] if found else NO_PASSWORD, password):
            return told("Name or password is wrong. A new user needs a new name, and 8 characters as password.", 403)
        session.clear()  # Another person may have begun this browser's session.
        session["user"] = found[0]["id"]
        return redirect("/", 303)

    @site.post("/leave")
    def leave() -> Any:
        session.clear()
        return redirect("/enter", 303)

    @site.get("/")
    def home() -> Any:
        leave = f"<h1>{escape(g.user['name'])}</h1>" + form("/leave", "Log out")
        if g.user["open_id"] is None:  # A link: the policy lets no form lead to TikTok's page.
            return shown(leave, '<p><a href="/connect">Connect TikTok</a></p>')
        own = ask("SELECT * FROM films WHERE user = ?", g.user["id"])
        lines = [f'<li><a href="/films/{film["id"]}">{escape(film["name"])}</a></li>' for film in own]
        upload = form("/films", "Upload", '<input type="file" name="film" required>')
        return shown(leave, "<ul>", *lines, "</ul>", upload, form("/disconnect", "Disconnect TikTok"))

    @site.get("/connect")
    def begin() -> Any:
        begun = tiktok.authorization(["user.info.basic", "video.publish"])
        session["tiktok"] = begun.reveal()  # the state and the PKCE verifier
        return redirect(begun.url)

    @site.get("/callback/")
    def callback() -> Any:
        kept = session.pop("tiktok", None) or abort(400, "This browser began no sign-in. Begin it again.")
        open_id = tiktok.sign_in(Authorization.restore(kept), request.url).open_id
        if ask("UPDATE OR IGNORE users SET open_id = ? WHERE id = ? RETURNING id", open_id, g.user["id"]):
            return redirect("/")
        return told("Another user of this site has connected this TikTok account.", 409)

    @site.post("/films")
    def upload() -> Any:
        film, brought = secrets.token_urlsafe(16), request.files["film"]
        (films / film).touch(0o600, exist_ok=False)
        brought.save(films / film)
        ask("INSERT INTO films (id, user, name) VALUES (?, ?, ?)", film, g.user["id"], brought.filename)
        return redirect(f"/films/{film}", 303)

    @site.route("/films/<film>", methods=["GET", "POST"])
    def export(film: str) -> Any:
        name, owner, path, url = film_of(film)["name"], account(), films / film, f"/films/{film}"
        if record := owner.post(film):
            if record.is_ended:
                path.unlink(missing_ok=True)
            return shown(page.progress_page(record.shown, again=url))
        creator, sent = owner.creator_info(), page.read_submission(request.form)
        chosen, problems = sent.on(ExportForm(creator)), sent.problems
        if sent.action == "post" and not problems:
            try:
                post = chosen.video_post()
                tiktok.check_video(path, post, creator=creator)
                owner.enter_video(path, key=film, **asdict(post))  # The worker posts it. One key is one post.
                return redirect(url, 303)
            except InvalidPost as error:
                problems = error.problems
        kept = {"shown": page.Shown(video=f"{url}/video", name=name), "hidden": {"csrf": session["csrf"]}}
        return shown(page.export_page(chosen, action=url, refused=problems, draft=False, sent=sent, **kept))

    @site.post("/disconnect")
    def disconnect() -> Any:
        owner = account()
        for record in owner.unfinished():
            with suppress(tiktok_core.InvalidInput):  # TikTok has it already.
                owner.abandon(record.key)
        owner.revoke()
        for film in ask("DELETE FROM films WHERE user = ? RETURNING id", g.user["id"]):
            (films / film["id"]).unlink(missing_ok=True)
        ask("UPDATE users SET open_id = NULL WHERE id = ?", g.user["id"])
        return redirect("/", 303)

    return site


if __name__ == "__main__":
    with connect() as client:
        make_site(client, Path(os.environ["TIKTOK_HOME"]) / "site", os.environ["SITE_KEY"]).run(
            port=8000, threaded=True
        )
