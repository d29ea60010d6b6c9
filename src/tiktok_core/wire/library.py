"""How TikTok spells the Display API: the profile.

Source: developers.tiktok.com/doc/tiktok-api-v2-get-user-info.
"""

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.library import UserInfo
from tiktok_core.domain.tokens import Secret
from tiktok_core.wire.envelope import api_request, open_envelope, structured, unexpected
from tiktok_core.wire.http import Request, Response

__all__ = ["read_user_info", "user_info_request"]


def user_info_request(endpoints: Endpoints, access_token: Secret, fields: tuple[str, ...]) -> Request:
    """Return the call that asks for these fields of the profile."""
    return api_request(endpoints, "GET", f"/v2/user/info/?fields={','.join(fields)}", access_token)


def read_user_info(request: Request, response: Response) -> UserInfo:
    """Return the profile of an answer."""
    user = open_envelope(request, response).get("user")
    if not isinstance(user, dict):
        raise unexpected(request, response, "it has no data.user")
    return structured(UserInfo, request, response, user)
