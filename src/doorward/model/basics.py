"""What every record is made of: moments, ids, fingerprints."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

Fingerprint = NewType("Fingerprint", str)
"""Keyed hash (HMAC-SHA-256, hex) of a secret we handed out; the only form of it that is stored."""

Permission = NewType("Permission", str)
"""``resource:action``; the same vocabulary for roles, OAuth scopes, API keys and tool rules."""

UserId = NewType("UserId", str)
TenantId = NewType("TenantId", str)
RoleId = NewType("RoleId", str)
ResourceId = NewType("ResourceId", str)
ServerId = NewType("ServerId", str)
ClientId = NewType("ClientId", str)
ConnectionId = NewType("ConnectionId", str)
ApiKeyId = NewType("ApiKeyId", str)
SessionId = NewType("SessionId", str)
RequestId = NewType("RequestId", str)

Entropy = Callable[[int], bytes]
"""``entropy(n)`` returns n unpredictable bytes. An argument everywhere, so that tests and re-runs can repeat it."""

SECOND = 1_000_000
"""One second, in the unit of ``Instant``."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that something was done for. A chore has none, nor has a command at the machine."""

    request_id: str
    address: str | None
    """Where it came from, as people write it; None where nothing tells (a socket file)."""


class Status(StrEnum):
    """Whether a user, tenant, client or server may be used at all."""

    ACTIVE = "active"
    DISABLED = "disabled"
