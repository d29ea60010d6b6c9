"""`tiktok demo`: sign in, upload and publish against a sandbox that the command starts itself.

What belongs here: the steps of the demo. The client is the real one; only the person and TikTok are simulated. The demo
reads no settings, and its client knows only the sandbox's address.
"""

import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import define, field

from tiktok_adapters.assembly import connect
from tiktok_adapters.cli.common import common, say
from tiktok_adapters.cli.output import show, tell
from tiktok_adapters.cli.padded import PaddedFilm, film
from tiktok_adapters.cli.plan import plan_document
from tiktok_adapters.cli.progress import display
from tiktok_adapters.sign_in import Answers, accepts_state
from tiktok_adapters.sign_in.loopback import LoopbackListener
from tiktok_adapters.sources import BytesSource
from tiktok_core import (
    Account,
    ApiError,
    Endpoints,
    InvalidInput,
    PrivacyLevel,
    Publication,
    Secret,
    SignInFailed,
    TikTok,
    TikTokError,
    plan_chunks,
)
from tiktok_core.ports import Source

if TYPE_CHECKING:
    from tiktok_adapters.simulator import SimulatedTikTok

__all__ = ["demo", "digest_of"]

SIZE: Final = 70_000_000
"""More than 64,000,000 bytes, so that TikTok requires several chunks."""
TITLE: Final = "Hello from the demo #opensource"
ANSWER_WITHIN: Final = 20.0
BLOCK: Final = 1 << 20


@define
class _Story:
    """The steps that the demo prints, and the document that it prints at the end."""

    facts: dict[str, Any] = field(factory=dict)
    steps: int = 0

    def tell(self, asked: str, answered: str) -> None:
        self.steps += 1
        tell(f"{self.steps:>2}. {asked}: {answered}")


@click.command(short_help="Try everything against a simulated TikTok.")
@common
def demo() -> None:
    """Sign in, upload a 70 MB video in chunks and publish it, all against a simulated TikTok on this machine.

    It needs no account, reads no settings, and leaves no files behind.

    Example: tiktok demo
    """
    try:
        from tiktok_adapters.simulator import SimulatedTikTok  # noqa: PLC0415
        from tiktok_adapters.simulator.server import SandboxServer  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"The demo needs {error.name}: pip install 'tiktok-open[sandbox]'") from None
    began, story = time.monotonic(), _Story()
    simulated = SimulatedTikTok(seed=None)
    try:
        with SandboxServer(simulated).run_in_thread() as server, tempfile.TemporaryDirectory() as home:
            story.tell("Start a simulated TikTok", f"it is at {server.url}, and the demo contacts no other server")
            with _client(simulated, server.url, home) as tiktok:
                _play(story, simulated, tiktok)
    finally:
        simulated.close()
    seconds = time.monotonic() - began
    story.facts["seconds"] = round(seconds, 2)
    show(story.facts, f"Done: {SIZE:,} bytes arrived intact in {seconds:.1f} s. To use the real TikTok: tiktok login")


def digest_of(source: Source) -> str:
    """Return the SHA-256 of a source in hexadecimal."""
    digest = hashlib.sha256()
    for start in range(0, source.size, BLOCK):
        digest.update(source.read(start, BLOCK))
    return digest.hexdigest()


def _client(simulated: "SimulatedTikTok", url: str, home: str) -> TikTok:
    from tiktok_core import App  # noqa: PLC0415

    endpoints = Endpoints(api_url=url, auth_url=f"{url}/v2/auth/authorize/")
    app: Callable[..., App] = App
    portal = simulated.app
    known = app(portal.client_key, portal.client_secret, portal.redirect_uris[0])
    # Environment variables could lead to the real TikTok, so the demo passes none.
    return connect(known, home=home, environ={}, endpoints=endpoints)


def _play(story: _Story, simulated: "SimulatedTikTok", tiktok: TikTok) -> None:
    account = _sign_in(story, tiktok)
    info = account.creator_info()
    story.tell(
        "Ask what this creator may post",
        f"@{info.creator_username}, {', '.join(info.privacy_level_options)}, "
        f"up to {info.max_video_post_duration_sec} s",
    )
    small = film()
    large = PaddedFilm(small, SIZE)
    plan = plan_chunks(large.size)
    story.facts |= plan_document(plan)
    last = plan.chunk(plan.total_chunk_count - 1)
    story.tell(
        f"Plan the chunks of {large.name}, {large.size:,} bytes",
        f"{plan.total_chunk_count} of {plan.chunk_size:,}, the last one {last[1] - last[0] + 1:,}",
    )
    done = _post(story, account, large)
    _compare(story, simulated, done, large)
    _be_refused(story, simulated, account, small)


