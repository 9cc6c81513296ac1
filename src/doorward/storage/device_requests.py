"""Devices that wait for a person (RFC 8628). Each is answered once and redeemed once: the row count is the truth."""

from typing import Final

import sqlalchemy as sa

from doorward.model import ClientId, ConnectionId, DeviceRequest, Fingerprint, Instant, RequestId
from doorward.storage import records
from doorward.storage.database import Reader, Transaction
from doorward.storage.schema import device_requests as requests
from doorward.storage.statements import Row, insert_if_absent, select, update

_INSERT: Final = insert_if_absent(requests)
_BY_ID: Final = select(requests, requests.c.id)
_BY_DEVICE_CODE: Final = select(requests, requests.c.device_code)
_BY_USER_CODE: Final = select(requests, requests.c.user_code)
_ANSWER: Final = update(
    requests,
    [requests.c.answered_at, requests.c.connection_id],
    requests.c.id,
    requests.c.answered_at.is_(None),
    requests.c.expires_at > sa.bindparam("now", required=True),
)
_USE: Final = update(requests, [requests.c.used_at], requests.c.id, requests.c.used_at.is_(None))


def insert_device_request(tx: Transaction, request: DeviceRequest) -> bool:
    """Add a request. False, and nothing changed, where one of its codes is taken."""
    return tx.run(_INSERT, {**records.columns(request), "scopes": records.listed(request.scopes)}) == 1


def device_request_by_id(reader: Reader, request_id: RequestId) -> DeviceRequest | None:
    """Return the request in whatever state."""
    return _request(reader.first(_BY_ID, {"id": request_id}))


def device_request_by_device_code(reader: Reader, fingerprint: Fingerprint) -> DeviceRequest | None:
    """Return the request that the device itself asks about, in whatever state."""
    return _request(reader.first(_BY_DEVICE_CODE, {"device_code": fingerprint}))


def device_request_by_user_code(reader: Reader, fingerprint: Fingerprint) -> DeviceRequest | None:
    """Return the request that a person typed the code of, in whatever state."""
    return _request(reader.first(_BY_USER_CODE, {"user_code": fingerprint}))


def answer_device_request(
    tx: Transaction, request_id: RequestId, connection_id: ConnectionId | None, now: Instant
) -> bool:
    """Approve with a connection, or deny without. True for exactly one caller ever, and only in time."""
    bound = {"id": request_id, "answered_at": now, "connection_id": connection_id, "now": now}
    return tx.run(_ANSWER, bound) == 1


def use_device_request(tx: Transaction, request_id: RequestId, now: Instant) -> bool:
    """Mark the device code redeemed. True for exactly one caller ever."""
    return tx.run(_USE, {"id": request_id, "used_at": now}) == 1


def _request(row: Row | None) -> DeviceRequest | None:
    if row is None:
        return None
    return DeviceRequest(
        id=RequestId(row.id),
        device_code=Fingerprint(row.device_code),
        user_code=Fingerprint(row.user_code),
        client_id=ClientId(row.client_id),
        resource=row.resource,
        scopes=records.texts(row.scopes),
        asked_from=row.asked_from,
        created_at=Instant(row.created_at),
        expires_at=Instant(row.expires_at),
        answered_at=row.answered_at,
        connection_id=row.connection_id,
        used_at=row.used_at,
    )
