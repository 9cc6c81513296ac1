"""Telling people that a key of theirs is about to end, in time to rotate it: a notice on their pages, and a mail (C8).

Seven days before and one day before, each once per key and end: a key that is rotated and gets another end is told of
anew. Of two nodes that look at once, the one whose change of the row counts is the one that tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from doorward.accounts import notices
from doorward.credentials.key_expiry import moment
from doorward.mail.letters import KEY_ENDING, Letter
from doorward.mail.outbox import Outbox
from doorward.model import ApiKey, Instant, OwnerKind, Status, User
from doorward.storage import accounts, api_key_lists
from doorward.storage.database import Database, Reader, Transaction

MARKS: Final = (7, 1)
"""Days before the end. A key that was made for no longer than that is not told of."""
MOST: Final = 200
"""Keys in one look; the next look finds the others."""


@dataclass(frozen=True, slots=True)
class NearEnd:
    """A key that ends within ``days``, of which nobody has been told yet."""

    key: ApiKey
    days: int


def keys_near_expiry(reader: Reader, now: Instant, most: int = MOST) -> list[NearEnd]:
    """Return whom of to tell now: each key once, by the nearest mark that it has passed."""
    found: dict[str, NearEnd] = {}
    for days in MARKS:
        for key in api_key_lists.ending_keys(reader, now=now, days=days, most=most):
            found[key.id] = NearEnd(key, days)
    return list(found.values())


def tell(tx: Transaction, near: NearEnd, *, outbox: Outbox, public_url: str, now: Instant) -> bool:
    """Have its people told. False where they were told meanwhile, or the key is not as it was."""
    key = near.key
    if key.expires_at is None or not api_key_lists.told_of_end(tx, key, days=near.days):
        return False
    tenant = accounts.tenant_by_id(tx, key.tenant_id)
    detail = {"key": key.name, "tenant": "" if tenant is None else tenant.name, "until": moment(key.expires_at)}
    for person in whom(tx, key):
        about = f"{key.id}-{key.expires_at}-{near.days}-{person.id}"
        notices.tell(tx, person.id, notices.KEY_ENDING, about, detail, now=now)
        letter = Letter(kind=KEY_ENDING, to=person.email, detail=detail, url=f"{public_url}/settings/keys")
        outbox.post(tx, letter, now=now, useless_at=key.expires_at, tenant_id=key.tenant_id)
    return True


def whom(reader: Reader, key: ApiKey) -> list[User]:
    """Return who looks after a key: its owner; of a service account whoever made the key, else the tenant's owners."""
    for user_id in (key.user_id, key.created_by):
        user = accounts.user_by_id(reader, user_id)
        if user is not None and _reads(user):
            return [user]
    members = accounts.members_of_tenant(reader, key.tenant_id)
    return [user for user, membership in members if "owner" in membership.roles and _reads(user)]


def _reads(user: User) -> bool:
    return user.kind is OwnerKind.PERSON and user.status is Status.ACTIVE


async def tell_all(database: Database, *, outbox: Outbox, public_url: str, now: Callable[[], Instant]) -> int:
    """Tell of all keys that are near their end; return of how many. Raises ``StorageUnavailable``."""
    at, told = now(), 0
    for near in await database.read_long(lambda reader: keys_near_expiry(reader, at)):
        told += await database.write(partial(tell, near=near, outbox=outbox, public_url=public_url, now=at))
    return told
