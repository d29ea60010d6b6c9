"""`webhook verify`: whether a webhook that came is TikTok's, and what it says.

What belongs here: the command. The check is the core's.
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
"""What every event has, so that a line need not tell it."""


@click.group(short_help="Check webhooks.")
@common
def webhook() -> None:
    """Check webhooks.

    Example: tiktok webhook verify --signature t=1790000001,s=... body.json
    """


@webhook.command(short_help="Check and show a webhook.")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--signature", required=True, metavar="S", help="The header TikTok-Signature, as it came.")
@click.option("--tolerance", type=float, default=300.0, show_default=True, metavar="SECONDS", help="How old it may be.")
@common
def verify(file: Path | None, signature: str, tolerance: float) -> int:
    """Check a webhook's signature over the bytes of FILE (or of standard input), and show what it says.

    One that was written down a while ago is shown, too, with exit status 4 unless --tolerance allows for its age.

    Example: tiktok webhook verify --signature t=1790000001,s=... body.json
    """
    app = settings().app(without=("redirect_uri",))
    body = _body(file)
    try:
        event = verify_webhook(app, body, signature, now=datetime.now(UTC), tolerance=tolerance)
    except StaleWebhook as late:
        show({**_document(late.event), "error": error_document(late)}, _line(late.event))
        status = report(late, as_json=False)
        say("A longer --tolerance takes it.")
        return status
    show(_document(event), _line(event))
    return 0


def _body(file: Path | None) -> bytes:
    # One byte more than may count: by it the check knows that there is more, and no more has to fit into memory.
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
