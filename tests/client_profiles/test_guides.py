"""Every snippet and link is what it claims to be; every client has both ways or a reason."""

import ast
import base64
import json
import re
import shlex
import subprocess
import tomllib
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any, get_args
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.e2e.vendor_clients import CLIENTS

from doorward.clients import filling, guides
from doorward.clients.filling import Values
from doorward.clients.guides import Guide, Snippet, Way
from doorward.settings import Settings
from doorward.web.words import duration
from support.computer import VENDORS
from support.node import node
from support.tree import ROOT, SOURCE, text

URL = "https://mcp.acme.example/acme/mcp"
VALUES = Values(url=URL, name="wiki", env="ACME_KEY")
EVERY = list(guides.guides().values())
NAMED = {
    "claude", "chatgpt", "claude-code", "vscode", "visual-studio", "jetbrains", "copilot-cli", "cursor", "codex", "windsurf",
    "gemini-cli", "xcode", "python", "typescript", "curl",
}  # fmt: skip
OWN_PROGRAMS = {"python", "typescript", "curl"}
"""Their snippets are run by ``tests/e2e/test_snippets.py``, those of vendors' packages by ``test_vendor_clients.py``."""
NOT_RUN = {
    "claude": "It reaches servers from its vendor's network, for an account there.",
    "chatgpt": "It reaches servers from its vendor's network, for an account there.",
    "vscode": "A desktop program; its core on npm, code-server, is only built by install scripts, which we never run.",
    "visual-studio": "A desktop program for Windows.",
    "jetbrains": "A plug-in of desktop programs, in no package registry.",
    "cursor": "A desktop program, in no package registry.",
    "windsurf": "A desktop program, in no package registry.",
    "xcode": "A program for macOS.",
}
PLACES = re.compile(r"\{(url|name|env|key|percent|base64)\}")


def snippets() -> list[Any]:
    return [
        pytest.param(step.snippet, id=f"{guide.id}-{way}-{number}-{step.snippet.kind}")
        for guide, way in product(EVERY, get_args(Way))
        for number, step in enumerate(filling.steps(guide, way, VALUES), 1)
        if step.snippet is not None
    ]


@pytest.mark.requirement("A5")
def test_every_named_client_has_a_guide_and_each_says_where_it_is_from() -> None:
    assert set(guides.guides()) == NAMED
    assert len(list((SOURCE / "clients" / "guides").glob("*.json"))) == len(NAMED)
    for guide in EVERY:
        assert date.fromisoformat(guide.last_verified).isoformat() == guide.last_verified
        assert guide.source.endswith("."), guide.id
        assert guide.steps.keys() | guide.cannot.keys() == {"oauth", "key"}, guide.id
        assert not guide.steps.keys() & guide.cannot.keys(), guide.id
        cells = {"kind", "platform", "set_up_in", "browser", "returns_to", "takes", "key"}
        assert guide.compared.keys() == cells, guide.id
        assert guide.troubles, guide.id


@pytest.mark.requirement("A5")
def test_every_guide_is_run_or_there_is_a_reason_why_it_is_not() -> None:
    assert sorted([*CLIENTS, *OWN_PROGRAMS, *NOT_RUN]) == sorted(NAMED)
    pinned = json.loads(text(VENDORS / "package.json"))["dependencies"]
    assert pinned.keys() == {client.package for client in CLIENTS.values()}
    for name, client in CLIENTS.items():
        assert pinned[client.package] in guides.guides()[name].source, "what the guide says was run is what is run"


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("guide", EVERY, ids=lambda guide: guide.id)
def test_a_guide_says_how_to_reconnect_and_that_removing_is_not_revoking(guide: Guide) -> None:
    assert guide.reconnect.endswith(".")
    # Decision 0077.15: what is deleted in a client is not revoked, so the guide names where that is done.
    assert "Connected apps" in guide.remove or "API keys" in guide.remove
    for trouble in filling.troubles(guide, VALUES):
        assert trouble.cause.endswith(".")
        assert trouble.fix.endswith(".")
        assert not PLACES.search(f"{trouble.sign}{trouble.cause}{trouble.fix}")


