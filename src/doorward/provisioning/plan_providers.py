"""The identity providers that a document declares, and which ways of signing in its tenants take."""

from dataclasses import replace
from functools import partial
from typing import Final

from doorward.accounts.ways_in import WORDS
from doorward.federation.templates import templates
from doorward.model import IdentityProvider, ProviderId
from doorward.provisioning.change import Change, Writing, differences
from doorward.provisioning.document import Document, ProviderDeclared, TenantDeclared
from doorward.provisioning.reading import refuse
from doorward.storage import identity_providers
from doorward.storage.database import Reader

_WORDS: Final = {
    "name": "name", "template": "template", "issuer": "issuer", "client_id": "client id", "secret": "secret",
    "scopes": "scopes", "domains": "domains", "trust_email": "trust in its addresses", "status": "status",
}  # fmt: skip


def plan_providers(reader: Reader, document: Document) -> list[Change]:
    """Return what has to change. Raises ``DocumentError`` where a tenant names a provider that is nowhere."""
    stored = {each.slug: each for each in identity_providers.all_providers(reader)}
    _check_methods(document, {*stored, *(declared.slug for declared in document.providers)})
    changes = []
    for declared in document.providers:
        known = stored.get(declared.slug)
        if known is None:
            changes.append(_change(declared, "add", partial(_insert, declared=declared)))
            continue
        provider = _merged(known, declared)
        if provider != known:
            what = differences(known, provider, _WORDS)
            changes.append(_change(declared, what, partial(_update, provider=provider)))
    return changes


def _check_methods(document: Document, slugs: set[str]) -> None:
    for tenant in document.tenants:
        unknown = set(tenant.sign_in_methods or ()) - slugs - set(WORDS)
        if unknown:
            known = ", ".join([*WORDS, *sorted(slugs)])
            refuse(_place(tenant), f"there is no way of signing in {min(unknown)!r}", f"Known here: {known}")


def _place(tenant: TenantDeclared) -> str:
    return f"{tenant.path}.sign_in.methods"


def _change(declared: ProviderDeclared, what: str, run: partial[None]) -> Change:
    return Change(text=f"provider {declared.slug}: {what}", event="provider:changed", subject=declared.slug, run=run)


def _merged(stored: IdentityProvider, declared: ProviderDeclared) -> IdentityProvider:
    return replace(
        stored,
        name=stored.name if declared.name is None else declared.name,
        template=declared.template,
        issuer=declared.issuer,
        client_id=declared.client_id,
        secret=stored.secret if declared.secret is None else declared.secret,
        scopes=stored.scopes if declared.scopes is None else declared.scopes,
        domains=stored.domains if declared.domains is None else declared.domains,
        trust_email=stored.trust_email if declared.trust_email is None else declared.trust_email,
        status=stored.status if declared.status is None else declared.status,
    )


def _insert(writing: Writing, declared: ProviderDeclared) -> None:
    blank = IdentityProvider(
        id=ProviderId(writing.new_id("idp")), slug=declared.slug, name=templates()[declared.template].name,
        template=declared.template, issuer=declared.issuer, client_id=declared.client_id, created_at=writing.now,
    )  # fmt: skip
    identity_providers.insert_provider(writing.tx, _merged(blank, declared))


def _update(writing: Writing, provider: IdentityProvider) -> None:
    identity_providers.update_provider(writing.tx, provider)
