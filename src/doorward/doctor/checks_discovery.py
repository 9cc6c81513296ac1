"""Checks 2 and 4 to 8: how a client finds out where to sign in."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward.doctor.checks_edge import INITIALIZE
from doorward.doctor.record import Finding, Record, Status, difference, nulls, origin_of, parts_of
from doorward.doctor.visit import Visit, sent
from doorward.doctor.wire import Answer, Exchange

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_KINDS: Final = ("oauth-authorization-server", "openid-configuration")


async def ask_challenge(visit: Visit) -> None:
    """Come without a token, by each method that clients begin with."""
    await visit.rpc("challenge/POST", "initialize", params=INITIALIZE)
    stream = {"accept": "text/event-stream"}
    await visit.send("challenge/GET", "GET", visit.record.url, headers=stream)
    await visit.send("challenge/HEAD", "HEAD", visit.record.url, headers=stream)
    await visit.rpc("challenge/empty bearer", "initialize", params=INITIALIZE, token="")


def judge_challenge(record: Record) -> Iterator[Finding]:
    """Expect a 401 that says where to look (RFC 9728 section 5.1)."""
    exchange, answer = record.exchanges["challenge/POST"], record.answer("challenge/POST")
    where = sent(exchange)
    if answer is None or answer.status != _UNAUTHORIZED:
        yield Finding(
            status=Status.FAIL, what="a request without a token is not answered 401", url=where, expected="401",
            got=record.shown(exchange.failure if answer is None else f"status {answer.status}"),
            fix="Answer 401 with WWW-Authenticate where the token is missing.", request_id=_request_id(answer),
        )  # fmt: skip
        return
    metadata = record.challenge.get("resource_metadata", "")
    if parts_of(metadata).scheme not in {"http", "https"}:
        yield Finding(
            status=Status.FAIL, what="the 401 does not say where to sign in", url=where,
            expected='WWW-Authenticate: Bearer resource_metadata="https://…"',
            got=record.shown(answer.header("www-authenticate") or "no such header"),
            fix="Name the protected resource metadata in the challenge; check that no proxy strips it.",
            request_id=_request_id(answer),
        )  # fmt: skip
    elif answer.document() is None:
        yield Finding(
            status=Status.WARN, what="the 401 has no JSON body", url=where, expected="a JSON object",
            got=record.shown(answer.media_type or "nothing"), fix="Answer errors as JSON.",
        )  # fmt: skip
    hits = {"GET": ("codex", "mcp-remote"), "HEAD": ("gemini-cli",), "empty bearer": ("copilot-cli",)}
    for name, clients in hits.items():
        other = record.answer(f"challenge/{name}")
        if other is None or other.status != _UNAUTHORIZED or not other.header("www-authenticate"):
            yield Finding(
                status=Status.WARN, what=f"{name} without a token is not answered like POST",
                url=sent(record.exchanges[f"challenge/{name}"]), expected="401 with WWW-Authenticate",
                got="no answer" if other is None else f"status {other.status}",
                fix="Ask for the token before the method is looked at.", hits=clients,
            )  # fmt: skip


async def ask_resource_metadata(visit: Visit) -> None:
    """Fetch the protected resource's document from where the challenge says, and from where clients guess."""
    named = visit.record.challenge.get("resource_metadata", "")
    if parts_of(named).scheme in {"http", "https"}:
        await visit.get("prm/named", named)
    base = f"{visit.origin}/.well-known/oauth-protected-resource"
    await visit.get("prm/inserted", base + visit.path)
    await visit.get("prm/root", base)


def judge_resource_metadata(record: Record) -> Iterator[Finding]:
    """Expect the document in each place (RFC 9728 section 3.1)."""
    hits = {"named": (), "inserted": ("claude-code",), "root": ("qwen-code",)}
    for name, clients in hits.items():
        exchange = record.exchanges.get(f"prm/{name}")
        if exchange is None:
            continue
        wrong = _unusable(exchange.answer, exchange.failure, ("resource", "authorization_servers"))
        if wrong:
            # Whoever came here by the challenge has what it needs; whoever guesses has not.
            guessed = name == "root" or (name == "inserted" and record.answer("prm/named") is not None)
            yield Finding(
                status=Status.WARN if guessed else Status.FAIL, what="the protected resource metadata is not there",
                url=sent(exchange), expected="200 with resource and authorization_servers", got=record.shown(wrong),
                fix="Serve it at /.well-known/oauth-protected-resource, alone and with the path of the server behind.",
                hits=clients,
            )  # fmt: skip


