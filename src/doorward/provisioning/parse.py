"""From a read document to its records. Everything that can be said without looking at stored state is refused here."""

import re
from collections.abc import Mapping
from typing import Final

from doorward.model import OwnerKind, Status
from doorward.policy.permission import is_pattern_ok
from doorward.provisioning import names
from doorward.provisioning.document import (
    Document,
    MemberDeclared,
    PermissionDeclared,
    PlaceDeclared,
    RoleDeclared,
    TenantDeclared,
    UserDeclared,
)
from doorward.provisioning.parse_client import parse_client
from doorward.provisioning.parse_override import parse_override
from doorward.provisioning.parse_provider import parse_provider, sign_in_methods
from doorward.provisioning.parse_server import parse_server
from doorward.provisioning.parse_trust import parse_trust
from doorward.provisioning.reading import Place
from doorward.provisioning.resource_tree import NodeName, TreeNode
from doorward.provisioning.values import (
    choice,
    flag,
    key_policy,
    lifetime,
    needed,
    permission,
    rates,
    title,
    unique,
    values,
)

_ROLE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


def parse(root: Place) -> Document:
    """Return the records of a document. Raises ``DocumentError`` naming the place, the cause and the fix."""
    table = root.table("servers", "permissions", "users", "providers", "tenants")
    return Document(
        servers=unique(table.get("servers"), parse_server, lambda server: server.slug),
        permissions=unique(table.get("permissions"), _permission, lambda entry: entry.permission),
        users=unique(table.get("users"), _user, lambda user: user.email),
        providers=unique(table.get("providers"), parse_provider, lambda provider: provider.slug),
        tenants=unique(table.get("tenants"), _tenant, lambda tenant: tenant.slug),
    )


def _permission(place: Place) -> PermissionDeclared:
    table = (
        {"permission": place}
        if isinstance(place.value, str)
        else place.table("permission", "words", "default", "destructive")
    )
    return PermissionDeclared(
        path=place.path,
        permission=permission(needed(place, table, "permission")),
        words=title(table.get("words")),
        is_default=flag(table.get("default")),
        destructive=flag(table.get("destructive")),
    )


def _user(place: Place) -> UserDeclared:
    table = place.table("email", "name", "password", "kind", "status")
    password = table.get("password")
    if password is not None and not names.password_ok(password.text()):
        password.refuse("too short or too long for a password", f"Use {names.MIN_PASSWORD} characters or more")
    kind = choice(table.get("kind"), OwnerKind)
    if kind is OwnerKind.SERVICE and password is not None:
        password.refuse("a service account never signs in", "Leave the password out and give it API keys")
    return UserDeclared(
        path=place.path,
        email=_email(needed(place, table, "email")),
        name=title(table.get("name")),
        password=password.text() if password is not None else None,
        kind=kind,
        status=choice(table.get("status"), Status),
    )


def _tenant(place: Place) -> TenantDeclared:
    table = place.table(
        "slug",
        "name",
        "access_ttl",
        "rates",
        "keys",
        "sign_in",
        "status",
        "servers",
        "roles",
        "members",
        "resources",
        "clients",
        "trust",
        "overrides",
    )
    slug = needed(place, table, "slug")
    if not names.tenant_slug_ok(slug.text()):
        slug.refuse(
            f"{slug.text()[:80]!r} cannot be a tenant's slug", "Use a-z, 0-9 and - (some words are our own paths)"
        )
    overrides = table.get("overrides")
    sign_in = table["sign_in"].table("methods") if "sign_in" in table else {}
    return TenantDeclared(
        path=place.path,
        slug=slug.text(),
        name=title(table.get("name")),
        access_ttl=lifetime(table.get("access_ttl")),
        rates=rates(table.get("rates")),
        keys=key_policy(table.get("keys")),
        sign_in_declared="methods" in sign_in,
        sign_in_methods=sign_in_methods(sign_in.get("methods")),
        status=choice(table.get("status"), Status),
        servers=values(table.get("servers")),
        roles=unique(table.get("roles"), _role, lambda role: role.name),
        members=unique(table.get("members"), _member, lambda member: member.email),
        resources=unique(table.get("resources"), _resource, lambda node: node.name),
        clients=unique(table.get("clients"), parse_client, lambda client: client.id or client.name),
        trust=unique(table.get("trust"), parse_trust, lambda rule: rule.wish.name),
        overrides=None if overrides is None else tuple(parse_override(item) for item in overrides.each()),
    )


def _role(place: Place) -> RoleDeclared:
    table = place.table("name", "permissions")
    name = needed(place, table, "name")
    if not _ROLE.fullmatch(name.text()):
        name.refuse(f"{name.text()[:80]!r} cannot be a role's name", "Use a-z, 0-9, - and _, a letter first")
    patterns = needed(place, table, "permissions")
    for pattern in patterns.each():
        if not is_pattern_ok(pattern.text()):
            pattern.refuse(
                f"{pattern.text()[:80]!r} is no permission", "Write it like documents:read, documents:* or *:read"
            )
    return RoleDeclared(path=place.path, name=name.text(), permissions=values(patterns) or ())


def _member(place: Place) -> MemberDeclared:
    table = place.table("user", "roles", "at")
    roles, at = values(needed(place, table, "roles")), table.get("at")
    return MemberDeclared(
        path=place.path,
        email=_email(needed(place, table, "user")),
        roles=roles or (),
        at=None if at is None else tuple(_place(item) for item in at.each()),
    )


def _place(place: Place) -> PlaceDeclared:
    table = place.table("role", "type", "key")
    return PlaceDeclared(path=place.path, role=needed(place, table, "role").text(), node=_node_name(place, table))


def _resource(place: Place) -> TreeNode:
    table = place.table("type", "key", "name", "parent")
    parent = table.get("parent")
    has_parent = parent is not None and parent.value is not None
    name = _node_name(place, table)
    return TreeNode(
        name=name,
        title=title(table.get("name")) or name[1],
        parent=_node_name(parent, parent.table("type", "key")) if parent is not None and has_parent else None,
    )


def _node_name(place: Place, table: Mapping[str, Place]) -> NodeName:
    kind, key = needed(place, table, "type"), needed(place, table, "key")
    if not _TYPE.fullmatch(kind.text()):
        kind.refuse(f"{kind.text()[:80]!r} cannot be a type", "Use a word like project")
    if not _KEY.fullmatch(key.text()):
        key.refuse(f"{key.text()[:80]!r} cannot be a key", "Use printable ASCII without spaces, at most 200 characters")
    return kind.text(), key.text()


def _email(place: Place) -> str:
    email = names.email_of(place.text())
    if email is None:
        place.refuse(f"{place.text()[:80]!r} is no e-mail address", "Write it like ines@acme.example")
    return email
