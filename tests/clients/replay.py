"""A client made of one file: it sends what the file says, in that order, and checks each answer as the real one does."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import anyio
import httpx2
from tests.clients.deployment import EMAIL, ISSUER, MCP, PASSWORD, Deployment
from tests.clients.fixtures import Fixture, challenge_of, filled

from support.person import Form, Page

MODERN = "2026-07-28"
OAUTH_ERROR = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+")
FORM = {"content-type": "application/x-www-form-urlencoded"}
MAX_STEPS = 8


@dataclass
class Client:
    """One run of a client against one deployment."""

    deployment: Deployment
    fixture: Fixture
    way: str
    challenged: str = ""
    documents: dict[str, Any] = field(default_factory=dict)
    client_id: str = ""
    client_secret: str | None = None
    redirect_uri: str = ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The authorization server's document that the client has found."""
        return self.documents["issuer"]  # type: ignore[no-any-return]

    async def discover(self) -> None:
        """Send what the client sends before it knows anything, in its order."""
        async with self.deployment.client() as http:
            for step in self.fixture.said["before"]:
                self._learn(await send(http, step))
        assert {"issuer", "resource"} <= self.documents.keys(), "the file's discovery finds no metadata"

    async def introduce(self) -> None:
        """Become a client of this server, the way that is tried."""
        said = self.fixture.said[self.way]
        self.redirect_uri = self.fixture.redirect_uri(self.way)
        if self.way == "dcr":
            await self._register(said["register"])
        elif self.way == "cimd":
            assert self.metadata["client_id_metadata_document_supported"] is True
            assert "none" in self.metadata["token_endpoint_auth_methods_supported"]
            self.client_id = said["client_id"]
        else:
            await self._registered_by_an_administrator(said)

    async def authorize(self, *, deny: bool = False, **changed: str | None) -> dict[str, str]:
        """Send a person with a browser of their own through the pages; return what the client is told."""
        url = self.authorize_url(**changed)
        async with self.deployment.client(**self._own_headers()) as http:
            if self.fixture.said.get("preflight"):
                # FastMCP fetches the page itself, without a browser's cookies, before it opens the browser.
                assert (await http.get(url)).status_code in {200, 302, 303, 307, 308}
        async with self.deployment.client() as browser:
            location = await Human(browser, deny=deny).open(url)
        target = changed.get("redirect_uri", self.redirect_uri)
        assert location.startswith(f"{target}{'&' if '?' in str(target) else '?'}"), location
        pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
        answer = dict(pairs)
        assert len(answer) == len(pairs), pairs
        assert answer.get("state") == changed.get("state", self.fixture.state()), "state comes back byte for byte"
        assert answer["iss"] == self.metadata["issuer"], "iss is the issuer, byte for byte (RFC 9207 section 2.4)"
        assert ("error" in answer) is deny
        assert ("code" in answer) is not deny
        return answer

    def authorize_url(self, **changed: str | None) -> str:
        """Return the URL that the client opens; a parameter that is changed to None is left out."""
        form = filled(self.fixture.said["authorize"], self._values()) | changed
        query = urlencode({name: value for name, value in form.items() if value is not None})
        return f"{self.metadata['authorization_endpoint']}?{query}"

    async def redeem(self, code: str, **changed: str | None) -> dict[str, Any]:
        """Exchange the code and check the answer."""
        return tokens_of(await self.token("token", changed, code=code))

    async def refresh(self, refresh_token: str, **changed: str | None) -> dict[str, Any]:
        """Refresh and check the answer."""
        return tokens_of(await self.token("refresh", changed, refresh_token=refresh_token))

    async def refresh_at_once(self, refresh_token: str, times: int = 2) -> list[dict[str, Any]]:
        """Send the same refresh several times in parallel (gemini, and every client that runs twice)."""
        answers: list[dict[str, Any]] = []

        async def one() -> None:
            answers.append(await self.refresh(refresh_token))

        async with anyio.create_task_group() as group:
            for _ in range(times):
                group.start_soon(one)
        return answers

    async def token(
        self, which: str, changed: Mapping[str, str | None] | None = None, **values: str
    ) -> httpx2.Response:
        """Send the file's token or refresh request."""
        form = filled(self.fixture.said[which], self._values() | values) | (changed or {})
        headers = FORM | self._own_headers() | self._basic()
        if "authorization" in headers:
            form.pop("client_secret", None)
        for name in self.fixture.said[self.way].get("omits", ()):
            form.pop(name, None)
        body = urlencode({name: value for name, value in form.items() if value is not None})
        async with self.deployment.client() as http:
            response = await http.post(self.metadata["token_endpoint"], content=body, headers=headers)
        self._readable(response)
        return response

    async def use(self, token: str, scheme: Mapping[str, str] | None = None) -> None:
        """Send what the client sends first with its token; every request is let in."""
        headers = scheme or {"authorization": f"Bearer {token}"}
        async with self.deployment.client() as http:
            session: dict[str, str] = {}
            for step in self.fixture.said["after"]:
                response = await send(http, step, headers | session)
                self._readable(response)
                if "mcp-session-id" in response.headers:
                    session = {"mcp-session-id": response.headers["mcp-session-id"]}

    async def _register(self, bodies: list[Mapping[str, Any]]) -> None:
        answers = []
        async with self.deployment.client() as http:
            for body in bodies:
                sent = dict(body) if "scope" not in body else {**body, **filled({"s": body["scope"]}, self._values())}
                if "s" in sent:
                    sent["scope"] = sent.pop("s")
                response = await http.post(
                    self.metadata["registration_endpoint"], json=sent, headers=self._own_headers()
                )
                self._readable(response)
                answers.append(registration_of(response, sent))
        public = answers[0]["token_endpoint_auth_method"] == "none"
        # Whoever registers again is the same client if it has no secret, and another one if it has.
        assert (len({answer["client_id"] for answer in answers}) == 1) is (public or len(answers) == 1)
        self.client_id, self.client_secret = answers[-1]["client_id"], answers[-1].get("client_secret")

    async def _registered_by_an_administrator(self, said: Mapping[str, Any]) -> None:
        confidential = said["auth_method"] != "none"
        declared = {
            "id": f"by-hand-{self.fixture.name}",
            "name": self.fixture.said["client"],
            "redirect_uris": said.get("redirect_uris", [self.redirect_uri]),
            "type": "confidential" if confidential else "public",
            "auth_method": said["auth_method"],
        }
        applied = await self.deployment.apply({"tenants": [{"slug": "acme", "clients": [declared]}]})
        self.client_id = str(declared["id"])
        self.client_secret = applied.issued[0].secret if confidential else None

    def _learn(self, response: httpx2.Response) -> None:
        self._readable(response)
        if response.status_code == 401:
            challenge = response.headers["www-authenticate"]
            found = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
            assert challenge.startswith("Bearer ")
            assert found["resource_metadata"] == f"{ISSUER}/.well-known/oauth-protected-resource/mcp"
            self.challenged = found["scope"]
        elif response.headers.get("content-type") == "application/json" and response.status_code == 200:
            document = whole(response)
            self.documents["issuer" if "issuer" in document else "resource"] = document
            if "resource" in document:
                assert document["resource"] == MCP, "byte for byte what the person typed"
                assert document["authorization_servers"] == [ISSUER]
                assert "offline_access" not in document["scopes_supported"]
            else:
                assert document["issuer"] == ISSUER
                assert document["code_challenge_methods_supported"] == ["S256"]
                assert document["authorization_response_iss_parameter_supported"] is True

    def _values(self) -> dict[str, str | None]:
        verifier = self.fixture.verifier()
        scope = self.fixture.scope(
            challenged=self.challenged, resource=self.documents["resource"], server=self.documents["issuer"]
        )
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uri": self.redirect_uri,
            "state": self.fixture.state(),
            "verifier": verifier,
            "challenge": challenge_of(verifier),
            "scope": scope,
            "resource": self.documents["resource"]["resource"],
        }

    def _basic(self) -> dict[str, str]:
        kind = self.fixture.said[self.way].get("presents", "body")
        if kind == "body":
            return {}
        text = f"{self.client_id}:{self.client_secret or ''}"
        return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}

    def _own_headers(self) -> dict[str, str]:
        return dict(self.fixture.said.get("headers", {}))

    def _readable(self, response: httpx2.Response) -> None:
        """A page in a browser reads an answer only if it may."""
        origin = self._own_headers().get("origin")
        if origin is not None:
            assert response.headers["access-control-allow-origin"] in {origin, "*"}, response.request.url


