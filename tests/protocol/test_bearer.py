import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol import bearer
from doorward.protocol.errors import BearerError

METADATA = "https://door.example/.well-known/oauth-protected-resource/mcp"


@pytest.mark.parametrize(
    ("value", "token"),
    [
        (b"Bearer abc.def-_~+/==", "abc.def-_~+/=="), (b"bearer abc", "abc"), (b"BEARER   abc ", "abc"),
        (b"Bearer dw_abc_def", "dw_abc_def"),
    ],
)  # fmt: skip
def test_a_token_is_read_whatever_the_case_of_the_scheme(value: bytes, token: str) -> None:
    assert bearer.read([value]) == token


@pytest.mark.parametrize("values", [[], [b""], [b"  "], [b"Bearer"], [b"Bearer "], [b"bearer   "]], ids=repr)
def test_J16_nothing_presented_is_no_credential(values: list[bytes]) -> None:
    assert bearer.read(values) is None


def test_two_authorization_headers_are_refused() -> None:
    error = refused([b"Bearer a", b"Bearer a"])
    assert (error.status, error.error, error.code) == (400, "invalid_request", "DW-302")


@pytest.mark.parametrize("value", [b"Basic YTpi", b"DPoP abc", b"Bearerabc", b"token", b"Bearer\tabc", b"\xff"])
def test_another_scheme_is_refused(value: bytes) -> None:
    error = refused([value])
    assert (error.status, error.error, error.code) == (401, "invalid_token", "DW-303")


@pytest.mark.parametrize(
    "value",
    [b"Bearer a b", b"Bearer a,b", b'Bearer "a"', b"Bearer \xc3\xa9", b"Bearer a=b", b"Bearer a\x00", b"Bearer a\nb",
     b"Bearer ${TOKEN}", b"Bearer " + b"a" * 8192],
    ids=lambda value: repr(value[:20]),
)  # fmt: skip
def test_J10_a_damaged_or_overlong_token_is_refused(value: bytes) -> None:
    error = refused([value])
    assert (error.status, error.error, error.code) == (401, "invalid_token", "DW-304")


@given(st.lists(st.binary() | st.binary().map(lambda raw: b"Bearer " + raw), max_size=2))
def test_any_headers_are_a_token_nothing_or_refused(values: list[bytes]) -> None:
    try:
        token = bearer.read(values)
    except BearerError:
        return
    assert token is None or re.fullmatch(r"[A-Za-z0-9\-._~+/]+=*", token)


def test_J16_without_credentials_the_challenge_has_no_error() -> None:
    assert bearer.challenge(resource_metadata=METADATA) == f'Bearer resource_metadata="{METADATA}"'
    assert bearer.challenge(resource_metadata=METADATA, scope=["b:read", "a:read"]) == (
        f'Bearer scope="a:read b:read", resource_metadata="{METADATA}"'
    )
    assert bearer.challenge(resource_metadata=METADATA, scope=()) == f'Bearer resource_metadata="{METADATA}"'


def test_J16_a_low_scope_is_named_with_all_the_call_needs() -> None:
    value = bearer.challenge(
        resource_metadata=METADATA, scope=["documents:write"], error="insufficient_scope", description="More."
    )
    assert value == (
        'Bearer error="insufficient_scope", error_description="More.", scope="documents:write", '
        f'resource_metadata="{METADATA}"'
    )


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_L12_nothing_ends_a_quoted_value_or_splits_the_header(
    description: str, metadata: str, scope: list[str]
) -> None:
    value = bearer.challenge(resource_metadata=metadata, scope=scope, error="invalid_token", description=description)
    assert re.fullmatch(r'Bearer ([a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(, )?)+', value)


def refused(values: list[bytes]) -> BearerError:
    with pytest.raises(BearerError) as error:
        bearer.read(values)
    return error.value
