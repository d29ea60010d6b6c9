"""The sandbox's own page: posts, accounts and sign-ins, requests with TikTok's answers, faults and switches to click.

What belongs here: what the page shows, as lists of items. `overview.js` replaces the items that have changed while the page is
open; without it, each button loads the page again. No item holds a secret or a token.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from functools import cache
from html import escape
from inspect import cleandoc
from typing import Final, Protocol
from urllib.parse import quote

from attrs import frozen

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.faults import OPERATIONS, WORDS, Faults
from tiktok_adapters.simulator.log import LogEntry
from tiktok_adapters.simulator.pages import page
from tiktok_adapters.simulator.switches import Switches, values_of
from tiktok_adapters.simulator.tasks import Post
from tiktok_adapters.simulator.world import Delivery, SignIn, World

__all__ = ["Item", "Sandbox", "lists", "overview"]

MOST: Final = 200
"""The most posts and requests on the page, the newest ones."""
_GROUP: Final = re.compile(r"(\w[\w ]+):")
_SWITCH: Final = re.compile(r"    (\w+(?:, \w+)*): (.*)")


class Sandbox(Protocol):
    """The parts of the simulator that its own page and calls show and change."""

    switches: Switches
    faults: Faults
    keep_bytes: bool
    world: World

    @property
    def apps(self) -> MutableSequence[App]: ...  # noqa: D102 - `SimulatedTikTok` documents each
    @property
    def creators(self) -> MutableSequence[Creator]: ...  # noqa: D102
    @property
    def posts(self) -> Sequence[Post]: ...  # noqa: D102
    @property
    def log(self) -> Sequence[LogEntry]: ...  # noqa: D102
    @property
    def sign_ins(self) -> Sequence[SignIn]: ...  # noqa: D102
    def webhooks(self, app: App | None = None, *, again: bool = False) -> Sequence[Delivery]: ...  # noqa: D102
    def finish_draft(self, publish_id: str, *, public: bool | None = None) -> None: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


@frozen
class Item:
    """One part of a list on the page.

    Attributes:
        key: the part's name in its list.
        inside: its markup.
    """

    key: str
    inside: str

    @property
    def mark(self) -> str:
        """Differs where the markup differs."""
        return hashlib.sha256(self.inside.encode("utf-8", "replace")).hexdigest()[:12]

    def __str__(self) -> str:
        return f'<div class="item" data-key="{escape(self.key)}" data-mark="{self.mark}">{self.inside}</div>'


def overview(sandbox: Sandbox) -> str:
    """Return the page."""
    shown = {name: "\n".join(str(item) for item in items) for name, items in lists(sandbox).items()}
    groups = "\n".join(
        f"<details><summary>{escape(title)}</summary>{_list(f'switches-{at}', shown)}</details>"
        for at, (title, _switches) in enumerate(described())
    )
    inside = f"""<h1>Simulated TikTok</h1>
