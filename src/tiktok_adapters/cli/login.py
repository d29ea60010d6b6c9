"""`login`: sign in on TikTok's page, or with a QR code, and store the tokens.

What belongs here: what the person sees and enters. `tiktok_adapters.sign_in` brings the answer from the browser.
"""

import shutil
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import click

from tiktok_adapters.assembly import prepare
from tiktok_adapters.cli.common import choices, client, common, say, settings
from tiktok_adapters.cli.output import account_document, show
from tiktok_adapters.cli.spelling import OneOf, near, spelled
from tiktok_adapters.sign_in import LIFETIME, Answers, accepts_state
from tiktok_adapters.sign_in.browser import open_browser
from tiktok_adapters.sign_in.loopback import LoopbackListener, unlistenable
from tiktok_adapters.sign_in.pasted import read_pasted
from tiktok_core import (
    DEFAULT_SCOPES,
    Account,
    App,
    AppKind,
    Authorization,
    ChallengeEncoding,
    QrCode,
    QrStatus,
    Scope,
    Secret,
    TikTok,
    TikTokError,
    Tokens,
)
from tiktok_core.domain.app import check_scopes
from tiktok_core.domain.sign_in import LIFE, bare_code

__all__ = ["login"]

PASTED_PORT: Final = 3455
"""The port that replaces a wildcard port if no listener runs and the person pastes the answer."""


@click.command(short_help="Sign in to TikTok and keep the tokens.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="A scope to ask for beside those granted before; may be repeated.",
)
@click.option("--only", is_flag=True, help="Ask for these scopes only, and give up those granted before.")
@click.option(
    "--kind",
    type=OneOf(AppKind),
    help="The Login Kit platform of the redirect URI.",
)
@click.option(
    "--challenge",
    type=OneOf(ChallengeEncoding),
    help="The encoding of the PKCE challenge (default: TikTok's hex).",
)
@click.option("--switch", is_flag=True, help="Make TikTok ask again, so that you can choose another account.")
@click.option("--no-browser", is_flag=True, help="Open no browser; you can also paste the answer.")
@click.option(
    "--wait-for",
    "seconds",
    type=click.FloatRange(min=1, max=86_400),
    default=LIFETIME,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for you, such as for a mailed link.",
)
@click.option("--qr", is_flag=True, help="Draw a QR code, to be scanned with the TikTok app on a phone.")
@common
def login(
    scopes: tuple[str, ...],
    kind: str | None,
    challenge: str | None,
    *,
    only: bool,
    switch: bool,
    no_browser: bool,
    seconds: float,
    qr: bool,
) -> None:
    """Sign in: print the address of TikTok's page, wait for the answer, keep the tokens.

    Example: tiktok login --scope user.info.basic,video.publish
    """
    if qr and (challenge or switch or no_browser):
        raise click.UsageError("--qr opens no page: leave out --challenge, --switch and --no-browser.")
    given = [spelled(word.strip(), Scope) for words in scopes for word in words.split(",") if word.strip()]
    for word in given:
        if word not in list(Scope) and (said := near(word, Scope)):
            raise click.BadParameter(f"{word!r} is not one of TikTok's scopes{said}", param_hint="--scope")
    wanted = check_scopes(given if scopes else DEFAULT_SCOPES)
    found = settings()
    with client(found, kind) as tiktok:
        # Check the store before the person consents: if it cannot keep the tokens, the grant would be lost.
        prepare(found, tiktok.app)
        earlier = tiktok.accounts()
        before = [tokens.open_id for tokens in earlier]
        wanted = _with_earlier(wanted, _likely(earlier, found.account), only=only, switch=switch)
        if qr:
            account = _by_qr_code(tiktok, wanted, seconds)
        else:
            encoding = ChallengeEncoding(challenge) if challenge else None
            authorization, answer = _answered(tiktok, wanted, encoding, seconds, switch=switch, no_browser=no_browser)
            account = _spent(tiktok, authorization, answer, seconds)
        tokens = account.tokens()
        refused = tokens.missing(wanted)
        if refused:
            say(f"You did not grant: {', '.join(refused)}. TikTok will refuse the calls that need it.")
        granted = next((one.scope for one in earlier if one.open_id == tokens.open_id), ())
        if lost := [scope for scope in tokens.missing(granted) if scope not in refused]:
            again = "".join(f" --scope {scope}" for scope in lost)
            say(f"No longer granted: {', '.join(lost)}. To have it back: tiktok login{again}")
        _tell_apart(account.open_id, found.account, before)
        name = tokens.open_id if choices().json else _name(account, tokens)
        show(account_document(tokens), f"Signed in as {name}. Granted: {', '.join(tokens.scope)}")


def _likely(earlier: Sequence[Tokens], chosen: str | None) -> Sequence[Tokens]:
    """Return the sign-ins of which this one may replace one: the chosen account's, or any."""
    meant = spelled(chosen, [tokens.open_id for tokens in earlier]) if chosen else None
    return [tokens for tokens in earlier if meant in {None, tokens.open_id}]


