"""`login`, `accounts`, `whoami`, `refresh`, `logout`, `creator`: who is signed in, and what they may do.

What belongs here: the commands about accounts. The way of an answer from the browser to here is `tiktok_adapters.sign_in`.
"""

from contextlib import ExitStack
from typing import Final

import click
from attrs import asdict, evolve

from tiktok_adapters.assembly import prepare
from tiktok_adapters.cli.common import choices, client, common, say, settings, signed_in
from tiktok_adapters.cli.output import account_document, show
from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.browser import open_browser
from tiktok_adapters.sign_in.loopback import LoopbackListener, unlistenable
from tiktok_adapters.sign_in.pasted import read_pasted
from tiktok_core import Account, App, AppKind, Authorization, TikTok, TikTokError, Tokens
from tiktok_core.domain.app import DEFAULT_SCOPES, check_scopes

__all__ = ["accounts", "creator", "login", "logout", "refresh", "whoami"]

PASTED_PORT: Final = 3455
"""Stands for a wildcard port where nobody listens and the answer is pasted."""


@click.command(short_help="Sign in to TikTok and keep the tokens.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What to ask for; may be given several times.")
@click.option("--kind", type=click.Choice([kind.value for kind in AppKind]), help="How the redirect URI is registered.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the answer may also be pasted.")
@common
def login(scopes: tuple[str, ...], kind: str | None, no_browser: bool) -> None:
    """Sign in: print TikTok's page, wait for its answer, keep the tokens.

    Example: tiktok login --scope user.info.basic,video.publish
    """
    wanted = [word.strip() for words in scopes for word in words.split(",") if word.strip()]
    found = settings()
    with client(found, kind) as tiktok:
        # Before anybody is asked to consent: tokens that cannot be kept would be a grant that nobody holds.
        prepare(found.home, tiktok.app)
        account, authorization = _sign_in(
            tiktok, check_scopes(wanted if scopes else DEFAULT_SCOPES), no_browser=no_browser
        )
        tokens = account.tokens()
        refused = tokens.missing(authorization.scopes)
        if refused:
            say(f"Not granted, though it was asked for: {', '.join(refused)}. What needs it will be refused.")
        name = tokens.open_id if choices().json else _name(account, tokens)
        show(account_document(tokens), f"Signed in as {name}. Granted: {', '.join(tokens.scope)}")


@click.command(short_help="List the signed-in accounts.")
@common
def accounts() -> None:
    """List the signed-in accounts, without their tokens.

    Example: tiktok accounts --json
    """
    with client(settings()) as tiktok:
        found = [account_document(tokens) for tokens in tiktok.accounts()]
    lines = [f"{one['open_id']}  until {one['refresh_expires_at']}  {one['scope']}" for one in found]
    show({"accounts": found}, *(lines or ["Nobody is signed in: tiktok login"]))


@click.command(short_help="Show the account's profile.")
@common
def whoami() -> None:
    """Show the account's profile, as far as the granted scopes open it.

    Example: tiktok whoami
    """
    with signed_in(settings()) as account:
        info = account.user_info()
    known = {name: value for name, value in asdict(info).items() if value is not None}
    show(known, *(f"{name}: {value}" for name, value in known.items()))


@click.command(short_help="Renew the account's tokens now.")
@common
def refresh() -> None:
    """Renew the account's tokens now, however long they would have lived.

    Example: tiktok refresh
    """
    with signed_in(settings()) as account:
        tokens = account.refresh()
    found = account_document(tokens)
    show(found, f"Renewed {found['open_id']}: the access token is good until {found['expires_at']}")


# TikTok's open_ids begin with "-000", and none of their letters may be taken for a short option.
@click.command(
    short_help="End a sign-in, at TikTok and here.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("open_id", metavar="[ACCOUNT]", required=False)
@common
def logout(open_id: str | None) -> None:
    """End a sign-in: at TikTok first, then the tokens are forgotten here.

    Example: tiktok logout
    """
    if open_id and open_id.startswith("-") and not open_id.startswith("-0"):
        raise click.NoSuchOption(open_id)
    found = settings()
    with signed_in(evolve(found, account=open_id or found.account)) as account:
        account.revoke()
        show({"open_id": account.open_id}, f"{account.open_id} is signed out")


@click.command(short_help="Show what this creator may post now.")
@common
def creator() -> None:
    """Show what this creator may post now: privacy levels, interactions, the longest video.

    Example: tiktok creator --json
    """
    with signed_in(settings()) as account:
        info = account.creator_info()
    found = {**asdict(info), "privacy_level_options": list(info.privacy_level_options)}
    lines = [f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in found.items()]
    show(found, *lines)


def _sign_in(tiktok: TikTok, scopes: tuple[str, ...], *, no_browser: bool) -> tuple[Account, Authorization]:
    answers = Answers()
    with ExitStack() as stack:
        listener = _listener(tiktok.app)
        if listener is not None:
            stack.enter_context(listener)
        uri = listener.redirect_uri if listener is not None else tiktok.app.redirect_on(PASTED_PORT)
        authorization = tiktok.authorization(scopes, redirect_uri=uri)
        accepts = accepts_state(authorization)
        if listener is not None:
            listener.start(accepts, answers)
        say("Open this page in a browser and agree:")
        # Alone on its line, unwrapped and at once, so that people and programs can copy it.
        click.echo(authorization.url, err=choices().json)
        if not no_browser:
            open_browser(authorization.url)
        if no_browser or listener is None:
            say("Or paste here the address to which the browser was sent afterwards:")
            read_pasted(answers, accepts, refused=_not_the_answer, is_only_way=listener is None)
        callback = answers.wait()
    return tiktok.sign_in(authorization, callback), authorization


def _listener(app: App) -> LoopbackListener | None:
    reason = unlistenable(app.redirect_uri)
    if not reason:
        try:
            return LoopbackListener(app.redirect_uri)
        except OSError as error:
            reason = f"{app.redirect_uri} cannot be listened on ({(error.strerror or 'no reason given').lower()})"
    say(f"The answer has to be pasted here, because {reason}.")
    return None


def _not_the_answer() -> None:
    say("That is not the answer to this sign-in; the whole address is needed, with its state. Still waiting.")


def _name(account: Account, tokens: Tokens) -> str:
    # A courtesy: the sign-in is complete, whatever becomes of this question.
    try:
        name = account.user_info(["display_name"]).display_name if tokens.allows("user.info.basic") else None
    except TikTokError:
        name = None
    return f"{name} ({account.open_id})" if name else account.open_id
