"""The pages about errors are complete: the tree is that of the classes, the codes are those of the rules.

Run as a program, this file draws the entries of the codes anew.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from clips import CLIP
from fail_reasons import FAIL_REASONS
from tiktok_adapters.cli.output import STATUSES, UNEXPECTED
from tiktok_adapters.testing.fakes import Fake
from tiktok_core import errors
from tiktok_core.domain.refusals import REFUSALS
from tiktok_core.errors import FAULTS, ApiError, PublishFailed, SignInFailed, TikTokError
from tiktok_core.wire.envelope import open_envelope
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.oauth import read_tokens

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
ERRORS: Final = REFERENCE / "errors.md"
CODES: Final = tuple(REFERENCE / f"{name}.md" for name in ("codes", "codes-posts", "codes-sign-in"))
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)
REQUEST: Final = Request(method="POST", url="https://open.tiktokapis.com/v2/")
PAGE: Final = (
    "param_error",
    "client_key",
    "redirect_uri",
    "scope",
    "code_challenge",
    "code_challenge_method",
    "10003",
    "10007",
    "10008",
)
"""The words and numbers of TikTok's sign-in page. Source: /doc/login-kit-web, and what people saw."""
OAUTH: Final = (
    "access_denied",
    "non_sandbox_target",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "server_error",
    "temporarily_unavailable",
)
"""OAuth's words. Source: /doc/oauth-error-handling."""
ONLY_REASONS: Final = frozenset(FAIL_REASONS) - {code for code in FAIL_REASONS if code.startswith("spam_risk")}
"""Reasons of a failed post that no call is refused with."""
CALLS: Final = tuple(code for code in REFUSALS if code not in {*PAGE, *OAUTH, *ONLY_REASONS})


def classes() -> list[type[TikTokError]]:
    """Return the error classes in the order of their page."""
    found = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, TikTokError)]
    return [one for one in found if one.__module__ == errors.__name__]


def tree(root: type[TikTokError] = TikTokError, margin: str = "") -> Iterable[str]:
    """Draw a class and those below it, as the first cells of their rows."""
    yield f"{margin}└&nbsp;`{root.__name__}`" if margin else f"`{root.__name__}`"
    for one in classes():
        if one.__bases__ == (root,):
            yield from tree(one, margin + DEEPER if margin else " ")


def raised(code: str, read: Callable[[Response], object], document: Mapping[str, object], status: int) -> str:
    """Return the class that the library raises for an answer of TikTok's."""
    with pytest.raises(TikTokError) as caught:
        read(Response(status, body=json.dumps(document).encode()))
    assert getattr(caught.value, "code", None) == code
    return type(caught.value).__name__


def of_call(code: str) -> str:
    """Return the class for a refused call."""
    document = {"data": {}, "error": {"code": code, "message": "", "log_id": ""}}
    return raised(code, lambda response: open_envelope(REQUEST, response), document, 400)


def of_oauth(code: str) -> str:
    """Return the class for a word of OAuth."""
    document = {"error": code, "error_description": "", "log_id": ""}
    return raised(code, lambda response: read_tokens(REQUEST, response, NOW), document, 400)


TABLES: Final[Mapping[str, tuple[Iterable[str], Callable[[str], str]]]] = {
    "calls": (CALLS, of_call),
    "reasons": (FAIL_REASONS, lambda _reason: PublishFailed.__name__),
    "oauth": (OAUTH, of_oauth),
    "page": (PAGE, lambda _word: SignInFailed.__name__),
}
"""For each section of the page about codes, its codes, and a function that returns the class of one."""
ABOUT: Final = {about: f"the {about}" for about in FAULTS} | {"quota": "a quota", "tiktok": "TikTok itself"}
DEEPER: Final = "&nbsp;" * 4


