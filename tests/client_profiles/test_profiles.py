from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from doorward.clients import profiles
from doorward.model import ClientAuthMethod
from doorward.protocol import client_metadata, jsonrpc, redirect_uri

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"


@pytest.mark.parametrize("entry", profiles.bundled_entries(), ids=lambda entry: entry["client_id"])
def test_every_bundled_document_is_one_that_we_would_accept(entry: Mapping[str, Any]) -> None:
    url, document = entry["client_id"], entry["document"]
    assert client_metadata.is_metadata_document_url(url)
    read = client_metadata.parse_metadata_document(
        url, jsonrpc.encode(document), vendor_schemes=profiles.vendor_schemes()
    )
    assert read.auth_method is ClientAuthMethod.NONE
    assert "refresh_token" in read.grant_types
    assert entry["source"]
    assert date.fromisoformat(entry["last_verified"]).isoformat() == entry["last_verified"]


def test_the_documents_of_the_known_clients_are_bundled() -> None:
    documents = profiles.bundled_documents()
    assert len(documents) == len(profiles.bundled_entries())
    assert {
        "https://claude.ai/oauth/mcp-oauth-client-metadata", CLAUDE_CODE, "https://chatgpt.com/oauth/client.json",
        "https://chatgpt.com/oauth/codex/client.json", "https://vscode.dev/oauth/client-metadata.json",
        "https://github.com/copilot/cli/client-metadata.json", "https://zed.dev/oauth/client-metadata.json",
        "https://opencode.ai/oauth/opencode/client.json", "https://grok.com/oauth/mcp-client.json",
    } <= documents.keys()  # fmt: skip


@pytest.mark.parametrize(
    ("client_id", "uri"),
    [
        (CLAUDE_CODE, "http://localhost:51135/callback"),
        ("https://chatgpt.com/oauth/codex/client.json", "http://127.0.0.1:45165/callback"),
        ("https://github.com/copilot/cli/client-metadata.json", "http://127.0.0.1:38287/callback"),
        ("https://vscode.dev/oauth/client-metadata.json", "http://127.0.0.1:59656/"),
    ],
)
def test_the_redirects_seen_on_the_wire_fit_the_bundled_documents(client_id: str, uri: str) -> None:
    registered = profiles.bundled_documents()[client_id]["redirect_uris"]
    assert redirect_uri.matches(registered, uri, any_loopback_port=True)


def test_what_a_vendor_appends_is_known_for_its_exact_id_only() -> None:
    uri = "http://127.0.0.1:63804/callback/EK1rjowHvljH"
    codex = "https://chatgpt.com/oauth/codex/client.json"
    assert profiles.without_appended(uri, codex) == "http://127.0.0.1:63804/callback"
    assert profiles.without_appended("http://127.0.0.1:63804/callback", codex) is None
    assert profiles.without_appended(uri, CLAUDE_CODE) is None
    assert profiles.without_appended(uri, "client_x") is None


def test_A15_vendor_schemes_are_undotted_and_make_their_redirects_registrable() -> None:
    schemes = profiles.vendor_schemes()
    assert {"cursor", "vscode", "vscode-insiders", "claude"} <= schemes
    assert not any("." in scheme for scheme in schemes)
    redirect_uri.registrable("cursor://anysphere.cursor-mcp/oauth/callback", schemes)


@pytest.mark.parametrize(
    ("uri", "client_id", "host"),
    [
        ("https://claude.ai/api/mcp/auth_callback", "C1", "claude.ai"),
        ("https://chatgpt.com/connector/oauth/Ab_9-x", "C1", "chatgpt.com"),
        ("https://www.cursor.com/agents/mcp/oauth/callback", "C1", "www.cursor.com"),
        ("http://localhost:51135/callback", CLAUDE_CODE, "claude.ai"),
        ("http://127.0.0.1:1/callback", "https://chatgpt.com/oauth/codex/abc/client.json", "chatgpt.com"),
        ("https://vscode.dev/redirect", "https://vscode.dev/oauth/client-metadata.json", "vscode.dev"),
    ],
)
def test_B20_a_vendor_is_known_by_its_whole_redirect_or_document_url(uri: str, client_id: str, host: str) -> None:
    assert profiles.verified_host(uri, client_id) == host


@pytest.mark.parametrize(
    ("uri", "client_id"),
    [
        ("https://claude.ai.evil.example/api/mcp/auth_callback", "C1"), ("https://claude.ai/api/mcp/auth_callback/", "C1"),
        ("https://claude.ai/api/mcp/auth_callback/../evil", "C1"), ("https://claude.ai@evil.example/", "C1"),
        ("https://CLAUDE.ai/api/mcp/auth_callback", "C1"), ("https://claude.ai/api/mcp/auth_callback\n", "C1"),
        ("https://claudexai/api/mcp/auth_callback", "C1"), ("https://chatgpt.com/connector/oauth/a/b", "C1"),
        ("https://www.cursor.com.evil.example/agents/mcp/oauth/callback", "C1"), ("http://localhost/callback", "Claude Code"),
        ("http://localhost/callback", CLAUDE_CODE + "x"), ("http://localhost/callback", "https://chatgpt.com/oauth/a/b/client.json"),
        ("https://global.consent.azure-apim.net/redirect/x", "C1"), ("cursor://anysphere.cursor-mcp/oauth/callback", "C1"),
    ],
)  # fmt: skip
def test_B20_nothing_that_merely_looks_like_a_vendor_is_verified(uri: str, client_id: str) -> None:
    assert profiles.verified_host(uri, client_id) is None
    assert profiles.verified(uri, client_id) is None


def test_B20_the_badge_comes_with_the_vendors_name() -> None:
    found = profiles.verified("http://localhost:1/callback", CLAUDE_CODE)
    assert found == profiles.VerifiedHost(host="claude.ai", vendor="Anthropic Claude")
