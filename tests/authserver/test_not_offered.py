"""What metadata does not list does not work, by any door (decision 0077.8; security A21, A26, C14, C30, D6)."""

from typing import Any

import pytest
from tests.authserver.deployment import ACME_MCP, PUBLIC_URL
from tests.authserver.world import World, az, basic, is_page, is_redirected_error, is_token_error

pytestmark = pytest.mark.anyio

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
GRANTS = (
    "authorization_code", "refresh_token", "client_credentials", "password", "implicit", TOKEN_EXCHANGE,
    "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:openid:params:grant-type:ciba",
)  # fmt: skip
"""Every grant that has a name of its own in the registries we know of."""
ELSEWHERE = (
    "pushed_authorization_request_endpoint", "backchannel_authentication_endpoint", "check_session_iframe",
    "authorization_grant_profiles_supported", "dpop_signing_alg_values_supported", "identity_chaining_requested_token_types_supported",
    "registration_client_uri",
)  # fmt: skip


async def metadata(world: World) -> dict[str, Any]:
    async with world.client() as http:
        return (await http.get("/.well-known/oauth-authorization-server")).json()  # type: ignore[no-any-return]


async def test_A21_no_page_posts_an_answer_to_a_client(world: World) -> None:
    # A form that posts itself is where a hostile state becomes script. There is none: not listed, and not given.
    assert (await metadata(world))["response_modes_supported"] == ["query"]
    hostile = '"><script>alert(1)</script>'
    for mode in ("form_post", "form_post.jwt"):
        response = await world.browser().open(az(response_mode=mode, state=hostile))
        is_redirected_error(response, "invalid_request", state=hostile)
        assert "<" not in response.text
        assert '"' not in response.headers["location"]
    browser = await world.browser_of("alice")
    assert hostile not in (await browser.consent(az(state=hostile))).html


async def test_A26_no_request_is_pushed_and_no_name_of_one_is_taken(world: World) -> None:
    listed = await metadata(world)
    assert not [name for name in listed if "pushed" in name]
    async with world.client() as http:
        for path in ("/oauth/par", "/par"):
            assert (await http.post(path, data=dict(az()))).status_code == 404
    pushed = ("request_uri", "urn:ietf:params:oauth:request_uri:abc")
    is_redirected_error(await world.browser().open(az(pushed)), "request_uri_not_supported")
    # Without a redirect URI of its own in the query, one of the pushed request would be trusted unseen.
    two = [("client_id", "two"), pushed]
    is_page(await world.browser().open(two), "DW-103")


async def test_C30_no_token_is_exchanged_for_another(world: World) -> None:
    tokens = await world.connect()
    before = await world.events()
    form = {
        "grant_type": TOKEN_EXCHANGE, "subject_token": tokens["access_token"], "subject_token_type": ACCESS_TOKEN,
        "resource": ACME_MCP, "scope": "documents:delete", "actor_token": tokens["access_token"],
        "actor_token_type": ACCESS_TOKEN,
    }  # fmt: skip
    assert TOKEN_EXCHANGE not in (await metadata(world))["grant_types_supported"]
    is_token_error(await world.token(form | {"client_id": "c1"}), "unsupported_grant_type")
    for name in ("c2", "machine"):
        asked = await world.token(form, authorization=basic(name, world.secrets[name]))
        is_token_error(asked, "unsupported_grant_type")
    assert await world.events() == before
    assert await world.works(tokens["access_token"])


@pytest.mark.parametrize("grant", GRANTS)
async def test_D6_C14_a_grant_works_if_and_only_if_it_is_listed(world: World, grant: str) -> None:
    listed = (await metadata(world))["grant_types_supported"]
    answer = await world.token({"grant_type": grant}, authorization=basic("c2", world.secrets["c2"]))
    assert (answer.json()["error"] == "unsupported_grant_type") is (grant not in listed), answer.text


async def test_D6_a_way_to_prove_oneself_works_if_and_only_if_it_is_listed(world: World) -> None:
    listed = await metadata(world)
    ways = set(listed["token_endpoint_auth_methods_supported"])
    assert ways <= {"none", "client_secret_post", "client_secret_basic", "private_key_jwt"}
    assert not {alg for alg in listed["token_endpoint_auth_signing_alg_values_supported"] if alg.startswith("HS")}
    async with world.client() as http:
        for way in ("client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "attest_jwt_client_auth"):
            body = {"redirect_uris": ["https://x.example/cb"], "token_endpoint_auth_method": way}
            is_token_error(await http.post("/register", json=body), "invalid_client_metadata")


async def test_D6_what_is_not_listed_is_not_there(world: World) -> None:
    listed = await metadata(world)
    assert not set(ELSEWHERE) & listed.keys()
    assert {url.startswith(PUBLIC_URL) for name, url in listed.items() if name.endswith(("_endpoint", "_uri"))} == {
        True
    }
    async with world.client() as http:
        for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint", "jwks_uri"):
            assert (await http.options(listed[name])).status_code != 404, name
