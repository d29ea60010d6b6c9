"""The simulated TikTok as a test uses it: setting it up, acting as a person, and reading its state.

What belongs here: `SimulatedTikTok`. The `router` and the modules of its operations answer the requests.
"""

import threading
import weakref
from collections.abc import Mapping, MutableSequence, Sequence
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import consent, following, qr
from tiktok_adapters.simulator.accounts import App, Creator, Distinct
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.control import control, is_control
from tiktok_adapters.simulator.faults import Fault, Faults
from tiktok_adapters.simulator.log import LogEntry
from tiktok_adapters.simulator.overview import Item, lists
from tiktok_adapters.simulator.router import UPLOAD_BASE, Router, is_tiktok
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Post, Task
from tiktok_adapters.simulator.webhooks import due, repeated
from tiktok_adapters.simulator.world import Chance, Delivery, Now, SignIn, World
from tiktok_core.wire.http import Request, Response

__all__ = ["SimulatedTikTok", "callback_values"]


class SimulatedTikTok:
    """TikTok's Open API in memory, with virtual time, switches for what the documents leave open, and faults.

    The defaults are one app that TikTok has not audited, one creator with a private account, and the switches' defaults.
    With them a direct post with `SELF_ONLY` works, and a public one is refused as in the documents. Several threads may
    use the simulator at once.

    Args:
        clock: an object with `now()` (default: the machine's clock).
        switches: the behaviour where TikTok's documents leave a choice.
        apps: the registered apps; the first one knows each creator by the `open_id` in `Creator`.
        creators: the accounts; the consent page offers all of them.
        seed: the seed of all ids and tokens, so that a run can be repeated; None for ids that cannot be guessed.
        keep_bytes: keep the bytes of videos, not only their digest.

    Raises:
        ValueError: two creators have the same username or `open_id`, or two apps the same client key.

    Attributes:
        switches, faults, apps, creators: a test may change them at any time.
        upload_base: the scheme, host and port of upload URLs.
        lock: the simulator holds it while it handles a request.
        changes: how many requests so far may have changed something.
    """

    def __init__(
        self,
        clock: Now | None = None,
        switches: Switches | None = None,
        *,
        apps: Sequence[App] = (),
        creators: Sequence[Creator] = (),
        seed: int | None = 0,
        keep_bytes: bool = True,
    ) -> None:
        self.lock = threading.RLock()
        self.keep_bytes = keep_bytes
        self.world = World(
            clock=clock or SystemClock(),
            switches=switches or Switches(),
            chance=Chance(seed),
            apps=Distinct(apps or [App()], "client_key"),
            creators=Distinct(creators or [Creator()], "username", "open_id"),
            keep_bytes=keep_bytes,
            upload_base=UPLOAD_BASE,
        )
        self._router = Router(self.world)
        self._closer = weakref.finalize(self, _close_files, self.world.tasks)
        self.changes = 0

    # --- What a test sees and changes ---------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        """The behaviour where TikTok's documents leave a choice."""
        return self.world.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.world.switches = switches

    @property
    def faults(self) -> Faults:
        """The faults that meet the next requests."""
        return self._router.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._router.faults = faults

    @property
    def apps(self) -> MutableSequence[App]:
        """The registered apps, each with a client key of its own."""
        return self.world.apps

    @property
    def app(self) -> App:
        """The first app."""
        return self.world.apps[0]

    @property
    def creators(self) -> MutableSequence[Creator]:
        """The accounts, each with a username and `open_id` of its own."""
        return self.world.creators

    @property
    def creator(self) -> Creator:
        """The first creator."""
        return self.world.creators[0]

    @property
    def upload_base(self) -> str:
        """The scheme, host and port of upload URLs."""
        return self.world.upload_base

    @upload_base.setter
    def upload_base(self, base: str) -> None:
        self.world.upload_base = base

    @property
    def posts(self) -> tuple[Post, ...]:
        """Every post so far, in the order of their inits, in its present state."""
        with self.lock:
            return tuple(task.shown(self.world.now, self.switches) for task in self.world.tasks.values())

    def post(self, publish_id: str) -> Post:
        """Return one post in its present state.

        Raises:
            KeyError: there is no such post.
        """
        with self.lock:
            return self._task(publish_id).shown(self.world.now, self.switches)

    def webhooks(self, app: App | None = None, *, again: bool = False) -> tuple[Delivery, ...]:
        """Return the webhooks of all events since the last call, signed now. The test delivers them, or not.

        Args:
            app: the app that gets the webhooks (default: the first one).
            again: return those of all earlier calls instead, as TikTok repeats a webhook that nobody answered with 200.
        """
        with self.lock:
            return (repeated if again else due)(self.world, app or self.app)

    @property
    def log(self) -> tuple[LogEntry, ...]:
        """Every request so far, in order, without those for the sandbox's own pages."""
        with self.lock:
            return tuple(self._router.log)

    @property
    def sign_ins(self) -> tuple[SignIn, ...]:
        """Every account that is signed in to an app now."""
        with self.lock:
            return self.world.sign_ins()

    def shown(self) -> Mapping[str, Sequence[Item]]:
        """Return the lists of the sandbox's own page."""
        with self.lock:
            return lists(self)

    def reset(self) -> None:
        """Forget posts, sign-ins, codes, copies, webhooks, quotas, the log and pending faults. Apps, creators and switches stay."""
        with self.lock:
            self.world.forget()
            self._router.log.clear()
            self._router.faults.clear()

    def replace(self, world: World, log: Sequence[LogEntry], faults: Sequence[Fault]) -> None:
        """Go on in another world, with its log and pending faults."""
        with self.lock:
            self.close()
            self.world, self._router = world, Router(world)
            self._closer = weakref.finalize(self, _close_files, world.tasks)
            self._router.log.extend(log)
            for fault in faults:
                self.faults.add(fault)

    def count(self, operation: str) -> int:
        """Return the number of requests of this operation, including refused and dropped ones."""
        return sum(entry.operation == operation for entry in self.log)

    def read_video(self, publish_id: str, start: int = 0, length: int | None = None) -> bytes:
        """Return stored bytes of an upload; no bytes without `keep_bytes`.

        Raises:
            KeyError: there is no such post.
        """
        with self.lock:
            upload = self._task(publish_id).upload
            return b"" if upload is None else upload.read(start, upload.size if length is None else length)

    def media_type(self, publish_id: str) -> str:
        """Return the `Content-Type` of an upload.

        Raises:
            KeyError: there is no such upload.
        """
        upload = self._task(publish_id).upload
        if upload is None:
            raise KeyError(publish_id)
        return upload.media_type

    def finish_draft(self, publish_id: str, *, public: bool | None = None) -> None:
        """Let the creator post a draft. It is public unless the account is private, or as `public` says.

        Raises:
            KeyError: there is no such post.
            ValueError: the post is not a draft in the inbox.
        """
        with self.lock:
            task = self._task(publish_id)
            following.finish(self.world, task, public=not task.creator.private if public is None else public)

    def disconnect(self, account: str, *, app: App | None = None) -> None:
        """Let a creator (user name or `open_id`) remove the app: its tokens become invalid, and posts in progress fail.

        Raises:
            KeyError: there is no such creator.
        """
        with self.lock:
            creator = self.world.creator(account)
            if creator is None:
                raise KeyError(account)
            self.world.disconnect(app or self.app, creator)

    def authorize(
        self, url: str, *, account: str | None = None, scopes: Sequence[str] | None = None, allow: bool = True
    ) -> str:
        """Visit the authorization page, decide, and return the callback URL to which the page redirects the browser.

        Args:
            url: the page's URL with its query, from the client.
            account: the user name of the account that consents (default: the first one).
            scopes: the scopes whose boxes stay ticked (default: all).
            allow: True presses Allow, False presses Deny.

        Raises:
            ValueError: the page shows an error; the message names the faulty parameter.
        """
        answer = self._visit(url, account, scopes, allow=allow)
        if answer.status != 302:
            raise ValueError(f"the authorization page refuses {_faulty(answer)}")
        return answer.headers["location"]

    def scan(
        self,
        url: str,
        *,
        account: str | None = None,
        scopes: Sequence[str] | None = None,
        allow: bool | None = True,
    ) -> None:
        """Scan a QR code with the phone, and decide.

        Args:
            url: the URL in the QR code.
            account: the user name of the account that consents (default: the first one).
            scopes: the scopes whose boxes stay ticked (default: all).
            allow: True presses Allow, False presses Deny, None presses nothing yet.

        Raises:
            ValueError: the phone shows an error; the message names the faulty parameter.
        """
        page = f"http://localhost{qr.PHONE}?{urlencode({'scanned': url})}"
        answer = self._visit(page, account, scopes, allow=allow)
        if answer.status != 200:
            raise ValueError(f"the phone refuses {_faulty(answer)}")

    def _visit(self, url: str, account: str | None, scopes: Sequence[str] | None, *, allow: bool | None) -> Response:
        """Open a consent page, press a button if the page has a form, and return the last answer."""
        page = self._open(Request(method="GET", url=url))
        if page.status != 200 or allow is None:
            return page
        form = consent.ConsentForm(page.body.decode())
        body = form.answered(account, None if scopes is None else tuple(scopes), allow=allow)
        where = urlsplit(url)._replace(query="").geturl()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._open(Request(method="POST", url=where, headers=headers, body=body))

    def _open(self, request: Request) -> Response:
        """Answer a request as a browser gets it: a redirect to another page of TikTok's is followed."""
        answer = self.handle(request)
        location = answer.headers.get("location", "")
        if answer.status != 302 or not location.startswith("/"):
            return answer
        return self.handle(Request(method="GET", url=urljoin(request.url, location)))

    def close(self) -> None:
        """Close the files that hold videos; a second call does nothing."""
        self._closer()

    def _task(self, publish_id: str) -> Task:
        return self.world.tasks[publish_id]

    # --- Handling a request -------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer a request of any kind.

        Raises:
            ConnectionDropped: a fault cuts the connection.
            SourceChanged: the body's source ended early; the simulator keeps none of the chunk, unless a switch says so.
        """
        with self.lock:
            call = Call(request)
            self.changes += not (call.request.method == "GET" and is_control(call.path))
            if is_control(call.path) and not is_tiktok(call):
                return control(self, call)
            return self._router.answer(call)

    def lost(self, request: Request, received: int) -> None:
        """Handle a request whose client disconnected after `received` bytes of its body. It gets no answer."""
        with self.lock:
            self.changes += 1
            self._router.lost(Call(request), received)


def _faulty(page: Response) -> str:
    return consent.ConsentForm(page.body.decode("utf-8", "replace")).parameter or str(page.status)


def _close_files(tasks: Mapping[str, Task]) -> None:
    for task in tasks.values():
        if task.upload is not None:
            task.upload.close()


def callback_values(url: str) -> dict[str, str]:
    """Return the decoded parameters of a callback URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
