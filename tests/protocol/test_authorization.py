from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import (
    CHALLENGE,
    ISSUER,
    MCP_URL,
    NATIVE,
    NATIVE_REQUEST,
    WEB,
    WEB_REQUEST,
    is_resource,
)

from doorward.model import Client, ClientId, Status
from doorward.protocol import authorization, faults, form
from doorward.protocol.authorization import AuthorizationRequest, Identified
from doorward.protocol.errors import PageError, RedirectableError

Pairs = list[tuple[str, str]]


def test_a_request_as_real_clients_send_it_is_read_whole() -> None:
    sent = {**NATIVE_REQUEST, "prompt": "consent login", "login_hint": "alice@acme.example", "max_age": "0", "new": "x"}
    assert parse(sent) == AuthorizationRequest(
        client_id=ClientId("C1"),
        redirect_uri="http://127.0.0.1:53111/cb",
        redirect_uri_sent=True,
        state="st-1",
        scopes=("documents:read",),
        code_challenge=CHALLENGE,
        resource=MCP_URL,
        prompt=frozenset({"consent", "login"}),
        login_hint="alice@acme.example",
        max_age=0,
    )


def test_only_what_is_needed_is_required() -> None:
    request = parse(without("state", "scope", "resource", "redirect_uri"))
    assert (request.state, request.scopes, request.resource, request.prompt) == (None, None, None, frozenset())
    assert (request.redirect_uri, request.redirect_uri_sent) == ("http://127.0.0.1/cb", False)
    assert (request.login_hint, request.max_age) == (None, None)


def test_parameters_without_a_value_count_as_left_out() -> None:
    request = parse({**NATIVE_REQUEST, "scope": "", "resource": "", "prompt": "", "response_mode": "", "request": ""})
    assert (request.scopes, request.resource) == (None, None)
    assert parse({**NATIVE_REQUEST, "scope": " "}).scopes is None


def test_an_overlong_login_hint_is_cut() -> None:
    assert parse({**NATIVE_REQUEST, "login_hint": "a" * 400}).login_hint == "a" * 320


@pytest.mark.parametrize(
    "uri", ["https://evil.example/cb", "https://app.example/cb/", "https://app.example:8443/cb", "javascript:alert(1)"]
)
def test_A1_A3_A13_an_unregistered_redirect_uri_is_a_page(uri: str) -> None:
    assert page({**WEB_REQUEST, "redirect_uri": uri}, WEB).fault is faults.REDIRECT_NOT_REGISTERED


@pytest.mark.parametrize(
    "change",
    [
        {"response_type": "banana"}, {"scope": 'b"ad'}, {"code_challenge": "x"}, {"request": "eyJ"}, {"prompt": "junk"},
        {"resource": "https://evil.example"}, {"response_type": ""}, {"state": "s" * 5000},
    ],
    ids=str,
)  # fmt: skip
def test_A2_no_error_leaves_by_an_unproven_redirect_uri(change: dict[str, str]) -> None:
    page({**WEB_REQUEST, "redirect_uri": "https://evil.example/steal", **change}, WEB)


def test_A12_loopback_rules_hold_for_requests() -> None:
    assert parse({**NATIVE_REQUEST, "redirect_uri": "http://localhost:1/cb"}).redirect_uri == "http://localhost:1/cb"
    page({**NATIVE_REQUEST, "redirect_uri": "http://127.0.0.1:53111/other"})
    confidential = replace(WEB, redirect_uris=("http://127.0.0.1/cb",))
    page({**WEB_REQUEST, "redirect_uri": "http://127.0.0.1:5/cb"}, confidential)


def test_A16_a_redirect_uri_left_out_is_inferred_only_from_a_single_one_and_never_for_openid() -> None:
    two = replace(NATIVE, redirect_uris=("http://127.0.0.1/cb", "http://127.0.0.1/cb2"))
    assert page(without("redirect_uri"), two).fault is faults.REDIRECT_MISSING
    assert page({**without("redirect_uri"), "scope": "documents:read openid"}).fault is faults.REDIRECT_MISSING


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
@pytest.mark.parametrize("value", ["C1", "https://evil.example/cb", ""])
def test_A17_a_repeated_client_id_or_redirect_uri_is_a_page(name: str, value: str) -> None:
    with pytest.raises(PageError) as refused:
        authorization.parse_client_and_redirect([*NATIVE_REQUEST.items(), (name, value)])
    assert refused.value.fault is faults.PARAMETER_REPEATED


