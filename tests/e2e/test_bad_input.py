"""Each kind of bad input has its clear answer in the protocol's own form; nothing is a 500, nothing half-written."""

import json
from pathlib import Path

import httpx2
import pytest

from support.oauth import META, REDIRECT, Client, rpc
from support.person import Person, answer_of
from support.running_demo import Demo, free_port, running_demo

HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def post(demo: Demo, body: bytes, **headers: str) -> httpx2.Response:
    """Send a body as it is, with the owner's key."""
    authorization = {"authorization": f"Bearer {demo.key()}"}
    sent = HEADERS | authorization | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(demo.mcp_url, content=body, headers=sent, timeout=20, trust_env=False)


def test_a_wrong_password_is_told_on_the_page_and_the_address_stays(demo: Demo) -> None:
    email = demo.user("owner")[0]
    form = {"email": email, "password": "not it", "next": "/settings/keys"}
    answer = httpx2.post(f"{demo.url}/sign-in", data=form, headers={"origin": demo.url}, trust_env=False)
    assert answer.status_code == 422
    assert "do not match" in answer.text
    assert email in answer.text
    assert "not it" not in answer.text
    assert "doorward_session" not in answer.headers.get("set-cookie", "")


def test_an_unknown_tenant_answers_like_a_known_one(demo: Demo) -> None:
    known = httpx2.post(f"{demo.url}/acme/mcp", headers=HEADERS, content=b"{}", trust_env=False)
    unknown = httpx2.post(f"{demo.url}/nobody/mcp", headers=HEADERS, content=b"{}", trust_env=False)
    assert known.status_code == unknown.status_code == 401
    assert known.headers["www-authenticate"].replace("acme", "nobody") == unknown.headers["www-authenticate"]
    metadata = f"{demo.url}/.well-known/oauth-protected-resource/nobody/mcp"
    assert httpx2.get(metadata, trust_env=False).json()["resource"] == f"{demo.url}/nobody/mcp"


def test_a_credential_at_an_unknown_tenants_url_is_refused_as_any_bad_one(demo: Demo) -> None:
    foreign = rpc(f"{demo.url}/globex/mcp", demo.key(), "tools/list")
    unknown = rpc(f"{demo.url}/nobody/mcp", demo.key(), "tools/list")
    assert foreign.status_code == unknown.status_code == 401
    assert foreign.json() == unknown.json()


def test_an_unknown_client_gets_a_page_and_no_redirect(demo: Demo) -> None:
    client = Client(demo.url, demo.mcp_url)
    client.client_id = "nobody"
    answer = httpx2.get(client.authorize_url(None), trust_env=False)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "DW-1" in answer.text


def test_a_redirect_that_was_not_registered_gets_a_page_and_no_redirect(demo: Demo) -> None:
    client = Client(demo.url, demo.mcp_url)
    answer = httpx2.get(client.authorize_url(None, redirect_uri="http://127.0.0.1:1/other"), trust_env=False)
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_a_code_of_nobody_is_an_invalid_grant(demo: Demo) -> None:
    answer = Client(demo.url, demo.mcp_url).redeem("dwc_nothing")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert answer.headers["cache-control"] == "no-store"


def test_a_person_who_denies_gives_the_client_an_error_with_state_and_issuer(demo: Demo) -> None:
    client = Client(demo.url, demo.mcp_url)
    person = Person(*demo.user("owner"), deny=True, follow_callback=False)
    answer = answer_of(person.open(client.authorize_url("documents:read")))
    assert answer["error"] == "access_denied"
    assert (answer["iss"], answer["state"]) == (demo.url, "s t/%ä")
    assert "code" not in answer


def test_I1_a_damaged_key_is_refused_and_told_apart_only_in_the_log(demo: Demo) -> None:
    damaged = demo.key()[:-1] + ("A" if demo.key()[-1] != "A" else "B")
    unknown = "dw_" + "0" * 62
    answers = [rpc(demo.mcp_url, key, "tools/list") for key in (damaged, unknown)]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json() == answers[1].json()
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]


def test_L14_a_body_over_the_limit_is_refused_in_the_protocols_form(demo: Demo) -> None:
    answer = post(demo, b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"' + b"x" * 5_000_000 + b'"}}')
    assert answer.status_code == 413
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","name":"delete_document"}}', -32600),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"tools/list"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', -32602),
    ],
)
def test_K6_broken_json_and_duplicate_keys_are_refused(demo: Demo, body: bytes, code: int) -> None:
    answer = post(demo, body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["jsonrpc"] == "2.0"


def test_K9_an_unknown_protocol_version_is_refused_and_the_known_ones_named(demo: Demo) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).encode()
    answer = post(demo, body, mcp_protocol_version="1999-01-01")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32022
    assert "2026-07-28" in answer.json()["error"]["data"]["supported"]


def test_K8_header_and_body_that_disagree_are_refused(demo: Demo) -> None:
    params = {"name": "delete_document", "arguments": {}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "whoami"}
    answer = post(demo, body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_an_upstream_that_is_down_is_told_as_a_gateway_error_and_nothing_else_fails(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/mcp"
    with running_demo(tmp_path / "data", "--upstream", nowhere) as demo:
        answer = rpc(demo.mcp_url, demo.key(), "tools/list")
        assert answer.status_code == 502
        assert answer.json()["error"]["data"]["code"].startswith("DW-5")
        assert httpx2.get(f"{demo.url}/.well-known/oauth-authorization-server", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/.well-known/nothing", "/oauth/nothing", "/api/v1/nothing", "/mcp/x", "/mcp/"]
)
def test_an_unknown_path_is_a_plain_answer(demo: Demo, path: str) -> None:
    answer = httpx2.get(demo.url + path, trust_env=False)
    assert answer.status_code in {303, 404}
    if path.startswith(("/.well-known", "/oauth", "/api")):
        assert "json" in answer.headers["content-type"]
    assert REDIRECT not in answer.text


def test_the_challenge_names_the_scopes_of_an_ordinary_login(demo: Demo) -> None:
    refused = rpc(demo.mcp_url, None, "tools/list")
    metadata = httpx2.get(f"{demo.url}/.well-known/oauth-protected-resource/mcp", trust_env=False).json()
    challenge = refused.headers["www-authenticate"]
    assert challenge.partition('scope="')[2].partition('"')[0].split() == metadata["scopes_supported"]
    assert "error=" not in challenge


def test_I10_a_credential_in_the_query_is_none_and_comes_into_no_log(demo: Demo) -> None:
    for name in ("access_token", "api_key"):
        answer = httpx2.post(f"{demo.mcp_url}?{name}={demo.key()}", headers=HEADERS, content=b"{}", trust_env=False)
        assert answer.status_code == 401
        assert demo.key() not in answer.text
    log = (demo.data.parent / f"{demo.data.name}.log").read_text(encoding="utf-8")
    assert demo.key() not in log
