"""Consent and what follows from it."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

connections = table(
    "connections",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    refers("user_id", "users.id"),
    refers("client_id", "clients.id"),
    refers("server_id", "servers.id"),
    text("resource"),
    text("scopes"),
    text("declined"),
    text("asked"),
    text("identity"),
    number("authenticated_at", null=True),
    text("resources", null=True),
    text("redirect_uri"),
    text("browser", null=True),
    number("created_at"),
    number("expires_at"),
    number("activated_at", null=True),
    number("revoked_at", null=True),
    text("revoked_reason", null=True),
    text("label", null=True),
    # One index for both: all of a user, and those of one client on one device.
    sa.Index(None, "user_id", "client_id", "browser"),
    sa.Index(None, "tenant_id", "created_at", "id"),
    sa.Index(None, "client_id"),
)

remembered_consents = table(
    "remembered_consents",
    refers("user_id", "users.id", key=True),
    refers("tenant_id", "tenants.id", key=True),
    refers("client_id", "clients.id", key=True, cascade=True),
    text("redirect_uri", key=True),
    text("resource", key=True),
    text("answered"),
    text("granted"),
    text("client_digest"),
    number("expires_at"),
    sa.Index(None, "client_id"),
    sa.Index(None, "tenant_id"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""What a person wants to be approved without a page, for a client that an administrator registered (G8, G9)."""

notices = table(
    "notices",
    text("id", key=True),
    refers("user_id", "users.id"),
    text("kind"),
    text("detail"),
    number("at"),
    number("dismissed_at", null=True),
    sa.Index(None, "user_id"),
    rowid=False,
)
"""What a person has to be told: shown on their pages until they say that they have read it."""

claimed_requests = table(
    "claimed_requests", text("id", key=True), number("expires_at"), sa.Index(None, "expires_at"), rowid=False
)

device_requests = table(
    "device_requests",
    text("id", key=True),
    text("device_code"),
    text("user_code"),
    # No references: the client may be known by its document only, and the connection is made with the answer.
    text("client_id"),
    text("resource"),
    text("scopes"),
    text("asked_from"),
    number("created_at"),
    number("expires_at"),
    number("answered_at", null=True),
    text("connection_id", null=True),
    number("used_at", null=True),
    sa.UniqueConstraint("device_code"),
    sa.UniqueConstraint("user_code"),
    sa.Index(None, "expires_at"),
    rowid=False,
)

authorization_codes = table(
    "authorization_codes",
    text("fingerprint", key=True),
    refers("connection_id", "connections.id"),
    # No reference of their own, as with refresh tokens: forgetting a client would look through all codes.
    text("tenant_id"),
    text("client_id"),
    text("redirect_uri"),
    number("redirect_uri_sent"),
    text("nonce", null=True),
    text("code_challenge"),
    text("resource"),
    number("created_at"),
    number("expires_at"),
    number("used_at", null=True),
    number("failed_attempts"),
)

refresh_tokens = table(
    "refresh_tokens",
    text("fingerprint", key=True),
    refers("connection_id", "connections.id"),
    # No reference of their own: the connection's row holds the same two, and cannot go before its tokens.
    text("tenant_id"),
    text("client_id"),
    text("kid"),
    text("parent", null=True),
    number("created_at"),
    number("expires_at"),
    number("used_at", null=True),
)

revoked_access_tokens = table(
    "revoked_access_tokens",
    text("jti", key=True),
    text("connection_id"),
    number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
