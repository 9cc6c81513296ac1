"""What ``tests/requirements/seeds.yaml`` promises of connecting (000, 002, 003, 004), each by the whole program."""

import re

import httpx2
import pytest
from tests.clients.by_hand import FORM, REDIRECT, VERIFIER, Agent, Reader, asked, key_of, tools, writes
from tests.clients.deployment import EMAIL, ISSUER, MCP, PASSWORD, SERVER, Deployment

from doorward.protocol.pkce import challenge_of

pytestmark = pytest.mark.anyio
VERA, LEO = "vera@example.test", "leo@example.test"
DAY = 86_400


@pytest.fixture
async def team(deployment: Deployment) -> Deployment:
    """Alice owns Acme; Vera may only read there; Leo is in Acme and in Globex."""
    people = [{"email": email, "name": email[:4].title(), "password": PASSWORD} for email in (VERA, LEO)]
    await deployment.apply({
        "users": people,
        "servers": [SERVER | {"upstream": deployment.upstream.url}],
        "tenants": [
            {"slug": "acme", "members": [{"user": VERA, "roles": ["viewer"]}, {"user": LEO, "roles": ["editor"]}]},
            {"slug": "globex", "name": "Globex", "servers": ["harbour"], "members": [{"user": LEO, "roles": ["viewer"]}]},
        ],
    })  # fmt: skip
    return deployment


@pytest.mark.requirement("seeds/000-as-user", "seeds/004-tools-of-the-user", "seeds/003-side-by-side", "seeds/002-both")
async def test_seed_a_client_sees_and_does_what_its_person_may_by_either_way(team: Deployment) -> None:
    for email, expected in ((EMAIL, {"echo", "write_note"}), (VERA, {"echo"})):
        token = (await Agent(team).connect(Reader(team, email)))["access_token"]
        key = await key_of(team, email)
        for bearer in (token, key):
            assert await tools(team, bearer) == expected, email
            assert await writes(team, bearer) is ("write_note" in expected)


@pytest.mark.requirement("seeds/000-consent", "seeds/000-consent-words", "seeds/002-scoped")
async def test_seed_the_consent_screen_lists_identity_and_access_in_words_and_may_be_denied(team: Deployment) -> None:
    agent, person = Agent(team), Reader(team, answer="deny")
    await agent.register()
    told = await person.opens(agent.url("openid profile email documents:read"))
    assert (told["error"], "code" in told) == ("access_denied", False)
    page = person.pages[-1]
    for words in ("Know who you are", EMAIL, "documents:read", "Deny", "Approve"):
        assert words in page, words
    assert {"openid", "profile", "email"} <= set(re.findall(r"openid|profile|email", page))


@pytest.mark.requirement("seeds/000-token-long", "seeds/004-direct", "seeds/004-direct-no-end")
async def test_seed_a_token_that_was_made_on_the_server_needs_no_browser_and_does_not_end_by_itself(
    team: Deployment,
) -> None:
    key = await key_of(team, VERA)
    team.clock.ahead = 3000 * DAY
    await team.restart()
    assert await tools(team, key) == {"echo"}


@pytest.mark.requirement("seeds/000-session-ends", "seeds/002-one-hour", "seeds/002-refresh")
async def test_seed_an_access_token_ends_after_an_hour_and_is_refreshed_for_days(team: Deployment) -> None:
    agent = Agent(team)
    given = await agent.connect(Reader(team))
    assert given["expires_in"] == 3600
    for day in range(1, 8):
        team.clock.ahead = day * DAY
        assert (await asked(team, given["access_token"], "tools/list")).status_code == 401
        given = (await agent.refresh(given["refresh_token"])).json()
        assert await tools(team, given["access_token"]) == {"echo", "write_note"}


@pytest.mark.requirement("seeds/002-code")
async def test_seed_a_code_is_good_for_ten_minutes_at_most(team: Deployment) -> None:
    agent = Agent(team)
    await agent.register()
    told = await Reader(team).opens(agent.url())
    team.clock.ahead = 601
    late = await agent.redeem(told["code"])
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")


@pytest.mark.requirement("seeds/002-pkce", "seeds/002-intercepted")
async def test_seed_a_code_that_somebody_caught_is_worth_nothing(team: Deployment) -> None:
    agent = Agent(team)
    await agent.register()
    told = await Reader(team).opens(agent.url())
    for verifier in ("w" * 64, challenge_of(VERIFIER)):
        caught = await agent.redeem(told["code"], code_verifier=verifier)
        assert caught.json()["error"] == "invalid_grant"
    assert (await agent.redeem(told["code"])).status_code == 200


