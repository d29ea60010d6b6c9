"""The spelling of HTML: one function that writes an element, and one that makes any text safe to stand in it.

What belongs here: escaping. Every text and every value of an attribute passes through `plain`.
"""

import re
from html import escape
from typing import Final

__all__ = ["element", "filled", "identity", "plain", "references", "sayable"]

EMPTY: Final = frozenset({"img", "input", "link", "meta"})
"""Elements that have no end tag."""
PREFIX: Final = "tiktok-"
"""Begins each id, so that none is one of the app's own template."""
NAME: Final = re.compile(r"\{([a-z]+)\}")
UNSAID: Final = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}
"""Characters that no HTML document can hold: NUL, and halves of surrogate pairs, which no encoding represents."""


def plain(value: str) -> str:
    """Return a text as HTML that shows this text and nothing else."""
    return escape(sayable(value))


def sayable(value: str) -> str:
    """Return a text as a document can hold it: what it cannot hold is replaced by U+FFFD, as browsers do with NUL."""
    return value.translate(UNSAID)


def identity(name: str) -> str:
    """Return the id of a control, or of a part that belongs to one."""
    return PREFIX + name


def references(*names: str) -> str | None:
    """Return the value of an attribute that refers to parts of the page by their ids; None if there are none."""
    return " ".join(identity(name) for name in names if name) or None


def element(tag: str, /, *inner: str, **attributes: str | bool | None) -> str:
    """Return an element.

    Args:
        tag: its name.
        inner: its content, which is HTML already.
        attributes: by name, with an underscore for each hyphen and one after a Python keyword. An attribute that is None or
            False is left out, and one that is True stands without a value.
    """
    spelled = [
        key.rstrip("_").replace("_", "-") + ("" if value is True else f'="{plain(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    ]
    start = f"<{' '.join((tag, *spelled))}>"
    return start if tag in EMPTY else f"{start}{''.join(inner)}</{tag}>"


def filled(template: str, **values: str) -> str:
    """Return a text as HTML with values in place of its names in braces; a name without a value stays as it is written.

    Args:
        template: the text, as a translator wrote it.
        values: HTML by name.
    """
    return NAME.sub(lambda found: values.get(found[1], found[0]), plain(template))
