"""``doorward serve``, in a process of its own, with commands beside it."""

import base64
import http.client
import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.commands import Commands

from support.running_demo import free_port


@contextmanager
def serving(team: Commands, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Run the server until it says that it serves, and end it as an operator would."""
    command = [sys.executable, "-m", "doorward.cli.main", "serve", "--data", str(team.data), "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stderr is not None
    try:
        assert any("serving" in line for line in iter(process.stderr.readline, ""))
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.close()
        assert process.wait(15) == 0


def status(port: int, key: str | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    connection.request("POST", "/mcp", json.dumps(ask), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_keys_made_and_revoked_beside_the_server_count_at_its_next_call(team: Commands) -> None:
    port = free_port()
    with serving(team, port):
        assert status(port, None) == 401
        made = team.made("--user", "ines@acme.example")
        assert status(port, made["key"]) not in {401, 403, 500}
        assert team.run("token", "revoke", made["id"]).exit_code == 0
        assert status(port, made["key"]) == 401


def test_a_second_server_on_the_same_data_is_refused_in_one_line(team: Commands) -> None:
    with serving(team, free_port()):
        command = [
            sys.executable,
            "-m",
            "doorward.cli.main",
            "serve",
            "--data",
            str(team.data),
            "--port",
            str(free_port()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named_in_one_line(team: Commands) -> None:
    port = free_port()
    with serving(team, port):
        (team.folder / "other").mkdir()
        command = [
            sys.executable,
            "-m",
            "doorward.cli.main",
            "serve",
            "--data",
            str(team.folder / "other"),
            "--port",
            str(port),
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: 127.0.0.1 port {port}: Address already in use. Choose another address or port.\n"


def test_I13_a_key_pasted_in_the_wrong_place_comes_into_no_log_line(team: Commands) -> None:
    key = team.made("--user", "ines@acme.example")["key"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    basic = "Basic " + base64.b64encode(f"{key}:x".encode()).decode()
    token = f"grant_type={key}&client_id=nobody&code={key}"
    wrong_places: list[tuple[str, str, str, dict[str, str]]] = [
        ("GET", f"/oauth/authorize?client_id={key}", "", {}),
        ("GET", f"/errors/{key}/x", "", {}),
        ("POST", "/oauth/token", f"client_id={key}&grant_type=refresh_token", form),
        ("POST", "/oauth/token", token, form | {"Authorization": basic}),
        ("PUT", f"/settings/keys/{key}/revoke", "", {}),
        ("POST", "/sign-in", f"{key}=1&{key}=2&email={key}&email={key}", form | {"Sec-Fetch-Site": "same-origin"}),
    ]
    port = free_port()
    with serving(team, port) as process:
        assert process.stderr is not None
        for method, path, body, headers in wrong_places:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request(method, path, body, headers)
            assert 400 <= connection.getresponse().status < 500
            connection.close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/oauth/authorize?client_id=the-last-one")
        connection.getresponse()
        connection.close()
        lines = list(itertools.takewhile(lambda line: "the-last-one" not in line, iter(process.stderr.readline, "")))
    assert any("unknown client" in line for line in lines)
    assert key[-30:] not in "".join(lines)


def test_H24_a_server_without_people_prints_one_link_and_one_with_people_none(
    commands: Commands, team: Commands
) -> None:
    def printed(data: Path) -> str:
        port = free_port()
        command = [sys.executable, "-m", "doorward.cli.main", "serve", "--data", str(data), "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert any("serving" in line for line in iter(process.stderr.readline, ""))
            process.send_signal(signal.SIGTERM)
            said, logged = process.communicate(timeout=20)
        assert "/setup/" not in logged
        return said

    empty = commands.folder / "empty"
    empty.mkdir()
    assert "http://127.0.0.1:" in printed(empty)
    assert printed(team.data) == ""
