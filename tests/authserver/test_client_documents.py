"""Live Client ID Metadata Documents, from a real https server (CIMD draft -02; security F1, F5 to F16)."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx2
import pytest
from tests.authserver import device_world as devices
from tests.authserver.deployment import CIMD_URL
from tests.authserver.device_world import TV, Device
from tests.authserver.world import REDIRECT, World, answer_of, az, is_page, is_token_error

from doorward.model import ClientId, Status
from doorward.protocol import faults
from doorward.protocol.token import DEVICE_CODE
from doorward.storage import client_documents, clients, connections
from doorward.web import fetch
from doorward.web.fetch import Fetcher
from support.https_server import HOST, HttpsServer, http, https_server, trust

pytestmark = pytest.mark.anyio

UNUSABLE, BUSY = "DW-152", "DW-153"


@dataclass
class Live:
    """An authorization server that fetches, and the vendor's server that it fetches from."""

    make: Callable[..., World]
    vendor: HttpsServer
    addresses: list[str] = field(default_factory=lambda: ["127.0.0.1"])
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.make(cimd_policy="open", **self.options)
        self.publish()
        self.restart()

    def restart(self, **options: Any) -> None:
        """Begin again as another node or a new process would, over the same database."""
        world = self.world
        fetcher = Fetcher(
            now=world.clock, resolver=lambda *_: self.addresses, tls=trust(HOST)[1], allow_loopback=True, deadline=1
        )
        self.world = World(
            database=world.database, keys=world.keys, secrets=world.secrets, clock=world.clock,
            options=world.options | {"fetcher": fetcher} | options,
        )  # fmt: skip

    @property
    def url(self) -> str:
        return self.vendor.url()

    def document(self, **changed: Any) -> dict[str, Any]:
        members = {
            "client_id": self.url,
            "client_name": "Live App",
            "redirect_uris": ["http://127.0.0.1/cb"],
            **changed,
        }
        return {name: value for name, value in members.items() if value is not None}

    def publish(self, *headers: str, kind: str = "application/json", **changed: Any) -> None:
        self.vendor.answer = http(json.dumps(self.document(**changed)).encode(), *headers, kind=kind)

    async def open(self, **changed: str) -> httpx2.Response:
        return await self.world.browser().open(az(**{"client_id": self.url, **changed}))

    async def begins(self, **changed: str) -> bool:
        response = await self.open(**changed)
        return response.is_redirect and "/oauth/consent" in response.headers["location"]

    async def stored(self) -> Any:
        return await self.world.database.read(lambda r: client_documents.document_by_url(r, ClientId(self.url)))


@pytest.fixture
async def live(make_world: Callable[..., World]) -> AsyncIterator[Live]:
    async with https_server(trust(HOST)[0]) as vendor:
        yield Live(make_world, vendor)


async def test_a_client_that_only_its_document_describes_connects(live: Live) -> None:
    browser = await live.world.browser_of("alice")
    page = await browser.consent(az(client_id=live.url))
    assert "Live App" in page.text
    code = answer_of(await browser.submit(page))["code"]
    tokens = (await live.world.redeem(code, client_id=live.url)).json()
    assert await live.world.works(tokens["access_token"])
    live.vendor.answer = b""
    live.restart()
    live.world.clock.forward(3 * 86_400)
    refreshed = await live.world.refresh(tokens["refresh_token"], client_id=live.url)
    assert refreshed.status_code == 200  # a vendor that is away ends no connection
    assert live.vendor.connections == 1


