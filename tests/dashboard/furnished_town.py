"""A program in which somebody finds one of everything, so that every form of the settings is on some page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Match, Route
from tests.dashboard.people import more_people
from tests.dashboard.test_attempts import CLOUD, refused
from tests.gateway.recorder import TOOLS, Recorder, Request, default, result

from doorward.accounts import notices
from doorward.bootstrap import program
from doorward.bootstrap.approvals import approval_terms
from doorward.dashboard.navigation import PAGES
from doorward.model import AuthKind, Identity, Instant, Passkey, Server, ServerId, UpstreamCredential
from doorward.settings import MailSettings, OwnServerSettings
from doorward.storage import clients, connections, consents, identities, passkeys, permissions, servers
from doorward.storage.attempts import insert_steps
from doorward.storage.consents import RememberedConsent
from doorward.storage.database import Transaction
from doorward.storage.events import recent_events
from support.asking import asked
from support.pages import Browser
from support.rows import ACME, ALICE, CLIENT, CONNECTION, GLOBEX, HARBOUR, NOW
from support.sign_in_rules import CORP, put_provider
from support.web_page import WebForm, WebPage
from support.whole import Whole, opened_whole

MAIL = MailSettings(mode="smtp", host="127.0.0.1", tls="none", sender="Doorward <door@example.com>")
TOOL: dict[str, Any] = {
    "name": "shelve",
    "inputSchema": {
        "type": "object",
        "properties": {"title": {"type": "string"}, "size": {"type": "integer"}, "more": {"type": "array"}},
        "required": ["size"],
    },
}
OPAQUE: dict[str, Any] = {"name": "plain", "inputSchema": {"type": "object"}}
LINKED = Server(
    id=ServerId("s-linked"), slug="linked", name="Linked", paths=("/linked",), upstream="https://linked.example/mcp",
    auth=UpstreamCredential(kind=AuthKind.OAUTH),
)  # fmt: skip
BEHIND = ("/settings", "/approvals", "/upstreams")
STARTS = ("/settings/email", "/settings/invitations", "/settings/members?tenant=acme&kind=service")


@dataclass
class Furnished:
    """The program, the browser of somebody who may do everything there, and the patterns of its routes."""

    whole: Whole
    browser: Browser
    routes: list[Route]
    upstream: Recorder
    """The MCP server that the tenant added."""

    def pattern(self, path: str) -> str:
        """Return the path of the route that answers ``path``."""
        scope = {"type": "http", "method": "POST", "path": path.partition("?")[0], "headers": []}
        for route in self.routes:
            if route.matches(scope)[0] is Match.FULL and "POST" in (route.methods or ()):
                return route.path
        raise LookupError(path)

    async def forms(self) -> dict[tuple[str, str], tuple[str, WebForm]]:
        """Return one form for each route and what is typed in it, with the address of the page that it is on."""
        waiting = [*(entry.path for _, entries in PAGES for entry in entries), *STARTS]
        seen: set[str] = set()
        found: dict[tuple[str, str], tuple[str, WebForm]] = {}
        while waiting:
            path = waiting.pop(0)
            if path in seen:
                continue
            seen.add(path)
            answer = await self.browser.get(path)
            if answer.status_code != 200 or not answer.headers["content-type"].startswith("text/html"):
                continue
            page = WebPage(answer.text)
            waiting += [
                link for link in page.links if link.startswith(BEHIND) and "#" not in link and "after=" not in link
            ]
            for form in page.forms:
                if form.method == "get":
                    waiting.append(form.path)
                    continue
                other = [each.attributes["formaction"] for each in form.controls if "formaction" in each.attributes]
                for action in (form.action, *other):
                    if action.startswith(BEHIND):
                        one = WebForm(action, "post", form.controls)
                        typed = ",".join(each.name for each in one.typed)
                        found.setdefault((self.pattern(one.path), typed), (path, one))
        return found


@asynccontextmanager
async def furnished_town(folder: Path, monkeypatch: Any) -> AsyncIterator[Furnished]:
    """Yield it."""
    routes: list[BaseRoute] = []
    router = vars(program)["router"]

    def remembering(given: list[BaseRoute]) -> Any:
        routes.extend(given)
        return router(given)

    monkeypatch.setattr(program, "router", remembering)
    upstream = Recorder()
    upstream.answer = _tools
    await upstream.start()
    try:
        async with opened_whole(folder, mail=MAIL, own_servers=OwnServerSettings(networks=["127.0.0.0/8"])) as whole:
            await whole.change(more_people)
            await whole.change(lambda tx: _things(tx, whole))
            browser = whole.browser()
            await browser.sign_in(ALICE)
            await _made(browser, upstream)
            yield Furnished(whole, browser, [each for each in routes if isinstance(each, Route)], upstream)
            await _all_tell_where_from(whole)
    finally:
        await upstream.stop()


async def _all_tell_where_from(whole: Whole) -> None:
    """Look at every event of the test: whatever somebody did on a page tells where they were (F2)."""
    found = await whole.database.read_long(lambda reader: recent_events(reader, None, 10_000))
    assert {event.name for event in found if event.actor_id is not None and event.address is None} == set()
    assert any(event.address == "127.0.0.1" for event in found)


def _tools(request: Request) -> bytes:
    if request.method == "tools/list":
        named = {tool["name"]: tool for tool in (*TOOLS, TOOL, OPAQUE)}
        return result(request, {"tools": list(named.values()), "resultType": "complete"})
    return default(request)


def _things(tx: Transaction, whole: Whole) -> None:
    """Store what comes from elsewhere: apps, attempts, passkeys, providers, what waits for an approval."""
    for client in (CLIENT, CLOUD):
        clients.insert_client(tx, client, canonical_key=None, secret_fingerprint=None)
    connections.insert_connection(tx, replace(CONNECTION, activated_at=NOW, expires_at=Instant(NOW + 10**13)))
    consents.remember_consent(
        tx,
        RememberedConsent(
            user_id=ALICE.id, tenant_id=ACME.id, client_id=CLIENT.id, redirect_uri="https://client.test/cb",
            resource=CONNECTION.resource, answered=frozenset({"documents:read"}), granted=frozenset({"documents:read"}),
            client_digest="x", expires_at=Instant(NOW + 10**13),
        ),
    )  # fmt: skip
    insert_steps(tx, [refused()])
    passkeys.insert_passkey(
        tx,
        Passkey(
            id="pk_one", user_id=ALICE.id, credential_id="Y3JlZA", public_key="a2V5", sign_count=0, name="Phone",
            created_at=NOW,
        ),
    )  # fmt: skip
    put_provider(tx)
    put_provider(
        tx, replace(CORP, id=type(CORP.id)("idp_other"), slug="other", name="Other", issuer="https://o.example")
    )
    identities.insert_identity(
        tx,
        Identity(
            issuer=CORP.issuer, subject="alice", user_id=ALICE.id, provider_id=CORP.id, email=ALICE.email, created_at=NOW,
            last_used_at=NOW,
        ),
    )  # fmt: skip
    servers.put_server(tx, LINKED)
    servers.set_tenant_servers(tx, ACME.id, [HARBOUR.id, LINKED.id])
    notices.tell(tx, ALICE.id, notices.APP_ENDED, "x", {"client": "App", "tenant": "Acme"}, now=NOW)
    asked(tx, ALICE, ACME, HARBOUR, terms=approval_terms(whole.core), now=NOW, arguments={"document_id": "d"})
    permissions.set_membership(tx, GLOBEX.id, ALICE.id, ("owner",))


async def _made(browser: Browser, upstream: Recorder) -> None:
    """Make what is made on pages."""
    acme = {"tenant": "acme"}
    answers = [
        await browser.post(
            "/settings/servers", {**acme, "title": "Wiki", "name": "wiki", "url": upstream.url, "auth": "none"}
        ),
        await browser.post("/settings/server/acme_wiki/test", acme),
        await browser.post("/settings/server/acme_wiki/overrides", {**acme, "match": "shelve", "effect": "deny"}),
        await browser.post("/settings/invitations", {**acme, "email": "eve@acme.test", "role": "viewer"}),
        await _keyed(browser, "ci"),
        await _keyed(browser, "off for now"),
        await _registered(browser),
        await browser.post(
            "/settings/resources/n-p/bind", {**acme, "email": "carol@acme.test", "role": "viewer"}
        ),
        await browser.post("/settings/members/u-robot/deactivate", {**acme, "name": "Robot"}),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers if answer.status_code >= 400] == []
    page = WebPage((await browser.get("/settings/keys")).text)
    key = next(link for link in page.links if link.startswith("/settings/keys/"))
    await browser.post(f"{key}/disable", {})


async def _keyed(browser: Browser, name: str) -> Any:
    form = WebPage((await browser.get("/settings/keys?tenant=acme")).text).form("/settings/keys", "form")
    return await browser.post("/settings/keys", form.sent({"name": name, "scope": "documents:read"}))


async def _registered(browser: Browser) -> Any:
    form = WebPage((await browser.get("/settings/clients/new?tenant=acme")).text).form("/settings/clients", "uris")
    return await browser.post(
        "/settings/clients",
        form.sent({"name": "Portal", "uris": "https://portal.example/cb", "method": "client_secret_post"}),
    )
