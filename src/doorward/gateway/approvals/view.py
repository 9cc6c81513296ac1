"""What is shown of a call that wants an approval: for the page, and as data for API and command (D8). Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from doorward.gateway.approvals.asking import plain
from doorward.model import SECOND, Approval, ApprovalState, CredentialKind, Instant, Server, Tenant, User

MAX_SHOWN: Final = 600
"""Characters of one argument that are shown at first; all of it can be opened."""
_CREDENTIALS: Final = {
    CredentialKind.ACCESS_TOKEN: "app",
    CredentialKind.API_KEY: "key",
    CredentialKind.EXTERNAL: "bearer of",
    CredentialKind.SESSION: "browser session",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument as it is shown first. ``more`` characters follow."""

    name: str
    value: str
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An approval with what a reader wants to know. ``whole``: all arguments as JSON; nothing in it is invisible."""

    approval: Approval
    state: ApprovalState
    tenant: Tenant
    asker: User
    server: Server
    decider: User | None
    mine: bool
    may_decide: bool
    arguments: Sequence[Argument] = ()
    whole: str = ""
    sent: Mapping[str, Any] | None = None
    """The arguments themselves, where they were looked at."""

    @property
    def credential(self) -> str:
        """What kind of credential made the call, in a word or two."""
        return _CREDENTIALS[self.approval.credential]


def with_arguments(seen: Seen, text: str) -> Seen:
    """Return ``seen`` with its arguments, of which ``text`` is the canonical form."""
    found: dict[str, Any] = json.loads(text)
    shown = [_argument(name, value) for name, value in found.items()]
    return replace(seen, arguments=shown, whole=_whole(found), sent=found)


def described(seen: Seen) -> dict[str, Any]:
    """Return it as data; times are seconds since the epoch."""
    approval = seen.approval
    told = {
        "id": approval.id,
        "state": seen.state.value,
        "tenant": seen.tenant.slug,
        "server": seen.server.slug,
        "tool": approval.tool,
        "arguments_sha256": approval.arguments_hash,
        "user": seen.asker.email,
        "credential": {
            "kind": approval.credential.value,
            "id": approval.credential_id,
            "name": approval.credential_name,
        },
        "approvers": {
            "permissions": sorted(approval.approvers.permissions),
            "by_another": approval.approvers.by_another,
        },
        "asked_at": approval.created_at // SECOND,
        "expires_at": approval.expires_at // SECOND,
        "decided_at": _seconds(approval.decided_at),
        "decided_by": None if seen.decider is None else seen.decider.email,
        "used_at": _seconds(approval.used_at),
        "may_decide": seen.may_decide,
    }
    return told if seen.sent is None else {**told, "description": approval.description, "arguments": seen.sent}


def _seconds(instant: Instant | None) -> int | None:
    return None if instant is None else instant // SECOND


def _argument(name: str, value: Any) -> Argument:
    whole = plain(value) if isinstance(value, str) else _whole(value)
    return Argument(plain(name), whole[:MAX_SHOWN], max(0, len(whole) - MAX_SHOWN))


def _whole(value: Any) -> str:
    return plain(json.dumps(value, indent=2, ensure_ascii=False))
