"""User codes (RFC 8628 section 6.1)."""

import os
from collections import Counter

import pytest

from doorward.protocol import device


def test_a_code_has_eight_letters_that_make_no_words_and_cannot_be_mistaken() -> None:
    code = device.new_user_code(os.urandom)
    assert len(code) == 8
    assert set(code) <= set("BCDFGHJKLMNPQRSTVWXZ")
    assert device.grouped("WDJBMJHT") == "WDJB-MJHT"


def test_every_letter_is_equally_likely() -> None:
    # 256 is no multiple of 20: bytes from 240 on would favour the first sixteen letters, so they are drawn again.
    sources = [bytes(range(start, start + 16)) for start in range(0, 240, 16)]
    seen = Counter("".join(device.new_user_code(lambda _, raw=raw: raw) for raw in sources))
    assert set(seen) <= set(device.ALPHABET)
    drawn = iter([b"\xf0" * 16, b"\xff" * 12 + bytes(4), bytes(range(16))])
    assert device.new_user_code(lambda _: next(drawn)) == "BBBBBCDF"


@pytest.mark.parametrize("text", ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "w-d-j-b-m-j-h-t", "WDJB\u2013MJHT"])
def test_case_spaces_and_dashes_do_not_matter(text: str) -> None:
    assert device.typed(text) == "WDJBMJHT"


@pytest.mark.parametrize(
    "text", ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJH1", "WDJB-MJHA", "\uff37DJB-MJHT", "-" * 100 + "WDJBMJHT"]
)
def test_what_can_be_no_code_is_none(text: str) -> None:
    assert device.typed(text) is None
