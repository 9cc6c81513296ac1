"""Calls with a linked account, and what is answered without one."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from mcp_types import ElicitationRequiredErrorData, InputRequiredResult
from tests.gateway.recorder import Recorder, Request, default, reply, result

from doorward.gateway.own_tools import OWN_TOOLS
from support.elsewhere import Elsewhere
from support.linked_house import OPENS_URLS, PUBLIC, House, declared

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("D6")]

PAGE = f"{PUBLIC}/upstreams/wiki/connect?tenant=acme"


def told_to_link(answer: httpx2.Response, page: str = PAGE) -> None:
    """The tool's result is the address; nothing of it makes a client sign in here again."""
    assert answer.status_code == 200, (answer.status_code, answer.text)
    assert "www-authenticate" not in answer.headers
    said = answer.json()["result"]
    assert said["isError"] is True
    assert page in said["content"][0]["text"]
    assert "DW-370" in said["content"][0]["text"]


async def linked_key(house: House, there: Elsewhere, name: str = "alice", tenant: str = "acme") -> str:
    await (await house.visitor(name)).link(there, f"{name}-there", tenant)
    return await house.key(name, tenant)


def shown(wiki: Recorder, method: str = "tools/call") -> list[str]:
    """Return the tokens that calls were made with."""
    return [
        str(each.header("authorization")).removeprefix("Bearer ") for each in wiki.requests if each.method == method
    ]


async def test_who_has_no_account_gets_the_address_and_nothing_reaches_the_server(house: House, wiki: Recorder) -> None:
    key = await house.key("alice")
    for name in ("echo", "no_such_tool", "not a name"):
        told_to_link(await house.call(key, name))
    link = (await house.call(key, "link_account")).json()["result"]
    assert link["isError"] is False
    assert PAGE in link["content"][0]["text"]
    who = (await house.call(key, "whoami")).json()["result"]
    assert "alice@test.example" in who["content"][0]["text"]
    for method, params in (("prompts/get", {"name": "p_open"}), ("resources/read", {"uri": "mem://open"})):
        answer = await house.modern(key, method, params)
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32006)
        assert answer.json()["error"]["data"] == {"code": "DW-370", "url": PAGE}
    assert wiki.requests == []


async def test_without_an_account_lists_show_the_way_and_nothing_of_the_server(house: House, wiki: Recorder) -> None:
    key = await house.key("alice")
    tools = (await house.modern(key, "tools/list")).json()["result"]
    assert [tool["name"] for tool in tools["tools"]] == ["link_account", *OWN_TOOLS]
    assert (tools["cacheScope"], tools["ttlMs"]) == ("private", 0)
    for method, member in (
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ):
        assert (await house.modern(key, method)).json()["result"][member] == []
    discovered = (await house.modern(key, "server/discover")).json()["result"]
    assert discovered["capabilities"] == {"tools": {}}
    assert PAGE in discovered["instructions"]
    hello = await house.legacy(key, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})
    assert hello.json()["result"]["protocolVersion"] == "2025-06-18"
    session = hello.headers["mcp-session-id"]
    assert (await house.legacy(key, "ping", session=session)).json()["result"] == {}
    assert (await house.legacy(key, "nonsense", session=session)).json()["error"]["code"] == -32601
    assert wiki.requests == []


async def test_a_client_of_2026_07_28_that_opens_addresses_is_asked_to_and_comes_back(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice, key = await house.visitor("alice"), await house.key("alice")
    call: dict[str, Any] = {"name": "echo", "arguments": {"text": "x"}}
    answer = (await house.modern(key, "tools/call", call, can=OPENS_URLS)).json()["result"]
    parsed = InputRequiredResult.model_validate(answer)
    assert parsed.input_requests is not None
    asked = answer["inputRequests"]["link_account"]
    assert asked["method"] == "elicitation/create"
    assert (asked["params"]["mode"], asked["params"]["url"]) == ("url", PAGE)
    back = {**call, "inputResponses": {"link_account": {"action": "accept"}}, "requestState": answer["requestState"]}
    told_to_link(await house.modern(key, "tools/call", back, can=OPENS_URLS))
    await alice.link(there)
    done = (await house.modern(key, "tools/call", back, can=OPENS_URLS)).json()["result"]
    assert json.loads(done["content"][0]["text"]) == {"text": "x"}
    sent = next(each for each in wiki.requests if each.method == "tools/call")
    assert {"requestState", "inputResponses"}.isdisjoint(sent.message["params"])
    other = await house.key("bob")
    refused = await house.modern(other, "tools/call", back, can=OPENS_URLS)
    assert "input_required" in refused.text, "another's state is nothing here"


async def test_a_client_of_2025_11_25_is_told_by_the_error_of_its_revision(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice, key = await house.visitor("alice"), await house.key("alice")
    sessions = {}
    for what, can in (("can", {"elicitation": {"form": {}, "url": {}}}), ("cannot", {"elicitation": {}})):
        hello = await house.legacy(key, "initialize", {"protocolVersion": "2025-11-25", "capabilities": can})
        sessions[what] = hello.headers["mcp-session-id"]
    call = {"name": "echo", "arguments": {"text": "x"}}
    error = (await house.legacy(key, "tools/call", call, sessions["can"])).json()["error"]
    assert error["code"] == -32042
    one = ElicitationRequiredErrorData.model_validate(error["data"]).elicitations[0]
    assert one.url == PAGE
    assert one.elicitation_id
    told_to_link(await house.legacy(key, "tools/call", call, sessions["cannot"]))
    told_to_link(await house.legacy(key, "tools/call", call))
    await alice.link(there)
    wiki.answer = older
    done = (await house.legacy(key, "tools/call", call, sessions["can"])).json()["result"]
    assert json.loads(done["content"][0]["text"]) == {"text": "x"}


def older(request: Request) -> bytes:
    """Answer as a server of the older revisions, which keeps a session."""
    if request.method == "server/discover":
        return reply(400, b"{}")
    if request.method == "initialize":
        said = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "o", "version": "1"},
        }
        return result(request, said, "mcp-session-id: theirs")
    return default(request)


