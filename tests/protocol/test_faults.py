import re

import pytest

from doorward.protocol.errors import JsonRpcError, OAuthError, PageError
from doorward.protocol.faults import CLIENT_UNKNOWN, FAULTS, MESSAGE_INVALID, Fault


def test_every_fault_has_a_code_of_its_own_in_a_known_range() -> None:
    assert len(FAULTS) > 80
    for code, fault in FAULTS.items():
        assert fault.code == code
        assert re.fullmatch(r"DW-[1-5][0-9]{2}", code)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.code)
def test_a_fault_says_what_happened_why_and_what_to_do_in_plain_words(fault: Fault) -> None:
    for text in (fault.title, fault.cause, fault.fix):
        assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]{10,160}", text), "does not fit an error_description"
        for jargon in ("oops", "please", "successfully", "!"):
            assert jargon not in text.lower()
    assert not fault.title.endswith(".")
    assert fault.cause.endswith(".")
    assert fault.fix.endswith(".")


def test_what_is_public_holds_the_code_and_never_the_private_reason() -> None:
    error = OAuthError(CLIENT_UNKNOWN, "invalid_client", reason="client C3 of tenant globex is disabled")
    assert error.body() == {
        "error": "invalid_client",
        "error_description": "The client_id is not registered here, or is no longer active. (DW-102)",
    }
    assert error.code == "DW-102"
    assert str(error) == "DW-102: client C3 of tenant globex is disabled"


def test_a_refusal_may_say_its_public_line_in_other_words() -> None:
    assert OAuthError(CLIENT_UNKNOWN, "invalid_client", reason="r", public="Other words.").description == (
        "Other words. (DW-102)"
    )
    assert PageError(CLIENT_UNKNOWN, reason="r").status == 400
    assert JsonRpcError(MESSAGE_INVALID, -32600, reason="r").message.endswith("(DW-324)")
