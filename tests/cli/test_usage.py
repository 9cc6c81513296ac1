"""``doorward usage``."""

import csv
import io
import json

import pytest
from tests.cli.commands import Commands, failed

from support.calls import TOOLS, a_month_of_calls

pytestmark = pytest.mark.requirement("F2")


def test_use_is_told_in_words_as_data_and_as_a_table(team: Commands) -> None:
    team.made("--user", "sam@both.example", "--tenant", "acme")
    count = a_month_of_calls(team.data, days=6, per_day=30)
    found = json.loads(team.run("usage", "--tenant", "acme", "--days", "7", "--json").stdout)
    assert found["calls"] == count
    assert sum(point["calls"] for point in found["over_time"]) == count
    assert {line["id"] for line in found["by_tool"]} == set(TOOLS)
    assert found["known"]["user"] == 2
    words = team.run("usage", "--tenant", "acme", "--days", "7").stdout
    assert f": {count} calls," in words
    assert "sam@both.example" in words
    rows = list(csv.DictReader(io.StringIO(team.run("usage", "--tenant", "acme", "--days", "7", "--csv").stdout)))
    assert sum(int(row["calls"]) for row in rows) == count
    only = json.loads(team.run("usage", "--tenant", "acme", "--days", "7", "--tool", TOOLS[0], "--json").stdout)
    line = next(line for line in found["by_tool"] if line["id"] == TOOLS[0])
    assert (only["calls"], only["denied"]) == (line["calls"], line["denied"])
    assert "Nothing was called" in team.run("usage", "--tenant", "globex").stdout


def test_a_table_that_is_taken_away_is_in_the_log_and_what_is_only_looked_at_is_not(team: Commands) -> None:
    asked = ("usage", "--tenant", "acme", "--days", "7", "--tool", "search")
    for way in ((), ("--json",), ("--csv",)):
        assert team.run(*asked, *way).exit_code == 0
    (event,) = map(
        json.loads, team.run("audit", "--tenant", "acme", "--event", "usage:exported", "--jsonl").stdout.splitlines()
    )
    said = {"days": "7", "by": "doorward usage", "tool": "search"}
    assert (event["subject"], event["actor_id"], event["detail"]) == ("acme", None, said)


def test_what_does_not_exist_is_said(team: Commands) -> None:
    assert "nosuch" in failed(team.run("usage", "--tenant", "nosuch"))
    assert "--user: No member" in failed(team.run("usage", "--tenant", "acme", "--user", "nobody@x.test"))
    assert "--days" in failed(team.run("usage", "--tenant", "acme", "--days", "8"), 2)
