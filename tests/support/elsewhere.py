"""An authorization server of somebody else, on a real https socket: honest, until a test changes what it says."""

import asyncio
import base64
import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from support.https_server import http, trust

HOST = "accounts.test.example"
OTHER = "other.test.example"
DOOR = "door.test.example"
NAMES = (HOST, OTHER, DOOR)
_PORTS = range(49_203, 60_000, 11)


@dataclass
class Asked:
    """One request: ``form`` for forms, ``body`` otherwise."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def client(self) -> str:
        """The client's id, however it says it."""
        if "authorization" in self.headers:
            pair = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
            return unquote_plus(pair.partition(":")[0])
        return self.form.get("client_id", "")


@dataclass
class Code:
    """What an authorization request asked, until it is redeemed."""

    query: dict[str, str]
    account: str


@dataclass
class Elsewhere:
    """``answers`` stand above what it does itself, by path; ``metadata`` is merged over its own."""

    port: int
    host: str = HOST
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Callable[[Asked], bytes | None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    codes: dict[str, Code] = field(default_factory=dict)
    refresh: dict[str, str] = field(default_factory=dict)
    """Refresh token to account; each is good once."""
    access: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    expires_in: int | None = 3600
    hold: asyncio.Event | None = None
    """While it is set to something, token requests wait for it."""
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def issuer(self) -> str:
        return f"https://{self.host}:{self.port}"

    def document(self) -> dict[str, Any]:
        own = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": ["read", "write", "offline_access"],
        }
        return {name: value for name, value in (own | self.metadata).items() if value is not None}

    def approve(self, location: str, account: str = "alice-there") -> dict[str, str]:
        """Return the parameters with which a person's browser is sent back from an authorization URL."""
        query = dict(parse_qsl(urlsplit(location).query))
        assert location.startswith(f"{self.issuer}/authorize?"), location
        code = f"code-{next(self._count)}"
        self.codes[code] = Code(query, account)
        return {"code": code, "state": query["state"], "iss": self.issuer}

    def seen(self, path: str) -> list[Asked]:
        return [each for each in self.asked if each.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, path, _ = first.split(" ")
            asked = Asked(method, path, headers, body)
            self.asked.append(asked)
            if self.hold is not None and path == "/token":
                await self.hold.wait()
            answer = self.answers[path](asked) if path in self.answers else self._answer(asked)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
            else:
                await asyncio.Event().wait()
        writer.close()

    def _answer(self, asked: Asked) -> bytes:
        match asked.path:
            case "/.well-known/oauth-authorization-server":
                return _json(self.document())
            case "/register":
                client_id = f"registered-{next(self._count)}"
                self.clients[client_id] = json.loads(asked.body)
                return _json({**self.clients[client_id], "client_id": client_id}, "201 Created")
            case "/token":
                return self._token(asked)
            case "/revoke":
                self.revoked.append(asked.form["token"])
                return http(b"")
            case _:
                return http(b"{}", status="404 Not Found")

    def _token(self, asked: Asked) -> bytes:
        form = asked.form
        if form.get("grant_type") == "refresh_token":
            account = self.refresh.pop(form["refresh_token"], None)
        else:
            code = self.codes.pop(form.get("code", ""), None)
            account = None if code is None or not _proves(code, asked) else code.account
        if account is None:
            return _json({"error": "invalid_grant"}, "400 Bad Request")
        number = next(self._count)
        access, refresh = f"access-{account}-{number}", f"refresh-{account}-{number}"
        self.access[access], self.refresh[refresh] = account, account
        lasts = {} if self.expires_in is None else {"expires_in": self.expires_in}
        return _json(
            {"access_token": access, "token_type": "Bearer", "refresh_token": refresh, "scope": "read"} | lasts
        )


def _proves(code: Code, asked: Asked) -> bool:
    digest = hashlib.sha256(asked.form["code_verifier"].encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    same = all(asked.form[name] == code.query[name] for name in ("redirect_uri", "resource"))
    return challenge == code.query["code_challenge"] and same and asked.client == code.query["client_id"]


def _json(members: Any, status: str = "200 OK") -> bytes:
    return http(json.dumps(members).encode(), status=status)


@asynccontextmanager
async def elsewhere(host: str = HOST) -> AsyncIterator[Elsewhere]:
    """Serve one on a port that may be asked; its name leads to loopback by the resolver of ``linked_house``."""
    server, _ = trust(*NAMES)
    for port in _PORTS:
        state = Elsewhere(port, host)
        with suppress(OSError):
            listening = await asyncio.start_server(state.serve, "127.0.0.1", port, ssl=server)
            break
    try:
        yield state
    finally:
        listening.close()
