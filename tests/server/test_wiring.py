"""What the operator sets reaches the surfaces, and what runs beside the server is what should."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from doorward import server
from doorward.authserver import registration
from doorward.bootstrap.core import open_core
from doorward.bootstrap.program import build
from doorward.model import Client, ClientId, ClientKind, Instant, Server, ServerId
from doorward.settings import ServerSettings, Settings
from doorward.storage import clients, servers
from doorward.storage.database import Transaction

pytestmark = pytest.mark.anyio
OLD = Client(
    id=ClientId("old"), kind=ClientKind.DYNAMIC, name="Old", redirect_uris=("http://127.0.0.1/cb",),
    grant_types=frozenset({"authorization_code"}), created_at=Instant(0),
)  # fmt: skip


def forget_me(tx: Transaction) -> None:
    clients.insert_client(tx, OLD, canonical_key=None, secret_fingerprint=None)


async def test_E8_a_trusted_proxy_is_trusted_and_unused_clients_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TIDY_SECONDS", 0.01)
    settings = replace(Settings(), data_dir=tmp_path, server=ServerSettings(trusted_proxies=["10.0.0.1"]))
    core = await open_core(settings, create=True)
    app = await build(core)
    transport = httpx2.ASGITransport(app=app, client=("10.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as http:

        async def register(number: int, address: str) -> int:
            body = {"client_name": f"{number}", "redirect_uris": ["http://127.0.0.1/cb"]}
            return (await http.post("/register", json=body, headers={"x-forwarded-for": address})).status_code

        for number in range(registration.PER_MINUTE):
            assert await register(number, "203.0.113.1") == 201
        assert await register(99, "203.0.113.1") == 429
        assert await register(99, "203.0.113.2") == 201
        for _ in range(40):
            answer = await http.post(
                "/sign-in", data={"email": "", "password": "x"},
                headers={"x-forwarded-for": "203.0.113.1", "sec-fetch-site": "same-origin"},
            )  # fmt: skip
        assert answer.status_code == 429
        answer = await http.post(
            "/sign-in", data={"email": "", "password": "x"},
            headers={"x-forwarded-for": "203.0.113.2", "sec-fetch-site": "same-origin"},
        )  # fmt: skip
        assert answer.status_code == 422
    await core.database.write(forget_me)
    await app.start()
    async with asyncio.timeout(10):
        while await core.database.read(lambda reader: clients.client_by_id(reader, OLD.id)):  # noqa: ASYNC110
            await asyncio.sleep(0)
    await app.stop()
    await core.close()


async def test_a_server_that_another_program_adds_is_there_at_once(tmp_path: Path) -> None:
    settings = replace(Settings(), data_dir=tmp_path)
    core = await open_core(settings, create=True)
    app = await build(core)
    await app.gateway.start()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=settings.public_url) as http:
        assert (await http.post("/new")).status_code == 404
        added = Server(id=ServerId("s"), slug="s", name="S", paths=("/new",), upstream="http://127.0.0.1:1/mcp")
        await core.database.write(lambda tx: servers.put_server(tx, added))
        assert (await http.post("/new")).status_code == 401
    await app.gateway.stop()
    await core.close()
