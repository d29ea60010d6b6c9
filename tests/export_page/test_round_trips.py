"""What comes back from the page is what the page showed, for every state and for every sender.

What belongs here: properties of `export_page` and `read_submission` together. The tests of rows are in `test_rows.py`.
"""

from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from example_counts import at_most
from markup_tree import Node, sent_from, tree
from tiktok_adapters.page import (
    PhotoSettings,
    Shown,
    Submission,
    cannot_post_page,
    export_page,
    progress_page,
    read_submission,
    whole_page,
)
from tiktok_core import CreatorInfo, ExportForm, InvalidPost, PrivacyLevel, Publication, VideoFacts
from tiktok_core.errors import Problem

LEVELS: Final = (*(str(level) for level in PrivacyLevel), "NEW_LEVEL")
TOGGLES: Final = (
    *("allow_comment", "allow_duet", "allow_stitch"),
    *("is_disclosed", "brand_organic_toggle", "brand_content_toggle", "is_aigc"),
)
ANYTHING: Final = st.text(max_size=95) | st.sampled_from(
    [
        *("", "\n", "\n\nx", "a\r\nb\rc", "\0", "\ud800", "\U0001f307" * 46, "</textarea><script>alert(1)</script>"),
        *('"><img src=x onerror=alert(1)>', "' onfocus='x", "&amp; &lt;", "{units}", "x" * 2201, "\u202e"),
    ]
)
CREATORS: Final = st.builds(
    CreatorInfo,
    creator_nickname=ANYTHING,
    creator_username=ANYTHING,
    privacy_level_options=st.lists(st.sampled_from(LEVELS), unique=True).map(tuple),
    comment_disabled=st.booleans(),
    duet_disabled=st.booleans(),
    stitch_disabled=st.booleans(),
    max_video_post_duration_sec=st.none() | st.integers(60, 600),
)
CHOICES: Final = st.fixed_dictionaries(
    {},
    optional={
        "title": ANYTHING,
        "privacy_level": st.sampled_from([*LEVELS, ""]),
        "agreed_to": ANYTHING,
        **{name: st.booleans() for name in TOGGLES},
    },
)
PHOTOS: Final = st.builds(
    PhotoSettings, description=ANYTHING, photo_cover_index=st.integers(0, 2), auto_add_music=st.booleans()
)
SHOWN: Final = Shown(video="/clip.mp4", pictures=("/1.jpg", "/2.jpg", "/3.jpg"))
MAKER: Final = CreatorInfo(privacy_level_options=("PUBLIC_TO_EVERYONE", "SELF_ONLY"))
OF_A_DOCUMENT: Final = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


@st.composite
def forms(draw: st.DrawFn) -> ExportForm:
    """Draw a form after any choices in any order."""
    facts = VideoFacts(duration=draw(st.none() | st.floats(1, 700)))
    form = ExportForm(draw(CREATORS), is_photo=draw(st.booleans()), facts=facts)
    for choices in draw(st.lists(CHOICES, max_size=5)):
        form = form.choose(**choices)
    return form


def readable(text: str) -> str:
    """Return a text as a document holds it, with one spelling of new lines."""
    return text.translate(OF_A_DOCUMENT).replace("\r\n", "\n").replace("\r", "\n")


def as_shown(form: ExportForm) -> ExportForm:
    """Return a form without what no control can show: a level that is not offered, and what the creator switched off."""
    off = {
        f"allow_{name}": False for name in ("comment", "duet", "stitch") if getattr(form.creator, f"{name}_disabled")
    }
    if form.is_photo:
        off |= {"allow_duet": False, "allow_stitch": False}
    level = form.privacy_level if form.privacy_level in form.creator.privacy_level_options else None
    return evolve(form, title=readable(form.title), privacy_level=level, agreed_to="", **off)


def page_of(form: ExportForm, photos: PhotoSettings | None = None, **settings: Any) -> Node:
    """Return the page of a form."""
    sent = Submission(photos=photos) if photos else None
    return tree(export_page(form, action="/post", shown=SHOWN, sent=sent, **settings))