@pytest.mark.parametrize("name", ["scope", "code_challenge", "prompt", "response_type", "anything"])
def test_A17_another_repeated_parameter_goes_back_to_the_client(name: str) -> None:
    error = refused([*NATIVE_REQUEST.items(), (name, "a"), (name, "a")])
    assert (error.error, error.state) == ("invalid_request", "st-1")


def test_A17_a_repeated_state_is_not_given_back() -> None:
    error = refused([*NATIVE_REQUEST.items(), ("state", "other")])
    assert (error.error, error.state) == ("invalid_request", None)


@pytest.mark.parametrize(
    ("response_type", "error"),
    [
        ("", "invalid_request"), ("token", "unsupported_response_type"), ("id_token", "unsupported_response_type"),
        ("code token", "unsupported_response_type"), ("none", "unsupported_response_type"),
        ("code code", "unsupported_response_type"), ("CODE", "unsupported_response_type"),
    ],
)  # fmt: skip
def test_A19_only_code_is_a_response_type(response_type: str, error: str) -> None:
    assert refused({**NATIVE_REQUEST, "response_type": response_type}).error == error


@pytest.mark.parametrize(
    "mode", ["fragment", "web_message", "form_post", "form_post.jwt", "okta_post_message", "query query"]
)
def test_A20_only_query_is_a_response_mode(mode: str) -> None:
    assert refused({**NATIVE_REQUEST, "response_mode": mode}).error == "invalid_request"
    assert parse({**NATIVE_REQUEST, "response_mode": "query"}).state == "st-1"


@pytest.mark.parametrize("prompt", ["none login", "junk", "login junk", "NONE", "none none consent"])
def test_A23_a_wrong_prompt_goes_back_to_the_client(prompt: str) -> None:
    assert refused({**NATIVE_REQUEST, "prompt": prompt}).error == "invalid_request"


@pytest.mark.parametrize("prompt", ["none", "login", "consent", "select_account", "login consent select_account"])
def test_A23_every_registered_prompt_is_read(prompt: str) -> None:
    assert parse({**NATIVE_REQUEST, "prompt": prompt}).prompt == frozenset(prompt.split())


@pytest.mark.parametrize("max_age", ["-1", "abc", "9999999999999999999", "1.5", "٣"])
def test_A24_a_wrong_max_age_goes_back_to_the_client(max_age: str) -> None:
    assert refused({**NATIVE_REQUEST, "max_age": max_age}).error == "invalid_request"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ],
)
def test_A25_request_objects_are_refused_before_anything_else_is_read(name: str, error: str) -> None:
    sent = {**NATIVE_REQUEST, name: "https://169.254.169.254/x", "response_type": "token", "code_challenge": "x"}
    assert refused(sent).error == error


def test_A27_A28_answers_hold_code_state_and_iss_once_and_keep_the_registered_query() -> None:
    location = authorization.success_location("https://app.example/cb?tenant=1", "c0de", "st 1", ISSUER)
    assert location == "https://app.example/cb?tenant=1&code=c0de&state=st%201&iss=https%3A%2F%2Fdoor.example"
    bare = authorization.success_location("com.example.app:/cb", "c0de", None, ISSUER)
    assert bare == "com.example.app:/cb?code=c0de&iss=https%3A%2F%2Fdoor.example"


def test_A27_errors_carry_state_and_iss_too() -> None:
    location = authorization.error_location(refused({**WEB_REQUEST, "response_type": "token"}, WEB))
    split = urlsplit(location)
    assert location.startswith("https://app.example/cb?")
    assert parse_qsl(split.query) == [
        ("error", "unsupported_response_type"),
        ("error_description", "Only response_type=code is supported. (DW-107)"),
        ("state", "st-1"),
        ("iss", ISSUER),
    ]


