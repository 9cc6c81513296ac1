"""Calls that somebody has to approve, and approvals that wait for their call."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

approvals = table(
    "approvals",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    refers("user_id", "users.id"),
    text("credential"),
    # No reference: the id of a key or a connection, or who another system says it is.
    text("credential_id"),
    text("credential_name"),
    text("client_id", null=True),
    refers("server_id", "servers.id", cascade=True),
    text("tool"),
    text("digest"),
    text("description"),
    text("arguments_hash"),
    text("arguments"),
    text("approvers"),
    number("created_at"),
    number("expires_at"),
    number("decided_at", null=True),
    text("decided_by", null=True),
    text("decided_with"),
    number("approved"),
    number("used_at", null=True),
    number("rounds"),
    sa.Index(None, "tenant_id", "created_at"),
    sa.Index(None, "user_id", "arguments_hash"),
    sa.Index(None, "server_id"),
    sa.Index(None, "expires_at"),
)
"""See ``model.Approval``. Read at every call that needs one, so that no revision has to tell of a change."""
