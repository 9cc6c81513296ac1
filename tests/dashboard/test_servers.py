"""A tenant's servers on pages: who may add one, where it may be, and that nothing of it is told to others (F2; L19)."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.gateway.recorder import Recorder, reply

from doorward.accounts.actors import Actor
from doorward.gateway import testing
from doorward.model import Role, RoleId, Server, Status, Vetting
from doorward.provisioning import own_servers
from doorward.provisioning.own_server_wish import Wish
from doorward.settings import OwnServerSettings
from doorward.storage import events, permissions, servers, upstream_secrets
from support.pages import CAROL, Browser
from support.person import Page
from support.rows import ACME, ALICE, BOB, GLOBEX
from support.whole import Whole, opened_whole

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("F2")]
PATH = "/settings/servers"
GLOBEX_OWNER = Role(id=RoleId("r-globex-owner"), tenant_id=GLOBEX.id, name="owner", permissions=("*:*",), built_in=True)
SECRET = "a-credential-that-nobody-reads"


@pytest.fixture
async def upstream() -> AsyncIterator[Recorder]:
    recorder = Recorder()
    await recorder.start()
    yield recorder
    await recorder.stop()


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with opened_whole(tmp_path, own_servers=OwnServerSettings(networks=["127.0.0.0/8"])) as opened:
        yield opened


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Failures are told without waiting; how long would have been waited is kept."""
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(testing.Tester.__init__, "__kwdefaults__", {"wait": wait})
    return waited


def asked(url: str, **changed: str) -> dict[str, str]:
    return {
        "tenant": "acme", "title": "Our Wiki", "name": "wiki", "url": url, "auth": "identity", "header": "", "secret": "",
    } | changed  # fmt: skip


async def signed_in(whole: Whole, user: Any = ALICE) -> Browser:
    browser = whole.browser()
    await browser.sign_in(user)
    return browser


async def own(whole: Whole) -> Sequence[Server]:
    return await whole.database.read_long(lambda reader: servers.own_servers(reader, ACME.id))


async def told(whole: Whole) -> list[str]:
    found = await whole.database.read_long(lambda reader: events.recent_events(reader, ACME.id, 50))
    return [event.name for event in found]


async def test_a_server_is_added_with_its_tools_held_and_is_the_tenant_s_alone(
    whole: Whole, upstream: Recorder
) -> None:
    browser = await signed_in(whole)
    answer = await browser.post(PATH, asked(upstream.url))
    assert answer.status_code == 303, answer.text
    (server,) = await own(whole)
    assert (server.slug, server.paths, server.new_tools) == ("acme_wiki", ("/acme/own/wiki",), Vetting.HOLD)
    page = (await browser.get(f"{PATH}?tenant=acme")).text
    assert f"{whole.public_url}/acme/own/wiki" in page
    assert "s own</span>" in page
    assert "The operator" in page
    assert "own_server:added" in await told(whole)
    enabled = await whole.database.read_long(lambda reader: servers.servers_of_tenant(reader, GLOBEX.id))
    assert server.id not in enabled


async def test_the_page_tells_how_each_server_is_and_nothing_secret_of_the_operator_s(whole: Whole) -> None:
    browser = await signed_in(whole)
    page = (await browser.get(PATH)).text
    assert "http://127.0.0.1:9" in page
    assert "http://127.0.0.1:9/mcp" not in page
    assert "Not seen yet" in page
    assert "servers:manage" in page
    detail = (await browser.get("/settings/server/harbour?tenant=acme")).text
    assert "Declared by the operator with <code>doorward apply</code>" in detail
    assert "/settings/server/harbour/change" not in detail
    for what in ("change", "remove"):
        assert (await browser.get(f"/settings/server/harbour/{what}?tenant=acme")).status_code == 409
    refused = await browser.post("/settings/server/harbour/status", {"tenant": "acme", "status": "disabled"})
    assert refused.status_code == 409


