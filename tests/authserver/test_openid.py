"""The assertions of the OpenID Basic OP and RP-initiated logout modules that apply, as black-box tests of our own.

Named after the modules of the OpenID conformance suite. No certification is claimed.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwk, jwt
from tests.authserver.deployment import C1, C2, MCP, PUBLIC_URL, START, tenant, user
from tests.authserver.world import (
    AZ,
    SEALER,
    STATE,
    VERIFIER,
    Browser,
    Pairs,
    World,
    answer_of,
    az,
    basic,
    consent_of,
    is_page,
    is_redirected_error,
    is_token_error,
)

from doorward.credentials import key_rotation
from doorward.credentials.key_rotation import Overlap
from doorward.credentials.signing_keys import RS256
from doorward.model import SECOND, Status
from doorward.storage import accounts, clients, connections
from support.person import Page
from support.rows import without_membership
from support.signing import rows

pytestmark = pytest.mark.anyio

APP, BYE = "https://app.example/cb", "https://app.example/bye"
NONCE = "n-0S6_WzA2Mj"
ASKED = "openid profile email offline_access"


@dataclass
class Rp:
    """A relying party that an administrator registered, with its keys read from where metadata says."""

    world: World

    @staticmethod
    def request(*added: tuple[str, str], without: tuple[str, ...] = ("resource",), **changed: str) -> Pairs:
        return az(*added, without=without, **{"client_id": "c2", "redirect_uri": APP, "scope": ASKED, "nonce": NONCE} | changed)  # fmt: skip

    async def get(self, path: str) -> dict[str, Any]:
        async with self.world.client() as http:
            return (await http.get(path)).json()  # type: ignore[no-any-return]

    async def redeem(self, code: str, **changed: str) -> httpx2.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": APP, "code_verifier": VERIFIER}
        return await self.world.token(form | changed, authorization=basic("c2", self.world.secrets["c2"]))

    async def refresh(self, token: str, **changed: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": token} | changed
        answer = await self.world.token(form, authorization=basic("c2", self.world.secrets["c2"]))
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def connect(self, browser: Browser, params: Pairs | None = None, **changed: Any) -> dict[str, Any]:
        answer = await browser.answer(self.request() if params is None else params, **changed)
        response = await self.redeem(answer["code"])
        assert response.status_code == 200, response.text
        return response.json()  # type: ignore[no-any-return]

    async def read(self, id_token: str, algorithm: str = "RS256") -> dict[str, Any]:
        """Check an ID token as OIDC Core section 3.1.3.7 says, with the published keys."""
        keys = jwk.KeySet.import_key_set(await self.get("/oauth/jwks.json"))  # type: ignore[arg-type]
        token = jwt.decode(id_token, keys, algorithms=[algorithm])
        assert token.header["alg"] == algorithm
        said: dict[str, Any] = token.claims
        assert (said["iss"], said["aud"]) == (PUBLIC_URL, "c2")
        now = self.world.clock() // SECOND
        assert said["iat"] <= now < said["exp"]
        return said

    async def userinfo(self, token: str | None, method: str = "GET", **more: Any) -> httpx2.Response:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with self.world.client() as http:
            return await http.request(method, "/oauth/userinfo", headers=headers, **more)


@pytest.fixture
async def rp(world: World) -> Rp:
    client = replace(C2, post_logout_redirect_uris=(BYE,))
    await world.database.write(lambda tx: clients.update_client(tx, client))
    return Rp(world)


def as_person(world: World) -> Any:
    return world.browser_of("alice")


async def test_C33_oidcc_server(rp: Rp) -> None:
    browser = await as_person(rp.world)
    rp.world.clock.forward(30)
    page = await browser.consent(rp.request())
    assert page.shown() == page.ticked() == set(ASKED.split())
    assert "Your sign-in here, and nothing else" in page.text
    assert "See your e-mail address" in page.text
    answer = answer_of(await browser.submit(page))
    assert answer["iss"] == PUBLIC_URL
    tokens = (await rp.redeem(answer["code"])).json()
    said = await rp.read(tokens["id_token"])
    assert said["sub"] == user("alice").id
    assert said["nonce"] == NONCE
    assert said["auth_time"] == START // SECOND
    digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert said["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert said["tenant"] == "acme"
    assert not {"email", "name"} & said.keys()  # OIDC Core section 5.4
    assert tokens["scope"] == "email openid profile"
    assert tokens["token_type"] == "Bearer"


async def test_oidcc_idtoken_signature_es256_where_the_client_asked_for_it(rp: Rp) -> None:
    client = replace(C2, id_token_signed_response_alg="ES256")
    await rp.world.database.write(lambda tx: clients.update_client(tx, client))
    tokens = await rp.connect(await as_person(rp.world))
    assert (await rp.read(tokens["id_token"], "ES256"))["sub"] == user("alice").id


async def test_C33_without_openid_there_is_no_id_token_and_no_userinfo(world: World) -> None:
    tokens = await world.connect()
    assert "id_token" not in tokens
    answer = await Rp(world).userinfo(tokens["access_token"])
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="openid"' in answer.headers["www-authenticate"]
    assert "id_token" not in await world.connect(params=az(scope="email profile documents:read"))


async def test_unticked_identity_is_left_out(rp: Rp) -> None:
    browser = await as_person(rp.world)
    tokens = await rp.connect(browser, scope=["openid"])
    assert tokens["scope"] == "openid"
    assert set((await rp.userinfo(tokens["access_token"])).json()) == {"sub", "tenant", "tenant_id"}
    page = await browser.consent(rp.request())
    again = await browser.submit(page, scope=["email", "profile"])
    assert again.status_code == 422
    both = await rp.connect(browser, rp.request(scope="openid documents:read"), scope=["documents:read"])
    assert "id_token" not in both
    assert both["scope"] == "documents:read"


async def test_a_sign_in_gives_no_permission_and_shows_no_tool(rp: Rp) -> None:
    tokens = await rp.connect(await as_person(rp.world))
    assert not await rp.world.works(tokens["access_token"])
    (connection,) = await rp.world.connections()
    assert (connection.scopes, connection.identity) == (frozenset(), frozenset({"openid", "profile", "email"}))
    # A client that registered itself means our tools, also when it asks for OpenID scopes alone (Codex).
    own = await rp.world.connect(params=az(scope=ASKED))
    assert own["scope"] == "documents:read documents:write email openid profile"
    assert await rp.world.works(own["access_token"])


async def test_oidcc_ensure_registered_redirect_uri(rp: Rp) -> None:
    is_page(await rp.world.browser().open(rp.request(redirect_uri="https://app.example/other")), "DW-104")


async def test_A16_oidcc_ensure_redirect_uri_in_authorization_request(rp: Rp) -> None:
    is_page(await rp.world.browser().open(rp.request(without=("resource", "redirect_uri"))), "DW-103")


async def test_oidcc_ensure_request_without_nonce_succeeds_for_code_flow(rp: Rp) -> None:
    tokens = await rp.connect(await as_person(rp.world), rp.request(without=("resource", "nonce")))
    assert "nonce" not in await rp.read(tokens["id_token"])


async def test_oidcc_nonce_is_given_back_byte_for_byte(rp: Rp) -> None:
    nonce = "a b/%2B+ä🚪"
    tokens = await rp.connect(await as_person(rp.world), rp.request(nonce=nonce))
    assert (await rp.read(tokens["id_token"]))["nonce"] == nonce
    refused = await rp.world.browser().open(rp.request(nonce="x" * 1025))
    is_redirected_error(refused, "invalid_request", APP)


@pytest.mark.parametrize(
    ("scope", "told"), [("profile", {"name"}), ("email", {"email", "email_verified"}), ("", set())]
)
async def test_oidcc_scope_profile_and_email(rp: Rp, scope: str, told: set[str]) -> None:
    tokens = await rp.connect(await as_person(rp.world), rp.request(scope=f"openid {scope}"))
    said = (await rp.userinfo(tokens["access_token"])).json()
    assert said["sub"] == (await rp.read(tokens["id_token"]))["sub"]
    assert said.keys() - {"sub", "tenant", "tenant_id"} == told
    assert said.get("email") in (None, user("alice").email)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_oidcc_userinfo_get_and_post_header(rp: Rp, method: str) -> None:
    tokens = await rp.connect(await as_person(rp.world))
    answer = await rp.userinfo(tokens["access_token"], method)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["email"] == user("alice").email
    assert answer.json()["email_verified"] is False


async def test_oidcc_userinfo_takes_the_header_alone_and_says_how(rp: Rp) -> None:
    token = (await rp.connect(await as_person(rp.world)))["access_token"]
    for answer in (
        await rp.userinfo(None),
        await rp.userinfo(None, params={"access_token": token}),
        await rp.userinfo(None, "POST", data={"access_token": token}),
    ):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    wrong = await rp.userinfo(token[:-6] + "AAAAAA")
    assert wrong.status_code == 401
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    async with rp.world.client() as http:
        bearer = {"authorization": f"Bearer {token}"}
        foreign = await http.get("/userinfo", headers={"origin": "https://evil.example", **bearer})
        assert foreign.status_code == 403
        allowed = await http.get("/userinfo", headers={"origin": "https://inspector.example", **bearer})
        assert allowed.headers["access-control-allow-origin"] == "https://inspector.example"
        asked = await http.options("/oauth/userinfo", headers={"origin": "http://localhost:1", "access-control-request-method": "GET"})  # fmt: skip
        assert asked.status_code == 204


async def test_J12_userinfo_is_live(rp: Rp) -> None:
    world = rp.world
    browser = await as_person(world)
    token, other = [(await rp.connect(browser))["access_token"] for _ in range(2)]
    (newest, *_) = await world.connections()
    await world.database.write(lambda tx: connections.revoke_connection(tx, newest.id, world.clock(), "test"))
    assert sorted([(await rp.userinfo(each)).status_code for each in (token, other)]) == [200, 401]
    gone = replace(user("alice"), status=Status.DISABLED)
    await world.database.write(lambda tx: accounts.update_user(tx, gone))
    assert {(await rp.userinfo(each)).status_code for each in (token, other)} == {401}


async def test_A22_oidcc_prompt_none_not_logged_in(rp: Rp) -> None:
    is_redirected_error(await rp.world.browser().open(rp.request(prompt="none")), "login_required", APP)


async def test_A22_oidcc_prompt_none_logged_in_needs_remembered_consent(rp: Rp) -> None:
    browser = await as_person(rp.world)
    silent = rp.request(prompt="none")
    is_redirected_error(await browser.follow(await browser.open(silent)), "consent_required", APP)
    first = await rp.connect(browser, remember="yes")
    rp.world.clock.forward(5)
    answer = answer_of(await browser.follow(await browser.open(silent)))
    assert answer["state"] == STATE
    again = (await rp.redeem(answer["code"])).json()
    before, now = await rp.read(first["id_token"]), await rp.read(again["id_token"])
    assert (now["sub"], now["auth_time"]) == (before["sub"], before["auth_time"])
    # Too old a sign-in is no reason for a page either.
    is_redirected_error(await browser.open(rp.request(prompt="none", max_age="1")), "login_required", APP)


async def test_A23_oidcc_prompt_login_gives_a_later_auth_time(rp: Rp) -> None:
    browser = await as_person(rp.world)
    first = await rp.read((await rp.connect(browser))["id_token"])
    rp.world.clock.forward(2)
    sent = await browser.follow(await browser.open(rp.request(prompt="login")))
    assert urlsplit(sent.headers["location"]).path == "/sign-in"
    rp.world.clock.forward(1)
    tokens = await _after_sign_in(rp, browser, sent)
    assert (await rp.read(tokens["id_token"]))["auth_time"] > first["auth_time"]


async def test_A24_oidcc_max_age_1(rp: Rp) -> None:
    browser = await as_person(rp.world)
    first = await rp.read((await rp.connect(browser))["id_token"])
    rp.world.clock.forward(2)
    sent = await browser.follow(await browser.open(rp.request(max_age="1")))
    assert urlsplit(sent.headers["location"]).path == "/sign-in"
    second = await rp.read((await _after_sign_in(rp, browser, sent))["id_token"])
    assert second["auth_time"] > first["auth_time"]
    assert second["iat"] - second["auth_time"] <= 1


async def test_oidcc_max_age_10000_needs_no_sign_in(rp: Rp) -> None:
    browser = await as_person(rp.world)
    first = await rp.read((await rp.connect(browser))["id_token"])
    rp.world.clock.forward(60)
    second = await rp.read((await rp.connect(browser, rp.request(max_age="10000")))["id_token"])
    assert second["auth_time"] == first["auth_time"]


async def _after_sign_in(rp: Rp, browser: Browser, sent: httpx2.Response, name: str = "alice") -> dict[str, Any]:
    """Sign in at the page that somebody was sent to, go on and approve."""
    await browser.sign_in(name)
    back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))["next"]
    request = dict(parse_qsl(urlsplit(back).query))["request"]
    page = await browser.http.get(f"/oauth/consent?{urlencode({'request': request})}")
    answer = answer_of(await browser.submit(consent_of(page)))
    return (await rp.redeem(answer["code"])).json()  # type: ignore[no-any-return]


async def test_oidcc_id_token_hint(rp: Rp) -> None:
    browser = await as_person(rp.world)
    hint = (await rp.connect(browser, remember="yes"))["id_token"]
    silent = rp.request(prompt="none", id_token_hint=hint)
    assert "code" in answer_of(await browser.follow(await browser.open(silent)))
    bob = await rp.world.browser_of("bob")
    is_redirected_error(await bob.open(silent), "login_required", APP)
    rp.world.clock.forward(1)
    # Without prompt=none bob may sign in as who was meant; who comes back as bob again is not asked for ever.
    sent = await bob.follow(await bob.open(rp.request(id_token_hint=hint)))
    assert urlsplit(sent.headers["location"]).path == "/sign-in"
    await bob.sign_in("bob")
    back = dict(parse_qsl(urlsplit(sent.headers["location"]).query))["next"]
    is_redirected_error(await bob.http.get(back), "login_required", APP)
    # A stranger's, a damaged and another client's hint.
    for wrong in (hint[:-4] + "AAAA", "junk"):
        is_redirected_error(await browser.open(rp.request(id_token_hint=wrong)), "invalid_request", APP)
    is_redirected_error(await browser.open(az(id_token_hint=hint)), "invalid_request")
    # An expired one still names its person (section 3.1.2.1).
    rp.world.clock.forward(2 * 3600)
    assert "code" in answer_of(await browser.follow(await browser.open(silent)))


async def test_oidcc_login_hint_reaches_the_sign_in_page_and_proves_nothing(rp: Rp) -> None:
    browser = rp.world.browser()
    begun = await browser.open(rp.request(login_hint="bob@example.test"))
    known = browser.http.cookies.get("doorward_browser")
    assert await rp.world.server.describe(begun.headers["location"], known) == ("Web App", None, "bob@example.test")
    tokens = await rp.connect(await as_person(rp.world), rp.request(login_hint="bob@example.test"))
    assert (await rp.read(tokens["id_token"]))["sub"] == user("alice").id


@pytest.mark.parametrize(
    "ignored",
    [("display", "popup"), ("ui_locales", "se"), ("claims_locales", "se"), ("acr_values", "1 2"), ("extra", "foobar"),
     ("claims", '{"userinfo":{"name":{"essential":true}}}')],
    ids=lambda pair: pair[0],
)  # fmt: skip
async def test_oidcc_display_ui_locales_acr_values_and_other_parameters_are_ignored(
    rp: Rp, ignored: tuple[str, str]
) -> None:
    tokens = await rp.connect(await as_person(rp.world), rp.request(ignored))
    assert (await rp.read(tokens["id_token"]))["sub"] == user("alice").id


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (("request_uri", "https://app.example/r"), "request_uri_not_supported"),
        (("registration", "{}"), "registration_not_supported"),
        (("response_mode", "form_post"), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
    ],
    ids=["request", "request_uri", "registration", "form_post", "fragment"],
)
async def test_A25_oidcc_unsigned_request_object_is_refused_by_its_name(
    rp: Rp, sent: tuple[str, str], error: str
) -> None:
    is_redirected_error(await rp.world.browser().open(rp.request(sent)), error, APP)
    document = await rp.get("/.well-known/openid-configuration")
    assert document["request_parameter_supported"] is document["request_uri_parameter_supported"] is False
    assert document["response_modes_supported"] == ["query"]


async def test_oidcc_response_type_missing(rp: Rp) -> None:
    refused = await rp.world.browser().open(rp.request(without=("resource", "response_type")))
    is_redirected_error(refused, "invalid_request", APP)


async def test_oidcc_ensure_post_request_succeeds(rp: Rp) -> None:
    browser = await as_person(rp.world)
    sent = await browser.post("/oauth/authorize", rp.request(), **{"sec-fetch-site": "cross-site"})
    page = await browser.follow(sent)
    assert "code" in answer_of(await browser.submit(consent_of(page)))


async def test_C1_oidcc_codereuse_30seconds(rp: Rp) -> None:
    browser = await as_person(rp.world)
    code = (await browser.answer(rp.request()))["code"]
    tokens = (await rp.redeem(code)).json()
    rp.world.clock.forward(30)
    is_token_error(await rp.redeem(code), "invalid_grant")
    assert (await rp.userinfo(tokens["access_token"])).status_code == 401


async def test_oidcc_server_client_secret_post_is_refused_where_basic_is_registered(rp: Rp) -> None:
    code = (await (await as_person(rp.world)).answer(rp.request()))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": APP, "code_verifier": VERIFIER}
    posted = await rp.world.token(form | {"client_id": "c2", "client_secret": rp.world.secrets["c2"]})
    is_token_error(posted, "invalid_client", 401)


async def test_oidcc_refresh_token(rp: Rp) -> None:
    """OIDC Core section 12.2: same issuer, person and auth_time, a new iat, and no nonce."""
    first = await rp.connect(await as_person(rp.world))
    rp.world.clock.forward(100)
    again = await rp.refresh(first["refresh_token"])
    before, now = await rp.read(first["id_token"]), await rp.read(again["id_token"])
    assert {name: now[name] for name in ("iss", "sub", "aud", "auth_time")} == {
        name: before[name] for name in ("iss", "sub", "aud", "auth_time")
    }
    assert now["iat"] == before["iat"] + 100
    assert "nonce" not in now
    assert (await rp.userinfo(again["access_token"])).status_code == 200
    narrow = await rp.refresh(again["refresh_token"], scope="openid")
    assert narrow["scope"] == "openid"
    assert "email" not in (await rp.userinfo(narrow["access_token"])).json()


async def test_C23_a_sign_in_ends_with_the_membership(rp: Rp) -> None:

    first = await rp.connect(await as_person(rp.world))
    acme = tenant("acme").id
    await rp.world.database.write(lambda tx: without_membership(tx, acme, user("alice").id))
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    refused = await rp.world.token(form, authorization=basic("c2", rp.world.secrets["c2"]))
    is_token_error(refused, "invalid_grant")


async def test_N4_oidcc_server_rotate_keys(rp: Rp) -> None:
    world = rp.world
    browser = await as_person(world)
    old = await rp.connect(browser)

    spare = rows(SEALER)[-1]
    assert spare.algorithm == RS256
    fresh = key_rotation.draw(RS256, sealer=SEALER, entropy=lambda count: b"7" * count)
    before = {key["kid"] for key in (await rp.get("/oauth/jwks.json"))["keys"]}
    overlap = Overlap(before=600, after=3600)
    await world.database.write(lambda tx: key_rotation.rotate(tx, fresh, overlap=overlap, now=world.clock()))
    during = {key["kid"] for key in (await rp.get("/oauth/jwks.json"))["keys"]}
    assert during == before | {fresh.kid}
    world.clock.forward(600)
    new = await rp.connect(browser)
    for each, kid in ((old, spare.kid), (new, fresh.kid)):
        await rp.read(each["id_token"])
        head = each["id_token"].partition(".")[0]
        assert kid.encode() in base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))


async def test_oidcc_discovery_endpoint_verification(rp: Rp) -> None:
    document = await rp.get("/.well-known/openid-configuration")
    required = {"issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri",
                "response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
                "scopes_supported", "claims_supported", "end_session_endpoint"}  # fmt: skip
    assert required <= document.keys()
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    assert {"openid", "email", "profile"} <= set(document["scopes_supported"])
    assert document["claims_parameter_supported"] is False
    prm = await rp.get("/.well-known/oauth-protected-resource/mcp")
    assert not {"openid", "email", "profile"} & set(prm["scopes_supported"])


async def logout(browser: Browser, **sent: str) -> httpx2.Response:
    return await browser.http.get(f"/oauth/logout?{urlencode(sent)}")


async def signed_in(rp: Rp, browser: Browser) -> bool:
    answer = await browser.open(rp.request(prompt="none"))
    return urlsplit(answer.headers["location"]).path == "/oauth/consent"


async def test_D9_oidcc_rp_initiated_logout(rp: Rp) -> None:
    browser = await as_person(rp.world)
    tokens = await rp.connect(browser)
    assert await signed_in(rp, browser)
    gone = await logout(browser, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state="s t/ä")
    assert (gone.status_code, gone.headers["location"]) == (303, f"{BYE}?state=s%20t%2F%C3%A4")
    assert not await signed_in(rp, browser)
    # B2: a connection outlives the sign-out.
    assert "id_token" in await rp.refresh(tokens["refresh_token"])
    assert "session:ended" in [event.name for event in await rp.world.events()]


async def test_D9_oidcc_rp_initiated_logout_by_post_and_with_no_state(rp: Rp) -> None:
    browser = await as_person(rp.world)
    hint = (await rp.connect(browser))["id_token"]
    sent = await browser.post(
        "/oauth/logout",
        [("id_token_hint", hint), ("post_logout_redirect_uri", BYE)],
        **{"sec-fetch-site": "cross-site"},
    )
    assert sent.headers["location"].startswith("/oauth/logout?")
    assert (await browser.http.get(sent.headers["location"])).headers["location"] == BYE


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"client_id": "c1", "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": "modified", "client_id": "c2", "post_logout_redirect_uri": BYE},
        {"id_token_hint": "of bob", "post_logout_redirect_uri": BYE},
        {"client_id": "c2", "post_logout_redirect_uri": BYE + "?x=1"},
        {"client_id": "c2", "post_logout_redirect_uri": "JavaScript:alert(1)"},
    ],
    ids=["no-params", "bad-post-logout-redirect-uri", "modified-id-token-hint", "another-person", "query-added", "script"],
)  # fmt: skip
async def test_D9_oidcc_rp_initiated_logout_asks_and_sends_nowhere(rp: Rp, sent: dict[str, str]) -> None:
    hints = {
        "modified": (await rp.connect(await as_person(rp.world)))["id_token"][:-6] + "AAAAAA",
        "of bob": (await rp.connect(await rp.world.browser_of("bob")))["id_token"],
    }
    browser = await as_person(rp.world)
    asked = await logout(browser, **{name: hints.get(value, value) for name, value in sent.items()})
    assert asked.status_code == 200
    assert "Sign out?" in asked.text
    assert await signed_in(rp, browser)
    (form,) = Page(asked.text).forms
    done = await browser.post(form.action, [(f.name, f.value) for f in form.fields])
    assert done.status_code == 200
    assert "You are signed out" in done.text
    assert not await signed_in(rp, browser)


async def test_D9_oidcc_rp_initiated_logout_query_added_with_a_good_hint_stays_here(rp: Rp) -> None:
    browser = await as_person(rp.world)
    hint = (await rp.connect(browser))["id_token"]
    done = await logout(browser, id_token_hint=hint, post_logout_redirect_uri=f"{BYE}?x=1")
    assert done.status_code == 200
    assert "not registered" in done.text
    assert not await signed_in(rp, browser)


async def test_D9_oidcc_rp_initiated_logout_no_id_token_hint_confirms_and_goes_on(rp: Rp) -> None:
    browser = await as_person(rp.world)
    asked = await logout(browser, client_id="c2", post_logout_redirect_uri=BYE, state="x")
    assert "Web App" in asked.text
    (form,) = Page(asked.text).forms
    pairs = [(f.name, f.value) for f in form.fields]
    foreign = await browser.post(form.action, pairs, **{"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert await signed_in(rp, browser)
    assert (await browser.post(form.action, pairs)).headers["location"] == f"{BYE}?state=x"


async def test_D9_a_client_that_registered_itself_gets_no_redirect_by_a_link(rp: Rp) -> None:
    """Anybody may register; an ID token of one's own must not make our address a way to anywhere."""
    evil = "https://evil.example/"
    await rp.world.database.write(lambda tx: clients.update_client(tx, replace(C1, post_logout_redirect_uris=(evil,))))
    own = (await rp.world.connect("bob", az(scope="openid documents:read")))["id_token"]
    for victim in (rp.world.browser(), await as_person(rp.world)):
        answer = await logout(victim, id_token_hint=own, client_id="c1", post_logout_redirect_uri=evil)
        assert (answer.status_code, "location" in answer.headers) == (200, False)
    bob = await rp.world.browser_of("bob")
    assert (await logout(bob, id_token_hint=own, post_logout_redirect_uri=evil)).headers["location"] == evil


async def test_D9_a_request_that_contradicts_itself_is_refused(rp: Rp) -> None:
    browser = await as_person(rp.world)
    hint = (await rp.connect(browser))["id_token"]
    is_page(await logout(browser, id_token_hint=hint, client_id="c1"), "DW-153")
    is_page(await browser.http.get("/oauth/logout?state=a&state=b"), "DW-153")
    is_page(await browser.http.get("/oauth/logout?state=%ff"), "DW-126")
    assert await signed_in(rp, browser)


async def test_J8_an_id_token_is_no_access_token(rp: Rp) -> None:
    tokens = await rp.connect(await as_person(rp.world))
    assert (await rp.userinfo(tokens["id_token"])).status_code == 401
    assert not await rp.world.works(tokens["id_token"])
    assert MCP not in str(await rp.read(tokens["id_token"]))
    assert AZ["resource"] == MCP
