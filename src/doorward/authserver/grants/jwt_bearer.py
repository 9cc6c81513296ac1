"""The JWT bearer grant for workloads: a platform's token, a trust rule, a short access token (RFC 7523; B18).

Nothing is stored at the workload. Exactly one rule must take the token; whatever does not fit is one answer,
``invalid_grant``. What a workload may do is what its service account may do at that moment, within the rule. There is no
refresh token: the platform makes another token of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.authserver import lifetimes, standing
from doorward.authserver.grants import machine
from doorward.authserver.grants.outcome import Granted, TokenRules
from doorward.credentials import client_assertion
from doorward.model import (
    SECOND,
    Cause,
    Client,
    ClientId,
    Connection,
    Entropy,
    Instant,
    OwnerKind,
    Permission,
    Status,
    Tenant,
    TrustRule,
    User,
)
from doorward.policy.permission import expand
from doorward.protocol import faults, resource, trust
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import OAuthError
from doorward.protocol.scope import OIDC_SCOPES
from doorward.protocol.signed_jwt import BadAssertion
from doorward.protocol.token import WorkloadRequest, untrusted
from doorward.storage import accounts, clients, connections, key_sets, permissions, servers, trust_rules
from doorward.storage.database import Reader, Transaction

MAX_SOURCES: Final = 4
"""Key sets that one token may make us fetch: its issuer's own, and those that rules name for it."""


class NotTrusted(Exception):  # noqa: N818  (an outcome)
    """No rule takes the token. ``nearest`` is the rule that came nearest, ``failed`` the claims that did not fit."""

    def __init__(self, reason: str, nearest: TrustRule | None = None, failed: Collection[str] = ()) -> None:
        super().__init__(reason)
        self.error = untrusted(reason)
        self.nearest, self.failed = nearest, tuple(failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """Whom a rule stands for now."""

    rule: TrustRule
    client: Client
    user: User
    tenant: Tenant


def sources(reader: Reader, request: WorkloadRequest) -> list[str]:
    """Return whose keys it takes to judge this request: none where no rule names its issuer."""
    found = (key_sets.source_of(rule) for rule in _candidates(reader, request))
    return list(dict.fromkeys(each for each in found if each is not None))[:MAX_SOURCES]


def issue(
    tx: Transaction, request: WorkloadRequest, *, rules: TokenRules, audiences: Collection[str], now: Instant,
    entropy: Entropy,
) -> Granted:  # fmt: skip
    """Grant an access token to the workload that ``request`` shows the token of.

    Raises ``NotTrusted``; ``OAuthError`` ``invalid_target`` or ``invalid_scope`` to one that is trusted. Then nothing
    was changed: neither is the token used up nor the rule pinned.
    """
    known = Endpoints(public_url=rules.issuer.issuer, servers=servers.servers(tx))
    rule = _chosen(tx, request, known, audiences, now)
    tx.lock_tenant(rule.tenant_id, for_rights=True)
    # Again under the lock: the rule may have been changed, pinned or removed a moment ago.
    if _chosen(tx, request, known, audiences, now) != rule:
        raise NotTrusted("the rule was changed at this moment", rule)
    whose = _standing(tx, rule)
    endpoint = _endpoint(tx, request.resource, known, whose)
    scopes = _scopes(tx, request, whose)
    _use(tx, request, rule, now, rules.cause)
    connection = _connection(tx, whose, endpoint, scopes, now=now, entropy=entropy, cause=rules.cause)
    detail = {"rule": rule.name, "connection": connection.id, "scopes": " ".join(sorted(scopes))}
    audit.record(
        tx, name="workload:admitted", at=now, tenant_id=rule.tenant_id, actor_id=rule.user_id, subject=rule.id,
        detail=detail, cause=rules.cause,
    )  # fmt: skip
    ttl = min(lifetimes.access_ttl(tx, rule.id, rule.tenant_id, default=rules.access_ttl), rule.lifetime)
    return Granted(connection=connection, scopes=scopes, refresh_token=None, access_ttl=ttl)


def record_refusal(tx: Transaction, refused: NotTrusted, now: Instant, cause: Cause | None) -> None:
    """Tell the tenant whose rule came nearest. Claims are named, never quoted."""
    if refused.nearest is not None:
        audit.record(
            tx, name="workload:refused", at=now, tenant_id=refused.nearest.tenant_id, subject=refused.nearest.id,
            detail={"rule": refused.nearest.name, "did not fit": " ".join(refused.failed), "why": str(refused)},
            cause=cause,
        )  # fmt: skip


def _candidates(reader: Reader, request: WorkloadRequest) -> list[TrustRule]:
    found = trust_rules.rules_of_issuer(reader, request.issuer)
    return [rule for rule in found if request.rule in (None, rule.id)]


def _chosen(
    reader: Reader, request: WorkloadRequest, known: Endpoints, audiences: Collection[str], now: Instant
) -> TrustRule:
    """Return the one rule that takes the token. A tenant's own URL leaves only that tenant's rules."""
    if request.issuer == known.public_url:
        raise NotTrusted("a token of our own")
    candidates = _candidates(reader, request)
    asked = None if request.resource is None else _known(known, request.resource)
    if asked is not None and asked.tenant_slug is not None:
        tenant = accounts.tenant_by_slug(reader, asked.tenant_slug)
        candidates = [rule for rule in candidates if tenant is not None and rule.tenant_id == tenant.id]
    if not candidates:
        raise NotTrusted("no rule names this issuer" + (" and this client_id" if request.rule else ""))
    judged = [(_failures(reader, request, rule, audiences, now), rule) for rule in candidates]
    fitting = [rule for failed, rule in judged if not failed]
    if len(fitting) == 1:
        return fitting[0]
    failed, nearest = min(judged, key=lambda each: len(each[0]))
    if fitting:
        # Which tenant or account is meant would be a guess.
        raise NotTrusted(f"{len(fitting)} rules take it; send one's id as client_id", nearest)
    raise NotTrusted(f"rule {nearest.id}: {', '.join(failed)} did not fit", nearest, failed)


def _failures(
    reader: Reader, request: WorkloadRequest, rule: TrustRule, audiences: Collection[str], now: Instant
) -> list[str]:
    failed = trust.failures(rule, request.assertion.claims, audiences, now)
    try:
        client_assertion.verify(request.assertion, key_sets.keys_of(reader, rule))
    except BadAssertion:
        return ["signature", *failed]
    return failed


def _standing(reader: Reader, rule: TrustRule) -> _Standing:
    client, user = clients.client_by_id(reader, rule.id), accounts.user_by_id(reader, rule.user_id)
    if client is None or client.status is not Status.ACTIVE:
        raise NotTrusted(f"rule {rule.id} is disabled", rule)
    if user is None or user.status is not Status.ACTIVE or user.kind is not OwnerKind.SERVICE:
        raise NotTrusted(f"user {rule.user_id} is no active service account", rule)
    tenants = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    if [tenant.id for tenant in tenants] != [rule.tenant_id]:
        raise NotTrusted(f"user {user.id} does not belong to the rule's tenant alone", rule)
    return _Standing(rule=rule, client=client, user=user, tenant=tenants[0])


def _known(known: Endpoints, asked: str) -> Endpoint | None:
    url = resource.resolve(asked, lambda form: known.by_url(form) is not None)
    return None if url is None else known.by_url(url)


def _endpoint(reader: Reader, asked: str | None, known: Endpoints, whose: _Standing) -> Endpoint:
    """Return the server URL asked for, or the short URL of the only server it may be (RFC 8707)."""
    allowed = servers.servers_of_tenant(reader, whose.tenant.id)
    allowed = allowed if whose.rule.servers is None else allowed & whose.rule.servers
    if asked is not None:
        found = _known(known, asked)
    else:
        mine = [each for each in known.servers if each.id in allowed]
        usual = [each for each in mine if each.tenant_id is None] or mine
        only = Endpoints(public_url=known.public_url, servers=usual)
        one = only.servers[0] if len(only.servers) == 1 else None
        found = None if one is None else only.short() or only.of_tenant(one, whose.tenant.slug)
    if found is None or found.server_id not in allowed or found.tenant_slug not in (None, whose.tenant.slug):
        reason = f"rule {whose.rule.id}: asked for {(asked or 'nothing')[:200]!r}"
        raise OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=reason)
    return found


