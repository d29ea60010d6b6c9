"""A page as a small tree: what of it is seen, and what a browser would send from its form.

What belongs here: the part of HTML's rules that the tests of pages need.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from attrs import define, field

__all__ = ["Node", "sent_from", "tree"]

EMPTY: Final = {"img", "input", "link", "meta"}


@define(eq=False)
class Node:
    """An element: its name, its attributes, and what is in it. An attribute without a value is empty text."""

    tag: str
    attributes: dict[str, str]
    parent: "Node | None" = None
    inner: "list[Node | str]" = field(factory=list)

    def all(self, tag: str = "", **attributes: str) -> "list[Node]":
        """Return the elements below with a name and attributes; an underscore stands for a hyphen."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self.below() if tag in ("", one.tag) and wanted.items() <= one.attributes.items()]

    def one(self, tag: str = "", **attributes: str) -> "Node":
        """Return the only such element."""
        (found,) = self.all(tag, **attributes)
        return found

    def below(self) -> "Iterator[Node]":
        """Yield every element below, in the order of the page."""
        for one in self.inner:
            if isinstance(one, Node):
                yield one
                yield from one.below()

    @property
    def is_seen(self) -> bool:
        """Whether neither the element nor one around it is hidden."""
        return "hidden" not in self.attributes and (self.parent is None or self.parent.is_seen)

    @property
    def is_disabled(self) -> bool:
        """Whether a person cannot use the control."""
        return "disabled" in self.attributes

    @property
    def whole(self) -> str:
        """The text below, hidden or not."""
        return "".join(one if isinstance(one, str) else one.whole for one in self.inner)

    @property
    def seen(self) -> str:
        """The text below that people see."""
        if not self.is_seen:
            return ""
        return "".join(one if isinstance(one, str) else one.seen for one in self.inner)

    def described(self, root: "Node") -> str:
        """Return what a screen reader says as the description of the control."""
        names = self.attributes.get("aria-describedby", "").split()
        return " ".join(root.one(id=name).seen for name in names)


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.open = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice"
        node = Node(tag, {name: value or "" for name, value in attrs}, self.open)
        self.open.inner.append(node)
        if tag not in EMPTY:
            self.open = node

    def handle_endtag(self, tag: str) -> None:
        assert self.open.tag == tag, f"</{tag}> ends <{self.open.tag}>"
        assert self.open.parent is not None
        self.open = self.open.parent

    def handle_data(self, data: str) -> None:
        self.open.inner.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def tree(page: str) -> Node:
    """Return a page as a tree. Each element must have its end, and each id and each reference must be unique and lead somewhere."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    assert builder.open is builder.root, f"<{builder.open.tag}> has no end"
    ids = [one.attributes["id"] for one in builder.root.below() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), ids
    for one in builder.root.below():
        for attribute in ("aria-describedby", "aria-labelledby", "for"):
            assert set(one.attributes.get(attribute, "").split()) <= set(ids), one
        if one.attributes.get("href", "").startswith("#"):
            assert one.attributes["href"][1:] in ids, one
    return builder.root


def sent_from(page: Node, button: str) -> dict[str, str]:
    """Return the fields that a browser sends when a person presses a button of the form, by its value.

    Raises:
        AssertionError: the button is not there or is disabled.
    """
    form = page.one("form")
    pressed = form.one("button", value=button)
    assert not pressed.is_disabled, f"{button} is disabled"
    fields: dict[str, str] = {}
    for one in form.below():
        name = one.attributes.get("name")
        if name is None or one.is_disabled or (one.tag == "button" and one is not pressed):
            continue
        if one.tag == "select":
            chosen = [
                option for option in one.all("option") if "selected" in option.attributes and not option.is_disabled
            ]
            value = (chosen or one.all("option"))[0].attributes["value"]
        elif one.tag == "textarea":
            value = one.whole.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\n").replace("\n", "\r\n")
        elif one.attributes.get("type") == "checkbox" and "checked" not in one.attributes:
            continue
        else:
            value = one.attributes["value"]
        assert name not in fields, name
        fields[name] = value
    return fields