<p id="said" class="note" role="status"></p>
<div class="columns"><div>
{_section("posts", "Posts", _list("posts", shown), empty="Nothing has been posted yet.")}
{_section("requests", "Requests", _list("log", shown), empty="No program has asked for anything yet.")}
</div><div>
{_section("accounts", "Accounts", _list("accounts", shown))}
{_section("apps", "Apps", _list("apps", shown))}
{_section("faults", "Faults", _list("faults", shown) + _fault_form(), empty="No fault waits for a request.")}
{_section("switches", "Switches", groups)}
<section><h2>All of it</h2>{_button("reset", "1", "Forget posts, sign-ins and requests")}
<p class="note">Accounts, apps and switches stay. To sign in by QR code, use <a href="/phone/">the phone</a>.</p></section>
</div></div>"""
    return page("Simulated TikTok", inside, kind="overview", script="/_sandbox/page.js")


def _section(name: str, title: str, inside: str, *, empty: str = "") -> str:
    note = f'<p class="note empty">{escape(empty)}</p>' if empty else ""
    return f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{inside}{note}</section>'


def _list(name: str, shown: Mapping[str, str]) -> str:
    return f'<div class="list" id="list-{name}" data-list="{name}">{shown[name]}</div>'


def lists(sandbox: Sandbox) -> dict[str, tuple[Item, ...]]:
    """Return what the page shows now: the items of each list, by the list's name."""
    posts, log = sandbox.posts, sandbox.log
    found = {
        "posts": [Item(post.publish_id, _post(post, videos=sandbox.keep_bytes)) for post in reversed(posts[-MOST:])],
        "log": [Item(str(at), _request(log[at])) for at in range(len(log) - 1, max(-1, len(log) - 1 - MOST), -1)],
        "accounts": [Item(one.username, _account(one, sandbox.sign_ins)) for one in sandbox.creators],
        "apps": [Item(app.client_key, _app(app)) for app in sandbox.apps],
        "faults": [
            Item(f"{at} {one}", f"<code>{escape(str(one))}</code>") for at, one in enumerate(sandbox.faults.pending)
        ],
    }
    for at, (_title, switches) in enumerate(described()):
        found[f"switches-{at}"] = [Item(name, _switch(sandbox.switches, name, text)) for name, text in switches]
    return {name: tuple(items) for name, items in found.items()}


# --- Posts and requests ----------------------------------------------------------------------------------------------


def _post(post: Post, *, videos: bool) -> str:
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
    waits = post.mode == "MEDIA_UPLOAD" and post.status == "SEND_TO_USER_INBOX"
    draft = _button("draft", post.publish_id, "Let the creator post the draft", at="posts") if waits else ""
    return f"<article><div>{_media(post, videos=videos)}</div><div><h3>{title}</h3>{described}<dl>{rows}</dl>{draft}</div></article>"


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
        return "<ol>" + "".join(f"<li><code>{escape(_without_query(url))}</code></li>" for url in post.urls) + "</ol>"
    if not videos or not post.sha256:
        return '<p class="note">No picture</p>'
    where = escape(f"/_sandbox/video/{quote(post.publish_id, safe='')}")
    name = escape(post.title or post.publish_id)
    return f'<video controls preload="metadata" aria-label="Video: {name}" src="{where}"></video>'


def _without_query(url: str) -> str:
    """Return the URL of a medium without its query, which often is a permission to read it."""
    before, mark, _query = url.partition("?")
    return f"{before}?..." if mark else before


def _request(entry: LogEntry) -> str:
    came = "no answer" if entry.status is None else " ".join(filter(None, (str(entry.status), entry.code)))
    kind = "bad" if entry.status is None or entry.status >= 400 else ""
    facts = {"Operation": entry.operation, "Account": entry.account, "Log id": entry.log_id}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items() if value)
    answer = f"<pre>{escape(entry.answer)}</pre>" if entry.answer else ""
    return (
        f'<details><summary><time datetime="{entry.at.isoformat()}">{entry.at:%H:%M:%S}</time> '
        f"<code>{escape(entry.method)} {escape(entry.path)}</code> "
        f'<strong class="{kind}">{escape(came)}</strong></summary><dl>{rows}</dl>{answer}</details>'
    )


# --- Accounts and apps -----------------------------------------------------------------------------------------------


def _account(creator: Creator, sign_ins: Sequence[SignIn]) -> str:
    mine = [one for one in sign_ins if one.username == creator.username]
    rows = "".join(
        f"<li>{escape(one.app)}, until {one.expires_at:%Y-%m-%d %H:%M} UTC: <code>{escape(', '.join(one.scopes))}</code></li>"
        for one in mine
    )
    signed_in = f"<p>Signed in to:</p><ul>{rows}</ul>" if mine else '<p class="note">Signed in to no app.</p>'
    remove = (
        _button("disconnect", creator.username, f"Remove the apps of @{creator.username}", at="accounts")
        if mine
        else ""
    )
    return (
        f"<h3>{escape(creator.nickname)} (@{escape(creator.username)})</h3><p><code>{escape(creator.open_id)}</code></p>"
        f"{_toggle('creator', creator.username, 'private', 'Private account', creator.private)}"
        f"{_toggle('creator', creator.username, 'banned', 'Barred from posting', creator.banned)}{signed_in}{remove}"
    )


