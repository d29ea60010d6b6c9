"""The export page as HTML: each point of TikTok's content sharing guidelines, and each ground on which an audit failed.

What belongs here: a test `test_row_NN_...` for each row of the table in `docs/guides/export-page.md`, and a test
`test_ground_N_...` for each ground below it. The pages are read as people see them: what is hidden does not count.
"""

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from attrs import evolve

from markup_tree import Node, sent_from, tree
from tiktok_adapters.page import Shown, cannot_post_page, export_page, progress_page, read_submission
from tiktok_core import CreatorInfo, ExportForm, InvalidPost, Publication, VideoFacts

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "export-page.md"
MAKER: Final = CreatorInfo(
    creator_nickname="Maker One",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"),
    max_video_post_duration_sec=300,
)
SHOWN: Final = Shown(video="/media/clip.mp4", name="clip.mp4")
NOT_PRIVATE: Final = "Branded content visibility cannot be set to private."
UNDISCLOSED: Final = "You need to indicate if your content promotes yourself, a third party, or both."
PROMOTIONAL: Final = "Your photo/video will be labeled as 'Promotional content'"
PARTNERSHIP: Final = "Your photo/video will be labeled as 'Paid partnership'"
MUSIC: Final = "By posting, you agree to TikTok's Music Usage Confirmation"
BOTH: Final = "By posting, you agree to TikTok's Branded Content Policy and Music Usage Confirmation"
MUSIC_URL: Final = "https://www.tiktok.com/legal/page/global/music-usage-confirmation/en"
BRANDED_URL: Final = "https://www.tiktok.com/legal/page/global/bc-policy/en"
MANY: Final = ("/1.jpg", "/2.jpg", "/3.jpg")


def first(**changes: Any) -> ExportForm:
    """Return the form of a first view."""
    return ExportForm(MAKER, **changes)


def seen(form: ExportForm, shown: Shown = SHOWN, **settings: Any) -> Node:
    """Return the page of a form."""
    return tree(export_page(form, action="/post", shown=shown, **settings))


def control(page: Node, name: str) -> Node:
    """Return a control that a person can see, by its name."""
    (found,) = [one for one in page.one("form").below() if one.attributes.get("name") == name and one.is_seen]
    return found


def ticked(page: Node) -> list[str]:
    """Return the names of the boxes that are ticked."""
    return [one.attributes["name"] for one in page.all("input", type="checkbox") if "checked" in one.attributes]


def post(page: Node) -> Node:
    """Return the button that posts."""
    return page.one("button", value="post")


def level(page: Node, name: str) -> Node:
    """Return a line of the drop-down."""
    return control(page, "privacy_level").one("option", value=name)


# --- The creator -------------------------------------------------------------------------------------------------------


def test_row_1a_the_page_follows_the_creator_info_that_was_asked_for_last() -> None:
    """What a person sent is put on a new form, whose creator has changed everything meanwhile: nothing old is on the page."""
    sent = read_submission(sent_from(seen(first(privacy_level="SELF_ONLY", allow_duet=True)), "post"))
    now = CreatorInfo(
        creator_nickname="New Name",
        privacy_level_options=("FOLLOWER_OF_CREATOR",),
        duet_disabled=True,
        max_video_post_duration_sec=60,
    )
    page = seen(sent.on(ExportForm(now, facts=VideoFacts(duration=100.0))), sent=sent)
    assert "New Name" in page.seen
    assert "Maker One" not in page.seen
    lines = control(page, "privacy_level").all("option")
    assert [(one.attributes["value"], "selected" in one.attributes) for one in lines] == [
        ("", True),
        ("FOLLOWER_OF_CREATOR", False),
    ]
    assert (control(page, "allow_duet").is_disabled, ticked(page)) == (True, [])
    problems = page.one(id="tiktok-problems").seen
    assert "does not offer that choice now" in problems
    assert "at most 60 s" in problems
    assert post(page).is_disabled


def test_row_1b_the_nickname_is_shown() -> None:
    """The page says to whose account it posts."""
    assert "account of Maker One" in seen(first()).seen


