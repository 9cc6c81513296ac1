"""The trust rules that a document declares (feature B18)."""

from dataclasses import replace
from functools import partial
from typing import Final

from doorward.credentials import trust_rules
from doorward.credentials.trust_rules import RuleRefused, Wish
from doorward.model import Tenant
from doorward.provisioning.change import Change, Writing, differences
from doorward.provisioning.document import Document, TenantDeclared, TrustDeclared
from doorward.provisioning.plan_tenants import tenant_of
from doorward.provisioning.reading import refuse
from doorward.storage import accounts
from doorward.storage.database import Reader

_ACTOR: Final = "doorward apply"
_WORDS: Final = {
    "issuer": "issuer", "audience": "audience", "claims": "claims", "pins": "pins", "user_id": "service account",
    "scopes": "scopes", "resources": "resources", "servers": "servers", "lifetime": "lifetime",
    "single_use": "single use", "jwks_uri": "address of the keys", "jwks": "keys",
}  # fmt: skip


def plan_trust(reader: Reader, declared: TenantDeclared, document: Document) -> list[Change]:
    """Return what has to change. Raises ``DocumentError``."""
    changes = []
    for entry in declared.trust:
        what = _what(reader, entry, declared, document)
        if what is not None:
            changes.append(
                Change(
                    text=f"tenant {declared.slug}: trust rule “{entry.wish.name}”: {what}",
                    event=None,
                    subject=entry.wish.name,
                    tenant=declared.slug,
                    run=partial(_put, slug=declared.slug, entry=entry),
                )
            )
    return changes


def _what(reader: Reader, entry: TrustDeclared, declared: TenantDeclared, document: Document) -> str | None:
    """Return what will change in words, or None for nothing."""
    tenant = accounts.tenant_by_slug(reader, declared.slug)
    if tenant is None:
        return "add"
    try:
        stored, rule = trust_rules.wished(reader, tenant, _with_resources(reader, tenant, entry))
    except RuleRefused as wrong:
        if _is_coming(entry, declared, document):
            # Judged when it is made: what it refers to is made by the same document.
            return "put"
        refuse(entry.path, str(wrong).rstrip("."), "Mend the rule")
    return "add" if stored is None else differences(stored, rule, _WORDS) or None


def _is_coming(entry: TrustDeclared, declared: TenantDeclared, document: Document) -> bool:
    users, members = {user.email for user in document.users}, {member.email for member in declared.members}
    nodes, servers = {node.name for node in declared.resources}, {server.slug for server in document.servers}
    named = entry.wish.servers or frozenset()
    return entry.wish.account in users | members or bool(named & servers) or bool(nodes & set(entry.resources or ()))


def _with_resources(reader: Reader, tenant: Tenant, entry: TrustDeclared) -> Wish:
    if entry.resources is None:
        return entry.wish
    names = {name: "/".join(name) for name in entry.resources}
    return replace(entry.wish, resources=trust_rules.resources_named(reader, tenant, names))


def _put(writing: Writing, slug: str, entry: TrustDeclared) -> None:
    tx, tenant = writing.tx, tenant_of(writing, slug)
    try:
        wish = _with_resources(tx, tenant, entry)
        trust_rules.put_rule(tx, tenant, wish, now=writing.now, entropy=writing.entropy, by=_ACTOR)
    except RuleRefused as wrong:
        refuse(entry.path, str(wrong).rstrip("."), "Mend the rule")