async def test_only_whoever_may_finds_the_pages(whole: Whole, upstream: Recorder) -> None:
    assert (await whole.browser().get(PATH)).headers["location"].startswith("/sign-in")
    await whole.change(lambda tx: permissions.set_membership(tx, ACME.id, BOB.id, ("viewer",)))
    browser = await signed_in(whole, BOB)
    assert PATH not in (await browser.get("/settings/keys")).text
    for path in (PATH, f"{PATH}/new", "/settings/server/harbour"):
        assert (await browser.get(path)).status_code == 403, path
    assert (await browser.post(PATH, asked(upstream.url))).status_code == 403
    assert (await browser.post(f"{PATH}/test", asked(upstream.url))).status_code == 403
    assert list(await own(whole)) == []
    assert upstream.requests == []


async def test_M1_another_tenant_s_server_and_a_missing_one_are_alike(whole: Whole, upstream: Recorder) -> None:
    carol = await signed_in(whole, CAROL)
    await carol.post(PATH, asked(upstream.url))
    await whole.change(lambda tx: permissions.put_role(tx, GLOBEX_OWNER))
    await whole.change(lambda tx: permissions.set_membership(tx, GLOBEX.id, BOB.id, ("owner",)))
    browser = await signed_in(whole, BOB)
    texts = []
    for slug in ("acme_wiki", "acme_none"):
        answer = await browser.get(f"/settings/server/{slug}?tenant=globex")
        assert answer.status_code == 404
        texts.append(answer.text.replace(answer.headers["x-request-id"], ""))
        posted = await browser.post(f"/settings/server/{slug}/remove", {"tenant": "globex"})
        assert posted.status_code == 404
    assert texts[0] == texts[1]
    assert "acme_" not in (await browser.get(f"{PATH}?tenant=globex")).text
    assert len(await own(whole)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:5432/",
        "https://localhost:5432/",
        "http://127.0.0.1:{port}/mcp",
        "http://2130706433:{port}/mcp",
        "http://0x7f000001:{port}/mcp",
        "http://127.1:{port}/mcp",
        "http://[::ffff:127.0.0.1]:{port}/mcp",
        "http://10.0.0.1/mcp",
        "https://no-such-name.invalid/mcp",
    ],
)
async def test_L19_a_test_of_what_is_private_and_of_what_is_not_there_is_one_answer(
    tmp_path: Path, upstream: Recorder, soon: list[float], url: str
) -> None:
    port = upstream.url.rpartition(":")[2].removesuffix("/mcp")
    async with opened_whole(tmp_path) as whole:
        browser = await signed_in(whole)
        answer = await browser.post(f"{PATH}/test", asked(url.format(port=port)))
        assert answer.status_code == 200
        assert "No MCP server can be used there." in answer.text
        assert "It answers" not in answer.text
        assert upstream.connections == 0
        (waited,) = soon
        assert 0 < waited <= testing.SECONDS
        for word in ("refused", "resolve", "ConnectionRefused", "not a public address", "never asked", "not listed"):
            assert word not in answer.text.replace(url, ""), word


@pytest.mark.parametrize(
    "url",
    [
        "gopher://wiki.example/mcp",
        "file:///etc/passwd",
        "http://u:p@x.example/mcp",
        "https://x.example:25/mcp",
        "wiki",
        "",
    ],
)
async def test_L19_an_address_that_is_none_is_refused_at_its_field_and_what_was_typed_stays(
    whole: Whole, url: str
) -> None:
    browser = await signed_in(whole)
    for path in (PATH, f"{PATH}/test"):
        answer = await browser.post(path, asked(url, auth="bearer", secret=SECRET))
        assert answer.status_code == 422
        assert 'id="url-error"' in answer.text
        assert 'value="Our Wiki"' in answer.text
        assert SECRET not in answer.text
    assert list(await own(whole)) == []


async def test_L19_what_was_added_is_judged_at_every_call_and_never_reached_where_it_may_not_be(
    tmp_path: Path, upstream: Recorder
) -> None:
    async with opened_whole(tmp_path) as whole:
        browser = await signed_in(whole)
        assert (await browser.post(PATH, asked(upstream.url))).status_code == 303
        page = await browser.post("/settings/server/acme_wiki/test", {"tenant": "acme"})
        assert "No MCP server can be used there." in page.text
        assert "None was seen yet" in page.text
        assert upstream.connections == 0


