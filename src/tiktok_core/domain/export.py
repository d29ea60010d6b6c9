"""The export page as a value: what an app must show a person before a direct post, and what the person must choose.

An app in which people post to their accounts has to follow these rules to pass TikTok's audit. This module holds the rules
and TikTok's own texts. The app decides how the page looks and where it runs.

Source: developers.tiktok.com/doc/content-sharing-guidelines. TikTok requires the capitalised texts word for word.
"""

from collections.abc import Iterator
from typing import Final

from attrs import evolve, field, frozen

from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
from tiktok_core.domain.media import VideoFacts, media_problems
from tiktok_core.domain.posts import (
    PHOTO_TITLE,
    VIDEO_TITLE,
    PhotoPost,
    VideoPost,
    creator_problems,
    photo_problems,
    privacy_problems,
    video_problems,
)
from tiktok_core.domain.text import text_problems
from tiktok_core.errors import InvalidPost, Problem, refuse

__all__ = ["Control", "Declaration", "ExportForm"]

UNDISCLOSED: Final = "You need to indicate if your content promotes yourself, a third party, or both."
NOT_PRIVATE: Final = "Branded content visibility cannot be set to private."
PROMOTIONAL: Final = "Your photo/video will be labeled as 'Promotional content'"
PARTNERSHIP: Final = "Your photo/video will be labeled as 'Paid partnership'"
MUSIC: Final = ("Music Usage Confirmation", "https://www.tiktok.com/legal/page/global/music-usage-confirmation/en")
BRANDED: Final = ("Branded Content Policy", "https://www.tiktok.com/legal/page/global/bc-policy/en")
INTERACTIONS: Final = {"comment": "Comment", "duet": "Duet", "stitch": "Stitch"}


@frozen(kw_only=True)
class Control:
    """A control of the page, in the state in which to show it now.

    Attributes:
        name: the parameter of `ExportForm.choose` that changes it; for a privacy level, the level itself.
        label: the text beside it; empty for a privacy level, which the page words itself.
        is_chosen: whether it is ticked, turned on or selected.
        is_disabled: whether it is greyed out.
        hint: the text to show when the pointer rests on it; empty if there is none.
    """

    name: str
    label: str = ""
    is_chosen: bool
    is_disabled: bool = False
    hint: str = ""


@frozen(kw_only=True)
class Declaration:
    """The sentence to which a person agrees by posting. Show it before the button.

    Attributes:
        text: the whole sentence.
        links: the parts of the sentence that are links, in their order, each with its URL.
    """

    text: str
    links: tuple[tuple[str, str], ...]