@pytest.mark.requirement("seeds/002-computers", "seeds/002-revocable")
async def test_seed_two_computers_with_one_client_are_two_connections_and_each_is_ended_alone(team: Deployment) -> None:
    laptop, desktop = Agent(team, "Claude Code"), Agent(team, "Claude Code")
    first, second = await laptop.connect(Reader(team)), await desktop.connect(Reader(team))
    assert laptop.client_id == desktop.client_id, "the same app is one client"
    async with team.client(accept="text/html") as browser:
        signing_in = str(httpx2.QueryParams({"email": EMAIL, "password": PASSWORD}))
        await browser.post("/sign-in", content=signing_in, headers=FORM)
        page = (await browser.get("/settings/apps")).text
        ends = sorted(set(re.findall(r"/settings/apps/[^\"?]+/disconnect", page)))
        assert len(ends) == 2, page
        assert (await browser.post(ends[0], content="", headers=FORM)).status_code == 303
    alive = [(await asked(team, each["access_token"], "tools/list")).status_code for each in (first, second)]
    assert sorted(alive) == [200, 401]


@pytest.mark.requirement("seeds/002-accounts")
async def test_seed_clients_with_names_of_their_own_hold_connections_of_different_people(team: Deployment) -> None:
    mine, hers = Agent(team, "Claude Code mine"), Agent(team, "Claude Code hers")
    token = (await mine.connect(Reader(team)))["access_token"]
    other = (await hers.connect(Reader(team, VERA)))["access_token"]
    assert mine.client_id != hers.client_id
    assert (await tools(team, token), await tools(team, other)) == ({"echo", "write_note"}, {"echo"})


@pytest.mark.requirement("seeds/002-no-password")
async def test_seed_nobody_gets_a_token_for_a_password(team: Deployment) -> None:
    agent = Agent(team)
    await agent.register()
    form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD, "client_id": agent.client_id}
    assert (await agent.post("/token", data=form)).json()["error"] == "unsupported_grant_type"
    async with team.client() as http:
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert "password" not in metadata["grant_types_supported"]


CONNECTOR = "documents:read documents:write offline_access"


