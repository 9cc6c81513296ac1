"""A code is of no use outside the one flow it was made for (security B9, B12)."""

import base64
import hashlib

import pytest
from tests.authserver.world import VERIFIER, World, az, is_token_error

pytestmark = pytest.mark.anyio
OTHER_VERIFIER = "w" * 64


def challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def test_B9_a_victims_code_in_the_attackers_flow_gives_nothing_and_stays_the_victims(world: World) -> None:
    victims = await world.code("alice", az(code_challenge=challenge(OTHER_VERIFIER)))
    attackers = await world.code("mallory")
    # The honest client sends the verifier of the flow that the attacker began with it.
    is_token_error(await world.redeem(victims), "invalid_grant")
    is_token_error(await world.redeem(attackers, code_verifier=OTHER_VERIFIER), "invalid_grant")
    assert (await world.redeem(victims, code_verifier=OTHER_VERIFIER)).status_code == 200
    assert (await world.redeem(attackers)).status_code == 200


async def test_B12_two_flows_with_one_challenge_are_two_flows(world: World) -> None:
    first, second = await world.code("alice"), await world.code("bob")
    tokens = [(await world.redeem(code, code_verifier=VERIFIER)).json() for code in (first, second)]
    assert [await world.works(each["access_token"]) for each in tokens] == [True, True]
    is_token_error(await world.redeem(first, code_verifier=VERIFIER), "invalid_grant")
    assert [await world.works(each["access_token"]) for each in tokens] == [True, True]
    world.clock.forward(3)
    is_token_error(await world.redeem(first, code_verifier=VERIFIER), "invalid_grant")
    assert [await world.works(each["access_token"]) for each in tokens] == [False, True]
