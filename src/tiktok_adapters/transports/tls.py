"""TLS for all transports: which authorities to trust, and what a failed handshake means.

What belongs here: contexts and error texts. No option turns the checks off.
"""

import ssl
from typing import Final

__all__ = ["chosen_context", "context_of", "default_context", "tls_fault"]

OLD: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
)
NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})
"""OpenSSL's reasons when the server's bytes are not TLS."""

OWN: Final = "if it is your organization's own, name the authority's PEM file as ca_file"
# Numbers from OpenSSL's x509_vfy.h. For other numbers the error quotes OpenSSL.
CERTIFICATE_FAULTS: Final = {
    9: "it is not valid yet, or this machine's clock is wrong",
    10: "it has expired, or this machine's clock is wrong",
    18: f"it is self-signed, and this machine does not trust it; {OWN}",
    19: f"this machine does not trust its authority; {OWN}",
    20: f"this machine does not trust its authority; {OWN}",
    21: f"this machine does not trust its authority; {OWN}",
    23: "it was revoked",
    62: "it was issued for another host",
    64: "it was issued for another address",
}


def default_context() -> ssl.SSLContext:
    """Return a context that trusts the system's authorities. Call it once: loading them takes longer than a whole request."""
    return _named(ssl.create_default_context())


def context_of(ca_file: str | None, folder: str | None) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a PEM file and in a folder, and no others.

    Raises:
        OSError: the file is missing or holds no authority.
    """
    return _named(ssl.create_default_context(cafile=ca_file, capath=folder))


def chosen_context(ca_file: str | None, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return the context that the user chose in place of the default, or None.

    Raises:
        ValueError: both arguments are given, or the context does not check certificates and host names.
        OSError: the file of authorities is missing or holds no authority.
    """
    if given is None:
        return None if ca_file is None else context_of(ca_file, None)
    if ca_file is not None:
        raise ValueError("ca_file and ssl_context exclude each other: give one of them")
    if given.verify_mode is not ssl.CERT_REQUIRED or not given.check_hostname:
        raise ValueError(
            "this ssl_context does not check the server, so secrets could go to any server: it must require a certificate "
            "and check the host's name. For your own server, load its authority with "
            "ssl.create_default_context(cafile=...)"
        )
    return given


def tls_fault(error: Exception) -> str:
    """Return as a clause what a failed handshake means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = CERTIFICATE_FAULTS.get(error.verify_code) or f"OpenSSL says: {error.verify_message}".rstrip(".")
        return f"the server's certificate was refused: {said}"
    reason = getattr(error, "reason", None) or ""
    if reason in OLD:
        return "the server supports no safe version of TLS: it needs TLS 1.2 or newer"
    if reason in NOT_TLS:
        return "the server does not speak TLS on this port"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or not isinstance(error, ssl.SSLError):
        return "the connection broke during the TLS handshake"
    return "the TLS handshake failed" + (f" ({reason.lower().replace('_', ' ')})" if reason else "")


def _named(context: ssl.SSLContext) -> ssl.SSLContext:
    # Without this, some servers would choose HTTP/2.
    context.set_alpn_protocols(["http/1.1"])
    return context
