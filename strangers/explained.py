"""Why acts fail under the simulator's defaults: whose fault it is, and the fact that says so.

What belongs here: one row for each kind of failure. A failure without a row, and a row without a failure, fail the run. A fact is a
section of TikTok's documents, or what was seen of the real TikTok, counted as in docs/guides/switches.md.
"""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen
from clients import SIZES

__all__ = ["EXPLAINED", "FAULTS", "Why", "why"]

FAULTS: Final[Mapping[str, str]] = {
    "client": "TikTok's documents forbid what the client does, or it does not take what they allow.",
    "nobody": "The refusal is right, and the client passes it on.",
    "disputed": "The documents leave it open, or a record contradicts them or another record. The simulator takes the value that "
    "is documented or seen more often, else the harder one; the table of switches shows the other.",
}
"""Whose fault a failure can be."""

_DOCS: Final = "https://developers.tiktok.com/doc/"


@frozen(kw_only=True)
class Why:
    """Why an act fails.

    Attributes:
        clients: the names of the clients; none for any.
        acts: the acts.
        outcome, code: the result that is explained.
        fault: a key of `FAULTS`.
        text: what the client does, and what TikTok wants.
        fact: the link or the record that says so.
        switch: the values of switches with which the act passes, if the fact is disputed.
    """

    clients: tuple[str, ...] = ()
    acts: tuple[str, ...]
    outcome: str
    code: str = ""
    fault: str
    text: str
    fact: str
    switch: str = ""

    def fits(self, client: str, act: str, result: Mapping[str, Any]) -> bool:
        """Return whether this row explains a result."""
        is_of = not self.clients or client in self.clients
        return is_of and act in self.acts and (self.outcome, self.code) == (result["outcome"], result["code"])


def _page(name: str) -> str:
    return f"[{name}]({_DOCS}{name})"


EXPLAINED: Final = (
    Why(
        acts=("refresh when revoked",),
        outcome="refused",
        code="invalid_grant",
        fault="nobody",
        text="The person has removed the app, so the refresh token is no longer valid.",
        fact=_page("oauth-error-handling"),
    ),
    Why(
        clients=("arctic", "tiktok-api-client"),
        acts=("sign in",),
        outcome="refused",
        code="invalid_request",
        fault="disputed",
        text="It sends the code challenge as base64url. The token call wants it in hexadecimal. The records of a refusal are mostly of "
        "desktop apps, and these clients are of the web.",
        fact=f"{_page('login-kit-desktop')}; seen 3+, 2026-07; against it stand the records of `web_pkce`, below",
        switch="web_pkce=either",
    ),
    Why(
        clients=("@auth/core",),
        acts=("sign in with state",),
        outcome="refused",
        code="invalid_request",
        fault="disputed",
        text="As above: its code challenge is base64url, and it is of the web.",
        fact=f"{_page('login-kit-desktop')}; seen 3+, 2026-07; against it stand the records of `web_pkce`, below",
        switch="web_pkce=either",
    ),
    Why(
        clients=("@auth/core",),
        acts=("sign in",),
        outcome="refused",
        code="param_error state",
        fault="disputed",
        text="Without settings, it sends no `state`, which is a required parameter; and its code challenge is base64url, as above.",
        fact=f"{_page('login-kit-web')}; the page was seen to do without `state`: seen 1, undated",
        switch="state_required=off web_pkce=either",
    ),
    Why(
        clients=("passport-tiktok-auth",),
        acts=("sign in",),
        outcome="refused",
        code="param_error state",
        fault="disputed",
        text="Used as in its README, it sends no `state`, which is a required parameter; and it reads too many fields, as below.",
        fact=f"{_page('login-kit-web')}; the page was seen to do without `state`: seen 1, undated",
        switch="state_required=off field_scope=omit",
    ),
    Why(
        clients=("passport-tiktok-auth",),
        acts=("sign in with state",),
        outcome="refused",
        code="scope_not_authorized",
        fault="disputed",
        text="As in its README, it asks for `user.info.basic` alone. Then it reads fields of `user.info.profile` and `user.info.stats`, and "
        "TikTok refuses the whole call.",
        fact=f"{_page('tiktok-api-v2-get-user-info')}; seen 2, 2026-08; that the fields come back empty: seen 1, undated",
        switch="field_scope=omit",
    ),
    Why(
        clients=("tiktok-api-client",),
        acts=("draft",),
        outcome="refused",
        code="invalid_params",
        fault="client",
        text="It sends the members of `source_info` as the whole body, to the call for direct posts. A draft has a call of its own.",
        fact=f"{_page('content-posting-api-reference-upload-video')}; the refusal without `post_info`: seen 3+, undated",
    ),
    Why(
        clients=("tiktok-api-client",),
        acts=("revoke",),
        outcome="error",
        fault="disputed",
        text="TikTok has revoked the tokens. The client reads the answer's body as JSON, and it is empty.",
        fact=f"{_page('oauth-user-access-token-management')}: documented both ways, empty and `{{}}`",
        switch="revoke_body=object",
    ),
    Why(
        clients=("tiktok-api-client",),
        acts=("one photo",),
        outcome="refused",
        code="invalid_params",
        fault="disputed",
        text="It counts photos from 1: its usual cover is the second photo, which is not there, and the first one cannot be chosen. Whether "
        "TikTok refuses such an index is open.",
        fact=f"{_page('content-posting-api-reference-photo-post')}: the index counts from 0",
        switch="photo_cover=any",
    ),
    Why(
        clients=("marqetive-lib",),
        acts=("65 MB",),
        outcome="refused",
        code="invalid_params",
        fault="disputed",
        text="It sends up to 64 MiB as one chunk, and reads the limit of 64 MB as 64 MiB; 65,000,000 bytes are more than 64 MB in the "
        "decimal reading.",
        fact=f"{_page('content-posting-api-media-transfer-guide')} mixes both units; one refusal fits the decimal reading: seen 1, 2026-08",
        switch="mb=binary",
    ),
    Why(
        clients=("reeln-plugin-tiktok",),
        acts=(*SIZES, "draft"),
        outcome="refused",
        code="invalid_params",
        fault="client",
        text="It declares chunks of 10 MiB and rounds their number up, also for a smaller file. The number is rounded down, and a file "
        "below 5 MB has `chunk_size` equal to its size.",
        fact=f"{_page('content-posting-api-media-transfer-guide')}; seen 3+, 2026-09",
    ),
    Why(
        clients=("tiktok-studio-mcp",),
        acts=("6 MB", "12 MB", "65 MB"),
        outcome="refused",
        code="invalid_params",
        fault="client",
        text="It declares one chunk of 64 MiB for a file that is smaller than that. The number of chunks is the size divided by "
        "`chunk_size`, rounded down: none.",
        fact=f"{_page('content-posting-api-media-transfer-guide')}; seen 3+, 2026-09",
    ),
    Why(
        clients=("tiktok-studio-mcp",),
        acts=("150 MB",),
        outcome="refused",
        code="invalid_params",
        fault="disputed",
        text="It declares two chunks of 64 MiB, which is more than 64 MB in the decimal reading.",
        fact=f"{_page('content-posting-api-media-transfer-guide')} mixes both units; one refusal fits the decimal reading: seen 1, 2026-08",
        switch="mb=binary",
    ),
)
"""Every failure under the defaults."""


def why(client: str, act: str, result: Mapping[str, Any]) -> Why | None:
    """Return the row that explains a result, or None."""
    return next((row for row in EXPLAINED if row.fits(client, act, result)), None)
