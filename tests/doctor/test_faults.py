"""Each seeded fault is named, by the check that is there for it and by no other."""

import json
import re
from typing import Any

import pytest
from tests.doctor.broken_server import NOW, ORIGIN, URL, BrokenServer

from doorward.doctor.catalogue import CHECKS
from doorward.doctor.examine import Report, examine
from doorward.doctor.record import Status
from doorward.doctor.report import as_json, as_junit, as_text
from doorward.doctor.visit import Options

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("A7")]

FAULTS: dict[str, tuple[str, str]] = {
    "no such name": ("network", "leads nowhere"),
    "bad certificate": ("network", "certificate has expired"),
    "no ipv4": ("network", "no IPv4"),
    "certificate ends soon": ("network", "3 days"),
    "private address": ("network", "10.0.0.7"),
    "no challenge": ("challenge", "does not say where to sign in"),
    "bare challenge": ("challenge", "does not say where to sign in"),
    "basic": ("challenge", "Basic realm"),
    "open": ("challenge", "not answered 401"),
    "method first": ("challenge", "status 405"),
    "bot wall": ("walls", "403 with a page of HTML"),
    "no root metadata": ("resource metadata", "is not there"),
    "resource with a slash": ("resource", "'/' too much at its end"),
    "issuer with a slash": ("issuer", "'/' too much at its end"),
    "two issuers": ("issuer", "several"),
    "two documents": ("server metadata", "they differ in token_endpoint"),
    "few places": ("server metadata", "are empty"),
    "no PKCE": ("flags", "PKCE is not announced"),
    "no public clients": ("flags", "without a secret"),
    "null member": ("flags", "policy_uri"),
    "no offline_access": ("flags", "not offered"),
    "offline_access in the wrong list": ("flags", "stands in the protected resource's list"),
    "preflight asks for a token": ("cors", "status 401"),
    "few headers": ("cors", "not allowed: authorization"),
    "challenge hidden from pages": ("cors", "cannot read where to sign in"),
    "no private schemes": ("registration", "Cursor cannot register"),
    "three addresses at most": ("registration", "VS Code (four addresses) cannot register"),
    "null in registration": ("registration", "null: client_uri"),
    "fraction of a second": ("registration", "client_secret_expires_at: 0.5"),
    "new id each time": ("registration", "another one each time"),
    "documents not fetched": ("documents", "claude-code-client-metadata is not taken"),
    "ports compared": ("authorization", "Claude Code may not come back to http://localhost:51135/callback"),
    "no iss": ("authorization", "does not say who sent it (approve)"),
    "no iss in errors": ("authorization", "does not say who sent it (deny)"),
    "wrong iss": ("authorization", "iss is not the issuer"),
    "state decoded twice": ("authorization", "state does not come back"),
    "open redirect": ("authorization", "an address that nobody registered"),
    "form-action": ("page", "the browser stays where it is"),
    "may be framed": ("page", "may frame"),
    "mixed content": ("page", "over http"),
    "no lifetime": ("code", "when it ends"),
    "no refresh token": ("code", "no refresh token"),
    "null scope": ("code", "a member is null: scope"),
    "tokens cached": ("code", "may be cached"),
    "refresh once": ("refresh", "second, at the same time"),
    "one resource only": ("refresh", "with the resource twice"),
    "resource required": ("refresh", "first"),
    "dead refresh 401": ("dead refresh", "status 401"),
    "dead refresh 200": ("dead refresh", "status 200"),
    "accepts every token": ("foreign token", "another server's token is accepted"),
    "403 for a bad token": ("foreign token", "status 403"),
    "bare 403": ("scope", "does not say what is missing"),
    "cached list": ("list", "a cache may keep the list"),
    "anybody may list": ("list", "to anybody"),
    "device without a code": ("device", "no user_code"),
    "device not told to wait": ("device", "not told to wait"),
    "clock": ("one server", "+600 seconds"),
    "private key published": ("one server", "private keys"),
    "keys of one replica": ("one server", "change from one request"),
    "one replica": ("one server", "is not always known"),
    "believes the caller": ("forged", "doctor.invalid"),
    "inner address": ("forged", "http://api:4000/introspect"),
}
BESIDES = {"no refresh token": {"refresh"}, "open": {check.id for check in CHECKS[2:]}}
"""Checks that cannot be made then."""


async def examined(fault: str = "", **options: Any) -> Report:
    server = BrokenServer(fault)
    return await examine(URL, server, Options(**{"person": server.person, "call": "drop_orders", **options}))


def found(report: Report) -> set[str]:
    return {result.check.id for result in report.results if result.findings}


async def test_it_is_silent_where_nothing_is_wrong() -> None:
    report = await examined()
    assert [result.status for result in report.results] == [Status.PASS] * len(CHECKS), as_text(report)


