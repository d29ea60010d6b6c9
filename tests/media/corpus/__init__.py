"""A corpus of media files, as the commands that make them. `tests/media/make.py` makes the files; `test_corpus.py` judges by them.

The label of a file follows from its command and from what TikTok documents, never from what this library says about it:

- `taken`: TikTok documents it as fine;
- `refused`: it breaks a limit that TikTok documents: container, codec, rate, sides, duration, size, or the file is not whole;
- `open`: nobody knows.

Modules, in the order of reading: `made` (what one file is), `patches`, `recorder` and `pillow` (how a file is made where no
command makes it), then the files: `ingredients`, `no_video`, `containers`, `fragments`, `live`, `durations`, `limits`, `rates`, `pictures`.

Sources of what TikTok documents: developers.tiktok.com/doc/content-posting-api-media-transfer-guide. The library rounds in
favour of who posts: 60.02 frames a second are 60, 600.9 seconds are 600. A file within such a margin is `taken`.
"""

from typing import Final

from corpus.containers import CUT, FIRST_BOXES, UNKNOWN_CODECS
from corpus.durations import EDITS, LENGTHS, UNKNOWN_LENGTHS
from corpus.fragments import FRAGMENTS
from corpus.ingredients import INGREDIENTS
from corpus.limits import CODECS, LENGTHS_TOLD, RATES, SIDES
from corpus.live import LIVE
from corpus.made import Absent, Label, Limit, Made
from corpus.no_video import NO_VIDEO
from corpus.pictures import PICTURES
from corpus.rates import MISLEADING, TRACKS, VARYING

__all__ = ["CORPUS", "INGREDIENTS", "Absent", "Label", "Limit", "Made"]

CORPUS: Final[tuple[Made, ...]] = (
    *NO_VIDEO,
    *FIRST_BOXES,
    *UNKNOWN_CODECS,
    *CUT,
    *FRAGMENTS,
    *LENGTHS,
    *LIVE,
    *UNKNOWN_LENGTHS,
    *EDITS,
    *CODECS,
    *RATES,
    *SIDES,
    *LENGTHS_TOLD,
    *VARYING,
    *MISLEADING,
    *TRACKS,
    *PICTURES,
)
"""The files that are judged. A file may be made from one that stands before it, and from the ingredients."""
