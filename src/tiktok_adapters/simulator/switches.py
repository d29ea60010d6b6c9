"""The switches of the simulated TikTok: one for each point that the documents leave open, or that the real TikTok does otherwise.

What belongs here: names, values and defaults; no behaviour. Each default is the documented behaviour; if the documents say
nothing, the behaviour observed on the wire; otherwise the one that is harder for a client.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, fields_dict, frozen
from attrs.validators import and_, ge, in_, instance_of, le, not_, optional

__all__ = ["LIFETIMES", "Encoding", "Lifetimes", "Megabyte", "Switches", "Values", "near", "read_switch", "values_of"]

Megabyte: TypeAlias = Literal["strict", "decimal", "binary"]
Encoding: TypeAlias = Literal["hex", "base64url", "either"]


@frozen
class Lifetimes:
    """The lives of tokens in seconds, and whether a refresh invalidates the old refresh token."""

    access: int
    refresh: int
    rotate: bool


LIFETIMES: Final[Mapping[str, Lifetimes]] = {
    "legacy": Lifetimes(86_400, 31_536_000, rotate=False),
    "2026-11": Lifetimes(7_200, 15_552_000, rotate=True),
}
"""The two versions of TikTok's token pages: up to October 2026, and dated November 2026."""


def near(word: str, known: Iterable[str]) -> str:
    """Return a question that names the known word which is most like an unknown one; empty if none is like it."""
    found = get_close_matches(word, list(known), 1)
    return f"; did you mean {found[0]}?" if found else ""


WHOLE, NUMBER = "a whole number from 0", "a number from 0"
LISTED: Final = "; the sandbox's page lists them"
_LIMIT: Final = 10**9
"""Seconds: longer than any run, and small enough for a date."""


@frozen
class Values:
    """What a switch takes, for a command line or a page, which have only words.

    Attributes:
        words: the words with their values; all of them, unless the switch takes a number or a text, too.
        free: what else it takes: `NUMBER`, `WHOLE`, `a text`, or nothing.
    """

    words: Mapping[str, Any]
    free: str = ""

    def __str__(self) -> str:
        *others, last = filter(None, (*self.words, self.free))
        return f"{', '.join(others)} or {last}" if others else last

    def read(self, text: str) -> Any:
        """Return the value of a text.

        Raises:
            ValueError: the switch takes something else.
        """
        if text.lower() in self.words:
            return self.words[text.lower()]
        if self.free == "a text":
            return text
        try:
            number = int(text) if self.free == WHOLE or text.isdecimal() else float(text)
        except ValueError:
            number = -1
        if not self.free or not 0 <= number <= _LIMIT:
            raise ValueError(f"it takes {self}, not {text!r}")
        return number

    def spell(self, value: Any) -> str:
        """Return the word of a value."""
        words = [word for word, one in self.words.items() if type(one) is type(value) and one == value]
        return words[0] if words else str(value)


def _one_of(*values: Any) -> Any:
    """Return a field for one of `values`; the first is the default."""
    words = Values({str(value): value for value in values})
    return field(default=values[0], validator=[in_(values), instance_of(type(values[0]))], metadata={"values": words})


_ON_OR_OFF: Final = Values({"on": True, "off": False})
_NONE: Final[Mapping[str, Any]] = {"none": None}


def _off() -> Any:
    return field(default=False, validator=instance_of(bool), metadata={"values": _ON_OR_OFF})


def _on() -> Any:
    return field(default=True, validator=instance_of(bool), metadata={"values": _ON_OR_OFF})


def _word() -> Any:
    return field(default=None, validator=optional(instance_of(str)), metadata={"values": Values(_NONE, "a text")})


def _text(default: str) -> Any:
    return field(default=default, validator=instance_of(str), metadata={"values": Values({}, "a text")})


def _amount(kinds: tuple[type, ...], default: float | None) -> Any:
    """Return a field for a number from 0 up; it may be None if its default is None."""
    checks = and_(not_(instance_of(bool)), instance_of(kinds), ge(0), le(_LIMIT))
    values = Values(_NONE if default is None else {}, NUMBER if float in kinds else WHOLE)
    return field(
        default=default, validator=optional(checks) if default is None else checks, metadata={"values": values}
    )


def _seconds(default: float | None) -> Any:
    return _amount((int, float), default)


def _number(default: int | None) -> Any:
    return _amount((int,), default)


