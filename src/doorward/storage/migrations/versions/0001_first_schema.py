"""The first schema: all tables, and the triggers that stamp revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything."""
    _tables()
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(sa.text(statement.replace(":", "\\:")))


def _tables() -> None:
    op.create_table(
        "api_answers",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("caller", "route", "name", name=op.f("pk_api_answers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_api_answers_expires_at"), "api_answers", ["expires_at"], unique=False)
    op.create_table(
        "attempt_steps",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("connection_id", sa.Text(), nullable=True),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("client_name", sa.Text(), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt_steps")),
        sqlite_with_rowid=True,
    )
    op.create_index(
        op.f("ix_attempt_steps_connection_id_step"), "attempt_steps", ["connection_id", "step"], unique=False
    )
    op.create_index(op.f("ix_attempt_steps_tenant_id_id"), "attempt_steps", ["tenant_id", "id"], unique=False)
    op.create_index(op.f("ix_attempt_steps_user_id_id"), "attempt_steps", ["user_id", "id"], unique=False)
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_audit_events_request_id"), "audit_events", ["request_id"], unique=False)
    op.create_index(op.f("ix_audit_events_tenant_id_id"), "audit_events", ["tenant_id", "id"], unique=False)
    op.create_table(
        "call_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("duration_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_events")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_call_events_tenant_id_id"), "call_events", ["tenant_id", "id"], unique=False)
    op.create_table(
        "claimed_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claimed_requests")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_claimed_requests_expires_at"), "claimed_requests", ["expires_at"], unique=False)
    op.create_table(
        "client_documents",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fresh_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_client_documents")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_client_documents_fetched_at"), "client_documents", ["fetched_at"], unique=False)
    op.create_table(
        "client_verdicts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "client_id", "value", name=op.f("pk_client_verdicts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_client_verdicts_client_id"), "client_verdicts", ["client_id"], unique=False)
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("redirect_uris", sa.Text(), nullable=False),
        sa.Column("grant_types", sa.Text(), nullable=False),
        sa.Column("auth_method", sa.Text(), nullable=False),
        sa.Column("scope_limit", sa.Text(), nullable=True),
        sa.Column("client_uri", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=False),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("service_account", sa.Text(), nullable=True),
        sa.Column("service_tenant", sa.Text(), nullable=True),
        sa.Column("id_token_signed_response_alg", sa.Text(), nullable=False),
        sa.Column("post_logout_redirect_uris", sa.Text(), nullable=False),
        sa.Column("introspects", sa.Text(), nullable=False),
        sa.Column("access_ttl", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Text(), nullable=True),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("registered_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("canonical_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("canonical_key", name=op.f("uq_clients_canonical_key")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_clients_owner_id"), "clients", ["owner_id"], unique=False)
    op.create_index(
        op.f("ix_clients_tenant_id_created_at_id"), "clients", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "credential_days",
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("credential_id", "day", name=op.f("pk_credential_days")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_credential_days_day"), "credential_days", ["day"], unique=False)
    op.create_table(
        "device_requests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("device_code", sa.Text(), nullable=False),
        sa.Column("user_code", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("asked_from", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("answered_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("connection_id", sa.Text(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_requests")),
        sa.UniqueConstraint("device_code", name=op.f("uq_device_requests_device_code")),
        sa.UniqueConstraint("user_code", name=op.f("uq_device_requests_user_code")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_device_requests_expires_at"), "device_requests", ["expires_at"], unique=False)
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("domains", sa.Text(), nullable=False),
        sa.Column("trust_email", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_providers")),
        sa.UniqueConstraint("slug", name=op.f("uq_identity_providers_slug")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "key_sets",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("jwks", sa.Text(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fresh_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_key_sets")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_key_sets_fetched_at"), "key_sets", ["fetched_at"], unique=False)
    op.create_table(
        "mail_budgets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("spent", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", "until", name=op.f("pk_mail_budgets")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_mail_budgets_until"), "mail_budgets", ["until"], unique=False)
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("useless_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_mail")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_outgoing_mail_next_try_at"), "outgoing_mail", ["next_try_at"], unique=False)
    op.create_table(
        "permission_catalogue",
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("is_default", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("destructive", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("permission", name=op.f("pk_permission_catalogue")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "revisions",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_revisions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "revoked_access_tokens",
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_revoked_access_tokens")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_revoked_access_tokens_expires_at"), "revoked_access_tokens", ["expires_at"], unique=False)
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_sign_in_failures_at"), "sign_in_failures", ["at"], unique=False)
    op.create_index(op.f("ix_sign_in_failures_email_at"), "sign_in_failures", ["email", "at"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("public_jwk", sa.Text(), nullable=False),
        sa.Column("sealed_private", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("signs_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("verifies_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("access_ttl", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rates", sa.Text(), nullable=False),
        sa.Column("sign_in_methods", sa.Text(), nullable=True),
        sa.Column("key_policy", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "upstream_requests",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_upstream_requests")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_upstream_requests_expires_at"), "upstream_requests", ["expires_at"], unique=False)
    op.create_table(
        "upstream_secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_upstream_secrets")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "usage_hours",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("folded", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("denied", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_0", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_1", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_2", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_3", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_4", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_5", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_6", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_7", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_8", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_9", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_10", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_11", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "hour",
            "server_id",
            "tool",
            "client_id",
            "user_id",
            "credential_id",
            name=op.f("pk_usage_hours"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_usage_hours_credential_id_hour"), "usage_hours", ["credential_id", "hour"], unique=False)
    op.create_index(
        op.f("ix_usage_hours_hour"),
        "usage_hours",
        ["hour"],
        unique=False,
        sqlite_where=sa.text("folded = 0"),
        postgresql_where=sa.text("folded = 0"),
    )
    op.create_index(op.f("ix_usage_hours_user_id_hour"), "usage_hours", ["user_id", "hour"], unique=False)
    op.create_table(
        "usage_mark",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("closed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("folded", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_mark")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "usage_sums",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("denied", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failed", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_0", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_1", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_2", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_3", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_4", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_5", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_6", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_7", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_8", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_9", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_10", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("took_11", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "side", "of", "kind", "value", "start", name=op.f("pk_usage_sums")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "used_assertions",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti", name=op.f("pk_used_assertions")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_used_assertions_expires_at"), "used_assertions", ["expires_at"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("servers", sa.Text(), nullable=True),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rotated_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rotated_by", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("disabled_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("told_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("last_used_ip", sa.Text(), nullable=True),
        sa.Column("last_used_client", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("fk_api_keys_created_by")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_api_keys_fingerprint")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_api_keys_expires_at"), "api_keys", ["expires_at"], unique=False)
    op.create_index(
        op.f("ix_api_keys_tenant_id_created_at_id"), "api_keys", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_api_keys_user_id_created_at_id"), "api_keys", ["user_id", "created_at", "id"], unique=False
    )
    op.create_table(
        "client_secrets",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_client_secrets_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_client_secrets")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_client_secrets_client_id"), "client_secrets", ["client_id"], unique=False)
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["identity_providers.id"], name=op.f("fk_identities_provider_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identities")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_identities_user_id"), "identities", ["user_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("places", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sent_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_invitations_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_invitations_expires_at"), "invitations", ["expires_at"], unique=False)
    op.create_index(op.f("ix_invitations_invited_by"), "invitations", ["invited_by"], unique=False)
    op.create_index(op.f("ix_invitations_tenant_id_email"), "invitations", ["tenant_id", "email"], unique=False)
    op.create_table(
        "links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("asked_from", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_links_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_links_fingerprint")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_links_expires_at"), "links", ["expires_at"], unique=False)
    op.create_index(op.f("ix_links_subject"), "links", ["subject"], unique=False)
    op.create_index(op.f("ix_links_user_id"), "links", ["user_id"], unique=False)
    op.create_table(
        "mail_domains",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("join_role", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("proven_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("proven_by", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("missing_since", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["provider_id"], ["identity_providers.id"], name=op.f("fk_mail_domains_provider_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_mail_domains_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "domain", name=op.f("pk_mail_domains")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_mail_domains_proven",
        "mail_domains",
        ["domain"],
        unique=True,
        sqlite_where=sa.text("proven_at IS NOT NULL"),
        postgresql_where=sa.text("proven_at IS NOT NULL"),
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_memberships_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id")),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_memberships")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dismissed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_notices_user_id"), "notices", ["user_id"], unique=False)
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_passkeys_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_passkeys_user_id"), "passkeys", ["user_id"], unique=False)
    op.create_table(
        "provider_sign_ins",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["identity_providers.id"], name=op.f("fk_provider_sign_ins_provider_id")
        ),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_provider_sign_ins")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_provider_sign_ins_expires_at"), "provider_sign_ins", ["expires_at"], unique=False)
    op.create_table(
        "pushed_trees",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_pushed_trees_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_pushed_trees")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_recovery_codes")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_recovery_codes_user_id"), "recovery_codes", ["user_id"], unique=False)
    op.create_table(
        "registration_tokens",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_registration_tokens_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_registration_tokens")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "remembered_consents",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("answered", sa.Text(), nullable=False),
        sa.Column("granted", sa.Text(), nullable=False),
        sa.Column("client_digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_remembered_consents_client_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_remembered_consents_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_remembered_consents_user_id")),
        sa.PrimaryKeyConstraint(
            "user_id", "tenant_id", "client_id", "redirect_uri", "resource", name=op.f("pk_remembered_consents")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_remembered_consents_client_id"), "remembered_consents", ["client_id"], unique=False)
    op.create_index(op.f("ix_remembered_consents_expires_at"), "remembered_consents", ["expires_at"], unique=False)
    op.create_index(op.f("ix_remembered_consents_tenant_id"), "remembered_consents", ["tenant_id"], unique=False)
    op.create_table(
        "resources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["resources.id"], name=op.f("fk_resources_parent_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_resources_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
        sa.UniqueConstraint("tenant_id", "type", "key", name=op.f("uq_resources_tenant_id_type_key")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_resources_parent_id"), "resources", ["parent_id"], unique=False)
    op.create_table(
        "roles",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("built_in", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_roles_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_roles_tenant_id_name")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "servers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("stdio", sa.Text(), nullable=True),
        sa.Column("direct", sa.Text(), nullable=True),
        sa.Column("auth", sa.Text(), nullable=True),
        sa.Column("builtin_tools", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("new_tools", sa.Text(), nullable=False),
        sa.Column("changed_tools", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_servers_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
        sa.UniqueConstraint("slug", name=op.f("uq_servers_slug")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_servers_tenant_id"), "servers", ["tenant_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("authenticated_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("means", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("idle_until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ended_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_sessions_fingerprint")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "trust_rules",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=True),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("pins", sa.Text(), nullable=False),
        sa.Column("pinned", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=True),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("servers", sa.Text(), nullable=True),
        sa.Column("lifetime", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("single_use", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("jwks_uri", sa.Text(), nullable=True),
        sa.Column("jwks", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pinned_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["clients.id"], name=op.f("fk_trust_rules_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_trust_rules_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_trust_rules_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_rules")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_trust_rules_tenant_id_name")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_trust_rules_issuer"), "trust_rules", ["issuer"], unique=False)
    op.create_index(op.f("ix_trust_rules_user_id"), "trust_rules", ["user_id"], unique=False)
    op.create_table(
        "approvals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("credential_name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=True),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("arguments_hash", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decided_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_with", sa.Text(), nullable=False),
        sa.Column("approved", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("rounds", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_approvals_server_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_approvals_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_approvals_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_approvals_expires_at"), "approvals", ["expires_at"], unique=False)
    op.create_index(op.f("ix_approvals_server_id"), "approvals", ["server_id"], unique=False)
    op.create_index(op.f("ix_approvals_tenant_id_created_at"), "approvals", ["tenant_id", "created_at"], unique=False)
    op.create_index(
        op.f("ix_approvals_user_id_arguments_hash"), "approvals", ["user_id", "arguments_hash"], unique=False
    )
    op.create_table(
        "connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("declined", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("authenticated_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("resources", sa.Text(), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("activated_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_connections_client_id")),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_connections_server_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_connections_tenant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_connections_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_connections_client_id"), "connections", ["client_id"], unique=False)
    op.create_index(
        op.f("ix_connections_tenant_id_created_at_id"), "connections", ["tenant_id", "created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_connections_user_id_client_id_browser"),
        "connections",
        ["user_id", "client_id", "browser"],
        unique=False,
    )
    op.create_table(
        "known_tools",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reviewed_by", sa.Text(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_known_tools_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "name", "digest", name=op.f("pk_known_tools")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "old_key_secrets",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("last_four", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ends_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_old_key_secrets_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_old_key_secrets")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_old_key_secrets_ends_at"), "old_key_secrets", ["ends_at"], unique=False)
    op.create_index(op.f("ix_old_key_secrets_key_id"), "old_key_secrets", ["key_id"], unique=False)
    op.create_table(
        "role_bindings",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("role_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_bindings_role_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["memberships.tenant_id", "memberships.user_id"],
            name=op.f("fk_role_bindings_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "role_id", name=op.f("pk_role_bindings")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_role_bindings_role_id"), "role_bindings", ["role_id"], unique=False)
    op.create_table(
        "role_permissions",
        sa.Column("role_id", sa.Text(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["role_id"], ["roles.id"], name=op.f("fk_role_permissions_role_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_role_permissions_tenant_id")),
        sa.PrimaryKeyConstraint("role_id", "permission", name=op.f("pk_role_permissions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "role_placements",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("role_id", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resources.id"], name=op.f("fk_role_placements_resource_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_placements_role_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["memberships.tenant_id", "memberships.user_id"],
            name=op.f("fk_role_placements_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "role_id", "resource_id", name=op.f("pk_role_placements")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_role_placements_resource_id"), "role_placements", ["resource_id"], unique=False)
    op.create_index(op.f("ix_role_placements_role_id"), "role_placements", ["role_id"], unique=False)
    op.create_table(
        "server_paths",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_paths_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_server_paths")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_server_paths_server_id"), "server_paths", ["server_id"], unique=False)
    op.create_table(
        "server_sightings",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_server_sightings_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", name=op.f("pk_server_sightings")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tenant_servers",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["server_id"], ["servers.id"], name=op.f("fk_tenant_servers_server_id")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_servers_tenant_id")),
        sa.PrimaryKeyConstraint("tenant_id", "server_id", name=op.f("pk_tenant_servers")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tenant_servers_server_id"), "tenant_servers", ["server_id"], unique=False)
    op.create_table(
        "tool_overrides",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("requires", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_tool_overrides_server_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_tool_overrides_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tool_overrides")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_tool_overrides_server_id"), "tool_overrides", ["server_id"], unique=False)
    op.create_index(
        op.f("ix_tool_overrides_tenant_id_position"), "tool_overrides", ["tenant_id", "position"], unique=False
    )
    op.create_table(
        "tool_rules",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("requires", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("approval", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_tool_rules_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "position", name=op.f("pk_tool_rules")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "upstream_clients",
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_upstream_clients_server_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "issuer", name=op.f("pk_upstream_clients")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "upstream_grants",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("server_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("linked_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("refreshed_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rejected_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name=op.f("fk_upstream_grants_server_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["memberships.tenant_id", "memberships.user_id"],
            name=op.f("fk_upstream_grants_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "server_id", name=op.f("pk_upstream_grants")),
        sqlite_with_rowid=True,
    )
    op.create_index(op.f("ix_upstream_grants_server_id"), "upstream_grants", ["server_id"], unique=False)
    op.create_index(op.f("ix_upstream_grants_user_id"), "upstream_grants", ["user_id"], unique=False)
    op.create_table(
        "authorization_codes",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("redirect_uri_sent", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column("failed_attempts", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_authorization_codes_connection_id")
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_authorization_codes")),
        sqlite_with_rowid=True,
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.ForeignKeyConstraint(["connection_id"], ["connections.id"], name=op.f("fk_refresh_tokens_connection_id")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_refresh_tokens")),
        sqlite_with_rowid=True,
    )


_SQLITE = (
    """INSERT INTO revisions (scope, value) VALUES ('', 0)""",
    """CREATE TRIGGER stamp_users_insert AFTER INSERT ON users BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_users_update AFTER UPDATE OF id, email, name, kind, status, created_at, deleted_at ON users BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_users_delete AFTER DELETE ON users BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_servers_insert AFTER INSERT ON servers BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_servers_update AFTER UPDATE ON servers BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_servers_delete AFTER DELETE ON servers BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_upstream_secrets_insert AFTER INSERT ON upstream_secrets BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_upstream_secrets_update AFTER UPDATE ON upstream_secrets BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_upstream_secrets_delete AFTER DELETE ON upstream_secrets BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_server_paths_insert AFTER INSERT ON server_paths BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_server_paths_update AFTER UPDATE ON server_paths BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_server_paths_delete AFTER DELETE ON server_paths BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_tool_rules_insert AFTER INSERT ON tool_rules BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_tool_rules_update AFTER UPDATE ON tool_rules BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_tool_rules_delete AFTER DELETE ON tool_rules BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_known_tools_insert AFTER INSERT ON known_tools BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_known_tools_update AFTER UPDATE ON known_tools BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_known_tools_delete AFTER DELETE ON known_tools BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_permission_catalogue_insert AFTER INSERT ON permission_catalogue BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_permission_catalogue_update AFTER UPDATE ON permission_catalogue BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_permission_catalogue_delete AFTER DELETE ON permission_catalogue BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_clients_update AFTER UPDATE OF id, kind, name, redirect_uris, grant_types, auth_method, scope_limit, client_uri, metadata, jwks, jwks_uri, service_account, service_tenant, id_token_signed_response_alg, post_logout_redirect_uris, introspects, access_ttl, tenant_id, owner_id, resources, deleted_at, status, created_at, canonical_key ON clients BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_clients_delete AFTER DELETE ON clients BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_signing_keys_insert AFTER INSERT ON signing_keys BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_signing_keys_update AFTER UPDATE ON signing_keys BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_signing_keys_delete AFTER DELETE ON signing_keys BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_revoked_access_tokens_insert AFTER INSERT ON revoked_access_tokens BEGIN UPDATE revisions SET value = random() WHERE scope = ''; END""",
    """CREATE TRIGGER stamp_memberships_insert AFTER INSERT ON memberships BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_memberships_update AFTER UPDATE ON memberships BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_memberships_delete AFTER DELETE ON memberships BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_role_bindings_insert AFTER INSERT ON role_bindings BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_bindings_update AFTER UPDATE ON role_bindings BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_bindings_delete AFTER DELETE ON role_bindings BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_role_placements_insert AFTER INSERT ON role_placements BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_placements_update AFTER UPDATE ON role_placements BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_placements_delete AFTER DELETE ON role_placements BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_roles_insert AFTER INSERT ON roles BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_roles_update AFTER UPDATE ON roles BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_roles_delete AFTER DELETE ON roles BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_role_permissions_insert AFTER INSERT ON role_permissions BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_permissions_update AFTER UPDATE ON role_permissions BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_role_permissions_delete AFTER DELETE ON role_permissions BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_resources_insert AFTER INSERT ON resources BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_resources_update AFTER UPDATE ON resources BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_resources_delete AFTER DELETE ON resources BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_tenant_servers_insert AFTER INSERT ON tenant_servers BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_tenant_servers_update AFTER UPDATE ON tenant_servers BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_tenant_servers_delete AFTER DELETE ON tenant_servers BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_tool_overrides_insert AFTER INSERT ON tool_overrides BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_tool_overrides_update AFTER UPDATE ON tool_overrides BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_tool_overrides_delete AFTER DELETE ON tool_overrides BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_connections_insert AFTER INSERT ON connections BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_connections_update AFTER UPDATE OF id, tenant_id, user_id, client_id, server_id, resource, scopes, declined, asked, identity, authenticated_at, resources, redirect_uri, browser, created_at, expires_at, activated_at, revoked_at ON connections BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_connections_delete AFTER DELETE ON connections BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_api_keys_insert AFTER INSERT ON api_keys BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_api_keys_update AFTER UPDATE OF id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, resources, servers, networks, created_at, expires_at, rotated_at, rotated_by, disabled_at, disabled_by, revoked_at ON api_keys BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_api_keys_delete AFTER DELETE ON api_keys BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_old_key_secrets_insert AFTER INSERT ON old_key_secrets BEGIN UPDATE revisions SET value = random() WHERE scope IN (NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_old_key_secrets_update AFTER UPDATE ON old_key_secrets BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id, NEW.tenant_id); END""",
    """CREATE TRIGGER stamp_old_key_secrets_delete AFTER DELETE ON old_key_secrets BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.tenant_id); END""",
    """CREATE TRIGGER stamp_tenants_insert AFTER INSERT ON tenants BEGIN INSERT INTO revisions SELECT NEW.id, 0 WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE scope = NEW.id); UPDATE revisions SET value = random() WHERE scope IN (NEW.id); END""",
    """CREATE TRIGGER stamp_tenants_update AFTER UPDATE ON tenants BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.id, NEW.id); END""",
    """CREATE TRIGGER stamp_tenants_delete AFTER DELETE ON tenants BEGIN UPDATE revisions SET value = random() WHERE scope IN (OLD.id); END""",
)

_POSTGRESQL = (
    """INSERT INTO revisions (scope, value) VALUES ('', 0)""",
    """CREATE FUNCTION doorward_stamp(stamped text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE revisions SET value = ('x' || encode(substring(sha256(uuid_send(gen_random_uuid())) FROM 1 FOR 8), 'hex'))::bit(64)::bigint WHERE scope = stamped AND xmin <> pg_current_xact_id()::xid;
END $$""",
    """CREATE FUNCTION doorward_stamp_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM doorward_stamp('');
  RETURN NULL;
END $$""",
    """CREATE FUNCTION doorward_stamp_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN PERFORM doorward_stamp(OLD.tenant_id); END IF;
  IF TG_OP <> 'DELETE' THEN PERFORM doorward_stamp(NEW.tenant_id); END IF;
  RETURN NULL;
END $$""",
    """CREATE FUNCTION doorward_stamp_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO revisions (scope, value) VALUES (NEW.id, ('x' || encode(substring(sha256(uuid_send(gen_random_uuid())) FROM 1 FOR 8), 'hex'))::bit(64)::bigint) ON CONFLICT (scope) DO NOTHING;
    PERFORM doorward_stamp(NEW.id);
  ELSE
    PERFORM doorward_stamp(OLD.id);
  END IF;
  RETURN NULL;
END $$""",
    """CREATE TRIGGER stamp_users_insert AFTER INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_users_update AFTER UPDATE OF id, email, name, kind, status, created_at, deleted_at ON users FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_users_delete AFTER DELETE ON users FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_servers_insert AFTER INSERT ON servers FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_servers_update AFTER UPDATE ON servers FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_servers_delete AFTER DELETE ON servers FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_upstream_secrets_insert AFTER INSERT ON upstream_secrets FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_upstream_secrets_update AFTER UPDATE ON upstream_secrets FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_upstream_secrets_delete AFTER DELETE ON upstream_secrets FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_server_paths_insert AFTER INSERT ON server_paths FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_server_paths_update AFTER UPDATE ON server_paths FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_server_paths_delete AFTER DELETE ON server_paths FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_tool_rules_insert AFTER INSERT ON tool_rules FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_tool_rules_update AFTER UPDATE ON tool_rules FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_tool_rules_delete AFTER DELETE ON tool_rules FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_known_tools_insert AFTER INSERT ON known_tools FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_known_tools_update AFTER UPDATE ON known_tools FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_known_tools_delete AFTER DELETE ON known_tools FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_permission_catalogue_insert AFTER INSERT ON permission_catalogue FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_permission_catalogue_update AFTER UPDATE ON permission_catalogue FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_permission_catalogue_delete AFTER DELETE ON permission_catalogue FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_clients_update AFTER UPDATE OF id, kind, name, redirect_uris, grant_types, auth_method, scope_limit, client_uri, metadata, jwks, jwks_uri, service_account, service_tenant, id_token_signed_response_alg, post_logout_redirect_uris, introspects, access_ttl, tenant_id, owner_id, resources, deleted_at, status, created_at, canonical_key ON clients FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_clients_delete AFTER DELETE ON clients FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_signing_keys_insert AFTER INSERT ON signing_keys FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_signing_keys_update AFTER UPDATE ON signing_keys FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_signing_keys_delete AFTER DELETE ON signing_keys FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_revoked_access_tokens_insert AFTER INSERT ON revoked_access_tokens FOR EACH STATEMENT EXECUTE FUNCTION doorward_stamp_all()""",
    """CREATE TRIGGER stamp_memberships_insert AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_memberships_update AFTER UPDATE ON memberships FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_memberships_delete AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_bindings_insert AFTER INSERT ON role_bindings FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_bindings_update AFTER UPDATE ON role_bindings FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_bindings_delete AFTER DELETE ON role_bindings FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_placements_insert AFTER INSERT ON role_placements FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_placements_update AFTER UPDATE ON role_placements FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_placements_delete AFTER DELETE ON role_placements FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_roles_insert AFTER INSERT ON roles FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_roles_update AFTER UPDATE ON roles FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_roles_delete AFTER DELETE ON roles FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_permissions_insert AFTER INSERT ON role_permissions FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_permissions_update AFTER UPDATE ON role_permissions FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_role_permissions_delete AFTER DELETE ON role_permissions FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_resources_insert AFTER INSERT ON resources FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_resources_update AFTER UPDATE ON resources FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_resources_delete AFTER DELETE ON resources FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tenant_servers_insert AFTER INSERT ON tenant_servers FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tenant_servers_update AFTER UPDATE ON tenant_servers FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tenant_servers_delete AFTER DELETE ON tenant_servers FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tool_overrides_insert AFTER INSERT ON tool_overrides FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tool_overrides_update AFTER UPDATE ON tool_overrides FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tool_overrides_delete AFTER DELETE ON tool_overrides FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_connections_insert AFTER INSERT ON connections FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_connections_update AFTER UPDATE OF id, tenant_id, user_id, client_id, server_id, resource, scopes, declined, asked, identity, authenticated_at, resources, redirect_uri, browser, created_at, expires_at, activated_at, revoked_at ON connections FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_connections_delete AFTER DELETE ON connections FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_api_keys_insert AFTER INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_api_keys_update AFTER UPDATE OF id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, resources, servers, networks, created_at, expires_at, rotated_at, rotated_by, disabled_at, disabled_by, revoked_at ON api_keys FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_api_keys_delete AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_old_key_secrets_insert AFTER INSERT ON old_key_secrets FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_old_key_secrets_update AFTER UPDATE ON old_key_secrets FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_old_key_secrets_delete AFTER DELETE ON old_key_secrets FOR EACH ROW EXECUTE FUNCTION doorward_stamp_row()""",
    """CREATE TRIGGER stamp_tenants_insert AFTER INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION doorward_stamp_tenant()""",
    """CREATE TRIGGER stamp_tenants_update AFTER UPDATE ON tenants FOR EACH ROW EXECUTE FUNCTION doorward_stamp_tenant()""",
    """CREATE TRIGGER stamp_tenants_delete AFTER DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION doorward_stamp_tenant()""",
)
