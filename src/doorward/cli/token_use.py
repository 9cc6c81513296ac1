"""From the words of ``doorward token`` to the records that the use cases take."""

from collections.abc import Sequence
from dataclasses import dataclass

from doorward.cli.errors import CommandFailed
from doorward.credentials.api_keys import CreatedKey, KeyRefused, create_api_key, revoke_api_key
from doorward.credentials.secret import KEY_ID_LENGTH, Fingerprinter
from doorward.model import ApiKey, ApiKeyId, Entropy, Instant, Permission, ResourceId, Tenant, User
from doorward.policy.permission import expand
from doorward.storage import accounts, api_keys, permissions
from doorward.storage.database import Reader, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """The options of ``token create``."""

    user: str
    tenant: str | None
    name: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...]


def make_key(  # noqa: PLR0913  (a use case's collaborators)
    tx: Transaction,
    wish: KeyWish,
    until: Instant | None,
    *,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    prefix: str,
) -> tuple[str, CreatedKey]:
    """Make the key and return it with its tenant's slug. Raises ``CommandFailed``."""
    owner = accounts.user_by_email(tx, wish.user.strip().lower())
    if owner is None:
        raise CommandFailed(f"there is no user {wish.user!r}. Declare one with `doorward apply`.")
    tenant = _tenant(tx, owner, wish.tenant)
    catalogue = [entry.permission for entry in permissions.catalogue(tx)]
    rights = expand(permissions.permissions_anywhere(tx, tenant.id, owner.id), catalogue)
    try:
        made = create_api_key(
            tx,
            owner=owner,
            tenant=tenant,
            created_by=owner.id,
            name=wish.name,
            scopes=_scopes(wish.scopes, rights),
            resources=_resources(tx, tenant, wish.resources),
            expires_at=until,
            rights=rights,
            now=now,
            entropy=entropy,
            fingerprinter=fingerprinter,
            prefix=prefix,
        )
    except KeyRefused as wrong:
        raise CommandFailed(f"no key was made: {wrong.public}") from wrong
    return tenant.slug, made


def revoke_key(tx: Transaction, text: str, *, now: Instant) -> tuple[ApiKey, bool]:
    """End the key with this id, or whose shown prefix this is. False where it was ended before."""
    key_id = ApiKeyId(text.rpartition("_")[2][:KEY_ID_LENGTH])
    for tenant in accounts.all_tenants(tx):
        key = api_keys.api_key_by_id(tx, tenant.id, key_id)
        if key is not None:
            return key, revoke_api_key(tx, tenant_id=tenant.id, key_id=key.id, by=None, now=now)
    raise CommandFailed("there is no such key. Give the id that `doorward token create` printed.")


def _tenant(reader: Reader, owner: User, slug: str | None) -> Tenant:
    """Return the named tenant, or the owner's only one (ruling 16)."""
    own = [tenant for tenant, _ in accounts.memberships_of_user(reader, owner.id)]
    slugs = ", ".join(tenant.slug for tenant in own)
    if not own:
        raise CommandFailed(f"{owner.email} belongs to no active tenant. Make them a member with `doorward apply`.")
    if slug is None and len(own) > 1:
        raise CommandFailed(f"{owner.email} belongs to several tenants. Choose with --tenant: {slugs}.")
    found = own[0] if slug is None else next((tenant for tenant in own if tenant.slug == slug), None)
    if found is None:
        raise CommandFailed(f"{owner.email} does not belong to tenant {slug!r}. Choose with --tenant: {slugs}.")
    return found


def _scopes(texts: Sequence[str], rights: frozenset[Permission]) -> frozenset[Permission] | None:
    """Return what is asked for, wildcards expanded to what the owner may do; None for everything."""
    if not texts:
        return None
    scopes: set[Permission] = set()
    for text in texts:
        covered = expand([text], rights)
        if not covered:
            raise CommandFailed(f"the owner may not do {text!r}. They may: {' '.join(sorted(rights)) or 'nothing'}.")
        scopes |= covered
    return frozenset(scopes)


def _resources(reader: Reader, tenant: Tenant, texts: Sequence[str]) -> frozenset[ResourceId] | None:
    if not texts:
        return None
    ids = {(node.type, node.key): node.id for node in permissions.resources_of_tenant(reader, tenant.id)}
    found = set()
    for text in texts:
        kind, slash, key = text.partition("/")
        if not slash or (kind, key) not in ids:
            raise CommandFailed(f"there is no resource {text!r} in {tenant.slug}. Write TYPE/KEY, like project/alpha.")
        found.add(ids[kind, key])
    return frozenset(found)
