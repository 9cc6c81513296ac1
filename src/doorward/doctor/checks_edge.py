"""Checks 1, 3, 9, 21 and 22: what stands in front of the server, and whether it is one server."""

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, Final

from doorward.doctor.record import Finding, Record, Status, origin_of, parts_of
from doorward.doctor.visit import Visit, sent
from doorward.doctor.wire import Answer, Exchange, Network

AGENTS: Final = ("python-httpx", "Claude-User", "openai-mcp")
_HOSTED: Final = ("claude", "chatgpt")
_SOON: Final = 14
PAGE: Final = "http://localhost:6274"
"""A page of the Inspector on the developer's own machine."""
_OAUTH_HEADERS: Final = "content-type, mcp-protocol-version"
_MCP_HEADERS: Final = (
    "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id"
)
_SKEW: Final = 60
_TIMES: Final = 6


async def ask_network(visit: Visit) -> None:
    """Resolve, connect, look at the certificate."""
    visit.record.network = await visit.wire.network(visit.record.url)


def judge_network(record: Record) -> Iterator[Finding]:
    """Say who can reach the server."""
    found, parts = record.network or Network(), parts_of(record.url)
    if found.failure:
        yield Finding(status=Status.FAIL, what="its name leads nowhere", got=found.failure, fix="Mend the DNS record.")
        return
    yield from _secure(record, found)
    if found.loopback:
        record.skipped["network"] = "on this machine only: apps on the web (Claude, ChatGPT) cannot reach it"
    elif all(":" in address for address in found.addresses):
        yield Finding(
            status=Status.FAIL, what="it has no IPv4 address", expected="an A record",
            got=", ".join(found.addresses), fix="Add an A record.", hits=_HOSTED,
        )  # fmt: skip
    elif found.private:
        yield Finding(
            status=Status.WARN, what="it is inside a private network", expected="a public address",
            got=", ".join(found.addresses), fix="Make it public if these clients are wanted.", hits=_HOSTED,
        )  # fmt: skip
    elif parts.port not in {None, 443}:
        yield Finding(
            status=Status.WARN, what="it is not on port 443", expected="443", got=str(parts.port),
            fix="Serve it on port 443.", hits=("claude",),
        )  # fmt: skip


def _secure(record: Record, found: Network) -> Iterator[Finding]:
    if parts_of(record.url).scheme == "http" and not found.loopback:
        yield Finding(
            status=Status.FAIL, what="it is not served by https", expected="https", got="http",
            fix="Put a certificate in front of it; clients send credentials.",
        )  # fmt: skip
    if found.tls:
        yield Finding(
            status=Status.FAIL, what="its certificate is refused", got=record.shown(found.tls),
            fix="Serve the whole chain of a certificate for this name.",
        )  # fmt: skip
    elif found.days_left is not None and found.days_left < _SOON:
        yield Finding(
            status=Status.WARN, what="its certificate ends soon", got=f"{found.days_left} days", fix="Renew it."
        )


async def ask_walls(visit: Visit) -> None:
    """Ask for the same things under the names of programs that come from data centres."""
    for agent in AGENTS:
        await visit.rpc(f"walls/{agent}/mcp", "initialize", params=INITIALIZE, headers={"user-agent": agent})
        for name, url in _documents(visit.record).items():
            await visit.get(f"walls/{agent}/{name}", url, **{"user-agent": agent})


def judge_walls(record: Record) -> Iterator[Finding]:
    """Look for pages, redirects and refusals where programs read JSON."""
    for name, exchange in record.named("walls/").items():
        answer = exchange.answer
        wrong = exchange.failure if answer is None else _walled(answer)
        if not wrong:
            continue
        agent = name.partition("/")[0]
        hits = ("claude",) if agent == "Claude-User" else ("chatgpt",) if agent == "openai-mcp" else _HOSTED
        yield Finding(
            status=Status.FAIL, what=f"a program that calls itself {agent} does not get through", url=sent(exchange),
            expected="JSON", got=record.shown(wrong), hits=hits,
            fix="Let these paths pass your bot protection, without pages or redirects.",
        )  # fmt: skip
        return


def _walled(answer: Answer) -> str:
    if answer.is_redirect:
        return f"a redirect to {answer.header('location') or 'nowhere'}"
    if "html" in answer.media_type:
        return f"{answer.status} with a page of HTML"
    refused = answer.status in {403, 429} or answer.status >= 500  # noqa: PLR2004
    return f"status {answer.status}" if refused else ""


