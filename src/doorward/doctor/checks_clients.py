"""Checks 10 to 13: whether clients are let in, and whether the browser comes back."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from doorward.doctor.record import Finding, Record, Status, nulls, parts_of, query_of
from doorward.doctor.replays import Document, Replay, documents, replays
from doorward.doctor.visit import STATE, Visit, sent
from doorward.doctor.wire import Answer, Exchange

_CREATED: Final = 201
_OWN: Final = "doctor"
_BROWSER: Final = ("claude", "chatgpt", "claude-code", "cursor", "codex", "vscode")
_INSECURE: Final = re.compile(
    r"""<(?:script|link|img|iframe|form|source)\b[^>]*?\b(?:src|href|action)\s*=\s*["']?http://""", re.IGNORECASE
)


def _wanted(visit: Visit) -> list[Replay]:
    chosen = visit.options.clients
    return [each for each in replays() if chosen is None or each.client in chosen]


async def ask_registration(visit: Visit) -> None:
    """Register each client as it registers itself, twice; then this program for itself."""
    endpoint = visit.record.endpoint("registration")
    if endpoint is None:
        visit.record.skipped["registration"] = "clients cannot register here"
        return
    if not visit.options.register:
        visit.record.skipped["registration"] = "left out: --no-register"
        return
    for replay in _wanted(visit):
        await _register(visit, endpoint, replay.name, replay.body)
    grants = ["authorization_code", "refresh_token"]
    if visit.record.endpoint("device_authorization"):
        grants.append("urn:ietf:params:oauth:grant-type:device_code")
    body = {
        "client_name": "Doorward doctor", "redirect_uris": [visit.options.redirect_uri], "grant_types": grants,
        "response_types": ["code"], "token_endpoint_auth_method": "none",
    }  # fmt: skip
    await _register(visit, endpoint, _OWN, body, times=1)


async def _register(visit: Visit, endpoint: str, name: str, body: Mapping[str, Any], times: int = 2) -> None:
    for number in range(1, times + 1):
        answer = await visit.json(f"register/{name}/{number}", endpoint, body)
        visit.keep_secret(answer, "client_secret", "registration_access_token")
        found = (answer.document() if answer is not None else None) or {}
        if isinstance(found.get("client_id"), str) and answer is not None and answer.status < 300:  # noqa: PLR2004
            visit.record.registered[name] = found["client_id"]
        else:
            return


async def clean_up(visit: Visit) -> None:
    """Take back the registrations that can be taken back (RFC 7592); the others are forgotten by the server."""
    for name, exchange in list(visit.record.named("register/").items()):
        found = (exchange.answer.document() if exchange.answer else None) or {}
        url, token = found.get("registration_client_uri"), found.get("registration_access_token")
        same = isinstance(url, str) and parts_of(url).netloc == parts_of(exchange.request.url).netloc
        if same and isinstance(token, str) and isinstance(url, str):
            await visit.send(f"unregister/{name}", "DELETE", url, headers={"authorization": f"Bearer {token}"})


def judge_registration(record: Record) -> Iterator[Finding]:
    """Say which clients are refused, and what they cannot read."""
    again = []
    for replay in replays():
        first = record.exchanges.get(f"register/{replay.name}/1")
        if first is None:
            continue
        refused = _refused_registration(record, first, replay)
        if refused is not None:
            yield refused
            continue
        one, two = _document(first.answer), _document(record.answer(f"register/{replay.name}/2"))
        if replay.public and two and one.get("client_id") != two.get("client_id"):
            again.append(replay)
    if again:
        yield Finding(
            status=Status.WARN, what="the same client becomes another one each time it registers",
            expected="the same client_id for the same metadata", got=record.shown(", ".join(each.name for each in again)),
            fix="Answer a public client that is known with the registration it has.",
            hits=tuple(dict.fromkeys(each.client for each in again)),
        )  # fmt: skip


def _refused_registration(record: Record, exchange: Exchange, replay: Replay) -> Finding | None:
    answer, wrong = exchange.answer, exchange.failure
    if answer is not None:
        wrong = "" if answer.status in {200, _CREATED} else f"status {answer.status}: {_error(answer)}"
        if answer.status in {401, 403, 429}:
            words = "too many" if answer.status == 429 else "not for everybody"  # noqa: PLR2004
            return Finding(
                status=Status.WARN, what=f"{replay.name} may not register ({words})", url=sent(exchange), expected="201",
                got=record.shown(wrong), fix="Let it in, or register it by hand.", hits=(replay.client,),
                request_id=answer.header("x-request-id") or "",
            )  # fmt: skip
        wrong = wrong or _unreadable(answer, replay)
    if not wrong:
        return None
    return Finding(
        status=Status.FAIL, what=f"{replay.name} cannot register", url=sent(exchange), got=record.shown(wrong),
        expected=f"201 for {json.dumps(replay.body['redirect_uris'])}"[:200], hits=(replay.client,),
        fix="Accept all its addresses; leave out members without a value.",
        request_id=(answer.header("x-request-id") or "") if answer is not None else "",
    )  # fmt: skip


