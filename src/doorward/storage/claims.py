"""Requests that are answered once: whoever claims one first."""

from typing import Final

import sqlalchemy as sa

from doorward.model import Instant, RequestId
from doorward.storage.database import Transaction
from doorward.storage.schema import claimed_requests
from doorward.storage.statements import delete, insert_if_absent

_FORGET_REQUESTS: Final = delete(claimed_requests, claimed_requests.c.expires_at < sa.bindparam("now"))
_CLAIM: Final = insert_if_absent(claimed_requests)


def claim_request(tx: Transaction, request_id: RequestId, now: Instant, expires_at: Instant) -> bool:
    """Say True exactly once per id: an approved form answers once (G5).

    The claim is forgotten after ``expires_at``; the request itself must not be accepted any more then.
    """
    tx.run(_FORGET_REQUESTS, {"now": now})
    return tx.run(_CLAIM, {"id": request_id, "expires_at": expires_at}) == 1
