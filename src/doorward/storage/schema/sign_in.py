"""Identity providers, who is who there, mail domains, and sign-ins on their way."""

import sqlalchemy as sa

from doorward.storage.schema.columns import number, refers, table, text

identity_providers = table(
    "identity_providers",
    text("id", key=True),
    text("slug"),
    text("name"),
    text("template"),
    text("issuer"),
    text("client_id"),
    text("secret"),
    text("scopes"),
    text("domains"),
    number("trust_email"),
    text("status"),
    number("created_at"),
    sa.UniqueConstraint("slug"),
)

identities = table(
    "identities",
    text("issuer", key=True),
    text("subject", key=True),
    refers("user_id", "users.id"),
    refers("provider_id", "identity_providers.id"),
    text("email", null=True),
    number("created_at"),
    number("last_used_at"),
    sa.Index(None, "user_id"),
    rowid=False,
)
"""Nothing else ties a person to a provider: never a mail address."""

mail_domains = table(
    "mail_domains",
    refers("tenant_id", "tenants.id", key=True),
    text("domain", key=True),
    text("challenge"),
    refers("provider_id", "identity_providers.id", null=True),
    text("join_role", null=True),
    number("created_at"),
    number("proven_at", null=True),
    text("proven_by", null=True),
    number("checked_at", null=True),
    number("missing_since", null=True),
    rowid=False,
)
"""Many may say that a domain is theirs, one may prove it: ``per_dialect``."""

provider_sign_ins = table(
    "provider_sign_ins",
    text("state", key=True),
    text("browser"),
    refers("provider_id", "identity_providers.id"),
    text("sealed"),
    number("expires_at"),
    sa.Index(None, "expires_at"),
    rowid=False,
)
"""Of ``state`` and ``browser`` the fingerprints. A row is taken away by the first answer, whatever comes of it."""
