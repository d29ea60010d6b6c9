"""The page of one account: what to give, what was given, and the posts of the journal with what can be done about each.

What belongs here: HTML of rows. `words` has the sentences; `post_routes` does what a button asks for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen

from tiktok_adapters.studio.desk import Desk
from tiktok_adapters.studio.given import Given
from tiktok_adapters.studio.layout import link, text
from tiktok_adapters.studio.words import media_of, moment, size, state_of
from tiktok_core import Record, Stage, Unreadable
from tiktok_core.domain.beginning import needs_release
from tiktok_core.domain.pacing import DAILY_POSTS, DAY, PENDING_SHARES

__all__ = ["Row", "account_page", "row_of"]

MOST: Final = 100
"""Posts that the page lists, beside those that have not ended."""
DROP: Final = """<section aria-labelledby="new"><h2 id="new">New post</h2>
<div id="drop" data-put="{films}"><p><label for="film">Drop a film here, or choose a file</label></p>
<input type="file" id="film" accept="video/mp4,video/quicktime,video/webm,.mp4,.mov,.webm">
<noscript><p>Without JavaScript a film cannot be taken here; pictures can.</p></noscript>
<p id="dropped" role="status"></p><progress id="coming" max="1" value="0" hidden aria-label="Copying the film"></progress></div>
{pictures}</section>"""


@frozen
class Row:
    """A post in the list.

    Attributes:
        key: its key.
        live: what changes while it runs, as HTML.
        rest: what changes with its stage only, as HTML, so that no button moves under the pointer.
        is_ended: whether the post has ended, and nothing runs for it here.
    """

    key: str
    live: str
    rest: str
    is_ended: bool

    @property
    def html(self) -> str:
        """The whole row."""
        return f'<li data-post="{text(self.key)}"><div class="rest">{self.rest}</div><div class="live" role="status">{self.live}</div></li>'


def row_of(desk: Desk, record: Record, films: Sequence[Given]) -> Row:
    """Return the row of a post."""
    running, now = desk.poster.running(record.account, record.key), desk.tiktok.clock.now()
    trouble = desk.poster.trouble(record.account, record.key)
    state = state_of(record, now, is_running=running is not None)
    media, title = media_of(record), record.wish.post.title
    url = desk.links.get((record.account, record.key), "")
    kind = "Draft" if record.wish.post.draft else "Post"
    public = url and f' <a href="{text(url)}" target="_blank" rel="noopener noreferrer">See it on TikTok</a>'
    rest = (
        f"<p><strong><bdi>{text(title or '(no title)')}</bdi></strong></p>"
        f'<p class="small">{kind}, <bdi>{text(media)}</bdi>, {text(moment(record.created_at))}</p>'
        f'<p class="state">{text(state)}{public}</p>{_buttons(desk, record, now, films, is_running=running is not None)}'
    )
    live = ""
    if running is not None and running.sentence and running.last is not None:
        last = running.last
        bar = f'<progress max="{last.video_size}" value="{last.sent_bytes}" aria-label="Upload of {text(media)}"></progress>'
        live = f"{bar}<p>{text(running.sentence)}</p>"
    if trouble:
        live += f'<p class="trouble">{text(trouble)}</p>'
    return Row(record.key, live, rest, record.is_ended and running is None)


def _buttons(desk: Desk, record: Record, now: datetime, films: Sequence[Given], *, is_running: bool) -> str:
    path = desk.guard.path("a", record.account, "posts")
    about = record.wish.post.title or media_of(record)

    def button(action: str, label: str) -> str:
        return desk.layout.button(f"{path}/{action}", label, fields={"key": record.key}, about=about)

    found: list[str] = []
    if needs_release(record, now):
        found.append(button("release", "Release"))
    elif record.stage is Stage.UNKNOWN and record.publish_id is None and not is_running:
        found += [button("posted", "It is there"), button("not-posted", "It is not there")]
    elif not record.is_ended and not is_running:
        found.append(button("go-on", "Go on"))
    if record.is_before_handover and not record.last_left and (record.is_planned or not record.wish.is_pulled):
        found.append(button("give-up", "Give up"))
    if record.stage is Stage.COMPLETE and (record.account, record.key) not in desk.links:
        found.append(button("find", "Look for the public link"))
    if record.stage in (Stage.FAILED, Stage.ABANDONED):
        film = next((one for one in films if str(one.path) == record.wish.video), None)
        if film is not None:
            found.append(link(desk.guard.path("a", record.account, "given", film.id), "Post it again"))
    return f'<div class="buttons">{"".join(found)}</div>' if found else ""


def account_page(
    desk: Desk, account: str, records: Sequence[Record], unreadable: Iterable[Unreadable], films: Sequence[Given]
) -> str:
    """Return the content of an account's page."""
    path = desk.guard.path("a", account)
    area = (
        '<label for="urls">Or give the URLs of pictures, one a line; TikTok pulls them</label>'
        '<textarea id="urls" name="urls" rows="3" required></textarea><button>Use these pictures</button>'
    )
    pictures = desk.layout.form(f"{path}/pictures", area, kind="pictures")
    newest = sorted(records, key=lambda one: one.created_at, reverse=True)
    # The script loads the page again for a post that moves and has no row, so each of these has one.
    listed_ones = [one for at, one in enumerate(newest) if at < MOST or not one.is_ended]
    rows = [row_of(desk, one, films).html for one in listed_ones]
    lost = "".join(f"<li>{text(one.key)}: its record cannot be read. {text(one.reason)}</li>" for one in unreadable)
    listed = (
        f'<ol id="posts" class="posts">{"".join(rows)}{lost}</ol>' if rows or lost else "<p>There is no post yet.</p>"
    )
    return (
        DROP.format(films=text(f"{path}/films"), pictures=pictures)
        + _given(desk, account, films)
        + f'<section aria-labelledby="made" data-events="{text(f"{path}/events")}"><h2 id="made">Posts</h2>'
        + f"<p>{text(_today(records, desk.tiktok.clock.now()))}</p>{listed}</section>"
    )


def _given(desk: Desk, account: str, films: Sequence[Given]) -> str:
    if not films:
        return ""
    path = desk.guard.path("a", account, "given")
    rows = [
        f'<li>{link(f"{path}/{one.id}", one.name)} <span class="small">{size(one.size) if one.is_film else ""}</span> '
        f"{desk.layout.button(f'{path}/{one.id}/remove', 'Remove', about=one.name)}</li>"
        for one in films
    ]
    return f'<section aria-labelledby="kept"><h2 id="kept">Kept for posts</h2><ul class="given">{"".join(rows)}</ul></section>'


def _today(records: Iterable[Record], now: datetime) -> str:
    """Return how much of TikTok's daily quotas the posts of this machine have used."""
    lately = [
        one
        for one in records
        if one.publish_id and (one.init_at or one.created_at) > now - DAY and one.stage is not Stage.FAILED
    ]
    drafts = sum(one.wish.post.draft for one in lately)
    return (
        f"In the last 24 hours, from this machine: {len(lately) - drafts} of about {DAILY_POSTS} posts, "
        f"{drafts} of {PENDING_SHARES} drafts."
    )
