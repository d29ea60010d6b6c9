"""The HTML of the simulated TikTok: the frame of every page, the consent page, its error page, and the phone.

What belongs here: markup. Every value passes through `html.escape`; no page loads anything from other hosts, and TikTok's pages
have no script. The sandbox's own page is in `overview.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_core.wire.http import Response

__all__ = ["consent_page", "error_page", "html", "page", "phone_page"]

# The policy allows every form target, because the answer to the consent form redirects to the app's own URI.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; frame-ancestors 'none'"
_SCRIPT: Final = "; script-src 'self'; connect-src 'self'"

_STYLE: Final = """
:root { color-scheme: light dark; --back: #f4f4f5; --sheet: #fff; --ink: #18181b; --soft: #52525b; --line: #d4d4d8;
        --go: #be123c; --bad: #b91c1c; --ring: #2563eb; }
@media (prefers-color-scheme: dark) {
  :root { --back: #18181b; --sheet: #27272a; --ink: #f4f4f5; --soft: #d4d4d8; --line: #52525b; --bad: #fca5a5; --ring: #93c5fd; }
}
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
.simulated { margin: 0; padding: .6rem 1rem; background: #18181b; color: #fff; text-align: center; }
main { max-width: 34rem; margin: 2rem auto; padding: 2rem; background: var(--sheet); border-radius: 14px;
       box-shadow: 0 1px 4px rgb(0 0 0 / 15%); }
h1 { margin: 0 0 .5rem; font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { margin: 0 0 .6rem; font-size: 1.15rem; }
h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
p.note, .note, dt { color: var(--soft); overflow-wrap: anywhere; }
a { color: inherit; }
fieldset { margin: 1rem 0; padding: .7rem 1rem; border: 1px solid var(--line); border-radius: 10px; }
legend { padding: 0 .4rem; font-weight: 600; }
label { display: flex; gap: .6rem; padding: .3rem 0; }
label code { display: block; color: var(--soft); }
label span { min-width: 0; overflow-wrap: anywhere; }
input, select { min-width: 0; padding: .3rem .5rem; border: 1px solid var(--line); border-radius: 6px; background: var(--sheet);
                color: inherit; font: inherit; }
input[type=url] { width: 100%; box-sizing: border-box; padding: .5rem; }
:focus-visible { outline: 3px solid var(--ring); outline-offset: 2px; }
button { padding: .6rem 1.6rem; border: 1px solid var(--line); border-radius: 8px; background: var(--sheet); color: inherit;
         font: inherit; cursor: pointer; }
button.go { border-color: var(--go); background: var(--go); color: #fff; }
ol, ul { margin: 0; padding-left: 1.6rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; margin: .5rem 0; font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font-size: .9em; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  main { margin: 0; padding: 1rem; border-radius: 0; }
  fieldset { min-width: 0; padding: .5rem; }
  dl { grid-template-columns: minmax(0, 1fr); }
  dd { margin-bottom: .4rem; }
}
main.overview { max-width: 90rem; margin: 0 auto; padding: 1rem; border-radius: 0; }
.overview .columns { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0 2.5rem; }
.overview section { padding: 1rem 0; border-top: 1px solid var(--line); }
.overview .list:not(:empty) ~ .empty { display: none; }
.overview .item { padding: .5rem 0; }
.overview article { display: grid; grid-template-columns: minmax(7rem, 14rem) minmax(0, 1fr); gap: 1.2rem; }
.overview article p { overflow-wrap: anywhere; }
.overview video { width: 100%; max-height: 18rem; border-radius: 8px; background: #18181b; }
.overview form { display: inline-block; margin: .3rem .4rem .3rem 0; }
.overview form.fault { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .2rem 1rem; margin: 0; }
.overview form.fault label { flex-direction: column; gap: 0; }
.overview form.words { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: .2rem 0; }
.overview button { padding: .35rem .9rem; }
.overview button[aria-pressed=true] { border-color: var(--ink); background: var(--ink); color: var(--sheet); }
.overview .bad { color: var(--bad); }
.overview summary { cursor: pointer; overflow-wrap: anywhere; }
.overview p { margin: .2rem 0; }
.overview pre { margin: .3rem 0; padding: .6rem; border-radius: 6px; background: var(--back); white-space: pre-wrap; }
.overview details details { margin-left: 1rem; }
@media (max-width: 60rem) { .overview .columns { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 40rem) { .overview article { grid-template-columns: minmax(0, 1fr); } }
"""

_SCOPE_TEXTS: Final[Mapping[str, str]] = {
    "user.info.basic": "Read your profile name and avatar",
    "user.info.profile": "Read your handle, bio and verification",
    "user.info.stats": "Read your counts of likes, followers and videos",
    "video.list": "Read your public videos",
    "video.upload": "Put drafts into your inbox",
    "video.publish": "Post to your profile",
}


def html(text: str, status: int = 200, *, has_script: bool = False) -> Response:
    """Return a page as an answer that browsers must not cache or show in a frame."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": _POLICY + _SCRIPT * has_script,
        # Without any referrer, a browser sends forms with the origin "null", as a page of another site might.
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    return Response(status, headers, text.encode("utf-8", "replace"))


def page(title: str, inside: str, *, kind: str = "", script: str = "") -> str:
    """Return a whole page.

    Args:
        title: the title.
        inside: the markup of the page's own part.
        kind: the class of that part.
        script: the path of a script on this host.
    """
    program = f'<script src="{escape(script)}" defer></script>' if script else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>{program}</head>\n"
        '<body><p class="simulated" role="note"><strong>A simulated TikTok.</strong> Nothing here reaches the real one.'
        f'</p>\n<main class="{escape(kind)}">\n{inside}\n</main></body></html>\n'
    )


def error_page(parameter: str, sentence: str) -> str:
    """Return the page that names a faulty parameter of the authorization request."""
    inside = (
        "<h1>Something went wrong</h1>\n<p>We couldn't log in with TikTok. The app sent a faulty parameter:</p>\n"
        f'<p><code id="parameter">{escape(parameter)}</code></p>\n<p class="note">{escape(sentence)}</p>'
    )
    return page("Something went wrong", inside)


def consent_page(
    app: App, creators: Sequence[Creator], scopes: Iterable[str], parameters: Mapping[str, str], note: str
) -> str:
    """Return the page on which a person chooses an account and scopes, and allows or denies.

    Args:
        app: the app that asks.
        creators: the accounts to choose from.
        scopes: the requested scopes.
        parameters: the values that the form sends back unchanged.
        note: a sentence about where the person goes afterwards.
    """
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in parameters.items()
    )
    accounts = "".join(
        f'<label><input type="radio" name="account" value="{escape(one.username)}"{" checked" if not place else ""}> '
        f"<span>{escape(one.nickname)} (@{escape(one.username)}, {'private' if one.private else 'public'})</span></label>"
        for place, one in enumerate(creators)
    )
    boxes = "".join(
        f'<label><input type="checkbox" name="granted" value="{escape(name)}" checked> '
        f"<span>{escape(_SCOPE_TEXTS.get(name, 'Use this permission'))} <code>{escape(name)}</code></span></label>"
        for name in scopes
    )
    inside = (
        f"<h1>{escape(app.name)} wants to use your TikTok account</h1>\n"
        f'<p class="note">{escape(note)}</p>\n'
        f'<form method="post" action="?">{hidden}\n'
        f"<fieldset><legend>Account</legend>{accounts}</fieldset>\n"
        f"<fieldset><legend>Allow it to</legend>{boxes}</fieldset>\n"
        '<button class="go" name="decision" value="allow">Allow</button> '
        '<button name="decision" value="deny">Deny</button></form>'
    )
    return page("Log in with TikTok", inside)


def phone_page(said: str = "") -> str:
    """Return the page that plays a phone: the result of a decision, or a field for the URL in a QR code."""
    if said:
        return page("Phone", f"<h1>{escape(said)}</h1>")
    inside = (
        '<h1>A phone, to scan QR codes with</h1>\n<form><p><label for="scanned">What the QR code says</label>'
        '<input type="url" id="scanned" name="scanned" required autocomplete="off"></p>\n'
        '<button class="go">Scan</button></form>'
    )
    return page("Phone", inside)
