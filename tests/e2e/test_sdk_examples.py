"""The examples as programs, beside a real Doorward, with the official client."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from support.oauth import Client, call, result, rpc, tool_names
from support.official_client import Visit, names
from support.person import Person
from support.running_demo import Demo, free_port

pytestmark = pytest.mark.requirement("G7")
EXAMPLES = Path(__file__).parents[2] / "examples"
BOTH = {"list_notes", "add_note"}
START_SECONDS = 60


def wait_for(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} does not answer"
        time.sleep(0.05)


@contextmanager
def running(name: str, demo: Demo, port: int, *more: str, **env: str) -> Iterator[None]:
    command = [sys.executable, str(EXAMPLES / name), "--issuer", demo.url, "--port", str(port), *more]
    process = subprocess.Popen(command, env={**os.environ, **env}, stdin=subprocess.DEVNULL)
    try:

        def answers() -> bool:
            assert process.poll() is None, f"{name} ended by itself"
            with suppress(httpx2.TransportError):
                return bool(httpx2.get(f"http://127.0.0.1:{port}/mcp", trust_env=False).status_code)
            return False

        wait_for(answers, name)
        yield
    finally:
        process.terminate()
        process.wait(15)


def declare(demo: Demo, port: int, *, direct: bool) -> None:
    url = f"http://127.0.0.1:{port}/mcp"
    rules = [
        {"match": "list_notes", "requires": ["documents:read"]},
        {"match": "add_note", "requires": ["documents:write"]},
    ]
    server = {"slug": "notes", "paths": ["/servers/notes/mcp"], "upstream": url, "tools": rules, "builtin_tools": False}
    itself = {"id": "notes-server", "name": "The notes", "type": "confidential", "introspects": ["notes"]}
    demo.apply({
        "servers": [server | ({"direct": url} if direct else {})],
        "tenants": [{"slug": "acme", "servers": ["harbour", "notes"], "clients": [itself] if direct else []}],
    })  # fmt: skip
    # A path that is new is the gateway's within a second (decision 0077.6).
    wait_for(lambda: rpc(f"{demo.url}/servers/notes/mcp", None, "tools/list").status_code == 401, "the new path")


def make_viewer(demo: Demo, email: str) -> None:
    demo.apply({"tenants": [{"slug": "acme", "members": [{"user": email, "roles": ["viewer"]}]}]})


def test_behind_the_gateway_only_the_gateway_is_believed(own_demo: Demo) -> None:
    port = free_port()
    with running("behind_the_gateway.py", own_demo, port):
        declare(own_demo, port, direct=False)
        email, password = own_demo.user("editor")
        url = f"{own_demo.url}/servers/notes/mcp"
        token = Client(own_demo.url, url).connect(Person(email, password), "documents:read documents:write").access
        assert tool_names(url, token) == BOTH
        assert "Note 1" in str(result(call(url, token, "add_note", text="hello")))
        assert "hello (" in str(result(call(url, token, "list_notes")))
        past = call(f"http://127.0.0.1:{port}/mcp", token, "list_notes")
        assert past.status_code == 401, "an access token past the gateway"
        make_viewer(own_demo, email)
        assert tool_names(url, token) == {"list_notes"}
        assert "Note 2" not in call(url, token, "add_note", text="again").text
        assert "again" not in call(url, token, "list_notes").text


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_direct_a_permission_taken_away_is_gone_at_the_next_call(own_demo: Demo, mode: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    declare(own_demo, port, direct=True)
    secret = own_demo.command("client", "secret", "add", "notes-server").stdout.split()[0]
    email, password = own_demo.user("editor")
    with running("direct_fastmcp.py", own_demo, port, "--client", "notes-server", DOORWARD_SECRET=secret):
        # From the server's URL alone the official client finds Doorward, registers and asks the person.
        visit = Visit(url, Person(email, password), mode=mode)
        async with visit.client() as client:
            assert await names(client.list_tools, "tools") == BOTH
            added = await client.call_tool("add_note", {"text": "hello"})
            assert not added.is_error, added
            assert visit.store.tokens is not None
            token = visit.store.tokens.access_token
            make_viewer(own_demo, email)
            refused = call(url, token, "add_note", text="again")
            assert refused.status_code == 403
            assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
            assert await names(client.list_tools, "tools") == {"list_notes"}
            listed = await client.call_tool("list_notes", {})
            assert f"hello ({email})" in str(listed.content)
            assert "again" not in str(listed.content)
        assert call(own_demo.mcp_url, token, "whoami").status_code == 401, (
            "a token for the server is none for the gateway"
        )
        assert call(f"{own_demo.url}/servers/notes/mcp", token, "list_notes").status_code == 401
        own_demo.apply({"users": [{"email": email, "status": "disabled"}]})
        assert call(url, token, "list_notes").status_code == 401