def _unreadable(answer: Answer, replay: Replay) -> str:
    """Return what strict clients could not read in a registration (RFC 7591 section 3.2.1)."""
    document = answer.document()
    if document is None or not isinstance(document.get("client_id"), str):
        return "no client_id"
    if empty := nulls(document):
        return f"null: {', '.join(empty)}"
    if not set(replay.body["redirect_uris"]) <= set(map(str, document.get("redirect_uris") or ())):
        return f"only {document.get('redirect_uris')} of its addresses"
    ends = document.get("client_secret_expires_at", 0)
    if type(ends) is not int:
        return f"client_secret_expires_at: {ends!r}"
    asked, given = replay.body.get("token_endpoint_auth_method"), document.get("token_endpoint_auth_method")
    return f"token_endpoint_auth_method: {given}" if asked == "none" and given not in {None, "none"} else ""


async def ask_documents(visit: Visit) -> None:
    """Open the browser as each vendor's document says that its program does; fetch the documents if asked to."""
    for each in _documents(visit) if visit.options.vendor_documents else ():
        await visit.get(f"vendor/{each.client_id}", each.client_id)
    announced = (visit.record.server_document or {}).get("client_id_metadata_document_supported") is True
    if not announced:
        visit.record.skipped["documents"] = "metadata documents are not supported here"
        return
    for each in _documents(visit):
        await _open(visit, f"document/{each.client_id}", visit.authorize_url(each.client_id, each.redirect_uri))


def _documents(visit: Visit) -> list[Document]:
    chosen = visit.options.clients
    return [each for each in documents() if chosen is None or each.client in chosen]


def judge_documents(record: Record) -> Iterator[Finding]:
    """Say whose document is not taken, and which cannot be read from here."""
    for each in documents():
        fetched = record.exchanges.get(f"vendor/{each.client_id}")
        if fetched is not None and _document(fetched.answer).get("client_id") != each.client_id:
            got = (
                fetched.failure
                if fetched.answer is None
                else f"status {fetched.answer.status}, {_error(fetched.answer)}"
            )
            yield Finding(
                status=Status.WARN, what="a vendor's metadata document cannot be read from here", url=sent(fetched),
                expected="a document with this client_id", got=record.shown(got), hits=(each.client,),
                fix="Let this machine reach it, or have the server keep a copy.",
            )  # fmt: skip
    for each in documents():
        exchange = record.exchanges.get(f"document/{each.client_id}")
        wrong = None if exchange is None else _not_asked(exchange, each.redirect_uri)
        if exchange is not None and wrong:
            yield Finding(
                status=Status.FAIL, what=f"the metadata document {each.client_id} is not taken",
                url=_without_query(exchange), expected="a page to sign in on", got=record.shown(wrong),
                hits=(each.client,), request_id=_request_id(exchange),
                fix="Let your server fetch it, or keep a copy: some vendors answer servers with 403.",
            )  # fmt: skip


async def ask_authorization(visit: Visit) -> None:
    """Open the browser with each address that clients come back to, and once with a mistake."""
    for replay in _wanted(visit):
        client_id = visit.record.registered.get(replay.name)
        for uri in replay.returns if client_id else ():
            await _open(visit, f"authorize/{replay.name} {uri}", visit.authorize_url(str(client_id), uri))
    own, uri = visit.record.registered.get(_OWN), visit.options.redirect_uri
    if own is None or visit.record.endpoint("authorization") is None:
        visit.record.skipped["authorization"] = "no client could be registered to try it with"
        return
    await _open(visit, "mistake", visit.authorize_url(own, uri, response_type="doctor"))
    await _open(visit, "stranger", visit.authorize_url(own, "https://doctor.invalid/callback"))
    asked = {} if visit.options.scope is None else {"scope": visit.options.scope}
    await _send_somebody(visit, visit.authorize_url(own, uri, **asked))


async def _open(visit: Visit, name: str, url: str | None) -> None:
    if url is not None:
        await visit.send(name, "GET", url, headers={"accept": "text/html"})


async def _send_somebody(visit: Visit, url: str | None) -> None:
    """Let the person deny, if willing, and approve."""
    person = visit.options.person
    if person is None or url is None:
        return
    for word in ("deny", "approve"):
        answered = await person(url, deny=word == "deny")
        if answered is not None:
            visit.record.answered[word] = answered
            visit.record.secrets.add(query_of(answered).get("code", ""))


