"""Mail domains over the API: said, proven by DNS, ruled by, and given up (E1; H21)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from doorward.model import Permission, Role, RoleId
from doorward.protocol.mail_domain import record_name
from doorward.storage import permissions
from doorward.storage.database import Transaction
from support.api_house import ALL, Api, code_of, key_of
from support.management import management
from support.name_server import NameServer, name_server
from support.pages import opened_house
from support.rows import ACME, ALICE, BOB
from support.sign_in_rules import CORP, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1", "F4")]
DOMAINS = "/api/v1/tenants/acme/domains"
ONE = f"{DOMAINS}/acme.example"
NOTHING = {"sso": None, "join": None}


@dataclass
class Registry(Api):
    server: NameServer

    async def say(self, rules: dict[str, str | None], *, domain: str = "acme.example", key: str = "alice") -> Any:
        return await self.ask("POST", DOMAINS, {"domain": domain, **rules}, key=key)

    def publish(self, said: dict[str, str]) -> None:
        self.server.records[said["name"]] = [said["value"]]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Registry]:
    async with opened_house(tmp_path) as house, name_server() as server:
        house.more += await management(house.database, house.clock, name_servers=server.servers)
        house.__post_init__()
        yield Registry(house, await house.change(_rows), server)


def _rows(tx: Transaction) -> dict[str, str]:
    permissions.put_catalogue(tx, ALL)
    put_provider(tx, replace(CORP, domains=("acme.example",)))
    keeper = Role(id=RoleId("r-keeper"), tenant_id=ACME.id, name="keeper", permissions=("members:*",))
    permissions.put_role(tx, keeper)
    permissions.set_membership(tx, ACME.id, BOB.id, ("keeper",))
    return {"alice": key_of(tx, ALICE), "bob": key_of(tx, BOB, scopes=frozenset({Permission("members:manage")}))}


async def test_a_domain_is_said_proven_ruled_by_and_given_up(api: Registry) -> None:
    said = (await api.say(NOTHING)).json()
    assert said["domain"] == "acme.example"
    assert said["proven_at"] is None
    assert said["record"]["name"] == record_name("acme.example")
    refused = await api.ask("POST", f"{ONE}/verify")
    assert code_of(refused) == (422, "DW-409")
    assert said["record"]["value"] in refused.json()["detail"]
    api.publish(said["record"])
    proven = (await api.ask("POST", f"{ONE}/verify")).json()
    assert (proven["proven_at"] is not None, proven["proven_by"]) == (True, "dns")
    ruled = (await api.say({"sso": "corp", "join": "viewer"})).json()
    assert ruled == {**proven, "sso": "corp", "join": "viewer"}
    assert (await api.ask("GET", DOMAINS)).json() == {"domains": [ruled], "next": None}
    assert (await api.ask("DELETE", ONE)).json() == {"domain": "acme.example"}
    assert (await api.ask("GET", DOMAINS)).json()["domains"] == []


async def test_no_name_is_looked_up_that_the_tenant_has_not_said(api: Registry) -> None:
    assert (await api.ask("POST", f"{ONE}/verify")).status_code == 404
    assert api.server.asked == []


async def test_where_no_name_server_answers_nothing_is_proven(api: Registry) -> None:
    api.publish((await api.say(NOTHING)).json()["record"])
    api.server.code = 2
    assert code_of(await api.ask("POST", f"{ONE}/verify")) == (422, "DW-409")
    assert (await api.ask("GET", DOMAINS)).json()["domains"][0]["proven_at"] is None


@pytest.mark.parametrize(
    ("domain", "rules"),
    [("Acme.Example", NOTHING), ("acme", NOTHING), ("acme.example", {"sso": "nobody", "join": None}),
     ("acme.example", {"sso": None, "join": "owner"}), ("other.example", {"sso": "corp", "join": None})],
)  # fmt: skip
async def test_what_cannot_be_is_refused_with_its_reason(
    api: Registry, domain: str, rules: dict[str, str | None]
) -> None:
    assert code_of(await api.say(rules, domain=domain)) == (422, "DW-409")
    assert (await api.ask("GET", DOMAINS)).json()["domains"] == []


async def test_nobody_lets_people_join_with_more_than_they_hold(api: Registry) -> None:
    assert code_of(await api.say({"sso": None, "join": "viewer"}, key="bob")) == (403, "DW-451")
    assert (await api.say(NOTHING, key="bob")).status_code == 200
