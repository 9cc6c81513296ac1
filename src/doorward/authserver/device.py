"""Device authorization (RFC 8628): a device asks, a person types its code elsewhere and answers the ordinary question.

A typed code changes nothing: it becomes a request sealed for that browser, like one that came by ``/oauth/authorize``,
and ``consent.py`` decides it. What differs is where the answer goes: to the device's row and not by a redirect. So
nothing proves who asks, and no badge says so (security C31).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from typing_extensions import override

from doorward import audit
from doorward.authserver import authorize, clients
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.envelope import AskingDevice, Pending
from doorward.credentials.secret import Fingerprinter, SecretKind, base64url, mint
from doorward.model import (
    SECOND,
    Cause,
    Client,
    DeviceRequest,
    Entropy,
    Fingerprint,
    Instant,
    RequestId,
    Status,
)
from doorward.protocol import device, faults, resource
from doorward.protocol import token as messages
from doorward.protocol.authorization import AuthorizationRequest
from doorward.protocol.client_auth import PresentedClient
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import DEVICE_CODE, TokenForm
from doorward.storage import device_requests, servers
from doorward.storage.database import Reader, Transaction
from doorward.web.budgets import AddressBudget

DEVICE_PATH: Final = "/device"
APPROVED_PATH: Final = "/device/approved"
DENIED_PATH: Final = "/device/denied"
PER_MINUTE: Final = 20
PER_HOUR: Final = 200
"""New requests from one address."""
PER_HOUR_FROM_ALL: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A valid request of an authenticated client; nothing is stored yet."""

    client: Client
    resource: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer's members; the codes in it exist nowhere else."""

    answer: dict[str, Any]

    @override
    def __repr__(self) -> str:
        return "Begun()"


def asked(  # noqa: PLR0913
    reader: Reader, form: TokenForm, presented: PresentedClient, *, directory: ClientDirectory,
    fingerprinter: Fingerprinter, issuer: str, now: Instant,
) -> Asked:  # fmt: skip
    """Check what a device asks for.

    Raises ``OAuthError``: ``invalid_client``, ``unauthorized_client``, ``invalid_scope`` or ``invalid_target``.
    """
    client = clients.authenticated(reader, directory, presented, fingerprinter, now, asking=True)
    if DEVICE_CODE not in client.grant_types:
        reason = f"client {client.id} is not registered for the device grant"
        raise OAuthError(faults.GRANT_NOT_REGISTERED, "unauthorized_client", reason=reason)
    request = messages.read_device_authorization(form)
    endpoint = _endpoint(reader, request.resource, issuer)
    scopes = authorize.shown_scopes(reader, request.scope, client, endpoint.server, named=request.resource is not None)
    if not scopes:
        raise OAuthError(faults.SCOPE_INVALID, "invalid_scope", reason=f"nothing left for client {client.id}")
    return Asked(client=client, resource=endpoint.url, scopes=scopes)


def begin(  # noqa: PLR0913
    tx: Transaction, request: Asked, *, asked_from: str, issuer: str, fingerprinter: Fingerprinter, now: Instant,
    entropy: Entropy, cause: Cause | None,
) -> Begun:  # fmt: skip
    """Store the request under two new codes and return what the device is told (section 3.2)."""
    device_code = mint(SecretKind.DEVICE_CODE, entropy)
    record = DeviceRequest(
        id=RequestId("req_" + base64url(entropy(12))),
        device_code=fingerprinter.of(device_code),
        user_code=Fingerprint(""),
        client_id=request.client.id,
        resource=request.resource,
        scopes=request.scopes,
        asked_from=asked_from,
        created_at=now,
        expires_at=Instant(now + device.LIFETIME * SECOND),
    )
    user_code = _store(tx, record, fingerprinter, entropy)
    audit.record(
        tx, name="device:asked", at=now, subject=record.id,
        detail={"client": request.client.name, "resource": request.resource}, cause=cause,
    )  # fmt: skip
    shown, page = device.grouped(user_code), issuer + DEVICE_PATH
    return Begun({
        "device_code": device_code,
        "user_code": shown,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': shown})}",
        "expires_in": device.LIFETIME,
        "interval": device.INTERVAL,
    })  # fmt: skip


