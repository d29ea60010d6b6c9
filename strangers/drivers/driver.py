"""What the drivers of clients in Python share: the browser, and the words with the program that asks for acts.

What belongs here: nothing that knows a client. It runs in the client's own virtual environment, so it needs the standard library alone.

A driver is a table of acts. It reads one line of JSON for each act that is to be done, and answers with a line that begins with
`ANSWER`. Whatever else it writes is not read.
"""

import hashlib
import json
import os
import secrets
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

ANSWER = "@@"
KEY = os.environ["TIKTOK_CLIENT_KEY"]
SECRET = os.environ["TIKTOK_CLIENT_SECRET"]
PAGE = "https://www.tiktok.com/v2/auth/authorize/"
TOKEN = "https://open.tiktokapis.com/v2/oauth/token/"
SCOPES = "user.info.basic,video.upload,video.publish"
TITLE = "evening light"

Act = Callable[[Mapping[str, Any]], object]


class OnThePage(Exception):
    """TikTok's own page refused the app's request, and the browser was not sent back to the app."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def browse(url: str) -> str:
    """Do what a person's browser does with an authorization URL, and return the address to which TikTok sends it.

    Raises:
        OnThePage: TikTok shows its error page instead.
    """
    try:
        urllib.request.build_opener(_Stay).open(url, timeout=20).close()
    except urllib.error.HTTPError as answer:
        location = answer.headers.get("location", "")
        if not location.startswith("/"):
            return location
        said = dict(parse_qsl(urlsplit(location).query))
        words = (said.get(name, "") for name in ("error", "error_type", "errCode"))
        raise OnThePage(" ".join(filter(None, words))) from None
    raise OnThePage("no redirect")


def return_to(address: str) -> None:
    """Open the app's callback in the background, as soon as the app listens."""

    def visit() -> None:
        for _ in range(200):
            try:
                urllib.request.urlopen(address, timeout=20).close()
            except OSError:
                time.sleep(0.1)
            else:
                return

    threading.Thread(target=visit, daemon=True).start()


def code_in(address: str) -> str:
    """Return the code in the callback's address."""
    return dict(parse_qsl(urlsplit(address).query))["code"]


def documented_url(redirect_uri: str, scope: str = SCOPES) -> tuple[str, str]:
    """Return an authorization URL as TikTok documents it, and its verifier."""
    verifier = secrets.token_hex(32)
    asked = {
        "client_key": KEY,
        "scope": scope,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "state": secrets.token_hex(8),
        "code_challenge": hashlib.sha256(verifier.encode()).hexdigest(),
        "code_challenge_method": "S256",
    }
    return f"{PAGE}?{urlencode(asked)}", verifier


def documented_sign_in(redirect_uri: str, scope: str = SCOPES) -> dict[str, Any]:
    """Sign in as TikTok documents it, for a client whose own sign-in was refused; return TikTok's answer."""
    url, verifier = documented_url(redirect_uri, scope)
    form = {
        "client_key": KEY,
        "client_secret": SECRET,
        "code": code_in(browse(url)),
        "grant_type": "authorization_code",
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    with urllib.request.urlopen(TOKEN, urlencode(form).encode(), timeout=20) as answer:
        tokens: dict[str, Any] = json.load(answer)
    if "access_token" not in tokens:
        raise ValueError(tokens["error"])
    return tokens


def serve(acts: Mapping[str, Act]) -> None:
    """Do the acts that are asked for, until nobody asks any more."""
    # The client may print, and may ask its user; neither may meet the words of this protocol.
    asked, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for line in asked:
        wish = json.loads(line)
        answer: dict[str, str] = {}
        try:
            acts[wish["act"]](wish)
        except OnThePage as refused:
            answer = {"page": str(refused)}
        except BaseException as error:  # noqa: BLE001 - whatever the client raises is the result
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(ANSWER + json.dumps(answer), file=answers)
    sys.stdout.flush()
    os._exit(0)  # a client's threads may still wait for a callback
