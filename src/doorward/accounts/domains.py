"""Mail domains of tenants: said, proven, ruled by, and given up (feature E1; decision 0063).

Saying so has no effect. The proof is a DNS record that only whoever runs the domain can write, and that has to stay: it is
looked for again every day, and a record that is missing for a week takes the proof away. Where there is no DNS to ask, an
administrator of the deployment may answer for it, with a reason that is kept.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Final, NoReturn

from doorward import audit
from doorward.accounts.actors import OWNER, Actor, require_may_give
from doorward.credentials.secret import base64url
from doorward.model import SECOND, Entropy, IdentityProvider, Instant, MailDomain, Tenant
from doorward.protocol.mail_domain import domain_ok, record_name, record_value
from doorward.storage import identity_providers, mail_domains, permissions
from doorward.storage.database import Conflict, Database, Reader, Transaction
from doorward.web.dns_lookup import TextLookup, Unanswered
from doorward.web.words import iso

BY_DNS: Final = "dns"
AGAIN: Final = 24 * 3600 * SECOND
"""How often the record is looked for again."""
PATIENCE: Final = 7 * 24 * 3600 * SECOND
"""How long it may be missing."""
MAX_DOMAINS: Final = 100
"""Of one tenant."""
_CHALLENGE_BYTES: Final = 24
_LONGEST_REASON: Final = 200


class DomainRefused(Exception):  # noqa: N818  (what happened to the wish)
    """Nothing was changed. The message is for the person who asked."""


class DomainUnknown(DomainRefused):
    """The tenant has said nothing of this domain."""


def say(  # noqa: PLR0913
    tx: Transaction, actor: Actor, tenant: Tenant, domain: str, *, provider: str | None, join_role: str | None,
    now: Instant, entropy: Entropy,
) -> MailDomain:  # fmt: skip
    """Say that a domain is the tenant's and what holds for its people, or change that. Raises ``DomainRefused``.

    ``provider`` is a slug. Raises ``PeopleRefused`` where the actor may not do it, or not give that role.
    """
    authority = actor.authority(tx, tenant.id)
    if not domain_ok(domain):
        _refuse(f"{domain[:80]!r} is no mail domain. Write it like acme.example, in lower case.")
    through = None if provider is None else _provider(tx, provider, domain)
    _check_role(tx, tenant, join_role)
    if authority is not None and join_role is not None:
        require_may_give(tx, authority, tenant, frozenset({join_role}))
    stored = mail_domains.domain_of_tenant(tx, tenant.id, domain)
    wanted = replace(
        stored or _new(tx, tenant, domain, now, entropy), join_role=join_role,
        provider_id=None if through is None else through.id,
    )  # fmt: skip
    if stored is None:
        mail_domains.insert_domain(tx, wanted)
    elif wanted != stored:
        mail_domains.set_rules(tx, wanted)
    if wanted != stored:
        detail = {"by": actor.by, "provider": provider or "", "role": join_role or ""}
        _record(tx, "domain:changed", wanted, actor, detail, now)
    return wanted


def confirm(tx: Transaction, actor: Actor, domain: MailDomain, *, why: str, now: Instant) -> None:
    """Have it proven by an administrator's word. Raises ``DomainRefused``."""
    if actor.user_id is not None or not 0 < len(why.strip()) <= _LONGEST_REASON or not why.isprintable():
        _refuse(f"only an administrator of the deployment may, with a reason of 1 to {_LONGEST_REASON} characters.")
    _prove(tx, actor, domain, f"by hand: {why.strip()}", now)


def remove(tx: Transaction, actor: Actor, tenant: Tenant, domain: str, *, now: Instant) -> None:
    """Give a domain up: its rules hold no more, from the next page on. Raises ``DomainRefused``."""
    actor.authority(tx, tenant.id)
    stored = mail_domains.domain_of_tenant(tx, tenant.id, domain)
    if stored is None or not mail_domains.remove_domain(tx, tenant.id, domain):
        raise DomainUnknown(f"{tenant.slug} has no domain {domain[:80]!r}.")
    _record(tx, "domain:removed", stored, actor, {"by": actor.by}, now)


def stored_domain(reader: Reader, tenant: Tenant, domain: str) -> MailDomain:
    """Return what a tenant says of a domain. Raises ``DomainRefused``."""
    found = mail_domains.domain_of_tenant(reader, tenant.id, domain)
    if found is None:
        raise DomainUnknown(f"{tenant.slug} has no domain {domain[:80]!r}. Say so first with `doorward domain add`.")
    return found


def described(reader: Reader, domain: MailDomain) -> dict[str, Any]:
    """Return a domain as the API and ``doorward domain list --json`` tell it."""
    through = None if domain.provider_id is None else identity_providers.provider_by_id(reader, domain.provider_id)
    return {
        "domain": domain.domain, "sso": None if through is None else through.slug, "join": domain.join_role,
        "proven_at": None if domain.proven_at is None else iso(domain.proven_at), "proven_by": domain.proven_by,
        "record": {"name": record_name(domain.domain), "type": "TXT", "value": record_value(domain.challenge)},
    }  # fmt: skip


