"""Links that go by mail, invitations, and the queue."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

links = table(
    "links",
    text("id", key=True),
    text("kind"),
    text("fingerprint"),
    refers("user_id", "users.id", null=True),
    text("email"),
    text("subject"),
    text("browser", null=True),
    text("target"),
    text("asked_from"),
    number("created_at"),
    number("expires_at"),
    number("used_at", null=True),
    number("ended_at", null=True),
    sa.UniqueConstraint("fingerprint"),
    sa.Index(None, "user_id"),
    sa.Index(None, "subject"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""Links that went by mail; of each only the fingerprint of its secret."""

invitations = table(
    "invitations",
    text("id", key=True),
    refers("tenant_id", "tenants.id"),
    text("email"),
    text("roles"),
    text("places"),
    refers("invited_by", "users.id", null=True),
    number("created_at"),
    number("sent_at"),
    number("expires_at"),
    number("accepted_at", null=True),
    number("revoked_at", null=True),
    sa.Index(None, "tenant_id", "email"),
    sa.Index(None, "invited_by"),
    sa.Index(None, "expires_at"),
    rowid=False,
)

outgoing_mail = table(
    "outgoing_mail",
    text("id", key=True),
    text("kind"),
    text("recipient"),
    text("sealed"),
    # No reference: a mail that was given up is told of in the audit trail of a tenant that may be gone.
    text("tenant_id", null=True),
    number("created_at"),
    number("useless_at"),
    number("next_try_at"),
    number("attempts"),
    sa.Index(None, "next_try_at"),
    rowid=False,
)
"""The queue: a row goes when its mail was taken by the mail server, or given up."""

mail_budgets = table(
    "mail_budgets",
    text("name", key=True),
    number("until", key=True),
    number("spent"),
    sa.Index(None, "until"),
    rowid=False,
)
"""How many mails somebody caused in the hour that ends at ``until``; names are fingerprints."""
