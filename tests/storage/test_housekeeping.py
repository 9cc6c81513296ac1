"""What is forgotten, and what is not: unused registrations (E8, C18), tombstones (C16), and what outlived its time."""

from dataclasses import replace

import pytest

from doorward.model import (
    Approval,
    ApprovalId,
    Approvers,
    ClientId,
    ClientKind,
    ConnectionId,
    CredentialKind,
    Fingerprint,
    Instant,
    RequestId,
    SessionId,
    Status,
)
from doorward.storage import approvals, claims, clients, connections, device_requests, housekeeping, issued, sessions
from doorward.storage.database import Conflict, Database, Transaction
from doorward.storage.housekeeping import CHUNK, DAY, KINDS, UNUSED_KEPT, tidy
from doorward.storage.statements import Statement
from support.rows import (
    ACME,
    ALICE,
    CLIENT,
    CODE,
    CONNECTION,
    DEVICE,
    HARBOUR,
    LATER,
    NOW,
    REFRESH,
    SESSION,
    store_deployment,
)

pytestmark = pytest.mark.anyio

STRANGER = replace(CLIENT, scope_limit=None)
WEEK_LATER = Instant(NOW + UNUSED_KEPT + 1)
NOTHING = {kind.name: 0 for kind in KINDS} | {"usage_hours": 0, "usage_sums": 0}


def register(tx: Transaction, name: str, **changed: object) -> None:
    client = replace(STRANGER, id=ClientId(name), **changed)  # type: ignore[arg-type]
    clients.insert_client(tx, client, canonical_key=name, secret_fingerprint=Fingerprint(f"secret of {name}"))


async def ids(database: Database) -> set[str]:
    return {row.id for row in await database.read(lambda reader: reader.all(Statement("SELECT id FROM clients")))}


async def rows(database: Database, table: str) -> int:
    count = Statement(f"SELECT count(*) AS count FROM {table}")
    return int((await database.read(lambda reader: reader.all(count)))[0].count)


