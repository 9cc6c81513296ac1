"""What we say, and believe, as an OAuth client of others: the pure part (D6)."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from doorward.model import ClientAuthMethod
from doorward.protocol.outbound import authorization_server, client, grant, protected_resource, reading
from doorward.protocol.outbound.authorization_server import AuthorizationServer
from doorward.protocol.outbound.protected_resource import Asked
from doorward.protocol.pkce import challenge_of

SERVER = AuthorizationServer(
    issuer="https://as.example", authorization_endpoint="https://as.example/a", token_endpoint="https://as.example/t"
)  # fmt: skip


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "client_id"), ({"client_id": "a\nb"}, "client_id"), ({"client_id": "a", "client_secret": 7}, "client_secret"),
        ({"client_id": "a", "client_secret": "\x00"}, "client_secret"),
        ({"client_id": "a", "token_endpoint_auth_method": "client_secret_basic"}, "client authentication"),
        ({"client_id": "a", "client_secret": "s", "token_endpoint_auth_method": "tls_client_auth"}, "client authentication"),
    ],
)  # fmt: skip
def test_a_registration_that_cannot_be_used_is_refused(members: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        client.registered(members)


def test_a_registration_without_a_method_follows_from_its_secret() -> None:
    assert client.registered({"client_id": "a"}).method is ClientAuthMethod.NONE
    assert client.registered({"client_id": "a", "client_secret": "s"}).method is ClientAuthMethod.SECRET_BASIC
    assert (
        client.registered({"client_id": "a", "client_secret": "s", "token_endpoint_auth_method": "none"}).secret == ""
    )


def test_a_configured_client_needs_a_method_that_the_server_takes() -> None:
    assert client.configured("a", "", SERVER) == client.OwnClient(client_id="a")
    strange = AuthorizationServer(
        issuer="https://as.example", authorization_endpoint="", token_endpoint="", auth_methods=("private_key_jwt",)
    )
    for refuse in (
        lambda: client.configured("a", "s", strange),
        lambda: client.registration("https://d", "w", strange),
    ):
        with pytest.raises(ValueError, match="client authentication"):
            refuse()


@pytest.mark.parametrize(
    ("said", "meant"),
    [("3600", 3600), (3600.9, 3600), (10**12, grant.MAX_LIFETIME), (-1, None), (True, None), ("soon", None), (None, None), ("9" * 40, None)],
)  # fmt: skip
def test_a_lifetime_is_a_number_however_it_is_written(said: object, meant: int | None) -> None:
    answer = grant.granted({"token_type": "Bearer", "access_token": "t", "expires_in": said})
    assert answer.expires_in == meant


def test_a_client_registers_with_the_weakest_method_that_still_works_and_one_redirect_for_each_server() -> None:
    takes = replace(SERVER, auth_methods=("client_secret_basic", "client_secret_post", "none"))
    web = client.registration("https://door.example", "wiki", takes)
    assert (web["token_endpoint_auth_method"], web["application_type"]) == ("none", "web")
    assert web["redirect_uris"] == ["https://door.example/upstreams/wiki/callback"]
    assert (web["client_name"], web["client_uri"]) == ("Doorward at door.example", "https://door.example")
    assert (web["grant_types"], web["response_types"]) == (["authorization_code", "refresh_token"], ["code"])
    native = client.registration("http://127.0.0.1:8000", "wiki", SERVER)
    assert (native["token_endpoint_auth_method"], native["application_type"]) == ("client_secret_basic", "native")


def test_our_own_document_stands_at_an_https_url_only() -> None:
    assert client.document_url("http://127.0.0.1:8000", "wiki") is None
    described = client.document("https://door.example", "wiki")
    assert described["client_id"] == "https://door.example/upstreams/wiki/client.json"
    assert (described["token_endpoint_auth_method"], described["redirect_uris"]) == (
        "none", ["https://door.example/upstreams/wiki/callback"],
    )  # fmt: skip


def test_a_client_shows_itself_as_it_was_told_to() -> None:
    assert client.shown(client.OwnClient(client_id="a")) == ({"client_id": "a"}, None)
    post = client.configured("a", "s:/", replace(SERVER, auth_methods=("client_secret_post", "client_secret_basic")))
    assert client.shown(post) == ({"client_id": "a", "client_secret": "s:/"}, None)
    basic = client.configured("a b", "s:/", SERVER)
    assert client.shown(basic) == ({}, ("a+b", "s%3A%2F")), "encoded before it is joined (RFC 6749 section 2.3.1)"
    assert "s:/" not in repr(basic)


def test_scopes_are_the_operators_else_the_challenges_else_the_servers() -> None:
    assert grant.scopes_to_ask(("a",), ("b",), ("c",), SERVER) == ("a",)
    assert grant.scopes_to_ask((), ("b",), ("c",), SERVER) == ("b",)
    assert grant.scopes_to_ask((), (), ("c", "c"), SERVER) == ("c",)
    offline = replace(SERVER, scopes=("offline_access",))
    assert grant.scopes_to_ask((), (), ("c",), offline) == ("c", "offline_access")
    assert grant.scopes_to_ask((), (), (), offline) == ()


def asked(server: AuthorizationServer, *scopes: str) -> dict[str, str]:
    url = grant.authorization_url(
        server, client_id="c", redirect_uri="https://d.example/cb", resource="https://r.example/mcp", scopes=scopes,
        state="s", verifier="v" * 43,
    )  # fmt: skip
    assert urlsplit(url)._replace(query="").geturl() == "https://as.example/a"
    return dict(parse_qsl(urlsplit(url).query))


def test_the_browser_is_sent_with_pkce_and_the_resource() -> None:
    plain = asked(SERVER)
    assert plain == {
        "response_type": "code", "client_id": "c", "redirect_uri": "https://d.example/cb", "state": "s",
        "code_challenge": challenge_of("v" * 43), "code_challenge_method": "S256", "resource": "https://r.example/mcp",
    }  # fmt: skip
    assert asked(SERVER, "a", "b") == {**plain, "scope": "a b"}
    assert asked(SERVER, "a", "offline_access") == {**plain, "scope": "a offline_access", "prompt": "consent"}
    own_query = replace(SERVER, authorization_endpoint="https://as.example/a?x=1")
    assert asked(own_query) == {"x": "1", **plain}


def test_an_answer_comes_from_the_server_that_was_asked() -> None:
    assert grant.iss_ok("https://as.example", "https://as.example", says_iss=True)
    assert grant.iss_ok("https://as.example", None, says_iss=False)
    assert not grant.iss_ok("https://as.example", None, says_iss=True)
    assert not grant.iss_ok("https://as.example", "https://as.example/", says_iss=False)


def test_codes_and_refresh_tokens_are_redeemed_for_the_resource() -> None:
    assert grant.code_form(code="c", redirect_uri="u", verifier="v", resource="r") == {
        "grant_type": "authorization_code", "code": "c", "redirect_uri": "u", "code_verifier": "v", "resource": "r",
    }  # fmt: skip
    assert grant.refresh_form(refresh_token="t", resource="r") == {
        "grant_type": "refresh_token", "refresh_token": "t", "resource": "r",
    }  # fmt: skip


def test_an_answer_gives_tokens_and_scopes() -> None:
    given = grant.granted({
        "token_type": "BEARER", "access_token": "a", "refresh_token": "r", "expires_in": 60, "scope": "a b",
    })  # fmt: skip
    assert (given.access_token, given.refresh_token, given.expires_in, given.scopes) == ("a", "r", 60, ("a", "b"))
    least = grant.granted({"token_type": "bearer", "access_token": "a", "refresh_token": "", "scope": ""})
    assert (least.refresh_token, least.expires_in, least.scopes) == ("", None, None)
    assert "'r'" not in repr(given)


@pytest.mark.parametrize(
    "changed",
    [{"token_type": None}, {"token_type": "mac"}, {"access_token": None}, {"access_token": ""},
     {"access_token": "a\nX: y"}, {"access_token": "a" * (grant.MAX_TOKEN + 1)}, {"access_token": 7},
     {"refresh_token": "a b"}, {"refresh_token": 7}],
    ids=str,
)  # fmt: skip
def test_what_is_no_bearer_token_to_send_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="token"):
        grant.granted({"token_type": "Bearer", "access_token": "a", **changed})


def test_only_an_error_code_is_believed() -> None:
    assert grant.error_in({"error": "invalid_grant", "error_description": "<b>"}) == "invalid_grant"
    for said in ("<script>", "", "Invalid", "a" * 65, 7, None):
        assert grant.error_in({"error": said}) == ""


def test_metadata_of_an_authorization_server_is_looked_for_at_three_places() -> None:
    oauth, openid = "oauth-authorization-server", "openid-configuration"
    assert authorization_server.metadata_urls("https://as.example/") == (
        f"https://as.example/.well-known/{oauth}", f"https://as.example/.well-known/{openid}",
    )  # fmt: skip
    assert authorization_server.metadata_urls("https://as.example/t/1") == (
        f"https://as.example/.well-known/{oauth}/t/1", f"https://as.example/.well-known/{openid}/t/1",
        f"https://as.example/t/1/.well-known/{openid}",
    )  # fmt: skip


METADATA: dict[str, Any] = {
    "issuer": "https://as.example",
    "authorization_endpoint": "https://as.example/a",
    "token_endpoint": "https://as.example/t",
    "code_challenge_methods_supported": ["plain", "S256"],
}


def test_metadata_of_an_authorization_server_is_read_with_its_defaults() -> None:
    assert authorization_server.read(METADATA, "https://as.example") == SERVER
    full = authorization_server.read(
        METADATA | {
            "response_types_supported": ["code"], "registration_endpoint": "https://as.example/r",
            "revocation_endpoint": "https://as.example/v", "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["a"], "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": True,
        },
        "https://as.example",
    )  # fmt: skip
    assert full == replace(
        SERVER, registration_endpoint="https://as.example/r", revocation_endpoint="https://as.example/v",
        auth_methods=("none",), scopes=("a",), says_iss=True, takes_documents=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"issuer": "https://as.example/"}, "another issuer"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"code_challenge_methods_supported": None}, "PKCE"),
        ({"response_types_supported": ["token"]}, "response type"),
        ({"authorization_endpoint": None}, "authorization_endpoint"),
        ({"token_endpoint": "http://as.example/t"}, "token_endpoint"),
        ({"registration_endpoint": ""}, "registration_endpoint"),
        ({"revocation_endpoint": 7}, "revocation_endpoint"),
    ],
)
def test_metadata_that_cannot_be_used_is_refused(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        authorization_server.read(METADATA | changed, "https://as.example")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", Asked()),
        ("Basic realm=x", Asked()),
        ("Bearerx error=y", Asked()),
        ("Bearer", Asked()),
        ("bearer " + "x" * protected_resource.MAX_CHALLENGE, Asked()),
        ('Bearer error="invalid_token", scope="a b", resource_metadata="https://r.example/x"',
         Asked(error="invalid_token", scopes=("a", "b"), resource_metadata="https://r.example/x")),
        (r'BEARER Error=plain, SCOPE="a\"b c"', Asked(error="plain", scopes=("c",))),
        ('Bearer scope="a", scope="b"', Asked(scopes=("a",))),
    ],
    ids=str,
)  # fmt: skip
def test_a_challenge_says_what_a_bearer_parameter_of_it_says(header: str, said: Asked) -> None:
    assert protected_resource.challenge_of(header) == said


def test_metadata_of_a_server_is_looked_for_where_it_says_then_where_it_belongs() -> None:
    root = "https://r.example/.well-known/oauth-protected-resource"
    assert protected_resource.metadata_urls("https://r.example/", Asked()) == (root,)
    assert protected_resource.metadata_urls("https://r.example/mcp", Asked()) == (root + "/mcp", root)
    named = Asked(resource_metadata="https://r.example/x")
    assert protected_resource.metadata_urls("https://r.example/mcp", named) == (
        "https://r.example/x",
        root + "/mcp",
        root,
    )
    assert protected_resource.metadata_urls("https://r.example/mcp", Asked(resource_metadata=root)) == (
        root,
        root + "/mcp",
    )


def test_metadata_of_a_server_names_it_or_what_it_lies_below() -> None:
    document = {
        "resource": "https://r.example",
        "authorization_servers": ["https://as.example"],
        "scopes_supported": ["a"],
    }
    read = protected_resource.read(document, "https://r.example/mcp")
    assert (read.resource, read.authorization_servers, read.scopes) == (
        "https://r.example",
        ("https://as.example",),
        ("a",),
    )
    assert protected_resource.read(document, "https://R.example").resource == "https://r.example"
    many = {**document, "authorization_servers": [f"https://as{number}.example" for number in range(9)]}
    assert len(protected_resource.read(many, "https://r.example").authorization_servers) == 8


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"resource": "https://evil.example"}, "another resource"),
        ({"resource": "https://r.example/mc"}, "another resource"),
        ({"resource": "mcp"}, "another resource"),
        ({"resource": None}, "another resource"),
        ({"authorization_servers": []}, "without an authorization server"),
        ({"authorization_servers": "https://as.example"}, "without an authorization server"),
        ({"authorization_servers": ["http://as.example"]}, "no https URL"),
    ],
)
def test_metadata_of_another_server_or_without_a_way_in_is_refused(changed: dict[str, Any], why: str) -> None:
    document = {"resource": "https://r.example/mcp", "authorization_servers": ["https://as.example"]}
    with pytest.raises(ValueError, match=why):
        protected_resource.read(document | changed, "https://r.example/mcp")


def test_members_of_the_wrong_kind_or_size_count_as_left_out() -> None:
    long = "a" * (reading.MAX_TEXT + 1)
    assert reading.text_in({"a": "b"}, "a") == "b"
    assert [reading.text_in({"a": odd}, "a") for odd in (7, None, ["b"], long)] == ["", "", "", ""]
    assert reading.texts_in({"a": ["b", "", 7, "b", long, "c"]}, "a") == ("b", "c")
    assert reading.texts_in({"a": "b"}, "a") == reading.texts_in({}, "a") == ()
    assert len(reading.texts_in({"a": [str(number) for number in range(300)]}, "a")) == reading.MAX_ITEMS
    assert reading.scopes_in('a  b a "c" ü') == ("a", "b")


def test_a_url_to_send_secrets_to_is_plain_https() -> None:
    assert reading.https_url("https://as.example:8443/t?x=1", "x") == "https://as.example:8443/t?x=1"
    odd = [
        "http://as.example",
        "https://u@as.example",
        "https://as.example/#f",
        "https://as.example/ x",
        "//as.example",
    ]
    for text in (*odd, "https://as.example/" + "a" * reading.MAX_TEXT):
        with pytest.raises(ValueError, match="token_endpoint: no https URL"):
            reading.https_url(text, "token_endpoint")
