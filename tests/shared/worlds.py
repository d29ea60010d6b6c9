"""What tests of `tiktok sandbox run` share: how a command ended, and whether this system lets it have a network of its own."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import pytest
from attrs import define

from tiktok_adapters.sandboxed.run import Outcome

__all__ = ["Ran", "Run", "need_namespaces"]

TRIAL = "from tiktok_adapters.sandboxed.namespace import enter; enter('10.0.0.1')"


@define
class Ran:
    """How a command ended, what it printed, and what the person read."""

    outcome: Outcome
    out: str
    err: str
    said: list[str]


Run: TypeAlias = Callable[..., Ran]
"""Runs a command: its words, and fields of a `Wish`."""


def need_namespaces() -> None:
    """Skip the test where the system forbids namespaces, with the system's reason."""
    if reason := _forbidden():
        pytest.skip(f"no network namespace: {reason}")


@cache
def _forbidden() -> str:
    done = subprocess.run([sys.executable, "-c", TRIAL], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