@pytest.mark.parametrize(
    "form",
    [
        "http://{}/c.json", "https://{}/", "https://{}", "https://{}/c.json#x", "https://u@{}/c.json", "https://{}/./c.json",
        "https://{}/../c.json", "https://{}/%2e%2e/c.json", "https://{}/c.json?x=1", "https://127.0.0.1/c.json",
        "https://2130706433/c.json", "https://[::1]/c.json", "https://app.example.:443/c.json", "https://app.example:22/c",
    ],
)  # fmt: skip
async def test_F1_F2_F3_another_url_opens_no_socket(live: Live, form: str) -> None:
    is_page(await live.open(client_id=form.format(f"{HOST}:{live.vendor.port}")), "DW-1")
    assert live.vendor.connections == 0


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1"])
async def test_F2_F4_a_name_that_leads_inside_is_refused(live: Live, address: str) -> None:
    live.addresses = ["127.0.0.1", address]
    is_page(await live.open(), UNUSABLE)
    assert live.vendor.connections == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "https://app.example/C.json"}, {"client_id": None}, {"client_name": None}, {"redirect_uris": None},
        {"redirect_uris": []}, {"client_secret": "s"}, {"client_secret_expires_at": 1},
        {"token_endpoint_auth_method": "client_secret_post"}, {"logo_uri": "file:///etc/passwd"},
        {"jwks": {"keys": [{"kty": "EC", "d": "x"}]}},
    ],
)  # fmt: skip
async def test_F8_F11_a_document_against_the_rules_is_refused_and_not_kept(live: Live, changed: dict[str, Any]) -> None:
    live.publish(**changed)
    is_page(await live.open(), UNUSABLE)
    assert await live.stored() is None
    live.publish()
    assert await live.begins()  # at once: an error is not cached


@pytest.mark.parametrize("kind", ["text/html", "application/json5", "application/jsonx", "text/json", ""])
async def test_F8_another_content_type_is_refused(live: Live, kind: str) -> None:
    live.publish(kind=kind)
    is_page(await live.open(), UNUSABLE)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/cimd+json"])
async def test_F8_every_form_of_json_is_taken(live: Live, kind: str) -> None:
    live.publish(kind=kind)
    assert await live.begins()


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b'{"client_id":"a","client_id":"b"}', b"[" * 4000, b"null", b""]
)
async def test_F8_what_is_no_object_is_refused(live: Live, body: bytes) -> None:
    live.vendor.answer = http(body)
    is_page(await live.open(), UNUSABLE)


async def test_F9_a_redirect_uri_that_is_not_in_the_document_is_a_page(live: Live) -> None:
    is_page(await live.open(redirect_uri="https://evil.example/cb"), "DW-104")
    is_page(await live.open(redirect_uri="http://127.0.0.1:53111/other"), "DW-104")


async def test_F12_the_browser_is_told_the_same_whatever_went_wrong(live: Live) -> None:
    def closed() -> None:
        live.vendor.answer = b""

    def html() -> None:
        live.vendor.answer = http(b"<html>", kind="text/html")

    def private() -> None:
        live.addresses = ["10.0.0.1"]

    def other_name() -> None:
        live.addresses = ["::1"]

    def missing() -> None:
        live.vendor.answer = http(b"", status="404 Not Found")

    pages = set()
    for trouble in (closed, html, missing, other_name, private):
        live.restart()
        live.addresses = ["127.0.0.1"]
        trouble()
        response = await live.open()
        is_page(response, UNUSABLE)
        name = response.headers["x-request-id"]
        pages.add(response.text.replace(name, ""))
        assert "example" not in response.text
    assert len(pages) == 1


async def test_F10_a_code_is_bound_to_what_was_approved(live: Live) -> None:
    code = await live.world.code(params=az(client_id=live.url))
    live.publish(redirect_uris=["https://new.example/cb"], client_name="Other")
    live.world.clock.forward(20)
    assert (await live.world.redeem(code, client_id=live.url)).status_code == 200
    code = await live.world.code(params=az(client_id=live.url))
    live.vendor.answer = http(b"", status="404 Not Found")
    wrong = await live.world.redeem(code, client_id=live.url, redirect_uri="https://new.example/cb")
    is_token_error(wrong, "invalid_grant")