@pytest.mark.requirement("A5")
@pytest.mark.parametrize("snippet", snippets())
def test_a_snippet_is_what_it_claims_to_be(snippet: Snippet, tmp_path: Path) -> None:
    assert not PLACES.search(snippet.text)
    match snippet.kind:
        case "json":
            [server] = [each for each in json.loads(snippet.text).values() if "wiki" in each]
            assert URL in server["wiki"].values()
        case "toml":
            assert tomllib.loads(snippet.text)["mcp_servers"]["wiki"]["url"] == URL
        case "python":
            ast.parse(snippet.text)
            compile(snippet.text, "agent.py", "exec")
        case "typescript":
            path = tmp_path / "agent.mjs"
            path.write_text(snippet.text)
            subprocess.run([node(), "--check", str(path)], check=True, timeout=30)
        case "shell":
            subprocess.run(["bash", "-n"], input=snippet.text, text=True, check=True, timeout=30)
            assert shlex.split(snippet.text.replace("\\\n", " "))
        case kind:
            assert kind == "text"


@pytest.mark.requirement("A5")
def test_a_guide_sets_the_variable_before_it_reads_it() -> None:
    for guide in EVERY:
        found = [step.snippet.text for step in filling.steps(guide, "key", VALUES) if step.snippet]
        reads = [each for each in found if VALUES.env in each]
        assert not reads or f"export {VALUES.env}={filling.PLACEHOLDER}" in reads[0], guide.id


def test_no_snippet_holds_more_than_a_place_for_the_key() -> None:
    for parameter in snippets():
        [snippet] = parameter.values
        for found in re.findall(r"Bearer ([^\"'`\n]+)", snippet.text):
            assert found == filling.PLACEHOLDER or "ACME_KEY" in found or found == "${input:wiki-key}"


@pytest.mark.requirement("A5")
def test_the_install_links_hold_the_url() -> None:
    links = {guide.id: link for guide in EVERY if (link := filling.link(guide, VALUES))}
    assert links.keys() == {"cursor", "vscode", "visual-studio"}
    query = parse_qs(urlsplit(links["cursor"]).query)
    assert query["name"] == ["wiki"]
    assert json.loads(base64.b64decode(query["config"][0])) == {"url": URL}
    for name in ("vscode", "visual-studio"):
        assert json.loads(unquote(urlsplit(links[name]).query)) == {"name": "wiki", "type": "http", "url": URL}


def test_a_value_that_could_leave_its_place_is_refused() -> None:
    for bad in (
        'https://a/"',
        "https://a/\n",
        "https://a/$x",
        "https://a/`x`",
        "https://a/{key}",
        "ftp://a",
        "https://a/b?c",
    ):
        with pytest.raises(ValueError, match="does not fit"):
            Values(url=bad, name="wiki")
    with pytest.raises(ValueError, match="the key does not fit"):
        Values(url=URL, name="wiki", key='se"cret')


@pytest.mark.parametrize(
    ("name", "vendor", "expected"),
    [
        ("Claude Code (wiki)", None, "claude-code"),
        ("Claude Code", "Anthropic Claude", "claude-code"),
        ("Claude", "Anthropic Claude", "claude"),
        ("Claude Code", "Cursor", None),
        ("Codex", None, "codex"),
        ("Visual Studio Code", None, "vscode"),
        ("Gemini CLI MCP Client", None, "gemini-cli"),
        ("Somebody", None, None),
    ],
)
def test_a_client_is_known_again(name: str, vendor: str | None, expected: str | None) -> None:
    found = guides.known_as(name, vendor)
    assert (found.id if found else None) == expected


@pytest.mark.requirement("A6")
def test_every_guide_is_a_page_of_the_documents_and_no_page_is_left_over() -> None:
    folder = ROOT / "docs" / "clients"
    assert {path.stem for path in folder.iterdir()} == {"README", *NAMED}
    for guide in EVERY:
        page = text(folder / f"{guide.id}.md")
        for trouble in filling.troubles(guide, Values(url="https://mcp.example.com/acme/mcp", name="acme")):
            assert trouble.fix in page


@pytest.mark.requirement("A6")
def test_the_life_of_a_token_is_told_with_the_figures_that_hold() -> None:
    tokens, page = Settings().tokens, text(ROOT / "docs" / "token-lifecycle.md")
    assert f"after {duration(tokens.refresh_idle)} without use" in page
    assert f"it ends {duration(tokens.refresh_absolute)} later" in page
    assert tokens.access_ttl == 3600
    assert "| 1 h; 60 s to 30 days by choice |" in page
    assert f"| {tokens.code_ttl} s |" in page
    assert guides.check_prompt().replace("{name}", "acme") in page
    for name in ("which-method", "glossary", "faq"):
        assert len(text(ROOT / "docs" / f"{name}.md").splitlines()) > 10, name
