"""`webhook verify` checks a webhook byte for byte, and shows it."""

import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tiktok_adapters.cli.app import tiktok
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.webhooks import signed
from tiktok_adapters.simulator.world import Delivery
from tiktok_core.wire.webhooks import LONGEST


@pytest.fixture
def delivery(sim: SimulatedTikTok, cli: Any, signed_in: str, film: Path) -> Any:
    """Return the webhook of a draft that waits in the inbox."""
    assert cli("post", "video", str(film), "--draft").exit_code == 0
    (came,) = sim.webhooks()
    return came


def test_a_webhook_is_shown(cli: Any, delivery: Any, tmp_path: Path, signed_in: str) -> None:
    """The command prints one line for a person, and for a program a document with a key that identifies repetitions."""
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
    """The command checks the raw bytes and does not decode them first."""
    command = ["webhook", "verify", "--signature", delivery.headers["TikTok-Signature"]]
    assert CliRunner().invoke(tiktok, command, env=environ, input=delivery.body).exit_code == 0
    assert CliRunner().invoke(tiktok, command, env=environ, input=delivery.body + b"\n").exit_code == 4


def test_a_forged_webhook_is_refused(cli: Any, delivery: Any, tmp_path: Path) -> None:
    """A forged webhook gives one sentence, and the exit status of a refusal."""
    body = tmp_path / "body.json"
    body.write_bytes(delivery.body.replace(b"INBOX", b"OTHER"))
    refused = cli("webhook", "verify", "--signature", delivery.headers["TikTok-Signature"], str(body), "--json")
    assert refused.exit_code == 4
    assert json.loads(refused.stdout)["error"]["type"] == "WebhookRejected"
    assert "not TikTok's" in refused.stderr


class Endless(io.RawIOBase):
    """An endless stream of zeros, of which the command has read `taken` bytes."""

    taken = 0

    def readable(self) -> bool:
        """Return whether the stream is readable: it is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Return zeros; fail after four times the limit, because then the command has no limit."""
        self.taken += len(buffer)
        assert self.taken <= 4 * LONGEST
        return len(buffer)


def test_no_more_is_read_than_may_count(cli: Any, environ: dict[str, str], tmp_path: Path) -> None:
    """A huge file or endless standard input gives one sentence and the exit status of a refusal."""
    body = tmp_path / "body.json"
    body.touch()
    os.truncate(body, 1 << 36)
    command = ["webhook", "verify", "--signature", f"t=1,s={'0' * 64}"]
    refused = cli(*command, str(body))
    piped = CliRunner().invoke(tiktok, command, env=environ, input=io.BufferedReader(Endless()))
    for result in (refused, piped):
        assert result.exit_code == 4
        assert result.stderr.count("its body is longer than 1,048,576 bytes") == 1


def signed_at(sim: SimulatedTikTok, content: object, *, ago: timedelta = timedelta(0)) -> Delivery:
    """Return a webhook with this content, signed `ago` before now."""
    said = {"client_key": sim.app.client_key, "event": "post.publish.renamed", "create_time": 1_790_000_000}
    body = json.dumps({**said, "content": content}).encode()
    return signed(sim.app, "", body, datetime.now(UTC) - ago)


def test_an_old_webhook_is_shown_and_told_from_a_fresh_one(cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """The command shows yesterday's webhook as late; a longer --tolerance accepts it."""
    late, body = signed_at(sim, '{"a": 1}', ago=timedelta(hours=20)), tmp_path / "body.json"
    body.write_bytes(late.body)
    command = ("webhook", "verify", "--signature", late.headers["TikTok-Signature"], str(body))
    shown = cli(*command)
    assert shown.exit_code == 4
    assert shown.stdout.startswith("post.publish.renamed of 2026-09-21 14:13:20 UTC")
    assert "TikTok signed the webhook, but too long ago" in shown.stderr
    assert "--tolerance" in shown.stderr
    told = json.loads(cli(*command, "--json").stdout)
    assert (told["content"], told["error"]["type"]) == ({"a": 1}, "StaleWebhook")
    taken = cli(*command, "--tolerance", "90000", "--json")
    assert (taken.exit_code, json.loads(taken.stdout)) == (0, {name: told[name] for name in told if name != "error"})


@pytest.mark.parametrize("tolerance", ["inf", "nan", "-1"])
def test_a_tolerance_is_a_length_of_time(cli: Any, sim: SimulatedTikTok, tmp_path: Path, tolerance: str) -> None:
    """A --tolerance that is not a length of time is a usage error, not a bug in the library."""
    fresh, body = signed_at(sim, ""), tmp_path / "body.json"
    body.write_bytes(fresh.body)
    command = ("webhook", "verify", "--signature", fresh.headers["TikTok-Signature"], str(body))
    refused = cli(*command, "--tolerance", tolerance)
    assert (refused.exit_code, "tolerance" in refused.stderr) == (2, True)


@pytest.mark.parametrize("content", ["[1, 2]", "hello", "", 7])
def test_what_nobody_knows_is_shown_as_it_came(cli: Any, sim: SimulatedTikTok, tmp_path: Path, content: object) -> None:
    """The command shows the content of an unknown event unchanged, and needs no redirect URI."""
    fresh, body = signed_at(sim, content), tmp_path / "body.json"
    body.write_bytes(fresh.body)
    command = ("webhook", "verify", "--signature", fresh.headers["TikTok-Signature"], str(body))
    shown = cli(*command, env={"TIKTOK_REDIRECT_URI": ""})
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.rstrip().endswith(str(content) or "UTC")
    told = json.loads(cli(*command, "--json", env={"TIKTOK_REDIRECT_URI": ""}).stdout)
    assert told["content"] == (json.loads(content) if content == "[1, 2]" else content)
    assert cli(*command, env={"TIKTOK_CLIENT_SECRET": ""}).exit_code == 2
