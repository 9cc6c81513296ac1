"""Dynamic client registration (RFC 7591; feature B3; security E1 to E14)."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.authserver.world import World, answer_of, az, basic, is_redirected_error, is_token_error, tk

pytestmark = pytest.mark.anyio

CURSOR = {
    "client_name": "Cursor",
    "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "application_type": "native",
    "code_challenge_method": ["S256"],
    "contacts": None,
}  # fmt: skip
NATIVE = {"client_name": "Tool", "redirect_uris": ["http://127.0.0.1:4711/cb"]}


async def post(world: World, body: Any, path: str = "/oauth/clients/register") -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with world.client() as http:
        return await http.post(path, content=content, headers={"content-type": "application/json"})


async def registered(world: World, body: Any) -> dict[str, Any]:
    response = await post(world, body)
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    assert None not in response.json().values()
    return response.json()  # type: ignore[no-any-return]


@pytest.mark.requirement("B3")
@pytest.mark.parametrize("path", ["/oauth/clients/register", "/register"])
async def test_a_client_with_several_redirects_and_unknown_members_is_registered(world: World, path: str) -> None:
    answer = (await post(world, CURSOR, path)).json()
    assert answer["redirect_uris"] == CURSOR["redirect_uris"]
    assert answer["token_endpoint_auth_method"] == "none"
    assert answer["application_type"] == "native"
    assert answer["response_types"] == ["code"]
    assert isinstance(answer["client_id_issued_at"], int)
    assert "client_secret" not in answer
    assert "registration_access_token" not in answer
    assert "code_challenge_method" not in answer


async def test_a_method_that_is_not_given_is_none_and_said_so(world: World) -> None:
    answer = await registered(world, NATIVE)
    assert answer["token_endpoint_auth_method"] == "none"
    assert answer["grant_types"] == ["authorization_code", "refresh_token"]


@pytest.mark.requirement("B3")
async def test_a_public_client_that_registers_again_is_the_same_client(world: World) -> None:
    first = await registered(world, NATIVE)
    again = await registered(world, NATIVE | {"redirect_uris": ["http://127.0.0.1:9999/cb"]})
    assert again["client_id"] == first["client_id"]
    assert again["redirect_uris"] == ["http://127.0.0.1:9999/cb"]
    other = await registered(world, NATIVE | {"client_name": "Another"})
    assert other["client_id"] != first["client_id"]
    names = [event.name for event in await world.events()]
    assert names.count("client:registered") == 2
    browser = await world.browser_of("alice")
    for port in (4711, 9999):
        params = az(client_id=first["client_id"], redirect_uri=f"http://127.0.0.1:{port}/cb")
        assert "code" in await browser.answer(params)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_confidential_client_always_gets_its_own_id_and_secret(world: World, method: str) -> None:
    body = {"client_name": "Web", "redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": method}
    one, two = await registered(world, body), await registered(world, body)
    assert one["client_id"] != two["client_id"]
    assert one["client_secret"] != two["client_secret"]
    assert one["client_secret_expires_at"] == 0
    code = await world.code(params=az(client_id=one["client_id"], redirect_uri="https://app.example/cb"))
    form = {name: value for name, value in tk(code).items() if name not in {"client_id", "redirect_uri"}}
    if method == "client_secret_basic":
        response = await world.token(form, authorization=basic(one["client_id"], one["client_secret"]))
    else:
        response = await world.token(form | {"client_id": one["client_id"], "client_secret": one["client_secret"]})
    assert response.status_code == 200
    assert one["client_secret"] not in repr(await world.events())


async def test_scopes_are_echoed_as_far_as_they_exist_and_limit_nothing(world: World) -> None:
    answer = await registered(world, NATIVE | {"scope": "documents:read made:up offline_access"})
    assert answer["scope"] == "documents:read offline_access"
    assert "scope" not in await registered(world, NATIVE | {"scope": "made:up"})
    browser = await world.browser_of("alice")
    params = az(client_id=answer["client_id"], redirect_uri="http://127.0.0.1:1/cb", scope="documents:write")
    assert (await browser.consent(params)).shown() == {"documents:write"}


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "\x00javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "blob:https://x.example/1",
        "file:///etc/passwd",
        "mailto:a@x.example",
        "about:blank",
        "view-source:https://x.example",
    ],
)
async def test_E1_dangerous_schemes_are_refused(world: World, uri: str) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": ["http://127.0.0.1/cb", uri]}), "invalid_redirect_uri")


@pytest.mark.parametrize("uri", ["http://app.example/cb", "http://10.0.0.1/cb", "http://127.0.0.1.nip.io/cb"])
async def test_E3_plain_http_is_for_loopback_only(world: World, uri: str) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": [uri]}), "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/cb#f",
        "https://*.example/cb",
        "https://app.example/*",
        "https://a.example/../cb",
        "regexp=.*",
    ],
)
async def test_A10_fragments_wildcards_and_dot_segments_are_refused(world: World, uri: str) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": [uri]}), "invalid_redirect_uri")


@pytest.mark.parametrize("name", ["Clau\u202ede", "Cla\u200bude", "a\nb", "x" * 10_000, 1])
async def test_E4_names_that_deceive_are_refused(world: World, name: object) -> None:
    is_token_error(await post(world, NATIVE | {"client_name": name}), "invalid_client_metadata")


async def test_E4_markup_in_a_name_is_text_and_an_unknown_name_is_not_verified(world: World) -> None:
    name = '<img src=x onerror="alert(1)"> Anthropic (verified)'
    answer = await registered(world, NATIVE | {"client_name": name})
    browser = await world.browser_of("alice")
    page = await browser.consent(az(client_id=answer["client_id"], redirect_uri="http://127.0.0.1:1/cb"))
    assert "<img" not in page.html
    assert "Not verified" in page.text
    assert "Verified:" not in page.text


@pytest.mark.parametrize("member", ["client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "client_uri#ja"])
async def test_E2_links_that_are_no_links_are_refused(world: World, member: str) -> None:
    is_token_error(await post(world, NATIVE | {member: "javascript:alert(1)"}), "invalid_client_metadata")


async def test_E6_privileged_wishes_have_no_effect(world: World) -> None:
    wishes = {
        "skip_consent": True,
        "trusted": True,
        "require_pkce": False,
        "tenant_id": "ten_acme",
        "scope": "*:* admin",
        "grant_types": ["authorization_code", "client_credentials", "password"],
        "is_admin": True,
        "client_id": "c1",
        "client_secret": "x",
    }
    answer = await registered(world, NATIVE | wishes)
    assert answer["client_id"] != "c1"
    assert answer["grant_types"] == ["authorization_code"]
    assert not {"skip_consent", "trusted", "is_admin", "tenant_id", "client_secret", "scope"} & answer.keys()
    browser = await world.browser_of("alice")
    params = az(client_id=answer["client_id"], redirect_uri="http://127.0.0.1:1/cb")
    is_redirected_error(
        await browser.open([p for p in params if p[0] != "code_challenge"]), "invalid_request", "http://127.0.0.1:1/cb"
    )
    assert "Approve" in (await browser.consent(params)).text


@pytest.mark.parametrize("method", ["private_key_jwt", "tls_client_auth", "banana", 1])
async def test_E6_methods_that_are_not_offered_are_refused(world: World, method: object) -> None:
    is_token_error(await post(world, NATIVE | {"token_endpoint_auth_method": method}), "invalid_client_metadata")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"client_name": "\\ud800", "redirect_uris": ["http://127.0.0.1/cb"]}',
        b'{"redirect_uris": ["http://127.0.0.1/cb"], "redirect_uris": ["https://evil.example/cb"]}',
        b'{"a":' * 100_000,
        b"[" * 60_000,
        b'{"client_name": "' + b"x" * 1_000_000 + b'"}',
    ],
)
async def test_E7_bodies_that_cannot_be_read_are_refused(world: World, body: bytes) -> None:
    is_token_error(await post(world, body), "invalid_client_metadata")


@pytest.mark.parametrize("uris", [None, [], "http://127.0.0.1/cb", [1], [None], ["https://a.example/cb"] * 33, 7])
async def test_E7_missing_empty_or_too_many_redirects_are_refused(world: World, uris: object) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": uris}), "invalid_redirect_uri")


@pytest.mark.parametrize(
    "uri", ["https://localhost.evil.example/cb", "http://localhost@evil.example/cb", "https://127.0.0.1.evil/cb"]
)
async def test_E10_hosts_that_look_like_loopback_are_refused(world: World, uri: str) -> None:
    is_token_error(await post(world, NATIVE | {"redirect_uris": [uri]}), "invalid_redirect_uri")


async def test_E13_ids_look_like_no_url_and_do_not_count(world: World) -> None:
    ids = [(await registered(world, NATIVE | {"client_name": f"n{i}"}))["client_id"] for i in range(3)]
    assert all(each.startswith("client_") and len(each) > 25 for each in ids)
    assert len({each[:12] for each in ids}) == 3


async def test_E14_registering_grants_nothing(world: World) -> None:
    answer = await registered(world, NATIVE | {"redirect_uris": ["https://new.example/cb"]})
    browser = await world.browser_of("alice")
    for _ in range(2):
        page = await browser.consent(az(client_id=answer["client_id"], redirect_uri="https://new.example/cb"))
        assert "Approve" in page.text
        assert "code" in answer_of(await browser.submit(page))


async def test_a_deployment_may_be_closed(make_world: Callable[..., World]) -> None:
    world = make_world(registration_policy="off")
    is_token_error(await post(world, NATIVE), "access_denied", 403)
    async with world.client() as http:
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert "registration_endpoint" not in metadata


async def test_gemini_registers_again_without_redirects_and_is_refused(world: World) -> None:
    body = {"client_name": "Gemini CLI (Stored OAuth)", "redirect_uris": [], "grant_types": [], "response_types": []}
    is_token_error(await post(world, body), "invalid_redirect_uri")
