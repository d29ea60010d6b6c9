"""The rules that need no state: chunk plans, redirect URIs, challenges, captions, URLs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.simulator.accounts import App
from tiktok_adapters.simulator.rules import (
    owns,
    plan_problem,
    proves,
    pull_url_problem,
    redirect_matches,
    spelled_as,
    utf16_units,
)

MIB = 1 << 20
# video_size, chunk_size, total_chunk_count, valid in the decimal reading, valid in the binary one
PLANS = [
    (1, 1, 1, True, True),
    (4_999_999, 4_999_999, 1, True, True),
    (5_000_000, 5_000_000, 1, True, True),
    (5_242_880, 5_242_880, 1, True, True),
    (5_242_881, 5_242_881, 1, True, True),
    (12_000_000, 12_000_000, 1, True, True),
    (12_000_000, 5_242_880, 2, True, True),
    (41_000_000, 10_000_000, 4, True, True),
    (41_943_040, 10_485_760, 4, True, True),
    (50_000_123, 10_000_000, 5, True, True),
    (64_000_000, 64_000_000, 1, True, True),
    (64_000_001, 64_000_001, 1, False, True),
    (64_000_001, 32_000_000, 2, True, True),
    (64_000_001, 10_000_000, 6, True, True),
    (66_259_900, 66_259_900, 1, False, True),
    (66_259_900, 32_000_000, 2, True, True),
    (66_259_900, 33_129_950, 2, True, True),
    (67_108_864, 67_108_864, 1, False, True),
    (67_108_864, 32_000_000, 2, True, True),
    (67_108_864, 33_554_432, 2, True, True),
    (67_108_865, 67_108_865, 1, False, False),
    (67_108_865, 67_108_864, 1, False, False),
    (67_108_865, 32_000_000, 2, True, True),
    (83_694_271, 41_847_135, 2, True, True),
    (128_000_000, 64_000_000, 2, True, True),
    (128_000_000, 32_000_000, 4, True, True),
    (134_217_728, 67_108_864, 2, False, True),
    (134_217_728, 64_000_000, 2, True, True),
    (134_217_728, 32_000_000, 4, True, True),
    (150_000_000, 64_000_000, 2, True, True),
    (150_000_000, 32_000_000, 4, True, True),
    (158_008_374, 5_242_880, 30, True, True),
    (158_008_374, 158_008_374, 1, False, False),
    (4_000_000_000, 32_000_000, 125, True, True),
    (4_000_000_000, 64_000_000, 62, True, True),
    (4_294_967_296, 32_000_000, 134, False, True),
    (4_294_967_296, 64_000_000, 67, False, True),
]


@pytest.mark.parametrize(("size", "chunk", "count", "decimal", "binary"), PLANS)
def test_worked_plans(size: int, chunk: int, count: int, decimal: bool, binary: bool) -> None:
    """The check accepts and refuses each example of the documents as they say, in each reading of MB."""
    assert (plan_problem(size, chunk, count, mb="decimal") is None) == decimal
    assert (plan_problem(size, chunk, count, mb="binary") is None) == binary
    assert (plan_problem(size, chunk, count, mb="strict") is None) == (decimal and binary)


def judged_slowly(size: int, chunk: int, count: int, unit: int) -> bool:
    """Place the chunks one after another, and check each of them."""
    mb = unit
    if size > 4 * (1000 if unit == 1_000_000 else 1024) * mb or not 1 <= count <= 1000:
        return False
    lengths, left = [], size
    while left >= chunk:
        lengths.append(chunk)
        left -= chunk
        if len(lengths) > 1000:
            return False
    if len(lengths) != count:
        return False
    lengths[-1] += left
    if size > 64 * mb and count == 1:
        return False
    if count == 1:
        return chunk == size
    return 5 * mb <= chunk <= 64 * mb and lengths[-1] <= 128 * mb


edges = st.one_of(
    st.integers(1, 300_000_000),
    *(
        st.integers(-2, 2).map(lambda near, figure=figure: figure + near)
        for figure in (5_000_000, 5 * MIB, 64_000_000, 64 * MIB, 128_000_000, 128 * MIB, 4_000_000_000, 4096 * MIB)
    ),
)


@given(size=edges, chunk=edges, wrong=st.sampled_from([0, 0, 0, 1, -1]))
def test_plans_against_a_slow_judge(size: int, chunk: int, wrong: int) -> None:
    """The check agrees with placing the chunks one by one; the strict reading allows what both others allow."""
    count = size // chunk + wrong
    decimal = judged_slowly(size, chunk, count, 1_000_000)
    binary = judged_slowly(size, chunk, count, MIB)
    assert (plan_problem(size, chunk, count, mb="decimal") is None) == decimal
    assert (plan_problem(size, chunk, count, mb="binary") is None) == binary
    assert (plan_problem(size, chunk, count, mb="strict") is None) == (decimal and binary)


def test_one_chunk_that_is_smaller_than_the_file() -> None:
    """A choice refuses or accepts a single chunk smaller than the file, because the documents leave that open."""
    assert plan_problem(12_000_000, 10_000_000, 1, mb="strict") == "The chunk size is invalid"
    assert plan_problem(12_000_000, 10_000_000, 1, mb="strict", lenient=True) is None
    assert plan_problem(4_000_000, 3_000_000, 1, mb="strict", lenient=True) == "The chunk size is invalid"


def test_ceil_is_refused_by_name() -> None:
    """A count that is rounded up gets the message that was observed on the wire."""
    assert plan_problem(41_000_000, 10_000_000, 5, mb="strict") == "The total chunk count is invalid"


VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
HEX = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
RFC = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("challenge", "encoding", "good"),
    [
        (HEX, "hex", True),
        (RFC, "hex", False),
        (RFC, "base64url", True),
        (HEX, "base64url", False),
        (HEX, "either", True),
        (RFC, "either", True),
        (HEX.upper(), "hex", False),
        (HEX[:-1] + "0", "hex", False),
    ],
)
def test_pkce_vectors(challenge: str, encoding: str, good: bool) -> None:
    """TikTok's challenge is hexadecimal; the RFC's encoding counts only if a switch says so."""
    assert proves(VERIFIER, challenge, encoding) is good


@given(st.text(alphabet="ABCxyz019-._~", min_size=1, max_size=140))
def test_verifier_lengths(verifier: str) -> None:
    """A verifier of 43 to 128 characters proves its own challenge, and no other length does."""
    challenge = hashlib.sha256(verifier.encode()).hexdigest()
    assert spelled_as(challenge, "hex")
    assert proves(verifier, challenge, "hex") is (43 <= len(verifier) <= 128)


@pytest.mark.parametrize(
    ("registered", "given_uri", "good"),
    [
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:3455/callback/", True),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:65535/callback/", True),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:65536/callback/", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:0/callback/", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1/callback/", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:*/callback/", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:3455/callback", False),
        ("http://127.0.0.1:*/callback/", "http://localhost:3455/callback/", False),
        ("http://127.0.0.1:*/callback/", "https://127.0.0.1:3455/callback/", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:3455/callback/?a=1", False),
        ("http://127.0.0.1:*/callback/", "http://127.0.0.1:1@evil.example/callback/", False),
        ("https://app.example.com/cb", "https://app.example.com/cb", True),
        ("https://app.example.com/cb", "https://app.example.com/cb/", False),
    ],
)
def test_redirects_match_exactly_but_for_a_wildcard_port(registered: str, given_uri: str, good: bool) -> None:
    """A redirect URI is compared byte by byte; only a registered `*` port matches any number."""
    assert redirect_matches(registered, given_uri) is good


@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        ("desktop", "http://127.0.0.1/callback/"),
        ("desktop", "http://[::1]:80/callback/"),
        ("desktop", "https://app.example.com:443/callback/"),
        ("desktop", "http://127.0.0.1:*/callback/?x=1"),
        ("web", "http://app.example.com/callback/"),
        ("web", "https://app.example.com/callback/#part"),
        ("web", "https://app.example.com/" + "x" * 500),
    ],
)
def test_portal_refuses_bad_redirects(kind: str, uri: str) -> None:
    """An app cannot register a redirect URI that the portal would refuse."""
    with pytest.raises(ValueError, match="URI"):
        App(kind=kind, redirect_uris=(uri,))


@given(st.text())
def test_captions_are_counted_in_utf16(text: str) -> None:
    """A character outside the BMP counts two."""
    assert utf16_units(text) == sum(2 if ord(character) > 0xFFFF else 1 for character in text)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://media.example.com/a.mp4", True),
        ("http://media.example.com/a.mp4", False),
        ("https://10.0.0.1/a.mp4", False),
        ("https://[::1]/a.mp4", False),
        ("https://localhost/a.mp4", False),
        ("https://", False),
        ("https://[bad/a.mp4", False),
        (None, False),
        (3, False),
    ],
)
def test_pull_urls(url: object, good: bool) -> None:
    """Only https URLs on a domain name can be pulled."""
    assert (pull_url_problem(url) is None) is good


@pytest.mark.parametrize(
    ("known", "url", "good"),
    [
        ("static.example.com", "https://static.example.com/x", True),
        ("static.example.com", "https://video.static.example.com/x", True),
        ("static.example.com", "https://example.com/x", False),
        ("static.example.com", "https://evilstatic.example.com/x", False),
        ("https://e.com/videos/user/", "https://e.com/videos/user/123/x.mp4", True),
        ("https://e.com/videos/user/", "https://e.com/videos/2023/user/x.mp4", False),
        ("https://e.com/videos/user/", "https://e.com/videos/user/../x.mp4", False),
    ],
)
def test_ownership(known: str, url: str, good: bool) -> None:
    """A domain covers its subdomains; a prefix covers the URLs that start with it."""
    assert owns([known], url) is good
