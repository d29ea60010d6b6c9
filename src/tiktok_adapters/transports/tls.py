"""TLS for all transports alike: whom to trust, and what a failed handshake means.

What belongs here: contexts and sentences. There is no switch that turns checks off.
"""

import ssl
from typing import Final

__all__ = ["chosen_context", "default_context", "tls_fault"]

OLD: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
)
NOT_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL calls bytes that are no TLS record."""

# Numbers of OpenSSL's x509_vfy.h. What is not here is told in OpenSSL's own words.
CERTIFICATE_FAULTS: Final = {
    9: "it is not valid yet, or this machine's clock is wrong",
    10: "it has expired, or this machine's clock is wrong",
    18: "it is signed by itself, and by no authority that is trusted here",
    19: "its authority is not trusted here",
    20: "its authority is not trusted here",
    21: "its authority is not trusted here",
    23: "it was revoked",
    62: "it was issued for another host",
    64: "it was issued for another address",
}


def default_context() -> ssl.SSLContext:
    """Return a context that trusts the system's authorities. Loading them takes longer than a whole call: do it once."""
    return _named(ssl.create_default_context())


def chosen_context(ca_file: str | None, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Return the context that somebody chose in place of the default; None where nobody did.

    Raises:
        ValueError: both were given, or the context accepts any certificate, or one for any host.
        OSError: the file of authorities is missing or holds none.
    """
    if given is None:
        return None if ca_file is None else _named(ssl.create_default_context(cafile=ca_file))
    if ca_file is not None:
        raise ValueError("ca_file and ssl_context say the same thing: give one of them")
    if given.verify_mode is not ssl.CERT_REQUIRED or not given.check_hostname:
        raise ValueError(
            "this ssl_context would send secrets to anybody: it has to require a certificate and to check the host's "
            "name. For a server of your own, load its authority with ssl.create_default_context(cafile=...)"
        )
    return given


def tls_fault(error: Exception) -> str:
    """Return what a failed handshake means, in one clause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = CERTIFICATE_FAULTS.get(error.verify_code) or f"OpenSSL says: {error.verify_message}".rstrip(".")
        return f"the server's certificate was refused: {said}"
    reason = getattr(error, "reason", None) or ""
    if reason in OLD:
        return "the server speaks no version of TLS that is safe: it has to be 1.2 or newer"
    if reason in NOT_TLS:
        return "the server does not speak TLS on this port"
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or not isinstance(error, ssl.SSLError):
        return "the connection was cut while TLS was set up"
    return "TLS could not be set up" + (f" ({reason.lower().replace('_', ' ')})" if reason else "")


def _named(context: ssl.SSLContext) -> ssl.SSLContext:
    # Some servers would take silence for a wish to speak HTTP/2.
    context.set_alpn_protocols(["http/1.1"])
    return context
