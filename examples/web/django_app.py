"""A web application in Django: each user connects a TikTok account, uploads films, and posts them from an export page.

Start `tiktok sandbox --port 8642`. In two more terminals set what it printed, and TIKTOK_HOME=/tmp/site
TIKTOK_REDIRECT_URI=http://127.0.0.1:8000/callback/ SITE_KEY=$(openssl rand -hex 32). Then run `tiktok worker`, which posts, in one,
and `python examples/web/django_app.py` in the other; open http://127.0.0.1:8000.
"""

import logging
import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from attrs import asdict
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path as at
from django.utils.html import escape
from django.views.decorators.http import require_POST

import tiktok_core
from tiktok_adapters import connect, page
from tiktok_core import Authorization, ExportForm, InvalidPost, PostingRefused, TikTok, TikTokError

HEADERS = {"Content-Security-Policy": page.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
FIELDS = '<label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>'
CONNECT = """
INSERT INTO accounts (user, open_id) VALUES (%s, %s) ON CONFLICT (user) DO UPDATE SET open_id = excluded.open_id
"""
MIDDLEWARE = """
contrib.sessions.middleware.Session middleware.csrf.CsrfView contrib.auth.middleware.Authentication
contrib.auth.middleware.LoginRequired
"""
urlpatterns: list[Any] = []


def make_site(tiktok: TikTok, folder: Path, key: str) -> Any:  # noqa: C901, PLR0915 - one view after the other
    """Return the application. The folder holds its database and the films. Sessions are those of Django, in the database."""
    films, is_secure = folder / "films", tiktok.app.redirect_uri.startswith("https:")
    films.mkdir(mode=0o700, parents=True, exist_ok=True)
    contrib = "django.contrib"
    settings.configure(
        SECRET_KEY=key,
        ALLOWED_HOSTS=[urlsplit(tiktok.app.redirect_uri).hostname],
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "site.db"}},
        INSTALLED_APPS=[f"{contrib}.contenttypes", f"{contrib}.auth", f"{contrib}.sessions"],
        MIDDLEWARE=[f"django.{one}Middleware" for one in MIDDLEWARE.split()],
        SESSION_COOKIE_SECURE=is_secure,  # Only the sandbox is without https.
        SESSION_COOKIE_SAMESITE="Lax",  # Not Strict: the browser comes back from TikTok's page.
        LOGIN_URL="/enter",
        CSRF_USE_SESSIONS=True,
        SESSION_COOKIE_HTTPONLY=True,
        LOGGING_CONFIG=None,
    )
    django.setup()
    logging.getLogger("django.request").setLevel("ERROR")  # A warning holds the request, and so the code of a sign-in.
    from django.contrib.auth import authenticate, login, logout, models  # noqa: PLC0415 - needs the settings
    from django.contrib.auth.decorators import login_not_required  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.db import IntegrityError, connection  # noqa: PLC0415
    from django.middleware.csrf import get_token  # noqa: PLC0415

    def ask(statement: str, *values: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    call_command("migrate", verbosity=0)
    ask("CREATE TABLE IF NOT EXISTS accounts (user INTEGER PRIMARY KEY, open_id TEXT UNIQUE)")
    ask("CREATE TABLE IF NOT EXISTS films (id TEXT PRIMARY KEY, user INTEGER NOT NULL, name TEXT NOT NULL)")

    def shown(*parts: str, status: int = 200) -> HttpResponse:
        text = page.whole_page("".join(parts), title="Films", style="/page.css", script="/page.js")
        return HttpResponse(text, status=status, headers=HEADERS)

    def told(words: object, status: int = 400) -> HttpResponse:
        return shown(f'<p role="alert">{escape(words)}</p><p><a href="/">Go on</a></p>', status=status)

    def form(request: HttpRequest, action: str, button: str, inner: str = "") -> str:
        inner += (
            f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"> <button>{button}</button>'
        )
        return f'<form method="post" action="{action}" enctype="multipart/form-data">{inner}</form>'

    def open_id_of(request: HttpRequest) -> Any:
        found = ask("SELECT open_id FROM accounts WHERE user = %s", request.user.pk)
        return found[0][0] if found else None

    def guarded(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Tell what TikTok refused, and give the view the user's own account."""

        def guard(request: HttpRequest, **values: str) -> HttpResponse:
            open_id = open_id_of(request)
            if open_id is None:  # Without a name, the client would take the only account that is signed in.
                return redirect("/")
            try:
                return view(request, tiktok.account(open_id), **values)
            except PostingRefused as error:
                return shown(page.cannot_post_page(reason=str(error.explanation)))
            except TikTokError as error:
                return told(error, 502)

        return guard

    @login_not_required
    def part(_: HttpRequest, kind: str) -> HttpResponse:
        text, spelled = (page.STYLE, "css") if kind == "css" else (page.SCRIPT, "javascript")
        return HttpResponse(text, content_type=f"text/{spelled}", headers=HEADERS)

    @login_not_required
    def enter(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return shown(form(request, "/enter", "Log in", FIELDS), form(request, "/enter?new=1", "Sign up", FIELDS))
        name, password = request.POST["name"], request.POST["password"]
        if "new" in request.GET and name and len(password) >= 8:
            with suppress(IntegrityError):
                models.User.objects.create_user(name, password=password)
        user = authenticate(request, username=name, password=password)
        if user is None:
            return told("Name or password is wrong. A new user needs a new name, and 8 characters as password.", 403)
        login(request, user)
        return redirect("/")

    @require_POST
    def leave(request: HttpRequest) -> HttpResponse:
        logout(request)
        return redirect("/enter")

    def home(request: HttpRequest) -> HttpResponse:
        out = f"<h1>{escape(request.user)}</h1>" + form(request, "/leave", "Log out")
        if open_id_of(request) is None:  # A link: the policy lets no form lead to TikTok's page.
            return shown(out, '<p><a href="/connect">Connect TikTok</a></p>')
        own = ask("SELECT id, name FROM films WHERE user = %s", request.user.pk)
        lines = [f'<li><a href="/films/{film}">{escape(name)}</a></li>' for film, name in own]
        upload = form(request, "/films", "Upload", '<input type="file" name="film" required>')
        return shown(out, "<ul>", *lines, "</ul>", upload, form(request, "/disconnect", "Disconnect TikTok"))

    def begin(request: HttpRequest) -> HttpResponse:
        begun = tiktok.authorization(["user.info.basic", "video.publish"])
        request.session["tiktok"] = begun.reveal()  # the state and the PKCE verifier
        return redirect(begun.url)

    def callback(request: HttpRequest) -> HttpResponse:
        if (kept := request.session.pop("tiktok", None)) is None:
            return told("This browser began no sign-in. Begin it again.")
        try:
            open_id = tiktok.sign_in(Authorization.restore(kept), request.build_absolute_uri()).open_id
            ask(CONNECT, request.user.pk, open_id)
        except IntegrityError:
            return told("Another user of this site has connected this TikTok account.", 409)
        except TikTokError as error:
            return told(error)
        return redirect("/")

    @require_POST
    def upload(request: HttpRequest) -> HttpResponse:
        film, brought = secrets.token_urlsafe(16), request.FILES["film"]
        (films / film).touch(0o600, exist_ok=False)
        with (films / film).open("wb") as stored:
            shutil.copyfileobj(brought, stored)
        ask("INSERT INTO films (id, user, name) VALUES (%s, %s, %s)", film, request.user.pk, brought.name)
        return redirect(f"/films/{film}")

    def film_of(request: HttpRequest, film: str) -> tuple[str, str]:
        for found in ask("SELECT id, name FROM films WHERE id = %s AND user = %s", film, request.user.pk):
            return found
        raise Http404

    def video(request: HttpRequest, film: str) -> FileResponse:
        return FileResponse((films / film_of(request, film)[0]).open("rb"), content_type="video/mp4", headers=HEADERS)

    def export(request: HttpRequest, owner: tiktok_core.Account, film: str) -> HttpResponse:
        name, url = film_of(request, film)[1], f"/films/{film}"
        if record := owner.post(film):
            if record.is_ended:
                (films / film).unlink(missing_ok=True)
            return shown(page.progress_page(record.shown, again=url))
        creator, sent = owner.creator_info(), page.read_submission(request.POST.dict())
        chosen, problems = sent.on(ExportForm(creator)), sent.problems
        if sent.action == "post" and not problems:
            try:
                post = chosen.video_post()
                tiktok.check_video(films / film, post, creator=creator)
                owner.enter_video(films / film, key=film, **asdict(post))  # The worker posts it. One key is one post.
                return redirect(url)
            except InvalidPost as error:
                problems = error.problems
        kept = {
            "shown": page.Shown(video=f"{url}/video", name=name),
            "hidden": {"csrfmiddlewaretoken": get_token(request)},
        }
        return shown(page.export_page(chosen, action=url, refused=problems, draft=False, sent=sent, **kept))

    def disconnect(request: HttpRequest, owner: tiktok_core.Account) -> HttpResponse:
        for record in owner.unfinished():
            with suppress(tiktok_core.InvalidInput):  # TikTok has it already.
                owner.abandon(record.key)
        owner.revoke()
        for (film,) in ask("DELETE FROM films WHERE user = %s RETURNING id", request.user.pk):
            (films / film).unlink(missing_ok=True)
        ask("DELETE FROM accounts WHERE user = %s", request.user.pk)
        return redirect("/")

    urlpatterns[:] = [
        *(at("", home), at("enter", enter), at("leave", leave), at("page.<kind>", part)),
        *(at("connect", begin), at("callback/", callback), at("disconnect", require_POST(guarded(disconnect)))),
        *(at("films", upload), at("films/<film>", guarded(export)), at("films/<film>/video", video)),
    ]
    return get_wsgi_application()


if __name__ == "__main__":
    with connect() as client:
        made = make_site(client, Path(os.environ["TIKTOK_HOME"]) / "site", os.environ["SITE_KEY"])
        from django.core.servers.basehttp import run

        run("127.0.0.1", 8000, made, threading=True)
