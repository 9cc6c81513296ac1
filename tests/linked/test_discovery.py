"""Finding out where a server's people sign in, and as which client we come there (MCP authorization, clients)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.linked.test_linking import asked_for

from support.elsewhere import OTHER, Elsewhere, elsewhere
from support.https_server import http
from support.linked_house import House, Visitor, copied, declared, opened

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

PUBLIC = "https://house.test.example"


@pytest.fixture
async def host() -> AsyncIterator[Elsewhere]:
    """Where the MCP server is: it answers 401 to whoever brings nothing."""
    async with elsewhere(OTHER) as server:
        server.answers["/mcp"] = lambda _asked: http(b"{}", "WWW-Authenticate: Bearer", status="401 Unauthorized")
        yield server


def describes(host: Elsewhere, path: str, **members: Any) -> None:
    """Have the server describe itself at ``path`` (RFC 9728)."""
    document = {"resource": f"{host.issuer}/mcp", **members}
    host.answers[path] = lambda _asked: http(json.dumps(document).encode())


async def behind(house: House, host: Elsewhere, **auth: Any) -> Visitor:
    await house.apply(declared(f"{host.issuer}/mcp", **auth))
    return await house.visitor("alice")


@pytest.mark.parametrize("path", ["/mcp", ""])
async def test_the_servers_own_metadata_says_where_by_path_and_then_at_the_root(
    house: House, there: Elsewhere, host: Elsewhere, path: str
) -> None:
    describes(host, f"/.well-known/oauth-protected-resource{path}", authorization_servers=[there.issuer], scopes_supported=["a", "b"])  # fmt: skip
    query = asked_for(await (await behind(house, host)).begin())
    assert query["resource"] == f"{host.issuer}/mcp"
    assert query["scope"] == "a b offline_access"
    asked = [each.path for each in host.asked]
    assert asked[:2] == ["/mcp", "/.well-known/oauth-protected-resource/mcp"]
    assert "authorization" not in host.asked[0].headers


async def test_the_metadata_that_the_401_names_comes_first_and_so_does_its_scope(
    house: House, there: Elsewhere, host: Elsewhere
) -> None:
    says = f'WWW-Authenticate: Bearer resource_metadata="{host.issuer}/elsewhere", scope="tickets:read"'
    host.answers["/mcp"] = lambda _asked: http(b"{}", says, status="401 Unauthorized")
    describes(host, "/elsewhere", authorization_servers=[there.issuer], scopes_supported=["all"])
    describes(host, "/.well-known/oauth-protected-resource/mcp", authorization_servers=["https://evil.example"])
    assert asked_for(await (await behind(house, host)).begin())["scope"] == "tickets:read offline_access"


async def test_a_server_from_before_such_metadata_is_asked_at_its_own_origin(house: House, host: Elsewhere) -> None:
    alice = await behind(house, host)
    assert (await alice.begin()).startswith(f"{host.issuer}/authorize?")


async def test_the_operators_word_stands_above_the_servers(house: House, there: Elsewhere, host: Elsewhere) -> None:
    describes(host, "/.well-known/oauth-protected-resource/mcp", authorization_servers=["https://evil.test.example"])
    alice = await behind(house, host, authorization_server=there.issuer)
    assert (await alice.begin()).startswith(f"{there.issuer}/authorize?")


@pytest.mark.parametrize(
    "members",
    [
        {"resource": "https://evil.example/mcp"}, {"resource": "x"}, {"resource": None}, {"authorization_servers": []},
        {"authorization_servers": ["http://accounts.test.example"]}, {"authorization_servers": ["https://10.0.0.1"]},
        {"authorization_servers": ["https://u:p@accounts.test.example"]}, {"authorization_servers": "https://x.example"},
    ],
)  # fmt: skip
async def test_metadata_of_another_resource_or_without_a_usable_server_is_not_passed_over(
    house: House, there: Elsewhere, host: Elsewhere, members: dict[str, Any]
) -> None:
    describes(host, "/.well-known/oauth-protected-resource/mcp", **{"authorization_servers": [there.issuer], **members})
    alice = await behind(house, host)
    answer = await alice.post("/upstreams/wiki/connect", tenant="acme")
    assert (answer.status_code, "DW-511" in answer.text) == (503, True)
    assert there.asked == []


async def test_metadata_of_a_parent_of_the_url_is_the_servers_too(
    house: House, there: Elsewhere, host: Elsewhere
) -> None:
    describes(host, "/.well-known/oauth-protected-resource", resource=host.issuer, authorization_servers=[there.issuer])
    assert asked_for(await (await behind(house, host)).begin())["resource"] == host.issuer


@pytest.fixture
async def https_house(furnished: Path, tmp_path: Path, there: Elsewhere, wiki: Any) -> AsyncIterator[House]:
    async with opened(copied(furnished, tmp_path / "https"), public_url=PUBLIC) as made:
        await made.apply(declared(wiki.url, there.issuer))
        yield made


async def test_where_metadata_documents_are_taken_ours_is_who_we_are(https_house: House, there: Elsewhere) -> None:
    there.metadata = {"client_id_metadata_document_supported": True}
    alice = await https_house.visitor("alice")
    query = asked_for(await alice.begin())
    assert query["client_id"] == f"{PUBLIC}/upstreams/wiki/client.json"
    document = (await Visitor(https_house).get("/upstreams/wiki/client.json")).json()
    assert document["client_id"] == query["client_id"]
    assert document["redirect_uris"] == [query["redirect_uri"]] == [f"{PUBLIC}/upstreams/wiki/callback"]
    assert document["token_endpoint_auth_method"] == "none"
    assert {"client_secret", "jwks", "jwks_uri"}.isdisjoint(document)
    assert (await alice.come_back(there.approve(f"{there.issuer}/authorize?{urlencode(query)}"))).status_code == 303
    assert there.clients == {}


async def test_elsewhere_we_register_as_an_app_on_the_web(https_house: House, there: Elsewhere) -> None:
    query = asked_for(await (await https_house.visitor("alice")).begin())
    assert there.clients[query["client_id"]]["application_type"] == "web"


async def test_there_is_a_document_for_servers_with_accounts_only(https_house: House, house: House) -> None:
    assert (await Visitor(https_house).get("/upstreams/gone/client.json")).status_code == 404
    # Without https nobody could believe it.
    assert (await Visitor(house).get("/upstreams/wiki/client.json")).status_code == 404
    await https_house.apply({"servers": [{"slug": "wiki", "auth": {"kind": "none"}}]})
    assert (await Visitor(https_house).get("/upstreams/wiki/client.json")).status_code == 404