def judge_authorization(record: Record) -> Iterator[Finding]:
    """Say which address is refused, and what is missing in the answer (RFC 9207)."""
    for replay in replays():
        for uri in replay.returns:
            exchange = record.exchanges.get(f"authorize/{replay.name} {uri}")
            wrong = None if exchange is None else _not_asked(exchange, uri)
            if exchange is not None and wrong:
                busy = uri not in replay.body["redirect_uris"]
                yield Finding(
                    status=Status.FAIL, what=f"{replay.name} may not come back to {uri}", url=_without_query(exchange),
                    expected="a page to sign in on", got=record.shown(wrong), hits=(replay.client,),
                    fix="Let a loopback address have any port (RFC 8252 section 7.3)." if busy else "Accept it as registered.",
                    request_id=_request_id(exchange),
                )  # fmt: skip
    stranger = record.answer("stranger")
    if stranger is not None and (stranger.header("location") or "").startswith("https://doctor.invalid/"):
        yield Finding(
            status=Status.FAIL, what="it answers to an address that nobody registered", expected="a page that says so",
            got="a redirect to https://doctor.invalid", fix="Compare redirect_uri with the registered ones.",
        )  # fmt: skip
    mistake = record.answer("mistake")
    location = (mistake.header("location") or "") if mistake is not None else ""
    answers = {"an error": location if "error=" in location else "", **record.answered}
    for name, address in answers.items():
        yield from _judge_answer(record, name, address)


def _judge_answer(record: Record, name: str, address: str) -> Iterator[Finding]:
    query = query_of(address)
    if not query:
        return
    if query.get("state") != STATE:
        yield Finding(
            status=Status.FAIL, what=f"state does not come back as it was ({name})", expected=STATE,
            got=record.shown(query.get("state", "none")), fix="Decode and encode it once each.", hits=("vscode",),
        )  # fmt: skip
    issuer = (record.server_document or {}).get("issuer")
    if "iss" not in query:
        yield Finding(
            status=Status.FAIL, what=f"the answer does not say who sent it ({name})", expected=f"iss={issuer}",
            got="no iss", fix="Send iss with every answer, errors too (RFC 9207).", hits=("gemini-cli", "chatgpt"),
        )  # fmt: skip
    elif query["iss"] != issuer:
        yield Finding(
            status=Status.FAIL, what=f"iss is not the issuer ({name})", expected=str(issuer),
            got=record.shown(query["iss"]), fix="Send the issuer, byte for byte.", hits=("claude", "gemini-cli"),
        )  # fmt: skip


async def ask_page(visit: Visit) -> None:
    """Open the first page that a person would see."""
    own = visit.record.registered.get(_OWN)
    url = None if own is None else visit.authorize_url(own, visit.options.redirect_uri)
    if url is None:
        visit.record.skipped["page"] = "no client could be registered to try it with"
        return
    await visit.page("page", url)


def judge_page(record: Record) -> Iterator[Finding]:
    """Look at the headers that proxies add, and at what the page loads."""
    answer = record.answer("page")
    if answer is None or answer.status >= 400 or "html" not in answer.media_type:  # noqa: PLR2004
        record.skipped.setdefault("page", "there is no page on the server's own host")
        return
    url = _without_query(record.exchanges["page"])
    policy = {
        name.lower(): values
        for directive in (answer.header("content-security-policy") or "").split(";")
        for name, _, values in [directive.strip().partition(" ")]
        if name
    }
    if "form-action" in policy and not {"*", "http:", "http://127.0.0.1:*"} & set(policy["form-action"].split()):
        yield Finding(
            status=Status.FAIL, what="after approving, the browser stays where it is", url=url,
            expected="no form-action", got=record.shown(f"form-action {policy['form-action']}"), hits=_BROWSER,
            fix="Leave form-action out on pages that end at a client: Chromium applies it to redirects too.",
        )  # fmt: skip
    if "frame-ancestors" not in policy and answer.header("x-frame-options") is None:
        yield Finding(
            status=Status.WARN, what="another site may frame the page", url=url, expected="frame-ancestors 'none'",
            got="neither frame-ancestors nor X-Frame-Options", fix="Send one of them.",
        )  # fmt: skip
    if parts_of(url).scheme == "https" and (found := _INSECURE.search(answer.body.decode("utf-8", "replace"))):
        yield Finding(
            status=Status.FAIL, what="the page loads or sends something over http", url=url, expected="https only",
            got=record.shown(found[0]), fix="Set the public URL; behind a proxy it is https.", hits=_BROWSER,
        )  # fmt: skip


def _not_asked(exchange: Exchange, redirect_uri: str) -> str:
    """Return why nobody would be asked to sign in; empty where somebody would."""
    answer = exchange.answer
    if answer is None:
        return exchange.failure
    location = answer.header("location") or ""
    if answer.is_redirect and location.startswith(redirect_uri) and "error=" in location:
        query = query_of(location)
        return f"{query.get('error')}: {query.get('error_description', '')}"
    return f"status {answer.status}: {_error(answer)}" if answer.status >= 400 else ""  # noqa: PLR2004


def _error(answer: Answer) -> str:
    document = answer.document()
    if document is not None:
        return f"{document.get('error', '')} {document.get('error_description', '')}".strip()
    title = re.search(rb"<h1[^>]*>([^<]{1,200})", answer.body)
    return title[1].decode("utf-8", "replace").strip() if title else answer.media_type or "nothing"


def _document(answer: Answer | None) -> dict[str, Any]:
    return (answer.document() if answer is not None else None) or {}


def _without_query(exchange: Exchange) -> str:
    return exchange.request.url.partition("?")[0]


def _request_id(exchange: Exchange) -> str:
    return (exchange.answer.header("x-request-id") or "") if exchange.answer is not None else ""
