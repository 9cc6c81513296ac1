"""When a client is let in without a page, and when never (G8, G9; ASVS 10.7.1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.authserver.deployment import ACME_MCP, C1, C2, CIMD_URL, START, tenant, user
from tests.authserver.world import Browser, Pairs, World, answer_of, az, basic, tk

from doorward.accounts.sessions import Came, Lifetimes, start_session
from doorward.authserver import authorize, consent_memory
from doorward.authserver import connections as lives
from doorward.model import Permission, Status
from doorward.storage import clients, permissions, servers

pytestmark = pytest.mark.anyio
APP = "https://app.example/cb"
DAY = 86_400


def web(**changed: str) -> Pairs:
    return az(**{"client_id": "c2", "redirect_uri": APP} | changed)


async def came(browser: Browser, params: Pairs) -> httpx2.Response:
    return await browser.follow(await browser.open(params))


def silent(response: httpx2.Response) -> bool:
    """Say whether the client was answered without a page."""
    return response.status_code == 303 and "code" in answer_of(response)


@pytest.fixture
async def browser(world: World) -> Browser:
    """Alice's, in which she has let the Web App in and wants not to be asked again."""
    browser = await world.browser_of("alice")
    page = await browser.consent(web(scope="documents:read documents:write"))
    assert page.form.named("remember")
    await browser.submit(page, scope="documents:read", remember="yes")
    return browser


async def test_G8_the_same_request_is_answered_as_before(world: World, browser: Browser) -> None:
    response = await came(browser, web(scope="documents:read documents:write"))
    form = tk(answer_of(response)["code"]) | {"client_id": "c2", "redirect_uri": APP}
    tokens = (await world.token(form, authorization=basic("c2", world.secrets["c2"]))).json()
    assert tokens["scope"] == "documents:read"
    connection = (await world.connections())[0]
    assert connection.declined == {"documents:write"}
    assert [event.name for event in await world.events()][:2] == ["connection:activated", "connection:approved"]


async def test_G8_it_is_answered_by_the_first_request_and_names_the_browser(world: World, browser: Browser) -> None:
    assert silent(await browser.open(web()))
    browser.http.cookies.delete("doorward_browser")
    response = await browser.open(web())
    assert silent(response)
    assert "doorward_browser=" in response.headers["set-cookie"]
    assert len({connection.browser for connection in await world.connections()} - {None}) == 2


async def test_G8_what_cannot_be_answered_at_once_changes_nothing(world: World, browser: Browser) -> None:
    before = await world.connections()
    await world.database.write(lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []))
    response = await browser.open(web())
    assert response.headers["location"].startswith("/oauth/consent?")
    assert await world.connections() == before
    assert (await browser.follow(response)).status_code == 403


async def test_G8_less_of_the_same_needs_no_page(browser: Browser) -> None:
    assert silent(await came(browser, web(scope="documents:read")))


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": "documents:read projects:read"},
        {"redirect_uri": "https://app.example/other"},
        {"resource": ACME_MCP},
        {"prompt": "consent"},
        {"scope": "documents:write"},
    ],
    ids=["new scope", "other redirect", "other resource", "prompt=consent", "only what was declined"],
)
async def test_G8_anything_else_is_asked(world: World, browser: Browser, changed: dict[str, str]) -> None:
    both = replace(C2, redirect_uris=(APP, "https://app.example/other"))
    if "redirect_uri" in changed:
        await world.database.write(lambda tx: clients.update_client(tx, both))
    assert not silent(await came(browser, web(**{"scope": "documents:read"} | changed)))


