"""What an object in a storage promises beyond the contract of sources: it stays what was opened, and each trouble is one sentence."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crash_report import shown
from example_counts import at_most
from object_server import SECRETS, Answer, ObjectServer, drop, hang, object_server
from tiktok_adapters.sources import Ahead, RemoteSource, open_source
from tiktok_adapters.sources.object_names import parse_name
from tiktok_adapters.sources.object_stores import BOTO3
from tiktok_adapters.sources.objects import RUNTIME, Limits, ObjectRemote, _Runtime, open_object
from tiktok_core.errors import InvalidPost, Misused, SourceChanged, TikTokError
from tiktok_core.hidden import Hidden

SCHEMES = ("s3", "gs", "az")
SHARED = Path(__file__).parents[1] / "shared"
DATA = bytes(Random(11).randbytes(20_000_000))
KEPT: list[RemoteSource] = []
QUICK = Limits(connect=0.3, silence=0.3, whole=5.0, again=0.4, tries=1)


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's credentials and proxies away from the tests."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """A storage of all three kinds, to which the environment leads."""
    with object_server() as storage:
        for name, value in storage.environment().items():
            monkeypatch.setenv(name, value)
        yield storage


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    """What the sources of a client share."""
    shared = Ahead()
    yield shared
    shared.close()
    KEPT.clear()


def opened(name: str, ahead: Ahead, limits: Limits | None = None) -> RemoteSource:
    """Open an object."""
    return open_object(Hidden(name), ahead, None, limits)


def remote(name: str, ahead: Ahead) -> ObjectRemote:
    """Open an object, and return what is below the source, which the test keeps open."""
    KEPT.append(opened(name, ahead))
    found = KEPT[-1]._remote
    assert isinstance(found, ObjectRemote)
    return found


def refused(call: Callable[[], object], kind: type[TikTokError] = InvalidPost) -> str:
    """Return the sentence with which a call is refused; it shows no secret, nor does a crash report of it."""
    with pytest.raises(kind) as caught:
        call()
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not [secret for secret in SECRETS if secret in told]
    assert not shown(caught.value, SECRETS)
    error = caught.value
    return error.problems[0].message if isinstance(error, InvalidPost) else str(error)


# --- Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s3://", "has no bucket"),
        ("s3:///key", "has no bucket"),
        ("s3://buck et/key", "has no bucket"),
        ("gs://bucket", "gs://bucket/ is no object"),
        ("az://container/folder/", "write az://container/key"),
        ("s3://bucket/a//b", "a part that is empty"),
        ("s3://bucket//a", "a part that is empty"),
        ("s3://bucket/a/../b", "a part that is empty, . or .."),
        ("s3://bucket/a\nb", "control character"),
        ("s3://bucket/key?versionId=", "the query of an s3:// name is ?versionId=..."),
        ("gs://bucket/key?versionId=1", "a gs:// name has no query"),
    ],
)
def test_a_name_that_means_no_object_is_refused(name: str, words: str, ahead: Ahead) -> None:
    """Nothing is asked: obstore would ask for another object than the name says."""
    assert words in refused(lambda: opened(name, ahead))


@pytest.mark.parametrize("name", [f"s3://{SECRETS[0]}:{SECRETS[1]}@bucket/key", f"s3://bucket/key?X-Sig={SECRETS[1]}"])
def test_a_secret_in_a_name_is_not_quoted(name: str, ahead: Ahead) -> None:
    """Neither a user and a password nor a signature appear in the refusal."""
    assert "bucket/key" in refused(lambda: opened(name, ahead)) or "versionId" in refused(lambda: opened(name, ahead))


@given(st.sampled_from(SCHEMES), st.text(min_size=1, max_size=40), st.none() | st.text("abcXYZ019._-+/ =", min_size=1))
def test_a_name_that_is_read_is_written_alike(scheme: str, key: str, version: str | None) -> None:
    """Whatever is accepted means one object, and its name says the same again."""
    query = "" if version is None else f"?versionId={version}"
    try:
        found = parse_name(Hidden(f"{scheme.upper()}://bucket/{key}{query}"))
    except InvalidPost:
        return
    assert (found.scheme, found.bucket) == (scheme, "bucket")
    assert found.key == key
    assert parse_name(Hidden(str(found))) == found


def test_only_an_opener_opens_objects() -> None:
    """`open_source` alone has nothing to bound the memory with, and says so."""
    assert "SourceOpener" in refused(lambda: open_source("s3://bucket/key"))


# --- Reading ---------------------------------------------------------------------------------------------------------


@settings(max_examples=at_most(40), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.sampled_from(SCHEMES),
    st.lists(st.tuples(st.integers(0, len(DATA) + 9), st.integers(0, 3_000_000)), min_size=1, max_size=8),
)
def test_random_reads_give_the_bytes(
    server: ObjectServer, ahead: Ahead, scheme: str, reads: list[tuple[int, int]]
) -> None:
    """Across the borders of ranges and at the end, also from several threads. Each request for bytes carries If-Match."""
    lying = server.objects.get("bucket/clip.mp4") or [server.put("bucket/clip.mp4", DATA)]
    server.asked.clear()
    with opened(f"{scheme}://bucket/clip.mp4", ahead) as source, ThreadPoolExecutor(3) as pool:
        blocks = list(pool.map(lambda one: source.read(*one), reads))
    assert blocks == [DATA[start : start + length] for start, length in reads]
    gets = [one for one in server.asked if one.method == "GET"]  # Those ahead of the example before may come late.
    assert len(server.asked) - len(gets) == 1
    assert all((one.headers["if-match"], "range" in one.headers) == (lying[0].etag, True) for one in gets if lying[0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_is_taken_as_it_stands(server: ObjectServer, ahead: Ahead, scheme: str) -> None:
    """Blanks, percent signs, number signs and letters of any script are part of the key."""
    for key in ("of the day/clip #1.mp4", "100%20.mp4", "clip+é/ü.mp4", "~a=b&c;d,e:f@g.mp4"):
        server.put(f"bucket/{key}", key.encode())
        assert opened(f"{scheme}://bucket/{key}", ahead).read(0, 100) == key.encode()


def test_a_version_is_read_and_shown(server: ObjectServer, ahead: Ahead) -> None:
    """The object may be replaced, or deleted: the version stays what it is."""
    old = server.put("bucket/clip.mp4", b"old" * 1000)
    name = f"s3://bucket/clip.mp4?versionId={old.version}"
    source = opened(name, ahead)
    server.put("bucket/clip.mp4", b"new" * 1000)
    server.delete("bucket/clip.mp4")
    assert source.read(0, 6) == b"oldold"
    assert source.read(2994, 6) == b"oldold"
    assert source.fingerprint == f"{old.etag}-3000"
    assert os.fspath(source) == name
    assert repr(remote(name, ahead)) == f"ObjectRemote({name!r})"
    assert all(one.query == {"versionId": [old.version]} for one in server.asked)
    missing = name.replace(old.version, "v9")
    assert refused(lambda: opened(missing, ahead)).startswith(f"there is no object {missing} at ")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_empty_object_and_one_of_five_gigabytes_are_not_read(
    server: ObjectServer, ahead: Ahead, scheme: str
) -> None:
    """Their size is known from the opening, which is one HEAD."""
    server.put("bucket/empty", b"")
    server.put("bucket/large", b"", size=5 * 10**9)
    assert [opened(f"{scheme}://bucket/{key}", ahead).size for key in ("empty", "large")] == [0, 5 * 10**9]
    assert opened(f"{scheme}://bucket/empty", ahead).read(0, 10) == b""
    assert {one.method for one in server.asked} == {"HEAD"}


# --- It stays what was opened ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("quirk", [None, "no-if-match"])
def test_another_object_is_noticed(server: ObjectServer, ahead: Ahead, scheme: str, quirk: str | None) -> None:
    """Also with the same size, and by a storage that ignores If-Match: no byte of it is given."""
    server.put("bucket/clip.mp4", DATA)
    found = remote(f"{scheme}://bucket/clip.mp4", ahead)
    assert found.fetch(0, 10) == DATA[:10]
    server.quirks = {quirk} if quirk else set()
    server.put("bucket/clip.mp4", DATA[::-1])
    said = refused(lambda: found.fetch(100, 10), SourceChanged)
    assert f"another object lies at {scheme}://bucket/clip.mp4 than when it was opened" in said
    assert found.look()[0] != found.etag


def test_the_same_bytes_again_are_no_change(server: ObjectServer, ahead: Ahead) -> None:
    """They have the same ETag, and the post goes on."""
    server.put("bucket/clip.mp4", DATA)
    source = opened("s3://bucket/clip.mp4", ahead)
    before = source.fingerprint
    server.put("bucket/clip.mp4", DATA)
    assert source.read(100, 10) == DATA[100:110]
    assert source.read(len(DATA) - 5, 10) == DATA[-5:]
    assert source.fingerprint == before


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_deleted_object_is_noticed(server: ObjectServer, ahead: Ahead, scheme: str) -> None:
    """By a read and by a look."""
    server.put("bucket/clip.mp4", DATA)
    found = remote(f"{scheme}://bucket/clip.mp4", ahead)
    server.delete("bucket/clip.mp4")
    for call in (lambda: found.fetch(0, 10), found.look):
        assert f"there is no object {scheme}://bucket/clip.mp4" in refused(call, SourceChanged)


def test_an_object_that_shrank_is_another_one(server: ObjectServer, ahead: Ahead) -> None:
    """A storage that knows no If-Match answers that it has no such range."""
    server.put("bucket/clip.mp4", DATA)
    found = remote("s3://bucket/clip.mp4", ahead)
    server.quirks = {"no-if-match"}
    server.put("bucket/clip.mp4", DATA[:100])
    assert "another object lies at" in refused(lambda: found.fetch(1000, 10), SourceChanged)


def test_a_closed_object_gives_nothing(server: ObjectServer, ahead: Ahead) -> None:
    """It can be closed twice, and a source that nobody holds any more closes it."""
    server.put("bucket/clip.mp4", DATA)
    source = opened("s3://bucket/clip.mp4", ahead)
    found = source._remote
    del source
    gc.collect()
    found.close()
    assert "closed" in refused(lambda: found.fetch(0, 1), SourceChanged)


# --- What a storage says ---------------------------------------------------------------------------------------------

REGION = "<Region>us-west-2</Region>"
SENTENCES: list[tuple[tuple[str, ...], Answer, type[TikTokError], str]] = [
    (
        SCHEMES,
        Answer(403, "AccessDenied"),
        InvalidPost,
        "the credentials may not read {name} (HTTP 403 AccessDenied): ",
    ),
    (("s3",), Answer(403, "AccessDenied"), InvalidPost, "allow them s3:GetObject"),
    (("gs",), Answer(403, "AccessDenied"), InvalidPost, "allow them storage.objects.get"),
    (("az",), Answer(403, "AuthorizationPermissionMismatch"), InvalidPost, "Storage Blob Data Reader"),
    (("s3",), Answer(403, "InvalidAccessKeyId"), InvalidPost, "does not accept the credentials (HTTP 403 Invalid"),
    (("s3",), Answer(400, "ExpiredToken"), InvalidPost, "they are wrong or have expired; set AWS_ACCESS_KEY_ID"),
    (("gs",), Answer(401, "AuthenticationRequired"), InvalidPost, "set GOOGLE_APPLICATION_CREDENTIALS"),
    (("az",), Answer(403, "AuthenticationFailed"), InvalidPost, "set AZURE_STORAGE_ACCOUNT_KEY"),
    (("s3",), Answer(403, "RequestTimeTooSkewed"), InvalidPost, "this machine's clock"),
    (("s3",), Answer(301, "PermanentRedirect"), InvalidPost, "lies in another region: set AWS_REGION"),
    (
        ("s3",),
        Answer(400, "AuthorizationHeaderMalformed", more=REGION),
        InvalidPost,
        "in the region us-west-2: set AWS_REGION",
    ),
    (("s3", "gs"), Answer(404, "NoSuchBucket"), InvalidPost, "there is no bucket bucket at http://127.0.0.1:"),
    (("az",), Answer(404, "ContainerNotFound"), InvalidPost, "there is no container bucket at http://127.0.0.1:"),
    (SCHEMES, Answer(404, "NoSuchKey"), InvalidPost, "there is no object {name} at http://127.0.0.1:"),
    (("s3",), Answer(405, "MethodNotAllowed"), InvalidPost, "there is no object {name}"),
    (SCHEMES, Answer(400, "Unheard"), InvalidPost, "refuses to give {name} (HTTP 400 Unheard): check the name"),
    (SCHEMES, Answer(407), InvalidPost, "the proxy does not let requests to "),
    (SCHEMES, Answer(429), SourceChanged, "has trouble of its own (HTTP 429): go on later"),
    (SCHEMES, Answer(503, "SlowDown"), SourceChanged, "has trouble of its own (HTTP 503 SlowDown): go on later"),
]


@pytest.mark.parametrize(
    ("scheme", "row"),
    [(scheme, tuple(row)) for schemes, *row in SENTENCES for scheme in schemes],
)
def test_each_refusal_is_one_sentence(
    server: ObjectServer, ahead: Ahead, scheme: str, row: tuple[Answer, type[TikTokError], str]
) -> None:
    """It says whose fault it is and what to do, and quotes nothing else: the body may show what was signed."""
    answer, kind, words = row
    name = f"{scheme}://bucket/clip.mp4"
    server.put("bucket/clip.mp4", DATA)
    server.script = [Answer(answer.status, answer.code, more=f"{answer.more}{' '.join(SECRETS)}")] * 9
    assert words.format(name=name) in refused(lambda: opened(name, ahead, QUICK), kind)
    server.script.clear()
    found = remote(name, ahead)
    server.script = [Answer(answer.status, answer.code, more=f"{answer.more}{' '.join(SECRETS)}")] * 9
    assert words.format(name=name) in refused(lambda: found.fetch(0, 10), SourceChanged)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("quirk", "words"),
    [
        *((quirk, "gives no strong ETag") for quirk in ("no-etag", "weak-etag", "empty-etag")),
        ("no-ranges", "ignores ranges"),
    ],
)
def test_a_storage_that_cannot_be_trusted_is_refused(
    server: ObjectServer, ahead: Ahead, scheme: str, quirk: str, words: str
) -> None:
    """Without a strong ETag a change would not be noticed, and without ranges a read gives other bytes."""
    server.put("bucket/clip.mp4", DATA)
    server.quirks = {quirk}
    if quirk == "no-ranges":
        found = remote(f"{scheme}://bucket/clip.mp4", ahead)
        assert words in refused(lambda: found.fetch(5, 10), SourceChanged)
    else:
        assert words in refused(lambda: opened(f"{scheme}://bucket/clip.mp4", ahead))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("length", "given"), [(10, "10-18"), (5, "0-4"), (20, "0-19"), (20, "0-9"), (5, "0-9")])
def test_another_range_than_was_asked_for_is_refused(
    server: ObjectServer, ahead: Ahead, scheme: str, length: int, given: str
) -> None:
    """Other bytes, fewer, or more of them: whatever the storage says of what it sends."""
    etag = server.put("bucket/clip.mp4", DATA).etag
    found = remote(f"{scheme}://bucket/clip.mp4", ahead)
    headers = {
        "ETag": etag,
        "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT",
        "Content-Range": f"bytes {given}/{len(DATA)}",
    }
    server.script = [Answer(206, "", headers, "x" * length)] * 9
    refused(lambda: found.fetch(0, 10), SourceChanged)


def test_one_trouble_is_tried_again(server: ObjectServer, ahead: Ahead) -> None:
    """A connection that breaks, or a 503, is no reason to leave a post."""
    server.put("bucket/clip.mp4", DATA)
    server.script = [drop, None, Answer(503), None]
    source = opened("s3://bucket/clip.mp4", ahead)
    assert source.read(0, 1000) == DATA[:1000]
    assert [one.method for one in server.asked] == ["HEAD", "HEAD", "GET", "GET"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_silent_storage_is_left_alone(server: ObjectServer, ahead: Ahead, scheme: str) -> None:
    """The number of tries is bounded, and each has a time-out."""
    server.script = [hang] * 9
    said = refused(lambda: opened(f"{scheme}://bucket/clip.mp4", ahead, QUICK), SourceChanged)
    assert f"at {server.url} does not answer in time: check the network and the endpoint, and go on later" in said
    assert len(server.asked) == 2


def test_an_endpoint_that_nobody_serves_is_named(monkeypatch: pytest.MonkeyPatch, ahead: Ahead) -> None:
    """It may be misspelled, or down."""
    with object_server() as gone:
        environment = gone.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said = refused(lambda: opened("s3://bucket/clip.mp4", ahead, QUICK), SourceChanged)
    assert f"S3 at {gone.url} cannot be reached: check the network and the endpoint" in said


# --- Credentials and settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "row"),
    [
        (
            "s3",
            ("AWS_ACCESS_KEY_ID", "AWS_METADATA_ENDPOINT", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_P"),
        ),
        (
            "az",
            ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_MSI_ENDPOINT", "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS"),
        ),
    ],
)
def test_missing_credentials_are_named(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch, scheme: str, row: tuple[str, str, str]
) -> None:
    """Obstore asks the machine for a role at last; where there is none, nothing is asked of the storage."""
    taken, given, words = row
    server.put("bucket/clip.mp4", DATA)
    monkeypatch.delenv(taken)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with object_server() as machine:
        monkeypatch.setenv(given, machine.url)
        assert words in refused(lambda: opened(f"{scheme}://bucket/clip.mp4", ahead, QUICK))
    assert not server.asked


@pytest.mark.parametrize(
    ("scheme", "row"),
    [
        ("az", ("AZURE_STORAGE_ACCOUNT_NAME", None, "set AZURE_STORAGE_ACCOUNT_NAME")),
        ("az", ("AZURE_STORAGE_ACCOUNT_KEY", SECRETS[1], "the environment variables that begin with AZURE_")),
        ("s3", ("AWS_SECRET_ACCESS_KEY", None, "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is missing: set both")),
        ("gs", ("GOOGLE_SERVICE_ACCOUNT", "/no/such/file.json", "GOOGLE_APPLICATION_CREDENTIALS")),
        (
            "s3",
            (
                "AWS_ENDPOINT_URL",
                "http://minio.internal:9000",
                "AWS_ENDPOINT_URL is plain http, which every machine on the way",
            ),
        ),
        ("gs", ("GOOGLE_BASE_URL", "http://fake.internal", "or set GOOGLE_ALLOW_HTTP=true")),
        ("az", ("AZURE_STORAGE_ENDPOINT", "http://azurite.internal", "or set AZURE_ALLOW_HTTP=true")),
        ("s3", ("AWS_ENDPOINT_URL", "http://[bad", "AWS_ENDPOINT_URL is no URL")),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch, scheme: str, row: tuple[str, str | None, str]
) -> None:
    """Before anything is asked."""
    variable, value, words = row
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    assert words in refused(lambda: opened(f"{scheme}://bucket/clip.mp4", ahead, QUICK))
    assert not server.asked


def test_a_profile_of_aws_is_used(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its keys sign the request, and its region counts; variables with keys come first, as in AWS's own tools."""
    server.put("bucket/clip.mp4", DATA)
    (tmp_path / "credentials").write_text("[films]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n")
    (tmp_path / "config").write_text("[profile films]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "films")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    opened("s3://bucket/clip.mp4", ahead)
    assert f"Credential={SECRETS[0]}/" in server.asked[-1].headers["authorization"]
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_REGION")
    opened("s3://bucket/clip.mp4", ahead)
    sent = server.asked[-1].headers["authorization"]
    assert "Credential=AKIDPROFILE/" in sent
    assert "/sa-east-1/s3/" in sent
    monkeypatch.setenv("AWS_PROFILE", "none")
    assert "the AWS profile 'none' cannot be used (ProfileNotFound)" in refused(lambda: opened("s3://bucket/k", ahead))
    (tmp_path / "config").write_text("[profile none]\nregion = sa-east-1\n")
    assert "the AWS profile 'none' has no credentials" in refused(lambda: opened("s3://bucket/k", ahead))
    monkeypatch.setitem(sys.modules, BOTO3, None)
    assert "pip install 'tiktok-open[aws]'" in refused(lambda: opened("s3://bucket/k", ahead))
    monkeypatch.delenv("AWS_PROFILE")
    assert "pip install 'tiktok-open[aws]'" in refused(lambda: opened("s3://bucket/k", ahead))


@pytest.mark.parametrize("has_boto3", [True, False])
def test_a_file_of_aws_without_keys_leaves_the_role_of_the_machine(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_boto3: bool
) -> None:
    """Such as one that has only a region: nobody has chosen a profile."""
    (tmp_path / "config").write_text("[default]\nregion = sa-east-1\n")
    for name, value in {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_METADATA_ENDPOINT": f"{server.url}/machine",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if not has_boto3:
        monkeypatch.setitem(sys.modules, BOTO3, None)
    assert "no credentials for S3 could be found" in refused(lambda: opened("s3://bucket/k", ahead, QUICK))


def test_a_public_bucket_needs_no_credentials(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is signed."""
    server.put("bucket/clip.mp4", DATA)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert opened("s3://bucket/clip.mp4", ahead).size == len(DATA)
    assert "authorization" not in server.asked[-1].headers


def test_without_obstore_the_extra_is_named(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of an installer."""
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    assert "pip install 'tiktok-open[objects]'" in refused(lambda: opened("s3://bucket/clip.mp4", ahead))


def test_an_endpoint_on_this_machine_needs_no_proxy(
    server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says of proxies, which could not reach it."""
    server.put("bucket/clip.mp4", DATA)
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert opened("s3://bucket/clip.mp4", ahead).size == len(DATA)


# --- Forks -----------------------------------------------------------------------------------------------------------


def test_the_first_request_of_a_process_ends_in_any_case() -> None:
    """Its answer and its error are the caller's. If neither comes, obstore has no threads, and the caller is told."""
    assert _Runtime().first(lambda: 5) == 5
    failing, stuck = _Runtime(), _Runtime()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            failing.first(lambda: 1 // 0)
    stuck.longest, over = 0.05, threading.Event()
    with pytest.raises(Misused, match="before this process was forked"):
        stuck.first(over.wait)
    over.set()


def test_a_request_after_a_fork_is_refused(server: ObjectServer, ahead: Ahead, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an opened object as of a new one: this process is not the one that has used obstore."""
    server.put("bucket/clip.mp4", DATA)
    found = remote("s3://bucket/clip.mp4", ahead)
    monkeypatch.setattr(RUNTIME, "_pid", os.getppid())
    for call in (lambda: found.fetch(0, 1), found.look, lambda: opened("s3://bucket/clip.mp4", ahead)):
        assert "open the first object after the fork" in refused(call, Misused)


FORKS = """
    import os, sys, threading
    from object_server import object_server
    from tiktok_adapters.sources import Ahead
    from tiktok_adapters.sources.objects import RUNTIME, open_object
    from tiktok_core.errors import Misused
    from tiktok_core.hidden import Hidden

    def size():
        return open_object(Hidden("s3://bucket/clip.mp4"), Ahead()).size

    with object_server() as server:
        os.environ.update(server.environment())
        server.put("bucket/clip.mp4", b"x" * 1000)
        {before}
        sys.stdout.flush()
        if (child := os.fork()) == 0:
            code = 9
            try:
                {in_child}
                print("child", size(), flush=True)
                code = 0
            except Misused as error:
                print("Misused", error, flush=True)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        print("parent", size())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    ("before", "in_child", "words"),
    [
        ("import obstore.store", "", "child 1000"),
        ("assert size() == 1000", "", "Misused the video: object storage was used before this process was forked"),
        # As an application that uses obstore by itself: this library only sees that no answer ever comes.
        (
            "assert size() == 1000; RUNTIME._pid = None",
            "RUNTIME.longest = 1.0",
            "Misused the video: object storage was used",
        ),
    ],
)
def test_a_forked_child_works_or_says_why_it_does_not(before: str, in_child: str, words: str) -> None:
    """Obstore's threads do not live on in a child. What was not used before the fork works there; the parent always does."""
    code = textwrap.dedent(FORKS).format(before=before, in_child=in_child or "pass")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env={**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, "PYTHONPATH": str(SHARED)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert words in done.stdout
    assert "parent 1000" in done.stdout
