"""``doorward token`` beyond making and revoking: list, rotate, disable, change, policy, check."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from tests.cli.commands import Commands, failed
from tests.cli.test_token import INES, SAM, who

from doorward.credentials.authenticate import Unauthenticated


def shown(team: Commands, key_id: str) -> dict[str, Any]:
    done = team.run("token", "show", key_id)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def refused(team: Commands, key: str) -> bool:
    try:
        who(team, key)
    except Unauthenticated:
        return True
    return False


@pytest.mark.requirement("C8")
def test_a_rotated_key_keeps_its_id_and_the_old_secret_goes_on_as_long_as_is_said(team: Commands) -> None:
    made = team.made("--user", INES, "--name", "ci")
    done = json.loads(team.run("token", "rotate", made["id"], "--keep", "1h", "--json").stdout)
    assert (done["id"], done["name"], done["keep"]) == (made["id"], "ci", "1h")
    assert done["key"] != made["key"]
    assert who(team, made["key"]).credential_id == who(team, done["key"]).credential_id == made["id"]
    assert [each["last_four"] for each in shown(team, made["id"])["old_secrets"]] == [made["key"][-4:]]
    for_people = team.run("token", "rotate", made["id"], "--keep", "now", "--expires", "30d").stdout
    assert "Shown only now" in for_people
    assert "The secret that it had has ended." in for_people
    fresh = re.search(r"dw_[0-9A-Za-z]{62}", for_people)
    assert fresh
    assert (refused(team, made["key"]), refused(team, done["key"]), refused(team, fresh[0])) == (True, True, False)
    assert shown(team, made["id"])["old_secrets"] == []
    team.run("token", "revoke", made["id"])
    assert refused(team, fresh[0])
    assert "ended for good" in failed(team.run("token", "rotate", made["id"]))


@pytest.mark.requirement("C5")
def test_a_key_is_disabled_and_enabled_and_a_revoked_one_stays_revoked(team: Commands) -> None:
    made = team.made("--user", INES)
    assert "is disabled" in team.run("token", "disable", made["id"]).stdout
    assert "was disabled before" in team.run("token", "disable", made["key"]).stdout
    assert refused(team, made["key"])
    assert shown(team, made["id"])["state"] == "disabled"
    assert "Enable this key first" in failed(team.run("token", "rotate", made["id"]))
    assert "is enabled" in team.run("token", "enable", made["id"]).stdout
    assert "was not disabled" in team.run("token", "enable", made["id"]).stdout
    assert not refused(team, made["key"])
    team.run("token", "revoke", made["id"])
    assert "ended for good" in failed(team.run("token", "enable", made["id"]))
    assert "there is no such key" in failed(team.run("token", "disable", "0000000000000"))
    assert shown(team, made["id"])["state"] == "revoked"


@pytest.mark.requirement("C1")
def test_a_key_is_for_servers_and_addresses_that_are_named(team: Commands) -> None:
    made = team.made("--user", INES, "--server", "wiki", "--address", "203.0.113.9/24", "--address", "::1")
    found = shown(team, made["id"])
    assert (found["servers"], found["addresses"]) == (["wiki"], ["203.0.113.0/24", "::1/128"])
    assert "is changed" in team.run("token", "change", made["id"], "--name", "new", "--address", "10.0.0.7").stdout
    assert (shown(team, made["id"])["name"], shown(team, made["id"])["addresses"]) == ("new", ["10.0.0.7/32"])
    assert "was like this before" in team.run("token", "change", made["id"], "--name", "new").stdout
    team.run("token", "change", made["id"], "--anywhere")
    assert shown(team, made["id"])["addresses"] == []
    for option, wrong in (
        ("--server", "none"), ("--address", "0.0.0.0/0"), ("--address", "here"), ("--scope", "pages:burn"),
    ):  # fmt: skip
        assert "no key was made" in failed(team.run("token", "create", "--user", INES, option, wrong))
    assert "no address" in failed(team.run("token", "change", made["id"], "--address", "x"))
    assert "Choose one" in failed(team.run("token", "change", made["id"], "--address", "10.0.0.7", "--anywhere"))


@pytest.mark.requirement("C1")
def test_the_simple_words_read_and_write_stand_for_what_the_owner_may(team: Commands) -> None:
    assert team.made("--user", INES, "--scope", "read")["scopes"] == ["pages:read", "wiki:read"]
    both = team.made("--user", INES, "--scope", "read", "--scope", "write")["scopes"]
    assert both == ["pages:read", "pages:write", "wiki:read", "wiki:write"]
    assert "may not do this: write" in failed(
        team.run("token", "create", "--user", SAM, "--tenant", "acme", "--scope", "write")
    )


@pytest.mark.requirement("C6")
def test_the_keys_of_a_tenant_are_listed_by_owner_and_state(team: Commands) -> None:
    first, second = (
        team.made("--user", INES, "--name", "one"),
        team.made("--user", SAM, "--tenant", "acme", "--name", "two"),
    )
    team.made("--user", SAM, "--tenant", "globex", "--name", "elsewhere")
    team.run("token", "revoke", first["id"])

    def names(*more: str) -> list[str]:
        return [
            row["name"]
            for row in json.loads(team.run("token", "list", "--tenant", "acme", *more, "--json").stdout)["keys"]
        ]

    assert sorted(names()) == ["one", "two"]
    assert (names("--state", "active"), names("--state", "revoked")) == (["two"], ["one"])
    assert (names("--user", SAM), names("--user", "lone@x.example")) == (["two"], [])
    assert len(names("--most", "1")) == 1
    lines = team.run("token", "list", "--tenant", "acme").stdout
    assert "0 calls in 30 days" in lines
    for secret in (first["key"], second["key"]):
        assert secret not in lines
        assert secret not in json.dumps(shown(team, first["id"]))
    assert "there is no tenant" in failed(team.run("token", "list", "--tenant", "none"))
    assert "there is no user" in failed(team.run("token", "list", "--tenant", "acme", "--user", "no@x.example"))


@pytest.mark.requirement("C8")
def test_a_tenant_says_how_long_keys_live_and_who_makes_them(team: Commands) -> None:
    def policy(*more: str) -> dict[str, Any]:
        done = team.run("token", "policy", "--tenant", "acme", *more, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    usual = {"max_days": None, "never": "members", "create": "members", "living_longer": 0}
    assert policy() == usual
    lasting = team.made("--user", INES, "--expires", "never")
    assert policy("--max-days", "30") == {
        "max_days": 30,
        "never": "administrators",
        "create": "members",
        "living_longer": 1,
    }
    assert not refused(team, lasting["key"])
    assert "1 made before live longer" in team.run("token", "policy", "--tenant", "acme").stdout
    assert "keys live 30 days at most" in failed(team.run("token", "create", "--user", INES, "--expires", "31d"))
    assert "keys live 30 days at most" in failed(team.run("token", "rotate", lasting["id"], "--expires", "90d"))
    assert team.run("token", "create", "--user", INES, "--expires", "30d").exit_code == 0
    # Whoever has the data directory is an administrator.
    assert team.run("token", "create", "--user", INES, "--expires", "never").exit_code == 0
    assert policy("--never", "nobody")["never"] == "nobody"
    assert "every key has an end" in failed(team.run("token", "create", "--user", INES, "--expires", "never"))
    assert "members cannot make keys" in failed(team.run("token", "policy", "--tenant", "acme", "--never", "members"))
    assert policy("--usual") == usual


def test_a_document_says_the_same(team: Commands) -> None:
    def apply(keys: Any) -> str:
        done = team.apply({"tenants": [{"slug": "acme", "keys": keys}]})
        return done.stdout if done.exit_code == 0 else failed(done, done.exit_code)

    assert "tenant acme: key policy" in apply({"max_days": 7, "never": "nobody", "create": "administrators"})
    found = json.loads(team.run("token", "policy", "--tenant", "acme", "--json").stdout)
    assert (found["max_days"], found["never"], found["create"]) == (7, "nobody", "administrators")
    assert "key policy" not in team.apply({"tenants": [{"slug": "acme"}]}).stdout
    for wrong in (
        {"max_days": 0},
        {"max_days": True},
        {"max_days": "7"},
        {"never": "all"},
        {"create": []},
        {"more": 1},
        5,
    ):
        assert "tenants[0].keys" in apply(wrong)
    assert "key policy" in apply({})
    assert json.loads(team.run("token", "policy", "--tenant", "acme", "--json").stdout)["create"] == "members"


@pytest.mark.requirement("C3")
def test_I1_a_damaged_key_is_told_without_asking_anybody(team: Commands) -> None:
    made = team.made("--user", INES)
    for damaged in (made["key"][:-1], made["key"][:-1] + "!", made["key"].replace("dw_", "xx_"), "", "dw_", "é" * 70):
        for more in ([], ["--offline"]):
            assert "this key is damaged" in failed(team.run("token", "check", *more, stdin=damaged))
    assert "intact" in team.run("token", "check", "--offline", stdin=f"  {made['key']}\n").stdout
    good = json.loads(team.run("token", "check", stdin=made["key"]).stdout)
    assert good == {"id": made["id"], "name": "Command line", "state": "active", "old_secret": False}
    team.run("token", "rotate", made["id"], "--keep", "24h")
    assert json.loads(team.run("token", "check", stdin=made["key"]).stdout)["old_secret"] is True
    team.run("token", "rotate", made["id"], "--keep", "now")
    assert "has another secret since" in failed(team.run("token", "check", stdin=made["key"]))


@pytest.mark.requirement("C3")
def test_I1_scanners_are_given_rules_for_this_deployment_s_prefix(team: Commands) -> None:
    config = team.folder / "other.toml"
    config.write_text(f'data_dir = "{team.data}"\n[api_keys]\nprefix = "sta"\n', encoding="utf-8")
    printed = {
        form: team.bare("token", "scan-rules", "--format", form, "--config", str(config)).stdout
        for form in ("gitleaks", "trufflehog")
    }
    patterns = [rule["regex"] for rule in tomllib.loads(printed["gitleaks"])["rules"]]
    found = yaml.safe_load(printed["trufflehog"])["detectors"]
    assert [pattern for each in found for pattern in each["regex"].values()] == patterns
    made = json.loads(team.bare("token", "create", "--user", INES, "--json", "--config", str(config)).stdout)
    assert re.search(patterns[0], f'key = "{made["key"]}"')
    assert not re.search(patterns[0], team.made("--user", INES)["key"])