async def texts_of(lookup: TextLookup, domain: MailDomain) -> list[str]:
    """Return what DNS says where the proof of a domain belongs. Raises ``DomainRefused`` where nobody answers."""
    name = record_name(domain.domain)
    try:
        return await lookup.texts(name)
    except Unanswered as unanswered:
        raise DomainRefused(f"{name} cannot be looked up ({unanswered}). Try again.") from unanswered


def prove_by(tx: Transaction, actor: Actor, domain: MailDomain, texts: Collection[str], *, now: Instant) -> None:
    """Have a domain proven by the texts at its record. Raises ``DomainRefused``."""
    actor.authority(tx, domain.tenant_id)
    name, value = record_name(domain.domain), record_value(domain.challenge)
    if value not in texts:
        _refuse(f"there is no TXT record at {name} that says {value}. Add it, wait until it is known, try again.")
    _prove(tx, actor, domain, BY_DNS, now)


class DomainProofs:
    """Looks for records, outside every transaction."""

    def __init__(self, *, database: Database, lookup: TextLookup, now: Callable[[], Instant]) -> None:
        self._database, self._lookup, self._now = database, lookup, now

    async def verify(self, actor: Actor, domain: MailDomain) -> None:
        """Have ``domain`` proven by its record. Raises ``DomainRefused``."""
        texts = await texts_of(self._lookup, domain)
        now = self._now()
        await self._database.write(lambda tx: prove_by(tx, actor, domain, texts, now=now))

    async def recheck(self) -> None:
        """Look again for the records of what was proven by them, those that were not looked for longest first."""
        before = Instant(self._now() - AGAIN)
        for domain in await self._database.read_long(lambda reader: mail_domains.due_domains(reader, before)):
            try:
                found = await self._lookup.texts(record_name(domain.domain))
            except Unanswered:
                # Nobody said that it is gone. It stays due.
                continue
            there = record_value(domain.challenge) in found
            await self._database.write(lambda tx, each=domain, there=there: self._looked(tx, each, there=there))  # type: ignore[misc]

    def _looked(self, tx: Transaction, domain: MailDomain, *, there: bool) -> None:
        now = self._now()
        since = None if there else Instant(domain.missing_since or now)
        if not mail_domains.checked(tx, domain, missing_since=since, now=now):
            return
        if since is not None and since + PATIENCE <= now:
            mail_domains.lapse(tx, replace(domain, missing_since=since))
            audit.record(
                tx, name="domain:lapsed", at=now, tenant_id=domain.tenant_id, subject=domain.domain, cause=None
            )


def _prove(tx: Transaction, actor: Actor, domain: MailDomain, by: str, now: Instant) -> None:
    try:
        proven = mail_domains.prove_domain(tx, domain, by=by, now=now)
    except Conflict:
        _refuse(f"another tenant has proven {domain.domain}. It has to give it up first.")
    if proven:
        _record(tx, "domain:proven", domain, actor, {"by": actor.by, "how": by}, now)


def _new(tx: Transaction, tenant: Tenant, domain: str, now: Instant, entropy: Entropy) -> MailDomain:
    if len(mail_domains.domains_of_tenant(tx, tenant.id)) >= MAX_DOMAINS:
        _refuse(f"{tenant.slug} has {MAX_DOMAINS} domains. Remove one first.")
    challenge = base64url(entropy(_CHALLENGE_BYTES))
    return MailDomain(tenant_id=tenant.id, domain=domain, challenge=challenge, created_at=now)


def _provider(reader: Reader, slug: str, domain: str) -> IdentityProvider:
    found = identity_providers.provider_by_slug(reader, slug)
    if found is None:
        _refuse(f"there is no provider {slug[:80]!r}. See `doorward provider list`.")
    if domain not in found.domains:
        # Else nobody could ever be recognised there who has to come that way.
        _refuse(
            f"the operator has not said that {slug} speaks for {domain}. Add it to the provider's `domains` and apply."
        )
    return found


def _check_role(reader: Reader, tenant: Tenant, role: str | None) -> None:
    if role is None:
        return
    known = [each.name for each in permissions.roles_of_tenant(reader, tenant.id)]
    if role == OWNER or role not in known:
        others = ", ".join(sorted(set(known) - {OWNER}))
        _refuse(f"nobody joins with the role {role[:80]!r}. Choose one of: {others}.")


def _record(
    tx: Transaction, name: str, domain: MailDomain, actor: Actor, detail: dict[str, str], now: Instant
) -> None:  # fmt: skip
    audit.record(
        tx, name=name, at=now, tenant_id=domain.tenant_id, actor_id=actor.user_id, subject=domain.domain, detail=detail,
        cause=actor.cause,
    )  # fmt: skip


def _refuse(message: str) -> NoReturn:
    raise DomainRefused(message)
