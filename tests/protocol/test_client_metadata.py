# ruff: noqa: RUF001  (look-alike characters are the point)
# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import NATIVE

from doorward.model import ClientAuthMethod
from doorward.protocol import client_metadata, faults
from doorward.protocol.client_metadata import RegistrationRequest
from doorward.protocol.errors import OAuthError, PageError
from doorward.protocol.token import DEVICE_CODE
from support.assertions import EC

SCHEMES = frozenset({"cursor", "vscode", "vscode-insiders", "claude"})
LOOPBACK = ["http://127.0.0.1:45275/callback"]
URL = "https://cimd.example/c.json"
DOCUMENT = {
    "client_id": URL,
    "client_name": "Example",
    "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    "token_endpoint_auth_method": "none",
}


def test_what_codex_sends_is_registered_as_it_is() -> None:
    request = parse({
        "client_name": "Codex", "redirect_uris": LOOPBACK, "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none", "response_types": ["code"], "scope": "mcp:read mcp:write",
        "application_type": "native",
    })  # fmt: skip
    assert request == RegistrationRequest(
        name="Codex",
        redirect_uris=tuple(LOOPBACK),
        auth_method=ClientAuthMethod.NONE,
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scopes=("mcp:read", "mcp:write"),
        client_uri=None,
        metadata={"application_type": "native"},
    )


@pytest.mark.parametrize(
    "body",
    [
        {"client_name": "Cursor", "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
         "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback",
                           "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"]},
        {"client_name": "Visual Studio Code", "token_endpoint_auth_method": "none", "application_type": "native",
         "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
         "redirect_uris": ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/",
                           "http://127.0.0.1:33418/"]},
        {"redirect_uris": ["http://127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1:33418", "http://127.0.0.1:33418/",
                           "http://localhost", "http://localhost/", "http://localhost:33418", "http://localhost:33418/",
                           "https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect"]},
        {"client_name": "Claude", "token_endpoint_auth_method": "client_secret_post",
         "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]},
        {"client_name": "Claude Code (NAME)", "redirect_uris": ["http://localhost:64236/callback"]},
        {"client_name": "Gemini CLI MCP Client", "token_endpoint_auth_method": "none",
         "redirect_uris": ["http://localhost:7777/oauth/callback"]},
        {"client_name": "Qwen", "redirect_uris": ["http://localhost:7777/oauth/callback"],
         "code_challenge_method": ["S256"], "client_uri": None, "logo_uri": "", "scope": ""},
        {"client_name": "MCP Inspector", "token_endpoint_auth_method": "none",
         "redirect_uris": ["http://127.0.0.1:6274/oauth/callback", "http://localhost:6274/oauth/callback",
                           "http://127.0.0.1:6274/oauth/callback/debug", "http://localhost:6274/oauth/callback/debug"]},
        {"scope": "openid email profile", "redirect_uris": ["http://localhost:5000/callback"]},
        {"redirect_uris": ["https://global.consent.azure-apim.net/redirect/connector"]},
    ],
    ids=lambda body: body.get("client_name", body["redirect_uris"][0]),
)  # fmt: skip
def test_what_real_clients_register_is_accepted_whole(body: dict[str, Any]) -> None:
    request = parse(body)
    assert list(request.redirect_uris) == body["redirect_uris"]
    assert request.auth_method.value == body.get("token_endpoint_auth_method", "none")
    device = {"urn:ietf:params:oauth:grant-type:device_code"} & set(body.get("grant_types", ()))
    assert request.grant_types == {"authorization_code", "refresh_token"} | device


