"""A copy of the account's data, from the request to the file, with both clients."""

import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
    parse_fault,
)
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    ApiError,
    App,
    InvalidInput,
    ScopeMissing,
    StoreError,
    TikTok,
    TimedOut,
    TransportError,
    UnexpectedResponse,
)
from tiktok_core.domain.events import DownloadReady
from tiktok_core.portability import DataRequest

ONGOING, SINGLE = "portability.all.ongoing", "portability.all.single"
READY = 600


@pytest.fixture
def account(bench: Any) -> Any:
    """Give an account whose consent lets the app request its data any number of times."""
    return signed_in(bench, ONGOING)


def signed_in(bench: Any, *scopes: str) -> Any:
    """Sign in with these scopes, for which the app is approved."""
    bench.sim.app.scopes = tuple(dict.fromkeys((*bench.sim.app.scopes, *scopes)))
    asked = bench.tiktok.authorization(["user.info.basic", *scopes], redirect_uri="http://127.0.0.1:4000/callback/")
    return bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))


def asked_for(bench: Any, account: Any) -> int:
    """Request a copy and wait until it is ready."""
    request_id: int = bench.run(account.request_data(["profile", "activity"]))
    bench.clock.advance(READY)
    return request_id


def left_in(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_copy_is_asked_for_and_fetched(bench: Any, account: Any, tmp_path: Path) -> None:
    """The copy is pending, then ready, and the webhook says so, too.

    The file is the archive, and only its owner may read it.
    """
    request_id = bench.run(account.request_data(["profile", "activity"]))
    asked_at = int(bench.clock.now().timestamp())
    found = bench.run(account.check_data(request_id))
    assert found == DataRequest(
        request_id=request_id,
        status="pending",
        apply_time=asked_at,
        collect_time=asked_at,
        data_format="json",
        category_selection_list=("profile", "activity"),
    )
    bench.clock.advance(READY)
    (delivery,) = bench.sim.webhooks()
    event = bench.tiktok.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])
    assert isinstance(event, DownloadReady)
    assert event.request_id == request_id
    assert bench.run(account.check_data(request_id)).is_ready
    path = tmp_path / "data.zip"
    done = bench.run(account.download_data(event.request_id, path))
    assert (done.request_id, done.size) == (request_id, path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["profile.json", "activity.json"]
    assert left_in(tmp_path) == ["data.zip"]


def test_what_cannot_be_asked_for_costs_no_call(bench: Any, account: Any, tmp_path: Path) -> None:
    """The client refuses empty or unknown selections and malformed ids before it sends anything."""
    calls = [
        lambda: account.request_data([]),
        lambda: account.request_data(["profile"], data_format="xml"),
        lambda: account.check_data(0),
        lambda: account.cancel_data(2**63),
        lambda: account.download_data(True, tmp_path / "data.zip"),
        lambda: account.download_data(1, tmp_path / "nowhere" / "data.zip"),
        lambda: account.download_data(1, tmp_path),
    ]
    sent = len(bench.sim.log)
    for call in calls:
        with pytest.raises(InvalidInput):
            bench.run(call())
    assert len(bench.sim.log) == sent
    assert left_in(tmp_path) == []


def test_a_copy_is_cancelled(bench: Any, account: Any, tmp_path: Path) -> None:
    """Afterwards the status says that the copy is cancelled. The client can neither fetch it nor cancel it again."""
    request_id = asked_for(bench, account)
    found = bench.run(account.cancel_data(request_id))
    assert (found.status, found.has_ended) == ("cancelled", True)
    for call in (account.cancel_data, lambda one: account.download_data(one, tmp_path / "data.zip")):
        with pytest.raises(ApiError, match="Incorrect `request_id`"):
            bench.run(call(request_id))
    assert left_in(tmp_path) == []


def test_an_archive_is_kept_for_four_days(bench: Any, account: Any, tmp_path: Path) -> None:
    """After four days the archive has expired, and TikTok refuses to give it."""
    request_id = asked_for(bench, account)
    bench.clock.advance(4 * 86_400 - 1)
    assert bench.run(account.download_data(request_id, tmp_path / "data.zip")).size
    bench.clock.advance(1)
    assert bench.run(account.check_data(request_id)).status == "expired"
    with pytest.raises(ApiError):
        bench.run(account.download_data(request_id, tmp_path / "late.zip"))


def test_a_one_time_scope_allows_one_request(bench: Any, tmp_path: Path) -> None:
    """The scope still lets the app follow and fetch the copy that it requested.

    A second request needs another consent.
    """
    account = signed_in(bench, SINGLE)
    request_id = asked_for(bench, account)
    with pytest.raises(ScopeMissing):
        bench.run(account.request_data(["profile"]))
    assert bench.run(account.download_data(request_id, tmp_path / "data.zip")).size
    again = signed_in(bench, SINGLE)
    assert bench.run(again.request_data(["profile"])) != request_id


def test_without_the_scope_nothing_is_given(bench: Any) -> None:
    """TikTok refuses, and the client raises the error class for a missing scope."""
    with pytest.raises(ScopeMissing):
        bench.run(bench.signed_in().request_data(["profile"]))


@pytest.mark.parametrize("lost", ["drop-before", "drop-after", "status:503"])
def test_a_request_in_doubt_is_not_repeated(bench: Any, account: Any, lost: str) -> None:
    """The request may use up a one-time scope. If TikTok accepted it, the webhook still names its id."""
    bench.sim.faults.add(parse_fault(f"data_add={lost}"))
    with pytest.raises((TransportError, ApiError)):
        bench.run(account.request_data(["profile"]))
    assert bench.sim.count("data_add") == 1
    bench.clock.advance(READY)
    assert len(bench.sim.webhooks()) == (lost == "drop-after")


@pytest.mark.parametrize(
    "fault", ["truncate", "drop-after", "status:503", "code:internal_error", "code:access_token_invalid"]
)
def test_a_download_that_breaks_begins_anew(bench: Any, account: Any, tmp_path: Path, fault: str) -> None:
    """In the end the file is the same as without the trouble, and nothing else stays in the folder."""
    bench.sim.switches.data_bytes = 3_000_000
    request_id = asked_for(bench, account)
    bench.sim.faults.add(parse_fault(f"data_download={fault}"))
    done = bench.run(account.download_data(request_id, tmp_path / "data.zip"))
    assert bench.sim.count("data_download") == 2
    with zipfile.ZipFile(tmp_path / "data.zip") as archive:
        assert archive.testzip() is None
    assert (tmp_path / "data.zip").stat().st_size == done.size > 3_000_000
    assert left_in(tmp_path) == ["data.zip"]


@pytest.mark.parametrize(
    "fault", ["truncate", "drop-after", "garbage", "slow:100", "code:invalid_params", "status:404"]
)
def test_a_download_that_fails_leaves_nothing(bench: Any, account: Any, tmp_path: Path, fault: str) -> None:
    """No half archive and no error page stays under the archive's name. A file that was there before stays."""
    request_id = asked_for(bench, account)
    (tmp_path / "old.zip").write_bytes(b"old")
    for name in ("data.zip", "old.zip"):
        bench.sim.faults.add(parse_fault(f"data_downloadx9={fault}"))
        with pytest.raises((TransportError, ApiError, UnexpectedResponse)):
            bench.run(account.download_data(request_id, tmp_path / name, overwrite=True))
        bench.sim.faults.clear()
    assert left_in(tmp_path) == ["old.zip"]
    assert (tmp_path / "old.zip").read_bytes() == b"old"


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "application/json"])
@pytest.mark.parametrize("failure_status", ["told", "200"])
def test_the_bytes_decide_what_an_answer_is(
    bench: Any, account: Any, tmp_path: Path, media_type: str | None, failure_status: Any
) -> None:
    """TikTok may answer with any type and status: the client tells an archive from a refusal by the bytes."""
    bench.sim.switches.data_media_type, bench.sim.switches.data_failure_status = media_type, failure_status
    request_id = bench.run(account.request_data("all_data", data_format="text"))
    with pytest.raises(ApiError) as caught:
        bench.run(account.download_data(request_id, tmp_path / "data.zip"))
    assert (caught.value.code, caught.value.status) == ("invalid_params", 400)
    bench.clock.advance(READY)
    assert bench.run(account.download_data(request_id, tmp_path / "data.zip")).size
    assert zipfile.ZipFile(tmp_path / "data.zip").namelist() == ["all_data.txt"]


