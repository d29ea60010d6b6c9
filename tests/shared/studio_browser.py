"""A browser of the local page, as far as its requests go: plain HTTP with the headers that browsers send.

What belongs here: requests and answers. The tests of the page say what they expect.
"""

import http.client
import json
import re
import threading
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from attrs import define, field

__all__ = ["FILM", "WAIT", "Answer", "Browser"]

FILM = Path(__file__).parents[1] / "media" / "good.mp4"
WAIT = 30.0


@define
class Answer:
    """An answer of the page."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, without the spelling of HTML's own characters."""
        return unescape(self.body.decode("utf-8", "replace"))

    @property
    def said(self) -> str:
        """The text that a person sees."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.body.decode())).split())


@define
class Browser:
    """A browser that has opened the page, as far as its requests go.

    Attributes:
        url: the address that the studio printed.
        cookie: what it sends as its cookie; empty before it has entered.
        csrf: the token of the page's forms.
    """

    url: str
    cookie: str = ""
    csrf: str = ""
    host: str = field(init=False)
    place: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host, self.place = parts.netloc, f"/{parts.path.split('/')[1]}"

    def enter(self) -> "Browser":
        """Open the printed address, and keep the cookie."""
        parts = urlsplit(self.url)
        answer = self.send("GET", f"{parts.path}?{parts.query}", site="none")
        assert answer.status == 303, answer.said
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        self.csrf = re.search(r'data-csrf="([^"]+)"', self.get("/").text)[1]  # type: ignore[index]
        return self

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        site: str | None = "same-origin",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request as a browser sends it. A header that is empty is left out."""
        sent = {"Host": self.host, "Cookie": self.cookie, "Sec-Fetch-Site": site or ""}
        if method not in {"GET", "HEAD"}:
            sent["Origin"] = f"http://{self.host}"
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=WAIT)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in (sent | ({"Content-Length": str(len(body))} if body is not None else {})).items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Open a page."""
        return self.send(
            "GET", f"{self.place}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def post(self, path: str, **fields: str) -> Answer:
        """Send a form, and follow where it leads."""
        body = urlencode({"csrf": self.csrf, **fields}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.send("POST", f"{self.place}{path}", body, headers=kind)
        if answer.status == 303:
            return self.send("GET", answer.headers["Location"])
        return answer

    def drop(self, account: str, content: bytes, name: str = "clip.mp4") -> Answer:
        """Drop a film, as the page's script sends it."""
        headers = {"X-Studio-Csrf": self.csrf, "X-Studio-Name": quote(name)}
        return self.send("PUT", f"{self.place}/a/{account}/films", content, headers=headers)

    def given(self, account: str, content: bytes | None = None, name: str = "clip.mp4") -> str:
        """Drop a film, and return the path of its export page."""
        answer = self.drop(account, FILM.read_bytes() if content is None else content, name)
        assert answer.status == 200, answer.said
        path: str = json.loads(answer.body)["go"]
        return path.removeprefix(self.place)

    def until(self, path: str, sign: str) -> Answer:
        """Open a page again until a text stands on it."""
        for _ in range(600):
            answer = self.get(path)
            if sign in answer.said:
                return answer
            threading.Event().wait(0.05)
        raise AssertionError(f"{sign!r} never came: {answer.said}")
