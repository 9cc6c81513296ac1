"""``doorward approval``: the operator sees and decides about calls that want an approval."""

import asyncio
import json

import pytest
from tests.cli.commands import Commands, failed

from doorward.bootstrap.approvals import approval_terms
from doorward.bootstrap.core import open_core
from doorward.cli.options import settings_of
from doorward.model import Approvers
from doorward.storage import accounts, servers
from doorward.storage.database import Transaction
from support.asking import asked

pytestmark = pytest.mark.requirement("D8")


def ask(team: Commands) -> str:
    """Ask as the gateway would, beside the command; '' where the call was approved and is made."""

    async def run() -> str:
        core = await open_core(settings_of(None, team.data), create=False)

        def work(tx: Transaction) -> str:
            tenant, user = accounts.tenant_by_slug(tx, "acme"), accounts.user_by_email(tx, "ines@acme.example")
            server = servers.server_by_slug(tx, "wiki")
            assert tenant is not None
            assert user is not None
            assert server is not None
            return asked(
                tx, user, tenant, server, terms=approval_terms(core), now=core.now(), arguments={"page": "7"},
                approvers=Approvers(),
            )  # fmt: skip

        try:
            return await core.database.write(work)
        finally:
            await core.close()

    return asyncio.run(run())


def test_the_operator_looks_and_approves_once(team: Commands) -> None:
    assert team.run("approval", "list").stdout == ""
    approval_id = ask(team)
    line = f"{approval_id}  waiting  delete_document of wiki in acme, for ines@acme.example\n"
    assert team.run("approval", "list", "--tenant", "acme").stdout == line
    assert team.run("approval", "list", "--tenant", "globex").stdout == ""
    shown = json.loads(team.run("approval", "show", approval_id).stdout)
    assert (shown["arguments"], shown["description"]) == ({"page": "7"}, "Deletes a document for ever.")
    told = team.run("approval", "approve", approval_id).stdout
    assert told == f"Call delete_document ({approval_id}) is approved: it may be made once.\n"
    assert "does not wait any more" in failed(team.run("approval", "deny", approval_id))
    assert ask(team) == "", "the call passes"
    assert team.run("approval", "list").stdout == ""
    listed = json.loads(team.run("approval", "list", "--all", "--json").stdout)["approvals"]
    assert [(each["id"], each["state"], each["decided_by"]) for each in listed] == [(approval_id, "used", None)]


def test_the_operator_denies(team: Commands) -> None:
    approval_id = ask(team)
    assert team.run("approval", "deny", approval_id).stdout == f"Call delete_document ({approval_id}) is denied.\n"
    assert "does not wait any more" in failed(team.run("approval", "approve", approval_id))


@pytest.mark.parametrize("what", ["show", "approve", "deny"])
@pytest.mark.parametrize("which", ["ap_AAAAAAAAAAAAAAAAAAAAAA", "x", "ap_\u202e"])
def test_an_unknown_one_is_told_so(team: Commands, what: str, which: str) -> None:
    assert "there is no approval" in failed(team.run("approval", what, which))


def test_an_unknown_tenant_is_told_so(team: Commands) -> None:
    assert "there is no tenant" in failed(team.run("approval", "list", "--tenant", "nobody"))
