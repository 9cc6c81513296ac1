"""A CI job against a running demo: its platform is a real https server, its call goes through the gateway."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from support import named_demo
from support.ci_platform import RULES, SHAPES, Platform
from support.https_server import HOST, https_server, trust
from support.running_demo import Demo, free_port, start, stop
from support.tls_front import authority_file

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("B18")]

JOB = "ci@acme.example"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_projects", "arguments": {}}}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with https_server(trust(HOST)[0]) as server:
        yield Platform(server)


@pytest.fixture
async def trusting_demo(platform: Platform, tmp_path: Path) -> AsyncIterator[Demo]:
    """A demo that trusts the certificate of the platform."""
    env = authority_file(tmp_path)
    running = await anyio.to_thread.run_sync(
        lambda: start(tmp_path / "data", free_port(), program=(str(named_demo.__file__),), env=env)
    )
    yield running
    await anyio.to_thread.run_sync(stop, running)


async def apply(demo: Demo, platform: Platform, status: str = "active") -> None:
    rule = {"name": "Deploy", "issuer": platform.issuer, "claims": RULES[platform.shape], "service_account": JOB}
    document = {
        "users": [{"email": JOB, "name": "CI", "kind": "service", "status": status}],
        "tenants": [{"slug": "acme", "members": [{"user": JOB, "roles": ["viewer"]}], "trust": [rule]}],
    }
    await anyio.to_thread.run_sync(demo.apply, document)


@pytest.mark.parametrize("shape", list(SHAPES))
async def test_a_job_of_a_platform_calls_a_tool_without_a_stored_secret(
    trusting_demo: Demo, platform: Platform, shape: str
) -> None:
    platform.shape = shape
    platform.publish()
    url = trusting_demo.tenant_url("acme")
    await apply(trusting_demo, platform)
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:

        async def ask(**changed: object) -> httpx2.Response:
            shown = platform.token(trusting_demo.url, int(time.time()), **changed)
            form = {"grant_type": GRANT, "assertion": shown, "resource": url}
            return await http.post(f"{trusting_demo.url}/oauth/token", data=form)

        answer = await ask()
        assert answer.status_code == 200, answer.text
        token = answer.json()
        assert token["expires_in"] == 900
        bearer = HEADERS | {"authorization": f"Bearer {token['access_token']}"}
        called = await http.post(url, json=CALL, headers=bearer)
        assert called.status_code == 200, called.text
        assert "result" in called.text
        assert 'isError":true' not in called.text
        other = trusting_demo.tenant_url("globex")
        assert (await http.post(other, json=CALL, headers=bearer)).status_code == 401
        for wrong in (
            {"sub": "someone:else", **dict.fromkeys(RULES[shape], "other")},
            {"aud": "https://other.example"},
        ):
            refused = await ask(**wrong)
            assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        rules = await anyio.to_thread.run_sync(lambda: trusting_demo.command("trust", "list", "acme", "--json").stdout)
        assert json.loads(rules)["rules"][0]["pinned"], "the first token decided"
        await anyio.to_thread.run_sync(lambda: trusting_demo.command("trust", "remove", "acme", "Deploy"))
        assert (await http.post(url, json=CALL, headers=bearer)).status_code == 401, "and is refused at the next call"
        assert (await ask()).status_code == 400
