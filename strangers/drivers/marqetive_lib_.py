"""Drives marqetive-lib. It builds no authorization URL; its posts by URL are its media manager's calls."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from driver import KEY, SECRET, TITLE, Act, browse, code_in, documented_url, serve
from marqetive.core.models import AuthCredentials
from marqetive.platforms.tiktok.media import TikTokMediaManager
from marqetive.utils.oauth import fetch_tiktok_token, refresh_tiktok_token

REDIRECT = "https://app.example.com/callback/"
held: dict[str, Any] = {}


async def sign_in(_wish: Mapping[str, Any]) -> None:
    url, verifier = documented_url(REDIRECT)
    said = await fetch_tiktok_token(code_in(browse(url)), KEY, SECRET, REDIRECT, code_verifier=verifier)
    held["credentials"] = AuthCredentials(
        platform="tiktok",
        access_token=said["access_token"],
        refresh_token=said["refresh_token"],
        additional_data={"open_id": said["open_id"]},
    )


async def refresh(_wish: Mapping[str, Any]) -> None:
    held["credentials"] = await refresh_tiktok_token(held["credentials"], KEY, SECRET)


def managed(act: Callable[[TikTokMediaManager, Mapping[str, Any]], Awaitable[Any]]) -> Act:
    async def with_manager(wish: Mapping[str, Any]) -> None:
        credentials = held["credentials"]
        async with TikTokMediaManager(credentials.access_token, credentials.additional_data["open_id"]) as manager:
            said = await act(manager, wish)
            held["publish_id"] = getattr(said, "publish_id", held.get("publish_id"))

    return lambda wish: asyncio.run(with_manager(wish))


serve(
    {
        "sign in": lambda wish: asyncio.run(sign_in(wish)),
        "creator info": managed(lambda manager, _: manager.query_creator_info()),
        "upload": managed(
            lambda manager, wish: manager.upload_media(wish["file"], title=TITLE, wait_for_publish=False)
        ),
        "by URL": managed(lambda manager, wish: manager.init_url_upload(wish["url"], title=TITLE)),
        "photos": managed(
            lambda manager, wish: manager.upload_photo(wish["urls"], title=TITLE, wait_for_publish=False)
        ),
        "status": managed(lambda manager, _: manager.wait_for_publish(held["publish_id"], max_wait=20)),
        "refresh": lambda wish: asyncio.run(refresh(wish)),
        "refresh when revoked": lambda wish: asyncio.run(refresh(wish)),
    }
)
