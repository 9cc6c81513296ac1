"""The token endpoint before any grant: who asks, and in what form (security C7 to C14, C32)."""

import base64
from urllib.parse import urlencode

import httpx2
import pytest
from tests.authserver.world import World, az, basic, is_token_error, tk

from doorward.storage.database import Database, StorageUnavailable

pytestmark = pytest.mark.anyio

WEB = "https://app.example/cb"
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def web_code(world: World, client_id: str = "c2") -> dict[str, str]:
    """Return the form in which a confidential client redeems a code of its own, without its credentials."""
    code = await world.code(params=az(client_id=client_id, redirect_uri=WEB))
    return {name: value for name, value in tk(code).items() if name != "client_id"} | {"redirect_uri": WEB}


async def test_a_confidential_client_authenticates_with_basic(world: World) -> None:
    form = await web_code(world)
    response = await world.token(form, authorization=basic("c2", world.secrets["c2"]))
    assert response.status_code == 200
    assert await world.works(response.json()["access_token"])


async def test_the_same_client_id_in_the_body_beside_basic_is_no_second_method(world: World) -> None:
    form = await web_code(world) | {"client_id": "c2"}
    assert (await world.token(form, authorization=basic("c2", world.secrets["c2"]))).status_code == 200


async def test_a_confidential_client_that_posts_its_secret_gets_what_it_may_have(world: World) -> None:
    code = await world.code(params=az(client_id="posting", redirect_uri=WEB, scope="documents:read documents:write"))
    form = tk(code) | {"client_id": "posting", "client_secret": world.secrets["posting"], "redirect_uri": WEB}
    response = await world.token(form)
    assert response.json()["scope"] == "documents:read"


async def test_C7_a_confidential_client_without_its_secret_is_not_public(world: World) -> None:
    is_token_error(await world.token(await web_code(world) | {"client_id": "c2"}), "invalid_client", 401)


async def test_C8_another_method_than_the_registered_one_is_refused(world: World) -> None:
    form, secret = await web_code(world), world.secrets["c2"]
    posted = form | {"client_id": "c2", "client_secret": secret}
    is_token_error(await world.token(posted), "invalid_client", 401)
    is_token_error(await world.token(posted, authorization=basic("c2", secret)), "invalid_request")
    is_token_error(await world.redeem(await world.code(), client_secret="any"), "invalid_client", 401)
    assertion = {
        "client_assertion": "e30.e30.",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    is_token_error(await world.token(form | assertion, authorization=basic("c2", secret)), "invalid_request")
    assert (await world.token(form, authorization=basic("c2", secret))).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"c2:\xff").decode(),
        "Basic",
        "Bearer x",
        "Digest x",
        "Basic " + "A" * 10_000,
        basic("c2", "wrong"),
        basic("nobody", "wrong"),
        basic("c2", "%"),
    ],
)
async def test_C9_what_is_not_the_clients_basic_header_is_refused_with_a_challenge(world: World, header: str) -> None:
    form = await web_code(world)
    response = await world.token(form, authorization=header)
    is_token_error(response, "invalid_client", 401)
    assert response.headers["www-authenticate"].startswith("Basic ")


async def test_C9_the_scheme_is_not_case_sensitive(world: World) -> None:
    header = basic("c2", world.secrets["c2"]).replace("Basic", "bAsIc")
    assert (await world.token(await web_code(world), authorization=header)).status_code == 200


async def test_C9_two_authorization_headers_are_ambiguous(world: World) -> None:
    header = basic("c2", world.secrets["c2"])
    async with world.client() as http:
        response = await http.post(
            "/oauth/token",
            content=urlencode(await web_code(world)),
            headers=[*FORM.items(), ("authorization", header), ("authorization", header)],
        )
    is_token_error(response, "invalid_request")


async def test_C10_two_client_ids_contradict_each_other_and_spend_nothing(world: World) -> None:
    form, header = await web_code(world), basic("c2", world.secrets["c2"])
    is_token_error(await world.token(form | {"client_id": "c1"}, authorization=header), "invalid_request")
    assert (await world.token(form, authorization=header)).status_code == 200


async def test_C11_parameters_in_the_url_are_refused(world: World) -> None:
    form = tk(await world.code())
    is_token_error(await world.token(form, path="/oauth/token?client_secret=x"), "invalid_request")
    is_token_error(await world.token([], path=f"/oauth/token?{urlencode(form)}"), "invalid_request")


