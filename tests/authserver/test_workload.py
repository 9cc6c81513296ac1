"""Workloads that prove themselves by their platform's token (RFC 7523; product B18; security C14, J2 to J11)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from tests.authserver.deployment import ACME_MCP, GLOBEX_ONLY, MCP, START, put_in_place, tenant, user
from tests.authserver.test_client_credentials import said_by
from tests.authserver.world import FINGERPRINTER, PUBLIC_URL, SEALER, World, basic, is_token_error

from doorward.credentials import trust_rules
from doorward.credentials.trust_rules import RuleRefused, Wish
from doorward.model import Permission, Status, TrustRule
from doorward.protocol import faults
from doorward.storage import accounts, connections, key_sets, permissions
from doorward.storage import trust_rules as stored
from doorward.storage.opening import open_database
from doorward.web.fetch import Fetcher
from support.assertions import EC, RSA, STRANGER, signed_with_the_public_key, unsigned
from support.ci_platform import RULES, SHAPES, Platform
from support.https_server import HOST, HttpsServer, http, https_server, trust
from support.signing import key_ring

pytestmark = pytest.mark.anyio

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass
class Ci:
    """A world, a platform, and the rules about it."""

    world: World
    platform: Platform

    @property
    def seconds(self) -> int:
        return self.world.clock.now // 1_000_000

    def wish(self, **changed: Any) -> Wish:
        email = user("robot").email
        plain = Wish(name="Deploy", issuer=self.platform.issuer, claims=RULES[self.platform.shape], account=email)
        return replace(plain, **changed)

    async def trust(self, slug: str = "acme", **changed: Any) -> TrustRule:
        world, wish = self.world, self.wish(**changed)
        return await world.database.write(
            lambda tx: trust_rules.put_rule(
                tx, tenant(slug), wish, now=world.clock(), entropy=os.urandom, by="test"
            )
        )  # fmt: skip

    async def remove(self) -> None:
        now = self.world.clock()
        await self.world.database.write(
            lambda tx: trust_rules.remove_rule(tx, tenant("acme"), "Deploy", now=now, by="test")
        )  # fmt: skip

    async def rule(self) -> TrustRule:
        found = await self.world.database.read(lambda r: stored.rule_by_name(r, tenant("acme").id, "Deploy"))
        assert found is not None
        return found

    def token(self, **changed: Any) -> str:
        return self.platform.token(PUBLIC_URL, self.seconds, **changed)

    async def ask(self, assertion: str | None = None, **form: str) -> httpx2.Response:
        shown = self.token() if assertion is None else assertion
        return await self.world.token({"grant_type": GRANT, "assertion": shown, "resource": ACME_MCP} | form)

    async def granted(self, assertion: str | None = None, **form: str) -> dict[str, Any]:
        answer = await self.ask(assertion, **form)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def refused(self, assertion: str | None = None, **form: str) -> None:
        answer = await self.ask(assertion, **form)
        is_token_error(answer, "invalid_grant")
        assert faults.WORKLOAD_UNTRUSTED.code in answer.text


def fetching(world: World) -> World:
    fetcher = Fetcher(
        now=world.clock, resolver=lambda *_: ["127.0.0.1"], tls=trust(HOST)[1], allow_loopback=True, deadline=2
    )
    return World(
        database=world.database, keys=world.keys, secrets=world.secrets, clock=world.clock,
        options=world.options | {"key_fetcher": fetcher},
    )  # fmt: skip


@pytest.fixture
async def server() -> AsyncIterator[HttpsServer]:
    async with https_server(trust(HOST)[0]) as running:
        yield running


@pytest.fixture
async def ci(make_world: Callable[..., World], server: HttpsServer) -> Ci:
    made = Ci(fetching(make_world()), Platform(server))
    await made.trust()
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
async def either(
    request: pytest.FixtureRequest, server: HttpsServer, make_world: Callable[..., World]
) -> AsyncIterator[Ci]:
    if request.param == "sqlite":
        yield Ci(fetching(make_world()), Platform(server))
        return
    database = open_database(request.getfixturevalue("empty_schema"), create=True)
    store, secrets = put_in_place(FINGERPRINTER, os.urandom)
    await database.write(store)
    keys = (await key_ring(database, SEALER, lambda: START)).current()
    yield Ci(fetching(World(database=database, keys=keys, secrets=secrets)), Platform(server))
    await database.close()


@pytest.mark.requirement("B18")
@pytest.mark.parametrize("shape", list(SHAPES))
async def test_a_platforms_token_gets_a_token_for_a_quarter_of_an_hour(either: Ci, shape: str) -> None:
    either.platform.shape = shape
    rule = await either.trust()
    assert rule.pinned is None
    answer = await either.granted()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["expires_in"], answer["scope"]) == (900, "documents:read documents:write projects:read")
    assert await either.world.works(answer["access_token"])
    claims = said_by(answer["access_token"])
    assert (claims["aud"], claims["sub"], claims["client_id"]) == (ACME_MCP, "usr_robot", rule.id)
    assert claims["tenant"] == "ten_acme"
    pinned = (await either.rule()).pinned
    assert pinned
    assert set(pinned) == set(rule.pins)
    events = [event.name for event in await either.world.events()]
    assert {"trust_rule:added", "trust_rule:pinned", "connection:activated", "workload:admitted"} <= set(events)
    await either.granted()
    assert len(await either.world.connections("robot")) == 1
    assert (either.platform.asked("/.well-known/openid-configuration"), either.platform.asked()) == (1, 1)


BROKEN: dict[str, list[tuple[str, Any]]] = {
    "github": [
        ("repository", "acme/site2"), ("repository", "Acme/site"), ("repository", None), ("ref", "refs/pull/7/merge"),
        ("ref", "refs/heads/main2"), ("ref", None), ("environment", "staging"), ("environment", None),
        ("repository_id", "75"), ("repository_id", None), ("repository_owner_id", "66"),
    ],
    "gitlab": [
        ("project_path", "acme/other"), ("ref", "topic"), ("ref_protected", "false"), ("ref_protected", True),
        ("environment", None), ("project_id", "21"), ("namespace_id", "73"),
    ],
    "kubernetes": [
        ("sub", "system:serviceaccount:ci:other"), ("sub", "system:serviceaccount:prod:deployer"), ("sub", None),
        ("kubernetes.io", {"serviceaccount": {"uid": "again"}}), ("kubernetes.io", None),
    ],
}  # fmt: skip
"""Every condition of each platform's rule, and of what it was pinned to by its first token."""
ALWAYS: list[tuple[str, Any]] = [
    ("iss", "https://evil.example"), ("iss", None), ("aud", "https://other.example"), ("aud", [PUBLIC_URL, "https://other.example"]),
    ("aud", None), ("exp", 1), ("exp", None), ("exp", 99_999_999_999), ("iat", 99_999_999_999), ("iat", None), ("nbf", 99_999_999_999),
    ("sub", None), ("jti", ""), ("jti", 5),
]  # fmt: skip


