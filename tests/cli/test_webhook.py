"""`webhook verify`: what came is checked byte for byte, and shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tiktok_adapters.cli.app import tiktok
from tiktok_adapters.simulator import SimulatedTikTok


@pytest.fixture
def delivery(sim: SimulatedTikTok, cli: Any, signed_in: str, film: Path) -> Any:
    """Give the webhook of a draft that waits in the inbox."""
    assert cli("post", "video", str(film), "--draft").exit_code == 0
    (came,) = sim.webhooks()
    return came


def test_a_webhook_is_shown(cli: Any, delivery: Any, tmp_path: Path, signed_in: str) -> None:
    """For a person in a line, for a program as a document with a key by which a repetition is recognised."""
    body = tmp_path / "body.json"
    body.write_bytes(delivery.body)
    signature = delivery.headers["TikTok-Signature"]
    shown = cli("webhook", "verify", "--signature", signature, str(body))
    assert shown.exit_code == 0
    assert shown.stdout.startswith("post.publish.inbox_delivered of ")
    told = json.loads(cli("webhook", "verify", "--signature", signature, str(body), "--json").stdout)
    assert (told["type"], told["open_id"]) == ("DraftDelivered", signed_in)
    assert told["content"]["publish_type"] == "INBOX_SHARE"
    assert len(told["key"]) == 64


def test_the_body_may_come_by_standard_input(environ: dict[str, str], delivery: Any) -> None:
    """As bytes: nothing decodes them on the way."""
    command = ["webhook", "verify", "--signature", delivery.headers["TikTok-Signature"]]
    assert CliRunner().invoke(tiktok, command, env=environ, input=delivery.body).exit_code == 0
    assert CliRunner().invoke(tiktok, command, env=environ, input=delivery.body + b"\n").exit_code == 4


def test_a_forged_webhook_is_refused(cli: Any, delivery: Any, tmp_path: Path) -> None:
    """With a sentence, and the exit status of a refusal."""
    body = tmp_path / "body.json"
    body.write_bytes(delivery.body.replace(b"INBOX", b"OTHER"))
    refused = cli("webhook", "verify", "--signature", delivery.headers["TikTok-Signature"], str(body), "--json")
    assert refused.exit_code == 4
    assert json.loads(refused.stdout)["error"]["type"] == "WebhookRejected"
    assert "not TikTok's" in refused.stderr
