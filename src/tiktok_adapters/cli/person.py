"""The person of the demo: opens the page, presses Allow, and lets the browser follow where it leads.

What belongs here: a browser's three requests over HTTP, to this machine and nowhere else.
"""

import http.client
from urllib.parse import urljoin, urlsplit

from tiktok_adapters.simulator.consent import ConsentForm

__all__ = ["consent"]


def consent(page: str) -> int:
    """Consent to everything that the authorization page asks for; return the status of the redirect's own page.

    Raises:
        RuntimeError: the page is not on this machine, refuses the request, or leads nowhere.
    """
    _status, _where, text = _ask("GET", page)
    form = ConsentForm(text)
    if not form.accounts:
        raise RuntimeError(f"the authorization page refuses {form.parameter or 'the request'}")
    target = urlsplit(page)._replace(query="").geturl()
    status, where, _text = _ask("POST", target, form.answered(None, None, allow=True))
    if status != http.client.FOUND:
        raise RuntimeError(f"the authorization page answered {status} in place of a redirect")
    return _ask("GET", urljoin(target, where))[0]


def _ask(method: str, url: str, body: bytes | None = None) -> tuple[int, str, str]:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname != "127.0.0.1":
        raise RuntimeError("the demo asks nobody but this machine")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", ""), answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
