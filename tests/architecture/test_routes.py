"""Every route is known, with who may use it; what holds for all of a kind is tried on each."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.routing import BaseRoute, Route

from doorward.api.table import ROUTES
from doorward.bootstrap import program
from doorward.bootstrap.core import open_core
from doorward.dashboard.step_up import GUARDED
from doorward.protocol.endpoints import RESERVED_SLUGS
from doorward.server import App
from doorward.settings import ServerSettings, Settings

pytestmark = pytest.mark.anyio

ANYBODY = "anybody"
PERSON = "a person in a browser"
CLIENT = "an OAuth client"
PRODUCT = "the management API: tests/api/test_every_route.py"
SCANNER = "a scanner that signs"

KNOWN = {
    **dict.fromkeys((route.path for route in ROUTES), PRODUCT),
    "/": PERSON,
    "/.well-known/{rest:path}": ANYBODY,
    "/api/leaks": SCANNER,
    "/approvals": PERSON,
    "/approvals/{approval_id}": PERSON,
    "/authorize": PERSON,
    "/device": PERSON,
    "/device/approved": ANYBODY,
    "/device/denied": ANYBODY,
    "/device_authorization": CLIENT,
    "/errors": ANYBODY,
    "/errors/{code}": ANYBODY,
    "/oauth/authorize": PERSON,
    "/oauth/clients/register": CLIENT,
    "/oauth/clients/register/{client_id}": CLIENT,
    "/oauth/consent": PERSON,
    "/introspect": CLIENT,
    "/invitation": PERSON,
    "/oauth/introspect": CLIENT,
    "/oauth/device_authorization": CLIENT,
    "/oauth/jwks.json": ANYBODY,
    "/oauth/logout": PERSON,
    "/oauth/logout/confirm": PERSON,
    "/oauth/revoke": CLIENT,
    "/oauth/token": CLIENT,
    "/oauth/userinfo": CLIENT,
    "/register": CLIENT,
    "/register/{client_id}": CLIENT,
    "/revoke": CLIENT,
    "/settings": PERSON,
    "/settings/attempts": PERSON,
    "/settings/attempts/{attempt_id:int}": PERSON,
    "/settings/email": PERSON,
    "/settings/email/confirm": PERSON,
    "/settings/invitations": PERSON,
    "/settings/invitations/{invitation_id}": PERSON,
    "/settings/keys": PERSON,
    "/settings/keys/{key_id}": PERSON,
    "/settings/keys/{key_id}/change": PERSON,
    "/settings/keys/{key_id}/disable": PERSON,
    "/settings/keys/{key_id}/enable": PERSON,
    "/settings/keys/{key_id}/revoke": PERSON,
    "/settings/keys/{key_id}/rotate": PERSON,
    "/settings/keys/{key_id}/used": PERSON,
    "/settings/clients": PERSON,
    "/settings/clients/new": PERSON,
    "/settings/clients/{client_id}": PERSON,
    "/settings/clients/{client_id}/change": PERSON,
    "/settings/clients/{client_id}/delete": PERSON,
    "/settings/clients/{client_id}/disable": PERSON,
    "/settings/clients/{client_id}/enable": PERSON,
    "/settings/clients/{client_id}/secrets": PERSON,
    "/settings/clients/{client_id}/secrets/{secret_id}/retire": PERSON,
    "/settings/credentials": PERSON,
    "/settings/credentials/{slug}/keys/{key_id}/disable": PERSON,
    "/settings/credentials/{slug}/keys/{key_id}/enable": PERSON,
    "/settings/credentials/{slug}/keys/{key_id}/revoke": PERSON,
    "/settings/notices/{notice_id}/read": PERSON,
    "/settings/members": PERSON,
    "/settings/members/service-accounts": PERSON,
    "/settings/members/{user_id}": PERSON,
    "/settings/members/{user_id}/activate": PERSON,
    "/settings/members/{user_id}/deactivate": PERSON,
    "/settings/members/{user_id}/delete": PERSON,
    "/settings/members/{user_id}/remove": PERSON,
    "/settings/members/{user_id}/roles": PERSON,
    "/settings/resources": PERSON,
    "/settings/resources/take-over": PERSON,
    "/settings/resources/{node_id}": PERSON,
    "/settings/resources/{node_id}/bind": PERSON,
    "/settings/resources/{node_id}/delete": PERSON,
    "/settings/resources/{node_id}/move": PERSON,
    "/settings/resources/{node_id}/rename": PERSON,
    "/settings/resources/{node_id}/unbind": PERSON,
    "/settings/roles": PERSON,
    "/settings/roles/new": PERSON,
    "/settings/roles/preview": PERSON,
    "/settings/roles/{role_id}": PERSON,
    "/settings/roles/{role_id}/delete": PERSON,
    "/settings/confirm": PERSON,
    "/settings/security": PERSON,
    "/settings/confirm/passkey": PERSON,
    "/settings/security/passkeys": PERSON,
    "/settings/security/passkeys/ask": PERSON,
    "/settings/security/passkeys/{passkey_id}/remove": PERSON,
    "/settings/security/passkeys/{passkey_id}/rename": PERSON,
    "/settings/security/recovery-codes": PERSON,
    "/settings/security/password": PERSON,
    "/settings/security/sessions/end": PERSON,
    "/settings/security/sessions/{session_id}/end": PERSON,
    "/settings/profile": PERSON,
    "/settings/profile/connect/{provider}": PERSON,
    "/settings/profile/disconnect": PERSON,
    "/settings/upstreams": PERSON,
    "/settings/upstreams/{tenant}/{server}/unlink": PERSON,
    "/settings/servers": PERSON,
    "/settings/servers/new": PERSON,
    "/settings/servers/test": PERSON,
    "/settings/server/{server}": PERSON,
    "/settings/server/{server}/change": PERSON,
    "/settings/server/{server}/overrides": PERSON,
    "/settings/server/{server}/overrides/{override_id}/remove": PERSON,
    "/settings/server/{server}/remove": PERSON,
    "/settings/server/{server}/review": PERSON,
    "/settings/server/{server}/status": PERSON,
    "/settings/server/{server}/test": PERSON,
    "/settings/server/{server}/tool": PERSON,
    "/settings/server/{server}/try": PERSON,
    "/settings/setup": PERSON,
    "/settings/apps": PERSON,
    "/settings/apps/ask-again": PERSON,
    "/settings/apps/{connection_id}": PERSON,
    "/settings/apps/{connection_id}/disconnect": PERSON,
    "/settings/apps/{connection_id}/narrow": PERSON,
    "/settings/apps/{connection_id}/rename": PERSON,
    "/settings/audit": PERSON,
    "/settings/audit/export.jsonl": PERSON,
    "/settings/tenant": PERSON,
    "/settings/tenant/change": PERSON,
    "/settings/usage": PERSON,
    "/settings/usage/export.csv": PERSON,
    "/settings/why": PERSON,
    "/setup/{secret}": PERSON,
    "/sign-in": PERSON,
    "/sign-in/link": PERSON,
    "/sign-in/link/ask": PERSON,
    "/sign-in/reset": PERSON,
    "/sign-in/reset/new": PERSON,
    "/sign-in/with/{provider}": PERSON,
    "/sign-in/with/{provider}/callback": PERSON,
    "/sign-in/passkey": PERSON,
    "/sign-in/passkey/ask": PERSON,
    "/sign-in/recovery": PERSON,
    "/sign-in/undo": PERSON,
    "/sign-out": PERSON,
    "/static/{digest}/{name}": ANYBODY,
    "/token": CLIENT,
    "/upstreams/{server}/callback": PERSON,
    "/upstreams/{server}/client.json": ANYBODY,
    "/upstreams/{server}/connect": PERSON,
    "/userinfo": CLIENT,
    "/{inner:path}/.well-known/{rest:path}": ANYBODY,
}
NEEDS_NO_PROOF = {
    "/settings/upstreams/{tenant}/{server}/unlink": "it only takes away",
    "/settings/apps/ask-again": "takes away only",
    "/settings/apps/{connection_id}/disconnect": "takes away only",
    "/settings/apps/{connection_id}/narrow": "takes away only",
    "/settings/apps/{connection_id}/rename": "a name that only its person sees",
    "/settings/attempts": "speaks for a tenant about clients, guards no account",
    "/settings/confirm": "takes the proof",
    "/settings/email/confirm": "takes the proof of a link that was asked for with another",
    "/settings/invitations/{invitation_id}": "sends again what was sent with a proof, or takes away",
    "/settings/keys": "a key never holds more than its person, and is seen in their list",
    "/settings/keys/{key_id}/change": "a name, and where it works: never more than its person may do",
    "/settings/keys/{key_id}/disable": "takes away only",
    "/settings/keys/{key_id}/enable": "gives back what the person took away themselves, and nothing of an administrator's",
    "/settings/keys/{key_id}/revoke": "takes away only",
    "/settings/keys/{key_id}/rotate": "as a new key: never more than its person holds, and seen in their list",
    "/settings/roles/preview": "looks only",
    "/settings/clients": "an app reaches nothing until a person lets it in, and never more than who registers it may",
    "/settings/clients/{client_id}/change": "as registering it",
    "/settings/clients/{client_id}/delete": "takes away only",
    "/settings/clients/{client_id}/disable": "takes away only",
    "/settings/clients/{client_id}/enable": "gives back what was there; nothing of a deleted app",
    "/settings/clients/{client_id}/secrets": "as a new key: never more than its person holds, and seen in the list",
    "/settings/clients/{client_id}/secrets/{secret_id}/retire": "takes away only",
    "/settings/credentials/{slug}/keys/{key_id}/disable": "takes away only",
    "/settings/credentials/{slug}/keys/{key_id}/enable": "speaks for a tenant about keys, guards no account",
    "/settings/credentials/{slug}/keys/{key_id}/revoke": "takes away only",
    "/settings/notices/{notice_id}/read": "says that something was read",
    "/settings/confirm/passkey": "asks for the proof",
    "/settings/security/passkeys/ask": "asks; what it asks for is taken behind a proof",
    "/settings/security/passkeys/{passkey_id}/rename": "a word for people",
    "/settings/security/sessions/end": "takes away only",
    "/settings/security/sessions/{session_id}/end": "takes away only",
    "/settings/audit/export.jsonl": "looks only",
    "/settings/usage/export.csv": "looks only",
    "/settings/servers/test": "asks a server what it is, and changes nothing",
    "/settings/server/{server}/overrides": "takes away only",
    "/settings/server/{server}/review": "speaks for a tenant about tools, whose rules hold as before",
    "/settings/server/{server}/test": "asks a server what it is, and changes nothing",
    "/settings/server/{server}/try": "a call with the person's own rights, as their apps make them",
    "/settings/why": "looks only",
}
"""What a person may send from the settings without a recent proof of who they are, each with why (case H23)."""
STARTS_ON_ANOTHER_SITE = {"/authorize", "/oauth/authorize", "/oauth/logout"}
"""A client's own page may send its user here by a form (OpenID Connect Core section 3.1.2.1); it has no
effect. So is sign-out (RP-Initiated Logout section 2): it sends the browser on to the same wish by GET."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
BODIES = (b"", b"\x00\xff\xfe", b"{", b'{"a":1,"a":2}', b"a=1&a=2&%zz", b"[" * 2000)
TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "\x7f")


