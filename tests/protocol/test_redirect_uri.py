# ruff: noqa: RUF001  (look-alike characters are the point)
# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol import redirect_uri
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import REDIRECT_SCHEME_UNKNOWN, REDIRECT_URI_REFUSED

VENDOR_SCHEMES = frozenset({"cursor", "vscode", "claude"})
REGISTERED = ("https://app.example/cb",)


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback", "https://vscode.dev/redirect", "https://app.example",
        "https://app.example:8443/cb?tenant=1&x=%20y", "https://grok.com/connectors-oauth-exchange-code/",
        "https://xn--bcher-kva.example/cb", "https://203.0.113.7/cb",
        "http://127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1:33418", "http://localhost:8787/callback",
        "http://[::1]:7777/oauth/callback", "http://localhost?x=1", "http://127.0.0.1:63804/callback/EK1rjowHvljH",
        "cursor://anysphere.cursor-mcp/oauth/callback", "claude://claude.ai/mcp-auth-callback/sdk",
        "com.example.app:/cb", "com.example.app://oauth/cb",
    ],
)  # fmt: skip
def test_A11_A14_A15_what_real_clients_register_is_accepted(uri: str) -> None:
    redirect_uri.registrable(uri, VENDOR_SCHEMES)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)",
        "\x00javascript:alert(1)", "data:text/html,x", "vbscript:x", "blob:https://a.example/x", "file:///etc/passwd",
        "mailto:a@b.example", "about:blank", "view-source:https://a.example", "intent://x#Intent;end", "ws://a.example/",
        "", ":", "/cb", "cb", "://x", "1http://x",
    ],
)  # fmt: skip
def test_E1_dangerous_schemes_and_no_scheme_are_refused(uri: str) -> None:
    with pytest.raises(OAuthError) as refused:
        redirect_uri.registrable(uri, VENDOR_SCHEMES | {"javascript", "data", "file"})
    assert refused.value.error == "invalid_redirect_uri"
    assert refused.value.fault is REDIRECT_URI_REFUSED


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb/../evil", "https://app.example/cb/%2e%2e/evil", "https://app.example/cb/..;/evil",
        "https://app.example/./cb", "https://app.example/cb/..", "https://app.example/%252e%252e/evil",
        "https://app.example/%2E%2e%2fevil", "https://app.example/cb/%20..%20/evil", "com.example.app:/../x",
        "https://app.example/cb/..%5cevil", "http://127.0.0.1/../cb",
    ],
)  # fmt: skip
def test_A4_dot_segments_are_refused_however_they_are_written(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example@evil.example/cb", "https://app.example:x@evil.example/cb", "https://a@b@evil.example/cb",
        "http://localhost@evil.example/", "http://127.0.0.1:53111@evil.example/cb", "cursor://a@evil/cb",
    ],
)  # fmt: skip
def test_A5_a_user_name_is_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri",
    [
        r"https://app.example\@evil.example/cb", "https:/\\evil.example", "https:evil.example", "https:///evil.example",
        "https://", "https:", "https://app.example:/cb", "https://app.example:0/cb", "https://app.example:65536/cb",
        "https://app.example:x/cb", "https://-a.example/cb", "https://a..example/cb", "https://app.example./cb",
        "https://[2001:db8::1]/cb", "https://app_x.example/cb", "https://App.example/cb", "HTTPS://app.example/cb",
    ],
)  # fmt: skip
def test_A6_an_odd_authority_is_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize("uri", ["https://app.example/cb#f", "https://app.example/cb#", "http://localhost/#x"])
def test_A7_a_fragment_is_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri",
    ["https://app。example/cb", "https://аpp.example/cb", "https://app.example/c\u200bb", "https://app.example/é"],
)
def test_A8_only_plain_ascii_is_accepted(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb%00", "https://app.example/cb%0d%0aSet-Cookie:x=1", "https://app.example/cb%zz",
        "https://app.example/cb x", "https://app.example/cb\n", "https://app.example/cb%2500", 'https://app.example/"',
        "https://app.example/<x>", "https://app.example/{x}", "https://app.example/^", "https://app.example/`",
    ],
)  # fmt: skip
def test_A9_encoded_controls_and_characters_outside_uris_are_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize("uri", ["https://*.example/cb", "https://app.example/*", "regexp=.*", "https://*/"])
def test_A10_wildcards_and_patterns_are_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "requested",
    ["http://127.0.0.1:53111/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1/cb"],
)
def test_A11_a_loopback_uri_fits_on_any_port(requested: str) -> None:
    assert redirect_uri.matches(["http://127.0.0.1/cb"], requested, any_loopback_port=True)
    assert redirect_uri.matches(["http://127.0.0.1:4711/cb"], requested, any_loopback_port=True)


