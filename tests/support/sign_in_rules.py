"""Providers and mail domains as rows, for what follows from them."""

from typing import Any

from doorward.model import IdentityProvider, MailDomain, ProviderId, Tenant
from doorward.storage import identity_providers, mail_domains
from doorward.storage.database import Transaction
from support.rows import NOW

CORP = IdentityProvider(
    id=ProviderId("idp_corp"), slug="corp", name="Corp SSO", template="oidc", issuer="https://id.corp.example",
    client_id="doorward", created_at=NOW,
)  # fmt: skip


def put_provider(tx: Transaction, provider: IdentityProvider = CORP) -> None:
    """Have it declared, whatever it was before."""
    if not identity_providers.update_provider(tx, provider):
        identity_providers.insert_provider(tx, provider)


def put_proven_domain(tx: Transaction, tenant: Tenant, domain: str, **rules: Any) -> MailDomain:
    """Have the domain proven for the tenant, with ``provider_id`` or ``join_role`` as given."""
    said = MailDomain(tenant_id=tenant.id, domain=domain, challenge=f"c-{tenant.slug}", created_at=NOW, **rules)
    mail_domains.remove_domain(tx, tenant.id, domain)
    mail_domains.insert_domain(tx, said)
    assert mail_domains.prove_domain(tx, said, by="dns", now=NOW)
    return said
