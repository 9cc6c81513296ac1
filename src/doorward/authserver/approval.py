"""What an approval leaves: the connection, its code for a browser's request, and the event (features B10 to B12)."""

from dataclasses import dataclass, replace

from doorward import audit
from doorward.authserver import device, lifetimes
from doorward.authserver.admission import Admission
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.envelope import Pending, ShownForm
from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint
from doorward.model import (
    SECOND,
    AuthorizationCode,
    Cause,
    Client,
    Connection,
    ConnectionId,
    Entropy,
    Instant,
    Permission,
    Tenant,
)
from doorward.protocol import redirect_uri
from doorward.protocol.authorization import success_location
from doorward.protocol.endpoints import Endpoint
from doorward.protocol.scope import OFFLINE_ACCESS, OIDC_SCOPES, identity
from doorward.storage import connections, issued
from doorward.storage.database import Reader, Transaction


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


def connected(
    form: ShownForm, client: Client, endpoint: Endpoint, tenant: Tenant, *, granted: frozenset[str],
    allowed: frozenset[str],
) -> Connection:  # fmt: skip
    """Return what was approved, without id and times: ``granted`` of what was ``allowed``."""
    # What could not be ticked was not declined either: it stays reachable should the person's rights grow.
    declined = allowed - granted
    return Connection(
        id=ConnectionId(""),
        tenant_id=tenant.id,
        user_id=form.user_id,
        client_id=client.id,
        server_id=endpoint.server_id,
        resource=endpoint.url,
        scopes=frozenset(Permission(each) for each in granted - OIDC_SCOPES),
        declined=frozenset(Permission(each) for each in declined),
        asked=frozenset(Permission(each) for each in form.shown),
        identity=frozenset(identity(granted)),
        # As the page said: a limit that is taken off later widens nothing that was approved under it.
        resources=client.resources,
        redirect_uri=form.pending.request.redirect_uri,
        created_at=Instant(0),
        expires_at=Instant(0),
    )


def timed(reader: Reader, connection: Connection, rules: ConsentRules, now: Instant, entropy: Entropy) -> Connection:
    """Return the connection with its id, its beginning and its end."""
    # Declined ``offline_access``: one access token and no more, so the connection is over when that is.
    brief = OFFLINE_ACCESS in connection.declined
    access = lifetimes.access_ttl(reader, connection.client_id, connection.tenant_id, default=rules.access_ttl)
    lifetime = rules.code_ttl + access if brief else rules.refresh_absolute
    return replace(
        connection,
        id=ConnectionId("con_" + base64url(entropy(12))),
        created_at=now,
        expires_at=Instant(now + lifetime * SECOND),
    )


def grant(  # noqa: PLR0913, PLR0917
    tx: Transaction,
    pending: Pending,
    connection: Connection,
    client: Client,
    rules: ConsentRules,
    now: Instant,
    entropy: Entropy,
    cause: Cause | None,
) -> str:
    """Store connection, event and, for a browser's request, code; return where the browser goes."""
    connections.insert_connection(tx, connection)
    _note(tx, pending, connection, client, now, cause)
    if pending.device is not None:
        return device.APPROVED_PATH
    request = pending.request
    text = mint(SecretKind.AUTHORIZATION_CODE, entropy)
    code = AuthorizationCode(
        fingerprint=rules.fingerprinter.of(text),
        connection_id=connection.id,
        tenant_id=connection.tenant_id,
        client_id=connection.client_id,
        redirect_uri=request.redirect_uri,
        redirect_uri_sent=request.redirect_uri_sent,
        nonce=request.nonce,
        code_challenge=request.code_challenge,
        resource=connection.resource,
        created_at=now,
        expires_at=Instant(now + rules.code_ttl * SECOND),
    )
    issued.insert_code(tx, code)
    return success_location(request.redirect_uri, text, request.state, rules.issuer)


def _note(
    tx: Transaction, pending: Pending, connection: Connection, client: Client, now: Instant, cause: Cause | None
) -> None:
    target = pending.request.redirect_uri
    detail = {
        "client": client.name,
        "resource": connection.resource,
        "scopes": " ".join(sorted(connection.scopes)),
        "identity": " ".join(sorted(connection.identity)),
        "declined": " ".join(sorted(connection.declined)),
        "redirect": "a device" if pending.device is not None else redirect_uri.describe(target).host_display,
    }
    audit.record(
        tx, name="connection:approved", at=now, tenant_id=connection.tenant_id, actor_id=connection.user_id,
        subject=connection.id, detail=detail, cause=cause,
    )  # fmt: skip
