"""`doctor`: find out why you cannot post, by checking everything that a post needs, in the order in which it needs it.

What belongs here: the checks, and the sentences about their results. The checks change nothing, except that they renew an
expired token.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import click
from attrs import asdict, define, field

from tiktok_adapters.assembly import Settings
from tiktok_adapters.assembly.ports import blocking_transport
from tiktok_adapters.cli.advice import APP, AUDIT, PHONE, PRODUCTS, REDIRECTS, advice_on, advice_on_setting
from tiktok_adapters.cli.common import account_of, client, common, now, settings
from tiktok_adapters.cli.findings import Finding
from tiktok_adapters.cli.kept import StoreClock, where_kept
from tiktok_adapters.cli.output import show, status_of
from tiktok_adapters.cli.reach import certificates, media, proxy
from tiktok_adapters.cli.spelling import OneOf
from tiktok_core import (
    Account,
    App,
    AppKind,
    CreatorInfo,
    Endpoints,
    InvalidSettings,
    PrivacyLevel,
    Problem,
    Scope,
    Stage,
    StoreError,
    TikTok,
    TikTokError,
    Tokens,
    TransportError,
)
from tiktok_core.domain.app import is_loopback
from tiktok_core.domain.beginning import needs_release
from tiktok_core.domain.pacing import DAILY_POSTS, DAY, PENDING_SHARES
from tiktok_core.ports import Request, Response, Transport

__all__ = ["doctor", "examined"]

UPLOAD_URL: Final = "https://open-upload.tiktokapis.com/video/"
"""The host in the examples of TikTok's documents; source: developers.tiktok.com/doc/content-posting-api-reference-direct-post."""
SANDBOX_KEY: Final = "sb"
"""The observed first letters of sandbox keys. TikTok does not document them, so they are only a hint."""
SKEW_TOLD: Final = 60
SKEW_HARMFUL: Final = 300
WAIT: Final = 10.0

NEEDS: Final = {
    "post": (Scope.VIDEO_PUBLISH,),
    "draft": (Scope.VIDEO_UPLOAD,),
    "videos": (Scope.VIDEO_LIST,),
    "whoami": (Scope.USER_INFO_BASIC,),
}
"""The scopes that each command needs."""

FIX_FIRST: Final = "fix the trouble above first"


@click.command(short_help="Find out why you cannot post.")
@click.option(
    "--for",
    "purpose",
    type=OneOf(NEEDS),
    help="The command you want to use (default: post and draft).",
)
@common
def doctor(purpose: str | None) -> int:
    """Check everything that a post needs, in order, and say what to change and where.

    The exit status is 0 if you can post, otherwise that of the first trouble.

    Example: tiktok doctor --json
    """
    found = list(_Examination(purpose).findings())
    documents = [{name: value for name, value in asdict(finding).items() if name != "status"} for finding in found]
    first = next((finding for finding in found if finding.verdict == "trouble"), None)
    show({"can_post": first is None, "findings": documents}, *_lines(found))
    return first.status if first else 0


def examined() -> list[Finding]:
    """Return what the checks find, for a page that shows it. It needs the context of a command."""
    return list(_Examination().findings())


def examiner() -> Callable[[], list[Finding]]:
    """Return what makes the check-up in another thread, which has the options of this command, too."""
    context = click.get_current_context()

    def examine() -> list[Finding]:
        with context.scope(cleanup=False):
            return examined()

    return examine


def _lines(findings: list[Finding]) -> Iterator[str]:
    marks = {"fine": "+", "warning": "!", "trouble": "x", "not looked at": "-"}
    rest = [finding for finding in findings if finding.message == FIX_FIRST]
    for finding in findings:
        if finding in rest:
            continue
        yield f"{marks[finding.verdict]} {finding.check}: {finding.message}"
        if finding.change:
            where = f" ({finding.where})" if finding.where else ""
            yield f"    {finding.change}{where}"
    if any(finding.check == "settings" and finding.verdict == "trouble" for finding in findings):
        yield "    To be asked for what is missing: tiktok configure"
    if rest:
        yield f"- {', '.join(finding.check for finding in rest)}: {FIX_FIRST}"


