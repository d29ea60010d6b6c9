"""The client finds what a post has become, by TikTok's own id if there is one, and never another post."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from clips import PHOTOS, clip
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import Faults, parse_fault
from tiktok_adapters.testing.fakes import make_fake
from tiktok_core import ApiError, Misused, OutcomeUnknown, PublishFailed, ServerError, Stage
from tiktok_core.ports import Request, Response

PUBLIC = "PUBLIC_TO_EVERYONE"
BASIC = ["user.info.basic", "video.upload", "video.publish"]
ALL = [*BASIC, "video.list"]
SITE = "https://www.tiktok.com/@maker_one"


def signed_in(bench: Any, scopes: list[str]) -> Any:
    """Return a public account of an audited app that may do this."""
    bench.sim.app.audited, bench.sim.creator.private, bench.sim.creator.daily_posts = True, False, 1000
    asked = bench.tiktok.authorization(scopes, redirect_uri="http://127.0.0.1:4000/callback/")
    return bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))


@pytest.fixture
def account(bench: Any) -> Any:
    """Give an account that lets its videos be listed."""
    return signed_in(bench, ALL)


def deliver(bench: Any) -> None:
    """Hand the webhooks of everything that has happened to the client."""
    for delivery in bench.sim.webhooks():
        event = bench.tiktok.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])
        bench.run(bench.tiktok.received(event))


def test_who_waits_gets_the_post_and_not_one_that_looks_alike(bench: Any, account: Any) -> None:
    """Another post with the same caption is a minute older.

    The client waits for TikTok's id and does not take that one.
    """
    bench.sim.switches.moderation_seconds = 30
    bench.run(account.post_video(clip(1), title="daily clip", privacy_level=PUBLIC, key="first"))
    bench.clock.advance(40)
    bench.sim.switches.moderation_seconds = 600
    done = bench.run(account.post_video(clip(2), title="daily clip", privacy_level=PUBLIC, key="second"))
    (found,) = bench.run(account.find_post("second", wait=True))
    assert found.is_certain
    assert found.id == str(bench.sim.post(done.publish_id).post_ids[0])


def test_a_post_of_the_journal_is_not_taken_for_another(bench: Any, account: Any) -> None:
    """The client does not take it even if no program has asked for its id yet."""
    bench.sim.switches.moderation_seconds = 30
    bench.run(account.post_video(clip(1), title="daily clip", privacy_level=PUBLIC, key="first"))
    bench.clock.advance(40)
    bench.sim.switches.moderation_seconds = 600
    bench.run(account.post_video(clip(2), title="daily clip", privacy_level=PUBLIC, key="second"))
    assert bench.run(account.find_post("second")) == ()


def test_what_a_webhook_told_is_found(bench: Any, account: Any) -> None:
    """A webhook named the id, so the client finds the post though the status has no id and TikTok cannot be asked."""
    bench.sim.switches.status_ids = "missing"
    bench.run(account.post_video(clip(1), privacy_level=PUBLIC, key="mine"))
    bench.clock.advance(3600)
    deliver(bench)
    (found,) = bench.run(account.find_post("mine"))
    assert (found.is_certain, found.share_url) == (True, f"{SITE}/video/{found.id}")
    bench.sim.faults.add(parse_fault("statusx9=status:503"))
    assert bench.run(account.find_post("mine")) == (found,)


def test_what_was_found_is_kept(bench: Any, account: Any) -> None:
    """From then on the journal knows the id."""
    bench.run(account.post_video(clip(1), privacy_level=PUBLIC, key="mine"))
    bench.clock.advance(3600)
    (found,) = bench.run(account.find_post("mine"))
    (record,) = bench.run(account.posts())
    assert record.last.post_ids == (int(found.id),)


@pytest.mark.parametrize(
    "scopes", [BASIC, ALL, ["user.info.basic", "user.info.profile", "video.upload", "video.publish"]]
)
def test_photos_have_a_page(bench: Any, scopes: list[str]) -> None:
    """TikTok lists no photos, so the client builds the page from the handle in the profile or in the creator info."""
    account = signed_in(bench, scopes)
    done = bench.run(account.post_photos(PHOTOS, title="doors", privacy_level=PUBLIC, key="mine"))
    bench.clock.advance(3600)
    for name in ("mine", done.publish_id):
        (found,) = bench.run(account.find_post(name))
        assert (found.is_certain, found.share_url) == (True, f"{SITE}/photo/{found.id}")
    assert bench.sim.count("video_query") == bench.sim.count("video_list") == 0


def test_a_video_has_a_page_without_the_list(bench: Any) -> None:
    """The client does not need the scope video.list for the page.

    If no scope opens the handle, it returns the post without a page.
    """
    account = signed_in(bench, BASIC)
    bench.run(account.post_video(clip(1), privacy_level=PUBLIC, key="mine"))
    bench.clock.advance(3600)
    (found,) = bench.run(account.find_post("mine"))
    assert found.share_url == f"{SITE}/video/{found.id}"
    bench.sim.faults.add(parse_fault("creator_infox9=code:spam_risk_too_many_posts@200"))
    (again,) = bench.run(account.find_post("mine"))
    assert (again.id, again.share_url) == (found.id, None)


def test_trouble_on_the_way_is_passed_over(bench: Any, account: Any) -> None:
    """A caller who waits gets no error for four lost answers.

    A caller who does not wait gets the error, as after five lost answers.
    """
    bench.run(account.post_video(clip(1), privacy_level=PUBLIC, key="mine"))
    patient = account.with_options(retries=0)
    bench.sim.faults.add(parse_fault("status=status:503"))
    with pytest.raises(ServerError):
        bench.run(patient.find_post("mine"))
    bench.sim.faults.add(parse_fault("statusx4=status:503"))
    (found,) = bench.run(patient.find_post("mine", wait=True))
    assert found.is_certain
    bench.run(account.post_video(clip(2), privacy_level=PUBLIC, key="other"))
    bench.sim.faults.add(parse_fault("statusx5=status:503"))
    with pytest.raises(ServerError):
        bench.run(patient.find_post("other", wait=True))


def test_a_misused_client_ends_the_search_at_once(bench: Any, account: Any) -> None:
    """No further question would leave this machine, so the client does not ask again."""
    bench.run(account.post_video(clip(1), privacy_level=PUBLIC, key="mine"))
    answer, slept = bench.handle, bench.clock.slept

    def misused(request: Request) -> Response:
        if "status" in request.url:
            raise Misused(request.name, "the transport is closed")
        return answer(request)

    bench.handle = misused
    with pytest.raises(Misused):
        bench.run(account.find_post("mine", wait=True))
    assert bench.clock.slept == slept


def test_a_publish_id_that_tiktok_forgot_leaves_caption_and_time(bench: Any, account: Any) -> None:
    """TikTok does not document how long it knows a publish id.

    For a post that neither TikTok nor the journal knows, the client raises.
    """
    done = bench.run(account.post_video(clip(1), title="hello there", privacy_level=PUBLIC, key="mine"))
    bench.clock.advance(3600)
    for wait in (False, True):
        bench.sim.faults.add(parse_fault("status=code:invalid_publish_id"))
        (found,) = bench.run(account.find_post("mine", wait=wait))
        assert (found.is_certain, found.id) == (False, str(bench.sim.post(done.publish_id).post_ids[0]))
    with pytest.raises(ApiError, match="invalid_publish_id"):
        bench.run(account.find_post("v_pub_file~v2-1.1", wait=True))


def test_a_publish_id_that_tiktok_does_not_know_yet_is_asked_for_again(bench: Any, account: Any) -> None:
    """In the first minute after the init, the client does not take a post that looks alike: TikTok will name the post."""
    bench.run(account.post_video(clip(1), title="hello there", privacy_level=PUBLIC, key="mine", wait=False))
    bench.sim.faults.add(parse_fault("statusx2=code:invalid_publish_id"))
    (found,) = bench.run(account.find_post("mine", wait=True))
    assert found.is_certain


@pytest.mark.parametrize("told", ["before", "meanwhile", "elsewhere"])
def test_a_failed_post_is_not_waited_for(bench: Any, account: Any, told: str) -> None:
    """The journal knows that the post failed, or TikTok says so.

    The client does not wait, and does not take a post that looks alike.
    """
    bench.run(account.post_video(clip(0), title="t", privacy_level=PUBLIC))
    bench.clock.advance(60)
    bench.sim.faults.add(parse_fault("init=fail:duration_check_failed"))
    done = bench.run(account.post_video(clip(1), title="t", privacy_level=PUBLIC, key="mine", wait=False))
    bench.clock.advance(60)
    if told == "before":
        with pytest.raises(PublishFailed):
            bench.run(account.resume("mine"))
    slept, asked = bench.clock.slept, bench.sim.count("status")
    name = done.publish_id if told == "elsewhere" else "mine"
    if told == "elsewhere":
        for record in bench.journal.records():
            bench.journal.save(evolve(record, stage=Stage.COMPLETE), fence=None)
            assert bench.journal.remove(record.name)
    assert bench.run(account.find_post(name, wait=True)) == ()
    assert bench.clock.slept == slept
    assert bench.sim.count("status") - asked == (0 if told == "before" else 1)
    assert bench.sim.count("video_list") == 0


def test_a_private_post_is_not_waited_for(bench: Any, account: Any) -> None:
    """The client asks TikTok once, because the creator may have made the post public since.

    It takes no post that looks alike.
    """
    bench.run(account.post_video(clip(1), title="t", privacy_level=PUBLIC))
    bench.run(account.post_video(clip(2), title="t", privacy_level="SELF_ONLY", key="mine"))
    bench.clock.advance(60)
    slept, asked = bench.clock.slept, bench.sim.count("status")
    assert bench.run(account.find_post("mine", wait=True)) == ()
    assert (bench.clock.slept, bench.sim.count("status")) == (slept, asked + 1)
    assert bench.sim.count("video_list") == 0


def test_a_pull_of_unknown_outcome_is_looked_for(bench: Any, account: Any) -> None:
    """The pull has no publish id, so the client can only look for the video itself."""
    bench.sim.faults.add(parse_fault("init=drop-after"))
    with pytest.raises(OutcomeUnknown):
        bench.run(account.post_video("https://media.example.com/a.mp4", title="t", privacy_level=PUBLIC, key="mine"))
    (found,) = bench.run(account.find_post("mine", wait=True))
    assert not found.is_certain
    assert bench.sim.count("status") == 0


def test_a_video_from_before_or_long_after_is_another_one(bench: Any, account: Any) -> None:
    """Videos with the same caption are older than the post, or much later.

    The client does not take one of them for its post.
    """
    bench.sim.switches.status_ids = "missing"
    for _ in range(3):
        bench.run(account.post_video(clip(0), title="t", privacy_level=PUBLIC, key="mine"))
        bench.clock.advance(4 * 3600)
        bench.run(account.post_video(clip(1), title="t", privacy_level=PUBLIC))
        bench.clock.advance(3600)
        found = bench.run(account.find_post("mine"))
        assert len(found) == 1


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, 8000), st.booleans()), min_size=1, max_size=4),
    st.lists(st.integers(0, 3), max_size=3),
)
def test_no_post_is_taken_for_another_that_is_known(posts: list[tuple[str, int, bool]], asked: list[int]) -> None:
    """What TikTok names is the post. A guess by caption and time is never another post of the journal."""
    with make_fake(ManualClock(), Faults()) as fake:
        fake.simulator.app.audited, fake.simulator.creator.private = True, False
        fake.simulator.creator.daily_posts = 1000
        begun = fake.tiktok.authorization(ALL)
        account = fake.tiktok.sign_in(begun, fake.simulator.authorize(begun.url))
        own: dict[str, str] = {}
        for number, (title, gap, is_named) in enumerate(posts):
            done = account.post_video(clip(number), title=title, privacy_level=PUBLIC, key=str(number))
            fake.clock.advance(gap)
            fake.simulator.switches.status_ids = "numbers" if is_named else "missing"
            own[str(number)] = done.publish_id
            for other in asked:
                if str(other) in own:
                    account.find_post(str(other))
        known = {one.key: {str(two) for two in one.last.post_ids} for one in account.posts() if one.last}
        for key, publish_id in own.items():
            found = account.find_post(key)
            ids = {str(one) for one in fake.simulator.post(publish_id).post_ids}
            assert {one.id for one in found if one.is_certain} <= ids
            others = set().union(*(known[other] for other in own if other != key))
            assert not {one.id for one in found} & others
