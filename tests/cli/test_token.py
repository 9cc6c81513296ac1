"""``doorward token``: keys without a browser."""

import asyncio
import subprocess
import sys
from datetime import date, timedelta

import pytest
from tests.cli.commands import Commands, failed

from doorward.bootstrap.core import clock, open_core
from doorward.cli.errors import CommandFailed
from doorward.cli.expiry import expires_at, in_words
from doorward.credentials.authenticate import Door, Unauthenticated
from doorward.model import SECOND, Instant, Principal
from doorward.settings import load
from doorward.storage import accounts

INES, SAM = "ines@acme.example", "sam@both.example"


def who(team: Commands, key: str) -> Principal:
    """Authenticate a key as the gateway does, against what is stored at this moment."""

    async def ask() -> Principal:
        core = await open_core(load(data_dir=team.data), create=False)
        door = Door(keys=core.keys.look, issuer="http://x", fingerprinter=core.fingerprinter, prefix="dw")
        try:
            return (await core.database.read(lambda reader: door.authenticate(reader, key, now=clock()))).principal
        finally:
            await core.close()

    return asyncio.run(ask())


def test_a_key_is_printed_as_exactly_one_object_and_works(team: Commands) -> None:
    made = team.made("--user", "Ines@Acme.example", "--name", "ci")
    assert list(made) == ["id", "key", "name", "tenant", "user", "scopes", "expires_at"]
    assert (made["name"], made["tenant"], made["user"]) == ("ci", "acme", INES)
    assert made["key"].startswith(f"dw_{made['id']}")
    principal = who(team, made["key"])
    assert sorted(principal.scopes) == made["scopes"]
    assert {"pages:read", "pages:write", "wiki:delete"} <= principal.permissions == principal.scopes
    assert principal.resources is None


def test_I6_scopes_may_be_written_with_wildcards_and_never_exceed_the_owner(team: Commands) -> None:
    assert team.made("--user", INES, "--scope", "pages:*")["scopes"] == ["pages:read", "pages:write"]
    assert team.made("--user", SAM, "--tenant", "acme", "--scope", "*:*")["scopes"] == ["pages:read", "wiki:read"]
    for scope in ("pages:write", "pages:burn", "nonsense", "*"):
        line = failed(team.run("token", "create", "--user", SAM, "--tenant", "acme", "--scope", scope))
        assert f"The owner may not do this: {scope}." in line


def test_the_only_tenant_is_taken_and_several_need_a_choice(team: Commands) -> None:
    assert team.made("--user", INES)["tenant"] == "acme"
    assert "Choose with --tenant: acme, globex." in failed(team.run("token", "create", "--user", SAM))
    assert team.made("--user", SAM, "--tenant", "globex")["tenant"] == "globex"
    assert "does not belong to tenant 'globex'" in failed(
        team.run("token", "create", "--user", INES, "--tenant", "globex")
    )
    assert "belongs to no active tenant" in failed(team.run("token", "create", "--user", "lone@x.example"))
    assert "there is no user" in failed(team.run("token", "create", "--user", "no@x.example"))


def test_a_key_can_be_limited_to_resources(team: Commands) -> None:
    made = team.made("--user", INES, "--resource", "space/s/1")
    roots = who(team, made["key"]).resources
    assert roots is not None
    assert len(roots) == 1
    for wrong in ("space/none", "space", "page/s/1"):
        assert "here is no resource" in failed(team.run("token", "create", "--user", INES, "--resource", wrong))


def test_expiry_is_days_a_day_or_never(team: Commands) -> None:
    assert team.made("--user", INES, "--expires", "never")["expires_at"] is None
    assert team.made("--user", INES, "--expires", "2999-12-31")["expires_at"] == "3000-01-01T00:00:00Z"
    in_30_days = date.today() + timedelta(days=30)  # noqa: DTZ011
    assert team.made("--user", INES, "--expires", "30d")["expires_at"][:7] in {
        str(day)[:7] for day in (in_30_days, in_30_days + timedelta(days=1), in_30_days - timedelta(days=1))
    }
    for wrong in ("0d", "-1d", "30", "soon", "2001-01-01", "2027-13-01", "99999d"):
        assert "--expires" in failed(team.run("token", "create", "--user", INES, f"--expires={wrong}"))


def test_names_are_plain(team: Commands) -> None:
    for wrong in ("", "x" * 65, "a\u202eb"):
        assert "no key was made: Give the key a name" in failed(
            team.run("token", "create", "--user", INES, "--name", wrong)
        )


def test_for_people_the_key_is_printed_once_with_what_it_may_do(team: Commands) -> None:
    done = team.run("token", "create", "--user", INES, "--scope", "pages:read")
    assert done.exit_code == 0
    assert done.stdout.count("dw_") == 1
    assert "Shown only now" in done.stdout
    assert "It may: pages:read" in done.stdout


@pytest.mark.parametrize("form", ["{id}", "dw_{id}", "{key}"])
def test_a_revoked_key_is_refused_for_ever(team: Commands, form: str) -> None:
    made = team.made("--user", INES)
    assert "is revoked" in team.run("token", "revoke", form.format(**made)).stdout
    with pytest.raises(Unauthenticated):
        who(team, made["key"])
    assert "was revoked before" in team.run("token", "revoke", made["id"]).stdout
    assert team.run("token", "revoke", made["id"], "--json").stdout == (
        f'{{"id": "{made["id"]}", "name": "Command line", "revoked": true}}\n'
    )


def test_an_unknown_key_cannot_be_revoked(team: Commands) -> None:
    assert "there is no such key" in failed(team.run("token", "revoke", "0000000000000"))


def test_a_role_taken_away_takes_the_keys_rights_away(team: Commands) -> None:
    made = team.made("--user", SAM, "--tenant", "acme")
    assert who(team, made["key"]).permissions
    assert team.apply({"tenants": [{"slug": "acme", "members": [{"user": SAM, "roles": []}]}]}).exit_code == 0
    assert not who(team, made["key"]).permissions


def test_commands_work_beside_an_open_database(team: Commands) -> None:
    """Another process holds the database open, and its next read sees the change."""

    async def beside() -> tuple[bool, bool]:
        core = await open_core(load(data_dir=team.data), create=False)
        try:
            tenant = (await core.database.read(accounts.all_tenants))[0].id
            before = await core.database.revisions(tenant)
            command = [
                sys.executable,
                "-m",
                "doorward.cli.main",
                "token",
                "create",
                "--user",
                INES,
                "--data",
                str(team.data),
            ]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
            return done.returncode == 0, await core.database.revisions(tenant) != before
        finally:
            await core.close()

    assert asyncio.run(beside()) == (True, True)


def test_days_and_moments() -> None:
    now = Instant(1_800_000_000 * SECOND)
    assert expires_at("never", now) is None
    assert expires_at("2d", now) == now + 2 * 86_400 * SECOND
    assert in_words(expires_at("2027-01-31", now)) == "until 2027-02-01T00:00:00Z"
    assert in_words(None) == "without an end"
    for wrong in ("9999-12-31", "2027-01-14", ""):
        with pytest.raises(CommandFailed, match="--expires"):
            expires_at(wrong, now)
