"""The words for states, times, sizes and errors, as the page shows them.

What belongs here: sentences. What a state means for a post is decided in the core.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import PurePath
from typing import Final

from tiktok_adapters.studio.guard import Refused
from tiktok_core import (
    InvalidInput,
    InvalidSettings,
    OutcomeUnknown,
    PhotoPost,
    Problem,
    Record,
    SignInRequired,
    Stage,
    StillProcessing,
    TikTokError,
    TransportError,
    UploadError,
)
from tiktok_core.domain.beginning import needs_release
from tiktok_core.domain.media import VideoFacts
from tiktok_core.domain.names import is_url

__all__ = ["answer_to", "left", "media_of", "moment", "problem", "sentence", "size", "state_of", "told"]

FIELDS: Final = {
    "video": "The film",
    "title": "Title",
    "description": "Description",
    "privacy_level": "Who can view it",
    "photo_images": "Pictures",
    "photo_cover_index": "Cover picture",
    "brand_content_toggle": "Branded content",
    "brand_organic_toggle": "Your brand",
    "allow_comment": "Comment",
    "allow_duet": "Duet",
    "allow_stitch": "Stitch",
    "is_disclosed": "Disclose post content",
    "agreed_to": "Declaration",
    "not_before": "Time",
    "not_after": "Time",
    "key": "The post",
}
STATES: Final = {
    Stage.PLANNED: "Not begun",
    Stage.INIT_SENT: "Begun at TikTok",
    Stage.UPLOADING: "Upload interrupted, unless another program goes on with it",
    Stage.PROCESSING: "TikTok processes it, which may take a few minutes",
    Stage.UNKNOWN: "May or may not be posted: look in the TikTok app, then say which",
    Stage.COMPLETE: "Posted",
    Stage.IN_INBOX: "Draft in the inbox of the TikTok app",
    Stage.FAILED: "Failed",
    Stage.ABANDONED: "Nothing was posted",
    Stage.GIVEN_UP: "Given up: nothing was posted",
}
RUNNING: Final = {
    Stage.PLANNED: "Begins",
    Stage.INIT_SENT: "Begins",
    Stage.UPLOADING: "Uploads",
    Stage.PROCESSING: "TikTok processes it, which may take a few minutes",
    Stage.UNKNOWN: "Asks TikTok what became of it",
}


def size(count: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, least in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count} bytes"


def left(seconds: float) -> str:
    """Return a span of time, as what is left of an upload."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s left"
    return f"{whole // 60} min left" if whole < 5_400 else f"{whole // 3_600} h {whole % 3_600 // 60} min left"


def moment(at: datetime) -> str:
    """Return a time by the clock of this machine, with its zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"


def media_of(record: Record) -> str:
    """Return what a post is made of: the name of its file, its URL without the query, or how many pictures it has."""
    wish = record.wish
    if isinstance(wish.post, PhotoPost):
        count = len(wish.post.photo_images)
        return f"{count} picture{'s' * (count != 1)}"
    if wish.video is None or wish.shown is None:
        return "a film without a name"
    return wish.shown if is_url(wish.video) else PurePath(wish.video).name


def state_of(record: Record, now: datetime, *, is_running: bool) -> str:
    """Return how far a post is, in words."""
    if needs_release(record, now):
        return (
            "Held: release it to let it be posted"
            if record.is_held
            else "Late: release it to let it be posted after all"
        )
    if record.stage is Stage.PLANNED and record.schedule is not None and now < record.schedule.not_before:
        who = "" if is_running or record.is_entered else "; press Go on, so that this studio posts it then"
        return f"Waits for {moment(record.schedule.not_before)}{who}"
    if is_running and record.stage in RUNNING:
        return RUNNING[record.stage]
    if record.stage is Stage.PLANNED and record.is_entered:
        return "Waits for a worker"
    reason = "" if record.last is None else record.last.fail_reason
    if record.stage is Stage.ABANDONED and record.refusal is not None:
        reason = record.refusal.what
    return f"{STATES[record.stage]}{f': {reason}' if reason else ''}"


def told(facts: VideoFacts, count: int) -> tuple[str, ...]:
    """Return what is known of a film: its size, length, picture and codec."""
    seconds = facts.duration
    lines = (
        f"Size: {size(count)}",
        "" if seconds is None else f"Length: {'at least ' * facts.may_be_longer}{seconds:.1f} s",
        "" if facts.width is None or facts.height is None else f"Picture: {facts.width} x {facts.height} pixels",
        "" if facts.codec is None else f"Codec: {facts.codec}",
        "" if facts.frame_rate is None else f"Frames: {facts.frame_rate:.4g} a second",
    )
    return tuple(filter(None, lines))


def problem(one: Problem) -> str:
    """Return a problem under the name that its field has on the page."""
    name, bracket, rest = one.field.partition("[")
    number = rest.partition("]")[0]
    which = f" {int(number) + 1}" if bracket and number.isdecimal() else ""
    label = "Picture" if which and name == "photo_images" else FIELDS.get(name, name)
    said = one.message.replace("with `upload=True` (--upload) ", "")
    return f"{label}{which}: {said}"


def sentence(error: TikTokError) -> str:
    """Return an error as one sentence, with what to press next."""
    match error:
        case InvalidSettings():
            return f"{'; '.join(f'{one.field} {one.message}' for one in error.problems)}."
        case InvalidInput():
            return _sentences(map(problem, error.problems))
        case SignInRequired():
            return f"{error} Sign in again."
        case OutcomeUnknown():
            at = error.since.astimezone()
            return (
                f"It was sent at {at:%H:%M}, and it is not known whether it was posted ({error.cause}): look in the TikTok app, then "
                "press It is there, or It is not there."
            )
        case StillProcessing() | TransportError() | UploadError() if error.key:
            return f"{error} Go on continues it."
        case _:
            return str(error)


def _sentences(found: Iterable[str]) -> str:
    return f"{'; '.join(found).rstrip('.')}."


def answer_to(error: Exception) -> tuple[str, int] | None:
    """Return the sentence and the HTTP status of an error of a request; None for one that is no answer."""
    if isinstance(error, Refused):
        return error.sentence, error.status
    if isinstance(error, InvalidInput):
        return sentence(error), 400
    if isinstance(error, TikTokError):
        return sentence(error), 409 if isinstance(error, SignInRequired) else 502
    if isinstance(error, OSError):
        return f"The studio's folder cannot be used: {(error.strerror or type(error).__name__).lower()}.", 500
    return None
