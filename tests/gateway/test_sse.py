"""Event streams are read the same however they are cut into pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.gateway.sse import Event, Reader, TooLongError, encode

WHOLE = (
    b": hi\r\n\r\nid: 1\r\ndata: a\r\ndata: b\r\n\r\nevent: message\ndata:c\n\nretry: 10\rdata\r\rid: 2\n\ndata: last"
)
EVENTS = [
    Event(None),
    Event(b"a\nb", id="1"),
    Event(b"c", name=b"message"),
    Event(b"", retry=b"10"),
    Event(None, id="2"),
]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=10))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    reader, edges = Reader(1000), [0, *sorted(cuts), len(WHOLE)]
    events = [event for start, end in itertools.pairwise(edges) for event in reader.feed(WHOLE[start:end])]
    assert events == EVENTS


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_break_it(data: bytes, step: int) -> None:
    reader = Reader(1000)
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])


def test_what_is_written_is_read_again() -> None:
    (event,) = Reader(1000).feed(encode(b'{"a":1}', event_id="x", retry=b"5"))
    assert event == Event(b'{"a":1}', name=b"message", id="x", retry=b"5")
    assert Reader(1000).feed(encode(None)) == [Event(None)]
    assert Reader(1000).feed(encode(b"", event_id="prime")) == [Event(b"", id="prime")]


def test_one_event_is_bounded_and_many_are_not() -> None:
    reader = Reader(100)
    for _ in range(50):
        assert len(reader.feed(b"data: xxxxxxxx\n\n")) == 1
    with pytest.raises(TooLongError):
        reader.feed(b"data: " + b"x" * 200)
    reader = Reader(100)
    for _ in range(7):
        reader.feed(b"data: xxxxxx\n")
    with pytest.raises(TooLongError):
        reader.feed(b"data: xxxxxx\n")
