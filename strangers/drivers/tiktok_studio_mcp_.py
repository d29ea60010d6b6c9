"""Drives tiktok-studio-mcp: `tiktok-studio-mcp auth` as a command, and the tools of its server."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driver import KEY, SCOPES, SECRET, TITLE, browse, documented_sign_in, return_to, serve

os.environ |= {
    "HOME": tempfile.mkdtemp(),  # where it keeps its credentials
    "TIKTOK_MCP_SCOPES": SCOPES,
    "TIKTOK_MCP_CLIENT_KEY": KEY,
    "TIKTOK_MCP_CLIENT_SECRET": SECRET,
}
from tiktok_mcp import auth
from tiktok_mcp.client import TikTok
from tiktok_mcp.secrets import get_store
from tiktok_mcp.server import build_app

COMMAND = Path(sys.executable).with_name("tiktok-studio-mcp")
held: dict[str, Any] = {}


def begin() -> None:
    held["client"] = TikTok()
    held["tools"] = build_app(held["client"])


def sign_in(_wish: Mapping[str, Any]) -> None:
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([COMMAND, "auth"], stdout=subprocess.PIPE, text=True, env=environ) as running:
        try:
            for line in running.stdout or ():
                if found := re.match(r"https://\S+", line):
                    return_to(browse(found[0]))
        except BaseException:
            running.kill()
            raise
    if running.returncode != 0:
        raise ValueError(f"exit status {running.returncode}")
    begin()


def adopt(_wish: Mapping[str, Any]) -> None:
    said = documented_sign_in(auth.REDIRECT_URI)
    for name, value in (("client_key", KEY), ("client_secret", SECRET), ("refresh_token", said["refresh_token"])):
        get_store().set(name, value)
    begin()


def tool(name: str, mode: str = "publish", **words: Any) -> dict[str, Any]:
    os.environ["TIKTOK_MCP_MODE"] = mode
    said = asyncio.run(held["tools"].call_tool(name, words))
    answer: dict[str, Any] = json.loads(said[0].text)
    if "error" in answer and "data" not in answer:
        raise ValueError(str(answer["error"]))
    return answer


def post(wish: Mapping[str, Any], mode: str) -> None:
    held["publish_id"] = tool("post_video", mode, file_path=wish["file"], caption=TITLE)["publish_id"]


def refresh(_wish: Mapping[str, Any]) -> None:
    begin()  # a client that has just started has a refresh token only
    if (said := tool("health_check")["auth"]) != "ok":
        raise ValueError(said)


serve(
    {
        "sign in": sign_in,
        "adopt": adopt,
        "creator info": lambda _: tool("creator_info")["data"]["privacy_level_options"],
        "upload": lambda wish: post(wish, "publish"),
        "draft": lambda wish: post(wish, "upload"),
        "status": lambda _: tool("post_status", publish_id=held["publish_id"])["data"]["status"],
        "refresh": refresh,
        "refresh when revoked": refresh,
    }
)
