"""Two DNS messages: the question as servers take it, and answers right, wrong and hostile."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol.dns_text import question, texts
from support.name_server import answer, name_in

NAME = "_doorward-challenge.acme.example"
QUERY = question(NAME, 0x1234)
ASKED = QUERY[12 : name_in(QUERY)[1]]


def test_the_question_asks_one_name_and_for_answers_that_fit_one_packet() -> None:
    assert name_in(QUERY)[0] == NAME
    assert struct.unpack("!HHHHHH", QUERY[:12]) == (0x1234, 0x0100, 1, 0, 0, 1)
    assert QUERY.endswith(b"\x00" + struct.pack("!HHIH", 41, 1232, 0, 0))


def test_every_text_is_read_and_its_parts_are_joined() -> None:
    said = ["one", "x" * 600, ""]
    assert texts(answer(QUERY, ASKED, said), NAME, 0x1234) == said


def test_what_stands_beside_the_texts_is_passed_over() -> None:
    alias = b"\xc0\x0c" + struct.pack("!HHIH", 5, 1, 60, 2) + b"\xc0\x0c"
    one = answer(QUERY, ASKED, ["one"])
    both = one[:6] + struct.pack("!H", 2) + one[8 : 12 + len(ASKED)] + alias + one[12 + len(ASKED) :]
    assert texts(both, NAME, 0x1234) == ["one"]


@pytest.mark.parametrize("code", [0, 3])
def test_a_name_without_records_has_none(code: int) -> None:
    assert texts(answer(QUERY, ASKED, [], code), NAME, 0x1234) == []


@pytest.mark.parametrize(
    "message",
    [
        b"", QUERY, answer(b"\x99\x99", ASKED, ["one"]), answer(QUERY, ASKED, ["one"], 2), answer(QUERY, ASKED, [], 5),
        answer(QUERY, ASKED, ["one"], flags=0x8380), answer(QUERY, ASKED.replace(b"acme", b"evil"), ["one"]),
        answer(QUERY, ASKED, ["one"])[:-1], answer(QUERY, ASKED, ["one"])[:-5],
        answer(QUERY, ASKED, ["one"])[:6] + b"\xff\xff" + answer(QUERY, ASKED, ["one"])[8:],
    ],
)  # fmt: skip
def test_what_is_not_the_answer_says_nothing(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        texts(message, NAME, 0x1234)


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=20))
def test_no_message_does_more_than_say_nothing(noise: bytes, place: int) -> None:
    right = answer(QUERY, ASKED, ["one", "two"])
    with suppress(ValueError):
        texts(right[: len(right) - place] + noise, NAME, 0x1234)
    with suppress(ValueError):
        texts(right[:12] + ASKED + noise, NAME, 0x1234)


def _with_record(name: bytes, *, kind: int, data: bytes, length: int | None = None) -> bytes:
    record = name + struct.pack("!HHIH", kind, 1, 60, len(data) if length is None else length) + data
    return QUERY[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + ASKED + record


@pytest.mark.parametrize(
    "message",
    [
        _with_record(b"\xc0\x0c", kind=16, data=b"\x09short"),
        _with_record(b"\xc0\x0c", kind=16, data=b"\x01a\x02b"),
        _with_record(b"\xc0\x0c", kind=16, data=b"\x01a", length=3),
        _with_record(b"\xc0\x0c", kind=16, data=b"")[:-1],
        _with_record(b"\x01a" * 200, kind=16, data=b""),
        _with_record(b"\x3f", kind=16, data=b""),
    ],
    ids=["text", "second text", "record", "header", "endless name", "name"],
)
def test_a_length_that_lies_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        texts(message, NAME, 0x1234)


def test_a_record_may_name_its_owner_in_full() -> None:
    assert texts(_with_record(ASKED[:-4], kind=16, data=b"\x01a\x02bc"), NAME, 0x1234) == ["abc"]


@pytest.mark.parametrize("label", [b"\x40", b"\x80"])
def test_a_name_of_a_kind_that_was_never_used_is_refused(label: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        texts(_with_record(label, kind=16, data=b""), NAME, 0x1234)