@define
class _Examination:
    """One round of checks; each check uses what the earlier ones found."""

    _purpose: str | None = None
    _found: Settings | None = None
    _app: App | None = None
    _endpoints: Endpoints | None = None
    _granted: Tokens | None = None
    _creator: CreatorInfo | None = None
    _clock: StoreClock = field(factory=StoreClock)
    _rest: list[str] = field(
        factory=lambda: [
            "settings",
            "redirect URI",
            "store",
            "proxy",
            "certificates",
            "TikTok's API",
            "clock",
            "sign-in",
            "scopes",
            "creator",
            "account",
            "posts of the last day",
            "upload host",
        ]
    )

    def findings(self) -> Iterator[Finding]:
        """Yield the result of each check, and a finding for each check that could not run."""
        for finding in self._looks():
            self._rest = [check for check in self._rest if check != finding.check]
            yield finding
        for check in self._rest:
            yield Finding(check=check, verdict="not looked at", message=FIX_FIRST)

    def _looks(self) -> Iterator[Finding]:
        yield from self._settings()
        if self._found is None or self._app is None or self._endpoints is None:
            return
        kept, self._clock = where_kept(self._found)
        yield kept
        network = self._found.network()
        yield proxy(network, self._endpoints.api_url, _upload_url(self._endpoints))
        yield certificates(network)
        if self._found.media_hosts:
            yield media(self._found.media_hosts)
        transport = blocking_transport(self._found)
        try:
            yield from self._api(transport, self._endpoints)
            with client(self._found) as tiktok:
                yield from self._account(tiktok, self._found)
            yield _upload_host(transport, self._endpoints)
        finally:
            transport.close()

    # --- This machine ------------------------------------------------------------------------------------------------

    def _settings(self) -> Iterator[Finding]:
        problems: tuple[Problem, ...] = ()
        try:
            self._found = settings()
            self._app, self._endpoints = self._found.checked()
            self._found.network().options()  # This reads the file of authorities.
        except InvalidSettings as error:
            problems = error.problems
        # A wrong redirect URI gets its own finding, because it has to fit the kind of app; a missing one is a setting.
        redirects = [problem for problem in problems if problem.field == "redirect_uri" and self._has_redirect()]
        others = [problem for problem in problems if problem not in redirects]
        for problem in others:
            yield _wrong("settings", problem)
        if self._found is not None and not others:
            yield _origins(self._found)
        for problem in redirects:
            yield _wrong("redirect URI", problem)
        if self._app is not None:
            yield _redirect(self._app)

    def _has_redirect(self) -> bool:
        return self._found is not None and bool(self._found.redirect_uri)

    # --- TikTok, without a token -------------------------------------------------------------------------------------

    def _api(self, transport: Transport, endpoints: Endpoints) -> Iterator[Finding]:
        host = urlsplit(endpoints.api_url).netloc
        try:
            answer = _asked(transport, endpoints.at("/v2/user/info/?fields=open_id"))
        except TransportError as error:
            yield _trouble("TikTok's API", error)
            return
        yield Finding(check="TikTok's API", verdict="fine", message=f"{host} answers")
        yield _clock(answer, self._clock)

    # --- The account -------------------------------------------------------------------------------------------------

    def _account(self, tiktok: TikTok, found: Settings) -> Iterator[Finding]:
        try:
            account = account_of(tiktok, found.account)
            self._granted = account.tokens()
        except TikTokError as error:
            yield _trouble("sign-in", error)
            return
        yield _sign_in(self._granted)
        yield _scopes(self._granted, self._purpose)
        if self._granted.allows(Scope.VIDEO_PUBLISH):
            yield from self._creator_info(account)
        yield _posts(account)

    def _creator_info(self, account: Account) -> Iterator[Finding]:
        try:
            creator = account.creator_info()
        except TikTokError as error:
            yield _trouble("creator", error)
            return
        longest = f"videos up to {creator.max_video_post_duration_sec} s"
        off = [
            name
            for name, disabled in (
                ("comments", creator.comment_disabled),
                ("duets", creator.duet_disabled),
                ("stitches", creator.stitch_disabled),
            )
            if disabled
        ]
        said = f"{creator.creator_username} may post now; {longest}"
        yield Finding(
            check="creator", verdict="fine", message=said + (f"; switched off: {', '.join(off)}" if off else "")
        )
        yield _privacy(creator)


