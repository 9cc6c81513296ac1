"""The files themselves: complete, dated, and each way tried or explained."""

import re
from datetime import date

import pytest
from tests.clients.fixtures import FOLDER, WAYS, Fixture, fixtures
from tests.requirements.test_manifest import known

MEMBERS = set(re.findall(r"`(\w+)`", (FOLDER / "README.md").read_text(encoding="utf-8")))
REQUIRED = {
    "client", "last_verified", "source", "before", *WAYS, "redirect_uri", "state", "verifier", "scope", "authorize",
    "token", "refresh", "after", "oddities",
}  # fmt: skip
THE_CLIENTS = {
    "browser-page", "chatgpt", "copilot-agent", "devin", "gemini-app", "model-apis", "visual-studio", "claude-ai", "claude-code", "codex", "copilot-cli", "copilot-jetbrains",
    "copilot-studio", "cursor", "fastmcp", "gemini-cli", "grok", "grok-bot", "inspector-0", "inspector-cli",
    "inspector-web", "mcp-remote", "mcporter", "mistral", "opencode", "python-sdk", "qwen-code", "typescript-sdk-1",
    "typescript-sdk-2", "vscode", "vscode-10", "windsurf", "zed",
}  # fmt: skip

EACH = pytest.mark.parametrize("fixture", fixtures(), ids=lambda each: each.name)


def test_no_client_that_was_looked_at_is_missing() -> None:
    assert {each.name for each in fixtures()} >= THE_CLIENTS


@EACH
def test_a_file_is_complete_and_says_nothing_that_is_not_read(fixture: Fixture) -> None:
    assert fixture.said.keys() >= REQUIRED
    assert fixture.said.keys() - {"stored"} <= MEMBERS
    assert date.fromisoformat(fixture.said["last_verified"]).isoformat() == fixture.said["last_verified"]
    assert fixture.said["source"].endswith(".")
    assert all(text.endswith((".", ")")) for text in fixture.said["oddities"])
    assert set(fixture.said.get("assumed", ())) <= fixture.said.keys()


@EACH
def test_every_way_is_tried_or_explained(fixture: Fixture) -> None:
    assert fixture.ways()
    for way in set(WAYS) - set(fixture.ways()):
        assert re.match(r"(no|unknown): \S", fixture.said[way]), (fixture.name, way)


@EACH
def test_a_request_sends_what_every_client_must(fixture: Fixture) -> None:
    if set(fixture.ways()) == {"key"}:
        return
    assert {"response_type", "client_id", "redirect_uri", "state", "code_challenge"} <= fixture.said["authorize"].keys()
    assert {"grant_type", "code", "code_verifier"} <= fixture.said["token"].keys()
    assert 43 <= len(fixture.verifier()) <= 128
    assert "state" in fixture.said["authorize"]


@EACH
def test_what_is_refused_names_the_test_that_shows_it(fixture: Fixture) -> None:
    for refusal in fixture.said.get("refused", ()):
        assert refusal.keys() == {"does", "why", "shown_by"}
        assert refusal["shown_by"] in known()
