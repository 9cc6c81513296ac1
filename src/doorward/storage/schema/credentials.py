"""API keys, sessions, and our own keys."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, serial, table, text

api_keys = table(
    "api_keys",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    refers("user_id", "users.id"),
    refers("created_by", "users.id"),
    text("name"),
    text("prefix"),
    text("last_four"),
    text("fingerprint"),
    text("scopes"),
    text("resources", null=True),
    text("servers", null=True),
    text("networks"),
    number("created_at"),
    number("expires_at", null=True),
    number("rotated_at", null=True),
    # No references: whoever it was may be gone.
    text("rotated_by", null=True),
    number("disabled_at", null=True),
    text("disabled_by", null=True),
    number("revoked_at", null=True),
    # Until which moment before its end people have been told of it.
    number("told_until", null=True),
    number("last_used_at", null=True),
    text("last_used_ip", null=True),
    text("last_used_client", null=True),
    sa.UniqueConstraint("fingerprint"),
    sa.Index(None, "user_id", "created_at", "id"),
    sa.Index(None, "tenant_id", "created_at", "id"),
    sa.Index(None, "expires_at"),
)

old_key_secrets = table(
    "old_key_secrets",
    text("fingerprint", key=True),
    refers("key_id", "api_keys.id", cascade=True),
    text("tenant_id"),
    text("last_four"),
    number("replaced_at"),
    number("ends_at"),
    sa.Index(None, "key_id"),
    sa.Index(None, "ends_at"),
    rowid=False,
)
"""Secrets that keys had before, good for a while beside the one they have."""

credential_days = table(
    "credential_days",
    # No reference: counted in batches, beside everything else.
    text("credential_id", key=True),
    number("day", key=True),
    number("calls"),
    number("last_at"),
    sa.Index(None, "day"),
    rowid=False,
)
"""How many messages came with an API key or a connection on a day (days since the epoch, UTC), and when the last one."""

sessions = table(
    "sessions",
    text("id", key=True),
    text("fingerprint"),
    refers("user_id", "users.id"),
    number("created_at"),
    number("expires_at"),
    number("authenticated_at"),
    text("means"),
    text("agent"),
    text("address"),
    number("last_used_at"),
    number("idle_until"),
    number("ended_at", null=True),
    sa.UniqueConstraint("fingerprint"),
    sa.Index(None, "user_id"),
)

sign_in_failures = table(
    "sign_in_failures",
    serial("id"),
    text("email"),
    number("at"),
    sa.Index(None, "email", "at"),
    sa.Index(None, "at"),
)

signing_keys = table(
    "signing_keys",
    text("kid", key=True),
    text("algorithm"),
    text("public_jwk"),
    sa.Column("sealed_private", sa.LargeBinary, nullable=False),
    number("created_at"),
    number("signs_from"),
    number("verifies_until", null=True),
    number("revoked_at", null=True),
)
