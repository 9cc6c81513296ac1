"""Clients of vendors that are packages: how each says that it reached a server, without an account at its vendor."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from doorward.clients import filling, guides
from doorward.clients.filling import Values
from doorward.clients.guides import Guide, Way

PROMPT = guides.check_prompt()
_REQUESTS = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "tests", "version": "1"}}},
    {"method": "initialized"},
    {"id": 2, "method": "mcpServerStatus/list", "params": {}},
)
# Input stays open until the answer is there: codex ends with its input.
CODEX_STATUS = (
    "coproc codex app-server 2>/dev/null\n"
    + "".join(f"echo {shlex.quote(json.dumps(each))} >&${{COPROC[1]}}\n" for each in _REQUESTS)
    + "while read -r -u ${COPROC[0]} answer; do case $answer in *'\"id\":2,'*) echo $answer; break;; esac; done"
)


@dataclass(frozen=True, kw_only=True)
class VendorClient:
    """A client, and what to expect of it.

    ``asks``: a command of the client that connects; it prints ``reached`` when it has. ``lists`` and ``listed``: its own
    list, and what stands in it, by the way that was set up. ``agent``: how its requests with a key begin to name
    themselves. ``typed``: the command that gives a text of a guide to the client. ``answers``: what it asks, and what one
    types. ``stays``: it signs in inside a session that does not end by itself. ``settings``: files that stand for an
    answer in a dialog.
    """

    package: str
    asks: str
    reached: str
    lists: str
    listed: Mapping[Way, str]
    agent: str
    env: Mapping[str, str] = field(default_factory=dict)
    typed: Callable[[str], str] | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    stays: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


CLIENTS: Mapping[str, VendorClient] = {
    "claude-code": VendorClient(
        package="@anthropic-ai/claude-code",
        asks="claude mcp list",
        reached="{url} (HTTP) - ✔ Connected",
        lists="claude mcp list",
        listed={"oauth": "{url} (HTTP) - ! Needs authentication", "key": "{url} (HTTP) - ✔ Connected"},
        agent="claude-code/",
        env={
            "DISABLE_AUTOUPDATER": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_TELEMETRY": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        # The approval of a project's servers, which a session asks for.
        settings={"~/.claude/settings.json": '{"enableAllProjectMcpServers": true}'},
    ),
    "codex": VendorClient(
        package="@openai/codex",
        asks=CODEX_STATUS,
        reached='"whoami":{"name":"whoami"',
        lists="codex mcp list",
        listed={"oauth": "Not logged in", "key": "Bearer token"},
        agent="codex-mcp-client/",
    ),
    "copilot-cli": VendorClient(
        package="@github/copilot",
        # Its own models need an account at GitHub; with a model of one's own it needs none (`copilot help providers`).
        asks=f"copilot --disable-builtin-mcps -p {shlex.quote(PROMPT)}",
        reached="The tool says: You are Ines Duarte",
        lists="copilot mcp list",
        listed={"key": "{name} (http)"},
        agent="copilot-cli/",
        env={"COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false", "COPILOT_MODEL": "local", "COPILOT_ALLOW_ALL": "true"},
        stays=True,
    ),
    "gemini-cli": VendorClient(
        package="@google/gemini-cli",
        asks="gemini mcp list",
        reached="✓ {name}: {url} (http) - Connected",
        lists="gemini mcp list",
        listed={"key": "✓ {name}: {url} (http) - Connected"},
        agent="node",
        # A session starts with a key of the vendor's only; a command in it asks nothing of the vendor, so any text does.
        env={"GEMINI_API_KEY": "none", "GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_CLI_NO_RELAUNCH": "true"},
        typed=lambda text: f"gemini -p {shlex.quote(text)} || true",
        answers={"[Y/n]": "Y\r"},
    ),
}  # fmt: skip


def commands(guide: Guide, way: Way, values: Values, *, adds: bool = True) -> str:
    """Return what a person types, as the guide gives it; without ``adds`` not what adds the server."""
    typed, lines = CLIENTS[guide.id].typed, []
    for step in filling.steps(guide, way, values):
        if step.config or step.snippet is None or (not adds and " mcp add " in step.snippet.text):
            continue
        if step.snippet.kind == "shell":
            lines.append(step.snippet.text)
        else:
            assert typed is not None
            lines.append(typed(step.snippet.text))
    return "\n".join(lines)


def file(guide: Guide, way: Way, values: Values) -> tuple[str, str]:
    """Return the configuration file of the guide: its path, from the home or in the project, and its text."""
    assert guide.config is not None
    [text] = [step.snippet.text for step in filling.steps(guide, way, values) if step.config and step.snippet]
    return guide.config.files.get("linux") or str(guide.config.project), text
