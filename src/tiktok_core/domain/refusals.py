"""The meaning of each of TikTok's refusals: what it is about, whether and when a retry helps, and what to change.

Sources: developers.tiktok.com/doc/tiktok-api-v2-error-handling, /doc/oauth-error-handling, the reference page of each
endpoint, and reports of developers and users on what the pages leave out. Codes of the API, words of OAuth and reasons of
failed posts share one table, because no word has two meanings.
"""

from typing import Final

from tiktok_core.errors import Explanation

__all__ = ["REFUSALS", "explain"]

PORTAL: Final = "TikTok's developer portal"
INVALID_PARAMS: Final = Explanation(
    "post",
    "A parameter is invalid; TikTok's message may say which one.",
    advice="Correct the parameter; if the message names the chunk size or count, let the library plan the chunks.",
)
KEY_ADVICE: Final = (
    f"Copy the client key again from {PORTAL}. Until TikTok has approved the app, its production key does not work: use the key "
    "and secret of its sandbox. Login Kit must be among the products."
)
CLIENT_KEY: Final = Explanation(
    "app",
    "TikTok's sign-in page does not take the client key: it is mistyped, or TikTok has not approved the app yet, or Login Kit is "
    "not among the app's products.",
    advice=KEY_ADVICE,
)
CODE_CHALLENGE: Final = Explanation(
    "app",
    "The sign-in sent no code challenge, or one that TikTok does not take.",
    advice="Send the hexadecimal SHA-256 of the verifier, as for desktop apps; do not switch the challenge off.",
)
CHALLENGE_METHOD: Final = Explanation(
    "app",
    "TikTok takes no code challenge by this method: it takes S256, and at times none from an app with the Web platform alone.",
    advice=f"Add the Desktop platform under Login Kit in {PORTAL}, or send no challenge from a web app.",
)