async def test_K16_every_method_is_asked_as_the_person_and_as_nobody_else(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    keys = {name: await linked_key(house, there, name) for name in ("alice", "bob")}
    for name, key in keys.items():
        wiki.forget()
        for method, params in (
            ("tools/call", {"name": "echo", "arguments": {}}), ("tools/list", {}), ("prompts/get", {"name": "p_open"}),
            ("prompts/list", {}), ("resources/read", {"uri": "mem://open"}), ("resources/list", {}),
        ):  # fmt: skip
            assert (await house.modern(key, method, params)).status_code == 200, method
        tokens = {str(each.header("authorization")).removeprefix("Bearer ") for each in wiki.requests}
        assert {there.access[token] for token in tokens} == {f"{name}-there"}


async def test_two_people_share_neither_lists_nor_connections(house: House, there: Elsewhere, wiki: Recorder) -> None:
    alice, bob = [await linked_key(house, there, name) for name in ("alice", "bob")]

    def own(request: Request) -> bytes:
        if request.method == "tools/list":
            account = there.access[str(request.header("authorization")).removeprefix("Bearer ")]
            tool = {"name": f"of_{account[:3]}", "inputSchema": {"type": "object"}}
            return result(request, {"tools": [tool], "resultType": "complete"})
        return default(request)

    wiki.answer = own
    for _ in range(2):
        listed = [(await house.modern(key, "tools/list")).json()["result"]["tools"] for key in (alice, bob)]
        assert [tools[0]["name"] for tools in listed] == ["of_ali", "of_bob"]
    refused = await house.call(bob, "of_ali")
    assert "Unknown tool" in refused.text
    assert (await house.call(alice, "of_ali")).status_code == 200
    # One connection each, used again by nobody else.
    assert wiki.connections == 2


async def test_one_person_is_somebody_else_in_another_tenant(house: House, there: Elsewhere, wiki: Recorder) -> None:
    acme = await linked_key(house, there, "carol")
    globex = await house.key("carol", "globex")
    told_to_link(await house.call(globex), PAGE.replace("acme", "globex"))
    assert (await house.call(acme)).status_code == 200
    await (await house.visitor("carol")).link(there, "carol-elsewhere", "globex")
    await house.call(globex)
    assert [there.access[token] for token in shown(wiki)] == ["carol-there", "carol-elsewhere"]


async def test_an_account_that_is_linked_anew_is_another_account_at_once(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    await house.call(key)
    await (await house.visitor("alice")).link(there, "second-account")
    await house.call(key)
    assert [there.access[token] for token in shown(wiki)] == ["alice-there", "second-account"]
    lists = [there.access[token] for token in shown(wiki, "tools/list")]
    assert lists == ["alice-there", "second-account"], "the former account's list is not the new one's"
    assert len(await house.grants()) == 1


async def test_unlinking_holds_for_the_next_call_and_is_told_to_the_other_side(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice, key = await house.visitor("alice"), await linked_key(house, there)
    assert (await house.call(key)).status_code == 200
    page = await alice.get("/settings/upstreams/acme/wiki/unlink")
    assert "Unlink your account at Wiki?" in page.text
    assert (await alice.post("/settings/upstreams/acme/wiki/unlink", "cross-site")).status_code == 403
    bob = await house.visitor("bob")
    assert (await bob.post("/settings/upstreams/acme/wiki/unlink")).status_code == 404
    assert len(await house.grants()) == 1
    answer = await alice.post("/settings/upstreams/acme/wiki/unlink")
    assert answer.headers["location"] == "/settings/upstreams?unlinked=wiki"
    wiki.forget()
    told_to_link(await house.call(key))
    assert wiki.requests == []
    assert await house.grants() == []
    assert there.revoked == list(there.refresh)
    assert (await alice.post("/settings/upstreams/acme/wiki/unlink")).status_code == 404
    assert "upstream_account:unlinked" in {event.name for event in await house.events()}


async def test_what_was_given_for_one_url_is_sent_to_no_other(house: House, there: Elsewhere, wiki: Recorder) -> None:
    key = await linked_key(house, there)
    elsewhere = Recorder()
    await elsewhere.start()
    await house.apply(declared(elsewhere.url, there.issuer))
    told_to_link(await house.call(key))
    await house.apply(declared(wiki.url, "https://other.test.example"))
    told_to_link(await house.call(key))
    await elsewhere.stop()
    assert (elsewhere.requests, wiki.requests) == ([], [])


async def test_a_key_that_an_administrator_made_does_not_act_with_the_persons_account(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    await linked_key(house, there)
    made = await house.key("alice", made_by="bob")
    answer = await house.call(made)
    assert answer.status_code == 403
    assert "DW-376" in answer.text
    assert wiki.requests == []


async def test_nor_does_one_that_an_administrator_gave_another_secret(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    assert (await house.call(key)).status_code == 200
    wiki.forget()
    assert (await house.call(await house.rotated(key, "alice"))).status_code == 200
    mine = await house.key("alice")
    answer = await house.call(await house.rotated(mine, "bob"))
    assert (answer.status_code, "DW-376" in answer.text) == (403, True)
    assert len(shown(wiki)) == 1


async def test_who_may_not_use_the_server_is_not_sent_to_link_anything(house: House, wiki: Recorder) -> None:
    key = await house.key("mallory", "globex")
    await house.apply({"tenants": [{"slug": "globex", "servers": []}]})
    answer = await house.call(key)
    assert answer.status_code == 403
    assert "upstreams" not in answer.text


async def test_rules_are_ours_whatever_the_account_may_do(house: House, there: Elsewhere, wiki: Recorder) -> None:
    key = await linked_key(house, there)
    await house.apply({"tenants": [{"slug": "acme", "members": [{"user": "alice@test.example", "roles": []}]}]})
    wiki.forget()
    answer = await house.call(key)
    assert "Unknown tool" in answer.text
    assert shown(wiki) == []


async def test_eight_calls_at_once_refresh_once(house: House, there: Elsewhere, wiki: Recorder) -> None:
    key = await linked_key(house, there)
    await house.call(key)
    wiki.forget()
    house.clock.forward(7200)
    answers = await asyncio.gather(*(house.call(key, text=str(number)) for number in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len(there.seen("/token")) == 2
    assert len(set(shown(wiki))) == 1
    refresh = there.seen("/token")[1].form
    assert refresh["grant_type"] == "refresh_token"
    assert refresh["resource"] == wiki.url


async def test_shortly_before_its_end_a_token_is_used_while_another_is_asked_for(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    await house.call(key)
    house.clock.forward(3600 - 30)
    there.hold = asyncio.Event()
    assert (await house.call(key)).status_code == 200
    there.hold.set()
    while (await house.grants())[0].version == 1:  # noqa: ASYNC110  (a real socket tells it by this alone)
        await asyncio.sleep(0.01)
    await house.call(key)
    first, second, third = shown(wiki)
    assert first == second
    assert third != first
    assert len(there.seen("/token")) == 2


async def test_a_grant_that_the_other_side_ended_is_linked_again(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice, key = await house.visitor("alice"), await linked_key(house, there)
    await house.call(key)
    there.refresh.clear()
    house.clock.forward(7200)
    for _ in range(3):
        told_to_link(await house.call(key))
    assert len(there.seen("/token")) == 2, "a grant that is gone is not asked for again"
    assert [event.name for event in await house.events()].count("upstream_account:rejected") == 1
    assert "Link it again" in (await alice.get("/settings/upstreams")).text
    await alice.link(there)
    assert (await house.call(key)).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [reply(500, b"{}"), reply(200, b"garbage"), reply(200, b"{}"), b"", reply(302, b"", "location: https://x.example/"),
     reply(400, b'{"error":"temporarily_unavailable"}'), reply(429, b"{}")],
)  # fmt: skip
async def test_a_refresh_that_fails_by_the_way_destroys_nothing(
    house: House, there: Elsewhere, wiki: Recorder, answer: bytes
) -> None:
    key = await linked_key(house, there)
    there.answers["/token"] = lambda _asked: answer
    house.clock.forward(7200)
    wiki.forget()
    for _ in range(2):
        waits = await house.call(key)
        assert waits.status_code == 503, waits.text
        assert "DW-513" in waits.text
        assert int(waits.headers["retry-after"]) > 0
    assert wiki.requests == []
    assert len(there.seen("/token")) == 2, "asked again only after a pause"
    del there.answers["/token"]
    house.clock.forward(10)
    assert (await house.call(key)).status_code == 200


async def test_a_client_that_the_other_side_does_not_know_is_the_operators_matter(
    house: House, there: Elsewhere
) -> None:
    key = await linked_key(house, there)
    there.answers["/token"] = lambda _asked: reply(401, b'{"error":"invalid_client"}')
    house.clock.forward(7200)
    answer = await house.call(key)
    assert (answer.status_code, "DW-515" in answer.text) == (502, True)
    assert len(await house.grants()) == 1


def refusing(there: Elsewhere, header: str = "", *, always: bool = False) -> Any:
    """Refuse the first token, or all, with 401."""
    first = next(iter(there.access))

    def answer(request: Request) -> bytes:
        token = str(request.header("authorization")).removeprefix("Bearer ")
        if request.method == "tools/call" and (always or token == first):
            return reply(401, b"{}", *([f"www-authenticate: {header}"] if header else []))
        return default(request)

    return answer


async def test_a_token_that_the_server_calls_invalid_is_refreshed_and_the_call_made_once_more(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    house.clock.forward(60)
    wiki.answer = refusing(there, 'Bearer realm="x", error="invalid_token"')
    answer = await house.call(key, "echo", text="x")
    assert answer.status_code == 200, answer.text
    assert len(shown(wiki)) == len(set(shown(wiki))) == 2


async def test_a_401_that_says_nothing_is_no_reason_to_do_something_twice(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    house.clock.forward(60)
    wiki.answer = refusing(there)
    answer = await house.call(key, "echo", text="x")
    assert answer.status_code == 503
    assert "DW-516" in answer.text
    assert len(shown(wiki)) == 1
    assert (await house.call(key, "echo", text="x")).status_code == 200
    assert len(there.seen("/token")) == 2


async def test_a_401_to_what_only_reads_is_tried_again(house: House, there: Elsewhere, wiki: Recorder) -> None:
    key = await linked_key(house, there)
    house.clock.forward(60)
    wiki.answer = refusing(there)
    assert (await house.call(key, "plain")).status_code == 200
    assert len(shown(wiki)) == 2


async def test_K19_a_server_that_refuses_every_token_is_no_challenge_and_does_not_wear_out_the_grant(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    key = await linked_key(house, there)
    house.clock.forward(60)
    wiki.answer = refusing(
        there, 'Bearer error="invalid_token", resource_metadata="https://evil.example/"', always=True
    )
    for _ in range(4):
        told_to_link(await house.call(key))
    assert len(there.seen("/token")) == 2
    assert len(await house.grants()) == 1


async def test_a_grant_without_a_refresh_token_is_good_until_its_token_ends(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    there.answers["/token"] = lambda _asked: reply(
        200, b'{"access_token":"only","token_type":"Bearer","expires_in":100}'
    )
    key = await linked_key(house, there)
    house.clock.forward(99)
    assert (await house.call(key)).status_code == 200
    house.clock.forward(2)
    told_to_link(await house.call(key))
    assert len(there.seen("/token")) == 1


async def test_a_refresh_that_brings_no_new_refresh_token_keeps_the_old_one(house: House, there: Elsewhere) -> None:
    key = await linked_key(house, there)
    there.answers["/token"] = lambda _asked: reply(200, b'{"access_token":"n","token_type":"bearer","expires_in":10}')
    for _ in range(2):
        house.clock.forward(7200)
        assert (await house.call(key)).status_code == 200
    sent = [asked.form["refresh_token"] for asked in there.seen("/token")[1:]]
    assert sent == [next(iter(there.refresh))] * 2


async def test_a_call_that_waits_ends_when_the_account_is_unlinked(
    house: House, there: Elsewhere, wiki: Recorder
) -> None:
    alice, key = await house.visitor("alice"), await linked_key(house, there)
    await house.call(key)
    wiki.forget()
    wiki.answer = lambda request: b"HTTP/1.1 200 OK\r\n" if request.method == "tools/call" else default(request)

    async def unlink() -> None:
        await wiki.came(1, "tools/call")
        await alice.post("/settings/upstreams/acme/wiki/unlink")

    answer, _ = await asyncio.gather(house.call(key), unlink())
    assert answer.status_code == 403, answer.text
    assert "DW-338" in answer.text
