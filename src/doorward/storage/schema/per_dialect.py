"""What each dialect says in its own words. Apart from the tables, since it loads both: the program needs one of them.

The migration makes it; whoever compares or makes the whole schema from the tables takes its ``metadata``.
"""

from typing import Final

import sqlalchemy as sa

from doorward.storage.schema.columns import metadata
from doorward.storage.schema.sign_in import mail_domains
from doorward.storage.schema.usage import usage_hours

_UNFOLDED: Final = sa.text("folded = 0")

__all__ = ["metadata"]

sa.Index(
    "uq_mail_domains_proven", mail_domains.c.domain, unique=True, sqlite_where=sa.text("proven_at IS NOT NULL"),
    postgresql_where=sa.text("proven_at IS NOT NULL"),
)  # fmt: skip
sa.Index(None, usage_hours.c.hour, sqlite_where=_UNFOLDED, postgresql_where=_UNFOLDED)
