"""What the page shows of a form, and what it says is wrong with it.

What belongs here: decisions that need no HTML. `page.js` takes those of `conditions` again after each choice.
"""

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from tiktok_adapters.page.markup import element, filled, plain, sayable
from tiktok_adapters.page.submission import PhotoSettings
from tiktok_adapters.page.texts import Texts
from tiktok_core.domain.creator import PrivacyLevel
from tiktok_core.domain.export import NOT_PRIVATE, UNDISCLOSED, ExportForm
from tiktok_core.domain.posts import PHOTO_DESCRIPTION, PHOTO_TITLE, VIDEO_TITLE
from tiktok_core.domain.text import text_problems, utf16_units
from tiktok_core.errors import Problem

__all__ = ["State", "long_text", "state_of"]


@frozen(kw_only=True)
class State:
    """A form as the page shows it.

    Attributes:
        form: the form, without the choices that its controls cannot show: a level that is not offered, an interaction that is
            switched off, characters that no document can hold. The browser would not send them back.
        photos: the settings of photos beside the form.
        wrong: what is wrong, as HTML, by the control at which it stands, in the order of the page.
        others: what is wrong elsewhere, as HTML.
        is_blocked: whether the video has a problem that no choice on the page removes.
    """

    form: ExportForm
    photos: PhotoSettings
    wrong: dict[str, list[str]]
    others: tuple[str, ...]
    is_blocked: bool

    @property
    def title_limit(self) -> int:
        """The longest title, in UTF-16 units."""
        return PHOTO_TITLE if self.form.is_photo else VIDEO_TITLE

    @property
    def conditions(self) -> dict[str, bool]:
        """The conditions under which parts of the page are shown, by the word in their `data-when`."""
        form = self.form
        branded, is_private = form.brand_content_toggle, form.privacy_level == PrivacyLevel.SELF_ONLY
        return {
            "disclosed": form.is_disclosed,
            "promotional": form.brand_organic_toggle and not branded,
            "partnership": branded,
            "undisclosed": form.is_disclosed and not (form.brand_organic_toggle or branded),
            "branded": branded,
            "plain": not branded,
            "private": is_private,
            "clash": branded and is_private,
            "unchosen": form.privacy_level is None,
            "long-title": utf16_units(form.title) > self.title_limit,
            "long-description": form.is_photo and utf16_units(self.photos.description) > PHOTO_DESCRIPTION,
        }

    @property
    def may_post(self) -> bool:
        """Whether the button that posts is enabled: the person agrees to the declaration by pressing it."""
        agreed = self.form.choose(agreed_to=self.form.declaration.text)
        return not (agreed.publish.is_disabled or self.conditions["long-description"])


CONTROLS = (
    *("video", "title", "description", "photo_cover_index", "auto_add_music", "privacy_level"),
    *("allow_comment", "allow_duet", "allow_stitch"),
    *("is_disclosed", "brand_organic_toggle", "brand_content_toggle", "is_aigc", "agreed_to"),
)
"""Where problems stand, in the order of the page."""


def state_of(
    form: ExportForm, photos: PhotoSettings, refused: Sequence[Problem], texts: Texts, *, is_tried: bool
) -> State:
    """Return what the page shows.

    Args:
        form: the person's choices on fresh creator info.
        photos: the settings of photos beside the form.
        refused: problems that are known only elsewhere.
        texts: the language.
        is_tried: whether the person tried to post. Before that, what they have not come to yet is not wrong.
    """
    problems = (*form.problems, *_of_photos(form, photos))
    own = [one for one in problems if is_tried or _is_chosen(one, form)]
    told = [(one.field, _worded(one, form, photos, texts)) for one in own]
    own_consent = any(one.field == "agreed_to" for one in own)
    # That no consent came is one problem, in the words of the page.
    known = (*problems, *(one for one in refused if one.field == "agreed_to" and own_consent))
    told += [(one.field, plain(_sentence(one))) for one in refused if one not in known]
    shown = {name: [said for field, said in told if field == name] for name in CONTROLS}
    return State(
        form=_as_shown(form),
        photos=evolve(photos, description=sayable(photos.description)),
        wrong={name: list(dict.fromkeys(said)) for name, said in shown.items() if said},
        others=tuple(dict.fromkeys(said for field, said in told if field not in CONTROLS)),
        is_blocked=any(one.field == "video" for one in problems),
    )


def _as_shown(form: ExportForm) -> ExportForm:
    offered = form.privacy_level in form.creator.privacy_level_options
    on = {one.name for one in form.interactions if one.is_chosen}
    return evolve(
        form,
        title=sayable(form.title),
        privacy_level=form.privacy_level if offered else None,
        allow_comment="allow_comment" in on,
        allow_duet="allow_duet" in on,
        allow_stitch="allow_stitch" in on,
        agreed_to="",
    )


def _of_photos(form: ExportForm, photos: PhotoSettings) -> Iterable[Problem]:
    return text_problems("description", photos.description, PHOTO_DESCRIPTION) if form.is_photo else ()


def _is_chosen(problem: Problem, form: ExportForm) -> bool:
    if problem.field == "privacy_level":
        return form.privacy_level is not None
    return problem.field not in {"is_disclosed", "agreed_to"}


def _worded(problem: Problem, form: ExportForm, photos: PhotoSettings, texts: Texts) -> str:
    """Return a problem of the form in the words of the page."""
    match problem.field:
        case "title" | "description":
            return _of_text(problem, form, photos, texts)
        case "video":
            return filled(texts.video_problem, problem=plain(problem.message))
        case "privacy_level":
            return plain(texts.no_level if form.privacy_level is None else texts.level_gone)
        case "is_disclosed":
            return plain(UNDISCLOSED)
        case "brand_content_toggle":
            return plain(NOT_PRIVATE)
        case "agreed_to":
            return plain(texts.other_declaration)
        case _:
            return plain(texts.switched_off)


def _of_text(problem: Problem, form: ExportForm, photos: PhotoSettings, texts: Texts) -> str:
    if "UTF-16" not in problem.message:
        return plain(texts.unreadable)
    if problem.field == "title":
        return long_text(texts, form.title, PHOTO_TITLE if form.is_photo else VIDEO_TITLE)
    return long_text(texts, photos.description, PHOTO_DESCRIPTION)


def long_text(texts: Texts, text: str, limit: int) -> str:
    """Return the sentence that a text is too long, with its length where the script counts it."""
    units = element("span", str(utf16_units(text)), data_units=True)
    return filled(texts.too_long, units=units, limit=str(limit))


def _sentence(problem: Problem) -> str:
    """Return a problem from elsewhere. What is about a control stands there; what is about another field needs its name."""
    if problem.field and problem.field not in CONTROLS:
        return str(problem)
    return problem.message[:1].upper() + problem.message[1:]
