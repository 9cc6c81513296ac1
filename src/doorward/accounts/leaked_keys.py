"""What becomes of keys that somebody found where others can read them: revoked at once, and their people told (C3, I14).

Whole keys only: an id, a shown prefix or a wrong secret ends nothing. Who reports learns nothing of what was good.
"""

from collections.abc import Iterable
from typing import Final

from doorward import audit
from doorward.accounts import notices
from doorward.accounts.ending_keys import whom
from doorward.credentials.api_keys import revoke_api_key
from doorward.credentials.authenticate import Unauthenticated, key_by_secret
from doorward.credentials.secret import Fingerprinter, well_formed
from doorward.mail.letters import KEY_LEAKED, Letter
from doorward.mail.outbox import Outbox
from doorward.model import ApiKey, Cause, Instant
from doorward.protocol.plain_text import is_visible
from doorward.storage import accounts
from doorward.storage.database import Reader, Transaction

MOST: Final = 100
"""Keys in one report."""
MAX_WHERE: Final = 300


def report(  # noqa: PLR0913
    tx: Transaction,
    texts: Iterable[str],
    *,
    where: str,
    fingerprinter: Fingerprinter,
    prefix: str,
    outbox: Outbox,
    public_url: str,
    now: Instant,
    cause: Cause,
) -> int:
    """Revoke each key that is reported, and tell its people; return how many were ended now (for the log)."""
    found = [_found(tx, text, fingerprinter, prefix, now) for text in dict.fromkeys(texts)]
    ended = 0
    # In one order, so that two reports never wait for each other in a circle.
    for key in sorted(
        {key.id: key for key in found if key is not None}.values(), key=lambda key: (key.tenant_id, key.id)
    ):
        if not revoke_api_key(
            tx, tenant_id=key.tenant_id, key_id=key.id, by=None, now=now, cause=cause
        ):  # fmt: skip
            continue
        ended += 1
        _tell(tx, key, where=_plain(where), outbox=outbox, public_url=public_url, now=now, cause=cause)
    return ended


def _found(reader: Reader, text: str, fingerprinter: Fingerprinter, prefix: str, now: Instant) -> ApiKey | None:
    if not well_formed(text, prefix):
        return None
    try:
        return key_by_secret(reader, fingerprinter.of(text), now)[0]
    except Unauthenticated:
        return None


def _tell(  # noqa: PLR0913
    tx: Transaction, key: ApiKey, *, where: str, outbox: Outbox, public_url: str, now: Instant, cause: Cause
) -> None:
    audit.record(
        tx, name="api_key:leaked", at=now, tenant_id=key.tenant_id, subject=key.id,
        detail={"name": key.name, "where": where}, cause=cause,
    )  # fmt: skip
    tenant = accounts.tenant_by_id(tx, key.tenant_id)
    detail = {"key": key.name, "tenant": "" if tenant is None else tenant.name, "where": where}
    for person in whom(tx, key):
        notices.tell(tx, person.id, notices.KEY_LEAKED, f"{key.id}-{person.id}", detail, now=now)
        letter = Letter(kind=KEY_LEAKED, to=person.email, detail=detail, url=f"{public_url}/settings/keys")
        outbox.post(tx, letter, now=now, tenant_id=key.tenant_id)


def _plain(where: str) -> str:
    """Return where it was found as it may stand in a log, a page and a mail: the reporter chose the words."""
    short = where.strip()[:MAX_WHERE]
    return short if short and is_visible(short) else "a place that the report does not name"
