"""The tenants that a document declares: themselves, what they enable, their roles and their members."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from doorward.model import Permission, Role, RoleId, Server, Tenant, TenantId
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.provisioning.change import Change, Writing, differences
from doorward.provisioning.document import Document, MemberDeclared, RoleDeclared, TenantDeclared
from doorward.provisioning.reading import refuse
from doorward.provisioning.values import lifetime_of
from doorward.storage import accounts, permissions, servers
from doorward.storage.database import Reader

_WORDS: Final = {
    "name": "name",
    "access_ttl": "access token lifetime",
    "rates": "rate limits",
    "key_policy": "key policy",
    "sign_in_methods": "ways of signing in",
    "status": "status",
}
_OWNER: Final = "owner"


def plan_tenant(
    reader: Reader, declared: TenantDeclared, document: Document, catalogue: Collection[Permission]
) -> list[Change]:
    """Return what has to change for one tenant, except its resources and clients. Raises ``DocumentError``."""
    stored = accounts.tenant_by_slug(reader, declared.slug)
    roles = {} if stored is None else {role.name: role for role in permissions.roles_of_tenant(reader, stored.id)}
    return [
        *_itself(declared, stored),
        *_roles(declared, roles, catalogue),
        *_servers(reader, declared, stored, document),
        *_members(reader, declared, stored, document),
    ]


def tenant_of(writing: Writing, slug: str) -> Tenant:
    """Return a tenant that is there by now."""
    tenant = accounts.tenant_by_slug(writing.tx, slug)
    if tenant is None:
        raise LookupError(slug)
    return tenant


def _change(declared: TenantDeclared, what: str, event: str, subject: str, run: partial[None]) -> Change:
    return Change(text=f"tenant {declared.slug}: {what}", event=event, subject=subject, tenant=declared.slug, run=run)


def _itself(declared: TenantDeclared, stored: Tenant | None) -> list[Change]:
    if stored is None:
        return [_change(declared, "add", "tenant:changed", declared.slug, partial(_insert, declared=declared))]
    tenant = _merged(stored, declared)
    if tenant == stored:
        return []
    what = differences(stored, tenant, _WORDS)
    return [_change(declared, what, "tenant:changed", declared.slug, partial(_update, tenant=tenant))]


def _merged(stored: Tenant, declared: TenantDeclared) -> Tenant:
    return replace(
        stored,
        access_ttl=lifetime_of(stored.access_ttl, declared.access_ttl),
        rates=stored.rates if declared.rates is None else declared.rates,
        key_policy=stored.key_policy if declared.keys is None else declared.keys,
        sign_in_methods=declared.sign_in_methods if declared.sign_in_declared else stored.sign_in_methods,
        name=stored.name if declared.name is None else declared.name,
        status=stored.status if declared.status is None else declared.status,
    )


def _insert(writing: Writing, declared: TenantDeclared) -> None:
    blank = Tenant(
        id=TenantId(writing.new_id("ten")),
        slug=declared.slug,
        name=declared.slug.capitalize(),
        created_at=writing.now,
    )
    accounts.insert_tenant(writing.tx, _merged(blank, declared))


def _update(writing: Writing, tenant: Tenant) -> None:
    accounts.update_tenant(writing.tx, tenant)


def _roles(declared: TenantDeclared, stored: Mapping[str, Role], catalogue: Collection[Permission]) -> list[Change]:
    wanted = dict(BUILT_IN_ROLES)
    for role in declared.roles:
        _check_role(role, catalogue)
        wanted[role.name] = role.permissions
    changes = []
    for name, patterns in wanted.items():
        known = stored.get(name)
        if known is None or set(known.permissions) != set(patterns):
            what = f"role {name}: {'add' if known is None else 'change to'} {' '.join(sorted(patterns)) or 'nothing'}"
            run = partial(_put_role, slug=declared.slug, name=name, patterns=patterns)
            changes.append(_change(declared, what, "role:changed", name, run))
    return changes


def _check_role(role: RoleDeclared, catalogue: Collection[Permission]) -> None:
    built_in = BUILT_IN_ROLES.get(role.name)
    if built_in is not None and set(built_in) != set(role.permissions):
        refuse(role.path, f"role {role.name!r} is built in", "Choose another name for a role of your own")
    for pattern in role.permissions:
        if "*" not in pattern and pattern not in catalogue:
            refuse(
                role.path,
                f"permission {pattern!r} is neither declared nor needed by a rule",
                "Declare it in permissions",
            )


def _put_role(writing: Writing, slug: str, name: str, patterns: tuple[str, ...]) -> None:
    role = Role(
        id=RoleId(writing.new_id("rol")),
        tenant_id=tenant_of(writing, slug).id,
        name=name,
        permissions=patterns,
        built_in=name in BUILT_IN_ROLES,
    )
    permissions.put_role(writing.tx, role)


def _servers(reader: Reader, declared: TenantDeclared, stored: Tenant | None, document: Document) -> list[Change]:
    if declared.servers is None:
        return []
    known = {slug: servers.server_by_slug(reader, slug) for slug in declared.servers}
    coming = {server.slug for server in document.servers}
    for slug, server in known.items():
        if (server is None and slug not in coming) or (server is not None and server.tenant_id is not None):
            refuse(
                f"{declared.path}.servers", f"there is no server {slug!r}", "Declare it in servers, or mend its name"
            )
    enabled = frozenset() if stored is None else servers.declared_servers_of_tenant(reader, stored.id)
    if enabled == {_id(server) for server in known.values()}:
        return []
    what = f"enable servers: {', '.join(declared.servers) or 'none'}"
    return [_change(declared, what, "tenant:changed", declared.slug, partial(_enable, declared=declared))]


def _id(server: Server | None) -> str | None:
    return None if server is None else server.id


def _enable(writing: Writing, declared: TenantDeclared) -> None:
    found = [servers.server_by_slug(writing.tx, slug) for slug in declared.servers or ()]
    ids = [server.id for server in found if server is not None]
    servers.set_tenant_servers(writing.tx, tenant_of(writing, declared.slug).id, ids)


def _members(reader: Reader, declared: TenantDeclared, stored: Tenant | None, document: Document) -> list[Change]:
    now = (
        {}
        if stored is None
        else {user.email: membership.roles for user, membership in accounts.members_of_tenant(reader, stored.id)}
    )
    known_roles = {*BUILT_IN_ROLES, *(role.name for role in declared.roles)}
    if stored is not None:
        known_roles.update(role.name for role in permissions.roles_of_tenant(reader, stored.id))
    coming = {user.email for user in document.users}
    for member in declared.members:
        _check_member(reader, member, known_roles, coming)
    _keep_an_owner(declared, now)
    return [
        _change(declared, _words(member), "membership:changed", member.email, partial(_bind, declared, member))
        for member in declared.members
        if member.email not in now or set(now[member.email]) != set(member.roles)
    ]


def _words(member: MemberDeclared) -> str:
    return f"member {member.email}: {', '.join(member.roles) or 'no role'}"


def _check_member(reader: Reader, member: MemberDeclared, roles: Collection[str], coming: Collection[str]) -> None:
    if member.email not in coming and accounts.user_by_email(reader, member.email) is None:
        refuse(member.path, f"there is no user {member.email!r}", "Declare it in users, or mend the address")
    for name in member.roles:
        if name not in roles:
            refuse(member.path, f"there is no role {name!r}", f"Known here: {', '.join(sorted(roles))}")


def _keep_an_owner(declared: TenantDeclared, now: Mapping[str, Sequence[str]]) -> None:
    """Refuse to leave a tenant that has owners without any: nobody there could give rights any more (M3)."""
    after = dict(now) | {member.email: member.roles for member in declared.members}
    had, has = (any(_OWNER in roles for roles in members.values()) for members in (now, after))
    if had and not has:
        refuse(
            f"{declared.path}.members", f"tenant {declared.slug!r} would have no owner left", "Name another owner first"
        )


def _bind(declared: TenantDeclared, member: MemberDeclared, writing: Writing) -> None:
    user = accounts.user_by_email(writing.tx, member.email)
    if user is None:
        raise LookupError(member.email)
    permissions.set_membership(writing.tx, tenant_of(writing, declared.slug).id, user.id, member.roles)
