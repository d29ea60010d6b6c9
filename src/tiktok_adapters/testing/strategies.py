"""Hypothesis strategies for the values of this library. They draw only values that could be sent or received.

What belongs here: values and their edge cases. The module needs hypothesis, so only tests may import it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from tiktok_core import (
    App,
    ChunkPlan,
    CreatorInfo,
    PhotoPost,
    PrivacyLevel,
    Publication,
    PublishStatus,
    Scope,
    Secret,
    Tokens,
    UserInfo,
    Video,
    VideoPost,
    plan_chunks,
)
from tiktok_core.domain.chunks import LARGEST_VIDEO
from tiktok_core.domain.display import CAPTION_SHOWN, USER_FIELDS
from tiktok_core.domain.events import REMOVAL_REASONS
from tiktok_core.domain.posts import MOST_PHOTOS, PHOTO_DESCRIPTION, PHOTO_TITLE, VIDEO_TITLE
from tiktok_core.events import (
    AuthorizationRemoved,
    DownloadReady,
    DraftDelivered,
    Event,
    Ping,
    PostComplete,
    PostFailed,
    PostNoLongerPublic,
    PostPublic,
    UnknownEvent,
    VideoKitEvent,
)

__all__ = [
    "apps",
    "captions",
    "chunk_plans",
    "creators",
    "events",
    "moments",
    "open_ids",
    "photo_posts",
    "photo_urls",
    "publications",
    "publish_ids",
    "scopes",
    "tokens",
    "user_infos",
    "video_posts",
    "video_sizes",
    "videos",
]

EDGES: Final = (1, 5_000_000, 5_242_880, 10_000_000, 64_000_000, 67_108_864, 128_000_000, LARGEST_VIDEO)
WORD: Final = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=8, max_size=40)
NAME: Final = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


def moments() -> st.SearchStrategy[datetime]:
    """Draw aware times in UTC, from the years in which this library may run."""
    return st.datetimes(datetime(2026, 1, 1), datetime(2046, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - see `timezones`


def open_ids() -> st.SearchStrategy[str]:
    """Draw ids of accounts as an app gets them. TikTok's ids begin with a hyphen."""
    return WORD.map("-000{}".format)


def publish_ids() -> st.SearchStrategy[str]:
    """Draw ids of posts that are being published, in each documented or observed form, of at most 64 characters."""
    kinds = st.sampled_from(
        (
            *("v_pub_file~v2-1.", "v_pub_url~v2-1.", "v_pub_url~v2.", "v_inbox_file~v2.", "v_inbox_url~v2."),
            *("p_pub_url~v2.", "p_inbox_url~v2."),
        )
    )
    return st.tuples(kinds, st.integers(10**18, 2**63 - 1)).map(lambda parts: f"{parts[0]}{parts[1]}")


def scopes() -> st.SearchStrategy[tuple[str, ...]]:
    """Draw the scopes that a person granted: any of them, each at most once."""
    return st.sets(st.sampled_from(Scope), min_size=1).map(lambda chosen: tuple(sorted(map(str, chosen))))


def apps() -> st.SearchStrategy[App]:
    """Draw apps as they may be registered: desktop apps with one port or a wildcard port, and web apps."""
    redirects = st.sampled_from(
        ("http://127.0.0.1:*/callback/", "http://localhost:3455/callback/", "https://app.example.com/callback/")
    )
    return st.builds(App, WORD.map("aw{}".format), WORD, redirects)


@st.composite
def tokens(draw: st.DrawFn) -> Tokens:
    """Draw the tokens of an account, with lifetimes from a second to a year."""
    issued = draw(moments())
    access, refresh = draw(st.integers(1, 86_400)), draw(st.integers(1, 31_536_000))
    return Tokens(
        open_id=draw(open_ids()),
        access_token=Secret(f"act.{draw(WORD)}"),
        refresh_token=Secret(f"rft.{draw(WORD)}"),
        scope=draw(scopes()),
        issued_at=issued,
        expires_at=issued + timedelta(seconds=access),
        refresh_expires_at=issued + timedelta(seconds=refresh),
    )


def video_sizes() -> st.SearchStrategy[int]:
    """Draw sizes of videos that can be posted, often at the edges of TikTok's limits and of whole chunks."""
    near_edges = st.tuples(st.sampled_from(EDGES), st.integers(-2, 2)).map(sum)
    near_chunks = st.tuples(st.integers(1, 420), st.integers(-2, 2)).map(lambda at: at[0] * 10_000_000 + at[1])
    anywhere = st.integers(1, LARGEST_VIDEO)
    return st.one_of(near_edges, near_chunks, anywhere).filter(lambda size: 1 <= size <= LARGEST_VIDEO)


def chunk_plans() -> st.SearchStrategy[ChunkPlan]:
    """Draw the plans that cut such videos into chunks."""
    return video_sizes().map(plan_chunks)


