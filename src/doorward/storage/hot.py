"""The statements of the hot paths, as text. At most ten; a test prepares each against both dialects.

Everything the token endpoint and the gateway run for each request is here, and the security of both is in the
``WHERE`` clauses: what may happen once is one conditional UPDATE, and the number of rows it changed is the truth.
"""

from typing import Final

from doorward.storage.statements import Statement

CODE: Final = Statement(
    "SELECT fingerprint, connection_id, tenant_id, client_id, redirect_uri, redirect_uri_sent, nonce, code_challenge,"
    " resource,"
    " created_at, expires_at, used_at, failed_attempts FROM authorization_codes WHERE fingerprint = :fingerprint"
)

USE_CODE: Final = Statement(
    "UPDATE authorization_codes SET used_at = :used_at WHERE fingerprint = :fingerprint AND used_at IS NULL"
)

REFRESH_TOKEN: Final = Statement(
    "SELECT fingerprint, connection_id, tenant_id, client_id, kid, parent, created_at, expires_at, used_at"
    " FROM refresh_tokens WHERE fingerprint = :fingerprint"
)

USE_REFRESH_TOKEN: Final = Statement(
    "UPDATE refresh_tokens SET used_at = :used_at WHERE fingerprint = :fingerprint AND used_at IS NULL"
)

INSERT_REFRESH_TOKEN: Final = Statement(
    "INSERT INTO refresh_tokens (fingerprint, connection_id, tenant_id, client_id, kid, parent, created_at, expires_at,"
    " used_at) VALUES (:fingerprint, :connection_id, :tenant_id, :client_id, :kid, :parent, :created_at, :expires_at,"
    " :used_at) ON CONFLICT (fingerprint) DO NOTHING"
)

CONNECTION: Final = Statement(
    "SELECT id, tenant_id, user_id, client_id, server_id, resource, scopes, declined, asked, identity, authenticated_at,"
    " resources, redirect_uri, browser, created_at, expires_at, activated_at, revoked_at, revoked_reason, label"
    " FROM connections"
    " WHERE id = :id"
)

API_KEY: Final = Statement(
    "SELECT id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes, resources, servers,"
    " networks, created_at, expires_at, rotated_at, rotated_by, disabled_at, disabled_by, revoked_at, last_used_at, last_used_ip, last_used_client FROM api_keys"
    " WHERE fingerprint = :fingerprint"
)

ACCESS_TOKEN_REVOKED: Final = Statement("SELECT 1 AS found FROM revoked_access_tokens WHERE jti = :jti")

# The global revision has the empty scope. PostgreSQL asks for many tenants at once, see `postgresql.py`.
REVISIONS: Final = Statement("SELECT scope, value FROM revisions WHERE scope = '' OR scope = :tenant_id")
