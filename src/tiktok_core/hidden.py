"""A wrapper that hides its value from crash reports. The library keeps every secret in one.

This module holds the wrapper, and nothing about what it wraps. A crash report shows the `repr` of each local variable in each
frame, and the contents of containers and attributes. So the library keeps a secret in a variable, attribute or container only
inside this wrapper, and reveals it only within the expression that passes it on.
"""

from typing import Generic, NoReturn, TypeVar

__all__ = ["Hidden"]

T_co = TypeVar("T_co", covariant=True)


class Hidden(Generic[T_co]):
    """A wrapper that shows its content neither in `repr`, `str` nor `format`, and that cannot be pickled or copied.

    Two wrappers are equal if their contents are equal.
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