def test_row_1c_a_creator_who_cannot_post_now_is_stopped() -> None:
    """There is no form then; the page says to try again later, and why."""
    page = tree(cannot_post_page(reason="The creator reached today's cap.", again="/post"))
    assert page.all("form") == page.all("button") == []
    assert "Try again later." in page.seen
    assert "today's cap" in page.seen
    assert page.one("a").attributes["href"] == "/post"


def test_row_1d_a_video_too_long_for_the_creator_cannot_be_posted() -> None:
    """The page says so beside the preview at the first view, and the button is disabled with every choice made."""
    page = seen(first(facts=VideoFacts(duration=302.0), privacy_level="SELF_ONLY"))
    assert "302.0 s; this creator may post at most 300 s" in page.one(id="tiktok-error-video").seen
    assert post(page).is_disabled
    assert "cannot be posted" in post(page).described(page)
    assert "data-blocked" in page.one("form").attributes
    assert not post(seen(first(facts=VideoFacts(duration=300.0), privacy_level="SELF_ONLY"))).is_disabled


# --- Title, level, interactions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_photo", [False, True])
def test_row_2a_the_title_can_be_edited(is_photo: bool) -> None:
    """What the app filled in stands in a field that the person can change; its length and its limit stand beside it."""
    page = seen(first(title="Evening \U0001f307", is_photo=is_photo))
    title = control(page, "title")
    assert title.tag == "textarea"
    assert not {"readonly", "disabled"} & title.attributes.keys()
    assert title.whole == "\nEvening \U0001f307"
    # TikTok counts UTF-16 units, of which such a picture has two.
    assert f"10 of {90 if is_photo else 2200} characters" in title.described(page)


def test_row_2b_no_level_is_chosen_for_the_person() -> None:
    """The drop-down has the creator's levels below an empty line, which is chosen; the button is disabled until one is."""
    page = seen(first())
    lines = control(page, "privacy_level").all("option")
    assert [one.attributes["value"] for one in lines] == ["", *MAKER.privacy_level_options]
    assert [one.attributes["value"] for one in lines if "selected" in one.attributes] == [""]
    assert [one.seen for one in lines[1:]] == ["Everyone", "Friends", "Only me"]
    assert post(page).is_disabled
    assert "Choose who can view this post." in post(page).described(page)
    assert not post(seen(first(privacy_level="MUTUAL_FOLLOW_FRIENDS"))).is_disabled
    other = seen(ExportForm(evolve(MAKER, privacy_level_options=("NEW_LEVEL",))))
    assert level(other, "NEW_LEVEL").seen == "NEW_LEVEL"


@pytest.mark.parametrize("is_photo", [False, True])
def test_row_2c_interactions_are_off_until_a_person_turns_them_on(is_photo: bool) -> None:
    """A video has three, photos have Comment alone; none is ticked."""
    page = seen(first(is_photo=is_photo))
    names = [one.attributes["name"] for one in page.all("input", type="checkbox") if "allow" in one.attributes["name"]]
    assert names == (["allow_comment"] if is_photo else ["allow_comment", "allow_duet", "allow_stitch"])
    assert ticked(page) == []
    form = read_submission({**sent_from(page, "update"), "allow_comment": "on"}).on(first(is_photo=is_photo))
    assert ticked(seen(form)) == ["allow_comment"]
    chosen = form.choose(privacy_level="SELF_ONLY")
    chosen = chosen.choose(agreed_to=chosen.declaration.text)
    made = chosen.photo_post(("https://media.example.com/1.jpg",)) if is_photo else chosen.video_post()
    assert made.disable_comment is False


def test_row_2d_what_the_creator_switched_off_is_greyed_out() -> None:
    """Such a box is disabled, is not ticked whatever was sent, and says why in words that all can read."""
    creator = evolve(MAKER, comment_disabled=True, stitch_disabled=True)
    page = seen(ExportForm(creator, allow_comment=True))
    boxes = {name: control(page, name) for name in ("allow_comment", "allow_duet", "allow_stitch")}
    assert [box.is_disabled for box in boxes.values()] == [True, False, True]
    assert ticked(page) == []
    assert "Switched off in the TikTok settings" in boxes["allow_stitch"].described(page)
    assert boxes["allow_duet"].described(page) == ""


# --- The disclosure ----------------------------------------------------------------------------------------------------


