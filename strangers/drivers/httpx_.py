"""Drives httpx."""

from collections.abc import Mapping

import httpx
from documented import acts_of
from driver import serve

client = httpx.Client(timeout=60)


def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    answer = client.request(method, url, headers=headers, content=body)
    return answer.status_code, answer.content


serve(acts_of(send))