def entries(codes: Iterable[str], class_of: Callable[[str], str]) -> str:
    """Draw the entries of some codes."""
    return "\n".join(
        f"- `{code}`: `{class_of(code)}`, about {ABOUT[REFUSALS[code].about]}.\\\n  {REFUSALS[code]}" for code in codes
    )


def drawn(text: str) -> str:
    """Return a page with its parts drawn from the code."""
    for name, content in TABLES.items():
        part = entries(*content)
        begin = rf"(<!-- {name}: drawn from [\w.]+ -->\n).*?(<!-- end -->)"
        text = re.sub(begin, lambda found, part=part: f"{found[1]}\n{part}\n\n{found[2]}", text, flags=re.DOTALL)
    return text


def test_the_pages_about_codes_are_drawn_from_the_code() -> None:
    """Each code has the class that its answer raises, and its explanation; `python tests/docs/test_errors.py` draws them anew."""
    texts = [page.read_text() for page in CODES]
    assert sum(text.count("drawn from") for text in texts) == len(TABLES)
    assert texts == [drawn(text) for text in texts]


def test_each_code_has_its_entry() -> None:
    """No code that the library explains is left out, and only those that are two things have two entries."""
    rows = [code for page in CODES for code in re.findall(r"^- `(\w+)`: ", page.read_text(), re.MULTILINE)]
    assert set(rows) == set(REFUSALS)
    assert {code for code in rows if rows.count(code) > 1} == set(FAIL_REASONS) - ONLY_REASONS
    assert all(issubclass(getattr(errors, of_call(code)), ApiError) for code in CALLS)


ROWS: Final = re.findall(r"^\| (.*`\w+`) \| (.+) \| (.+) \| (.+) \| (.+) \|$", ERRORS.read_text(), re.MULTILINE)


def test_the_table_draws_the_tree() -> None:
    """Each class has its row below that of its parent, one step deeper."""
    assert [cell for cell, *_ in ROWS] == [cell.strip() for cell in tree()]
    names = {re.sub(r"\W|nbsp", "", cell) for cell, *_ in ROWS}
    assert names == {name for name in errors.__all__ if name not in {"Explanation", "Problem"}}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"\W|nbsp", "", row[0]))
def test_each_class_says_whether_the_post_may_exist_and_how_a_command_ends(row: tuple[str, ...]) -> None:
    """Each row has one of the answers that the page explains, and the exit status of the command line."""
    cell, _meaning, exists, _advice, status = row
    name = re.sub(r"\W|nbsp", "", cell)
    assert f"- **{exists.capitalize()}**: " in ERRORS.read_text()
    expected = next((number for kind, number in STATUSES if issubclass(getattr(errors, name), kind)), UNEXPECTED)
    assert str(expected) in re.findall(r"\d", status)
    assert re.fullmatch(r"\d", status) or name == "ScopeMissing"


@pytest.mark.parametrize(
    "code",
    [
        "scope_not_authorized",
        "invalid_params",
        "rate_limit_exceeded",
        "internal_error",
        "spam_risk_user_banned_from_posting",
    ],
)
def test_the_key_tells(tiktok_fake: Fake, code: str) -> None:
    """If an error has a publish id, TikTok may have the post: the same key finds it, and makes no second one."""
    tiktok_fake.simulator.faults.add("put=drop-after")
    tiktok_fake.simulator.faults.add(f"statusx40=code:{code}")
    with pytest.raises(TikTokError) as caught:
        tiktok_fake.account.post_video(CLIP, privacy_level="SELF_ONLY", key="k")
    assert caught.value.publish_id
    assert caught.value.key == "k"
    tiktok_fake.simulator.faults.clear()
    done = tiktok_fake.account.post_video(CLIP, privacy_level="SELF_ONLY", key="k")
    assert [(post.publish_id, post.status) for post in tiktok_fake.simulator.posts] == [
        (done.publish_id, "PUBLISH_COMPLETE")
    ]


if __name__ == "__main__":
    for page in CODES:
        page.write_text(drawn(page.read_text()))