async def test_a_test_says_what_answers_and_looks_at_the_tools_which_wait(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    drafted = await browser.post(f"{PATH}/test", asked(upstream.url))
    assert "It answers:" in drafted.text
    assert "6 tools" in drafted.text
    await browser.post(PATH, asked(upstream.url))
    page = (await browser.post("/settings/server/acme_wiki/test", {"tenant": "acme"})).text
    assert page.count("New, held") == 6
    assert "destroys" in page
    upstream.answer = lambda _request: reply(401, b"{}")
    refused = await browser.post(f"{PATH}/test", asked(upstream.url))
    assert "does not take what it is shown" in refused.text


async def test_L19_tests_are_bounded_for_each_tenant(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    answers = [await browser.post(f"{PATH}/test", asked(upstream.url)) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["retry-after"] == "60"


async def test_M13_a_credential_is_kept_sealed_sent_and_never_shown_again(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    seen = [await browser.post(PATH, asked(upstream.url, auth="header", header="X-Api-Key", secret=SECRET))]
    (server,) = await own(whole)
    seen += [await browser.get(path) for path in _pages()]
    upstream.forget()
    seen.append(await browser.post("/settings/server/acme_wiki/test", {"tenant": "acme"}))
    assert {request.header("x-api-key") for request in upstream.requests} == {SECRET}
    assert {request.header("authorization") for request in upstream.requests} == {None}
    for answer in seen:
        assert SECRET not in answer.text
    sealed = await whole.database.read(upstream_secrets.sealed_secrets)
    assert SECRET not in str(sealed[f"own/{server.id}"])
    assert SECRET not in str(await whole.database.read_long(lambda r: events.recent_events(r, ACME.id, 50)))


async def test_M13_changing_the_address_does_not_send_the_credential_to_another_host(
    whole: Whole, upstream: Recorder
) -> None:
    thief = Recorder()
    await thief.start()
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url, auth="bearer", secret=SECRET))
    change = "/settings/server/acme_wiki/change"
    moved = await browser.post(change, asked(thief.url, auth="bearer"))
    assert moved.status_code == 422
    assert 'id="secret-error"' in moved.text
    other = await browser.post(change, asked(upstream.url, auth="header", header="x-key"))
    assert 'id="secret-error"' in other.text
    same = await browser.post(change, asked(upstream.url + "/2", auth="bearer", title="Renamed"))
    assert same.status_code == 303
    assert (await browser.post(change, asked(thief.url, auth="bearer", secret="another"))).status_code == 303
    await browser.post("/settings/server/acme_wiki/test", {"tenant": "acme"})
    assert SECRET not in str([request.head for request in thief.requests])
    assert b"Bearer another" in thief.requests[0].head
    (server,) = await own(whole)
    assert (server.name, server.slug) == ("Our Wiki", "acme_wiki")
    assert (await browser.post(change, asked(thief.url, auth="none"))).status_code == 303
    assert await whole.database.read(upstream_secrets.sealed_secrets) == {}
    await thief.stop()


def _pages() -> list[str]:
    return [PATH, "/settings/server/acme_wiki?tenant=acme", "/settings/server/acme_wiki/change?tenant=acme"]


async def test_another_host_is_another_server_whose_tools_are_held_again(whole: Whole, upstream: Recorder) -> None:
    other = Recorder()
    await other.start()
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url))
    page = await browser.post("/settings/server/acme_wiki/test", {"tenant": "acme"})
    await _review(browser, page, "plain", "allowed")
    (server,) = await own(whole)
    assert "allowed" in str(server.known["plain"])
    await browser.post("/settings/server/acme_wiki/change", asked(other.url))
    (server,) = await own(whole)
    assert server.known == {}
    await other.stop()


async def _review(browser: Browser, page: httpx2.Response, name: str, state: str) -> httpx2.Response:
    forms = [form for form in Page(page.text).forms if form.action.endswith("/review")]
    form = next(form for form in forms if form.named("name")[0].value == name)
    sent = {each: form.named(each)[0].value for each in ("tenant", "name", "version")}
    return await browser.post(form.action, sent | {"state": state})


