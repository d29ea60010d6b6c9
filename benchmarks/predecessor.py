"""tiktok-api-client, connected to a sink: its code contains TikTok's addresses, so this module redirects its calls.

What belongs here: the redirection, which must cost nothing beside a call.
"""

from typing import Any
from urllib.parse import urlsplit

import requests
import tiktok_api_client.main
from tiktok_api_client import TikTok

__all__ = ["signed_in"]


class _Turned:
    """A replacement for the module `requests` that sends every call of the library to the sink."""

    exceptions = requests.exceptions

    def __init__(self, url: str, certificate: str) -> None:
        self._url = url
        self._verify = certificate or True

    def post(self, url: str, **options: Any) -> requests.Response:
        return requests.post(
            self._url + urlsplit(url).path, verify=self._verify, timeout=options.pop("timeout"), **options
        )

    def put(self, url: str, **options: Any) -> requests.Response:
        return requests.put(url, verify=self._verify, timeout=options.pop("timeout"), **options)


def signed_in(url: str, certificate: str) -> TikTok:
    """Return its client, with tokens."""
    tiktok_api_client.main.requests = _Turned(url, certificate)
    tiktok = TikTok(client_key="key", client_secret="secret", redirect_uri="https://app.example.com/callback/")
    tiktok.exchange_code_for_token("code")
    return tiktok
