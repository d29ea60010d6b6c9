"""`webhook verify`: check that a webhook comes from TikTok, and show its content.

What belongs here: the command. The core checks the signature.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from attrs import fields

from tiktok_adapters.cli.common import common, say, settings
from tiktok_adapters.cli.output import error_document, report, show
from tiktok_core.events import Event, StaleWebhook, UnknownEvent, verify_webhook
from tiktok_core.wire.webhooks import LONGEST

__all__ = ["webhook"]

COMMON: Final = {field.name for field in fields(Event)}
"""The fields of every event, which the printed line leaves out."""


@click.group(short_help="Check a webhook's signature.")
@common
def webhook() -> None:
    """Check a webhook's signature.

    Example: tiktok webhook verify --signature t=1790000001,s=... body.json
    """


@webhook.command(short_help="Check and show a webhook.")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--signature", required=True, metavar="S", help="The TikTok-Signature header, unchanged.")
@click.option(
    "--tolerance",
    type=float,
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="The greatest age of the webhook.",
)
@common
def verify(file: Path | None, signature: str, tolerance: float) -> int:
    """Check a webhook's signature over the bytes of FILE (or of standard input), and show its content.

    A webhook older than --tolerance is shown too, with exit status 4.

    Example: tiktok webhook verify --signature t=1790000001,s=... body.json
    """
    app = settings().app(without=("redirect_uri", "network"))
    body = _body(file)
    try:
        event = verify_webhook(app, body, signature, now=datetime.now(UTC), tolerance=tolerance)
    except StaleWebhook as late:
        show({**_document(late.event), "error": error_document(late)}, _line(late.event))
        status = report(late, as_json=False)
        say("To accept it, use a longer --tolerance.")
        return status
    show(_document(event), _line(event))
    return 0


def _body(file: Path | None) -> bytes:
    # One byte more than the limit is enough for the check to see that the body is too long, and it bounds the memory.
    if file is None:
        return sys.stdin.buffer.read(LONGEST + 1)
    with file.open("rb") as opened:
        return opened.read(LONGEST + 1)


def _document(event: Event) -> dict[str, Any]:
    return {
        "event": event.name,
        "type": type(event).__name__,
        "open_id": event.open_id,
        "created_at": event.created_at.isoformat(),
        "signed_at": event.signed_at.isoformat(),
        "key": event.key,
        "content": event.content,
    }


def _line(event: Event) -> str:
    own = [field.name for field in fields(type(event)) if field.name not in COMMON]
    said = ", ".join(f"{name} {getattr(event, name)}" for name in own)
    if isinstance(event, UnknownEvent):
        said = event.content if isinstance(event.content, str) else json.dumps(event.content, ensure_ascii=False)
    return f"{event.name} of {event.created_at:%Y-%m-%d %H:%M:%S} UTC" + (f": {said}" if said else "")
