"""The strategies draw what could be sent or could have come, and reach the edges."""

import json
from datetime import timedelta

import pytest
from attrs import asdict
from hypothesis import find, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.simulator import App as Registered
from tiktok_adapters.simulator.webhooks import signed
from tiktok_adapters.testing import strategies as draw
from tiktok_core import App, ChunkPlan, CreatorInfo, Publication, Tokens, Video
from tiktok_core.domain.chunks import LARGEST_VIDEO, size_problem
from tiktok_core.domain.display import user_fields
from tiktok_core.domain.posts import creator_problems, photo_problems, video_problems
from tiktok_core.domain.publishing import check_publish_id
from tiktok_core.events import verify_webhook
from tiktok_core.wire.records import dump_tokens, load_tokens


@given(st.data(), st.none() | draw.creators())
@settings(max_examples=at_most(60), deadline=None)
def test_posts_can_be_posted(data: st.DataObject, creator: CreatorInfo | None) -> None:
    """Neither the rules nor the creator has anything against a video or photos that were drawn for them."""
    video, photos = data.draw(draw.video_posts(creator)), data.draw(draw.photo_posts(creator))
    assert [*video_problems(video), *photo_problems(photos)] == []
    if creator is not None:
        for post in (video, photos):
            assert post.draft or list(creator_problems(post, creator)) == []


@given(draw.video_sizes(), draw.chunk_plans())
def test_videos_can_be_cut(size: int, plan: ChunkPlan) -> None:
    """Every size is allowed, and every plan covers its video."""
    assert list(size_problem(size)) == []
    assert plan.chunk(plan.total_chunk_count - 1)[1] + 1 == plan.video_size


@given(draw.tokens(), draw.publications())
def test_what_comes_is_well_formed(tokens: Tokens, known: Publication) -> None:
    """Tokens go through a store, and a publication's id can be asked about."""
    assert load_tokens(dump_tokens(tokens)) == tokens
    check_publish_id(known.publish_id)
    assert known.is_final == (known.status in {"SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED"})


@given(st.data(), draw.apps())
def test_webhooks_are_read_as_they_were_drawn(data: st.DataObject, app: App) -> None:
    """Spelled and signed as TikTok does, each event comes out as itself, and says what the simulator's would."""
    event = data.draw(draw.events(app))
    document = {
        "client_key": app.client_key,
        "event": event.name,
        "create_time": event.create_time,
        "user_openid": event.open_id,
        "content": json.dumps(event.content),
    }
    registered = Registered(client_key=app.client_key, client_secret=app.client_secret.reveal())
    delivery = signed(registered, event.name, json.dumps(document).encode(), event.signed_at)
    read = verify_webhook(app, delivery.body, delivery.headers["TikTok-Signature"], now=event.signed_at)
    assert (type(read), read, read.key) == (type(event), event, event.key)


@given(st.data(), draw.scopes(), draw.videos())
def test_what_is_shown_is_well_formed(data: st.DataObject, scopes: tuple[str, ...], video: Video) -> None:
    """A profile has the fields that its scopes open and no other; a video has its id in its page and every field."""
    info = asdict(data.draw(draw.user_infos(scopes)))
    assert {name for name, value in info.items() if value is not None} == set(user_fields(scopes))
    assert (video.id or "") in (video.share_url or "")
    assert None not in asdict(video).values()


def test_the_edges_are_found() -> None:
    """The largest video, a whole number of chunks, a token that lives a second, a caption as long as may be."""
    assert find(draw.video_sizes(), lambda size: size == LARGEST_VIDEO)
    assert find(draw.video_sizes(), lambda size: size > 64_000_000 and size % 10_000_000 == 1)
    assert find(draw.tokens(), lambda tokens: tokens.expires_at - tokens.issued_at == timedelta(seconds=1))
    assert find(draw.captions(4), lambda text: len(text) == 2 and len(text.encode("utf-16-le")) == 8)


SPELLED_ON_THE_WIRE = (
    "v_pub_file~v2-1.",
    "v_pub_url~v2-1.",
    "v_inbox_file~v2.",
    "v_inbox_url~v2.",
    "p_pub_url~v2.",
    "p_inbox_url~v2.",
)


@pytest.mark.parametrize("prefix", SPELLED_ON_THE_WIRE)
def test_ids_of_posts_are_spelled_as_on_the_wire(prefix: str) -> None:
    """Each way of posting has a spelling of its own, and each is drawn."""
    assert find(draw.publish_ids(), lambda publish_id: publish_id.startswith(prefix))


@pytest.mark.parametrize("word", ["DIRECT_PUBLISH", "INBOX_SHARE"])
def test_webhooks_name_the_way_of_posting_as_on_the_wire(word: str) -> None:
    """TikTok's word for direct posts in webhooks is not the one of its requests."""
    drawn = find(draw.events(), lambda event: event.content.get("publish_type") == word)
    assert drawn.content["publish_type"] == word