def _documents(record: Record) -> dict[str, str]:
    """Return where the two documents were found, else where clients look first."""
    found = {}
    for name, prefix in (("resource metadata", "prm/"), ("server metadata", "asm/")):
        exchanges = list(record.named(prefix).values())
        good = [each for each in exchanges if each.answer is not None and each.answer.document() is not None]
        if exchanges:
            found[name] = (good or exchanges)[0].request.url
    return found


async def ask_cors(visit: Visit) -> None:
    """Ask as a browser asks for a page of another origin, before it sends anything."""
    places = {"MCP": (visit.record.url, "POST", _MCP_HEADERS)}
    for name, url in _documents(visit.record).items():
        places[name] = (url, "GET", "mcp-protocol-version")
    for name, wanted in (("registration", _OAUTH_HEADERS), ("token", _OAUTH_HEADERS), ("revocation", "content-type")):
        if endpoint := visit.record.endpoint(name):
            places[name] = (endpoint, "POST", wanted)
    if endpoint := visit.record.endpoint("userinfo"):
        places["userinfo"] = (endpoint, "GET", "authorization")
    for name, (address, method, wanted) in places.items():
        headers = {
            "origin": PAGE, "access-control-request-method": method, "access-control-request-headers": wanted,
        }  # fmt: skip
        await visit.send(f"cors/{name}", "OPTIONS", address, headers=headers)
    await visit.rpc("cors actual", "initialize", params=INITIALIZE, headers={"origin": PAGE})


def judge_cors(record: Record) -> Iterator[Finding]:
    """Say what a page of another origin may not do."""
    for name, exchange in record.named("cors/").items():
        wrong = _refused_preflight(exchange)
        if wrong:
            yield Finding(
                status=Status.FAIL, what=f"a browser may not ask ({name})", url=sent(exchange),
                expected="the origin, the method and these headers allowed, without a token",
                got=record.shown(wrong), fix="Answer OPTIONS before you ask for a token, and list the headers of MCP.",
            )  # fmt: skip
            return
    actual = record.answer("cors actual")
    if actual is None or actual.status != 401:  # noqa: PLR2004
        return
    exposed = (actual.header("access-control-expose-headers") or "").lower()
    if not _allows(actual.header("access-control-allow-origin")) or "www-authenticate" not in exposed:
        yield Finding(
            status=Status.FAIL, what="a page cannot read where to sign in", url=sent(record.exchanges["cors actual"]),
            expected="Access-Control-Allow-Origin, and WWW-Authenticate exposed", got=record.shown(exposed or "neither"),
            fix="Send Access-Control-Expose-Headers: WWW-Authenticate with every 401.",
        )  # fmt: skip


def _refused_preflight(exchange: Exchange) -> str:
    answer, request = exchange.answer, exchange.request
    if answer is None:
        return exchange.failure
    if answer.status not in {200, 204}:
        return f"status {answer.status}"
    if not _allows(answer.header("access-control-allow-origin")):
        return f"Access-Control-Allow-Origin: {answer.header('access-control-allow-origin') or 'none'}"
    allowed = {each.strip() for each in (answer.header("access-control-allow-headers") or "").lower().split(",")}
    wanted = [each.strip() for each in request.headers["access-control-request-headers"].split(",")]
    # A star does not cover Authorization (Fetch section 4.8).
    missing = [each for each in wanted if each not in allowed and not ("*" in allowed and each != "authorization")]
    return f"not allowed: {', '.join(missing)}" if missing else ""


def _allows(origin: str | None) -> bool:
    return origin in {"*", PAGE}


async def ask_one_server(visit: Visit) -> None:
    """Fetch the keys, and ask the same questions several times: behind a balancer each may meet another machine."""
    keys = (visit.record.server_document or {}).get("jwks_uri")
    url = next(iter(visit.record.registered.items()), None)
    for number in range(_TIMES):
        if isinstance(keys, str):
            await visit.get(f"keys/{number}", keys)
        if url is not None:
            redirect = visit.record.exchanges[f"register/{url[0]}/1"].request.body or b""
            target = visit.authorize_url(url[1], _first_redirect(redirect))
            if target is not None:
                await visit.send(f"again/{number}", "GET", target, headers={"accept": "text/html"})


def judge_one_server(record: Record) -> Iterator[Finding]:
    """Compare the clock, the keys and what several questions gave."""
    yield from _clock(record)
    keys = [each for each in record.named("keys/").values() if each.answer is not None]
    yield from _keys(record, keys)
    statuses = [each.answer.status if each.answer else 0 for each in record.named("again/").values()]
    if len({status < 400 for status in statuses}) > 1:  # noqa: PLR2004
        yield Finding(
            status=Status.FAIL, what="a client that has registered is not always known", expected="the same each time",
            got=", ".join(map(str, statuses)), fix="Let all replicas share one database and one set of keys.",
        )  # fmt: skip


