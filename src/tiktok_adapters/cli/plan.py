"""`tiktok plan` and `tiktok explain`: answers that need neither an account nor an app.

What belongs here: commands that send TikTok no request.
"""

import re
from typing import Final

import click
from attrs import asdict

from tiktok_adapters.cli.common import BYTES, common, settings
from tiktok_adapters.cli.output import show
from tiktok_adapters.cli.spelling import near, spelled
from tiktok_core import App, ChunkPlan, InvalidInput, Problem, VideoPost, plan_chunks
from tiktok_core import explain as explanation_of
from tiktok_core.domain.names import is_url
from tiktok_core.domain.refusals import REFUSALS

__all__ = ["explain", "plan", "plan_document"]


@click.command(short_help="Show how a video is cut into chunks.")
@click.argument("video", metavar="FILE|URL|BYTES")
@click.option("--chunk-size", type=BYTES, metavar="BYTES", help="Bytes of a chunk (default: the library chooses).")
@common
def plan(video: str, chunk_size: int | None) -> None:
    """Show how a video is cut into chunks, from its file, from what lies at a URL, or from its size.

    Example: tiktok plan 70_000_000
    """
    found = plan_chunks(_size_of(video), chunk_size)
    chunks = "one chunk" if found.total_chunk_count == 1 else f"{found.total_chunk_count} chunks"
    show(
        plan_document(found),
        f"{found.video_size:,} bytes in {chunks}, chunk_size {found.chunk_size:,}",
        *(
            f"{number:>5}  bytes {first}-{last}  ({last - first + 1:,})"
            for number, (first, last) in enumerate(found.ranges(), 1)
        ),
    )


FAULTS: Final = {
    "developer": "the developer's fault",
    "app": "the fault of the app's settings",
    "user": "the user's fault",
    "tiktok": "TikTok's fault",
}


@click.command(short_help="Explain a refusal, and what to do about it.")
@click.argument("code", metavar="[CODE]", required=False)
@common
def explain(code: str | None) -> None:
    """Explain an error code, a word of TikTok's sign-in page or a fail reason, and say what to do. Without CODE: list them all.

    Example: tiktok explain spam_risk_too_many_posts
    """
    if code is None:
        documents = [{"code": one, **asdict(why)} for one, why in REFUSALS.items()]
        show({"codes": documents}, *(f"{one}: {why.meaning}" for one, why in REFUSALS.items()))
        return
    code = spelled(code.strip(), REFUSALS)
    found = explanation_of(code)
    if found is None:
        said = near(code, REFUSALS) or "; 'tiktok explain' lists them all"
        sentence = f"{code!r} is not a code that TikTok's documents or its users mention{said}"
        raise InvalidInput((Problem("code", sentence),))
    again = f"Try again {found.retry_when}." if found.retry_helps else "The same call will not succeed later."
    head = f"{code} (about the {found.about}; {FAULTS[found.fault]})"
    show({"code": code, **asdict(found)}, head, found.meaning, again, found.advice)


def plan_document(found: ChunkPlan) -> dict[str, object]:
    """Return the document of a plan."""
    return {
        "video_size": found.video_size,
        "chunk_size": found.chunk_size,
        "total_chunk_count": found.total_chunk_count,
        "chunks": [list(chunk) for chunk in found.ranges()],
    }


def _size_of(video: str) -> int:
    if re.fullmatch(r"[0-9][0-9_,]*", video, re.ASCII):
        return BYTES.convert(video, None, None)
    if is_url(video):
        return _size_elsewhere(video)
    from tiktok_adapters.sources import FileSource  # noqa: PLC0415

    with FileSource(video) as source:
        return source.size


def _size_elsewhere(url: str) -> int:
    """Return the size of what lies at a URL, as a client opens it. No app is needed for that, so any will do."""
    import os  # noqa: PLC0415 - for a URL only

    from tiktok_adapters.assembly import connect  # noqa: PLC0415
    from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore  # noqa: PLC0415

    app, home = App("none", "none", "http://127.0.0.1:*/callback/"), settings().home
    with connect(
        app, home=home, environ=os.environ, probe=False, tokens=MemoryTokenStore(), journal=MemoryJournal()
    ) as tiktok:
        found = tiktok.check_video(url, VideoPost(draft=True), upload=True).plan
    return found.video_size if found is not None else 0
