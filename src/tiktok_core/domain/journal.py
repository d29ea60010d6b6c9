"""The journal of a post: what was asked for, and how far the post has come.

A record is stored before each act that the world can see, so that the next process knows after a crash what may have
happened. What belongs here: the record, its stages, and what can be read off a record. How a record moves from stage to
stage is in `moves`; what follows from an answer or an error is in `verdicts` and its neighbours.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.kept_refusal import Refusal
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.names import SHOWN_QUERY, bare, is_url, name_digest, query_of
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import NOT_POSTED, Publication, PublishStatus
from tiktok_core.domain.schedule import Schedule
from tiktok_core.domain.tokens import Secret

__all__ = [
    "KEEP",
    "Record",
    "Stage",
    "Wish",
    "learned_chunk",
    "next_chunk",
    "record_name",
    "upload_left",
]

KEEP: Final = timedelta(days=90)
"""How long a finished record stays, so that its key still answers."""
UPLOAD_LIFE: Final = timedelta(hours=1)
"""Life of an upload URL; source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide."""


class Stage(StrEnum):
    """How far a post has come. The last five are ends."""

    PLANNED = "planned"
    INIT_SENT = "init sent"
    UPLOADING = "uploading"
    PROCESSING = "processing"
    UNKNOWN = "outcome unknown"
    COMPLETE = "complete"
    IN_INBOX = "in inbox"
    FAILED = "failed"
    ABANDONED = "abandoned"
    GIVEN_UP = "given up"


ENDS: Final = (Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED, Stage.ABANDONED, Stage.GIVEN_UP)
END_OF: Final = {
    PublishStatus.PUBLISH_COMPLETE: Stage.COMPLETE,
    PublishStatus.SEND_TO_USER_INBOX: Stage.IN_INBOX,
    PublishStatus.FAILED: Stage.FAILED,
}


@frozen(kw_only=True)
class Wish:
    """What was asked for. The same key never stands for two different wishes.

    Attributes:
        post: the settings.
        video: the file's absolute name, or the URL without its query; None for photos and for sources without a name.
        query: the query of the URL, which may be a signature; None where it has none, and once the post has ended.
        query_digest: what the URL that was wished is recognised by, once its query is gone or another URL has taken its place; empty
            before.
        upload: whether the library sends what lies at the URL. None: only if TikTok refuses to pull it, and then it becomes True;
            and for what is no URL.
        fingerprint: what the file was; empty for what TikTok pulls, and until what lies at a URL is opened.
        media_type: what the file is; None where there is no fingerprint.
        plan: how the file is to be cut; None where there is no fingerprint.
        is_cut_chosen: whether a person chose the chunk size, so that no other is tried.
    """

    post: VideoPost | PhotoPost
    video: str | None = None
    query: Secret | None = field(default=None, repr=False)
    query_digest: str = ""
    upload: bool | None = None
    fingerprint: str = ""
    media_type: MediaType | None = None
    plan: ChunkPlan | None = None
    is_cut_chosen: bool = False

    def __attrs_post_init__(self) -> None:
        # Records of earlier releases give a whole URL here. Its query must not stay in `video`, which is shown.
        if self.video is not None and (query := query_of(self.video)) is not None:
            object.__setattr__(self, "query", query)
            object.__setattr__(self, "video", bare(self.video))

    @property
    def is_pulled(self) -> bool:
        """Whether TikTok fetches the media, so that the init alone publishes."""
        return self.plan is None and not self.upload

    @property
    def is_unopened(self) -> bool:
        """Whether TikTok has refused to pull the video, and it is to be opened and uploaded."""
        return self.plan is None and self.upload is True

    @property
    def name(self) -> Secret | None:
        """The name by which the video is opened or pulled, whole; None where it has none."""
        if self.video is None or self.query is None:
            return None if self.video is None else Secret(self.video)
        return Secret(f"{self.video}?{self.query.reveal()}")

    @property
    def shown(self) -> str | None:
        """The name as people may see it, without the query of a URL; None where it has none."""
        return (
            None
            if self.video is None
            else f"{self.video}{SHOWN_QUERY if self.query is not None or self.query_digest else ''}"
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The queries of all URLs, each of which may be a signature."""
        urls = self.post.photo_images if isinstance(self.post, PhotoPost) else ()
        return tuple(query for query in (self.query, *map(query_of, urls)) if query is not None)

    @property
    def without_queries(self) -> "Wish":
        """The same wish with digests in place of queries, which are secrets and of no use once the post has ended."""
        post = self.post.without_queries if isinstance(self.post, PhotoPost) else self.post
        digest = self.query_digest if self.query is None else self.identity or ""
        return evolve(self, post=post, query=None, query_digest=digest)

    @property
    def identity(self) -> str | None:
        """What tells the video's URL from others, also once its query is gone; of a file its name, and None without one."""
        if self.video is None or not is_url(self.video) or (name := self.name) is None:
            return self.video
        return self.query_digest or name_digest(name)

    def is_same(self, other: "Wish") -> bool:
        """Whether both ask for the same post: the same media with the same settings, however it is cut, called or sent.

        What was opened twice is the same if its bytes are. Where TikTok pulls one of them, it is the same under the same URL: a
        pull may have become an upload since.
        """
        if self.without_queries.post != other.without_queries.post:
            return False
        if self.fingerprint and other.fingerprint:
            return self.fingerprint == other.fingerprint
        is_opened, is_elsewhere = self.fingerprint or other.fingerprint, self.video is not None and is_url(self.video)
        return self.identity == other.identity and (is_elsewhere or not is_opened)


