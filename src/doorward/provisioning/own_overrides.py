"""The use cases of a tenant's overrides, one by one: they only take away (decision 0048). ``apply`` replaces them all."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from doorward import audit
from doorward.accounts.actors import Actor
from doorward.model import Entropy, Instant, Override, SubjectKind, Tenant
from doorward.protocol import faults
from doorward.provisioning.document import OverrideDeclared
from doorward.provisioning.own_servers import ServerRefused, require_may
from doorward.provisioning.parse import parse
from doorward.provisioning.plan_overrides import check_override, override_of
from doorward.provisioning.reading import DocumentError, read_json
from doorward.storage import accounts, overrides, permissions, servers
from doorward.storage.database import Transaction

MOST: Final = 500
"""Of one tenant."""
WHOLE: Final = "override"
"""The ``field`` of a refusal that is about no single member."""
_MEMBER: Final = re.compile(r"([a-z]+)(?:\[[0-9]+\]|\.[a-z]+)*: ")


def add(
    tx: Transaction, tenant: Tenant, said: Mapping[str, Any], actor: Actor, *, entropy: Entropy, now: Instant
) -> Override:
    """Add what ``said`` says, in the members of a document's ``overrides``. Raises ``ServerRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    require_may(tx, tenant, actor)
    known = overrides.overrides_of_tenant(tx, tenant.id)
    if len(known) >= MOST:
        raise ServerRefused(faults.OVERRIDE_INVALID, reason=f"There are {MOST} already", field=WHOLE)
    slug = str(said.get("server", ""))
    server = servers.server_by_slug(tx, slug)
    if server is None or server.id not in servers.servers_of_tenant(tx, tenant.id):
        raise ServerRefused(faults.SERVER_NOT_HERE, reason=f"no server {slug[:80]!r} in this tenant", status=404)
    declared = _read(tx, tenant, said)
    added = override_of(tx, declared, f"ovr_{entropy(16).hex()}", tenant, server.id)
    position = max((place for place, _ in overrides.placed(tx, tenant.id)), default=-1) + 1
    overrides.add_override(tx, added, position)
    _record(tx, tenant, actor, now, f"{server.slug}: {in_words(added)}")
    return added


def remove(tx: Transaction, tenant: Tenant, override_id: str, actor: Actor, *, now: Instant) -> Override:
    """Take an override back. Raises ``ServerRefused`` for one that is not there or another tenant's, in the same words."""
    tx.lock_tenant(tenant.id, for_rights=True)
    require_may(tx, tenant, actor)
    known = {each.id: each for each in overrides.overrides_of_tenant(tx, tenant.id)}
    if override_id not in known or not overrides.remove_override(tx, tenant.id, override_id):
        raise ServerRefused(faults.SERVER_NOT_HERE, reason="no such override in this tenant", status=404)
    _record(tx, tenant, actor, now, f"removed: {in_words(known[override_id])}")
    return known[override_id]


def in_words(override: Override, whom: str | None = None) -> str:
    """Return ``delete_* denied for role editor``; ``whom`` stands for the subject's id."""
    of = whom if whom is not None else override.subject_id
    subject = "everybody" if override.subject is SubjectKind.EVERYBODY else f"{override.subject.value} {of}"
    if override.approval is not None:
        needs = ", ".join(sorted(override.approval.permissions)) or "the person themselves"
        another = ", never the caller" if override.approval.by_another else ""
        return f"{override.match} needs an approval ({needs}{another}) for {subject}"
    if override.requires:
        return f"{override.match} needs {' '.join(sorted(override.requires))} too for {subject}"
    return f"{override.match} denied for {subject}"


def _read(tx: Transaction, tenant: Tenant, said: Mapping[str, Any]) -> OverrideDeclared:
    """Return the override as a document declares one: the same rules hold, and the same words are said."""
    text = json.dumps({"tenants": [{"slug": tenant.slug, "overrides": [dict(said)]}]})
    try:
        document = parse(read_json(text))
        (declared,) = document.tenants
        (each,) = declared.overrides or ()
        if each.subject is SubjectKind.USER and not _is_member(tx, tenant, each.whom):
            # Not whether somebody has an account elsewhere.
            raise ServerRefused(faults.OVERRIDE_INVALID, reason="There is no member with this address", field="for")
        catalogue = [entry.permission for entry in permissions.catalogue(tx)]
        check_override(tx, each, declared, document, tenant, catalogue)
    except DocumentError as wrong:
        raise ServerRefused(faults.OVERRIDE_INVALID, reason=_short(wrong), field=_member(_short(wrong))) from wrong
    return each


def _is_member(tx: Transaction, tenant: Tenant, email: str) -> bool:
    return any(user.email == email for user, _ in accounts.members_of_tenant(tx, tenant.id))


def _short(wrong: DocumentError) -> str:
    """Return the words of an error without the place in a document that nobody wrote."""
    text = str(wrong)
    return text.rpartition("overrides[0]")[2].lstrip(".: ") or text


def _member(short: str) -> str:
    """Return the member of an override that an error is about: ``require`` of ``require[0]: …``; else all of it."""
    found = _MEMBER.match(short)
    return found[1] if found else WHOLE


def _record(tx: Transaction, tenant: Tenant, actor: Actor, now: Instant, what: str) -> None:
    audit.record(
        tx, name="override:changed", at=now, tenant_id=tenant.id, actor_id=actor.user_id, subject=tenant.slug,
        detail={"by": actor.by, "change": what[:500]}, cause=actor.cause,
    )  # fmt: skip
