"""Calls that somebody has to approve before they are made."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from doorward.model.basics import ClientId, Instant, ServerId, TenantId, UserId
from doorward.model.credentials import CredentialKind
from doorward.model.servers import Approvers

ApprovalId = NewType("ApprovalId", str)


class ApprovalState(StrEnum):
    """How it stands with one."""

    WAITING = "waiting"
    APPROVED = "approved"
    """And the call was not made yet."""
    DENIED = "denied"
    USED = "used"
    EXPIRED = "expired"
    """Nobody decided in time, or the approved call was not made in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One call of one caller: this version of this tool with these arguments. Approved, it may be made once."""

    id: ApprovalId
    tenant_id: TenantId
    user_id: UserId
    credential: CredentialKind
    credential_id: str
    credential_name: str
    client_id: ClientId | None
    server_id: ServerId
    tool: str
    digest: str
    """Of all that the tool's author says of it."""
    description: str
    arguments_hash: str
    """SHA-256 (hex) of the arguments, written canonically."""
    arguments: str
    """Sealed by the vault, which binds them to ``id``."""
    approvers: Approvers
    created_at: Instant
    expires_at: Instant
    decided_at: Instant | None = None
    decided_by: UserId | None = None
    """None for the operator, at the command line."""
    decided_with: str = ""
    approved: bool = False
    used_at: Instant | None = None
    rounds: int = 0
    """How often the call went upstream: more than once where the server asked for something in between."""
