"""What ``tests/requirements/seeds.yaml`` promises of keys and clients (001), row by row, by the whole program."""

import re
from typing import Any

import httpx2
import pytest
from tests.clients.deployment import EMAIL, ISSUER, PASSWORD, SERVER, Deployment

from support.pages import filled, form_of
from support.person import Form, Page

pytestmark = pytest.mark.anyio
DAY = 86_400
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "seed", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
TREE = [
    {"type": "workspace", "key": "w1", "name": "Engineering"},
    {"type": "project", "key": "p1", "name": "Docs", "parent": {"type": "workspace", "key": "w1"}},
    {"type": "folder", "key": "f1", "name": "Guides", "parent": {"type": "project", "key": "p1"}},
    {"type": "project", "key": "p2", "name": "Firmware", "parent": {"type": "workspace", "key": "w1"}},
    {"type": "workspace", "key": "w2", "name": "Operations"},
]


class Settings:
    """Alice in her browser, on the page of her keys."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.browser = deployment.client(accept="text/html")

    async def sign_in(self) -> "Settings":
        await self.post("/sign-in", [("email", EMAIL), ("password", PASSWORD)])
        return self

    async def post(self, path: str, pairs: list[tuple[str, str]]) -> httpx2.Response:
        return await self.browser.post(path, content=str(httpx2.QueryParams(pairs)), headers=FORM)

    async def page(self) -> httpx2.Response:
        return await self.browser.get("/settings/keys")

    async def form(self) -> Form:
        return form_of(await self.page(), "expiry")

    async def create(self, *more: tuple[str, str], **values: str) -> httpx2.Response:
        form = await self.form()
        named = {name for name, _ in more}
        kept = [pair for pair in filled(form, **{"name": "ci", **values}) if pair[0] not in named]
        return await self.post("/settings/keys", [*kept, *more])

    async def key(self, *more: tuple[str, str], **values: str) -> str:
        made = await self.create(*more, **values)
        assert made.status_code == 200, made.text[:2000]
        return shown(made)


def shown(page: httpx2.Response) -> str:
    found = re.search(r"dw_[0-9A-Za-z]{62}", page.text)
    assert found
    return found[0]


async def call(deployment: Deployment, key: str, tool: str, **arguments: Any) -> httpx2.Response:
    """Call a tool as a client of 2026-07-28 does."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    message |= {"params": {"name": tool, "arguments": arguments, "_meta": META}}
    headers = {
        "authorization": f"Bearer {key}", "accept": "application/json, text/event-stream", "user-agent": "seed/1",
        "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool,
    }  # fmt: skip
    async with deployment.client() as client:
        return await client.post("/mcp", json=message, headers=headers)


async def done(deployment: Deployment, key: str, tool: str, **arguments: Any) -> bool:
    answer = await call(deployment, key, tool, **arguments)
    return answer.status_code == 200 and answer.json()["result"].get("isError", False) is False


@pytest.fixture
async def alice(deployment: Deployment) -> Settings:
    return await Settings(deployment).sign_in()


@pytest.mark.requirement("seeds/001-key-name")
async def test_seed_each_key_requires_a_descriptive_name(alice: Settings) -> None:
    assert (await alice.create(name="")).status_code == 422
    await alice.key(name="Claude Desktop, MacBook")
    assert "Claude Desktop, MacBook" in (await alice.page()).text


@pytest.mark.requirement("seeds/001-key-scope")
async def test_seed_a_key_is_for_workspaces_or_narrowed_to_projects_and_folders(alice: Settings) -> None:
    rule = {"match": "write_*", "requires": ["documents:write"], "resource": {"argument": "/folder", "type": "folder"}}
    deployment = alice.deployment
    upstream = {"upstream": deployment.upstream.url, "tools": [SERVER["tools"][0], rule]}  # type: ignore[index]
    await deployment.apply({"servers": [SERVER | upstream], "tenants": [{"slug": "acme", "resources": TREE}]})
    reached = {}
    for places in (
        (),
        ("workspace/w1",),
        ("project/p1",),
        ("folder/f1",),
        ("workspace/w2",),
        ("workspace/w2", "folder/f1"),
    ):
        key = await alice.key(*(("place", place) for place in places))
        reached[places] = await done(deployment, key, "write_note", folder="f1")
    assert reached == {
        (): True, ("workspace/w1",): True, ("project/p1",): True, ("folder/f1",): True, ("workspace/w2",): False,
        ("workspace/w2", "folder/f1"): True,
    }  # fmt: skip
    assert [field.value for field in (await alice.form()).named("place")] == [
        "workspace/w1", "project/p1", "folder/f1", "project/p2", "workspace/w2",
    ]  # fmt: skip


