"""Clauses of the catalogue (groups A to G) that the tests of the ordinary cases leave open, at the real endpoints."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.authserver.deployment import ACME_MCP, C1, C2, MCP, PUBLIC_URL, tenant, user
from tests.authserver.test_registration import post, registered
from tests.authserver.world import (
    CHALLENGE,
    FINGERPRINTER,
    REDIRECT,
    VERIFIER,
    World,
    answer_of,
    az,
    basic,
    consent_of,
    is_page,
    is_redirected_error,
    is_token_error,
    tk,
)

from doorward.credentials.secret import SecretKind, mint
from doorward.model import SECOND, AuthorizationCode, ClientAuthMethod, ClientId, ClientKind, Instant
from doorward.storage import clients, connections, issued

pytestmark = pytest.mark.anyio

NATIVE = {"client_name": "Tool", "redirect_uris": ["http://127.0.0.1:4711/cb"]}
CONFIDENTIAL = NATIVE | {"token_endpoint_auth_method": "client_secret_basic"}


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb/../evil",
        "https://app.example/cb/%2e%2e/evil",
        "https://app.example/cb/..;/evil",
        "https://app.example/./cb",
        "https://app.example@evil.example/cb",
        "https://app.example:x@evil.example/cb",
        "https://a@b@evil.example/cb",
        "https://app.example\\@evil.example/cb",
        "https:/\\evil.example",
        "https:evil.example",
        "https:///evil.example",
        "https://app.example/cb#f",
        "https://app。example/cb",
        "https://аpp.example/cb",  # noqa: RUF001
        "https://app.example/cb%00",
        "https://app.example/cb%0d%0aSet-Cookie:x=1",
        "https%3A%2F%2Fapp.example%2Fcb",
    ],
)
async def test_A4_A5_A6_A7_A8_A9_what_would_never_be_matched_is_not_registered_either(world: World, uri: str) -> None:
    refused = await post(world, NATIVE | {"redirect_uris": [*NATIVE["redirect_uris"], uri]})
    is_token_error(refused, "invalid_redirect_uri")


@pytest.mark.parametrize("redirect", ["http://127.0.0.1:4712/cb", "http://localhost:4711/cb", "http://[::1]:4711/cb"])
async def test_A12_a_client_with_a_secret_is_no_native_app_and_keeps_its_port_and_name(
    world: World, redirect: str
) -> None:
    answer = await registered(world, CONFIDENTIAL)
    mine = {"client_id": answer["client_id"], "redirect_uri": "http://127.0.0.1:4711/cb"}
    is_page(await world.browser().open(az(**mine | {"redirect_uri": redirect})), "DW-104")
    browser = await world.browser_of("alice")
    assert "code" in await browser.answer(az(**mine))
    # The same where the page is answered: a registration that changed meanwhile is read by the same rule.
    page = await browser.consent(az(**mine))
    stored = await world.database.read(lambda reader: clients.client_by_id(reader, answer["client_id"]))
    assert stored is not None
    await world.database.write(lambda tx: clients.update_client(tx, replace(stored, redirect_uris=(redirect,))))
    is_page(await browser.submit(page), "DW-104")


@pytest.mark.parametrize("age", ["-1", "abc", "9999999999999999999", "1.5", "1e3", "٣", "+1"])
async def test_A24_an_age_that_is_no_number_of_seconds_is_refused(world: World, age: str) -> None:
    is_redirected_error(await world.browser().open(az(max_age=age)), "invalid_request")


async def test_A24_a_sign_in_counts_for_as_long_as_the_client_said(world: World) -> None:
    browser = await world.browser_of("alice")
    world.clock.forward(1)
    assert "Approve" in (await browser.consent(az(max_age="1"))).text
    world.clock.forward(1)
    begun = await browser.open(az(max_age="1"))
    assert (await browser.follow(begun)).headers["location"].startswith("/sign-in?")
    page = await browser.consent(az())
    await browser.sign_in("alice")
    assert "code" in answer_of(await browser.submit(page))
    # Signed in for this request, the person is not sent round again, and no age is too short for that.
    begun = await browser.open(az(max_age="0"))
    assert consent_of(await browser.follow(begun)).text
    world.clock.forward(1)
    begun = await browser.open(az(max_age="0"))
    assert (await browser.follow(begun)).headers["location"].startswith("/sign-in?")


async def test_A24_a_page_that_was_too_old_a_sign_in_for_is_not_answered_by_it(world: World) -> None:
    browser, other = world.browser(), await world.browser_of("alice")
    world.clock.forward(1)
    begun = await browser.open(az(prompt="login"))
    world.clock.forward(5)
    await browser.sign_in("alice")
    page = consent_of(await browser.http.get(begun.headers["location"]))
    # The session of before, put back by hand, is still too old for what was asked.
    browser.http.cookies.set("doorward_session", other.http.cookies["doorward_session"], domain="127.0.0.1")
    assert (await browser.submit(page)).headers["location"].startswith("/sign-in?")
    assert await world.connections() == []


async def test_A30_pages_of_unknown_disabled_and_damaged_clients_differ_in_nothing(world: World) -> None:
    asked = [
        az(client_id="client_0123456789abcdefghijkl"),
        az(client_id="gone", redirect_uri="https://gone.example/cb"),
        az(client_id="gone", redirect_uri="https://evil.example/cb"),
        az(client_id="gone", without={"redirect_uri"}),
        az(client_id="https://unpinned.example/c.json"),
    ]
    pages = set()
    for pairs in asked:
        response = await world.browser().open(pairs)
        is_page(response, "DW-102")
        pages.add(response.text.replace(response.headers["x-request-id"], ""))
    assert len(pages) == 1


async def test_B6_a_code_without_a_challenge_is_good_for_nobody(world: World) -> None:
    # No way leads to such a row: the endpoint makes none (B1). If one stood there all the same, it would be refused.
    await world.code()
    (connection,) = await world.connections()
    now = world.clock.now
    for challenge in ("", VERIFIER, CHALLENGE[:-1]):
        text = mint(SecretKind.AUTHORIZATION_CODE, lambda n, c=challenge: (c.encode() + b"x" * n)[:n])
        code = AuthorizationCode(
            fingerprint=FINGERPRINTER.of(text), connection_id=connection.id, tenant_id=connection.tenant_id,
            client_id=C1.id, redirect_uri=REDIRECT, redirect_uri_sent=True, code_challenge=challenge, resource=MCP,
            created_at=now, expires_at=Instant(now + 60 * SECOND),
        )  # fmt: skip
        await world.database.write(lambda tx, code=code: issued.insert_code(tx, code))
        is_token_error(await world.redeem(text), "invalid_grant")
        is_token_error(await world.redeem(text, without={"code_verifier"}), "invalid_request")


async def test_B11_C1_the_database_holds_nothing_that_opens_a_door(world: World, tmp_path: Path) -> None:
    unused = await world.code()
    code = await world.code()
    tokens = (await world.redeem(code)).json()
    second = (await world.refresh(tokens["refresh_token"])).json()
    registration = await registered(world, CONFIDENTIAL)
    session = (await world.browser_of("alice")).http.cookies["doorward_session"]
    secrets = [unused, code, session, registration["client_secret"], VERIFIER]
    secrets += [each[name] for each in (tokens, second) for name in ("access_token", "refresh_token")]
    with sqlite3.connect(f"file:{tmp_path / '0.db'}?mode=ro", uri=True) as copy:
        stored = "\n".join(copy.iterdump())
    assert "con_" in stored, "this is the database that was written to"
    assert not [secret[:12] for secret in secrets if secret in stored or secret[6:] in stored]


async def test_C3_another_redirect_is_one_of_the_counted_attempts(world: World) -> None:
    code = await world.code()
    for port in range(1, 6):
        is_token_error(await world.redeem(code, redirect_uri=f"http://127.0.0.1:{port}/cb"), "invalid_grant")
    is_token_error(await world.redeem(code), "invalid_grant")


async def test_C3_attempts_of_a_stranger_do_not_use_up_the_code(world: World) -> None:
    # Else whoever sees a code in a log could keep its owner out by guessing under another name.
    code = await world.code()
    for _ in range(6):
        is_token_error(await world.redeem(code, client_id="c3", code_verifier="w" * 43), "invalid_grant")
        is_token_error(await world.redeem(code, client_id="c2", code_verifier="w" * 43), "invalid_client", 401)
    assert (await world.redeem(code)).status_code == 200


async def test_C22_a_refresh_for_two_servers_is_refused_and_rotates_nothing(world: World) -> None:
    first = await world.connect()
    form = [("grant_type", "refresh_token"), ("refresh_token", first["refresh_token"]), ("client_id", "c1")]
    is_token_error(await world.token([*form, ("resource", MCP), ("resource", ACME_MCP)]), "invalid_target")
    world.clock.forward(100)
    answer = await world.token([*form, ("resource", MCP), ("resource", f"{MCP}/")])
    assert answer.status_code == 200
    claims = world.keys.verify(answer.json()["access_token"], "at+jwt")
    assert claims["aud"] == MCP


async def test_C26_a_client_that_may_not_refresh_any_more_does_not(world: World) -> None:
    first = await world.connect(params=az(scope="documents:read offline_access"))
    only_codes = replace(C1, grant_types=frozenset({"authorization_code"}))
    await world.database.write(lambda tx: clients.update_client(tx, only_codes))
    for _ in range(2):
        is_token_error(await world.refresh(first["refresh_token"]), "unauthorized_client")
    assert await world.works(first["access_token"]), "what was given lives until it ends"
    # And it was refused, not spent: the grant given back, it goes on from where it was.
    await world.database.write(lambda tx: clients.update_client(tx, C1))
    world.clock.forward(100)
    assert (await world.refresh(first["refresh_token"])).status_code == 200


async def test_C26_new_connections_of_such_a_client_get_no_refresh_token(world: World) -> None:
    only_codes = replace(C1, grant_types=frozenset({"authorization_code"}))
    await world.database.write(lambda tx: clients.update_client(tx, only_codes))
    tokens = await world.connect(params=az(scope="documents:read offline_access"))
    assert "refresh_token" not in tokens


async def test_C23_a_session_that_ended_and_a_code_that_was_given_go_their_own_ways(world: World) -> None:
    # Signing out between consent and redemption takes back nothing that was approved (pain C30).
    browser = await world.browser_of("alice")
    code = (await browser.answer())["code"]
    await browser.sign_out()
    assert (await world.redeem(code)).status_code == 200


async def test_D1_a_client_of_another_tenants_people_revokes_nothing(world: World) -> None:
    tokens = await world.connect()
    header = basic("roving", world.secrets["roving"])
    for token in (tokens["refresh_token"], tokens["access_token"]):
        form = {"token": token, "client_id": "roving", "client_secret": world.secrets["roving"]}
        assert (await world.token(form, path="/oauth/revoke")).status_code == 200
        is_token_error(
            await world.token({"token": token}, path="/oauth/revoke", authorization=header), "invalid_client", 401
        )
    assert await world.works(tokens["access_token"])
    assert (await world.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    "logo",
    ["https://evil.example/logo.svg", "https://10.0.0.1/pixel.gif", "https://evil.example/ten-megabytes.png"],
)
async def test_E5_no_page_shows_or_fetches_the_logo_of_a_client(world: World, logo: str) -> None:
    answer = await registered(world, NATIVE | {"logo_uri": logo})
    browser = await world.browser_of("alice")
    begun = await browser.open(az(client_id=answer["client_id"], redirect_uri="http://127.0.0.1:1/cb"))
    shown = await browser.follow(begun)
    assert logo not in shown.text
    assert "<img" not in shown.text
    policy = dict(each.strip().partition(" ")[::2] for each in shown.headers["content-security-policy"].split(";"))
    assert policy.get("img-src", policy["default-src"]) in {"'self'", "'none'"}
    assert shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("Claude", "https://claude.ai.evil.example/api/mcp/auth_callback"),
        ("Claude", "https://evil.example/api/mcp/auth_callback"),
        ("ChatGPT", "https://evil.example/connector_platform_oauth_redirect"),
        ("Claude Code", "http://localhost:3118/callback"),
        ("Anthropic (verified)", "http://127.0.0.1:4711/callback"),
        ("Verified: claude.ai", "https://evil.example/cb"),
    ],
)
async def test_E9_a_borrowed_name_is_shown_as_said_by_the_client_and_not_verified(
    world: World, name: str, uri: str
) -> None:
    body = {"client_name": name, "redirect_uris": [uri], "logo_uri": "https://claude.ai/logo.png"}
    answer = await registered(world, body)
    page = await (await world.browser_of("alice")).consent(az(client_id=answer["client_id"], redirect_uri=uri))
    assert "Not verified" in page.text
    assert 'class="badge ok"' not in page.html
    assert f"“{name}”" in page.text, "in quotation marks, like everything that somebody else says"
    assert page.text.index("Not verified") < page.text.index("Approve")


async def test_E9_the_vendors_own_name_cannot_be_had_by_registering_it_again(world: World) -> None:
    real = {"client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]}
    both = real | {"redirect_uris": [*real["redirect_uris"], "https://evil.example/cb"]}
    ids = [(await registered(world, body))["client_id"] for body in (real, both)]
    assert ids[0] != ids[1]
    browser = await world.browser_of("alice")
    page = await browser.consent(az(client_id=ids[1], redirect_uri="https://evil.example/cb"))
    assert "Not verified" in page.text
    is_page(await browser.open(az(client_id=ids[0], redirect_uri="https://evil.example/cb")), "DW-104")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": f"{PUBLIC_URL}.evil.example"},
        {"origin": PUBLIC_URL, "sec-fetch-site": "cross-site"},
        {},
    ],
)
async def test_G1_a_form_that_does_not_come_from_our_page_is_refused(world: World, headers: dict[str, str]) -> None:
    browser = await world.browser_of("alice")
    page = await browser.consent()
    pairs = [("request", page.form.named("request")[0].value), ("scope", "documents:read"), ("answer", "approve")]
    body = "&".join(f"{name}={value}" for name, value in pairs)
    sent = {"content-type": "application/x-www-form-urlencoded"} | headers
    is_page(await browser.http.post("/oauth/consent", content=body, headers=sent), "DW-408", 403)
    assert await world.connections() == []


async def test_G1_the_sealed_request_is_no_form_and_the_form_no_request(world: World) -> None:
    browser = await world.browser_of("alice")
    begun = await browser.open(az())
    sealed = begun.headers["location"].partition("request=")[2]
    page = consent_of(await browser.http.get(begun.headers["location"]))
    form = page.form.named("request")[0].value
    is_page(await browser.post("/oauth/consent", [("request", sealed), ("answer", "approve")]), "DW-122")
    is_page(await browser.http.get(f"/oauth/consent?request={form}"), "DW-122")
    assert await world.connections() == []


@pytest.mark.parametrize("slug", ["\x00", "x" * 3000, "ACME", "acme/../globex", "🚪", "' OR 1=1 --"])
async def test_G4_no_text_is_another_tenant(world: World, slug: str) -> None:
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(), tenant=slug)
    assert response.status_code in {400, 403}, response.text
    assert "location" not in response.headers
    assert await world.connections() == []


async def test_G8_a_second_approval_takes_nothing_from_the_first(world: World) -> None:
    """Another server, other scopes, another redirect: each is asked of its own, and each connection is its own."""
    first = await world.connect(params=az(scope="documents:read documents:write"))
    browser = await world.browser_of("alice")
    for changed in (
        {"resource": ACME_MCP},
        {"scope": "documents:read documents:write documents:delete"},
        {"redirect_uri": "http://127.0.0.1:9/cb"},
        {"client_id": "two", "redirect_uri": "https://b.example/cb"},
    ):
        begun = await browser.open(az(**changed))
        assert begun.headers["location"].startswith("/oauth/consent?request="), changed
        is_redirected_error(
            await browser.follow(await browser.open(az(**changed, prompt="none"))), "consent_required",
            changed.get("redirect_uri", REDIRECT),
        )  # fmt: skip
    narrow = await world.connect(params=az(scope="documents:read"))
    assert narrow["scope"] == "documents:read"
    assert (await world.refresh(first["refresh_token"])).json()["scope"] == "documents:read documents:write"
    assert len(await world.connections()) == 2


@pytest.mark.parametrize("how", ["by its user", "by an administrator"])
async def test_a_connection_that_somebody_ends_takes_every_token_with_it_and_no_other_connection(
    world: World, how: str
) -> None:
    kept, ended = await world.connect(), await world.connect()
    rotated = (await world.refresh(ended["refresh_token"])).json()
    pending = await world.code()
    claims: dict[str, Any] = world.keys.verify(ended["access_token"], "at+jwt")
    now = world.clock.now
    assert await world.database.write(lambda tx: connections.revoke_connection(tx, claims["connection"], now, how))
    for token in (ended["access_token"], rotated["access_token"]):
        assert not await world.works(token)
    for token in (ended["refresh_token"], rotated["refresh_token"]):
        is_token_error(await world.refresh(token), "invalid_grant")
    assert await world.works(kept["access_token"])
    assert (await world.redeem(pending)).status_code == 200


async def test_a_token_form_of_one_tenant_is_none_of_another(world: World) -> None:
    """Mallory's own connection, her own client, alice's code: nothing of hers makes it good."""
    code = await world.code()
    mallory = await world.connect("mallory")
    is_token_error(await world.redeem(code, client_id="c3"), "invalid_grant")
    claims = world.keys.verify(mallory["access_token"], "at+jwt")
    assert claims["tenant"] == tenant("globex").id
    assert claims["sub"] == user("mallory").id
    form = {name: value for name, value in tk(code).items() if name != "code"} | {"code": mallory["refresh_token"]}
    is_token_error(await world.token(form), "invalid_grant")
    assert (await world.redeem(code)).status_code == 200


@pytest.mark.parametrize("statement", ["eyJhbGciOiJub25lIn0.e30.", "x", {"iss": "x"}])
async def test_E12_no_software_statement_is_believed_or_ignored(world: World, statement: object) -> None:
    is_token_error(await post(world, NATIVE | {"software_statement": statement}), "invalid_software_statement")


@pytest.mark.parametrize(
    "uri", ["com.example.app://user@evil.example/cb", "http://user@127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb"]
)
async def test_A5_no_user_name_is_registered_in_any_scheme(world: World, uri: str) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": [uri]}), "invalid_redirect_uri")


HALF_TRUSTED = {
    "a secret, and self-registered": replace(C2, id=ClientId("half"), kind=ClientKind.DYNAMIC),
    "registered by hand, and public": replace(C2, id=ClientId("half"), auth_method=ClientAuthMethod.NONE),
    "a secret, and an answer to loopback": replace(C2, id=ClientId("half"), redirect_uris=("http://127.0.0.1/cb",)),
    "a secret, and an answer to an app": replace(C2, id=ClientId("half"), redirect_uris=("com.example.app:/cb",)),
}


@pytest.mark.parametrize("how", HALF_TRUSTED)
async def test_G9_half_of_what_makes_a_client_trusted_is_not_enough(world: World, how: str) -> None:
    client = HALF_TRUSTED[how]
    await world.database.write(
        lambda tx: clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=FINGERPRINTER.of("x"))
    )
    params = az(client_id="half", redirect_uri=client.redirect_uris[0])
    browser = await world.browser_of("alice")
    page = await browser.consent(params)
    assert not page.form.named("remember")
    # Ticked all the same, by hand: neither kept nor honoured.
    await browser.submit(page, remember="yes")
    again = await browser.follow(await browser.open(params))
    assert again.status_code in {200, 400}, (again.status_code, again.headers.get("location"))
    asked = await browser.open(az(client_id="half", redirect_uri=client.redirect_uris[0], prompt="none"))
    told = answer_of(await browser.follow(asked))
    assert told.get("error") == "consent_required", told
