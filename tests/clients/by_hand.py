"""People and programs that connect by hand: pages without a script, and the oldest short addresses."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx2
from tests.clients.deployment import EMAIL, ISSUER, PASSWORD, Deployment

from doorward.cli.token_use import make_key
from doorward.credentials.key_wishes import KeyWish
from doorward.protocol.pkce import challenge_of
from support.person import Page

REDIRECT = "http://localhost:3000/callback"
VERIFIER = "v" * 64
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", "origin": ISSUER}


@dataclass
class Reader:
    """Somebody at a browser, who unticks some of what the consent page offers."""

    deployment: Deployment
    email: str = EMAIL
    tenant: str = "acme"
    untick: Collection[str] = ()
    answer: str = "approve"
    pages: list[str] = field(default_factory=list)

    async def opens(self, url: str) -> dict[str, str]:
        """Open the client's URL, do what the pages ask; return what the client is told."""
        async with self.deployment.client(accept="text/html") as browser:
            response = await browser.get(url)
            for _ in range(8):
                if response.is_redirect:
                    target = urljoin(str(response.url), response.headers["location"])
                    if not target.startswith(f"{ISSUER}/"):
                        return dict(parse_qsl(urlsplit(target).query))
                    response = await browser.get(target)
                    continue
                assert response.status_code in {200, 422}, (
                    response.text
                )  # 422: what another tenant allows is shown first
                page = Page(response.text)
                self.pages.append(" ".join(page.text.split()))
                response = await self._act(browser, page, str(response.url))
        raise AssertionError(self.pages[-1])

    async def _act(self, browser: httpx2.AsyncClient, page: Page, url: str) -> httpx2.Response:
        form = next(form for form in page.forms if form.named("password") or form.named("answer"))
        if form.named("password"):
            fill = {"email": self.email, "password": PASSWORD}
        else:
            fill = {"answer": self.answer, "tenant": self.tenant}
        kept = [
            (item.name, item.value)
            for item in form.fields
            if item.type not in {"submit", "button"} and not item.disabled and item.name not in fill
            and (item.checked or item.type not in {"checkbox", "radio"}) and item.value not in self.untick
        ]  # fmt: skip
        body = str(httpx2.QueryParams([*kept, *fill.items()]))
        return await browser.post(urljoin(url, form.action or url), content=body, headers=FORM)


@dataclass
class Agent:
    """A program with an HTTP client and the addresses that the oldest of the pages names, and nothing else of ours."""

    deployment: Deployment
    name: str = "my-agent"
    client_id: str = ""

    async def post(self, path: str, **more: Any) -> httpx2.Response:
        async with self.deployment.client() as http:
            return await http.post(path, **more)

    async def register(self) -> dict[str, Any]:
        body = {
            "client_name": self.name,
            "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"],
        }
        answer = await self.post("/register", json=body)
        assert answer.status_code == 201, answer.text
        self.client_id = answer.json()["client_id"]
        return answer.json()  # type: ignore[no-any-return]

    def url(self, scope: str | None = None, **more: str) -> str:
        query = {
            "client_id": self.client_id, "redirect_uri": REDIRECT, "response_type": "code", "state": "a state",
            "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256",
            **({} if scope is None else {"scope": scope}), **more,
        }  # fmt: skip
        return f"{ISSUER}/authorize?{httpx2.QueryParams(query)}"

    async def redeem(self, code: str, **more: str) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code", "code": code, "client_id": self.client_id, "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }  # fmt: skip
        return await self.post("/token", data=form | more)

    async def connect(self, person: Reader, scope: str | None = None) -> dict[str, Any]:
        if not self.client_id:
            await self.register()
        told = await person.opens(self.url(scope))
        assert told["state"] == "a state", told
        answer = await self.redeem(told["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    async def refresh(self, token: str) -> httpx2.Response:
        return await self.post(
            "/token", data={"grant_type": "refresh_token", "refresh_token": token, "client_id": self.client_id}
        )


async def asked(deployment: Deployment, token: str, method: str, path: str = "/mcp", **params: Any) -> httpx2.Response:
    """Send one message as a program does that knows nothing but JSON-RPC and the bearer."""
    async with deployment.client() as http:
        headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
        message = {"jsonrpc": "2.0", "method": method, "id": 1, **({"params": params} if params else {})}
        return await http.post(path, json=message, headers=headers)


async def tools(deployment: Deployment, token: str, path: str = "/mcp") -> set[str]:
    answer = await asked(deployment, token, "tools/list", path)
    assert answer.status_code == 200, answer.text
    found = re.findall(r'"name":\s*"([a-z_]+)"', answer.text)
    return {name for name in found if name in {"echo", "write_note"}}


async def writes(deployment: Deployment, token: str) -> bool:
    answer = await asked(deployment, token, "tools/call", name="write_note", arguments={})
    return (
        answer.status_code == 200
        and '"error"' not in answer.text
        and '"isError":true' not in answer.text.replace(" ", "")
    )


async def key_of(deployment: Deployment, email: str) -> str:
    core, wish = deployment.core, KeyWish(owner=email, name="by hand", expires="never")
    _, made = await core.database.write(
        lambda tx: make_key(
            tx, wish, None, now=core.now(), entropy=core.entropy, fingerprinter=core.fingerprinter, prefix="dw"
        )
    )
    return made.text
