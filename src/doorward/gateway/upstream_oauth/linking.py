"""Linking an account: from the page's button to the other side and back, and unlinking it (decision 0057).

Our own page is the consent (G7): nothing is asked for, and nobody is sent anywhere, before its button. What comes back
is good once, in the browser session that began, from the server that was asked (RFC 9207), for the person who is still
the same. Nothing that is secret stands in an address: the verifier waits sealed in a row.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from doorward import audit
from doorward.accounts import ways_in
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.gateway.upstream_oauth.asking import Asking, Elsewhere
from doorward.gateway.upstream_oauth.discovery import Found, discover
from doorward.gateway.upstream_oauth.exchange import Exchange, Rejected
from doorward.gateway.upstream_oauth.own_clients import OwnClients
from doorward.gateway.upstream_oauth.secrets import ClientSecrets
from doorward.gateway.upstream_oauth.tokens import Pending, Safe, Terms, Tokens, tokens_of
from doorward.model import (
    SECOND,
    AuthKind,
    Cause,
    Entropy,
    Fingerprint,
    Instant,
    Server,
    Session,
    Status,
    Tenant,
    UpstreamGrant,
    UpstreamRequest,
    User,
)
from doorward.protocol import faults
from doorward.protocol.faults import Fault
from doorward.protocol.outbound import grant as protocol
from doorward.protocol.outbound.client import redirect_uri
from doorward.protocol.outbound.grant import Granted
from doorward.storage import accounts, servers, upstream_grants
from doorward.storage.database import Database, Reader, Transaction
from doorward.vault import Unsealed
from doorward.web.budgets import MinuteBudget

LIFETIME: Final = 600 * SECOND
"""Time to sign in there and come back."""
PER_MINUTE: Final = 10
"""Begun by one person."""
_BYTES: Final = 32
_ID_BYTES: Final = 12


class LinkRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was linked. ``reason`` is private."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who is at the browser."""

    session: Session
    user: User


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What the browser came back with. ``code`` is '' where it brings ``error``."""

    state: str
    code: str
    error: str
    iss: str | None


class Linking:
    """One per process."""

    def __init__(  # noqa: PLR0913
        self, *, database: Database, asking: Asking, own_clients: OwnClients, secrets: ClientSecrets, safe: Safe,
        fingerprinter: Fingerprinter, public_url: str, now: Callable[[], Instant], entropy: Entropy,
    ) -> None:  # fmt: skip
        self._database, self._asking, self._own_clients, self._secrets = database, asking, own_clients, secrets
        self._exchange, self._safe, self._fingerprinter = Exchange(asking), safe, fingerprinter
        self._public_url, self._now, self._entropy = public_url, now, entropy
        self._begun = MinuteBudget(PER_MINUTE, now=now)

    async def begin(self, server: Server, tenant: Tenant, who: Who) -> str:
        """Return where to send the browser. Raises ``LinkRefused``, ``Elsewhere``."""
        if not self._begun.spend(who.user.id):
            raise LinkRefused(faults.LINK_TOO_OFTEN, "budget of the person is spent")
        auth = server.auth
        if auth is None or auth.kind is not AuthKind.OAUTH:
            raise LinkRefused(faults.NOT_LINKABLE, "not a server with accounts")
        found = await discover(self._asking, server, auth, asker=who.user.id)
        secret = await self._secrets.of(auth)
        client = await self._own_clients.find(server, auth, found.server, secret, asker=who.user.id)
        configured = bool(auth.client_id)
        terms = Terms(
            issuer=found.server.issuer,
            token_endpoint=found.server.token_endpoint,
            revocation_endpoint=found.server.revocation_endpoint,
            resource=found.resource,
            client=replace(client, secret="") if configured else client,
            configured=configured,
        )
        return await self._sent(server, tenant, who, found, terms)

    async def _sent(self, server: Server, tenant: Tenant, who: Who, found: Found, terms: Terms) -> str:
        state, verifier = base64url(self._entropy(_BYTES)), base64url(self._entropy(_BYTES))
        fingerprint = self._fingerprint(state)
        pending = Pending(terms=terms, verifier=verifier, scopes=found.scopes, says_iss=found.server.says_iss)
        request = UpstreamRequest(
            state=fingerprint,
            session_id=who.session.id,
            user_id=who.user.id,
            tenant_id=tenant.id,
            server_id=server.id,
            upstream=server.upstream,
            sealed=self._safe.seal_pending(pending, fingerprint),
            expires_at=Instant(self._now() + LIFETIME),
        )
        await self._database.write(lambda tx: upstream_grants.put_request(tx, request))
        return protocol.authorization_url(
            found.server, client_id=terms.client.client_id, redirect_uri=redirect_uri(self._public_url, server.slug),
            resource=found.resource, scopes=found.scopes, state=state, verifier=verifier,
        )  # fmt: skip

    async def finish(self, slug: str, came: Came, who: Who, *, cause: Cause | None) -> Server:
        """Link the account that the browser comes back with; return the server.

        Raises ``LinkRefused``, ``Elsewhere``. Whatever comes of it, the request is used up.
        """
        request, server = await self._database.write(lambda tx: self._taken(tx, slug, came.state, who))
        pending = self._opened(request)
        if not protocol.iss_ok(pending.terms.issuer, came.iss, says_iss=pending.says_iss):
            raise LinkRefused(faults.LINK_MIXED_UP, f"answer for {pending.terms.issuer} with iss {came.iss!r:.200}")
        if came.error or not came.code:
            raise LinkRefused(faults.LINK_DENIED, f"{pending.terms.issuer}: {came.error or 'no code'}")
        granted = await self._redeemed(pending, server, came.code, who)
        tokens = tokens_of(granted, pending.terms, self._now())
        made = self._made(request, granted, pending, tokens)
        if not await self._database.write(lambda tx: _linked(tx, made, server, who, cause)):
            # The person, the tenant or the server went meanwhile: what was just given is given back.
            await self._revoked(tokens, server, who.user)
            raise LinkRefused(faults.NOT_LINKABLE, "may not be linked any more")
        return server

    async def unlink(
        self, grant: UpstreamGrant, *, by: User | None, cause: Cause | None
    ) -> bool:  # fmt: skip
        """Forget a linked account, then tell the other side; say whether it was there. ``by``: None for an operator."""
        removed = await self._database.write(partial(_unlinked, grant=grant, by=by, now=self._now(), cause=cause))
        server = await self._database.read(lambda reader: _server(reader, grant))
        if removed and server is not None:
            try:
                tokens = self._safe.open_tokens(grant.sealed, (grant.tenant_id, grant.user_id, grant.server_id))
            except Unsealed:
                return removed
            await self._revoked(tokens, server, by)
        return removed

    def _taken(self, tx: Transaction, slug: str, state: str, who: Who) -> tuple[UpstreamRequest, Server]:
        """Use a request up. An expired, used, foreign or unknown one is refused in the same words."""
        fingerprint = self._fingerprint(state)
        request = upstream_grants.request_by_state(tx, fingerprint)
        server = servers.server_by_slug(tx, slug)
        fits = (
            request is not None
            and server is not None
            and request.server_id == server.id
            and request.session_id == who.session.id
            and request.user_id == who.user.id
        )
        if request is None or server is None or not fits:
            # Not used up: who did not begin it cannot end it either.
            raise LinkRefused(faults.LINK_REQUEST_UNKNOWN, "no such state in this session")
        if not upstream_grants.take_request(tx, fingerprint) or request.expires_at <= self._now():
            raise LinkRefused(faults.LINK_REQUEST_UNKNOWN, "used before, or expired")
        return request, server

    def _opened(self, request: UpstreamRequest) -> Pending:
        try:
            return self._safe.open_pending(request.sealed, request.state)
        except Unsealed:
            raise LinkRefused(faults.LINK_REQUEST_UNKNOWN, "sealed with another key") from None

    async def _redeemed(self, pending: Pending, server: Server, code: str, who: Who) -> Granted:
        try:
            client = await self._secrets.client(pending.terms, server)
            return await self._exchange.redeem(
                pending.terms, client, code=code, redirect_uri=redirect_uri(self._public_url, server.slug),
                verifier=pending.verifier, asker=who.user.id,
            )  # fmt: skip
        except Rejected as rejected:
            raise LinkRefused(faults.LINK_TOKEN, str(rejected)) from rejected
        except Elsewhere as wrong:
            if wrong.fault is faults.LINK_CLIENT_REFUSED and not pending.terms.configured:
                # It forgot us: the next linking registers anew.
                issuer = pending.terms.issuer
                await self._database.write(lambda tx: upstream_grants.remove_client(tx, server.id, issuer))
            raise

    def _made(self, request: UpstreamRequest, granted: Granted, pending: Pending, tokens: Tokens) -> UpstreamGrant:
        now = self._now()
        place = (request.tenant_id, request.user_id, request.server_id)
        return UpstreamGrant(
            tenant_id=request.tenant_id,
            user_id=request.user_id,
            server_id=request.server_id,
            id=base64url(self._entropy(_ID_BYTES)),
            upstream=request.upstream,
            issuer=pending.terms.issuer,
            scopes=pending.scopes if granted.scopes is None else granted.scopes,
            sealed=self._safe.seal_tokens(tokens, place),
            version=1,
            linked_at=now,
            refreshed_at=now,
        )

    async def _revoked(self, tokens: Tokens, server: Server, user: User | None) -> None:
        try:
            client = await self._secrets.client(tokens.terms, server)
        except (Elsewhere, Rejected):
            return
        await self._exchange.revoke(tokens, client, asker="unlinking" if user is None else user.id)

    def _fingerprint(self, state: str) -> Fingerprint:
        return self._fingerprinter.of(f"upstream state {state}")


def linkable(reader: Reader, user: User) -> list[tuple[Server, Tenant]]:
    """Return at which servers a person may link an account now, and for which tenants, by name."""
    wanted = [each for each in servers.servers(reader) if each.auth is not None and each.auth.kind is AuthKind.OAUTH]
    known = accounts.user_by_id(reader, user.id) if wanted else None
    if known is None or known.status is not Status.ACTIVE:
        return []
    mine = [tenant for tenant, _ in accounts.memberships_of_user(reader, user.id)]
    enabled = {tenant.id: servers.servers_of_tenant(reader, tenant.id) for tenant in mine}
    return [(server, tenant) for server in wanted for tenant in mine if server.id in enabled[tenant.id]]


def may_link(reader: Reader, user: User, server: Server) -> list[Tenant]:
    """Return the tenants, by name, for which a person may link an account at ``server`` now."""
    return [tenant for each, tenant in linkable(reader, user) if each.id == server.id]


def _linked(tx: Transaction, made: UpstreamGrant, asked: Server, who: Who, cause: Cause | None) -> bool:
    tx.lock_tenant(made.tenant_id, for_rights=False)
    server = servers.server_by_slug(tx, asked.slug)
    # Declared anew meanwhile, it may be another server: what was given for one is not for the other.
    if server is None or server.id != made.server_id or server.upstream != made.upstream:
        return False
    if made.tenant_id not in {tenant.id for tenant in may_link(tx, who.user, server)}:
        return False
    if not ways_in.may_act(tx, who.session, made.tenant_id):
        # The tenant may have closed this person's way in while they were away.
        return False
    upstream_grants.put_grant(tx, made)
    audit.record(
        tx, name="upstream_account:linked", at=made.linked_at, tenant_id=made.tenant_id, actor_id=made.user_id,
        subject=server.slug, detail={"issuer": made.issuer, "scopes": " ".join(made.scopes)}, cause=cause,
    )  # fmt: skip
    return True


def _unlinked(
    tx: Transaction, *, grant: UpstreamGrant, by: User | None, now: Instant, cause: Cause | None
) -> bool:  # fmt: skip
    tx.lock_tenant(grant.tenant_id, for_rights=True)
    if not upstream_grants.remove_grant(tx, grant):
        return False
    server = _server(tx, grant)
    audit.record(
        tx, name="upstream_account:unlinked", at=now, tenant_id=grant.tenant_id, actor_id=None if by is None else by.id,
        subject=grant.server_id if server is None else server.slug, detail={"issuer": grant.issuer, "whose": grant.user_id},
        cause=cause,
    )  # fmt: skip
    return True


def _server(reader: Reader, grant: UpstreamGrant) -> Server | None:
    return next((each for each in servers.all_servers(reader) if each.id == grant.server_id), None)
