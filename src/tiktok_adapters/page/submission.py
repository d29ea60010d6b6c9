"""What a browser sent from the page, read without an error, whoever wrote it.

What belongs here: the names and spellings of the form's fields, and their limits. `ExportForm` judges the choices.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import evolve, field, frozen

from tiktok_core.domain.export import ExportForm
from tiktok_core.domain.posts import MOST_PHOTOS, PHOTO_DESCRIPTION, VIDEO_TITLE
from tiktok_core.errors import Problem

__all__ = ["BUTTON", "FIELDS", "Action", "PhotoSettings", "Submission", "read_submission"]

Action = Literal["update", "post", "draft"]
ACTIONS: Final[dict[str, Action]] = {"update": "update", "post": "post", "draft": "draft"}
BUTTON: Final = "button"
"""The field that says which button was pressed."""
TOGGLES: Final = (
    *("allow_comment", "allow_duet", "allow_stitch"),
    *("is_disclosed", "brand_organic_toggle", "brand_content_toggle", "is_aigc"),
)
FIELDS: Final = frozenset(
    {
        *TOGGLES,
        *(BUTTON, "title", "privacy_level", "agreed_to", "description", "photo_cover_index", "auto_add_music"),
    }
)
"""The names of the page's fields. An app's own hidden fields have other names."""
ON: Final = "on"
OFF: Final = ("", "off")
INDEX: Final = re.compile(r"[0-9]{1,4}", re.ASCII)
LONGEST_WORD: Final = 200
CUT: Final = 100
"""So many characters more than its limit are kept of a long text, for the person to shorten it. The rest is not shown again."""


@frozen(kw_only=True)
class PhotoSettings:
    """What a person chose for photos beside the form, under the names of `ExportForm.photo_post`.

    Attributes:
        description: the text below the title.
        photo_cover_index: the index of the cover picture, counted from 0.
        auto_add_music: let TikTok add music; off until the person turns it on.
    """

    description: str = ""
    photo_cover_index: int = 0
    auto_add_music: bool = False


@frozen(kw_only=True)
class Submission:
    """What a person sent from the page.

    Attributes:
        action: the button: `update` shows the page again, `post` posts, `draft` sends a draft to the inbox.
        photos: the settings of photos beside the form.
        problems: what in the fields the page itself cannot have sent. Give them to `export_page` as `refused`, and post nothing.
    """

    action: Action = "update"
    photos: PhotoSettings = PhotoSettings()
    problems: tuple[Problem, ...] = ()
    _choices: tuple[tuple[str, str | bool], ...] = field(default=(), repr=False, alias="choices")

    def on(self, form: ExportForm) -> ExportForm:
        """Return the form with the person's choices. Make the form from creator info that you asked for just now.

        The person agrees to the declaration by pressing Post: after another button, `agreed_to` is empty.
        """
        choices: dict[str, Any] = dict(self._choices)
        chosen = form.choose(**choices)
        return evolve(chosen, allow_duet=False, allow_stitch=False) if form.is_photo else chosen


def read_submission(fields: Mapping[str, str]) -> Submission:
    """Read what a browser sent. This raises nothing; what the page cannot have sent is told in `problems`.

    Fields that are not the page's, such as the app's token against forged requests, are ignored.

    Args:
        fields: the fields of the form by name, decoded.
    """
    reader = _Reader(fields)
    action = reader.action()
    choices: dict[str, Any] = {name: reader.toggle(name) for name in TOGGLES}
    if "title" in fields:
        choices["title"] = reader.text("title", VIDEO_TITLE)
    choices["privacy_level"] = reader.word("privacy_level")
    agreed = reader.word("agreed_to")
    choices["agreed_to"] = agreed if action == "post" else ""
    photos = PhotoSettings(
        description=reader.text("description", PHOTO_DESCRIPTION),
        photo_cover_index=reader.index("photo_cover_index"),
        auto_add_music=reader.toggle("auto_add_music"),
    )
    if action == "post" and not agreed:
        reader.tell("agreed_to", "the browser did not send the declaration that the page showed")
    return Submission(action=action, photos=photos, problems=tuple(reader.problems), choices=tuple(choices.items()))


class _Reader:
    """The fields, and what was wrong with those that were read."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        self.problems: list[Problem] = []

    def tell(self, name: str, message: str) -> None:
        self.problems.append(Problem(name, message))

    def action(self) -> Action:
        word = self.word(BUTTON)
        if word and word not in ACTIONS:
            self.tell(BUTTON, "the page has no such button")
        return ACTIONS.get(word, "update")

    def toggle(self, name: str) -> bool:
        word = self.word(name)
        if word not in (ON, *OFF):
            self.tell(name, f"must be {ON!r} or absent")
        return word == ON

    def index(self, name: str) -> int:
        word = self.word(name)
        if not word:
            return 0
        if not INDEX.fullmatch(word) or int(word) >= MOST_PHOTOS:
            self.tell(name, f"must be the number of a picture, from 0 to {MOST_PHOTOS - 1}")
            return 0
        return int(word)

    def word(self, name: str) -> str:
        """Return a field that the page fills in; empty if it cannot be the page's."""
        value = self._string(name)
        if len(value) > LONGEST_WORD or not value.isprintable():
            self.tell(name, "is not a value of this page")
            return ""
        return value

    def text(self, name: str, limit: int) -> str:
        """Return a text that the person wrote. Browsers send a new line as CR LF; TikTok counts it as one character."""
        value = self._string(name)
        if len(value) > 2 * (limit + CUT):
            self.tell(name, f"was cut: it had {len(value):,} characters")
            value = value[: 2 * (limit + CUT)]
        return value.replace("\r\n", "\n").replace("\r", "\n")

    def _string(self, name: str) -> str:
        value = self._fields.get(name, "")
        if isinstance(value, str):
            return value
        self.tell(name, f"must be text, not {type(value).__name__}")
        return ""
