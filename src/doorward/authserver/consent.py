"""Consent: what a person is shown, and what becomes of the answer (``product.md`` B10 to B12; security group G).

What is granted = ticked ∩ shown ∩ the client's limit ∩ what the person may do in that tenant, now. What could be ticked
on the page and was not is *declined*: hidden from then on. An answer is one write: the request is claimed (so that a
form answers once), the connection and its code are stored and the event recorded, or nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from typing_extensions import override

from doorward import audit
from doorward.authserver import admission, standing
from doorward.authserver.admission import Admission
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.envelope import Pending, ShownForm
from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint
from doorward.model import (
    SECOND,
    AuthorizationCode,
    Client,
    ClientAuthMethod,
    ClientKind,
    Connection,
    ConnectionId,
    Entropy,
    Instant,
    Permission,
    PermissionEntry,
    Status,
    Tenant,
    User,
)
from doorward.policy.permission import expand
from doorward.protocol import faults, redirect_uri
from doorward.protocol.authorization import error_location, success_location
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault
from doorward.protocol.scope import OFFLINE_ACCESS
from doorward.storage import accounts, connections, permissions, servers
from doorward.storage.database import Reader, Transaction
from doorward.web.refused import Refused

NOTHING_CHOSEN: Final = "Choose at least one permission, or deny."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRules:
    """What consent needs beside the request. Times are in seconds; ``issuer`` is also the public URL."""

    issuer: str
    directory: ClientDirectory
    admission: Admission
    fingerprinter: Fingerprinter
    code_ttl: int
    access_ttl: int
    refresh_absolute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A tenant that may be chosen. ``allowed`` is what of the shown scopes could be granted there."""

    tenant: Tenant
    roles: tuple[str, ...]
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that the page says, before it becomes HTML.

    ``held`` is what the client has in the chosen tenant already, by earlier connections of this user to this server.
    """

    pending: Pending
    client: Client
    endpoint: Endpoint
    user: User
    choices: Sequence[Choice]
    chosen: Choice
    held: frozenset[Permission]
    catalogue: Sequence[PermissionEntry]

    @property
    def form(self) -> ShownForm:
        """What is sealed into the page."""
        return ShownForm(
            pending=self.pending, user_id=self.user.id, tenant_slug=self.chosen.tenant.slug, offered=self.chosen.allowed
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """The request is answered; ``location`` takes the answer to the client (it may hold a code)."""

    location: str

    @override
    def __repr__(self) -> str:
        return "Answered()"


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Nothing happened: the page is shown again for this tenant, with a line that says why.

    ``ticked`` is what was ticked among what was ``offered``; what the page offers beyond that is ticked by default.
    """

    tenant_slug: str
    ticked: frozenset[str]
    offered: frozenset[str]
    message: str | None


class NotAdmitted(Refused):
    """The client may not be let into any tenant of this person. ``tenant`` is whose administrator is asked."""

    def __init__(self, fault: Fault, *, tenant: Tenant, client: Client) -> None:
        super().__init__(fault, status=403, reason=f"client {client.id[:200]!r} is not allowed in {tenant.id}")
        self.tenant = tenant


def question(
    reader: Reader, pending: Pending, user: User, *, rules: ConsentRules, tenant_slug: str | None = None
) -> Question:
    """Return what to ask ``user``; ``tenant_slug`` is the tenant chosen so far, if any.

    Raises ``PageError`` where the client is gone, or there is no tenant in which this server can be used: in the same
    words for a tenant that exists and one that does not (ruling 8). Raises ``NotAdmitted`` where an administrator has
    to allow the client first.
    """
    client, endpoint = _asker(reader, pending, rules), _endpoint(reader, pending, rules)
    catalogue = permissions.catalogue(reader)
    choices = _choices(reader, pending, user, client, endpoint)
    if not choices:
        raise Refused(faults.NO_TENANT, status=403, reason=f"user {user.id} has no tenant with {endpoint.path}")
    choices = _admitted(reader, pending, client, choices, rules)
    wanted = [choice for choice in choices if choice.tenant.slug == tenant_slug]
    useful = [choice for choice in choices if choice.allowed - {OFFLINE_ACCESS}]
    chosen = [*wanted, *useful, *choices][0]
    return Question(
        pending=pending, client=client, endpoint=endpoint, user=user, choices=choices, chosen=chosen,
        held=_held(reader, user, client, chosen.tenant, endpoint), catalogue=catalogue,
    )  # fmt: skip