@pytest.mark.requirement("B18")
@pytest.mark.parametrize("shape", list(SHAPES))
async def test_J6_J7_J9_J15_and_nothing_else_does(either: Ci, shape: str) -> None:
    either.platform.shape = shape
    await either.trust()
    await either.granted()
    for name, value in BROKEN[shape] + ALWAYS:
        either.world.clock.forward(60)
        await either.refused(either.token(**{name: value}))
        if name == "iss":
            continue
        newest = (await either.world.events())[0]
        said = newest.detail["did not fit"]
        assert newest.name == "workload:refused", (name, value)
        assert said.split("/")[0] == name, (name, value, said)
        told = isinstance(value, str) and "/" in value and value in str(newest.detail)
        assert not told, "claims are named, never quoted"
    await either.granted()


FORGERIES: dict[str, Callable[[Ci], str]] = {
    "a stranger's key by the right name": lambda ci: STRANGER.sign(claims(ci), kid="k1"),
    "a stranger's key in the header": lambda ci: STRANGER.sign(claims(ci), kid="k1", jwk=STRANGER.public()),
    "an address in the header": lambda ci: STRANGER.sign(claims(ci), kid="k1", jku="https://evil.example/k"),
    "algorithm none": lambda ci: unsigned(claims(ci)),
    "HS256 with the public key": lambda ci: signed_with_the_public_key(claims(ci), RSA),
    "an access token's type": lambda ci: RSA.sign(claims(ci), kid="k1", typ="at+jwt"),
    "an identity assertion's type": lambda ci: RSA.sign(claims(ci), kid="k1", typ="oauth-id-jag+jwt"),
    "a critical extension": lambda ci: unsigned(claims(ci), alg="RS256", crit=["b64"], b64=False),
    "changed after it was signed": lambda ci: _changed(ci.token()),
    "longer than anything honest": lambda ci: RSA.sign(claims(ci) | {"x": "y" * 9000}, kid="k1"),
    "a claim twice": lambda ci: RSA.sign(json.dumps(claims(ci))[:-1].encode() + b',"ref":"refs/heads/main"}', kid="k1"),
    "no token": lambda _: "x.y.z",
    "five parts": lambda ci: ci.token() + ".a.b",
}


