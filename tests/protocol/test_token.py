# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import MCP_URL, VERIFIER

from doorward.protocol import faults, token
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import AuthorizationCodeRequest, RefreshTokenRequest, TokenForm, TokenQuestion

FORM = "application/x-www-form-urlencoded"
CODE_REQUEST = {
    "grant_type": "authorization_code",
    "code": "dwc_code",
    "redirect_uri": "http://127.0.0.1:53111/cb",
    "client_id": "C1",
    "code_verifier": VERIFIER,
    "resource": MCP_URL,
}


def test_a_code_request_is_read_whole() -> None:
    assert token.read_grant(read(CODE_REQUEST)) == AuthorizationCodeRequest(
        code="dwc_code", code_verifier=VERIFIER, redirect_uri="http://127.0.0.1:53111/cb", resource=MCP_URL
    )


def test_an_oauth_2_1_code_request_needs_neither_redirect_uri_nor_resource() -> None:
    sent = {"grant_type": "authorization_code", "code": "c", "code_verifier": "v"}
    assert token.read_grant(read(sent)) == AuthorizationCodeRequest(
        code="c", code_verifier="v", redirect_uri=None, resource=None
    )


def test_C21_a_refresh_works_without_scope_and_resource_and_with_an_empty_scope() -> None:
    plain = RefreshTokenRequest(refresh_token="dwr_r", scope=None, resource=None)
    sent = {"grant_type": "refresh_token", "refresh_token": "dwr_r"}
    assert token.read_grant(read(sent)) == plain
    assert token.read_grant(read({**sent, "scope": ""})) == plain
    assert token.read_grant(read({**sent, "scope": " "})) == plain
    narrowed = token.read_grant(read({**sent, "scope": "a:read b:read", "resource": MCP_URL}))
    assert narrowed == RefreshTokenRequest(refresh_token="dwr_r", scope=("a:read", "b:read"), resource=MCP_URL)


def test_C21_a_malformed_scope_is_refused() -> None:
    assert grant_refused({"grant_type": "refresh_token", "refresh_token": "r", "scope": 'a"'}).error == "invalid_scope"


@pytest.mark.parametrize("name", ["grant_type", "code", "code_verifier"])
@pytest.mark.parametrize("empty", [True, False])
def test_B5_a_missing_or_empty_parameter_is_refused(name: str, empty: bool) -> None:
    sent = {**CODE_REQUEST, name: ""} if empty else {key: CODE_REQUEST[key] for key in CODE_REQUEST if key != name}
    assert grant_refused(sent).error == "invalid_request"
    assert grant_refused({"grant_type": "refresh_token"}).error == "invalid_request"


@pytest.mark.parametrize(
    "grant",
    ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer", "AUTHORIZATION_CODE"],
)
def test_C14_other_grants_are_unsupported(grant: str) -> None:
    assert grant_refused({"grant_type": grant}).error == "unsupported_grant_type"


def test_a_client_that_acts_by_itself_names_scopes_and_resource_or_not() -> None:
    assert token.read_grant(read({"grant_type": "client_credentials"})) == token.ClientCredentialsRequest(
        scope=None, resource=None
    )
    asked = read({"grant_type": "client_credentials", "scope": "b:read a:read"})
    assert token.read_grant(asked) == token.ClientCredentialsRequest(scope=("b:read", "a:read"), resource=None)


def test_a_device_asks_with_scopes_and_resource_or_not_and_comes_back_with_its_code() -> None:
    assert token.read_device_authorization(read({})) == token.DeviceAuthorizationRequest(scope=None, resource=None)
    asked = token.read_device_authorization(read({"scope": "b:read a:read", "resource": MCP_URL}))
    assert asked == token.DeviceAuthorizationRequest(scope=("b:read", "a:read"), resource=MCP_URL)
    sent = {"grant_type": token.DEVICE_CODE, "device_code": "d"}
    assert token.read_grant(read(sent)) == token.DeviceCodeRequest(device_code="d", resource=None)
    assert grant_refused({"grant_type": token.DEVICE_CODE}).error == "invalid_request"