def test_row_3a_the_disclosure_is_off() -> None:
    """It is a switch, not ticked; its boxes are hidden."""
    page = seen(first())
    switch = control(page, "is_disclosed")
    assert (switch.attributes["role"], "checked" in switch.attributes) == ("switch", False)
    assert not page.one("input", name="brand_organic_toggle").is_seen
    assert not page.one("input", name="brand_content_toggle").is_seen


def test_row_3b_the_disclosure_has_two_boxes() -> None:
    """Once it is on, both can be seen, neither is ticked, and both can be ticked at once."""
    page = seen(first(is_disclosed=True))
    labels = {name: control(page, name).parent for name in ("brand_organic_toggle", "brand_content_toggle")}
    assert [label.seen for label in labels.values() if label] == ["Your brand", "Branded content"]
    assert ticked(page) == ["is_disclosed"]
    both = seen(first(is_disclosed=True, brand_organic_toggle=True, brand_content_toggle=True))
    assert ticked(both) == ["is_disclosed", "brand_organic_toggle", "brand_content_toggle"]


def test_row_3c_your_brand_alone_is_promotional_content() -> None:
    """The sentence is TikTok's; the other one is not seen."""
    page = seen(first(is_disclosed=True, brand_organic_toggle=True))
    assert PROMOTIONAL in page.seen
    assert PARTNERSHIP not in page.seen


@pytest.mark.parametrize("organic", [False, True])
def test_row_3d_branded_content_is_a_paid_partnership(organic: bool) -> None:
    """Alone or with "Your brand"."""
    page = seen(first(is_disclosed=True, brand_content_toggle=True, brand_organic_toggle=organic))
    assert PARTNERSHIP in page.seen
    assert PROMOTIONAL not in page.seen


def test_row_3e_a_disclosure_without_a_box_cannot_be_posted() -> None:
    """The button is disabled. Its hover text says why, and so does a visible text that describes it to screen readers."""
    page = seen(first(is_disclosed=True, privacy_level="PUBLIC_TO_EVERYONE"))
    button = post(page)
    assert button.is_disabled
    assert button.attributes["title"] == UNDISCLOSED
    assert button.parent is not None
    assert button.parent.attributes["title"] == UNDISCLOSED
    assert UNDISCLOSED in button.described(page)
    ready = seen(first(is_disclosed=True, privacy_level="PUBLIC_TO_EVERYONE", brand_organic_toggle=True))
    assert "title" not in post(ready).attributes
    assert not post(ready).is_disabled
    assert UNDISCLOSED not in ready.seen


def test_row_3f_branded_first_then_private() -> None:
    """With the box ticked, "only me" is disabled, with TikTok's text to hover over and to read; the other levels are free."""
    page = seen(first(is_disclosed=True, brand_content_toggle=True))
    assert [one.is_disabled for one in control(page, "privacy_level").all("option")] == [False, False, False, True]
    assert level(page, "SELF_ONLY").attributes["title"] == NOT_PRIVATE
    assert control(page, "privacy_level").attributes["title"] == NOT_PRIVATE
    assert NOT_PRIVATE in control(page, "privacy_level").described(page)


def test_row_3f_private_first_then_branded() -> None:
    """With "only me" chosen, the box is disabled, with the same text to hover over and to read; "Your brand" is free."""
    page = seen(first(is_disclosed=True, privacy_level="SELF_ONLY"))
    box = control(page, "brand_content_toggle")
    assert (box.is_disabled, box.attributes["title"]) == (True, NOT_PRIVATE)
    assert NOT_PRIVATE in box.described(page)
    assert box.parent is not None
    assert box.parent.attributes["title"] == NOT_PRIVATE
    assert not control(page, "brand_organic_toggle").is_disabled


def test_row_3f_both_at_once_are_refused_at_the_box_and_can_be_taken_back_at_either() -> None:
    """Without the script a person may choose both between two round trips."""
    page = seen(first(is_disclosed=True, privacy_level="SELF_ONLY", brand_content_toggle=True))
    box = control(page, "brand_content_toggle")
    assert box.attributes["aria-invalid"] == "true"
    assert NOT_PRIVATE in page.one(id="tiktok-error-brand_content_toggle").seen
    assert not box.is_disabled
    assert not level(page, "SELF_ONLY").is_disabled
    assert post(page).is_disabled
    assert post(page).attributes["title"] == NOT_PRIVATE


