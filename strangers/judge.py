"""What came of an act: the client's word, compared with what the simulated TikTok saw.

What belongs here: the names of results, and what has to be true before an act counts as done.
"""

import re
import time
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen
from clients import ACTS, SIZES, Client
from world import World

__all__ = ["Film", "Result", "perform"]

PULLED: Final = "https://media.example.com/videos/evening.mp4"
PHOTOS: Final = ["https://media.example.com/photos/1.jpg", "https://media.example.com/photos/2.webp"]
WORDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "by URL": {"url": PULLED},
    "photos": {"urls": PHOTOS},
    "one photo": {"urls": PHOTOS[:1]},
}
"""What a driver is told beside the name of an act and a file."""
SMALL: Final = "1 MB"
LAST: Final = 20
"""The seconds within which a post has to come to its end."""
VOLATILE: Final = (
    (re.compile(r"\b(act|rft)\.\w+|\b[0-9A-F]{34}\b|(?<=~v2\.)\d+|(?<=~v2-1\.)\d+|0x[0-9a-f]+"), "..."),
    (re.compile(r"(?<![\w/:])(/[\w.-]+){2,}"), "..."),
    (re.compile(r"\s+"), " "),
)


@frozen
class Film:
    """A file to upload, and its digest in hexadecimal."""

    path: str
    sha256: str


@frozen(kw_only=True)
class Result:
    """What came of an act.

    Attributes:
        outcome: `done`; `refused` by TikTok; `error`, the client's own; `unnoticed`: it says that it is done, and it is not.
        code: TikTok's word for the refusal, or `HTTP` and the status where it has none.
        said: what the client said of its failure, or what TikTok lacks.
        adopted: whether the client acted with a sign-in that its driver made, since its own had failed.
    """

    outcome: str
    code: str = ""
    said: str = ""
    adopted: bool = False


def perform(
    world: World, client: Client, acts: tuple[str, ...], films: Mapping[str, Film], switch: str = ""
) -> dict[str, Result]:
    """Do those of the acts that the client can do, in a fresh world; return the results, without acts that could not be tried."""
    world.renew(switch)
    found: dict[str, Result] = {}
    adopted = False
    for act in (one for one in ACTS if one in acts and one in client.acts):
        film = films[act if act in SIZES else SMALL]
        words = WORDS.get(act, {})
        if act == "refresh when revoked":
            world.remove_the_app()
        before, posts = len(world.look("log")), world.look("posts")
        answer = world.ask(
            "upload" if act in SIZES else "photos" if act == "one photo" else act, file=film.path, **words
        )
        if answer is None:
            found[act] = Result(outcome="error", said="It does not end.", adopted=adopted)
            break
        trail = world.look("log")[before:]
        found[act] = _judged(
            answer, trail, lambda act=act, film=film, posts=posts: _lacks(world, act, film, posts), adopted
        )
        if act == "sign in" and found[act].outcome != "done" and "refresh" in client.acts:
            if world.ask("adopt") != {}:
                break  # no sign-in of this world's is possible: the rest cannot be tried
            adopted = True
    return found


def _judged(answer: Mapping[str, str], trail: list[dict[str, Any]], lacks: Any, adopted: bool) -> Result:
    said = answer.get("error", "")
    for pattern, instead in VOLATILE:
        said = pattern.sub(instead, said)
    said = said[:300]
    if "page" in answer:
        return Result(outcome="refused", code=answer["page"], adopted=adopted)
    refusal = _refusal(trail[-1]) if trail else ""
    if said:
        return Result(outcome="refused" if refusal else "error", code=refusal, said=said, adopted=adopted)
    missing = lacks()
    if missing:
        return Result(outcome="unnoticed", code=refusal, said=missing, adopted=adopted)
    return Result(outcome="done", adopted=adopted)


def _refusal(entry: Mapping[str, Any]) -> str:
    if entry["code"] not in {"", "ok"}:
        return str(entry["code"])
    return f"HTTP {entry['status']}" if (entry["status"] or 0) >= 400 else ""


def _lacks(world: World, act: str, film: Film, before: list[dict[str, Any]]) -> str:
    """Return what TikTok lacks after an act of which the client says that it is done; empty if nothing."""
    signed_in = bool(world.look("sign-ins"))
    if act in {"revoke", "refresh when revoked"}:
        return "TikTok still has the sign-in." if signed_in else "" if act == "revoke" else "TikTok gave no tokens."
    if not signed_in:
        return "TikTok has no sign-in."
    if act not in {*SIZES, *WORDS, "draft"}:
        return ""
    known = {post["publish_id"] for post in before}
    for _ in range(LAST * 4):
        new = [post for post in world.look("posts") if post["publish_id"] not in known]
        if len(new) == 1 and not new[0]["status"].startswith("PROCESSING"):
            break
        time.sleep(0.25)
    else:
        return f"TikTok has {len(new)} new posts: {', '.join(post['status'] for post in new)}."
    post = new[0]
    wanted: dict[str, Any] = {"status": "SEND_TO_USER_INBOX" if act == "draft" else "PUBLISH_COMPLETE"}
    if act in WORDS:
        wanted["urls"] = WORDS[act].get("urls", [PULLED])
    else:
        wanted["sha256"] = film.sha256
    wrong = [f"{name} is {post[name]!r}" for name, value in wanted.items() if post[name] != value]
    return f"Of the post, {', '.join(wrong)}." if wrong else ""