class Served:
    """The whole program in this process, and the routes it was built with."""

    def __init__(self, app: App, routes: list[BaseRoute]) -> None:
        self.routes = [route for route in routes if isinstance(route, Route)]
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=True)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://localhost:8080")

    def paths(self) -> set[str]:
        return {route.path for route in self.routes}


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    routes: list[BaseRoute] = []
    router = program.router

    def remembering(given: list[BaseRoute]) -> object:
        routes.extend(given)
        return router(given)

    monkeypatch.setattr(program, "router", remembering)
    named = ServerSettings(public_url="http://localhost:8080")  # a passkey belongs to a domain
    core = await open_core(replace(Settings(), data_dir=tmp_path / "data", server=named), create=True)
    try:
        found = Served(await program.build(core), routes)
        async with found.client:
            yield found
    finally:
        await core.close()


def concrete(path: str) -> str:
    for variable in (
        "{rest:path}",
        "{inner:path}",
        "{slug}",
        "{key_id}",
        "{approval_id}",
        "{connection_id}",
        "{tenant}",
        "{server}",
        "{digest}",
        "{name}",
        "{code}",
        "{provider}",
    ):
        path = path.replace(variable, "x")
    return path


async def test_every_route_is_known(served: Served) -> None:
    assert served.paths() == KNOWN.keys()


