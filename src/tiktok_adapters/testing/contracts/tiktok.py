"""The contract of transports under a client: sign in, post and follow posts against the simulated TikTok.

What belongs here: whole flows. The simulator's log proves what was sent. The modules `transports` and `wire` test single
requests.

Longer than 400 lines because a contract is one class that an adapter binds.
"""

import hashlib
import inspect
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeGuard
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.destinations import open_destination
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.testing.contracts import Contract, Run
from tiktok_adapters.testing.contracts.transports import AnyTransport
from tiktok_core.blocking import TikTok
from tiktok_core.client import AsyncTikTok
from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.publishing import Progress
from tiktok_core.errors import (
    AccessDenied,
    AccessTokenInvalid,
    ApiError,
    GrantRejected,
    Interrupted,
    InvalidPost,
    OutcomeUnknown,
    PostingRefused,
    PublishFailed,
    RateLimited,
    ScopeMissing,
    ServerError,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens
from tiktok_core.ports import AsyncTransport
from tiktok_core.wire.http import Request, Response

__all__ = ["TikTokContract"]

CHUNK: Final = 5_242_880
SIZE: Final = 11_000_000
FILM: Final = BytesSource(b"\0\0\0\x18ftypisom" + hashlib.shake_128(b"film").digest(SIZE - 12))
SHA256: Final = hashlib.sha256(FILM.read(0, SIZE)).hexdigest()
CLIP: Final = BytesSource(FILM.read(0, 1000))
PHOTOS: Final = ("https://media.example.com/1.jpg", "https://media.example.com/2.jpg")
PULLED: Final = "https://media.example.com/clip.mp4"
PORTABILITY: Final = ("user.info.basic", "portability.all.ongoing")
LOST: Final = ("drop-before", "drop-after", "truncate")
"""Ways to lose an answer after the request has left."""

REFUSALS: Final[dict[str, type[TikTokError]]] = {
    "creator_info=code:scope_not_authorized": ScopeMissing,
    "creator_infox2=code:access_token_invalid": AccessTokenInvalid,
    "creator_infox3=code:rate_limit_exceeded": RateLimited,
    "creator_infox3=code:internal_error": ServerError,
    "creator_info=code:spam_risk_too_many_posts": PostingRefused,
    "creator_info=code:something_new": ApiError,
    "creator_info=garbage": UnexpectedResponse,
    "init=code:unaudited_client_can_only_post_to_private_accounts": PostingRefused,
    "init=code:something_new@418": ApiError,
    "init=fail:frame_rate_check_failed": PublishFailed,
}


class TikTokContract(Contract):
    """Bind it with the fixture `transport`. A transport in memory is made from `sim.handle`."""

    @pytest.fixture
    def sim(self) -> Iterator[SimulatedTikTok]:
        """Return the simulated TikTok, under a virtual clock."""
        simulated = SimulatedTikTok(ManualClock())
        yield simulated
        simulated.close()

    @pytest.fixture
    def sandbox(self, sim: SimulatedTikTok) -> Iterator[SandboxServer]:
        """Return the server of the simulated TikTok. A transport in memory uses only its addresses."""
        with SandboxServer(sim).run_in_thread() as server:
            yield server

    @pytest.fixture
    def transport(self) -> AnyTransport:
        """Return the transport to test."""
        raise NotImplementedError("a binding defines the fixture `transport`")

    @pytest.fixture
    def user(self, sim: SimulatedTikTok, sandbox: SandboxServer, transport: AnyTransport, run: Run) -> "Iterator[User]":
        """Return a client over the transport, blocking or asynchronous as the transport is. Close both after the test."""
        user = User(sim, sandbox, transport, run)
        yield user
        run(user.tiktok.close())

    # --- The main job -------------------------------------------------------------------------------------------------

    def test_a_person_signs_in(self, user: "User") -> None:
        """One request exchanges the code for tokens of the account that consented."""
        account = user.sign_in()
        assert user.run(account.tokens()).open_id == account.open_id
        assert user.sim.count("token") == 1
        user.check_every_send_was_one_request()

    def test_a_person_who_says_no_is_heard(self, user: "User") -> None:
        """Denied access raises its own class, without any request."""
        begun = user.tiktok.authorization()
        with pytest.raises(AccessDenied):
            user.run(user.tiktok.sign_in(begun, user.sim.authorize(begun.url, allow=False)))
        assert user.sent == []

    def test_creator_and_profile_are_told(self, user: "User") -> None:
        """A POST without a body and a GET return this creator's values."""
        account = user.sign_in()
        creator, profile = user.run(account.creator_info()), user.run(account.user_info())
        assert creator.creator_username == user.sim.creator.username
        assert profile.open_id == account.open_id
        assert (user.sim.count("creator_info"), user.sim.count("user_info")) == (1, 1)
        user.check_every_send_was_one_request()

    def test_a_video_of_several_chunks_arrives(self, user: "User") -> None:
        """Every byte arrives once and in its place: the digest is the file's, and each chunk takes one request."""
        told: list[Progress] = []
        done = user.post_video(user.sign_in(), on_progress=told.append)
        (post,) = user.sim.posts
        assert (post.publish_id, post.sha256, post.bytes_received) == (done.publish_id, SHA256, SIZE)
        assert post.status == "PUBLISH_COMPLETE"
        assert [entry.status for entry in user.sim.log if entry.operation == "put"] == [206, 201]
        assert (user.sim.count("creator_info"), user.sim.count("video_init")) == (1, 1)
        user.check_every_send_was_one_request()
        numbers = [progress.sent_bytes for progress in told]
        assert numbers == sorted(numbers)
        assert numbers[-1] == SIZE
        assert len(set(numbers)) > SIZE // CHUNK

    def test_photos_are_posted(self, user: "User") -> None:
        """Photos take one init and no upload."""
        done = user.post_photos(user.sign_in())
        (post,) = user.sim.posts
        assert (post.publish_id, post.urls, post.status) == (done.publish_id, PHOTOS, "PUBLISH_COMPLETE")
        assert (user.sim.count("photo_init"), user.sim.count("put")) == (1, 0)
        user.check_every_send_was_one_request()

    def test_a_status_is_told(self, user: "User") -> None:
        """Asking for a post's status takes one request, and returns TikTok's status."""
        account = user.sign_in()
        done = user.post_video(account, wait=False)
        asked = user.sim.count("status")
        told = user.run(account.publish_status(done.publish_id))
        assert told.status == user.sim.post(done.publish_id).status
        assert user.sim.count("status") == asked + 1
        user.check_every_send_was_one_request()

    def test_what_was_granted_is_ended(self, user: "User") -> None:
        """Revoking takes one request, and removes the tokens."""
        account = user.sign_in()
        user.run(account.revoke())
        assert user.sim.count("revoke") == 1
        assert user.run(user.tiktok.accounts()) == ()
        user.check_every_send_was_one_request()

    # --- Tokens -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("operation", ["creator_info", "video_init", "status"])
    def test_a_token_that_dies_is_renewed_once(self, user: "User", operation: str) -> None:
        """After a 401 of any call, the client renews the token and repeats the call. It posts nothing twice."""
        account = user.sign_in()
        user.sim.faults.add(f"{operation}=expire")
        user.post_clip(account)
        (post,) = user.sim.posts
        assert post.status == "PUBLISH_COMPLETE"
        assert user.sim.count("token") == 2
        assert [entry.status for entry in user.sim.log if entry.operation == operation][:2] == [401, 200]
        user.check_every_send_was_one_request()

    def test_a_dead_code_is_refused_by_its_class(self, user: "User") -> None:
        """TikTok sends OAuth refusals with status 200 and in another shape. They still raise their own class."""
        begun = user.tiktok.authorization()
        callback = user.sim.authorize(begun.url)
        user.run(user.tiktok.sign_in(begun, callback))
        with pytest.raises(GrantRejected):
            user.run(user.tiktok.sign_in(begun, callback))
        assert user.sim.count("token") == 2

    # --- Refusals -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("fault", "expected"), REFUSALS.items(), ids=REFUSALS)
    def test_a_refusal_comes_as_its_class(self, user: "User", fault: str, expected: type[TikTokError]) -> None:
        """The transport passes on status, code and log id of a refusal, so that the client raises the right error."""
        account = user.sign_in()
        user.sim.faults.add(fault)
        with pytest.raises(expected) as caught:
            user.post_photos(account)
        assert type(caught.value) is expected
        if isinstance(caught.value, ApiError):
            assert f"code:{caught.value.code}" in fault
            assert caught.value.log_id
            assert caught.value.status in {entry.status for entry in user.sim.log}
        user.check_every_send_was_one_request()

    def test_what_the_creator_does_not_allow_is_not_sent(self, user: "User") -> None:
        """The client reads the creator's options through the transport, and refuses a forbidden post before the init."""
        account = user.sign_in()
        with pytest.raises(InvalidPost):
            user.run(account.post_photos(PHOTOS, privacy_level="FOLLOWER_OF_NOBODY"))
        assert user.sim.count("photo_init") == 0

    @pytest.mark.parametrize("operation", ["creator_info", "user_info", "init", "put", "status"])
    def test_nothing_follows_a_redirect(self, user: "User", operation: str) -> None:
        """The transport sends neither a token nor a video to the target of a redirect."""
        account = user.sign_in()
        user.sim.faults.add(f"{operation}x9=redirect:{user.sandbox.url}/landed")
        with pytest.raises(TikTokError) as caught:
            user.run(account.user_info()) if operation == "user_info" else user.post_clip(account)
        assert isinstance(caught.value, UnexpectedRedirect) or isinstance(caught.value.__cause__, UnexpectedRedirect)
        assert user.sim.count("other") == 0
        user.check_every_send_was_one_request()

    # --- Archives -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", ["", "data_download=truncate", "data_download=drop-after"])
    def test_an_archive_arrives_whole(self, user: "User", tmp_path: Path, fault: str) -> None:
        """A large archive arrives. After a break the download restarts, and the file appears only at its end."""
        user.sim.switches.data_seconds, user.sim.switches.data_bytes = 0, 3_000_000
        account = user.sign_in(PORTABILITY)
        request_id = user.run(account.request_data(["activity"]))
        if fault:
            user.sim.faults.add(fault)
        done = user.run(account.download_data(request_id, tmp_path / "data.zip"))
        assert done.size == (tmp_path / "data.zip").stat().st_size
        with zipfile.ZipFile(tmp_path / "data.zip") as archive:
            assert archive.testzip() is None
        assert user.sim.count("data_download") == 1 + bool(fault)
        user.check_every_send_was_one_request()

    @pytest.mark.parametrize(
        "fault", ["data_downloadx3=truncate", "data_downloadx3=garbage", "data_download=status:404"]
    )
    def test_half_an_archive_is_none(self, user: "User", tmp_path: Path, fault: str) -> None:
        """A failed download leaves no file, and another answer does not count as the archive."""
        user.sim.switches.data_seconds = 0
        account = user.sign_in(PORTABILITY)
        request_id = user.run(account.request_data(["activity"]))
        user.sim.faults.add(fault)
        with pytest.raises((Interrupted, UnexpectedResponse)):
            user.run(account.download_data(request_id, tmp_path / "data.zip"))
        assert list(tmp_path.iterdir()) == []
        user.check_every_send_was_one_request()

    @pytest.mark.parametrize("status", ["told", "200"])
    def test_a_refused_archive_is_told(self, user: "User", tmp_path: Path, status: Literal["told", "200"]) -> None:
        """A refusal raises an error, whether its HTTP status is that of an error or of a success."""
        user.sim.switches.data_failure_status = status
        account = user.sign_in(PORTABILITY)
        request_id = user.run(account.request_data(["activity"]))
        with pytest.raises(ApiError) as caught:
            user.run(account.download_data(request_id, tmp_path / "data.zip"))
        assert (caught.value.code, caught.value.status) == ("invalid_params", 400)
        assert list(tmp_path.iterdir()) == []

    # --- Doubts -------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("what", ["photos", "video"])
    def test_a_pull_whose_answer_is_lost_is_left_to_a_person(self, user: "User", what: str, lost: str) -> None:
        """The post may exist, so the client sends exactly one request, and none after it."""
        account = user.sign_in()
        posts = {
            "photos": partial(user.post_photos, key="wish"),
            "video": partial(user.post_video, video=PULLED, key="wish", chunk_size=None),
        }
        post = posts[what]
        user.sim.faults.add(f"init={lost}")
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                post(account)
        assert user.sim.count("photo_init") + user.sim.count("video_init") == 1
        assert len(user.sim.posts) == (lost != "drop-before")
        user.check_every_send_was_one_request()

    @pytest.mark.parametrize("lost", LOST)
    @pytest.mark.parametrize("operation", ["creator_info", "user_info", "init", "put", "status"])
    def test_a_lost_answer_is_never_made_good_by_the_transport(self, user: "User", operation: str, lost: str) -> None:
        """Only the client decides whether to repeat a request: TikTok gets exactly the requests that the client sends."""
        account = user.sign_in()
        # Open idle connections first: a library might silently repeat a request on those.
        user.run(account.creator_info())
        user.sim.faults.add(f"{operation}={lost}")
        user.run(account.user_info())
        user.post_clip(account)
        assert user.sim.faults.pending == ()
        (post,) = [post for post in user.sim.posts if post.bytes_received]
        assert post.status == "PUBLISH_COMPLETE"
        user.check_every_send_was_one_request()

    @pytest.mark.parametrize("fault", ["drop-at:0", "drop-at:3000000", "drop-after", "status:503", "expire"])
    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_chunk_in_doubt_is_gone_on_with(self, user: "User", nth: int, fault: str) -> None:
        """After a break the client continues at TikTok's offset: no byte is lost, and none arrives twice."""
        account = user.sign_in()
        user.sim.faults.add(f"put:{nth}={fault}")
        told: list[Progress] = []
        user.post_video(account, on_progress=told.append)
        (post,) = [post for post in user.sim.posts if post.bytes_received == SIZE]
        assert post.sha256 == SHA256
        numbers = [progress.sent_bytes for progress in told]
        assert numbers == sorted(numbers)
        assert numbers[-1] == SIZE
        user.check_every_send_was_one_request()


@define(eq=False, init=False)
class User:
    """A client over the transport under contract, and the simulated TikTok that it talks to.

    Attributes:
        sim: the simulated TikTok.
        sandbox: its server.
        run: returns the result of a blocking or asynchronous call.
        tiktok: the client, blocking or asynchronous as the transport is.
        sent: method and path of each request that the client gave to the transport.
    """

    sim: SimulatedTikTok
    sandbox: SandboxServer
    run: Run
    tiktok: Any
    sent: list[tuple[str, str]] = field(factory=list)

    def __init__(self, sim: SimulatedTikTok, sandbox: SandboxServer, transport: AnyTransport, run: Run) -> None:
        self.sim, self.sandbox, self.run, self.sent = sim, sandbox, run, []
        clock, tokens, journal = sim.world.clock, MemoryTokenStore(), MemoryJournal()
        assert isinstance(clock, ManualClock)
        app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
        endpoints = Endpoints(api_url=sandbox.url, auth_url=f"{sandbox.url}/v2/auth/authorize/")
        if _is_asynchronous(transport):
            self.tiktok = AsyncTikTok(
                app,
                transport=_AsyncCounted(transport, self.sent),
                tokens=lift_tokens(tokens),
                journal=lift_journal(journal),
                clock=lift_clock(clock),
                protect=AsyncioProtect(),
                open_destination=open_destination,
                endpoints=endpoints,
            )
        else:
            self.tiktok = TikTok(
                app,
                transport=_Counted(transport, self.sent),
                tokens=tokens,
                journal=journal,
                clock=clock,
                protect=MainThreadProtect(),
                open_destination=open_destination,
                endpoints=endpoints,
            )

    def sign_in(self, scopes: Sequence[str] | None = None) -> Any:
        """Return an account that has granted all requested scopes to an approved app."""
        self.sim.app.scopes = tuple(dict.fromkeys((*self.sim.app.scopes, *(scopes or ()))))
        begun = self.tiktok.authorization(scopes)
        return self.run(self.tiktok.sign_in(begun, self.sim.authorize(begun.url)))

    def post_video(self, account: Any, video: Any = FILM, **options: Any) -> Any:
        """Post a video. The default is `FILM`, which takes several chunks."""
        return self.run(account.post_video(video, **{"privacy_level": "SELF_ONLY", "chunk_size": CHUNK, **options}))

    def post_clip(self, account: Any) -> Any:
        """Post a short video in one chunk."""
        return self.post_video(account, CLIP, chunk_size=None)

    def post_photos(self, account: Any, **options: Any) -> Any:
        """Post two photos."""
        return self.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", **options))

    def check_every_send_was_one_request(self) -> None:
        """Assert that TikTok got exactly the requests that the transport was given, each once, in the same order."""
        seen = [(entry.method, entry.path) for entry in self.sim.log if entry.operation != "authorize"]
        assert seen == self.sent


@define(eq=False)
class _Counted:
    transport: Any
    sent: list[tuple[str, str]]

    def send(self, request: Request, /) -> Response:
        self.sent.append(_name(request))
        response: Response = self.transport.send(request)
        return response

    def close(self) -> None:
        self.transport.close()


@define(eq=False)
class _AsyncCounted:
    transport: AsyncTransport
    sent: list[tuple[str, str]]

    async def send(self, request: Request, /) -> Response:
        self.sent.append(_name(request))
        return await self.transport.send(request)

    async def close(self) -> None:
        await self.transport.close()


def _is_asynchronous(transport: AnyTransport) -> TypeGuard[AsyncTransport]:
    return inspect.iscoroutinefunction(transport.send)


def _name(request: Request) -> tuple[str, str]:
    return request.method, urlsplit(request.url).path
