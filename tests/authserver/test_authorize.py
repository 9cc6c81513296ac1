"""The authorization request behind a proven redirect (security A17 to A35, B1 to B4)."""

import re
from urllib.parse import urlencode

import pytest
from tests.authserver.deployment import ACME_MCP, CIMD_URL, GLOBEX_ONLY, MCP, PUBLIC_URL, tenant
from tests.authserver.world import (
    CHALLENGE,
    REDIRECT,
    World,
    answer_of,
    az,
    is_page,
    is_redirected_error,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_A17_who_asks_and_where_to_answer_may_not_stand_twice(world: World, name: str) -> None:
    value = {"client_id": "c3", "redirect_uri": "https://evil.example/cb"}[name]
    is_page(await world.browser().open(az((name, value))), "DW-105")


@pytest.mark.parametrize("name", ["scope", "code_challenge", "prompt", "response_type"])
async def test_A17_nothing_else_may_stand_twice_either(world: World, name: str) -> None:
    response = await world.browser().open(az((name, "consent"), prompt="consent"))
    is_redirected_error(response, "invalid_request")


async def test_A17_of_two_states_none_is_sent_back(world: World) -> None:
    is_redirected_error(await world.browser().open(az(("state", "x"))), "invalid_request", state=None)


async def test_A17_the_same_resource_twice_is_the_same(world: World) -> None:
    browser = await world.browser_of("alice")
    assert "code" in await browser.answer(az(("resource", MCP)))


async def test_A18_a_client_in_the_query_and_another_in_the_body_is_refused(world: World) -> None:
    response = await world.browser().post("/oauth/authorize?client_id=c3", az())
    is_page(response, "DW-105")


async def test_a_request_may_come_by_post_and_goes_on_like_any_other(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.post(
        "/authorize", az(), **{"sec-fetch-site": "cross-site", "origin": "https://rp.example"}
    )
    assert response.status_code == 303
    page = await browser.follow(response)
    assert page.status_code == 200
    assert "Approve" in page.text


@pytest.mark.parametrize("kind", ["token", "id_token", "code token", "none", "code code", "CODE"])
async def test_A19_code_is_the_only_response_type(world: World, kind: str) -> None:
    is_redirected_error(await world.browser().open(az(response_type=kind)), "unsupported_response_type")


async def test_A19_a_missing_response_type_is_an_invalid_request(world: World) -> None:
    is_redirected_error(await world.browser().open(az(without={"response_type"})), "invalid_request")


@pytest.mark.parametrize("mode", ["fragment", "web_message", "form_post.jwt", "okta_post_message", "query query"])
async def test_A20_answers_go_by_query_only(world: World, mode: str) -> None:
    response = await world.browser().open(az(response_mode=mode))
    is_redirected_error(response, "invalid_request")
    assert "#" not in response.headers["location"]


async def test_A22_prompt_none_shows_no_page_and_gives_no_code(world: World) -> None:
    is_redirected_error(await world.browser().open(az(prompt="none")), "login_required")
    browser = await world.browser_of("alice")
    await browser.answer()
    is_redirected_error(await browser.follow(await browser.open(az(prompt="none"))), "consent_required")


@pytest.mark.parametrize("prompt", ["none login", "junk"])
async def test_A23_prompts_that_make_no_sense_are_refused(world: World, prompt: str) -> None:
    is_redirected_error(await world.browser().open(az(prompt=prompt)), "invalid_request")


@pytest.mark.parametrize("how", [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "5"}])
async def test_A23_a_fresh_sign_in_cannot_be_skipped(world: World, how: dict[str, str]) -> None:
    browser = await world.browser_of("alice")
    world.clock.forward(10)
    sent = await browser.follow(await browser.open(az(**how)))
    assert sent.headers["location"].startswith("/sign-in?")
    assert "switch=1" in sent.headers["location"]
    back = str(sent.request.url)
    world.clock.forward(10)
    assert (await browser.http.get(back)).headers["location"].startswith("/sign-in?")
    await browser.sign_in("alice")
    assert "Approve" in (await browser.http.get(back)).text


async def test_prompt_consent_is_accepted(world: World) -> None:
    browser = await world.browser_of("alice")
    assert "code" in await browser.answer(az(prompt="consent", scope="documents:read offline_access"))


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        (
            "request",
            "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.",
            "request_not_supported",
        ),
        ("request_uri", "https://169.254.169.254/x", "request_uri_not_supported"),
        ("request_uri", "file:///etc/passwd", "request_uri_not_supported"),
    ],
)
async def test_A25_request_objects_are_refused_and_not_fetched(world: World, name: str, value: str, error: str) -> None:
    is_redirected_error(await world.browser().open(az((name, value))), error)