@pytest.mark.requirement("B3")
def test_what_is_left_out_is_filled_in_and_said() -> None:
    request = parse({"redirect_uris": ["https://app.example/cb"], "grant_types": []})
    assert (request.name, request.auth_method, request.scopes) == ("app.example", ClientAuthMethod.NONE, None)
    answer = client_metadata.registration_response(request, NATIVE)
    assert answer == {
        "client_id": "C1",
        "client_id_issued_at": 1_700_000_000,
        "client_name": "app.example",
        "redirect_uris": ["https://app.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }


@pytest.mark.requirement("B3")
def test_the_answer_echoes_what_was_understood_and_holds_no_null() -> None:
    request = parse({
        "client_name": "App", "redirect_uris": ["https://app.example/cb"], "client_uri": "https://app.example/",
        "logo_uri": "https://app.example/l.png", "tos_uri": "http://app.example/t?x=1#y", "contacts": ["a@app.example"],
        "software_id": "x", "software_version": "1", "token_endpoint_auth_method": "client_secret_basic",
        "policy_uri": None, "jwks_uri": "https://app.example/jwks", "unknown": {"a": None}, "scope": "a:read openid",
    })  # fmt: skip
    answer = client_metadata.registration_response(request, NATIVE, scopes=["a:read"], client_secret="dwk_s")
    assert request.client_uri == "https://app.example/"
    assert answer["client_secret"] == "dwk_s"
    assert answer["client_secret_expires_at"] == 0
    assert answer["scope"] == "a:read"
    assert answer["contacts"] == ["a@app.example"]
    assert {"client_uri", "logo_uri", "tos_uri", "software_id", "software_version"} <= answer.keys()
    assert not {"unknown", "jwks_uri", "policy_uri"} & answer.keys()
    assert None not in answer.values()


@pytest.mark.parametrize("uris", [None, [], "https://app.example/cb", {}, ["https://app.example/cb"] * 33, 1], ids=repr)
def test_wire_2_redirect_uris_are_a_list_of_1_to_32(uris: object) -> None:
    error = refused({"redirect_uris": uris})
    assert (error.error, error.fault) == ("invalid_redirect_uri", faults.REDIRECT_URIS_MISSING)
    assert len(parse({"redirect_uris": [f"https://app.example/{i}" for i in range(32)]}).redirect_uris) == 32


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)", "JaVaScRiPt:x", " javascript:x", "java\tscript:x", "\x00javascript:x", "data:text/html,x",
        "vbscript:x", "blob:x", "file:///x", "mailto:x", "about:blank", "view-source:x", "http://evil.example/cb",
        "https://*.example/cb", "https://app.example/cb#f", "https://app.example/../cb", "https://localhost.evil.example/cb",
        "http://localhost@evil", "http://127.0.0.1.nip.io", 1, None, ["https://app.example/cb"],
    ],
    ids=repr,
)  # fmt: skip
def test_E1_E3_E10_one_dangerous_redirect_uri_refuses_the_registration(uri: object) -> None:
    error = refused({"redirect_uris": ["https://app.example/cb", uri]})
    assert (error.error, error.fault) == ("invalid_redirect_uri", faults.REDIRECT_URI_REFUSED)


def test_A15_an_unknown_scheme_is_left_out_beside_good_ones_and_refused_alone() -> None:
    assert parse({"redirect_uris": ["myapp:/cb", *LOOPBACK, "other:/cb"]}).redirect_uris == tuple(LOOPBACK)
    assert refused({"redirect_uris": ["myapp:/cb"]}).error == "invalid_redirect_uri"


def test_the_same_redirect_uri_twice_is_one() -> None:
    assert parse({"redirect_uris": LOOPBACK * 2}).redirect_uris == tuple(LOOPBACK)


@pytest.mark.parametrize("member", ["client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "sector_identifier_uri",
                                    "client_uri#ja", "logo_uri#de-AT", "initiate_login_uri"])  # fmt: skip
@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", " https://a.example/", "https://a@b.example/", "https:///x", "ftp://a.example", "/x", 1, [],
     "https://a.example/\n", "https://a.example/" + "a" * 2048, 'https://a.example/"', "https://а.example/"],
    ids=lambda uri: repr(uri)[:30],
)  # fmt: skip
def test_E2_other_links_are_plain_http_or_https(member: str, uri: object) -> None:
    error = refused({"redirect_uris": LOOPBACK, member: uri})
    assert (error.error, error.fault) == ("invalid_client_metadata", faults.METADATA_URI_REFUSED)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES512", 7, [], {}], ids=repr)