def test_C11_parameters_in_the_url_are_refused() -> None:
    for query in (b"grant_type=authorization_code&client_secret=s", "x"):
        with pytest.raises(OAuthError) as refused:
            token.parse_token_request(FORM, urlencode(CODE_REQUEST).encode(), query)
        assert (refused.value.error, refused.value.fault) == ("invalid_request", faults.TOKEN_PARAMETERS_IN_URL)


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "application/json", f"application/json, {FORM}", f"{FORM}, application/json", "multipart/form-data",
        "text/plain", f"{FORM}x",
    ],
)  # fmt: skip
def test_C12_other_content_types_are_refused(content_type: str | None) -> None:
    with pytest.raises(OAuthError) as refused:
        token.parse_token_request(content_type, urlencode(CODE_REQUEST).encode())
    assert (refused.value.error, refused.value.status) == ("invalid_request", 400)


@pytest.mark.parametrize("content_type", [FORM, f"{FORM};charset=UTF-8", f"  {FORM.upper()} ; charset=utf-8"])
def test_the_form_content_type_may_have_parameters_and_any_case(content_type: str) -> None:
    assert token.parse_token_request(content_type, b"a=b").values == {"a": "b"}


@pytest.mark.parametrize("name", ["code", "grant_type", "client_id", "scope", "unknown"])
def test_C13_repeated_parameters_are_refused(name: str) -> None:
    with pytest.raises(OAuthError) as refused:
        token.parse_token_request(FORM, urlencode([*CODE_REQUEST.items(), (name, "b"), (name, "")]).encode())
    assert refused.value.fault is faults.TOKEN_PARAMETER_REPEATED


def test_C22_the_same_resource_again_is_one_and_two_are_refused() -> None:
    twice = token.parse_token_request(FORM, urlencode([*CODE_REQUEST.items(), ("resource", MCP_URL)]).encode())
    assert twice.resources == (MCP_URL,)
    two = token.parse_token_request(FORM, urlencode([*CODE_REQUEST.items(), ("resource", "https://b/")]).encode())
    with pytest.raises(OAuthError) as refused:
        token.read_grant(two)
    assert refused.value.error == "invalid_target"


@pytest.mark.parametrize(
    "body", [b"\xff=\xff", b"a=%ff", b"a=b&" * 101, b"a" * (64 * 1024 + 1)], ids=["bytes", "escapes", "many", "large"]
)
def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(OAuthError) as refused:
        token.parse_token_request(FORM, body)
    assert (refused.value.error, refused.value.fault) == ("invalid_request", faults.TOKEN_MALFORMED)


def test_D2_a_revocation_names_a_token_and_perhaps_a_hint() -> None:
    assert token.read_question(read({"token": "t"})) == TokenQuestion(token="t", hint=None)
    hinted = token.read_question(read({"token": "t", "token_type_hint": "nonsense"}))
    assert hinted == TokenQuestion(token="t", hint="nonsense")
    with pytest.raises(OAuthError):
        token.read_question(read({"token": ""}))


def test_the_answer_has_no_null_members() -> None:
    assert token.token_response("at", 3600, {"b:read", "a:read"}, None) == {
        "access_token": "at",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "a:read b:read",
    }
    assert token.token_response("at", 3600, (), "rt")["refresh_token"] == "rt"


def test_I2_no_secret_is_in_the_text_form_of_a_request() -> None:
    sent = {"grant_type": "authorization_code", "code": "s3cret", "code_verifier": "s3cret", "client_secret": "s3cret"}
    token_form = read(sent)
    grant = token.read_grant(token_form)
    refresh = RefreshTokenRequest(refresh_token="s3cret", scope=None, resource=None)
    assert "s3cret" not in f"{token_form!r} {grant!r} {refresh!r} {TokenQuestion(token='s3cret', hint=None)!r}"


@given(st.none() | st.text() | st.just(FORM), st.binary() | st.text().map(str.encode), st.sampled_from([b"", b"a"]))
def test_any_request_is_read_or_refused_with_an_oauth_error(
    content_type: str | None, body: bytes, query: bytes
) -> None:
    try:
        token.read_grant(token.parse_token_request(content_type, body, query))
    except OAuthError as error:
        assert error.status == 400


@given(st.dictionaries(st.sampled_from([*CODE_REQUEST, "scope", "refresh_token"]), st.text()))
def test_any_parameters_are_a_grant_or_an_oauth_error(changes: dict[str, str]) -> None:
    try:
        token.read_grant(read({**CODE_REQUEST, **changes}))
    except OAuthError as error:
        assert error.error in {"invalid_request", "unsupported_grant_type", "invalid_scope"}


def read(sent: dict[str, str]) -> TokenForm:
    return token.parse_token_request(FORM, urlencode(sent).encode())


def grant_refused(sent: dict[str, str]) -> OAuthError:
    with pytest.raises(OAuthError) as refused:
        token.read_grant(read(sent))
    return refused.value
