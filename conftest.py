"""What every test of this repository is held to: nothing that it prints or logs, at the loudest level, shows a secret."""

import re
from collections.abc import Generator
from typing import Any

import pytest

from tiktok_core.domain import pkce

SECRETS = re.compile(
    r"(?:act|rft)\.[A-Za-z0-9]{60,}"  # tokens of the simulated TikTok
    r"|upload_token=[0-9a-f]{8}-[0-9a-f-]{20,}"  # what makes an upload URL a secret
    r"|canary-of-[a-z-]+"  # client secrets that tests make up
)
WORDS = re.compile(r"[A-Za-z0-9_-]{64,}")
verifiers: set[str] = set()
make_verifier = pkce.make_verifier


def _remembered(entropy: pkce.Entropy) -> str:
    verifier = make_verifier(entropy)
    verifiers.add(verifier)
    return verifier


# Before any module has taken the function by its name. A verifier has no look of its own, so each is remembered.
pkce.make_verifier = _remembered


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test whose captured output shows a secret, without showing it again."""
    report = yield
    for where, text in report.sections:
        # By words: there are thousands of verifiers, and texts of megabytes.
        if SECRETS.search(text) or not verifiers.isdisjoint(WORDS.findall(text)):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: a secret shows in its {where.lower()}"
            report.sections = []
            break
    return report


def pytest_configure(config: Any) -> None:
    """Listen to every logger at its loudest, the HTTP libraries' and asyncio's, too."""
    config.option.log_level = config.option.log_level or "DEBUG"