REFUSALS: Final[dict[str, Explanation]] = {
    # --- tokens and scopes ---
    "access_token_invalid": Explanation(
        "sign-in",
        "The access token is wrong, expired or revoked, and renewing it did not help.",
        advice="Sign in again.",
    ),
    "scope_not_authorized": Explanation(
        "sign-in",
        "The person did not grant the scope that this call needs.",
        advice="Sign in again and leave the scope ticked on TikTok's page; the scope must also be added to the app.",
    ),
    "scope_permission_missed": Explanation(
        "app",
        "The app has no permission for a field that the call asks for.",
        advice=f"Add the scope under Scopes in {PORTAL}, or ask for fewer fields.",
    ),
    # --- parameters ---
    "invalid_params": INVALID_PARAMS,
    "invalid_param": INVALID_PARAMS,
    "invalid_file_upload": Explanation(
        "file", "The file does not meet TikTok's rules.", advice="Convert it to MP4 with H.264 and try again."
    ),
    "invalid_publish_id": Explanation(
        "post",
        "TikTok knows no post with this publish id.",
        advice="Check the id; upper and lower case matter. TikTok may not know an id yet in its first minute: ask again then.",
    ),
    "token_not_authorized_for_specified_publish_id": Explanation(
        "account",
        "The post belongs to another account or another app.",
        advice="Use the account that began the post.",
        fault="developer",
    ),
    "publish_not_cancellable": Explanation(
        "post",
        "TikTok cancels only a pull that is under way: the post has ended, or it is the upload of a file.",
        advice="To give an upload up, send no more of it: `abandon`, or 'tiktok abandon KEY'.",
    ),
    "privacy_level_option_mismatch": Explanation(
        "account",
        "The privacy level is missing or not among those that this creator may choose now.",
        advice="Ask for the creator info again and choose one of the privacy levels that it lists.",
        fault="developer",
    ),
    "privacy_level_not_authorized": Explanation(
        "account",
        "The creator may not use this privacy level.",
        advice="Ask for the creator info again and choose one of the privacy levels that it lists.",
        fault="developer",
    ),
    # --- the app ---
    "unaudited_client_can_only_post_to_private_accounts": Explanation(
        "app",
        "Until TikTok has audited the app for content posting, the app can post to private accounts only; "
        "the account must be private, not just the post.",
        advice="Set the TikTok account to private and post with SELF_ONLY, or apply for the Content Posting audit, "
        f"which is separate from the app review, in {PORTAL}.",
    ),
    "url_ownership_unverified": Explanation(
        "app",
        "TikTok pulls only from domains or URL prefixes that the app has verified.",
        advice=f"Verify the domain or prefix under URL properties in {PORTAL}. Or upload the file: of a video, "
        "`upload=True` (--upload) sends the bytes that lie at its URL.",
    ),
    "reached_active_user_cap": Explanation(
        "quota",
        "The app has reached the number of people who may post through it in a day (five until it is audited).",
        retry_helps=True,
        retry_when="after 24 hours",
        advice="The cap counts for the app, not for this account; the audit raises it.",
        fault="app",
    ),
    "app_version_check_failed": Explanation(
        "account",
        "The person's TikTok app is too old for photo drafts.",
        retry_helps=True,
        retry_when="once the app is version 31.8 or newer",
    ),
    # --- the creator ---
    "spam_risk_too_many_posts": Explanation(
        "quota",
        "The creator has reached today's limit of posts through the API (about 15 for all apps together).",
        retry_helps=True,
        retry_when="after 24 hours",
        advice="Posting by hand in the TikTok app still works.",
        fault="user",
    ),
    "spam_risk_user_banned_from_posting": Explanation(
        "account", "TikTok has banned this creator from posting.", advice="Only the creator can resolve it with TikTok."
    ),
    "spam_risk_too_many_pending_share": Explanation(
        "quota",
        "Five drafts from the last 24 hours wait in the creator's inbox, and TikTok allows no more.",
        retry_helps=True,
        retry_when="once the creator has posted one of them, or after 24 hours",
        fault="user",
    ),
    "spam_risk_text": Explanation(
        "post", "TikTok judged the text risky.", advice="Change the title or the description.", fault="user"
    ),
    "spam_risk": Explanation(
        "post", "TikTok judged the whole post risky.", advice="Change the post before trying again.", fault="user"
    ),
    # --- pace and TikTok's own trouble ---
    "rate_limit_exceeded": Explanation(
        "quota", "There were too many calls within a minute.", retry_helps=True, retry_when="after a minute"
    ),
    "internal_error": Explanation("tiktok", "Something failed at TikTok.", retry_helps=True, retry_when="in a moment"),
    # --- why a post failed after TikTok had accepted it ---
    "file_format_check_failed": Explanation(
        "file",
        "TikTok does not accept the container, codec or picture format.",
        advice="Convert a video to MP4, MOV or WebM with H.264, H.265, VP8 or VP9, and a photo to JPEG or WebP.",
    ),
    "duration_check_failed": Explanation(
        "file",
        "The video is too long or too short for this creator.",
        advice="Cut it to the longest duration that the creator info states.",
    ),
    "frame_rate_check_failed": Explanation(
        "file", "The frame rate is outside 23 to 60 frames a second.", advice="Encode the video again."
    ),
    "picture_size_check_failed": Explanation(
        "file",
        "The width or height is outside TikTok's limits: 360 to 4096 pixels for videos, up to 1080p for photos.",
        advice="Resize the file; a single photo that is too large fails the whole post.",
    ),
    "internal": Explanation(
        "tiktok", "A part of TikTok was not available.", retry_helps=True, retry_when="in a while, as a new post"
    ),
    "video_pull_failed": Explanation(
        "post",
        "TikTok could not pull the video within an hour.",
        retry_helps=True,
        retry_when="as a new post, once the URL serves the file without a redirect and fast enough",
    ),
    "photo_pull_failed": Explanation(
        "post",
        "TikTok could not pull the photos within an hour.",
        retry_helps=True,
        retry_when="as a new post, once the URLs serve the files without a redirect",
    ),
    "publish_cancelled": Explanation("post", "A call of the API cancelled the post."),
    "auth_removed": Explanation(
        "sign-in", "The person disconnected the app before the post was finished.", advice="Sign in again."
    ),
    # --- OAuth ---
    "access_denied": Explanation(
        "sign-in",
        "The person, or TikTok, refused the authorization.",
        retry_helps=True,
        retry_when="when the person agrees",
        advice="If TikTok said non_sandbox_target, add the account under Target users of the sandbox.",
    ),
    "non_sandbox_target": Explanation(
        "sign-in",
        "The client key belongs to a sandbox, and the account that signed in is not one of its target users.",
        advice=f"Add the account under Target users of the sandbox in {PORTAL}, or use the production app's own key.",
        fault="app",
    ),
    "invalid_client": Explanation(
        "app",
        "The client key or secret is wrong.",
        advice=f"Copy both again from {PORTAL}; a sandbox has its own pair.",
    ),
    "invalid_grant": Explanation(
        "sign-in",
        "The code or refresh token is invalid, expired, revoked or used, or belongs to another app or redirect URI.",
        advice="Sign in again.",
    ),
    "invalid_request": Explanation(
        "app",
        "A parameter of the sign-in is missing, malformed or does not match.",
        advice="The redirect URI must equal the registered one exactly, and the code challenge must be "
        "hexadecimal for desktop apps.",
    ),
    "invalid_scope": Explanation(
        "app", "A scope is unknown or beyond what the app may ask for.", advice=f"Compare with Scopes in {PORTAL}."
    ),
    "unauthorized_client": Explanation(
        "app",
        "The app may not use this kind of grant. On the sign-in page: TikTok has not approved the app yet, or Login Kit is not "
        "among its products.",
        advice=KEY_ADVICE,
    ),
    "unsupported_grant_type": Explanation("app", "TikTok does not know this kind of grant."),
    "unsupported_response_type": Explanation("app", "TikTok answers sign-ins with a code only."),
    # --- the words of TikTok's sign-in page, which says "correct the following and try again" ---
    "param_error": Explanation(
        "app",
        "A parameter of the sign-in page is missing or wrong.",
        advice="Look up the word that the page names, such as client_key or code_challenge, or the errCode in its address.",
    ),
    "client_key": CLIENT_KEY,
    "redirect_uri": Explanation(
        "app",
        "The redirect URI is not registered for this app or sandbox.",
        advice=f"Register exactly this URI under Login Kit in {PORTAL}: scheme, host, port, path and last slash count, and "
        "localhost is not 127.0.0.1; a sandbox has its own list.",
    ),
    "scope": Explanation(
        "app",
        "The sign-in asks for a scope that was not added to this app or sandbox.",
        advice=f"Add it under Products and Scopes in {PORTAL}, where a sandbox has its own list, or ask for fewer scopes.",
    ),
    "code_challenge": CODE_CHALLENGE,
    "code_challenge_method": CHALLENGE_METHOD,
    "10003": Explanation(
        "app",
        "The sign-in page got no client_key; other services call it client_id.",
        advice="Name the parameter client_key, as this library does.",
    ),
    "10007": CODE_CHALLENGE,
    "10008": CHALLENGE_METHOD,
    "server_error": Explanation("tiktok", "Something failed at TikTok.", retry_helps=True, retry_when="in a moment"),
    "temporarily_unavailable": Explanation(
        "tiktok", "TikTok is overloaded or under maintenance.", retry_helps=True, retry_when="in a few minutes"
    ),
}


def explain(code: str) -> Explanation | None:
    """Return the meaning of a code, OAuth word or fail reason; None for a word that no source explains."""
    return REFUSALS.get(code)
