"""What ``doorward apply`` does: plan the changes that a document asks for, and make them all or none.

A plan is made from stored state; making it plans again inside the transaction, so that nothing depends on what was
seen before it. Entries that a document does not name stay as they are; lists of plain values (a member's roles, a
role's permissions, a tenant's servers, a server's paths and its rules of one kind) are replaced where they are named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward import audit
from doorward.accounts.passwords import PasswordPool
from doorward.credentials.secret import Fingerprinter
from doorward.model import Entropy, Instant
from doorward.provisioning.change import Change, IssuedSecret, PasswordChange, Writing
from doorward.provisioning.document import Document
from doorward.provisioning.plan_catalogue import plan_catalogue
from doorward.provisioning.plan_clients import plan_clients
from doorward.provisioning.plan_overrides import plan_overrides
from doorward.provisioning.plan_placements import plan_placements
from doorward.provisioning.plan_providers import plan_providers
from doorward.provisioning.plan_servers import merged_servers, plan_servers
from doorward.provisioning.plan_tenants import plan_tenant
from doorward.provisioning.plan_tree import plan_tree
from doorward.provisioning.plan_trust import plan_trust
from doorward.provisioning.plan_users import plan_users
from doorward.provisioning.watched import Advance, Watched, unheard, unwatched
from doorward.storage import accounts
from doorward.storage.database import Database, Reader, Transaction

_ACTOR = "doorward apply"


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in the order they are made; none where everything is as the document says."""

    changes: tuple[Change, ...]

    @property
    def lines(self) -> list[str]:
        """One line for each change, for people."""
        return [change.text for change in self.changes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was done, and the secrets that are shown now or never."""

    lines: list[str]
    issued: list[IssuedSecret]


def plan(reader: Reader, document: Document, passwords: Mapping[str, PasswordChange]) -> Plan:
    """Return what has to change. Raises ``DocumentError`` where the document does not fit what is stored."""
    servers = merged_servers(reader, document)
    changes, catalogue = plan_catalogue(reader, document, servers)
    changes += plan_servers(reader, servers)
    changes += plan_users(reader, document, passwords)
    changes += plan_providers(reader, document)
    for tenant in document.tenants:
        changes += plan_tenant(reader, tenant, document, catalogue)
        changes += plan_tree(reader, tenant)
        changes += plan_placements(reader, tenant)
        changes += plan_overrides(reader, tenant, document, catalogue)
        changes += plan_clients(reader, tenant, document, catalogue)
        changes += plan_trust(reader, tenant, document)
    return Plan(tuple(changes))


def execute(  # noqa: PLR0913  (what changes are made with, and who looks on)
    tx: Transaction,
    document: Document,
    passwords: Mapping[str, PasswordChange],
    *,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    watched: Watched = unwatched,
) -> Applied:
    """Make every change, with one audit event each, or none at all. Raises ``DocumentError``.

    ``watched(count)`` is entered for as long as that many changes are made, and is told how many are.
    """
    _lock(tx, document)
    changes = plan(tx, document, passwords).changes
    writing = Writing(tx=tx, now=now, entropy=entropy, fingerprinter=fingerprinter, passwords=passwords)
    with watched(len(changes)) as advance:
        for done, change in enumerate(changes, 1):
            change.run(writing)
            _record(writing, change)
            advance(done)
    return Applied(lines=[change.text for change in changes], issued=writing.issued)


def passwords_in(document: Document) -> int:
    """Return how many passwords ``check_passwords`` looks at; each takes a while."""
    return sum(user.password is not None for user in document.users)


async def check_passwords(
    database: Database, document: Document, pool: PasswordPool, advance: Advance = unheard
) -> dict[str, PasswordChange]:
    """Return, by e-mail address, the passwords that are not the stored ones, hashed. Runs outside any transaction.

    ``advance(done)`` is told how many were looked at.
    """
    changed: dict[str, PasswordChange] = {}
    named = [(user.email, user.password) for user in document.users if user.password is not None]
    for done, (email, password) in enumerate(named, 1):
        stored = await database.read(lambda reader, email=email: _stored_hash(reader, email))  # type: ignore[misc]
        if stored is None or not await pool.verify(stored, password):
            changed[email] = PasswordChange(expected=stored, new=await pool.hash(password))
        advance(done)
    return changed


def _stored_hash(reader: Reader, email: str) -> str | None:
    user = accounts.user_by_email(reader, email)
    return None if user is None else accounts.password_hash(reader, user.id)


def _lock(tx: Transaction, document: Document) -> None:
    # In one order, so that two documents never wait for each other.
    found = (accounts.tenant_by_slug(tx, declared.slug) for declared in document.tenants)
    for tenant_id in sorted(tenant.id for tenant in found if tenant is not None):
        tx.lock_tenant(tenant_id, for_rights=True)


def _record(writing: Writing, change: Change) -> None:
    if change.event is None:
        return
    tenant = None if change.tenant is None else accounts.tenant_by_slug(writing.tx, change.tenant)
    audit.record(
        writing.tx,
        name=change.event,
        at=writing.now,
        tenant_id=None if tenant is None else tenant.id,
        subject=change.subject,
        detail={"by": _ACTOR, "change": change.text},
        cause=None,
    )
