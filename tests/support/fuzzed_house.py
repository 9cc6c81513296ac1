"""A deployment to be fuzzed: for each credential a tenant of its own, with one of everything that has an id."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from doorward.accounts.actors import Actor
from doorward.accounts.sessions import Came, Lifetimes, start_session
from doorward.api.callers import form_token
from doorward.bootstrap.approvals import approval_terms
from doorward.bootstrap.core import Core, open_core
from doorward.credentials.api_keys import create_api_key
from doorward.model import (
    Approvers,
    ClientId,
    ConnectionId,
    Instant,
    Permission,
    Server,
    Tenant,
    ToolState,
    User,
)
from doorward.policy.permission import expand
from doorward.provisioning import own_servers
from doorward.provisioning.apply import execute
from doorward.provisioning.own_server_wish import Wish
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.rights import ADMINISTRATION
from doorward.settings import ServerSettings, Settings
from doorward.storage import accounts, attempts, clients, connections, known_tools, servers
from doorward.storage.attempts import AttemptStep, Step
from doorward.storage.database import Transaction
from doorward.storage.known_tools import KnownTool
from support.asking import asked
from support.rows import CLIENT, CONNECTION
from support.running_demo import free_port
from support.serving import serving

TENANTS = ("by-key", "by-session")
PERMISSIONS = ("documents:read", "documents:write", *map(str, ADMINISTRATION))
DAY = 86_400_000_000


@dataclass(frozen=True)
class Asker:
    """Somebody who may do everything in a tenant: what they show, by scheme of the description, and ids that are theirs."""

    slug: str
    shows: dict[str, str]
    own: tuple[str, ...]


def _document() -> dict[str, object]:
    return {
        "servers": [{
            "slug": "harbour", "paths": ["/mcp"], "upstream": "http://127.0.0.1:9/mcp",
            "tools": [{"match": "*", "requires": ["documents:read"]}],
        }],
        "permissions": list(PERMISSIONS),
        "users": [
            {"email": f"{name}@{slug}.example", "password": "correct horse battery"} for slug in TENANTS for name in ("anna", "olga", "vera")
        ],
        "tenants": [
            {
                "slug": slug, "servers": ["harbour"], "resources": [{"type": "folder", "key": "f1"}],
                "roles": [{"name": "people", "permissions": ["members:*"]}, {"name": "readers", "permissions": ["documents:read"]}],
                "members": [
                    {"user": f"olga@{slug}.example", "roles": ["owner"]}, {"user": f"vera@{slug}.example", "roles": ["viewer"]},
                    {"user": f"anna@{slug}.example", "roles": ["readers"]},
                ],
            } for slug in TENANTS
        ],
    }  # fmt: skip


@contextmanager
def fuzzed_house(folder: Path) -> Iterator[tuple[str, dict[str, Asker]]]:
    """Serve it; yield its URL and who asks, by tenant."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = replace(Settings(), data_dir=folder / "data", server=ServerSettings(public_url=url))
    askers = anyio.run(_filled, settings)
    config = folder / "doorward.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\n[server]\npublic_url = "{url}"\nport = {port}\n[mail]\nmode = "console"\n'
        "[tokens]\nrecent = 86400\n"
    )
    with serving(config):
        yield url, askers


async def _filled(settings: Settings) -> dict[str, Asker]:
    core = await open_core(settings, create=True)
    try:
        return await core.database.write(lambda tx: _fill(tx, core))
    finally:
        await core.close()


def _fill(tx: Transaction, core: Core) -> dict[str, Asker]:
    execute(
        tx, parse(read_json(json.dumps(_document()))), {}, now=core.now(), entropy=os.urandom,
        fingerprinter=core.fingerprinter,
    )  # fmt: skip
    return {slug: _house(tx, core, slug) for slug in TENANTS}


def _house(tx: Transaction, core: Core, slug: str) -> Asker:
    tenant = accounts.tenant_by_slug(tx, slug)
    olga, vera = (accounts.user_by_email(tx, f"{name}@{slug}.example") for name in ("olga", "vera"))
    harbour = servers.server_by_slug(tx, "harbour")
    assert tenant is not None
    assert olga is not None
    assert vera is not None
    assert harbour is not None
    _apps(tx, core, tenant, olga, harbour)
    _waiting(tx, core, tenant, vera, harbour)
    _own_server(tx, core, tenant, olga)
    make = _by_key if slug == "by-key" else _by_session
    return make(tx, core, tenant, olga)


def _own_server(tx: Transaction, core: Core, tenant: Tenant, user: User) -> None:
    wish = Wish(name="a", title="A", url="https://a.example/mcp", auth=None)
    made = own_servers.add(
        tx,
        tenant,
        wish,
        Actor(user_id=user.id, by="test", cause=None),
        sealer=core.sealer,
        entropy=os.urandom,
        now=core.now(),
    )
    tool = KnownTool(
        server_id=made.id, name="search", digest="d", first_seen=core.now(), annotations={}, state=ToolState.HELD
    )
    known_tools.add_known(tx, tool)


def _apps(tx: Transaction, core: Core, tenant: Tenant, user: User, server: Server) -> None:
    client = replace(CLIENT, id=ClientId(f"c-{tenant.slug}"))
    clients.insert_client(tx, client, canonical_key=client.id, secret_fingerprint=None)
    for number in range(4):
        connection = replace(
            CONNECTION, id=ConnectionId(f"n-{tenant.slug}-{number}"), tenant_id=tenant.id, user_id=user.id,
            client_id=client.id, server_id=server.id, expires_at=Instant(core.now() + DAY), activated_at=core.now(),
            scopes=frozenset(map(Permission, PERMISSIONS[:2])), created_at=core.now(), resources=None,
        )  # fmt: skip
        connections.insert_connection(tx, connection)
    step = AttemptStep(
        at=core.now(), step=Step.APPROVED, request_id="req_x", flow=f"f-{tenant.slug}", tenant_id=tenant.id,
        user_id=user.id, client_id=client.id,
    )  # fmt: skip
    attempts.insert_steps(tx, [step])


def _waiting(tx: Transaction, core: Core, tenant: Tenant, user: User, server: Server) -> None:
    for number in range(8):
        asked(
            tx, user, tenant, server, terms=approval_terms(core), now=core.now(), arguments={"document_id": f"d{number}"},
            approvers=Approvers(permissions=frozenset({Permission("documents:read")})),
        )  # fmt: skip


def _by_key(tx: Transaction, core: Core, tenant: Tenant, user: User) -> Asker:
    made = create_api_key(
        tx, owner=user, tenant=tenant, created_by=user.id, name="all", rights=expand(("*:*",), map(Permission, PERMISSIONS)),
        now=core.now(), entropy=os.urandom, fingerprinter=core.fingerprinter, scopes=None, resources=None, expires_at=None, cause=None,
    )  # fmt: skip
    return Asker(tenant.slug, {"key": made.text}, (made.key.id, user.id, user.email))


def _by_session(tx: Transaction, core: Core, tenant: Tenant, user: User) -> Asker:
    session, cookie = start_session(
        tx, user, means="password", came=Came(cause=None), lifetimes=Lifetimes(), now=core.now(), entropy=os.urandom,
        fingerprinter=core.fingerprinter,
    )  # fmt: skip
    return Asker(
        tenant.slug, {"session": cookie, "form": form_token(core.fingerprinter, session)}, (user.id, user.email)
    )
