"""The device code grant (RFC 8628 sections 3.4 and 3.5; security C31, H5).

While nobody has answered, a device asks every few seconds: that is a read. Only the question that finds an approval
writes, once. A used code that comes again ends what it gave, as with authorization codes.
"""

from dataclasses import dataclass
from typing import Final

from doorward.authserver.grants import authorization_code
from doorward.authserver.grants.outcome import Granted, Refused, TokenRules
from doorward.credentials.secret import SecretKind, well_formed
from doorward.model import SECOND, Client, Connection, DeviceRequest, Entropy, Fingerprint, Instant
from doorward.protocol import device, faults, resource
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import Fault
from doorward.protocol.token import DeviceCodeRequest
from doorward.storage import connections, device_requests
from doorward.storage.database import Reader, Transaction

TOLERANCE: Final = 1
"""Seconds by which a question may come early: networks and timers are not exact."""
MAX_INTERVAL: Final = 60
MAX_DEVICES: Final = 20_000


def look(
    reader: Reader, request: DeviceCodeRequest, client: Client, *, rules: TokenRules, now: Instant
) -> tuple[DeviceRequest, Connection]:
    """Return the request of an authenticated client's device code, and what was approved.

    Raises ``OAuthError``: ``authorization_pending``, ``access_denied``, ``expired_token``, ``invalid_grant``.
    """
    found = _find(reader, request.device_code, client, rules)
    if request.resource is not None and resource.match(request.resource, [found.resource, rules.issuer.issuer]) is None:
        raise OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=f"asked for {request.resource[:200]!r}")
    if found.answered_at is not None and found.connection_id is None:
        raise OAuthError(faults.DEVICE_DENIED, "access_denied", reason=f"request {found.id} was denied")
    if found.used_at is None and found.expires_at <= now:
        raise OAuthError(faults.DEVICE_EXPIRED, "expired_token", reason=f"request {found.id} has expired")
    if found.connection_id is None:
        raise OAuthError(faults.DEVICE_PENDING, "authorization_pending", reason=f"request {found.id} waits")
    connection = connections.connection_by_id(reader, found.connection_id)
    if connection is None:
        raise _invalid("no connection", faults.CONNECTION_ENDED)
    return found, connection


def redeem(
    tx: Transaction, request: DeviceCodeRequest, client: Client, *, rules: TokenRules, now: Instant, entropy: Entropy
) -> Granted | Refused:
    """Exchange the device code of an authenticated client, once. Raises ``OAuthError`` like ``look``."""
    found, connection = look(tx, request, client, rules=rules, now=now)
    tx.lock_tenant(connection.tenant_id, for_rights=found.used_at is not None)
    if found.used_at is not None:
        return authorization_code.replayed(tx, connection.id, found.used_at, client, rules=rules, now=now)
    connection, scopes = authorization_code.live(tx, connection.id, client, now)
    if not device_requests.use_device_request(tx, found.id, now):
        raise _invalid("lost the race for this device code")
    return authorization_code.activate(tx, connection, scopes, client, rules=rules, now=now, entropy=entropy)


@dataclass(slots=True)
class _Asking:
    at: Instant
    interval: int = device.INTERVAL


class Pace:
    """How often waiting devices ask, in this process: nothing is written for a question that changes nothing.

    Each node counts for itself, so a device whose questions reach several nodes is held to less: what is protected is
    this process.
    """

    def __init__(self) -> None:
        self._asking: dict[Fingerprint, _Asking] = {}

    def keep(self, code: Fingerprint, now: Instant) -> None:
        """Count a question that was too early to be answered. Raises ``OAuthError`` ``slow_down``."""
        asking = self._asking.pop(code, None)
        if asking is None:
            if len(self._asking) >= MAX_DEVICES:
                del self._asking[next(iter(self._asking))]
            self._asking[code] = _Asking(now)
            return
        self._asking[code] = asking
        early = now < asking.at + (asking.interval - TOLERANCE) * SECOND
        asking.at = now
        if early:
            # Section 3.5: for this and all later requests.
            asking.interval = min(asking.interval + device.INTERVAL, MAX_INTERVAL)
            raise OAuthError(faults.DEVICE_SLOW_DOWN, "slow_down", reason=f"interval is {asking.interval} s now")


def _find(reader: Reader, text: str, client: Client, rules: TokenRules) -> DeviceRequest:
    if not well_formed(text, SecretKind.DEVICE_CODE):
        raise _invalid("not a device code of ours, or damaged")
    found = device_requests.device_request_by_device_code(reader, rules.fingerprinter.of(text))
    if found is None:
        raise _invalid("unknown device code")
    if found.client_id != client.id:
        raise _invalid(f"device code of another client than {client.id}")
    return found


def _invalid(reason: str, fault: Fault = faults.DEVICE_CODE_INVALID) -> OAuthError:
    return OAuthError(fault, "invalid_grant", reason=reason)
