"""How long a fetched document is good for (RFC 9111; security F11)."""

import pytest

from doorward.protocol.http_cache import CEILING, FLOOR, etag, freshness

DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.requirement("spec/CIMD9")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, FLOOR),
        ({"cache-control": "max-age=31536000"}, CEILING),
        ({"cache-control": "max-age=99999999999999999999"}, CEILING),
        ({"cache-control": "max-age=0"}, FLOOR),
        ({"cache-control": "max-age=-1"}, FLOOR),
        ({"cache-control": "max-age=x"}, FLOOR),
        ({"cache-control": "public, Max-Age=3600"}, 3600),
        ({"cache-control": 'max-age="3600"'}, 3600),
        ({"cache-control": "max-age=3600", "age": "600"}, 3000),
        ({"cache-control": "max-age=3600", "age": "9999999"}, FLOOR),
        ({"cache-control": "max-age=3600, no-store"}, FLOOR),
        ({"cache-control": "no-cache, max-age=3600"}, FLOOR),
        ({"cache-control": "max-age=3600", "vary": "*"}, FLOOR),
        ({"cache-control": "max-age=3600", "vary": "accept"}, 3600),
        ({"date": DATE, "expires": "Sat, 21 Nov 2026 12:00:00 GMT"}, 7200),
        ({"date": DATE, "expires": "Sat, 21 Nov 2026 12:00:00 GMT", "cache-control": "max-age=3600"}, 3600),
        ({"date": DATE, "expires": "0"}, FLOOR),
        ({"expires": "Sat, 21 Nov 2026 12:00:00 GMT"}, FLOOR),
    ],
)
def test_F11_freshness_is_what_was_said_within_our_bounds(headers: dict[str, str], seconds: int) -> None:
    assert freshness(headers) == seconds


@pytest.mark.parametrize("value", ['"a"', 'W/"a"', '""'])
def test_a_validator_is_kept(value: str) -> None:
    assert etag({"etag": value}) == value


@pytest.mark.parametrize("value", ["a", '"a" ', '"a"b"', '"a\r\nX: y"', '"' + "x" * 201 + '"', '"ä"'])
def test_one_that_could_not_be_sent_back_is_not(value: str) -> None:
    assert etag({"etag": value}) is None


def test_none_is_none() -> None:
    assert etag({}) is None
