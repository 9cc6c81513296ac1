"""``doorward provider`` and ``doorward domain``."""

import json

import pytest
from tests.cli.commands import Commands
from tests.cli.test_client import failed

CORP = {
    "slug": "corp",
    "name": "Acme SSO",
    "issuer": "https://id.invalid",
    "client_id": "dw",
    "domains": ["acme.example"],
}


@pytest.fixture
def federated(team: Commands) -> Commands:
    assert team.apply({"providers": [CORP]}).exit_code == 0
    return team


def test_providers_are_listed_with_what_to_register_there(federated: Commands) -> None:
    (found,) = json.loads(federated.run("provider", "list", "--json").stdout)["providers"]
    assert found["redirect_uri"].endswith("/sign-in/with/corp/callback")
    assert (found["slug"], found["status"], found["secret"]) == ("corp", "active", None)
    shown = federated.run("provider", "list").stdout
    assert "corp  Acme SSO  https://id.invalid  [active]" in shown
    assert found["redirect_uri"] in shown


def test_a_provider_that_cannot_be_asked_is_said_to_fail(federated: Commands) -> None:
    done = federated.run("provider", "check")
    assert done.exit_code == 1
    assert "corp  FAIL  " in done.stdout
    assert "1 of 1 providers cannot be used" in done.stderr
    assert "no provider" in failed(federated.run("provider", "check", "nobody"))


def test_a_domain_is_said_proven_by_hand_listed_and_removed(federated: Commands) -> None:
    said = federated.run("domain", "add", "acme", "acme.example", "--sso", "corp", "--join", "viewer")
    assert said.exit_code == 0, said.output
    assert "_doorward-challenge.acme.example  TXT  doorward-domain-verification=" in said.stdout
    assert "not proven  sso corp  join viewer" in federated.run("domain", "list", "acme").stdout
    proven = federated.run("domain", "verify", "acme", "acme.example", "--by-hand", "ticket 4711")
    assert "is proven for acme" in proven.stdout
    (found,) = json.loads(federated.run("domain", "list", "acme", "--json").stdout)["domains"]
    assert (found["sso"], found["join"], found["proven_by"]) == ("corp", "viewer", "by hand: ticket 4711")
    assert "this holds now" in federated.run("domain", "add", "acme", "acme.example", "--sso", "corp").stdout
    assert "no longer acme's" in federated.run("domain", "remove", "acme", "acme.example").stdout
    assert federated.run("domain", "list", "acme").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "nowhere", "acme.example"), "no tenant"),
        (("add", "acme", "acme"), "no mail domain"),
        (("add", "acme", "other.example", "--sso", "corp"), "speaks for"),
        (("add", "acme", "acme.example", "--join", "owner"), "joins with"),
        (("verify", "acme", "acme.example"), "has no domain"),
        (("remove", "acme", "acme.example"), "has no domain"),
        (("list", "nowhere"), "no tenant"),
    ],
)
def test_what_cannot_be_done_is_one_line(federated: Commands, arguments: tuple[str, ...], words: str) -> None:
    assert words in failed(federated.run("domain", *arguments))
