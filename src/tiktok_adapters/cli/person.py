"""The simulated person of the demo: opens the page, presses Allow, and follows the redirect.

What belongs here: a browser's three HTTP requests, which go to this machine only.
"""

import http.client
from urllib.parse import urljoin, urlsplit

from tiktok_adapters.simulator.consent import ConsentForm
from tiktok_core import Secret
from tiktok_core.hidden import Hidden

__all__ = ["consent"]


def consent(page: str | Secret) -> int:
    """Consent to everything that the authorization page asks for. Return the HTTP status of the redirect's page.

    Raises:
        RuntimeError: the page is not on this machine, refuses the request, or does not redirect.
    """
    asked = Secret(page)
    del page  # It holds the state, and a crash report would show it.
    form = Hidden(ConsentForm(_ask("GET", asked)[2].reveal()))
    if not form.reveal().accounts:
        raise RuntimeError(f"the authorization page refuses {form.reveal().parameter or 'the request'}")
    target = asked.reveal().partition("?")[0]
    status, where, _text = _ask("POST", Secret(target), Hidden(form.reveal().answered(None, None, allow=True)))
    if status != http.client.FOUND:
        raise RuntimeError(f"the authorization page answered {status} instead of a redirect")
    return _ask("GET", Secret(urljoin(target, where.reveal())))[0]


def _ask(method: str, url: Secret, body: Hidden[bytes] | None = None) -> tuple[int, Secret, Secret]:
    parts = Hidden(urlsplit(url.reveal()))
    if parts.reveal().scheme != "http" or parts.reveal().hostname != "127.0.0.1":
        raise RuntimeError("the demo contacts only this machine")
    connection = http.client.HTTPConnection("127.0.0.1", parts.reveal().port, timeout=10)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        connection.request(
            method,
            parts.reveal()._replace(scheme="", netloc="").geturl(),
            None if body is None else body.reveal(),
            headers,
        )
        answer = connection.getresponse()
        where = Secret(answer.getheader("Location", ""))
        return answer.status, where, Secret(answer.read().decode("utf-8", "replace"))
    finally:
        connection.close()
