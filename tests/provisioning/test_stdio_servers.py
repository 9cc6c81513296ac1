"""Servers that are commands, as a document declares them (``product.md`` G4)."""

from typing import Any

import pytest
from tests.provisioning.deployment import Deployment, parsed_from

from doorward.model import ProcessPer
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
    assert (url.stdio, url.audience) == (None, "http://files/mcp")


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


def test_what_is_about_a_command_needs_one() -> None:
    with pytest.raises(DocumentError, match="only for a server that is a command"):
        parsed_from({"servers": [{"slug": "x", "upstream": "http://x/mcp", "idle": 5}]})
