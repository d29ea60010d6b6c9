"""The advice that `doctor` prints: what to change, and where.

What belongs here: the places in TikTok's developer portal, in the TikTok app and on this machine, and the errors that each
of them belongs to.
"""

from typing import Final

from tiktok_adapters.transports.proxies import VARIABLES
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
    "client_key": (
        "Copy it from your app's page; each sandbox has its own, and until TikTok has approved the app only the sandbox's works.",
        CREDENTIALS,
    ),
    "client_secret": ("Copy it from your app's page; each sandbox has its own.", CREDENTIALS),
    "redirect_uri": ("Register a redirect URI of this kind, and set exactly the same one here.", REDIRECTS),
    "kind": ("Name the Login Kit platform under which the redirect URI is registered.", REDIRECTS),
    "verified_urls": ("List the domains and prefixes that you verified for the app.", PROPERTIES),
    "media_hosts": ("List host names, each with or without a port.", "TIKTOK_MEDIA_HOSTS, or config.toml"),
    "api_url": (
        "Leave it out to reach TikTok itself; any other address must be https.",
        "TIKTOK_API_URL, or config.toml",
    ),
    "auth_url": (
        "Leave it out to reach TikTok itself; any other address must be https.",
        "TIKTOK_AUTH_URL, or config.toml",
    ),
    "store": ("Choose one of the stores, and install the packages it needs.", "TIKTOK_STORE, or config.toml"),
    "store_key": ("Give the key of the encrypted store.", "TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE"),
    "store_url": ("Name a PostgreSQL database, or none to use the home folder.", "TIKTOK_STORE_URL, or config.toml"),
    "store_key_file": (
        "Name a file that holds the key and that only you can read.",
        "TIKTOK_STORE_KEY_FILE, or config.toml",
    ),
    "proxy": ("Name an http proxy, or none.", "TIKTOK_PROXY, or config.toml"),
    **{name: ("Name an http proxy, or unset the variable.", name) for name in VARIABLES},
    "ca_file": ("Name a file with the certificates of the authorities, in PEM.", "TIKTOK_CA_FILE, or config.toml"),
    "SSL_CERT_FILE": ("Name a file with the certificates of the authorities, or unset the variable.", "SSL_CERT_FILE"),
    "account": ("Choose one that 'tiktok accounts' lists.", "--account, or TIKTOK_ACCOUNT"),
}
"""What to do about each wrong setting; the sentence before it says what is wrong."""
PLACES: Final[dict[str, str]] = {
    "invalid_client": CREDENTIALS,
    "unauthorized_client": PRODUCTS,
    "invalid_scope": PRODUCTS,
    "scope_not_authorized": PRODUCTS,
    "scope_permission_missed": PRODUCTS,
    "non_sandbox_target": TARGETS,
    "client_key": CREDENTIALS,
    "redirect_uri": REDIRECTS,
    "scope": PRODUCTS,
    "code_challenge": REDIRECTS,
    "code_challenge_method": REDIRECTS,
    "access_token_invalid": LOGIN,
    "invalid_grant": LOGIN,
    "unaudited_client_can_only_post_to_private_accounts": AUDIT,
    "reached_active_user_cap": AUDIT,
    "url_ownership_unverified": PROPERTIES,
    "spam_risk_too_many_posts": APP,
    "spam_risk_user_banned_from_posting": APP,
    "spam_risk_too_many_pending_share": APP,
}
"""Where to fix the cause of each of TikTok's refusals."""
STORES: Final[dict[str, str]] = {
    "locked": "Unlock it, or end the program that uses it, and try again.",
    "full": "Free space on the disk.",
    "damaged": "Restore it from a backup, or delete what cannot be read and sign in again: tiktok login",
    "version": "Use the release that wrote it, or a newer one: pip install --upgrade tiktok-open",
    "key": "Set the key that encrypted the tokens: TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE.",
    "foreign": "Make yourself the folder's owner, or choose another folder: --home, or TIKTOK_HOME.",
    "moved": "Do what the sentence says.",
    "missing": "Install the package that the sentence names, or choose another store: TIKTOK_STORE.",
}
SERVERS: Final[dict[str, str]] = {
    "locked": "Check that the server runs, and that this machine can reach it.",
    "full": "Free space on the server's disk.",
    "foreign": "Name another database or user, or change what the sentence names.",
    "failed": "Correct what the sentence names.",
    "missing": "Create the database, or name another one.",
}
"""What to do about a store in a database, where that differs from a file."""
NETWORK: Final = (
    "Check that this machine can reach TikTok: the firewall, and what the lines 'proxy' and 'certificates' above name."
)


def advice_on_setting(name: str) -> Advice:
    """Return what to do about a wrong setting, and where."""
    return SETTINGS.get(name, ("Correct it as the sentence says.", "the environment, or config.toml"))


def advice_on(error: TikTokError) -> Advice:
    """Return what to do about the error of a call, and where."""
    match error:
        case SignInRequired():
            return f"Sign in: {LOGIN}", ""
        case StoreError() if error.store.startswith("PostgreSQL") and error.kind in SERVERS:
            return SERVERS[error.kind], "TIKTOK_STORE_URL, or config.toml"
        case StoreError():
            return STORES.get(error.kind, "Check the store that the sentence names."), error.store
        case InvalidSettings(problems):
            return advice_on_setting(problems[0].field)
        case TransportError():
            return NETWORK, ""
        case ApiError() | SignInFailed():
            why = error.explanation
            again = f"Try again {why.retry_when}." if why and why.retry_helps else ""
            advice = why.advice if why else "Send the log_id to TikTok's support."
            return " ".join(part for part in (again, advice) if part), PLACES.get(error.code, "")
        case _:
            return "Try again; if it fails again, send the log_id to TikTok's support.", ""
