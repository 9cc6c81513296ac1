"""``doorward explain``: the decision, why, and what would change it (feature D7)."""

import asyncio
import json
from typing import Any

import pytest
from tests.cli.commands import TEAM, Commands, failed

from doorward.bootstrap.core import open_core
from doorward.model import Instant, TenantId, UserId
from doorward.settings import load
from doorward.storage import accounts, events, servers
from doorward.storage.database import Reader, Transaction

INES, SAM = "ines@acme.example", "sam@both.example"
HERE = ("--tenant", "acme", "--server", "wiki")

pytestmark = pytest.mark.requirement("D7")


def explained(team: Commands, *options: str) -> dict[str, Any]:
    done = team.run("explain", *options, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def in_storage(team: Commands, work: Any) -> Any:
    async def use() -> Any:
        core = await open_core(load(data_dir=team.data), create=False)
        try:
            return await core.database.write(work)
        finally:
            await core.close()

    return asyncio.run(use())


@pytest.mark.requirement("pains/C25")
def test_a_person_without_the_right_is_explained_in_words(team: Commands) -> None:
    done = team.run("explain", "--user", SAM, *HERE, "--tool", "put_page")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Denied at step 4: the owner has no pages:write.\n")
    assert "Tool rule 2 of server wiki: *. It needs pages:write" in done.stdout
    assert "viewer: pages:read wiki:read" in done.stdout
    assert "The caller is told: That there is no such tool; it is not listed either." in done.stdout
    assert f"To allow it: Give {SAM} a role that holds pages:write" in done.stdout


def test_looking_as_a_person_is_as_if_everything_were_granted(team: Commands) -> None:
    found = explained(team, "--user", INES, *HERE, "--tool", "put_page")
    assert (found["decision"], found["reason"], found["remedy"], found["logged"]) == ("allowed", None, None, None)
    assert {step["outcome"] for step in found["steps"]} == {"pass"}


def test_a_key_is_told_by_its_id_and_by_its_shown_prefix(team: Commands) -> None:
    made = team.made("--user", INES, "--scope", "pages:read")
    for shown in (made["id"], f"dw_{made['id']}"):
        found = explained(team, "--user", INES, *HERE, "--tool", "put_page", "--key", shown)
        assert (found["decision"], found["reason"]) == ("denied", "scope")
    assert team.run("token", "revoke", made["id"]).exit_code == 0
    dead = explained(team, "--user", INES, *HERE, "--tool", "get_page", "--key", made["id"])
    assert (dead["reason"], dead["told"]) == ("credential", "HTTP 401 with error=invalid_token.")
    assert made["id"] in dead["summary"]


def test_arguments_say_which_resource_it_is_about(team: Commands) -> None:
    rule = {"match": "get_*", "requires": ["pages:read"], "resource": {"argument": "/space", "type": "space"}}
    assert team.apply({"servers": [{**TEAM["servers"][0], "tools": [rule]}]}).exit_code == 0
    ask = ("--user", SAM, *HERE, "--tool", "get_page", "--arguments")
    assert explained(team, *ask, '{"space": "s/1"}')["decision"] == "allowed"
    foreign = explained(team, *ask, '{"space": "s/2"}')
    assert foreign["reason"] == "unresolvable"
    assert foreign["told"].startswith("A tool result with isError")


def test_resources_and_prompts_are_explained_too(team: Commands) -> None:
    resource = {"match": "wiki://{space}/x", "requires": ["pages:read"], "resource": {"argument": "/space", "type": "space"}}  # fmt: skip
    assert team.apply({"servers": [{**TEAM["servers"][0], "resources": [resource]}]}).exit_code == 0
    found = explained(team, "--user", SAM, *HERE, "--resource", "wiki://s/x")
    assert (found["decision"], found["reason"]) == ("denied", "unresolvable")
    assert found["told"] == "That there is no such resource; it is not listed either."
    assert explained(team, "--user", SAM, *HERE, "--prompt", "hello")["decision"] == "allowed"


def test_a_server_that_is_disabled_or_not_enabled_stops_everybody(team: Commands) -> None:
    assert team.apply({"servers": [{**TEAM["servers"][0], "status": "disabled"}]}).exit_code == 0
    assert explained(team, "--user", INES, *HERE, "--tool", "get_page")["reason"] == "server"
    elsewhere = explained(team, "--user", SAM, "--tenant", "globex", "--server", "wiki", "--tool", "get_page")
    assert elsewhere["reason"] == "server"


def test_somebody_who_was_disabled_is_nobody(team: Commands) -> None:
    another_owner = {"slug": "globex", "members": [{"user": INES, "roles": ["owner"]}]}
    assert team.apply({"tenants": [another_owner]}).exit_code == 0
    assert team.apply({"users": [{"email": SAM, "status": "disabled"}]}).exit_code == 0
    assert explained(team, "--user", SAM, *HERE, "--tool", "get_page")["reason"] == "credential"


def test_that_one_looked_is_an_event_and_nothing_else_changes(team: Commands) -> None:
    explained(team, "--user", SAM, *HERE, "--tool", "get_page")

    def look(reader: Reader) -> list[events.AuditEvent]:
        tenant = accounts.tenant_by_slug(reader, "acme")
        assert tenant is not None
        return events.recent_events(reader, tenant.id, 1)

    (event,) = in_storage(team, look)
    assert (event.name, event.subject, event.actor_id) == ("decision:explained", SAM, None)
    assert event.detail == {"by": "doorward explain", "server": "wiki", "tool": "get_page"}


def test_a_logged_call_is_explained_as_of_now(team: Commands) -> None:
    made = team.made("--user", INES, "--scope", "pages:read")

    def log(tx: Transaction) -> None:
        tenant, user = accounts.tenant_by_slug(tx, "acme"), accounts.user_by_email(tx, INES)
        server = servers.server_by_slug(tx, "wiki")
        assert tenant is not None
        assert user is not None
        assert server is not None
        call = events.CallEvent(
            at=Instant(1), tenant_id=TenantId(tenant.id), user_id=UserId(user.id), credential="api_key",
            credential_id=made["id"], client_id=None, server_id=server.id, method="tools/call", name="put_page",
            decision="denied", reason="scope: old words", status=400, duration_us=1, request_id="req_one",
        )  # fmt: skip
        events.insert_calls(tx, [call, call._replace(method="tools/list", name=None, request_id="req_list")])
        events.insert_calls(tx, [call._replace(server_id="gone", request_id="req_gone")])

    in_storage(team, log)
    found = explained(team, "--request", "req_one")
    assert found["reason"] == "scope"
    assert found["logged"]["reason"] == "scope: old words"
    words = team.run("explain", "--request", "req_one").stdout
    assert words.startswith("Logged: tools/call put_page: denied (scope: old words). Now:\nDenied at step 5")
    assert "holds no call" in failed(team.run("explain", "--request", "req_list"))
    assert "holds no call" in failed(team.run("explain", "--request", "req_none"))
    assert "is gone" in failed(team.run("explain", "--request", "req_gone"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--user", "nobody@x.example", *HERE, "--tool", "x"), "is no member"),
        (("--user", "lone@x.example", *HERE, "--tool", "x"), "is no member"),
        (("--user", INES, "--tenant", "x", "--server", "wiki", "--tool", "x"), "there is no tenant"),
        (("--user", INES, "--tenant", "acme", "--server", "x", "--tool", "x"), "there is no server"),
        (("--user", INES, *HERE, "--tool", "x", "--key", "nokey"), "no such API key"),
        (("--user", INES, *HERE, "--tool", "x", "--connection", "con_x"), "no such connection"),
    ],
)
def test_what_is_not_there_is_told_so(team: Commands, options: tuple[str, ...], words: str) -> None:
    assert words in failed(team.run("explain", *options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--user", INES, *HERE), "Name one of"),
        (("--user", INES, *HERE, "--tool", "x", "--prompt", "y"), "Name one of"),
        (("--tool", "x"), "Missing option '--tenant'"),
        (("--tenant", "acme", "--tool", "x"), "Missing option '--user'"),
        (("--user", INES, "--tenant", "acme", "--tool", "x"), "Missing option '--server'"),
        (("--user", INES, *HERE, "--tool", "x", "--key", "a", "--connection", "b"), "not both"),
        (("--request", "req_1", "--tool", "x"), "stands alone"),
        (("--request", "req_1", "--user", INES), "stands alone"),
        (("--user", INES, *HERE, "--tool", "x", "--arguments", "[1]"), "no strict JSON object"),
        (("--user", INES, *HERE, "--tool", "x", "--arguments", '{"a": 1, "a": 2}'), "no strict JSON object"),
        (("--user", INES, *HERE, "--tool", "x", "--arguments", "{"), "no strict JSON object"),
    ],
)
def test_wrong_usage_is_exit_code_two(team: Commands, options: tuple[str, ...], words: str) -> None:
    assert words in failed(team.run("explain", *options), 2)
