"""The export page: each point of TikTok's content sharing guidelines, for choices in any order."""

from inspect import signature
from typing import Any

import pytest
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.account import AsyncAccount
from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
from tiktok_core.domain.export import ExportForm
from tiktok_core.domain.media import VideoFacts
from tiktok_core.domain.posts import PHOTO_TITLE, VIDEO_TITLE
from tiktok_core.errors import InvalidPost

MUSIC = "By posting, you agree to TikTok's Music Usage Confirmation"
BOTH = "By posting, you agree to TikTok's Branded Content Policy and Music Usage Confirmation"
MUSIC_URL = "https://www.tiktok.com/legal/page/global/music-usage-confirmation/en"
BRANDED_URL = "https://www.tiktok.com/legal/page/global/bc-policy/en"
NOT_PRIVATE = "Branded content visibility cannot be set to private."
UNDISCLOSED = "You need to indicate if your content promotes yourself, a third party, or both."
MAKER = CreatorInfo(
    creator_nickname="Maker One",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"),
    stitch_disabled=True,
    max_video_post_duration_sec=300,
)
PHOTO = "https://media.example.com/1.jpg"
CREATORS = st.builds(
    CreatorInfo,
    privacy_level_options=st.lists(st.sampled_from([*PrivacyLevel, "NEW_LEVEL"]), unique=True).map(tuple),
    comment_disabled=st.booleans(),
    duet_disabled=st.booleans(),
    stitch_disabled=st.booleans(),
    max_video_post_duration_sec=st.none() | st.integers(60, 600),
)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.text(max_size=95),
        "privacy_level": st.sampled_from([*PrivacyLevel, "NEW_LEVEL", ""]),
        "is_aigc": st.booleans(),
        "agreed_to": st.sampled_from([MUSIC, BOTH, ""]),
        **{
            name: st.booleans()
            for name in (
                "allow_comment",
                "allow_duet",
                "allow_stitch",
                "is_disclosed",
                "brand_organic_toggle",
                "brand_content_toggle",
            )
        },
    },
)


def wrong(form: ExportForm) -> list[str]:
    """Return the controls that stop the post."""
    return [problem.field for problem in form.problems]


def ready(form: ExportForm, level: str = "PUBLIC_TO_EVERYONE") -> ExportForm:
    """Return the form with a level and the person's consent."""
    chosen = form.choose(privacy_level=level)
    return chosen.choose(agreed_to=chosen.declaration.text)


@given(CREATORS, st.booleans())
def test_nothing_is_chosen_for_the_person(creator: CreatorInfo, is_photo: bool) -> None:
    """A fresh page has no level, every toggle off, no box, no label, and a disabled button."""
    form = ExportForm(creator, is_photo=is_photo)
    assert not any(one.is_chosen for one in (*form.privacy_options, *form.interactions))
    assert (form.disclosures, form.label) == ((), "")
    assert (form.publish.is_disabled, form.publish.is_chosen) == (True, False)
    assert {"privacy_level", "agreed_to"} <= set(wrong(form))
    assert [one.name for one in form.privacy_options] == list(creator.privacy_level_options)


@given(CREATORS, st.booleans())
def test_what_the_creator_switched_off_is_greyed_out(creator: CreatorInfo, is_photo: bool) -> None:
    """The page disables each interaction exactly if the creator disabled it. Photos have comments alone."""
    shown = {one.label: one.is_disabled for one in ExportForm(creator, is_photo=is_photo).interactions}
    expected = {"Comment": creator.comment_disabled}
    if not is_photo:
        expected |= {"Duet": creator.duet_disabled, "Stitch": creator.stitch_disabled}
    assert shown == expected


def test_allowing_is_the_opposite_of_disabling() -> None:
    """An interaction that is on is not disabled, and one that the person left alone is."""
    post = ready(ExportForm(MAKER)).choose(allow_comment=True, title="Hello", is_aigc=True).video_post()
    assert (post.disable_comment, post.disable_duet, post.disable_stitch) == (False, True, True)
    assert (post.title, post.privacy_level, post.is_aigc, post.draft) == ("Hello", "PUBLIC_TO_EVERYONE", True, False)


def test_what_is_greyed_out_cannot_be_turned_on() -> None:
    """The creator has turned a switch off, and the browser sends it as on.

    The page is shown again, with that switch off.
    """
    form = ready(ExportForm(MAKER).choose(allow_stitch=True))
    assert wrong(form) == ["allow_stitch"]
    assert not form.interactions[2].is_chosen
    assert wrong(form.choose(allow_stitch=False)) == []


def test_a_disclosure_needs_a_box() -> None:
    """If the disclosure is on without a box, the button is disabled and says what to do.

    With the disclosure off, all is well.
    """
    form = ready(ExportForm(MAKER).choose(is_disclosed=True))
    assert wrong(form) == ["is_disclosed"]
    assert (form.publish.is_disabled, form.publish.hint) == (True, UNDISCLOSED)
    assert [(one.label, one.is_chosen) for one in form.disclosures] == [
        ("Your brand", False),
        ("Branded content", False),
    ]
    off = form.choose(is_disclosed=False)
    assert (off.publish.is_disabled, off.publish.hint, off.disclosures) == (False, "", ())


