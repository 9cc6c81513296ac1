"""What breaks other servers for their users (``tests/requirements/pains.yaml``), as far as no other test shows it."""

import pytest
from tests.clients.deployment import ISSUER, MCP, Deployment
from tests.clients.fixtures import fixtures
from tests.clients.replay import Client, error_of, message, whole
from tests.clients.test_cases import introduced, refused_on_a_page

pytestmark = pytest.mark.anyio

HEADERS = "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id"
READ_BY_PAGES = [
    ("/mcp", "POST"),
    ("/acme/mcp", "POST"),
    ("/.well-known/oauth-protected-resource", "GET"),
    ("/.well-known/oauth-protected-resource/mcp", "GET"),
    ("/.well-known/oauth-authorization-server", "GET"),
    ("/.well-known/openid-configuration", "GET"),
    ("/.well-known/oauth-authorization-server/mcp", "GET"),
    ("/mcp/.well-known/openid-configuration", "GET"),
    ("/oauth/clients/register", "POST"),
    ("/register", "POST"),
    ("/oauth/token", "POST"),
    ("/token", "POST"),
    ("/oauth/revoke", "POST"),
    ("/revoke", "POST"),
    ("/oauth/jwks.json", "GET"),
]


@pytest.mark.parametrize(("path", "method"), READ_BY_PAGES)
async def test_a_preflight_is_answered_without_a_token_for_every_header_of_mcp(
    deployment: Deployment, path: str, method: str
) -> None:
    asked = {
        "origin": "http://localhost:6274",
        "access-control-request-method": method,
        "access-control-request-headers": HEADERS,
    }
    async with deployment.client() as http:
        answer = await http.options(path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "http://localhost:6274"
    assert method in answer.headers["access-control-allow-methods"]
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert set(HEADERS.split(", ")) <= allowed
    assert "access-control-allow-credentials" not in answer.headers


async def test_no_page_of_ours_may_be_read_by_another_origin(deployment: Deployment) -> None:
    client = await introduced(deployment, fixtures()[0])
    async with deployment.client(origin="http://localhost:6274") as http:
        for url in (client.authorize_url(), "/sign-in", "/oauth/consent?request=x"):
            assert "access-control-allow-origin" not in (await http.get(url)).headers


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer"}, {"authorization": "Bearer "}])
@pytest.mark.parametrize("path", ["/mcp", "/acme/mcp", "/no-such-tenant/mcp"])
async def test_every_first_contact_is_the_same_401_with_the_way_to_sign_in(
    deployment: Deployment, path: str, headers: dict[str, str]
) -> None:
    async with deployment.client(**headers) as http:
        answers = [
            await http.get(path),
            await http.head(path),
            await http.delete(path),
            await http.post(path, json=message("initialize", "2025-11-25")),
            await http.post(path, json=message("server/discover")),
        ]
    for answer in answers:
        assert answer.status_code == 401
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Bearer ")
        assert f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource{path}"' in challenge
        assert 'scope="documents:read documents:write"' in challenge
        assert "error" not in challenge


async def test_the_same_client_may_register_as_often_as_it_likes(deployment: Deployment) -> None:
    body = {"client_name": "Again", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}
    async with deployment.client() as http:
        answers = [
            await http.post("/register", json=body | {"redirect_uris": [f"http://127.0.0.1:{port}/cb"]})
            for port in range(40_000, 40_050)
        ]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["client_id"] for answer in answers}) == 1


async def test_a_client_id_from_before_is_explained_to_the_person_and_to_the_program(deployment: Deployment) -> None:
    client = await introduced(deployment, next(each for each in fixtures() if each.name == "vscode"))
    client.client_id = "client_0123456789abcdefghijkl"
    text = await refused_on_a_page(deployment, client.authorize_url(), "DW-102")
    assert "stored sign-in" in text
    error_of(await client.token("refresh", refresh_token="dwr_x"), "invalid_client", 401)


@pytest.mark.parametrize(
    "path", ["/.well-known/nothing", "/.well-known/oauth-authorization-server/x/y", "/mcp/.well-known/x"]
)
async def test_what_is_not_there_under_well_known_is_json_and_no_page(deployment: Deployment, path: str) -> None:
    async with deployment.client(accept="text/html") as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    whole(answer)
    assert "location" not in answer.headers


async def test_what_depends_on_who_asks_is_kept_by_nobody(deployment: Deployment) -> None:
    async with deployment.client(authorization=f"Bearer {await deployment.key()}") as http:
        listed = await http.post("/mcp", json=message("tools/list"), headers={
            "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list", "accept": "application/json, text/event-stream",
        })  # fmt: skip
    assert listed.status_code == 200
    assert listed.headers["cache-control"] == "no-store"


async def test_every_document_is_found_at_every_form_that_is_probed(deployment: Deployment) -> None:
    async with deployment.client() as http:
        for inner in ("", "/mcp", "/acme/mcp"):
            for kind in ("oauth-authorization-server", "openid-configuration"):
                for path in (f"/.well-known/{kind}{inner}", f"{inner}/.well-known/{kind}"):
                    document = whole(await http.get(path))
                    assert document["issuer"] == ISSUER
                    assert {"none", "client_secret_post", "client_secret_basic"} <= set(
                        document["token_endpoint_auth_methods_supported"]
                    )
                    assert document["scopes_supported"][-1] == "offline_access"
        root = whole(await http.get("/.well-known/oauth-protected-resource"))
        assert root == whole(await http.get("/.well-known/oauth-protected-resource/mcp"))
        assert root["resource"] == MCP


async def test_every_scope_that_is_listed_may_be_asked_for(deployment: Deployment) -> None:
    # One report says that claude.ai asks for the authorization server's whole list, in its order.
    client: Client = await introduced(deployment, next(each for each in fixtures() if each.name == "codex"))
    answer = await client.authorize(scope=" ".join(client.metadata["scopes_supported"]))
    assert (await client.redeem(answer["code"]))["refresh_token"]