async def test_E8_a_registration_that_nobody_used_for_a_week_is_forgotten(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        register(tx, "unused")
        register(tx, "young", created_at=Instant(NOW + 2))

    await database.write(fill)
    assert await tidy(database, Instant(NOW + UNUSED_KEPT)) == NOTHING
    assert await tidy(database, WEEK_LATER) == NOTHING | {"clients": 1}
    assert await ids(database) == {CLIENT.id, "young"}
    assert await rows(database, "client_secrets") == 1
    assert await tidy(database, WEEK_LATER) == NOTHING


async def test_E8_a_client_that_was_ever_used_is_never_forgotten(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        register(tx, "used")
        used = replace(CONNECTION, id=ConnectionId("n-used"), client_id=ClientId("used"))
        connections.insert_connection(tx, used)
        connections.activate_connection(tx, used.id, NOW)
        connections.revoke_connection(tx, used.id, LATER, "disconnected")

    await database.write(fill)
    assert (await tidy(database, Instant(NOW + 1000 * DAY)))["clients"] == 0
    assert "used" in await ids(database)


async def test_E8_what_an_administrator_said_of_a_client_is_not_forgotten(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        register(tx, "disabled", status=Status.DISABLED)
        register(tx, "limited", scope_limit=frozenset())
        register(tx, "declared", kind=ClientKind.REGISTERED)
        register(tx, "documented", kind=ClientKind.METADATA_DOCUMENT)

    await database.write(fill)
    assert await tidy(database, Instant(NOW + 1000 * DAY)) == NOTHING


async def test_a_client_that_registers_again_and_again_is_not_forgotten(database: Database) -> None:
    await database.write(lambda tx: register(tx, "again"))
    await database.write(lambda tx: clients.note_registration(tx, ClientId("again"), Instant(NOW + 6 * DAY)))
    assert await tidy(database, WEEK_LATER) == NOTHING
    found = await database.read(lambda reader: clients.registered_before(reader, "again"))
    assert found is not None
    assert found[1] == NOW + 6 * DAY
    assert (await tidy(database, Instant(NOW + 6 * DAY + UNUSED_KEPT + 1)))["clients"] == 1


async def test_many_are_forgotten_in_small_transactions(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        for number in range(2 * CHUNK + 5):
            register(tx, f"flood-{number}")

    await database.write(fill)
    assert (await tidy(database, WEEK_LATER))["clients"] == 2 * CHUNK + 5
    assert await ids(database) == set()


async def test_a_client_that_is_approved_while_it_would_be_forgotten_stays(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        register(tx, "late")

    await database.write(fill)
    times = {"now": WEEK_LATER, "day_ago": WEEK_LATER - DAY, "week_ago": NOW + 1}
    found = await database.read(lambda reader: housekeeping._find(reader, housekeeping.CLIENTS, times))
    assert [each["id"] for each in found] == ["late"]
    approved = replace(CONNECTION, id=ConnectionId("n-late"), client_id=ClientId("late"))
    await database.write(lambda tx: connections.insert_connection(tx, approved))
    assert await database.write(lambda tx: tx.run(housekeeping.CLIENTS.forget, found)) == 0
    with pytest.raises(Conflict):
        await database.write(lambda tx: tx.run(Statement("DELETE FROM clients WHERE id = 'late'")))


async def test_C16_used_codes_and_refresh_tokens_stay_until_their_connections_absolute_end(database: Database) -> None:
    end = Instant(NOW + 180 * DAY)

    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        for name, expires_at in (("n-long", end), ("n-ended", end)):
            connection = replace(CONNECTION, id=ConnectionId(name), expires_at=expires_at)
            connections.insert_connection(tx, connection)
            code = replace(CODE, fingerprint=Fingerprint(f"code of {name}"), connection_id=connection.id)
            token = replace(REFRESH, fingerprint=Fingerprint(f"token of {name}"), connection_id=connection.id)
            issued.insert_code(tx, code)
            issued.insert_refresh_token(tx, token)
            issued.use_code(tx, code.fingerprint, NOW)
            issued.use_refresh_token(tx, token.fingerprint, NOW)
        connections.revoke_connection(tx, ConnectionId("n-ended"), LATER, "replay")

    await database.write(fill)
    assert await tidy(database, end) == NOTHING
    assert await database.read(
        lambda reader: issued.refresh_token_by_fingerprint(reader, Fingerprint("token of n-ended"))
    )
    assert await tidy(database, Instant(end + 1)) == NOTHING | {"codes": 2, "refresh_tokens": 2}
    assert await rows(database, "connections") == 3


async def test_what_has_outlived_its_time_is_forgotten(database: Database) -> None:
    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        long = replace(CONNECTION, id=ConnectionId("n-long"), expires_at=Instant(NOW + 180 * DAY))
        connections.insert_connection(tx, long)
        issued.insert_code(tx, replace(CODE, connection_id=long.id))
        sessions.insert_session(tx, SESSION)
        month = Instant(NOW + 30 * DAY)
        signed_out = replace(
            SESSION, id=SessionId("ended"), fingerprint=Fingerprint("ended"), expires_at=month, idle_until=month
        )
        sessions.insert_session(tx, signed_out)
        sessions.insert_session(tx, replace(signed_out, id=SessionId("open"), fingerprint=Fingerprint("open")))
        sessions.end_session(tx, signed_out.id, LATER)
        claims.claim_request(tx, RequestId("request"), NOW, LATER)
        issued.revoke_access_token(tx, "jti", CONNECTION.id, LATER)
        clients.use_assertion(tx, CLIENT.id, "jti", now=NOW, expires_at=LATER)
        device_requests.insert_device_request(tx, DEVICE)

    await database.write(fill)
    assert await tidy(database, LATER) == NOTHING
    short = {"sessions": 1, "claimed_requests": 1, "revoked_access_tokens": 1, "used_assertions": 1}
    assert await tidy(database, Instant(LATER + 1)) == NOTHING | short
    assert await tidy(database, Instant(LATER + DAY + 1)) == NOTHING | {"codes": 1, "sessions": 1, "device_requests": 1}
    assert await rows(database, "sessions") == 1


@pytest.mark.requirement("D8")
async def test_approvals_are_kept_a_month_and_those_that_nobody_decided_a_day(database: Database) -> None:
    row = Approval(
        id=ApprovalId("ap_decided"), tenant_id=ACME.id, user_id=ALICE.id, credential=CredentialKind.API_KEY,
        credential_id="k", credential_name="k", client_id=None, server_id=HARBOUR.id, tool="t", digest="d",
        description="", arguments_hash="h", arguments="sealed", approvers=Approvers(), created_at=NOW, expires_at=LATER,
        decided_at=NOW, approved=True, rounds=1, used_at=NOW,
    )  # fmt: skip
    ignored = replace(row, id=ApprovalId("ap_ignored"), decided_at=None, approved=False, rounds=0, used_at=None)

    def fill(tx: Transaction) -> None:
        store_deployment(tx)
        for each in (row, ignored):
            approvals.insert_approval(tx, each)

    await database.write(fill)
    assert (await tidy(database, Instant(LATER + DAY)))["approvals"] == 0
    assert (await tidy(database, Instant(LATER + DAY + 1)))["approvals"] == 1
    assert await database.read(lambda reader: approvals.approval_by_id(reader, row.id)) == row
    assert (await tidy(database, Instant(LATER + 30 * DAY)))["approvals"] == 0
    assert (await tidy(database, Instant(LATER + 30 * DAY + 1)))["approvals"] == 1
