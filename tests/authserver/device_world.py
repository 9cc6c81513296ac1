"""A device that asks, and what the person does at the browser (RFC 8628)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from tests.authserver.deployment import C1, C2, MCP
from tests.authserver.world import FINGERPRINTER, Browser, Consent, World, basic, consent_of

from doorward.model import Client, ClientId
from doorward.protocol.token import DEVICE_CODE
from doorward.storage import clients

TV = replace(
    C1, id=ClientId("tv"), name="Harbour TV", redirect_uris=(), grant_types=frozenset({DEVICE_CODE, "refresh_token"})
)
"""Public, and no redirect URI at all."""
OTHER_TV = replace(TV, id=ClientId("other-tv"), name="Another TV")
BOX = replace(C2, id=ClientId("box"), name="Set-top box", redirect_uris=(), grant_types=frozenset({DEVICE_CODE}))
"""Confidential, without refresh tokens."""
BOX_SECRET = "dwk_box"
SCOPE = "documents:read documents:write offline_access"


@dataclass
class Device:
    """A program without a browser."""

    world: World
    client: Client = TV
    codes: Mapping[str, Any] | None = None

    async def ask(self, path: str = "/oauth/device_authorization", **changed: str) -> httpx2.Response:
        form, headers = self._signed({"scope": SCOPE, "resource": MCP} | changed)
        return await self.world.token({name: value for name, value in form.items() if value}, path, **headers)

    async def begin(self, **changed: str) -> str:
        """Ask, and return the code that the device shows."""
        response = await self.ask(**changed)
        assert response.status_code == 200, response.text
        self.codes = response.json()
        return str(self.codes["user_code"])

    async def poll(self, **changed: str) -> httpx2.Response:
        assert self.codes is not None
        form, headers = self._signed({"grant_type": DEVICE_CODE, "device_code": self.codes["device_code"]} | changed)
        return await self.world.token(form, **headers)

    def _signed(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        if self.client is BOX:
            return form, {"authorization": basic(BOX.id, BOX_SECRET)}
        return {"client_id": self.client.id} | form, {}


async def device(world: World, client: Client = TV) -> Device:
    """Return a device whose client is registered."""

    def store(tx: Any) -> None:
        if clients.client_by_id(tx, client.id) is None:
            secret = None if client is not BOX else FINGERPRINTER.of(BOX_SECRET)
            clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=secret)

    await world.database.write(store)
    return Device(world, client)


async def type_code(browser: Browser, code: str) -> httpx2.Response:
    return await browser.post("/device", [("user_code", code)])


async def consent(browser: Browser, code: str) -> Consent:
    """Type the code and look at the question."""
    response = await browser.follow(await type_code(browser, code))
    assert response.status_code == 200, response.text
    return consent_of(response)