def claims(ci: Ci) -> dict[str, Any]:
    return ci.platform.claims(PUBLIC_URL, ci.seconds)


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body}.{signature[:-8]}{'A' * 8}"


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_J1_J2_J3_J5_J8_J10_J11_a_forged_token_is_refused(ci: Ci, forgery: str) -> None:
    await ci.refused(FORGERIES[forgery](ci))
    assert (await ci.rule()).pinned is None, "and decides nothing"
    assert len(await ci.world.connections("robot")) == 0


async def test_a_token_is_taken_once(ci: Ci) -> None:
    for shown in (ci.token(), ci.token(jti=None)):
        assert not (await ci.ask(shown, scope="documents:delete")).is_success, "nothing was left of what it asked for"
        assert not (await ci.ask(shown, resource=f"{PUBLIC_URL}/vault")).is_success
        await ci.granted(shown)
        await ci.refused(shown)
    await ci.trust(single_use=False)
    again = ci.token()
    assert (await ci.granted(again))["access_token"] != (await ci.granted(again))["access_token"]


async def test_parallel_requests_with_one_token_have_one_winner(either: Ci) -> None:
    await either.trust()
    shown = either.token()
    answers = await asyncio.gather(*(either.ask(shown) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


async def test_a_name_that_a_stranger_takes_over_does_not_open_the_door(ci: Ci) -> None:
    await ci.granted()
    await ci.refused(ci.token(repository_id="999", repository_owner_id="998"))
    await ci.trust(scopes=frozenset({Permission("documents:read")}))
    assert (await ci.rule()).pinned == {"repository_id": "74", "repository_owner_id": "65"}, "a narrower rule keeps it"
    await ci.trust(claims={"repository": "acme/other"})
    assert (await ci.rule()).pinned is None, "another repository is another question"


async def test_two_first_tokens_at_once_pin_a_rule_to_one_of_them(either: Ci) -> None:
    await either.trust()
    shown = [either.token(repository_id=str(number)) for number in range(6)]
    answers = await asyncio.gather(*(either.ask(each) for each in shown))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


async def test_D3_what_is_taken_away_is_gone_at_the_next_call(ci: Ci) -> None:
    world = ci.world
    token = (await ci.granted())["access_token"]
    await world.database.write(lambda tx: permissions.set_membership(tx, tenant("acme").id, user("robot").id, ()))
    assert not await world.works(token)
    is_token_error(await ci.ask(), "invalid_scope")
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("robot").id, ("editor",))
    )
    assert await world.works(token)
    disabled = replace(user("robot"), status=Status.DISABLED)
    await world.database.write(lambda tx: accounts.update_user(tx, disabled))
    assert not await world.works(token)
    await ci.refused()
    await world.database.write(lambda tx: accounts.update_user(tx, user("robot")))
    assert await world.works(token)
    await ci.trust(lifetime=300)
    assert not await world.works(token), "a changed rule ends what it had let in"
    answer = await ci.granted()
    assert answer["expires_in"] == 300
    await ci.remove()
    assert not await world.works(answer["access_token"])
    await ci.refused()
    await ci.trust()
    assert not await world.works(answer["access_token"]), "a new rule of the same name is another one"


