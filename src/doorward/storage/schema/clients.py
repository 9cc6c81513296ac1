"""OAuth clients, what was said of them, and trust in other issuers."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

clients = table(
    "clients",
    text("id", key=True),
    text("kind"),
    text("name"),
    text("redirect_uris"),
    text("grant_types"),
    text("auth_method"),
    text("scope_limit", null=True),
    text("client_uri", null=True),
    text("metadata"),
    text("jwks"),
    text("jwks_uri", null=True),
    # No references: both are looked up at every use, and a client whose account is gone gets nothing.
    text("service_account", null=True),
    text("service_tenant", null=True),
    text("id_token_signed_response_alg"),
    text("post_logout_redirect_uris"),
    text("introspects"),
    number("access_ttl", null=True),
    # No references, as with the service account.
    text("tenant_id", null=True),
    text("owner_id", null=True),
    text("resources", null=True),
    number("deleted_at", null=True),
    text("status"),
    number("created_at"),
    number("registered_at"),
    text("canonical_key", null=True),
    sa.UniqueConstraint("canonical_key"),
    sa.Index(None, "tenant_id", "created_at", "id"),
    sa.Index(None, "owner_id"),
)

client_secrets = table(
    "client_secrets",
    text("fingerprint", key=True),
    text("id"),
    refers("client_id", "clients.id", cascade=True),
    number("created_at"),
    number("expires_at", null=True),
    sa.Index(None, "client_id"),
    rowid=False,
)

registration_tokens = table(
    "registration_tokens",
    refers("client_id", "clients.id", key=True, cascade=True),
    text("fingerprint"),
    rowid=False,
)
"""With which a confidential client that registered itself manages its registration (RFC 7592)."""

client_verdicts = table(
    "client_verdicts",
    text("tenant_id", key=True),
    text("kind", key=True),
    text("client_id", key=True),
    text("value", key=True),
    number("allowed"),
    text("decided_by", null=True),
    number("decided_at"),
    sa.Index(None, "client_id"),
    rowid=False,
)
"""What administrators said about clients. ``tenant_id`` is empty where it holds for the whole deployment.

No references: the client may be known by its document only, or be forgotten and register again.
"""

used_assertions = table(
    "used_assertions",
    text("client_id", key=True),
    text("jti", key=True),
    number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""Client assertions that were accepted and have not expired: each is good for one request (RFC 7523 section 3)."""

client_documents = table(
    "client_documents",
    text("url", key=True),
    text("body"),
    number("fetched_at"),
    number("fresh_until"),
    text("etag", null=True),
    sa.Index(None, "fetched_at"),
)
"""Fetched Client ID Metadata Documents, valid ones only: one cache for all nodes."""

trust_rules = table(
    "trust_rules",
    refers("id", "clients.id", key=True),
    refers("tenant_id", "tenants.id"),
    text("name"),
    text("issuer"),
    text("audience", null=True),
    text("claims"),
    text("pins"),
    text("pinned", null=True),
    refers("user_id", "users.id"),
    text("scopes", null=True),
    text("resources", null=True),
    text("servers", null=True),
    number("lifetime"),
    number("single_use"),
    text("jwks_uri", null=True),
    text("jwks"),
    number("created_at"),
    number("pinned_at", null=True),
    sa.UniqueConstraint("tenant_id", "name"),
    sa.Index(None, "issuer"),
    sa.Index(None, "user_id"),
)

key_sets = table(
    "key_sets",
    text("source", key=True),
    text("jwks"),
    number("fetched_at"),
    number("fresh_until"),
    sa.Index(None, "fetched_at"),
)
"""Fetched public keys of other issuers, each set under whose it is: one cache for all nodes."""