def _with_earlier(wanted: tuple[str, ...], earlier: Sequence[Tokens], *, only: bool, switch: bool) -> tuple[str, ...]:
    """Return the scopes to ask for: a new sign-in replaces all that was granted, so it has to ask for it again.

    Who switches accounts chooses another one on TikTok's page, which is asked for nothing more.
    """
    kept = {
        tokens.open_id: [scope for scope in tokens.scope if scope in list(Scope) and scope not in wanted]
        for tokens in earlier
    }
    if not only and not switch:
        return (*wanted, *dict.fromkeys(scope for scopes in kept.values() for scope in scopes))
    for account, scopes in kept.items():
        if scopes and len(kept) == 1 and not switch:
            say(f"This sign-in gives up what {account} granted before: {', '.join(scopes)}.")
        elif scopes:
            say(f"If you choose {account} there, it gives up what it granted before: {', '.join(scopes)}.")
    return wanted


def _answered(
    tiktok: TikTok,
    scopes: Sequence[str],
    encoding: ChallengeEncoding | None,
    seconds: float,
    *,
    switch: bool,
    no_browser: bool,
) -> tuple[Authorization, Secret]:
    answers = Answers()
    with ExitStack() as stack:
        listener = _listener(tiktok.app)
        if listener is not None:
            stack.enter_context(listener)
        uri = listener.redirect_uri if listener is not None else tiktok.app.redirect_on(PASTED_PORT)
        authorization = tiktok.authorization(scopes, redirect_uri=uri, challenge_encoding=encoding, always_ask=switch)
        accepts = accepts_state(authorization)
        if listener is not None:
            listener.start(accepts, answers)
        say("Open this page in a browser and agree:")
        _print_alone(Secret(authorization.url))
        say(
            "If the page shows an error (client_key, redirect_uri, scope or code_challenge), no answer will come: press Ctrl-C, "
            "and ask for the word that it shows, such as: tiktok explain client_key"
        )
        if not no_browser:
            open_browser(authorization.url)
        if no_browser or listener is None:
            takes_codes = authorization.code_verifier is not None
            what = "the address in the browser after you agreed, or that of an error" + (
                ", or the code in it" * takes_codes
            )
            say(f"{'Or paste' if listener else 'Paste'} here {what}:")
            read_pasted(
                answers,
                accepts,
                takes_codes=takes_codes,
                refused=lambda: say(f"That is not the answer to this sign-in. Paste {what}. Still waiting."),
                is_only_way=listener is None,
            )
        return authorization, Secret(answers.wait(seconds))


def _spent(tiktok: TikTok, authorization: Authorization, answer: Secret, seconds: float) -> Account:
    max_age = max(LIFE, seconds + LIFETIME)
    if bare_code(answer) is None:
        return tiktok.sign_in(authorization, answer, max_age=max_age)
    say("A code alone carries no state: only TikTok's check of PKCE ties it to this sign-in.")
    if tiktok.app.kind is AppKind.WEB:
        say("For web apps TikTok does not document that check; it is safer to paste the whole address.")
    return tiktok.sign_in_with_code(authorization, answer, max_age=max_age)


def _listener(app: App) -> LoopbackListener | None:
    reason = unlistenable(app.redirect_uri)
    if not reason:
        try:
            return LoopbackListener(app.redirect_uri)
        except OSError as error:
            reason = (
                f"this machine cannot listen on {app.redirect_uri} ({(error.strerror or 'no reason given').lower()})"
            )
    say(f"You have to paste the answer here, because {reason}.")
    return None


def _by_qr_code(tiktok: TikTok, scopes: Sequence[str], seconds: float) -> Account:
    try:
        from tiktok_adapters.sign_in.qr import draw  # noqa: PLC0415 - for this option only
    except ModuleNotFoundError as error:
        raise click.ClickException(f"A QR code needs {error.name}: pip install 'tiktok-open[cli]'") from None

    def show_code(code: QrCode) -> None:
        stream = sys.stderr if choices().json else sys.stdout
        picture = draw(code.url, encoding=stream.encoding or "ascii")
        wide, columns = len(picture.partition("\n")[0]), shutil.get_terminal_size().columns
        if stream.isatty() and "\x1b" not in picture and wide > columns:
            say(
                f"The QR code needs {wide} columns, but this terminal has {columns}: "
                "make the window wider, or the font smaller."
            )
        say("Scan this with the TikTok app, or open the address below it on your phone, and agree there:")
        click.echo(picture, err=choices().json)
        _print_alone(Secret(code.url))

    return tiktok.sign_in_by_qr_code(show_code, scopes, on_status=_tell_status, limit=seconds)


def _tell_status(status: str) -> None:
    if status == QrStatus.SCANNED:
        say("You scanned the code. Now agree on the phone.")
    elif status == QrStatus.EXPIRED:
        say("This QR code has expired; here is a new one.")


def _print_alone(url: Secret) -> None:
    # The address gets its own line, without wrapping, so that people and programs can copy it.
    click.echo(url.reveal(), err=choices().json)


def _tell_apart(open_id: str, wanted: str | None, before: Sequence[str]) -> None:
    """Say so if the account that signed in is not the chosen one, or not one of the earlier accounts."""
    if wanted and wanted != open_id:
        say(
            f"{open_id} has signed in, but you asked for {wanted}. The sign-in of {open_id} is kept. "
            "To choose another account on TikTok's page: tiktok login --switch"
        )
    if before and open_id not in before:
        say(
            f"This machine now has several accounts ({', '.join(before)} too): choose one with --account or TIKTOK_ACCOUNT."
        )


def _name(account: Account, tokens: Tokens) -> str:
    # The name is only for display: the sign-in is complete even if this request fails.
    try:
        name = account.user_info(["display_name"]).display_name if tokens.allows("user.info.basic") else None
    except TikTokError:
        name = None
    return f"{name} ({account.open_id})" if name else account.open_id
