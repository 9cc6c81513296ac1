"""What may happen once happens once, whoever asks at the same time (C4, C17)."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from doorward.model import ConnectionId, Fingerprint, Instant, Invitation, Link, LinkKind, RefreshToken, RequestId
from doorward.storage import api_keys, claims, connections, device_requests, invitations, issued, links
from doorward.storage.database import Database, Transaction
from support.rows import (
    ACME,
    ALICE,
    CODE,
    CONNECTION,
    DEVICE,
    KEY,
    LATER,
    NOW,
    REFRESH,
    refresh_token,
    store_deployment,
)

pytestmark = pytest.mark.anyio

ROUNDS = 20
CALLERS = 50


async def winners(
    databases: tuple[Database, Database], use_case: Callable[[Transaction], bool], callers: int = CALLERS
) -> int:
    """Let all call at once, half of them from another program; return how many were told that they did it."""
    calls: list[Awaitable[bool]] = [databases[number % 2].write(use_case) for number in range(callers)]
    return sum(await asyncio.gather(*calls))


async def test_a_code_is_redeemed_once(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    for number in range(ROUNDS):
        code = replace(CODE, fingerprint=Fingerprint(f"code-{number}"))
        await database.write(lambda tx, code=code: issued.insert_code(tx, code))  # type: ignore[misc]

        def redeem(tx: Transaction, fingerprint: Fingerprint = code.fingerprint) -> bool:
            found = issued.code_by_fingerprint(tx, fingerprint)
            assert found is not None
            return issued.use_code(tx, fingerprint, NOW)

        assert await winners((database, second), redeem) == 1


async def test_C31_a_device_request_is_answered_once_and_redeemed_once(database: Database, second: Database) -> None:
    early = Instant(LATER - 1)
    for number in range(5):
        request = replace(
            DEVICE, id=RequestId(f"req-{number}"), device_code=Fingerprint(f"d{number}"), user_code=Fingerprint(f"u{number}")
        )  # fmt: skip
        assert await database.write(lambda tx, request=request: device_requests.insert_device_request(tx, request))  # type: ignore[misc]
        assert not await second.write(lambda tx, request=request: device_requests.insert_device_request(tx, request))  # type: ignore[misc]

        def answer(tx: Transaction, name: RequestId = request.id) -> bool:
            return device_requests.answer_device_request(tx, name, ConnectionId("n-1"), early)

        def deny(tx: Transaction, name: RequestId = request.id) -> bool:
            return device_requests.answer_device_request(tx, name, None, early)

        def use(tx: Transaction, name: RequestId = request.id) -> bool:
            return device_requests.use_device_request(tx, name, early)

        assert await winners((database, second), answer) == 1
        assert await winners((database, second), deny, 4) == 0
        assert await winners((database, second), use) == 1
        found = await database.read(lambda r, name=request.id: device_requests.device_request_by_id(r, name))  # type: ignore[misc]
        assert found == replace(request, answered_at=early, connection_id=ConnectionId("n-1"), used_at=early)
    late = replace(DEVICE, id=RequestId("late"), device_code=Fingerprint("dl"), user_code=Fingerprint("ul"))
    await database.write(lambda tx: device_requests.insert_device_request(tx, late))
    assert not await database.write(lambda tx: device_requests.answer_device_request(tx, late.id, None, LATER))


async def test_a_refresh_token_is_exchanged_once_and_has_one_successor(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: issued.insert_refresh_token(tx, REFRESH))
    for number in range(ROUNDS):
        token, successor = refresh_token(number), refresh_token(number + 1, parent=number)

        def rotate(tx: Transaction, old: Fingerprint = token.fingerprint, new: RefreshToken = successor) -> bool:
            if not issued.use_refresh_token(tx, old, NOW):
                return False
            assert issued.insert_refresh_token(tx, new)
            return True

        assert await winners((database, second), rotate) == 1
    tokens = [await _stored(database, number) for number in range(ROUNDS + 1)]
    assert [token.used_at for token in tokens] == [NOW] * ROUNDS + [None]


async def _stored(database: Database, number: int) -> RefreshToken:
    fingerprint = refresh_token(number).fingerprint
    found = await database.read(lambda r: issued.refresh_token_by_fingerprint(r, fingerprint))
    assert found is not None
    return found


async def test_a_request_a_key_and_a_connection_end_once(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, KEY))
    both = (database, second)
    assert await winners(both, lambda tx: claims.claim_request(tx, RequestId("r"), NOW, LATER)) == 1
    assert await winners(both, lambda tx: connections.activate_connection(tx, CONNECTION.id, NOW)) == 1
    assert await winners(both, lambda tx: connections.revoke_connection(tx, CONNECTION.id, NOW, "x")) == 1
    assert await winners(both, lambda tx: api_keys.revoke_api_key(tx, ACME.id, KEY.id, Instant(NOW))) == 1
    assert await winners(both, lambda tx: issued.insert_refresh_token(tx, REFRESH)) == 1


async def test_H8_a_link_from_a_mail_is_used_once(database: Database, second: Database) -> None:
    link = Link(
        id="lnk-1", kind=LinkKind.SIGN_IN, fingerprint=Fingerprint("link"), user_id=ALICE.id, email=ALICE.email,
        created_at=NOW, expires_at=LATER,
    )  # fmt: skip
    await database.write(store_deployment)
    await database.write(lambda tx: links.insert_link(tx, link))
    assert not await database.write(lambda tx: links.use_link(tx, link.id, LATER))
    assert await winners((database, second), lambda tx: links.use_link(tx, link.id, NOW)) == 1


async def test_an_invitation_is_accepted_or_revoked_once(database: Database, second: Database) -> None:
    await database.write(store_deployment)
    for number in range(5):
        one = Invitation(
            id=f"inv-{number}", tenant_id=ACME.id, email="new@acme.test", roles=("viewer",), created_at=NOW, sent_at=NOW,
            expires_at=LATER,
        )  # fmt: skip
        await database.write(lambda tx, one=one: invitations.insert_invitation(tx, one))  # type: ignore[misc]

        def decide(tx: Transaction, name: str = one.id) -> bool:
            change = invitations.accept_invitation if os.urandom(1)[0] % 2 else invitations.revoke_invitation
            return change(tx, name, NOW)

        assert await winners((database, second), decide) == 1
        found = await database.read(lambda reader, name=one.id: invitations.invitation_by_id(reader, name))  # type: ignore[misc]
        assert found is not None
        assert (found.accepted_at is None) != (found.revoked_at is None)


async def test_no_more_mails_are_caused_than_the_hour_allows(database: Database, second: Database) -> None:
    def spend(tx: Transaction) -> bool:
        return links.spend(tx, Fingerprint("mails to x"), LATER, most=7)

    assert await winners((database, second), spend) == 7
    assert await database.read(lambda reader: links.spent(reader, Fingerprint("mails to x"), LATER)) == 7
