"""The domain of an address, and the record that proves it (E1)."""

import pytest

from doorward.protocol import mail_domain

LONGEST = mail_domain.LABEL + "."


@pytest.mark.parametrize("domain", ["acme.example", "a.b-c.example", "xn--bcher-kva.example", "1.example"])
def test_a_domain_is_a_lower_case_host_name_with_a_dot(domain: str) -> None:
    assert mail_domain.domain_ok(domain)
    assert mail_domain.domain_of(f"alice@{domain}") == domain


@pytest.mark.parametrize(
    "domain",
    ["", "acme", "Acme.example", "acme.example.", ".example", "-a.example", "a-.example", "a b.example", "127.0.0.1",
     "bücher.example", "a_b.example", "a" * 64 + ".example", "acme.example\n", "[::1]"],
)  # fmt: skip
def test_anything_else_is_no_domain_and_no_address_has_it(domain: str) -> None:
    assert not mail_domain.domain_ok(domain)
    assert mail_domain.domain_of(f"alice@{domain}") is None


def test_a_domain_leaves_room_for_the_name_of_its_record() -> None:
    fits = 253 - len(LONGEST)
    domain = ".".join(["a" * 60] * 4)[: fits - len(".example")] + ".example"
    assert len(domain) == fits
    assert mail_domain.domain_ok(domain)
    assert not mail_domain.domain_ok("b" + domain)


@pytest.mark.parametrize("text", ["acme.example", "@acme.example", "", "alice"])
def test_what_is_no_address_has_no_domain(text: str) -> None:
    assert mail_domain.domain_of(text) is None


def test_the_domain_is_what_follows_the_last_at_sign_and_a_subdomain_is_another() -> None:
    assert mail_domain.domain_of('"a@evil.example"@acme.example') == "acme.example"
    assert mail_domain.domain_of("a@mail.acme.example") == "mail.acme.example"


def test_the_record_stands_below_a_label_of_its_own() -> None:
    assert mail_domain.record_name("acme.example") == "_doorward-challenge.acme.example"
    assert mail_domain.record_value("abc") == "doorward-domain-verification=abc"
