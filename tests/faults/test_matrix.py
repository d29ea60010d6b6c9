"""The fault matrix is complete: each of its rows has tests that carry its number."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = {
    1: "connection refused",
    2: "reset before, within and after a request",
    3: "reset within a chunk",
    4: "truncated answer",
    5: "slow server",
    6: "early refusal while the body is sent",
    7: "408, 500, 502, 503, 504",
    8: "429 and Retry-After",
    9: "416 and ranges",
    10: "206 of less or more than was sent",
    11: "upload URL expired or unknown",
    12: "chunk sent twice",
    13: "access token expires under way",
    14: "refresh token revoked or rotated elsewhere",
    15: "many refresh together",
    16: "answer to a refresh lost",
    17: "cancel or Ctrl-C during a refresh",
    18: "kill -9 during a token save",
    19: "kill -9 at every step of a post",
    20: "crash between init and publish id",
    21: "disk full, read-only, broken",
    22: "damaged token file",
    23: "SQLite locked, corrupt, killed writer",
    24: "wrong mode, owner, link, folder",
    25: "clock jumps",
    26: "name resolution",
    27: "TLS",
    28: "proxies",
    29: "JSON that makes no sense",
    30: "content encodings",
    31: "answers of another kind",
    32: "redirects",
    33: "foreign upload hosts",
    34: "words of a status",
    35: "webhooks",
    36: "files that change",
    37: "files that are none",
    38: "texts at their limits",
    39: "control characters in what is sent",
    40: "names are never paths",
    41: "secrets in output",
    42: "fork, pickle, use after close, two loops",
    43: "the loopback listener",
    45: "two accounts side by side",
}
"""Row 44, several machines and a broker between them, comes with the workers."""


def test_each_row_is_held_by_a_test_of_its_number() -> None:
    """No row is without a test, and no test has a number without a row."""
    found = {
        int(number)
        for path in TESTS.rglob("test_*.py")
        for number in re.findall(r"^ *def test_row_(\d\d)_", path.read_text(), re.MULTILINE)
    }
    assert found == set(ROWS)