@pytest.mark.parametrize(
    ("organic", "content", "label", "text", "links"),
    [
        (False, False, "", MUSIC, [MUSIC_URL]),
        (True, False, "Your photo/video will be labeled as 'Promotional content'", MUSIC, [MUSIC_URL]),
        (False, True, "Your photo/video will be labeled as 'Paid partnership'", BOTH, [BRANDED_URL, MUSIC_URL]),
        (True, True, "Your photo/video will be labeled as 'Paid partnership'", BOTH, [BRANDED_URL, MUSIC_URL]),
    ],
)
def test_label_and_declaration_follow_the_boxes(
    *, organic: bool, content: bool, label: str, text: str, links: list[str]
) -> None:
    """The texts are TikTok's, letter by letter, for each of the four ways to tick. Every link is a part of its sentence."""
    form = ExportForm(MAKER).choose(is_disclosed=True, brand_organic_toggle=organic, brand_content_toggle=content)
    assert (form.label, form.declaration.text) == (label, text)
    assert [url for _, url in form.declaration.links] == links
    assert all(part in text for part, _ in form.declaration.links)


def test_boxes_do_not_outlive_the_disclosure() -> None:
    """After turning it off and on again, no box is ticked. A box that was ticked while it was off never counted."""
    form = ExportForm(MAKER).choose(is_disclosed=True, brand_content_toggle=True)
    again = form.choose(is_disclosed=False).choose(is_disclosed=True)
    early = ExportForm(MAKER).choose(brand_content_toggle=True).choose(is_disclosed=True)
    assert not any(one.is_chosen for one in (*again.disclosures, *early.disclosures))


def test_only_me_is_greyed_out_beside_branded_content() -> None:
    """After branded content, "only me" is disabled, with the required hint; the other levels are not."""
    form = ExportForm(MAKER).choose(is_disclosed=True, brand_content_toggle=True)
    shown = {one.name: (one.is_disabled, one.hint) for one in form.privacy_options}
    assert shown.pop("SELF_ONLY") == (True, NOT_PRIVATE)
    assert set(shown.values()) == {(False, "")}


def test_branded_content_is_greyed_out_beside_only_me() -> None:
    """In the reverse order, "only me" disables the box of branded content, with the same hint; the other box stays free."""
    form = ExportForm(MAKER).choose(privacy_level="SELF_ONLY", is_disclosed=True)
    assert [(one.is_disabled, one.hint) for one in form.disclosures] == [(False, ""), (True, NOT_PRIVATE)]
    assert wrong(ready(form.choose(brand_organic_toggle=True), "SELF_ONLY")) == []


def test_a_clash_is_refused_and_can_be_undone_from_either_side() -> None:
    """The page refuses a form with both. Both controls are free, so the person can change either."""
    clash = ready(ExportForm(MAKER).choose(is_disclosed=True, brand_content_toggle=True), "SELF_ONLY")
    assert wrong(clash) == ["brand_content_toggle"]
    assert not clash.privacy_options[2].is_disabled
    assert not clash.disclosures[1].is_disabled
    assert wrong(ready(clash)) == []
    assert wrong(clash.choose(is_disclosed=False)) == ["agreed_to"]


def test_a_consent_is_to_what_was_shown() -> None:
    """Agreeing to the music alone is no consent once branded content is ticked. Without consent there is no post."""
    form = ready(ExportForm(MAKER))
    assert form.problems == ()
    changed = form.choose(is_disclosed=True, brand_content_toggle=True)
    assert wrong(changed) == ["agreed_to"]
    with pytest.raises(InvalidPost, match="Branded Content Policy"):
        changed.video_post()
    assert changed.choose(agreed_to=BOTH).video_post().brand_content_toggle


def test_a_choice_of_the_level_can_be_taken_back() -> None:
    """A drop-down that is set back to its empty line counts as not chosen."""
    assert wrong(ready(ExportForm(MAKER)).choose(privacy_level="")) == ["privacy_level"]


@pytest.mark.parametrize("level", ["FOLLOWER_OF_CREATOR", "EVERYBODY"])
def test_only_the_options_of_this_creator_count(level: str) -> None:
    """A browser may send anything: the page refuses a level that its drop-down did not have."""
    assert set(wrong(ready(ExportForm(MAKER), level))) == {"privacy_level"}


@given(CREATORS, st.booleans(), st.sampled_from([*PrivacyLevel, "NEW_LEVEL"]))
def test_the_levels_are_the_creators(creator: CreatorInfo, is_photo: bool, level: str) -> None:
    """The page takes TikTok's list as it is.

    Exactly the levels of the drop-down can be chosen and posted, even a new one.
    """
    form = ready(ExportForm(creator, is_photo=is_photo), level)
    is_offered = level in (creator.privacy_level_options or list(PrivacyLevel))
    assert ("privacy_level" not in wrong(form)) == is_offered
    if is_offered:
        assert (form.photo_post((PHOTO,)) if is_photo else form.video_post()).privacy_level == level


