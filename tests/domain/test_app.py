"""The app and the hosts: which redirect URIs, scopes and upload URLs the library accepts."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiktok_core.domain.app import DEFAULT_SCOPES, App, AppKind, Endpoints, Scope, check_scopes, is_loopback
from tiktok_core.errors import InvalidSettings

WILDCARD = "http://127.0.0.1:*/callback/"
LOCAL = Endpoints(api_url="http://127.0.0.1:8080", auth_url="http://localhost:8080/v2/auth/authorize/")
TIKTOK_UPLOADS = (
    "https://open-upload.tiktokapis.com/video/?upload_id=7300000000000000001&upload_token=11111111-2222",
    "https://upload.us.tiktokapis.com/video/?upload_id=1&upload_token=2",
    "https://open-upload-va.tiktokapis.com/upload?upload_id=1&upload_token=2",
    "https://open-upload-i18n.tiktokapis.com/upload?upload_id=1",
    "https://open-upload-sg.tiktokapis.com:443/upload?upload_id=1",
    "HTTPS://OPEN-UPLOAD.TIKTOKAPIS.COM/video/?x=@evil.com",
)
FOREIGN_UPLOADS = (
    "",
    "video.mp4",
    "http://open-upload.tiktokapis.com/video/",
    "ftp://open-upload.tiktokapis.com/video/",
    "//open-upload.tiktokapis.com/video/",
    "https:open-upload.tiktokapis.com/video/",
    "https:///open-upload.tiktokapis.com/video/",
    "https://tiktokapis.com/video/",
    "https://.tiktokapis.com/video/",
    "https://eviltiktokapis.com/video/",
    "https://tiktokapis.com.evil.com/video/",
    "https://open-upload.tiktokapis.com.evil.com/",
    "https://evil.com/open-upload.tiktokapis.com",
    "https://evil.com?x.tiktokapis.com",
    "https://evil.com#x.tiktokapis.com",
    "https://x.tiktokapis.com@evil.com/",
    "https://user@x.tiktokapis.com/",
    "https://user:word@x.tiktokapis.com/",
    "https://@x.tiktokapis.com/",
    "https://evil.com\\@x.tiktokapis.com/",
    "https://evil.com\\.tiktokapis.com/",
    "https://evil.com%2f.tiktokapis.com/",
    "https://evil.com%23.tiktokapis.com/",
    "https://evil.com;.tiktokapis.com/",
    "https://evil.com[v1.tiktokapis.com]/",
    "https://[v1.tiktokapis.com]/",
    "https://x.tiktokapis.com[::1]/",
    "https://x.tiktokapis.com./video/",
    "https://x.tiktokapis.com:444/video/",
    "https://x.tiktokapis.com:80/video/",
    "https://x.tiktokapis.com:0/video/",
    "https://x.tiktokapis.com:99999/video/",
    "https://x.tiktokapis.com:port/video/",
    "https://x.tiktokapis。com/",
    "https://x。tiktokapis.com/",
    "https://\u0445.tiktokapis.com/",
    "https://x.tiktokapis.com /",
    " https://x.tiktokapis.com/",
    "https://x.tiktokapis.com/\r\nHost: evil.com",
    "https://x.tiktokapis.com/\0",
    "https://evil.com\t.tiktokapis.com/",
    "https://127.0.0.1/video/",
    "https://localhost/video/",
    "https://[::1]/video/",
    "https://20.30.40.50/video/",
    "https://[::1",
)
DISGUISED_LOOPBACKS = (
    "http://127.0.0.1@evil.com/",
    "http://127.0.0.1:80@evil.com/",
    "http://evil.com[::1]/",
    "http://[::1].evil.com/",
    "http://[::1]evil.com/",
    "http://127.0.0.1.evil.com/",
    "http://localhost.evil.com/",
    "http://evil.com\\@127.0.0.1/",
    "http://[::1",
    "http:///127.0.0.1/",
    "http://20.30.40.50/",
)


def app(redirect_uri: str = WILDCARD, kind: AppKind | None = None) -> App:
    """Return an app that differs from a good one in its redirect URI only."""
    return App("awexample0000000", "s3cr3t", redirect_uri, kind=kind)


def faults(redirect_uri: str, kind: AppKind | None = None) -> list[str]:
    """Return the fields that the app refuses."""
    try:
        app(redirect_uri, kind)
    except InvalidSettings as error:
        return [problem.field for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("http://localhost:3455/callback/", AppKind.DESKTOP),
        ("http://127.0.0.1:*/callback/", AppKind.DESKTOP),
        ("https://127.0.0.1:3455/callback/", AppKind.DESKTOP),
        ("https://app.example.com/tiktok/callback", AppKind.WEB),
        ("https://app.example.com:8443/cb", AppKind.WEB),
        ("https://app.example.com/" + "p" * 487, AppKind.WEB),
    ],
)
def test_documented_redirects_are_taken_and_their_kind_is_known(uri: str, kind: AppKind) -> None:
    """An app accepts a redirect URI that the portal accepts. Loopback means a desktop app, anything else a web app."""
    assert app(uri).kind is kind
    assert app(uri).redirect_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "callback",
        "http://127.0.0.1/callback/",
        "http://127.0.0.1:0/callback/",
        "http://127.0.0.1:*",
        "http://127.0.0.1:**/",
        "http://127.0.0.1:99999/",
        "http://[::1]:3455/callback/",
        "http://127.0.0.2:3455/callback/",
        "ftp://localhost:3455/callback/",
        "http://127.0.0.1:3455/callback/?a=b",
        "http://127.0.0.1:3455/callback/?",
        "http://127.0.0.1:3455/callback/#here",
        "http://127.0.0.1:3455/callback/#",
        "http://user@127.0.0.1:3455/callback/",
        "http://127.0.0.1:3455/a b/",
        "http://127.0.0.1:3455/\r\nSet-Cookie: x",
        "http://127.0.0.1\\@evil.com:3455/",
        "http://127.0.0.1:3455/ü/",
        "http://app.example.com/callback",
        "https:///callback",
        "https://app.example.com:*/callback",
        "https://app.example.com/callback?next=1",
        "https://app.example.com/callback#x",
        "https://user:word@app.example.com/callback",
        "https://[app.example.com/callback",
        "https://app.example.com/" + "p" * 488,
        "javascript:alert(1)",
    ],
)
def test_redirects_that_the_portal_refuses_are_refused(uri: str) -> None:
    """The app refuses a redirect URI that TikTok would refuse at registration or sign-in, at once and by name."""
    assert set(faults(uri)) == {"redirect_uri"}


@pytest.mark.parametrize("uri", ["https://app.example.com/callback", "http://app.example.com:80/callback"])
def test_a_desktop_redirect_is_on_this_machine(uri: str) -> None:
    """A desktop app cannot redirect to another machine."""
    assert faults(uri, AppKind.DESKTOP) == ["redirect_uri"]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:*/" + "p" * 490, "has 513 characters (with the longest port)"),
        ("http://app.example.com:3455/callback/", "must be on localhost or 127.0.0.1, not app.example.com"),
        ("http://:3455/callback/", "not an empty host"),
    ],
)
def test_what_is_wrong_with_a_redirect_is_said_in_figures(uri: str, said: str) -> None:
    """A wildcard counts as the longest port; a host that is missing is called so."""
    with pytest.raises(InvalidSettings) as caught:
        App("aw", "s", uri, kind=AppKind.DESKTOP)
    assert said in str(caught.value)


def test_a_web_redirect_may_be_declared_for_loopback() -> None:
    """A given kind replaces the one that the redirect URI suggests."""
    assert app("https://localhost:3455/cb/", AppKind.WEB).kind is AppKind.WEB


@given(st.text(max_size=40), st.sampled_from(["http://127.0.0.1:3455/", "https://example.com/", ""]))
def test_what_is_taken_as_redirect_is_a_plain_url(tail: str, start: str) -> None:
    """For any text, an accepted redirect URI has no query, fragment, user name or blank, and is not too long."""
    uri = start + tail
    if not faults(uri):
        parts = urlsplit(uri)
        assert parts.scheme in ("http", "https")
        assert not set(uri) & set("?#\\ \r\n\t\0\x7f")
        assert "@" not in parts.netloc
        assert uri.isascii()
        assert len(uri) < 512


@pytest.mark.parametrize(
    ("key", "secret", "fields"),
    [
        ("", "", ["client_key", "client_secret"]),
        ("", "s", ["client_key"]),
        ("k", "", ["client_secret"]),
        ("k\n", "s", ["client_key"]),
        ("k", "a b", ["client_secret"]),
        ("k", "s\x7f", ["client_secret"]),
        ("k", "s\udc80", ["client_secret"]),
        ("ké", "s", ["client_key"]),
    ],
)
def test_keys_that_cannot_be_keys_are_refused_all_at_once(key: str, secret: str, fields: list[str]) -> None:
    """One error names missing and impossible keys and a bad redirect URI, and quotes none of them."""
    with pytest.raises(InvalidSettings) as caught:
        App(key, secret, "nowhere")
    assert [problem.field for problem in caught.value.problems][:-1] == fields
    assert caught.value.problems[-1].field == "redirect_uri"
    assert not {key, secret} & {problem.message for problem in caught.value.problems}


@given(st.integers(1, 65535))
def test_any_port_stands_for_the_wildcard(port: int) -> None:
    """The app puts the concrete port into a wildcard registration, and recognises it."""
    desktop = app()
    assert desktop.has_wildcard_port
    assert desktop.redirect_on(port) == f"http://127.0.0.1:{port}/callback/"
    assert desktop.accepts_redirect(desktop.redirect_on(port))


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:3455/callback/",
        "http://127.0.0.1:3455/callback",
        "http://127.0.0.1:3455/other/callback/",
        "https://127.0.0.1:3455/callback/",
        "http://127.0.0.1:/callback/",
        "http://127.0.0.1:0/callback/",
        "http://127.0.0.1:03455/callback/",
        "http://127.0.0.1:65536/callback/",
        "http://127.0.0.1:" + "9" * 5000 + "/callback/",
        "http://127.0.0.1:٣/callback/",
        "http://127.0.0.1:1@evil.com:2/callback/",
        "http://127.0.0.1:*/callback/",
        "http://127.0.0.1/callback/",
        "",
    ],
)
def test_only_a_port_stands_for_the_wildcard(uri: str) -> None:
    """Host, path and trailing slash have to be the registered ones, and the port has to be a port."""
    assert not app().accepts_redirect(uri)


def test_without_a_wildcard_only_the_registered_redirect_is_accepted() -> None:
    """A registered port is not interchangeable, and a star in the path is no wildcard."""
    fixed = app("http://127.0.0.1:3455/a:*/")
    assert not fixed.has_wildcard_port
    assert fixed.accepts_redirect("http://127.0.0.1:3455/a:*/")
    assert not fixed.accepts_redirect("http://127.0.0.1:3456/a:*/")


@pytest.mark.parametrize("url", TIKTOK_UPLOADS)
def test_tiktoks_upload_hosts_are_taken(url: str) -> None:
    """Every upload host that TikTok's documents name or that was seen may get the bytes, from any API."""
    assert Endpoints().allows_upload_to(url)
    assert LOCAL.allows_upload_to(url)