async def test_A27_every_redirect_names_the_issuer_of_the_metadata(world: World) -> None:
    browser = await world.browser_of("alice")
    async with world.client() as http:
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    for answer in (await browser.answer(), await browser.answer(answer="deny")):
        assert answer["iss"] == metadata["issuer"] == PUBLIC_URL


@pytest.mark.parametrize("query", ["iss=https://other", "code=x", "state=y", "error=e", "CODE=x"])
async def test_A28_a_redirect_with_our_parameters_in_it_cannot_be_registered(world: World, query: str) -> None:
    async with world.client() as http:
        body = {"client_name": "x", "redirect_uris": [f"https://evil.example/cb?{query}"]}
        response = await http.post("/oauth/clients/register", json=body)
    assert response.json()["error"] == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "state", ["x" * 4096, "eyJh.e30.sig", "a b", "a+b", "a%2Bb", "\"'<>&", "🚪ä", "a\nb", "a\r\nSet-Cookie: x=1"]
)
async def test_A29_state_comes_back_byte_for_byte(world: World, state: str) -> None:
    browser = await world.browser_of("alice")
    assert (await browser.answer(az(state=state)))["state"] == state
    assert (await browser.answer(az(state=state), "deny"))["state"] == state


async def test_A29_a_state_over_the_limit_is_refused_without_it(world: World) -> None:
    is_redirected_error(await world.browser().open(az(state="x" * 4097)), "invalid_request", state=None)


async def test_A29_without_state_none_comes_back(world: World) -> None:
    browser = await world.browser_of("alice")
    assert set(await browser.answer(az(without={"state"}))) == {"code", "iss"}


async def test_A30_an_unknown_and_a_disabled_client_are_answered_alike(world: World) -> None:
    unknown = await world.browser().open(az(client_id="nobody-knows"))
    disabled = await world.browser().open(az(client_id="gone", redirect_uri="https://gone.example/cb"))
    for response in (unknown, disabled):
        is_page(response, "DW-102")
        assert "Disabled App" not in response.text
    assert unknown.text.count("\n") == disabled.text.count("\n")


async def test_A30_a_document_that_is_not_pinned_describes_nobody(world: World) -> None:
    is_page(await world.browser().open(az(client_id="https://unpinned.example/c.json")), "DW-102")


async def test_a_client_that_a_pinned_document_describes_needs_no_registration(world: World) -> None:
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(az(client_id=CIMD_URL)))
    redeemed = await world.redeem(answer_of(response)["code"], client_id=CIMD_URL)
    assert redeemed.status_code == 200
    assert await world.works(redeemed.json()["access_token"])
    is_page(await browser.open(az(client_id=CIMD_URL, redirect_uri="https://evil.example/cb")), "DW-104")


@pytest.mark.parametrize("scope", ["nothing:known", "*", "*:*", "documents:*", "vault:read", "é"])
async def test_A31_where_no_scope_is_left_the_request_is_refused(world: World, scope: str) -> None:
    is_redirected_error(await world.browser().open(az(scope=scope)), "invalid_scope")


@pytest.mark.parametrize("scope", [" ".join(f"s:{i}" for i in range(1000)), "documents:read\tdocuments:write"])
async def test_A31_too_many_scopes_and_other_separators_are_refused(world: World, scope: str) -> None:
    is_redirected_error(await world.browser().open(az(scope=scope)), "invalid_scope")


