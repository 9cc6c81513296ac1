"""The form of secrets: prefix, checksum, fingerprint, and the derived successor of a refresh token."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.credentials import secret
from doorward.credentials.secret import Fingerprinter, SecretKind

KEY = bytes(range(32))


@given(st.binary(min_size=32, max_size=32), st.sampled_from(SecretKind))
def test_every_minted_secret_is_well_formed_for_its_own_kind_only(raw: bytes, kind: SecretKind) -> None:
    text = secret.mint(kind, lambda _: raw)
    assert [other for other in SecretKind if secret.well_formed(text, other)] == [kind]


@given(st.binary(min_size=32, max_size=32), st.integers(min_value=0, max_value=200), st.sampled_from(secret.ALPHABET))
def test_I1_one_changed_character_is_told_by_the_checksum(raw: bytes, place: int, char: str) -> None:
    text, _ = secret.mint_api_key("dw", lambda n: raw[:n])
    place = 3 + place % (len(text) - 3)
    damaged = text[:place] + char + text[place + 1 :]
    assert secret.well_formed(damaged, "dw") is (damaged == text)


def test_I1_an_api_key_is_one_word_and_shows_only_its_id() -> None:
    text, shown = secret.mint_api_key("sta", lambda n: b"\x7f" * n)
    assert re.fullmatch(r"sta_[0-9A-Za-z]{62}", text)
    assert text.startswith(shown)
    assert len(shown) == len("sta_") + 13


@pytest.mark.parametrize(
    "text", ["", "dw", "dw_", "dw_abc", "dwr_", "_x", "dw_ä", "dw_" + "0" * 10_000, "DW_abcdefghij"]
)
def test_what_we_never_made_is_not_well_formed(text: str) -> None:
    assert not secret.well_formed(text, "dw")


def test_a_fingerprint_depends_on_the_key_and_tells_nothing_of_the_secret() -> None:
    one, other = Fingerprinter(KEY).of("dw_secret"), Fingerprinter(KEY[::-1]).of("dw_secret")
    assert one != other
    assert re.fullmatch(r"[0-9a-f]{64}", one)
    assert Fingerprinter.same(one, Fingerprinter(KEY).of("dw_secret"))
    assert not Fingerprinter.same(one, other)


def test_every_node_derives_the_same_successor() -> None:
    first = secret.mint(SecretKind.REFRESH_TOKEN, lambda n: b"\x01" * n)
    one, other = secret.next_refresh_token(KEY, first), secret.next_refresh_token(KEY, first)
    assert one == other != first
    assert secret.well_formed(one, SecretKind.REFRESH_TOKEN)
    assert secret.next_refresh_token(KEY[::-1], first) != one


def test_N3_sub_keys_of_different_labels_differ() -> None:
    assert len({secret.derive(KEY, label) for label in ("vault", "fingerprint", "session", "refresh/1")}) == 4
