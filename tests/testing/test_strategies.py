"""The strategies draw what could be sent or could have come, and reach the edges."""

from datetime import timedelta

from hypothesis import find, given, settings
from hypothesis import strategies as st

from tiktok_adapters.testing import strategies as draw
from tiktok_core import ChunkPlan, CreatorInfo, Publication, Tokens
from tiktok_core.domain.chunks import LARGEST_VIDEO, size_problem
from tiktok_core.domain.posts import creator_problems, photo_problems, video_problems
from tiktok_core.domain.publishing import check_publish_id
from tiktok_core.wire.records import dump_tokens, load_tokens


@given(st.data(), st.none() | draw.creators())
@settings(max_examples=60, deadline=None)
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


def test_the_edges_are_found() -> None:
    """The largest video, a whole number of chunks, a token that lives a second, a caption as long as may be."""
    assert find(draw.video_sizes(), lambda size: size == LARGEST_VIDEO)
    assert find(draw.video_sizes(), lambda size: size > 64_000_000 and size % 10_000_000 == 1)
    assert find(draw.tokens(), lambda tokens: tokens.expires_at - tokens.issued_at == timedelta(seconds=1))
    assert find(draw.captions(4), lambda text: len(text) == 2 and len(text.encode("utf-16-le")) == 8)
