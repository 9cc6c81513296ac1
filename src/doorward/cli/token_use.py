"""From the words of ``doorward token`` to the records that the use cases take."""

from collections.abc import Sequence

from doorward.cli.errors import CommandFailed
from doorward.cli.named import user_of
from doorward.credentials.api_keys import CreatedKey, KeyRefused
from doorward.credentials.key_makers import OPERATOR
from doorward.credentials.key_wishes import KeyWish, issue_key
from doorward.credentials.secret import KEY_ID_LENGTH, Fingerprinter
from doorward.model import ApiKey, ApiKeyId, Entropy, Instant, Tenant, User
from doorward.storage import accounts, api_keys
from doorward.storage.database import Reader, Transaction


def make_key(  # noqa: PLR0913  (a use case's collaborators)
    tx: Transaction,
    wish: KeyWish,
    slug: str | None,
    *,
    now: Instant,
    entropy: Entropy,
    fingerprinter: Fingerprinter,
    prefix: str,
) -> tuple[str, CreatedKey]:
    """Make the key and return it with its tenant's slug. Raises ``CommandFailed``."""
    owner = user_of(tx, wish.owner or "")
    tenant = _tenant(tx, owner, slug)
    try:
        issued = issue_key(
            tx,
            wish,
            tenant=tenant,
            maker=OPERATOR,
            now=now,
            entropy=entropy,
            fingerprinter=fingerprinter,
            prefix=prefix,
            cause=None,
        )
    except KeyRefused as wrong:
        raise CommandFailed(f"no key was made: {wrong.public}") from wrong
    return tenant.slug, issued.created


def find_key(reader: Reader, text: str) -> tuple[ApiKey, Tenant]:
    """Return the key with this id, or whose shown prefix this is, and its tenant. Raises ``CommandFailed``."""
    key = api_keys.api_key_anywhere(reader, ApiKeyId(text.rpartition("_")[2][:KEY_ID_LENGTH]))
    tenant = None if key is None else accounts.tenant_by_id(reader, key.tenant_id)
    if key is None or tenant is None:
        raise CommandFailed("there is no such key. Give the id that `doorward token create` printed.")
    return key, tenant


def pairs_of(texts: Sequence[str]) -> tuple[tuple[str, str], ...] | None:
    """Return ``TYPE/KEY`` as pairs, None for none. Raises ``CommandFailed``."""
    pairs = []
    for text in texts:
        kind, slash, key = text.partition("/")
        if not slash:
            raise CommandFailed(f"there is no resource {text[:80]!r}. Write TYPE/KEY, like project/alpha.")
        pairs.append((kind, key))
    return tuple(pairs) or None


def _tenant(reader: Reader, owner: User, slug: str | None) -> Tenant:
    """Return the named tenant, or the owner's only one (decision 0077.16)."""
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
