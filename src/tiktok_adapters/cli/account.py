"""`accounts`, `whoami`, `refresh`, `logout`, `creator`: the signed-in accounts, and what they may do.

What belongs here: the commands for accounts that have signed in already.
"""

from typing import Any

import click
from attrs import asdict, evolve

from tiktok_adapters.cli.common import client, common, now, say, settings, signed_in
from tiktok_adapters.cli.output import account_document, error_document, report, show
from tiktok_adapters.cli.spelling import Spelling
from tiktok_core import Scope, TikTokError
from tiktok_core.domain.display import USER_FIELDS

__all__ = ["accounts", "creator", "logout", "refresh", "whoami"]


@click.command(short_help="List the signed-in accounts.")
@common
def accounts() -> None:
    """List the signed-in accounts, without their tokens.

    Example: tiktok accounts --json
    """
    with client(settings()) as tiktok:
        known, at = tiktok.accounts(), now()
    for tokens in known:
        if tokens.is_refused:
            say(f"TikTok no longer accepts the refresh token of {tokens.open_id}; sign in again: tiktok login")
        elif tokens.needs_sign_in_soon(at):
            end = f"{'ended' if tokens.is_dead(at) else 'ends'} on {tokens.refresh_expires_at:%Y-%m-%d}"
            say(f"The sign-in of {tokens.open_id} {end}; sign in again: tiktok login")
    found = [account_document(tokens) for tokens in known]
    lines = [f"{one['open_id']}  until {one['refresh_expires_at']}  {one['scope']}" for one in found]
    show({"accounts": found}, *(lines or ["No account is signed in; sign in: tiktok login"]))


@click.command(short_help="Show the account's profile.")
@click.option(
    "--field",
    "names",
    multiple=True,
    type=Spelling(USER_FIELDS),
    metavar="NAME",
    help="Only this field, in TikTok's spelling; may be repeated.",
)
@common
def whoami(names: tuple[str, ...]) -> None:
    """Show the account's profile: the fields you name, or every field that the granted scopes allow.

    Example: tiktok whoami --field username --field follower_count
    """
    scopes = dict.fromkeys(USER_FIELDS[name] for name in names if name in USER_FIELDS)
    with signed_in(settings(), needs=scopes) as account:
        info = account.user_info(names or None)
    known = {name: value for name, value in asdict(info).items() if value is not None}
    show(known, *(f"{name}: {value}" for name, value in known.items()))


@click.command(short_help="Renew the account's tokens now.")
@click.option("--all", "every", is_flag=True, help="Renew the tokens of every account that is signed in.")
@common
def refresh(every: bool) -> int | None:
    """Renew the account's tokens now, even if they have not expired. With --all, one failure does not stop the others.

    Example: tiktok refresh --all
    """
    if every:
        return _refresh_all()
    with signed_in(settings()) as account:
        tokens = account.refresh()
    found = account_document(tokens)
    show(found, _renewed(found))
    return None


def _refresh_all() -> int:
    """Renew every account, and return the worst exit status."""
    renewed, failed, worst = [], [], 0
    with client(settings()) as tiktok:
        for tokens in tiktok.accounts():
            try:
                renewed.append(account_document(tiktok.account(tokens.open_id).refresh()))
            except TikTokError as error:
                worst = max(worst, report(error, as_json=False))
                failed.append({"open_id": tokens.open_id, "error": error_document(error)})
    lines = [_renewed(one) for one in renewed]
    if not renewed and not failed:
        lines.append("No account is signed in; sign in: tiktok login")
    show({"accounts": renewed, "failed": failed}, *lines)
    return worst


def _renewed(document: dict[str, Any]) -> str:
    return f"Renewed {document['open_id']}: the access token is valid until {document['expires_at']}"


# TikTok's open_ids begin with "-000"; click must not read their letters as short options.
@click.command(
    short_help="End a sign-in, at TikTok and on this machine.",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument("open_id", metavar="[ACCOUNT]", required=False)
@click.option("--forget", is_flag=True, help="Delete the tokens on this machine only, even if they cannot be read.")
@common
def logout(open_id: str | None, forget: bool) -> None:
    """End a sign-in: revoke it at TikTok, then delete the tokens on this machine.

    Example: tiktok logout
    """
    if open_id == "-h":
        click.echo(click.get_current_context().get_help())
        return
    if open_id and open_id.startswith("-") and not open_id.startswith("-0"):
        raise click.NoSuchOption(open_id)
    found = settings()
    if forget:
        if not (chosen := open_id or found.account):
            raise click.UsageError("--forget needs an account: name the one whose tokens to delete.")
        with client(found) as tiktok:
            tiktok.forget(chosen)
        show({"open_id": chosen}, f"{chosen} is forgotten on this machine only; its tokens stay valid at TikTok")
        return
    with signed_in(evolve(found, account=open_id or found.account)) as account:
        account.revoke()
        show({"open_id": account.open_id}, f"{account.open_id} is signed out")


@click.command(short_help="Show what this creator may post now.")
@common
def creator() -> None:
    """Show what this creator may post now: privacy levels, interactions, the longest video.

    Example: tiktok creator --json
    """
    with signed_in(settings(), needs=[Scope.VIDEO_PUBLISH]) as account:
        info = account.creator_info()
    found = {**asdict(info), "privacy_level_options": list(info.privacy_level_options)}
    lines = [f"{name}: {', '.join(value) if isinstance(value, list) else value}" for name, value in found.items()]
    show(found, *lines)
