"""Setting the demonstration up, through the same use cases as ``doorward apply`` and ``doorward token create``.

The first start declares everything. A later one, with the same directory, declares only the server again, because its
upstream is another one each time: what somebody changed meanwhile (roles, members, keys) stays changed.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Final

import yaml

from doorward.bootstrap.core import Core
from doorward.credentials.api_keys import create_api_key
from doorward.credentials.key_makers import OPERATOR
from doorward.demo.child import HarbourProcess
from doorward.demo.memory import Memory, NotOurs, remember, write_private
from doorward.model import OwnerKind
from doorward.policy.permission import expand
from doorward.provisioning.apply import check_passwords, execute
from doorward.provisioning.document import Document
from doorward.provisioning.parse import parse
from doorward.provisioning.reading import read_json
from doorward.storage import accounts, permissions
from doorward.storage.database import Transaction

HARBOUR: Final = "harbour"
UPSTREAM: Final = "upstream"
PRODUCT: Final = "harbour@service.example"
"""The service account that owns the keys with which Harbour pushes its tree."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key that the demonstration hands out."""

    name: str
    user: str
    tenant: str


KEYS: Final = (
    Key("Everything Ines may do", "ines@acme.example", "acme"),
    Key("Everything Vera may do", "vera@acme.example", "acme"),
    Key("Everything Gus may do", "gus@globex.example", "globex"),
)


def declared() -> dict[str, Any]:
    """Return the bundled set-up."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("doorward.demo").joinpath("setup.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506  (a safe loader, the fast one)
    return found


async def prepare(
    core: Core, memory: Memory, *, harbour: HarbourProcess | None, product: Mapping[str, Any] | None
) -> None:
    """Make ``core`` the demonstration with ``harbour`` behind the door, or the MCP server that ``product`` declares.

    Raises ``NotOurs`` where the directory was made for the other of the two.
    """
    server = UPSTREAM if harbour is None else HARBOUR
    if memory.server not in {None, server}:
        raise NotOurs("--data: made for another MCP server. Name another directory, or leave --upstream as it was.")
    setup = _behind_the_door(declared(), server, {"upstream": harbour.url} if harbour else product or {})
    if memory.server is None:
        for person in [user for user in setup["users"] if user["email"] != PRODUCT]:
            person["password"] = memory.passwords.setdefault(person["email"], _password(core))
        remember(core.settings.data_dir, memory)
    else:
        setup = {"servers": setup["servers"], "permissions": setup["permissions"]}
    await _apply(core, parse(read_json(json.dumps(setup))))
    await _make_keys(core, memory, KEYS)
    if harbour is not None:
        await _make_keys(core, memory, [_push_key(tenant["slug"]) for tenant in declared()["tenants"]])
    memory.server = server
    remember(core.settings.data_dir, memory)
    if harbour is not None:
        keys = {tenant["slug"]: memory.keys[_push_key(tenant["slug"]).name] for tenant in declared()["tenants"]}
        write_private(harbour.push_key_file, json.dumps(keys))


def _behind_the_door(setup: dict[str, Any], server: str, product: Mapping[str, Any]) -> dict[str, Any]:
    """Return the set-up with its server's address; another product than Harbour brings no rules: they are derived."""
    ours = setup["servers"][0]
    if server == HARBOUR:
        ours.update(product)
        setup["users"].append({"email": PRODUCT, "name": "Harbour", "kind": OwnerKind.SERVICE.value})
    else:
        setup["servers"] = [{"slug": server, "name": "Your server", "paths": ours["paths"], **product}]
        setup["permissions"] = []
    for tenant in setup["tenants"]:
        tenant["servers"] = [server]
        if server == HARBOUR:
            tenant["roles"] = [{"name": "product", "permissions": ["resources:manage"]}]
            tenant["members"].append({"user": PRODUCT, "roles": ["product"]})
    return setup


async def _apply(core: Core, document: Document) -> None:
    passwords = await check_passwords(core.database, document, core.passwords)
    write = partial(
        execute, document=document, passwords=passwords, now=core.now(), entropy=core.entropy,
        fingerprinter=core.fingerprinter,
    )  # fmt: skip
    await core.database.write(write)


async def _make_keys(core: Core, memory: Memory, keys: Any) -> None:
    missing = [key for key in keys if key.name not in memory.keys]
    if missing:
        memory.keys.update(await core.database.write(lambda tx: _create(tx, core, missing)))


def _create(tx: Transaction, core: Core, keys: list[Key]) -> Mapping[str, str]:
    catalogue = [entry.permission for entry in permissions.catalogue(tx)]
    made = {}
    for key in keys:
        owner, tenant = accounts.user_by_email(tx, key.user), accounts.tenant_by_slug(tx, key.tenant)
        if owner is None or tenant is None:
            raise LookupError(key.user if owner is None else key.tenant)
        made[key.name] = create_api_key(
            tx, owner=owner, tenant=tenant, created_by=owner.id, name=key.name, scopes=None, resources=None,
            expires_at=None, rights=expand(permissions.permissions_anywhere(tx, tenant.id, owner.id), catalogue), maker=OPERATOR,
            now=core.now(), entropy=core.entropy, fingerprinter=core.fingerprinter, prefix=core.settings.api_keys.prefix, cause=None,
        ).text  # fmt: skip
    return made


def _push_key(slug: str) -> Key:
    return Key(f"Harbour pushes the tree of {slug}", PRODUCT, slug)


def _password(core: Core) -> str:
    """Return 80 random bits as four groups that a person can type."""
    text = base64.b32encode(core.entropy(10)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))
