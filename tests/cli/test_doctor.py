"""``doorward doctor`` as a command: options, files and exit codes. What it finds is tried in tests/doctor."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.cli.commands import Commands, failed

from support.person import Person
from support.running_demo import Demo, free_port, running_demo

pytestmark = pytest.mark.requirement("A7")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN201
    with running_demo(Path(tmp_path_factory.mktemp("demo")) / "data") as running:
        yield running


def test_nothing_fails_on_the_demo_and_a_key_is_never_shown(
    demo: Demo, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", demo.key())
    for url in (demo.mcp_url, demo.tenant_url("acme")):
        done = commands.bare("doctor", url, "--strict", "--token-env", "KEY", "--junit", "out.xml")
        assert done.exit_code == 0, done.output
        assert "PASS  19  Tools for the token alone" in done.stdout
        assert done.stdout.endswith("18 passed, 4 left out.\n"), done.stdout
        assert 'failures="0"' in Path("out.xml").read_text()
        assert demo.key() not in done.output + Path("out.xml").read_text()


def test_what_fails_gives_1_and_what_cannot_be_examined_gives_2(demo: Demo, commands: Commands) -> None:
    done = commands.bare("doctor", f"{demo.url}/sign-in", "--json", "--no-register")
    assert done.exit_code == 1
    said = json.loads(done.stdout)
    assert said["counts"]["fail"] >= 1
    assert said["checks"][1]["findings"][0]["expected"] == "401"
    nobody = commands.bare("doctor", f"http://127.0.0.1:{free_port()}/mcp")
    assert nobody.exit_code == 2
    assert "not answered 401" in nobody.stdout


@pytest.mark.parametrize(
    "url", ["mcp.acme.example", "ftp://a/b", "https://", "https://user:pass@a/mcp", "https://a/b?c=d", "https://a/b c",
            "https://a/\u202e", "https://a/#x", "https://[bad", "https://a:99999/mcp", "https://a:x/mcp"],
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_wrong_usage(commands: Commands, url: str) -> None:
    assert "write the URL of the MCP server" in failed(commands.bare("doctor", url), 2)


def test_an_unknown_client_or_an_empty_variable_is_said(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no client 'emacs'" in failed(commands.bare("doctor", "https://a.example/", "--client", "emacs"))
    monkeypatch.delenv("NOTHING", raising=False)
    assert "holds no token" in failed(commands.bare("doctor", "https://a.example/", "--token-env", "NOTHING"))


def test_somebody_signs_in_and_tokens_are_tried_too(demo: Demo) -> None:
    command = [sys.executable, "-m", "doorward.cli.main", "doctor", demo.mcp_url, "--sign-in", "--strict"]
    command += ["--scope", "documents:read", "--call", "create_document"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        patience = threading.Timer(60, process.kill)
        patience.start()
        assert process.stderr is not None
        assert process.stdout is not None
        address = next(line.strip() for line in process.stderr if "/oauth/authorize?" in line)
        somebody = Person(*demo.user("owner"), tenant="acme")
        assert urlsplit(somebody.open(address)).path == "/callback"
        said = process.stdout.read()
    patience.cancel()
    assert process.returncode == 0, said
    assert said.endswith("21 passed, 1 left out.\n")
    assert "dw_" not in said