def _clock(record: Record) -> Iterator[Finding]:
    for exchange in record.exchanges.values():
        answer = exchange.answer
        date = None if answer is None else answer.header("date")
        if answer is None or date is None or not answer.at:
            continue
        try:
            skew = parsedate_to_datetime(date).timestamp() - answer.at
        except (ValueError, TypeError):
            continue
        if abs(skew) > _SKEW:
            yield Finding(
                status=Status.FAIL, what="its clock is not right, or ours is not", url=sent(exchange),
                expected=f"within {_SKEW} seconds", got=f"{skew:+.0f} seconds", fix="Let both machines keep time (NTP).",
            )  # fmt: skip
        return


def _keys(record: Record, exchanges: list[Exchange]) -> Iterator[Finding]:
    documents = [each.answer.document() for each in exchanges if each.answer is not None]
    if not documents:
        return
    where, first = sent(exchanges[0]), documents[0]
    keys = first.get("keys") if first else None
    if not isinstance(keys, list) or not all(isinstance(each, dict) for each in keys):
        yield Finding(
            status=Status.FAIL, what="its keys cannot be read", url=where, expected='{"keys": […]}',
            got=record.shown(first or "no JSON"), fix="Serve the key set at jwks_uri.",
        )  # fmt: skip
        return
    private = [str(each.get("kid", "without kid")) for each in keys if {"d", "p", "q", "k"} & each.keys()]
    if private:
        yield Finding(
            status=Status.FAIL, what="it publishes private keys", url=where, expected="public members only",
            got=record.shown(", ".join(private)), fix="Take the key out of use at once: anybody can sign with it.",
        )  # fmt: skip
    if any(each != first for each in documents):
        yield Finding(
            status=Status.FAIL, what="its keys change from one request to the next", url=where,
            expected="the same each time", got="several sets", fix="Let all replicas share one set of keys.",
        )  # fmt: skip


async def ask_forged(visit: Visit) -> None:
    """Ask for the documents again with headers that only a proxy may set."""
    forged = {
        "x-forwarded-host": "doctor.invalid", "x-forwarded-proto": "gopher", "x-forwarded-port": "81",
        "forwarded": "host=doctor.invalid;proto=gopher",
    }  # fmt: skip
    for name, url in _documents(visit.record).items():
        await visit.get(f"forged/{name}", url, **forged)
    await visit.rpc("forged/challenge", "initialize", params=INITIALIZE, headers=forged)


def judge_forged(record: Record) -> Iterator[Finding]:
    """Look for what a caller's header changed, and for addresses that lead into the house."""
    for name, exchange in record.named("forged/").items():
        answer = exchange.answer
        said = "" if answer is None else f"{answer.body.decode('utf-8', 'replace')} {answer.header('www-authenticate')}"
        if "doctor.invalid" in said or "gopher:" in said:
            yield Finding(
                status=Status.FAIL, what="a header of the caller changes its addresses", url=sent(exchange),
                expected="the same as without X-Forwarded-Host", got=f"doctor.invalid in the {name}",
                fix="Configure one public URL, and believe such headers of your own proxy only.",
            )  # fmt: skip
            return
    documents = [record.resource_document or {}, record.server_document or {}]
    for address in _addresses([*documents, {"resource_metadata": record.challenge.get("resource_metadata", "")}]):
        if origin_of(address) != origin_of(record.url) and _inside(address, record):
            yield Finding(
                status=Status.FAIL, what="an address leads into its own network", expected=origin_of(record.url),
                got=record.shown(address), fix="Set the public URL; behind a proxy it is not the one it listens on.",
            )  # fmt: skip
            return


def _addresses(documents: list[dict[str, Any]]) -> Iterator[str]:
    for document in documents:
        for name, value in document.items():
            named = name.endswith(("_endpoint", "_uri", "resource_metadata")) or name in {"issuer", "resource"}
            if named and isinstance(value, str) and "://" in value:
                yield value


def _inside(address: str, record: Record) -> bool:
    host = parts_of(address).hostname or ""
    typed = parts_of(record.url)
    downgraded = parts_of(address).scheme == "http" and typed.scheme == "https"
    return downgraded or ("." not in host and ":" not in host and host not in {typed.hostname, "localhost"})


def _first_redirect(body: bytes) -> str:
    found = Answer(status=200, headers=(), body=body).document() or {}
    return str((found.get("redirect_uris") or [""])[0])


INITIALIZE: Final = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "doorward-doctor", "version": "1"},
}