def test_B7_an_id_token_is_signed_in_a_way_that_is_listed(algorithm: object) -> None:
    error = refused({"redirect_uris": LOOPBACK, "id_token_signed_response_alg": algorithm})
    assert (error.error, error.fault) == ("invalid_client_metadata", faults.METADATA_INVALID)
    for listed in ("RS256", "ES256"):
        assert parse({"redirect_uris": LOOPBACK, "id_token_signed_response_alg": listed}).id_token_alg == listed


@pytest.mark.parametrize("value", ["https://a.example/", ["javascript:x"], [1], ["https://a.example"] * 33], ids=repr)
def test_E2_lists_of_links_are_checked_too(value: object) -> None:
    assert refused({"redirect_uris": LOOPBACK, "post_logout_redirect_uris": value}).error == "invalid_client_metadata"
    assert parse({"redirect_uris": LOOPBACK, "post_logout_redirect_uris": ["https://a.example/"]}).metadata == {
        "post_logout_redirect_uris": ["https://a.example/"]
    }


@pytest.mark.parametrize(
    "name",
    [
        "a\u202eb",
        "a\u200bb",
        "a\nb",
        "a\x00b",
        "x" * 129,
        "   ",
        1,
        [],
        "a\u2028b",
        "\ue000",
        "\ufeffa",
        "a\tb",
        "a\u00a0b",
        "\u3164",
        "Cl\u034faude",
        "a\u2800\u2800b",
    ],
    ids=repr,
)
def test_E4_names_of_invisible_characters_or_of_the_wrong_shape_are_refused(name: object) -> None:
    error = refused({"redirect_uris": LOOPBACK, "client_name": name})
    assert (error.error, error.fault) == ("invalid_client_metadata", faults.CLIENT_NAME_REFUSED)


@pytest.mark.parametrize("name", ["Claude Code (Acme Docs)", "Приложение", "<b>x</b>", "日本語 アプリ", "x" * 128])
def test_E4_other_names_are_kept_as_data(name: str) -> None:
    assert parse({"redirect_uris": LOOPBACK, "client_name": f"  {name} "}).name == name


def test_E6_privileged_wishes_have_no_effect() -> None:
    wishes = {
        "skip_consent": True, "trusted": True, "require_pkce": False, "tenant_id": "T1", "is_admin": True,
        "client_id": "C1", "client_secret": "x", "grant_types": ["authorization_code", "client_credentials", "password"],
    }  # fmt: skip
    request = parse({"redirect_uris": LOOPBACK, **wishes})
    assert request == parse({"redirect_uris": LOOPBACK, "grant_types": ["authorization_code"]})