def _redirect(app: App) -> Finding:
    kind = "Desktop" if app.kind is AppKind.DESKTOP else "Web"
    wild = "; a wildcard port means any free port" if app.has_wildcard_port else ""
    return Finding(
        check="redirect URI",
        verdict="fine",
        message=f"{app.redirect_uri} suits the platform {kind}{wild}",
        change=f"Register exactly this URI under {kind}, or TikTok's consent page refuses it.",
        where=REDIRECTS,
    )


def _asked(transport: Transport, url: str) -> Response:
    return transport.send(Request(method="GET", url=url, timeout=WAIT, time_limit=WAIT))


def _clock(answer: Response, clock: StoreClock) -> Finding:
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return Finding(check="clock", verdict="not looked at", message="TikTok's response has no readable Date header")
    at = datetime.now(UTC) + clock.ahead
    ahead = round((at - there.replace(tzinfo=there.tzinfo or UTC)).total_seconds())
    said = f"{clock.whose} is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} TikTok"
    if abs(ahead) < SKEW_TOLD:
        return Finding(check="clock", verdict="fine", message=said)
    change = f"Set the clock of {clock.of}: with a wrong one, tokens are renewed too early or too late, and webhooks are refused."
    if abs(ahead) < SKEW_HARMFUL:
        return Finding(check="clock", verdict="warning", message=said, change=change)
    return Finding(check="clock", verdict="trouble", message=said, change=change, status=1)


def _upload_url(endpoints: Endpoints) -> str:
    # A simulated TikTok receives the bytes itself, so the check must not contact the real upload host.
    return endpoints.api_url if is_loopback(endpoints.api_url) else UPLOAD_URL


def _upload_host(transport: Transport, endpoints: Endpoints) -> Finding:
    url = _upload_url(endpoints)
    host = urlsplit(url).netloc
    try:
        _asked(transport, url)
    except TransportError as error:
        return _trouble("upload host", error)
    return Finding(check="upload host", verdict="fine", message=f"{host} answers")


def _sign_in(tokens: Tokens) -> Finding:
    said = f"{tokens.open_id} is signed in until {tokens.refresh_expires_at:%Y-%m-%d}"
    if tokens.is_refused:
        said = f"{tokens.open_id} is signed in until {tokens.expires_at:%H:%M} UTC: TikTok no longer accepts its refresh token"
        return Finding(check="sign-in", verdict="warning", message=said, change="Sign in again: tiktok login")
    if tokens.needs_sign_in_soon(now()):
        change = "Sign in again before then: tiktok login"
        return Finding(check="sign-in", verdict="warning", message=said, change=change)
    return Finding(check="sign-in", verdict="fine", message=said)


def _scopes(tokens: Tokens, purpose: str | None) -> Finding:
    # Without `--for`, either kind of post is enough: a scope for posts or one for drafts.
    wanted = {purpose: NEEDS[purpose]} if purpose else {name: NEEDS[name] for name in ("post", "draft")}
    lacking = {name: missing for name, scopes in wanted.items() if (missing := tokens.missing(scopes))}
    said = f"granted: {', '.join(tokens.scope) or 'nothing'}"
    if not lacking:
        return Finding(check="scopes", verdict="fine", message=said)
    wanting = [scope for scopes in lacking.values() for scope in scopes]
    without = "; ".join(f"without {', '.join(scopes)} {name!r} is not possible" for name, scopes in lacking.items())
    again = "".join(f" --scope {scope}" for scope in dict.fromkeys((*tokens.scope, *wanting)))
    return Finding(
        check="scopes",
        verdict="trouble" if len(lacking) == len(wanted) else "warning",
        message=f"{said}; {without}",
        change=f"Add the scopes to your app, then sign in again and leave their boxes ticked: tiktok login{again}",
        where=PRODUCTS,
        status=3,
    )


