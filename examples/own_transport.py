"""Write your own transport: it has to send a request exactly once, and to distinguish "not sent" from "interrupted".

This one needs the standard library only. `contract_tests/README.md` shows how to test such an adapter against the contract.
"""

import http.client
from contextlib import closing
from urllib.parse import urlsplit

from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_core import App, Endpoints, Interrupted, NotSent, TikTok
from tiktok_core.ports import FileSlice, Request, Response
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE


class PlainTransport:
    """A transport with a new connection for each request, which is simple and slow."""

    def send(self, request: Request, /) -> Response:
        """Send the request and return the answer."""
        parts = urlsplit(request.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=request.timeout)
        try:
            connection.connect()
        except OSError:
            raise NotSent(request.name, "the connection was not made") from None
        try:
            return self._exchanged(connection, request, f"{parts.path}?{parts.query}")
        except (OSError, http.client.HTTPException):
            raise Interrupted(request.name, "the connection was lost") from None
        finally:
            connection.close()

    def _exchanged(self, connection: http.client.HTTPConnection, request: Request, target: str) -> Response:
        headers = {**request.headers, "Content-Length": str(request.content_length)}
        body = request.body.blocks() if isinstance(request.body, FileSlice) else request.body
        connection.request(request.method, target, body=body, headers=headers)
        if request.on_sent:
            request.on_sent(request.content_length)
        answer = connection.getresponse()
        head = Response(answer.status, {name.lower(): value for name, value in answer.getheaders()})
        sink = request.sink(head) if request.sink else None
        if sink is None:
            return Response(head.status, head.headers, answer.read(MAX_RESPONSE + 1))
        while block := answer.read(BLOCK):
            sink.write(block)
        return head

    def close(self) -> None:
        """Do nothing, because no connection outlives its request."""


def main() -> None:
    """Post a draft with the transport above."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    simulated = SimulatedTikTok()
    with closing(simulated), SandboxServer(simulated).run_in_thread() as sandbox:
        endpoints = Endpoints(api_url=sandbox.url, auth_url=f"{sandbox.url}/v2/auth/authorize/")
        tiktok = TikTok(
            app,
            transport=PlainTransport(),
            tokens=MemoryTokenStore(),
            journal=MemoryJournal(),
            clock=SystemClock(),
            endpoints=endpoints,
        )
        authorization = tiktok.authorization()
        account = tiktok.sign_in(authorization, simulated.authorize(authorization.url))
        done = account.post_video(BytesSource(b"\0\0\0\x18ftypisom" + bytes(100_000)), draft=True)
        print(done.status)


if __name__ == "__main__":
    main()
