"""A confidential client manages its own registration (RFC 7592; feature B3; security E1, E11)."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.authserver.test_admission import say
from tests.authserver.test_registration import NATIVE, registered
from tests.authserver.world import World, az, basic, is_page, is_token_error, tk

from doorward.model import ClientId, Status
from doorward.storage import clients
from doorward.storage.database import Transaction

pytestmark = pytest.mark.anyio

URI = "https://app.example/cb"
WEB = {"client_name": "Web", "redirect_uris": [URI], "token_endpoint_auth_method": "client_secret_basic"}
UNKNOWN = "/oauth/clients/register/client_nobody"


async def manage(
    world: World, method: str, answer: dict[str, Any], body: Any = None, **changed: str
) -> httpx2.Response:
    """Send a request with the client's own token, or with what a test changed."""
    path = changed.get("path", answer.get("registration_client_uri", ""))
    token = changed.get("token", answer.get("registration_access_token", ""))
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    content = None if body is None else json.dumps(body).encode()
    async with world.client() as http:
        return await http.request(method, path, content=content, headers=headers)


async def tokens_of(world: World, answer: dict[str, Any]) -> dict[str, Any]:
    code = await world.code("alice", az(client_id=answer["client_id"], redirect_uri=URI))
    form = {name: value for name, value in tk(code).items() if name not in {"client_id", "redirect_uri"}}
    response = await world.token(form, authorization=basic(answer["client_id"], answer["client_secret"]))
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


@pytest.mark.requirement("B3")
async def test_a_confidential_client_reads_and_replaces_its_metadata_and_gets_a_new_token(world: World) -> None:
    first = await registered(world, WEB)
    shown = (await manage(world, "GET", first)).json()
    assert shown == {name: value for name, value in first.items() if not name.startswith("client_secret")}
    body = WEB | {
        "client_id": first["client_id"],
        "client_secret": first["client_secret"],
        "redirect_uris": [URI + "2"],
    }
    changed = await manage(world, "PUT", first, body)
    assert changed.status_code == 200, changed.text
    assert changed.headers["cache-control"] == "no-store"
    second = changed.json()
    assert second["redirect_uris"] == [URI + "2"]
    assert second["registration_access_token"] != first["registration_access_token"]
    is_token_error(await manage(world, "GET", first), "invalid_token", 401)
    assert (await manage(world, "GET", second)).json() == second
    assert (await world.events())[0].name == "client:updated"
    alice = await world.browser_of("alice")
    is_page(await alice.open(az(client_id=first["client_id"], redirect_uri=URI)), "DW-104")


@pytest.mark.requirement("B3")
async def test_E11_no_other_token_opens_a_registration_and_public_ones_have_none(world: World) -> None:
    one, two, public = await registered(world, WEB), await registered(world, WEB), await registered(world, NATIVE)
    assert "registration_access_token" not in public
    shared = f"/oauth/clients/register/{public['client_id']}"
    for method in ("GET", "PUT", "DELETE"):
        body = WEB | {"client_id": one["client_id"]} if method == "PUT" else None
        for path, token in (
            (one["registration_client_uri"], two["registration_access_token"]), (one["registration_client_uri"], ""),
            (one["registration_client_uri"], "dwg_x"), (one["registration_client_uri"], one["client_secret"]),
            (shared, one["registration_access_token"]), (UNKNOWN, one["registration_access_token"]),
            ("/oauth/clients/register/c2", one["registration_access_token"]),
        ):  # fmt: skip
            refused = await manage(world, method, one, body, path=path, token=token)
            is_token_error(refused, "invalid_token", 401)
            assert refused.headers["www-authenticate"].startswith("Bearer")
    assert (await manage(world, "GET", one)).status_code == 200
    assert (await manage(world, "POST", one, {})).status_code == 405


async def test_E11_what_an_administrator_disabled_does_not_bring_itself_back(world: World) -> None:
    one = await registered(world, WEB)

    def disable(tx: Transaction) -> None:
        client = clients.client_by_id(tx, ClientId(one["client_id"]))
        assert client is not None
        clients.update_client(tx, replace(client, status=Status.DISABLED))

    await world.database.write(disable)
    for method in ("GET", "PUT", "DELETE"):
        is_token_error(await manage(world, method, one, WEB | {"client_id": one["client_id"]}), "invalid_token", 401)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_id": None}, "invalid_client_metadata"),
        ({"client_id": "c1"}, "invalid_client_metadata"),
        ({"client_secret": "chosen by myself"}, "invalid_client_metadata"),
        ({"registration_access_token": "dwg_mine"}, "invalid_client_metadata"),
        ({"client_id_issued_at": 1}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
    ],
)
async def test_E1_a_change_is_held_to_what_a_registration_is(world: World, changed: dict[str, Any], error: str) -> None:
    one = await registered(world, WEB)
    body = WEB | {"client_id": one["client_id"]} | changed
    is_token_error(await manage(world, "PUT", one, body), error)
    assert (await manage(world, "GET", one)).json()["redirect_uris"] == [URI]


@pytest.mark.requirement("B3", "D3")
async def test_who_ends_its_registration_ends_what_people_gave_it(world: World) -> None:
    one = await registered(world, WEB)
    tokens = await tokens_of(world, one)
    assert (await manage(world, "DELETE", one)).status_code == 204
    assert not await world.works(tokens["access_token"])
    names = [event.name for event in await world.events()]
    assert names[:2] == ["client:deleted", "connection:revoked"]
    is_token_error(await manage(world, "DELETE", one), "invalid_token", 401)
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    header = basic(one["client_id"], one["client_secret"])
    is_token_error(await world.token(refresh, authorization=header), "invalid_client", 401)
    # One that was never used leaves nothing behind.
    two = await registered(world, WEB)
    assert (await manage(world, "DELETE", two)).status_code == 204
    assert await world.database.read(lambda reader: clients.client_by_id(reader, ClientId(two["client_id"]))) is None


async def test_an_approval_does_not_outlive_what_was_approved(make_world: Callable[..., World]) -> None:
    world = make_world(registration_policy="approved")
    one = await registered(world, WEB)
    await say(world, one["client_id"])
    same = (await manage(world, "PUT", one, WEB | {"client_id": one["client_id"]})).json()
    params = az(client_id=one["client_id"], redirect_uri=URI)
    alice = await world.browser_of("alice")
    assert (await alice.follow(await alice.open(params))).status_code == 200
    body = WEB | {"client_id": one["client_id"], "client_name": "Claude"}
    assert (await manage(world, "PUT", same, body)).status_code == 200
    is_page(await alice.follow(await alice.open(params)), "DW-135", 403)


async def test_where_nobody_registers_nobody_changes_a_registration(make_world: Callable[..., World]) -> None:
    world = make_world()
    one = await registered(world, WEB)
    world.rebuild(registration_policy="off")
    refused = await manage(world, "PUT", one, WEB | {"client_id": one["client_id"]})
    assert refused.status_code == 403
    assert (await manage(world, "GET", one)).status_code == 200
    assert (await manage(world, "DELETE", one)).status_code == 204