def test_a_file_is_not_overwritten_unasked(bench: Any, account: Any, tmp_path: Path) -> None:
    """The client keeps a file that was there before, without a call, and one that appeared meanwhile."""
    request_id, path = asked_for(bench, account), tmp_path / "data.zip"
    path.write_bytes(b"mine")
    with pytest.raises(InvalidInput, match="already exists"):
        bench.run(account.download_data(request_id, path))
    assert bench.sim.count("data_download") == 0
    assert bench.run(account.download_data(request_id, path, overwrite=True)).size == path.stat().st_size


def test_a_destination_of_ones_own_is_used(bench: Any, account: Any) -> None:
    """The client begins it when the archive comes, keeps it when all bytes are there, and discards it otherwise."""
    shelf = Shelf()
    request_id = asked_for(bench, account)
    bench.sim.faults.add(parse_fault("data_download=truncate"))
    done = bench.run(account.download_data(request_id, shelf))
    assert (shelf.said, len(shelf.content)) == (["begin", "begin", "keep"], done.size)
    bench.sim.faults.add(parse_fault("data_download=code:invalid_params"))
    with pytest.raises(ApiError):
        bench.run(account.download_data(request_id, shelf))
    assert shelf.said[3:] == ["discard"]
    shelf.is_full = True
    with pytest.raises(StoreError, match="no room"):
        bench.run(account.download_data(request_id, shelf))
    assert shelf.said[4:] == ["begin", "discard"]


