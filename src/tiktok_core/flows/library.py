"""Reading what an account shows of itself."""

from collections.abc import Iterable

from tiktok_core.domain.library import UserInfo, user_fields
from tiktok_core.errors import InvalidInput, Problem
from tiktok_core.flows.access import authorized, usable_tokens
from tiktok_core.flows.exchange import Context
from tiktok_core.wire.library import read_user_info, user_info_request

__all__ = ["user_info"]


async def user_info(context: Context, account: str, fields: Iterable[str] | None) -> UserInfo:
    """Ask for the profile: the fields wanted, or all that the granted scopes open."""
    tokens = await usable_tokens(context, account)
    names = user_fields(tokens.scope, fields)
    if not names:
        raise InvalidInput((Problem("fields", "none to ask for: the granted scopes open no part of the profile"),))
    return await authorized(
        context, account, lambda token: user_info_request(context.endpoints, token, names), read_user_info
    )
