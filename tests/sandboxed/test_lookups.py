"""How names are found in a namespace: the files of the resolver, and the packets of the name server."""

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.sandboxed.lookups import ADDRESS, NameServer, answered, covering, hosts, nsswitch
from tiktok_adapters.sandboxed.names import KNOWN

A, AAAA, HTTPS = 1, 28, 65


def query(name: str, kind: int = A, flags: int = 0x0100, number: int = 77) -> bytes:
    """Return a query as a resolver sends it."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return struct.pack("!6H", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def found(packet: bytes) -> tuple[int, list[str]]:
    """Return the status and the addresses of an answer."""
    number, flags, questions, answers, *_ = struct.unpack_from("!6H", packet)
    assert (number, questions, flags & 0x8100) == (77, 1, 0x8100)
    return flags & 15, [socket.inet_ntoa(packet[-4:])] if answers else []


@pytest.mark.parametrize("name", [*KNOWN, "never.seen.tiktokapis.com", "Open.TikTokAPIs.com"])
def test_tiktoks_names_have_the_address_of_the_sandbox(name: str) -> None:
    """A question for an address of IPv4 gets it; other questions learn that there is nothing of that kind."""
    answer = answered(query(name))
    assert answer is not None
    assert (answer.name, answer.is_found) == (name, True)
    assert found(answer.packet) == (0, [ADDRESS])
    for kind in (AAAA, HTTPS):
        other = answered(query(name, kind))
        assert other is not None
        assert found(other.packet) == (0, [])


@given(st.lists(st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True), min_size=1, max_size=3), st.sampled_from([A, AAAA]))
def test_other_names_do_not_exist(labels: list[str], kind: int) -> None:
    """Any other name does not exist, and is told."""
    name = ".".join(labels)
    answer = answered(query(name, kind))
    assert answer is not None
    assert (answer.name, answer.is_found) == (name, False)
    assert found(answer.packet) == (3, [])


@given(st.binary(max_size=80))
def test_no_packet_breaks_the_name_server(packet: bytes) -> None:
    """Whatever arrives, there is an answer with its number, or none."""
    answer = answered(packet)
    assert answer is None or answer.packet[:2] == packet[:2]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        query("open.tiktokapis.com", flags=0x8180),
        query("open.tiktokapis.com", flags=0x2800),
        query("open.tiktokapis.com")[:-3],
        struct.pack("!6H", 77, 0, 1, 0, 0, 0) + b"\xc0\x0c" + struct.pack("!2H", A, 1),
    ],
    ids=["empty", "answer", "update", "cut", "pointer"],
)
def test_what_is_no_query_gets_no_answer(packet: bytes) -> None:
    """Answers, other operations and damaged packets are left alone."""
    assert answered(packet) is None


class _Sent:
    def __init__(self) -> None:
        self.packets: list[tuple[bytes, object]] = []

    def sendto(self, packet: bytes, to: object) -> None:
        self.packets.append((packet, to))


def test_the_name_server_notes_what_it_does_not_have() -> None:
    """It answers whoever asked, and notes other names only."""
    asked: list[str] = []
    server, sent = NameServer(asked.append), _Sent()
    server.connection_made(sent)  # type: ignore[arg-type]
    for packet in (query("open.tiktokapis.com"), query("elsewhere.example"), b"noise"):
        server.datagram_received(packet, ("127.0.0.1", 9))
    assert asked == ["elsewhere.example"]
    assert [to for _packet, to in sent.packets] == [("127.0.0.1", 9)] * 2


def test_the_hosts_file_keeps_the_other_names() -> None:
    """TikTok's names and the machine's own get new places; other names keep theirs, without comments."""
    text = (
        "127.0.0.1 localhost\n172.17.0.2 box box.lan # me\n0.0.0.0 www.tiktok.com ads.example\n\n10.1.2.3 db db.lan\n"
    )
    lines = hosts(text, "box").splitlines()
    assert lines[:2] == ["127.0.0.1 localhost box", "::1 localhost"]
    assert lines[2:-3] == [f"{ADDRESS} {name}" for name in KNOWN]
    assert lines[-3:] == ["172.17.0.2 box.lan", "0.0.0.0 ads.example", "10.1.2.3 db db.lan"]


def test_names_come_from_the_file_and_the_name_server() -> None:
    """A resolver of the outer network, which a program could reach over a socket, is not asked."""
    text = "passwd: files\nhosts: mymachines resolve [!UNAVAIL=return] files dns\nnetworks: files\n"
    assert nsswitch(text) == "passwd: files\nhosts: files dns\nnetworks: files\n"
    assert nsswitch("passwd: files") == "passwd: files\nhosts: files dns\n"


def test_only_files_that_are_there_are_covered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system does not have needs no cover; each file that covers another one has its text."""
    authorities = tmp_path / "authorities.pem"
    authorities.touch()
    monkeypatch.setattr(
        "tiktok_adapters.sandboxed.lookups.AUTHORITIES", (str(authorities), str(tmp_path / "missing.pem"))
    )
    covers = dict(covering(tmp_path, "certificate"))
    assert str(tmp_path / "missing.pem") not in covers
    assert Path(covers[str(authorities)]).read_text() == "certificate"
