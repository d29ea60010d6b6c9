"""The command line with videos that lie in object storage: the bytes of the object arrive, wherever the command runs."""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from object_server import SECRETS, Answer, ObjectServer, object_server
from postgres_place import Database
from tiktok_adapters import connect, connect_async
from tiktok_adapters.assembly import load_settings
from tiktok_adapters.assembly.ports import source_opener
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.testing.tunnel import ConnectProxy
from tiktok_core import InvalidPost, SourceChanged

CHUNK = 5_242_880


@pytest.fixture
def film() -> bytes:
    """A video of three chunks and three ranges; no two of its parts are alike."""
    good = (Path(__file__).parents[1] / "media" / "good.mp4").read_bytes()
    free = b"".join(hashlib.sha256(number.to_bytes(4)).digest() for number in range(600_000))
    return good + len(free).to_bytes(4) + b"free" + free[8:]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, film: bytes) -> Iterator[ObjectServer]:
    """A storage with the video, to which the environment leads."""
    with object_server() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        server.put("bucket/clip of the day.mp4", film)
        yield server


@pytest.fixture
def digest(film: bytes) -> str:
    """What the video is known by."""
    return hashlib.sha256(film).hexdigest()


SCHEMES = ("s3", "gs", "az")
KEY = "bucket/clip of the day.mp4"
S3 = f"s3://{KEY}"


def refusal(sim: SimulatedTikTok, done: Any) -> str:
    """Return the sentence of a command that was refused as bad input before anything was sent; it shows no secret."""
    assert (done.exit_code, sim.count("inbox_init"), sim.count("direct_init")) == (2, 0, 0)
    assert not [secret for secret in SECRETS if secret in done.output]
    return str(json.loads(done.stdout)["error"]["message"])


# --- Posting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_program_posts_an_object(
    sim: SimulatedTikTok, opened: Any, storage: ObjectServer, film: bytes, scheme: str
) -> None:
    """All bytes arrive, and each was fetched once. Beside the reads, the storage is asked twice."""
    done = opened.account().post_video(f"{scheme}://{KEY}", privacy_level="SELF_ONLY", chunk_size=CHUNK)
    assert done.status == "PUBLISH_COMPLETE"
    assert [post.sha256 for post in sim.posts] == [hashlib.sha256(film).hexdigest()]
    spans = [one.headers["range"].removeprefix("bytes=").split("-") for one in storage.asked if one.method == "GET"]
    assert sum(int(last) + 1 - int(first) for first, last in spans) == len(film)
    assert [one.method for one in storage.asked if one.method != "GET"] == ["HEAD", "HEAD"]
    (record,) = opened.account().posts()
    assert record.wish.video == f"{scheme}://{KEY}"


def test_each_event_loop_posts_an_object(
    sim: SimulatedTikTok, environ: dict[str, str], signed_in: str, storage: ObjectServer, digest: str
) -> None:
    """One after the other, and two posts at once in each."""

    async def main(number: int) -> None:
        async with connect_async(environ=environ) as tiktok:
            account = await tiktok.account(signed_in)
            await asyncio.gather(*(account.post_video(S3, draft=True, key=f"{number}-{one}") for one in range(2)))

    for number in range(2):
        asyncio.run(main(number))
    assert [post.sha256 for post in sim.posts] == [digest] * 4


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.usefixtures("signed_in", "storage")
def test_the_command_line_posts_an_object(cli: Any, sim: SimulatedTikTok, digest: str, scheme: str) -> None:
    """The same name again is the same post."""
    done = cli("post", "video", f"{scheme}://{KEY}", "--privacy", "SELF_ONLY", "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "PUBLISH_COMPLETE"), done.output
    again = cli("post", "video", f"{scheme}://{KEY}", "--privacy", "SELF_ONLY", "--json")
    assert json.loads(again.stdout)["publish_id"] == json.loads(done.stdout)["publish_id"]
    assert [post.sha256 for post in sim.posts] == [digest]


def test_a_version_is_posted(
    cli: Any, sim: SimulatedTikTok, signed_in: str, storage: ObjectServer, digest: str
) -> None:
    """Although another object lies there by now."""
    assert signed_in
    storage.put(KEY, b"another object")
    done = cli("post", "video", f"{S3}?versionId=v1", "--draft", "--json")
    assert done.exit_code == 0, done.output
    assert [post.sha256 for post in sim.posts] == [digest]


@pytest.mark.usefixtures("storage")
def test_another_machine_posts_what_was_entered(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], database: Database, digest: str
) -> None:
    """The record has the object's name, which a worker in another home opens."""
    shared = {"TIKTOK_STORE_URL": database.url}
    other = shared | {"TIKTOK_HOME": f"{environ['TIKTOK_HOME']}-of-another"}
    with connect(environ=environ | shared) as tiktok:
        authorization = tiktok.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        tiktok.sign_in(authorization, sim.authorize(authorization.url))
    entered = cli("post", "video", S3, "--draft", "--key", "film", "--enter-only", "--json", env=shared)
    assert entered.exit_code == 0, entered.output
    assert not sim.posts
    assert cli("worker", "--once", env=other).exit_code == 0
    assert [(post.sha256, post.status) for post in sim.posts] == [(digest, "SEND_TO_USER_INBOX")]
    with connect(environ=environ | other) as tiktok:
        assert tiktok.account().post("film").is_ended


