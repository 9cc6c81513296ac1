"""Consent: what a person is shown, and what becomes of the answer (features B10 to B12; security group G).

What is granted = ticked ∩ shown ∩ the client's limit ∩ what the person may do in that tenant, now. What could be ticked
on the page and was not is *declined*: hidden from then on, and taken from what the client had on this device (B17). An
answer is one write: the request is claimed (so that a form answers once), the connection and its code are stored and
the event recorded, or nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from typing_extensions import override

from doorward import audit
from doorward.accounts import ways_in
from doorward.authserver import admission, approval, device, lifetimes
from doorward.authserver.approval import ConsentRules
from doorward.authserver.authorize import SignedIn
from doorward.authserver.choices import Choice, choices, earlier, grantable
from doorward.authserver.connections import narrow
from doorward.authserver.envelope import Pending, ShownForm
from doorward.model import (
    Cause,
    Client,
    ClientAuthMethod,
    Connection,
    ConnectionId,
    Entropy,
    Fingerprint,
    Instant,
    PermissionEntry,
    Resource,
    Session,
    Status,
    Tenant,
    User,
)
from doorward.policy.rules import ResourceTree
from doorward.protocol import faults, redirect_uri
from doorward.protocol.authorization import error_location
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import PageError
from doorward.protocol.faults import Fault
from doorward.protocol.scope import OIDC_SCOPES
from doorward.protocol.token import DEVICE_CODE
from doorward.storage import accounts, claims, connections, device_requests, permissions, servers
from doorward.storage.database import Reader, Transaction
from doorward.web.refused import Refused

LIMIT_CHANGED: Final = "Where this app may act has just been changed. Look again, then approve."
NOTHING_CHOSEN: Final = "Choose at least one permission, or deny."


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that the page says, before it becomes HTML."""

    pending: Pending
    client: Client
    endpoint: Endpoint
    user: User
    choices: Sequence[Choice]
    chosen: Choice
    catalogue: Sequence[PermissionEntry]
    access_seconds: int
    """How long one access token works."""
    longest_seconds: int
    """How long the client may stay, if it may renew its token."""
    within: Sequence[Resource] | None = None
    """The nodes that the client reaches at most; None: it is not limited to any."""

    @property
    def form(self) -> ShownForm:
        """What is sealed into the page."""
        return ShownForm(
            pending=self.pending,
            user_id=self.user.id,
            tenant_slug=self.chosen.tenant.slug,
            offered=self.chosen.allowed,
            shown=self.chosen.shown,
            within=self.client.resources,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is let in by whom, to what: as it was read in the transaction that grants it."""

    client: Client
    endpoint: Endpoint
    user: User
    tenant: Tenant
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answered:
    """The request is answered; ``location`` takes the answer to the client (it may hold a code).

    ``connection`` is what was approved, None where it was denied.
    """

    location: str
    connection: Connection | None = None

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
    """The client may not be let into any tenant of ``user``. ``tenant`` is whose administrator is asked."""

    def __init__(self, fault: Fault, *, tenant: Tenant, user: User, client: Client) -> None:
        super().__init__(fault, status=403, reason=f"client {client.id[:200]!r} is not allowed in {tenant.id}")
        self.tenant, self.user = tenant, user


def question(
    reader: Reader, pending: Pending, here: SignedIn, *, rules: ConsentRules, tenant_slug: str | None = None,
    browser: Fingerprint | None = None,
) -> Question:  # fmt: skip
    """Return what to ask whoever is signed in; ``tenant_slug`` is the tenant chosen so far, if any.

    ``browser`` tells the device: the fingerprint of the id of the browser that the client shares a device with.

    Raises ``PageError`` where the client is gone, or there is no tenant in which this server can be used: in the same
    words for a tenant that exists and one that does not (decision 0077.8). Raises ``NotAdmitted`` where an administrator has
    to allow the client first.
    """
    client, endpoint = asker(reader, pending, rules), _endpoint(reader, pending, rules)
    catalogue = permissions.catalogue(reader)
    found, user = choices(reader, pending, here, client, endpoint, browser), here[1]
    if not found:
        raise _nowhere(reader, here, client, endpoint)
    found = _admitted(reader, pending, user, client, found, rules)
    wanted = [choice for choice in found if choice.tenant.slug == tenant_slug]
    useful = [choice for choice in found if choice.allowed - OIDC_SCOPES]
    chosen = [*wanted, *useful, *found][0]
    access = lifetimes.access_ttl(reader, client.id, chosen.tenant.id, default=rules.access_ttl)
    return Question(
        pending=pending, client=client, endpoint=endpoint, user=user, choices=found, chosen=chosen, catalogue=catalogue,
        access_seconds=access, longest_seconds=rules.refresh_absolute, within=_within(reader, client, chosen.tenant),
    )  # fmt: skip


def approve(  # noqa: PLR0913
    tx: Transaction, form: ShownForm, *, tenant_slug: str, ticked: frozenset[str], session: Session,
    rules: ConsentRules, now: Instant, entropy: Entropy, cause: Cause | None,
    browser: Fingerprint | None = None,
) -> Answered | AskAgain:  # fmt: skip
    """Grant what was ticked, of what was shown, as far as the person of ``session`` may.

    ``browser`` as for ``question``.

    Raises ``PageError``: the answer is not one that the page offered, or the request is answered already (G3 to G5).
    """
    pending = form.pending
    if ticked - set(form.shown):
        raise PageError(faults.REQUEST_FOREIGN, reason=f"not on the page: {sorted(ticked - set(form.shown))[:5]}")
    user = _answering_user(tx, form)
    if session.user_id != user.id:
        raise Refused(faults.REQUEST_FOREIGN, status=403, reason="form of another user")
    _lock(tx, pending, user, tenant_slug, browser)
    client, endpoint = asker(tx, pending, rules), _endpoint(tx, pending, rules)
    found = choices(tx, pending, (session, user), client, endpoint, browser)
    choice = next((each for each in found if each.tenant.slug == tenant_slug), None)
    if choice is None:
        raise Refused(faults.REQUEST_FOREIGN, status=403, reason="tenant is none that this person could choose")
    _admitted(tx, pending, user, client, [choice], rules)
    if tenant_slug != form.tenant_slug and choice.allowed != form.offered:
        # What is granted was on the page as it is granted: another tenant with other rights is shown first.
        message = f"In {choice.tenant.name} you may do other things. Look again, then approve."
        return AskAgain(tenant_slug, ticked, form.offered, message)
    if client.resources != form.within:
        return AskAgain(tenant_slug, ticked, form.offered, LIMIT_CHANGED)
    # What the page showed counts, not what it would show by now: the person said yes to that.
    allowed = grantable(tx, form.shown, user, client, choice.tenant) & form.offered
    asked = Asked(client=client, endpoint=endpoint, user=user, tenant=choice.tenant, allowed=allowed)
    return _conclude(
        tx, form, asked, ticked=ticked, authenticated_at=session.authenticated_at, rules=rules, now=now, entropy=entropy,
        cause=cause, browser=browser,
    )  # fmt: skip


def approve_unasked(  # noqa: PLR0913
    tx: Transaction, question: Question, *, ticked: frozenset[str], authenticated_at: Instant, rules: ConsentRules,
    now: Instant, entropy: Entropy, cause: Cause | None, browser: Fingerprint | None = None,
) -> Answered | AskAgain:  # fmt: skip
    """Grant what a remembered answer ticks. ``question`` was asked in this transaction, with its tenant locked."""
    asked = Asked(
        client=question.client, endpoint=question.endpoint, user=question.user, tenant=question.chosen.tenant,
        allowed=question.chosen.allowed,
    )  # fmt: skip
    return _conclude(
        tx, question.form, asked, ticked=ticked, authenticated_at=authenticated_at, rules=rules, now=now,
        entropy=entropy, cause=cause, browser=browser,
    )  # fmt: skip


def lock(tx: Transaction, question: Question, browser: Fingerprint | None) -> bool:
    """Lock the tenant of ``question`` for its approval; True where the question has to be asked again."""
    client_id = question.pending.request.client_id
    before = connections.connections_on_device(tx, question.user.id, client_id, browser) if browser else []
    return tx.lock_tenant(question.chosen.tenant.id, for_rights=bool(before))


def _conclude(  # noqa: PLR0913
    tx: Transaction, form: ShownForm, asked: Asked, *, ticked: frozenset[str], authenticated_at: Instant,
    rules: ConsentRules, now: Instant, entropy: Entropy, cause: Cause | None, browser: Fingerprint | None,
) -> Answered | AskAgain:  # fmt: skip
    pending, client, endpoint, tenant, allowed = form.pending, asked.client, asked.endpoint, asked.tenant, asked.allowed
    connection = approval.connected(form, client, endpoint, tenant, granted=ticked & allowed, allowed=allowed)
    connection = replace(connection, authenticated_at=authenticated_at)
    if not connection.scopes and not connection.identity:
        return AskAgain(tenant.slug, ticked, form.offered, NOTHING_CHOSEN)
    rules.directory.remember(tx, client, now)
    connection = approval.timed(tx, replace(connection, browser=browser), rules, now, entropy)
    _claim(tx, pending, now, connection.id)
    before = earlier(tx, pending, asked.user, client, tenant, endpoint, browser)
    location = approval.grant(tx, pending, connection, client, rules, now, entropy, cause)
    for each in before:
        narrow(tx, each, connection.declined, actor_id=connection.user_id, by=connection.id, now=now, cause=cause)
    return Answered(location, connection)


def deny(tx: Transaction, form: ShownForm, *, rules: ConsentRules, now: Instant, cause: Cause | None) -> Answered:
    """Tell the client no, once. Nothing is kept but the event; the client may ask again (G12)."""
    pending = form.pending
    user = _answering_user(tx, form)
    client = asker(tx, pending, rules)
    _claim(tx, pending, now, None)
    audit.record(
        tx, name="connection:denied", at=now, actor_id=user.id, subject=pending.id,
        detail={"client": client.name, "resource": pending.resource}, cause=cause,
    )  # fmt: skip
    if pending.device is not None:
        return Answered(device.DENIED_PATH)
    refusal = pending.request.refusal(
        faults.ACCESS_DENIED, "access_denied", issuer=rules.issuer, reason="denied on the consent page"
    )
    return Answered(error_location(refusal))


def asker(reader: Reader, pending: Pending, rules: ConsentRules) -> Client:
    """Return the client as it is now: disabled, or with other redirect URIs, it gets no answer (F10, G8).

    Raises ``PageError``, which goes nowhere.
    """
    request = pending.request
    client = rules.directory.asking(reader, request.client_id)
    if client is None or client.status is not Status.ACTIVE:
        raise PageError(faults.CLIENT_UNKNOWN, reason=f"client {request.client_id} is gone or disabled")
    if client.name != pending.client_name:
        # The page that is answered, or the one before it, named somebody else: a document that changed (CIMD -02
        # section 8.4), a registration that was updated (RFC 7592), a declaration that was applied.
        raise PageError(faults.REQUEST_EXPIRED, reason=f"client {request.client_id} has another name since the request")
    if pending.device is not None:
        if DEVICE_CODE not in client.grant_types:
            raise PageError(faults.DEVICE_GRANT, reason=f"client {client.id} lost the device grant since the request")
        return client
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


def _nowhere(reader: Reader, here: SignedIn, client: Client, endpoint: Endpoint) -> Refused:
    """Return why this person cannot use the server; a tenant that is not theirs is not told from none (decision 0077.8)."""
    session, user = here
    theirs = {tenant.id for tenant, _ in accounts.memberships_of_user(reader, user.id)}
    if client.owner_id not in {None, user.id} or (client.tenant_id is not None and client.tenant_id not in theirs):
        return Refused(faults.CLIENT_OF_OTHERS, status=403, reason=f"client {client.id} is not for user {user.id}")
    mine = [tenant.slug for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    usable = [tenant.slug for tenant, _ in ways_in.open_memberships(reader, session)]
    if (bool(mine) and not usable) if endpoint.tenant_slug is None else endpoint.tenant_slug in set(mine) - set(usable):
        reason = f"no tenant of user {user.id} takes {session.means} at {endpoint.path}"
        return Refused(faults.TENANT_ELSEWHERE, status=403, reason=reason)
    off = bool(mine) if endpoint.tenant_slug is None else endpoint.tenant_slug in mine
    fault = faults.SERVER_OFF if off else faults.NO_TENANT
    return Refused(fault, status=403, reason=f"user {user.id} has no tenant with {endpoint.path}")


def _answering_user(reader: Reader, form: ShownForm) -> User:
    user = accounts.user_by_id(reader, form.user_id)
    if user is None or user.status is not Status.ACTIVE:
        raise Refused(faults.REQUEST_FOREIGN, status=403, reason=f"user {form.user_id} is not active")
    return user


def _lock(tx: Transaction, pending: Pending, user: User, tenant_slug: str, browser: Fingerprint | None) -> None:
    tenant = accounts.tenant_by_slug(tx, tenant_slug)
    if tenant is not None:
        client_id = pending.request.client_id
        before = connections.connections_on_device(tx, user.id, client_id, browser) if browser else []
        tx.lock_tenant(tenant.id, for_rights=bool(before))


def _within(reader: Reader, client: Client, tenant: Tenant) -> list[Resource] | None:
    """Return the nodes that the client is limited to, as people call them; those that are gone give nothing."""
    if client.resources is None:
        return None
    tree = ResourceTree(permissions.resources_of_tenant(reader, tenant.id))
    found = [tree.get(each) for each in client.resources]
    return sorted((node for node in found if node is not None), key=lambda node: (node.type, node.name))


def _admitted(
    reader: Reader, pending: Pending, user: User, client: Client, found: Sequence[Choice], rules: ConsentRules
) -> list[Choice]:
    """Return the tenants that this client may be let into. Raises ``NotAdmitted`` where there is none."""
    uri = None if pending.device is not None else pending.request.redirect_uri
    why = [rules.admission.why_not(reader, choice.tenant.id, client, uri) for choice in found]
    admitted = [choice for choice, fault in zip(found, why, strict=True) if fault is None]
    if not admitted and why[0] is not None:
        raise NotAdmitted(why[0], tenant=found[0].tenant, user=user, client=client)
    return admitted


def _claim(tx: Transaction, pending: Pending, now: Instant, approved: ConnectionId | None) -> None:
    """Answer the request, once; ``approved`` is what comes of it, None where it is denied."""
    if pending.device is not None:
        # A row of its own knows the answer, whichever browser it comes from.
        claimed = device_requests.answer_device_request(tx, pending.id, approved, now)
    else:
        claimed = claims.claim_request(tx, pending.id, now, pending.expires_at)
    if not claimed:
        raise PageError(faults.REQUEST_EXPIRED, reason=f"request {pending.id} was answered already")
