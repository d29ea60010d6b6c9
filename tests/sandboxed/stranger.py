"""A program whose author has never heard of the sandbox: it signs in, renews its tokens and posts a video, with httpx.

It knows TikTok's documented addresses, and gets its app's key and secret as arguments. It prints what it found.
"""

import hashlib
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx

API = "https://open.tiktokapis.com"
REDIRECT = "http://127.0.0.1:3455/callback/"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
VIDEO = b"\0\0\0\x18ftypisom" + bytes(5000)


def main(key: str, secret: str) -> None:
    """Do everything in order; any refusal is an exception."""
    found = {}
    with httpx.Client(timeout=20) as http:
        asked = {
            "client_key": key,
            "scope": "user.info.basic,video.publish",
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "state": "s1",
            "code_challenge": hashlib.sha256(VERIFIER.encode()).hexdigest(),
            "code_challenge_method": "S256",
        }
        page = http.get("https://www.tiktok.com/v2/auth/authorize/", params=asked)
        callback = parse_qs(urlsplit(page.headers["location"]).query)
        fields = {"client_key": key, "client_secret": secret}
        grant = {
            "grant_type": "authorization_code",
            "code": callback["code"][0],
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        tokens = http.post(f"{API}/v2/oauth/token/", data={**fields, **grant}).json()
        again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        tokens = http.post(f"{API}/v2/oauth/token/", data={**fields, **again}).json()
        found["open_id"] = tokens["open_id"]
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        creator = http.post(f"{API}/v2/post/publish/creator_info/query/", json={}).json()["data"]
        found["username"] = creator["creator_username"]
        source = {
            "source": "FILE_UPLOAD",
            "video_size": len(VIDEO),
            "chunk_size": len(VIDEO),
            "total_chunk_count": 1,
        }
        body = {"post_info": {"title": "Hello", "privacy_level": "SELF_ONLY"}, "source_info": source}
        begun = http.post(f"{API}/v2/post/publish/video/init/", json=body).json()["data"]
        found["upload_host"] = urlsplit(begun["upload_url"]).netloc
        headers = {"Content-Type": "video/mp4", "Content-Range": f"bytes 0-{len(VIDEO) - 1}/{len(VIDEO)}"}
        found["put"] = http.put(begun["upload_url"], content=VIDEO, headers=headers).status_code
        for _ in range(50):
            asked = {"publish_id": begun["publish_id"]}
            found["status"] = http.post(f"{API}/v2/post/publish/status/fetch/", json=asked).json()["data"]["status"]
            if found["status"] == "PUBLISH_COMPLETE":
                break
            time.sleep(0.1)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
