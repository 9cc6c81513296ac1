"""Every client of ``fixtures/`` connects the ways it can, stays connected, and gets what strict clients insist on.

Black box: HTTP against the whole program. Adding a client is adding a file (``fixtures/README.md``).
"""

import pytest
from tests.clients.deployment import ISSUER, MCP, Deployment
from tests.clients.fixtures import Fixture, filled, fixtures
from tests.clients.replay import FORM, Client, Human, error_of, send, tokens_of, whole

pytestmark = pytest.mark.anyio

OAUTH = [pytest.param(each, way, id=f"{each.name}-{way}") for each in fixtures() for way in each.ways() if way != "key"]
KEYS = [pytest.param(each, id=each.name) for each in fixtures() if "key" in each.ways()]


async def connected(deployment: Deployment, fixture: Fixture, way: str) -> Client:
    """Return the client after discovery and introduction."""
    client = Client(deployment, fixture, way)
    await client.discover()
    await client.introduce()
    return client


@pytest.mark.requirement("A1", "B1", "B3", "B4")
@pytest.mark.parametrize(("fixture", "way"), OAUTH)
async def test_a_client_connects_uses_its_token_and_stays_connected(
    deployment: Deployment, fixture: Fixture, way: str
) -> None:
    client = await connected(deployment, fixture, way)
    tokens = await client.redeem((await client.authorize())["code"])
    await client.use(tokens["access_token"])

    # Twice in parallel: one successor for both, and neither is logged out.
    both = await client.refresh_at_once(tokens["refresh_token"])
    assert len({answer["refresh_token"] for answer in both}) == 1
    for answer in both:
        await client.use(answer["access_token"])

    # Without resource and scope, and after a restart of the server.
    await deployment.restart()
    bare = await client.refresh(both[0]["refresh_token"], resource=None, scope=None)
    assert set(bare["scope"].split()) == set(tokens["scope"].split())
    await client.use(bare["access_token"])


@pytest.mark.parametrize(("fixture", "way"), OAUTH)
async def test_a_client_that_is_denied_is_told_so_with_state_and_iss(
    deployment: Deployment, fixture: Fixture, way: str
) -> None:
    client = await connected(deployment, fixture, way)
    answer = await client.authorize(deny=True)
    assert answer["error"] == "access_denied"
    assert answer["error_description"]


@pytest.mark.requirement("B9")
@pytest.mark.parametrize(("fixture", "way"), OAUTH)
async def test_a_client_whose_connection_ended_learns_it_as_invalid_grant(
    deployment: Deployment, fixture: Fixture, way: str
) -> None:
    # HTTP 400 and no other status, or it never asks its user again.
    client = await connected(deployment, fixture, way)
    tokens = await client.redeem((await client.authorize())["code"])
    form = {"token": tokens["refresh_token"], "client_id": client.client_id}
    if client.client_secret is not None and not client._basic():
        form["client_secret"] = client.client_secret
    async with deployment.client() as http:
        answer = await http.post(client.metadata["revocation_endpoint"], data=form, headers=client._basic())
    assert answer.status_code == 200, answer.text
    error_of(await client.token("refresh", refresh_token=tokens["refresh_token"]), "invalid_grant")


DEVICES = [pytest.param(each, id=each.name) for each in fixtures() if "device" in each.said]


@pytest.mark.requirement("B16", "C22")
@pytest.mark.parametrize("fixture", DEVICES)
async def test_a_client_connects_by_a_code_on_a_device(deployment: Deployment, fixture: Fixture) -> None:
    client, said = Client(deployment, fixture, "dcr"), fixture.said["device"]
    await client.discover()
    await client._register([said["register"]])
    async with deployment.client() as http:
        asked = await http.post(
            client.metadata["device_authorization_endpoint"], data=filled(said["ask"], client._values()), headers=FORM
        )
        codes = whole(asked)
        form = filled(said["poll"], {"client_id": client.client_id, "device_code": codes["device_code"]})
        error_of(await http.post(client.metadata["token_endpoint"], data=form), "authorization_pending")
    async with deployment.client() as browser:
        assert await Human(browser).types(codes["verification_uri_complete"]) == f"{ISSUER}/device/approved"
    async with deployment.client() as http:
        tokens = tokens_of(await http.post(client.metadata["token_endpoint"], data=form))
    await client.use(tokens["access_token"])


ALSO = [
    pytest.param(each, also["redirect_uri"], way, id=f"{each.name}-{way}-{also['redirect_uri']}")
    for each in fixtures()
    for also in each.said.get("also", ())
    for way in [also.get("way", "dcr")]
]


@pytest.mark.parametrize(("fixture", "redirect_uri", "way"), ALSO)
async def test_a_client_may_return_to_its_other_addresses_too(
    deployment: Deployment, fixture: Fixture, redirect_uri: str, way: str
) -> None:
    client = await connected(deployment, fixture, way)
    answer = await client.authorize(redirect_uri=redirect_uri)
    client.redirect_uri = redirect_uri
    assert (await client.redeem(answer["code"]))["access_token"]


@pytest.mark.requirement("A3", "A4")
@pytest.mark.parametrize("fixture", KEYS)
async def test_a_client_with_a_key_is_let_in_and_with_a_wrong_one_told_where_to_sign_in(
    deployment: Deployment, fixture: Fixture
) -> None:
    key = await deployment.key()
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    headers = {name: text.replace("{key}", key) for name, text in fixture.said["key"]["headers"].items()}
    await Client(deployment, fixture, "key").use(key, headers)
    async with deployment.client() as http:
        for step in fixture.said["after"]:
            refused = await send(http, {**step, "gives": 401}, {"authorization": f"Bearer {wrong}"})
            assert (
                f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource/mcp"'
                in refused.headers["www-authenticate"]
            )
        # Copilot sends the key to the metadata URL too: it is neither refused nor given back.
        document = await http.get("/.well-known/oauth-protected-resource/mcp", headers=headers)
    assert document.status_code == 200
    assert key not in document.text + str(document.headers)


async def test_gemini_that_registers_without_a_redirect_ends_nothing(deployment: Deployment) -> None:
    fixture = next(each for each in fixtures() if each.name == "gemini-cli")
    client = await connected(deployment, fixture, "dcr")
    tokens = await client.redeem((await client.authorize())["code"])
    both = await client.refresh_at_once(tokens["refresh_token"])
    async with deployment.client() as http:
        refused = await http.post(client.metadata["registration_endpoint"], json=fixture.said["stored"]["register"])
        error_of(refused, "invalid_redirect_uri")
        # What it would do with a second id: its own refresh token under another client.
        other = await http.post("/register", json={"client_name": "x", "redirect_uris": ["http://localhost/x"]})
        form = {"grant_type": "refresh_token", "refresh_token": both[0]["refresh_token"]}
        wrong = await http.post("/token", data=form | {"client_id": other.json()["client_id"]}, headers=FORM)
    error_of(wrong, "invalid_grant")
    tokens_of(await client.token("refresh", refresh_token=both[0]["refresh_token"]))


async def test_the_tokens_audience_is_the_published_url_whatever_form_was_sent(deployment: Deployment) -> None:
    fixture = next(each for each in fixtures() if each.name == "mistral")
    client = await connected(deployment, fixture, "dcr")
    tokens = await client.redeem((await client.authorize())["code"])
    claims = deployment.core.keys.current().verify(tokens["access_token"], "at+jwt")
    assert claims["aud"] == MCP
