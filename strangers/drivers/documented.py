"""TikTok's calls as its documents have them, over any client of HTTP: for curl and httpx, which know nothing of TikTok."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from driver import KEY, SCOPES, SECRET, TITLE, TOKEN, Act, browse, code_in, documented_url

Send = Callable[[str, str, Mapping[str, str], bytes], tuple[int, bytes]]
"""Sends method, URL, headers and body; returns the status and the body of the answer."""

API = "https://open.tiktokapis.com/v2"
REDIRECT = "http://127.0.0.1:3455/callback/"
CHUNK = 32_000_000
LARGEST = 64_000_000


class Calls:
    """The calls, and what each needs of those before it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._tokens: dict[str, Any] = {}
        self._publish_id = ""

    def _form(self, url: str, **fields: str) -> dict[str, Any]:
        form = urlencode({"client_key": KEY, "client_secret": SECRET, **fields}).encode()
        _, body = self._send("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, form)
        answer: dict[str, Any] = json.loads(body) if body else {}
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def _call(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {self._tokens['access_token']}",
            "Content-Type": "application/json; charset=UTF-8",
        }
        answer = json.loads(self._send("POST", f"{API}/{path}", headers, json.dumps(body).encode())[1])
        if answer["error"]["code"] != "ok":
            raise ValueError(answer["error"]["code"])
        data: dict[str, Any] = answer.get("data", {})
        return data

    def sign_in(self, _wish: Mapping[str, Any]) -> None:
        url, verifier = documented_url(REDIRECT, SCOPES)
        fields = {"code": code_in(browse(url)), "redirect_uri": REDIRECT, "code_verifier": verifier}
        self._tokens = self._form(TOKEN, grant_type="authorization_code", **fields)

    def refresh(self, _wish: Mapping[str, Any]) -> None:
        self._tokens = self._form(TOKEN, grant_type="refresh_token", refresh_token=self._tokens["refresh_token"])

    def revoke(self, _wish: Mapping[str, Any]) -> None:
        self._form(f"{API}/oauth/revoke/", token=self._tokens["access_token"])

    def creator_info(self, _wish: Mapping[str, Any]) -> None:
        if not self._call("post/publish/creator_info/query/", {})["privacy_level_options"]:
            raise ValueError("no level")

    def _begin(self, path: str, source: Mapping[str, Any], **body: Any) -> str:
        data = self._call(path, {"source_info": source, **body})
        self._publish_id = data["publish_id"]
        return str(data.get("upload_url", ""))

    def _send_file(self, path: str, file: str, **body: Any) -> None:
        content = Path(file).read_bytes()
        size = len(content)
        chunk = size if size <= LARGEST else CHUNK
        count = size // chunk
        sizes = {"video_size": size, "chunk_size": chunk, "total_chunk_count": count}
        url = self._begin(path, {"source": "FILE_UPLOAD", **sizes}, **body)
        for number in range(count):
            first, after = number * chunk, size if number == count - 1 else (number + 1) * chunk
            headers = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{after - 1}/{size}"}
            status, _ = self._send("PUT", url, headers, content[first:after])
            if status not in {200, 201, 206}:
                raise ValueError(f"status {status}")

    def upload(self, wish: Mapping[str, Any]) -> None:
        info = {"title": TITLE, "privacy_level": "SELF_ONLY"}
        self._send_file("post/publish/video/init/", wish["file"], post_info=info)

    def draft(self, wish: Mapping[str, Any]) -> None:
        self._send_file("post/publish/inbox/video/init/", wish["file"])

    def by_url(self, wish: Mapping[str, Any]) -> None:
        info = {"title": TITLE, "privacy_level": "SELF_ONLY"}
        source = {"source": "PULL_FROM_URL", "video_url": wish["url"]}
        self._begin("post/publish/video/init/", source, post_info=info)

    def photos(self, wish: Mapping[str, Any]) -> None:
        info = {"title": TITLE, "privacy_level": "SELF_ONLY"}
        source = {"source": "PULL_FROM_URL", "photo_images": wish["urls"], "photo_cover_index": 0}
        rest = {"post_info": info, "post_mode": "DIRECT_POST", "media_type": "PHOTO"}
        self._begin("post/publish/content/init/", source, **rest)

    def status(self, _wish: Mapping[str, Any]) -> None:
        for _ in range(20):
            said = self._call("post/publish/status/fetch/", {"publish_id": self._publish_id})["status"]
            if said in {"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"}:
                return
            time.sleep(1)
        raise ValueError(said)


def acts_of(send: Send) -> dict[str, Act]:
    """Return the acts over a client."""
    calls = Calls(send)
    return {
        "sign in": calls.sign_in,
        "creator info": calls.creator_info,
        "upload": calls.upload,
        "by URL": calls.by_url,
        "photos": calls.photos,
        "draft": calls.draft,
        "status": calls.status,
        "refresh": calls.refresh,
        "revoke": calls.revoke,
        "refresh when revoked": calls.refresh,
    }