def _privacy(creator: CreatorInfo) -> Finding:
    if PrivacyLevel.PUBLIC_TO_EVERYONE not in creator.privacy_level_options:
        said = "it is private: apps that TikTok has not audited may post to it, with SELF_ONLY"
        return Finding(check="account", verdict="fine", message=said)
    return Finding(
        check="account",
        verdict="warning",
        message="it is public: TikTok refuses every direct post of an app that it has not audited, even with SELF_ONLY",
        change=f"If TikTok has not audited your app, make the account private while you test, or ask for the audit ({AUDIT}).",
        where=PHONE,
    )


def _posts(account: Account) -> Finding:
    since = now() - DAY
    try:
        of_a_day, unfinished, unreadable = account.posts(since=since), account.unfinished(), account.unreadable()
    except StoreError as error:
        return _trouble("posts of the last day", error)
    lately = [record for record in of_a_day if record.publish_id and (record.init_at or record.created_at) > since]
    drafts = sum(record.wish.post.draft and record.stage is not Stage.FAILED for record in lately)
    direct = sum(not record.wish.post.draft and record.stage is not Stage.FAILED for record in lately)
    unknown = sum(record.stage is Stage.UNKNOWN for record in unfinished)
    said = (
        f"{direct} of about {DAILY_POSTS} posts, {drafts} of {PENDING_SHARES} drafts from here; "
        f"{len(unfinished)} unfinished"
    )
    if waiting := sum(needs_release(record, now()) for record in unfinished):
        said = f"{said}, of which {waiting} held or late, until 'tiktok release'"
    if unknown:
        change = "Look in the TikTok app whether they are there, then: tiktok resume --settle posted|not-posted KEY (tiktok uploads lists the keys)"
        said = f"{said}, of which {unknown} may or may not have been posted"
        return Finding(check="posts of the last day", verdict="warning", message=said, change=change)
    if unreadable:
        change = "'tiktok uploads' lists them; if a newer release wrote them, upgrade, else 'tiktok uploads --forget KEY' removes one"
        said = f"{said}; records that cannot be read: {len(unreadable)}"
        return Finding(check="posts of the last day", verdict="warning", message=said, change=change)
    if drafts >= PENDING_SHARES or direct >= DAILY_POSTS:
        change = "TikTok may refuse the next post: finish or delete drafts in the TikTok app, or wait a day."
        return Finding(check="posts of the last day", verdict="warning", message=said, change=change, where=APP)
    return Finding(check="posts of the last day", verdict="fine", message=said)


def _trouble(check: str, error: TikTokError) -> Finding:
    change, where = advice_on(error)
    return Finding(
        check=check, verdict="trouble", message=str(error), change=change, where=where, status=status_of(error)
    )


def _wrong(check: str, problem: Problem) -> Finding:
    change, where = advice_on_setting(problem.field)
    status = status_of(InvalidSettings((problem,)))
    said = f"{problem.field} {problem.message}"
    return Finding(check=check, verdict="trouble", message=said, change=change, where=where, status=status)


def _origins(found: Settings) -> Finding:
    origins = {name: origin for name, origin in found.origins.items() if name != "log"}
    told = ", ".join(f"{name} from {origin}" for name, origin in origins.items())
    said = f"home is {found.home}; {told}"
    if found.client_key.startswith(SANDBOX_KEY):
        said = f"{said}; the key looks like a sandbox's: only the sandbox's target users can sign in"
    elif not is_loopback(found.api_url):
        said = f"{said}; a production key works only once TikTok has approved the app: until then use a sandbox's"
    return Finding(check="settings", verdict="fine", message=said)