def approve(  # noqa: PLR0913
    tx: Transaction, form: ShownForm, *, tenant_slug: str, ticked: frozenset[str], rules: ConsentRules, now: Instant,
    entropy: Entropy, request_id: str | None = None,
) -> Answered | AskAgain:  # fmt: skip
    """Grant what was ticked, of what was shown, as far as the person may.

    Raises ``PageError``: the answer is not one that the page offered, or the request is answered already (G3 to G5).
    """
    pending = form.pending
    if ticked - set(pending.scopes):
        raise PageError(faults.REQUEST_FOREIGN, reason=f"not on the page: {sorted(ticked - set(pending.scopes))[:5]}")
    user = _answering_user(tx, form)
    _lock(tx, tenant_slug)
    client, endpoint = _asker(tx, pending, rules), _endpoint(tx, pending, rules)
    choice = next((c for c in _choices(tx, pending, user, client, endpoint) if c.tenant.slug == tenant_slug), None)
    if choice is None:
        raise Refused(faults.REQUEST_FOREIGN, status=403, reason="tenant is none that this person could choose")
    _admitted(tx, pending, client, [choice], rules)
    if tenant_slug != form.tenant_slug and choice.allowed != form.offered:
        # What is granted was on the page as it is granted: another tenant with other rights is shown first.
        message = f"In {choice.tenant.name} you may do other things. Look again, then approve."
        return AskAgain(tenant_slug, ticked, form.offered, message)
    connection = _connection(pending, user, client, endpoint, choice, ticked & choice.allowed, form.offered)
    if not connection.scopes:
        return AskAgain(tenant_slug, ticked, form.offered, NOTHING_CHOSEN)
    _claim(tx, pending, now)
    rules.directory.remember(tx, client, now)
    return Answered(
        _grant(tx, pending, _timed(connection, rules, now, entropy), client, rules, now, entropy, request_id)
    )


def deny(
    tx: Transaction, form: ShownForm, *, rules: ConsentRules, now: Instant, request_id: str | None = None
) -> Answered:
    """Tell the client no, once. Nothing is kept but the event; the client may ask again (G12)."""
    pending = form.pending
    user = _answering_user(tx, form)
    client = _asker(tx, pending, rules)
    _claim(tx, pending, now)
    audit.record(
        tx, name="connection:denied", at=now, actor_id=user.id, subject=pending.id,
        detail={"client": client.name, "resource": pending.resource}, request_id=request_id,
    )  # fmt: skip
    refusal = pending.request.refusal(
        faults.ACCESS_DENIED, "access_denied", issuer=rules.issuer, reason="denied on the consent page"
    )
    return Answered(error_location(refusal))


def _asker(reader: Reader, pending: Pending, rules: ConsentRules) -> Client:
    """Return the client as it is now: disabled, or with other redirect URIs, it gets no answer (F10, G8)."""
    request = pending.request
    client = rules.directory.asking(reader, request.client_id)
    if client is None or client.status is not Status.ACTIVE:
        raise PageError(faults.CLIENT_UNKNOWN, reason=f"client {request.client_id} is gone or disabled")
    if client.kind is ClientKind.METADATA_DOCUMENT and client.name != pending.client_name:
        # The page that is answered, or the one before it, named somebody else (CIMD -02 section 8.4).
        raise PageError(faults.REQUEST_EXPIRED, reason=f"client {request.client_id} has another name since the request")
    public = client.auth_method is ClientAuthMethod.NONE
    registered = admission.with_allowed(reader, client, request.redirect_uri).redirect_uris
    if not redirect_uri.matches(registered, request.redirect_uri, any_loopback_port=public):
        raise PageError(faults.REDIRECT_NOT_REGISTERED, reason="redirect URI was withdrawn since the request")
    return client


def _endpoint(reader: Reader, pending: Pending, rules: ConsentRules) -> Endpoint:
    endpoint = Endpoints(public_url=rules.issuer, servers=servers.servers(reader)).by_url(pending.resource)
    if endpoint is None:
        raise PageError(faults.RESOURCE_UNKNOWN, reason=f"{pending.resource} was withdrawn since the request")
    return endpoint


def _answering_user(reader: Reader, form: ShownForm) -> User:
    user = accounts.user_by_id(reader, form.user_id)
    if user is None or user.status is not Status.ACTIVE:
        raise Refused(faults.REQUEST_FOREIGN, status=403, reason=f"user {form.user_id} is not active")
    return user


def _lock(tx: Transaction, tenant_slug: str) -> None:
    tenant = accounts.tenant_by_slug(tx, tenant_slug)
    if tenant is not None:
        tx.lock_tenant(tenant.id, for_rights=False)


def _choices(reader: Reader, pending: Pending, user: User, client: Client, endpoint: Endpoint) -> list[Choice]:
    found = []
    for tenant, membership in accounts.memberships_of_user(reader, user.id):
        pinned_elsewhere = endpoint.tenant_slug not in (None, tenant.slug)
        if pinned_elsewhere or not servers.enabled(reader, tenant.id, endpoint.server_id):
            continue
        allowed = _allowed(reader, pending, user, client, tenant)
        found.append(Choice(tenant=tenant, roles=membership.roles, allowed=allowed))
    return found


