"""Mail domains: said by many, proven by one, looked for again, and given up (E1; H21)."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from doorward.accounts import domains, ways_in
from doorward.accounts.actors import Actor
from doorward.accounts.domains import AGAIN, PATIENCE, DomainProofs, DomainRefused
from doorward.accounts.refused import PeopleRefused
from doorward.bootstrap.domains import name_servers
from doorward.model import SECOND, Instant, MailDomain, Permission, Tenant
from doorward.protocol.mail_domain import record_name, record_value
from doorward.storage import events, mail_domains, permissions
from doorward.storage.database import Database
from doorward.web.dns_lookup import TextLookup
from support.name_server import NameServer, name_server
from support.pages import Clock
from support.rows import ACME, ALICE, BOB, GLOBEX, store_deployment
from support.rows import VIEWER as VIEWER_ROLE
from support.sign_in_rules import CORP, put_provider

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E1")]
OPERATOR = Actor(user_id=None, by="test", cause=None)
DOMAIN = "acme.example"


@dataclass
class Registry:
    """A database with two tenants, and a name server."""

    database: Database
    server: NameServer
    clock: Clock
    proofs: DomainProofs

    async def say(
        self, tenant: Tenant = ACME, domain: str = DOMAIN, actor: Actor = OPERATOR, **more: Any
    ) -> MailDomain:
        rules = {"provider": None, "join_role": None} | more
        return await self.database.write(
            lambda tx: domains.say(tx, actor, tenant, domain, now=self.clock(), entropy=os.urandom, **rules)
        )

    def publish(self, said: MailDomain) -> None:
        self.server.records.setdefault(record_name(said.domain), ["v=spf1 -all"]).append(record_value(said.challenge))

    async def proven(self) -> MailDomain | None:
        return await self.database.read(lambda reader: mail_domains.proven_domain(reader, DOMAIN))

    async def names(self) -> list[str]:
        found = await self.database.read_long(lambda reader: events.recent_events(reader, None, 50))
        return [each.name for each in found]


@pytest.fixture
async def registry(database: Database) -> AsyncIterator[Registry]:
    def fill(tx: Any) -> None:
        store_deployment(tx)
        put_provider(tx, CORP_FOR_ACME)

    await database.write(fill)
    clock = Clock()
    async with name_server() as server:
        lookup = TextLookup(servers=server.servers, entropy=os.urandom, seconds=0.5)
        yield Registry(database, server, clock, DomainProofs(database=database, lookup=lookup, now=clock))


CORP_FOR_ACME = type(CORP)(
    id=CORP.id, slug="corp", name="Corp SSO", template="oidc", issuer="https://id.corp.example", client_id="doorward",
    domains=(DOMAIN,), created_at=CORP.created_at,
)  # fmt: skip


async def test_a_domain_is_proven_by_its_record_and_then_holds_for_its_people(registry: Registry) -> None:
    said = await registry.say(provider="corp", join_role="viewer")
    assert await registry.proven() is None
    with pytest.raises(DomainRefused, match=r"there is no TXT record at _doorward-challenge\.acme\.example"):
        await registry.proofs.verify(OPERATOR, said)
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    proven = await registry.proven()
    assert proven is not None
    assert (proven.tenant_id, proven.proven_by, proven.join_role) == (ACME.id, "dns", "viewer")
    ruled = await registry.database.read(lambda reader: ways_in.provider_of(reader, f"x@{DOMAIN}"))
    assert ruled is not None
    assert ruled.slug == "corp"
    assert {"domain:changed", "domain:proven"} <= set(await registry.names())
    await registry.proofs.verify(OPERATOR, said)
    assert (await registry.names()).count("domain:proven") == 1


async def test_of_two_tenants_that_publish_at_once_one_has_it(registry: Registry) -> None:
    both = [await registry.say(ACME), await registry.say(GLOBEX)]
    for said in both:
        registry.publish(said)
    outcomes = await asyncio.gather(
        *(registry.proofs.verify(OPERATOR, said) for said in both), return_exceptions=True
    )  # fmt: skip
    assert sorted(map(repr, map(type, outcomes))) == sorted(map(repr, [type(None), DomainRefused]))
    assert await registry.proven() is not None


async def test_anothers_challenge_proves_nothing(registry: Registry) -> None:
    mine, theirs = await registry.say(ACME), await registry.say(GLOBEX)
    registry.publish(mine)
    with pytest.raises(DomainRefused):
        await registry.proofs.verify(OPERATOR, theirs)


@pytest.mark.parametrize("how", ["silent", "failure"])
async def test_a_name_server_that_does_not_say_proves_nothing_and_takes_nothing(registry: Registry, how: str) -> None:
    said = await registry.say()
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    registry.server.silent, registry.server.code = how == "silent", 2
    with pytest.raises(DomainRefused, match="cannot be looked up"):
        await registry.proofs.verify(OPERATOR, said)
    registry.clock.at = Instant(registry.clock.at + 30 * AGAIN)
    await registry.proofs.recheck()
    assert await registry.proven() is not None


async def test_H21_a_record_that_is_gone_for_a_week_takes_the_proof_away(registry: Registry) -> None:
    said = await registry.say(provider="corp")
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    asked = len(registry.server.asked)
    await registry.proofs.recheck()
    assert len(registry.server.asked) == asked, "looked for a moment ago"
    registry.server.records.clear()
    for day in range(PATIENCE // AGAIN + 1):
        registry.clock.at = Instant(registry.clock.at + AGAIN + SECOND)
        await registry.proofs.recheck()
        assert (await registry.proven() is None) == (day >= PATIENCE // AGAIN), day
    assert "domain:lapsed" in await registry.names()
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    assert await registry.proven() is not None, "and it can be proven again"


async def test_a_record_that_comes_back_in_time_loses_nothing(registry: Registry) -> None:
    said = await registry.say()
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    for gone in (True, True, False, True, True):
        registry.server.records.clear()
        if not gone:
            registry.publish(said)
        registry.clock.at = Instant(registry.clock.at + 3 * AGAIN + SECOND)
        await registry.proofs.recheck()
    assert await registry.proven() is not None


async def test_an_administrator_answers_for_a_domain_where_there_is_no_dns(registry: Registry) -> None:
    said = await registry.say()
    for why in ("", "  ", "x" * 201, "a\nb"):
        with pytest.raises(DomainRefused):
            await registry.database.write(
                lambda tx, why=why: domains.confirm(tx, OPERATOR, said, why=why, now=registry.clock())  # type: ignore[misc]
            )
    await registry.database.write(
        lambda tx: domains.confirm(tx, OPERATOR, said, why="ticket 4711", now=registry.clock())
    )  # fmt: skip
    proven = await registry.proven()
    assert proven is not None
    assert proven.proven_by == "by hand: ticket 4711"
    registry.clock.at = Instant(registry.clock.at + 30 * AGAIN)
    await registry.proofs.recheck()
    assert registry.server.asked == []
    person = Actor(user_id=ALICE.id, by="api", cause=None)
    with pytest.raises(DomainRefused):
        await registry.database.write(
            lambda tx: domains.confirm(tx, person, said, why="mine", now=registry.clock())
        )  # fmt: skip


async def test_what_is_given_up_holds_no_more(registry: Registry) -> None:
    said = await registry.say(provider="corp")
    registry.publish(said)
    await registry.proofs.verify(OPERATOR, said)
    await registry.database.write(lambda tx: domains.remove(tx, OPERATOR, ACME, DOMAIN, now=registry.clock()))
    assert await registry.database.read(lambda reader: ways_in.provider_of(reader, f"x@{DOMAIN}")) is None
    with pytest.raises(DomainRefused):
        await registry.database.write(lambda tx: domains.remove(tx, OPERATOR, ACME, DOMAIN, now=registry.clock()))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"domain": "acme"}, "no mail domain"), ({"domain": "Acme.example"}, "no mail domain"),
        ({"domain": "*.example"}, "no mail domain"), ({"domain": "10.0.0.1"}, "no mail domain"),
        ({"provider": "nobody"}, "no provider"), ({"provider": "corp", "domain": "other.example"}, "speaks for"),
        ({"join_role": "owner"}, "joins with"), ({"join_role": "gone"}, "joins with"),
    ],
)  # fmt: skip
async def test_what_cannot_hold_is_refused(registry: Registry, more: dict[str, Any], words: str) -> None:
    with pytest.raises(DomainRefused, match=words):
        await registry.say(**more)


async def test_M3_nobody_has_others_join_with_more_than_they_hold(registry: Registry) -> None:
    def give(tx: Any) -> None:
        manager = type(VIEWER_ROLE)(
            id=type(VIEWER_ROLE.id)("r-manager"), tenant_id=ACME.id, name="manager", permissions=("members:manage",)
        )
        permissions.put_role(tx, manager)
        permissions.set_membership(tx, ACME.id, BOB.id, ("manager",))

    await registry.database.write(give)
    bob = Actor(user_id=BOB.id, by="api", cause=None)
    await registry.say(actor=bob)
    with pytest.raises(PeopleRefused):
        await registry.say(actor=bob, join_role="viewer")
    limited = Actor(user_id=BOB.id, by="api", limit=frozenset({Permission("documents:read")}), cause=None)
    with pytest.raises(PeopleRefused):
        await registry.say(actor=limited)


async def test_the_machines_name_servers_are_read_as_they_stand(tmp_path: Any) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# x\nsearch a.example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver evil\nnameserver\n"
    )
    assert name_servers(path) == [("192.0.2.1", 53), ("2001:db8::1", 53)]
    assert name_servers(tmp_path / "none") == []
