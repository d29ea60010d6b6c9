"""The page docs/strangers.md, made from results.json and from the table of explanations.

What belongs here: sentences and tables. It also checks that every failure has an explanation, and every explanation a failure.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clients import ACTS, CLIENTS
from explained import EXPLAINED, FAULTS, Why, why

__all__ = ["Unexplained", "written"]

SWITCHES: Final = Path(__file__).parent.parent / "docs" / "guides" / "switches.md"
NONE: Final = "-"
HEAD: Final = """# Strangers

Public clients of TikTok know nothing of the simulated TikTok. `make strangers` runs them, unmodified, under `tiktok sandbox run`, where
TikTok's host names lead to the simulator. A person's browser is played by the simulator (`--consent`) and a small driver for each client,
which calls its public functions. This page is made from `strangers/results.json`; `strangers/README.md` says how.
"""


class Unexplained(Exception):
    """A failure has no explanation, an explanation no failure, or a promise of the table does not hold."""


def written(record: Mapping[str, Any]) -> str:
    """Return the page.

    Raises:
        Unexplained: results and explanations do not fit each other.
    """
    found = record["clients"]
    ran = {name: one for name, one in found.items() if "usual" in one}
    _check(ran)
    return "\n".join(
        [
            HEAD,
            *_what_ran(record, ran),
            "## What each can do\n",
            *_acts(ran),
            "## Why acts fail\n",
            *_failures(ran),
            "## Where the result depends on a switch\n",
            *_switches(ran),
        ]
    )


def _check(ran: Mapping[str, Any]) -> None:
    used: set[Why] = set()
    for client in CLIENTS:
        if client.name in ran and set(client.acts) != set(ran[client.name]["usual"]):
            raise Unexplained(f"{client.name}: not every act was tried.")
    for name, one in ran.items():
        for act, result in one["usual"].items():
            if result["outcome"] == "done":
                continue
            row = why(name, act, result)
            if row is None:
                raise Unexplained(f"{name}, {act}: {result} has no explanation in strangers/explained.py.")
            if row.switch and row.switch not in one["under"]:
                raise Unexplained(f"{name}, {act}: {row.switch} was not tried.")
            if row.switch and one["under"][row.switch]["changed"].get(act, {}).get("outcome") != "done":
                raise Unexplained(f"{name}, {act}: it does not pass with {row.switch}.")
            used.add(row)
    if len(ran) == len(CLIENTS) and (idle := [row for row in EXPLAINED if row not in used]):
        raise Unexplained(f"No act fails as strangers/explained.py says: {idle[0]}")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _what_ran(record: Mapping[str, Any], ran: Mapping[str, Any]) -> Iterator[str]:
    named = [
        f"{name} {one['version']}" + (f" ({one['runs_on']})" if one["runs_on"] else "") for name, one in ran.items()
    ]
    yield f"Run on {record['day']} on {record['system']}, with tiktok-open {record['tiktok-open']}: {', '.join(named)}.\n"
    for name, one in record["clients"].items():
        if "left_out" in one:
            yield f"{name} was left out: {one['left_out']}.\n"


def _short(result: Mapping[str, Any]) -> str:
    words = {
        "done": "done",
        "refused": f"refused: `{result['code']}`",
        "error": "its own error",
        "unnoticed": "failed, unnoticed",
    }
    return words[result["outcome"]]


def _acts(ran: Mapping[str, Any]) -> Iterator[str]:
    yield "An act is done if the client says so and the simulated TikTok agrees: it has the sign-in, or no longer has it; it has one new post"
    yield "that came to its end, with the SHA-256 of the file, or with the URLs. `1 MB` to `150 MB` are direct posts of files of that size."
    yield "`-`: the client has no such act. `*`: its own sign-in had failed, so it acted with tokens of its driver.\n"
    yield _row(["act", *ran])
    yield _row(["---"] * (len(ran) + 1))
    for act in ACTS:
        cells = [
            NONE if act not in one["usual"] else _short(one["usual"][act]) + " *" * one["usual"][act]["adopted"]
            for one in ran.values()
        ]
        yield _row([act, *cells])
    yield ""


def _failures(ran: Mapping[str, Any]) -> Iterator[str]:
    for fault, meaning in FAULTS.items():
        yield f"- {fault}: {meaning}"
    yield ""
    yield _row(["client", "act", "result", "whose fault", "why", "fact"])
    yield _row(["---"] * 6)
    for row in EXPLAINED:
        failed = [
            (name, act, result)
            for name, one in ran.items()
            for act, result in one["usual"].items()
            if result["outcome"] != "done" and why(name, act, result) is row
        ]
        if not failed:
            continue
        names = ", ".join(dict.fromkeys(name for name, _, _ in failed))
        acts = ", ".join(dict.fromkeys(act for _, act, _ in failed))
        text = f"{row.text} It passes with {_named(row.switch)}." if row.switch else row.text
        yield _row([names, acts, _short(failed[0][2]), row.fault, text, row.fact])
    yield ""


def _switches(ran: Mapping[str, Any]) -> Iterator[str]:
    sources = dict(_sources())
    tried: dict[str, list[str]] = {}
    for name, one in ran.items():
        for switch, under in one["under"].items():
            changes = tried.setdefault(switch, [])
            for act, result in under["changed"].items():
                changes.append(f"{name}, {act}: {_change(one['usual'][act], result)}")
    yield "Each value was tried with every client that it can concern. [The table of switches](guides/switches.md) has its source.\n"
    yield _row(["switch", "source", "what changes"])
    yield _row(["---"] * 3)
    for switch, changes in tried.items():
        if changes:
            source = " ".join(f"{sources[one.partition('=')[0]]}." for one in switch.split())
            yield _row([_named(switch), source, "; ".join(_gathered(changes))])
    idle = [_named(switch) for switch, changes in tried.items() if not changes]
    yield f"\nNothing changes under {', '.join(idle)}.\n" if idle else ""


def _named(switches: str) -> str:
    return " and ".join(f"`{one}`" for one in switches.split())


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if _short(before) != _short(after):
        return f"{_short(before)}, now {_short(after)}"
    said, says = (one["said"].partition(":")[0] for one in (before, after))
    return f"{_short(before)}, told by `{says}`, no more by `{said}`"


def _gathered(changes: list[str]) -> list[str]:
    """Return the changes, with acts of one client that change alike in one entry."""
    alike: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        who, what = change.split(": ", 1)
        name, act = who.split(", ", 1)
        alike.setdefault((name, what), []).append(act)
    return [f"{name}, {', '.join(acts)}: {what}" for (name, what), acts in alike.items()]


def _sources() -> Iterator[tuple[str, str]]:
    for line in SWITCHES.read_text().splitlines():
        if found := re.fullmatch(r"\| `(\w+)` \| .* \| ([^|]+) \|", line):
            yield found[1], found[2]