async def test_F10_a_new_redirect_uri_is_known_after_five_minutes_and_asks_again(live: Live) -> None:
    live.publish("Cache-Control: max-age=86400")
    assert await live.begins()
    live.publish("Cache-Control: max-age=86400", redirect_uris=["https://new.example/cb"])
    is_page(await live.open(redirect_uri="https://new.example/cb"), "DW-104")
    assert live.vendor.connections == 1
    live.world.clock.forward(301)
    browser = await live.world.browser_of("alice")
    page = await browser.consent(az(client_id=live.url, redirect_uri="https://new.example/cb"))
    assert "new.example" in page.text
    is_page(await live.open(), "DW-104")


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone", "302 Found", "403 Forbidden"])
async def test_F10_a_document_that_is_withdrawn_describes_nobody(live: Live, status: str) -> None:
    browser = await live.world.browser_of("alice")
    page = await browser.consent(az(client_id=live.url))
    live.vendor.answer = http(b"", status=status)
    live.world.clock.forward(301)
    is_page(await live.open(), UNUSABLE)
    assert await live.stored() is None
    is_page(await browser.submit(page), "DW-102")  # a page that was open meanwhile answers nothing
    assert not await live.world.connections()


async def test_F10_a_document_that_became_invalid_is_not_used_stale(live: Live) -> None:
    assert await live.begins()
    live.publish(client_secret="s")
    live.world.clock.forward(301)
    is_page(await live.open(), UNUSABLE)
    assert await live.stored() is None


async def test_F10_another_name_between_page_and_answer_is_asked_again(live: Live) -> None:
    browser = await live.world.browser_of("alice")
    page = await browser.consent(az(client_id=live.url))
    live.publish(client_name="Renamed")
    live.world.clock.forward(301)
    assert await live.begins()
    is_page(await browser.submit(page), faults.REQUEST_EXPIRED.code)
    assert not await live.world.connections()


async def test_F11_nodes_and_restarts_share_one_copy_for_as_long_as_it_is_fresh(live: Live) -> None:
    live.publish("Cache-Control: max-age=3600", 'ETag: "one"')
    assert await live.begins()
    live.restart()
    live.world.clock.forward(3599)
    assert await live.begins()
    assert live.vendor.connections == 1
    live.vendor.answer = b'HTTP/1.1 304 Not Modified\r\nETag: "one"\r\nCache-Control: max-age=600\r\n\r\n'
    live.world.clock.forward(1)
    assert await live.begins()
    assert 'If-None-Match: "one"' in live.vendor.requests[1]
    live.world.clock.forward(599)
    assert await live.begins()
    assert live.vendor.connections == 2


async def test_F11_no_store_and_a_year_are_bounded(live: Live) -> None:
    live.publish("Cache-Control: no-store")
    assert await live.begins()
    live.world.clock.forward(299)
    assert await live.begins()
    assert live.vendor.connections == 1
    live.publish("Cache-Control: max-age=31536000")
    live.world.clock.forward(1)
    assert await live.begins()
    live.world.clock.forward(86_400)
    assert await live.begins()
    assert live.vendor.connections == 3


async def test_F11_a_304_that_answers_no_condition_is_an_error(live: Live) -> None:
    live.vendor.answer = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    is_page(await live.open(), UNUSABLE)


async def test_F13_an_address_and_then_a_person_have_a_budget(live: Live) -> None:
    for number in range(fetch.PER_ASKER):
        is_page(await live.open(client_id=live.vendor.url(f"/{number}")), UNUSABLE)
    refused = await live.open(client_id=live.vendor.url("/more"))
    is_page(refused, BUSY, 429)
    assert refused.headers["retry-after"] == "60"
    assert live.vendor.connections == fetch.PER_ASKER
    browser = await live.world.browser_of("alice")
    await browser.consent(az(client_id=live.url))  # who is signed in has a budget of their own
    assert await live.begins()  # and what is known costs nothing


async def test_F7_many_who_ask_for_the_same_document_wait_for_one_fetch(live: Live) -> None:
    begun = []

    async def ask() -> None:
        begun.append(await live.begins())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert begun == [True] * 20
    assert live.vendor.connections == 1