@frozen(kw_only=True)
class Record:
    """One post in the journal.

    Attributes:
        key: names the wish within an app and an account.
        app: the app's client key.
        account: the account's `open_id`.
        wish: what was asked for.
        stage: how far it has come.
        created_at: when it was wished (UTC).
        updated_at: when this was last true, or when the post ended (UTC).
        inits: how many inits have begun a post, or may have.
        lost_inits: how many of them went without an answer, the latest in a row.
        init_at: when the last of them left (UTC).
        publish_id: the post, once TikTok named it.
        others: more posts of this wish that TikTok named, too late to be followed: each may be one too many.
        upload_url: where the bytes go; None before and after.
        plan: how the file is cut, as TikTok took it.
        offset: bytes that TikTok has proved to have.
        last_left: whether the last byte may have reached TikTok, so that the post may be complete, even if TikTok counts less.
        handed_at: when TikTok had all that it needs (UTC).
        last: what TikTok last reported of the post.
        refusal: why it was refused before anything was posted, or that a person gave it up.
        schedule: when it may be begun; None for any time.
        is_held: whether a person has to release it before it is begun.
        is_entered: whether it was entered for a worker; otherwise only the caller that wished it, or a person, goes on with it.
        again_at: when a worker is to come again, as the last one said (UTC); None before the first has come.
    """

    key: str
    app: str
    account: str
    wish: Wish
    stage: Stage = Stage.PLANNED
    created_at: datetime
    updated_at: datetime
    inits: int = 0
    lost_inits: int = 0
    init_at: datetime | None = None
    publish_id: str | None = None
    others: tuple[str, ...] = ()
    upload_url: Secret | None = field(default=None, repr=False)
    plan: ChunkPlan | None = None
    offset: int = 0
    last_left: bool = False
    handed_at: datetime | None = None
    last: Publication | None = None
    refusal: Refusal | None = None
    schedule: Schedule | None = None
    is_held: bool = False
    is_entered: bool = False
    again_at: datetime | None = None

    @property
    def name(self) -> str:
        """What the record is stored under: a key belongs to an app and an account."""
        return record_name(self.app, self.account, self.key)

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.stage in ENDS

    @property
    def is_planned(self) -> bool:
        """Whether no init is under way or has begun a post."""
        return self.stage is Stage.PLANNED

    @property
    def is_before_handover(self) -> bool:
        """Whether TikTok still needs something of us: the init, its answer, or bytes."""
        return self.stage in (Stage.PLANNED, Stage.INIT_SENT, Stage.UPLOADING)

    @property
    def is_uploading(self) -> bool:
        """Whether bytes of a file are to be sent."""
        return self.stage is Stage.UPLOADING

    @property
    def is_processing(self) -> bool:
        """Whether TikTok has all that it needs, and has not reported an end."""
        return self.stage is Stage.PROCESSING

    @property
    def is_given_up(self) -> bool:
        """Whether a person gave the post up before it could be published, so that its key never begins one again."""
        return self.stage is Stage.GIVEN_UP

    @property
    def due_at(self) -> datetime | None:
        """When a worker is to come for it (UTC); None if it was not entered for one, has ended, or waits for a person."""
        is_unsettled = self.stage is Stage.UNKNOWN and self.publish_id is None
        if not self.is_entered or self.is_held or self.is_ended or is_unsettled:
            return None
        first = self.created_at if self.schedule is None else self.schedule.not_before
        return first if self.again_at is None else max(first, self.again_at)

    def is_stale(self, now: datetime) -> bool:
        """Whether continuing may send another init, more than an hour after the post was asked for or last begun.

        After an hour its upload URL is dead, and the person may have other plans by now. A post that has a time is begun by the
        latest one that the person gave, however long ago that was.
        """
        if self.schedule is not None:
            return False
        if now - (self.init_at or self.created_at) < UPLOAD_LIFE:
            return False
        if self.wish.is_pulled:
            return self.stage is Stage.PLANNED
        return self.is_before_handover or (self.stage is Stage.UNKNOWN and self.publish_id is not None)

    @property
    def shown(self) -> Publication:
        """The post as its owner sees it."""
        status = PublishStatus.PROCESSING_DOWNLOAD if self.wish.is_pulled else PublishStatus.PROCESSING_UPLOAD
        if self.stage in (Stage.ABANDONED, Stage.GIVEN_UP):
            return Publication(publish_id=self.publish_id or "", status=NOT_POSTED, key=self.key)
        known = self.last or Publication(publish_id=self.publish_id or "", status=status)
        uploaded = known.uploaded_bytes if known.uploaded_bytes is not None or self.wish.is_pulled else self.offset
        return evolve(known, key=self.key, uploaded_bytes=uploaded)


def record_name(app: str, account: str, key: str) -> str:
    """Return what the record of a key is stored under."""
    return f"{app}\n{account}\n{key}"


def upload_left(record: Record, now: datetime) -> float:
    """Return the seconds that the upload URL still lives, an hour at most; none or less when its hour is over."""
    return min(record.init_at - now + UPLOAD_LIFE, UPLOAD_LIFE).total_seconds() if record.init_at else 0.0


def learned_chunk(record: Record) -> int | None:
    """Return the chunk size that TikTok took of this post after it had refused the usual one; None if it did not.

    TikTok's limits have differed between its servers, so what was found out for one post serves the app's next ones.
    """
    if record.plan is None or record.plan == record.wish.plan or not record.publish_id:
        return None
    return record.plan.chunk_size


def next_chunk(record: Record) -> tuple[int, int]:
    """Return first and last byte (inclusive) of what to send next: from the offset to the end of its chunk."""
    plan = record.plan
    if plan is None:
        raise ValueError("what TikTok pulls has no chunks")
    index = min(record.offset // plan.chunk_size, plan.total_chunk_count - 1)
    return record.offset, plan.chunk(index)[1]
