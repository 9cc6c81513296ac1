"""Making, changing and removing trust rules (feature B18). Each change ends what the rule had let in before."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from doorward import audit
from doorward.model import (
    Client,
    ClientId,
    ClientKind,
    Entropy,
    Instant,
    OwnerKind,
    Permission,
    ResourceId,
    ServerId,
    Status,
    Tenant,
    TrustRule,
    UserId,
)
from doorward.protocol import trust
from doorward.protocol.token import JWT_BEARER
from doorward.storage import accounts, clients, connections, permissions, servers, trust_rules
from doorward.storage.database import Reader, Transaction

MAX_RULES: Final = 100
"""Of one tenant."""
_COMING: Final = ClientId("")


class RuleRefused(Exception):  # noqa: N818  (what happened to the wish)
    """Nothing was changed. The message is for the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody states. ``account`` is an e-mail address; ``pins`` None means: what fits the claims."""

    name: str
    issuer: str
    claims: Mapping[str, str]
    account: str
    audience: str | None = None
    pins: tuple[str, ...] | None = None
    scopes: frozenset[Permission] | None = None
    resources: frozenset[ResourceId] | None = None
    servers: frozenset[str] | None = None
    """Slugs."""
    lifetime: int = trust.MAX_LIFETIME
    single_use: bool = True
    jwks_uri: str | None = None
    jwks: tuple[Mapping[str, str], ...] = ()


def wished(reader: Reader, tenant: Tenant, wish: Wish) -> tuple[TrustRule | None, TrustRule]:
    """Return the stored rule of this name and what it would become. Raises ``RuleRefused``."""
    stored = trust_rules.rule_by_name(reader, tenant.id, wish.name)
    pins = trust.default_pins(wish.claims) if wish.pins is None else wish.pins
    rule = TrustRule(
        id=_COMING if stored is None else stored.id,
        tenant_id=tenant.id,
        name=wish.name,
        issuer=wish.issuer,
        audience=wish.audience,
        claims=dict(wish.claims),
        pins=pins,
        pinned=None if pins else {},
        user_id=_account(reader, tenant, wish.account),
        scopes=wish.scopes,
        resources=wish.resources,
        servers=None if wish.servers is None else frozenset(_server(reader, each) for each in wish.servers),
        lifetime=wish.lifetime,
        single_use=wish.single_use,
        jwks_uri=wish.jwks_uri,
        jwks=wish.jwks,
        created_at=Instant(0) if stored is None else stored.created_at,
    )
    wrong = trust.problem(rule)
    if wrong is not None:
        raise RuleRefused(f"trust rule {wish.name!r}: {wrong}.")
    if stored is None and len(trust_rules.rules_of_tenant(reader, tenant.id)) >= MAX_RULES:
        raise RuleRefused(f"tenant {tenant.slug} has {MAX_RULES} trust rules already. Remove one first.")
    if stored is not None and _about_whom(stored) == _about_whom(rule):
        # What the first token decided stays decided, whatever else is changed.
        rule = replace(rule, pinned=stored.pinned, pinned_at=stored.pinned_at)
    return stored, rule


def put_rule(tx: Transaction, tenant: Tenant, wish: Wish, *, now: Instant, entropy: Entropy, by: str) -> TrustRule:
    """Make a rule, or change the one of this name; its connections end. Raises ``RuleRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    stored, rule = wished(tx, tenant, wish)
    if rule == stored:
        return rule
    if stored is None:
        rule = replace(rule, id=ClientId("wif_" + entropy(16).hex()), created_at=now)
        clients.insert_client(tx, _client(rule), canonical_key=None, secret_fingerprint=None)
        trust_rules.insert_rule(tx, rule)
    else:
        connections.revoke_connections_of_client(tx, rule.id, now, "trust rule changed")
        clients.update_client(tx, _client(rule, clients.client_by_id(tx, rule.id)))
        trust_rules.update_rule(tx, rule)
    event = "trust_rule:added" if stored is None else "trust_rule:changed"
    audit.record(
        tx, name=event, at=now, tenant_id=tenant.id, subject=rule.id,
        detail={"by": by, "name": rule.name, "issuer": rule.issuer, "claims": " ".join(sorted(rule.claims))},
        cause=None,
    )  # fmt: skip
    return rule


def remove_rule(tx: Transaction, tenant: Tenant, name: str, *, now: Instant, by: str) -> TrustRule:
    """Remove a rule and end its connections; return what it was. Raises ``RuleRefused``."""
    tx.lock_tenant(tenant.id, for_rights=True)
    rule = trust_rules.rule_by_name(tx, tenant.id, name)
    if rule is None or not trust_rules.remove_rule(tx, rule.id):
        known = ", ".join(each.name for each in trust_rules.rules_of_tenant(tx, tenant.id))
        raise RuleRefused(f"tenant {tenant.slug} has no trust rule {name[:80]!r}. It has: {known or 'none'}.")
    connections.revoke_connections_of_client(tx, rule.id, now, "trust rule removed")
    # The row stays, so that the past can be told; nothing works with it again.
    clients.update_client(tx, replace(_client(rule), status=Status.DISABLED))
    detail = {"by": by, "name": rule.name}
    audit.record(tx, name="trust_rule:removed", at=now, tenant_id=tenant.id, subject=rule.id, detail=detail, cause=None)
    return rule


def resources_named(reader: Reader, tenant: Tenant, names: Mapping[tuple[str, str], str]) -> frozenset[ResourceId]:
    """Return the nodes with these types and keys; the values say how somebody wrote them. Raises ``RuleRefused``."""
    ids = {(node.type, node.key): node.id for node in permissions.resources_of_tenant(reader, tenant.id)}
    missing = [words for name, words in names.items() if name not in ids]
    if missing:
        raise RuleRefused(f"there is no resource {missing[0][:80]!r} in {tenant.slug}.")
    return frozenset(ids[name] for name in names)


def _client(rule: TrustRule, stored: Client | None = None) -> Client:
    """Return the client of a rule; what was said of the ``stored`` one by itself stays: disabled is disabled (D3)."""
    return Client(
        id=rule.id,
        kind=ClientKind.WORKLOAD,
        name=rule.name,
        redirect_uris=(),
        grant_types=frozenset({JWT_BEARER}),
        scope_limit=rule.scopes,
        status=Status.ACTIVE if stored is None else stored.status,
        access_ttl=None if stored is None else stored.access_ttl,
        created_at=rule.created_at,
    )


def _about_whom(rule: TrustRule) -> tuple[object, ...]:
    return rule.issuer, rule.claims, rule.pins, rule.jwks_uri, rule.jwks


def _account(reader: Reader, tenant: Tenant, email: str) -> UserId:
    user = accounts.user_by_email(reader, email)
    if user is None or user.kind is not OwnerKind.SERVICE:
        raise RuleRefused(f"{email!r} is no service account. Declare it in users with kind: service.")
    slugs = [each.slug for each, _ in accounts.memberships_of_user(reader, user.id)]
    if slugs != [tenant.slug]:
        raise RuleRefused(f"{email!r} must be a member of {tenant.slug} and of no other tenant.")
    return user.id


def _server(reader: Reader, slug: str) -> ServerId:
    server = servers.server_by_slug(reader, slug)
    if server is None:
        raise RuleRefused(f"there is no server {slug!r}. Declare it in servers, or mend its name.")
    return server.id
