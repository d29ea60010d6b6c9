"""Posts and their lives: only the clock moves a task, even if no client asks for its status.

What belongs here: the record of a post, and its status at each time. Source:
https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from attrs import define, field, frozen

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.storage import Upload
from tiktok_adapters.simulator.switches import Switches

__all__ = ["DAY", "FINAL", "Post", "Script", "State", "Task"]

DAY: Final = timedelta(days=1)
FINAL: Final = frozenset({"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"})

Kind = Literal["video", "photo"]
Mode = Literal["DIRECT_POST", "MEDIA_UPLOAD"]


@define
class Script:
    """The ways in which a post departs from the ordinary course.

    Attributes:
        fail_reason: the post fails with this reason; None if it does not fail.
        late: the post fails only after it was complete.
        never_ends: the post stays in progress.
        backwards: after its final status, the post is in progress again for a while.
        word: an unknown status word that replaces the one for a post in progress.
    """

    fail_reason: str | None = None
    late: bool = False
    never_ends: bool = False
    backwards: bool = False
    word: str | None = None

    def follow(self, fault: str, detail: str) -> None:
        """Apply a fault of the vocabulary in `faults.POST_FAULTS`."""
        if fault in {"fail", "late-fail"}:
            self.fail_reason, self.late = detail, fault == "late-fail"
        elif fault == "word":
            self.word = detail
        else:
            self.never_ends |= fault == "never-ends"
            self.backwards |= fault == "backwards"


@frozen
class State:
    """The state of a post at one time."""

    status: str
    fail_reason: str = ""
    post_ids: tuple[int, ...] = ()
    downloaded_bytes: int = 0


@frozen
class Post:
    """One post as a test sees it at one time.

    Attributes:
        publish_id: the id that the init returned.
        account: the creator's `open_id` for this app.
        username: the creator's handle.
        client_key: the app's client key.
        kind: `video` or `photo`.
        mode: `DIRECT_POST` or `MEDIA_UPLOAD` (a draft).
        source: `FILE_UPLOAD` or `PULL_FROM_URL`.
        title: the caption; empty if the client sent none.
        privacy_level: the level that the client sent; empty for a draft.
        status, fail_reason, post_ids: the values that status/fetch would return now.
        size: the declared bytes; 0 for a pull.
        bytes_received: the bytes stored so far.
        sha256: the digest of the whole file in hexadecimal; empty until every byte has arrived.
        urls: the URLs of a pull.
        is_aigc: whether the post is labelled as made by AI.
        created_at: the time of the answer to the init (UTC).
        post_info, source_info: the objects that the client sent.
    """

    publish_id: str
    account: str
    username: str
    client_key: str
    kind: Kind
    mode: Mode
    source: str
    title: str
    privacy_level: str
    status: str
    fail_reason: str
    post_ids: tuple[int, ...]
    size: int
    bytes_received: int
    sha256: str
    urls: tuple[str, ...]
    is_aigc: bool
    created_at: datetime
    post_info: Mapping[str, Any]
    source_info: Mapping[str, Any]


@define(eq=False, kw_only=True)
class Task:
    """A post in the making. `upload` is None for a pull."""

    publish_id: str
    app: App
    creator: Creator
    account: str
    kind: Kind
    mode: Mode
    post_info: Mapping[str, Any]
    source_info: Mapping[str, Any]
    is_aigc: bool
    created_at: datetime
    post_id: int
    upload: Upload | None = None
    script: Script = field(factory=Script)
    cut: tuple[datetime, str] | None = None
    finishes: list[tuple[datetime, int | None]] = field(factory=list)
    polls: int = 0

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of a pull; none for an upload."""
        if self.upload is not None:
            return ()
        return tuple(self.source_info["photo_images"] if self.kind == "photo" else (self.source_info["video_url"],))

    @property
    def started_at(self) -> datetime | None:
        """The time at which TikTok had all bytes or URLs; None while bytes are missing."""
        return self.created_at if self.upload is None else self.upload.completed_at

    def work_seconds(self, switches: Switches) -> float:
        """Return how long the post is in progress after `started_at`."""
        return switches.processing_seconds + (switches.download_seconds if self.upload is None else 0)

    def state(self, now: datetime, switches: Switches) -> State:
        """Return the state of the post at `now`."""
        if self.cut is not None:
            return State("FAILED", self.cut[1])
        started = self.started_at
        if started is None:
            dead = switches.expired_upload == "fail" and self.upload is not None and now >= self.upload.expires_at
            return State("FAILED", "internal") if dead else State(self._progress_word)
        if self.finishes:
            return State("PUBLISH_COMPLETE", post_ids=self._finished_ids(now, switches))
        return self._by_itself((now - started).total_seconds(), switches)

    @property
    def _progress_word(self) -> str:
        return "PROCESSING_DOWNLOAD" if self.upload is None else "PROCESSING_UPLOAD"

    def _by_itself(self, age: float, switches: Switches) -> State:
        work, script = self.work_seconds(switches), self.script
        downloaded = self._downloaded(age, switches)
        if age < work or script.never_ends or (script.backwards and 2 * work <= age < 3 * work):
            return State(script.word or self._progress_word, downloaded_bytes=downloaded)
        if script.fail_reason is not None and (not script.late or age >= 2 * work):
            return State("FAILED", script.fail_reason, downloaded_bytes=downloaded)
        if self.mode == "MEDIA_UPLOAD":
            return State("SEND_TO_USER_INBOX", downloaded_bytes=downloaded)
        public = self.post_info.get("privacy_level") == "PUBLIC_TO_EVERYONE"
        seen = public and age >= work + switches.moderation_seconds
        return State("PUBLISH_COMPLETE", post_ids=(self.post_id,) if seen else (), downloaded_bytes=downloaded)

    def _downloaded(self, age: float, switches: Switches) -> int:
        if self.upload is not None:
            return 0
        share = min(1.0, age / switches.download_seconds) if switches.download_seconds else 1.0
        return int(switches.pull_bytes * share)

    def _finished_ids(self, now: datetime, switches: Switches) -> tuple[int, ...]:
        moderated = now - timedelta(seconds=switches.moderation_seconds)
        return tuple(post_id for at, post_id in self.finishes if post_id is not None and at <= moderated)

    def public_since(self, now: datetime, switches: Switches) -> list[tuple[datetime, int]]:
        """Return the id of each public video of this post, with the time at which it became public."""
        ids = self.state(now, switches).post_ids
        if self.finishes:
            return [(at, post_id) for at, post_id in self.finishes if post_id is not None and post_id in ids]
        started = self.started_at
        return [(started + timedelta(seconds=self.work_seconds(switches)), post_id) for post_id in ids if started]

    def counts_as_post(self, now: datetime, switches: Switches) -> bool:
        """Return whether the caps of the last 24 hours count this direct post: it is in progress, or done."""
        recent = self.mode == "DIRECT_POST" and now - self.created_at < DAY and self.started_at is not None
        return recent and self.state(now, switches).status != "FAILED"

    def is_expired(self, now: datetime, switches: Switches) -> bool:
        """Return whether the inbox has dropped this draft."""
        life = switches.draft_seconds
        return life is not None and now >= self.created_at + timedelta(seconds=life)

    def is_pending_draft(self, now: datetime, switches: Switches) -> bool:
        """Return whether this draft of the last 24 hours still waits for its creator: it was neither posted nor has it expired."""
        young = now - self.created_at < DAY and not self.is_expired(now, switches)
        waits = self.mode == "MEDIA_UPLOAD" and young and not self.finishes
        return waits and self.state(now, switches).status != "FAILED"

    def shown(self, now: datetime, switches: Switches) -> Post:
        """Return the post as a test sees it at `now`."""
        state = self.state(now, switches)
        upload = self.upload
        return Post(
            publish_id=self.publish_id,
            account=self.account,
            username=self.creator.username,
            client_key=self.app.client_key,
            kind=self.kind,
            mode=self.mode,
            source=self.source_info["source"],
            title=self.post_info.get("title") or "",
            privacy_level=self.post_info.get("privacy_level") or "",
            status=state.status,
            fail_reason=state.fail_reason,
            post_ids=state.post_ids,
            size=upload.size if upload else 0,
            bytes_received=upload.offset if upload else 0,
            sha256=upload.sha256 if upload else "",
            urls=self.urls,
            is_aigc=self.is_aigc,
            created_at=self.created_at,
            post_info=self.post_info,
            source_info=self.source_info,
        )
