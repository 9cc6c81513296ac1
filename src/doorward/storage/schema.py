"""All tables, and the triggers that stamp revisions.

Ids are text, times are integers (µs since the epoch, UTC), truth values are 0 or 1, secrets are fingerprints. Sets of
permissions are space-separated text (the form of an OAuth ``scope``), other lists and mappings JSON text. The migration
in ``migrations/versions`` makes the same; a test compares the two.
"""

from typing import Any, Final

import sqlalchemy as sa

HEAD: Final = "0001"
"""The newest migration. A database at this revision is used without loading Alembic."""

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def _number(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=key, nullable=null, autoincrement=False)


def _refers(name: str, target: str, *, key: bool = False, cascade: bool = False, null: bool = False) -> sa.Column[str]:
    reference = sa.ForeignKey(target, ondelete="CASCADE" if cascade else None)
    return sa.Column(name, sa.Text, reference, primary_key=key, nullable=null)


def _serial(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True, autoincrement=True)


def _table(name: str, *parts: Any, rowid: bool = True) -> sa.Table:
    # Without rowid a small row sits in its key's own tree. Codes and refresh tokens keep theirs: new rows are then
    # neighbours, and marking the recent ones used touches few pages (a third less commit time, measured).
    return sa.Table(name, metadata, *parts, sqlite_with_rowid=rowid)


meta = _table("meta", _text("name", key=True), _text("value"), rowid=False)

revisions = _table("revisions", _text("scope", key=True), _number("value"), rowid=False)
"""``scope`` is a tenant's id, or empty for the global revision. Random values, compared by equality."""

users = _table(
    "users",
    _text("id", key=True),
    _text("email"),
    _text("name"),
    _text("kind"),
    _text("status"),
    _number("created_at"),
    _text("password_hash", null=True),
    sa.UniqueConstraint("email"),
)

tenants = _table(
    "tenants",
    _text("id", key=True),
    _text("slug"),
    _text("name"),
    _number("access_ttl", null=True),
    _text("rates"),
    _text("status"),
    _number("created_at"),
    sa.UniqueConstraint("slug"),
)

memberships = _table(
    "memberships",
    _refers("tenant_id", "tenants.id", key=True),
    _refers("user_id", "users.id", key=True),
    sa.Index(None, "user_id"),
    rowid=False,
)

roles = _table(
    "roles",
    _text("id", key=True),
    _refers("tenant_id", "tenants.id"),
    _text("name"),
    _number("built_in"),
    sa.UniqueConstraint("tenant_id", "name"),
)

role_permissions = _table(
    "role_permissions",
    _refers("role_id", "roles.id", key=True, cascade=True),
    _text("permission", key=True),
    _refers("tenant_id", "tenants.id"),
    rowid=False,
)

role_bindings = _table(
    "role_bindings",
    _text("tenant_id", key=True),
    _text("user_id", key=True),
    _refers("role_id", "roles.id", key=True, cascade=True),
    sa.ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["memberships.tenant_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    sa.Index(None, "role_id"),
    rowid=False,
)

role_placements = _table(
    "role_placements",
    _text("tenant_id", key=True),
    _text("user_id", key=True),
    _refers("role_id", "roles.id", key=True, cascade=True),
    _refers("resource_id", "resources.id", key=True, cascade=True),
    sa.ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["memberships.tenant_id", "memberships.user_id"], ondelete="CASCADE"
    ),
    sa.Index(None, "role_id"),
    sa.Index(None, "resource_id"),
    rowid=False,
)
"""Roles bound at a node of the tree: they hold there and below. A node that is removed takes them along."""

permission_catalogue = _table(
    "permission_catalogue",
    _text("permission", key=True),
    _text("words"),
    _number("is_default"),
    _number("destructive"),
    rowid=False,
)

resources = _table(
    "resources",
    _text("id", key=True),
    _refers("tenant_id", "tenants.id"),
    _text("type"),
    _text("key"),
    _text("name"),
    _refers("parent_id", "resources.id", null=True, cascade=True),
    sa.UniqueConstraint("tenant_id", "type", "key"),
    sa.Index(None, "parent_id"),
)