class Human:
    """Somebody at a browser without JavaScript: signs in, then approves or denies."""

    def __init__(self, browser: httpx2.AsyncClient, *, deny: bool = False) -> None:
        self.browser, self.deny = browser, deny
        self.pages: list[str] = []

    async def open(self, url: str) -> str:
        """Open a URL, do what the pages ask, and return the URL outside our origin that the browser is sent to."""
        response = await self.browser.get(url)
        for _ in range(MAX_STEPS):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if not target.startswith(f"{ISSUER}/"):
                    return target
                response = await self.browser.get(target)
                continue
            assert response.status_code == 200, response.text
            response = await self._act(Page(response.text), str(response.url))
        raise AssertionError(self.pages[-1])

    async def types(self, url: str) -> str:
        """Open the page of a device's code, answer, and return our page that the answer ends on."""
        response = await self.browser.get(url)
        for _ in range(MAX_STEPS):
            if response.is_redirect:
                response = await self.browser.get(urljoin(str(response.url), response.headers["location"]))
                continue
            assert response.status_code == 200, response.text
            page = Page(response.text)
            if not page.forms:
                return str(response.url)
            response = await self._act(page, str(response.url))
        raise AssertionError(self.pages[-1])

    async def _act(self, page: Page, url: str) -> httpx2.Response:
        self.pages.append(" ".join(page.text.split()))
        for form in page.forms:
            if form.named("password"):
                return await self._submit(form, url, {"email": EMAIL, "password": PASSWORD})
            if form.named("user_code"):
                return await self._submit(form, url, {})
            if form.named("answer"):
                return await self._submit(form, url, {"answer": "deny" if self.deny else "approve"})
        raise AssertionError(self.pages[-1])

    async def _submit(self, form: Form, url: str, fill: Mapping[str, str]) -> httpx2.Response:
        fields = [item for item in form.fields if item.type not in {"submit", "button"} and not item.disabled]
        pairs = [(f.name, f.value) for f in fields if f.checked or f.type not in {"checkbox", "radio"}]
        pairs = [(name, value) for name, value in pairs if name not in fill] + list(fill.items())
        headers = FORM | {"origin": ISSUER, "sec-fetch-site": "same-origin"}
        return await self.browser.post(urljoin(url, form.action or url), content=urlencode(pairs), headers=headers)


