"""What single versions of clients were seen to do beside the ordinary way, and what must be refused all the same."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2
import pytest
from tests.clients.deployment import EMAIL, ISSUER, MCP, PASSWORD, Deployment
from tests.clients.fixtures import Fixture, filled, fixtures
from tests.clients.replay import FORM, Client, Human, error_of, tokens_of, whole

from support.person import Page

pytestmark = pytest.mark.anyio

NATIVE = {"client_name": "Native", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}


def fixture(name: str) -> Fixture:
    return next(each for each in fixtures() if each.name == name)


def registering(name: str, *redirect_uris: str, **body: Any) -> Fixture:
    """Return a fixture that registers other redirect URIs."""
    before = fixture(name)
    registered = {**before.said["dcr"]["register"][0], "redirect_uris": list(redirect_uris), **body}
    return replace(before, said={**before.said, "dcr": {"register": [registered]}, "redirect_uri": redirect_uris[0]})


async def introduced(deployment: Deployment, described: Fixture | str, way: str = "dcr") -> Client:
    described = fixture(described) if isinstance(described, str) else described
    client = Client(deployment, described, way)
    await client.discover()
    await client.introduce()
    return client


async def whole_way(client: Client, **changed: str | None) -> dict[str, Any]:
    """Return the tokens after an authorization and a redemption with the same changes."""
    answer = await client.authorize(**changed)
    same = {name: value for name, value in changed.items() if name in {"resource", "redirect_uri"}}
    return await client.redeem(answer["code"], **same)


@pytest.mark.parametrize(
    ("registered", "sent"),
    [
        ("http://127.0.0.1:33418/", "http://127.0.0.1:59656/"),
        ("http://127.0.0.1:33418", "http://127.0.0.1:59656/"),
        ("http://127.0.0.1:4711/callback", "http://localhost:4711/callback"),
        ("http://localhost:4711/callback", "http://127.0.0.1:4712/callback"),
        ("http://127.0.0.1/callback", "http://[::1]:4712/callback"),
        ("http://localhost/callback", "http://localhost:51135/callback"),
    ],
)
async def test_a_busy_port_and_the_other_names_of_loopback_are_the_same_address(
    deployment: Deployment, registered: str, sent: str
) -> None:
    client = await introduced(deployment, registering("codex", registered))
    await whole_way(client, redirect_uri=sent)


CODEX = "https://chatgpt.com/oauth/codex/client.json"


async def test_codex_may_append_its_suffix_to_the_path_of_its_document(deployment: Deployment) -> None:
    client = await introduced(deployment, "codex", "cimd")
    await whole_way(client, redirect_uri="http://127.0.0.1:63804/callback/EK1rjowHvljH")


@pytest.mark.parametrize(
    ("name", "redirect_uri"),
    [
        ("codex", "http://127.0.0.1:63804/callback/"),
        ("codex", "http://127.0.0.1:63804/callback/EK1rjowHvlj"),
        ("codex", "http://127.0.0.1:63804/callback/EK1rjowHvljH/x"),
        ("codex", "http://127.0.0.1:63804/callback/..%2f..%2fevil1"),
        ("codex", "http://127.0.0.1:63804/other/EK1rjowHvljH"),
        ("codex", "https://evil.example/callback/EK1rjowHvljH"),
        ("codex", "http://127.0.0.1.evil.example/callback/EK1rjowHvljH"),
        ("claude-code", "http://127.0.0.1:63804/callback/EK1rjowHvljH"),
    ],
)
async def test_nobody_else_and_nothing_else_is_appended(deployment: Deployment, name: str, redirect_uri: str) -> None:
    client = await introduced(deployment, name, "cimd")
    await refused_on_a_page(deployment, client.authorize_url(redirect_uri=redirect_uri), "DW-104")


@pytest.mark.parametrize(
    "scope", ["", None, "openid profile email offline_access", "openid", "documents:read made:up openid"]
)
async def test_scopes_that_ask_for_no_permission_give_the_default_ones(
    deployment: Deployment, scope: str | None
) -> None:
    client = await introduced(deployment, "codex")
    tokens = await whole_way(client, scope=scope)
    expected = "documents:read" if scope and "made:up" in scope else "documents:read documents:write"
    assert set(tokens["scope"].split()) - {"openid", "profile", "email"} == set(expected.split())
    assert ("id_token" in tokens) is ("openid" in (scope or ""))


@pytest.mark.parametrize("resource", [None, MCP, f"{MCP}/", ISSUER, f"{ISSUER}/", "HTTP://127.0.0.1:8080/mcp"])
async def test_a_resource_that_is_left_out_or_spelt_differently_means_the_published_one(
    deployment: Deployment, resource: str | None
) -> None:
    client = await introduced(deployment, "codex")
    tokens = await whole_way(client, resource=resource)
    assert deployment.core.keys.current().verify(tokens["access_token"], "at+jwt")["aud"] == MCP
    again = await client.refresh(tokens["refresh_token"], resource=resource)
    assert deployment.core.keys.current().verify(again["access_token"], "at+jwt")["aud"] == MCP


@pytest.mark.parametrize("second", [MCP, f"{MCP}/"])
async def test_a_resource_that_is_sent_twice_is_one(deployment: Deployment, second: str) -> None:
    client = await introduced(deployment, "codex")
    human_at = f"{client.authorize_url()}&{urlencode({'resource': second})}"
    async with deployment.client() as browser:
        location = await Human(browser).open(human_at)
    code = dict(re.findall(r"(\w+)=([^&]*)", urlsplit(location).query))["code"]
    twice = urlencode([("resource", second)])
    tokens = tokens_of(await raw(deployment, f"{form_of(client, 'token', code=code)}&{twice}"))
    refresh = form_of(client, "refresh", refresh_token=tokens["refresh_token"])
    tokens_of(await raw(deployment, f"{refresh}&{twice}"))


def form_of(client: Client, which: str, **values: str) -> str:
    return urlencode(filled(client.fixture.said[which], client._values() | values))


async def raw(deployment: Deployment, body: str, **headers: str) -> httpx2.Response:
    async with deployment.client() as http:
        return await http.post("/oauth/token", content=body, headers=FORM | headers)


@pytest.mark.parametrize("sent", ["qw4+v", "qw4%2Bv", "qw4 v"])
async def test_a_client_id_that_the_client_damaged_is_explained(deployment: Deployment, sent: str) -> None:
    client = await introduced(deployment, "vscode")
    url = re.sub(r"client_id=[^&]*", f"client_id={sent.replace(' ', '%20')}", client.authorize_url())
    text = await refused_on_a_page(deployment, url, "DW-129")
    assert "Visual Studio Code 1.138" in text


async def test_basic_with_an_empty_secret_and_the_id_in_the_body_is_one_public_client(deployment: Deployment) -> None:
    client = await introduced(deployment, "python-sdk")
    client.fixture = replace(
        client.fixture, said={**client.fixture.said, "dcr": {**client.fixture.said["dcr"], "presents": "basic"}}
    )
    await whole_way(client)


async def test_a_page_that_was_opened_in_another_browser_answers_nothing(deployment: Deployment) -> None:
    client = await introduced(deployment, "codex")
    async with deployment.client() as mine, deployment.client() as other:
        page = await consent_page(mine, client.authorize_url())
        await sign_in(other)
        shown = await other.get(page.path)
        assert shown.status_code in {400, 403}
        answered = await page.answer(other)
        assert answered.status_code in {400, 403}
        assert "location" not in answered.headers
        # The browser that began it goes on, unharmed.
        assert "code=" in (await page.answer(mine)).headers["location"]


async def test_two_consent_tabs_of_two_clients_are_two_answers(deployment: Deployment) -> None:
    one, two = await introduced(deployment, "codex"), await introduced(deployment, "gemini-cli")
    async with deployment.client() as browser:
        first, second = (
            await consent_page(browser, one.authorize_url()),
            await consent_page(browser, two.authorize_url()),
        )
        later = await second.answer(browser)
        earlier = await first.answer(browser)
    for client, answer in ((one, earlier), (two, later)):
        assert answer.headers["location"].startswith(client.redirect_uri)
        code = dict(re.findall(r"(\w+)=([^&]*)", urlsplit(answer.headers["location"]).query))["code"]
        assert (await client.redeem(code))["access_token"]


async def test_whoever_signs_in_meanwhile_does_not_answer_anothers_page(deployment: Deployment) -> None:
    bob = "bob@example.test"
    await deployment.apply(
        {
            "users": [{"email": bob, "name": "Bob", "password": PASSWORD}],
            "tenants": [{"slug": "acme", "members": [{"user": bob, "roles": ["viewer"]}]}],
        }
    )
    client = await introduced(deployment, "codex")
    async with deployment.client() as browser:
        page = await consent_page(browser, client.authorize_url())
        await sign_in(browser, bob)
        answered = await page.answer(browser)
    assert answered.status_code == 403
    assert "location" not in answered.headers


HOSTED = [
    pytest.param(each, way, uri, id=f"{each.name}-{way}-{uri}")
    for each in fixtures()
    for way in each.ways()
    if way in {"dcr", "cimd", "static"} and each.redirect_uri(way).startswith("https:")
    for uri in [each.redirect_uri(way)]
]


def lookalikes(uri: str) -> list[str]:
    """Return what is not the registered URI, however much it looks like it."""
    host = urlsplit(uri).netloc
    return [
        uri.rstrip("/") if uri.endswith("/") else f"{uri}/",
        f"{uri}?x=1",
        f"{uri}#x",
        f"{uri}/../evil",
        f"{uri}%2f..%2fevil",
        uri.replace(host, host.upper()),
        uri.replace(host, f"{host}.evil.example"),
        uri.replace(host, f"{host}@evil.example"),
        uri.replace("https:", "http:"),
    ]


@pytest.mark.parametrize(("described", "way", "uri"), HOSTED)
async def test_what_only_looks_like_a_hosted_callback_is_refused(
    deployment: Deployment, described: Fixture, way: str, uri: str
) -> None:
    client = await introduced(deployment, described, way)
    for wrong in lookalikes(uri):
        await refused_on_a_page(deployment, client.authorize_url(redirect_uri=wrong), "DW-104")


REFUSED = [
    "http://localhost.evil.example/callback",
    "http://localhost@evil.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "https://www.cursor.com@evil.example/agents/mcp/oauth/callback",
    "https://claude.ai/api/mcp/auth_callback/../evil",
    "https://CLAUDE.ai/api/mcp/auth_callback",
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "vbscript:x",
    "blob:https://claude.ai/1",
]


@pytest.mark.parametrize("uri", REFUSED)
async def test_an_address_that_deceives_is_refused_at_registration_and_at_authorization(
    deployment: Deployment, uri: str
) -> None:
    client = await introduced(deployment, "cursor")
    async with deployment.client() as http:
        answer = await http.post("/register", json=NATIVE | {"redirect_uris": [uri]})
    error_of(answer, "invalid_redirect_uri")
    await refused_on_a_page(deployment, client.authorize_url(redirect_uri=uri), "DW-104")


async def test_a_host_with_a_vendors_name_in_front_is_never_that_vendors(deployment: Deployment) -> None:
    # It is a legal https address of somebody: registered, but never verified, and never Cursor's.
    uri = "https://www.cursor.com.evil.example/agents/mcp/oauth/callback"
    await refused_on_a_page(
        deployment, (await introduced(deployment, "cursor")).authorize_url(redirect_uri=uri), "DW-104"
    )
    client = await introduced(deployment, registering("cursor", uri))
    async with deployment.client() as browser:
        page = await consent_page(browser, client.authorize_url())
    assert "Not verified" in page.text
    assert "Verified:" not in page.text


class Consent:
    """A consent page that somebody looks at."""

    def __init__(self, response: httpx2.Response) -> None:
        self.path = str(response.url)
        page = Page(response.text)
        self.form = next(form for form in page.forms if form.named("answer"))
        self.text = " ".join(page.text.split())

    async def answer(self, browser: httpx2.AsyncClient) -> httpx2.Response:
        fields = [item for item in self.form.fields if item.type not in {"submit", "button"} and not item.disabled]
        pairs = [(f.name, f.value) for f in fields if f.checked or f.type not in {"checkbox", "radio"}]
        return await post(browser, self.form.action or self.path, [*pairs, ("answer", "approve")])


async def consent_page(browser: httpx2.AsyncClient, url: str) -> Consent:
    """Return the consent page of an authorization URL, signing in where that is asked for."""
    response = await follow(browser, await browser.get(url))
    if Page(response.text).forms[0].named("password"):
        await sign_in(browser)
        response = await follow(browser, await browser.get(url))
    return Consent(response)


async def sign_in(browser: httpx2.AsyncClient, email: str = EMAIL) -> None:
    page = Page((await browser.get("/sign-in?switch=1")).text)
    form = next(form for form in page.forms if form.named("password"))
    hidden = [(item.name, item.value) for item in form.fields if item.type == "hidden"]
    answer = await post(browser, form.action or "/sign-in", [*hidden, ("email", email), ("password", PASSWORD)])
    assert answer.is_redirect, answer.text


async def post(browser: httpx2.AsyncClient, path: str, pairs: list[tuple[str, str]]) -> httpx2.Response:
    headers = FORM | {"origin": ISSUER, "sec-fetch-site": "same-origin"}
    return await browser.post(urljoin(ISSUER, path), content=urlencode(pairs), headers=headers)


async def follow(browser: httpx2.AsyncClient, response: httpx2.Response) -> httpx2.Response:
    while response.is_redirect:
        target = urljoin(str(response.url), response.headers["location"])
        assert target.startswith(f"{ISSUER}/"), target
        response = await browser.get(target)
    return response


async def refused_on_a_page(deployment: Deployment, url: str, code: str) -> str:
    """Check that a request ends on a page of ours and is sent nowhere."""
    async with deployment.client() as browser:
        response = await browser.get(url)
    assert response.status_code == 400, (url, response.status_code, response.headers.get("location"))
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")
    assert code in response.text
    return response.text


async def test_a_confidential_client_that_leaves_pkce_out_is_refused_too(deployment: Deployment) -> None:
    # One report says so of Copilot Studio. B1: PKCE is required of every client.
    client = await introduced(deployment, "copilot-studio", "static")
    url = client.authorize_url(code_challenge=None, code_challenge_method=None)
    async with deployment.client() as browser:
        response = await browser.get(url)
    assert response.headers["location"].startswith(f"{client.redirect_uri}?error=invalid_request")


async def test_grants_that_are_not_offered_are_left_out_and_said(deployment: Deployment) -> None:
    body = NATIVE | {"grant_types": ["authorization_code", "refresh_token", "urn:example:never-offered"]}
    async with deployment.client() as http:
        answer = whole(await http.post("/register", json=body))
    assert answer["grant_types"] == ["authorization_code", "refresh_token"]
