"""The snippets in the documentation of `tiktok-api-client` run unchanged, except for the import line."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tiktok_adapters.simulator import App, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer

FILE = Path(__file__).with_name("snippets.md")
BLOCK: Final = re.compile(r"^```(python|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILM = Path(__file__).parents[1] / "media" / "good.mp4"


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedTikTok]:
    """Yield a sandbox with the app of the documentation, whose URLs are verified."""
    app = App(
        client_key="your_client_key",
        client_secret="your_client_secret",
        redirect_uris=("https://your-app.com/callback",),
        url_properties=("your-url.com", "example.com"),
        kind="both",
    )
    sim = SimulatedTikTok(apps=[app])
    with closing(sim), SandboxServer(sim).run_in_thread() as server:
        monkeypatch.setenv("TIKTOK_API_URL", server.url)
        monkeypatch.setenv("TIKTOK_AUTH_URL", f"{server.url}/v2/auth/authorize/")
        yield sim


def test_every_documented_call_gives_what_is_documented(sim: SimulatedTikTok, capsys: Any) -> None:
    """The snippets run in the documentation's order, with its names, parameters and answers; a person consents in between."""
    scope: dict[str, Any] = {}
    blocks = BLOCK.findall(FILE.read_text())
    assert [kind for kind, _ in blocks].count("python") == 12
    for kind, text in blocks:
        if kind == "json":
            ((name, shape),) = json.loads(text).items()
            assert_shaped(scope[name], shape)
            continue
        if "exchange_code" in text:
            scope |= consent(sim, scope["tik"])
            scope["tik"].close()
        exec(filled_in(text, scope), scope)
        if "revoke" in text:
            sign_in_again(sim, scope)
    scope["tik"].close()
    assert sim.count("video_init") == 2
    assert sim.count("inbox_init") == 2
    assert sim.count("photo_init") == 2
    assert "Access Token: act." in capsys.readouterr().out


def filled_in(text: str, scope: dict[str, Any]) -> str:
    """Return a snippet with the import line changed, and with values in place of the reader's own."""
    own = {"tiktok_api_client": "tiktok_adapters.compat", "/path/to/video.mp4": str(FILM)}
    if "your_refresh_token" in text:
        # The call above this line has renewed the token by then, so take the current one.
        text = text.replace('"your_refresh_token"', "tik.refresh_token")
    if "your_publish_id" in text:
        own["your_publish_id"] = scope["response"]["photo_upload_response"]["data"]["publish_id"]
    for word, value in own.items():
        text = text.replace(word, value)
    return text


def consent(sim: SimulatedTikTok, tik: Any) -> dict[str, str]:
    """Let a person agree on TikTok's page; return the values that the reader would have by then."""
    answer = parse_qs(urlsplit(sim.authorize(tik.get_authorization_url())).query)
    return {"code": answer["code"][0], "code_verifier": tik.code_verifier}


def sign_in_again(sim: SimulatedTikTok, scope: dict[str, Any]) -> None:
    """Sign in with all documented scopes: later examples need more scopes than the first one asks for."""
    scope["tik"].scopes = scope["SCOPES"]
    scope["tik"].exchange_code_for_token(code=consent(sim, scope["tik"])["code"])


def assert_shaped(answer: Any, shape: Any) -> None:
    """Assert that an answer has the documented keys and types of values, at every level."""
    if isinstance(shape, dict):
        assert shape.keys() <= answer.keys()
        for name, inner in shape.items():
            assert_shaped(answer[name], inner)
    elif shape is None:
        assert answer is None
    else:
        assert type(answer) is type(shape)