@pytest.mark.parametrize(
    "change",
    [
        {"grant_types": ["client_credentials", "password"]}, {"grant_types": ["refresh_token"]}, {"grant_types": "code"},
        {"grant_types": {}}, {"token_endpoint_auth_method": "private_key_jwt"}, {"token_endpoint_auth_method": 1},
        {"token_endpoint_auth_method": []}, {"response_types": ["token"]}, {"response_types": "code"}, {"scope": ["a"]},
        {"scope": 'a"b'}, {"software_id": 1}, {"software_version": "x" * 1025}, {"application_type": "a\nb"},
        {"contacts": "a"}, {"contacts": [1]},
    ],
    ids=str,
)  # fmt: skip
def test_E6_members_of_the_wrong_type_or_value_are_refused(change: dict[str, object]) -> None:
    error = refused({"redirect_uris": LOOPBACK, **change})
    assert (error.error, error.fault, error.status) == ("invalid_client_metadata", faults.METADATA_INVALID, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'{"redirect_uris":["https://a.example/"],"redirect_uris":[]}', b'{"a":NaN}',
        b'{"client_name":"\\ud800"}', b"[" * 100_000, b'{"a":' * 100_000, b'{"a":1e999}', b"\xff", b" " * 65537,
        b'{"redirect_uris":[' + b'"https://a.example/",' * 10_000 + b'"https://a.example/"]}',
    ],
    ids=lambda body: repr(body[:20]) + str(len(body)),
)  # fmt: skip
def test_E7_broken_deep_and_huge_bodies_are_refused_quickly(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(OAuthError) as error:
        client_metadata.parse_registration(body)
    assert error.value.error == "invalid_client_metadata"
    assert error.value.fault is faults.REGISTRATION_MALFORMED
    assert time.process_time() - started < 0.1


def test_E12_a_software_statement_is_refused() -> None:
    assert refused({"redirect_uris": LOOPBACK, "software_statement": "eyJ"}).error == "invalid_software_statement"


@pytest.mark.requirement("B3")
def test_the_key_is_the_same_for_the_same_app_on_other_ports_and_in_another_order() -> None:
    one = {"client_name": "A", "redirect_uris": ["http://127.0.0.1:1/cb", "https://app.example/cb"], "software_id": "s"}
    other = {
        "software_id": "s",
        "redirect_uris": ["https://app.example/cb", "http://127.0.0.1:2/cb"],
        "client_name": "A",
    }
    key = client_metadata.canonical_key(parse(one))
    assert key == client_metadata.canonical_key(parse(other))
    assert len(key) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"client_name": "B"}, {"redirect_uris": ["http://127.0.0.1:1/other"]}, {"redirect_uris": ["http://localhost:1/cb"]},
        {"redirect_uris": ["https://app.example:8443/cb"]}, {"scope": "a:read"}, {"grant_types": ["authorization_code"]},
        {"software_version": "2"}, {"client_uri": "https://x.example/"}, {"token_endpoint_auth_method": "client_secret_post"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.requirement("B3")
def test_any_other_difference_is_another_key(change: dict[str, object]) -> None:
    base = {"client_name": "A", "redirect_uris": ["http://127.0.0.1:1/cb"]}
    assert client_metadata.canonical_key(parse(base)) != client_metadata.canonical_key(parse({**base, **change}))


@pytest.mark.requirement("B3")
def test_the_order_of_scopes_makes_no_difference_and_the_echo_is_of_this_request() -> None:
    first = parse({"redirect_uris": LOOPBACK, "scope": "a b"})
    again = replace(first, scopes=("b", "a"), redirect_uris=("http://127.0.0.1:9/callback",))
    assert client_metadata.canonical_key(first) == client_metadata.canonical_key(again)
    assert client_metadata.registration_response(again, NATIVE)["redirect_uris"] == ["http://127.0.0.1:9/callback"]


@pytest.mark.parametrize(
    "url",
    [
        URL, "https://claude.ai/oauth/claude-code-client-metadata", "https://cimd.example:443/c", "https://a.b.c.example/x/",
        "https://cimd.example:8443/c", "https://cimd.example:65535/c", "https://cimd.example/a;b=c/d",
    ],
)  # fmt: skip
def test_F1_urls_of_metadata_documents_are_recognised(url: str) -> None:
    assert client_metadata.is_metadata_document_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "C1", "dyn_abc", "http://cimd.example/c.json", "https://cimd.example", "https://cimd.example/",
        "https://cimd.example/c#f", "https://u@cimd.example/c", "https://u:p@cimd.example/c", "https://cimd.example/./c",
        "https://cimd.example/../c", "https://cimd.example/%2e%2e/c", "https://cimd.example/..;/c", "https://cimd.example./c",
        "https://cimd.example:22/c", "https://cimd.example:25/c", "https://cimd.example:6379/c", "https://cimd.example:0/c",
        "https://cimd.example:99999/c", "https://cimd.example:65536/c", "https://cimd.example/c?x=1", "https://localhost/c",
        "https://CIMD.example/c", "HTTPS://cimd.example/c", "https://cimd.example/c\n", " https://cimd.example/c",
        "https://2130706433/x", "https://127.0.0.1/x", "https://0x7f000001/x", "https://0177.0.0.1/x", "https://127.1/x",
        "https://a.0x7f/x", "https://[::1]/x", "https://[::ffff:10.0.0.1]/x", "https://①②⑦.0.0.1/x",
        "https://cimd.example\\@evil.example/c", "https://cimd。example/c", "https://cimd.example/" + "a" * 2048,
    ],
    ids=lambda url: repr(url)[:50],
)  # fmt: skip
def test_F1_F3_other_client_ids_are_not(url: str) -> None:
    assert not client_metadata.is_metadata_document_url(url)