@pytest.mark.requirement("seeds/003-register", "seeds/003-subset", "seeds/003-offline", "seeds/003-revoke")
async def test_seed_a_connector_registers_by_itself_gets_what_was_left_ticked_and_disconnects(team: Deployment) -> None:
    agent, person = Agent(team, "Cowork"), Reader(team, untick=("documents:write",))
    given = await agent.connect(person, CONNECTOR)
    assert set(given["scope"].split()) - {"offline_access"} == {"documents:read"}
    assert await tools(team, given["access_token"]) == {"echo"}
    assert not await writes(team, given["access_token"])
    renewed = (await agent.refresh(given["refresh_token"])).json()
    assert "documents:write" not in renewed["scope"]
    for token in (renewed["access_token"], renewed["refresh_token"]):
        form = {"token": token, "client_id": agent.client_id}
        assert (await agent.post("/oauth/revoke", data=form)).status_code == 200
    assert (await asked(team, renewed["access_token"], "tools/list")).status_code == 401
    assert (await agent.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"


async def test_seed_without_offline_access_approved_there_is_no_refresh_token(team: Deployment) -> None:
    given = await Agent(team, "Cowork").connect(Reader(team, untick=("offline_access",)), CONNECTOR)
    assert "refresh_token" not in given


@pytest.mark.requirement("seeds/003-intersection", "seeds/003-viewer")
async def test_seed_a_viewers_token_reads_whatever_was_asked_for(team: Deployment) -> None:
    given = await Agent(team).connect(Reader(team, VERA), CONNECTOR)
    assert "documents:write" not in given["scope"]
    assert await tools(team, given["access_token"]) == {"echo"}
    assert not await writes(team, given["access_token"])


@pytest.mark.requirement("seeds/003-snapshot", "seeds/004-next-call")
async def test_seed_a_role_that_changes_counts_at_the_next_call_and_at_the_next_token(team: Deployment) -> None:
    agent = Agent(team)
    given = await agent.connect(Reader(team, LEO), CONNECTOR)
    assert await writes(team, given["access_token"])
    await team.apply({"tenants": [{"slug": "acme", "members": [{"user": LEO, "roles": ["viewer"]}]}]})
    assert not await writes(team, given["access_token"]), "the same token, at the very next call"
    assert await tools(team, given["access_token"]) == {"echo"}
    renewed = (await agent.refresh(given["refresh_token"])).json()
    assert "documents:write" not in renewed["scope"]


@pytest.mark.requirement("seeds/003-tenant", "seeds/003-lock")
async def test_seed_a_token_is_for_the_tenant_that_was_picked_until_somebody_connects_anew(team: Deployment) -> None:
    agent, person = Agent(team), Reader(team, LEO, tenant="acme")
    given = await agent.connect(person, CONNECTOR)
    assert "Which tenant?" in person.pages[-1]
    assert await writes(team, given["access_token"])
    assert (await asked(team, given["access_token"], "tools/list", "/globex/mcp")).status_code == 401
    again = await agent.connect(Reader(team, LEO, tenant="globex"), CONNECTOR)
    assert not await writes(team, again["access_token"]), "there Leo only reads"


@pytest.mark.requirement("seeds/003-same-vocabulary")
async def test_seed_scopes_are_the_permissions_that_keys_have(team: Deployment) -> None:
    async with team.client() as http:
        listed = (await http.get("/.well-known/oauth-authorization-server")).json()["scopes_supported"]
    async with team.client(accept="text/html") as browser:
        signing_in = str(httpx2.QueryParams({"email": EMAIL, "password": PASSWORD}))
        await browser.post("/sign-in", content=signing_in, headers=FORM)
        page = (await browser.get("/settings/keys")).text
    permissions = [each for each in listed if ":" in each]
    assert permissions
    assert all(f'value="{each}"' in page for each in permissions)


@pytest.mark.requirement("seeds/004-register", "seeds/004-by-hand", "seeds/004-list")
async def test_seed_a_flow_by_hand_goes_by_the_short_addresses(team: Deployment) -> None:
    """No secret comes back, unlike there: who names no method is public (B3), and says so by ``none``."""
    async with team.client() as http:
        assert (await http.get("/.well-known/oauth-authorization-server")).json()["issuer"] == ISSUER
    agent = Agent(team)
    registered = await agent.register()
    assert registered["redirect_uris"] == [REDIRECT]
    assert (registered["token_endpoint_auth_method"], "client_secret" in registered) == ("none", False)
    told = await Reader(team).opens(agent.url())
    assert (told["state"], told["iss"]) == ("a state", ISSUER)
    answer = (await agent.redeem(told["code"])).json()
    assert answer["token_type"].lower() == "bearer"
    assert answer["expires_in"] > 0
    assert await tools(team, answer["access_token"]) == {"echo", "write_note"}


@pytest.mark.requirement("seeds/004-thirty-days")
async def test_seed_a_tenant_may_have_tokens_that_last_thirty_days(team: Deployment) -> None:
    await team.apply({"tenants": [{"slug": "acme", "access_ttl": 30 * DAY}]})
    given = await Agent(team).connect(Reader(team))
    assert given["expires_in"] == 2_592_000
    team.clock.ahead = 30 * DAY - 60
    assert await tools(team, given["access_token"]) == {"echo", "write_note"}
    team.clock.ahead = 30 * DAY + 60
    assert (await asked(team, given["access_token"], "tools/list")).status_code == 401


@pytest.mark.requirement("seeds/004-no-escalation")
async def test_seed_a_client_that_asks_for_more_than_its_person_may_gets_no_more(team: Deployment) -> None:
    agent = Agent(team)
    given = await agent.connect(Reader(team, VERA), "documents:read documents:write")
    form = {
        "grant_type": "refresh_token", "refresh_token": given.get("refresh_token", ""), "client_id": agent.client_id,
        "scope": "documents:read documents:write",
    }  # fmt: skip
    again = await agent.post("/token", data=form)
    assert "documents:write" not in again.json().get("scope", "")
    assert not await writes(team, given["access_token"])


@pytest.mark.requirement("seeds/002-redirects")
async def test_seed_an_app_on_this_computer_listens_where_it_can(team: Deployment) -> None:
    agent = Agent(team)
    await agent.register()
    for port in (1, 3000, 65535):
        url = agent.url(redirect_uri=f"http://127.0.0.1:{port}/callback")
        assert "code" in await Reader(team).opens(url), MCP


@pytest.mark.requirement("seeds/003-url")
async def test_seed_a_server_stands_at_the_path_that_its_product_has(team: Deployment) -> None:
    own = SERVER | {"slug": "amble", "name": "Amble", "paths": ["/api/mcp/server"], "upstream": team.upstream.url}
    await team.apply({"servers": [own], "tenants": [{"slug": "acme", "servers": ["harbour", "amble"]}]})
    await team.restart()
    path = "/api/mcp/server"
    refused = await Agent(team).post(path, json={"jsonrpc": "2.0", "method": "tools/list", "id": 1})
    assert refused.status_code == 401
    assert f"{ISSUER}/.well-known/oauth-protected-resource{path}" in refused.headers["www-authenticate"]
    agent = Agent(team)
    await agent.register()
    told = await Reader(team).opens(agent.url(resource=ISSUER + path))
    token = (await agent.redeem(told["code"], resource=ISSUER + path)).json()["access_token"]
    assert await tools(team, token, path) == {"echo", "write_note"}
    assert (await asked(team, token, "tools/list", "/mcp")).status_code == 401, "it is that server's token"
