"""Checks 17 to 19: what the MCP endpoint does with tokens."""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

from doorward.doctor.checks_edge import INITIALIZE
from doorward.doctor.record import Finding, Record, Status, challenge_of
from doorward.doctor.visit import Visit, sent
from doorward.doctor.wire import Answer

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_OK: Final = 200
_MODERN: Final = "2026-07-28"
NEEDS_TOKEN: Final = "a token is needed: --token-env or --sign-in"  # noqa: S105  (words)


async def ask_foreign_token(visit: Visit) -> None:
    """Come with tokens that were never good here."""
    issuer = visit.record.issuer or visit.origin
    claims = {"iss": issuer, "aud": "https://doctor.invalid/mcp", "sub": "doctor", "exp": 4_102_444_800, "scope": "*"}
    unsigned = ".".join(_part(each) for each in ({"alg": "none", "typ": "JWT"}, claims)) + "."
    for name, token in (("another server's", unsigned), ("nobody's", "doctor-never-issued")):
        await visit.rpc(f"foreign/{name}", "initialize", token=token, params=INITIALIZE)


def judge_foreign_token(record: Record) -> Iterator[Finding]:
    """Expect 401 with the way to sign in (RFC 6750 section 3.1)."""
    for name, exchange in record.named("foreign/").items():
        answer = exchange.answer
        if answer is not None and answer.status == _UNAUTHORIZED:
            if challenge_of(answer).get("error", "invalid_token") != "invalid_token":
                yield _not_so(record, name, answer, sent(exchange), 'error="invalid_token"', Status.WARN)
            continue
        if answer is None:
            yield Finding(
                status=Status.FAIL, what=f"{name} token is not answered", url=sent(exchange), expected="401",
                got=record.shown(exchange.failure), fix="Answer 401.",
            )  # fmt: skip
        else:
            yield _not_so(record, name, answer, sent(exchange), "401", Status.FAIL)


def _not_so(record: Record, name: str, answer: Answer, url: str, expected: str, status: Status) -> Finding:
    accepted = answer.status < 300  # noqa: PLR2004
    said = challenge_of(answer).get("error", "")
    return Finding(
        status=status, what=f"{name} token is {'accepted' if accepted else 'not refused as clients need it'}", url=url,
        expected=expected, got=record.shown(f"status {answer.status} {said}"),
        fix="Check signature, issuer and audience of every token." if accepted else "Answer 401 with invalid_token.",
        request_id=answer.header("x-request-id") or "",
    )  # fmt: skip


async def ask_scope(visit: Visit) -> None:
    """Call a tool that the token may not call; the person has named it."""
    token, tool = _token(visit), visit.options.call
    if token is None or tool is None:
        visit.record.skipped["scope"] = (
            NEEDS_TOKEN if token is None else "name a tool that the token may not call: --call"
        )
        return
    session = await _open(visit, token, "scope")
    params = {"name": tool, "arguments": {}, **_meta(session)}
    headers = {**session, "mcp-name": tool, "mcp-method": "tools/call"}
    await visit.rpc("scope", "tools/call", token=token, params=params, headers=headers)


def judge_scope(record: Record) -> Iterator[Finding]:
    """Expect the 403 from which clients learn what to ask for (RFC 6750 section 3.1; MCP authorization)."""
    exchange = record.exchanges.get("scope")
    if exchange is None:
        return
    answer = exchange.answer
    found = {} if answer is None else challenge_of(answer)
    missing = [each for each in ("scope", "resource_metadata") if not found.get(each)]
    if answer is None or answer.status != _FORBIDDEN or found.get("error") != "insufficient_scope" or missing:
        got = exchange.failure if answer is None else f"status {answer.status}, {dict(found)}"
        yield Finding(
            status=Status.FAIL, what="a call beyond the token does not say what is missing", url=sent(exchange),
            expected='403, WWW-Authenticate: Bearer error="insufficient_scope", scope="…", resource_metadata="…"',
            got=record.shown(got), fix="Answer 403 with the scopes that the call needs.",
            hits=("claude-code", "vscode"), request_id=(answer.header("x-request-id") or "") if answer else "",
        )  # fmt: skip