async def test_A31_page_and_tokens_show_what_is_left_of_the_scopes(world: World) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent(az(scope="openid email documents:read made:up"))
    assert page.shown() == {"openid", "email", "documents:read"}
    redeemed = await world.redeem(answer_of(await browser.submit(page))["code"])
    assert redeemed.json()["scope"] == "documents:read email openid"


@pytest.mark.parametrize("pairs", [az(without={"scope"}), az(scope=""), az(scope="openid profile")])
async def test_without_a_scope_the_default_set_is_asked(world: World, pairs: list[tuple[str, str]]) -> None:
    page = await (await world.browser_of("alice")).consent(pairs)
    assert page.shown() - {"openid", "profile"} == {"documents:read", "documents:write", "documents:delete"}


@pytest.mark.parametrize(
    "resource", [f"{MCP}#x", "/mcp", "https://other.example/mcp", f"{PUBLIC_URL}/sign-in/mcp", f"{PUBLIC_URL}/acme"]
)
async def test_A32_a_resource_that_is_not_ours_is_an_invalid_target(world: World, resource: str) -> None:
    is_redirected_error(await world.browser().open(az(resource=resource)), "invalid_target")


async def test_A32_two_resources_are_an_invalid_target(world: World) -> None:
    is_redirected_error(await world.browser().open(az(("resource", ACME_MCP))), "invalid_target")


@pytest.mark.parametrize("resource", ["HTTP://127.0.0.1:8080/mcp", f"{MCP}/"])
async def test_A32_other_spellings_of_our_url_mean_the_published_one(world: World, resource: str) -> None:
    code = await world.code(params=az(resource=resource))
    tokens = (await world.redeem(code, resource=resource)).json()
    assert world.keys.verify(tokens["access_token"], "at+jwt")["aud"] == MCP


async def test_A32_without_a_resource_the_short_url_is_meant(world: World) -> None:
    code = await world.code(params=az(without={"resource"}))
    tokens = (await world.redeem(code, without={"resource"})).json()
    assert world.keys.verify(tokens["access_token"], "at+jwt")["aud"] == MCP


async def test_A32_another_tenants_server_and_an_unknown_tenants_are_refused_in_the_same_words(world: World) -> None:
    browser = await world.browser_of("alice")
    pages = []
    for resource in (f"{PUBLIC_URL}/globex/mcp", f"{PUBLIC_URL}/no-such-tenant/mcp"):
        response = await browser.follow(await browser.open(az(resource=resource)))
        is_page(response, "DW-123", 403)
        pages.append(re.sub(r"req_[\w-]+|request%3D[\w-]+", "", response.text))
    assert pages[0].replace("/globex/", "") == pages[1].replace("/no-such-tenant/", "")
    # A short URL names no tenant, and metadata lists it for everybody: her own tenant does not use that server.
    is_page(await browser.follow(await browser.open(az(resource=GLOBEX_ONLY))), "DW-160", 403)


async def test_A33_every_redirect_is_a_303(world: World) -> None:
    browser = world.browser()
    begun = await browser.open(az())
    asked_to_sign_in = await browser.http.get(begun.headers["location"])
    await browser.sign_in("alice")
    approved = await browser.submit(await browser.consent())
    assert {begun.status_code, asked_to_sign_in.status_code, approved.status_code} == {303}


async def test_A34_no_other_site_may_read_authorization_pages(world: World) -> None:
    browser = await world.browser_of("alice")
    async with world.client() as http:
        preflight = await http.options(
            "/oauth/authorize", headers={"origin": "https://evil.example", "access-control-request-method": "GET"}
        )
    page = await browser.http.get(f"/oauth/authorize?{urlencode(az())}", headers={"origin": "https://evil.example"})
    for response in (preflight, page):
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_A35_two_tabs_keep_their_own_requests(world: World) -> None:
    browser = await world.browser_of("alice")
    one = await browser.consent(az(state="one"))
    evil = az(state="two", client_id="c3", redirect_uri="https://evil.example/cb", scope="documents:write")
    two = await browser.consent(evil)
    second = await browser.submit(two)
    first = await browser.submit(one)
    assert second.headers["location"].startswith("https://evil.example/cb?")
    assert first.headers["location"].startswith(REDIRECT)
    assert (answer_of(first)["state"], answer_of(second)["state"]) == ("one", "two")
    redeemed = await world.redeem(answer_of(first)["code"])
    assert redeemed.json()["scope"] == "documents:read"


