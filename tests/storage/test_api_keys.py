"""Keys with all their sides, their old secrets, and lists of them that cost the same however long they are."""

import asyncio
import os
import time
from dataclasses import replace
from typing import Any

import pytest

from doorward.accounts import ending_keys
from doorward.credentials import key_changes, key_policies
from doorward.credentials.api_keys import revoke_api_key
from doorward.credentials.key_makers import OPERATOR, KeyRefused
from doorward.credentials.key_views import KeyViews
from doorward.credentials.key_wishes import KeyWish, issue_key
from doorward.credentials.secret import Fingerprinter
from doorward.mail.outbox import Outbox
from doorward.model import SECOND, ApiKey, ApiKeyId, Fingerprint, Instant, KeyMakers, KeyPolicy, NeverEnding, OldSecret
from doorward.storage import accounts, api_key_lists, api_keys, credential_days, housekeeping
from doorward.storage.api_key_lists import START, KeyState
from doorward.storage.database import Database, Reader, Transaction
from doorward.storage.statements import Statement
from doorward.vault import Sealer
from support.rows import ACME, ALICE, BOB, GLOBEX, HARBOUR, KEY, LATER, NOW, store_deployment

pytestmark = pytest.mark.anyio
DAY = 86_400 * SECOND
FULL = replace(
    KEY, servers=frozenset({HARBOUR.id}), networks=("203.0.113.0/24", "2001:db8::/32"), expires_at=LATER,
    rotated_at=NOW, disabled_at=NOW, disabled_by=BOB.id,
)  # fmt: skip


def old(number: int, ends_at: int) -> OldSecret:
    return OldSecret(
        fingerprint=Fingerprint(f"old-{number}"), key_id=KEY.id, tenant_id=ACME.id, last_four="abcd", replaced_at=NOW,
        ends_at=Instant(ends_at),
    )  # fmt: skip


async def test_a_key_comes_back_with_all_its_sides(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, FULL))
    assert await database.read(lambda r: api_keys.api_key_by_fingerprint(r, KEY.fingerprint)) == FULL
    assert await database.read(lambda r: api_keys.api_key_anywhere(r, KEY.id)) == FULL


async def test_what_a_tenant_says_of_its_keys_comes_back(database: Database) -> None:
    policy = KeyPolicy(max_days=90, never=NeverEnding.NOBODY, create=KeyMakers.PERMITTED)
    await database.write(lambda tx: accounts.insert_tenant(tx, replace(ACME, key_policy=policy)))
    await database.write(lambda tx: accounts.insert_tenant(tx, GLOBEX))
    found = await database.read(lambda r: [accounts.tenant_by_id(r, each.id) for each in (ACME, GLOBEX)])
    assert found == [replace(ACME, key_policy=policy), GLOBEX]
    await database.write(lambda tx: accounts.update_tenant(tx, ACME))
    assert await database.read(lambda r: accounts.tenant_by_id(r, ACME.id)) == ACME


async def test_old_secrets_end_at_the_latest_rotation_s_word(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, KEY))

    async def rotate(to: str, seen: str, gone: OldSecret) -> bool:
        fresh = replace(KEY, fingerprint=Fingerprint(to), last_four=to[-4:], rotated_at=NOW)
        return await database.write(lambda tx: api_keys.rotate_api_key(tx, fresh, seen=Fingerprint(seen), old=gone))

    assert await rotate("secret-2", "key-1", old(1, NOW + 50))
    assert not await rotate("secret-3", "key-1", old(2, NOW + 9))
    assert await rotate("secret-3", "secret-2", old(2, NOW + 30))
    kept = await database.read(lambda r: api_keys.old_secrets_of_key(r, KEY.id, Instant(NOW + 29)))
    assert {(each.fingerprint, each.ends_at) for each in kept} == {("old-1", NOW + 30), ("old-2", NOW + 30)}
    assert await database.read(lambda r: api_keys.old_secrets_of_key(r, KEY.id, Instant(NOW + 30))) == []
    found = await database.read(lambda r: api_keys.old_secret(r, Fingerprint("old-1")))
    assert found == old(1, NOW + 30)
    assert await database.read(lambda r: api_keys.old_secret(r, Fingerprint("none"))) is None


