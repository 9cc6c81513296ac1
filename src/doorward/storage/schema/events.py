"""What happened."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, serial, table, text

audit_events = table(
    "audit_events",
    serial("id"),
    number("at"),
    text("tenant_id", null=True),
    text("actor_id", null=True),
    text("name"),
    text("subject"),
    text("detail"),
    text("request_id", null=True),
    text("address", null=True),
    sa.Index(None, "request_id"),
    sa.Index(None, "tenant_id", "id"),
)

call_events = table(
    "call_events",
    serial("id"),
    number("at"),
    text("tenant_id"),
    text("user_id"),
    text("credential"),
    text("credential_id"),
    text("client_id", null=True),
    text("server_id"),
    text("method"),
    text("name", null=True),
    text("decision"),
    text("reason"),
    number("status"),
    number("duration_us"),
    text("request_id"),
    text("address", null=True),
    sa.Index(None, "tenant_id", "id"),
)

attempt_steps = table(
    "attempt_steps",
    serial("id"),
    number("at"),
    text("step"),
    text("code", null=True),
    text("request_id"),
    text("address"),
    text("agent"),
    text("flow", null=True),
    text("connection_id", null=True),
    text("tenant_id", null=True),
    text("user_id", null=True),
    text("client_id", null=True),
    text("client_name", null=True),
    text("redirect_uri", null=True),
    text("path", null=True),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "user_id", "id"),
    sa.Index(None, "connection_id", "step"),
)
"""Where clients got to on their way in, in no more words than are known; kept for a while, and so many only."""
