"""The public conformance suite, run as it is: our authorization server, and MCP through the gateway."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from support.key_shim import key_shim
from support.node import NODE_PROJECT, node
from support.person import Person
from support.running_demo import Demo, free_port, running_demo

SUITE = NODE_PROJECT / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"


def checks_in(folder: Path) -> dict[str, list[str]]:
    """Return the status of every check, by scenario and check id."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("checks.json")):
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*$", "", path.parent.name)
        for check in json.loads(path.read_text(encoding="utf-8")):
            found.setdefault(f"{scenario}/{check['id']}", []).append(check["status"])
    return found


def test_the_authorization_server_passes_with_no_failure_and_no_warning(demo: Demo, tmp_path: Path) -> None:
    port = free_port()
    redirect = f"http://127.0.0.1:{port}/callback"
    body = {"client_name": "conformance", "redirect_uris": [redirect], "token_endpoint_auth_method": "none"}
    client = httpx2.post(f"{demo.url}/oauth/clients/register", json=body, trust_env=False).json()["client_id"]
    command = [node(), str(SUITE), "authorization", "--url", demo.url, "--client-id", client]
    command += ["--resource", demo.mcp_url, "--port", str(port), "-o", str(tmp_path)]
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line)
            found = re.search(r"https?://\S+/authorize\?\S+", line)
            if found:
                person = Person(*demo.user("owner"))
                threading.Thread(target=person.open, args=(found[0],), daemon=True).start()
    assert run.returncode == 0, "".join(said)[-3000:]
    statuses = checks_in(tmp_path)
    assert statuses, "".join(said)[-3000:]
    wrong = {name: got for name, got in statuses.items() if {"FAILURE", "WARNING"} & set(got)}
    assert not wrong


@pytest.fixture(scope="module")
def everything() -> Iterator[str]:
    """The URL of an MCP server that has everything the suite asks for, spoken to directly."""
    command, tests = [sys.executable, "-m", "support.everything_server"], Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=tests, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def through(everything: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the same server behind Doorward, with a fully entitled key added on the way."""
    data = Path(tmp_path_factory.mktemp("everything")) / "data"
    with running_demo(data, "--upstream", everything) as demo, key_shim(demo.mcp_url, demo.key()) as url:
        yield url


def server_mode(url: str, revision: str, folder: Path) -> dict[str, list[str]]:
    command = [node(), str(SUITE), "server", "--url", url, "--requirements", revision, "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=240, check=False)
    found = checks_in(folder)
    assert found, done.stdout[-3000:] + done.stderr[-3000:]
    return found


@pytest.mark.parametrize("revision", ["2026-07-28", "2025-11-25"])
def test_through_the_gateway_every_check_gives_what_the_upstream_gives_directly(
    everything: str, through: str, revision: str, tmp_path: Path
) -> None:
    direct = server_mode(everything, revision, tmp_path / "direct")
    gateway = server_mode(through, revision, tmp_path / "gateway")
    differing: dict[str, Any] = {
        name: {"direct": direct.get(name), "gateway": gateway.get(name)}
        for name in direct.keys() | gateway.keys()
        if direct.get(name) != gateway.get(name)
    }
    assert not differing, json.dumps(differing, indent=1)
    required = yaml.safe_load((SUITE.parent.parent / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8"))
    scored = {f"server-{scenario}" for scenario in required["server"]}
    failed = {name for name, got in direct.items() if "FAILURE" in got and name.partition("/")[0] in scored}
    # The extension's scenarios are not scored, but tasks are served here.
    failed |= {name for name, got in direct.items() if "FAILURE" in got and name.startswith("server-tasks-")}
    assert not failed, "the upstream of this test must itself conform"
    if revision == "2026-07-28":
        assert len([name for name in direct if name.startswith("server-tasks-")]) > 30
