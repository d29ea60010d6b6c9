"""The texts of the page that are ours to word, as one value for each language.

What belongs here: words. TikTok prescribes the others letter by letter, and they are in `tiktok_core.domain.export`: the names
of the controls, the labels, the declarations, and two hints.
"""

from typing import Final

from attrs import field, frozen

__all__ = ["ENGLISH", "Texts"]


@frozen(kw_only=True)
class Texts:
    """The texts of the page. For another language, give every field; a figure or a name stands in braces where it belongs.

    Attributes:
        language: the language as HTML names it, such as `de`.
        direction: `ltr`, or `rtl` for a language that is written from right to left.
        headline: the title of the page.
        account: whose account it is; `{nickname}`.
        handle: the creator's handle; `{username}`.
        preview: the title of the preview.
        video: the name of a video for those who do not see it.
        picture: the name of a picture; `{number}` and `{count}`.
        no_preview: stands where the app has nothing to show.
        title: the label of the caption.
        photo_title: the label of the title of photos.
        count: how long a text is; `{units}` and `{limit}`, as TikTok counts.
        description: the label of the description of photos.
        cover: the label of the choice of the cover picture.
        music: the label of "let TikTok add music".
        privacy: the label of the privacy level.
        unchosen: the empty line of the privacy levels.
        everyone: the level `PUBLIC_TO_EVERYONE`.
        friends: the level `MUTUAL_FOLLOW_FRIENDS`.
        followers: the level `FOLLOWER_OF_CREATOR`.
        only_me: the level `SELF_ONLY`.
        interactions: the title of Comment, Duet and Stitch.
        switched_off: stands at an interaction that the creator switched off.
        disclosure: the label of the disclosure.
        about_disclosure: what the disclosure is for.
        your_brand: what the box "Your brand" is for.
        branded_content: what the box "Branded content" is for.
        ai: the label of "made by AI".
        update: the button that shows the page again after choices; only people without the script see it.
        about_update: what that button is for.
        post: the button that posts.
        draft: the button that sends a draft to the inbox.
        about_draft: what becomes of a draft.
        missing_level: the button posts only after a level was chosen.
        blocked: the button posts only without the problem of the video.
        problems: the title of the list of problems.
        no_level: the problem that no level was chosen.
        level_gone: the problem that the account does not offer the level now.
        too_long: the problem of a long text; `{units}` and `{limit}`.
        unreadable: the problem of a text with characters that TikTok cannot store.
        other_declaration: the problem that another declaration was shown.
        video_problem: a problem of the video; `{problem}`, a clause of the library, which is English.
        cannot_post: the title of the page for a creator who cannot post now.
        later: what the creator can do then.
        again: the link that tries again.
        sent: the title of the page about a post.
        minutes: that processing may take a few minutes.
        state: the title of the state.
        processing: the state of a post that TikTok processes.
        published: the state of a post that is published.
        inbox: the state of a draft in the creator's inbox.
        failed: the state of a post that failed.
        reason: why it failed; `{reason}`.
        not_posted: the state of a post that was given up.
        look: the link that shows the state again.
    """

    language: str
    direction: str = field(default="ltr")
    headline: str
    account: str
    handle: str
    preview: str
    video: str
    picture: str
    no_preview: str
    title: str
    photo_title: str
    count: str
    description: str
    cover: str
    music: str
    privacy: str
    unchosen: str
    everyone: str
    friends: str
    followers: str
    only_me: str
    interactions: str
    switched_off: str
    disclosure: str
    about_disclosure: str
    your_brand: str
    branded_content: str
    ai: str
    update: str
    about_update: str
    post: str
    draft: str
    about_draft: str
    missing_level: str
    blocked: str
    problems: str
    no_level: str
    level_gone: str
    too_long: str
    unreadable: str
    other_declaration: str
    video_problem: str
    cannot_post: str
    later: str
    again: str
    sent: str
    minutes: str
    state: str
    processing: str
    published: str
    inbox: str
    failed: str
    reason: str
    not_posted: str
    look: str


ENGLISH: Final = Texts(
    language="en",
    headline="Post to TikTok",
    account="This will be posted to the account of {nickname}",
    handle="@{username}",
    preview="What you post",
    video="Preview of the video",
    picture="Picture {number} of {count}",
    no_preview="This app has no preview to show.",
    title="Title",
    photo_title="Title",
    count="{units} of {limit} characters",
    description="Description",
    cover="Cover picture",
    music="Let TikTok add music",
    privacy="Who can view this post",
    unchosen="Choose who can view this post",
    everyone="Everyone",
    friends="Friends",
    followers="Followers",
    only_me="Only me",
    interactions="Allow users to",
    switched_off="Switched off in the TikTok settings of this account.",
    disclosure="Disclose post content",
    about_disclosure="Turn this on if the post promotes goods or services in exchange for something of value.",
    your_brand="You promote yourself or your own business.",
    branded_content="You promote another brand or a third party.",
    ai="Made by AI",
    update="Update",
    about_update="After each change above, press Update: the page then shows what the change means.",
    post="Post",
    draft="Send to inbox as draft",
    about_draft="A draft goes to the inbox of the TikTok app. Edit and post it there.",
    missing_level="Choose who can view this post.",
    blocked="This video cannot be posted as it is.",
    problems="Before you can post",
    no_level="Choose who can view this post.",
    level_gone="This account does not offer that choice now. Choose again who can view this post.",
    too_long="This text has {units} characters. TikTok takes at most {limit}.",
    unreadable="This text has a character that TikTok cannot store. Remove it.",
    other_declaration="Read the sentence above the button as it stands now, then press Post again.",
    video_problem="The video cannot be posted: {problem}.",
    cannot_post="You cannot post to TikTok now",
    later="TikTok takes no post from this account at the moment. Try again later.",
    again="Try again",
    sent="Sent to TikTok",
    minutes="Processing may take a few minutes. The post then appears in the TikTok app.",
    state="State of the post",
    processing="TikTok processes the post.",
    published="The post is published.",
    inbox="The draft is in the inbox of the TikTok app. Open its notification to edit and post it.",
    failed="TikTok did not publish the post.",
    reason="Reason: {reason}",
    not_posted="The post was given up. Nothing was published.",
    look="Show the state again",
)
"""The texts in English."""