@define(kw_only=True)
class Switches:
    """The behaviour of the simulated TikTok where the real one has a choice. A test may set a switch at any time.

    Signing in:
        lifetimes: `2026-11` (2 h, 180 d, a refresh invalidates the old refresh token) or `legacy` (24 h, 365 d, it does not).
        access_seconds, refresh_seconds: lives that replace those of `lifetimes`.
        refresh_kills_access: a refresh invalidates the older access token too.
        oauth_error_status: the HTTP status of OAuth errors; only 200 has been observed.
        pkce: the encoding of the challenge on desktop; TikTok's is hexadecimal.
        web_challenge: whether the web flow requires a challenge, accepts one, or ignores it.
        web_pkce: the encoding of the challenge on the web; clients that send base64url in production need `either`.
        basic_scope: `user.info.basic` comes with every sign-in, as was observed, or only if the app asks for it.
        challenge_check: only the token call refuses a malformed challenge, as was observed, or the authorization page does.
        verifier_length: the token call takes verifiers of the documented 43 to 128 characters, or of any length (6 observed).
        state_required: the authorization page refuses a request without `state`, as documented, or serves it, as was observed.
        token_order: the token call checks the code before the app's credentials, as was observed, or the credentials first.
        code_seconds: the life of an authorization code.
        qr_seconds: the life of a QR code until a person agrees.
        qr_code_in: the place of the code of a confirmed QR code: in its redirect URI, or in a field of its own.
        auto_auth: skip the page for an account that has consented already, unless `disable_auto_auth=1`.
        auto_consent: the user name of an account that allows everything as soon as its page is opened; None for a person.
        revoke_body: a successful revocation has an empty body or `{}`.
        revoke_unknown: revoking an unknown or invalid token is an error, or succeeds.

    Answers:
        param_spelling: the code of a bad parameter: `invalid_params` on the wire, `invalid_param` in the documents.
        failure_data: `data` beside an error is `{}`, absent or null.
        retry_after: 429 carries a `Retry-After` header.
        caps_status: the HTTP status of refusals by caps and bans at init: 403 is documented, 200 was observed.
        field_scope: for fields beyond the granted scopes, user info refuses the call, or leaves those fields out.
        profile_web_link: a client may ask for this field.
        query_ids: a query for an id that is no integer is refused, as was observed, or the id is left out of the answer.
        video_ids: ids in the list of videos are strings, as documented, or numbers, as was observed.

    Quotas and caps:
        init_buckets: the three inits have a quota each, or share one.
        library_quota: the quota of user info and the video calls applies per token or per app.
        cancel_per_minute: the quota of cancel; None for none.
        active_user_cap: how many users of an unaudited app may post in 24 hours.
        pending_cap: how many unfinished drafts a creator may have in 24 hours.

    Checks of a post:
        mb: the reading of "MB": decimal, binary, or (`strict`) the limits that both allow.
        single_chunk: a single chunk needs `chunk_size == video_size`, or may be larger than `chunk_size`.
        photo_cover: a `photo_cover_index` that is the index of no photo is refused (`inside`) or accepted (`any`).
        brand_self_only: branded content with `SELF_ONLY` is refused or accepted.
        brand_toggles: the two brand toggles are optional or required.
        long_title_code: the code for a title that is too long; None for the code of a bad parameter.
        privacy_mismatch_code: the code for a privacy level that this creator does not have; an unknown word is a bad parameter.
        inbox_post_info: `post_info` with a video draft is ignored, is ignored except for the title, or is refused.
        video_draft_min_version: the lowest version of the user's app for video drafts; None for any.
        unaudited_scope: the rule of unaudited apps refuses direct posts by their level, as documented, or everything that names none.
        cancel_checks_ownership: cancel refuses a pull whose URL the app does not own, or no longer owns.

    Upload host:
        upload_path: the path of upload URLs.
        upload_seconds: the life of an upload URL.
        progress_header: the number in the answers' `Content-Range` counts bytes, or is the last offset.
        repeat_chunk: if a client sends the last stored chunk again, it is refused with 416 or accepted.
        mismatch_status: the status for a body whose length differs from the declared one.
        last_chunk_status: the status after the last chunk.
        partial_bytes: the bytes that arrived of a dropped PUT are discarded or kept.
        no_range_status: the status for a PUT without `Content-Range`: 416 was observed, 400 is documented.
        put_body: the body of the answers to a PUT; the documents give none, and the JSON word `null` was observed.
        expired_upload: a post whose upload URL expired stays unchanged, or fails with `internal`.
        finished_upload: after the last byte, the upload host refuses further bytes by their range, or as an unknown upload.

    Life of a post:
        processing_seconds, download_seconds, moderation_seconds: the duration of each stage.
        pull_bytes: the size that the status shows for a pulled file.
        status_ids: the list of public ids holds numbers or strings, is a single number, or is missing.
        status_unknown_polls: the first status calls for a new `publish_id` that are answered as if there were no such id.
        status_lag_seconds: the status shows a post, and its stored bytes, as they were this long ago.
        uploaded_bytes: the status counts stored bytes, or whole chunks only, or leaves the field out.
        media_check: which media fail after they arrived; the guide of switches describes its values.
        failed_body: the status of a failed post has all fields, or only the status and the reason.
        publish_id_seconds: how long the status of a `publish_id` can be fetched; None for ever.
        draft_seconds: how long the user can finish a draft; None for ever.
        webhook_publish_type: the word for direct posts: the documents give none, and `DIRECT_PUBLISH` was observed.
        webhook_post_id: ids in webhooks are strings, as was observed, or numbers.
        webhook_retry_stamp: a repeated webhook is signed anew, as it seems, or has the first signature and its time.

    A copy of the data:
        data_seconds: how long TikTok needs to prepare a copy.
        data_keep_seconds: how long a ready copy can be downloaded.
        data_failure_status: a refusal has the HTTP status that its `http_status_code` names (`told`), or always 200.
        data_media_type: the `Content-Type` of archives and of refusals; None for that of zip and JSON.
        data_bytes: the size of the archive; None for a small one.
        data_spelling: answers spell the category of direct messages as requests do, or as the documents' sample answer does.
        webhook_data_user: the webhook of a copy names its user, or leaves the user out, as in the documents' sample.
    """

    lifetimes: Literal["2026-11", "legacy"] = _one_of("2026-11", "legacy")
    access_seconds: int | None = _number(None)
    refresh_seconds: int | None = _number(None)
    refresh_kills_access: bool = _off()
    oauth_error_status: Literal[200, 400] = _one_of(200, 400)
    pkce: Literal["hex", "base64url", "either"] = _one_of("hex", "base64url", "either")
    web_challenge: Literal["optional", "required", "ignored"] = _one_of("optional", "required", "ignored")
    web_pkce: Literal["hex", "base64url", "either"] = _one_of("hex", "base64url", "either")
    basic_scope: Literal["always", "asked"] = _one_of("always", "asked")
    challenge_check: Literal["token", "authorize"] = _one_of("token", "authorize")
    verifier_length: Literal["documented", "any"] = _one_of("documented", "any")
    state_required: bool = _on()
    token_order: Literal["code", "client"] = _one_of("code", "client")
    code_seconds: float = _seconds(300)
    qr_seconds: float = _seconds(120)
    qr_code_in: Literal["redirect_uri", "code"] = _one_of("redirect_uri", "code")
    auto_auth: bool = _off()
    auto_consent: str | None = _word()
    revoke_body: Literal["empty", "object"] = _one_of("empty", "object")
    revoke_unknown: Literal["refuse", "accept"] = _one_of("refuse", "accept")

    param_spelling: Literal["invalid_params", "invalid_param"] = _one_of("invalid_params", "invalid_param")
    failure_data: Literal["empty", "absent", "null"] = _one_of("empty", "absent", "null")
    retry_after: bool = _off()
    caps_status: Literal[403, 200] = _one_of(403, 200)
    field_scope: Literal["refuse", "omit"] = _one_of("refuse", "omit")
    profile_web_link: bool = _off()
    query_ids: Literal["integers", "any"] = _one_of("integers", "any")
    video_ids: Literal["strings", "numbers"] = _one_of("strings", "numbers")

    init_buckets: Literal["separate", "shared"] = _one_of("separate", "shared")
    library_quota: Literal["token", "app"] = _one_of("token", "app")
    cancel_per_minute: int | None = _number(None)
    active_user_cap: int = _number(5)
    pending_cap: int = _number(5)

    mb: Literal["strict", "decimal", "binary"] = _one_of("strict", "decimal", "binary")
    single_chunk: Literal["strict", "lenient"] = _one_of("strict", "lenient")
    photo_cover: Literal["inside", "any"] = _one_of("inside", "any")
    brand_self_only: Literal["refuse", "accept"] = _one_of("refuse", "accept")
    brand_toggles: Literal["optional", "required"] = _one_of("optional", "required")
    long_title_code: str | None = _word()
    privacy_mismatch_code: str = _text("privacy_level_option_mismatch")
    inbox_post_info: Literal["ignore", "title", "refuse"] = _one_of("ignore", "title", "refuse")
    video_draft_min_version: str | None = _word()
    unaudited_scope: Literal["levels", "all"] = _one_of("levels", "all")
    cancel_checks_ownership: bool = _off()

    upload_path: Literal["/video/", "/upload", "/upload/"] = _one_of("/video/", "/upload", "/upload/")
    upload_seconds: float = _seconds(3600)
    progress_header: Literal["count", "last"] = _one_of("count", "last")
    repeat_chunk: Literal["refuse", "accept"] = _one_of("refuse", "accept")
    mismatch_status: Literal[400, 502] = _one_of(400, 502)
    last_chunk_status: Literal[201, 200] = _one_of(201, 200)
    partial_bytes: Literal["discard", "keep"] = _one_of("discard", "keep")
    no_range_status: Literal[416, 400] = _one_of(416, 400)
    put_body: str = _text("null")
    expired_upload: Literal["stay", "fail"] = _one_of("stay", "fail")
    finished_upload: Literal["refuse", "forget"] = _one_of("refuse", "forget")

    processing_seconds: float = _seconds(2.0)
    download_seconds: float = _seconds(4.0)
    moderation_seconds: float = _seconds(30.0)
    pull_bytes: int = _number(5_000_000)
    status_ids: Literal["numbers", "strings", "scalar", "missing"] = _one_of("numbers", "strings", "scalar", "missing")
    status_unknown_polls: int = _number(0)
    status_lag_seconds: float = _seconds(0.0)
    uploaded_bytes: Literal["stored", "chunks", "missing"] = _one_of("stored", "chunks", "missing")
    media_check: Literal["certain", "begins", "whole", "off"] = _one_of("begins", "certain", "whole", "off")
    failed_body: Literal["full", "short"] = _one_of("full", "short")
    publish_id_seconds: float | None = _seconds(None)
    draft_seconds: float | None = _seconds(None)
    webhook_publish_type: str = _text("DIRECT_PUBLISH")
    webhook_post_id: Literal["string", "number"] = _one_of("string", "number")
    webhook_retry_stamp: Literal["renewed", "kept"] = _one_of("renewed", "kept")

    data_seconds: float = _seconds(600.0)
    data_keep_seconds: float = _seconds(345_600)
    data_failure_status: Literal["told", "200"] = _one_of("told", "200")
    data_media_type: str | None = _word()
    data_bytes: int | None = _number(None)
    data_spelling: Literal["direct_message", "direct_messages"] = _one_of("direct_message", "direct_messages")
    webhook_data_user: Literal["named", "absent"] = _one_of("named", "absent")

    def flip(self, values: Mapping[str, Any]) -> None:
        """Set switches by name, all of them or none.

        Raises:
            ValueError: a switch or a value does not exist.
        """
        known = fields_dict(Switches)
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"no such switch: {', '.join(unknown)}{near(unknown[0], known) or LISTED}")
        for name, value in values.items():
            try:
                Switches(**{name: value})
            except (TypeError, ValueError):
                raise ValueError(f"{name} takes {values_of(name)}, not {value!r}") from None
        for name, value in values.items():
            setattr(self, name, value)

    @property
    def token_life(self) -> Lifetimes:
        """The lives of tokens: the preset's, with the overrides applied."""
        preset = LIFETIMES[self.lifetimes]
        access = preset.access if self.access_seconds is None else self.access_seconds
        refresh = preset.refresh if self.refresh_seconds is None else self.refresh_seconds
        return Lifetimes(access, refresh, preset.rotate)


def values_of(name: str) -> Values:
    """Return what a switch takes."""
    values: Values = fields_dict(Switches)[name].metadata["values"]
    return values


def read_switch(text: str) -> tuple[str, Any]:
    """Return the name and value of a switch that is written as `NAME=VALUE`.

    Raises:
        ValueError: it is written otherwise, or there is no such switch or value.
    """
    name, equals, word = text.partition("=")
    name = name.strip().lower().replace("-", "_")
    if not equals:
        raise ValueError(f"{text!r} is not a switch: write NAME=VALUE, such as mb=binary")
    if name not in fields_dict(Switches):
        raise ValueError(f"{text!r}: no switch is called {name!r}{near(name, fields_dict(Switches)) or LISTED}")
    try:
        return name, values_of(name).read(word.strip())
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