def test_there_are_22_checks_and_each_has_a_seeded_fault() -> None:
    assert len(CHECKS) == 22
    assert {check.id for check in CHECKS} == {check for check, _ in FAULTS.values()}
    for check in CHECKS:
        assert check.why.endswith("."), check.id


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_seeded_fault_is_named_by_its_check_alone(fault: str) -> None:
    check, words = FAULTS[fault]
    report = await examined(fault)
    assert found(report) == {check}, as_text(report)
    [result] = [each for each in report.results if each.check.id == check]
    assert words in as_text(report)
    for finding in result.findings:
        assert finding.fix.endswith("."), finding
        assert finding.what
    skipped = {each.check.id for each in report.results if each.status is Status.SKIP}
    assert skipped == BESIDES.get(fault, set())


async def test_a_server_that_answers_nobody_is_told_from_one_that_is_wrong() -> None:
    server = BrokenServer("no metadata")
    report = await examine(URL, server)
    assert {"resource metadata"} <= found(report)
    assert next(each for each in report.results if each.check.id == "resource").status is Status.SKIP


async def test_only_what_a_client_would_meet_is_told() -> None:
    report = await examined("no private schemes", clients=frozenset({"claude"}))
    assert found(report) == set()
    report = await examined("no private schemes", clients=frozenset({"cursor"}))
    assert found(report) == {"registration"}


async def test_vendors_documents_are_fetched_only_where_somebody_asks() -> None:
    server = BrokenServer()
    await examine(URL, server)
    assert not [each for each in server.sent if "claude.ai" in each.url.split("?")[0]]
    report = await examined(vendor_documents=True)
    [result] = [each for each in report.results if each.check.id == "documents"]
    assert result.status is Status.WARN
    assert {each.what for each in result.findings} == {"a vendor's metadata document cannot be read from here"}
    assert len(result.findings) == 9


async def test_where_registration_is_closed_it_warns_and_leaves_out_what_needs_one() -> None:
    report = await examined("registration for nobody")
    assert report.count(Status.FAIL) == 0, as_text(report)
    assert found(report) == {"registration"}
    server = BrokenServer()
    report = await examine(URL, server, Options(register=False))
    assert not [each for each in server.sent if each.url.endswith("/register") and each.method == "POST"]
    assert report.count(Status.FAIL) == 0


async def test_no_secret_is_in_any_report() -> None:
    for fault in ("cached list", "no lifetime", "refresh once", "bare 403", "accepts every token"):
        report = await examined(fault, token="access-given")
        for text in (as_text(report), as_json(report), as_junit(report)):
            assert not re.search(r"access-\w|refresh-\d|code-\d|device-1", text), fault


async def test_the_json_and_junit_say_the_same_as_the_text() -> None:
    report = await examined("no PKCE")
    said = json.loads(as_json(report))
    assert said["counts"] == {"pass": 21, "skip": 0, "warn": 0, "fail": 1}
    assert [check["number"] for check in said["checks"]] == list(range(1, 23))
    [finding] = said["checks"][7]["findings"]
    assert finding["what"] == "PKCE is not announced"
    junit = as_junit(report)
    assert junit.count("<testcase ") == 22
    assert 'failures="1"' in junit
    assert '<failure message="PKCE is not announced">' in junit


class Hostile(BrokenServer):
    """Says what terminals and files obey."""

    async def send(self, request: Any) -> Any:
        exchange = await super().send(request)
        assert exchange.answer is not None
        body = exchange.answer.body.replace(b"orders:read", b"\\u001b[2J\\u202e]]>&<orders:read")
        body = body.replace(f'"resource": "{URL}"'.encode(), b'"resource": "\\u001b[31m<script>\\u0000"')
        answer = exchange.answer.__class__(
            status=exchange.answer.status, headers=exchange.answer.headers, body=body, at=NOW
        )
        return exchange.__class__(request, answer)


async def test_what_a_hostile_server_says_moves_no_cursor_and_breaks_no_file() -> None:
    report = await examine(URL, Hostile())
    text, junit = as_text(report), as_junit(report)
    assert "resource is not the URL" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text + junit)
    assert "<script>" not in junit
    assert ORIGIN in text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"3",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 400 + b"null" + b"}" * 400,
        b'{"a":' * 5000,
        b"\xff\xfe",
        b'"x"',
    ],
)
@pytest.mark.parametrize("status", [200, 204, 302, 401, 500])
async def test_no_answer_stops_the_examination(body: bytes, status: int) -> None:
    class Odd(BrokenServer):
        async def send(self, request: Any) -> Any:
            exchange = await super().send(request)
            assert exchange.answer is not None
            if "/.well-known/" in request.url and status != 401:
                return exchange
            headers = [*exchange.answer.headers, ("location", "https://[bad"), ("www-authenticate", 'Bearer a="b')]
            answer = exchange.answer.__class__(status=status, headers=headers, body=body)
            return exchange.__class__(request, answer)

    server = Odd()
    report = await examine(URL, server, Options(person=server.person, call="x", token="t"))
    assert len(report.results) == 22
    assert as_text(report)