async def ask_list(visit: Visit) -> None:
    """List the tools without a token, and with one if there is one."""
    await visit.rpc("list/without", "tools/list")
    token = _token(visit)
    if token is not None:
        session = await _open(visit, token, "list")
        headers = {**session, "mcp-method": "tools/list"}
        await visit.rpc("list/with", "tools/list", token=token, params=_meta(session), headers=headers)


def judge_list(record: Record) -> Iterator[Finding]:
    """Expect tools for the token alone, and nothing that a cache would keep."""
    without, answer = record.answer("list/without"), record.answer("list/with")
    if without is not None and without.status == _OK and _tools(without) is not None:
        yield Finding(
            status=Status.WARN, what="it lists its tools to anybody", url=sent(record.exchanges["list/without"]),
            expected="401", got="200", fix="Ask for the token first: clients keep what they saw without one.",
            hits=("claude", "chatgpt"),
        )  # fmt: skip
    if "list/with" in record.exchanges and (answer is None or answer.status != _OK or _tools(answer) is None):
        exchange = record.exchanges["list/with"]
        yield Finding(
            status=Status.FAIL, what="a good token lists no tools", url=sent(exchange), expected="200 with tools",
            got=record.shown(exchange.failure if answer is None else f"status {answer.status}, {answer.media_type}"),
            fix="See the server's log for this request.", request_id=(answer.header("x-request-id") or "") if answer else "",
        )  # fmt: skip
    for name, each in (("without", without), ("with", answer)):
        control = "" if each is None else (each.header("cache-control") or "").lower()
        kept = "public" in control or ("max-age" in control and "max-age=0" not in control and "private" not in control)
        silent = name == "with" and each is not None and each.status == _OK and not control
        if kept or silent:
            yield Finding(
                status=Status.FAIL if kept else Status.WARN, what=f"a cache may keep the list ({name} a token)",
                url=sent(record.exchanges[f"list/{name}"]), expected="Cache-Control: no-store",
                got=control or "no Cache-Control", fix="Send Cache-Control: no-store on the MCP endpoint.",
            )  # fmt: skip


async def _open(visit: Visit, token: str, name: str) -> dict[str, str]:
    """Open a session of the older revisions; where there is none, say the newest revision in each request."""
    answer = await visit.rpc(f"{name} opening", "initialize", token=token, params=INITIALIZE)
    if answer is None or answer.status != _OK or "result" not in (answer.document() or {}):
        return {"mcp-protocol-version": _MODERN}
    session = answer.header("mcp-session-id")
    headers = {} if session is None else {"mcp-session-id": session}
    await visit.rpc(f"{name} opened", "notifications/initialized", token=token, headers=headers)
    return headers


def _meta(session: dict[str, str]) -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    if session.get("mcp-protocol-version") != _MODERN:
        return {}
    said = {"protocolVersion": _MODERN, "clientCapabilities": {}, "clientInfo": INITIALIZE["clientInfo"]}
    return {"_meta": {f"{prefix}{name}": value for name, value in said.items()}}


def _token(visit: Visit) -> str | None:
    """Return the token that was given, else the newest that was issued: a renewal may have ended the others."""
    if visit.options.token:
        return visit.options.token
    for name in ("refresh/with the resource twice", "refresh/second, at the same time", "refresh/first", "code"):
        answer = visit.record.answer(name)
        found = ((answer.document() if answer is not None else None) or {}).get("access_token")
        if isinstance(found, str):
            return found
    return None


def _tools(answer: Answer) -> list[Any] | None:
    result = (answer.document() or {}).get("result")
    tools = result.get("tools") if isinstance(result, dict) else None
    return tools if isinstance(tools, list) else None


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