async def send(
    http: httpx2.AsyncClient, step: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    """Send one request of a file, like ``POST /mcp initialize 2025-11-25``, and check the status that it names."""
    method, path, *call = step["send"].split()
    sent = {**step.get("headers", {}), **(headers or {})}
    content = None
    if call:
        content = json.dumps(message(*call)).encode()
        sent = {"content-type": "application/json", "accept": "application/json, text/event-stream"} | sent
    response = await http.request(method, path, content=content, headers=sent)
    assert response.status_code == step["gives"], (step, response.status_code, response.text)
    return response


def message(method: str, revision: str = MODERN) -> dict[str, Any]:
    """Return a JSON-RPC message as clients of that revision send it."""
    params: dict[str, Any] = {}
    if method == "initialize":
        params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "replayed", "version": "1"}}
    elif revision == MODERN:
        prefix = "io.modelcontextprotocol/"
        info = {"name": "replayed", "version": "1"}
        params = {
            "_meta": {
                f"{prefix}protocolVersion": revision, f"{prefix}clientCapabilities": {}, f"{prefix}clientInfo": info,
            }
        }  # fmt: skip
    found = {"jsonrpc": "2.0", "method": method, "params": params}
    return found if method.startswith("notifications/") else {**found, "id": 1}


def whole(response: httpx2.Response) -> dict[str, Any]:
    """Return a JSON object that strict clients read: no member is null at any depth, no number has a fraction."""
    assert response.headers["content-type"] == "application/json"

    def check(value: object) -> None:
        assert value is not None
        assert not isinstance(value, float)
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(inner)

    found = response.json()
    check(found)
    return found  # type: ignore[no-any-return]


def registration_of(response: httpx2.Response, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Check the answer to a registration (RFC 7591 section 3.2.1) and return it."""
    assert response.status_code == 201, response.text
    answer = whole(response)
    assert answer["redirect_uris"] == sent["redirect_uris"], "none of several is refused"
    for name in ("client_name", "application_type", "client_uri", "software_id", "software_version"):
        if name in sent:
            assert answer[name] == sent[name]
    assert answer["token_endpoint_auth_method"] == sent.get("token_endpoint_auth_method", "none")
    assert {"authorization_code", "refresh_token"} <= set(answer["grant_types"])
    assert isinstance(answer["client_id_issued_at"], int)
    has_secret = answer["token_endpoint_auth_method"] != "none"
    assert ("client_secret" in answer) is has_secret
    assert ("client_secret_expires_at" in answer) is has_secret
    assert answer.get("client_secret_expires_at", 0) == 0
    return answer


def tokens_of(response: httpx2.Response) -> dict[str, Any]:
    """Check a token answer (OAuth 2.1 section 3.2.3) and return it."""
    assert response.status_code == 200, response.text
    answer = whole(response)
    assert answer["token_type"] == "Bearer"
    assert isinstance(answer["expires_in"], int)
    assert answer["expires_in"] > 0
    assert answer["refresh_token"], "always one, whether or not offline_access was asked for"
    assert answer["scope"]
    assert response.headers["cache-control"] == "no-store"
    return answer


def error_of(response: httpx2.Response, error: str, status: int = 400) -> None:
    """Check an error answer of the token endpoint (RFC 6749 section 5.2)."""
    assert response.status_code == status, response.text
    answer = whole(response)
    assert answer["error"] == error
    assert OAUTH_ERROR.fullmatch(answer["error_description"])