CHANGES: dict[str, Callable[[Any], object]] = {
    "another name": lambda tx: clients.update_client(tx, replace(C2, name="Other App")),
    "one more redirect": lambda tx: clients.update_client(tx, replace(C2, redirect_uris=(APP, "https://b.example/cb"))),
    "a limit": lambda tx: clients.update_client(
        tx, replace(C2, scope_limit=frozenset({Permission("documents:read"), Permission("projects:read")}))
    ),
    "a second tenant": lambda tx: permissions.set_membership(tx, tenant("globex").id, user("alice").id, ("viewer",)),
    "server off": lambda tx: servers.set_tenant_servers(tx, tenant("acme").id, []),
    "no rights": lambda tx: permissions.set_membership(tx, tenant("acme").id, user("alice").id, ()),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_G8_what_changed_meanwhile_is_asked(world: World, browser: Browser, change: str) -> None:
    await world.database.write(CHANGES[change])
    assert not silent(await came(browser, web()))


async def test_G8_it_ends_by_time_however_often_it_is_used(world: World, browser: Browser) -> None:
    for _ in range(2):
        world.clock.forward(14 * DAY)
        await browser.sign_in("alice")
        assert silent(await came(browser, web()))
    world.clock.forward(2 * DAY + 1)
    await browser.sign_in("alice")
    assert not silent(await came(browser, web()))


async def test_G8_it_is_the_persons_own(world: World, browser: Browser) -> None:
    await browser.sign_in("bob")
    assert not silent(await came(browser, web()))


async def test_G8_nobody_is_answered_for_who_is_not_signed_in(browser: Browser) -> None:
    await browser.sign_out()
    response = await came(browser, web())
    assert response.headers["location"].startswith("/sign-in")


async def test_G8_a_disabled_user_or_client_is_not_answered_for(world: World, browser: Browser) -> None:
    await world.database.write(lambda tx: clients.update_client(tx, replace(C2, status=Status.DISABLED)))
    assert not silent(await came(browser, web()))


async def test_G8_rights_that_came_since_are_asked_for(world: World) -> None:
    browser = await world.browser_of("carol")
    both = web(scope="documents:read documents:write")
    await browser.submit(await browser.consent(both), remember="yes")
    assert silent(await came(browser, both))
    await world.database.write(
        lambda tx: permissions.set_membership(tx, tenant("acme").id, user("carol").id, ("editor",))
    )
    assert not silent(await came(browser, both))


async def test_G8_without_the_tick_it_is_asked_every_time(world: World) -> None:
    browser = await world.browser_of("alice")
    await browser.submit(await browser.consent(web()))
    assert not silent(await came(browser, web()))


async def test_G8_a_person_can_have_it_forgotten(world: World, browser: Browser) -> None:
    await browser.submit(await browser.consent(web(prompt="consent")))
    assert not silent(await came(browser, web()))
    assert (await world.events())[0].name == "consent:forgotten"


async def test_G8_ending_a_connection_forgets_it(world: World, browser: Browser) -> None:
    connection = (await world.connections())[0]
    await world.database.write(lambda tx: lives.end(tx, connection, "test", by="person", now=world.clock(), cause=None))
    assert not silent(await came(browser, web()))


@pytest.mark.parametrize(
    ("client_id", "redirect"), [("c1", "http://127.0.0.1:53111/cb"), ("c3", "https://evil.example/cb"), (CIMD_URL, "http://127.0.0.1/cb")]
)  # fmt: skip
async def test_G9_a_client_that_proves_nothing_is_never_let_in_silently(
    world: World, client_id: str, redirect: str
) -> None:
    browser = await world.browser_of("alice")
    params = az(client_id=client_id, redirect_uri=redirect)
    page = await browser.consent(params)
    assert not page.form.named("remember")
    await browser.submit(page, remember="yes")
    assert not silent(await came(browser, params))


@pytest.mark.parametrize("how", ["public", "loopback"])
async def test_G9_nor_one_that_lost_what_made_it_trusted(world: World, browser: Browser, how: str) -> None:
    changed = {
        "public": replace(C2, auth_method=C1.auth_method),
        "loopback": replace(C2, redirect_uris=("http://127.0.0.1/cb",)),
    }[how]
    await world.database.write(lambda tx: clients.update_client(tx, changed))
    assert not silent(await came(browser, web(redirect_uri=changed.redirect_uris[0])))


async def test_G9_a_form_that_came_in_between_is_no_second_answer(browser: Browser) -> None:
    await browser.sign_out()
    asked = await browser.open(web())
    await browser.sign_in("alice")
    first = await browser.follow(asked)
    assert silent(first)
    assert not silent(await browser.follow(asked))


async def test_approving_as_before_what_is_not_remembered_changes_nothing(world: World) -> None:
    services = world.server._services
    pages = world.server._pages

    def run(tx: Any) -> object:
        session, _ = start_session(
            tx, user("alice"), means="password", came=Came(cause=None), lifetimes=Lifetimes(), now=START, entropy=services.entropy,
            fingerprinter=services.fingerprinter,
        )  # fmt: skip
        pending = authorize.begin(
            tx, web(), directory=services.directory, keys=services.keys.look(tx), issuer=services.public_url,
            now=world.clock(), entropy=services.entropy,
        )  # fmt: skip
        return consent_memory.approve_as_before(
            tx, pending, (session, user("alice")), rules=pages._consent_rules, now=world.clock(),
            entropy=services.entropy, cause=None,
        )  # fmt: skip

    assert await world.database.write(run) is None
    assert await world.connections() == []
