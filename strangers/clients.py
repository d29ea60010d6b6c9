"""The strangers: which public clients run, in which version, and what each can do.

What belongs here: the table of clients, the order of the acts, and the switches that are tried. `explained.py` says why an act fails.
"""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import field, frozen

__all__ = ["ACTS", "CLIENTS", "SIZES", "SWITCHES", "Client"]

SIZES: Final[Mapping[str, int]] = {f"{count} MB": count * 1_000_000 for count in (1, 6, 12, 65, 150)}
"""The acts that upload a file, each with the bytes of its file."""

ACTS: Final = (
    *("sign in", "sign in with state", "creator info", *SIZES),
    # TikTok allows a token six inits in a minute; the renewed one may begin as many again.
    *("refresh", "by URL", "photos", "one photo", "draft", "status", "revoke", "refresh when revoked"),
)
"""Every act, in the order in which they are done."""

OAUTH: Final = ("sign in", "refresh", "refresh when revoked")
POSTS: Final = ("creator info", *SIZES, "by URL", "status")


@frozen
class Client:
    """One public client.

    Attributes:
        name: its name where it is published.
        version: its version; empty for a program that this machine has.
        runs_on: what it runs on.
        acts: what it can do.
        driver: the file in `drivers`.
        pins: the file or folder in `pins` with its version and those of what it needs.
        python: the oldest Python that it allows.
    """

    name: str
    version: str
    runs_on: Literal["Python", "Node", "system"]
    acts: tuple[str, ...]
    python: tuple[int, int] = (3, 11)
    pins: str = field()
    driver: str = field()

    @pins.default
    def _pins(self) -> str:
        base = self.name.lstrip("@").replace("/", "-")
        return base if self.runs_on == "Node" else f"{base}.txt"

    @driver.default
    def _driver(self) -> str:
        base = self.pins.removesuffix(".txt")
        return f"{base}.mjs" if self.runs_on == "Node" else f"{base.replace('-', '_')}_.py"


CLIENTS: Final = (
    Client("curl", "", "system", (*OAUTH, *POSTS, "revoke", "photos", "one photo", "draft")),
    Client("httpx", "0.28.1", "Python", (*OAUTH, *POSTS, "revoke", "photos", "one photo", "draft")),
    Client("tiktok-api-client", "0.0.15", "Python", (*OAUTH, *POSTS, "revoke", "photos", "one photo", "draft")),
    Client("marqetive-lib", "0.44.6", "Python", (*OAUTH, *POSTS, "photos", "one photo"), python=(3, 12)),
    Client("reeln-plugin-tiktok", "0.4.0", "Python", (*OAUTH, *POSTS, "draft")),
    Client("tiktok-studio-mcp", "0.1.4", "Python", (*OAUTH, "creator info", *SIZES, "draft", "status")),
    Client("arctic", "3.7.0", "Node", (*OAUTH, "revoke")),
    Client("@auth/core", "0.41.3", "Node", ("sign in", "sign in with state")),
    Client("@better-auth/core", "1.7.25", "Node", OAUTH),
    Client("passport-tiktok-auth", "1.0.12", "Node", ("sign in", "sign in with state")),
)

_SIGN: Final = (*OAUTH, "sign in with state", "revoke")
_POST: Final = ("sign in", "creator info", "1 MB", "by URL", "photos", "one photo", "draft", "status")
_PLAN: Final = ("sign in", *SIZES)

SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            *("lifetimes=legacy", "refresh_kills_access=on", "oauth_error_status=400"),
            *("pkce=either", "pkce=base64url", "web_challenge=required", "web_challenge=ignored"),
            *("web_pkce=either", "web_pkce=base64url", "basic_scope=asked", "challenge_check=authorize"),
            *("verifier_length=any", "state_required=off", "token_order=client", "field_scope=omit"),
            *("state_required=off web_pkce=either", "state_required=off field_scope=omit"),
            *("revoke_body=object", "revoke_unknown=accept"),
        ),
        _SIGN,
    ),
    **dict.fromkeys(("mb=decimal", "mb=binary", "single_chunk=lenient"), _PLAN),
    **dict.fromkeys(
        (
            *("param_spelling=invalid_param", "failure_data=absent", "failure_data=null", "init_buckets=shared"),
            *(
                "brand_toggles=required",
                "inbox_post_info=title",
                "inbox_post_info=refuse",
                "unaudited_scope=all",
                "photo_cover=any",
            ),
            *(
                "upload_path=/video/",
                "upload_path=/upload/",
                "progress_header=last",
                "last_chunk_status=200",
                "put_body=",
            ),
            *("status_ids=strings", "status_ids=scalar", "status_ids=missing", "status_unknown_polls=1"),
            *("uploaded_bytes=chunks", "uploaded_bytes=missing", "media_check=whole"),
        ),
        _POST,
    ),
}
"""The values of switches whose fact is disputed, open or was seen once, each with the acts that it can concern; two at once where a
client passes only under both."""