@pytest.mark.parametrize("path", ["/oauth/token", "/token", "/oauth/revoke", "/oauth/clients/register"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_C12_only_post_is_taken(world: World, path: str, method: str) -> None:
    async with world.client() as http:
        response = await http.request(method, path)
    is_token_error(response, "invalid_request", 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json, application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "text/plain",
    ],
)
async def test_C12_only_a_form_is_taken(world: World, kind: str) -> None:
    async with world.client() as http:
        body = urlencode(tk(await world.code())).encode()
        response = await http.post("/oauth/token", content=body, headers={"content-type": kind} if kind else {})
    is_token_error(response, "invalid_request")


@pytest.mark.parametrize("body", [b"\xff\xfe=\xff", b"code=%ff", b"a=b&" * 101, b"x=" + b"y" * 70_000])
async def test_C12_a_form_that_cannot_be_read_is_refused(world: World, body: bytes) -> None:
    async with world.client() as http:
        is_token_error(await http.post("/oauth/token", content=body, headers=FORM), "invalid_request")


@pytest.mark.parametrize("name", ["code", "grant_type", "client_id", "code_verifier"])
async def test_C13_a_parameter_may_not_stand_twice(world: World, name: str) -> None:
    form = tk(await world.code())
    is_token_error(await world.token([*form.items(), (name, form[name])]), "invalid_request")


@pytest.mark.parametrize(
    "grant",
    [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:jwt-bearer ",
        "AUTHORIZATION_CODE",
        "authorization_code ",
        "\x00",
    ],
)
async def test_C14_other_grants_are_not_offered(world: World, grant: str) -> None:
    is_token_error(await world.redeem("x", grant_type=grant), "unsupported_grant_type")


async def test_C14_no_grant_is_an_invalid_request(world: World) -> None:
    is_token_error(await world.redeem("x", grant_type=""), "invalid_request")


async def test_C14_a_grant_that_the_client_is_not_registered_for_is_refused(world: World) -> None:
    response = await world.refresh("dwr_x", client_id="two")
    is_token_error(response, "unauthorized_client")


@pytest.mark.parametrize("client_id", ["", "nobody", "gone", "x" * 3000, "c1\x00", "é"])
async def test_unknown_disabled_and_malformed_clients_get_one_answer(world: World, client_id: str) -> None:
    response = await world.redeem("x", client_id=client_id)
    is_token_error(response, "invalid_client", 401)
    assert "www-authenticate" not in response.headers
    known = (await world.redeem("x", client_id="nobody")).json()
    assert response.json() == known


async def test_C32_answers_are_json_that_nobody_keeps(world: World) -> None:
    response = await world.redeem(await world.code())
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert None not in response.json().values()


@pytest.mark.parametrize("path", ["/oauth/token", "/token"])
async def test_both_paths_answer(world: World, path: str) -> None:
    assert (await world.token(tk(await world.code()), path=path)).status_code == 200


async def cross_origin(world: World, origin: str, path: str = "/oauth/token", **headers: str) -> httpx2.Response:
    async with world.client() as http:
        sent = FORM | {"origin": origin} | headers
        return await http.post(path, content=urlencode(tk(await world.code())), headers=sent)


@pytest.mark.parametrize(
    "origin", ["http://localhost:6274", "http://127.0.0.1:1", "http://[::1]:80", "https://inspector.example"]
)
async def test_C32_loopback_and_configured_origins_may_send_credentials(world: World, origin: str) -> None:
    response = await cross_origin(world, origin, authorization=basic("c1", ""))
    assert response.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in response.headers
    assert response.status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://localhost.evil.example",
        "https://inspector.example.evil",
        "http://127.0.0.1.evil",
    ],
)
async def test_C32_other_origins_may_not_send_credentials(world: World, origin: str) -> None:
    is_token_error(await cross_origin(world, origin, authorization=basic("c1", "")), "access_denied", 403)
    is_token_error(await cross_origin(world, origin, cookie="doorward_session=x"), "access_denied", 403)
    plain = await cross_origin(world, origin)
    assert plain.status_code == 200
    assert plain.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in plain.headers


@pytest.mark.parametrize(
    "path", ["/oauth/token", "/register", "/oauth/revoke", "/.well-known/oauth-authorization-server"]
)
async def test_C32_preflights_are_answered(world: World, path: str) -> None:
    async with world.client() as http:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "mcp-protocol-version"}
        near = await http.options(path, headers=asked | {"origin": "http://localhost:3000"})
        far = await http.options(path, headers=asked | {"origin": "https://evil.example"})
    assert near.status_code == far.status_code == 204
    assert "authorization" in near.headers["access-control-allow-headers"]
    assert "authorization" not in far.headers["access-control-allow-headers"]
    assert "mcp-protocol-version" in far.headers["access-control-allow-headers"]
    assert far.headers["vary"] == "Origin"


async def test_an_error_can_be_read_by_a_page_of_an_allowed_origin(world: World) -> None:
    async with world.client() as http:
        response = await http.post("/oauth/token", headers=FORM | {"origin": "http://localhost:3000"})
    is_token_error(response, "invalid_client", 401)
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"


class Away:
    """A database that is away."""

    def __getattr__(self, name: str) -> object:
        async def unavailable(*_: object) -> None:
            raise StorageUnavailable

        return unavailable


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("path", ["/oauth/token", "/token", "/oauth/revoke", "/revoke"])
async def test_without_a_database_the_answer_is_503_in_the_protocols_form(world: World, path: str, accept: str) -> None:
    away: Database = Away()  # type: ignore[assignment]
    without = World(database=away, keys=world.keys, secrets={})
    form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": "c1", "token": "x"}
    response = await without.token(form, path=path, accept=accept)
    is_token_error(response, "temporarily_unavailable", 503)
    assert response.headers["retry-after"] == "1"
