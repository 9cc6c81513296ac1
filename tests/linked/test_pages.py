"""The pages of linked accounts, and what the operator sees of them."""

from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result
from tests.gateway.recorder import Recorder

from doorward.bootstrap.probing import probed
from doorward.cli.main import main
from support.elsewhere import Elsewhere
from support.linked_house import House, Visitor, declared
from support.pages import form_of
from support.person import Page

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]


def text(page: str) -> str:
    return " ".join(Page(page).text.split())


async def test_who_belongs_to_two_tenants_chooses_and_nothing_is_chosen_for_them(house: House) -> None:
    carol = await house.visitor("carol")
    page = await carol.get("/upstreams/wiki/connect")
    choices = form_of(page, "tenant").named("tenant")
    assert [(each.value, each.checked) for each in choices] == [("acme", False), ("globex", False)]
    page = await carol.get("/upstreams/wiki/connect", tenant="globex")
    assert [each.value for each in form_of(page, "tenant").named("tenant") if each.checked] == ["globex"]
    assert "form-action" not in page.headers["content-security-policy"]
    alice = await house.visitor("alice")
    assert [each.type for each in form_of(await alice.get("/upstreams/wiki/connect"), "tenant").named("tenant")] == [
        "hidden"
    ]


async def test_the_list_shows_what_is_linked_and_what_can_be(house: House, there: Elsewhere) -> None:
    carol = await house.visitor("carol")
    assert (await carol.get("/settings/upstreams")).text.count("Not linked") == 2
    await carol.link(there, "carol-there", "globex")
    page = await carol.get("/settings/upstreams", linked="wiki")
    words = text(page.text)
    assert "Your account at Wiki is linked. Go back to your app and call again." in words
    assert "Linked accounts" in words
    assert page.text.count("Not linked") == 1
    assert there.issuer.removeprefix("https://") in words
    assert not any(secret in page.text for secret in (*there.access, *there.refresh))
    await carol.post("/settings/upstreams/globex/wiki/unlink")
    assert "The account is unlinked." in text((await carol.get("/settings/upstreams", unlinked="wiki")).text)


async def test_an_account_at_a_server_that_is_not_offered_any_more_can_still_be_unlinked(
    house: House, there: Elsewhere
) -> None:
    alice = await house.visitor("alice")
    await alice.link(there)
    await house.apply({"tenants": [{"slug": "acme", "servers": []}]})
    assert "Wiki" in (await alice.get("/settings/upstreams")).text
    await alice.post("/settings/upstreams/acme/wiki/unlink")
    assert await house.grants() == []
    assert there.revoked
    assert "Nothing to link" in (await alice.get("/settings/upstreams")).text


async def test_the_page_is_in_the_navigation_where_there_is_something_to_link(house: House, wiki: Recorder) -> None:
    alice = await house.visitor("alice")
    assert "/settings/upstreams" in (await alice.get("/settings/keys")).text
    await house.apply({"servers": [{"slug": "wiki", "auth": {"kind": "none"}}]})
    assert "/settings/upstreams" not in (await alice.get("/settings/keys")).text


@pytest.mark.parametrize("path", ["/settings/upstreams", "/settings/upstreams/acme/wiki/unlink"])
async def test_the_pages_are_for_those_who_are_signed_in(house: House, path: str) -> None:
    answer = await Visitor(house).get(path)
    assert answer.headers["location"] == "/sign-in?next=%2Fsettings%2Fupstreams"


async def test_names_that_others_chose_are_inert(house: House, wiki: Recorder, there: Elsewhere) -> None:
    server = declared(wiki.url, there.issuer)["servers"][0]
    await house.apply({"servers": [{**server, "name": "<script>alert(1)</script>"}]})
    alice = await house.visitor("alice")
    for path in ("/settings/upstreams", "/upstreams/wiki/connect"):
        assert "<script>alert" not in (await alice.get(path)).text


async def test_the_operator_is_told_where_people_sign_in(house: House, there: Elsewhere) -> None:
    assert (await probed(house.core, ["wiki"]))["wiki"].accounts == there.issuer
    there.metadata = {"issuer": "https://evil.example"}
    assert (await probed(house.core, ["wiki"]))["wiki"].problem


async def test_the_operator_lists_and_forgets_accounts(house: House, there: Elsewhere) -> None:
    for name, tenant in (("alice", "acme"), ("carol", "acme"), ("carol", "globex")):
        await (await house.visitor(name)).link(there, f"{name}-there", tenant)
    data = house.core.settings.data_dir

    async def run(*arguments: str) -> Result:
        return await anyio.to_thread.run_sync(lambda: command(data, *arguments))

    listed = await run("list")
    assert listed.exit_code == 0, listed.output
    assert [line.split("  ")[:3] for line in listed.stdout.splitlines()] == [
        ["alice@test.example", "acme", "wiki"],
        ["carol@test.example", "acme", "wiki"],
        ["carol@test.example", "globex", "wiki"],
    ]
    assert there.issuer in listed.stdout
    as_json = await run("list", "--json", "--user", "Alice@test.example")
    assert '"user": "alice@test.example"' in as_json.stdout
    assert not any(secret in listed.output + as_json.output for secret in (*there.access, *there.refresh))
    unclear = await run("forget", "carol@test.example", "wiki")
    assert (unclear.exit_code, "--tenant" in unclear.stderr) == (1, True)
    done = await run("forget", "carol@test.example", "wiki", "--tenant", "globex")
    assert done.exit_code == 0, done.output
    gone = await run("forget", "bob@test.example", "wiki")
    assert (gone.exit_code, "no such account" in gone.stderr) == (1, True)
    assert len(await house.grants()) == 2
    assert (await run("forget-registration", "wiki")).stdout == "1 registration for wiki forgotten.\n"
    assert (await run("forget-registration", "gone")).exit_code == 1
    ended = next(event for event in await house.events() if event.name == "upstream_account:unlinked")
    assert (ended.actor_id, ended.detail["whose"]) == (None, (await house.user("carol")).id)


def command(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["upstream", *arguments, "--data", str(data)], prog_name="doorward")