def test_a_video_too_long_for_the_creator_is_refused() -> None:
    """The page says so before anything is sent."""
    assert wrong(ready(ExportForm(MAKER, facts=VideoFacts(duration=302.0)))) == ["video"]
    assert wrong(ready(ExportForm(MAKER, facts=VideoFacts(duration=300.0)))) == []


def test_the_title_has_the_limit_of_its_kind() -> None:
    """The title of a video has the limit of a video post, and that of photos the limit of a photo post."""
    assert wrong(ready(ExportForm(MAKER, title="x" * (VIDEO_TITLE + 1)))) == ["title"]
    assert wrong(ready(ExportForm(MAKER, title="x" * VIDEO_TITLE))) == []
    assert wrong(ready(ExportForm(MAKER, is_photo=True, title="x" * (PHOTO_TITLE + 1)))) == ["title"]
    assert wrong(ready(ExportForm(MAKER, is_photo=True, title="x" * PHOTO_TITLE))) == []


def test_photos_become_a_photo_post() -> None:
    """The post has the person's choices, and the settings for which the page does not ask."""
    form = ready(ExportForm(MAKER, is_photo=True, title="Doors")).choose(allow_comment=True)
    post = form.photo_post((PHOTO, PHOTO), description="two", photo_cover_index=1, auto_add_music=False)
    assert (post.title, post.description, post.photo_cover_index) == ("Doors", "two", 1)
    assert (post.disable_comment, post.auto_add_music, post.draft) == (False, False, False)
    with pytest.raises(InvalidPost) as caught:
        form.photo_post((), description="x" * 4_001)
    assert [problem.field for problem in caught.value.problems] == ["description", "photo_images"]


def test_a_page_posts_what_it_was_made_for() -> None:
    """A page for photos makes no video post, nor the reverse. Each problem comes once."""
    with pytest.raises(InvalidPost, match="is_photo") as caught:
        ExportForm(MAKER, is_photo=True).video_post(video_cover_timestamp_ms=-1)
    assert sorted(problem.field for problem in caught.value.problems) == [
        "agreed_to",
        "is_photo",
        "privacy_level",
        "video_cover_timestamp_ms",
    ]
    with pytest.raises(InvalidPost, match="is_photo"):
        ready(ExportForm(MAKER)).photo_post((PHOTO,))


@given(
    CREATORS,
    st.booleans(),
    st.lists(CHOICES, max_size=6),
    st.sampled_from([*PrivacyLevel, "NEW_LEVEL", ""]),
    st.booleans(),
)
def test_no_order_of_choices_leads_around_the_rules(
    creator: CreatorInfo, is_photo: bool, steps: list[dict[str, Any]], level: str, agrees: bool
) -> None:
    """The button is enabled exactly if a post can be made.

    The post follows the guidelines, which this test spells again.
    """
    form = ExportForm(creator, is_photo=is_photo)
    for step in steps:
        form = form.choose(**step)
    if agrees:
        form = ready(form, level)
    try:
        post = form.photo_post((PHOTO,)) if is_photo else form.video_post()
    except InvalidPost:
        assert form.publish.is_disabled
        assert form.problems
        return
    assert not form.publish.is_disabled
    assert post.privacy_level in (creator.privacy_level_options or list(PrivacyLevel))
    assert not (post.brand_content_toggle and post.privacy_level == "SELF_ONLY")
    assert form.is_disclosed == (post.brand_content_toggle or post.brand_organic_toggle)
    assert form.agreed_to == (BOTH if post.brand_content_toggle else MUSIC)
    for name in ("comment",) if is_photo else ("comment", "duet", "stitch"):
        assert getattr(post, f"disable_{name}") or not getattr(creator, f"{name}_disabled")
        assert getattr(post, f"disable_{name}") is not getattr(form, f"allow_{name}")


@given(CREATORS, st.lists(CHOICES, max_size=6))
def test_choices_are_last_one_wins(creator: CreatorInfo, steps: list[dict[str, Any]]) -> None:
    """A disclosure that is turned off unticks its boxes. Otherwise each control has its latest value."""
    form = ExportForm(creator)
    for step in steps:
        form = form.choose(**step)
    last = {"privacy_level": "", **{name: value for step in steps for name, value in step.items()}}
    shown = evolve(form, privacy_level=form.privacy_level or "")
    boxes = {"brand_organic_toggle", "brand_content_toggle"}
    assert {name: getattr(shown, name) for name in last.keys() - boxes} == {
        name: value for name, value in last.items() if name not in boxes
    }
    assert form.is_disclosed or not (form.brand_content_toggle or form.brand_organic_toggle)


def test_a_post_goes_on_to_the_account_by_name() -> None:
    """The settings have the parameter names of `post_video` and `post_photos`, so a program can pass them unchanged."""
    video, photos = ready(ExportForm(MAKER)).video_post(), ready(ExportForm(MAKER, is_photo=True)).photo_post((PHOTO,))
    assert asdict(video).keys() <= signature(AsyncAccount.post_video).parameters.keys()
    assert asdict(photos).keys() <= signature(AsyncAccount.post_photos).parameters.keys()
