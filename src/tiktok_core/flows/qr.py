"""Signing in by a QR code that the person scans with a phone: get a code, ask for its status, and both in a loop."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.app import DEFAULT_SCOPES, check_scopes
from tiktok_core.domain.pkce import make_state
from tiktok_core.domain.qr import QrAnswer, QrCheck, QrCode, QrStatus, granted_code_of_qr
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.sign_in import check_age
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.domain.verdicts import SAYS_NOTHING, is_unanswered
from tiktok_core.errors import SignInFailed, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.sign_in import spend
from tiktok_core.wire.oauth import check_qr_code_request, qr_code_request, read_qr_answer, read_qr_code

__all__ = ["begin_qr", "check_qr", "sign_in_by_qr"]

PAUSE: Final = 2.0
"""Seconds between two questions for the status. TikTok's documents name no interval."""
ANY_PORT: Final = 3455
"""The port in place of a wildcard. Any will do, because TikTok sends no browser to it."""


async def begin_qr(context: Context, scopes: Iterable[str] | None) -> QrCode:
    """Return a new QR code, with our ticket in its address.

    Raises:
        InvalidSettings: a scope is unknown.
    """
    wanted = check_scopes(DEFAULT_SCOPES if scopes is None else scopes)
    ticket = Secret(make_state(context.entropy))
    request = qr_code_request(context.app, context.endpoints, wanted)
    read = partial(read_qr_code, ticket=ticket, scopes=wanted, now=context.clock.now())
    return await exchange(context, request, read, Operation.READ)


async def check_qr(context: Context, begun: QrCode, max_age: float) -> QrCheck:
    """Ask once for the status of a QR code. If the person has confirmed, exchange the code and store the tokens."""
    check_age(begun.begun_at, context.clock.now(), max_age)
    answer = await _asked(context, begun)
    if answer.status != QrStatus.CONFIRMED:
        return QrCheck(status=answer.status)
    return QrCheck(status=answer.status, open_id=(await _spent(context, begun, answer)).open_id)


async def sign_in_by_qr(
    context: Context,
    show: Callable[[QrCode], None],
    scopes: Iterable[str] | None,
    on_status: Callable[[str], None] | None,
    limit: float,
) -> Tokens:
    """Show a QR code, and another one each time a code expires, until the person has agreed.

    Raises:
        SignInFailed: the person did not agree in time, or the code was used for another sign-in.
    """
    end = context.clock.now() + timedelta(seconds=limit)
    begun: QrCode | None = None
    status = ""
    trouble: TikTokError | None = None
    while (left := (end - context.clock.now()).total_seconds()) > 0:
        if begun is None:
            begun, status = await begin_qr(context, scopes), QrStatus.NEW
            show(begun)
        await context.clock.sleep(min(PAUSE, left))
        limits = evolve(context.retry_limits, deadline=min(context.retry_limits.deadline, max(PAUSE, left)))
        try:
            answer = await _asked(evolve(context, retry_limits=limits), begun)
        except SAYS_NOTHING as error:
            # The flow can repeat a question that got no answer, as long as there is time.
            if not is_unanswered(error):
                raise
            trouble = error
            continue
        trouble = None
        if on_status is not None and answer.status != status:
            on_status(answer.status)
        status = answer.status
        if status == QrStatus.CONFIRMED:
            return await _spent(context, begun, answer)
        if status == QrStatus.UTILISED:
            raise SignInFailed("utilised", "the QR code was used for another sign-in; start again")
        if status == QrStatus.EXPIRED:
            begun = None
    raise trouble or SignInFailed(
        "no_answer", f"the person did not agree within {limit:.0f} seconds; start the sign-in again"
    )


async def _asked(context: Context, begun: QrCode) -> QrAnswer:
    request = check_qr_code_request(context.app, context.endpoints, begun.token)
    return await exchange(context, request, read_qr_answer, Operation.READ)


async def _spent(context: Context, begun: QrCode, answer: QrAnswer) -> Tokens:
    code = granted_code_of_qr(begun, answer)
    # TikTok does not document which redirect URI belongs to this code. Use the one in the answer, or else the app's.
    return await spend(context, code, answer.redirect_uri or context.app.redirect_on(ANY_PORT), None)
