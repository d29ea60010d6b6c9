"""What to change, and where, when something stands in the way: words for `doctor`.

What belongs here: places in TikTok's developer portal, in the TikTok app and on this machine, and who is sent to which.
"""

from typing import Final

from tiktok_core import (
    ApiError,
    InvalidSettings,
    SignInFailed,
    SignInRequired,
    StoreError,
    TikTokError,
    TransportError,
)

__all__ = ["APP", "AUDIT", "PHONE", "PRODUCTS", "REDIRECTS", "Advice", "advice_on", "advice_on_setting"]

Advice = tuple[str, str]
"""What to change, and where; either may be empty."""

PORTAL: Final = "TikTok's developer portal, Manage apps"
CREDENTIALS: Final = f'{PORTAL}, your app, "App details": "Client key" and "Client secret"'
REDIRECTS: Final = f'{PORTAL}, your app, Login Kit: "Redirect URI"'
PRODUCTS: Final = f'{PORTAL}, your app, "Products" and "Scopes"'
PROPERTIES: Final = f'{PORTAL}, your app, "URL properties"'
TARGETS: Final = f'{PORTAL}, your app, its sandbox, "Target users"'
AUDIT: Final = "developers.tiktok.com/application/content-posting-api"
APP: Final = "the TikTok app of the creator"
PHONE: Final = 'the TikTok app, "Settings and privacy", "Privacy": "Private account"'
LOGIN: Final = "tiktok login"

SETTINGS: Final[dict[str, Advice]] = {
    "client_key": ("Copy it from the app's page; a sandbox has its own.", CREDENTIALS),
    "client_secret": ("Copy it from the app's page; a sandbox has its own.", CREDENTIALS),
    "redirect_uri": ("Register a redirect URI of this kind, and set the same one here, letter by letter.", REDIRECTS),
    "kind": ("Say under which platform of Login Kit the redirect URI stands.", REDIRECTS),
    "verified_urls": ("List the domains and prefixes that the app has verified.", PROPERTIES),
    "api_url": ("Leave it out for TikTok itself; another one has to be https.", "TIKTOK_API_URL, or config.toml"),
    "auth_url": ("Leave it out for TikTok itself; another one has to be https.", "TIKTOK_AUTH_URL, or config.toml"),
    "store": ("Choose one of the stores, and install what it needs.", "TIKTOK_STORE, or config.toml"),
    "store_key": ("Give the key of the encrypted store.", "TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE"),
    "store_key_file": ("Give a file with the key that only you can read.", "TIKTOK_STORE_KEY_FILE, or config.toml"),
    "account": ("Choose one of 'tiktok accounts'.", "--account, or TIKTOK_ACCOUNT"),
}
"""For each setting that is wrong; the sentence before it says how."""
PLACES: Final[dict[str, str]] = {
    "invalid_client": CREDENTIALS,
    "unauthorized_client": PRODUCTS,
    "invalid_scope": PRODUCTS,
    "scope_not_authorized": PRODUCTS,
    "scope_permission_missed": PRODUCTS,
    "non_sandbox_target": TARGETS,
    "access_token_invalid": LOGIN,
    "invalid_grant": LOGIN,
    "unaudited_client_can_only_post_to_private_accounts": AUDIT,
    "reached_active_user_cap": AUDIT,
    "url_ownership_unverified": PROPERTIES,
    "spam_risk_too_many_posts": APP,
    "spam_risk_user_banned_from_posting": APP,
    "spam_risk_too_many_pending_share": APP,
}
"""Where a refusal of TikTok's is mended."""
STORES: Final[dict[str, str]] = {
    "locked": "Unlock it, or end the program that is busy with it, and look again.",
    "full": "Make room on the disk.",
    "damaged": "Put a copy in its place, or forget what cannot be read, and sign in again: tiktok login",
    "version": "Use the release that wrote it, or a newer one: pip install --upgrade tiktok-open",
    "key": "Give the key with which the tokens were encrypted: TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE.",
    "foreign": "Give the folder to whoever runs this, or choose another one: --home, or TIKTOK_HOME.",
    "missing": "Install what the sentence names, or choose another store: TIKTOK_STORE.",
}
NETWORK: Final = "See that this machine reaches TikTok (firewall, proxy, certificates)."


def advice_on_setting(name: str) -> Advice:
    """Return what to do about a setting that is wrong."""
    return SETTINGS.get(name, ("Set it as the sentence says.", "the environment, or config.toml"))


def advice_on(error: TikTokError) -> Advice:
    """Return what to do about an error of a call."""
    match error:
        case SignInRequired():
            return f"Sign in: {LOGIN}", ""
        case StoreError():
            return STORES.get(error.kind, "Look after the store that the sentence names."), error.store
        case InvalidSettings(problems):
            return advice_on_setting(problems[0].field)
        case TransportError():
            return NETWORK, ""
        case ApiError() | SignInFailed():
            why = error.explanation
            again = f"Try again {why.retry_when}." if why and why.retry_helps else ""
            advice = why.advice if why else "Show TikTok's support the log_id."
            return " ".join(part for part in (again, advice) if part), PLACES.get(error.code, "")
        case _:
            return "Try again; if it stays so, show TikTok's support the log_id.", ""
