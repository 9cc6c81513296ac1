"""Two nodes get the same request with the same Idempotency-Key at the same moment: it is done once, in both dialects."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest

from doorward.api.call import Caller
from doorward.api.once import Once, Ticket
from doorward.api.problems import Problem
from doorward.api.route import ONESELF, ApiRoute
from doorward.api.shapes import Anything
from doorward.credentials.secret import Fingerprinter
from doorward.model import Instant, UserId
from doorward.storage import accounts
from doorward.storage.database import Database, Transaction
from doorward.storage.statements import Statement
from doorward.vault import Sealer
from support.rows import ALICE, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F4")]
ROUTE = ApiRoute(
    method="POST", path="/api/v1/things", name="things.create", says="Make.", needs=ONESELF, use=lambda call: call,
    answer=Anything(), secrets=("secret",),
)  # fmt: skip
ROUNDS = 12


def node() -> Once:
    return Once(sealer=Sealer(b"s" * 32), entropy=os.urandom, fingerprinter=Fingerprinter(b"f" * 32))


def ticket(number: int, body: bytes = b"{}") -> Ticket:
    return node().ticket(Caller(user_id=ALICE.id), ROUTE, f"k-{number}", ("/api/v1/things", "", body))


def doing(once: Once, which: Ticket, now: Instant = NOW) -> Any:
    """Return a use case that adds a user and tells who it is, once."""

    def work(tx: Transaction) -> tuple[bool, Any]:
        kept = once.before(tx, which, now)
        if kept is not None:
            return False, kept[1]
        made = f"u-{os.urandom(6).hex()}"
        accounts.insert_user(tx, replace(ALICE, id=UserId(made), email=f"{made}@acme.test"), None)
        once.keep(tx, which, ROUTE, {"id": made, "secret": "s3cret"})
        return True, {"id": made, "secret": "s3cret"}

    return work


async def tried(database: Database, work: Any) -> Any:
    try:
        return await database.write(work)
    except Problem as problem:
        return problem


async def test_two_nodes_do_it_once(database: Database, second: Database) -> None:
    for number in range(ROUNDS):
        one, other = await asyncio.gather(
            tried(database, doing(node(), ticket(number))), tried(second, doing(node(), ticket(number)))
        )
        done = [each for each in (one, other) if not isinstance(each, Problem) and each[0]]
        assert len(done) == 1, (one, other)
        for each in (one, other):
            if isinstance(each, Problem):
                assert each.status == 409
            else:
                assert each[1]["id"] == done[0][1]["id"]
        again, body = await second.write(doing(node(), ticket(number)))
        assert (again, body) == (False, {"id": done[0][1]["id"], "secret": None})
    assert len(await database.read_long(accounts.all_users)) == ROUNDS


async def test_what_fails_is_nobodys_turn(database: Database, second: Database) -> None:
    def fails(tx: Transaction) -> None:
        doing(node(), ticket(1))(tx)
        raise ValueError("after the change")

    with pytest.raises(ValueError, match="after"):
        await database.write(fails)
    assert (await second.write(doing(node(), ticket(1))))[0], "both were undone"
    assert len(await database.read_long(accounts.all_users)) == 1


async def test_another_request_by_the_same_key_is_told(database: Database) -> None:
    await database.write(doing(node(), ticket(1)))
    refused = await tried(database, doing(node(), ticket(1, b'{"a":1}')))
    assert isinstance(refused, Problem)
    assert (refused.status, refused.fault and refused.fault.code) == (422, "DW-462")


async def test_a_kept_answer_opens_at_its_own_place_only(database: Database) -> None:
    """Whoever can write to the database cannot give one caller another's answer (N1)."""
    await database.write(doing(node(), ticket(1)))
    await database.write(doing(node(), ticket(2)))
    names = [str(ticket(number).name) for number in (1, 2)]
    swap = Statement(
        "UPDATE api_answers SET sealed = (SELECT other.sealed FROM api_answers other WHERE other.name = :two)"
        " WHERE name = :one"
    )
    await database.write(lambda tx: tx.run(swap, {"one": names[0], "two": names[1]}))
    refused = await tried(database, doing(node(), ticket(1)))
    assert isinstance(refused, Problem)
    assert refused.status == 422
