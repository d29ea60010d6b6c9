"""Drives reeln-plugin-tiktok: its login, its plugin's `upload`, and its functions for creator info and status."""

import json
import tempfile
import webbrowser
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from driver import KEY, SCOPES, SECRET, TITLE, browse, documented_sign_in, return_to, serve
from reeln_tiktok_plugin import TikTokPlugin, auth, login, upload

HOME = Path(tempfile.mkdtemp())
CACHE, SECRET_FILE = HOME / "oauth.json", HOME / "secret.txt"
SECRET_FILE.write_text(SECRET)
last = {"publish_id": ""}


class Browser(webbrowser.BaseBrowser):
    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        return_to(browse(url))
        return True


webbrowser.register("ours", None, Browser("ours"), preferred=True)


def sign_in(_wish: Mapping[str, Any]) -> None:
    if not login.login(KEY, SECRET_FILE, CACHE, SCOPES):
        raise ValueError("login() returned False")


def adopt(_wish: Mapping[str, Any]) -> None:
    said = documented_sign_in(login.REDIRECT_URI)
    CACHE.write_text(json.dumps({**said, "expires_at": 9e9}))


def token() -> str:
    return auth.get_access_token(KEY, SECRET_FILE, CACHE)


def post(wish: Mapping[str, Any], *, direct: bool) -> None:
    settings = {
        "upload_videos": True,
        "direct_post": direct,
        "client_key": KEY,
        "client_secret_file": str(SECRET_FILE),
        "credentials_cache": str(CACHE),
        "upload_poll_interval_seconds": 1,
        "upload_poll_max_attempts": 20,
    }
    metadata = {"description": TITLE, "video_url": wish.get("url", "")}
    last["publish_id"] = TikTokPlugin(settings).upload(Path(wish["file"]), metadata=metadata).removeprefix("tiktok:")


def refresh(_wish: Mapping[str, Any]) -> None:
    auth.refresh_if_expired(replace(auth.load_credentials(CACHE), expires_at=0), KEY, SECRET, CACHE)


serve(
    {
        "sign in": sign_in,
        "adopt": adopt,
        "creator info": lambda _: upload.query_creator_info(token()).privacy_level_options[0],
        "upload": lambda wish: post(wish, direct=True),
        "by URL": lambda wish: post(wish, direct=True),
        "draft": lambda wish: post(wish, direct=False),
        "status": lambda _: upload.poll_status(last["publish_id"], token(), poll_interval=1, max_attempts=20),
        "refresh": refresh,
        "refresh when revoked": refresh,
    }
)
