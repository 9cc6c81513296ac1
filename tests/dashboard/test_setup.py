"""The page that says how a client is set up: whose URL stands in it, and how far each client got."""

import re
from dataclasses import replace
from html import escape
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from doorward.clients.guides import WAYS, guides
from doorward.model import SECOND, ClientId, Connection, ConnectionId, Instant, User
from doorward.storage import api_keys, clients, connections, servers
from doorward.storage.attempts import AttemptStep, Step, insert_steps
from support.pages import CAROL, House
from support.rows import ACME, ALICE, BOB, CLIENT, CONNECTION, GLOBEX, KEY, NOW

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A5")]
PATH = "/settings/setup"
URL = "https://mcp.acme.example/acme/mcp"
CURSOR = replace(CLIENT, id=ClientId("client_cursor"), name="Cursor")


async def looked(house: House, user: User = ALICE, path: str = PATH) -> httpx2.Response:
    browser = house.browser()
    await browser.sign_in(user)
    return await browser.get(path)


def status_of(page: httpx2.Response) -> str:
    text = page.text[page.text.index('id="status"') : page.text.index("If it does not work")]
    return " ".join(text.replace("<strong>", "").replace("</strong>", "").split())


async def test_somebody_who_is_not_signed_in_comes_back_to_what_they_asked_for(house: House) -> None:
    answer = await house.browser().get(f"{PATH}?client=cursor&how=key")
    target = urlsplit(answer.headers["location"])
    assert target.path == "/sign-in"
    assert parse_qs(target.query)["next"] == [f"{PATH}?client=cursor&how=key"]
    assert (await house.browser().get(f"{PATH}?client=\u202e")).headers["location"].endswith("next=%2Fsettings%2Fsetup")