class Shelf:
    """A destination in memory."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.content = bytearray()
        self.is_full = False

    def begin(self) -> "Shelf":
        """Start again from nothing."""
        self.said.append("begin")
        self.content.clear()
        return self

    def write(self, block: bytes, /) -> None:
        """Keep a block, if there is room."""
        if self.is_full:
            raise StoreError("shelf", "no room")
        self.content += block

    def keep(self) -> None:
        """Note that it is kept."""
        self.said.append("keep")

    def discard(self) -> None:
        """Note that it is discarded."""
        self.said.append("discard")


def test_without_a_way_to_keep_files_none_is_named() -> None:
    """A client without `open_destination` says so, and sends TikTok no request."""
    sim = SimulatedTikTok()
    tiktok = TikTok(
        App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI),
        transport=FakeTransport(sim.handle),
        tokens=MemoryTokenStore(),
        journal=MemoryJournal(),
        clock=ManualClock(),
    )
    asked = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
    account = tiktok.sign_in(asked, sim.authorize(asked.url))
    with pytest.raises(InvalidInput, match="no open_destination"):
        account.download_data(1, "data.zip")
    assert sim.count("data_download") == 0
    sim.close()


def test_the_quota_is_kept(bench: Any, account: Any) -> None:
    """TikTok allows a thousand calls a minute for all four endpoints together.

    The client waits with the next call before TikTok refuses it.
    """
    request_id = bench.run(account.request_data(["profile"]))
    before = bench.clock.slept
    for _ in range(999):
        bench.run(account.check_data(request_id))
    assert bench.clock.slept == before
    bench.run(account.check_data(request_id))
    assert bench.clock.slept - before > 55


def test_a_slow_archive_is_waited_for(bench: Any, account: Any, tmp_path: Path) -> None:
    """A large archive may take longer than the deadline of a call, as long as bytes keep coming."""
    request_id = asked_for(bench, account)
    bench.sim.faults.add(parse_fault("data_download=slow:200"))
    patient = account.with_options(timeout=300, deadline=10)
    assert bench.run(patient.download_data(request_id, tmp_path / "data.zip")).size
    bench.sim.faults.add(parse_fault("data_check=slow:200"))
    with pytest.raises(TimedOut):
        bench.run(patient.check_data(request_id))
