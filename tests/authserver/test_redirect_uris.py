"""Where an answer may go: only where the client registered, character by character (security A1 to A16)."""

import pytest
from tests.authserver.world import REDIRECT, World, answer_of, az, is_page, is_redirected_error

pytestmark = pytest.mark.anyio

NOT_REGISTERED = "DW-104"
WEB = {"client_id": "c2", "redirect_uri": "https://app.example/cb"}


async def refused(world: World, redirect_uri: str, client_id: str) -> None:
    response = await world.browser().open(az(redirect_uri=redirect_uri, client_id=client_id))
    is_page(response, NOT_REGISTERED)
    assert "set-cookie" not in response.headers


async def test_A1_an_unregistered_redirect_is_explained_on_a_page(world: World) -> None:
    await refused(world, "https://evil.example/cb", "c1")


@pytest.mark.parametrize(
    "also",
    [
        {"response_type": "banana"},
        {"scope": "\t"},
        {"code_challenge": "short"},
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        {"prompt": "none login"},
        {"resource": "https://other.example/mcp"},
    ],
)
async def test_A2_no_other_error_leaves_by_an_unregistered_redirect(world: World, also: dict[str, str]) -> None:
    is_page(await world.browser().open(az(redirect_uri="https://evil.example/steal", **also)), NOT_REGISTERED)


@pytest.mark.parametrize("tail", ["/cb/", "/cbx", "/CB", "/cb?x=1", "/cb%20", "/cb;x", "/"])
async def test_A3_a_suffix_another_case_or_a_query_is_another_uri(world: World, tail: str) -> None:
    await refused(world, f"https://app.example{tail}", "c2")


@pytest.mark.parametrize("tail", ["/cb/../evil", "/cb/%2e%2e/evil", "/cb/..;/evil", "/./cb"])
async def test_A4_dot_segments_are_not_resolved(world: World, tail: str) -> None:
    await refused(world, f"https://app.example{tail}", "c2")


@pytest.mark.parametrize(
    "uri",
    ["https://app.example@evil.example/cb", "https://app.example:x@evil.example/cb", "https://a@b@evil.example/cb"],
)
async def test_A5_a_user_name_is_no_host(world: World, uri: str) -> None:
    await refused(world, uri, "c2")


@pytest.mark.parametrize(
    "uri", ["https://app.example\\@evil.example/cb", "https:/\\evil.example", "https:evil.example", "https:///evil.example"]
)  # fmt: skip
async def test_A6_odd_authorities_are_not_repaired(world: World, uri: str) -> None:
    await refused(world, uri, "c2")


async def test_A7_a_fragment_is_never_registered(world: World) -> None:
    await refused(world, "https://app.example/cb#f", "c2")


@pytest.mark.parametrize(
    "uri",
    ["https://app。example/cb", "https://xn--pp-7lc.example/cb", "https://аpp.example/cb"],  # noqa: RUF001
)
async def test_A8_look_alike_hosts_are_not_folded(world: World, uri: str) -> None:
    await refused(world, uri, "c2")


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/%63b",
        "https%3A%2F%2Fapp.example%2Fcb",
        "https://app.example/cb%00",
        "https://app.example/cb\r\nSet-Cookie:x=1",
    ],
)
async def test_A9_encoded_twins_are_other_uris_and_split_no_header(world: World, uri: str) -> None:
    await refused(world, uri, "c2")


@pytest.mark.parametrize("port", ["53111", "1", "65535"])
async def test_A11_a_native_client_listens_on_any_loopback_port(world: World, port: str) -> None:
    redirect = f"http://127.0.0.1:{port}/cb"
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(az(redirect_uri=redirect)))
    assert response.headers["location"].startswith(f"{redirect}?code=")


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
async def test_A14_the_three_names_of_loopback_are_one_and_the_page_names_the_real_one(world: World, host: str) -> None:
    redirect = f"http://{host}:4000/cb"
    browser = await world.browser_of("alice")
    page = await browser.consent(az(redirect_uri=redirect))
    assert f"{host}:4000" in page.text
    assert "Did you start this just now?" in page.text
    response = await browser.submit(page)
    assert response.headers["location"].startswith(f"{redirect}?code=")


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:53111/other",
        "https://127.0.0.1:53111/cb",
        "http://127.0.0.2/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:53111@evil.example/cb",
        "http://0.0.0.0/cb",
        "http://2130706433/cb",
        "http://127.0.0.1:99999/cb",
        "http://localhost.evil.example/cb",
    ],
)
async def test_A12_what_only_looks_like_loopback_is_not(world: World, uri: str) -> None:
    await refused(world, uri, "c1")


async def test_A13_another_port_is_for_loopback_only(world: World) -> None:
    await refused(world, "https://app.example:8443/cb", "c2")


async def test_A15_a_private_scheme_works_where_it_is_registered(world: World) -> None:
    async with world.client() as http:
        body = {"client_name": "Mobile", "redirect_uris": ["com.example.app:/cb", "cursor://anysphere.cursor-mcp/cb"]}
        client_id = (await http.post("/register", json=body)).json()["client_id"]
        refused_body = {"client_name": "Mobile", "redirect_uris": ["myapp:/cb"]}
        response = await http.post("/register", json=refused_body)
    assert response.json()["error"] == "invalid_redirect_uri"
    browser = await world.browser_of("alice")
    for uri in body["redirect_uris"]:
        page = await browser.consent(az(client_id=client_id, redirect_uri=uri))
        assert uri.partition(":")[0] + ":" in page.text
        assert (await browser.submit(page)).headers["location"].startswith(f"{uri}?code=")


async def test_A16_the_redirect_may_be_left_out_only_where_there_is_one(world: World) -> None:
    is_page(await world.browser().open(az(client_id="two", without={"redirect_uri"})), "DW-103")
    is_page(await world.browser().open(az(without={"redirect_uri"}, scope="openid documents:read")), "DW-103")
    browser = await world.browser_of("alice")
    response = await browser.submit(await browser.consent(az(without={"redirect_uri"})))
    assert response.headers["location"].startswith("http://127.0.0.1/cb?code=")
    redeemed = await world.redeem(answer_of(response)["code"], without={"redirect_uri"})
    assert redeemed.status_code == 200


async def test_an_error_after_the_redirect_is_proven_goes_there(world: World) -> None:
    is_redirected_error(await world.browser().open(az(response_type="banana")), "unsupported_response_type", REDIRECT)
    is_redirected_error(
        await world.browser().open(az(**WEB, response_type="token")), "unsupported_response_type", WEB["redirect_uri"]
    )
