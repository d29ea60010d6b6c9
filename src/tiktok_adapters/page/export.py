"""The export page as HTML: the form with its preview, its controls, its declaration and its buttons.

What belongs here: the order of the page, which is that of TikTok's guidelines. The page works without its script; it has no
style or script of its own in it, so that a strict Content-Security-Policy lets it pass.

Source: developers.tiktok.com/doc/content-sharing-guidelines.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from attrs import frozen

from tiktok_adapters.page.controls import Drawing
from tiktok_adapters.page.markup import element, filled, identity, plain, references
from tiktok_adapters.page.state import State, state_of
from tiktok_adapters.page.submission import BUTTON, FIELDS, PhotoSettings, Submission
from tiktok_adapters.page.texts import ENGLISH, Texts
from tiktok_core.domain.export import (
    INTERACTIONS,
    NOT_PRIVATE,
    PARTNERSHIP,
    PROMOTIONAL,
    UNDISCLOSED,
    Control,
    ExportForm,
)
from tiktok_core.domain.posts import PHOTO_DESCRIPTION
from tiktok_core.errors import Problem

__all__ = ["Shown", "export_page"]

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@frozen(kw_only=True)
class Shown:
    """What the app shows of the media before they are posted.

    Attributes:
        video: the URL at which the app serves the video; empty for photos.
        pictures: the URLs at which the app serves the photos, in their order.
        name: the name of the file.
        lines: what is known of the media, a line each, such as its size, its duration and its codec.
    """

    video: str = ""
    pictures: tuple[str, ...] = ()
    name: str = ""
    lines: tuple[str, ...] = ()


def export_page(
    form: ExportForm,
    *,
    action: str,
    shown: Shown,
    hidden: Mapping[str, str] = NOTHING,
    refused: Sequence[Problem] = (),
    draft: bool = True,
    texts: Texts = ENGLISH,
    sent: Submission | None = None,
) -> str:
    """Return the export page as a part of a document: its headline and its form, which is sent by POST.

    A first view says nothing is wrong. After the person pressed Post, or with `refused`, each problem stands at its control and
    in a list at the top; before that, only the problems of what the person chose.

    Args:
        form: the form on creator info that you asked for just now.
        action: the URL that the form is sent to.
        shown: what to preview.
        hidden: further hidden fields, such as the app's token against forged requests.
        refused: problems that are known only elsewhere, such as `Submission.problems` or those of an `InvalidPost`.
        draft: whether to offer the inbox, too.
        texts: the language.
        sent: what the person sent last. It keeps the settings of photos beside the form, and its problems are shown.

    Raises:
        ValueError: a name in `hidden` is the name of a field of the page.
    """
    if clash := sorted(hidden.keys() & FIELDS):
        raise ValueError(f"hidden fields must not have the names of the page's own fields: {', '.join(clash)}")
    known = (*refused, *(sent.problems if sent else ()))
    is_tried = bool(form.agreed_to or refused or (sent and sent.action == "post"))
    state = state_of(form, sent.photos if sent else PhotoSettings(), known, texts, is_tried=is_tried)
    draw = Drawing(state, texts)
    kept = [element("input", type="hidden", name=name, value=value) for name, value in hidden.items()]
    whole = element(
        "form",
        *kept,
        _preview(draw, shown),
        _words(draw),
        _photos(draw, shown),
        draw.levels(),
        _interactions(draw),
        _disclosure(draw),
        draw.tick(Control(name="is_aigc", label=texts.ai, is_chosen=state.form.is_aigc)),
        _update(texts),
        _declaration(draw),
        _buttons(draw, draft=draft),
        method="post",
        action=action,
        class_="tiktok-form",
        autocomplete="off",
        data_blocked=state.is_blocked,
    )
    nickname = element("strong", element("bdi", plain(form.creator.creator_nickname)))
    handle = filled(texts.handle, username=element("bdi", plain(form.creator.creator_username)))
    account = element(
        "p",
        filled(texts.account, nickname=nickname),
        " " + element("span", handle, class_="tiktok-hint") if form.creator.creator_username else "",
        class_="tiktok-account",
    )
    return element(
        "section",
        element("h1", plain(texts.headline)),
        _summary(state, texts, whole),
        account,
        whole,
        class_="tiktok-page",
    )


def _summary(state: State, texts: Texts, drawn: str) -> str:
    """Return the list of what is wrong, each with a link to its control if the page has drawn it."""
    # Beside its control a problem says "this text"; here it has the control's name.
    names = {
        "title": texts.photo_title if state.form.is_photo else texts.title,
        "description": texts.description,
        "photo_cover_index": texts.cover,
        "auto_add_music": texts.music,
        **{f"allow_{name}": label for name, label in INTERACTIONS.items()},
    }
    lines = []
    for name, wrong in state.wrong.items():
        before = f"{plain(names[name])}: " if name in names else ""
        target = f"#{identity(name)}" if f'id="{identity(name)}"' in drawn else None
        said = [before + one for one in wrong]
        lines += [element("li", element("a", one, href=target) if target else one) for one in said]
    lines += [element("li", said) for said in state.others]
    if not lines:
        return ""
    return element(
        "div",
        element("h2", plain(texts.problems), id=identity("problems-title")),
        element("ul", *lines),
        id=identity("problems"),
        class_="tiktok-problems",
        role="alert",
        tabindex="-1",
        aria_labelledby=identity("problems-title"),
    )


def _preview(draw: Drawing, shown: Shown) -> str:
    texts, count = draw.texts, str(len(shown.pictures))
    parts = []
    if shown.video:
        parts.append(element("video", src=shown.video, controls=True, preload="metadata", aria_label=texts.video))
    pictures = [
        element("li", element("img", src=url, alt=texts.picture.replace("{number}", str(at)).replace("{count}", count)))
        for at, url in enumerate(shown.pictures, 1)
    ]
    if pictures:
        parts.append(element("ol", *pictures, class_="tiktok-pictures"))
    if not parts:
        parts.append(element("p", plain(texts.no_preview)))
    if shown.name:
        parts.append(element("p", element("strong", element("bdi", plain(shown.name)))))
    if shown.lines:
        parts.append(element("ul", *(element("li", plain(line)) for line in shown.lines), class_="tiktok-hint"))
    return element(
        "section",
        element("h2", plain(texts.preview), id=identity("preview")),
        *parts,
        draw.errors("video"),
        id=identity("video"),
        tabindex="-1",
        class_="tiktok-preview",
        aria_labelledby=identity("preview"),
        aria_describedby=references("error-video" if "video" in draw.state.wrong else ""),
    )


def _words(draw: Drawing) -> str:
    form, texts = draw.state.form, draw.texts
    label = texts.photo_title if form.is_photo else texts.title
    area = draw.text_area("title", label, form.title, draw.state.title_limit)
    if not form.is_photo:
        return area
    return area + draw.text_area("description", texts.description, draw.state.photos.description, PHOTO_DESCRIPTION)


def _photos(draw: Drawing, shown: Shown) -> str:
    """Return the controls that only photos have: which one is the cover, and music."""
    if not draw.state.form.is_photo:
        return ""
    photos, texts, count = draw.state.photos, draw.texts, len(shown.pictures)
    name = "photo_cover_index"
    wrong = draw.errors(name)
    lines = [
        element(
            "option",
            filled(texts.picture, number=str(at + 1), count=str(count)),
            value=str(at),
            selected=at == photos.photo_cover_index,
        )
        for at in range(count)
    ]
    select = element(
        "select",
        *lines,
        id=identity(name),
        name=name,
        aria_describedby=references(f"error-{name}" if wrong else ""),
        aria_invalid=draw.is_wrong(name),
    )
    label = element("label", plain(texts.cover), for_=identity(name))
    cover = element("div", label, select, wrong, class_="tiktok-field") if count > 1 else wrong
    return cover + draw.tick(Control(name="auto_add_music", label=texts.music, is_chosen=photos.auto_add_music))


def _interactions(draw: Drawing) -> str:
    off = element("p", plain(draw.texts.switched_off))
    ticks = [draw.tick(one, hints=off if one.is_disabled else "") for one in draw.state.form.interactions]
    return element("fieldset", element("legend", plain(draw.texts.interactions)), *ticks)


def _disclosure(draw: Drawing) -> str:
    """Return the disclosure and its two boxes, which the page hides while it is off, and the label that TikTok will add."""
    texts = draw.texts
    # The boxes of a disclosure that is off are in the page, so that the script can show them.
    organic, content = draw.state.form.choose(is_disclosed=True).disclosures
    toggle = Control(name="is_disclosed", label=texts.disclosure, is_chosen=draw.state.form.is_disclosed)
    about = element("p", plain(texts.about_disclosure))
    labels = element(
        "div",
        draw.when("promotional", plain(PROMOTIONAL)),
        draw.when("partnership", plain(PARTNERSHIP)),
        role="status",
        class_="tiktok-label",
    )
    boxes = draw.when(
        "disclosed",
        draw.tick(organic, about=element("p", plain(texts.your_brand))),
        draw.tick(
            content,
            about=element("p", plain(texts.branded_content)),
            hints=draw.when("private", plain(NOT_PRIVATE)),
            hint=NOT_PRIVATE,
        ),
        labels,
        name="div",
        class_="tiktok-boxes",
    )
    return element("fieldset", draw.tick(toggle, about=about, role="switch"), boxes, aria_label=texts.disclosure)


def _update(texts: Texts) -> str:
    """Return the button of people without the script. It is the form's first button, so the Enter key never posts."""
    button = element("button", plain(texts.update), type="submit", name=BUTTON, value="update", formnovalidate=True)
    return element(
        "div", element("p", plain(texts.about_update), class_="tiktok-hint"), button, data_without_script=True
    )


