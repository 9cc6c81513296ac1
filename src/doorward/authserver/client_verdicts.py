"""Allowing and denying clients: what administrators do on their page, and the operator on the command line (B3).

A denial also ends what the client has (D3). An administrator's word holds in the tenant; only the operator's holds in
the whole deployment, since nobody there administers more than a tenant (decision 0036).
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from doorward import audit
from doorward.accounts.notices import CLIENT_DENIED
from doorward.authserver import connections as lives
from doorward.authserver.admission import stored
from doorward.authserver.clients import ClientDirectory
from doorward.model import Cause, Client, ClientId, Connection, Instant, TenantId, UserId
from doorward.protocol import client_metadata, redirect_uri
from doorward.protocol.errors import OAuthError
from doorward.storage import accounts, client_verdicts, connections
from doorward.storage.client_verdicts import EVERYWHERE, Verdict, VerdictKind
from doorward.storage.database import Reader, Transaction

_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::[0-9]{1,5})?"
)

Living = Callable[[Reader, ClientId], list[Connection]]


class VerdictRefused(Exception):  # noqa: N818  (an answer)
    """Nothing was decided. The message is cause and fix, for whoever decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What is said, where (a tenant, or ``EVERYWHERE``), by whom (None: the operator), when and by which request."""

    allowed: bool
    tenant_id: TenantId
    by: UserId | None
    now: Instant
    cause: Cause | None


def decide_client(tx: Transaction, client_id: ClientId, word: Word, *, directory: ClientDirectory) -> int:
    """Allow or deny a client; return how many connections ended. Raises ``VerdictRefused``."""
    _lock(tx, word)
    client = _known(tx, client_id, directory)
    if client is not None and client.service_account is not None:
        raise VerdictRefused("This client acts by itself. Take its service account away with `doorward apply`.")
    return _put(tx, _verdict(VerdictKind.CLIENT, client_id, "", word), connections.living_of_client, word)


def decide_host(tx: Transaction, host: str, word: Word) -> int:
    """Allow or deny every client whose answers go to an https host. Raises ``VerdictRefused``."""
    if _HOST.fullmatch(host) is None:
        # Loopback and private schemes name no host: whatever runs on the person's computer answers there.
        raise VerdictRefused("Not the name of an https host. Write it like claude.ai, or allow the client itself.")
    _lock(tx, word)
    verdict = _verdict(VerdictKind.REDIRECT_HOST, ClientId(""), host, word)
    return _put(tx, verdict, lambda reader, _: connections.living_at_host(reader, host), word)


def decide_redirect(
    tx: Transaction, client_id: ClientId, uri: str, word: Word, *, directory: ClientDirectory,
    vendor_schemes: Collection[str],
) -> int:  # fmt: skip
    """Let a known client be answered at exactly this redirect URI too, or no more. Raises ``VerdictRefused``."""
    _lock(tx, word)
    client = _known(tx, client_id, directory)
    if client is None:
        raise VerdictRefused("There is no such client. Let it connect once first.")
    try:
        redirect_uri.registrable(uri, vendor_schemes)
    except OAuthError as wrong:
        raise VerdictRefused(f"{wrong.public} {wrong.fault.fix}") from wrong
    value = stored(client, uri)

    def answered_there(reader: Reader, of: ClientId) -> list[Connection]:
        return [each for each in connections.living_of_client(reader, of) if stored(client, each.redirect_uri) == value]

    return _put(tx, _verdict(VerdictKind.REDIRECT_URI, client_id, value, word), answered_there, word)


def _known(reader: Reader, client_id: ClientId, directory: ClientDirectory) -> Client | None:
    """Return the client; None for the URL of a document that nobody fetched yet."""
    client = directory.asking(reader, client_id)
    if client is None and not client_metadata.is_metadata_document_url(client_id):
        raise VerdictRefused("There is no such client. `doorward client list` shows those that are known.")
    return client


def _verdict(kind: VerdictKind, client_id: ClientId, value: str, word: Word) -> Verdict:
    return Verdict(
        tenant_id=word.tenant_id, kind=kind, client_id=client_id, value=value, allowed=word.allowed, decided_by=word.by,
        decided_at=word.now,
    )  # fmt: skip


def _put(tx: Transaction, verdict: Verdict, living: Living, word: Word) -> int:
    client_verdicts.put_verdict(tx, verdict)
    detail = {"kind": verdict.kind.value, "value": verdict.value}
    audit.record(
        tx, name="client:allowed" if verdict.allowed else "client:denied", at=verdict.decided_at,
        tenant_id=verdict.tenant_id or None, actor_id=verdict.decided_by, subject=verdict.client_id or verdict.value,
        detail=detail, cause=word.cause,
    )  # fmt: skip
    return 0 if verdict.allowed else _end(tx, verdict, living(tx, verdict.client_id), word.cause)


def _end(tx: Transaction, verdict: Verdict, living: list[Connection], cause: Cause | None) -> int:
    ended = 0
    for connection in living:
        if verdict.tenant_id in {EVERYWHERE, connection.tenant_id}:
            ended += lives.end(
                tx, connection, "client denied", by="denial", now=verdict.decided_at, actor_id=verdict.decided_by,
                notice=CLIENT_DENIED, cause=cause,
            )  # fmt: skip
    return ended


def _lock(tx: Transaction, word: Word) -> None:
    # Of everywhere: all, in one order. Otherwise an approval that was being written would outlive the denial.
    everywhere = word.tenant_id == EVERYWHERE
    for tenant_id in sorted(tenant.id for tenant in accounts.all_tenants(tx)) if everywhere else [word.tenant_id]:
        tx.lock_tenant(tenant_id, for_rights=True)