def typed_in(
    reader: Reader, text: str, *, directory: ClientDirectory, fingerprinter: Fingerprinter, now: Instant
) -> Pending | None:
    """Return the request whose code somebody typed, as a question for them.

    None for a wrong code, one that is expired or answered, and one whose client may not ask any more: never said which.
    """
    code = device.typed(text)
    if code is None:
        return None
    found = device_requests.device_request_by_user_code(reader, user_code_fingerprint(fingerprinter, code))
    if found is None or not _waits(found, now):
        return None
    client = directory.asking(reader, found.client_id)
    if client is None or client.status is not Status.ACTIVE or DEVICE_CODE not in client.grant_types:
        return None
    return _pending(found, client, code, now)


def still_waits(reader: Reader, pending: Pending, now: Instant) -> bool:
    """Say whether a device's question can still be answered."""
    found = device_requests.device_request_by_id(reader, pending.id)
    return found is not None and _waits(found, now)


def user_code_fingerprint(fingerprinter: Fingerprinter, code: str) -> Fingerprint:
    """Return what is stored of a user code. The label keeps it apart from every other kind of secret."""
    return fingerprinter.of(f"user code {code}")


def new_requests(now: Callable[[], Instant]) -> AddressBudget:
    """Return the budget for new requests."""
    return AddressBudget(per_minute=PER_MINUTE, per_hour=PER_HOUR, per_hour_from_all=PER_HOUR_FROM_ALL, now=now)


def require_budget(budget: AddressBudget, requester: str) -> None:
    """Take one from the budget. Raises ``OAuthError`` with status 429."""
    wait = budget.wait(requester)
    if wait:
        raise OAuthError(
            faults.DEVICE_THROTTLED, "temporarily_unavailable", reason=f"new device requests from {requester}, or all",
            status=429, retry_after=wait,
        )  # fmt: skip
    budget.spend(requester)


def _store(tx: Transaction, record: DeviceRequest, fingerprinter: Fingerprinter, entropy: Entropy) -> str:
    """Insert ``record`` under a user code that nobody has, and return that code."""
    while True:
        code = device.new_user_code(entropy)
        if device_requests.insert_device_request(
            tx, replace(record, user_code=user_code_fingerprint(fingerprinter, code))
        ):
            return code


def _endpoint(reader: Reader, wanted: str | None, issuer: str) -> Endpoint:
    """Return the server URL asked for, or the short URL's. Our bare origin names no server and says nothing."""
    known = Endpoints(public_url=issuer, servers=servers.servers(reader))
    if wanted is None or resource.canonical(wanted) == issuer:
        endpoint = known.short()
    else:
        url = resource.resolve(wanted, lambda form: known.by_url(form) is not None)
        endpoint = None if url is None else known.by_url(url)
    if endpoint is None:
        raise OAuthError(faults.RESOURCE_UNKNOWN, "invalid_target", reason=f"asked for {(wanted or '')[:200]!r}")
    return endpoint


def _waits(request: DeviceRequest, now: Instant) -> bool:
    return request.answered_at is None and now < request.expires_at


def _pending(found: DeviceRequest, client: Client, code: str, now: Instant) -> Pending:
    request = AuthorizationRequest(
        client_id=client.id, redirect_uri="", redirect_uri_sent=False, state=None, scopes=found.scopes,
        code_challenge="", resource=found.resource, prompt=frozenset(), login_hint=None, max_age=None,
    )  # fmt: skip
    return Pending(
        id=found.id,
        request=request,
        client_name=client.name,
        resource=found.resource,
        tenant_slug=None,
        scopes=found.scopes,
        issued_at=now,
        device=AskingDevice(user_code=code, asked_from=found.asked_from, asked_at=found.created_at),
    )