def _admitted(
    reader: Reader, pending: Pending, client: Client, choices: Sequence[Choice], rules: ConsentRules
) -> list[Choice]:
    """Return the tenants that this client may be let into. Raises ``NotAdmitted`` where there is none."""
    uri = pending.request.redirect_uri
    why = [rules.admission.why_not(reader, choice.tenant.id, client, uri) for choice in choices]
    admitted = [choice for choice, fault in zip(choices, why, strict=True) if fault is None]
    if not admitted and why[0] is not None:
        raise NotAdmitted(why[0], tenant=choices[0].tenant, client=client)
    return admitted


def _allowed(reader: Reader, pending: Pending, user: User, client: Client, tenant: Tenant) -> frozenset[str]:
    patterns = permissions.role_permissions(reader, tenant.id, user.id)
    shown = frozenset(Permission(each) for each in pending.scopes if each != OFFLINE_ACCESS)
    allowed: frozenset[str] = standing.within_limit(expand(patterns, shown), client)
    return allowed | {OFFLINE_ACCESS} if OFFLINE_ACCESS in pending.scopes else allowed


def _held(reader: Reader, user: User, client: Client, tenant: Tenant, endpoint: Endpoint) -> frozenset[Permission]:
    held: frozenset[Permission] = frozenset()
    for connection in connections.connections_of_user(reader, user.id):
        same = (connection.client_id, connection.tenant_id, connection.resource) == (client.id, tenant.id, endpoint.url)
        if same and connection.activated_at is not None and connection.revoked_at is None:
            held |= connection.scopes
    return held


def _connection(  # noqa: PLR0913, PLR0917
    pending: Pending,
    user: User,
    client: Client,
    endpoint: Endpoint,
    choice: Choice,
    granted: frozenset[str],
    offered: frozenset[str],
) -> Connection:
    # What could not be ticked was not declined either: it stays reachable should the person's rights grow.
    declined = (choice.allowed & offered) - granted
    return Connection(
        id=ConnectionId(""),
        tenant_id=choice.tenant.id,
        user_id=user.id,
        client_id=client.id,
        server_id=endpoint.server_id,
        resource=endpoint.url,
        scopes=frozenset(Permission(each) for each in granted - {OFFLINE_ACCESS}),
        declined=frozenset(Permission(each) for each in declined),
        asked=frozenset(Permission(each) for each in pending.scopes),
        redirect_uri=pending.request.redirect_uri,
        created_at=Instant(0),
        expires_at=Instant(0),
    )


def _timed(connection: Connection, rules: ConsentRules, now: Instant, entropy: Entropy) -> Connection:
    # Declined ``offline_access``: one access token and no more, so the connection is over when that is.
    brief = OFFLINE_ACCESS in connection.declined
    lifetime = rules.code_ttl + rules.access_ttl if brief else rules.refresh_absolute
    return replace(
        connection,
        id=ConnectionId("con_" + base64url(entropy(12))),
        created_at=now,
        expires_at=Instant(now + lifetime * SECOND),
    )


def _claim(tx: Transaction, pending: Pending, now: Instant) -> None:
    if not connections.claim_request(tx, pending.id, now, pending.expires_at):
        raise PageError(faults.REQUEST_EXPIRED, reason=f"request {pending.id} was answered already")


def _grant(  # noqa: PLR0913, PLR0917
    tx: Transaction,
    pending: Pending,
    connection: Connection,
    client: Client,
    rules: ConsentRules,
    now: Instant,
    entropy: Entropy,
    request_id: str | None,
) -> str:
    """Store connection, code and event; return where the code goes."""
    request = pending.request
    text = mint(SecretKind.AUTHORIZATION_CODE, entropy)
    code = AuthorizationCode(
        fingerprint=rules.fingerprinter.of(text),
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        client_id=connection.client_id,
        redirect_uri=request.redirect_uri,
        redirect_uri_sent=request.redirect_uri_sent,
        code_challenge=request.code_challenge,
        resource=connection.resource,
        created_at=now,
        expires_at=Instant(now + rules.code_ttl * SECOND),
    )
    connections.insert_connection(tx, connection)
    connections.insert_code(tx, code)
    detail = {
        "client": client.name,
        "resource": connection.resource,
        "scopes": " ".join(sorted(connection.scopes)),
        "declined": " ".join(sorted(connection.declined)),
        "redirect": redirect_uri.describe(request.redirect_uri).host_display,
    }
    audit.record(
        tx, name="connection:approved", at=now, tenant_id=connection.tenant_id, actor_id=connection.user_id,
        subject=connection.id, detail=detail, request_id=request_id,
    )  # fmt: skip
    return success_location(request.redirect_uri, text, request.state, rules.issuer)
