"""``doorward servers add`` and its like: a tenant's own servers at the command line, never a credential."""

import json

import pytest
from tests.cli.commands import Commands, failed

pytestmark = pytest.mark.requirement("F2")
URL = "https://wiki.example.com/mcp"
SECRET = "a-credential-that-nobody-reads"


def listed(team: Commands) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(team.run("servers", "list", "acme", "--json").stdout)["servers"]
    return found


def test_M13_a_server_is_added_disabled_enabled_and_removed(team: Commands) -> None:
    made = team.run(
        "servers", "add", "acme", "own", URL, "--title", "Our own", "--auth", "header", "--header", "x-api-key",
        stdin=f"{SECRET}\n",
    )  # fmt: skip
    assert made.stdout == "acme_own is added, at http://127.0.0.1:8080/acme/own/own.\n"
    (own,) = [row for row in listed(team) if row["own"]]
    assert own == {"slug": "acme_own", "name": "Our own", "own": True, "paths": ["/acme/own/own"], "status": "active"}
    assert "acme_own  Our own  /acme/own/own  the tenant's own, active" in team.run("servers", "list", "acme").stdout
    assert team.run("servers", "disable", "acme", "acme_own").stdout == "acme_own is disabled.\n"
    assert team.run("servers", "enable", "acme", "acme_own").stdout == "acme_own is active.\n"
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in team.data.glob("doorward.db*"))
    assert team.run("servers", "remove", "acme", "acme_own").stdout == "acme_own is removed.\n"
    assert [row["own"] for row in listed(team)] == [False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "acme", "Own", URL), "Use a-z"),
        (("add", "acme", "own", "gopher://x"), "Write an http or https address"),
        (("add", "acme", "own", URL, "--auth", "bearer"), "Type the credential"),
        (("add", "none", "own", URL), "there is no tenant"),
        (("disable", "acme", "wiki"), "declared for the whole deployment"),
        (("remove", "acme", "acme_none"), "no server of this name"),
    ],
)
def test_what_cannot_be_is_said(team: Commands, arguments: tuple[str, ...], words: str) -> None:
    assert words in failed(team.run("servers", *arguments, stdin=""))


def test_a_document_neither_changes_nor_takes_away_what_a_tenant_added(team: Commands) -> None:
    team.run("servers", "add", "acme", "own", URL)
    assert team.apply({"tenants": [{"slug": "acme", "servers": ["wiki"]}]}).exit_code == 0
    assert [row["slug"] for row in listed(team)] == ["acme_own", "wiki"]
    for document in (
        {"servers": [{"slug": "acme_own", "upstream": "http://127.0.0.1:9/mcp"}]},
        {"tenants": [{"slug": "globex", "servers": ["acme_own"]}]},
        {"servers": [{"slug": "own-servers", "upstream": "http://127.0.0.1:9/mcp"}]},
    ):
        assert team.apply(document).exit_code == 1