async def test_what_ended_long_ago_is_forgotten(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, KEY))
    await database.write(lambda tx: api_keys.rotate_api_key(tx, KEY, seen=KEY.fingerprint, old=old(1, NOW)))
    today = NOW // DAY
    await database.write(
        lambda tx: credential_days.count_calls(tx, [(KEY.id, today - age, 1, NOW) for age in (0, 29, 31, 32, 400)])
    )
    await housekeeping.tidy(database, Instant(NOW + DAY))
    assert await database.read(lambda r: api_keys.old_secret(r, Fingerprint("old-1"))) is not None
    done = await housekeeping.tidy(database, Instant(NOW + DAY + 1))
    assert done["old_key_secrets"] == 1
    assert await database.read(lambda r: api_keys.old_secret(r, Fingerprint("old-1"))) is None
    days = await database.read(lambda r: r.all(Statement("SELECT day FROM credential_days ORDER BY day")))
    assert [today - row.day for row in days] == [29, 0]


async def test_calls_add_up_by_day(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(lambda tx: api_keys.insert_api_key(tx, KEY))
    today = NOW // DAY
    for counts in (
        [(KEY.id, today, 2, NOW)],
        [],
        [(KEY.id, today, 3, LATER), (KEY.id, today - 29, 4, NOW), (KEY.id, today - 30, 100, NOW)],
    ):
        await database.write(lambda tx, counts=counts: credential_days.count_calls(tx, counts))  # type: ignore[misc]
    used = await database.read(lambda r: api_key_lists.used_key(r, KEY.id, NOW))
    assert used is not None
    assert (used.key, used.calls) == (KEY, 9)
    assert await database.read(lambda r: credential_days.use_of(r, KEY.id, NOW)) == credential_days.Use(9, LATER)


STATES = {
    "active": {},
    "later": {"expires_at": LATER},
    "disabled": {"disabled_at": NOW},
    "expired": {"expires_at": NOW},
    "expired and disabled": {"expires_at": NOW, "disabled_at": NOW},
    "revoked": {"revoked_at": NOW},
    "revoked and expired": {"revoked_at": NOW, "expires_at": NOW},
}


def _each(tx: Transaction) -> None:
    for number, (name, sides) in enumerate(STATES.items()):
        key = replace(
            KEY, id=ApiKeyId(f"k-{number}"), name=name, fingerprint=Fingerprint(name), created_at=Instant(NOW - number), **sides
        )  # fmt: skip
        api_keys.insert_api_key(tx, key)


async def test_each_key_is_in_one_state(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(_each)

    async def names(state: KeyState | None, owner: object = None) -> list[str]:
        found = await database.read_long(
            lambda r: api_key_lists.keys_of_tenant(r, ACME.id, now=NOW, state=state, owner=owner)  # type: ignore[arg-type]
        )
        return [each.key.name for each in found]

    assert await names(None) == await names(None, ALICE.id) == list(STATES)
    assert await names(None, BOB.id) == []
    assert await names(KeyState.ACTIVE) == ["active", "later"]
    assert await names(KeyState.DISABLED) == ["disabled"]
    assert await names(KeyState.EXPIRED) == ["expired", "expired and disabled"]
    assert await names(KeyState.REVOKED) == ["revoked", "revoked and expired"]
    assert await database.read_long(lambda r: api_key_lists.keys_of_tenant(r, GLOBEX.id, now=NOW)) == []
    assert await database.read_long(lambda r: api_key_lists.living_longer(r, ACME.id, 1, NOW)) == 2


MANY = 20_000


def _many(tx: Transaction) -> None:
    tx.run(
        Statement(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
            " INSERT INTO api_keys (id, tenant_id, user_id, created_by, name, prefix, last_four, fingerprint, scopes,"
            " networks, created_at) SELECT 'm-' || i, :tenant, :owner, :owner, 'many', 'dw_m', 'abcd', 'many-' || i, '',"
            " '[]', :now + i / 7 FROM n"
        ),
        {"count": MANY, "tenant": ACME.id, "owner": ALICE.id, "now": NOW},
    )


@pytest.mark.requirement("C6")
async def test_pages_hold_each_key_once_and_the_last_costs_what_the_first_does(database: Database) -> None:
    await database.write(store_deployment)
    await database.write(_many)

    async def page(after: tuple[int, str], owner: bool) -> tuple[list[ApiKey], float]:
        def read(reader: object) -> list[api_key_lists.UsedKey]:
            whose = ALICE.id if owner else None
            return api_key_lists.keys_of_tenant(reader, ACME.id, now=LATER, owner=whose, after=after, most=50)  # type: ignore[arg-type]

        begun = time.perf_counter()
        found = await database.read_long(read)
        return [each.key for each in found], time.perf_counter() - begun

    for owner in (False, True):
        seen: list[ApiKey] = []
        after, took = START, []
        while True:
            keys, seconds = await page(after, owner)
            took.append(seconds)
            if not keys:
                break
            seen += keys
            after = (keys[-1].created_at, keys[-1].id)
            if len(took) == 40:
                after = (NOW + 5, "m-40")
                seen = []
        assert [each.id for each in seen] == sorted(
            (each.id for each in seen), key=lambda name: (NOW + int(name[2:]) // 7, name), reverse=True
        )
        assert len(seen) == len(set(seen)) == len([n for n in range(1, MANY) if (n // 7, f"m-{n}") < (5, "m-40")])
        assert sorted(took[-3:])[1] < 0.25


async def test_of_revoking_and_rotating_at_once_nothing_survives(database: Database, second: Database) -> None:
    """Two programs: whoever comes first, the key is revoked in the end and none of its secrets is good."""
    await database.write(store_deployment)
    fingerprinter = Fingerprinter(b"f" * 32)
    for number in range(8):
        key = replace(KEY, id=ApiKeyId(f"race-{number:08d}"), fingerprint=Fingerprint(f"race-{number}"))
        await database.write(lambda tx, key=key: api_keys.insert_api_key(tx, key))  # type: ignore[misc]

        def rotate(tx: Transaction, key: ApiKey = key) -> object:
            return key_changes.rotate_api_key(
                tx, key.id, tenant=ACME, maker=OPERATOR, overlap=3600, now=NOW, entropy=os.urandom,
                fingerprinter=fingerprinter, prefix="dw", cause=None,
            )  # fmt: skip

        def revoke(tx: Transaction, key: ApiKey = key) -> bool:
            return revoke_api_key(tx, tenant_id=ACME.id, key_id=key.id, by=None, now=NOW, cause=None)

        done = await asyncio.gather(
            database.write(rotate), second.write(revoke), second.write(rotate), return_exceptions=True
        )
        assert done[1] is True
        assert not [each for each in done if isinstance(each, Exception) and not isinstance(each, KeyRefused)]
        found = await database.read(lambda r, key=key: api_keys.api_key_by_id(r, ACME.id, key.id))  # type: ignore[misc]
        assert found is not None
        assert found.revoked_at == NOW


async def test_all_that_can_become_of_a_key_is_alike_on_both(database: Database) -> None:
    await database.write(store_deployment)
    common: dict[str, Any] = {"tenant": ACME, "maker": OPERATOR, "now": NOW, "cause": None}
    minting: dict[str, Any] = {"entropy": os.urandom, "fingerprinter": Fingerprinter(b"f" * 32), "prefix": "dw"}
    wish = KeyWish(
        name="ci", owner=ALICE.email, scopes=("read",), servers=(HARBOUR.slug,), networks=("10.0.0.7",), expires="10d"
    )
    made = (await database.write(lambda tx: issue_key(tx, wish, **common, **minting))).created.key

    async def state() -> dict[str, Any]:
        def read(reader: Reader) -> dict[str, Any]:
            used = api_key_lists.used_key(reader, made.id, NOW)
            assert used is not None
            return KeyViews(reader, ACME.id, NOW).described(used)

        return await database.read_long(read)

    first = await state()
    assert (first["state"], first["servers"], first["addresses"]) == ("active", ["harbour"], ["10.0.0.7/32"])
    assert await database.write(lambda tx: key_changes.disable_api_key(tx, made.id, **common))
    assert not await database.write(lambda tx: key_changes.disable_api_key(tx, made.id, **common))
    assert (await state())["state"] == "disabled"
    assert await database.write(lambda tx: key_changes.enable_api_key(tx, made.id, **common))
    assert not await database.write(lambda tx: key_changes.enable_api_key(tx, made.id, **common))
    changed = await database.write(
        lambda tx: key_changes.change_api_key(tx, made.id, name="new", networks=(), **common)
    )
    assert changed
    assert not await database.write(
        lambda tx: key_changes.change_api_key(tx, made.id, name=None, networks=(), **common)
    )
    rotated = await database.write(lambda tx: key_changes.rotate_api_key(tx, made.id, overlap=60, **common, **minting))
    found = await state()
    assert (found["name"], found["addresses"], found["last_four"]) == ("new", [], rotated.text[-4:])
    assert [old["last_four"] for old in found["old_secrets"]] == [made.last_four]
    policy = KeyPolicy(max_days=5)
    done = await database.write(
        lambda tx: key_policies.set_policy(tx, ACME, policy, maker=OPERATOR, now=NOW, cause=None)
    )
    assert (done.policy, done.beyond) == (policy, 1)
    before_end = Instant(NOW + 4 * DAY)
    near = await database.read_long(lambda reader: ending_keys.keys_near_expiry(reader, before_end))
    assert [(each.key.id, each.days) for each in near] == [(made.id, 7)]
    outbox = Outbox(sealer=Sealer(b"s" * 32), entropy=os.urandom, on=True)
    told = [
        await database.write(lambda tx: ending_keys.tell(tx, near[0], outbox=outbox, public_url="x", now=before_end))
        for _ in range(2)
    ]
    assert told == [True, False]
    assert await database.read_long(lambda reader: ending_keys.keys_near_expiry(reader, before_end)) == []


async def test_of_a_policy_and_a_key_at_once_the_key_is_as_the_policy_that_it_saw(
    database: Database, second: Database
) -> None:
    """Two programs: a key without an end is made before the policy that forbids it, or not at all."""
    await database.write(store_deployment)
    minting: dict[str, Any] = {"entropy": os.urandom, "fingerprinter": Fingerprinter(b"f" * 32), "prefix": "dw"}
    wish = KeyWish(name="ci", owner=ALICE.email, expires="never")
    strict = KeyPolicy(never=NeverEnding.NOBODY)
    for _ in range(5):
        await database.write(
            lambda tx: key_policies.set_policy(tx, ACME, KeyPolicy(), maker=OPERATOR, now=NOW, cause=None)
        )
        done = await asyncio.gather(
            database.write(lambda tx: issue_key(tx, wish, tenant=ACME, maker=OPERATOR, now=NOW, cause=None, **minting)),
            second.write(lambda tx: key_policies.set_policy(tx, ACME, strict, maker=OPERATOR, now=NOW, cause=None)),
            return_exceptions=True,
        )
        assert not isinstance(done[1], BaseException)
        if isinstance(done[0], BaseException):
            assert isinstance(done[0], KeyRefused)
        with pytest.raises(KeyRefused, match="no end"):
            await database.write(
                lambda tx: issue_key(tx, wish, tenant=ACME, maker=OPERATOR, now=NOW, cause=None, **minting)
            )