async def test_F16_tenants_share_a_document_and_no_grant(live: Live) -> None:
    for slug in ("acme", "globex"):
        await live.world.code("dave", az(client_id=live.url), tenant=slug)
    first, second = await live.world.connections("dave")
    assert first.tenant_id != second.tenant_id
    now = live.world.clock()
    await live.world.database.write(lambda tx: connections.revoke_connection(tx, first.id, now, "test"))
    left = {each.id: each.revoked_at for each in await live.world.connections("dave")}
    assert left[second.id] is None


async def test_a_disabled_client_is_not_fetched(live: Live) -> None:
    await live.world.code(params=az(client_id=live.url))
    stored = await live.world.database.read(lambda r: clients.client_by_id(r, ClientId(live.url)))
    assert stored is not None
    await live.world.database.write(lambda tx: clients.update_client(tx, replace(stored, status=Status.DISABLED)))
    live.world.clock.forward(86_400)
    assert not await live.begins()
    assert live.vendor.connections == 1


async def test_an_administrators_copy_stands_for_the_document(live: Live) -> None:
    assert await live.begins(client_id=CIMD_URL)
    is_page(await live.open(client_id=CIMD_URL, redirect_uri="https://new.example/cb"), "DW-104")
    assert live.vendor.connections == 0


async def test_F8_F10_a_bundled_copy_needs_no_fetch_and_outlives_every_failure(live: Live) -> None:
    live.restart(bundled_documents={live.url: live.document(client_name="Bundled")})
    assert await live.begins()
    assert live.vendor.connections == 0
    new = {"redirect_uri": "https://new.example/cb"}
    live.vendor.answer = http(b"", status="403 Forbidden")
    is_page(await live.open(**new), "DW-104")
    live.publish(redirect_uris=["https://new.example/cb"])
    browser = await live.world.browser_of("alice")
    assert "Bundled" in (await browser.consent(az(client_id=live.url, **new))).text
    assert await live.begins(redirect_uri=REDIRECT)  # what the vendor dropped stays in our copy
    live.vendor.answer = http(b"", status="404 Not Found")
    live.world.clock.forward(301)
    is_page(await live.open(**new), "DW-104")
    assert await live.begins()


@pytest.mark.requirement("spec/AS30")
async def test_policy_pinned_fetches_nothing_and_policy_off_knows_no_document(live: Live) -> None:
    code = await live.world.code(params=az(client_id=live.url))
    for policy, known in (("pinned", True), ("off", False)):
        live.restart(cimd_policy=policy, bundled_documents={})
        is_page(await live.open(), "DW-102")
        assert await live.begins(client_id=CIMD_URL) is known
        async with live.world.client() as client:
            metadata = (await client.get("/.well-known/oauth-authorization-server")).json()
        assert metadata["client_id_metadata_document_supported"] is known
        is_token_error(await live.world.redeem(code, client_id=live.url), "invalid_client", 401)
    assert live.vendor.connections == 1


async def test_F15_what_was_approved_before_is_asked_again_wherever_the_request_comes_from(live: Live) -> None:
    browser = await live.world.browser_of("alice")
    await browser.answer(az(client_id=live.url))
    for site in ("cross-site", "same-origin", None):
        browser.http.headers = {} if site is None else {"sec-fetch-site": site}  # type: ignore[assignment]
        page = await browser.consent(az(client_id=live.url))
        assert "Live App" in page.text
    assert len(await live.world.connections()) == 1


async def test_a_client_that_only_its_document_describes_signs_in_a_device(live: Live) -> None:
    live.publish(grant_types=[DEVICE_CODE, "refresh_token"])
    device = Device(live.world, replace(TV, id=ClientId(live.url)))
    browser = await live.world.browser_of("alice")
    page = await devices.consent(browser, await device.begin())
    assert "Not verified" in page.text
    assert "Described at app.example" in page.text
    is_token_error(await device.poll(), "authorization_pending")
    assert (await browser.submit(page)).headers["location"] == "/device/approved"
    assert (await device.poll()).status_code == 200


async def test_F12_a_document_that_cannot_be_had_is_told_as_json(live: Live) -> None:
    live.vendor.answer = b""
    is_token_error(await Device(live.world, replace(TV, id=ClientId(live.url))).ask(), "invalid_client", 401)
