# ruff: noqa: PT017  (a refusal is one of the permitted ends of these tests)

import base64
from dataclasses import replace
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import NATIVE, WEB

from doorward.model import Client, ClientAuthMethod, ClientId
from doorward.protocol import client_auth
from doorward.protocol.client_auth import PresentedClient, parse_client_credentials
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import TokenForm


def test_a_public_client_presents_its_id() -> None:
    assert parse_client_credentials(None, form(client_id="C1")) == presented("C1", None, ClientAuthMethod.NONE)


def test_a_secret_in_the_body_is_post() -> None:
    sent = parse_client_credentials("", form(client_id="C2", client_secret="s"))
    assert sent == presented("C2", "s", ClientAuthMethod.SECRET_POST)


@pytest.mark.parametrize("secret", ["s3cret", "a:b", "a+b", "100%", "a b", "schlüssel", "dwk_AAAA"])
@pytest.mark.parametrize("client_id", ["C2", "id:with:colons", "https://cimd.example/c.json"])
def test_C9_basic_is_form_encoded_and_then_base64(client_id: str, secret: str) -> None:
    header = basic(f"{quote_plus(client_id)}:{quote_plus(secret)}")
    assert parse_client_credentials(header, form()) == presented(client_id, secret, ClientAuthMethod.SECRET_BASIC)


def test_C9_the_scheme_may_have_any_case_and_the_same_id_in_the_body_is_no_second_method() -> None:
    header = basic("C2:s").replace("Basic", "bAsIc")
    assert parse_client_credentials(header, form(client_id="C2")).secret == "s"


def test_an_empty_basic_secret_is_no_secret() -> None:
    assert parse_client_credentials(basic("C1:"), form()) == presented("C1", None, ClientAuthMethod.NONE)


@pytest.mark.parametrize(
    "header",
    [
        "Basic", "Basic ", "Basic !!!!", "Basic QQ", "Bearer abc", "Digest x", "garbage", "Basic YQ== YQ==",
        "Basic " + "A" * 8192,
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b":secret").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"C2:%ff").decode(),
        "Basic " + base64.b64encode(b"C%0A2:x").decode(),
    ],
    ids=lambda header: header[:24],
)  # fmt: skip
def test_C9_malformed_basic_is_401_with_a_basic_challenge(header: str) -> None:
    error = refused(header, form())
    assert (error.error, error.status, error.www_authenticate) == ("invalid_client", 401, client_auth.CHALLENGE)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("C2:s", {"client_secret": "s"}), ("C2:s", {"client_assertion": "x"}), ("C2:s", {"client_id": "C1"}),
        ("C2:s", {"client_assertion_type": "x"}), (None, {"client_secret": "s", "client_assertion": "x"}),
    ],
)  # fmt: skip
def test_C8_C10_two_methods_or_two_ids_are_an_invalid_request(header: str | None, body: dict[str, str]) -> None:
    error = refused(basic(header) if header else None, form(**body))
    assert (error.error, error.status, error.www_authenticate) == ("invalid_request", 400, None)


@pytest.mark.parametrize("body", [{}, {"client_id": "C\n1"}, {"client_id": "é"}, {"client_assertion": "x"}], ids=str)
def test_C7_nothing_usable_is_401_without_a_challenge(body: dict[str, str]) -> None:
    error = refused(None, form(**body))
    assert (error.error, error.status, error.www_authenticate) == ("invalid_client", 401, None)


@pytest.mark.parametrize(
    ("client", "sent"),
    [
        (WEB, PresentedClient(client_id=ClientId("C2"), secret=None, method=ClientAuthMethod.NONE)),
        (WEB, PresentedClient(client_id=ClientId("C2"), secret="s", method=ClientAuthMethod.SECRET_POST)),
        (NATIVE, PresentedClient(client_id=ClientId("C1"), secret="s", method=ClientAuthMethod.SECRET_POST)),
        (NATIVE, PresentedClient(client_id=ClientId("C1"), secret="s", method=ClientAuthMethod.SECRET_BASIC)),
    ],
    ids=["no secret", "post for basic", "public with post", "public with basic"],
)
def test_C7_C8_another_method_than_the_registered_one_is_401(client: Client, sent: PresentedClient) -> None:
    with pytest.raises(OAuthError) as error:
        client_auth.require_registered_method(client, sent)
    assert (error.value.error, error.value.status) == ("invalid_client", 401)
    assert (error.value.www_authenticate is not None) == (sent.method is ClientAuthMethod.SECRET_BASIC)


def test_C8_a_client_without_a_secret_may_sign_only_where_its_document_says_where_its_keys_are() -> None:
    signed = PresentedClient(client_id=ClientId("C1"), secret=None, method=ClientAuthMethod.PRIVATE_KEY_JWT)
    client_auth.require_registered_method(replace(NATIVE, jwks_uri="https://cimd.example/jwks.json"), signed)
    with pytest.raises(OAuthError):
        client_auth.require_registered_method(NATIVE, signed)
    posted = replace(signed, secret="s", method=ClientAuthMethod.SECRET_POST)
    with pytest.raises(OAuthError):
        client_auth.require_registered_method(replace(NATIVE, jwks_uri="https://cimd.example/jwks.json"), posted)


def test_the_registered_method_passes() -> None:
    client_auth.require_registered_method(NATIVE, presented("C1", None, ClientAuthMethod.NONE))
    client_auth.require_registered_method(WEB, presented("C2", "s", ClientAuthMethod.SECRET_BASIC))


def test_C27_unknown_disabled_and_wrong_secret_are_one_answer() -> None:
    sent = presented("C2", "s", ClientAuthMethod.SECRET_BASIC)
    unknown, wrong = client_auth.refusal(sent, "no such client"), client_auth.refusal(sent, "wrong secret")
    assert (unknown.body(), unknown.status, unknown.www_authenticate) == (wrong.body(), 401, client_auth.CHALLENGE)
    assert client_auth.refusal(presented("C1", None, ClientAuthMethod.NONE), "x").www_authenticate is None


def test_I2_the_secret_is_not_in_the_text_form() -> None:
    assert "s3cret" not in repr(presented("C2", "s3cret", ClientAuthMethod.SECRET_POST))


@given(st.none() | st.text() | st.binary().map(lambda raw: "Basic " + base64.b64encode(raw).decode()),
       st.dictionaries(st.sampled_from(["client_id", "client_secret", "client_assertion"]), st.text(min_size=1)))  # fmt: skip
def test_any_credentials_are_read_or_refused(header: str | None, body: dict[str, str]) -> None:
    try:
        sent = parse_client_credentials(header, form(**body))
    except OAuthError as error:
        assert error.error in {"invalid_client", "invalid_request"}
    else:
        assert sent.client_id
        assert (sent.secret is None) == (sent.method is ClientAuthMethod.NONE)


def presented(client_id: str, secret: str | None, method: ClientAuthMethod) -> PresentedClient:
    return PresentedClient(client_id=ClientId(client_id), secret=secret, method=method)


def form(**values: str) -> TokenForm:
    return TokenForm(values=values, resources=())


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def refused(header: str | None, body: TokenForm) -> OAuthError:
    with pytest.raises(OAuthError) as error:
        parse_client_credentials(header, body)
    return error.value