servers = _table(
    "servers",
    _text("id", key=True),
    _text("slug"),
    _text("name"),
    _text("upstream"),
    _text("stdio", null=True),
    _text("direct", null=True),
    _text("auth", null=True),
    _number("builtin_tools"),
    _text("new_tools"),
    _text("changed_tools"),
    _text("status"),
    sa.UniqueConstraint("slug"),
)

upstream_secrets = _table(
    "upstream_secrets",
    _text("name", key=True),
    _text("sealed"),
    _number("changed_at"),
    rowid=False,
)

server_paths = _table(
    "server_paths",
    _text("path", key=True),
    _refers("server_id", "servers.id", cascade=True),
    _number("position"),
    sa.Index(None, "server_id"),
    rowid=False,
)

tool_rules = _table(
    "tool_rules",
    _refers("server_id", "servers.id", key=True, cascade=True),
    _number("position", key=True),
    _text("kind"),
    _text("match"),
    _text("requires"),
    _text("resources"),
    rowid=False,
)

known_tools = _table(
    "known_tools",
    _refers("server_id", "servers.id", key=True, cascade=True),
    _text("name", key=True),
    _text("digest", key=True),
    _number("first_seen"),
    _text("annotations"),
    _text("state"),
    _text("reviewed_by", null=True),
    _number("reviewed_at", null=True),
    rowid=False,
)
"""Every version of a tool that a server was seen to offer: the digest is of all that its author says of it."""

tenant_servers = _table(
    "tenant_servers",
    _refers("tenant_id", "tenants.id", key=True),
    _refers("server_id", "servers.id", key=True),
    sa.Index(None, "server_id"),
    rowid=False,
)

tool_overrides = _table(
    "tool_overrides",
    _text("id", key=True),
    _refers("tenant_id", "tenants.id"),
    _number("position"),
    _refers("server_id", "servers.id", cascade=True),
    _text("kind"),
    _text("match"),
    _text("effect"),
    _text("requires"),
    _text("subject"),
    # No reference: a role's name, or the id of a user, a key or a connection. Who is gone is denied nothing.
    _text("subject_id"),
    sa.Index(None, "tenant_id", "position"),
    sa.Index(None, "server_id"),
)
"""What tenants say beyond the rules of their servers; see ``model.Override``."""

clients = _table(
    "clients",
    _text("id", key=True),
    _text("kind"),
    _text("name"),
    _text("redirect_uris"),
    _text("grant_types"),
    _text("auth_method"),
    _text("scope_limit", null=True),
    _text("client_uri", null=True),
    _text("metadata"),
    _text("jwks"),
    _text("jwks_uri", null=True),
    # No references: both are looked up at every use, and a client whose account is gone gets nothing.
    _text("service_account", null=True),
    _text("service_tenant", null=True),
    _text("id_token_signed_response_alg"),
    _text("post_logout_redirect_uris"),
    _text("introspects"),
    _number("access_ttl", null=True),
    _text("status"),
    _number("created_at"),
    _number("registered_at"),
    _text("canonical_key", null=True),
    sa.UniqueConstraint("canonical_key"),
)

client_secrets = _table(
    "client_secrets",
    _text("fingerprint", key=True),
    _text("id"),
    _refers("client_id", "clients.id", cascade=True),
    _number("created_at"),
    _number("expires_at", null=True),
    sa.Index(None, "client_id"),
    rowid=False,
)

registration_tokens = _table(
    "registration_tokens",
    _refers("client_id", "clients.id", key=True, cascade=True),
    _text("fingerprint"),
    rowid=False,
)
"""With which a confidential client that registered itself manages its registration (RFC 7592)."""

client_verdicts = _table(
    "client_verdicts",
    _text("tenant_id", key=True),
    _text("kind", key=True),
    _text("client_id", key=True),
    _text("value", key=True),
    _number("allowed"),
    _text("decided_by", null=True),
    _number("decided_at"),
    sa.Index(None, "client_id"),
    rowid=False,
)
"""What administrators said about clients. ``tenant_id`` is empty where it holds for the whole deployment.

No references: the client may be known by its document only, or be forgotten and register again.
"""

