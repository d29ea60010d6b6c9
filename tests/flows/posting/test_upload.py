"""Once TikTok has every byte, no error may sound as if TikTok had none."""

import os
from pathlib import Path
from typing import Any

import pytest

from clips import CLIP_BYTES
from tiktok_adapters.simulator import parse_fault
from tiktok_core import Progress, PublishStatus, SignInRequired, StillProcessing, UnexpectedResponse
from tiktok_core.ports import Request, Response


def test_a_file_touched_after_its_last_byte_is_posted(bench: Any, clip: Path) -> None:
    """TikTok has all bytes.

    It is too late to refuse the file, and an error that says "nothing was posted" would be wrong.
    """
    account = bench.signed_in()

    def touch(progress: Progress) -> None:
        if progress.sent_bytes == len(CLIP_BYTES):
            os.utime(clip, (1, 1))

    done = bench.run(account.post_video(clip, privacy_level="SELF_ONLY", on_progress=touch))
    assert done.status == PublishStatus.PUBLISH_COMPLETE


@pytest.mark.parametrize("fault", ["status:503", "drop-after", "truncate"])
def test_a_lost_answer_to_the_last_chunk_is_looked_up(bench: Any, clip: Path, fault: str) -> None:
    """TikTok has the bytes, so the client follows the post and does not send them again."""
    account = bench.signed_in()
    original = bench.handle

    def stored_and_lost(request: Request) -> Response:
        response: Response = original(request)
        return Response(503) if fault == "status:503" and request.method == "PUT" else response

    bench.handle = stored_and_lost
    if fault != "status:503":
        bench.sim.faults.add(parse_fault(f"put={fault}"))
    done = bench.run(account.post_video(clip, privacy_level="SELF_ONLY"))
    assert done.is_final
    assert bench.sim.count("put") == 1
    assert len(bench.sim.posts) == 1


@pytest.mark.parametrize(
    "fault",
    ["garbage", "redirect:https://elsewhere.example/", "code:scope_not_authorized", "code:access_token_invalid"],
)
def test_whatever_the_status_says_the_post_is_named(bench: Any, clip: Path, fault: str) -> None:
    """Any trouble while TikTok works becomes an error that says that the post continues, with its id, key and cause."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 3_600
    bench.sim.faults.add(parse_fault(f"statusx99={fault}"))
    with pytest.raises(StillProcessing, match="can no longer be followed") as raised:
        bench.run(account.post_video(clip, privacy_level="SELF_ONLY"))
    (post,) = bench.sim.posts
    assert raised.value.publish_id == post.publish_id
    assert raised.value.key
    bench.sim.faults.clear()
    bench.sim.switches.processing_seconds = 0
    assert bench.run(account.resume(raised.value.key)).is_final


def test_a_sign_in_that_ends_while_waiting_does_not_hide_the_post(bench: Any, clip: Path) -> None:
    """The person disconnects the app meanwhile. The error names the post, and its cause is the ended sign-in."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 3_600
    handed = bench.run(account.post_video(clip, privacy_level="SELF_ONLY", wait=False))
    bench.kill_access_token(account.open_id)
    bench.sim.disconnect(account.open_id)
    with pytest.raises(StillProcessing) as raised:
        bench.run(account.resume(handed.key))
    assert isinstance(raised.value.__cause__, SignInRequired)


def test_an_error_before_the_hand_over_is_itself(bench: Any, clip: Path) -> None:
    """While bytes are still missing nothing was posted, and the error says what is wrong."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_initx9=garbage"))
    with pytest.raises(UnexpectedResponse) as raised:
        bench.run(account.post_video(clip, privacy_level="SELF_ONLY"))
    assert raised.value.key


@pytest.mark.parametrize("answer", ["code:temporarily_unavailable", "code:server_error", "garbage", "status:302"])
def test_no_trouble_with_a_renewal_ahead_of_its_time_stops_a_call(bench: Any, answer: str) -> None:
    """While the old token is valid, no answer of the token endpoint stops a call."""
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.sim.faults.add(parse_fault(f"tokenx9={answer}"))
    assert bench.run(account.creator_info()).creator_username == "maker_one"


def test_an_expired_sign_in_can_be_ended(bench: Any) -> None:
    """TikTok ends a grant only by a valid token, so the client renews the token first.

    If it cannot, it just forgets the tokens.
    """
    account = bench.signed_in()
    bench.clock.advance(8_000)
    bench.run(account.revoke())
    assert bench.store.accounts() == ()
    assert bench.sim.count("revoke") == 1
    again = bench.signed_in()
    bench.clock.advance(15_552_001)
    bench.run(again.revoke())
    assert bench.store.accounts() == ()
    assert bench.sim.count("revoke") == 1
