"""`login`: from TikTok's page, or a QR code, to stored tokens.

What belongs here: what the person sees and brings. The way of an answer from the browser to here is
`tiktok_adapters.sign_in`.
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
from tiktok_adapters.sign_in import Answers, accepts_state
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
    Secret,
    TikTok,
    TikTokError,
    Tokens,
)
from tiktok_core.domain.app import check_scopes
from tiktok_core.domain.sign_in import bare_code

__all__ = ["login"]

PASTED_PORT: Final = 3455
"""Stands for a wildcard port where nobody listens and the answer is pasted."""


@click.command(short_help="Sign in to TikTok and keep the tokens.")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="What to ask for; may be given several times.")
@click.option("--kind", type=click.Choice([kind.value for kind in AppKind]), help="How the redirect URI is registered.")
@click.option(
    "--challenge",
    type=click.Choice([encoding.value for encoding in ChallengeEncoding]),
    help="How PKCE's challenge is written; TikTok's hex unless given.",
)
@click.option("--switch", is_flag=True, help="Let TikTok ask again, so that another account can be chosen.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the answer may also be pasted.")
@click.option("--qr", is_flag=True, help="Draw a QR code for the TikTok app of a phone.")
@common
def login(
    scopes: tuple[str, ...], kind: str | None, challenge: str | None, *, switch: bool, no_browser: bool, qr: bool
) -> None:
    """Sign in: print TikTok's page, wait for its answer, keep the tokens.

    Example: tiktok login --scope user.info.basic,video.publish
    """
    if qr and (challenge or switch or no_browser):
        raise click.UsageError("--qr opens no page, so --challenge, --switch and --no-browser mean nothing with it.")
    given = [word.strip() for words in scopes for word in words.split(",") if word.strip()]
    wanted = check_scopes(given if scopes else DEFAULT_SCOPES)
    found = settings()
    with client(found, kind) as tiktok:
        # Before anybody is asked to consent: tokens that cannot be kept would be a grant that nobody holds.
        prepare(found, tiktok.app)
        before = [tokens.open_id for tokens in tiktok.accounts()]
        if qr:
            account = _by_qr_code(tiktok, wanted)
        else:
            encoding = ChallengeEncoding(challenge) if challenge else None
            authorization, answer = _answered(tiktok, wanted, encoding, switch=switch, no_browser=no_browser)
            account = _spent(tiktok, authorization, answer)
        tokens = account.tokens()
        if refused := tokens.missing(wanted):
            say(f"Not granted, though it was asked for: {', '.join(refused)}. What needs it will be refused.")
        _tell_apart(account.open_id, found.account, before)
        name = tokens.open_id if choices().json else _name(account, tokens)
        show(account_document(tokens), f"Signed in as {name}. Granted: {', '.join(tokens.scope)}")


def _answered(
    tiktok: TikTok,
    scopes: Sequence[str],
    encoding: ChallengeEncoding | None,
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
        if not no_browser:
            open_browser(authorization.url)
        if no_browser or listener is None:
            takes_codes = authorization.code_verifier is not None
            what = "the address to which the browser was sent afterwards" + (", or the code in it" * takes_codes)
            say(f"{'Or paste' if listener else 'Paste'} here {what}:")
            read_pasted(
                answers,
                accepts,
                takes_codes=takes_codes,
                refused=lambda: say(f"That is not the answer to this sign-in: it is {what}. Still waiting."),
                is_only_way=listener is None,
            )
        return authorization, Secret(answers.wait())


def _spent(tiktok: TikTok, authorization: Authorization, answer: Secret) -> Account:
    if bare_code(answer) is None:
        return tiktok.sign_in(authorization, answer)
    say("A code alone carries no state: only PKCE, which TikTok checks, ties it to this sign-in.")
    if tiktok.app.kind is AppKind.WEB:
        say("For web apps TikTok does not document that check; the whole address is the safer answer.")
    return tiktok.sign_in_with_code(authorization, answer)


def _listener(app: App) -> LoopbackListener | None:
    reason = unlistenable(app.redirect_uri)
    if not reason:
        try:
            return LoopbackListener(app.redirect_uri)
        except OSError as error:
            reason = f"{app.redirect_uri} cannot be listened on ({(error.strerror or 'no reason given').lower()})"
    say(f"The answer has to be pasted here, because {reason}.")
    return None


def _by_qr_code(tiktok: TikTok, scopes: Sequence[str]) -> Account:
    try:
        from tiktok_adapters.sign_in.qr import draw  # noqa: PLC0415 - for this option only
    except ModuleNotFoundError as error:
        raise click.ClickException(f"A QR code needs {error.name}: pip install 'tiktok-open[cli]'") from None

    def show_code(code: QrCode) -> None:
        stream = sys.stderr if choices().json else sys.stdout
        picture = draw(code.url, encoding=stream.encoding or "ascii")
        wide, room = len(picture.partition("\n")[0]), shutil.get_terminal_size().columns
        if stream.isatty() and "\x1b" not in picture and wide > room:
            say(
                f"This terminal has {room} columns and the QR code needs {wide}: make it wider, or its letters smaller."
            )
        say("Scan this with the TikTok app, or open the address below it on the phone, and agree there:")
        click.echo(picture, err=choices().json)
        _print_alone(Secret(code.url))

    return tiktok.sign_in_by_qr_code(show_code, scopes, on_status=_tell_status)


def _tell_status(status: str) -> None:
    if status == QrStatus.SCANNED:
        say("It was scanned. Agree on the phone.")
    elif status == QrStatus.EXPIRED:
        say("This QR code has ended; here is another one.")


def _print_alone(url: Secret) -> None:
    # Alone on its line, unwrapped and at once, so that people and programs can copy it.
    click.echo(url.reveal(), err=choices().json)


def _tell_apart(open_id: str, wanted: str | None, before: Sequence[str]) -> None:
    """Say so where another account has signed in than the one that was wanted, or than were there before."""
    if wanted and wanted != open_id:
        say(
            f"{open_id} has signed in, and not {wanted}, which was wanted; what came is kept. "
            "To choose another account on TikTok's page: tiktok login --switch"
        )
    if before and open_id not in before:
        say(f"This account is new here, beside {', '.join(before)}: say which with --account or TIKTOK_ACCOUNT.")


def _name(account: Account, tokens: Tokens) -> str:
    # A courtesy: the sign-in is complete, whatever becomes of this question.
    try:
        name = account.user_info(["display_name"]).display_name if tokens.allows("user.info.basic") else None
    except TikTokError:
        name = None
    return f"{name} ({account.open_id})" if name else account.open_id
