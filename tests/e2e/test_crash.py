"""kill -9 in the middle of refreshes: what was answered is kept, and nothing is accepted twice."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import jwt
import pytest

from support.oauth import Client, rpc
from support.person import Person
from support.running_demo import Demo, free_port, start, stop

CONNECTIONS = 20
ROUNDS = 10


def test_N7_kill_9_in_the_middle_of_200_refreshes_loses_no_answered_token_and_accepts_none_twice(
    tmp_path: Path,
) -> None:
    port, data = free_port(), tmp_path / "data"
    demo = start(data, port)
    clients = [Client(demo.url, demo.mcp_url, name=f"crash {n}") for n in range(CONNECTIONS)]
    person = Person(*demo.user("owner"))
    newest = [client.connect(person).refresh for client in clients]
    spent: list[list[str]] = [[] for _ in clients]

    def refresh_on(index: int) -> None:
        for _ in range(ROUNDS):
            try:
                answer = clients[index].refresh(newest[index])
            except httpx2.HTTPError:
                return
            assert answer.status_code == 200, answer.text
            spent[index].append(newest[index])
            newest[index] = answer.json()["refresh_token"]

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        running = [pool.submit(refresh_on, index) for index in range(CONNECTIONS)]
        while sum(map(len, spent)) < CONNECTIONS * ROUNDS // 4:
            assert not all(job.done() for job in running)
        demo.process.send_signal(signal.SIGKILL)
        for job in running:
            job.result()
    stop(demo, signal.SIGKILL)
    assert 0 < sum(map(len, spent)) < CONNECTIONS * ROUNDS, "the kill came too late to show anything"

    demo = start(data, port)
    try:
        for index, client in enumerate(clients):
            answer = client.refresh(newest[index])
            assert answer.status_code == 200, f"an answered token was lost: {answer.text}"
            assert rpc(demo.mcp_url, answer.json()["access_token"], "tools/list").status_code == 200
            for old in spent[index]:
                assert client.refresh(old).status_code == 400, "a spent token was accepted again"
                break
    finally:
        stop(demo)


def test_B2_a_refresh_that_kill_9_cut_off_gives_the_same_successor_and_a_late_replay_ends_it(tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "data"
    demo = start(data, port)
    person = Person(*demo.user("owner"))
    client = Client(demo.url, demo.mcp_url, name="cut off")
    first, other = client.connect(person).refresh, client.connect(person)
    before = client.refresh(first).json()
    demo.process.send_signal(signal.SIGKILL)
    stop(demo, signal.SIGKILL)

    demo = start(data, port)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(client.refresh, [first] * 8))
        assert [answer.status_code for answer in answers] == [200] * 8
        assert {answer.json()["refresh_token"] for answer in answers} == {before["refresh_token"]}
        # The window ends when the successor is used: what comes after that is a theft.
        newest = client.refresh(before["refresh_token"]).json()
        assert client.refresh(first).json()["error"] == "invalid_grant"
        assert rpc(demo.mcp_url, newest["access_token"], "tools/list").status_code == 401
        assert rpc(demo.mcp_url, other.access, "tools/list").status_code == 200
        assert client.refresh(other.refresh).status_code == 200
        assert "was disconnected from" in person.browser.get(f"{demo.url}/settings/keys").text
    finally:
        stop(demo)


@pytest.mark.requirement("D3")
def test_a_connection_and_a_client_are_ended_from_another_process_at_the_next_call(own_demo: Demo) -> None:
    demo, person = own_demo, Person(*own_demo.user("editor"))
    client = Client(demo.url, demo.mcp_url, name="to be ended")
    tokens, kept = client.connect(person), client.connect(person)
    rows = json.loads(demo.command("connection", "list", "--user", demo.user("editor")[0], "--json").stdout)
    ids = [row["id"] for row in rows["connections"]]
    assert len(ids) == 2
    by_claim = jwt.decode(tokens.access, options={"verify_signature": False})["connection"]
    assert "has ended" in demo.command("connection", "end", by_claim).stdout
    assert "had ended before" in demo.command("connection", "end", by_claim).stdout
    assert rpc(demo.mcp_url, tokens.access, "tools/list").status_code == 401
    assert rpc(demo.mcp_url, kept.access, "tools/list").status_code == 200
    assert client.refresh(tokens.refresh).json()["error"] == "invalid_grant"
    listed = demo.command("connection", "list", "--user", demo.user("editor")[0]).stdout
    assert by_claim not in listed
    assert "living" in listed
    demo.command("client", "disable", client.client_id)
    assert rpc(demo.mcp_url, kept.access, "tools/list").status_code == 401
    assert client.refresh(kept.refresh).json()["error"] == "invalid_client"
    demo.command("client", "enable", client.client_id)
    assert rpc(demo.mcp_url, kept.access, "tools/list").status_code == 200
