"""Servers that are commands, as a document declares them (feature G4)."""

from typing import Any

import pytest
from tests.provisioning.deployment import Deployment, parsed_from

from doorward.gateway.target import is_told
from doorward.model import AuthKind, ProcessPer, UpstreamCredential
from doorward.provisioning.reading import DocumentError
from doorward.storage import servers

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("G4")]

FILES: dict[str, Any] = {
    "slug": "files",
    "command": ["npx", "-y", "@modelcontextprotocol/server-filesystem", "."],
    "cwd": "/srv/files/{tenant}/{user}",
    "env": {"HOME": "/srv/home/{tenant}"},
    "memory": 2048,
    "relays": ["elicitation"],
}


async def test_a_command_is_stored_as_declared_and_replaced_by_a_url(deployment: Deployment) -> None:
    assert (await deployment.apply({"servers": [FILES]})).lines
    stored = await deployment.read(lambda reader: servers.server_by_slug(reader, "files"))
    assert stored is not None
    assert stored.stdio is not None
    assert stored.stdio.command == tuple(FILES["command"])
    assert (stored.stdio.env, stored.stdio.cwd) == ((("HOME", "/srv/home/{tenant}"),), FILES["cwd"])
    assert (stored.stdio.per, stored.stdio.memory, stored.stdio.relays) == (
        ProcessPer.PRINCIPAL,
        2048,
        ("elicitation",),
    )
    assert stored.audience == "stdio:files"
    assert (stored.auth, is_told(stored)) == (UpstreamCredential(kind=AuthKind.NONE), False), "it reads no identity"
    await deployment.apply({"servers": [{**FILES, "auth": {"kind": "identity"}}]})
    reads = await deployment.read(lambda reader: servers.server_by_slug(reader, "files"))
    assert reads is not None
    assert is_told(reads)
    await deployment.apply({"servers": [FILES]})
    assert "npx" not in stored.upstream
    again = await deployment.apply(
        {"servers": [FILES, {"slug": "files2", "upstream": "http://b/mcp", "paths": ["/b"]}]}
    )
    assert not [line for line in again.lines if line.startswith("server files:")]
    await deployment.apply({"servers": [{**FILES, "memory": 4096}]})
    changed = await deployment.read(lambda reader: servers.server_by_slug(reader, "files"))
    assert changed is not None
    assert changed.upstream != stored.upstream, "what the gateway compares"
    await deployment.apply({"servers": [{"slug": "files", "upstream": "http://files/mcp"}]})
    url = await deployment.read(lambda reader: servers.server_by_slug(reader, "files"))
    assert url is not None
    assert (url.stdio, url.auth, url.audience) == (None, None, "http://files/mcp")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"command": []}, "no command"),
        ({"command": "npx -y thing"}, "found a text"),
        ({"command": ["{user}"]}, "the program itself"),
        ({"command": ["a\0b"]}, "too long, or not a text"),
        ({"upstream": "http://x/mcp"}, "a server is a URL or a command"),
        ({"env": ["A=b"]}, "not a table"),
        ({"env": {"A=B": "c"}}, "cannot be a variable's name"),
        ({"env": {"A": 1}}, "found int"),
        ({"cwd": "files"}, "not an absolute path"),
        ({"cwd": "/srv/../etc"}, "not an absolute path"),
        ({"per": "everybody"}, "is not known"),
        ({"per": "shared"}, "means nothing to a process that several share"),
        ({"per": "tenant"}, "means nothing to a process that several share"),
        ({"memory": 1}, "Write one from 32"),
        ({"idle": True}, "not a number"),
        ({"relays": ["everything"]}, "not a feature of clients"),
    ],
)
def test_what_cannot_be_a_command_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        parsed_from({"servers": [{**FILES, **wrong}]})


AUTH: dict[str, Any] = {"slug": "wiki", "upstream": "http://wiki/mcp"}


@pytest.mark.requirement("D6")
async def test_credentials_are_stored_by_name_kept_and_taken_back(deployment: Deployment) -> None:
    async def stored() -> Any:
        found = await deployment.read(lambda reader: servers.server_by_slug(reader, "wiki"))
        return found.auth if found is not None else None

    await deployment.apply({"servers": [{**AUTH, "auth": {"kind": "header", "header": "X-Api-Key", "secret": "WIKI"}}]})
    assert await stored() == UpstreamCredential(kind=AuthKind.HEADER, header="x-api-key", secret="WIKI")
    await deployment.apply({"servers": [{**AUTH, "name": "Wiki"}]})
    assert await stored() is not None
    await deployment.apply({"servers": [{**AUTH, "auth": {"kind": "identity"}}]})
    assert await stored() is None
    env = {"TOKEN": {"secret": "T"}, "URL": "https://x.example"}
    await deployment.apply({"servers": [{**FILES, "slug": "files3", "paths": ["/f3"], "env": env}]})
    files = await deployment.read(lambda reader: servers.server_by_slug(reader, "files3"))
    assert files is not None
    assert files.stdio is not None
    assert (files.stdio.env, files.stdio.secrets) == ((("URL", "https://x.example"),), (("TOKEN", "T"),))


@pytest.mark.requirement("D6")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({**AUTH, "auth": {"kind": "basic"}}, "is not known"),
        ({**AUTH, "auth": {"kind": "bearer"}}, "secret is missing"),
        ({**AUTH, "auth": {"kind": "bearer", "secret": "a b"}}, "not a name for a secret"),
        ({**AUTH, "auth": {"kind": "bearer", "secret": "A", "header": "x-a"}}, "not for bearer"),
        ({**AUTH, "auth": {"kind": "none", "secret": "A"}}, "not for none"),
        ({**AUTH, "auth": {"kind": "identity", "secret": "A"}}, "not for identity"),
        ({**AUTH, "auth": {"kind": "header", "secret": "A", "header": "host"}}, "not a header for a credential"),
        (
            {**AUTH, "auth": {"kind": "header", "secret": "A", "header": "mcp-session-id"}},
            "not a header for a credential",
        ),
        ({**FILES, "auth": {"kind": "bearer", "secret": "A"}}, "a command has no headers"),
        ({**FILES, "env": {"A": {"secret": "a b"}}}, "not a name for a secret"),
    ],
)
def test_what_cannot_be_a_credential_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        parsed_from({"servers": [wrong]})


def test_what_is_about_a_command_needs_one() -> None:
    with pytest.raises(DocumentError, match="only for a server that is a command"):
        parsed_from({"servers": [{"slug": "x", "upstream": "http://x/mcp", "idle": 5}]})
