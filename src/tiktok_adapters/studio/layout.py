"""The frame of each page, and the parts that several pages have: forms, lists, links.

What belongs here: HTML. Each function returns a text in which every value from elsewhere is escaped.
"""

from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Final

from aiohttp import web
from attrs import frozen

from tiktok_adapters.studio.guard import CSRF, Guard

__all__ = ["Layout", "asset", "items", "link", "text"]

FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}{of_app}</title>{styles}{scripts}</head>
<body data-csrf="{csrf}"><a class="skip" href="#main">Skip to the content</a>
<header>{app}<nav aria-label="Pages">{nav}</nav>{note}</header>
<main id="main">{body}</main></body></html>
"""


def text(value: object) -> str:
    """Return a value as HTML that shows it and nothing else."""
    return escape(str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode())


def link(path: str, label: str) -> str:
    """Return a link to a page of the studio."""
    return f'<a href="{text(path)}">{text(label)}</a>'


def items(lines: Iterable[str], kind: str = "") -> str:
    """Return a list of lines, which are texts; empty if there are none."""
    inside = "".join(f"<li>{text(line)}</li>" for line in lines)
    return inside and f"<ul{kind and f' class={chr(34)}{kind}{chr(34)}'}>{inside}</ul>"


def asset(name: str) -> str:
    """Return a file of this package: the style sheet or the script."""
    return (files(__package__) / name).read_text("utf-8")


@frozen
class Layout:
    """Makes pages of one run.

    Attributes:
        guard: knows the paths and the token of the forms.
        note: what each page says below its links; empty for nothing.
        app: the name of the app, which stands at the top of each page; empty for none.
    """

    guard: Guard
    note: str = ""
    app: str = ""

    def page(self, title: str, body: str, *, status: int = 200, extra: str = "", headline: bool = True) -> web.Response:
        """Return a page.

        Args:
            title: its title, a text.
            body: its content, which is HTML already.
            status: the HTTP status.
            extra: the name of a further script and style sheet; empty for none.
            headline: whether to show the title as the headline, too.
        """
        path, names = self.guard.path, ("studio", extra) if extra else ("studio",)
        nav = (("", "Accounts"), ("sign-in", "Sign in"), ("doctor", "Check-up"))
        whole = FRAME.format(
            title=text(title),
            of_app=self.app and f" - {text(self.app)}",
            app=self.app and f'<p class="app">{text(self.app)}</p>',
            styles="".join(f'<link rel="stylesheet" href="{path(f"{name}.css")}">' for name in names),
            scripts="".join(f'<script src="{path(f"{name}.js")}" defer></script>' for name in names),
            csrf=self.guard.csrf,
            nav="".join(link(path(name), label) for name, label in nav),
            note=self.note and f'<p class="note">{text(self.note)}</p>',
            body=f"<h1>{text(title)}</h1>{body}" if headline else body,
        )
        return web.Response(text=whole, status=status, content_type="text/html", charset="utf-8")

    def refusal(self, status: int, sentence: str, *, is_own: bool) -> web.Response:
        """Return a page that tells why a request was refused.

        Args:
            status: the HTTP status.
            sentence: why.
            is_own: whether the request came from the person's own page. The page for others names nothing of this run.
        """
        if is_own:
            return self.page("Refused", f'<p role="alert">{text(sentence)}</p>', status=status)
        whole = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, '
            f'initial-scale=1"><title>Refused</title></head><body><main><h1>Refused</h1><p role="alert">{text(sentence)}</p></main>'
            "</body></html>"
        )
        return web.Response(text=whole, status=status, content_type="text/html", charset="utf-8")

    def form(self, path: str, inner: str, *, fields: Mapping[str, str] | None = None, kind: str = "") -> str:
        """Return a form that posts to a path.

        Args:
            path: the path.
            inner: its content, which is HTML already.
            fields: hidden fields beside the token.
            kind: its class.
        """
        hidden = {CSRF: self.guard.csrf, **(fields or {})}
        inputs = "".join(
            f'<input type="hidden" name="{text(name)}" value="{text(value)}">' for name, value in hidden.items()
        )
        return f'<form method="post" action="{text(path)}" class="{kind}">{inputs}{inner}</form>'

    def button(self, path: str, label: str, *, fields: Mapping[str, str] | None = None, about: str = "") -> str:
        """Return a form that is one button.

        Args:
            path: where it posts to.
            label: what it says.
            fields: hidden fields.
            about: what it is about, for those who do not see where it stands.
        """
        named = about and f' aria-label="{text(f"{label}: {about}")}"'
        return self.form(path, f"<button{named}>{text(label)}</button>", fields=fields, kind="one")
