"""A request in parts: method, path, query, headers, and a small body.

What belongs here: reading a request as a careful server does; no rule about the meaning of the values.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from attrs import define

from tiktok_adapters.simulator.answers import OAuthRefused, Refused
from tiktok_core.wire.http import Request

__all__ = ["MAX_BODY", "Call", "TooLarge", "single_values"]

MAX_BODY: Final = 1 << 20
"""The longest body that is read as a whole, in bytes; only videos are longer."""


class TooLarge(Exception):
    """The body is longer than `MAX_BODY`."""


@define(slots=False, eq=False)
class Call:
    """One request, as the modules of the simulator read it."""

    request: Request

    @cached_property
    def path(self) -> str:
        """The path, unchanged."""
        return urlsplit(self.request.url).path or "/"

    @cached_property
    def origin(self) -> str:
        """The scheme, host and port."""
        parts = urlsplit(self.request.url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query's names and values, decoded and in order, including repeated names."""
        return tuple(parse_qsl(urlsplit(self.request.url).query, keep_blank_values=True))

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers, with their names in lower case."""
        return {name.lower(): value.strip() for name, value in self.request.headers.items()}

    @property
    def media_type(self) -> str:
        """`Content-Type` without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def body(self) -> bytes:
        """The whole body.

        Raises:
            TooLarge: the body is longer than `MAX_BODY`.
        """
        if self.request.content_length > MAX_BODY:
            raise TooLarge
        body = self.request.body
        return body if isinstance(body, bytes) else b"".join(body.blocks())

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object.

        Raises:
            Refused: the body is not a JSON object, or its `Content-Type` is not JSON.
        """
        if self.media_type != "application/json":
            raise Refused.param("The Content-Type must be application/json")
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refused.param("The request body is not valid JSON") from None
        if not isinstance(document, dict):
            raise Refused.param("The request body must be a JSON object")
        return document

    def form(self) -> dict[str, str]:
        """Return the fields of a form body.

        Raises:
            OAuthRefused: the body is not a form, or repeats a field.
        """
        if self.media_type != "application/x-www-form-urlencoded":
            raise OAuthRefused("invalid_request", "The request parameters are malformed.")
        try:
            pairs = parse_qsl(self.body.decode(), keep_blank_values=True, errors="strict")
        except ValueError:
            raise OAuthRefused("invalid_request", "The request parameters are malformed.") from None
        values, repeated = single_values(pairs)
        if repeated:
            raise OAuthRefused("invalid_request", f"The parameter {repeated} is repeated.")
        return values

    def bearer(self) -> str:
        """Return the access token of the `Authorization` header, or an empty text."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


def single_values(pairs: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> tuple[dict[str, str], str]:
    """Return the pairs as a dictionary, and the name of a repeated one (or an empty text)."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            return values, name
        values[name] = value
    return values, ""
