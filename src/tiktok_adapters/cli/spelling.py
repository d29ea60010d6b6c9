"""Forgive spelling: take a word for the known one that it plainly means, and name near words for one that is unknown.

What belongs here: comparing words. Which words are known is said where they are used.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import click

__all__ = ["ForgivingGroup", "OneOf", "Spelling", "near", "spelled"]

MOST_NEAR: Final = 3
FEW: Final = 5
"""So many names can be listed in a sentence."""

if TYPE_CHECKING:
    TextType = click.ParamType[str]
else:
    TextType = click.ParamType  # Before click 8.4 the class cannot be subscripted.


def spelled(word: str, known: Iterable[str]) -> str:
    """Return the one known word that differs at most in case, hyphens, underscores and blanks; otherwise the word itself."""
    words = list(known)
    if word in words:
        return word
    meant = [one for one in words if _plain(one) == _plain(word)]
    return meant[0] if len(meant) == 1 else word


def near(word: str, known: Iterable[str]) -> str:
    """Return a clause that names the known words that are near, to stand after a sentence; empty if none is.

    Those that have all parts of the word come first, in any order: `publish_id_invalid`, `banned`.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

    plain = {_plain(one): one for one in known}
    parts = {part for part in re.split(r"[-_\s]+", word.lower()) if len(part) > 1}
    having = [one for one in plain.values() if parts and parts <= set(re.split(r"[-_\s]+", one.lower()))]
    alike = [plain[one] for one in get_close_matches(_plain(word), list(plain), MOST_NEAR)]
    found = list(dict.fromkeys([*having, *alike]))[:MOST_NEAR]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _plain(word: str) -> str:
    return re.sub(r"[-_\s]", "", word).lower()


class Spelling(TextType):
    """A word of a list, in any spelling. An unknown word stays as it is: TikTok may have added it."""

    name = "word"

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's
        """Return the known word, or the given one."""
        return spelled(str(value), self._known)


class OneOf(Spelling):
    """One of a few words, in any spelling. Unlike those of `Spelling`, they are ours, so an unknown one is a mistake."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the known word."""
        word = super().convert(value, param, ctx)
        if word not in self._known:
            self.fail(f"{word!r} is not one of {', '.join(self._known)}{near(word, self._known)}", param, ctx)
        return word

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002 - click's
        """Return what the help shows."""
        return f"[{'|'.join(self._known)}]"


class ForgivingGroup(click.Group):
    """A group that takes a command's name in any spelling, and names near ones for an unknown name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first argument."""
        names = self.list_commands(ctx)
        word = spelled(args[0], names)
        if word not in names and not word.startswith("-"):
            listed = f"; there are {', '.join(names)}" if len(names) <= FEW else ""
            ctx.fail(f"No such command {word!r}{near(word, names) or listed}")
        return super().resolve_command(ctx, [word, *args[1:]])
