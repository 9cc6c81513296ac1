"""A departing user: one action, and within the next call every credential of every kind is dead.

Real processes: a command beside the server on SQLite, and two servers on PostgreSQL, one of which hears nothing but
what is in the database.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from support.oauth import Client, call
from support.person import Page, Person
from support.running_demo import free_port, run, running_demo
from support.serving import serving

NO_POOL = httpx2.Limits(max_keepalive_connections=0)
"""Nobody would close the connections."""
PASSWORD = "seven green lighthouses"
DOCUMENT: dict[str, Any] = {
    "servers": [{"slug": "wiki", "paths": ["/mcp"], "upstream": "http://127.0.0.1:9/mcp"}],
    "permissions": [{"permission": "pages:read"}, {"permission": "members:manage"}],
    "users": [
        {"email": "leaver@acme.example", "password": PASSWORD},
        {"email": "owner@acme.example", "password": PASSWORD},
    ],
    "tenants": [
        {
            "slug": "acme",
            "servers": ["wiki"],
            "members": [
                {"user": "leaver@acme.example", "roles": ["editor"]},
                {"user": "owner@acme.example", "roles": ["owner"]},
            ],
        }
    ],
}


@dataclass
class Deployment:
    """``here`` is where things are made, ``there`` where they are tried afterwards."""

    here: str
    there: str
    leaver: Person
    key: str
    deactivate: Callable[[], object]
    let_through: int = 200
    """What a call is answered with that the gateway lets through."""


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Deployment]:
    opened = _with_a_command(tmp_path) if request.param == "sqlite" else _two_servers(
        tmp_path, request.getfixturevalue("postgres_url")
    )  # fmt: skip
    with opened as found:
        yield found


@contextmanager
def _with_a_command(folder: Path) -> Iterator[Deployment]:
    with running_demo(folder / "data") as demo:
        email, password = demo.user("editor")
        made = json.loads(demo.command("token", "create", "--user", email, "--tenant", "acme", "--json").stdout)
        yield Deployment(
            demo.url, demo.url, Person(email, password), made["key"],
            lambda: demo.command("user", "deactivate", email),
        )  # fmt: skip


@contextmanager
def _two_servers(folder: Path, base: str) -> Iterator[Deployment]:
    schema = f"departure_{os.getpid()}"
    ports = [free_port(), free_port()]
    configs = [folder / f"{number}.toml" for number in range(2)]
    for config, port in zip(configs, ports, strict=True):
        config.write_text(
            f'data_dir = "data"\n[server]\nport = {port}\npublic_url = "http://127.0.0.1:{ports[0]}"\n'
            f'[database]\nurl = "{base}?search_path={schema}"\n'
        )
    document = folder / "acme.json"
    document.write_text(json.dumps(DOCUMENT))
    with psycopg.connect(base, autocommit=True) as connection, ExitStack() as stack:
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        stack.callback(connection.execute, f"DROP SCHEMA {schema} CASCADE")
        for config in configs:
            stack.enter_context(serving(config))

        def made(email: str) -> dict[str, str]:
            command = ("token", "create", "--user", email, "--tenant", "acme", "--json", "--config", str(configs[0]))
            return json.loads(run("doorward.cli.main", *command).stdout)  # type: ignore[no-any-return]

        run("doorward.cli.main", "apply", "-f", str(document), "--config", str(configs[0]))
        owner, key = made("owner@acme.example"), made("leaver@acme.example")
        here, there = (f"http://127.0.0.1:{port}" for port in ports)

        def deactivate() -> None:
            headers = {"authorization": f"Bearer {owner['key']}"}
            listed = httpx2.get(f"{here}/api/v1/tenants/acme/members", headers=headers, trust_env=False)
            (found,) = [each["id"] for each in listed.json()["members"] if each["email"].startswith("leaver")]
            path = f"{here}/api/v1/tenants/acme/members/{found}/deactivate"
            assert httpx2.post(path, headers=headers, trust_env=False).status_code == 200

        yield Deployment(here, there, Person("leaver@acme.example", PASSWORD), key["key"], deactivate, let_through=502)


def approved_device(url: str, client: Client, person: Person) -> str:
    """Return a device code that the person has approved and the device has not redeemed."""
    asked = client.http.post(
        "/oauth/device_authorization", data={"client_id": client.client_id, "resource": client.resource}
    ).json()
    response = person._go("GET", f"{url}/device?user_code={asked['user_code']}")
    for _ in range(8):
        if response.is_redirect:
            response = person._go("GET", url + response.headers["location"])
            continue
        if str(response.url).endswith("/device/approved"):
            return str(asked["device_code"])
        form = next(form for form in Page(response.text).forms if form.action != "/sign-out")
        fill = {"answer": "approve"} if form.named("answer") else {"user_code": asked["user_code"]}
        response = person._submit(form, str(response.url), fill)
    raise AssertionError(response.text)


@pytest.mark.requirement("E2", "D3")
def test_H5_a_departing_user_holds_nothing_after_one_action(deployment: Deployment) -> None:
    person, there = deployment.leaver, deployment.there
    client = Client(deployment.here, f"{deployment.here}/mcp")
    other = Client(deployment.here, f"{deployment.here}/mcp", "another")
    tokens = client.connect(person, "openid pages:read documents:read")
    terminal = device_client(deployment.here)
    code, device = other.code(person), approved_device(deployment.here, terminal, person)
    # The same clients, at the other server.
    for each in (client, other, terminal):
        each.http = httpx2.Client(base_url=there, timeout=20, trust_env=False, limits=NO_POOL)

    def statuses() -> dict[str, int]:
        bearer = {"authorization": f"Bearer {tokens.access}"}
        return {
            "key": call(f"{there}/mcp", deployment.key, "whoami").status_code,
            "token": call(f"{there}/mcp", tokens.access, "whoami").status_code,
            "userinfo": httpx2.get(f"{there}/oauth/userinfo", headers=bearer, trust_env=False).status_code,
            "session": person.browser.get(f"{there}/settings/security").status_code,
        }

    let = deployment.let_through
    assert statuses() == {"key": let, "token": let, "userinfo": 200, "session": 200}
    deployment.deactivate()
    assert statuses() == {"key": 401, "token": 401, "userinfo": 401, "session": 303}
    assert client.refresh(tokens.refresh).json()["error"] == "invalid_grant"
    assert other.redeem(code).json()["error"] == "invalid_grant"
    redeemed = terminal.http.post(
        "/oauth/token",
        data={
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": device,
            "client_id": terminal.client_id,
        },
    )  # fmt: skip
    assert redeemed.status_code == 400
    assert "access_token" not in redeemed.text
    answer = httpx2.post(
        f"{there}/sign-in", data={"email": person.email, "password": person.password},
        headers={"sec-fetch-site": "same-origin"}, trust_env=False,
    )  # fmt: skip
    assert answer.status_code == 422


def device_client(url: str) -> Client:
    """Return a client that may ask by device code."""
    client = Client(url, f"{url}/mcp", "terminal")
    grants = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    body = {"client_name": "Terminal", "grant_types": grants, "token_endpoint_auth_method": "none"}
    client.client_id = str(client.http.post("/oauth/clients/register", json=body).json()["client_id"])
    return client