# --- The declaration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("organic", [False, True])
def test_row_4a_the_declaration_without_branded_content(organic: bool) -> None:
    """It stands before the button, with its link, and is what the form carries."""
    page = seen(first(is_disclosed=organic, brand_organic_toggle=organic))
    said = page.one(id="tiktok-declaration")
    assert said.seen == MUSIC
    assert [(one.seen, one.attributes["href"]) for one in said.all("a") if one.is_seen] == [
        ("Music Usage Confirmation", MUSIC_URL)
    ]
    assert page.one("input", name="agreed_to").attributes["value"] == MUSIC
    order = list(page.below())
    assert order.index(said) < order.index(post(page))
    assert MUSIC in post(page).described(page)


@pytest.mark.parametrize("organic", [False, True])
def test_row_4b_the_declaration_with_branded_content(organic: bool) -> None:
    """It has two links."""
    page = seen(first(is_disclosed=True, brand_content_toggle=True, brand_organic_toggle=organic))
    said = page.one(id="tiktok-declaration")
    assert said.seen == BOTH
    assert [(one.seen, one.attributes["href"]) for one in said.all("a") if one.is_seen] == [
        ("Branded Content Policy", BRANDED_URL),
        ("Music Usage Confirmation", MUSIC_URL),
    ]
    assert page.one("input", name="agreed_to").attributes["value"] == BOTH


# --- The content and what becomes of it --------------------------------------------------------------------------------


def test_row_5a_the_content_is_shown() -> None:
    """A video can be played, and each photo is shown with its number; what is known of the media stands below."""
    lines = ("12.5 MB", "24 s, H.264")
    page = seen(first(), Shown(video="/media/clip.mp4", name="clip.mp4", lines=lines))
    video = page.one("video")
    assert (video.attributes["src"], "controls" in video.attributes) == ("/media/clip.mp4", True)
    assert all(text in page.one(id="tiktok-video").seen for text in ("clip.mp4", *lines))
    photos = seen(first(is_photo=True), Shown(pictures=MANY))
    assert [(one.attributes["src"], one.attributes["alt"]) for one in photos.all("img")] == [
        (url, f"Picture {number} of 3") for number, url in enumerate(MANY, 1)
    ]


def test_row_5b_nothing_is_sent_before_the_person_posts() -> None:
    """The page loads nothing from another host; Enter presses Update; and only after Post does the form hold a consent."""
    page = seen(first(privacy_level="SELF_ONLY"))
    loaded = [
        one.attributes[name]
        for one in page.below()
        for name in ("src", "srcset", "poster", "data")
        if name in one.attributes
    ]
    assert loaded
    assert not any(urlsplit(url).netloc for url in loaded)
    # A browser presses the first button of a form when a person presses Enter in it.
    assert page.all("button")[0].attributes["value"] == "update"
    for button in ("update", "draft"):
        unconsented = read_submission(sent_from(page, button)).on(first())
        with pytest.raises(InvalidPost, match="agreed_to"):
            unconsented.video_post()
    assert read_submission(sent_from(page, "post")).on(first()).video_post().privacy_level == "SELF_ONLY"


def test_row_5c_processing_may_take_a_few_minutes() -> None:
    """The page after the post says so until the post has ended."""
    assert "may take a few minutes" in tree(progress_page(again="/posts/1")).seen
    done = Publication(publish_id="1", status="PUBLISH_COMPLETE")
    assert "minutes" not in tree(progress_page(done)).seen


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        ("PROCESSING_UPLOAD", "", "TikTok processes the post."),
        ("A_NEW_WORD", "", "TikTok processes the post."),
        ("PUBLISH_COMPLETE", "", "The post is published."),
        ("SEND_TO_USER_INBOX", "", "in the inbox"),
        ("FAILED", "frame_rate_check_failed", "Reason: frame_rate_check_failed"),
        ("NOT_POSTED", "", "Nothing was published."),
    ],
)
def test_row_5d_the_page_shows_how_the_post_goes_on(status: str, reason: str, text: str) -> None:
    """The state is announced when it changes; until the post has ended the page is looked at again."""
    post = Publication(publish_id="1", status=status, fail_reason=reason)
    page = tree(progress_page(post, again="/posts/1"))
    state = page.one(id="tiktok-state")
    assert text in state.seen
    assert state.attributes["role"] == "status"
    assert [one.attributes["href"] for one in page.all("a")] == ([] if post.is_final else ["/posts/1"])
    assert page.one("section").attributes.get("data-again") == (None if post.is_final else "/posts/1")


