"""Linking an account: from our page to the other side and back, and what somebody could do in between."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from tests.gateway.recorder import Recorder

from doorward.model import Status
from doorward.storage import accounts, permissions
from support.elsewhere import Asked, Elsewhere
from support.https_server import http
from support.linked_house import PUBLIC, House, Visitor, declared
from support.rows import without_membership

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

CALLBACK = f"{PUBLIC}/upstreams/wiki/callback"


def asked_for(location: str) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(location).query)
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


async def is_refused(answer: httpx2.Response, code: str, house: House, status: int = 400) -> None:
    assert answer.status_code == status, (answer.status_code, answer.headers.get("location"), answer.text)
    assert code in answer.text
    assert "location" not in answer.headers
    assert await house.grants() == []


async def test_a_person_links_an_account_and_calls_are_made_with_it(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice = await house.visitor("alice")
    await alice.link(there)
    key = await house.key("alice")
    answer = await house.call(key, "echo", text="x")
    assert answer.status_code == 200, answer.text
    assert {request.header("authorization") for request in wiki.requests} == {f"Bearer {one}" for one in there.access}
    assert key not in "".join(str(request.headers) for request in wiki.requests)


async def test_what_is_asked_for_is_bound_to_this_server_and_this_browser(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    location = await (await house.visitor("alice")).begin()
    query = asked_for(location)
    registered = there.clients[query["client_id"]]
    assert registered["redirect_uris"] == [CALLBACK]
    assert registered["grant_types"] == ["authorization_code", "refresh_token"]
    assert (registered["application_type"], registered["token_endpoint_auth_method"]) == ("native", "none")
    assert query | {"state": "", "code_challenge": "", "client_id": ""} == {
        "response_type": "code",
        "client_id": "",
        "redirect_uri": CALLBACK,
        "state": "",
        "code_challenge": "",
        "code_challenge_method": "S256",
        "resource": wiki.url,
    }
    assert len(query["state"]) == 43
    again = asked_for(await (await house.visitor("alice")).begin())
    assert again["client_id"] == query["client_id"], "registered a second time"
    assert again["state"] != query["state"]
    assert again["code_challenge"] != query["code_challenge"]


async def test_scopes_that_are_declared_are_asked_for_with_offline_access(house: House, there: Elsewhere) -> None:
    upstream = (await house.server("wiki")).upstream
    await house.apply(declared(upstream, there.issuer, scopes=["read", "write"]))
    query = asked_for(await (await house.visitor("alice")).begin())
    assert query["scope"] == "read write offline_access"
    assert query["prompt"] == "consent"


async def test_nobody_is_sent_anywhere_before_our_own_button(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    page = await alice.get("/upstreams/wiki/connect", tenant="acme")
    assert page.status_code == 200
    assert "Link your account at Wiki?" in page.text
    assert "alice@test.example" in page.text
    assert there.asked == []
    assert (await alice.post("/upstreams/wiki/connect", "cross-site", tenant="acme")).status_code == 403
    assert there.asked == []
    # What comes back without a button pressed here belongs to nothing.
    answer = await alice.come_back({"code": "c", "state": "s" * 43, "iss": there.issuer})
    await is_refused(answer, "DW-371", house)


async def test_who_is_nobody_yet_signs_in_and_comes_back_to_the_page(house: House) -> None:
    nobody = Visitor(house)
    answer = await nobody.get("/upstreams/wiki/connect", tenant="acme")
    assert answer.headers["location"] == "/sign-in?next=%2Fupstreams%2Fwiki%2Fconnect%3Ftenant%3Dacme"
    answer = await nobody.come_back({"code": "c", "state": "s", "iss": "x"})
    await is_refused(answer, "DW-371", house)


async def test_a_state_is_good_once(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    assert (await alice.come_back(came)).status_code == 303
    before = await house.grants()
    answer = await alice.come_back(came)
    assert answer.status_code == 400
    assert "DW-371" in answer.text
    assert await house.grants() == before
    assert len(there.seen("/token")) == 1


async def test_a_state_is_one_session_s_and_one_person_s(house: House, there: Elsewhere) -> None:
    alice, again, bob = [await house.visitor(name) for name in ("alice", "alice", "bob")]
    came = there.approve(await alice.begin(), "mallory-there")
    for other in (bob, again, Visitor(house)):
        await is_refused(await other.come_back(came), "DW-371", house)
    assert there.seen("/token") == []
    assert (await alice.come_back(came)).status_code == 303, "others must not use it up"


async def test_who_signed_out_meanwhile_begins_again(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    await alice.post("/sign-out")
    await is_refused(await alice.come_back(came), "DW-371", house)


async def test_an_answer_that_comes_late_is_refused(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    house.clock.forward(601)
    await is_refused(await alice.come_back(came), "DW-371", house)


@pytest.mark.parametrize("iss", ["https://evil.example", "", None, "upper", "slash"])
@pytest.mark.parametrize("error", [False, True])
async def test_an_answer_of_another_server_is_refused_and_nothing_is_sent_there(
    house: House, there: Elsewhere, iss: str | None, error: bool
) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    iss = {"upper": there.issuer.upper(), "slash": there.issuer + "/"}.get(iss or "", iss)
    came = {name: value for name, value in came.items() if name != "iss"} | ({} if iss is None else {"iss": iss})
    if error:
        came = {"state": came["state"], "error": "access_denied"} | ({} if iss is None else {"iss": iss})
    await is_refused(await alice.come_back(came), "DW-373", house)
    assert there.seen("/token") == []


async def test_a_server_that_never_says_iss_is_told_by_its_address(house: House, there: Elsewhere) -> None:
    there.metadata = {"authorization_response_iss_parameter_supported": None}
    upstream = (await house.server("wiki")).upstream
    other = {"slug": "other", "paths": ["/other"], "upstream": upstream}
    auth = {"kind": "oauth", "authorization_server": there.issuer}
    await house.apply(
        {"servers": [{**other, "auth": auth}], "tenants": [{"slug": "acme", "servers": ["wiki", "other"]}]}
    )
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    del came["iss"]
    await is_refused(await alice.come_back(came, server="other"), "DW-371", house)
    assert there.seen("/token") == []
    assert (await alice.come_back(came)).status_code == 303


async def test_a_code_of_somebody_else_is_not_redeemed(house: House, there: Elsewhere) -> None:
    alice, mallory = await house.visitor("alice"), await house.visitor("mallory")
    hers = there.approve(await alice.begin())
    his = there.approve(await mallory.begin("globex"), "mallory-there")
    await is_refused(await alice.come_back(hers | {"code": his["code"]}), "DW-514", house)
    assert there.access == {}


async def test_what_the_other_side_declined_is_told_without_its_words(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    state = there.approve(await alice.begin())["state"]
    words = {"error": "access_denied", "error_description": "<b>Call +1 555 0100</b>", "iss": there.issuer}
    answer = await alice.come_back({"state": state, **words})
    await is_refused(answer, "DW-372", house)
    assert "555" not in answer.text


@pytest.mark.parametrize("query", ["state=a&state=b&code=c", "state=a&code=" + "x" * 9000, "", "code=c", "state=%00"])
async def test_parameters_that_make_no_sense_are_refused(house: House, query: str) -> None:
    alice = await house.visitor("alice")
    answer = await alice.http.get(f"/upstreams/wiki/callback?{query}")
    await is_refused(answer, "DW-371", house)


@pytest.mark.parametrize(
    ("name", "server", "tenant"),
    [("alice", "wiki", "globex"), ("alice", "wiki", ""), ("alice", "wiki", "nowhere"), ("alice", "gone", "acme")],
)
async def test_an_account_is_linked_for_a_tenant_of_ones_own_that_has_the_server(
    house: House, there: Elsewhere, name: str, server: str, tenant: str
) -> None:
    visitor = await house.visitor(name)
    answer = await visitor.post(f"/upstreams/{server}/connect", tenant=tenant)
    await is_refused(answer, "DW-374", house, 404)
    assert there.asked == []


async def test_who_loses_their_place_meanwhile_gets_nothing_and_it_is_given_back(
    house: House, there: Elsewhere
) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    grants, user = await house.grants(), await house.user("alice")
    tenant = await house.core.database.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
    assert (grants, tenant is not None) == ([], True)
    await house.core.database.write(lambda tx: without_membership(tx, tenant.id, user.id))  # type: ignore[union-attr]
    await is_refused(await alice.come_back(came), "DW-374", house, 404)
    assert there.revoked == list(there.refresh)


async def test_a_tenant_that_closes_the_way_by_which_somebody_came_gets_nothing_linked(
    house: House, there: Elsewhere
) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    tenant = await house.core.database.read(lambda reader: accounts.tenant_by_slug(reader, "acme"))
    assert tenant is not None
    closed = replace(tenant, sign_in_methods=("link",))
    user = await house.user("alice")
    await house.core.database.write(lambda tx: accounts.update_tenant(tx, closed))
    await house.core.database.write(lambda tx: permissions.set_membership(tx, tenant.id, user.id, ("viewer",)))
    await is_refused(await alice.come_back(came), "DW-374", house, 404)
    assert there.revoked == list(there.refresh), "what was just given is given back"


async def test_a_server_that_is_declared_anew_meanwhile_does_not_get_what_was_given_for_the_old_one(
    house: House, there: Elsewhere
) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    await house.apply(declared("http://127.0.0.1:9/evil", there.issuer))
    await is_refused(await alice.come_back(came), "DW-374", house, 404)


def _redirects(_asked: Asked) -> bytes:
    return http(b"", "Location: http://127.0.0.1:9/", status="302 Found")


BAD: dict[str, Callable[[Asked], bytes | None]] = {
    "garbage": lambda _asked: http(b"{not json"),
    "array": lambda _asked: http(b"[]"),
    "page": lambda _asked: http(b"<html>", kind="text/html"),
    "huge": lambda _asked: http(b'{"a":"' + b"x" * 100_000 + b'"}'),
    "redirect": _redirects,
    "broken": lambda _asked: http(b"{}", status="500 Oops"),
    "no http": lambda _asked: b"SSH-2.0\r\n\r\n",
    "empty": lambda _asked: http(b"{}"),
    "nonsense": lambda _asked: http(json.dumps(dict.fromkeys(("issuer", "client_id", "access_token"), 7)).encode()),
}


@pytest.mark.parametrize("how", BAD)
@pytest.mark.parametrize("path", ["/.well-known/oauth-authorization-server", "/register"])
async def test_a_server_that_answers_badly_before_is_a_page_and_nothing_else(
    house: House, there: Elsewhere, path: str, how: str
) -> None:
    there.answers[path] = BAD[how]
    alice = await house.visitor("alice")
    answer = await alice.post("/upstreams/wiki/connect", tenant="acme")
    await is_refused(answer, "DW-51", house, 503)


@pytest.mark.parametrize("how", BAD)
async def test_a_token_endpoint_that_answers_badly_is_a_page_and_nothing_else(
    house: House, there: Elsewhere, how: str
) -> None:
    there.answers["/token"] = BAD[how]
    alice = await house.visitor("alice")
    answer = await alice.come_back(there.approve(await alice.begin()))
    await is_refused(answer, "DW-514", house, 503)


@pytest.mark.parametrize(
    "changed",
    [
        {"access_token": "a\r\nx-evil: 1"}, {"access_token": "a b"}, {"access_token": ""}, {"access_token": "x" * 20_000},
        {"token_type": "DPoP"}, {"token_type": None}, {"refresh_token": "a\nb"}, {"refresh_token": 7},
    ],
)  # fmt: skip
async def test_L12_a_token_that_cannot_stand_in_a_header_is_not_kept(
    house: House, there: Elsewhere, changed: dict[str, Any]
) -> None:
    good = {"access_token": "a", "token_type": "bearer", "refresh_token": "r"}
    there.answers["/token"] = lambda _asked: http(json.dumps(good | changed).encode())
    alice = await house.visitor("alice")
    await is_refused(await alice.come_back(there.approve(await alice.begin())), "DW-514", house, 503)


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"}, {"code_challenge_methods_supported": None},
        {"code_challenge_methods_supported": ["plain"]}, {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://accounts.test.example/a"}, {"token_endpoint": "https://user@x.example/t"},
        {"token_endpoint": None}, {"registration_endpoint": "file:///etc/passwd"}, {"response_types_supported": ["token"]},
    ],
)  # fmt: skip
async def test_metadata_against_the_rules_is_not_used(house: House, there: Elsewhere, metadata: dict[str, Any]) -> None:
    there.metadata = metadata
    alice = await house.visitor("alice")
    await is_refused(await alice.post("/upstreams/wiki/connect", tenant="acme"), "DW-511", house, 503)
    assert {asked.path for asked in there.asked} == {"/.well-known/oauth-authorization-server"}


@pytest.mark.parametrize(
    "metadata", [{"registration_endpoint": None}, {"token_endpoint_auth_methods_supported": ["tls"]}]
)
async def test_a_server_that_knows_no_client_of_ours_is_told_to_the_administrator(
    house: House, there: Elsewhere, metadata: dict[str, Any]
) -> None:
    there.metadata = metadata
    alice = await house.visitor("alice")
    await is_refused(await alice.post("/upstreams/wiki/connect", tenant="acme"), "DW-512", house, 503)


async def test_an_issuer_on_a_private_address_is_never_asked(house: House) -> None:
    upstream = (await house.server("wiki")).upstream
    for issuer in ("https://10.0.0.1", "https://169.254.169.254", "https://metadata.internal:22"):
        await house.apply(declared(upstream, issuer))
        alice = await house.visitor("alice")
        answer = await alice.post("/upstreams/wiki/connect", tenant="acme")
        await is_refused(answer, "DW-511", house, 503)


@pytest.mark.parametrize("methods", [["client_secret_basic"], ["client_secret_post", "none"]])
async def test_the_operators_client_is_used_with_the_secret_that_is_in_the_vault_now(
    house: House, there: Elsewhere, methods: list[str]
) -> None:
    there.metadata = {"token_endpoint_auth_methods_supported": methods, "registration_endpoint": None}
    upstream = (await house.server("wiki")).upstream
    await house.apply(declared(upstream, there.issuer, client_id="ours:1", secret="WIKI_CLIENT"))
    alice = await house.visitor("alice")
    answer = await alice.post("/upstreams/wiki/connect", tenant="acme")
    await is_refused(answer, "DW-506", house, 503)
    await house.secret("WIKI_CLIENT", "s3cret/+ of ours")
    await alice.link(there)
    asked = there.seen("/token")[0]
    basic = "authorization" in asked.headers
    assert basic is (methods == ["client_secret_basic"])
    assert asked.client == "ours:1"
    assert ("client_secret" in asked.form) is not basic
    if not basic:
        assert asked.form["client_secret"] == "s3cret/+ of ours"
    assert "s3cret" not in await house.dump()


async def test_a_registration_that_the_other_side_forgot_is_made_anew(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    came = there.approve(await alice.begin())
    refusal = json.dumps({"error": "invalid_client"}).encode()
    there.answers["/token"] = lambda _asked: http(refusal, status="401 Unauthorized")
    await is_refused(await alice.come_back(came), "DW-515", house, 503)
    del there.answers["/token"]
    await alice.link(there)
    assert len(there.clients) == 2


async def test_N1_nothing_that_is_secret_stands_readable_anywhere(
    house: House, there: Elsewhere, capsys: pytest.CaptureFixture[str]
) -> None:
    there.answers["/register"] = lambda _asked: http(
        json.dumps({"client_id": "reg", "client_secret": "registered-secret", "token_endpoint_auth_method": "client_secret_basic"}).encode()
    )  # fmt: skip
    alice = await house.visitor("alice")
    location = await alice.begin()
    during = await house.dump()
    await alice.come_back(there.approve(location))
    key = await house.key("alice")
    await house.call(key)
    there.answers["/token"] = lambda asked: http(asked.body, status="400 Bad Request")
    house.clock.forward(7200)
    await house.call(key)
    verifier = there.seen("/token")[0].form["code_verifier"]
    secrets = [*there.access, *there.refresh, verifier, "registered-secret", asked_for(location)["state"], "code-0"]
    told = capsys.readouterr()
    for text in (during, await house.dump(), told.out, told.err):
        assert [secret for secret in secrets if secret in text] == []


async def test_somebody_who_presses_the_button_all_the_time_is_asked_to_wait(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    answers = [await alice.post("/upstreams/wiki/connect", tenant="acme") for _ in range(11)]
    assert {answer.status_code for answer in answers[:10]} == {303}
    await is_refused(answers[10], "DW-375", house, 429)
    assert answers[10].headers["retry-after"] == "60"
    assert len(there.clients) == 1


async def test_what_happened_is_in_the_audit_trail(house: House, there: Elsewhere) -> None:
    alice = await house.visitor("alice")
    await alice.link(there)
    linked = next(event for event in await house.events() if event.name == "upstream_account:linked")
    assert (linked.actor_id, linked.subject) == ((await house.user("alice")).id, "wiki")
    assert linked.detail == {"issuer": there.issuer, "scopes": "read"}
    assert linked.request_id


async def test_who_is_disabled_or_taken_out_has_nothing_linked_any_more(house: House, there: Elsewhere) -> None:
    for name in ("alice", "bob"):
        await (await house.visitor(name)).link(there, f"{name}-there")
    carol = await house.visitor("carol")
    await carol.link(there, "carol-there")
    await carol.link(there, "carol-there", "globex")
    alice, bob = await house.user("alice"), await house.user("bob")
    tenant = next(grant.tenant_id for grant in await house.grants() if grant.user_id == bob.id)
    await house.core.database.write(lambda tx: accounts.update_user(tx, replace(alice, status=Status.DISABLED)))
    await house.core.database.write(lambda tx: without_membership(tx, tenant, bob.id))
    left = await house.grants()
    assert {grant.user_id for grant in left} == {(await house.user("carol")).id}
    assert len(left) == 2
