"""Linked accounts: what people gave us at authorization servers of others."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

upstream_grants = table(
    "upstream_grants",
    text("tenant_id", key=True),
    text("user_id", key=True),
    refers("server_id", "servers.id", key=True, cascade=True),
    text("id"),
    text("upstream"),
    text("issuer"),
    text("scopes"),
    text("sealed"),
    number("version"),
    number("linked_at"),
    number("refreshed_at"),
    number("rejected_at", null=True),
    # Who refreshes, and until when nobody else does.
    text("claim", null=True),
    number("claimed_until", null=True),
    # Who is taken out of a tenant takes along what was given for it.
    sa.ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["memberships.tenant_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    sa.Index(None, "user_id"),
    sa.Index(None, "server_id"),
)
"""Read at every call that uses one, and kept nowhere: so no revision is stamped, and a refresh disturbs nobody."""

upstream_requests = table(
    "upstream_requests",
    text("state", key=True),
    # No references: all of it is looked up again when the browser comes back.
    text("session_id"),
    text("user_id"),
    text("tenant_id"),
    text("server_id"),
    text("upstream"),
    text("sealed"),
    number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)

upstream_clients = table(
    "upstream_clients",
    refers("server_id", "servers.id", key=True, cascade=True),
    text("issuer", key=True),
    text("sealed"),
    number("registered_at"),
    number("expires_at", null=True),
    rowid=False,
)
"""As what we registered ourselves at authorization servers."""
