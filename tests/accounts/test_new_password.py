"""What may become a password."""

import pytest

from doorward.accounts.new_password import why_not

EMAIL = "alice@acme.test"


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "elevenchars",
        "aaaaaaaaaaaaaaaa",
        "121212121212",
        "123456789012",
        "abcdefghijklmnop",
        "PasswordPassword",
        "password1234",
        "alice@acme.test",
        "Alice Example 1",
        "doorward-alice",
        "x" * 1025,
    ],
)
def test_what_is_guessed_first_is_no_password(password: str) -> None:
    assert why_not(password, email=EMAIL, name="Alice Example") is not None


@pytest.mark.parametrize(
    "password", ["correct horse battery", "Grüße aus dem Keller", "pa" + "ßwörter" * 3, "alice sings at noon"]
)
def test_what_is_long_and_its_own_may_be_one(password: str) -> None:
    assert why_not(password, email=EMAIL, name="Alice Example") is None
