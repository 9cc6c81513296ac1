"""Discovery at every form that clients probe (features A1, B6; decision 0077.8 and .13; security D5, D6, D8)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.authserver.deployment import ACME_MCP, HARBOUR, MCP, PUBLIC_URL, VAULT
from tests.authserver.world import World, az, is_redirected_error

from doorward.protocol.token import DEVICE_CODE
from doorward.storage import servers

pytestmark = pytest.mark.anyio

INNER = ["", "/mcp", "/acme/mcp", "/no-such-tenant/mcp"]


async def get(world: World, path: str, **headers: str) -> dict[str, object]:
    async with world.client() as http:
        response = await http.get(path, headers=headers)
    assert response.status_code == 200, (path, response.text)
    assert response.headers["content-type"] == "application/json"
    assert "max-age" in response.headers["cache-control"]
    return response.json()  # type: ignore[no-any-return]


@pytest.mark.requirement("B6", "A1")
@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("kind", ["oauth-authorization-server", "openid-configuration"])
async def test_the_servers_document_is_one_at_every_form(world: World, kind: str, inner: str) -> None:
    inserted = await get(world, f"/.well-known/{kind}{inner}")
    appended = await get(world, f"{inner}/.well-known/{kind}")
    assert inserted == appended == await get(world, "/.well-known/oauth-authorization-server")
    assert inserted["issuer"] == PUBLIC_URL


@pytest.mark.parametrize(
    ("inner", "resource"),
    [("", MCP), ("/mcp", MCP), ("/acme/mcp", ACME_MCP), ("/no-such-tenant/mcp", f"{PUBLIC_URL}/no-such-tenant/mcp")],
)
async def test_each_server_url_has_its_document_and_the_root_has_that_of_the_short_one(
    world: World, inner: str, resource: str
) -> None:
    document = await get(world, f"/.well-known/oauth-protected-resource{inner}")
    assert document == await get(world, f"{inner}/.well-known/oauth-protected-resource")
    assert document["resource"] == resource
    assert document["authorization_servers"] == [PUBLIC_URL]
    assert document["scopes_supported"] == ["documents:delete", "documents:read", "documents:write"]
    assert document["bearer_methods_supported"] == ["header"]


async def test_offline_access_stands_in_the_authorization_servers_document_only(world: World) -> None:
    scopes = (await get(world, "/.well-known/oauth-authorization-server"))["scopes_supported"]
    assert scopes == ["documents:delete", "documents:read", "documents:write", "projects:read", "openid", "profile", "email",
                      "offline_access"]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/nothing",
        "/.well-known/",
        "/.well-known/oauth-authorization-server/oauth",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-protected-resource/ACME/mcp",
        "/.well-known/oauth-protected-resource/acme%2Fmcp",
        "/.well-known/oauth-protected-resource/sign-in/mcp",
        "/.well-known/oauth-protected-resource/mcp/.well-known/oauth-protected-resource",
        "/x/.well-known/change-password",
        "/.well-known/oauth-protected-resource?x=/../mcp#",
    ],
)
async def test_D7_an_unknown_well_known_path_is_a_plain_404(world: World, path: str) -> None:
    async with world.client() as http:
        response = await http.get(path)
    if "?" in path:
        assert response.json()["resource"] == MCP
        return
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert "location" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-host": "evil.example"},
        {"forwarded": "host=evil.example"},
        {"host": "evil.example"},
        {"x-forwarded-proto": "https"},
    ],
)
async def test_D5_no_header_changes_a_url(world: World, headers: dict[str, str]) -> None:
    for path in ("/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"):
        assert await get(world, path, **headers) == await get(world, path)


async def test_D6_every_listed_endpoint_answers_and_every_listed_method_works(world: World) -> None:
    document = await get(world, "/.well-known/openid-configuration")
    async with world.client() as http:
        for name, url in document.items():
            if name.endswith("_endpoint") or name == "jwks_uri":
                answer = await http.get(str(url))
                assert answer.status_code != 404, name
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]
    assert document["grant_types_supported"] == [
        "authorization_code", "refresh_token", "client_credentials", DEVICE_CODE,
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
    ]  # fmt: skip
    methods = ["client_secret_post", "client_secret_basic", "private_key_jwt"]
    assert document["token_endpoint_auth_methods_supported"] == ["none", *methods]
    assert document["introspection_endpoint_auth_methods_supported"] == methods
    assert "registration_client_uri" not in document
    assert None not in document.values()


@pytest.mark.parametrize("path", ["/oauth/jwks.json", "/.well-known/jwks.json", "/acme/mcp/.well-known/jwks.json"])
async def test_D8_the_key_set_verifies_our_tokens_and_holds_nothing_private(world: World, path: str) -> None:
    document = await get(world, path)
    keys = document["keys"]
    assert isinstance(keys, list)
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {*keys[0], *keys[1]}
    assert [key["alg"] for key in keys] == ["ES256", "RS256"]


async def test_head_is_answered_like_get(world: World) -> None:
    async with world.client() as http:
        response = await http.head("/.well-known/oauth-protected-resource/mcp")
    assert response.status_code == 200
    assert response.content == b""


@pytest.mark.parametrize(
    ("origin", "readable_by"), [("http://localhost:6274", "http://localhost:6274"), ("https://any.example", "*")]
)
async def test_pages_of_other_origins_may_read_metadata(world: World, origin: str, readable_by: str) -> None:
    async with world.client() as http:
        response = await http.get("/.well-known/oauth-protected-resource", headers={"origin": origin})
    assert response.headers["access-control-allow-origin"] == readable_by


async def test_another_method_is_told_what_is_allowed(world: World) -> None:
    async with world.client() as http:
        response = await http.post("/.well-known/oauth-authorization-server")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


async def test_without_a_short_url_the_root_describes_no_resource(world: World) -> None:
    await world.database.write(lambda tx: servers.put_server(tx, replace(HARBOUR, paths=("/{tenant}/mcp",))))
    await world.database.write(lambda tx: servers.put_server(tx, replace(VAULT, paths=("/{tenant}/vault",))))
    async with world.client() as http:
        response = await http.get("/.well-known/oauth-protected-resource")
    assert response.status_code == 404
    browser = world.browser()
    is_redirected_error(await browser.open(az(without={"resource"})), "invalid_target")


@pytest.mark.parametrize(
    ("url", "document", "wrong"),
    [
        ("http://cimd.example/c.json", {}, "not the URL"),
        ("https://cimd.example/c.json", {}, "client_id is not the URL"),
        ("https://cimd.example/c.json", b"{", ""),
        ("https://cimd.example/c.json", {"client_id": "https://cimd.example/c.json"}, ""),
    ],
)
async def test_a_pinned_document_that_cannot_be_used_is_named_at_the_start(
    make_world: Callable[..., World], url: str, document: object, wrong: str
) -> None:
    with pytest.raises(ValueError, match=r"cimd\.example") as caught:
        make_world(pinned_documents={url: document})
    assert wrong in str(caught.value)
