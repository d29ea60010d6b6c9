"""What is known of a film's file, for the tool that checks it.

What belongs here: reading a file in a thread. What TikTok takes is a rule of the core.
"""

from tiktok_adapters.agents.answers import Data, FilmFacts
from tiktok_adapters.sources.files import FileSource
from tiktok_core.domain.containers import film

__all__ = ["facts_of"]


def facts_of(path: str) -> FilmFacts:
    """Return what a file says about itself.

    Raises:
        SourceChanged: it cannot be read.
    """
    with FileSource(path) as source:
        size, facts = source.size, film(source.size, source.read).facts
    return FilmFacts(
        size=size,
        codec=None if facts.codec is None else Data(untrusted_text=facts.codec),
        frame_rate=facts.frame_rate,
        width=facts.width,
        height=facts.height,
        duration=facts.duration,
    )