async def test_A36_an_altered_request_opens_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    begun = await browser.open(az())
    path, _, sealed = begun.headers["location"].partition("request=")
    for other in (sealed[:-2] + ("AA" if sealed[-2:] != "AA" else "BB"), sealed[:40], "", "%00", "x" * 5000):
        is_page(await browser.http.get(f"{path}request={other}"), "DW-122")


async def test_A36_looking_at_a_request_stores_nothing(world: World) -> None:
    browser = await world.browser_of("alice")
    before = await world.database.revisions(tenant("acme").id)
    for _ in range(3):
        await browser.consent()
    assert await world.connections() == []
    assert await world.database.revisions(tenant("acme").id) == before


async def test_a_request_that_waits_too_long_has_expired(world: World) -> None:
    browser = await world.browser_of("alice")
    begun = await browser.open(az())
    page = await browser.consent()
    world.clock.forward(30 * 60)
    await browser.sign_in("alice")
    is_page(await browser.http.get(begun.headers["location"]), "DW-121")
    is_page(await browser.submit(page), "DW-121")


async def test_the_browser_keeps_its_name_over_several_requests(world: World) -> None:
    browser = world.browser()
    assert "doorward_browser=" in (await browser.open(az())).headers["set-cookie"]
    assert "set-cookie" not in (await browser.open(az())).headers


async def test_the_sign_in_page_is_told_who_waits(world: World) -> None:
    browser = world.browser()
    await browser.open(az())
    name = browser.http.cookies.get("doorward_browser")
    for resource, slug in ((MCP, None), (ACME_MCP, "acme")):
        begun = await browser.open(az(resource=resource))
        assert await world.server.describe(begun.headers["location"], name) == ("Claude Code", slug, None)
        assert await world.server.describe(begun.headers["location"], "another-browser") is None
    assert await world.server.describe("/settings/keys", name) is None
    assert await world.server.describe("/oauth/consent?request=%ff", name) is None


async def test_B1_a_request_without_a_challenge_is_refused_for_every_client(world: World) -> None:
    is_redirected_error(await world.browser().open(az(without={"code_challenge"})), "invalid_request")
    web = az(client_id="c2", redirect_uri="https://app.example/cb", without={"code_challenge"})
    is_redirected_error(await world.browser().open(web), "invalid_request", "https://app.example/cb")


@pytest.mark.parametrize("method", ["plain", "s256", "S256 ", "S512", "none"])
async def test_B2_B3_only_S256_and_only_so_spelt(world: World, method: str) -> None:
    is_redirected_error(await world.browser().open(az(code_challenge_method=method)), "invalid_request")


async def test_B2_a_method_left_out_means_plain(world: World) -> None:
    is_redirected_error(await world.browser().open(az(without={"code_challenge_method"})), "invalid_request")


@pytest.mark.parametrize(
    "challenge",
    [CHALLENGE[:-1], CHALLENGE + "A", "A" * 128, CHALLENGE + "=", CHALLENGE[:-1] + "+", CHALLENGE[:-1] + "/"],
)
async def test_B4_a_challenge_is_43_base64url_characters(world: World, challenge: str) -> None:
    is_redirected_error(await world.browser().open(az(code_challenge=challenge)), "invalid_request")


async def test_a_query_that_is_not_text_is_explained(world: World) -> None:
    async with world.client() as http:
        response = await http.get("/oauth/authorize?client_id=%ff%fe")
    is_page(response, "DW-126")