async def test_each_client_has_its_steps_with_the_tenants_own_url(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    for guide, way in product(guides().values(), WAYS):
        page = await browser.get(f"{PATH}?client={guide.id}&how={way}")
        assert page.status_code == 200
        assert URL in page.text
        if way in guide.cannot:
            # Where there is only the other way, that one is shown; the choice says that this one is not possible.
            assert "Not possible" in page.text
        else:
            for step in guide.steps[way]:
                assert step.title.replace("{name}", "harbour") in page.text, guide.id
        for trouble in guide.troubles:
            assert escape(trouble.sign) in page.text, guide.id
        assert not re.search(r"\{(url|name|env|key)\}", page.text), guide.id


async def test_the_page_compares_the_clients_and_the_ways_and_has_the_prompt(house: House) -> None:
    page = await looked(house)
    for guide in guides().values():
        assert f">{guide.name}</a>" in page.text
    assert "Call whoami on harbour and tell me" in page.text
    assert "The platform&#39;s own token" in page.text
    assert "With <code>https://mcp.acme.example/mcp</code> you pick the tenant while approving." in page.text
    assert "doorward connect claude-code --url https://mcp.acme.example/acme/mcp --name harbour --write" in page.text


async def test_only_known_clients_have_install_links_and_only_for_signing_in(house: House) -> None:
    page = await looked(house, path=f"{PATH}?client=cursor")
    assert 'href="cursor://anysphere.cursor-deeplink/mcp/install?name=harbour&amp;config=' in page.text
    assert "cursor://" not in (await looked(house, path=f"{PATH}?client=cursor&how=key")).text.split("<aside")[0]


async def test_what_is_not_known_or_not_theirs_is_the_first_of_theirs(house: House) -> None:
    browser = house.browser()
    await browser.sign_in(ALICE)
    queries = (
        "client=../../x",
        "client=%3Cscript%3E",
        "how=%00",
        "server=vault",
        "tenant=&client=&how=",
    )
    for query in queries:
        page = await browser.get(f"{PATH}?{query}")
        assert page.status_code == 200
        assert URL in page.text
        assert "globex" not in page.text
        assert "<script>" not in page.text
    for slug in ("globex", "nosuch", "%27"):
        assert (await browser.get(f"{PATH}?tenant={slug}")).status_code == 403


async def test_somebody_without_a_tenant_or_a_server_is_told_so(house: House) -> None:
    assert "No tenant yet" in (await looked(house, BOB)).text
    page = await looked(house, CAROL, f"{PATH}?tenant=globex")
    assert "Globex has no server yet" in page.text
    assert f"{PATH}?tenant=acme" in page.text


async def test_who_is_in_two_tenants_chooses_one_and_gets_names_that_do_not_meet(house: House) -> None:
    await house.change(lambda tx: servers.set_tenant_servers(tx, GLOBEX.id, [servers.servers(tx)[0].id]))
    first, second = [await looked(house, CAROL, f"{PATH}?tenant={slug}") for slug in ("acme", "globex")]
    assert "claude mcp add --transport http harbour-acme \\\n  https://mcp.acme.example/acme/mcp" in first.text
    assert "claude mcp add --transport http harbour-globex \\\n  https://mcp.acme.example/globex/mcp" in second.text


def connected(name: str = "Cursor", **changed: Any) -> Connection:
    found = replace(
        CONNECTION,
        id=ConnectionId(f"con_{name}"),
        client_id=CURSOR.id,
        activated_at=NOW,
        expires_at=Instant(NOW + 10**15),
    )
    return replace(found, **changed)


async def stored(house: House, connection: Connection, *steps: Step) -> None:
    def store(tx: Any) -> None:
        clients.insert_client(tx, CURSOR, canonical_key=None, secret_fingerprint=None)
        connections.insert_connection(tx, connection)
        for number, step in enumerate(steps):
            at = Instant(NOW + number * SECOND)
            insert_steps(
                tx,
                [AttemptStep(
                    at=at, step=step, request_id=f"req_{number}", flow="f", tenant_id=ACME.id, user_id=ALICE.id,
                    client_id=CURSOR.id, client_name="Cursor", connection_id=connection.id,
                )],
            )  # fmt: skip

    await house.change(store)


async def test_a_client_that_has_called_is_connected_since_then(house: House) -> None:
    await stored(house, connected(), Step.CONSENT, Step.APPROVED, Step.TOKEN, Step.CALLED)
    house.clock.forward(123)
    page = await looked(house, path=f"{PATH}?client=cursor")
    assert "Cursor is connected, first call <time" in status_of(page)
    assert "2 minutes ago</time>" in status_of(page)
    elsewhere = status_of(await looked(house, path=f"{PATH}?client=codex"))
    assert "Nothing has come from Codex CLI yet" in elsewhere
    assert "Cursor is connected" in elsewhere


async def test_a_connection_that_was_ended_is_not_called_connected(house: House) -> None:
    ended = connected(revoked_at=NOW, revoked_reason="x")
    await stored(house, ended, Step.CONSENT, Step.APPROVED, Step.TOKEN, Step.CALLED)
    assert "Nothing has come from Cursor yet" in status_of(await looked(house, path=f"{PATH}?client=cursor"))


async def test_without_any_step_left_the_connection_itself_tells(house: House) -> None:
    await stored(house, connected())
    assert "Cursor is connected since" in status_of(await looked(house, path=f"{PATH}?client=cursor"))


async def test_a_client_under_way_and_one_that_stopped_are_told_with_the_way_to_their_steps(house: House) -> None:
    await stored(house, connected(activated_at=None), Step.AUTHORIZE, Step.CONSENT)
    page = await looked(house, path=f"{PATH}?client=cursor")
    assert "Cursor is under way" in status_of(page)
    house.clock.forward(3600)
    page = await looked(house, path=f"{PATH}?client=cursor")
    assert "Cursor stopped" in status_of(page)
    link = status_of(page).split('href="')[1].split('"')[0].replace("&amp;", "&")
    assert (await looked(house, path=link)).status_code == 200


async def test_what_others_connected_is_not_shown(house: House) -> None:
    await stored(house, connected(user_id=CAROL.id))
    assert "Nothing has come from Cursor yet" in status_of(await looked(house, path=f"{PATH}?client=cursor"))


async def test_a_key_that_was_used_is_told_where_a_key_is_set_up(house: House) -> None:
    unused = replace(KEY, last_used_at=None, last_used_ip=None, last_used_client=None, expires_at=None, revoked_at=None)
    await house.change(lambda tx: api_keys.insert_api_key(tx, unused))
    assert "Waiting for the first call" in status_of(await looked(house, path=f"{PATH}?client=curl"))
    await house.change(lambda tx: api_keys.touch_api_keys(tx, [(KEY.id, NOW, "192.0.2.7", "<b>curl/8")]))
    house.clock.forward(7200)
    status = status_of(await looked(house, path=f"{PATH}?client=curl"))
    assert "2 hours ago</time> by &lt;b&gt;curl/8" in status
    assert "Waiting" not in status


async def test_the_page_runs_no_inline_code_and_leaves_to_nobody(house: House) -> None:
    page = await looked(house, path=f"{PATH}?client=vscode")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert 'href="vscode:mcp/install?%7B%22name%22' in page.text
    assert " style=" not in page.text
