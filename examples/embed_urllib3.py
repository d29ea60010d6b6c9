"""Embed the core in a blocking service: you choose the adapter of every port, here urllib3 and SQLite.

A web application would keep the authorization in the person's session and finish the sign-in in its callback route.
"""

import tempfile
from contextlib import closing
from pathlib import Path

from tiktok_adapters.background import ThreadBackground
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.protect import MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource, open_source
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import App, Endpoints, PrivacyLevel, TikTok

VIDEO = b"\0\0\0\x18ftypisom" + bytes(7_000_000)


def main() -> None:
    """Sign in, post a video, and print its status."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    simulated = SimulatedTikTok()
    with (
        closing(simulated),
        tempfile.TemporaryDirectory() as home,
        SandboxServer(simulated).run_in_thread() as sandbox,
        TikTok(
            app,
            transport=Urllib3Transport(),
            tokens=SqliteTokenStore(Path(home) / "tokens.db"),
            journal=SqliteJournal(Path(home) / "journal.db"),
            clock=SystemClock(),
            protect=MainThreadProtect(),
            background=ThreadBackground(),
            open_source=open_source,
            # Leave this out to talk to TikTok.
            endpoints=Endpoints(api_url=sandbox.url, auth_url=f"{sandbox.url}/v2/auth/authorize/"),
        ) as tiktok,
    ):
        authorization = tiktok.authorization()
        # Your service redirects to `authorization.url`; here a simulated person agrees.
        callback = simulated.authorize(authorization.url)
        account = tiktok.sign_in(authorization, callback)
        print("signed in as", account.user_info().display_name)
        print("may post as", ", ".join(account.creator_info().privacy_level_options))
        done = account.post_video(BytesSource(VIDEO), title="Hello #world", privacy_level=PrivacyLevel.SELF_ONLY)
        print(done.status, done.uploaded_bytes, "bytes")


if __name__ == "__main__":
    main()
