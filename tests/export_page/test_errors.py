"""What is wrong stands at its control, and only when the person has come to it.

What belongs here: the list of problems, the marks of the controls, and problems from elsewhere.
"""

from typing import Any, Final

import pytest

from markup_tree import Node, sent_from, tree
from tiktok_adapters.page import PhotoSettings, Shown, Submission, export_page, read_submission
from tiktok_core import CreatorInfo, ExportForm, InvalidPost, VideoFacts
from tiktok_core.errors import Problem

MAKER: Final = CreatorInfo(
    creator_nickname="Maker One",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "SELF_ONLY"),
    stitch_disabled=True,
    max_video_post_duration_sec=300,
)
MUSIC: Final = "By posting, you agree to TikTok's Music Usage Confirmation"
OTHER: Final = "Read the sentence above the button as it stands now, then press Post again."


def page_of(form: ExportForm, **settings: Any) -> Node:
    """Return the page of a form."""
    return tree(export_page(form, action="/", shown=Shown(pictures=("/1.jpg", "/2.jpg")), **settings))


def marked(page: Node) -> list[str]:
    """Return the names of the controls that are marked as wrong."""
    return [one.attributes["name"] for one in page.below() if one.attributes.get("aria-invalid") == "true"]


def listed(page: Node) -> list[tuple[str, str]]:
    """Return the list at the top: where each line leads, and what it says."""
    return [(one.attributes["href"], one.seen) for box in page.all(id="tiktok-problems") for one in box.all("a")]


@pytest.mark.parametrize("is_photo", [False, True])
def test_a_first_view_marks_nothing(is_photo: bool) -> None:
    """Although it cannot be posted yet."""
    page = page_of(ExportForm(MAKER, is_photo=is_photo))
    assert (marked(page), listed(page)) == ([], [])
    assert [one.seen for one in page.all(class_="tiktok-error") if one.is_seen] == []
    assert page.one("button", value="post").is_disabled


def test_a_choice_that_cannot_be_posted_is_told_before_the_press() -> None:
    """A level that is gone, a long title; but not what the person has not come to."""
    form = ExportForm(MAKER, title="x" * 2_201).choose(privacy_level="FOLLOWER_OF_CREATOR", is_disclosed=True)
    page = page_of(form)
    assert marked(page) == ["title", "privacy_level"]
    assert [place for place, _ in listed(page)] == ["#tiktok-title", "#tiktok-privacy_level"]
    assert page.one(id="tiktok-error-title").seen == "This text has 2201 characters. TikTok takes at most 2200."


def test_after_a_press_each_problem_stands_at_its_control_and_in_the_list() -> None:
    """The list is announced, can be focused, and leads to each control, which is described by its problem."""
    form = ExportForm(MAKER, facts=VideoFacts(duration=400.0), title="a\0b").choose(
        allow_stitch=True, is_disclosed=True, agreed_to="something else"
    )
    page = page_of(form)
    box = page.one(id="tiktok-problems")
    assert (box.attributes["role"], box.attributes["tabindex"]) == ("alert", "-1")
    places = [place.removeprefix("#tiktok-") for place, _ in listed(page)]
    assert places == ["video", "title", "privacy_level", "allow_stitch", "is_disclosed", "agreed_to"]
    assert marked(page) == ["title", "privacy_level", "allow_stitch", "is_disclosed"]
    for name, (_, text) in zip(places, listed(page), strict=True):
        said = text.rpartition(": ")[2] if name in {"title", "allow_stitch"} else text
        assert said in page.one(id=f"tiktok-error-{name}").seen
        assert said in page.one(id=f"tiktok-{name}").described(page)


