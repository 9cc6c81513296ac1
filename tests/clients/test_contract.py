"""Lines of the compatibility contract (``tests/requirements/clients.yaml``, ``wire.yaml``) that no replay shows."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.clients.deployment import ISSUER, MCP, PASSWORD, Deployment
from tests.clients.fixtures import challenge_of, fixtures
from tests.clients.replay import message, tokens_of, whole
from tests.clients.test_cases import Consent, consent_page, follow, introduced, registering, sign_in

from doorward.protocol import faults
from support.person import Page

pytestmark = pytest.mark.anyio


async def test_metadata_has_every_member_that_clients_read(deployment: Deployment) -> None:
    async with deployment.client() as http:
        found = whole(await http.get("/.well-known/oauth-authorization-server"))
    endpoints = ("authorization", "token", "registration", "revocation", "introspection")
    assert all(found[f"{name}_endpoint"].startswith(f"{ISSUER}/") for name in endpoints)
    assert found["jwks_uri"].startswith(f"{ISSUER}/")
    assert found["issuer"] == ISSUER
    assert not found["issuer"].endswith("/")
    assert found["response_types_supported"] == ["code"]
    assert found["response_modes_supported"] == ["query"]
    assert {"authorization_code", "refresh_token", "client_credentials"} <= set(found["grant_types_supported"])
    assert found["code_challenge_methods_supported"] == ["S256"]
    methods = ["none", "client_secret_post", "client_secret_basic", "private_key_jwt"]
    assert found["token_endpoint_auth_methods_supported"] == methods
    assert {"RS256", "ES256"} <= set(found["token_endpoint_auth_signing_alg_values_supported"])
    assert found["client_id_metadata_document_supported"] is True
    assert found["authorization_response_iss_parameter_supported"] is True
    assert "offline_access" in found["scopes_supported"]


async def test_the_resources_document_has_every_member_that_clients_read(deployment: Deployment) -> None:
    async with deployment.client() as http:
        found = whole(await http.get("/.well-known/oauth-protected-resource/mcp"))
    assert found["resource"] == MCP
    assert found["authorization_servers"] == [ISSUER]
    assert found["bearer_methods_supported"] == ["header"]
    assert found["resource_name"]
    assert found["scopes_supported"]
    assert "offline_access" not in found["scopes_supported"]


async def test_sixteen_redirect_uris_are_one_registration(deployment: Deployment) -> None:
    uris = [f"http://127.0.0.1:{port}/cb/{port}" for port in range(40_000, 40_016)]
    client = await introduced(deployment, registering("vscode", *uris))
    assert "code" in await client.authorize(redirect_uri=uris[-1])


async def test_the_issuer_does_not_depend_on_the_host_that_the_last_hop_came_to(deployment: Deployment) -> None:
    client = await introduced(deployment, "codex")
    async with deployment.client() as browser:
        page = await consent_page(browser, client.authorize_url())
        browser.headers |= {"host": "inner:4000", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
        location = (await page.answer(browser)).headers["location"]
    answer = dict(parse_qsl(urlsplit(location).query))
    assert answer["iss"] == ISSUER
    claims = deployment.core.keys.current().verify((await client.redeem(answer["code"]))["access_token"], "at+jwt")
    assert (claims["iss"], claims["aud"]) == (ISSUER, MCP)


async def test_another_account_answers_the_same_request(deployment: Deployment) -> None:
    bob = "bob@example.test"
    await deployment.apply({
        "users": [{"email": bob, "name": "Bob", "password": PASSWORD}],
        "tenants": [{"slug": "acme", "members": [{"user": bob, "roles": ["viewer"]}]}],
    })  # fmt: skip
    client = await introduced(deployment, "codex")
    async with deployment.client() as browser:
        page = await consent_page(browser, client.authorize_url())
        assert "alice@example.test" in page.text
        found = re.search(r'href="([^"]+)">Use another account', (await browser.get(page.path)).text)
        assert found is not None
        switch = unescape(found[1])
        shown = Page((await browser.get(switch)).text)
        assert next(form for form in shown.forms if form.named("password")).named("email")[0].value == ""
        await sign_in(browser, bob)
        back = dict(parse_qsl(urlsplit(switch).query))["next"]
        again = Consent(await follow(browser, await browser.get(back)))
        assert bob in again.text
        assert "alice@example.test" not in again.text
        location = (await again.answer(browser)).headers["location"]
    assert location.startswith(client.redirect_uri)
    answer = dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))
    assert answer["state"] == client.fixture.state()
    tokens = await client.redeem(answer["code"])
    claims = deployment.core.keys.current().verify(tokens["access_token"], "at+jwt")
    assert claims["sub"] != (await _owner(deployment))


async def _owner(deployment: Deployment) -> str:
    client = await introduced(deployment, "codex")
    tokens = await client.redeem((await client.authorize())["code"])
    return str(deployment.core.keys.current().verify(tokens["access_token"], "at+jwt")["sub"])


async def test_an_error_page_says_cause_and_fix_and_a_request_id(deployment: Deployment) -> None:
    client = await introduced(deployment, "codex")
    url = client.authorize_url(redirect_uri="http://127.0.0.1:1/other")
    async with deployment.client() as browser:
        response = await browser.get(url)
    assert response.headers["x-request-id"] in response.text
    text = " ".join(Page(response.text).text.split())
    for line in (
        faults.REDIRECT_NOT_REGISTERED.code,
        faults.REDIRECT_NOT_REGISTERED.cause,
        faults.REDIRECT_NOT_REGISTERED.fix,
    ):
        assert line in text


async def test_a_client_that_refreshes_before_every_request_is_not_held_off(deployment: Deployment) -> None:
    # Claude Code and Gemini do, whenever less than some minutes are left of the access token.
    client = await introduced(deployment, "claude-code")
    tokens = await client.redeem((await client.authorize())["code"])
    for _ in range(40):
        tokens = tokens_of(await client.token("refresh", refresh_token=tokens["refresh_token"]))
    await client.use(tokens["access_token"])


@pytest.mark.parametrize("verifier", ["~._-" + "v" * 39, "~" * 43, "v" * 128, "a.b_c-d~" * 16])
async def test_every_verifier_of_the_grammar_is_taken(deployment: Deployment, verifier: str) -> None:
    client = await introduced(deployment, "python-sdk")
    code = (await client.authorize(code_challenge=challenge_of(verifier)))["code"]
    assert (await client.redeem(code, code_verifier=verifier))["access_token"]


async def test_a_state_that_is_itself_a_url_comes_back(deployment: Deployment) -> None:
    client = await introduced(deployment, "vscode")
    state = "http://127.0.0.1:8080/callback?a=%20b&c=%2Fd/e:f" + "x" * 231
    assert (await client.authorize(state=state))["state"] == state


@pytest.mark.parametrize("version", [None, "2025-06-18"])
async def test_no_version_header_is_insisted_on_after_initialize(deployment: Deployment, version: str | None) -> None:
    # Gemini and Visual Studio Code leave it out.
    headers = {"authorization": f"Bearer {await deployment.key()}", "accept": "application/json, text/event-stream"}
    async with deployment.client(**headers) as http:
        opened = await http.post("/mcp", json=message("initialize", "2025-06-18"))
        assert opened.status_code == 200, opened.text
        session = {name: opened.headers[name] for name in ("mcp-session-id",) if name in opened.headers}
        more = session if version is None else session | {"mcp-protocol-version": version}
        listed = await http.post("/mcp", json=message("tools/list", "2025-06-18"), headers=more)
    assert listed.status_code == 200, listed.text


async def test_metadata_requests_with_credentials_are_neither_refused_nor_reflected(deployment: Deployment) -> None:
    for header in ({"authorization": "Bearer dw_wrong"}, {"authorization": "Bearer"}, {"authorization": "Basic eDp5"}):
        async with deployment.client(**header) as http:
            for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"):
                found = await http.get(path)
                assert found.status_code == 200
                assert "dw_wrong" not in found.text + str(found.headers)


def test_every_client_of_the_overview_has_a_file() -> None:
    assert len({each.said["client"] for each in fixtures()}) >= 28