@pytest.mark.parametrize(
    "state",
    ["s" * 4096, "a+b", "a%2Bb", "a b", '"><script>', "🚪", "line\nbreak\r\n", "https://x/?a=%20&b", "\x00", "é"],
    ids=repr,
)
def test_A29_state_comes_back_byte_for_byte(state: str) -> None:
    query = urlencode({**NATIVE_REQUEST, "state": state})
    request = parse(form.parse(query))
    back = urlsplit(authorization.success_location(request.redirect_uri, "c", request.state, ISSUER)).query
    assert dict(parse_qsl(back))["state"] == state


@pytest.mark.parametrize("state", ["s" * 4097, "\ud800"], ids=["too long", "no text"])
def test_A29_an_impossible_state_is_refused_without_it(state: str) -> None:
    error = refused({**NATIVE_REQUEST, "state": state})
    assert (error.error, error.state) == ("invalid_request", None)


def test_A30_disabled_unknown_and_mixed_up_clients_get_the_same_page() -> None:
    disabled = page(NATIVE_REQUEST, replace(NATIVE, status=Status.DISABLED))
    mixed_up = page(NATIVE_REQUEST, replace(NATIVE, id=ClientId("C9")))
    malformed = identify_page({**NATIVE_REQUEST, "client_id": "C\n1"})
    overlong = identify_page({**NATIVE_REQUEST, "client_id": "C" * 2049})
    assert {error.public for error in (disabled, mixed_up, malformed, overlong)} == {faults.CLIENT_UNKNOWN.cause}


@pytest.mark.parametrize("sent", [{}, {"client_id": ""}], ids=str)
def test_a_missing_client_id_is_a_page(sent: dict[str, str]) -> None:
    assert identify_page(sent).fault is faults.CLIENT_ID_MISSING


@pytest.mark.parametrize(
    "scope", ['a"b', "a\tb", " ".join(f"s{i}:x" for i in range(201))], ids=["quote", "tab", "many"]
)
def test_A31_a_malformed_scope_goes_back_to_the_client(scope: str) -> None:
    assert refused({**NATIVE_REQUEST, "scope": scope}).error == "invalid_scope"


def test_A31_unknown_and_oidc_scopes_stay_for_the_caller_to_narrow() -> None:
    asked = parse({**NATIVE_REQUEST, "scope": "openid S3:read documents:read offline_access"}).scopes
    assert asked == ("openid", "S3:read", "documents:read", "offline_access")


@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example/mcp",
        "/mcp",
        MCP_URL + "#f",
        "http://door.example/mcp",
        "https://door.example/acme",
        "nonsense",
    ],
)
def test_A32_an_unknown_resource_goes_back_to_the_client(resource: str) -> None:
    assert refused({**NATIVE_REQUEST, "resource": resource}).error == "invalid_target"


@pytest.mark.parametrize("origin", ["https://door.example", "https://door.example/", "HTTPS://door.example:443"])
def test_A32_our_bare_origin_names_no_server(origin: str) -> None:
    assert parse({**NATIVE_REQUEST, "resource": origin}).resource is None
    assert parse([*NATIVE_REQUEST.items(), ("resource", origin)]).resource == MCP_URL


def test_A32_the_same_resource_twice_is_one_and_two_are_refused() -> None:
    assert parse([*NATIVE_REQUEST.items(), ("resource", MCP_URL), ("resource", MCP_URL + "/")]).resource == MCP_URL
    two: Pairs = [*NATIVE_REQUEST.items(), ("resource", "https://door.example/acme/mcp")]
    assert refused(two).error == "invalid_target"


def test_B1_a_request_without_pkce_is_refused_for_every_client() -> None:
    assert refused(without("code_challenge")).error == "invalid_request"
    web = {name: value for name, value in WEB_REQUEST.items() if name != "code_challenge"}
    assert refused(web, WEB).error == "invalid_request"


@pytest.mark.parametrize("method", ["plain", "", "s256", "S256 ", "S512", "none"])
def test_B2_B3_only_S256_is_a_method(method: str) -> None:
    error = refused({**NATIVE_REQUEST, "code_challenge_method": method})
    assert (error.error, error.fault) == ("invalid_request", faults.PKCE_METHOD)


