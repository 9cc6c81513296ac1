"""What the guides say is done with the vendors' own programs against the demo: signed in, with a key, by command, by file."""

import json
import re
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import Commands
from tests.e2e.vendor_clients import CLIENTS, commands, file

from doorward.clients import filling, guides
from doorward.clients.filling import Values
from doorward.clients.guides import Guide, Way
from support.computer import Computer
from support.local_model import local_model
from support.running_demo import Demo

pytestmark = [pytest.mark.requirement("A5"), pytest.mark.timeout(300)]
WRITTEN_WITHIN = 30.0
GUIDES = [guides.guides()[name] for name in CLIENTS]
WAYS = [(guides.guides()[name], way) for name in CLIENTS for way in guides.WAYS]
FILES = [each for each in WAYS if any(step.config for step in each[0].steps[each[1]])]
LISTED = [each for each in WAYS if each[1] in CLIENTS[each[0].id].listed]


def named(value: Guide | str) -> str:
    return value.id if isinstance(value, Guide) else value


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    """The base URL of a model on this computer."""
    with local_model() as url:
        yield url


@pytest.fixture
def computer(demo: Demo, model: str, tmp_path: Path) -> Computer:
    every = {name: value for client in CLIENTS.values() for name, value in client.env.items()}
    return Computer(tmp_path / "home", demo.user("owner"), {**every, "COPILOT_PROVIDER_BASE_URL": model})


@pytest.fixture
def values(demo: Demo) -> Values:
    return Values(url=demo.tenant_url("acme"), name="harbour", key=demo.key())


@pytest.fixture
def operator(demo: Demo) -> Commands:
    """Commands beside the running demo, in this process."""
    return Commands(demo.data.parent)


def reaches(computer: Computer, guide: Guide, values: Values, before: str) -> None:
    """Run what a person types and then the client's own command; it tells that it reached the server."""
    client = CLIENTS[guide.id]
    shown = computer.run(f"{before}\n{filling.text(client.asks, values)}", answers=client.answers)
    assert filling.text(client.reached, values) in shown, shown[-3000:]


def attempts(operator: Commands, guide: Guide) -> dict[int, dict[str, Any]]:
    """Return the attempts of a client that is known again by its name, by id."""
    found = json.loads(operator.run("attempts", "--json").stdout)["attempts"]
    return {each["id"]: each for each in found if guides.known_as(each["client_name"] or "", None) == guide}


def connected(operator: Commands, guide: Guide, before: Collection[int]) -> list[str]:
    """Return the connections that began since and had their first call."""
    new = [each for number, each in attempts(operator, guide).items() if number not in before]
    return [each["connection_id"] for each in new if each["state"] == "connected"]


def listed_tools(operator: Commands, connection: str) -> bool:
    """Say whether the tools were listed with a connection."""
    return " tools/list " in operator.run("audit", "--tenant", "acme", "--calls", "--key", connection).stdout


def within(seen: Callable[[], object]) -> bool:
    """Say whether something is seen soon: steps and calls are written down a moment after their answer."""
    deadline = time.monotonic() + WRITTEN_WITHIN
    while not (found := seen()) and time.monotonic() < deadline:
        pass
    return bool(found)


def signs_in(demo: Demo, computer: Computer, guide: Guide, values: Values, typed: str) -> None:
    """Type what signs in, with somebody at the browser, and look that the client reached the server after it."""
    operator = Commands(demo.data.parent)
    before = attempts(operator, guide).keys()
    if CLIENTS[guide.id].stays:
        computer.run(
            typed, until=lambda _: any(listed_tools(operator, each) for each in connected(operator, guide, before))
        )
    else:
        reaches(computer, guide, values, typed)
        assert within(lambda: connected(operator, guide, before))
    assert computer.opened()
    assert all(url.startswith(f"{demo.url}/oauth/authorize?") for url in computer.opened())


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_the_commands_of_a_guide_sign_in_and_connect(
    demo: Demo, computer: Computer, values: Values, guide: Guide
) -> None:
    signs_in(demo, computer, guide, values, commands(guide, "oauth", values))


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_the_commands_of_a_guide_connect_with_a_key_and_take_it_away_again(
    demo: Demo, operator: Commands, computer: Computer, values: Values, guide: Guide
) -> None:
    made = operator.made("--user", demo.user("owner")[0], "--tenant", "acme", "--name", "vendor")
    client, values = CLIENTS[guide.id], replace(values, key=made["key"])
    reaches(computer, guide, values, commands(guide, "key", values))
    assert within(lambda: used_by(operator, made["id"]).startswith(client.agent))
    assert computer.opened() == []
    kept = [path for path in computer.home.rglob("*") if path.is_file() and values.key in path.read_text("latin-1")]
    assert kept == [], "the key stays in the environment"
    [remove] = re.findall(r"`(\w+ mcp remove .+?)`", filling.text(guide.remove, values))
    assert values.url not in computer.run(f"{remove} >/dev/null\n{client.lists}")


def used_by(operator: Commands, key: str) -> str:
    """Return how the program that used the key last names itself; nothing when it was not used."""
    keys = json.loads(operator.run("token", "list", "--tenant", "acme", "--json").stdout)["keys"]
    [used] = [each["last_used"] for each in keys if each["id"] == key]
    return str(used["client"]) if used else ""


@pytest.mark.parametrize(("guide", "way"), FILES, ids=named)
def test_the_file_of_a_guide_connects(demo: Demo, computer: Computer, values: Values, guide: Guide, way: Way) -> None:
    for path, text in (file(guide, way, values), *CLIENTS[guide.id].settings.items()):
        computer.write(path, text)
    typed = commands(guide, way, values, adds=False)
    if way == "oauth":
        signs_in(demo, computer, guide, values, typed)
    else:
        reaches(computer, guide, values, typed)


@pytest.mark.parametrize(("guide", "way"), LISTED, ids=named)
def test_doorward_connect_writes_what_the_client_lists(
    operator: Commands, computer: Computer, values: Values, guide: Guide, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CLIENTS[guide.id]
    for path, text in client.settings.items():
        computer.write(path, text)
    monkeypatch.setenv("HOME", str(computer.home))
    monkeypatch.chdir(computer.work)
    key = ["--key"] if way == "key" else []
    written = operator.bare("connect", guide.id, "--url", values.url, "--name", values.name, "--write", *key)
    assert written.exit_code == 0, written.output
    shown = computer.run(f"export {values.env}={values.key}\n{client.lists}")
    assert filling.text(client.listed[way], values) in shown, shown
