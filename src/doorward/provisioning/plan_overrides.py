"""The overrides of a tenant that a document declares: the whole list, where it names one."""

from collections.abc import Collection, Mapping
from functools import partial

from doorward.model import ApiKeyId, Approvers, ConnectionId, Override, Permission, ServerId, SubjectKind, Tenant
from doorward.policy.permission import BUILT_IN_ROLES
from doorward.provisioning.change import Change, Writing
from doorward.provisioning.document import Document, OverrideDeclared, TenantDeclared
from doorward.provisioning.plan_tenants import tenant_of
from doorward.provisioning.reading import refuse
from doorward.storage import accounts, api_keys, connections, overrides, permissions, servers
from doorward.storage.database import Reader


def plan_overrides(
    reader: Reader, declared: TenantDeclared, document: Document, catalogue: Collection[Permission]
) -> list[Change]:
    """Return the change to the tenant's overrides, if there is one. Raises ``DocumentError``."""
    if declared.overrides is None:
        return []
    tenant = accounts.tenant_by_slug(reader, declared.slug)
    for each in declared.overrides:
        check_override(reader, each, declared, document, tenant, catalogue)
    if tenant is not None and _stored(reader, tenant) == [_as_stored(reader, each) for each in declared.overrides]:
        return []
    if tenant is None and not declared.overrides:
        return []
    return [
        Change(
            text=f"tenant {declared.slug}: {len(declared.overrides)} overrides of tool rules",
            event="override:changed",
            subject=declared.slug,
            tenant=declared.slug,
            run=partial(_replace, declared),
        )
    ]


def check_override(
    reader: Reader, each: OverrideDeclared, declared: TenantDeclared, document: Document, tenant: Tenant | None,
    catalogue: Collection[Permission],
) -> None:  # fmt: skip
    """Refuse an override that names something which is not there. Raises ``DocumentError``."""
    _check(reader, each, document, catalogue)
    _check_whom(reader, each, declared, document, tenant)


def _check(reader: Reader, each: OverrideDeclared, document: Document, catalogue: Collection[Permission]) -> None:
    coming = {server.slug for server in document.servers}
    if each.server not in coming and servers.server_by_slug(reader, each.server) is None:
        refuse(each.path, f"there is no server {each.server[:80]!r}", "Declare it in servers, or mend its name")
    for permission in sorted(each.requires):
        if permission not in catalogue:
            refuse(
                each.path,
                f"permission {permission!r} is neither declared nor needed by a rule",
                "Declare it in permissions",
            )


def _check_whom(
    reader: Reader, each: OverrideDeclared, declared: TenantDeclared, document: Document, tenant: Tenant | None
) -> None:
    # An override of somebody who is not there would silently be none.
    if each.subject is SubjectKind.ROLE:
        stored = [] if tenant is None else permissions.roles_of_tenant(reader, tenant.id)
        known = each.whom in {*BUILT_IN_ROLES, *(role.name for role in stored), *(role.name for role in declared.roles)}
    elif each.subject is SubjectKind.USER:
        coming = {user.email for user in document.users}
        known = each.whom in coming or accounts.user_by_email(reader, each.whom) is not None
    elif each.subject is SubjectKind.KEY:
        known = tenant is not None and api_keys.api_key_by_id(reader, tenant.id, ApiKeyId(each.whom)) is not None
    elif each.subject is SubjectKind.CONNECTION:
        found = connections.connection_by_id(reader, ConnectionId(each.whom))
        known = tenant is not None and found is not None and found.tenant_id == tenant.id
    else:
        known = True
    if not known:
        refuse(each.path, f"there is no {each.subject.value} {each.whom[:80]!r}", "Name one that is there")


_Row = tuple[str, str, str, str, frozenset[Permission], Approvers | None, str, str]


def _stored(reader: Reader, tenant: Tenant) -> list[_Row]:
    slugs: Mapping[str, str] = {server.id: server.slug for server in servers.all_servers(reader)}
    return [
        (
            slugs[each.server_id], each.kind.value, each.match, each.effect.value, each.requires,
            each.approval, each.subject.value, each.subject_id,
        )
        for each in overrides.overrides_of_tenant(reader, tenant.id)
    ]  # fmt: skip


def _as_stored(reader: Reader, each: OverrideDeclared) -> _Row:
    return (
        each.server, each.kind.value, each.match, each.effect.value, each.requires,
        each.approval, each.subject.value, _whom(reader, each),
    )  # fmt: skip


def _whom(reader: Reader, each: OverrideDeclared) -> str:
    if each.subject is not SubjectKind.USER:
        return each.whom
    user = accounts.user_by_email(reader, each.whom)
    return "" if user is None else user.id


def _replace(declared: TenantDeclared, writing: Writing) -> None:
    tenant = tenant_of(writing, declared.slug)
    ids = {server.slug: server.id for server in servers.all_servers(writing.tx)}
    wanted = [
        override_of(writing.tx, each, writing.new_id("ovr"), tenant, ids[each.server])
        for each in declared.overrides or ()
    ]
    overrides.replace_overrides(writing.tx, tenant.id, wanted)


def override_of(reader: Reader, each: OverrideDeclared, name: str, tenant: Tenant, server_id: ServerId) -> Override:
    """Return a declared override as it is stored."""
    return Override(
        id=name,
        tenant_id=tenant.id,
        server_id=server_id,
        kind=each.kind,
        match=each.match,
        effect=each.effect,
        requires=each.requires,
        approval=each.approval,
        subject=each.subject,
        subject_id=_whom(reader, each),
    )
