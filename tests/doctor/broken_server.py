"""A small MCP server with OAuth that does everything as clients need it, and one switch for each thing it can do wrong."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from doorward.doctor.wire import Answer, Exchange, Network, Request

ORIGIN = "https://mcp.shop.example"
URL = f"{ORIGIN}/mcp"
NOW = 1_795_000_000.0
DATE = "Wed, 18 Nov 2026 11:06:40 GMT"
SCOPES = ["orders:read", "orders:write"]
ALLOWED = "authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id"
PAGE = "<!doctype html><title>Sign in</title><h1>Sign in</h1><form method=post action=/sign-in></form>"


@dataclass
class BrokenServer:
    """Answers in this process. ``fault`` names what it does wrong; nothing where it is empty."""

    fault: str = ""
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[Request] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    counted: int = 0

    async def network(self, _url: str, /) -> Network:
        found = {
            "no such name": Network(failure="mcp.shop.example has no address: unknown"),
            "bad certificate": Network(addresses=("93.184.216.34",), tls="certificate has expired"),
            "no ipv4": Network(addresses=("2606:2800:220:1::1",), days_left=60),
            "certificate ends soon": Network(addresses=("93.184.216.34",), days_left=3),
            "private address": Network(addresses=("10.0.0.7",), private=True, days_left=60),
        }
        return found.get(self.fault, Network(addresses=("93.184.216.34",), days_left=60))

    async def send(self, request: Request) -> Exchange:
        self.sent.append(request)
        self.counted += 1
        answer = self._answer(request)
        headers = [("date", DATE if self.fault != "clock" else "Wed, 18 Nov 2026 11:16:40 GMT"), *answer.headers]
        body = b"" if request.method == "HEAD" else answer.body
        return Exchange(request, Answer(status=answer.status, headers=headers, body=body, at=NOW))

    async def person(self, url: str, *, deny: bool) -> str:
        """Somebody who signs in."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
        answer = {"error": "access_denied"} if deny else {"code": f"code-{len(self.used)}"}
        return self._back(query, answer)

    def _answer(self, request: Request) -> Answer:
        path, headers = urlsplit(request.url).path, request.headers
        if self.fault == "bot wall" and headers.get("user-agent") == "Claude-User":
            return html("<h1>Checking your browser</h1>", 403)
        if request.method == "OPTIONS":
            return self._preflight(headers)
        if path == "/mcp":
            return self._mcp(request)
        if "/.well-known/" in path:
            return self._well_known(path, headers)
        routes: Mapping[str, Callable[[Request], Answer]] = {
            "/register": self._register, "/authorize": self._authorize, "/token": self._token, "/device": self._device,
        }  # fmt: skip
        if path == "/jwks":
            return self._keys()
        return routes[path](request) if path in routes else reply({"error": "not_found"}, 404)

    def _preflight(self, headers: Mapping[str, str]) -> Answer:
        if self.fault == "preflight asks for a token":
            return reply({"error": "unauthorized"}, 401)
        allowed = "content-type" if self.fault == "few headers" else ALLOWED
        return Answer(
            status=204,
            headers=[("access-control-allow-origin", headers["origin"]), ("access-control-allow-headers", allowed)],
        )

    def _mcp(self, request: Request) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        message = json.loads(request.body) if request.body else {}
        if self.fault == "open":
            return reply({"jsonrpc": "2.0", "id": 1, "result": {}})
        if not token and self.fault == "anybody may list" and message.get("method") == "tools/list":
            return reply({"jsonrpc": "2.0", "id": 1, "result": {"tools": []}}, 200, cache_control="no-store")
        accepted = token.startswith("access-") or (self.fault == "accepts every token" and token)
        if not accepted:
            return self._challenge(request, "invalid_token" if token else "")
        result: dict[str, Any] = {"tools": [{"name": "list_orders"}, {"name": "drop_orders"}]}
        if message.get("method") == "initialize":
            result = {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "serverInfo": {"name": "shop", "version": "1"},
            }
        if message.get("method") == "tools/call":
            return self._forbidden()
        control = "public, max-age=600" if self.fault == "cached list" else "no-store"
        return reply({"jsonrpc": "2.0", "id": 1, "result": result}, cache_control=control)

    def _challenge(self, request: Request, error: str) -> Answer:
        host = request.headers.get("x-forwarded-host") if self.fault == "believes the caller" else None
        metadata = f"https://{host}/x" if host else f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"
        said = f'Bearer resource_metadata="{metadata}"' + (f', error="{error}"' if error else "")
        challenge = {"no challenge": "", "basic": 'Basic realm="x"', "bare challenge": "Bearer"}.get(self.fault, said)
        status = 405 if self.fault == "method first" and request.method == "GET" else 401
        if self.fault == "403 for a bad token" and error:
            status = 403
        exposed = "" if self.fault == "challenge hidden from pages" else "WWW-Authenticate"
        cors = {"access_control_allow_origin": "*", "access_control_expose_headers": exposed}
        return reply({"error": "unauthorized"}, status, www_authenticate=challenge, **cors)

    def _forbidden(self) -> Answer:
        said = f'Bearer error="insufficient_scope", scope="orders:write", resource_metadata="{ORIGIN}/x"'
        if self.fault == "bare 403":
            return reply({"error": "forbidden"}, 403)
        return reply({"error": "insufficient_scope"}, 403, www_authenticate=said)

    def _well_known(self, path: str, headers: Mapping[str, str]) -> Answer:
        origin = f"https://{headers['x-forwarded-host']}" if self._believed(headers) else ORIGIN
        if "oauth-protected-resource" in path:
            if self.fault == "no root metadata" and path.endswith("oauth-protected-resource"):
                return reply({"error": "not_found"}, 404)
            if self.fault == "no metadata":
                return reply({"error": "not_found"}, 404)
            return reply(self._resource())
        if self.fault == "few places" and not path.endswith("oauth-authorization-server"):
            return reply({"error": "not_found"}, 404)
        document = self._server(origin)
        if self.fault == "two documents" and "openid" in path:
            document["token_endpoint"] = f"{ORIGIN}/old/token"
        return reply(document)

    def _believed(self, headers: Mapping[str, str]) -> bool:
        return self.fault == "believes the caller" and "x-forwarded-host" in headers

    def _resource(self) -> dict[str, Any]:
        document: dict[str, Any] = {"resource": URL, "authorization_servers": [ORIGIN], "scopes_supported": SCOPES}
        changed: dict[str, dict[str, Any]] = {
            "resource with a slash": {"resource": f"{URL}/"},
            "two issuers": {"authorization_servers": [ORIGIN, "https://other.example"]},
            "offline_access in the wrong list": {"scopes_supported": [*SCOPES, "offline_access"]},
        }
        return document | changed.get(self.fault, {})

    def _server(self, origin: str) -> dict[str, Any]:
        document: dict[str, Any] = {
            "issuer": origin, "authorization_endpoint": f"{ORIGIN}/authorize", "token_endpoint": f"{ORIGIN}/token",
            "registration_endpoint": f"{ORIGIN}/register", "device_authorization_endpoint": f"{ORIGIN}/device",
            "jwks_uri": f"{ORIGIN}/jwks", "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none"],
            "client_id_metadata_document_supported": True, "authorization_response_iss_parameter_supported": True,
            "scopes_supported": [*SCOPES, "offline_access"],
        }  # fmt: skip
        changed: dict[str, dict[str, Any]] = {
            "issuer with a slash": {"issuer": f"{origin}/"},
            "no PKCE": {"code_challenge_methods_supported": ["plain"]},
            "no public clients": {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
            "null member": {"policy_uri": None},
            "no offline_access": {"scopes_supported": SCOPES},
            "inner address": {"introspection_endpoint": "http://api:4000/introspect"},
        }
        return document | changed.get(self.fault, {})

    def _register(self, request: Request) -> Answer:
        body = json.loads(request.body or b"{}")
        uris = body["redirect_uris"]
        if self.fault == "no private schemes" and any(uri.startswith("cursor:") for uri in uris):
            return reply({"error": "invalid_redirect_uri", "error_description": "must be http or https"}, 400)
        if self.fault == "three addresses at most" and len(uris) > 3:
            return reply({"error": "invalid_client_metadata"}, 400)
        if self.fault == "registration for nobody":
            return reply({"error": "access_denied"}, 403)
        known = next((name for name, each in self.clients.items() if each == body), None)
        client_id = known if known is not None and self.fault != "new id each time" else f"client-{len(self.clients)}"
        self.clients[client_id] = body
        answer = {**body, "client_id": client_id, "token_endpoint_auth_method": "none"}
        if self.fault == "null in registration":
            answer["client_uri"] = None
        if self.fault == "fraction of a second":
            answer["client_secret_expires_at"] = 0.5
        return reply(answer, 201)

    def _authorize(self, request: Request) -> Answer:
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.url).query).items()}
        client_id, uri = query["client_id"], query["redirect_uri"]
        if client_id.startswith("https://"):
            known = self.fault != "documents not fetched" or "claude.ai" not in client_id
            return self._page() if known else html("<h1>Unknown client</h1>", 400)
        self.asked[request.url] += 1
        if self.fault == "one replica" and self.asked[request.url] > 1 and self.asked[request.url] % 2:
            return html("<h1>Unknown client</h1>", 400)
        if self.fault == "open redirect" and "doctor.invalid" in uri:
            return Answer(status=302, headers=[("location", f"{uri}?code=x")])
        if not self._returns(uri, self.clients.get(client_id, {}).get("redirect_uris", [])):
            return html("<h1>Unknown redirect</h1>", 400)
        if query["response_type"] != "code":
            return Answer(status=302, headers=[("location", self._back(query, {"error": "unsupported_response_type"}))])
        return self._page()

    def _returns(self, uri: str, registered: list[str]) -> bool:
        if uri in registered:
            return True
        ports = self.fault != "ports compared"
        return ports and any(_portless(uri) == _portless(each) for each in registered if each.startswith("http:"))

    def _page(self) -> Answer:
        policies = {"form-action": "form-action 'self'; frame-ancestors 'none'", "may be framed": "default-src 'self'"}
        body = (
            PAGE.replace("/sign-in", f"http://{urlsplit(ORIGIN).netloc}/x") if self.fault == "mixed content" else PAGE
        )
        return html(body, 200, policies.get(self.fault, "frame-ancestors 'none'"))

    def _back(self, query: Mapping[str, str], answer: dict[str, str]) -> str:
        state = query["state"] if self.fault != "state decoded twice" else unquote(unquote(query["state"]))[:-1]
        answer |= {"state": state, "iss": ORIGIN}
        if self.fault == "issuer with a slash":
            answer["iss"] = f"{ORIGIN}/"
        if self.fault == "no iss" or (self.fault == "no iss in errors" and "error" in answer):
            del answer["iss"]
        if self.fault == "wrong iss":
            answer["iss"] = "https://inner.example"
        return f"{query['redirect_uri']}?{urlencode(answer, quote_via=quote)}"

    def _token(self, request: Request) -> Answer:
        form = parse_qs((request.body or b"").decode())
        grant = form["grant_type"][-1]
        if grant.endswith("device_code"):
            if self.fault == "device not told to wait":
                return reply({"error": "invalid_grant"}, 400)
            return reply({"error": "authorization_pending"}, 400)
        if grant == "refresh_token":
            return self._refresh(form)
        return reply(self._tokens(), cache_control="" if self.fault == "tokens cached" else "no-store")

    def _refresh(self, form: Mapping[str, list[str]]) -> Answer:
        token = form["refresh_token"][-1]
        if not token.startswith("refresh-"):
            return self._dead()
        twice = token in self.used
        self.used.add(token)
        if self.fault == "refresh once" and twice:
            return reply({"error": "invalid_grant"}, 400)
        if self.fault == "one resource only" and len(form.get("resource", [])) > 1:
            return reply({"error": "invalid_target"}, 400)
        if self.fault == "resource required" and "resource" not in form:
            return reply({"error": "invalid_target"}, 400)
        return reply(self._tokens())

    def _dead(self) -> Answer:
        if self.fault == "dead refresh 401":
            return reply({"error": "invalid_token"}, 401)
        if self.fault == "dead refresh 200":
            return reply({"error": "invalid_grant"}, 200)
        return reply({"error": "invalid_grant"}, 400)

    def _tokens(self) -> dict[str, Any]:
        number = len(self.used)
        tokens: dict[str, Any] = {
            "access_token": f"access-{number}", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": f"refresh-{number}",
        }  # fmt: skip
        if self.fault == "no lifetime":
            del tokens["expires_in"]
        if self.fault == "no refresh token":
            del tokens["refresh_token"]
        return tokens | ({"scope": None} if self.fault == "null scope" else {})

    def _device(self, _request: Request) -> Answer:
        answer = {"device_code": "device-1", "user_code": "AB-CD", "verification_uri": URL, "expires_in": 600}
        if self.fault == "device without a code":
            del answer["user_code"]
        return reply(answer)

    def _keys(self) -> Answer:
        key: dict[str, Any] = {"kty": "EC", "kid": "1", "crv": "P-256", "x": "x", "y": "y"}
        if self.fault == "private key published":
            key["d"] = "very-secret"
        if self.fault == "keys of one replica":
            key["kid"] = str(self.counted % 3)
        return reply({"keys": [key]})


def reply(document: Mapping[str, Any], status: int = 200, **headers: str) -> Answer:
    named = [(name.replace("_", "-"), value) for name, value in headers.items() if value]
    body = json.dumps(document).encode()
    return Answer(status=status, headers=[("content-type", "application/json"), *named], body=body)


def html(body: str, status: int, policy: str = "") -> Answer:
    headers = [("content-type", "text/html"), *([("content-security-policy", policy)] if policy else [])]
    return Answer(status=status, headers=headers, body=body.encode())


def _portless(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.hostname}{parts.path}" if parts.hostname in {"localhost", "127.0.0.1"} else uri
