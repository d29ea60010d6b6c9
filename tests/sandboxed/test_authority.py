"""The authority of one run: what it signs for, who refuses the rest, and where its key is."""

import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.sandboxed.authority import Authority
from tiktok_adapters.sandboxed.names import KNOWN, TIKTOK


def shaken(server: ssl.SSLContext, authority: Authority, name: str | None) -> str:
    """Let a client that trusts the authority ask a server for a name; return the version of TLS."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with suppress(OSError), server.wrap_socket(theirs, server_side=True) as connection:
            connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client = ssl.create_default_context(cadata=authority.pem.decode())
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        client.check_hostname = name is not None
        with client.wrap_socket(ours, server_hostname=name) as connection:
            return str(connection.version())
    finally:
        ours.close()
        thread.join()
        theirs.close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    """An authority."""
    return Authority()


@pytest.mark.parametrize("name", [*KNOWN, "a.b.c.tiktokapis.com", "WWW.TikTok.com"])
def test_every_name_of_tiktok_has_its_certificate(authority: Authority, name: str) -> None:
    """A strict client accepts the certificate for each name, also for one that nobody knew before."""
    assert shaken(authority.context(), authority, name) == "TLSv1.3"


def test_a_client_without_a_name_gets_the_known_ones(authority: Authority) -> None:
    """A client that names no host gets a certificate for all known names."""
    assert shaken(authority.context(), authority, None) == "TLSv1.3"


@pytest.mark.parametrize("name", ["example.com", "tiktokapis.com.example.com", "tiktok.com", "nottiktokapis.com"])
def test_the_server_shows_no_certificate_for_another_name(authority: Authority, name: str) -> None:
    """The server refuses to speak as a host that is not TikTok's."""
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        shaken(authority.context(), authority, name)


@pytest.mark.parametrize("name", ["example.com", "tiktok.com", "evil-tiktokapis.com"])
def test_clients_refuse_what_the_authority_would_sign_for_another_name(authority: Authority, name: str) -> None:
    """The limit is in the authority's own certificate: even with its key nobody could play another host."""
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shaken(authority._context([name]), authority, name)


def test_clients_refuse_an_address(authority: Authority) -> None:
    """The authority cannot sign for any address either."""
    with pytest.raises(ssl.SSLCertVerificationError, match="excluded subtree violation"):
        shaken(authority._context(["127.0.0.1"]), authority, "127.0.0.1")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_an_authority_of_this_machine_signs_for_its_own_names(name: str) -> None:
    """A client calls the server by any of them."""
    here = Authority.of_loopback()
    assert shaken(here.context_here(), here, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["example.com", "www.tiktok.com", "10.0.0.1", "192.0.2.1"])
def test_clients_refuse_what_it_would_sign_for_another_machine(name: str) -> None:
    """Even with its key nobody could play TikTok, or another machine."""
    here = Authority.of_loopback()
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shaken(here._context([name]), here, name)


def test_no_key_is_ever_readable_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is written is encrypted, only for the owner, and gone at once; the authority's key is in no file at all."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[str, int]] = []

    class Watching(ssl.SSLContext):
        def load_cert_chain(self, certfile: object, keyfile: object = None, password: object = None) -> None:  # type: ignore[override]
            path = Path(str(certfile))
            seen.append((path.read_text(), path.stat().st_mode & 0o777))
            super().load_cert_chain(str(certfile), password=str(password))

    monkeypatch.setattr(ssl, "SSLContext", Watching)
    Authority().context()
    monkeypatch.undo()
    ((text, mode),) = seen
    assert text.count("PRIVATE KEY") == text.count("ENCRYPTED PRIVATE KEY") == 2  # its first and its last line
    assert mode == 0o600
    assert list(tmp_path.iterdir()) == []


def test_java_reads_the_trust_store(authority: Authority, tmp_path: Path) -> None:
    """The trust store has one entry that Java trusts."""
    store = tmp_path / "store.p12"
    store.write_bytes(authority.truststore)
    try:
        done = subprocess.run(
            ["keytool", "-list", "-keystore", str(store), "-storepass", "changeit"],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("keytool is not installed")
    assert "tiktok-sandbox" in done.stdout
    assert "trustedCertEntry" in done.stdout


LABELS: st.SearchStrategy[Sequence[str]] = st.lists(
    st.from_regex(r"[a-z0-9-]{1,10}", fullmatch=True), min_size=1, max_size=4
)


@given(LABELS, st.booleans(), st.booleans())
def test_names_below_the_domain_are_tiktoks(labels: Sequence[str], is_upper: bool, is_rooted: bool) -> None:
    """Every name below the API's domain counts, in any case; no name that only ends like it does."""
    name = f"{'.'.join(labels)}.tiktokapis.com{'.' * is_rooted}"
    assert (name.upper() if is_upper else name) in TIKTOK
    assert f"{labels[0]}tiktokapis.com" not in TIKTOK
    assert f"{name}.{labels[0]}" not in TIKTOK
    assert "tiktokapis.com" not in TIKTOK
