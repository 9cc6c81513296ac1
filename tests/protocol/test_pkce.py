import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.examples import CHALLENGE, VERIFIER

from doorward.protocol import pkce

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def test_the_example_of_rfc_7636_appendix_b_verifies() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce.challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert pkce.verify("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", verifier)


@given(st.text(UNRESERVED, min_size=43, max_size=128))
def test_every_well_formed_verifier_belongs_to_its_challenge_and_to_no_other(verifier: str) -> None:
    challenge = pkce.challenge_of(verifier)
    assert pkce.challenge_ok(challenge)
    assert pkce.verify(challenge, verifier)
    assert not pkce.verify(challenge, verifier[:-1] + ("A" if verifier[-1] != "A" else "B"))


@pytest.mark.parametrize(
    "challenge", ["", "a" * 42, "a" * 44, "a" * 128, "a" * 42 + "=", "a" * 42 + "+", "a" * 42 + "/", "a" * 43 + "\n"]
)
def test_B4_a_challenge_is_exactly_43_base64url_characters(challenge: str) -> None:
    assert not pkce.challenge_ok(challenge)
    assert not pkce.verify(challenge, VERIFIER)


@pytest.mark.parametrize(
    "verifier", ["", "v" * 42, "v" * 129, "v" * 42 + "!", "v" * 42 + "é", VERIFIER.upper(), VERIFIER + "\n"]
)
def test_B7_a_wrong_or_malformed_verifier_does_not_verify(verifier: str) -> None:
    assert not pkce.verify(CHALLENGE, verifier)


def test_B8_the_challenge_is_not_its_own_verifier() -> None:
    assert not pkce.verify(CHALLENGE, CHALLENGE)