# --- What auditors have written ----------------------------------------------------------------------------------------


def test_ground_1_the_nickname_is_there_in_every_state() -> None:
    """Also after an error, and for photos."""
    for form in (first(), first(is_photo=True), first(is_disclosed=True, agreed_to=MUSIC)):
        assert "Maker One" in seen(form).seen


def test_ground_2_no_interaction_is_ticked_at_the_start() -> None:
    """Nor is anything else, whatever the creator allows."""
    assert ticked(seen(first())) == ticked(seen(first(is_photo=True), Shown(pictures=MANY))) == []


@pytest.mark.parametrize("disclosed", [False, True])
def test_ground_3_no_label_is_seen_before_a_box_is_ticked(disclosed: bool) -> None:
    """Neither sentence, whether the disclosure is on or off."""
    assert "labeled" not in seen(first(is_disclosed=disclosed)).seen


def test_ground_4_with_both_boxes_the_label_is_paid_partnership() -> None:
    """In either order of ticking."""
    for order in (("brand_organic_toggle", "brand_content_toggle"), ("brand_content_toggle", "brand_organic_toggle")):
        form = first(is_disclosed=True)
        for name in order:
            form = read_submission({**sent_from(seen(form), "update"), name: "on"}).on(first())
        assert [text in seen(form).seen for text in (PARTNERSHIP, PROMOTIONAL)] == [True, False]


def test_ground_5_only_me_is_disabled_after_branded_content_was_ticked_first() -> None:
    """A person ticks the box, sees the page again, and cannot choose "only me"; with the box unticked they can."""
    page = seen(first())
    form = read_submission({**sent_from(page, "update"), "is_disclosed": "on"}).on(first())
    fields = {**sent_from(seen(form), "update"), "brand_content_toggle": "on"}
    page = seen(read_submission(fields).on(first()))
    assert (level(page, "SELF_ONLY").is_disabled, level(page, "SELF_ONLY").attributes["title"]) == (True, NOT_PRIVATE)
    fields = {name: value for name, value in sent_from(page, "update").items() if name != "brand_content_toggle"}
    free = seen(read_submission(fields).on(first()))
    assert not level(free, "SELF_ONLY").is_disabled
    assert NOT_PRIVATE not in free.seen


def test_ground_6_a_preview_is_there_before_the_choices() -> None:
    """It stands first in the form."""
    page = seen(first())
    order = list(page.below())
    assert order.index(page.one("video")) < order.index(control(page, "title"))


def test_ground_7_the_page_goes_through_the_points_in_their_order() -> None:
    """A film of the page from top to bottom shows account, title, level, interactions, disclosure, declaration, button."""
    page = seen(first(is_disclosed=True))
    order = list(page.below())
    names = ("title", "privacy_level", "allow_comment", "is_disclosed", "brand_organic_toggle", "brand_content_toggle")
    places = [
        order.index(page.one(class_="tiktok-account")),
        *(order.index(control(page, name)) for name in names),
        order.index(page.one(id="tiktok-declaration")),
        order.index(post(page)),
    ]
    assert places == sorted(places)


# --- The table ---------------------------------------------------------------------------------------------------------


def test_each_row_of_the_guide_has_its_test() -> None:
    """The guide's table has the twenty rows, and the list below it the seven grounds; each has a test here, and no other has."""
    text = GUIDE.read_text()
    rows = re.findall(r"^\| (\d[a-z]) \|", text, re.MULTILINE)
    grounds = re.findall(r"^(\d)\. ", text, re.MULTILINE)
    assert (len(rows), grounds) == (20, list("1234567"))
    tests = " ".join(name for name in globals() if name.startswith("test_"))
    assert set(re.findall(r"test_row_(\w\w)_", tests)) == set(rows)
    assert set(re.findall(r"test_ground_(\d)_", tests)) == set(grounds)