def _scopes(reader: Reader, request: WorkloadRequest, whose: _Standing) -> frozenset[Permission]:
    catalogue = (entry.permission for entry in permissions.catalogue(reader))
    live = expand(permissions.permissions_anywhere(reader, whose.tenant.id, whose.user.id), catalogue)
    may = standing.within_limit(live, whose.client)
    asked = frozenset(map(Permission, request.scope or ())) - OIDC_SCOPES
    granted = may & asked if asked else may
    if not granted:
        reason = f"nothing is left for rule {whose.rule.id}"
        raise OAuthError(faults.SCOPE_INVALID, "invalid_scope", reason=reason)
    return granted


def _use(tx: Transaction, request: WorkloadRequest, rule: TrustRule, now: Instant, cause: Cause | None) -> None:
    """Use the token up, and pin a pending rule to what this first one says."""
    claims = request.assertion.claims
    if rule.single_use:
        # Under the issuer, not the rule: no second rule takes it either. A space is in no client's id.
        issuer, end = ClientId(f"issuer {rule.issuer}"), Instant(claims["exp"] * SECOND)
        if not clients.use_assertion(tx, issuer, trust.use_of(request.assertion), now=now, expires_at=end):
            raise NotTrusted(f"rule {rule.id}: the token came again", rule, ["jti"])
    if rule.pinned is None:
        pinned = trust.pinned_by(rule, claims)
        if not trust_rules.pin_rule(tx, rule.id, pinned, now):
            raise NotTrusted(f"rule {rule.id} was pinned at this moment", rule)
        detail = {"name": rule.name, **pinned}
        audit.record(
            tx, name="trust_rule:pinned", at=now, tenant_id=rule.tenant_id, subject=rule.id, detail=detail,
            cause=cause,
        )  # fmt: skip


def _connection(  # noqa: PLR0913
    tx: Transaction, whose: _Standing, endpoint: Endpoint, scopes: frozenset[Permission], *, now: Instant,
    entropy: Entropy, cause: Cause | None,
) -> Connection:  # fmt: skip
    client, user, tenant = whose.client, whose.user, whose.tenant
    found = connections.machine_connection(
        tx, client_id=client.id, tenant_id=tenant.id, user_id=user.id, resource=endpoint.url, now=now
    )
    if found is None:
        return machine.connect(
            tx, client, user, tenant, endpoint, scopes, by="trust rule", now=now, entropy=entropy,
            resources=whose.rule.resources, cause=cause,
        )  # fmt: skip
    most = standing.within_limit(found.scopes | scopes, client)
    if found.scopes != most:
        connections.change_scopes(tx, found.id, most)
    return found
