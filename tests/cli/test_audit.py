"""``doorward audit``."""

import json

import pytest
from tests.cli.commands import Commands, failed

from support.calls import TOOLS, a_month_of_calls

pytestmark = pytest.mark.requirement("F2")


def test_changes_are_shown_and_exported_and_the_export_is_in_the_log(team: Commands) -> None:
    team.made("--user", "sam@both.example", "--tenant", "acme")
    shown = team.run("audit", "--tenant", "acme", "--event", "api_key")
    assert shown.exit_code == 0, shown.output
    assert "api_key:created" in shown.stdout
    assert "api_key:created" not in team.run("audit", "--tenant", "globex").stdout
    lines = team.run("audit", "--tenant", "acme", "--jsonl").stdout.splitlines()
    assert "api_key:created" in {json.loads(line)["event"] for line in lines}
    (event,) = map(
        json.loads, team.run("audit", "--tenant", "acme", "--event", "audit:exported", "--jsonl").stdout.splitlines()
    )
    assert (event["event"], event["detail"]["by"], event["actor_id"]) == ("audit:exported", "doorward audit", None)


def test_without_a_tenant_all_is_shown_also_what_is_of_none(team: Commands) -> None:
    team.made("--user", "sam@both.example", "--tenant", "globex")
    a_month_of_calls(team.data, days=2)
    assert "signing_key:created" in team.run("audit", "--most", "1000").stdout
    assert "signing_key:created" not in team.run("audit", "--tenant", "acme", "--most", "1000").stdout
    assert "api_key:created" in team.run("audit", "--event", "api_key", "--user", "sam@both.example").stdout
    assert TOOLS[0] in team.run("audit", "--calls", "--tool", TOOLS[0]).stdout
    lines = [json.loads(line) for line in team.run("audit", "--jsonl").stdout.splitlines()]
    assert {"signing_key:created", "api_key:created"} <= {line["event"] for line in lines}


def test_calls_are_found_and_exported_whole(team: Commands) -> None:
    count = a_month_of_calls(team.data, days=30, per_day=50)
    lines = team.run("audit", "--tenant", "acme", "--calls", "--jsonl").stdout.splitlines()
    assert len(lines) == count
    denied = [json.loads(line) for line in lines if json.loads(line)["decision"] == "denied"]
    shown = team.run(
        "audit", "--tenant", "acme", "--calls", "--decision", "denied", "--most", "1000"
    ).stdout.splitlines()
    assert len(shown) == len(denied)
    one = team.run("audit", "--tenant", "acme", "--calls", "--tool", TOOLS[0], "--most", "1").stdout
    assert f"{TOOLS[0]}  on=" in one
    assert one.count("\n") == 1
    assert team.run("audit", "--tenant", "acme", "--calls", "--until", "2001-01-01").stdout == ""


def test_where_calls_came_from_is_shown_and_looked_for(team: Commands) -> None:
    a_month_of_calls(team.data, days=1, per_day=30)
    calls = ("audit", "--tenant", "acme", "--calls")
    rows = [json.loads(line) for line in team.run(*calls, "--jsonl").stdout.splitlines()]
    wanted = [row for row in rows if row["address"] == "192.0.2.1"]
    assert 0 < len(wanted) < len(rows)
    shown = team.run(*calls, "--address", "::ffff:192.0.2.1", "--most", "1000").stdout.splitlines()
    assert len(shown) == len(wanted)
    assert all('from="192.0.2.1"' in line for line in shown)
    assert "address=192.0.2.1" in team.run("log", wanted[0]["request_id"]).stdout
    # Nobody asked for it over a network.
    (event,) = map(json.loads, team.run("audit", "--event", "audit:exported", "--jsonl").stdout.splitlines()[:1])
    assert (event["address"], event["request_id"]) == (None, None)


def test_what_cannot_be_asked_is_said(team: Commands) -> None:
    assert "nosuch" in failed(team.run("audit", "--tenant", "nosuch"))
    assert "there is no event" in failed(team.run("audit", "--tenant", "acme", "--event", "nosuch:thing"))
    assert "--user" in failed(team.run("audit", "--tenant", "acme", "--user", "x@y.test"))
    assert "--address" in failed(team.run("audit", "--address", "here"))
    assert "--since" in failed(team.run("audit", "--tenant", "acme", "--since", "yesterday"), 2)