@pytest.mark.requirement("seeds/001-key-permissions")
async def test_seed_permissions_are_simple_or_granted_per_resource(alice: Settings) -> None:
    await alice.deployment.apply({"permissions": ["documents:delete", "notes:read", "notes:write"]})
    reads = await alice.key(("simple", "read"), mode="simple")
    writes = await alice.key(("simple", "read"), ("simple", "write"), mode="simple")
    granular = await alice.key(("scope", "notes:read"), ("scope", "documents:write"), mode="granular")
    may = {}
    for key in (reads, writes, granular):
        may[key] = [await done(alice.deployment, key, "echo"), await done(alice.deployment, key, "write_note")]
    assert list(may.values()) == [[True, False], [True, True], [False, True]]
    offered = {field.value for field in (await alice.form()).named("scope")}
    assert {"documents:read", "documents:write", "documents:delete", "notes:read", "notes:write"} <= offered
    page = (await alice.page()).text
    assert "documents <span" in page
    assert "delete" not in page.partition('id="new"')[0].rpartition("</thead>")[2]


@pytest.mark.requirement("seeds/001-key-expiration", "seeds/001-key-expired")
async def test_seed_expiration_is_offered_and_expired_keys_are_rejected_with_a_401(alice: Settings) -> None:
    words = Page((await alice.page()).text).text
    assert all(each in words for each in ("Never", "7 days", "30 days", "90 days", "1 year"))
    keys = {expiry: await alice.key(expiry=expiry) for expiry in ("7", "30", "90", "365", "never")}
    for days, alive in ((6, 5), (7, 4), (30, 3), (90, 2), (365, 1)):
        alice.deployment.clock.ahead = days * DAY + (60 if alive < 5 else 0)
        statuses = [(await call(alice.deployment, key, "echo")).status_code for key in keys.values()]
        assert statuses == [401] * (5 - alive) + [200] * alive, days
    alice.deployment.clock.ahead = 0
    assert await done(alice.deployment, await alice.key(), "echo"), "a new key replaces it"


@pytest.mark.requirement("seeds/001-key-shown-once")
async def test_seed_the_full_key_is_shown_once_and_its_prefix_afterwards(alice: Settings) -> None:
    key = await alice.key()
    page = (await alice.page()).text
    assert key not in page
    assert key[:10] in page
    assert key[:20] not in page


@pytest.mark.requirement("seeds/001-key-bearer", "seeds/001-two-ways")
async def test_seed_a_key_is_passed_as_a_bearer_token(alice: Settings) -> None:
    key = await alice.key()
    assert await done(alice.deployment, key, "echo")
    async with alice.deployment.client() as client:
        for headers in ({"x-api-key": key}, {"authorization": key}, {}):
            assert (await client.post("/mcp", json={}, headers=headers)).status_code == 401


@pytest.mark.requirement("seeds/001-key-last-used")
async def test_seed_each_key_tracks_when_it_was_last_used(alice: Settings) -> None:
    key = await alice.key()
    assert "Never</span>" in (await alice.page()).text
    await done(alice.deployment, key, "echo")
    for flush in alice.deployment.app._flushes:
        await flush()
    page = (await alice.page()).text
    assert "seed/1" in page
    assert "Never</span>" not in page


@pytest.mark.requirement("seeds/001-key-revocation")
async def test_seed_a_revoked_key_is_kept_struck_through_and_never_enabled_again(alice: Settings) -> None:
    key = await alice.key()
    key_id = key[3:16]
    await alice.post(f"/settings/keys/{key_id}/revoke", [])
    assert (await call(alice.deployment, key, "echo")).status_code == 401
    row = (await alice.page()).text.partition("<tbody")[2].partition("</tbody>")[0]
    assert 'class="gone"' in row
    assert key[:10] in row
    await alice.post(f"/settings/keys/{key_id}/enable", [])
    nonce = (await alice.form()).named("form")[0].value
    await alice.post(f"/settings/keys/{key_id}/rotate", [("form", nonce), ("keep", "7d")])
    assert (await call(alice.deployment, key, "echo")).status_code == 401
    async with alice.deployment.client() as client:
        style = re.search(r'href="(/static/[^"]+components\.css)"', (await alice.page()).text)
        assert style
        assert re.search(r"\.gone[^}]*line-through", (await client.get(style[1])).text)