@settings(max_examples=at_most(150))
@given(forms(), PHOTOS)
def test_what_the_page_shows_comes_back_as_it_was(form: ExportForm, photos: PhotoSettings) -> None:
    """For every form that choices lead to, the fields of its page give the same form again, on the same creator."""
    page = page_of(form, photos)
    fresh = ExportForm(form.creator, is_photo=form.is_photo, facts=form.facts, title="of the app")
    update = read_submission(sent_from(page, "update"))
    assert (update.action, update.problems) == ("update", ())
    assert update.on(fresh) == as_shown(form)
    if form.is_photo:
        assert update.photos == evolve(photos, description=readable(photos.description))
    draft = read_submission(sent_from(page, "draft"))
    assert (draft.action, draft.on(fresh)) == ("draft", as_shown(form))


@settings(max_examples=at_most(150))
@given(forms(), st.sampled_from(LEVELS))
def test_the_button_is_enabled_exactly_if_its_press_makes_a_post(form: ExportForm, level: str) -> None:
    """Where the button is disabled, the form that is shown has a problem; where it is enabled, its fields can be posted."""
    chosen = evolve(form, privacy_level=level if level in form.creator.privacy_level_options else form.privacy_level)
    page = page_of(chosen)
    agreed = as_shown(chosen)
    agreed = agreed.choose(agreed_to=agreed.declaration.text)
    assert page.one("button", value="post").is_disabled == bool(agreed.problems)
    if agreed.problems:
        return
    sent = read_submission(sent_from(page, "post"))
    assert sent.problems == ()
    posted = sent.on(ExportForm(form.creator, is_photo=form.is_photo, facts=form.facts))
    assert posted == agreed
    if form.is_photo:
        posted.photo_post(("https://media.example.com/1.jpg",))
    else:
        posted.video_post()


@settings(max_examples=at_most(150))
@given(forms(), PHOTOS, ANYTHING, ANYTHING, st.booleans())
def test_no_text_becomes_markup(form: ExportForm, photos: PhotoSettings, name: str, token: str, refused: bool) -> None:
    """Whoever writes a title, a name, a token or a problem: the page has the elements of ours alone, and can be encoded."""
    shown = Shown(video=name, pictures=(name,), name=name, lines=(name,))
    problems = (Problem("title", name), Problem(name, token)) if refused else ()
    text = export_page(
        form,
        action=name,
        shown=shown,
        hidden={"csrf": token},
        refused=problems,
        sent=Submission(photos=photos, problems=problems),
    )
    text.encode()
    page = tree(text)
    kinds = {one.tag for one in page.below()}
    assert not kinds & {"script", "style", "iframe", "object", "link"}
    assert {one.attributes.get("src") for one in page.all("img")} == {name.translate(OF_A_DOCUMENT)}
    assert not any(
        attribute.startswith("on") or attribute == "style" for one in page.below() for attribute in one.attributes
    )
    assert page.one("input", name="csrf").attributes["value"] == token.translate(OF_A_DOCUMENT)
    assert {one.attributes["href"] for one in page.all("a") if not one.attributes["href"].startswith("#")} == {
        "https://www.tiktok.com/legal/page/global/music-usage-confirmation/en",
        "https://www.tiktok.com/legal/page/global/bc-policy/en",
    }


@settings(max_examples=at_most(60))
@given(ANYTHING, ANYTHING, st.sampled_from(["PROCESSING_UPLOAD", "FAILED"]) | ANYTHING)
def test_no_text_becomes_markup_on_the_other_pages(text: str, other: str, status: str) -> None:
    """Nor on the stop, the state of a post, or in the head of a document."""
    post = Publication(publish_id="1", status=status, fail_reason=text)
    parts = (cannot_post_page(nickname=text, reason=other, again=text), progress_page(post, again=other))
    for part in parts:
        part.encode()
        assert {one.tag for one in tree(part).below()} <= {"section", "h1", "h2", "p", "div", "strong", "bdi", "a"}
    whole = whole_page("", title=text, style=other, script=other)
    page = tree(whole.removeprefix("<!doctype html>\n"))
    assert [one.tag for one in page.one("head").below()] == ["meta", "meta", "title", "link", "script"]
    assert page.one("title").whole == text.translate(OF_A_DOCUMENT)


HOSTILE: Final = st.dictionaries(
    st.sampled_from(["title", "privacy_level", "agreed_to", "button", "description", "photo_cover_index", *TOGGLES])
    | st.text(max_size=8),
    ANYTHING
    | st.none()
    | st.integers()
    | st.binary(max_size=4)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.sampled_from(["on", "post", "draft", "9" * 5000, "\u0663", "-1", "1e3"]),
    max_size=12,
)