@pytest.mark.parametrize("url", FOREIGN_UPLOADS)
def test_foreign_upload_hosts_are_refused(url: str) -> None:
    """A spelling that some reader of URLs could take for another host gets no bytes."""
    assert not Endpoints().allows_upload_to(url)


@pytest.mark.parametrize("url", DISGUISED_LOOPBACKS)
def test_a_disguised_host_is_not_this_machine(url: str) -> None:
    """A loopback address must be the whole host, for uploads and for a plain http API alike."""
    assert not LOCAL.allows_upload_to(url)
    with pytest.raises(InvalidSettings):
        Endpoints(api_url=url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/upload?x=1", "http://localhost:1/", "https://[::1]:8443/u", "http://127.9.9.9/"]
)
def test_a_local_api_may_name_a_local_upload_host(url: str) -> None:
    """A simulated TikTok on this machine receives uploads on this machine; the real one never does."""
    assert is_loopback(url)
    assert LOCAL.allows_upload_to(url)
    assert not Endpoints().allows_upload_to(url)


HOSTS = st.lists(
    st.sampled_from(["evil.com", "x", ".tiktokapis.com", "127.0.0.1", "[::1]", "v1", "localhost", ":443", "tiktok"])
    | st.sampled_from([*"@\\/?#[]%.:;-_ \t\r\n\u3002\uff0e|<>`'\"*&$!", "%2f", "%40", "é", "\x7f"]),
    max_size=7,
).map("".join)


