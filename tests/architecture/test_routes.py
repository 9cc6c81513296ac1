"""Every route is known, with who may use it; what holds for all of a kind is tried on each."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from starlette.routing import BaseRoute, Route

from doorward import bootstrap
from doorward.protocol.endpoints import RESERVED_SLUGS
from doorward.server import App
from doorward.settings import Settings

pytestmark = pytest.mark.anyio

ANYBODY = "anybody"
PERSON = "a person in a browser"
CLIENT = "an OAuth client"
PRODUCT = "a product with a key"

KNOWN = {
    "/": PERSON,
    "/.well-known/{rest:path}": ANYBODY,
    "/api/v1/tenants/{slug}/explain": PRODUCT,
    "/api/v1/tenants/{slug}/resources": PRODUCT,
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
    "/settings/keys": PERSON,
    "/settings/keys/{key_id}/revoke": PERSON,
    "/settings/notices/{notice_id}/read": PERSON,
    "/settings/why": PERSON,
    "/sign-in": PERSON,
    "/sign-out": PERSON,
    "/static/{digest}/{name}": ANYBODY,
    "/token": CLIENT,
    "/userinfo": CLIENT,
    "/{inner:path}/.well-known/{rest:path}": ANYBODY,
}
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
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")

    def paths(self) -> set[str]:
        return {route.path for route in self.routes}


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    routes: list[BaseRoute] = []
    router = bootstrap.router

    def remembering(given: list[BaseRoute]) -> object:
        routes.extend(given)
        return router(given)

    monkeypatch.setattr(bootstrap, "router", remembering)
    core = await bootstrap.open_core(replace(Settings(), data_dir=tmp_path / "data"), create=True)
    try:
        found = Served(await bootstrap.build(core), routes)
        async with found.client:
            yield found
    finally:
        await core.close()


def concrete(path: str) -> str:
    for variable in ("{rest:path}", "{inner:path}", "{slug}", "{key_id}", "{digest}", "{name}", "{code}"):
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
