"""The same tools on the two frameworks: what is listed, called, refused, and how that looks to a client."""

from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import pytest
from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

from doorward.sdk.caller import Caller, Node, current_caller
from doorward.sdk.fastmcp import DoorwardAuth
from doorward.sdk.mcp import application, auth_settings, protect
from doorward.sdk.permissions import requirement_of, requires
from doorward.sdk.verifiers import Verifier
from sdk.conftest import ERAS, ISSUER, RESOURCE, Issuer, connected

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("G7")]
TREE = {("t1", "folder", "f2"): [("project", "p1"), ("folder", "f1")], ("t1", "folder", "f1"): [("project", "p1")]}
ran: list[str] = []


def ancestors(caller: Caller, kind: str, key: str) -> Iterable[Node] | None:
    return TREE.get((str(caller.tenant_id), kind, key))


def add_tools(server: Any) -> None:
    @server.tool()
    @requires()
    async def me() -> str:
        """Say who is calling."""
        return current_caller().email

    @server.tool(name="read")
    @requires("documents:read")
    def read_document() -> str:
        """Read."""
        ran.append("read")
        return "text"

    @server.tool()
    @requires("documents:write", resource=("folder", "folder_id"), ancestors=ancestors)
    async def write(folder_id: str) -> str:
        """Write."""
        ran.append(f"write {folder_id}")
        return "written"

    @server.tool()
    def forgotten() -> str:
        """Nobody said who may."""
        ran.append("forgotten")
        return "no"


def official(verifier: Verifier) -> Any:
    server = MCPServer("wiki", token_verifier=verifier, auth=auth_settings(verifier), log_level="ERROR")
    add_tools(server)
    protect(server)
    return application(server, verifier)


def fast(verifier: Verifier) -> Any:
    auth = DoorwardAuth(verifier)
    server: FastMCP[Any] = FastMCP("wiki", auth=auth)
    add_tools(server)
    auth.protect(server)
    return server.http_app(path="/mcp")


FRAMEWORKS = {"mcp": official, "fastmcp": fast}
Make = Callable[[Verifier], Any]


@pytest.fixture(params=FRAMEWORKS)
def make(request: pytest.FixtureRequest) -> Make:
    ran.clear()
    return FRAMEWORKS[request.param]


async def called(client: Any, name: str, **arguments: Any) -> tuple[bool, str]:
    answer = await client.call_tool(name, arguments)
    return answer.is_error, answer.content[0].text


@pytest.mark.parametrize("mode", ERAS)
async def test_listed_is_what_may_be_called(issuer: Issuer, make: Make, mode: str) -> None:
    scopes = ["documents:read"]
    app = make(issuer.identity())
    async with connected(app, mode, lambda: issuer.identity_token(scopes=scopes, jti=str(scopes))) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"me", "read"}
        assert await called(client, "me") == (False, "ines@acme.example")
        assert await called(client, "read") == (False, "text")
        wrong, words = await called(client, "write", folder_id="f1")
        assert wrong
        assert "documents:write" in words
        assert "insufficient_scope" in words
        wrong, words = await called(client, "forgotten")
        assert wrong
        assert words.startswith("Unknown tool: ")
        # Each request is another caller, also in a session of the older revisions.
        scopes.append("documents:write")
        assert await called(client, "write", folder_id="f1") == (False, "written")
        scopes.clear()
        assert {tool.name for tool in (await client.list_tools()).tools} == {"me"}
        assert (await called(client, "read"))[0]
    assert ran == ["read", "write f1"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_caller_reaches_what_lies_below_its_roots(issuer: Issuer, make: Make, mode: str) -> None:
    said: dict[str, Any] = {"scopes": ["documents:write"], "resources": [{"type": "folder", "key": "f2"}]}
    app = make(issuer.identity())
    async with connected(app, mode, lambda: issuer.identity_token(**said)) as client:
        assert (await called(client, "write", folder_id="f2"))[0] is False
        foreign, missing = [(await called(client, "write", folder_id=key))[1] for key in ("f1", "f9")]
        assert foreign.replace("f1", "f9") == missing
        said["resources"] = [{"type": "project", "key": "p1"}]
        assert (await called(client, "write", folder_id="f1"))[0] is False
        said["resources"] = [{"type": "folder", "key": "p1"}]
        assert (await called(client, "write", folder_id="f1"))[0], "compared by type and key"
        del said["resources"]
        assert (await called(client, "write", folder_id="f1"))[0] is False
        assert (await called(client, "write", folder_id="f9"))[0], "the whole tenant is not what it does not have"
        said["tenant_id"] = "t2"
    async with connected(make(issuer.identity()), mode, lambda: issuer.identity_token(**said)) as client:
        assert (await called(client, "write", folder_id="f1"))[0], "nor what another tenant has"
    assert ran == ["write f2", "write f1", "write f1"]


CALL = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "write", "arguments": {"folder_id": "f1"}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
    }},
}  # fmt: skip
HEADERS = {
    "accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call",
    "mcp-name": "write", "authorization": "Bearer token",
}  # fmt: skip