def test_A11_the_three_loopback_names_are_one_and_an_empty_path_is_the_root() -> None:
    for registered in ("http://127.0.0.1/cb", "http://localhost:33418/cb", "http://[::1]:1/cb"):
        for requested in ("http://127.0.0.1:2/cb", "http://localhost/cb", "http://[::1]:9/cb"):
            assert redirect_uri.matches([registered], requested, any_loopback_port=True)
    assert redirect_uri.matches(["http://127.0.0.1:33418/"], "http://127.0.0.1:59656", any_loopback_port=True)
    assert redirect_uri.matches(["http://127.0.0.1?a=1"], "http://localhost:5/?a=1", any_loopback_port=True)


@pytest.mark.parametrize(
    "requested",
    [
        "http://127.0.0.1:53111/other", "https://127.0.0.1:53111/cb", "http://127.0.0.2/cb",
        "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:53111@evil.example/cb", "http://0.0.0.0/cb",
        "http://2130706433/cb", "http://127.1/cb", "http://0x7f.0.0.1/cb", "http://localhost.evil.example/cb",
        "http://localhost@evil.example/cb", "http://LOCALHOST/cb", "http://[::1]evil/cb", "http://[::2]/cb",
        "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:080/cb", "http://127.0.0.1:/cb",
        "http://127.0.0.1:5/cb/", "http://127.0.0.1:5/cb?x=1", "http://127.0.0.1:5/cb#f", "http://127.0.0.1:5/cb\n",
        "http://127.0.0.1:5\\@evil.example/cb", "http://127.0.0.1:٥/cb",
    ],
)  # fmt: skip
def test_A12_what_merely_looks_like_the_loopback_uri_does_not_fit(requested: str) -> None:
    assert not redirect_uri.matches(["http://127.0.0.1/cb"], requested, any_loopback_port=True)


@pytest.mark.parametrize(
    "requested",
    [
        "https://app.example/cb/", "https://app.example/cbx", "https://app.example/CB", "https://app.example/cb?x=1",
        "https://app.example/cb%20", "https://app.example/%63b", "https://app.example:443/cb",
        "https://app.example:8443/cb", "https://APP.example/cb", "https://app.example/cb#f", " https://app.example/cb",
        "https://app.example/cb\n", "http://app.example/cb", "https://app.example/cb/../cb",
    ],
)  # fmt: skip
def test_A3_A9_A13_any_other_string_than_the_registered_one_does_not_fit(requested: str) -> None:
    for any_port in (True, False):
        assert not redirect_uri.matches(REGISTERED, requested, any_loopback_port=any_port)
    assert redirect_uri.matches(REGISTERED, "https://app.example/cb", any_loopback_port=False)


def test_confidential_clients_have_no_loopback_rule() -> None:
    assert not redirect_uri.matches(["http://127.0.0.1/cb"], "http://127.0.0.1:5/cb", any_loopback_port=False)


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/cb?iss=https://other", "https://a.example/?code=x", "http://localhost/?a=1&state=y",
        "https://a.example/?%63ode=x", "https://a.example/?a;code=1", "https://a.example/?CODE=1", "https://a.example/?iss",
        "com.example.app:/cb?error=x",
    ],
)  # fmt: skip
def test_A28_reserved_parameters_are_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri", ["http://app.example/cb", "http://0.0.0.0/cb", "http://127.0.0.1:99999/", "http:localhost/"]
)
def test_E3_plain_http_is_for_loopback_only(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://localhost/cb", "https://localhost.evil.example/cb", "https://a.localhost/cb", "http://127.0.0.1.nip.io/",
        "https://127.0.0.1/cb", "https://127.0.0.1.nip.io/cb", "https://0.0.0.0/cb", "https://2130706433/cb",
        "https://0x7f000001/cb", "https://0x7f.1/cb", "https://256.1.1.1/cb", "https://1.2.3/cb", "https://a.0x/cb",
        "http://localhost@evil.example/", "http://localhost.evil.example/",
    ],
)  # fmt: skip
def test_E10_hosts_that_some_parser_reads_as_loopback_are_refused(uri: str) -> None:
    _refused(uri)