@pytest.mark.parametrize("challenge", ["a" * 42, "a" * 44, "a" * 128, "a" * 42 + "=", "a" * 42 + "/"])
def test_B4_a_challenge_of_another_shape_is_refused(challenge: str) -> None:
    assert refused({**NATIVE_REQUEST, "code_challenge": challenge}).fault is faults.PKCE_MALFORMED


def test_C14_a_client_without_the_grant_is_refused() -> None:
    assert refused(NATIVE_REQUEST, replace(NATIVE, grant_types=frozenset())).error == "unauthorized_client"


def test_A19_a_request_without_a_response_type_is_refused() -> None:
    error = refused(without("response_type"))
    assert (error.error, error.fault) == ("invalid_request", faults.RESPONSE_TYPE_MISSING)


@pytest.mark.parametrize("nonce", ["n" * (authorization.MAX_NONCE + 1), "a\ud800"], ids=["long", "no text"])
def test_A24_a_nonce_that_could_not_be_given_back_is_refused(nonce: str) -> None:
    assert refused({**NATIVE_REQUEST, "nonce": nonce}).fault is faults.NONCE_INVALID
    assert parse({**NATIVE_REQUEST, "nonce": "n" * authorization.MAX_NONCE}).nonce == "n" * authorization.MAX_NONCE


def test_a_later_step_can_send_an_error_back() -> None:
    request = parse(NATIVE_REQUEST)
    error = request.refusal(faults.ACCESS_DENIED, "access_denied", issuer=ISSUER, reason="denied by alice")
    assert (error.error, error.redirect_uri, error.state) == ("access_denied", request.redirect_uri, "st-1")
    assert "alice" not in authorization.error_location(error)


NAMES = st.sampled_from([*NATIVE_REQUEST, "prompt", "request", "max_age", "login_hint", "response_mode"])
VALUES = st.text() | st.sampled_from([*NATIVE_REQUEST.values(), "none", "login none", "\ud800", "1"])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.booleans())
def test_any_parameters_end_in_a_request_a_page_or_a_redirect_to_the_registered_place(
    extra: Pairs, replacing: bool
) -> None:
    pairs = list({**NATIVE_REQUEST, **dict(extra)}.items()) if replacing else [*NATIVE_REQUEST.items(), *extra]
    try:
        request = parse(pairs)
    except PageError:
        return
    except RedirectableError as error:
        location = authorization.error_location(error)
    else:
        location = authorization.success_location(request.redirect_uri, "c", request.state, ISSUER)
    split = urlsplit(location)
    assert (split.hostname, split.path) == ("127.0.0.1", "/cb")
    names = [name for name, _ in parse_qsl(split.query, keep_blank_values=True)]
    assert len(names) == len(set(names))
    assert "iss" in names
    assert not set('\r\n "<>') & set(location)


def parse(sent: dict[str, str] | Pairs, client: Client = NATIVE) -> AuthorizationRequest:
    pairs = list(sent.items()) if isinstance(sent, dict) else sent
    identified = authorization.parse_client_and_redirect(pairs)
    return authorization.parse_authorization_request(pairs, client, identified, issuer=ISSUER, is_resource=is_resource)


def refused(sent: dict[str, str] | Pairs, client: Client = NATIVE) -> RedirectableError:
    with pytest.raises(RedirectableError) as error:
        parse(sent, client)
    assert error.value.issuer == ISSUER
    return error.value


def page(sent: dict[str, str], client: Client = NATIVE) -> PageError:
    with pytest.raises(PageError) as error:
        parse(sent, client)
    return error.value


def identify_page(sent: dict[str, str]) -> PageError:
    with pytest.raises(PageError) as error:
        authorization.parse_client_and_redirect(list(sent.items()))
    return error.value


def without(*names: str) -> dict[str, str]:
    return {name: value for name, value in NATIVE_REQUEST.items() if name not in names}


def test_an_identified_client_is_compared_with_the_one_that_was_looked_up() -> None:
    identified = Identified(client_id=ClientId("C3"), redirect_uri="http://127.0.0.1/cb")
    with pytest.raises(PageError):
        authorization.parse_authorization_request(
            list(NATIVE_REQUEST.items()), NATIVE, identified, issuer=ISSUER, is_resource=is_resource
        )
