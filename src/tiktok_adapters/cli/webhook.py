"""`webhook verify`: whether a webhook that came is TikTok's, and what it says.

What belongs here: the command. The check is the core's.
"""

import sys
from pathlib import Path
from typing import Any

import click
from attrs import fields

from tiktok_adapters.cli.common import client, common, settings
from tiktok_adapters.cli.output import show

__all__ = ["webhook"]


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
def verify(file: Path | None, signature: str, tolerance: float) -> None:
    """Check a webhook's signature over the bytes of FILE (or of standard input), and show what it says.

    Example: tiktok webhook verify --signature t=1790000001,s=... body.json
    """
    body = sys.stdin.buffer.read() if file is None else file.read_bytes()
    with client(settings()) as tiktok:
        event = tiktok.verify_webhook(body, signature, tolerance=tolerance)
    told: dict[str, Any] = {
        "event": event.name,
        "type": type(event).__name__,
        "open_id": event.open_id,
        "created_at": event.created_at.isoformat(),
        "signed_at": event.signed_at.isoformat(),
        "key": event.key,
        "content": dict(event.content),
    }
    own = [field.name for field in fields(type(event)) if not field.inherited]
    said = ", ".join(f"{name} {getattr(event, name)}" for name in own)
    show(told, f"{event.name} of {event.created_at:%Y-%m-%d %H:%M:%S} UTC" + (f": {said}" if said else ""))
