"""A certificate authority for one run: it signs for a few names only, and its key never leaves the memory.

What belongs here: certificates, and the TLS context of a server that uses them.
"""

import os
import secrets
import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tiktok_adapters.sandboxed.names import KNOWN, TIKTOK, plain

__all__ = ["TRUSTSTORE_PASSWORD", "Authority"]

TRUSTSTORE_PASSWORD: Final = "changeit"  # noqa: S105 - Java wants a word, and the file holds no secret
"""The password of the trust store for Java."""
BEFORE: Final = timedelta(days=1)
AFTER: Final = timedelta(days=90)
ADDRESSES: Final = tuple(x509.IPAddress(ip_network(every)) for every in ("0.0.0.0/0", "::/0"))


class Authority:
    """A new certificate authority that is limited to a few names: clients refuse what it would sign for any other name.

    Its key, and the one key of all its servers, are in memory only.

    Args:
        domains: the domains for whose names it may sign (default: TikTok's).
        networks: the networks for whose addresses it may sign (default: none).

    Attributes:
        certificate: its own certificate.
    """

    def __init__(self, domains: Sequence[str] = (TIKTOK.page, TIKTOK.api), networks: Sequence[str] = ()) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._server_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: dict[str, ssl.SSLContext] = {}
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated TikTok, for one run")])
        public = self._key.public_key()
        permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in domains]
        permitted += [x509.IPAddress(ip_network(network)) for network in networks]
        self.certificate = (
            _builder(name, name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints(permitted, None if networks else ADDRESSES), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def truststore(self) -> bytes:
        """The certificate in a trust store that Java reads (PKCS 12)."""
        entry = pkcs12.PKCS12Certificate(self.certificate, b"tiktok-sandbox")
        return pkcs12.serialize_java_truststore([entry], BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode()))

    def context(self) -> ssl.SSLContext:
        """Return the TLS context of a server that shows a certificate for the name that the client asks for.

        A client that asks for a name that is not TikTok's gets an alert; one that asks for none gets the known names.
        """
        context = self._context(KNOWN)
        context.sni_callback = self._choose
        return context

    @classmethod
    def of_loopback(cls) -> "Authority":
        """Return an authority for this machine's own names."""
        return cls(("localhost",), ("127.0.0.0/8", "::1/128"))

    def context_here(self) -> ssl.SSLContext:
        """Return the TLS context of a server on this machine, which clients call by any of its own names."""
        return self._context(("localhost", "127.0.0.1", "::1"))

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        if name not in TIKTOK:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        wanted = plain(name)
        if wanted not in self._contexts:
            self._contexts[wanted] = self._context([wanted])
        connection.context = self._contexts[wanted]
        return None

    def _context(self, names: Sequence[str]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        # Python reads keys from files only. This one is encrypted with a password that is in memory only, and goes at once.
        password = secrets.token_hex(32)
        key = self._server_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
        )
        handle, path = tempfile.mkstemp(prefix="tiktok-sandbox-", suffix=".pem")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._signed(names).public_bytes(Encoding.PEM) + key)
            context.load_cert_chain(path, password=password)
        finally:
            Path(path).unlink()
        return context

    def _signed(self, names: Sequence[str]) -> x509.Certificate:
        """Return a server's certificate."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        issuer = self._key.public_key()
        return (
            _builder(subject, self.certificate.subject, self._server_key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BEFORE)
        .not_valid_after(now + AFTER)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
