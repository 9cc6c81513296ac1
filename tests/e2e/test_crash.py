"""kill -9 in the middle of refreshes: what was answered is kept, and nothing is accepted twice."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from support.oauth import Client, rpc
from support.person import Person
from support.running_demo import free_port, start, stop

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
