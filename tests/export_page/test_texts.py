"""The page in another language: every text of ours can be replaced, and TikTok's stay as TikTok prescribes them."""

import re
from typing import Final

from attrs import evolve, fields

from markup_tree import Node, tree
from tiktok_adapters.page import (
    ENGLISH,
    POLICY,
    SCRIPT,
    STYLE,
    PhotoSettings,
    Shown,
    Submission,
    Texts,
    cannot_post_page,
    export_page,
    progress_page,
    whole_page,
)
from tiktok_core import CreatorInfo, ExportForm, Publication, VideoFacts

MARK: Final = re.compile(r"\[(\w+)[^\]]*\]")
FOREIGN: Final = evolve(
    ENGLISH,
    **{
        one.name: f"[{one.name} {' '.join(re.findall(r'{[a-z]+}', getattr(ENGLISH, one.name)))}]"
        for one in fields(Texts)
        if one.name not in {"language", "direction"}
    },
    language="ar",
    direction="rtl",
)
PRESCRIBED: Final = (
    *("Comment", "Duet", "Stitch", "Your brand", "Branded content"),
    "Your photo/video will be labeled as 'Promotional content'",
    "Your photo/video will be labeled as 'Paid partnership'",
    "You need to indicate if your content promotes yourself, a third party, or both.",
    "Branded content visibility cannot be set to private.",
    "By posting, you agree to TikTok's Branded Content Policy and Music Usage Confirmation",
    "By posting, you agree to TikTok's Music Usage Confirmation",
    *("Branded Content Policy", "Music Usage Confirmation", "By posting, you agree to TikTok's"),
)
CREATOR: Final = CreatorInfo(
    creator_nickname="1",
    creator_username="2",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"),
    stitch_disabled=True,
    max_video_post_duration_sec=60,
)


def pages() -> list[Node]:
    """Return pages that have every text between them."""
    video, photos = Shown(video="/v"), Shown(pictures=("/1", "/2"))
    plain = ExportForm(CREATOR, is_photo=True)
    forms = [
        (ExportForm(CREATOR), video, ""),
        (ExportForm(CREATOR).choose(privacy_level="GONE", is_disclosed=True), Shown(), ""),
        (ExportForm(CREATOR, title="\0").choose(agreed_to="x", is_disclosed=True, allow_stitch=True), video, ""),
        (plain.choose(title="9" * 91, privacy_level="SELF_ONLY"), photos, "9" * 4_001),
        (plain.choose(privacy_level="SELF_ONLY", is_disclosed=True, brand_content_toggle=True), photos, "\0"),
        (ExportForm(CREATOR, facts=VideoFacts(duration=90.0)), video, ""),
    ]
    parts = [
        export_page(
            form,
            action="/",
            shown=shown,
            texts=FOREIGN,
            sent=Submission(photos=PhotoSettings(description=description)),
        )
        for form, shown, description in forms
    ]
    parts.append(cannot_post_page(nickname="1", reason="2", again="/", texts=FOREIGN))
    words = ("", "PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED", "NOT_POSTED")
    posts = [Publication(publish_id="1", status=word, fail_reason="3") for word in words]
    parts += [progress_page(post, again="/", texts=FOREIGN) for post in (None, *posts)]
    return [tree(part) for part in parts]


def said(page: Node) -> str:
    """Return all that is said: texts, hidden ones, and those of attributes."""
    spoken = [
        one.attributes[name]
        for one in page.below()
        for name in ("title", "alt", "aria-label", "placeholder", "data-hint")
        if name in one.attributes
    ]
    return "\n".join([page.whole, *spoken])


def test_every_text_of_ours_is_a_field_and_every_field_is_shown() -> None:
    """In a language of marks, the pages have each mark, TikTok's texts, the values, and not one word more."""
    shown: set[str] = set()
    for page in pages():
        text = said(page)
        shown |= set(MARK.findall(text))
        rest = MARK.sub("", text)
        for words in sorted(PRESCRIBED, key=len, reverse=True):
            rest = rest.replace(words, "")
        # The one clause of the library, about the video, stands within the mark.
        assert re.findall(r"[A-Za-z]{2,}", rest) == []
    assert shown == {one.name for one in fields(Texts)} - {"language", "direction"}


def test_a_document_names_its_language_and_its_direction() -> None:
    """Screen readers choose the voice by it."""
    text = whole_page("<p>x</p>", title="<b>", style="/s.css", script="/s.js", texts=FOREIGN)
    assert text.startswith("<!doctype html>\n")
    page = tree(text.removeprefix("<!doctype html>\n"))
    html = page.one("html")
    assert (html.attributes["lang"], html.attributes["dir"], page.one("title").whole) == ("ar", "rtl", "<b>")
    assert page.one("link").attributes["href"] == "/s.css"
    assert (page.one("script").attributes["src"], page.one("script").whole) == ("/s.js", "")


def test_a_nickname_is_not_read_as_a_place_for_a_value() -> None:
    """A creator may be called as a figure of the texts is."""
    creator = evolve(CREATOR, creator_nickname="{username} {nickname}", creator_username="{units}")
    page = tree(export_page(ExportForm(creator), action="/", shown=Shown()))
    assert "account of {username} {nickname} @{units}" in page.seen


def test_the_files_have_no_text_of_their_own() -> None:
    """The script has no words to show, and neither file loads anything from anywhere."""
    assert not re.findall(r"https?:|@import|url\(|innerHTML|eval\(", SCRIPT + STYLE)
    assert not re.findall(r"textContent = [\"'`]", SCRIPT)
    assert "unsafe" not in POLICY
