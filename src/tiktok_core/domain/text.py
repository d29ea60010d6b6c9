"""The length of texts. TikTok counts UTF-16 units, as JavaScript's `length` does (an emoji outside the BMP counts 2).

Source: developers.tiktok.com/doc/content-posting-api-reference-direct-post ("UTF-16 runes").
"""

from collections.abc import Iterator

from tiktok_core.errors import Problem

__all__ = ["text_problems", "utf16_units"]


def utf16_units(text: str) -> int:
    """Return the length in UTF-16 units; a lone surrogate counts 1."""
    return len(text) + sum(character > "\uffff" for character in text)


def text_problems(field: str, text: str, limit: int) -> Iterator[Problem]:
    """Yield each problem that prevents sending `text` as `field`."""
    units = utf16_units(text)
    if units > limit:
        yield Problem(field, f"has {units:,} UTF-16 units; TikTok takes at most {limit:,}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        yield Problem(field, "contains half of a surrogate pair, which no encoding can represent")
    if "\0" in text:
        yield Problem(field, "contains a NUL character")