@settings(max_examples=at_most(200))
@given(HOSTILE, st.booleans())
def test_no_sender_causes_an_error(fields: dict[str, Any], is_photo: bool) -> None:
    """Any names and values are read; the page can be shown with them; and what is posted keeps to the rules."""
    sent = read_submission(fields)
    form = sent.on(ExportForm(MAKER, is_photo=is_photo))
    tree(export_page(form, action="/", shown=SHOWN, refused=sent.problems, sent=sent)).one("form")
    assert isinstance(form.title, str)
    try:
        post = form.photo_post(("https://media.example.com/1.jpg",)) if is_photo else form.video_post()
    except InvalidPost:
        return
    assert sent.action == "post"
    assert post.privacy_level in MAKER.privacy_level_options
    assert fields["agreed_to"] == form.declaration.text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("title", b"x", "must be text, not bytes"),
        ("title", "x" * 100_000, "it had 100,000 characters"),
        ("privacy_level", "SELF\0ONLY", "not a value of this page"),
        ("privacy_level", "x" * 201, "not a value of this page"),
        ("allow_duet", "yes", "must be 'on' or absent"),
        ("allow_duet", ["on"], "must be text, not list"),
        ("photo_cover_index", "35", "from 0 to 34"),
        ("photo_cover_index", "9" * 5_000, "not a value of this page"),
        ("photo_cover_index", "\u0663", "from 0 to 34"),
        ("photo_cover_index", "-1", "from 0 to 34"),
        ("button", "delete", "no such button"),
        ("agreed_to", None, "must be text, not NoneType"),
    ],
)
def test_what_the_page_cannot_have_sent_is_told(name: str, value: Any, told: str) -> None:
    """The problem names the field, and the page shows it; nothing of it counts as a choice."""
    sent = read_submission({"button": "update", name: value})
    (problem,) = sent.problems
    assert problem.field == name
    assert told in problem.message
    form = sent.on(ExportForm(MAKER, is_photo=True))
    assert (form.privacy_level, form.allow_duet, sent.photos.photo_cover_index, sent.action) == (
        None,
        False,
        0,
        "update",
    )
    page = tree(export_page(form, action="/", shown=SHOWN, sent=sent))
    assert told.lower() in page.one(id="tiktok-problems").seen.lower()
    if name in {"title", "photo_cover_index"}:
        assert page.one(id=f"tiktok-{name}").attributes["aria-invalid"] == "true"


def test_a_long_title_is_still_too_long_after_it_was_cut() -> None:
    """A title of 10 MB is not shown again as a whole, and its problem does not vanish."""
    for title in ("x" * 10_000_000, "\r\n" * 5_000_000):
        sent = read_submission({"title": title})
        form = sent.on(ExportForm(MAKER))
        assert len(form.title) < 5_000
        assert [problem.field for problem in form.problems if problem.field == "title"] == ["title"]
        assert "TikTok takes at most 2200" in page_of(form).one(id="tiktok-error-title").seen


def test_a_post_without_the_declaration_is_told_once() -> None:
    """A sender who leaves it out has not agreed; the page says it at the declaration, in its own words."""
    sent = read_submission({"button": "post", "privacy_level": "SELF_ONLY"})
    assert [problem.field for problem in sent.problems] == ["agreed_to"]
    page = page_of(sent.on(ExportForm(MAKER)), refused=sent.problems)
    lines = [one.seen for one in page.one(id="tiktok-problems").all("a")]
    assert lines == ["Read the sentence above the button as it stands now, then press Post again."]


def test_a_hidden_field_cannot_stand_for_a_choice() -> None:
    """An app that gives a token the name of a field of the page hears of it at once."""
    with pytest.raises(ValueError, match="agreed_to, title"):
        export_page(ExportForm(MAKER), action="/", shown=SHOWN, hidden={"title": "x", "agreed_to": "y", "csrf": "z"})


def test_an_absent_title_leaves_that_of_the_app() -> None:
    """A page of the app's own may have no title."""
    assert read_submission({}).on(ExportForm(MAKER, title="preset")).title == "preset"
    assert read_submission({"title": ""}).on(ExportForm(MAKER, title="preset")).title == ""