def captions(longest: int) -> st.SearchStrategy[str]:
    """Draw texts that TikTok counts as at most `longest` UTF-16 units: in all scripts, with emoji, without lone surrogates."""
    letters = st.characters(exclude_categories=("Cs", "Cc"))
    return st.text(letters, max_size=longest).map(lambda text: _fitting(text, longest))


def _fitting(text: str, longest: int) -> str:
    while len(text.encode("utf-16-le")) // 2 > longest:
        text = text[: len(text) // 2]
    return text


def _shown(text: str) -> str:
    """Return the text without characters that a message would replace."""
    return "".join(filter(str.isprintable, text)).strip()


def creators() -> st.SearchStrategy[CreatorInfo]:
    """Draw TikTok's information on a creator: private and public accounts, with any options disabled."""
    levels = st.lists(st.sampled_from(PrivacyLevel), min_size=1, unique=True)
    return st.builds(
        CreatorInfo,
        creator_avatar_url=NAME.map("https://p16.tiktokcdn.com/{}.jpeg".format),
        creator_username=NAME,
        creator_nickname=captions(30),
        privacy_level_options=levels.map(lambda chosen: tuple(map(str, chosen))),
        comment_disabled=st.booleans(),
        duet_disabled=st.booleans(),
        stitch_disabled=st.booleans(),
        max_video_post_duration_sec=st.none() | st.integers(15, 3_600),
    )


@st.composite
def video_posts(draw: st.DrawFn, creator: CreatorInfo | None = None) -> VideoPost:
    """Draw settings of a video that can be posted, by `creator` if it is given."""
    level, branded, draft = draw(_visibilities(creator))
    return VideoPost(
        title=draw(captions(VIDEO_TITLE)),
        privacy_level=level,
        disable_comment=draw(st.booleans()),
        disable_duet=draw(st.booleans()),
        disable_stitch=draw(st.booleans()),
        video_cover_timestamp_ms=draw(st.none() | st.integers(0, 2**31 - 1)),
        brand_content_toggle=branded,
        brand_organic_toggle=draw(st.booleans()),
        is_aigc=draw(st.booleans()),
        draft=draft,
    )


def photo_urls() -> st.SearchStrategy[str]:
    """Draw https URLs of pictures."""
    return st.tuples(NAME, NAME, st.sampled_from(("jpg", "jpeg", "webp"))).map(
        lambda parts: f"https://{parts[0]}.example.com/{parts[1]}.{parts[2]}"
    )


@st.composite
def photo_posts(draw: st.DrawFn, creator: CreatorInfo | None = None) -> PhotoPost:
    """Draw settings of photos that can be posted, by `creator` if it is given."""
    level, branded, draft = draw(_visibilities(creator))
    pictures = tuple(draw(st.lists(photo_urls(), min_size=1, max_size=MOST_PHOTOS)))
    return PhotoPost(
        photo_images=pictures,
        photo_cover_index=draw(st.integers(0, len(pictures) - 1)),
        title=draw(captions(PHOTO_TITLE)),
        description=draw(captions(PHOTO_DESCRIPTION)),
        privacy_level=level,
        disable_comment=draw(st.booleans()),
        auto_add_music=draw(st.booleans()),
        brand_content_toggle=branded,
        brand_organic_toggle=draw(st.booleans()),
        is_aigc=draw(st.booleans()),
        draft=draft,
    )


@st.composite
def _visibilities(draw: st.DrawFn, creator: CreatorInfo | None) -> tuple[str | None, bool, bool]:
    options = tuple(map(str, PrivacyLevel)) if creator is None else creator.privacy_level_options
    draft = draw(st.booleans())
    level = draw(st.none() | st.sampled_from(options)) if draft else draw(st.sampled_from(options))
    # A post that only its creator sees cannot be a paid partnership.
    branded = draw(st.booleans()) if draft or level != PrivacyLevel.SELF_ONLY else False
    return level, branded, draft


@st.composite
def publications(draw: st.DrawFn) -> Publication:
    """Draw TikTok's status of a post, in each of its stages."""
    status = draw(st.sampled_from(PublishStatus))
    is_public = status is PublishStatus.PUBLISH_COMPLETE and draw(st.booleans())
    return Publication(
        publish_id=draw(publish_ids()),
        status=str(status),
        fail_reason=draw(st.sampled_from(REASONS)) if status is PublishStatus.FAILED else "",
        post_ids=tuple(draw(st.lists(st.integers(10**18, 2**63 - 1), max_size=3))) if is_public else (),
        uploaded_bytes=draw(st.none() | st.integers(0, LARGEST_VIDEO)),
        downloaded_bytes=draw(st.none() | st.integers(0, LARGEST_VIDEO)),
    )


@st.composite
def user_infos(draw: st.DrawFn, granted: Iterable[str] | None = None) -> UserInfo:
    """Draw profiles with the fields that the `granted` scopes open. Without `granted`, draw the scopes, too."""
    handle, picture = draw(NAME), f"https://p16.tiktokcdn.com/{draw(NAME)}.jpeg"
    count = st.integers(0, 2**53 - 1)
    whole: dict[str, Any] = {
        "open_id": draw(open_ids()),
        "union_id": str(draw(st.uuids())),
        **dict.fromkeys(("avatar_url", "avatar_url_100", "avatar_large_url"), picture),
        "display_name": draw(captions(30)),
        "bio_description": draw(captions(80)),
        "profile_deep_link": f"https://vm.tiktok.com/{handle}/",
        "is_verified": draw(st.booleans()),
        "username": handle,
        **{name: draw(count) for name in ("follower_count", "following_count", "likes_count", "video_count")},
    }
    opened = set(map(str, draw(scopes()) if granted is None else granted))
    return UserInfo(**{name: value for name, value in whole.items() if USER_FIELDS[name] in opened})


@st.composite
def videos(draw: st.DrawFn) -> Video:
    """Draw public videos with every field that a list of videos has."""
    post_id, handle, caption = draw(POST_IDS), draw(NAME), draw(captions(CAPTION_SHOWN))
    page, count = f"https://www.tiktok.com/@{handle}/video/{post_id}", st.integers(0, 2**31 - 1)
    return Video(
        id=str(post_id),
        create_time=int(draw(moments()).timestamp()),
        cover_image_url=f"https://p16.tiktokcdn.com/{post_id}.jpeg",
        share_url=page,
        video_description=caption,
        duration=draw(st.integers(1, 600)),
        height=draw(st.integers(360, 4096)),
        width=draw(st.integers(360, 4096)),
        title=caption,
        embed_html=f'<blockquote class="tiktok-embed" cite="{page}"></blockquote>',
        embed_link=f"https://www.tiktok.com/embed/v2/{post_id}",
        **{name: draw(count) for name in ("like_count", "comment_count", "share_count", "view_count")},
    )


@st.composite
def events(draw: st.DrawFn, app: App | None = None) -> Event:
    """Draw webhooks of each documented event and of an unknown event, for `app` if it is given."""
    name = draw(st.sampled_from(sorted(EVENTS)))
    kind, own = EVENTS[name]
    said = draw(own)
    # On the wire the id of a post is a string; an older body had a number.
    read = {**said, "post_id": int(said["post_id"])} if "post_id" in said else said
    created = draw(moments()).replace(microsecond=0)
    return kind(
        name=name,
        client_key=draw(WORD) if app is None else app.client_key,
        open_id=draw(open_ids()),
        created_at=created,
        signed_at=created + timedelta(seconds=draw(st.integers(0, 72 * 3600))),
        content=said,
        create_time=int(created.timestamp()),
        **(read if kind is not UnknownEvent else {}),
    )


REASONS: Final = (
    "file_format_check_failed",
    "duration_check_failed",
    "frame_rate_check_failed",
    "picture_size_check_failed",
    "video_pull_failed",
    "photo_pull_failed",
    "publish_cancelled",
    "auth_removed",
    "internal",
)
"""Some of the documented reasons. Source: developers.tiktok.com/doc/content-posting-api-reference-get-video-status."""

POST_IDS: Final = st.integers(10**18, 2**63 - 1)
SPELLED_IDS: Final[st.SearchStrategy[Any]] = POST_IDS.map(str) | POST_IDS
POST: Final[dict[str, st.SearchStrategy[Any]]] = {
    "publish_id": publish_ids(),
    "publish_type": st.sampled_from(("INBOX_SHARE", "DIRECT_PUBLISH")),
}
SHARE: Final = st.fixed_dictionaries({"share_id": WORD})
EVENTS: Final[dict[str, tuple[type[Event], st.SearchStrategy[dict[str, Any]]]]] = {
    "tiktok.ping": (Ping, st.fixed_dictionaries({"reason": captions(30).map(_shown)})),
    "authorization.removed": (
        AuthorizationRemoved,
        st.fixed_dictionaries({"reason": st.sampled_from(sorted(REMOVAL_REASONS))}),
    ),
    "post.publish.failed": (PostFailed, st.fixed_dictionaries({**POST, "reason": st.sampled_from(REASONS)})),
    "post.publish.complete": (PostComplete, st.fixed_dictionaries(POST)),
    "post.publish.inbox_delivered": (DraftDelivered, st.fixed_dictionaries(POST)),
    "post.publish.publicly_available": (PostPublic, st.fixed_dictionaries({**POST, "post_id": SPELLED_IDS})),
    "post.publish.no_longer_publicaly_available": (
        PostNoLongerPublic,
        st.fixed_dictionaries({**POST, "post_id": SPELLED_IDS}),
    ),
    "video.upload.failed": (VideoKitEvent, SHARE),
    "video.publish.completed": (VideoKitEvent, SHARE),
    "portability.download.ready": (DownloadReady, st.fixed_dictionaries({"request_id": st.integers(1, 2**63 - 1)})),
    "somebody.did.something": (UnknownEvent, st.dictionaries(NAME, captions(20), max_size=3)),
}
"""Each event's name, its class, and its content. Source: developers.tiktok.com/doc/webhooks-events."""