async def test_the_rule_narrows_scopes_servers_and_resources(ci: Ci) -> None:
    await ci.trust(scopes=frozenset({Permission("documents:read"), Permission("documents:delete")}))
    assert (await ci.granted())["scope"] == "documents:read", "never beyond the account's live role"
    is_token_error(await ci.ask(scope="documents:write"), "invalid_scope")
    await ci.trust(servers=frozenset({"vault"}))
    is_token_error(await ci.ask(), "invalid_target")
    await ci.trust(resources=frozenset())
    await ci.granted()
    (connection,) = [each for each in await ci.world.connections("robot") if each.revoked_at is None]
    assert connection.resources == frozenset()


@pytest.mark.parametrize("resource", ["", MCP, f"{MCP}/"])
async def test_without_a_resource_it_is_the_short_url_of_the_only_server(ci: Ci, resource: str) -> None:
    assert said_by((await ci.granted(resource=resource))["access_token"])["aud"] == MCP


@pytest.mark.parametrize("resource", [GLOBEX_ONLY, f"{PUBLIC_URL}/nothing", "https://evil.example/mcp"])
async def test_C22_another_or_no_server_is_an_invalid_target(ci: Ci, resource: str) -> None:
    is_token_error(await ci.ask(resource=resource), "invalid_target")
    await ci.refused("x.y.z", resource=resource)


async def test_another_tenants_rule_about_the_same_workload_takes_nothing_away(ci: Ci) -> None:
    other = await ci.trust("globex", account=user("rover").email)
    assert said_by((await ci.granted())["access_token"])["tenant"] == "ten_acme"
    await ci.refused(resource=MCP)
    own = await ci.rule()
    assert said_by((await ci.granted(resource=MCP, client_id=own.id))["access_token"])["tenant"] == "ten_acme"
    await ci.refused(client_id=other.id)
    await ci.refused(client_id="c1")
    await ci.remove()
    await ci.refused()


async def test_credentials_of_a_client_beside_the_token_are_refused(ci: Ci) -> None:
    answer = await ci.world.token(
        {"grant_type": GRANT, "assertion": ci.token()}, authorization=basic("machine", ci.world.secrets["machine"])
    )
    is_token_error(answer, "invalid_request")
    is_token_error(await ci.ask(client_secret="x"), "invalid_request")
    is_token_error(await ci.ask(""), "invalid_request")


async def test_a_rules_client_is_good_for_nothing_else(ci: Ci) -> None:
    rule = await ci.rule()
    for form in ({"grant_type": "client_credentials"}, {"grant_type": "refresh_token", "refresh_token": "x"}):
        is_token_error(await ci.world.token(form | {"client_id": rule.id}), "unauthorized_client")


async def test_F14_J3_nothing_is_fetched_for_an_issuer_that_no_rule_names(ci: Ci) -> None:
    await ci.refused(ci.token(iss=ci.platform.server.url("/other")))
    await ci.refused(ci.token(iss="https://169.254.169.254"))
    assert ci.platform.server.requests == []


async def test_J3_an_unknown_key_id_is_a_reason_to_ask_once_in_a_while(ci: Ci) -> None:
    await ci.granted()
    ci.platform.kid = "k2"
    for _ in range(5):
        await ci.refused()
    assert ci.platform.asked() == 1, "it was fetched a moment ago"
    ci.world.clock.forward(61)
    for _ in range(5):
        await ci.refused()
    assert ci.platform.asked() == 2
    ci.platform.publish()
    ci.world.clock.forward(61)
    await ci.granted()
    ci.platform.kid = "k1"
    await ci.refused()
    assert ci.platform.asked() == 3


async def test_J4_keys_of_one_issuer_are_no_keys_of_another(ci: Ci, make_world: Callable[..., World]) -> None:
    async with https_server(trust(HOST)[0]) as second:
        other = Platform(second, pair=EC, kid="k1")
        await ci.trust("globex", name="Other", issuer=other.issuer, account=user("rover").email)
        await ci.granted()
        forged = EC.sign(claims(ci), kid="k1")
        await ci.refused(forged)
        theirs = ci.platform.claims(PUBLIC_URL, ci.seconds, iss=other.issuer)
        await ci.refused(RSA.sign(theirs, kid="k1"), resource=MCP)
        assert (await ci.granted(EC.sign(theirs, kid="k1"), resource=MCP))["expires_in"] == 900


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "https://evil.example/jwks"},
        {"jwks_uri": "http://app.example/jwks"},
        {"jwks_uri": None},
        {"keys": []},
        {"keys": [STRANGER.public("k1")]},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]},
        {"keys": [RSA.public("k1") | {"d": "x"}]},
        {"keys": [EC.public("k1") | {"x": "A" * 43}]},
    ],
)
async def test_an_issuers_documents_are_held_to_the_rules(ci: Ci, changed: dict[str, Any]) -> None:
    ci.platform.publish(**changed)
    await ci.refused()


