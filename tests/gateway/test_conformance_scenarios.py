"""The conformance suite's server scenarios that are written and not released, as tests of ours on the gateway's socket.

``sep-2350-server-scope-challenge``: one challenge with every scope that the operation needs, for tools, resources,
templates and prompts, and success once they are there. Token audience: the right one, and nothing else.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.gateway.deployment import READ, WRITE, server
from tests.gateway.recorder import Recorder
from tests.gateway.world import PUBLIC, World

from doorward.model import Permission, RuleKind, ToolRule
from doorward.storage import servers
from support.assertions import STRANGER

pytestmark = pytest.mark.anyio

LOW = Permission("s1:read")
FULL = frozenset({READ, WRITE})
RULES = (
    ToolRule(match="echo", requires=FULL),
    ToolRule(kind=RuleKind.RESOURCE, match="mem://open", requires=FULL),
    ToolRule(kind=RuleKind.RESOURCE, match="mem://docs/{document}", requires=FULL),
    ToolRule(kind=RuleKind.PROMPT, match="p_open", requires=FULL),
)
OPERATIONS = [
    ("tools/call", {"name": "echo", "arguments": {}}),
    ("resources/read", {"uri": "mem://open"}),
    ("resources/read", {"uri": "mem://docs/d1"}),
    ("prompts/get", {"name": "p_open"}),
]


async def two_scopes_each(world: World) -> None:
    demanding = replace(server(world.upstream), rules=RULES)
    await world.database.write(lambda tx: servers.put_server(tx, demanding))


@pytest.mark.requirement("spec/SCOPE1")
@pytest.mark.parametrize(("method", "params"), OPERATIONS)
@pytest.mark.parametrize("held", [(LOW,), (LOW, READ), (LOW, WRITE)], ids=["none", "one", "the other"])
async def test_one_challenge_names_every_scope_and_the_full_token_passes(
    world: World, recorder: Recorder, method: str, params: Mapping[str, Any], held: tuple[Permission, ...]
) -> None:
    await two_scopes_each(world)
    low = await world.token("bob", *held)
    recorder.forget()
    refused = await world.modern(low, method, params)
    assert refused.status_code == 403, refused.text
    challenge = refused.headers["www-authenticate"]
    said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    assert challenge.startswith("Bearer ")
    assert said["error"] == "insufficient_scope"
    assert set(said["scope"].split()) >= FULL
    assert said["resource_metadata"] == f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
    assert method not in [request.method for request in recorder.seen()]
    full = await world.token("bob", *map(Permission, said["scope"].split()))
    assert (await world.modern(full, method, params)).status_code == 200


@pytest.mark.requirement("spec/SCOPE1")
async def test_a_client_that_follows_the_challenge_needs_to_do_so_once(world: World) -> None:
    """Whoever asks for the union of what it had and what was named is not sent round again."""
    await two_scopes_each(world)
    asked: set[Permission] = {LOW}
    for _ in range(2):
        answer = await world.modern(await world.token("bob", *asked), "tools/call", {"name": "echo", "arguments": {}})
        if answer.status_code == 200:
            break
        asked |= {
            Permission(each) for each in re.findall(r'scope="([^"]*)"', answer.headers["www-authenticate"])[0].split()
        }
    assert answer.status_code == 200


def resigned(world: World, token: str, **changed: Any) -> str:
    claims = {**world.keys.verify(token, "at+jwt"), **changed}
    return world.keys.sign({name: value for name, value in claims.items() if value is not None}, "at+jwt")


WRONG: dict[str, Mapping[str, Any]] = {
    "another server of ours": {"aud": f"{PUBLIC}/other"},
    "another form of this server": {"aud": f"{PUBLIC}/acme/mcp"},
    "somebody else's server": {"aud": "https://other.example/mcp"},
    "our issuer": {"aud": PUBLIC},
    "a prefix": {"aud": f"{PUBLIC}/mc"},
    "a trailing slash": {"aud": f"{PUBLIC}/mcp/"},
    "a list with ours in it": {"aud": [f"{PUBLIC}/mcp", "https://other.example/mcp"]},
    "a list of ours": {"aud": [f"{PUBLIC}/mcp"]},
    "none": {"aud": None},
    "empty": {"aud": ""},
    "no text": {"aud": 1},
    "another issuer": {"iss": "https://other.example"},
    "expired": {"exp": 1},
    "no end": {"exp": None},
}


@pytest.mark.requirement("spec/AUD1")
@pytest.mark.parametrize("wrong", WRONG)
async def test_a_token_for_another_audience_is_401(world: World, recorder: Recorder, wrong: str) -> None:
    token = await world.token("bob", READ)
    assert (await world.call(resigned(world, token), "echo")).status_code == 200, (
        "what is only signed again still passes"
    )
    recorder.forget()
    await refused(world, resigned(world, token, **WRONG[wrong]))
    assert recorder.seen() == []


async def refused(world: World, token: str) -> None:
    answer = await world.call(token, "echo")
    assert answer.status_code == 401, answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert (
        f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"' in answer.headers["www-authenticate"]
    )


@pytest.mark.requirement("spec/AUD1")
@pytest.mark.parametrize("path", ["/other", "/acme/mcp", "/acme/other"])
async def test_a_good_token_for_another_url_of_ours_is_401_here_and_good_there(world: World, path: str) -> None:
    token = await world.token("bob", READ, path=path)
    await refused(world, token)
    there = await world.modern(token, "tools/list", path=path)
    assert there.status_code == 200, there.text
    back = await world.modern(await world.token("bob", READ), "tools/list", path=path)
    assert back.status_code == 401


def _flipped(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"


def _unsigned(token: str) -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).rstrip(b"=").decode()
    return f"{head}.{token.split('.')[1]}."


@pytest.mark.requirement("spec/AUD1")
@pytest.mark.parametrize("forged", [_flipped, _unsigned])
async def test_a_token_that_our_key_did_not_sign_is_401(world: World, forged: Callable[[str], str]) -> None:
    await refused(world, forged(await world.token("bob", READ)))


@pytest.mark.requirement("spec/AUD1")
async def test_a_token_of_somebody_elses_key_is_401(world: World) -> None:
    token = await world.token("bob", READ)
    claims = world.keys.verify(token, "at+jwt")
    padded = token.split(".")[0] + "=="
    ours = json.loads(base64.urlsafe_b64decode(padded))
    for header in (ours, {**ours, "kid": "stranger"}):
        await refused(world, STRANGER.sign(claims, **header))
