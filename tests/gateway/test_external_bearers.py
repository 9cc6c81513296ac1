"""Bearers of another system (C9): asked about there, decided upon here, and never confused with ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.gateway.deployment import ACME, READ, WRITE, user
from tests.gateway.world import World, answered

from doorward.credentials.authenticate import Unauthenticated
from doorward.credentials.external import ExternalSystem, read_answer, why_prefix_is_ours
from doorward.gateway.external_bearers import KEPT, REFUSED, ExternalBearers
from doorward.model import SECOND, Instant, Status
from doorward.storage import accounts, permissions
from doorward.web.fetch import Fetcher
from support.https_server import HOST, HttpsServer, http, https_server, trust

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("C9")]
BEARER = "mw_0123456789"
SYSTEM = ExternalSystem(
    name="hosting", prefix="mw_", url="", introspects=True, client_id="door", client_secret="s", tenant="acme",
    scopes=frozenset({READ, WRITE}), subjects={}, scope_map={},
)  # fmt: skip
GOOD = {"active": True, "email": user("bob").email.upper(), "email_verified": True}


@dataclass
class Other:
    """The other system, and the gateway that asks it."""

    server: HttpsServer
    world: World

    def says(self, **members: Any) -> None:
        self.server.answer = http(json.dumps(GOOD | members).encode())

    async def lists(self, token: str = BEARER, path: str = "/mcp") -> int:
        return (await self.world.modern(token, "tools/list", path=path)).status_code

    @property
    def asked(self) -> int:
        return len(self.server.requests)


@asynccontextmanager
async def standing(world: World, **changes: Any) -> AsyncIterator[Other]:
    async with https_server(trust(HOST)[0]) as server:
        fetcher = Fetcher(
            now=world.clock, resolver=lambda _host, _port: ["127.0.0.1"], tls=trust(HOST)[1], allow_loopback=True,
            per_minute=100, deadline=2,
        )  # fmt: skip
        system = replace(SYSTEM, **{"url": server.url("/check"), **changes})
        # The world is running already: what it was built with is set beside it.
        world.gateway._live._external = ExternalBearers([system], fetcher=fetcher, now=world.clock)
        yield Other(server, world)


@pytest.fixture
async def other(world: World) -> AsyncIterator[Other]:
    async with standing(world) as found:
        found.says()
        yield found


async def test_a_good_bearer_is_its_person_with_that_person_s_live_rights(other: Other) -> None:
    listed = answered(await other.world.modern(BEARER, "tools/list"))
    assert {"echo", "write_note"} <= {tool["name"] for tool in listed["tools"]}
    assert other.server.requests[0].startswith("POST /check HTTP/1.1")
    assert BEARER not in other.server.requests[0], "in the body, not in a log"
    await other.world.database.write(lambda tx: permissions.set_membership(tx, ACME.id, user("bob").id, ("viewer",)))
    listed = answered(await other.world.modern(BEARER, "tools/list"))
    assert "write_note" not in {tool["name"] for tool in listed["tools"]}
    assert other.asked == 1, "our rights are read again, the other system need not be asked again"
    await other.world.database.write(
        lambda tx: accounts.update_user(tx, replace(user("bob"), status=Status.DISABLED))
    )  # fmt: skip
    assert await other.lists() == 401


async def test_what_it_takes_back_is_refused_within_a_minute_and_what_it_gives_within_seconds(other: Other) -> None:
    assert await other.lists() == 200
    other.says(active=False)
    other.world.clock.offset += KEPT + SECOND
    assert await other.lists() == 401
    other.says()
    assert await other.lists() == 401
    other.world.clock.offset += REFUSED + SECOND
    assert await other.lists() == 200
    assert other.asked == 3


@pytest.mark.parametrize(
    "members",
    [
        {"active": "true"}, {"active": 1}, {"active": None}, {"email_verified": "true"}, {"email_verified": None},
        {"email": None}, {"email": ["bob@acme.example"]}, {"email": "nobody@acme.example"}, {"exp": 1}, {"exp": True},
        {"exp": "2999"}, {"email": user("mallory").email},
    ],
    ids=str,
)  # fmt: skip
async def test_what_is_not_clear_is_refused(other: Other, members: dict[str, Any]) -> None:
    other.says(**members)
    assert await other.lists() == 401


async def test_one_person_s_bearer_says_nothing_of_another_one(other: Other) -> None:
    assert await other.lists() == 200
    other.says(active=False)
    assert await other.lists(BEARER + "x") == 401
    assert await other.lists() == 200


@pytest.mark.parametrize("status", ["401 Unauthorized", "302 Found", "429 Too Many Requests", "500 No"])
async def test_a_system_that_does_not_answer_is_a_503_and_is_not_remembered(other: Other, status: str) -> None:
    other.server.answer = http(b"{}", status=status)
    assert await other.lists() == 503
    other.says()
    assert await other.lists() == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"1", b"[" * 60_000, b"x" * 70_000])
async def test_nonsense_is_a_503(other: Other, body: bytes) -> None:
    other.server.answer = http(body)
    assert await other.lists() == 503


async def test_I12_a_bearer_is_never_tried_as_another_kind(other: Other) -> None:
    key = await other.world.key("alice", READ)
    assert await other.lists(key) == 200
    assert await other.lists(key[:-1] + ("a" if key[-1] != "a" else "b")) == 401
    assert await other.lists("x.y.z") == 401
    assert await other.lists("MW_0123456789") == 401
    assert other.asked == 0, "nobody else hears of our credentials"
    other.says(active=False)
    assert await other.lists() == 401
    for ours in ("dw", "dw_", "dwc_x", "d_", "ey", "eyJhbGci", "x", "m w_", ""):
        assert why_prefix_is_ours(ours, "dw"), ours
    assert why_prefix_is_ours("mw_", "dw") is None
    assert why_prefix_is_ours("sk_", "sk")


async def test_a_profile_is_opened_by_the_bearer_and_its_401_is_a_401(world: World) -> None:
    async with standing(world, introspects=False, email_field="user.mail", trust_email=True) as other:
        other.says(active=None, user={"mail": user("bob").email}, email_verified=None)
        assert await other.lists() == 200
        assert f"authorization: bearer {BEARER}" in other.server.requests[0].lower()
        other.server.answer = http(b"{}", status="401 Unauthorized")
        assert await other.lists(BEARER + "2") == 401
        other.server.answer = http(b"{}", status="404 Not Found")
        assert await other.lists(BEARER + "3") == 503, "the URL is wrong, not the bearer"


def test_scopes_tenant_audience_and_subject_are_read_as_declared() -> None:
    now = Instant(5 * SECOND)
    mapped = replace(
        SYSTEM, scopes=frozenset(), scope_field="scope", scope_map={"r": frozenset({READ})}, tenant="",
        tenant_field="org.slug", audience="door", subjects={"7": "Bob@acme.example"},
    )  # fmt: skip
    answer: dict[str, Any] = {
        "active": True,
        "sub": "7",
        "scope": "r w *",
        "org": {"slug": "acme"},
        "aud": ["x", "door"],
    }
    found = read_answer(mapped, answer | {"email": "alice@acme.example", "email_verified": True}, now)
    assert (found.email, found.tenant_slug, found.scopes) == ("bob@acme.example", "acme", {READ})
    wrong: list[dict[str, Any]] = [
        {"sub": 7}, {"sub": "8"}, {"scope": None}, {"scope": [1]}, {"org": "acme"}, {"org": {}}, {"aud": "doo"}, {"aud": None},
    ]  # fmt: skip
    for members in wrong:
        with pytest.raises(Unauthenticated):
            read_answer(mapped, answer | members, now)


async def test_many_at_once_do_not_make_it_a_refusal(other: Other) -> None:
    codes = await asyncio.gather(*(other.lists(f"{BEARER}{number}") for number in range(4)))
    assert set(codes) == {200}