def test_a_consent_to_something_else_leads_to_the_declaration() -> None:
    """Without the script: the person ticks branded content after the page was shown, and presses Post.

    The page is shown once more, with the other declaration, and can then be posted.
    """
    form = ExportForm(MAKER).choose(privacy_level="PUBLIC_TO_EVERYONE", is_disclosed=True, brand_organic_toggle=True)
    fields = {**sent_from(page_of(form), "post"), "brand_content_toggle": "on"}
    sent = read_submission(fields)
    stale = sent.on(ExportForm(MAKER))
    with pytest.raises(InvalidPost, match="Branded Content Policy"):
        stale.video_post()
    page = page_of(stale, sent=sent)
    assert listed(page) == [("#tiktok-agreed_to", OTHER)]
    assert "Branded Content Policy" in page.one(id="tiktok-declaration").seen
    assert read_submission(sent_from(page, "post")).on(ExportForm(MAKER)).video_post().brand_content_toggle


def test_problems_from_elsewhere_stand_at_their_control_or_in_the_list() -> None:
    """One of the form's own, given once more, is told once, in the words of the page."""
    form = ExportForm(MAKER, is_photo=True).choose(agreed_to=MUSIC)
    elsewhere = (
        Problem("photo_cover_index", "counts from 0"),
        Problem("photo_images", "the second is a PNG"),
        Problem("title", "has a word that we do not take"),
        *form.problems,
    )
    page = page_of(form, refused=elsewhere)
    assert listed(page) == [
        ("#tiktok-title", "Title: Has a word that we do not take"),
        ("#tiktok-photo_cover_index", "Cover picture: Counts from 0"),
        ("#tiktok-privacy_level", "Choose who can view this post."),
    ]
    assert "photo_images: the second is a PNG" in page.one(id="tiktok-problems").seen
    assert marked(page) == ["title", "photo_cover_index", "privacy_level"]
    untouched = page_of(ExportForm(MAKER), refused=ExportForm(MAKER).problems)
    assert [place for place, _ in listed(untouched)] == ["#tiktok-privacy_level", "#tiktok-agreed_to"]


def test_a_problem_without_its_control_stands_in_the_list_all_the_same() -> None:
    """A single photo has no choice of the cover, a page for a video no description: no link leads nowhere."""
    wrong = (Problem("photo_cover_index", "counts from 0"), Problem("description", "is odd"))
    one = tree(
        export_page(ExportForm(MAKER, is_photo=True), action="/", shown=Shown(pictures=("/1.jpg",)), refused=wrong)
    )
    assert "Cover picture: Counts from 0" in one.one(id="tiktok-problems").seen
    absent = (*wrong, Problem("auto_add_music", "must be absent"), Problem("", "The file is gone."))
    said = page_of(ExportForm(MAKER), refused=absent).one(id="tiktok-problems").seen
    for text in ("Description: Is odd", "Let TikTok add music: Must be absent", "The file is gone."):
        assert text in said


def test_a_long_description_stops_the_post() -> None:
    """Its limit is that of photos' descriptions; the page counts it as it counts the title."""
    form = ExportForm(MAKER, is_photo=True).choose(privacy_level="SELF_ONLY")
    fits, long = (
        page_of(form, sent=Submission(photos=PhotoSettings(description="x" * length))) for length in (4_000, 4_001)
    )
    assert (marked(fits), fits.one("button", value="post").is_disabled) == ([], False)
    assert (marked(long), long.one("button", value="post").is_disabled) == (["description"], True)
    assert "TikTok takes at most 4000" in long.one(id="tiktok-error-description").seen
    odd = page_of(form, sent=Submission(photos=PhotoSettings(description="a\0b")))
    assert "cannot store" in odd.one(id="tiktok-error-description").seen


def test_a_page_without_the_inbox_and_without_media() -> None:
    """Both are the app's choice."""
    page = tree(export_page(ExportForm(MAKER), action="/", shown=Shown(), draft=False))
    assert [one.attributes["value"] for one in page.all("button")] == ["update", "post"]
    assert "no preview" in page.one(id="tiktok-video").seen
    assert "Send to inbox as draft" in page_of(ExportForm(MAKER)).seen
