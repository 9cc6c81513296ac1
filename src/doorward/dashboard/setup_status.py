"""How a person's own clients stand in one tenant: connected, on the way, or stopped (A5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward.authserver import attempts
from doorward.authserver.attempts import Attempt, State
from doorward.clients import guides, profiles
from doorward.model import ApiKey, Connection, ConnectionId, Instant, Tenant, User
from doorward.storage import api_keys, clients, connections
from doorward.storage.attempts import Step
from doorward.storage.database import Reader


class Standing(StrEnum):
    """What is known of a client."""

    CALLED = "called"
    """It is connected and has made its first request."""
    CONNECTED = "connected"
    """It has its token; no first request is known."""
    WAITING = "waiting"
    STOPPED = "stopped"


_OF_STATE: Final = {State.WAITING: Standing.WAITING, State.STOPPED: Standing.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatus:
    """The newest that is known of one client. ``attempt``: the id of the attempt that tells more."""

    name: str
    standing: Standing
    at: Instant
    attempt: int | None = None


def of_clients(reader: Reader, user: User, tenant: Tenant, now: Instant) -> dict[str, ClientStatus]:
    """Return the newest of each client that has a guide, by the guide's id; what was ended is not there."""
    found: dict[str, ClientStatus] = {}
    for guide_id, status in (*_attempts(reader, user, tenant, now), *_connections(reader, user, tenant, now)):
        if guide_id not in found or status.at > found[guide_id].at:
            found[guide_id] = status
    return found


def newest_key(reader: Reader, user: User, tenant: Tenant) -> ApiKey | None:
    """Return the own key that was used last, None where none was."""
    mine = [
        key
        for key in api_keys.api_keys_of_user(reader, user.id)
        if key.tenant_id == tenant.id and key.revoked_at is None and key.last_used_at is not None
    ]
    return max(mine, key=lambda key: key.last_used_at or 0, default=None)


def _attempts(reader: Reader, user: User, tenant: Tenant, now: Instant) -> Iterator[tuple[str, ClientStatus]]:
    for attempt in attempts.of_user(reader, user.id, now):
        if attempt.last("tenant_id") not in {tenant.id, None}:
            continue
        name, client_id = attempt.last("client_name") or "", attempt.last("client_id") or ""
        guide = _guide(name, attempt.last("redirect_uri") or "", client_id)
        status = None if guide is None else _status(reader, attempt, guide.name, now)
        if guide is not None and status is not None:
            yield guide.id, status


def _status(reader: Reader, attempt: Attempt, name: str, now: Instant) -> ClientStatus | None:
    if attempt.state is not State.CONNECTED:
        newest = attempt.seen[-1].step.at
        return ClientStatus(name=name, standing=_OF_STATE[attempt.state], at=newest, attempt=attempt.id)
    connection_id = attempt.last("connection_id")
    connection = None if connection_id is None else connections.connection_by_id(reader, ConnectionId(connection_id))
    if connection is None or not _lives(connection, now):
        return None
    step = attempt.took(Step.CALLED)
    at = attempt.seen[-1].step.at if step is None else step.at
    return ClientStatus(name=name, standing=Standing.CALLED, at=at, attempt=attempt.id)


def _connections(reader: Reader, user: User, tenant: Tenant, now: Instant) -> Iterator[tuple[str, ClientStatus]]:
    for connection in connections.connections_of_user(reader, user.id):
        if connection.tenant_id != tenant.id or connection.activated_at is None or not _lives(connection, now):
            continue
        client = clients.client_by_id(reader, connection.client_id)
        guide = _guide("" if client is None else client.name, connection.redirect_uri or "", connection.client_id)
        if guide is not None:
            at = Instant(connection.activated_at)
            yield guide.id, ClientStatus(name=guide.name, standing=Standing.CONNECTED, at=at)


def _lives(connection: Connection, now: Instant) -> bool:
    return connection.revoked_at is None and connection.expires_at > now


def _guide(name: str, redirect_uri: str, client_id: str) -> guides.Guide | None:
    verified = profiles.verified(redirect_uri, client_id)
    return guides.known_as(name, None if verified is None else verified.vendor)