def judge_resource(record: Record) -> Iterator[Finding]:
    """Compare ``resource`` with what was typed, byte for byte: clients do."""
    document = record.resource_document
    if document is None:
        record.skipped["resource"] = "there is no protected resource metadata"
        return
    resource = document.get("resource")
    if resource != record.url:
        yield Finding(
            status=Status.FAIL, what="resource is not the URL that people type", expected=record.url,
            got=record.shown(f"{resource} ({difference(record.url, str(resource))})"),
            fix="Publish the URL exactly as people type it, and give them exactly that URL.",
        )  # fmt: skip


def judge_issuer(record: Record) -> Iterator[Finding]:
    """Compare the issuer in both documents, byte for byte (RFC 8414 section 3.3)."""
    servers = (record.resource_document or {}).get("authorization_servers")
    document = record.server_document
    if record.issuer is None or document is None:
        record.skipped["issuer"] = "there are no two documents to compare"
        return
    if isinstance(servers, list) and len(servers) > 1:
        yield Finding(
            status=Status.WARN, what="it names several authorization servers", expected="one",
            got=record.shown(", ".join(map(str, servers))), fix="Name one: clients take the first.",
        )  # fmt: skip
    if document.get("issuer") != record.issuer:
        issuer = str(document.get("issuer"))
        yield Finding(
            status=Status.FAIL, what="the issuer is not the same in both documents", expected=record.issuer,
            got=record.shown(f"{issuer} ({difference(record.issuer, issuer)})"),
            fix="Write issuer and authorization_servers from one string, without a slash at its end.",
        )  # fmt: skip


async def ask_server_metadata(visit: Visit) -> None:
    """Fetch the authorization server's document from all six places."""
    issuer = visit.record.issuer or visit.origin
    origin, path = origin_of(issuer), parts_of(issuer).path.rstrip("/")
    inner = path or visit.path
    for kind in _KINDS:
        for form, url in (
            ("root", f"{origin}/.well-known/{kind}"),
            ("inserted", f"{origin}/.well-known/{kind}{inner}"),
            ("appended", f"{origin}{inner}/.well-known/{kind}"),
        ):
            await visit.get(f"asm/{kind} {form}", url)


def judge_server_metadata(record: Record) -> Iterator[Finding]:
    """Expect one document in all six places."""
    document = record.server_document
    found = record.named("asm/")
    if document is None:
        first = next(iter(found.values()))
        yield Finding(
            status=Status.FAIL, what="the authorization server's metadata cannot be read", url=sent(first),
            expected="200 with a JSON object",
            got=record.shown(_unusable(first.answer, first.failure, ("issuer",))),
            fix="Serve it at /.well-known/oauth-authorization-server.",
        )  # fmt: skip
        return
    missing = [each for each in found.values() if _served(each) is None]
    if missing:
        yield Finding(
            status=Status.WARN, what=f"{len(missing)} of the {len(found)} places that clients try are empty",
            url=sent(missing[0]), expected="the same document everywhere",
            got=record.shown(", ".join(parts_of(each.request.url).path for each in missing)),
            fix="Serve both names, at the root, before the path and behind it.",
            hits=("chatgpt", "codex", "gemini-app", "qwen-code"),
        )  # fmt: skip
    others = [each for each in found.values() if (_served(each) or document) != document]
    if others:
        yield Finding(
            status=Status.FAIL, what="two places give two documents", url=sent(others[0]),
            expected="the same document everywhere", fix="Serve one document.",
            got=record.shown(_differing(document, _served(others[0]) or {})),
        )  # fmt: skip


def _served(exchange: Exchange) -> dict[str, Any] | None:
    answer = exchange.answer
    return None if answer is None or answer.status != _OK else answer.document()


