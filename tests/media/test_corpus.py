"""How well the library tells what TikTok takes, judged by a corpus of generated files that somebody else labelled.

`make test` and `make check` make and judge the few files that need ffmpeg alone; `CORPUS=all` all of them, as `make prove-media`
does. What belongs here: what has to hold for a file of each label, and the table of what was said. `corpus` has the files.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from attrs import frozen

from corpus import CORPUS, INGREDIENTS, Label, Limit, Made
from make import Kitchen, needed
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.probes import usual_probe
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, CreatorInfo, InvalidPost, PhotoPost, TikTok, VideoPost
from tiktok_core.ports import Probe

IS_WHOLE: Final = os.environ.get("CORPUS") == "all"
FOLDER: Final = os.environ.get("CORPUS_FOLDER", "")
"""Where the files lie from run to run; without it, they are made for this run alone."""
MOST_DOUBTS: Final = 0.1
"""Which part of all files may be doubted: a warning that is always there is one that nobody reads."""
PASSED, DOUBTED, REFUSED = "passed", "doubted", "refused"


@frozen
class Verdict:
    """What the library said about a file: whether it passed, was doubted or refused, and in which words."""

    made: Made
    said: str
    words: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether the file's label forbids this."""
        forbidden = PASSED if self.made.label is Label.REFUSED else REFUSED
        return self.said == forbidden

    def __str__(self) -> str:
        label = f"{self.made.label} ({self.made.limit})" if self.made.limit else str(self.made.label)
        return f"{self.made.name} [{self.made.producer}: {self.made.why}] is {label}, and was {self.said} {self.words}".rstrip()


class Ears(logging.Handler):
    """Keep the warnings of the library's logger."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a warning."""
        self.heard.append(record.getMessage())


@contextmanager
def client(probe: Probe | None) -> Iterator[TikTok]:
    """Give a blocking client in memory."""
    clock = ManualClock()
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    with closing(SimulatedTikTok(clock)) as simulator:
        yield TikTok(
            app,
            transport=FakeTransport(simulator.handle),
            tokens=MemoryTokenStore(),
            journal=MemoryJournal(),
            clock=clock,
            open_source=open_source,
            probe=probe,
        )


def judged(tiktok: TikTok, folder: Path, made: Made) -> Verdict:
    """Ask the library about a file."""
    log, ears = logging.getLogger("tiktok_core"), Ears()
    log.addHandler(ears)
    try:
        _check(tiktok, folder / made.name, made)
    except InvalidPost as error:
        return Verdict(made, REFUSED, "; ".join(problem.message for problem in error.problems))
    finally:
        log.removeHandler(ears)
    return Verdict(made, DOUBTED, "; ".join(ears.heard)) if ears.heard else Verdict(made, PASSED)


def _check(tiktok: TikTok, path: Path, made: Made) -> None:
    if made.is_picture:
        url = f"https://media.example.com/{made.name}"
        tiktok.check_photos(PhotoPost(photo_images=(url,), draft=True), files=[path])
    elif made.most is None:
        tiktok.check_video(path, VideoPost(draft=True))
    else:
        creator = CreatorInfo(
            creator_username="someone",
            creator_nickname="Someone",
            privacy_level_options=("SELF_ONLY",),
            max_video_post_duration_sec=made.most,
        )
        tiktok.check_video(path, VideoPost(privacy_level="SELF_ONLY"), creator=creator)


def show(what: str, verdicts: list[Verdict]) -> None:
    """Print how many files of each label passed, were doubted and were refused."""
    counts = Counter((verdict.made.label, verdict.said) for verdict in verdicts)
    print(f"\n\n{what}\n{'label':10}{PASSED:>10}{DOUBTED:>10}{REFUSED:>10}")
    for label in Label:
        print(f"{label:10}{counts[label, PASSED]:10}{counts[label, DOUBTED]:10}{counts[label, REFUSED]:10}")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine")
def test_the_library_tells_what_tiktok_takes() -> None:
    """It refuses nothing that TikTok may take, passes nothing in silence that TikTok refuses, and doubts little.

    It needs no probe for that, and a probe spoils nothing.
    """
    pytest.importorskip("pymediainfo", reason="the extra `media` is not installed")
    chosen = [made for made in CORPUS if IS_WHOLE or made.is_quick]
    with TemporaryDirectory() as folder, client(usual_probe()) as tiktok, client(None) as base:
        kitchen = Kitchen(Path(FOLDER or folder).absolute())
        kitchen.make(made.name for made in chosen)
        there = [made for made in chosen if (kitchen.folder / made.name).exists()]
        verdicts = [judged(tiktok, kitchen.folder, made) for made in there]
        without = [judged(base, kitchen.folder, made) for made in there]
    show("with the extra `media`", verdicts)
    show("the base alone", without)
    wrong = [verdict for verdict in (*verdicts, *without) if verdict.is_wrong]
    doubts = [verdict for verdict in verdicts if verdict.said == DOUBTED]
    print(f"\n{len(wrong)} wrong, {len(doubts)} doubted, {len(kitchen.absent)} not made here")
    print(*(f"wrong: {verdict}" for verdict in wrong), *(f"doubted: {verdict}" for verdict in doubts), sep="\n")
    print(*(f"not made here: {name}: {why}" for name, why in kitchen.absent.items()), sep="\n")
    assert not kitchen.failed
    assert there
    assert [str(verdict) for verdict in wrong] == []
    assert len(doubts) <= MOST_DOUBTS * len(verdicts)


# --- The corpus itself ------------------------------------------------------------------------------------------------


def test_every_file_has_a_label_that_can_be_checked() -> None:
    """No two files share a name, what is refused says which limit it breaks, and what a file is made of stands before it."""
    order = [made.name for made in (*INGREDIENTS, *CORPUS)]
    assert len(order) == len(set(order))
    assert [made.name for made in CORPUS if (made.label is Label.REFUSED) != (made.limit is not None)] == []
    later = {
        made.name: [one.name for one in needed([made.name]) if order.index(one.name) > order.index(made.name)]
        for made in CORPUS
    }
    assert [name for name, needs in later.items() if needs] == []


def test_no_case_rests_on_one_file() -> None:
    """Every question is asked with at least three files, and every limit is broken by at least three."""
    cases, limits = Counter(made.case for made in CORPUS), Counter(made.limit for made in CORPUS)
    assert [case for case, count in cases.items() if count < 3] == []
    assert [limit for limit in Limit if limits[limit] < 3] == []


def test_what_runs_everywhere_needs_ffmpeg_alone() -> None:
    """Whoever has ffmpeg can judge the quick part."""
    programs = {program for made in needed(made.name for made in CORPUS if made.is_quick) for program in made.programs}
    assert programs == {"ffmpeg"}
