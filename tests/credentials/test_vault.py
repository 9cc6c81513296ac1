"""Sealed values open only with the same key, label and place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.vault import Sealer, Unsealed

KEY = bytes(range(32))


def counted(n: int) -> bytes:
    return bytes(n)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_sealed_opens_at_its_place(payload: bytes, aad: bytes) -> None:
    sealed = Sealer(KEY).seal("x", payload, aad=aad, entropy=counted)
    assert Sealer(KEY).open("x", sealed, aad=aad) == payload


def test_N1_another_key_label_or_place_opens_nothing() -> None:
    sealed = Sealer(KEY).seal("request", b"payload", aad=b"browser-1", entropy=counted)
    for sealer, label, aad in (
        (Sealer(KEY[::-1]), "request", b"browser-1"),
        (Sealer(KEY), "form", b"browser-1"),
        (Sealer(KEY), "request", b"browser-2"),
    ):
        with pytest.raises(Unsealed):
            sealer.open(label, sealed, aad=aad)


@given(st.text(max_size=80))
def test_arbitrary_text_is_refused_and_never_a_crash(text: str) -> None:
    with pytest.raises(Unsealed):
        Sealer(KEY).open("x", text, aad=b"")
