"""What one file of the corpus is: how it is made, and what TikTok documents about a file that is made in this way.

What belongs here: the labels, and the words of which the commands of the other modules are built.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from typing import Any, Final, TypeAlias

from attrs import frozen

__all__ = [
    "FFMPEG",
    "GSTREAMER",
    "H264",
    "H265",
    "LONG",
    "VP8",
    "VP9",
    "Absent",
    "Label",
    "Limit",
    "Made",
    "Step",
    "copied",
    "ingredient",
    "moving",
    "opened",
    "refused",
    "taken",
]

Step: TypeAlias = "str | partial[None]"
"""A command for the shell, or a function that is called with the folder of the corpus and the path of the new file."""


class Absent(Exception):
    """A program is not on this machine, so the file cannot be made here."""


class Label(StrEnum):
    """What TikTok documents about a file."""

    TAKEN = "taken"
    """TikTok documents it as fine, so it may never be refused."""
    REFUSED = "refused"
    """It breaks a limit that TikTok documents, so it may never pass in silence."""
    OPEN = "open"
    """Nobody knows, so it may pass or be doubted, and never be refused."""


class Limit(StrEnum):
    """Which limit of TikTok's a file breaks."""

    CONTAINER = "container"
    CODEC = "codec"
    RATE = "rate"
    SIDES = "sides"
    DURATION = "duration"
    CUT = "cut"
    SIZE = "size"


@frozen(kw_only=True)
class Made:
    """One file of the corpus.

    Attributes:
        name: the file's name, under which it is posted.
        steps: what makes it, in this order. A command may use `{out}`, the path of the new file, and `{here}`, a folder for what
            lies between. It runs in the folder of the corpus, so it names other files of the corpus as they are called.
        label: what TikTok documents about it; None for a file from which others are made, and which is not judged.
        limit: the limit that a refused file breaks.
        case: the question that the file asks.
        why: what is special about it.
        producer: the program whose bytes the file has.
        most: seconds that the creator may post; the file is then judged as a direct post. None for a draft.
        is_quick: whether `make test` judges it, too.
    """

    name: str
    steps: tuple[Step, ...]
    label: Label | None
    case: str
    why: str
    limit: Limit | None = None
    producer: str = "ffmpeg"
    most: int | None = None
    is_quick: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether the file is posted as a photo."""
        return self.case == "picture"

    @property
    def commands(self) -> Iterator[str]:
        """The commands for the shell."""
        return (step for step in self.steps if isinstance(step, str))

    @property
    def programs(self) -> set[str]:
        """The programs that have to be installed."""
        asked = (getattr(step.func, "programs", ()) for step in self.steps if isinstance(step, partial))
        return {part.split()[0] for command in self.commands for part in command.split("&&")}.union(*asked)

    @property
    def words(self) -> set[str]:
        """Every word of the steps. A word that is the name of another file of the corpus is a file that this one needs."""
        given = (str(word) for step in self.steps if isinstance(step, partial) for word in step.keywords.values())
        text = " ".join((*self.commands, *given))
        return set(text.replace("=", " ").replace(":", " ").replace("'", " ").split())


Maker: TypeAlias = Callable[..., Made]


def _labelled(label: Label, name: str, case: str, why: str, *steps: Step, **more: Any) -> Made:
    return Made(name=name, steps=steps, label=label, case=case, why=why, **more)


def ingredient(name: str, *steps: Step, **more: Any) -> Made:
    """Return a file from which others are made."""
    return Made(name=name, steps=steps, label=None, case="ingredient", why="others are made from it", **more)


def refused(name: str, limit: Limit, case: str, why: str, *steps: Step, **more: Any) -> Made:
    """Return a file that breaks a limit which TikTok documents."""
    return _labelled(Label.REFUSED, name, case, why, *steps, limit=limit, **more)


taken: Final[Maker] = partial(_labelled, Label.TAKEN)
opened: Final[Maker] = partial(_labelled, Label.OPEN)

FFMPEG: Final = "ffmpeg -nostdin -hide_banner -loglevel error -y"
LONG: Final = "longer than ten minutes: "
GSTREAMER: Final = "gst-launch-1.0 -q"
H264: Final = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
H265: Final = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params log-level=none -tag:v hvc1"
VP8: Final = "-c:v libvpx -deadline realtime -cpu-used -8"
"""Below zero, the effort is the same on each machine and at each time."""
VP9: Final = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1"


def moving(size: str = "360x640", rate: str | float = 30, seconds: float = 1, kind: str = "testsrc2") -> str:
    """Return the words by which ffmpeg reads a moving test picture."""
    return f"-f lavfi -i {kind}=size={size}:rate={rate}:duration={seconds}"


def copied(source: str, seconds: float, more: str = "") -> str:
    """Return a command that repeats a film until it lasts so long, without coding it anew."""
    return f"{FFMPEG} -stream_loop -1 -i {source} -t {seconds} -c copy {more} {{out}}"