@pytest.mark.requirement("seeds/001-prefix")
async def test_seed_the_prefix_may_be_that_of_the_product(deployment: Deployment) -> None:
    """``sta_`` there, ``dw_`` here unless the operator says otherwise; see ``settings``."""
    assert (await deployment.key()).startswith("dw_")


@pytest.mark.requirement(
    "seeds/001-client-registering", "seeds/001-client-secret-once", "seeds/001-client-confidential"
)
async def test_seed_a_confidential_client_is_registered_with_name_type_redirects_and_scope(
    deployment: Deployment,
) -> None:
    secrets = {}
    for method in ("client_secret_post", "client_secret_basic"):
        client = {
            "name": f"Portal {method}",
            "redirect_uris": ["https://portal.example/cb", "https://portal.example/cb2"],
        }
        declared = {**client, "type": "confidential", "auth_method": method, "scopes": ["documents:read"]}
        done = await deployment.apply({"tenants": [{"slug": "acme", "clients": [declared]}]})
        [issued] = done.issued
        secrets[method] = issued.secret
        again = await deployment.apply({"tenants": [{"slug": "acme", "clients": [declared]}]})
        assert again.issued == []
        async with deployment.client() as http:
            form = {
                "grant_type": "authorization_code",
                "code": "x",
                "code_verifier": "v" * 43,
                "redirect_uri": "https://portal.example/cb",
            }
            right = {**form, "client_id": issued.client_id, "client_secret": issued.secret}
            if method == "client_secret_post":
                answers = [await http.post("/oauth/token", data=right)]
            else:
                answers = [await http.post("/oauth/token", data=form, auth=(issued.client_id, issued.secret))]
            answers.append(await http.post("/oauth/token", data={**right, "client_secret": "wrong"}))
        assert [answer.json()["error"] for answer in answers] == ["invalid_grant", "invalid_client"]
    assert len(set(secrets.values())) == 2


@pytest.mark.requirement("seeds/001-discovery-flow", "seeds/001-well-known")
async def test_seed_an_unauthenticated_client_discovers_all_that_it_needs(deployment: Deployment) -> None:
    async with deployment.client() as http:
        refused = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert refused.status_code == 401
        found = re.search(r'resource_metadata="([^"]+)"', refused.headers["www-authenticate"])
        assert found
        resource = (await http.get(found[1])).json()
        [issuer] = resource["authorization_servers"]
        assert issuer == ISSUER
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
        openid = (await http.get("/.well-known/openid-configuration")).json()
        assert (await http.get("/.well-known/oauth-protected-resource")).json()["resource"] == f"{ISSUER}/mcp"
        assert {"openid", "email", "profile"} <= set(openid["scopes_supported"])
        assert metadata["registration_endpoint"] == f"{ISSUER}/oauth/clients/register"
        registered = await http.post("/oauth/clients/register", json={"redirect_uris": ["http://127.0.0.1/cb"]})
        assert registered.status_code == 201
        for path in ("/.well-known/jwks.json", metadata["jwks_uri"]):
            assert (await http.get(path)).json()["keys"], path


@pytest.mark.requirement("seeds/001-client-public")
async def test_seed_a_public_client_uses_pkce_and_no_secret(deployment: Deployment) -> None:
    async with deployment.client(accept="text/html") as http:
        body = {
            "client_name": "Desktop",
            "redirect_uris": ["http://127.0.0.1/cb"],
            "token_endpoint_auth_method": "none",
        }
        registered = (await http.post("/oauth/clients/register", json=body)).json()
        assert "client_secret" not in registered
        query = {
            "response_type": "code", "client_id": registered["client_id"], "redirect_uri": "http://127.0.0.1:1/cb",
            "state": "s", "resource": f"{ISSUER}/mcp",
        }  # fmt: skip
        without = await http.get("/oauth/authorize", params=query)
        assert "error=invalid_request" in without.headers["location"]
