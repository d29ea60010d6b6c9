"""What the tests of the simulator share: a virtual clock, the simulator, and a client that knows only JSON."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import define, field

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import (
    API_URL,
    AUTH_URL,
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_SCOPES,
    App,
    SimulatedTikTok,
    callback_values,
)
from tiktok_core.wire.http import Body, Request, Response

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = hashlib.sha256(VERIFIER.encode()).hexdigest()
LOOPBACK = "http://127.0.0.1:3455/callback/"
JSON = {"Content-Type": "application/json; charset=UTF-8"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def film(size: int) -> bytes:
    """Return so many bytes, which begin as a video does."""
    return (b"\0\0\0\x18ftypisom" + b"v" * size)[:size]


@define
class Answer:
    """A status and a document."""

    status: int
    document: Any
    headers: Any

    @property
    def data(self) -> Any:
        """The envelope's data."""
        return self.document["data"]

    @property
    def code(self) -> str:
        """The envelope's or the flat error's code."""
        error = self.document.get("error", "ok")
        return error if isinstance(error, str) else error["code"]


@define
class Play:
    """A client that sends plain requests to a simulator, one after another."""

    sim: SimulatedTikTok
    clock: ManualClock
    verifier: str = VERIFIER
    secret: str = DEFAULT_CLIENT_SECRET
    client_key: str = DEFAULT_CLIENT_KEY
    tokens: dict[str, dict[str, Any]] = field(factory=dict)

    def authorize_url(self, **changes: str | None) -> str:
        """Return a valid authorization URL with some parameters changed; a parameter that is None is left out."""
        parameters: dict[str, str | None] = {
            "client_key": self.client_key,
            "scope": ",".join(DEFAULT_SCOPES),
            "response_type": "code",
            "redirect_uri": LOOPBACK,
            "state": "st&<ate>",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{AUTH_URL}?{urlencode({k: v for k, v in parameters.items() if v is not None})}"

    def code(self, *, account: str | None = None, scopes: Sequence[str] | None = None, **changes: str | None) -> str:
        """Consent, and return the code."""
        url = self.sim.authorize(self.authorize_url(**changes), account=account, scopes=scopes)
        return callback_values(url)["code"]

    def form(self, path: str, **fields: str | None) -> Answer:
        """Post a form with the app's credentials; a field that is None is left out."""
        every = {"client_key": self.client_key, "client_secret": self.secret, **fields}
        body = urlencode({name: value for name, value in every.items() if value is not None}).encode()
        return self.send(Request(method="POST", url=API_URL + path, headers=FORM, body=body))

    def exchange(self, given: str, /, **changes: str | None) -> Answer:
        """Exchange a code."""
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": given,
            "redirect_uri": LOOPBACK,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.form("/v2/oauth/token/", **fields)

    def refresh(self, token: str) -> Answer:
        """Refresh."""
        return self.form("/v2/oauth/token/", grant_type="refresh_token", refresh_token=token)

    def sign_in(self, account: str | None = None, scopes: Sequence[str] | None = None) -> dict[str, Any]:
        """Sign in, and return the tokens."""
        answer = self.exchange(self.code(account=account, scopes=scopes))
        assert "access_token" in answer.document, answer
        return dict(answer.document)

    def token(self, account: str | None = None) -> str:
        """Return an access token, signing in only once for each account."""
        known = account or ""
        if known not in self.tokens:
            self.tokens[known] = self.sign_in(account)
        return str(self.tokens[known]["access_token"])

    def post(self, path: str, body: object = None, *, token: str | None = None) -> Answer:
        """Call the API with a JSON body."""
        content = b"" if body is None else json.dumps(body).encode()
        return self.send(Request(method="POST", url=API_URL + path, headers=self._headers(token), body=content))

    def get(self, path: str, *, token: str | None = None) -> Answer:
        """Call the API with GET."""
        return self.send(Request(method="GET", url=API_URL + path, headers=self._headers(token)))

    def _headers(self, token: str | None) -> dict[str, str]:
        return {**JSON, "Authorization": f"Bearer {token or self.token()}"}

    def send(self, request: Request) -> Answer:
        """Send a request and read its answer as JSON."""
        response = self.sim.handle(request)
        try:
            document = json.loads(response.body or b"{}")
        except ValueError:
            document = response.body
        return Answer(response.status, document, response.headers)

    # --- Posting ------------------------------------------------------------------------------------------------------

    def video(self, size: int = 100, chunk: int | None = None, *, token: str | None = None, **info: object) -> Answer:
        """Begin a direct post of a file."""
        post_info = {"title": "clip", "privacy_level": "SELF_ONLY", **info}
        body = {"post_info": post_info, "source_info": self.source(size, chunk)}
        return self.post("/v2/post/publish/video/init/", body, token=token)

    def pull(self, url: str = "https://media.example.com/a.mp4", *, token: str | None = None, **info: object) -> Answer:
        """Begin a direct post from a URL."""
        post_info = {"title": "clip", "privacy_level": "SELF_ONLY", **info}
        body = {"post_info": post_info, "source_info": {"source": "PULL_FROM_URL", "video_url": url}}
        return self.post("/v2/post/publish/video/init/", body, token=token)

    def draft(self, size: int = 100, *, token: str | None = None, **more: object) -> Answer:
        """Begin a draft from a file."""
        return self.post("/v2/post/publish/inbox/video/init/", {"source_info": self.source(size), **more}, token=token)

    def photos(self, mode: str = "DIRECT_POST", *, token: str | None = None, **changes: object) -> Answer:
        """Begin a post of two photos."""
        body: dict[str, object] = {
            "media_type": "PHOTO",
            "post_mode": mode,
            "post_info": {"title": "doors", "privacy_level": "SELF_ONLY"},
            "source_info": {
                "source": "PULL_FROM_URL",
                "photo_images": ["https://media.example.com/1.jpg", "https://media.example.com/2.webp"],
                "photo_cover_index": 1,
            },
            **changes,
        }
        return self.post("/v2/post/publish/content/init/", body, token=token)

    @staticmethod
    def source(size: int, chunk: int | None = None) -> dict[str, object]:
        """Return a chunk plan whose count is rounded down."""
        chunk = chunk or size
        count = size // max(1, chunk)
        return {"source": "FILE_UPLOAD", "video_size": size, "chunk_size": chunk, "total_chunk_count": count}

    def put(self, url: str, first: int, body: Body, total: int, **headers: str) -> Response:
        """Send a chunk."""
        length = len(body) if isinstance(body, bytes) else body.length
        every = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{first + length - 1}/{total}"}
        every |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.sim.handle(Request(method="PUT", url=url, headers=every, body=body))

    def upload(self, begun: Answer, size: int = 100) -> str:
        """Send a whole file in one chunk and return the publish id."""
        answer = self.put(begun.data["upload_url"], 0, film(size), size)
        assert answer.status == 201
        return str(begun.data["publish_id"])

    def status(self, publish_id: str, *, token: str | None = None) -> Answer:
        """Fetch the status of a post."""
        return self.post("/v2/post/publish/status/fetch/", {"publish_id": publish_id}, token=token)

    def cancel(self, publish_id: str, *, token: str | None = None) -> Answer:
        """Cancel a pull."""
        return self.post("/v2/post/publish/cancel/", {"publish_id": publish_id}, token=token)


@pytest.fixture
def clock() -> ManualClock:
    """A virtual clock."""
    return ManualClock()


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[SimulatedTikTok]:
    """A simulator with its defaults."""
    simulator = SimulatedTikTok(clock)
    yield simulator
    simulator.close()


@pytest.fixture
def play(sim: SimulatedTikTok, clock: ManualClock) -> Play:
    """A client of that simulator."""
    return Play(sim, clock)


@pytest.fixture(scope="session")
def new_play() -> Iterator[Callable[[], Play]]:
    """A function that makes a client with a new simulator, for tests that need one for each example."""
    made: list[SimulatedTikTok] = []

    def make() -> Play:
        clock = ManualClock()
        made.append(SimulatedTikTok(clock))
        return Play(made[-1], clock)

    yield make
    for simulator in made:
        simulator.close()


@pytest.fixture
def second_app(sim: SimulatedTikTok) -> App:
    """Another app."""
    app = App(client_key="awother000000001", client_secret="other-secret")
    sim.apps.append(app)
    return app
