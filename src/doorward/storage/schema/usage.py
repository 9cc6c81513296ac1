"""How much was called: by the hour as calls are written down, and folded into sums once an hour is over."""

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
    number("folded"),
    *_counts(),
    sa.Index(None, "user_id", "hour"),
    sa.Index(None, "credential_id", "hour"),
    rowid=False,
)
"""Hours since the epoch. ``client_id`` is empty where there is none: part of a key cannot be null. ``folded``: whether the
row is in ``usage_sums``."""

usage_sums = table(
    "usage_sums",
    text("tenant_id", key=True),
    text("side", key=True),
    text("of", key=True),
    text("kind", key=True),
    text("value", key=True),
    number("start", key=True),
    *_counts(),
    rowid=False,
)
"""The folded hours by ``kind`` and ``value``, of all calls (``side`` and ``of`` are empty) or of those that have ``of`` on
one ``side``. ``start`` is in hours since the epoch: of each day; of each hour where ``side`` is ``hour``. What a page ranks
stands together."""

usage_mark = table("usage_mark", number("id", key=True), number("closed"), number("folded"))
"""One row. To hours before ``closed`` nothing is added but straight to the sums as well; before ``folded`` all is folded."""