async def posted(app: Any, message: Any = CALL, **headers: str) -> httpx2.Response:
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="https://wiki.example.com") as http,
    ):
        return await http.post("/mcp", json=message, headers=HEADERS | headers)


async def test_direct_a_missing_scope_is_a_403_that_names_all_of_them(issuer: Issuer, make: Make) -> None:
    issuer.answer = issuer.active()
    answer = await posted(make(issuer.live()))
    assert answer.status_code == 403
    assert answer.json()["error"] == "insufficient_scope"
    challenge = answer.headers["www-authenticate"]
    assert 'scope="documents:write"' in challenge
    assert 'resource_metadata="https://wiki.example.com/.well-known/oauth-protected-resource/mcp"' in challenge
    assert ran == []


async def test_direct_no_token_is_a_401_that_names_the_metadata_and_the_metadata_names_doorward(
    issuer: Issuer, make: Make
) -> None:
    issuer.answer = {"active": False}
    app = make(issuer.live())
    answer = await posted(app)
    assert answer.status_code == 401
    metadata = "https://wiki.example.com/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{metadata}"' in answer.headers["www-authenticate"]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        document = (await http.get(metadata)).json()
    assert document["resource"] == RESOURCE
    assert document["authorization_servers"] == [ISSUER], "byte for byte: clients compare it so"


async def test_could_not_ask_is_a_503_and_runs_nothing(issuer: Issuer, make: Make) -> None:
    issuer.status = 500
    answer = await posted(make(issuer.live()))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "www-authenticate" not in answer.headers
    assert ran == []


@pytest.mark.parametrize("message", [[CALL], {**CALL, "params": []}, {**CALL, "params": {"name": 7}}, "x", 7, None])
async def test_what_is_no_call_goes_on_to_the_framework(issuer: Issuer, make: Make, message: Any) -> None:
    issuer.answer = issuer.active()
    assert (await posted(make(issuer.live()), message)).status_code in {200, 400}
    assert ran == []


def test_fastmcp_at_another_path_than_its_url_says_is_refused_at_start(issuer: Issuer) -> None:
    server: FastMCP[Any] = FastMCP("wiki", auth=DoorwardAuth(issuer.live()))
    with pytest.raises(ValueError, match=r"served at /elsewhere"):
        server.http_app(path="/elsewhere")


def test_a_requirement_is_found_below_other_decorators_and_an_argument_must_exist() -> None:
    @requires("a:read")
    def tool() -> None:
        """Do nothing."""

    def other() -> None:
        """Do nothing."""

    other.__wrapped__ = tool  # type: ignore[attr-defined]
    found = requirement_of(other)
    assert found is not None
    assert found.permissions == {"a:read"}
    with pytest.raises(TypeError, match="no argument 'folder'"):
        requires("a:read", resource=("folder", "folder"))(lambda: None)

    async def waiting(_caller: Caller, _kind: str, _key: str) -> None:
        return None

    with pytest.raises(TypeError, match="not async"):
        requires("a:read", ancestors=waiting)(lambda: None)