@given(st.sampled_from(["https://", "HTTPS://", "http://", "//", ""]), HOSTS)
@example("https://", "evil.com[v1.tiktokapis.com]")
def test_no_upload_leaves_for_another_domain(scheme: str, host: str) -> None:
    """Every allowed URL is https, and every parser finds its host in TikTok's domain."""
    url = f"{scheme}{host}/video/"
    if Endpoints().allows_upload_to(url):
        head, _, rest = url.partition("://")
        assert head.lower() == "https"
        authority = rest.replace("?", "/").replace("#", "/").split("/")[0].lower()
        name = authority.removesuffix(":443")
        assert name.endswith(".tiktokapis.com")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")
        assert all(name.split("."))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "open.tiktokapis.com",
        "http://open.tiktokapis.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user@open.tiktokapis.com",
        "https://open.tiktokapis.com/?x",
        "https://open.tiktokapis.com/?",
        "https://open.tiktokapis.com/#x",
        "https://evil.com\\.tiktokapis.com",
        "https://open.tiktokapis.com\n",
        "https://öpen.example",
        "https://open.tiktokapis.com:0",
        "https://open.tiktokapis.com:99999",
        "https://[::1",
    ],
)
def test_endpoints_are_https_or_local(url: str) -> None:
    """The app refuses an invalid address, and one that would send secrets unencrypted, by name."""
    with pytest.raises(InvalidSettings) as caught:
        Endpoints(api_url=url, auth_url=url)
    assert {problem.field for problem in caught.value.problems} == {"api_url", "auth_url"}


