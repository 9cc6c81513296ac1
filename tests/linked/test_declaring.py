"""Declaring a server that knows people by their own accounts."""

from typing import Any

import pytest
from tests.provisioning.deployment import Deployment

from doorward.model import AuthKind, UpstreamCredential
from doorward.provisioning.reading import DocumentError
from doorward.storage import servers
from support.linked_house import declared

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

WIKI = "https://wiki.example/mcp"
ISSUER = "https://accounts.example"


@pytest.fixture
async def deployment(tmp_path: Any) -> Any:
    made = Deployment(f"sqlite:///{tmp_path / 'd.db'}")
    await made.apply({"permissions": [{"permission": "documents:read", "words": "Read"}]})
    yield made
    made.passwords.close()
    await made.database.close()


async def test_what_is_declared_is_kept_and_declaring_it_again_changes_nothing(deployment: Deployment) -> None:
    whole = declared(WIKI, ISSUER, client_id="ours", secret="WIKI", scopes=["read", "write"])
    await deployment.apply(whole)
    stored = await deployment.read(lambda reader: servers.server_by_slug(reader, "wiki"))
    assert stored is not None
    assert stored.auth == UpstreamCredential(
        kind=AuthKind.OAUTH, secret="WIKI", client_id="ours", scopes=("read", "write"), authorization_server=ISSUER
    )
    assert await deployment.plan(whole) == []
    assert await deployment.plan(declared(WIKI)) == ["server wiki: credential"]
    assert (await deployment.plan({"servers": [{"slug": "wiki", "auth": {"kind": "identity"}}]})) != []


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"kind": "oauth", "secret": "WIKI"}, "Add client_id"), ({"kind": "oauth", "client_id": ""}, "not a client_id"),
        ({"kind": "oauth", "client_id": "a\nb"}, "not a client_id"), ({"kind": "oauth", "scopes": ["a b"]}, "scopes"),
        ({"kind": "oauth", "scopes": ["a", "a"]}, "second time"), ({"kind": "oauth", "header": "x"}, "not for oauth"),
        ({"kind": "oauth", "authorization_server": "http://x.example"}, "https URL"),
        ({"kind": "bearer", "secret": "WIKI", "client_id": "x"}, "not for bearer"),
        ({"kind": "oauth", "client_id": "x", "secret": "1"}, "not a name for a secret"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_with_its_place(
    deployment: Deployment, auth: dict[str, Any], words: str
) -> None:
    with pytest.raises(DocumentError, match=words) as refused:
        await deployment.apply({"servers": [{"slug": "wiki", "upstream": WIKI, "auth": auth}]})
    assert "servers[0]" in str(refused.value)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"upstream": "http://wiki.example/mcp", "auth": {"kind": "oauth"}}, "without TLS"),
        ({"upstream": "http://127.0.0.1:9/mcp", "auth": {"kind": "oauth"}}, "authorization_server"),
        ({"command": ["wiki"], "auth": {"kind": "oauth"}}, "a command has no headers"),
    ],
)
async def test_peoples_tokens_never_travel_in_the_clear(
    deployment: Deployment, server: dict[str, Any], words: str
) -> None:
    with pytest.raises(DocumentError, match=words):
        await deployment.apply({"servers": [{"slug": "wiki", **server}]})


async def test_nor_do_they_after_a_later_document(deployment: Deployment) -> None:
    await deployment.apply(declared(WIKI))
    with pytest.raises(DocumentError):
        await deployment.apply({"servers": [{"slug": "wiki", "upstream": "http://wiki.example/mcp"}]})
    await deployment.apply({"servers": [{"slug": "wiki", "command": ["wiki"]}]})
    command = await deployment.read(lambda reader: servers.server_by_slug(reader, "wiki"))
    assert command is not None
    assert command.auth == UpstreamCredential(kind=AuthKind.NONE)
