"""A value that does not show itself: what every secret is held in, wherever a crash report could look.

What belongs here: the cover, and nothing about what it covers. A crash report shows each local variable of each frame: its
`repr`, and what containers and attributes hold. So a secret lies in a variable, an attribute or a container only under this
cover, and is revealed only within the expression that gives it away.
"""

from typing import Generic, NoReturn, TypeVar

__all__ = ["Hidden"]

T_co = TypeVar("T_co", covariant=True)


class Hidden(Generic[T_co]):
    """A value that shows itself neither in `repr`, `str` nor `format`, and that is not pickled or copied.

    Two are equal when their contents are.
    """

    __slots__ = ("_content",)

    def __init__(self, content: T_co, /) -> None:
        self._content = content

    def reveal(self) -> T_co:
        """Return the content."""
        return self._content

    def __repr__(self) -> str:
        return f"{type(self).__name__}('***')"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and bool(self._content == other._content)

    def __hash__(self) -> int:
        return hash(self._content)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled: keep tokens in a token store")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret has no state to be kept: keep tokens in a token store")
