"""The HTML of the simulated TikTok: the consent page, its error page, the phone, and the page of posts.

What belongs here: markup. Every value passes through `html.escape`; the pages have no script and load nothing from other hosts.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.tasks import Post
from tiktok_core.wire.http import Response

__all__ = ["consent_page", "error_page", "html", "phone_page", "posts_page"]

# The policy allows every form target, because the answer to the consent form redirects to the app's own URI.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; media-src 'self'; frame-ancestors 'none'"

_STYLE: Final = """
body { margin: 0; background: #f4f4f5; color: #18181b; font: 16px/1.5 system-ui, sans-serif; }
.simulated { margin: 0; padding: .6rem 1rem; background: #18181b; color: #fff; text-align: center; }
main { max-width: 34rem; margin: 2rem auto; padding: 2rem; background: #fff; border-radius: 14px;
       box-shadow: 0 1px 4px rgb(0 0 0 / 15%); }
main.wide { max-width: 62rem; }
h1 { margin: 0 0 .5rem; font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
p.note, dt { color: #52525b; overflow-wrap: anywhere; }
fieldset { margin: 1rem 0; padding: .7rem 1rem; border: 1px solid #d4d4d8; border-radius: 10px; }
legend { padding: 0 .4rem; font-weight: 600; }
label { display: flex; gap: .6rem; padding: .3rem 0; }
label code { display: block; color: #52525b; }
label span { min-width: 0; overflow-wrap: anywhere; }
input[type=url] { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; }
:focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
button { padding: .6rem 1.6rem; border: 1px solid #d4d4d8; border-radius: 8px; background: #fff; font: inherit;
         cursor: pointer; }
button.go { border-color: #be123c; background: #be123c; color: #fff; }
article { display: grid; grid-template-columns: minmax(8rem, 15rem) minmax(0, 1fr); gap: 1.2rem; padding: 1.2rem 0;
          border-top: 1px solid #e4e4e7; }
article p { overflow-wrap: anywhere; }
ol { margin: 0; padding-left: 1.6rem; overflow-wrap: anywhere; }
video { width: 100%; max-height: 18rem; border-radius: 8px; background: #18181b; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; margin: .5rem 0 0; font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
code { font-size: .9em; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  main { margin: 0; padding: 1rem; border-radius: 0; }
  fieldset { min-width: 0; padding: .5rem; }
  article, dl { grid-template-columns: minmax(0, 1fr); }
  dd { margin-bottom: .4rem; }
}
"""

_SCOPE_TEXTS: Final[Mapping[str, str]] = {
    "user.info.basic": "Read your profile name and avatar",
    "user.info.profile": "Read your handle, bio and verification",
    "user.info.stats": "Read your counts of likes, followers and videos",
    "video.list": "Read your public videos",
    "video.upload": "Put drafts into your inbox",
    "video.publish": "Post to your profile",
}


def html(page: str, status: int = 200) -> Response:
    """Return a page as an answer that browsers must not cache or show in a frame."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": _POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response(status, headers, page.encode("utf-8", "replace"))


def _page(title: str, inside: str, *, kind: str = "") -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        '<body><p class="simulated" role="note"><strong>A simulated TikTok.</strong> Nothing here reaches the real one.'
        f'</p>\n<main class="{escape(kind)}">\n{inside}\n</main></body></html>\n'
    )


def error_page(parameter: str, sentence: str) -> str:
    """Return the page that names a faulty parameter of the authorization request."""
    inside = (
        "<h1>Something went wrong</h1>\n<p>We couldn't log in with TikTok. The app sent a faulty parameter:</p>\n"
        f'<p><code id="parameter">{escape(parameter)}</code></p>\n<p class="note">{escape(sentence)}</p>'
    )
    return _page("Something went wrong", inside)


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
    return _page("Log in with TikTok", inside)


def phone_page(said: str = "") -> str:
    """Return the page that plays a phone: the result of a decision, or a field for the URL in a QR code."""
    if said:
        return _page("Phone", f"<h1>{escape(said)}</h1>")
    inside = (
        '<h1>A phone, to scan QR codes with</h1>\n<form><p><label for="scanned">What the QR code says</label>'
        '<input type="url" id="scanned" name="scanned" required autocomplete="off"></p>\n'
        '<button class="go">Scan</button></form>'
    )
    return _page("Phone", inside)


def posts_page(posts: Sequence[Post], *, videos: bool) -> str:
    """Return the page of all posts, newest first.

    Args:
        posts: the posts, in the order of their inits.
        videos: whether the simulator keeps the bytes, so that the page can play complete videos.
    """
    shown = "\n".join(_article(post, videos=videos) for post in reversed(posts))
    phone = '<p class="note">To sign in by QR code, use <a href="/phone/">the phone</a>.</p>'
    inside = f"<h1>Posts</h1>\n{shown or '<p>Nothing has been posted yet.</p>'}\n{phone}"
    return _page("Simulated TikTok", inside, kind="wide")


def _article(post: Post, *, videos: bool) -> str:
    facts = {
        "Status": " ".join(filter(None, (post.status, post.fail_reason))),
        "Account": f"@{post.username} ({post.account})",
        "Mode": f"{post.kind}, {post.mode}, {post.source}",
        "Privacy": post.privacy_level,
        "Labels": _labels(post),
        "Bytes": f"{post.bytes_received:,} of {post.size:,}" if post.size else "",
        "SHA-256": post.sha256,
        "Post ids": ", ".join(str(post_id) for post_id in post.post_ids),
        "Began": f"{post.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "Publish id": post.publish_id,
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    title = escape(post.title) or '<span class="note">(no caption)</span>'
    text = post.post_info.get("description") or ""
    described = f"<p>{escape(str(text))}</p>" if text else ""
    return f"<article><div>{_media(post, videos=videos)}</div><div><h2>{title}</h2>{described}<dl>{rows}</dl></div></article>"


def _labels(post: Post) -> str:
    info = post.post_info
    labels = {
        "paid partnership": info.get("brand_content_toggle"),
        "promotional content": info.get("brand_organic_toggle"),
        "made with AI": post.is_aigc,
    }
    return ", ".join(name for name, on in labels.items() if on)


def _media(post: Post, *, videos: bool) -> str:
    if post.urls:
        return "<ol>" + "".join(f"<li><code>{escape(url)}</code></li>" for url in post.urls) + "</ol>"
    if not videos or not post.sha256:
        return '<p class="note">No picture</p>'
    where = f"/_sandbox/video/{quote(post.publish_id, safe='')}"
    return f'<video controls preload="metadata" src="{escape(where)}"></video>'
