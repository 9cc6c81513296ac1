"""What each dialect says in its own words. Apart from the tables, since it loads both: the program needs one of them.

The migration makes it; whoever compares or makes the whole schema from the tables takes its ``metadata``.
"""

import sqlalchemy as sa

from doorward.storage.schema.columns import metadata
from doorward.storage.schema.sign_in import mail_domains

__all__ = ["metadata"]

sa.Index(
    "uq_mail_domains_proven", mail_domains.c.domain, unique=True, sqlite_where=sa.text("proven_at IS NOT NULL"),
    postgresql_where=sa.text("proven_at IS NOT NULL"),
)  # fmt: skip
