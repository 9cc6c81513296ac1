"""A demo in which every page has something to show: connected apps, ended ones, keys, attempts and an approval that waits."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.oauth import Client, call, tool_names
from support.person import Person
from support.running_demo import Demo, running_demo

ASKS = "rename_document"
APPROVED = {"document_id": "doc-atlas-safety", "title": "Safety, reviewed"}
OVERRIDES = {"tenants": [{"slug": "acme", "overrides": [{"server": "harbour", "tools": ASKS, "approval": "self"}]}]}


@contextmanager
def furnished(folder: Path) -> Iterator[Demo]:
    """Yield a running demo with a past."""
    with running_demo(folder / "data") as demo:
        demo.apply(OVERRIDES)
        for name, role, scope in (
            ("Claude Code", "owner", None),
            ("Gemini CLI", "owner", "documents:read tasks:read"),
            ("Cursor", "editor", "documents:read"),
        ):
            client = Client(demo.url, demo.mcp_url, name=name)
            token = client.connect(Person(*demo.user(role)), scope).access
            tool_names(demo.mcp_url, token)
            call(demo.mcp_url, token, ASKS, **APPROVED)
            call(demo.mcp_url, token, "delete_document", document_id="doc-atlas-safety")
        call(demo.mcp_url, demo.key(), "whoami")
        stranger = Client(demo.url, demo.tenant_url("acme"), name="Relay desk")
        stranger.http.get(stranger.authorize_url("documents:read", redirect_uri="https://relay.example/cb"))
        yield demo