@frozen
class ExportForm:
    """The state of an export page between two choices. The app may fill in the title; the person chooses everything else.

    Attributes:
        creator: the answer of `creator_info`. Ask for it each time the page is made, and show its nickname.
        is_photo: whether the page posts photos rather than a video.
        facts: the properties of the video; the form compares its duration with the creator's longest.
        title: the caption, which the person can edit.
        privacy_level: the chosen level; None until the person chooses one.
        allow_comment: comments are on.
        allow_duet: duets are on; photos have none.
        allow_stitch: stitches are on; photos have none.
        is_disclosed: the disclosure is on: the content promotes the creator's own brand or a third party.
        brand_organic_toggle: the box "Your brand" is ticked.
        brand_content_toggle: the box "Branded content" is ticked.
        is_aigc: AI made the content, and TikTok labels it so.
        agreed_to: the text of the declaration that the person agreed to; empty until then.
    """

    creator: CreatorInfo
    is_photo: bool = field(default=False, kw_only=True)
    facts: VideoFacts = field(default=VideoFacts(), kw_only=True)
    title: str = field(default="", kw_only=True)
    privacy_level: str | None = field(default=None, kw_only=True)
    allow_comment: bool = field(default=False, kw_only=True)
    allow_duet: bool = field(default=False, kw_only=True)
    allow_stitch: bool = field(default=False, kw_only=True)
    is_disclosed: bool = field(default=False, kw_only=True)
    brand_organic_toggle: bool = field(default=False, kw_only=True)
    brand_content_toggle: bool = field(default=False, kw_only=True)
    is_aigc: bool = field(default=False, kw_only=True)
    agreed_to: str = field(default="", kw_only=True)

    def choose(
        self,
        *,
        title: str | None = None,
        privacy_level: str | None = None,
        allow_comment: bool | None = None,
        allow_duet: bool | None = None,
        allow_stitch: bool | None = None,
        is_disclosed: bool | None = None,
        brand_organic_toggle: bool | None = None,
        brand_content_toggle: bool | None = None,
        is_aigc: bool | None = None,
        agreed_to: str | None = None,
    ) -> "ExportForm":
        """Return the form after these choices. A choice that is None stays as it was. This refuses nothing; see `problems`.

        Args:
            title: the caption.
            privacy_level: one of the creator's options; an empty string undoes the choice.
            allow_comment: turn comments on or off.
            allow_duet: turn duets on or off.
            allow_stitch: turn stitches on or off.
            is_disclosed: turn the disclosure on or off; turning it off unticks its two boxes.
            brand_organic_toggle: tick or untick the box "Your brand".
            brand_content_toggle: tick or untick the box "Branded content".
            is_aigc: turn the AI label on or off.
            agreed_to: the text of the declaration that the app showed and the person agreed to.
        """
        choices = {name: value for name, value in locals().items() if name != "self" and value is not None}
        if "privacy_level" in choices:
            choices["privacy_level"] = privacy_level or None
        chosen = evolve(self, **choices)
        if chosen.is_disclosed:
            return chosen
        return evolve(chosen, brand_organic_toggle=False, brand_content_toggle=False)

    @property
    def privacy_options(self) -> tuple[Control, ...]:
        """The levels that the creator may choose. None is chosen at first, and branded content greys out "only me".

        A page has its own words for the documented levels. It shows any other level, which TikTok may add, as TikTok spells it.
        """
        return tuple(self._privacy_option(level) for level in self.creator.privacy_level_options)

    @property
    def interactions(self) -> tuple[Control, ...]:
        """Comment, and for videos Duet and Stitch. All are off at first. Those that the creator switched off are greyed out."""
        return tuple(
            Control(
                name=f"allow_{name}",
                label=label,
                is_chosen=getattr(self, f"allow_{name}") and not getattr(self.creator, f"{name}_disabled"),
                is_disabled=getattr(self.creator, f"{name}_disabled"),
            )
            for name, label in INTERACTIONS.items()
            if name == "comment" or not self.is_photo
        )

    @property
    def disclosures(self) -> tuple[Control, ...]:
        """The two boxes below the disclosure; empty while the disclosure is off."""
        if not self.is_disclosed:
            return ()
        clashes = self.privacy_level == PrivacyLevel.SELF_ONLY
        return (
            Control(name="brand_organic_toggle", label="Your brand", is_chosen=self.brand_organic_toggle),
            Control(
                name="brand_content_toggle",
                label="Branded content",
                is_chosen=self.brand_content_toggle,
                is_disabled=clashes and not self.brand_content_toggle,
                hint=NOT_PRIVATE if clashes else "",
            ),
        )

    @property
    def label(self) -> str:
        """The sentence that says how TikTok will label the post; empty if TikTok adds no label and the page shows none."""
        if self.brand_content_toggle:
            return PARTNERSHIP
        return PROMOTIONAL if self.brand_organic_toggle else ""

    @property
    def declaration(self) -> Declaration:
        """The sentence to which the person agrees by posting. It changes with the disclosure."""
        links = (BRANDED, MUSIC) if self.brand_content_toggle else (MUSIC,)
        named = " and ".join(text for text, _ in links)
        return Declaration(text=f"By posting, you agree to TikTok's {named}", links=links)

    @property
    def publish(self) -> Control:
        """The button that posts."""
        hint = UNDISCLOSED if self._lacks_disclosure else ""
        return Control(name="publish", is_chosen=False, is_disabled=bool(self.problems), hint=hint)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem that prevents the post, each with the name of its control."""
        return tuple(self._problems())

    def video_post(self, *, video_cover_timestamp_ms: int | None = None) -> VideoPost:
        """Return the settings of the video post that the person chose.

        Args:
            video_cover_timestamp_ms: the cover frame, in ms from the start.

        Raises:
            InvalidPost: the form has problems, such as a missing consent; the error lists every one.
        """
        post = evolve(self._as_video, video_cover_timestamp_ms=video_cover_timestamp_ms)
        wrong = () if not self.is_photo else (Problem("is_photo", "the page was made for photos"),)
        refuse(
            InvalidPost,
            dict.fromkeys((*wrong, *self.problems, *video_problems(post, self.creator.privacy_level_options))),
        )
        return post

    def photo_post(
        self,
        photo_images: tuple[str, ...],
        *,
        description: str = "",
        photo_cover_index: int = 0,
        auto_add_music: bool = True,
    ) -> PhotoPost:
        """Return the settings of the photo post that the person chose.

        Args:
            photo_images: https URLs under a domain or prefix that the app verified.
            description: the text below the title.
            photo_cover_index: the index of the cover picture, counted from 0.
            auto_add_music: let TikTok add music.

        Raises:
            InvalidPost: the form has problems, such as a missing consent; the error lists every one.
        """
        post = PhotoPost(
            photo_images=tuple(photo_images),
            photo_cover_index=photo_cover_index,
            title=self.title,
            description=description,
            privacy_level=self.privacy_level,
            disable_comment=not self.allow_comment,
            auto_add_music=auto_add_music,
            brand_content_toggle=self.brand_content_toggle,
            brand_organic_toggle=self.brand_organic_toggle,
            is_aigc=self.is_aigc,
        )
        wrong = () if self.is_photo else (Problem("is_photo", "the page was made for a video"),)
        refuse(
            InvalidPost,
            dict.fromkeys((*wrong, *self.problems, *photo_problems(post, self.creator.privacy_level_options))),
        )
        return post

    def _privacy_option(self, level: str) -> Control:
        clashes, is_chosen = level == PrivacyLevel.SELF_ONLY and self.brand_content_toggle, level == self.privacy_level
        # A chosen level is never greyed out, nor is a chosen box in `disclosures`: the person can undo a clash at either one.
        return Control(
            name=level,
            is_chosen=is_chosen,
            is_disabled=clashes and not is_chosen,
            hint=NOT_PRIVATE if clashes else "",
        )

    @property
    def _as_video(self) -> VideoPost:
        return VideoPost(
            title=self.title,
            privacy_level=self.privacy_level,
            disable_comment=not self.allow_comment,
            disable_duet=not self.allow_duet,
            disable_stitch=not self.allow_stitch,
            brand_content_toggle=self.brand_content_toggle,
            brand_organic_toggle=self.brand_organic_toggle,
            is_aigc=self.is_aigc,
        )

    @property
    def _lacks_disclosure(self) -> bool:
        return self.is_disclosed and not (self.brand_organic_toggle or self.brand_content_toggle)

    def _problems(self) -> Iterator[Problem]:
        post = self._as_video
        yield from text_problems("title", self.title, PHOTO_TITLE if self.is_photo else VIDEO_TITLE)
        yield from privacy_problems(post, self.creator.privacy_level_options)
        if self.privacy_level is not None:
            yield from creator_problems(post, self.creator)
        for one in self.interactions:
            if one.is_disabled and getattr(self, one.name):
                yield Problem(one.name, f"this creator's own settings switch off {one.label.lower()}")
        if self._lacks_disclosure:
            yield Problem("is_disclosed", UNDISCLOSED)
        yield from media_problems(self.facts, self.creator)
        if self.agreed_to != self.declaration.text:
            yield Problem("agreed_to", f"the person has not agreed to this: {self.declaration.text}")
