"""People with keys and browsers at the management API."""

import json
import os
from dataclasses import dataclass
from typing import Any

import httpx2

from doorward.credentials.api_keys import create_api_key
from doorward.model import Permission, PermissionEntry, Tenant, User
from doorward.policy.permission import expand
from doorward.rights import ADMINISTRATION
from doorward.storage.database import Transaction
from support.pages import CATALOGUE, FINGERPRINTER, House
from support.rows import ACME, ALICE, NOW

ALL = (*CATALOGUE, *(PermissionEntry(permission=each, words=words) for each, words in ADMINISTRATION.items()))
RIGHTS = expand(("*:*",), [entry.permission for entry in ALL])
ME = "/api/v1/me"
OWN = {"sec-fetch-site": "same-origin"}


@dataclass
class Api:
    house: House
    keys: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, *, key: str = "alice", **headers: str) -> Any:
        """Ask with a key; underscores in names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"authorization": f"Bearer {self.keys.get(key, key)}", **named}
        return await send(self.house.browser().client, method, path, body, sent)

    async def signed_in(self, user: User = ALICE) -> "Tab":
        browser = self.house.browser()
        assert (await browser.sign_in(user)).status_code == 303
        tab = Tab(browser.client, "")
        tab.csrf = (await tab.ask("GET", ME)).json()["csrf"]
        return tab


@dataclass
class Tab:
    """A page of ours in somebody's browser."""

    client: httpx2.AsyncClient
    csrf: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await send(self.client, method, path, body, {**OWN, "doorward-csrf": self.csrf, **named})


async def send(client: httpx2.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
    content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if body is None else {"content-type": "application/json"}
    return await client.request(method, path, content=content, headers={"accept": "*/*", **kind, **headers})


def key_of(tx: Transaction, owner: User, tenant: Tenant = ACME, *, scopes: frozenset[Permission] | None = None) -> str:
    return create_api_key(
        tx, owner=owner, tenant=tenant, created_by=owner.id, name="test", rights=RIGHTS, now=NOW, entropy=os.urandom,
        fingerprinter=FINGERPRINTER, scopes=scopes, resources=None, expires_at=None, cause=None,
    ).text  # fmt: skip


def code_of(answer: Any) -> tuple[int, str | None]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json().get("code")