def _sign_in(story: _Story, tiktok: TikTok) -> Account:
    answers = Answers()
    with LoopbackListener(tiktok.app.redirect_uri) as listener:
        authorization = tiktok.authorization(redirect_uri=listener.redirect_uri)
        listener.start(accepts_state(authorization), answers)
        with _person(Secret(authorization.url), answers):
            callback = Secret(answers.wait(ANSWER_WITHIN))
        account = tiktok.sign_in(authorization, callback)
        story.tell(
            "Sign in with PKCE", f"the browser brought a code to {listener.redirect_uri}, and TikTok gave tokens for it"
        )
    tokens = account.tokens()
    story.facts |= {"open_id": account.open_id, "scope": ",".join(tokens.scope)}
    story.tell("Keep the tokens", f"{account.open_id} granted {', '.join(tokens.scope)}")
    return account


@contextmanager
def _person(page: Secret, answers: Answers) -> Iterator[None]:
    """Let the simulated person consent in a thread, and report the error if the consent fails."""
    from tiktok_adapters.cli.person import consent  # noqa: PLC0415 - brings the simulator

    troubles: list[Exception] = []

    def agree() -> None:
        try:
            consent(page)
        except (OSError, RuntimeError, HTTPException) as error:
            troubles.append(error)
            answers.give_up()

    person = threading.Thread(target=agree, name="tiktok-person")
    person.start()
    try:
        yield
    except SignInFailed:
        person.join()
        if troubles:
            raise click.ClickException(f"The simulated person could not consent: {troubles[0]}.") from None
        raise
    finally:
        person.join()


def _post(story: _Story, account: Account, large: PaddedFilm) -> Publication:
    began = time.monotonic()
    with display() as on_progress:
        done = account.post_video(
            large, title=TITLE, privacy_level=PrivacyLevel.SELF_ONLY, disable_duet=True, on_progress=on_progress
        )
    story.facts |= {"publish_id": done.publish_id, "status": done.status, "uploaded_bytes": done.uploaded_bytes}
    seconds = time.monotonic() - began
    story.tell(
        "Post it for the creator's eyes only",
        f"{done.publish_id} is {done.status}, {done.uploaded_bytes or 0:,} bytes, {seconds:.1f} s",
    )
    return done


def _compare(story: _Story, simulated: "SimulatedTikTok", done: Publication, large: PaddedFilm) -> None:
    ours, theirs = digest_of(large), simulated.post(done.publish_id).sha256
    story.facts |= {"sha256": ours, "sha256_at_tiktok": theirs}
    if ours != theirs:
        raise click.ClickException(f"The video arrived damaged: its SHA-256 is {ours}, but TikTok received {theirs}.")
    story.tell("Compare the SHA-256", f"ours and TikTok's are both {ours}")


def _be_refused(story: _Story, simulated: "SimulatedTikTok", account: Account, small: bytes) -> None:
    begun, refusals = len(simulated.posts), []
    simulated.creator.private = False
    for asked, level, branded in (
        ("Post to everyone with an app that TikTok has not audited", PrivacyLevel.PUBLIC_TO_EVERYONE, False),
        ("Post a paid partnership that only the creator can see", PrivacyLevel.SELF_ONLY, True),
    ):
        try:
            account.post_video(BytesSource(small), privacy_level=level, brand_content_toggle=branded)
        except TikTokError as error:
            refusals.append({"type": type(error).__name__, "message": str(error)})
            story.tell(asked, _why(error))
        else:
            say(f"{asked}: TikTok did not refuse it")
    if len(refusals) != 2 or len(simulated.posts) != begun:
        raise click.ClickException("The simulated TikTok accepted a post that it had to refuse.")
    story.facts["refusals"] = refusals


def _why(error: TikTokError) -> str:
    if isinstance(error, ApiError):
        return f"TikTok refuses with {error.code}. {error.explanation or error.message}"
    where = "before it sends anything" if isinstance(error, InvalidInput) else "while it sends the post"
    return f"the library refuses {where}. {error}"
