"""``doorward connection`` and ``doorward client disable``, ``enable``, ``lifetime``."""

import pytest
from tests.cli.commands import Commands, failed
from tests.cli.test_client import PORTAL


@pytest.fixture
def portal(team: Commands) -> Commands:
    assert team.apply(PORTAL).exit_code == 0
    return team


@pytest.mark.requirement("D3")
def test_a_client_is_disabled_and_enabled_once_each(portal: Commands) -> None:
    told = [portal.run("client", what, "portal").stdout for what in ("disable", "disable", "enable", "enable")]
    assert told == [
        "Client portal is disabled.\n",
        "Client portal was disabled before.\n",
        "Client portal is enabled.\n",
        "Client portal was enabled before.\n",
    ]


@pytest.mark.requirement("B14")
@pytest.mark.parametrize(("said", "seconds"), [("90", 90), ("15m", 900), ("24h", 86_400), ("30d", 2_592_000)])
def test_a_lifetime_is_a_number_with_a_unit(portal: Commands, said: str, seconds: int) -> None:
    assert portal.run("client", "lifetime", "portal", said).stdout == (
        f"Access tokens of portal live for {seconds} seconds.\n"
    )
    assert portal.run("client", "lifetime", "portal", said).stdout.endswith(", as before.\n")
    assert portal.run("client", "lifetime", "portal", "default").stdout == (
        "Access tokens of portal live for the usual time.\n"
    )


@pytest.mark.parametrize("said", ["59", "31d", "0", "x", "1w", ""])
def test_what_is_no_lifetime_is_refused(portal: Commands, said: str) -> None:
    assert "no lifetime" in failed(portal.run("client", "lifetime", "portal", said))


@pytest.mark.parametrize("what", [("disable",), ("enable",)])
def test_an_unknown_client_is_told_so(portal: Commands, what: tuple[str, ...]) -> None:
    assert "there is no client" in failed(portal.run("client", *what, "nobody"))


def test_an_unknown_person_or_connection_is_told_so(portal: Commands) -> None:
    assert "there is no user" in failed(portal.run("connection", "list", "--user", "nobody@acme.example"))
    assert "there is no connection" in failed(portal.run("connection", "end", "con_x"))
