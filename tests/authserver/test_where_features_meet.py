"""What holds where one feature meets another: whoever ends something ends it for all of them (D3, G8, B14, B18)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.authserver import device_world as devices
from tests.authserver.deployment import tenant, user
from tests.authserver.test_admission import say, say_host, say_redirect, word
from tests.authserver.test_client_keys import Keyed, jwks, keyed
from tests.authserver.test_consent_memory import APP, browser, came, silent, web
from tests.authserver.test_openid import Rp, rp
from tests.authserver.test_registration import registered
from tests.authserver.test_registration_management import WEB, manage, tokens_of
from tests.authserver.test_workload import Ci, ci, server
from tests.authserver.world import Browser, World, answer_of, az, basic, consent_of, is_page, is_token_error, tk

from doorward.accounts import notices
from doorward.authserver import client_settings, client_verdicts
from doorward.authserver.clients import ClientDirectory
from doorward.model import Cause, ClientId, Placement, Resource, ResourceId, Status
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Transaction
from support.assertions import STRANGER

__all__ = ["browser", "ci", "keyed", "rp", "server"]

pytestmark = pytest.mark.anyio


async def let_in(world: World, browser: Browser) -> dict[str, Any]:
    """Have the remembered client let in without a page; return its tokens."""
    code = answer_of(await came(browser, web(scope="documents:read documents:write offline_access")))["code"]
    form = tk(code) | {"client_id": "c2", "redirect_uri": APP}
    answer = await world.token(form, authorization=basic("c2", world.secrets["c2"]))
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def asked_again(browser: Browser) -> None:
    page = await came(browser, web(scope="documents:read documents:write"))
    assert not silent(page)
    assert consent_of(page).form.named("remember")


async def told(world: World, name: str = "alice") -> list[Any]:
    return await world.database.read(lambda reader: notices.waiting(reader, user(name).id))


@pytest.fixture
async def remembered(world: World) -> Browser:
    """A browser in which a consent with a refresh token is remembered."""
    opened = await world.browser_of("alice")
    page = await opened.consent(web(scope="documents:read documents:write offline_access"))
    await opened.submit(page, remember="yes")
    return opened


async def test_G8_a_client_that_revokes_its_connection_is_asked_about_again(world: World, remembered: Browser) -> None:
    tokens = await let_in(world, remembered)
    header = basic("c2", world.secrets["c2"])
    done = await world.token({"token": tokens["refresh_token"]}, path="/oauth/revoke", authorization=header)
    assert done.status_code == 200
    await asked_again(remembered)
    ended = next(event for event in await world.events() if event.name == "connection:revoked")
    assert (ended.detail["by"], ended.request_id[:4]) == ("client", "req_")
    assert await told(world) == [], "what a client does by itself is no news"


DENIALS: dict[str, Callable[..., Any]] = {
    "client": lambda world, **how: say(world, "c2", tenant("acme").id, **how),
    "host": lambda world, **how: say_host(world, "app.example", tenant("acme").id, **how),
    "redirect": lambda world, **how: say_redirect(world, "c2", APP, tenant("acme").id, **how),
}


@pytest.mark.parametrize("kind", DENIALS)
async def test_G8_a_denial_ends_what_is_remembered_and_its_person_is_told(
    world: World, remembered: Browser, kind: str
) -> None:
    tokens = await let_in(world, remembered)
    assert await DENIALS[kind](world, allowed=False) == 2
    assert not await world.works(tokens["access_token"])
    said = await told(world)
    assert {each.headline for each in said} == {"Web App was disconnected from Acme"}
    assert "administrator" in said[0].text
    await DENIALS[kind](world, allowed=True)
    await asked_again(remembered)


async def test_a_denial_names_the_request_that_said_it(world: World) -> None:
    await world.connect()
    said = replace(word(world, tenant("acme").id, allowed=False), cause=Cause("req_said", None))
    directory = ClientDirectory(pinned_documents={}, vendor_schemes=frozenset(), policy="open")
    await world.database.write(
        lambda tx: client_verdicts.decide_client(tx, ClientId("c1"), said, directory=directory)
    )  # fmt: skip
    mine = [event.name for event in await world.events() if event.request_id == "req_said"]
    assert sorted(mine) == ["client:denied", "connection:revoked"]


async def test_D3_an_ended_registration_ends_its_connections_like_everything_else(world: World) -> None:
    client = await registered(world, WEB)
    tokens = await tokens_of(world, client)
    assert (await manage(world, "DELETE", client)).status_code == 204
    assert not await world.works(tokens["access_token"])
    ended = next(event for event in await world.events() if event.name == "connection:revoked")
    assert (ended.detail, ended.request_id[:4]) == ({"client": client["client_id"], "by": "client"}, "req_")


async def test_E11_a_registration_cannot_be_renamed_between_page_and_answer(world: World) -> None:
    client = await registered(world, WEB)
    opened = await world.browser_of("alice")
    page = await opened.consent(az(client_id=client["client_id"], redirect_uri=WEB["redirect_uris"][0]))
    body = WEB | {"client_id": client["client_id"], "client_secret": client["client_secret"], "client_name": "Other"}
    assert (await manage(world, "PUT", client, body)).status_code == 200
    is_page(await opened.submit(page), "DW-121")
    assert await world.connections() == []


@pytest.mark.parametrize("path", ["/oauth/revoke", "/oauth/introspect"])
async def test_F10_a_device_grant_in_the_form_does_not_bring_in_keys_that_nobody_approved(
    keyed: Keyed, path: str
) -> None:
    tokens = await keyed.connect()
    keyed.publish(jwks_uri=None, jwks=json.loads(jwks(STRANGER)))
    keyed.world.clock.forward(86_400)
    opened = await keyed.world.browser_of("alice")
    await opened.consent(az(client_id=keyed.url, redirect_uri="https://app.example/cb"))
    form = {"token": tokens["refresh_token"], "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
    answer = await keyed.world.token(form | keyed.proof("taken over", STRANGER), path=path)
    is_token_error(answer, "invalid_client", 401)
    assert (await keyed.world.connections())[0].revoked_at is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_D3_userinfo_ends_with_the_server_that_was_approved(rp: Rp, method: str) -> None:
    tokens = await rp.connect(await rp.world.browser_of("alice"))
    assert (await rp.userinfo(tokens["access_token"], method)).status_code == 200
    await rp.world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []))
    answer = await rp.userinfo(tokens["access_token"], method)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert "alice" not in answer.text


@pytest.mark.requirement("B14")
async def test_a_tenant_bounds_the_tokens_of_workloads_too(ci: Ci) -> None:
    short = replace(tenant("acme"), access_ttl=120)
    await ci.world.database.write(lambda tx: accounts.update_tenant(tx, short))
    assert (await ci.granted())["expires_in"] == 120


@pytest.mark.requirement("B18")
async def test_D3_a_rule_that_was_disabled_stays_so_when_it_is_changed(ci: Ci) -> None:
    rule, world = await ci.rule(), ci.world
    await world.database.write(
        lambda tx: client_settings.set_status(tx, rule.id, Status.DISABLED, now=world.clock(), cause=None)
    )  # fmt: skip
    await ci.trust(lifetime=600)
    assert (await ci.rule()).lifetime == 600
    await ci.refused()


@pytest.mark.requirement("B18")
async def test_D2_a_workload_is_let_in_by_roles_that_hold_in_some_places_only(ci: Ci) -> None:
    robot, acme = user("robot").id, tenant("acme").id
    north = Resource(id=ResourceId("res_north"), tenant_id=acme, type="workspace", key="n", name="North")

    def place(tx: Transaction) -> None:
        permissions.put_resources(tx, acme, [north])
        permissions.set_membership(tx, acme, robot, ())
        permissions.set_placements(tx, acme, robot, [Placement(role="editor", resource_id=north.id)])

    await ci.world.database.write(place)
    assert "documents:read" in (await ci.granted())["scope"]


@pytest.mark.requirement("A8")
async def test_every_event_of_an_oauth_request_names_the_request(ci: Ci) -> None:
    world = ci.world
    before = len(await world.events())
    client = await registered(world, WEB)
    tokens = await tokens_of(world, client)
    header = basic(client["client_id"], client["client_secret"])
    await world.token({"token": tokens["access_token"]}, path="/oauth/revoke", authorization=header)
    await manage(world, "PUT", client, WEB | {"client_id": client["client_id"], "client_secret": client["client_secret"]})  # fmt: skip
    tv = await devices.device(world)
    await tv.begin()
    await world.token({"grant_type": "client_credentials"}, authorization=basic("machine", world.secrets["machine"]))
    mine = await world.connect(params=az(scope="documents:read offline_access"))
    await world.refresh(mine["refresh_token"])
    world.clock.forward(120)
    is_token_error(await world.refresh(mine["refresh_token"]), "invalid_grant")
    await ci.granted()
    await ci.refused(ci.token(repository="somebody/else"))
    events = (await world.events())[: -before or None]
    assert {
        "client:registered", "client:updated", "connection:approved", "connection:activated", "access_token:revoked",
        "device:asked", "refresh_token:replayed", "workload:admitted", "workload:refused", "trust_rule:pinned",
    } <= {event.name for event in events}  # fmt: skip
    assert {event.name for event in events if not (event.request_id or "").startswith("req_")} <= {"trust_rule:added"}
