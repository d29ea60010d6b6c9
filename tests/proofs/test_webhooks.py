"""Webhooks with random changes: the client accepts none of them.

`WEBHOOKS` sets how many; `make prove-webhooks` a million.
"""

import hashlib
import hmac
import os
from collections import Counter
from datetime import UTC, datetime
from random import Random

from tiktok_core import App
from tiktok_core.events import StaleWebhook, WebhookRejected
from tiktok_core.wire.webhooks import verify_webhook

TRIES = int(os.environ.get("WEBHOOKS", "10000"))
SECRET = "s3cr3t-client"
APP = App("awexample", SECRET, "https://app.example.com/callback/")
SECONDS = 1_790_000_001
NOW = datetime.fromtimestamp(SECONDS, UTC)
BODY = (
    b'{"client_key":"awexample","event":"post.publish.complete","create_time":1790000000,"user_openid":"-000a",'
    b'"content":"{\\"publish_id\\":\\"v_pub_url~v2.73\\",\\"publish_type\\":\\"DIRECT_POST\\"}"}'
)


def sign(body: bytes, seconds: int, secret: str) -> str:
    """Return the header for a body."""
    digest = hmac.new(secret.encode(), str(seconds).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},s={digest}"


def changed(chance: Random, text: str) -> str:
    """Return the text with a character added, removed, doubled or replaced, perhaps by its neighbour."""
    at = chance.randrange(len(text))
    other = chance.choice((chr(chance.randrange(128)), chr(chance.randrange(0x250)), chance.choice(text)))
    return chance.choice(
        (
            text[:at] + other + text[at:],
            text[:at] + text[at + 1 :],
            text[:at] + other + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at],
            text[at:] + text[:at],
            text + "," + text,
            text.swapcase(),
        )
    )


def forged(chance: Random) -> tuple[str, bytes, str]:
    """Return how the webhook was forged, its body and its header."""
    right = sign(BODY, SECONDS, SECRET)
    ways = ("body", "header", "both", "secret", "time", "encoding")
    match way := chance.choice(ways):
        case "body":
            return way, changed(chance, BODY.decode()).encode(), right
        case "header":
            return way, BODY, changed(chance, right)
        case "both":
            return way, changed(chance, BODY.decode()).encode(), changed(chance, right)
        case "secret":
            return way, BODY, sign(BODY, SECONDS, changed(chance, SECRET))
        case "time":
            moved = SECONDS + chance.choice((-1, 1)) * chance.randrange(1, 10**6)
            return way, BODY, right.replace(str(SECONDS), str(moved))
        case _:
            codec = chance.choice(("utf-16", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp037"))
            return way, BODY.decode().encode(codec), right


def test_row_35_no_changed_webhook_is_believed() -> None:
    """One or several of body, header, secret and time change. The client accepts only the unchanged webhook."""
    chance, ways, believed = Random(TRIES), Counter[str](), list[tuple[bytes, str]]()
    right = sign(BODY, SECONDS, SECRET)
    assert verify_webhook(APP, BODY, right, now=NOW).name == "post.publish.complete"
    while ways.total() < TRIES:
        way, body, header = forged(chance)
        if (body, header) == (BODY, right):
            continue
        ways[way] += 1
        try:
            verify_webhook(APP, body, header, now=NOW)
        except StaleWebhook:
            believed.append((body, header))
        except WebhookRejected:
            continue
        else:
            believed.append((body, header))
    print(*(f"{way}: {count}" for way, count in sorted(ways.items())), sep="\n")
    assert believed == []
    assert min(ways.values()) > TRIES / 20