def test_what_was_entered_and_replaced_is_not_posted(
    cli: Any, sim: SimulatedTikTok, signed_in: str, storage: ObjectServer, film: bytes
) -> None:
    """Another object lies there when the worker comes: that is told, and nothing was posted."""
    assert signed_in
    assert cli("post", "video", S3, "--draft", "--key", "film", "--enter-only").exit_code == 0
    storage.put(KEY, film[:-1] + b"!")
    done = cli("resume", "film", "--json")
    assert done.exit_code == 2
    assert "not the one that this post began with" in json.loads(done.stdout)["error"]["message"]
    assert (sim.posts, sim.count("inbox_init")) == ((), 0)


@pytest.mark.parametrize("change", ["replaced", "deleted", "replaced unnoticed"])
def test_an_object_that_changes_on_its_way_is_not_posted(
    sim: SimulatedTikTok, opened: Any, storage: ObjectServer, film: bytes, change: str
) -> None:
    """After the first chunk, or after the last byte was fetched: what arrived is not completed, and no byte of both is mixed."""

    def changes(progress: Any) -> None:
        if progress.sent_bytes >= CHUNK:
            storage.delete(KEY) if change == "deleted" else storage.put(KEY, film[::-1])
            storage.quirks = {"no-if-match"} if change == "replaced unnoticed" else set()

    with pytest.raises(SourceChanged):
        opened.account().post_video(S3, draft=True, chunk_size=CHUNK, key="film", on_progress=changes)
    assert [post.sha256 for post in sim.posts] == [""]
    assert not opened.account().post("film").is_ended


# --- What is refused before anything is sent -------------------------------------------------------------------------


def test_plans_and_checks_take_objects(
    cli: Any, sim: SimulatedTikTok, signed_in: str, storage: ObjectServer, film: bytes
) -> None:
    """`plan` needs no settings of an app, and `--dry-run` says how the post would be sent."""
    assert signed_in
    plan = cli("plan", S3, "--json", env={"TIKTOK_CLIENT_KEY": ""})
    assert (plan.exit_code, json.loads(plan.stdout)["video_size"]) == (0, len(film)), plan.output
    dry = cli("post", "video", S3, "--privacy", "SELF_ONLY", "--dry-run", "--json")
    assert dry.exit_code == 0, dry.output
    assert f'"video_size": {len(film)}' in dry.stdout
    assert not sim.posts


@pytest.mark.parametrize(("size", "words"), [(0, "empty"), (5 * 10**9, "TikTok takes at most 4 GB")])
@pytest.mark.usefixtures("signed_in")
def test_a_size_that_tiktok_does_not_take_is_refused(
    cli: Any, sim: SimulatedTikTok, storage: ObjectServer, size: int, words: str
) -> None:
    """It is known from the opening, and nothing is read."""
    storage.put("bucket/other.mp4", b"", size=size)
    assert words in refusal(sim, cli("post", "video", "s3://bucket/other.mp4", "--draft", "--json"))
    assert {one.method for one in storage.asked} == {"HEAD"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s3://bucket/none.mp4", "there is no object s3://bucket/none.mp4"),
        ("gs://none/clip.mp4", "there is no bucket none"),
        (S3, "allow them s3:GetObject"),
        ("s3://bucket/a//b.mp4", "a part that is empty"),
    ],
)
@pytest.mark.usefixtures("signed_in")
def test_what_cannot_be_read_is_refused(
    cli: Any, sim: SimulatedTikTok, storage: ObjectServer, name: str, words: str
) -> None:
    """With the sentence of the storage, exit status 2, and no secret."""
    storage.script = [Answer(403, "AccessDenied")] * 9 if name == S3 else []
    assert words in refusal(sim, cli("post", "video", name, "--draft", "--json"))


# --- The way to the storage ------------------------------------------------------------------------------------------


def test_the_proxy_and_the_authorities_of_the_settings_lead_to_the_storage(
    environ: dict[str, str], storage: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, film: bytes
) -> None:
    """A storage that only the proxy reaches, with a certificate of the company's own authority."""
    authority, ca_file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(ca_file)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("s3.company.example").configure_cert(tls)
    storage.socket = tls.wrap_socket(storage.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://s3.company.example")
    with ConnectProxy(user="me:canary-of-a-proxy", leads={"s3.company.example": storage.server_port}) as proxy:
        way = {"TIKTOK_PROXY": proxy.url, "TIKTOK_CA_FILE": str(ca_file)}
        with closing(source_opener(load_settings({}, environ | way))) as opener:
            assert opener(S3).read(0, 1000) == film[:1000]
        told = proxy.heads[0].replace("\r\n", "\n")
        assert told.startswith("CONNECT s3.company.example:443 ")
        assert "Basic bWU6Y2FuYXJ5LW9mLWEtcHJveHk=" in told
        with (
            closing(source_opener(load_settings({}, environ | {"TIKTOK_PROXY": proxy.url}))) as opener,
            pytest.raises(InvalidPost) as no,
        ):
            opener(S3)
        assert "is not trusted: name the authority's file in TIKTOK_CA_FILE" in str(no.value)
        proxy.says = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        with closing(source_opener(load_settings({}, environ | way))) as opener, pytest.raises(InvalidPost) as no:
            opener(S3)
        assert "check its user and password" in str(no.value)
        assert "canary-of-a-proxy" not in str(no.value)
