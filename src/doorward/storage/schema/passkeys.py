"""What people prove who they are with besides a password: passkeys, and codes for when nothing else is at hand."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

passkeys = table(
    "passkeys",
    text("id", key=True),
    refers("user_id", "users.id"),
    text("credential_id"),
    text("public_key"),
    number("sign_count"),
    text("transports"),
    text("name"),
    number("created_at"),
    number("last_used_at", null=True),
    number("disabled_at", null=True),
    sa.UniqueConstraint("credential_id"),
    sa.Index(None, "user_id"),
    rowid=False,
)

recovery_codes = table(
    "recovery_codes",
    text("fingerprint", key=True),
    refers("user_id", "users.id"),
    number("created_at"),
    number("used_at", null=True),
    sa.Index(None, "user_id"),
    rowid=False,
)
