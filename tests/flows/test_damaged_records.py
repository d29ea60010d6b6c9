"""A record that can be read but makes no sense stops no other post, and its own call ends with a documented error.

What belongs here: records that are whole JSON and whose figures contradict one another, as damage may leave them.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP
from tiktok_adapters.simulator import parse_fault
from tiktok_core import OutcomeUnknown, Stage, TikTokError, UploadError

PUBLIC = "PUBLIC_TO_EVERYONE"


def uploading(bench: Any, account: Any) -> Any:
    """Return the record of a post that has an upload URL, and of which no byte has left."""
    bench.sim.faults.add(parse_fault("putx30=unreachable"))
    with pytest.raises(TikTokError):
        bench.run(account.post_video(CLIP, draft=True, key="damaged"))
    bench.sim.faults.clear()
    (record,) = bench.journal.records()
    assert record.stage is Stage.UPLOADING
    return record


@pytest.mark.parametrize("change", [{"plan": None}, {"offset": 10**18}, {"offset": CLIP.size + 1}], ids=str)
def test_an_upload_whose_record_makes_no_sense_ends_with_a_documented_error(bench: Any, change: dict[str, Any]) -> None:
    """The client sends no byte of the file and continues the account's other posts; a person can settle and remove it."""
    account = bench.signed_in()
    bench.journal.save(evolve(uploading(bench, account), **change), fence=None)
    with pytest.raises(UploadError, match="damaged in the journal"):
        bench.run(account.resume("damaged", CLIP))
    with pytest.raises(OutcomeUnknown):
        bench.run(account.resume("damaged", CLIP))
    assert bench.run(account.post_video(CLIP, draft=True, key="another")).is_final
    bench.run(account.settle("damaged", posted=False))
    bench.run(account.forget("damaged"))
    assert [record.key for record in bench.journal.records()] == ["another"]


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_record_of_an_absurd_time_costs_no_other_post_its_address(bench: Any, moment: datetime) -> None:
    """The client still finds another post of the account by its caption and its time."""
    bench.sim.app.audited, bench.sim.creator.private = True, False
    bench.sim.switches.status_ids = "missing"
    scopes = ["user.info.basic", "video.publish", "video.list"]
    asked = bench.tiktok.authorization(scopes, redirect_uri="http://127.0.0.1:4000/callback/")
    account = bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))
    for key in ("damaged", "mine"):
        bench.run(account.post_video(CLIP, title=key, privacy_level=PUBLIC, key=key))
    damaged = next(record for record in bench.journal.records() if record.key == "damaged")
    bench.journal.save(evolve(damaged, created_at=moment, init_at=None, handed_at=moment), fence=None)
    bench.clock.advance(3_600)
    (found,) = bench.run(account.find_post("mine"))
    assert not found.is_certain
