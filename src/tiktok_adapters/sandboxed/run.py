"""Run a command with TikTok's host names answered by a simulated TikTok: in namespaces where the system has them, else by proxy.

What belongs here: the order of things, from the server to the last process. The parts are in the other modules.
"""

import asyncio
import platform
import socket
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tiktok_adapters.sandboxed import proxy
from tiktok_adapters.sandboxed.authority import Authority
from tiktok_adapters.sandboxed.child import Alone, Child, Forbidden, exit_status
from tiktok_adapters.sandboxed.lookups import ADDRESS, NameServer, covering
from tiktok_adapters.sandboxed.names import TIKTOK, plain
from tiktok_adapters.sandboxed.passage import Serve, accepting, connected, copied, listening
from tiktok_adapters.sandboxed.signals import forwarding
from tiktok_adapters.sandboxed.variables import variables
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.rules import is_loopback
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_core.wire.http import Request, Response

if TYPE_CHECKING:
    from tiktok_adapters.sandboxed.warded import Warded

__all__ = ["Forbidden", "Outcome", "Wish", "run"]

NOT_FOUND: Final = 127
NOT_RUN: Final = 126


@frozen(kw_only=True)
class Wish:
    """What to run, and how.

    Attributes:
        command: the program and its arguments.
        environ: the caller's environment.
        settings: returns the variables that connect this package's own clients to a server with this URL; None means TikTok's
            own addresses.
        port: the port of the sandbox's page; 0 for a free one.
        reach: ports of the caller's loopback that the command may reach.
        expose: ports on which the command listens, and that the caller's loopback is to have, too.
        by_proxy: True for the proxy, False for namespaces, None for namespaces where the system has them.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    settings: Callable[[str | None], Mapping[str, str]]
    port: int = 0
    reach: Sequence[int] = ()
    expose: Sequence[int] = ()
    by_proxy: bool | None = None


@define
class Outcome:
    """How it ended.

    Attributes:
        status: the exit status to hand on.
        problem: why the command could not be run; empty if it ran.
        asked: other names for which the command asked in vain, each once and in order.
        is_given_up: whether some client left while it should have agreed about TLS, as one does that does not trust the sandbox.
    """

    status: int
    problem: str
    asked: list[str]
    is_given_up: bool


async def run(sim: SimulatedTikTok, wish: Wish, say: Callable[[str], None]) -> Outcome:
    """Run a command until it ends. Call this on the main thread.

    Args:
        sim: the simulator that answers.
        wish: what to run, and how.
        say: tells the person a sentence.

    Raises:
        Forbidden: the system does not allow what was wished.
        OSError: a port is taken.
    """
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(_folder())
        server = await opened.enter_async_context(_Server(sim, port=wish.port, names=TIKTOK))
        this = _Run(wish, say, server, folder, opened, sim.switches.auto_consent is not None)
        child = await this.child()
        status, problem = 0, ""
        with forwarding(child):
            try:
                await child.go()
            except OSError as failed:
                is_missing = isinstance(failed, FileNotFoundError | NotADirectoryError)
                status, problem = NOT_FOUND if is_missing else NOT_RUN, (failed.strerror or str(failed)).lower()
            else:
                status = exit_status(await child.ended())
        return Outcome(status, problem, list(this.asked), this.is_given_up)


@define
class _Run:
    """One run.

    Attributes:
        asked: names for which the command asked in vain; a dictionary, because it keeps their order.
        folder: what the command reads: certificates, and files that cover those of the system.
        is_consenting: whether the sandbox consents by itself.
    """

    wish: Wish
    say: Callable[[str], None]
    server: "_Server"
    folder: Path
    open: AsyncExitStack
    is_consenting: bool
    asked: dict[str, None] = field(factory=dict, init=False)
    is_given_up: bool = field(default=False, init=False)
    _authority: Authority = field(factory=Authority, init=False)
    _tls: ssl.SSLContext = field(init=False)

    @_tls.default
    def _tls_of_the_authority(self) -> ssl.SSLContext:
        return self._authority.context()

    async def child(self) -> Child:
        """Return the command, ready to go.

        Raises:
            Forbidden: it is to be in a namespace, which the system does not allow.
            OSError: a port is taken.
        """
        reason = "as you wished"
        if not self.wish.by_proxy:
            try:
                return await self._in_namespace()
            except Forbidden as forbidden:
                if self.wish.by_proxy is False:
                    raise
                reason = f"because {forbidden}"
        return await self._behind_proxy(reason)

    async def _in_namespace(self) -> Child:
        if sys.platform != "linux":
            raise Forbidden(f"{platform.system()} has no network namespaces")
        from tiktok_adapters.sandboxed.warded import Warded  # noqa: PLC0415 - exists on Linux only

        page = urlsplit(self.server.url).port or 0
        reach = list(dict.fromkeys((page, *self.wish.reach)))
        world = {"address": ADDRESS, "covers": covering(self.folder, self._authority.pem.decode()), "reach": reach}
        child = Warded(self.wish.command, self._environ(None), str(self.folder), world)
        self.open.push_async_callback(child.close)
        https, names, *reached = await child.ready()
        await self._accept(https, self._answer)
        for port, listener in zip(reach, reached, strict=True):
            await self._accept(listener, partial(_outwards, port))
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: NameServer(self._note), sock=names
        )
        self.open.callback(transport.close)
        for port in self.wish.expose:
            await self._accept(_exposed(port), partial(_inwards, child, port))
        self.server.on_callback = partial(self._let_in, child, asyncio.get_running_loop())
        self._introduce()
        return child

    async def _behind_proxy(self, reason: str) -> Child:
        listener = listening(0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await self._accept(listener, partial(proxy.serve, answer=self._answer, note=self._note))
        environ = self._environ(url)
        child: Child = Alone(self.wish.command, environ)
        if sys.platform == "linux":
            from tiktok_adapters.sandboxed.warded import Warded  # noqa: PLC0415 - exists on Linux only

            child = warded = Warded(self.wish.command, environ, str(self.folder), None)
            await warded.ready()
        self.open.push_async_callback(child.close)
        self.say(
            f"The program finds the sandbox through proxy variables, {reason}: a program that ignores these variables reaches "
            "the real TikTok."
        )
        self._introduce()
        return child

    def _introduce(self) -> None:
        self.say(f"A simulated TikTok answers for {TIKTOK.page} and *.{TIKTOK.api}; its own page is {self.server.url}/")
        if not self.is_consenting:
            self.say(
                f"To consent, open the address of the program's authorization page with {self.server.url} in place of "
                f"https://{TIKTOK.page}; --consent does it for you."
            )

    def _environ(self, proxy_url: str | None) -> dict[str, str]:
        certificate, truststore = self.folder / "authority.pem", self.folder / "authority.p12"
        certificate.write_bytes(self._authority.pem)
        truststore.write_bytes(self._authority.truststore)
        settings = self.wish.settings(None if proxy_url is None else self.server.url)
        own = {**settings, "TIKTOK_SANDBOX_URL": self.server.url}
        return variables(self.wish.environ, certificate, truststore, own, proxy_url)

    def _note(self, name: str) -> None:
        """Keep a name for which the command asked in vain; each once, and without addresses that were looked up."""
        if not name.endswith(".arpa"):
            self.asked[plain(name)] = None

    async def _accept(self, listener: socket.socket, serve: Serve) -> None:
        await self.open.enter_async_context(accepting(listener, serve))

    async def _answer(self, connection: socket.socket) -> None:
        try:
            await self.server.adopt(connection, self._tls)
        except (ssl.SSLError, ConnectionResetError) as problem:
            # A client that does not know the authority sends an alert, or just leaves. Other errors are the server's own.
            is_left = isinstance(problem, ConnectionResetError) or "ALERT" in (problem.reason or "")
            self.is_given_up = self.is_given_up or is_left
            raise

    def _let_in(self, child: "Warded", loop: asyncio.AbstractEventLoop, port: int) -> None:
        """Let the browser of a person, who consented on the sandbox's page, come back to the program in its namespace."""
        # The port may be open already: from an earlier sign-in, or because the person said so.
        with suppress(OSError):
            listener = listening(port)
            accept = self._accept(listener, partial(_inwards, child, port))
            asyncio.run_coroutine_threadsafe(accept, loop)


class _Server(SandboxServer):
    """The sandbox's server, which tells where a person's browser goes after the consent.

    Attributes:
        on_callback: is called, in any thread, with the port of a loopback address to which a browser outside is sent.
    """

    on_callback: Callable[[int], None] | None = None

    def _response(self, request: Request) -> Response:
        response = super()._response(request)
        target = response.headers.get("location", "")
        if self.on_callback and is_loopback(request.url) and is_loopback(target) and (port := urlsplit(target).port):
            self.on_callback(port)
        return response


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tiktok-sandbox-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # The command may run as another user.
        folder.chmod(0o755)
        yield folder


def _exposed(port: int) -> socket.socket:
    try:
        return listening(port)
    except OSError as error:
        raise OSError(error.errno, f"port {port} of this machine, which is to lead to the program, is taken") from None


async def _outwards(port: int, connection: socket.socket) -> None:
    """Lead a connection from the namespace to a port of the outer loopback."""
    await copied(connection, await connected(port))


async def _inwards(child: "Warded", port: int, connection: socket.socket) -> None:
    """Lead a connection from the outer loopback to a port in the namespace."""
    await copied(connection, await child.connect(port))
