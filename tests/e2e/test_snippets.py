"""The snippets of the setup page, run as they stand against the demo, where the client is a package."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from doorward.clients import filling
from doorward.clients.filling import Values
from doorward.clients.guides import Way, guides
from support.node import NODE_PROJECT, node
from support.person import Person
from support.running_demo import Demo

pytestmark = pytest.mark.requirement("A5")
SECONDS = 40
# What the guide leaves to the reader: where tokens are kept, and how the browser opens.
PROVIDER = """
import http from "node:http";
let deliver;
const code = new Promise((resolve) => { deliver = resolve; });
const listener = http.createServer((request, response) => {
  response.end("ok");
  const found = new URL(request.url, "http://x").searchParams.get("code");
  if (found) { deliver(found); listener.close(); listener.closeAllConnections(); }
});
await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
const redirectUrl = `http://127.0.0.1:${listener.address().port}/callback`;
const kept = {};
export const waitForCode = () => code;
export const authProvider = {
  redirectUrl,
  clientMetadata: { client_name: "TypeScript agent", redirect_uris: [redirectUrl] },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (url) => { console.log(`OPEN ${url.href}`); },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
};
"""
# A browser of the machine: it says where it was sent, and the test's person goes there.
BROWSER = "import webbrowser\nwebbrowser.open = lambda url, *_, **__: print('OPEN', url, flush=True) is None\n"


def snippet(demo: Demo, client: str, way: Way, label: str) -> str:
    values = Values(url=demo.tenant_url("acme"), name="harbour")
    [found] = [
        step.snippet.text
        for step in filling.steps(guides()[client], way, values)
        if step.snippet is not None and label in {step.snippet.label, step.title}
    ]
    return found


def run(demo: Demo, command: list[str], cwd: Path) -> str:
    """Run a program, send a person wherever it wants one, and return what else it said."""
    env = {**os.environ, "DOORWARD_KEY": demo.key()}
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=cwd
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        patience = threading.Timer(SECONDS, process.kill)
        patience.start()
        for line in process.stdout:
            if line.startswith("OPEN "):
                url = line.removeprefix("OPEN ").strip()
                threading.Thread(target=Person(*demo.user("owner")).open, args=(url,), daemon=True).start()
            else:
                said.append(line)
        wrong = process.stderr.read()
    patience.cancel()
    assert process.returncode == 0, wrong[-3000:]
    return "".join(said)


@pytest.mark.parametrize("way", ["oauth", "key"])
def test_the_python_agent_runs(demo: Demo, tmp_path: Path, way: Way) -> None:
    (tmp_path / "agent.py").write_text(snippet(demo, "python", way, "agent.py"))
    command = [sys.executable, "-c", f"{BROWSER}exec(open('agent.py').read())"]
    assert "whoami" in run(demo, command, tmp_path).split()


@pytest.mark.parametrize("way", ["oauth", "key"])
def test_the_typescript_agent_runs(demo: Demo, tmp_path: Path, way: Way) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_PROJECT / "node_modules")
    (tmp_path / "your-provider.mjs").write_text(PROVIDER)
    (tmp_path / "agent.mjs").write_text(snippet(demo, "typescript", way, "agent.mjs"))
    assert "'whoami'" in run(demo, [node(), "agent.mjs"], tmp_path)


@pytest.mark.parametrize(("title", "expected"), [("List the tools", "whoami"), ("Call one", "acme")])
def test_the_curl_commands_run(demo: Demo, tmp_path: Path, title: str, expected: str) -> None:
    said = run(demo, ["bash", "-c", snippet(demo, "curl", "key", title)], tmp_path)
    data = [line.removeprefix("data:") for line in said.splitlines() if line.startswith("data:")] or [said]
    answer = json.loads(data[-1])
    assert "error" not in answer
    assert expected in json.dumps(answer["result"])