def _app(app: App) -> str:
    return (
        f"<h3>{escape(app.name)}</h3><p><code>{escape(app.client_key)}</code></p>"
        f"{_toggle('app', app.client_key, 'audited', 'Audited', app.audited)}"
        f"{_toggle('app', app.client_key, 'approved', 'Reviewed', app.approved)}"
        f'<p class="note">Redirect URIs: {escape(", ".join(app.redirect_uris))}</p>'
    )


def _toggle(kind: str, whose: str, name: str, title: str, is_on: bool) -> str:
    """Return a form with one button, which is pressed or not."""
    hidden = _hidden({kind: whose, "at": f"{kind}s" if kind == "app" else "accounts"})
    return (
        f'<form method="post" action="/">{hidden}<button name="{name}" value="{"off" if is_on else "on"}" '
        f'aria-pressed="{str(is_on).lower()}">{escape(title)}</button></form>'
    )


def _button(name: str, value: str, title: str, *, at: str = "") -> str:
    hidden = _hidden({"at": at} if at else {})
    return f'<form method="post" action="/">{hidden}<button name="{name}" value="{escape(value)}">{escape(title)}</button></form>'


def _hidden(values: Mapping[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in values.items())


# --- Faults and switches ---------------------------------------------------------------------------------------------


def _fault_form() -> str:
    where = "".join(f"<option>{name}</option>" for name in ("init", *OPERATIONS))
    what = "".join(f"<option>{word}</option>" for word in WORDS)
    return (
        f'<form method="post" action="/" class="fault">{_hidden({"at": "faults"})}'  # noqa: S608 - a <select>, no SQL
        f'<label>Request <select name="fault">{where}</select></label>'
        '<label>The Nth from now <input name="nth" value="1" inputmode="numeric" size="3"></label>'
        f'<label>What happens <select name="what">{what}</select></label>'
        '<label>Its detail, if it has one <input name="detail" autocomplete="off" placeholder="503"></label>'
        "<button>Add the fault</button></form>"
        f"{_button('no-faults', '1', 'Remove all faults', at='faults')}"
    )


@cache
def described() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Return the groups of switches, each with the names of its switches and a sentence on each, from their docstring."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for line in cleandoc(Switches.__doc__ or "").splitlines():
        if group := _GROUP.fullmatch(line):
            groups.append((group[1], []))
        elif groups and (found := _SWITCH.fullmatch(line)):
            groups[-1][1].extend((name, found[2]) for name in found[1].split(", "))
    return tuple((title, tuple(switches)) for title, switches in groups)


def _switch(switches: Switches, name: str, text: str) -> str:
    values, now = values_of(name), getattr(switches, name)
    word = values.spell(now)
    return f'<h3><code>{name}</code></h3><p class="note">{escape(text)}</p>{"".join(_forms(name, word))}'


def _forms(name: str, word: str) -> Iterator[str]:
    values, hidden = values_of(name), _hidden({"switch": name, "at": "switches"})
    if values.words:
        buttons = "".join(
            f'<button name="value" value="{escape(one)}" aria-pressed="{str(one == word).lower()}">{escape(one)}</button>'
            for one in values.words
        )
        yield f'<form method="post" action="/" class="words">{hidden}{buttons}</form>'
    if values.free:
        shown = "" if word in values.words else word
        yield (
            f'<form method="post" action="/" class="words">{hidden}<label>{escape(values.free.capitalize())} '
            f'<input name="value" value="{escape(shown)}" autocomplete="off"></label><button>Set {name}</button></form>'
        )