def test_F8_a_document_is_read_like_a_registration() -> None:
    grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    request = document({**DOCUMENT, "grant_types": grants, "jwks": {"keys": [{"kty": "EC", "x": "a", "y": "b"}, 1]}})
    assert (request.name, request.redirect_uris) == ("Example", tuple(DOCUMENT["redirect_uris"]))
    assert request.grant_types == {"authorization_code", "refresh_token"}
    assert document({name: DOCUMENT[name] for name in ("client_id", "client_name", "redirect_uris")}).name == "Example"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "https://cimd.example/C.json"}, {"client_id": URL + "/"}, {"client_id": "https://cimd.example/%63.json"},
        {"client_id": None}, {"client_name": None}, {"client_name": 1}, {"client_name": "a\u202eb"}, {"redirect_uris": None},
        {"redirect_uris": []}, {"redirect_uris": ["https://*.example/"]}, {"client_secret": "x"},
        {"client_secret_expires_at": 0}, {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"}, {"token_endpoint_auth_method": "private_key_jwt"},
        {"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}, {"jwks": {"keys": [{"kty": "oct", "k": "x"}]}},
        {"logo_uri": "javascript:x"}, {"padding": "x" * 5120},
    ],
    ids=lambda change: str(change)[:60],
)  # fmt: skip
def test_F8_a_document_against_the_rules_is_a_page(change: dict[str, object]) -> None:
    with pytest.raises(PageError) as error:
        document({**DOCUMENT, **change})
    assert error.value.fault is faults.METADATA_DOCUMENT_INVALID


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a":1,"a":2}', b"\xff", b"null"])
def test_F8_a_document_that_is_no_json_object_is_a_page(body: bytes) -> None:
    with pytest.raises(PageError):
        client_metadata.parse_metadata_document(URL, body)


KEYS = {"keys": [EC.public()]}
AT = "https://cimd.example/jwks.json"
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}


@pytest.mark.parametrize("method", [SIGNS, {"token_endpoint_auth_method": "none"}], ids=["signs", "none"])
def test_a_document_may_say_where_its_keys_are(method: dict[str, str]) -> None:
    read = document({**DOCUMENT, **method, "jwks_uri": AT})
    assert (read.jwks_uri, read.jwks) == (AT, ())


@pytest.mark.parametrize(
    "change",
    [{"jwks_uri": AT, "jwks": KEYS}, {"jwks_uri": f"{AT}?x=1"}, {"jwks_uri": "http://cimd.example/jwks.json"}],
    ids=["both", "a query", "http"],
)
def test_F8_keys_at_two_places_or_out_of_reach_are_refused_where_they_are_needed(change: dict[str, object]) -> None:
    with pytest.raises(PageError):
        document({**DOCUMENT, **SIGNS, **change})
    read = document({**DOCUMENT, **change})
    assert (read.jwks_uri, read.jwks) == (None, ())


@pytest.mark.parametrize("jwks", [[], {}, {"keys": {}}, "x", {"keys": []}], ids=repr)
def test_keys_that_are_not_used_may_have_any_shape(jwks: object) -> None:
    assert document({**DOCUMENT, "jwks": jwks}).name == "Example"


CONFIDENTIAL = replace(NATIVE, auth_method=ClientAuthMethod.SECRET_BASIC)
UPDATE = {
    "client_id": "C1",
    "redirect_uris": ["https://app.example/cb"],
    "token_endpoint_auth_method": "client_secret_basic",
}