@pytest.mark.parametrize("uri", ["myapp:/cb", "vscode-insiders://x/y", "cursor2://x/y"])
def test_A15_an_undotted_scheme_that_is_not_listed_is_unknown(uri: str) -> None:
    with pytest.raises(OAuthError) as refused:
        redirect_uri.registrable(uri, VENDOR_SCHEMES)
    assert refused.value.fault is REDIRECT_SCHEME_UNKNOWN


def test_a_private_use_uri_needs_a_path_and_nothing_is_too_long() -> None:
    _refused("com.example.app:")
    _refused("cursor://")
    _refused("https://app.example/" + "a" * 2048)


@pytest.mark.parametrize(
    ("uri", "host", "loopback", "scheme"),
    [
        ("https://claude.ai/api/mcp/auth_callback", "claude.ai", False, "https"),
        ("http://localhost:33418/cb", "localhost:33418", True, "http"),
        ("http://[::1]:5", "[::1]:5", True, "http"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp", False, "cursor"),
        ("com.example.app:/cb", "com.example.app:", False, "com.example.app"),
    ],
)
def test_A14_the_consent_page_learns_the_real_host(uri: str, host: str, loopback: bool, scheme: str) -> None:
    expected = redirect_uri.RedirectTarget(host_display=host, is_loopback=loopback, scheme=scheme)
    assert redirect_uri.describe(uri) == expected


def test_only_loopback_ports_are_taken_out_of_the_key() -> None:
    assert redirect_uri.without_loopback_port("http://127.0.0.1:53111/cb?x") == "http://127.0.0.1/cb?x"
    assert redirect_uri.without_loopback_port("http://localhost:5") == "http://localhost"
    assert redirect_uri.without_loopback_port("https://app.example:8443/cb") == "https://app.example:8443/cb"


PIECES = st.sampled_from(
    ["https", "http", "javascript", ":", "/", "//", "@", "\\", "..", "%2e", "%00", "#", "?", "code=", "localhost",
     "127.0.0.1", "[::1]", "app.example", "evil.example", ":80", "*", " ", "\t", "é", "。", ";", "&", "cursor", "a.b"]
)  # fmt: skip


@given(st.text() | st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_accepted_or_refused_and_what_is_accepted_reads_alike_in_another_parser(uri: str) -> None:
    try:
        redirect_uri.registrable(uri, VENDOR_SCHEMES)
    except OAuthError as error:
        assert error.error == "invalid_redirect_uri"
        return
    split = urlsplit(uri)
    assert split.scheme not in {"javascript", "data", "file", "vbscript"}
    assert (split.username, split.password, split.fragment) == (None, None, "")
    if split.scheme in {"http", "https"}:
        host = redirect_uri.describe(uri).host_display
        assert split.netloc == host
        assert split.port is None or 0 < split.port < 65536
    assert redirect_uri.matches([uri], uri, any_loopback_port=False)


@given(st.text() | st.lists(PIECES, max_size=12).map("".join))
def test_what_fits_a_loopback_uri_leads_to_loopback_and_the_same_path(requested: str) -> None:
    if redirect_uri.matches(["http://127.0.0.1/cb"], requested, any_loopback_port=True):
        split = urlsplit(requested)
        assert split.scheme == "http"
        assert split.hostname in {"127.0.0.1", "localhost", "::1"}
        assert split.path == "/cb"


def _refused(uri: str) -> None:
    with pytest.raises(OAuthError) as refused:
        redirect_uri.registrable(uri, VENDOR_SCHEMES)
    assert refused.value.error == "invalid_redirect_uri"


def test_E7_an_encoding_of_an_encoding_is_not_undone_for_ever() -> None:
    redirect_uri.registrable("https://app.example/cb/a%2520b")
    with pytest.raises(OAuthError) as refused:
        redirect_uri.registrable("https://app.example/cb/%" + "25" * 900 + "41")
    assert refused.value.error == "invalid_redirect_uri"