def _declaration(draw: Drawing) -> str:
    """Return both declarations, one of them hidden, and the field that carries the text of the one that is shown."""
    form, name = draw.state.form, "agreed_to"
    both = {
        word: form.choose(is_disclosed=True, brand_content_toggle=word == "branded").declaration
        for word in ("plain", "branded")
    }
    parts = []
    for word, one in both.items():
        said = plain(one.text)
        for text, url in one.links:
            link = element("a", plain(text), href=url, target="_blank", rel="noopener noreferrer")
            said = said.replace(plain(text), link, 1)
        parts.append(draw.when(word, said))
    carried = element("input", type="hidden", name=name, value=form.declaration.text)
    return element(
        "div",
        carried,
        element("div", *parts, id=identity("declaration")),
        draw.errors(name),
        id=identity(name),
        tabindex="-1",
        role="group",
        class_="tiktok-declaration",
        aria_describedby=references("error-agreed_to" if name in draw.state.wrong else ""),
    )


def _buttons(draw: Drawing, *, draft: bool) -> str:
    texts, conditions = draw.texts, draw.state.conditions
    when = {"unchosen": texts.missing_level, "undisclosed": UNDISCLOSED, "clash": NOT_PRIVATE}
    hints = [element("p", plain(texts.blocked))] if draw.state.is_blocked else []
    hints += [draw.when(condition, plain(said)) for condition, said in when.items()]
    # Of several reasons the pointer sees the last one, as the script chooses it; all of them can be read.
    reasons = [texts.blocked] * draw.state.is_blocked + [said for word, said in when.items() if conditions[word]]
    because = reasons[-1] if reasons else None
    post = element(
        "button",
        plain(texts.post),
        type="submit",
        name=BUTTON,
        value="post",
        disabled=not draw.state.may_post,
        title=because,
        class_="tiktok-post",
        aria_describedby=references("declaration", "hint-post"),
    )
    # A disabled button gets no pointer events in some browsers, so what is around it has the hint, too.
    around = element("span", post, title=because, data_around=True)
    parts = [element("div", *hints, id=identity("hint-post"), role="status", class_="tiktok-hint"), around]
    if draft:
        parts += [
            element(
                "button",
                plain(texts.draft),
                type="submit",
                name=BUTTON,
                value="draft",
                formnovalidate=True,
                aria_describedby=references("hint-draft"),
            ),
            element("p", plain(texts.about_draft), id=identity("hint-draft"), class_="tiktok-hint"),
        ]
    return element("div", *parts, class_="tiktok-buttons")
