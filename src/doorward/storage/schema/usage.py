"""How much was called: sums that grow in the transaction that writes the calls down."""

from typing import Final

import sqlalchemy as sa

from doorward.storage.schema.columns import number, table, text

SLOTS: Final = 12
"""Columns of a histogram of how long calls took."""


def _counts() -> list[sa.Column[int]]:
    return [number("calls"), number("denied"), number("failed"), *(number(f"took_{slot}") for slot in range(SLOTS))]


usage_hours = table(
    "usage_hours",
    text("tenant_id", key=True),
    number("hour", key=True),
    text("server_id", key=True),
    text("tool", key=True),
    text("client_id", key=True),
    text("user_id", key=True),
    text("credential_id", key=True),
    text("credential"),
    *_counts(),
    sa.Index(None, "user_id", "hour"),
    sa.Index(None, "credential_id", "hour"),
    rowid=False,
)
"""Hours since the epoch. ``client_id`` is empty where there is none: part of a key cannot be null."""

usage_sums = table(
    "usage_sums",
    text("tenant_id", key=True),
    text("kind", key=True),
    text("value", key=True),
    number("start", key=True),
    *_counts(),
    rowid=False,
)
"""The same by one side alone, so that a month of a tenant is few rows. ``start`` is in hours since the epoch: of each hour
where ``kind`` is ``way``, of each day for the others. What is looked for by value stands together."""
