"""The usual way in Python: Authlib's authorization server in Flask, over SQLite. Opaque tokens, stored by their hash."""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, Response, jsonify, request

PORT, DB, SECRET = os.environ["PORT"], os.environ["DB"], os.environ["SECRET"]
SCOPES = ("bench:read", "bench:write")
TTL = 3600
local = threading.local()


def database() -> sqlite3.Connection:
    """Return this thread's connection."""
    if not hasattr(local, "connection"):
        connection = sqlite3.connect(DB, isolation_level=None, timeout=10)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS tokens (access BLOB PRIMARY KEY, refresh BLOB UNIQUE, data TEXT, revoked INTEGER DEFAULT 0)"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS codes (code BLOB PRIMARY KEY, data TEXT)")
        local.connection = connection
    found: sqlite3.Connection = local.connection
    return found


def hashed(text: str | None) -> bytes | None:
    """Return what is stored of a token."""
    return None if text is None else hashlib.sha256(text.encode()).digest()


class Client(ClientMixin):
    """One of the two clients."""

    def __init__(
        self, client_id: str, secret: str, method: str, grant_types: list[str], uris: tuple[str, ...] = ()
    ) -> None:
        self.client_id, self.secret, self.method, self.grant_types, self.uris = (
            client_id,
            secret,
            method,
            grant_types,
            uris,
        )

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        return self.uris[0] if self.uris else None

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(each for each in (scope or "").split() if each in SCOPES)

    def check_redirect_uri(self, uri: str) -> bool:
        return uri in self.uris

    def check_client_secret(self, secret: str) -> bool:
        return hmac.compare_digest(self.secret, secret)

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


CLIENTS = {
    "svc": Client("svc", SECRET, "client_secret_basic", ["client_credentials"]),
    "app": Client("app", "", "none", ["authorization_code", "refresh_token"], ("https://client.example/cb",)),
}


class User:
    """Somebody."""

    def __init__(self, name: str | None) -> None:
        self.id = name


class Token(TokenMixin):
    """A stored token."""

    def __init__(self, row: tuple[str, int, bytes]) -> None:
        self.data: dict[str, Any] = json.loads(row[0])
        self.revoked, self.key = bool(row[1]), row[2]

    def check_client(self, client: Client) -> bool:
        return bool(self.data["client_id"] == client.client_id)

    def get_scope(self) -> str:
        return str(self.data["scope"])

    def get_expires_in(self) -> int:
        return TTL

    def is_expired(self) -> bool:
        return bool(self.data["exp"] < time.time())

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> User:
        return User(self.data["sub"])


class Code(AuthorizationCodeMixin):
    """A stored code."""

    def __init__(self, **data: Any) -> None:
        self.__dict__.update(data)

    def get_redirect_uri(self) -> str:
        return str(self.__dict__["redirect_uri"])

    def get_scope(self) -> str:
        return str(self.__dict__["scope"])


def find(column: str, text: str) -> Token | None:
    row = database().execute(f"SELECT data, revoked, access FROM tokens WHERE {column} = ?", (hashed(text),)).fetchone()
    return None if row is None else Token(row)


def save(token: dict[str, Any], asked: Any) -> None:
    now = int(time.time())
    data = {
        "client_id": asked.client.client_id, "sub": asked.user.id if asked.user else None, "scope": token.get("scope", ""),
        "iat": now, "exp": now + TTL,
    }  # fmt: skip
    database().execute(
        "INSERT INTO tokens (access, refresh, data) VALUES (?, ?, ?)",
        (hashed(token["access_token"]), hashed(token.get("refresh_token")), json.dumps(data)),
    )


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)

    def save_authorization_code(self, code: str, asked: Any) -> None:
        payload = asked.payload
        data = {
            "code": code, "client_id": asked.client.client_id, "redirect_uri": payload.redirect_uri, "scope": payload.scope,
            "sub": asked.user.id, "code_challenge": payload.data.get("code_challenge"),
            "code_challenge_method": payload.data.get("code_challenge_method"),
        }  # fmt: skip
        database().execute("INSERT INTO codes VALUES (?, ?)", (hashed(code), json.dumps(data)))

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        row = database().execute("SELECT data FROM codes WHERE code = ?", (hashed(code),)).fetchone()
        data = None if row is None else json.loads(row[0])
        return Code(**data) if data and data["client_id"] == client.client_id else None

    def delete_authorization_code(self, code: Any) -> None:
        database().execute("DELETE FROM codes WHERE code = ?", (hashed(code.code),))

    def authenticate_user(self, code: Any) -> User:
        return User(code.sub)


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("none",)
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, text: str) -> Token | None:
        token = find("refresh", text)
        return None if token is None or token.revoked else token

    def authenticate_user(self, token: Token) -> User:
        return token.get_user()

    def revoke_old_credential(self, token: Token) -> None:
        database().execute("UPDATE tokens SET revoked = 1 WHERE access = ?", (token.key,))


class MachineGrant(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = ("client_secret_basic",)

    def query_token(self, text: str, _hint: str | None) -> Token | None:
        return find("access", text) or find("refresh", text)

    def check_permission(self, _token: Token, _client: Client, _asked: Any) -> bool:
        return True

    def introspect_token(self, token: Token) -> dict[str, Any]:
        return {"active": True, **token.data}


app = Flask(__name__)
app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
server = AuthorizationServer(app, query_client=CLIENTS.get, save_token=save)
server.register_grant(CodeGrant, [CodeChallenge(required=True)])
server.register_grant(RefreshGrant)
server.register_grant(MachineGrant)
server.register_endpoint(Introspection)


@app.get("/authorize")
def authorize() -> Response:
    """Answer with a code: whoever has the cookie is signed in and has consented."""
    name = request.cookies.get("session")
    if name != "somebody":
        return Response("sign in first", 401)
    grant = server.get_consent_grant(end_user=User(name))
    answer: Response = server.create_authorization_response(grant_user=User(name), grant=grant)
    return answer


@app.post("/token")
def token() -> Response:
    answer: Response = server.create_token_response()
    return answer


@app.post("/introspect")
def introspect() -> Response:
    answer: Response = server.create_endpoint_response("introspection")
    return answer


@app.get("/.well-known/oauth-authorization-server")
def metadata() -> Response:
    base = f"http://127.0.0.1:{PORT}"
    return jsonify(issuer=base, authorization_endpoint=f"{base}/authorize", token_endpoint=f"{base}/token")