async def test_no_tenant_can_have_the_name_of_a_route(served: Served) -> None:
    first = {path.split("/")[1] for path in served.paths()} - {"", ".well-known", "{inner:path}"}
    assert first <= RESERVED_SLUGS


async def test_G1_M5_no_form_of_another_site_is_taken_anywhere(served: Served) -> None:
    for route in served.routes:
        if KNOWN[route.path] != PERSON or "POST" not in (route.methods or ()) or route.path in STARTS_ON_ANOTHER_SITE:
            continue
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
            answer = await served.client.post(concrete(route.path), data={"a": "b"}, headers=headers)
            assert answer.status_code == 403, (route.path, headers)


async def test_H23_every_form_of_the_settings_is_guarded_or_says_why_not(served: Served) -> None:
    posts = {
        route.path for route in served.routes if "POST" in (route.methods or ()) and route.path.startswith("/settings")
    }
    assert posts - NEEDS_NO_PROOF.keys() == GUARDED.keys()
    assert posts >= NEEDS_NO_PROOF.keys()


async def test_M7_every_page_forbids_framing_and_inline_code(served: Served) -> None:
    for path in sorted(served.paths()):
        answer = await served.client.get(concrete(path), headers={"accept": "text/html"})
        if answer.headers.get("content-type", "").startswith("text/html"):
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, path
            assert "unsafe" not in policy, path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "no-store" in answer.headers["cache-control"], path


async def test_no_method_body_or_type_gives_a_5xx_anywhere(served: Served) -> None:
    for path in sorted(served.paths() | {"/mcp", "/nothing", "/acme/mcp", "/%00", "/..%2f"}):
        for method in METHODS:
            for number, body in enumerate(BODIES if method in {"POST", "PUT", "PATCH"} else BODIES[:1]):
                headers = {
                    "content-type": TYPES[number % len(TYPES)],
                    "authorization": "Bearer dw_x",
                    "cookie": "a=\x7f",
                }
                answer = await served.client.request(method, concrete(path), content=body, headers=headers)
                assert answer.status_code < 500, (method, path, body[:20], answer.text[:300])
