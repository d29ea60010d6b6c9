"""The command's environment: what it gets, what is taken away, and what stays."""

from pathlib import Path

import pytest

from tiktok_adapters.sandboxed.variables import variables

CALLER = {
    "PATH": "/bin",
    "SSL_CERT_FILE": "/theirs",
    "SSL_CERT_DIR": "/theirs",
    "CURL_CA_BUNDLE": "/theirs",
    "REQUESTS_CA_BUNDLE": "/theirs",
    "NODE_EXTRA_CA_CERTS": "/theirs",
    "TIKTOK_CA_FILE": "/theirs",
    "TIKTOK_PROXY": "http://theirs:3128",
    "JAVA_TOOL_OPTIONS": "-Xmx1g",
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://theirs:3128"),
    **dict.fromkeys(("ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"), "http://theirs:3128"),
}
CERTIFICATE, TRUSTSTORE = Path("/own/authority.pem"), Path("/own/two words/authority.p12")


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:8080"])
def test_every_authority_is_the_sandboxs(proxy: str | None) -> None:
    """Each variable that names authorities names the sandbox's, and the folder that curl would prefer is gone."""
    own = variables(CALLER, CERTIFICATE, TRUSTSTORE, {"TIKTOK_API_URL": "x"}, proxy)
    names = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "TIKTOK_CA_FILE")
    assert {own[name] for name in names} == {str(CERTIFICATE)}
    assert "SSL_CERT_DIR" not in own
    assert own["JAVA_TOOL_OPTIONS"].startswith(f'-Xmx1g "-Djavax.net.ssl.trustStore={TRUSTSTORE}" ')
    assert (own["PATH"], own["TIKTOK_API_URL"]) == ("/bin", "x")
    assert "theirs" not in "".join(own.values())


def test_the_proxy_is_named_in_every_form() -> None:
    """The proxy is in both cases, with a scheme; loopback is exempt by addresses; no other variable leads elsewhere."""
    own = variables(CALLER, CERTIFICATE, TRUSTSTORE, {}, "http://127.0.0.1:8080")
    assert own["HTTPS_PROXY"] == own["https_proxy"] == "http://127.0.0.1:8080"
    assert own["NO_PROXY"] == own["no_proxy"] == "localhost,127.0.0.1,::1"
    assert own["NODE_USE_ENV_PROXY"] == "1"
    assert own["JAVA_TOOL_OPTIONS"].endswith("-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=8080")
    assert not {"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} & set(own)


def test_a_namespace_needs_no_proxy() -> None:
    """In a namespace a proxy of the caller's could not be reached."""
    own = variables(CALLER, CERTIFICATE, TRUSTSTORE, {}, None)
    assert [name for name in own if "proxy" in name.lower()] == []
