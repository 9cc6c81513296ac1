"""What the management API remembers."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, table, text

api_answers = table(
    "api_answers",
    text("caller", key=True),
    text("route", key=True),
    text("name", key=True),
    text("digest"),
    number("status"),
    text("sealed", null=True),
    number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""``name`` is the fingerprint of an ``Idempotency-Key``, ``digest`` that of the request."""