def judge_flags(record: Record) -> Iterator[Finding]:
    """Look for what makes clients stop before they ask anybody."""
    document, resource = record.server_document, record.resource_document or {}
    if document is None:
        record.skipped["flags"] = "there is no metadata of an authorization server"
        return
    for rule in _RULES:
        if not rule.good(document, resource):
            yield Finding(
                status=rule.status, what=rule.title, expected=rule.expected, got="not so", hits=rule.hits,
                fix="Say it in the metadata, and do it.",
            )  # fmt: skip
    empty = nulls(document) or nulls(resource)
    if empty:
        yield Finding(
            status=Status.FAIL, what="a member is null", expected="members that have no value left out",
            got=record.shown(", ".join(empty)), fix="Leave members without a value out.", hits=("claude-code",),
        )  # fmt: skip


Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Rule:
    """``good``: what the authorization server's and the protected resource's documents have to say."""

    title: str
    expected: str
    good: Callable[[Said, Said], bool]
    hits: tuple[str, ...] = ()
    status: Status = Status.FAIL


def _has(member: str, value: str) -> Callable[[Said, Said], bool]:
    return lambda server, _: value in _list(server, member)


def _text(member: str) -> Callable[[Said, Said], bool]:
    return lambda server, _: isinstance(server.get(member), str)


def _takes_documents(server: Said) -> bool:
    return server.get("client_id_metadata_document_supported") is True


_RULES: Final = (
    _Rule("authorization_endpoint is missing", "authorization_endpoint", _text("authorization_endpoint")),
    _Rule("token_endpoint is missing", "token_endpoint", _text("token_endpoint")),
    _Rule(
        "the code flow is not announced", 'response_types_supported: ["code"]', _has("response_types_supported", "code"),
        ("gemini-app",),
    ),
    _Rule(
        "PKCE is not announced", 'code_challenge_methods_supported: ["S256"]',
        _has("code_challenge_methods_supported", "S256"),
    ),
    _Rule(
        "clients can neither register nor bring a document", "registration_endpoint",
        lambda server, _: "registration_endpoint" in server or _takes_documents(server),
    ),
    _Rule(
        "clients cannot register", "registration_endpoint", _text("registration_endpoint"),
        ("cursor", "gemini-cli", "copilot-cli", "claude-code"), Status.WARN,
    ),
    _Rule(
        "clients without a secret are not announced", 'token_endpoint_auth_methods_supported with "none"',
        _has("token_endpoint_auth_methods_supported", "none"), ("claude", "claude-code"),
    ),
    _Rule(
        "metadata documents are not announced", "client_id_metadata_document_supported: true",
        lambda server, _: _takes_documents(server), ("zed", "grok"), Status.WARN,
    ),
    _Rule(
        "the answer's issuer is not announced", "authorization_response_iss_parameter_supported: true",
        lambda server, _: server.get("authorization_response_iss_parameter_supported") is True, ("chatgpt",), Status.WARN,
    ),
    _Rule(
        "refresh tokens are not announced", 'grant_types_supported with "refresh_token"',
        _has("grant_types_supported", "refresh_token"), (), Status.WARN,
    ),
    _Rule(
        "offline_access is not offered", "scopes_supported with offline_access", _has("scopes_supported", "offline_access"),
        ("claude",), Status.WARN,
    ),
    _Rule(
        "offline_access stands in the protected resource's list", "offline_access in the authorization server's list only",
        lambda _, resource: "offline_access" not in _list(resource, "scopes_supported"), (), Status.WARN,
    ),
)  # fmt: skip


def _list(document: Said, member: str) -> list[Any]:
    found = document.get(member)
    return found if isinstance(found, list) else []


def _unusable(answer: Answer | None, failure: str, members: tuple[str, ...]) -> str:
    if answer is None:
        return failure
    document = answer.document()
    if answer.status != _OK or document is None:
        return f"status {answer.status}, {answer.media_type or 'no type'}"
    return ", ".join(f"no {member}" for member in members if not document.get(member))


def _differing(first: dict[str, Any], second: dict[str, Any]) -> str:
    names = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    return f"they differ in {', '.join(names)}"


def _request_id(answer: Answer | None) -> str:
    return (answer.header("x-request-id") or "") if answer is not None else ""
