"""Checks 14 to 16 and 20: the token endpoint."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from doorward.doctor.record import Finding, Record, Status, nulls, query_of
from doorward.doctor.visit import VERIFIER, Visit, sent
from doorward.doctor.wire import Answer

_OK: Final = 200
_BAD: Final = 400
_OWN: Final = "doctor"
_DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
NEEDS_PERSON: Final = "somebody has to sign in: --sign-in"


async def ask_code(visit: Visit) -> None:
    """Exchange the code that a person got."""
    code = query_of(visit.record.answered.get("approve", "")).get("code")
    endpoint, own = visit.record.endpoint("token"), visit.record.registered.get(_OWN)
    if code is None or endpoint is None or own is None:
        visit.record.skipped["code"] = NEEDS_PERSON
        return
    resource = str((visit.record.resource_document or {}).get("resource", visit.record.url))
    fields = {
        "grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "client_id": own,
        "redirect_uri": visit.options.redirect_uri, "resource": resource,
    }  # fmt: skip
    answer = await visit.form("code", endpoint, fields)
    visit.keep_secret(answer, "access_token", "refresh_token", "id_token")


def judge_code(record: Record) -> Iterator[Finding]:
    """Expect a token that clients can use and renew."""
    exchange = record.exchanges.get("code")
    if exchange is None:
        return
    yield from _judge_tokens(record, exchange.answer, exchange.failure, sent(exchange))


async def ask_refresh(visit: Visit) -> None:
    """Renew as real clients do: twice at once, with little, and with the resource twice."""
    token = _member(visit.record.answer("code"), "refresh_token")
    endpoint, own = visit.record.endpoint("token"), visit.record.registered.get(_OWN)
    if token is None or endpoint is None or own is None:
        why = NEEDS_PERSON if visit.record.answer("code") is None else "there was no refresh token"
        visit.record.skipped["refresh"] = why
        return
    fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": own}
    first, second = await asyncio.gather(
        visit.form("refresh/first", endpoint, fields), visit.form("refresh/second, at the same time", endpoint, fields)
    )
    for answer in (first, second):
        visit.keep_secret(answer, "access_token", "refresh_token")
    newest = _member(first, "refresh_token") or _member(second, "refresh_token") or token
    resource = str((visit.record.resource_document or {}).get("resource", visit.record.url))
    pairs = [*{**fields, "refresh_token": newest}.items(), ("resource", resource), ("resource", resource)]
    answer = await visit.form("refresh/with the resource twice", endpoint, pairs)
    visit.keep_secret(answer, "access_token", "refresh_token")


def judge_refresh(record: Record) -> Iterator[Finding]:
    """Say which way of renewing signs people out."""
    hits = {"first": (), "second, at the same time": ("gemini-cli", "opencode"), "with the resource twice": ("codex",)}
    for name, exchange in record.named("refresh/").items():
        answer = exchange.answer
        if answer is None or answer.status != _OK or _member(answer, "access_token") is None:
            got = exchange.failure if answer is None else f"status {answer.status}: {_said(answer)}"
            yield Finding(
                status=Status.FAIL, what=f"a renewal is refused ({name})", url=sent(exchange), expected="200",
                got=record.shown(got), hits=hits.get(name, ()), request_id=_request_id(answer),
                fix="Answer the same refresh token alike for some seconds; need neither scope nor resource.",
            )  # fmt: skip


async def ask_dead_refresh(visit: Visit) -> None:
    """Renew with a token that nobody issued."""
    endpoint, own = visit.record.endpoint("token"), visit.record.registered.get(_OWN)
    if endpoint is None or own is None:
        visit.record.skipped["dead refresh"] = "no client could be registered to try it with"
        return
    fields = {"grant_type": "refresh_token", "refresh_token": "doctor-never-issued", "client_id": own}
    await visit.form("dead refresh", endpoint, fields)


def judge_dead_refresh(record: Record) -> Iterator[Finding]:
    """Expect the one answer after which clients sign in again (RFC 6749 section 5.2)."""
    exchange = record.exchanges.get("dead refresh")
    if exchange is None:
        return
    answer = exchange.answer
    if answer is None or answer.status != _BAD or _member(answer, "error") != "invalid_grant":
        got = exchange.failure if answer is None else f"status {answer.status}: {_said(answer)}"
        yield Finding(
            status=Status.FAIL, what="a dead refresh token is not refused as clients need it", url=sent(exchange),
            expected='400 {"error": "invalid_grant"}', got=record.shown(got), request_id=_request_id(answer),
            fix="Answer 400 with invalid_grant: clients then ask to sign in again.",
        )  # fmt: skip


async def ask_device(visit: Visit) -> None:
    """Ask for a device code, and for its token at once."""
    endpoint, own = visit.record.endpoint("device_authorization"), visit.record.registered.get(_OWN)
    if endpoint is None or own is None:
        why = "there is no device flow here" if endpoint is None else "no client could be registered to try it with"
        visit.record.skipped["device"] = why
        return
    resource = str((visit.record.resource_document or {}).get("resource", visit.record.url))
    answer = await visit.form("device", endpoint, {"client_id": own, "resource": resource})
    visit.keep_secret(answer, "device_code")
    code, token = _member(answer, "device_code"), visit.record.endpoint("token")
    if code is not None and token is not None:
        await visit.form("device poll", token, {"grant_type": _DEVICE, "device_code": code, "client_id": own})


def judge_device(record: Record) -> Iterator[Finding]:
    """Expect what a machine without a browser needs (RFC 8628 sections 3.2 and 3.5)."""
    exchange = record.exchanges.get("device")
    if exchange is None:
        return
    answer = exchange.answer
    found = (answer.document() if answer is not None else None) or {}
    missing = [each for each in ("device_code", "user_code", "verification_uri", "expires_in") if not found.get(each)]
    if answer is None or answer.status != _OK or missing:
        got = (
            exchange.failure if answer is None else f"status {answer.status}: {_said(answer)}; no {', '.join(missing)}"
        )
        yield Finding(
            status=Status.FAIL, what="a machine without a browser gets no code", url=sent(exchange),
            expected="device_code, user_code, verification_uri, expires_in", got=record.shown(got),
            fix="Answer as RFC 8628 says, or take the endpoint out of the metadata.", request_id=_request_id(answer),
        )  # fmt: skip
        return
    poll = record.answer("device poll")
    if poll is None or poll.status != _BAD or _member(poll, "error") not in {"authorization_pending", "slow_down"}:
        yield Finding(
            status=Status.FAIL, what="a machine that waits is not told to wait", url=sent(exchange),
            expected='400 {"error": "authorization_pending"}',
            got=record.shown("no answer" if poll is None else f"status {poll.status}: {_said(poll)}"),
            fix="Answer authorization_pending until the person has decided.",
        )  # fmt: skip


def _judge_tokens(record: Record, answer: Answer | None, failure: str, url: str) -> Iterator[Finding]:
    found = (answer.document() if answer is not None else None) or {}
    if answer is None or answer.status != _OK or not isinstance(found.get("access_token"), str):
        yield Finding(
            status=Status.FAIL, what="a good code gives no token", url=url, expected="200 with access_token",
            got=record.shown(failure if answer is None else f"status {answer.status}: {_said(answer)}"),
            fix="See the server's log for this request.", request_id=_request_id(answer),
        )  # fmt: skip
        return
    for wrong, expected, hits in _token_faults(answer, found):
        yield Finding(
            status=Status.FAIL, what=wrong, url=url, expected=expected, got=record.shown(", ".join(found)), hits=hits,
            fix="Send it with every token.",
        )  # fmt: skip


def _token_faults(answer: Answer, found: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if str(found.get("token_type", "")).lower() != "bearer":
        yield "the token has no type", "token_type: Bearer", ()
    lifetime = found.get("expires_in")
    if type(lifetime) is not int or lifetime <= 0:
        yield "the token does not say when it ends", "expires_in, in whole seconds", ("claude-code",)
    if not isinstance(found.get("refresh_token"), str):
        yield "there is no refresh token: people sign in again when the token ends", "refresh_token", ()
    if empty := nulls(found):
        yield f"a member is null: {', '.join(empty)}", "members that have no value left out", ("claude-code",)
    if "no-store" not in (answer.header("cache-control") or ""):
        yield "tokens may be cached", "Cache-Control: no-store", ()


def _member(answer: Answer | None, name: str) -> str | None:
    found = ((answer.document() if answer is not None else None) or {}).get(name)
    return found if isinstance(found, str) else None


def _said(answer: Answer) -> str:
    found = answer.document() or {}
    return f"{found.get('error', '')} {found.get('error_description', '')}".strip() or answer.media_type or "nothing"


def _request_id(answer: Answer | None) -> str:
    return (answer.header("x-request-id") or "") if answer is not None else ""