async def test_a_server_is_disabled_enabled_and_removed_after_asking(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url, auth="bearer", secret=SECRET))
    for status in (Status.DISABLED, Status.ACTIVE):
        answer = await browser.post("/settings/server/acme_wiki/status", {"tenant": "acme", "status": status.value})
        assert answer.status_code == 303
        assert [server.status for server in await own(whole)] == [status]
    sure = await browser.get("/settings/server/acme_wiki/remove?tenant=acme")
    assert "Remove Our Wiki?" in sure.text
    await browser.post("/settings/server/acme_wiki/overrides", {"tenant": "acme", "match": "drop_*", "effect": "deny"})
    removed = await browser.post("/settings/server/acme_wiki/remove", {"tenant": "acme"})
    assert removed.headers["location"] == f"{PATH}?tenant=acme&done=removed"
    assert list(await own(whole)) == []
    assert await whole.database.read(upstream_secrets.sealed_secrets) == {}
    assert (await browser.post(PATH, asked(upstream.url))).status_code == 303
    assert [name for name in await told(whole) if name.startswith("own_server")] == [
        "own_server:added", "own_server:removed", "own_server:changed", "own_server:changed", "own_server:added",
    ]  # fmt: skip


@pytest.mark.requirement("security/H23")
async def test_adding_and_removing_want_a_recent_proof(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url))
    whole.clock.forward(3600)
    asks = await browser.post(PATH, asked(upstream.url, name="two", auth="bearer", secret=SECRET))
    assert asks.status_code == 403
    assert "to add a server" in asks.text
    assert SECRET not in asks.text
    assert (await browser.post("/settings/server/acme_wiki/remove", {"tenant": "acme"})).status_code == 403
    assert len(await own(whole)) == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "Wiki"}, "name"),
        ({"name": "a" * 32}, "name"),
        ({"title": " "}, "title"),
        ({"title": "a\u202eb"}, "title"),
        ({"auth": "header", "header": "host", "secret": "x"}, "header"),
        ({"auth": "header", "header": "mcp-x", "secret": "x"}, "header"),
        ({"auth": "bearer"}, "secret"),
        ({"auth": "bearer", "secret": "a\nb"}, "secret"),
        ({"auth": "oauth", "url": "http://x.example/mcp"}, "url"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(whole: Whole, changed: dict[str, str], field: str) -> None:
    browser = await signed_in(whole)
    answer = await browser.post(PATH, asked("https://wiki.example/mcp") | changed)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert list(await own(whole)) == []


async def test_a_name_is_used_once_and_a_kind_is_one_of_the_form(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url))
    again = await browser.post(PATH, asked(upstream.url))
    assert again.status_code == 422
    assert 'id="name-error"' in again.text
    assert (await browser.post(PATH, asked(upstream.url, auth="magic"))).status_code == 400


async def test_so_many_and_no_more_and_none_where_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: Recorder
) -> None:
    monkeypatch.setattr(own_servers, "MOST", 1)
    async with opened_whole(tmp_path, own_servers=OwnServerSettings(allowed=False)) as whole:
        browser = await signed_in(whole)
        assert "Add a server" not in (await browser.get(PATH)).text
        assert (await browser.get(f"{PATH}/new")).status_code == 403
        assert (await browser.post(PATH, asked(upstream.url))).status_code == 403
        for name, allowed in (("one", True), ("two", False)):
            wish = Wish(name=name, title="T", url="https://x.example/mcp")
            work = lambda tx, wish=wish: own_servers.add(  # noqa: E731
                tx, ACME, wish, Actor(user_id=None, by="test", cause=None), sealer=whole.core.sealer, entropy=whole.core.entropy,
                now=whole.clock(),
            )  # fmt: skip
            if allowed:
                await whole.change(work)
            else:
                with pytest.raises(own_servers.ServerRefused) as refused:
                    await whole.change(work)
                assert refused.value.fault.code == "DW-477"


async def test_a_role_that_goes_meanwhile_ends_it(whole: Whole, upstream: Recorder) -> None:
    browser = await signed_in(whole)
    await browser.post(PATH, asked(upstream.url))
    await whole.change(lambda tx: permissions.set_membership(tx, ACME.id, ALICE.id, ("viewer",)))
    assert (
        await browser.post("/settings/server/acme_wiki/status", {"tenant": "acme", "status": "disabled"})
    ).status_code == 403
    assert [server.status for server in await own(whole)] == [Status.ACTIVE]
