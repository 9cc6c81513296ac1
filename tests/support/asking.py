"""Calls that want an approval, asked for as the gateway does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from doorward.credentials.principals import principal_of_person
from doorward.gateway.approvals.asking import Terms, Waits, claim, wanted
from doorward.gateway.approvals.state import Passed
from doorward.gateway.offer import Tool
from doorward.model import Approvers, Cause, CredentialKind, Instant, Server, Tenant, User
from doorward.protocol.mcp import CallTool, Era
from doorward.storage.database import Transaction

TOOL = Tool({}, digest="d1", description="Deletes a document for ever.")


def asked(
    tx: Transaction, user: User, tenant: Tenant, server: Server, *, terms: Terms, now: Instant,
    arguments: Mapping[str, Any], approvers: Approvers | None = None, key: str = "k-1",
) -> str:  # fmt: skip
    """Ask for ``delete_document`` with a key; return the approval's id, or '' where it was approved and is spent now."""
    person = principal_of_person(tx, user.id, tenant.id)
    principal = replace(person, credential=CredentialKind.API_KEY, credential_id=key, credential_name="ci <b>")
    ask = CallTool(Era.MODERN, "2026-07-28", 1, "delete_document", arguments)
    call = wanted(principal, server, ask, TOOL, approvers or Approvers())
    outcome = claim(tx, call, None, terms, now=now, cause=Cause("req_test", "192.0.2.1"))
    assert isinstance(outcome, Waits | Passed), outcome
    return outcome.approval.id if isinstance(outcome, Waits) else ""
