"""Keys that are good from some addresses, at some servers, under two secrets, or not for now: all of it at every call."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.gateway.deployment import ACME, READ, S1, user
from tests.gateway.recorder import Recorder
from tests.gateway.world import FINGERPRINTER, World

from doorward.credentials import key_changes
from doorward.credentials.api_keys import CreatedKey, revoke_api_key
from doorward.credentials.key_changes import NewEnd
from doorward.credentials.key_makers import OPERATOR, KeyRefused, Maker
from doorward.gateway.credential_uses import CredentialUses
from doorward.model import SECOND, ApiKey, ApiKeyId, CredentialKind, Instant, KeyMakers, KeyPolicy, NeverEnding
from doorward.storage import accounts, api_key_lists, api_keys, credential_days
from doorward.storage.database import Transaction
from doorward.web.requester import Requester

pytestmark = pytest.mark.anyio
DAY = 86_400 * SECOND


def id_of(text: str) -> ApiKeyId:
    return ApiKeyId(text.partition("_")[2][:13])


async def stored(world: World, text: str) -> ApiKey:
    found = await world.database.read(lambda reader: api_keys.api_key_by_id(reader, ACME.id, id_of(text)))
    assert found is not None
    return found


async def change(world: World, use_case: Callable[..., Any], text: str, maker: Maker = OPERATOR, **more: Any) -> Any:
    def work(tx: Transaction) -> Any:
        return use_case(tx, id_of(text), tenant=ACME, maker=maker, now=world.clock(), cause=None, **more)

    return await world.database.write(work)


async def rotated(world: World, text: str, overlap: int, **more: Any) -> str:
    made: CreatedKey = await change(
        world, key_changes.rotate_api_key, text, overlap=overlap, entropy=os.urandom, fingerprinter=FINGERPRINTER,
        prefix="dw", **more,
    )  # fmt: skip
    assert id_of(made.text) == id_of(text)
    return made.text


async def status(world: World, key: str, **headers: str) -> int:
    return (await world.post(key, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)).status_code


@pytest.mark.requirement("C1")
async def test_I5_a_key_from_another_address_is_answered_like_an_unknown_one(world: World, recorder: Recorder) -> None:
    home, away = await world.key("bob", networks=("127.0.0.0/8",)), await world.key("bob", networks=("203.0.113.0/24",))
    assert (await world.call(home, "echo")).status_code == 200
    recorder.forget()
    unknown = await world.call("dw_" + "0" * 62, "echo")
    with capture_logs() as logs:
        refused = await world.call(away, "echo")
    assert refused.status_code == 401
    assert (refused.json()["error"]["data"]["code"], unknown.json()["error"]["data"]["code"]) == ("DW-305", "DW-304")
    assert "address" not in refused.text
    assert "127.0.0.1" not in refused.text
    assert any("not for 127.0.0.1" in str(entry.get("reason")) for entry in logs)
    assert recorder.requests == []
    stranger = await world.key("bob")
    await world.database.write(
        lambda tx: revoke_api_key(tx, tenant_id=ACME.id, key_id=id_of(stranger), by=None, now=world.clock(), cause=None)
    )
    revoked = await world.call(stranger, "echo")
    assert (refused.text, refused.headers["www-authenticate"]) == (revoked.text, revoked.headers["www-authenticate"])


async def test_addresses_count_anew_at_every_call(world: World) -> None:
    key = await world.key("bob")
    for networks, wanted in ((("203.0.113.7/32",), 401), (("::1/128", "127.0.0.1/32"), 200), ((), 200)):
        assert await change(world, key_changes.change_api_key, key, name=None, networks=networks)
        assert await status(world, key) == wanted


async def test_behind_a_proxy_the_address_is_whom_it_asks_for(world: World) -> None:
    key, open_key = await world.key("bob", networks=("203.0.113.0/24", "127.0.0.1/32")), await world.key("bob")
    world.gateway._door._requester = Requester(["127.0.0.1"])
    for forwarded, wanted in (
        ("203.0.113.9", 200), ("198.51.100.1", 401), ("203.0.113.9, 198.51.100.1", 401), ("198.51.100.1, 203.0.113.9", 200),
        ("203.0.113.9, ?", 401), ("", 401),
    ):  # fmt: skip
        assert await status(world, key, **{"x-forwarded-for": forwarded}) == wanted, forwarded
        assert await status(world, open_key, **{"x-forwarded-for": forwarded}) == 200
    # A proxy that says nothing asks for nobody, though its own address is in the list.
    assert await status(world, key) == 401
    await world.call(open_key, "echo")
    assert world.touched[-1][3] == "127.0.0.1"
    await world.modern(open_key, "tools/list", headers={"x-forwarded-for": "203.0.113.77"})
    assert world.touched[-1][3] == "203.0.113.77"


async def test_a_key_for_one_server_is_good_for_nothing_at_another(world: World, recorder: Recorder) -> None:
    key = await world.key("bob", servers=frozenset({S1}))
    assert (await world.call(key, "echo")).status_code == 200
    recorder.forget()
    there = await world.modern(key, "tools/call", {"name": "echo", "arguments": {}}, path="/other")
    assert there.status_code == 403
    assert (await world.modern(key, "tools/list", path="/other")).status_code == 403
    assert recorder.seen() == []


@pytest.mark.requirement("C8")
async def test_I5_a_rotated_key_has_two_secrets_for_the_time_that_was_chosen(world: World) -> None:
    first = await world.key("bob", READ)
    second = await rotated(world, first, 3600)
    assert (await status(world, first), await status(world, second)) == (200, 200)
    # Both are the same key: what a caller has open goes on with the other one.
    assert {use[1] for use in world.touched} == {id_of(first)}
    world.clock.offset += 3599 * SECOND
    assert await status(world, first) == 200
    world.clock.offset += SECOND
    assert (await status(world, first), await status(world, second)) == (401, 200)


async def test_I5_what_is_rotated_again_ends_all_that_was_before(world: World) -> None:
    first = await world.key("bob")
    second = await rotated(world, first, 7 * 86_400)
    third = await rotated(world, second, 60)
    assert [await status(world, each) for each in (first, second, third)] == [200, 200, 200]
    fourth = await rotated(world, third, 0)
    assert [await status(world, each) for each in (first, second, third, fourth)] == [401, 401, 401, 200]


async def test_I5_an_old_secret_never_outlives_the_end_that_its_key_had(world: World) -> None:
    first = await world.key("bob", lifetime=100)
    second = await rotated(world, first, 86_400, end=NewEnd(Instant(world.clock() + 30 * DAY)))
    world.clock.offset += 100 * SECOND
    assert (await status(world, first), await status(world, second)) == (401, 200)


async def test_I5_revoking_and_disabling_are_for_both_secrets(world: World, recorder: Recorder) -> None:
    first = await world.key("bob")
    second = await rotated(world, first, 3600)
    assert await change(world, key_changes.disable_api_key, first)
    assert [await status(world, each) for each in (first, second)] == [401, 401]
    assert not await change(world, key_changes.disable_api_key, first)
    assert await change(world, key_changes.enable_api_key, first)
    assert [await status(world, each) for each in (first, second)] == [200, 200]
    await world.database.write(
        lambda tx: revoke_api_key(tx, tenant_id=ACME.id, key_id=id_of(first), by=None, now=world.clock(), cause=None)
    )
    recorder.forget()
    assert [await status(world, each) for each in (first, second)] == [401, 401]
    for use_case, more in (
        (key_changes.enable_api_key, {}), (key_changes.disable_api_key, {}),
        (key_changes.change_api_key, {"name": "again", "networks": None}),
    ):  # fmt: skip
        with pytest.raises(KeyRefused, match="ended"):
            await change(world, use_case, first, **more)
    with pytest.raises(KeyRefused, match="ended"):
        await rotated(world, second, 3600)
    assert [await status(world, each) for each in (first, second)] == [401, 401]
    assert recorder.requests == []


async def test_a_key_that_ended_is_not_brought_back_by_a_rotation(world: World) -> None:
    key = await world.key("bob", lifetime=10)
    world.clock.offset += 10 * SECOND
    with pytest.raises(KeyRefused, match="ended"):
        await rotated(world, key, 0, end=NewEnd(None))
    disabled = await world.key("bob")
    await change(world, key_changes.disable_api_key, disabled)
    with pytest.raises(KeyRefused, match="disabled"):
        await rotated(world, disabled, 0)


async def test_of_fifty_who_rotate_at_once_each_gets_a_key_that_works_or_is_told(world: World) -> None:
    key = await world.key("bob")
    done = await asyncio.gather(*(rotated(world, key, 0) for _ in range(50)), return_exceptions=True)
    good = [each for each in done if isinstance(each, str) and await status(world, each) == 200]
    assert len(good) == 1
    assert not [each for each in done if not isinstance(each, (str, KeyRefused))]


@pytest.mark.requirement("C4")
async def test_calls_are_counted_by_day_and_thirty_days_are_told(world: World) -> None:
    key = await world.key("bob")
    uses, begin = CredentialUses(world.database), world.clock()
    for days, calls in ((0, 3), (29, 2), (40, 5)):
        for _ in range(calls):
            uses.touch(CredentialKind.API_KEY, id_of(key), Instant(begin + days * DAY), "203.0.113.9", "curl/8")
        await uses.flush()
    await uses.flush()

    async def told(days: int) -> int:
        now = Instant(begin + days * DAY)
        used = await world.database.read_long(lambda reader: api_key_lists.used_key(reader, id_of(key), now))
        assert used is not None
        return used.calls

    assert [await told(days) for days in (40, 58, 59, 69, 70)] == [7, 7, 5, 5, 0]
    assert (await stored(world, key)).last_used_at == begin + 40 * DAY


async def test_what_could_not_be_written_is_counted_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key, uses = await world.key("bob"), CredentialUses(world.database)
    uses.touch(CredentialKind.API_KEY, id_of(key), world.clock(), None, None)
    with monkeypatch.context() as broken:
        broken.setattr(credential_days, "count_calls", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await uses.flush()
    uses.touch(CredentialKind.API_KEY, id_of(key), world.clock(), None, None)
    await uses.flush()
    used = await world.database.read(lambda reader: api_key_lists.used_key(reader, id_of(key), world.clock()))
    assert used is not None
    assert used.calls == 2


async def test_what_an_administrator_disabled_its_owner_cannot_enable(world: World) -> None:
    key = await world.key("bob")
    everything = (await stored(world, key)).scopes
    bob = Maker(user_id=user("bob").id, manages=False, creates=False, rights=everything, anywhere=everything)
    alice = Maker(user_id=user("alice").id, manages=True, creates=True, rights=everything, anywhere=everything)
    carol = Maker(user_id=user("carol").id, manages=False, creates=False, rights=everything, anywhere=everything)
    assert await change(world, key_changes.disable_api_key, key, bob)
    assert await change(world, key_changes.enable_api_key, key, bob)
    for administrator in (alice, OPERATOR):
        await change(world, key_changes.disable_api_key, key, administrator)
        with pytest.raises(KeyRefused, match="somebody else"):
            await change(world, key_changes.enable_api_key, key, bob)
        assert await change(world, key_changes.enable_api_key, key, alice)
    with pytest.raises(key_changes.KeyUnknown):
        await change(world, key_changes.disable_api_key, key, carol)


@pytest.mark.requirement("C8")
async def test_the_policy_of_the_moment_counts_whatever_was_read_before(world: World) -> None:
    """``ACME`` is as it was before its policy: what is asked is the row, under its lock."""
    strict = KeyPolicy(max_days=1, never=NeverEnding.NOBODY, create=KeyMakers.PERMITTED)
    key = await world.key("bob")
    await world.database.write(lambda tx: accounts.update_tenant(tx, replace(ACME, key_policy=strict)))
    with pytest.raises(KeyRefused, match="keys are for permitted"):
        await world.key("bob", lifetime=60)
    with pytest.raises(KeyRefused, match="no end"):
        await world.key("bob", maker=OPERATOR)
    with pytest.raises(KeyRefused, match="longer than the policy"):
        await rotated(world, key, 0, end=NewEnd(Instant(world.clock() + 2 * DAY)))
    assert await status(world, await world.key("bob", maker=OPERATOR, lifetime=60)) == 200
    assert await status(world, key) == 200