def test_paths_follow_the_api_host() -> None:
    """A slash at the end of the API's address is not doubled, and the default hosts are the documented ones."""
    assert Endpoints(api_url="https://proxy.example/tiktok/").at("/v2/x/") == "https://proxy.example/tiktok/v2/x/"
    assert Endpoints().at("/v2/oauth/token/") == "https://open.tiktokapis.com/v2/oauth/token/"
    assert Endpoints().auth_url == "https://www.tiktok.com/v2/auth/authorize/"


def test_scopes_keep_their_order_and_come_once() -> None:
    """A scope that is named twice is requested once. The default scopes are enough for posting."""
    assert check_scopes(["video.upload", Scope.USER_INFO_BASIC, "video.upload"]) == ("video.upload", "user.info.basic")
    assert check_scopes(DEFAULT_SCOPES) == ("user.info.basic", "video.upload", "video.publish")


@pytest.mark.parametrize("scopes", [[], ["video.uplaod"], ["video.upload", "user.info.basic,video.list"], ["a\r\nb"]])
def test_unknown_scopes_are_refused(scopes: list[str]) -> None:
    """An empty list, or a word that is no scope, never reaches TikTok's page."""
    with pytest.raises(InvalidSettings, match=r"^scope: "):
        check_scopes(scopes)