async def test_keys_are_kept_for_all_nodes_and_outlive_a_short_outage(ci: Ci) -> None:
    ci.platform.publish("Cache-Control: max-age=600")
    await ci.granted()
    ci.world = fetching(ci.world)
    await ci.granted()
    assert ci.platform.asked() == 1
    ci.platform.server.answer = http(b"", status="503 Service Unavailable")
    ci.world.clock.forward(700)
    await ci.granted()
    ci.world.clock.forward(3600)
    await ci.refused()
    kept = await ci.world.database.read(lambda r: key_sets.key_set(r, key_sets.ISSUER + ci.platform.issuer))
    assert kept is None


async def test_F10_withdrawn_keys_are_used_no_more(ci: Ci) -> None:
    ci.platform.publish("Cache-Control: max-age=600")
    await ci.granted()
    ci.platform.documents = {}
    ci.world.clock.forward(700)
    await ci.refused()
    await ci.refused()


async def test_keys_may_stand_in_the_rule_or_at_an_address_that_it_names(ci: Ci) -> None:
    await ci.trust(jwks=(RSA.public("k1"),))
    await ci.granted()
    assert ci.platform.server.requests == []
    ci.platform.publish(jwks_uri="https://elsewhere.example/jwks")
    await ci.trust(jwks_uri=ci.platform.server.url("/jwks"))
    await ci.granted()
    assert (ci.platform.asked("/.well-known/openid-configuration"), ci.platform.asked()) == (0, 1)


async def test_the_audit_trail_cannot_be_filled_by_strangers(ci: Ci) -> None:
    for _ in range(30):
        await ci.refused(ci.token(ref="refs/heads/x"))
    refused = [event for event in await ci.world.events() if event.name == "workload:refused"]
    assert len(refused) == 20


@pytest.mark.parametrize(
    "changed",
    [
        {"account": user("alice").email}, {"account": user("rover").email}, {"account": "nobody@nowhere.test"},
        {"servers": frozenset({"nothing"})}, {"claims": {"ref": "refs/heads/main"}}, {"issuer": "http://app.example"},
        {"lifetime": 3600},
    ],
    ids=str,
)  # fmt: skip
async def test_a_rule_that_cannot_be_right_is_refused(ci: Ci, changed: dict[str, Any]) -> None:
    before = await ci.rule()
    with pytest.raises(RuleRefused):
        await ci.trust(**changed)
    with pytest.raises(RuleRefused):
        await ci.trust(name="Other", **changed)
    assert await ci.rule() == before
    await ci.trust()
    assert (await ci.world.events())[0].name == "trust_rule:added", "the same rule again changes nothing"


async def test_a_tenants_rules_are_bounded(ci: Ci, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_rules, "MAX_RULES", 1)
    with pytest.raises(RuleRefused, match="Remove one first"):
        await ci.trust(name="Second")
    now = ci.world.clock()
    with pytest.raises(RuleRefused, match="has no trust rule"):
        await ci.world.database.write(
            lambda tx: trust_rules.remove_rule(tx, tenant("acme"), "Second", now=now, by="test")
        )  # fmt: skip


async def test_an_ended_connection_gives_way_to_a_new_one(ci: Ci) -> None:
    token = (await ci.granted(scope="documents:read"))["access_token"]
    (connection,) = await ci.world.connections("robot")
    now = ci.world.clock()
    await ci.world.database.write(lambda tx: connections.revoke_connection(tx, connection.id, now, "by hand"))
    assert not await ci.world.works(token)
    assert await ci.world.works((await ci.granted())["access_token"])