used_assertions = _table(
    "used_assertions",
    _text("client_id", key=True),
    _text("jti", key=True),
    _number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""Client assertions that were accepted and have not expired: each is good for one request (RFC 7523 section 3)."""

client_documents = _table(
    "client_documents",
    _text("url", key=True),
    _text("body"),
    _number("fetched_at"),
    _number("fresh_until"),
    _text("etag", null=True),
    sa.Index(None, "fetched_at"),
)
"""Fetched Client ID Metadata Documents, valid ones only: one cache for all nodes."""

trust_rules = _table(
    "trust_rules",
    _refers("id", "clients.id", key=True),
    _refers("tenant_id", "tenants.id"),
    _text("name"),
    _text("issuer"),
    _text("audience", null=True),
    _text("claims"),
    _text("pins"),
    _text("pinned", null=True),
    _refers("user_id", "users.id"),
    _text("scopes", null=True),
    _text("resources", null=True),
    _text("servers", null=True),
    _number("lifetime"),
    _number("single_use"),
    _text("jwks_uri", null=True),
    _text("jwks"),
    _number("created_at"),
    _number("pinned_at", null=True),
    sa.UniqueConstraint("tenant_id", "name"),
    sa.Index(None, "issuer"),
    sa.Index(None, "user_id"),
)

key_sets = _table(
    "key_sets",
    _text("source", key=True),
    _text("jwks"),
    _number("fetched_at"),
    _number("fresh_until"),
    sa.Index(None, "fetched_at"),
)
"""Fetched public keys of other issuers, each set under whose it is: one cache for all nodes."""

connections = _table(
    "connections",
    _text("id", key=True),
    _refers("tenant_id", "tenants.id"),
    _refers("user_id", "users.id"),
    _refers("client_id", "clients.id"),
    _refers("server_id", "servers.id"),
    _text("resource"),
    _text("scopes"),
    _text("declined"),
    _text("asked"),
    _text("identity"),
    _number("authenticated_at", null=True),
    _text("resources", null=True),
    _text("redirect_uri"),
    _text("browser", null=True),
    _number("created_at"),
    _number("expires_at"),
    _number("activated_at", null=True),
    _number("revoked_at", null=True),
    _text("revoked_reason", null=True),
    # One index for both: all of a user, and those of one client on one device.
    sa.Index(None, "user_id", "client_id", "browser"),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "client_id"),
)

remembered_consents = _table(
    "remembered_consents",
    _refers("user_id", "users.id", key=True),
    _refers("tenant_id", "tenants.id", key=True),
    _refers("client_id", "clients.id", key=True, cascade=True),
    _text("redirect_uri", key=True),
    _text("resource", key=True),
    _text("answered"),
    _text("granted"),
    _text("client_digest"),
    _number("expires_at"),
    sa.Index(None, "client_id"),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""What a person wants to be approved without a page, for a client that an administrator registered (G8, G9)."""

notices = _table(
    "notices",
    _text("id", key=True),
    _refers("user_id", "users.id"),
    _text("kind"),
    _text("detail"),
    _number("at"),
    _number("dismissed_at", null=True),
    sa.Index(None, "user_id"),
    rowid=False,
)
"""What a person has to be told: shown on their pages until they say that they have read it."""

claimed_requests = _table(
    "claimed_requests", _text("id", key=True), _number("expires_at"), sa.Index(None, "expires_at"), rowid=False
)

device_requests = _table(
    "device_requests",
    _text("id", key=True),
    _text("device_code"),
    _text("user_code"),
    # No references: the client may be known by its document only, and the connection is made with the answer.
    _text("client_id"),
    _text("resource"),
    _text("scopes"),
    _text("asked_from"),
    _number("created_at"),
    _number("expires_at"),
    _number("answered_at", null=True),
    _text("connection_id", null=True),
    _number("used_at", null=True),
    sa.UniqueConstraint("device_code"),
    sa.UniqueConstraint("user_code"),
    sa.Index(None, "expires_at"),
    rowid=False,
)

authorization_codes = _table(
    "authorization_codes",
    _text("fingerprint", key=True),
    _refers("connection_id", "connections.id"),
    # No reference of their own, as with refresh tokens: forgetting a client would look through all codes.
    _text("tenant_id"),
    _text("client_id"),
    _text("redirect_uri"),
    _number("redirect_uri_sent"),
    _text("nonce", null=True),
    _text("code_challenge"),
    _text("resource"),
    _number("created_at"),
    _number("expires_at"),
    _number("used_at", null=True),
    _number("failed_attempts"),
)

refresh_tokens = _table(
    "refresh_tokens",
    _text("fingerprint", key=True),
    _refers("connection_id", "connections.id"),
    # No reference of their own: the connection's row holds the same two, and cannot go before its tokens.
    _text("tenant_id"),
    _text("client_id"),
    _text("kid"),
    _text("parent", null=True),
    _number("created_at"),
    _number("expires_at"),
    _number("used_at", null=True),
)

revoked_access_tokens = _table(
    "revoked_access_tokens",
    _text("jti", key=True),
    _text("connection_id"),
    _number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)

api_keys = _table(
    "api_keys",
    _text("id", key=True),
    _refers("tenant_id", "tenants.id"),
    _refers("user_id", "users.id"),
    _refers("created_by", "users.id"),
    _text("name"),
    _text("prefix"),
    _text("last_four"),
    _text("fingerprint"),
    _text("scopes"),
    _text("resources", null=True),
    _number("created_at"),
    _number("expires_at", null=True),
    _number("revoked_at", null=True),
    _number("last_used_at", null=True),
    _text("last_used_ip", null=True),
    _text("last_used_client", null=True),
    sa.UniqueConstraint("fingerprint"),
    sa.Index(None, "user_id"),
    sa.Index(None, "tenant_id"),
)

sessions = _table(
    "sessions",
    _text("id", key=True),
    _text("fingerprint"),
    _refers("user_id", "users.id"),
    _number("created_at"),
    _number("expires_at"),
    _number("authenticated_at"),
    _number("ended_at", null=True),
    sa.UniqueConstraint("fingerprint"),
    sa.Index(None, "user_id"),
)

sign_in_failures = _table(
    "sign_in_failures",
    _serial("id"),
    _text("email"),
    _number("at"),
    sa.Index(None, "email", "at"),
    sa.Index(None, "at"),
)

signing_keys = _table(
    "signing_keys",
    _text("kid", key=True),
    _text("algorithm"),
    _text("public_jwk"),
    sa.Column("sealed_private", sa.LargeBinary, nullable=False),
    _number("created_at"),
    _number("signs_from"),
    _number("verifies_until", null=True),
    _number("revoked_at", null=True),
)

derivation_keys = _table(
    "derivation_keys", _text("kid", key=True), _number("created_at"), _number("retired_at", null=True)
)

audit_events = _table(
    "audit_events",
    _serial("id"),
    _number("at"),
    _text("tenant_id", null=True),
    _text("actor_id", null=True),
    _text("name"),
    _text("subject"),
    _text("detail"),
    _text("request_id", null=True),
    sa.Index(None, "request_id"),
    sa.Index(None, "tenant_id", "id"),
)

call_events = _table(
    "call_events",
    _serial("id"),
    _number("at"),
    _text("tenant_id"),
    _text("user_id"),
    _text("credential"),
    _text("credential_id"),
    _text("client_id", null=True),
    _text("server_id"),
    _text("method"),
    _text("name", null=True),
    _text("decision"),
    _text("reason"),
    _number("status"),
    _number("duration_us"),
    _text("request_id"),
    sa.Index(None, "tenant_id", "id"),
)

attempt_steps = _table(
    "attempt_steps",
    _serial("id"),
    _number("at"),
    _text("step"),
    _text("code", null=True),
    _text("request_id"),
    _text("address"),
    _text("agent"),
    _text("flow", null=True),
    _text("connection_id", null=True),
    _text("tenant_id", null=True),
    _text("user_id", null=True),
    _text("client_id", null=True),
    _text("client_name", null=True),
    _text("redirect_uri", null=True),
    _text("path", null=True),
    sa.Index(None, "tenant_id", "id"),
    sa.Index(None, "user_id", "id"),
    sa.Index(None, "connection_id", "step"),
)
"""Where clients got to on their way in, in no more words than are known; kept for a while, and so many only."""