def updated(**changes: object) -> RegistrationRequest:
    body = {name: value for name, value in (UPDATE | changes).items() if value is not None}
    return client_metadata.parse_update(CONFIDENTIAL, json.dumps(body).encode(), secret_fits="s".__eq__)


def test_a_confidential_client_replaces_its_metadata_with_or_without_its_secret() -> None:
    assert updated().redirect_uris == ("https://app.example/cb",)
    assert updated(client_secret="s", client_name="New").name == "New"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"client_id": None}, "client_id"),
        ({"client_id": "C2"}, "client_id"),
        ({"registration_access_token": "t"}, "sets registration_access_token"),
        ({"client_secret_expires_at": 0, "client_id_issued_at": 1}, "sets client_id_issued_at"),
        ({"client_secret": "t"}, "client_secret"),
        ({"client_secret": 7}, "client_secret"),
        ({"token_endpoint_auth_method": "none"}, "none"),
        ({"token_endpoint_auth_method": None}, "none"),
    ],
)
def test_an_update_names_the_client_sets_nothing_that_is_given_out_and_stays_confidential(
    change: dict[str, object], why: str
) -> None:
    with pytest.raises(OAuthError) as error:
        updated(**change)
    assert error.value.fault is faults.REGISTRATION_UPDATE
    assert why in error.value.reason


def test_a_client_without_redirects_needs_a_grant_that_has_none() -> None:
    device = {"client_name": "TV", "grant_types": [DEVICE_CODE]}
    assert parse(device).redirect_uris == parse({**device, "redirect_uris": []}).redirect_uris == ()
    assert refused({**device, "grant_types": ["authorization_code"]}).fault is faults.REDIRECT_URIS_MISSING


JUNK: st.SearchStrategy[Any] = st.just([]) | st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
MEMBERS = [
    "client_name", "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "scope", "contacts",
    "client_uri", "jwks", "jwks_uri", "post_logout_redirect_uris", "software_id", "client_id", "software_statement",
]  # fmt: skip


@given(st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=6), JUNK, max_size=5), st.booleans())
def test_any_object_is_registered_or_refused(members: dict[str, Any], valid_uris: bool) -> None:
    if valid_uris:
        members = {**members, "redirect_uris": LOOPBACK}
    body = json.dumps(members).encode()
    try:
        request = client_metadata.parse_registration(body, vendor_schemes=SCHEMES)
    except OAuthError as error:
        assert error.status == 400
    else:
        assert json.dumps(client_metadata.registration_response(request, NATIVE), allow_nan=False)
        assert client_metadata.canonical_key(request) == client_metadata.canonical_key(request)
    try:
        client_metadata.parse_metadata_document(URL, json.dumps({**members, "client_id": URL}).encode())
    except PageError as error:
        assert error.fault is faults.METADATA_DOCUMENT_INVALID


@given(st.binary())
def test_any_bytes_are_registered_or_refused(body: bytes) -> None:
    with pytest.raises(OAuthError):
        client_metadata.parse_registration(body)


@given(st.text())
def test_any_text_is_a_document_url_or_not(text: str) -> None:
    assert client_metadata.is_metadata_document_url(text) in {True, False}


def parse(members: dict[str, Any]) -> RegistrationRequest:
    return client_metadata.parse_registration(json.dumps(members).encode(), vendor_schemes=SCHEMES)


def refused(members: dict[str, Any]) -> OAuthError:
    with pytest.raises(OAuthError) as error:
        parse(members)
    return error.value


def document(members: dict[str, Any]) -> RegistrationRequest:
    return client_metadata.parse_metadata_document(URL, json.dumps(members).encode(), vendor_schemes=SCHEMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("client_Ab-9", True),
        ("app.harbour", True),
        (URL, True),
        ("qw4 v", False),
        ("qw4+v", False),
        ("{client}", False),
    ],
)
def test_a_client_id_that_cannot_be_ours_is_told_from_one_that_is_unknown(text: str, expected: bool) -> None:
    assert client_metadata.may_be_client_id(text) is expected
