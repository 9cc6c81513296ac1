"""``doorward demo`` as a person runs it: a process of its own, with Harbour behind it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.oauth import call, result, rpc, tool_names
from support.running_demo import Demo, free_port, run, running_demo, start, stop

pytestmark = pytest.mark.requirement("G1")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_demo(Path(tmp_path_factory.mktemp("demo")) / "data") as running:
        yield running


def harbour_of(demo: Demo) -> str:
    """Return the process id of the Harbour that a demo started."""
    children = Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
    assert len(children) == 1
    return children[0]


def is_gone(pid: str) -> bool:
    """Wait for a process to end, at most ten seconds."""
    try:
        watched = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([watched], [], [], 10)
    os.close(watched)
    return bool(ended)


def test_the_json_has_exactly_the_promised_shape(demo: Demo) -> None:
    said = demo.printed
    assert list(said) == ["url", "mcp_url", "tenants", "users", "api_keys", "pid"]
    assert said["mcp_url"] == f"{said['url']}/mcp"
    assert [set(tenant) for tenant in said["tenants"]] == [{"slug", "mcp_url"}] * 2
    assert [tenant["slug"] for tenant in said["tenants"]] == ["acme", "globex"]
    assert all(set(user) == {"email", "password", "tenants"} for user in said["users"])
    assert all(set(place) == {"slug", "role"} for user in said["users"] for place in user["tenants"])
    assert all(set(key) == {"name", "user", "tenant", "key"} for key in said["api_keys"])
    assert said["pid"] == demo.process.pid


def test_the_first_user_owns_the_first_tenant_and_the_first_key(demo: Demo) -> None:
    said = demo.printed
    assert said["users"][0]["tenants"] == [{"slug": said["tenants"][0]["slug"], "role": "owner"}]
    assert (said["api_keys"][0]["user"], said["api_keys"][0]["tenant"]) == (said["users"][0]["email"], "acme")
    roles = {place["role"] for user in said["users"] for place in user["tenants"]}
    assert roles == {"owner", "editor", "viewer"}
    assert sum(len(user["tenants"]) == 2 for user in said["users"]) == 1
    assert len({user["password"] for user in said["users"]}) == len(said["users"])


def test_each_key_reaches_the_tools_of_its_owner(demo: Demo) -> None:
    keys = {key["user"]: key["key"] for key in demo.printed["api_keys"]}
    everything = tool_names(demo.mcp_url, keys["ines@acme.example"])
    assert {"delete_project", "create_document", "list_projects", "whoami"} <= everything
    assert not {name for name in tool_names(demo.mcp_url, keys["vera@acme.example"]) if name.startswith("create_")}
    projects = json.dumps(result(call(demo.mcp_url, keys["gus@globex.example"], "list_projects")))
    assert "Meridian" in projects
    assert "Atlas" not in projects


def test_what_a_tool_created_can_limit_a_key_at_once(demo: Demo) -> None:
    made = result(call(demo.mcp_url, demo.key(), "create_folder", project_id="prj-atlas", name="Trials"))
    folder = made["result"]["structuredContent"]["id"]
    options = ("--user", "ines@acme.example", "--tenant", "acme", "--name", "trials", "--resource", f"folder/{folder}")
    key = json.loads(demo.command("token", "create", *options, "--json").stdout)["key"]
    inside = result(call(demo.mcp_url, key, "create_document", folder_id=folder, title="Day one", body="x"))
    assert not inside["result"].get("isError"), inside
    outside = result(call(demo.mcp_url, key, "get_document", document_id="doc-atlas-safety"))
    missing = result(call(demo.mcp_url, key, "get_document", document_id="doc-atlas-safetx"))
    assert outside["result"]["isError"]
    assert json.dumps(outside).replace("safety", "safetx") == json.dumps(missing)
    listed = result(call(demo.mcp_url, key, "list_folders"))["result"]["structuredContent"]["folders"]
    assert [item["id"] for item in listed] == [folder]


def test_harbour_itself_lets_nobody_in(demo: Demo) -> None:
    port = next(line.split()[1] for line in listening(harbour_of(demo)))
    refused = httpx2.post(f"http://127.0.0.1:{int(port.partition(':')[2], 16)}/mcp", json={})
    assert refused.status_code == 401


def listening(pid: str) -> list[str]:
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [row for row in rows if row.split()[3] == "0A" and f"socket:[{row.split()[9]}]" in inodes]


def test_a_kept_directory_has_the_same_passwords_keys_and_data_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "kept"
    with running_demo(data) as first:
        made = result(call(first.mcp_url, first.key(), "create_folder", project_id="prj-atlas", name="Kept"))
        first.apply({"tenants": [{"slug": "acme", "members": [{"user": "vera@acme.example", "roles": ["editor"]}]}]})
    with running_demo(data) as second:
        for what in ("users", "api_keys"):
            assert first.printed[what] == second.printed[what]
        folder = made["result"]["structuredContent"]["id"]
        assert folder in json.dumps(result(call(second.mcp_url, second.key(), "list_folders")))
        vera = next(key["key"] for key in second.printed["api_keys"] if key["user"].startswith("vera"))
        # What an administrator changed is not put back by a restart; the key holds what it was made with.
        assert "already_seen" not in tool_names(second.mcp_url, vera)
        options = ("--user", "vera@acme.example", "--tenant", "acme", "--name", "now an editor", "--json")
        assert "documents:write" in json.loads(second.command("token", "create", *options).stdout)["scopes"]
    assert (data / "demo.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_with_everything_it_started(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "doorward.cli.main", "demo", "--json", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    demo = Demo(said, tmp_path, process)
    child = harbour_of(demo)
    assert next(tmp_path.iterdir()).name.startswith("doorward-demo-")
    process.send_signal(number)
    rest, complaints = process.communicate(timeout=20)
    assert process.returncode == 0, complaints
    assert rest == ""
    assert "Traceback" not in complaints
    assert is_gone(child)
    assert list(tmp_path.iterdir()) == []


def test_harbour_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    demo = start(tmp_path / "data", free_port())
    child = harbour_of(demo)
    stop(demo, signal.SIGKILL)
    assert is_gone(child)


def test_without_harbour_it_ends_with_one_line(tmp_path: Path) -> None:
    demo = start(tmp_path / "data", free_port())
    os.kill(int(harbour_of(demo)), signal.SIGKILL)
    assert demo.process.wait(20) == 1
    stop(demo)
    assert "Harbour, the example MCP server, ended" in (tmp_path / "data.log").read_text()


def test_a_taken_port_is_one_line_with_cause_and_fix(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        failed = run("doorward.cli.main", "demo", "--port", port, "--data", str(tmp_path / "x"), check=False)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith(f"error: port {port}: Address already in use")
    assert failed.stderr.count("\n") == 1


def test_a_directory_that_is_no_demonstration_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "doorward.db").write_text("precious")
    failed = run("doorward.cli.main", "demo", "--port", "0", "--data", str(tmp_path), check=False)
    assert failed.returncode == 1
    assert "holds a deployment that is no demonstration" in failed.stderr
    assert (tmp_path / "doorward.db").read_text() == "precious"


@pytest.mark.parametrize("url", ["x", "ftp://127.0.0.1/mcp", "http://"])
def test_an_upstream_that_is_no_url_is_refused(url: str) -> None:
    failed = run("doorward.cli.main", "demo", "--port", "0", "--upstream", url, check=False)
    assert failed.returncode == 1
    assert "not an http(s) URL" in failed.stderr


def test_another_mcp_server_can_be_put_behind_the_door(tmp_path: Path) -> None:
    command, tests = [sys.executable, "-m", "support.everything_server"], Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=tests, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None
        url = upstream.stdout.readline().strip()
        try:
            with running_demo(tmp_path / "data", "--upstream", url) as demo:
                assert rpc(demo.mcp_url, demo.key(), "tools/list").status_code == 200
                assert len(tool_names(demo.mcp_url, demo.key())) > 2
                assert not Path(f"/proc/{demo.process.pid}/task/{demo.process.pid}/children").read_text().split()
        finally:
            upstream.terminate()


def test_without_its_package_the_example_server_is_named_with_the_way_to_get_it() -> None:
    code = "import sys; sys.modules['mcp'] = None; from doorward.cli.main import main; main()"
    command = [sys.executable, "-c", code, "demo", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the example MCP server needs the package mcp. Run `pip install ")
    assert done.stderr.count("\n") == 1
