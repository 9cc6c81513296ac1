"""An identity provider of the test's own: a real https server that behaves, or does not, as a test wants.

It keeps its side of the protocol: a code is good once, for the client, redirect URI and PKCE verifier that asked.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from doorward.credentials import upstream_secrets
from doorward.model import IdentityProvider, Instant, ProviderId
from doorward.protocol.id_token import at_hash
from doorward.storage.database import Transaction
from support.assertions import RSA, KeyPair
from support.https_server import HttpsServer, http
from support.pages import SEALER
from support.rows import NOW
from support.sign_in_rules import put_provider

SECRET = "the provider's secret"
SUBJECT = "subject-1"


@dataclass
class Idp:
    """An issuer behind ``server``. ``person`` are the claims of whoever signs in there."""

    server: HttpsServer
    now: Callable[[], Instant]
    slug: str = "corp"
    path: str = ""
    pair: KeyPair = RSA
    kid: str | None = "k1"
    person: dict[str, Any] = field(default_factory=lambda: {"sub": SUBJECT, "name": "Erin Example"})
    changed: dict[str, Any] = field(default_factory=dict)
    """Claims of the next ID tokens that are not what they should be; None leaves one out."""
    header: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[Mapping[str, Any]], str] | None = None
    """Instead of the right key."""
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    status: str = "200 OK"
    asked: list[dict[str, str]] = field(default_factory=list)
    """The authorization requests that came, latest last."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Why the token endpoint refused what it refused."""

    def __post_init__(self) -> None:
        self.server.answer = self._answer

    @property
    def issuer(self) -> str:
        return self.server.url(self.path)

    def provider(self, **more: Any) -> IdentityProvider:
        """Return its declaration."""
        plain = IdentityProvider(
            id=ProviderId(f"idp_{self.slug}"), slug=self.slug, name="Corp SSO", template="oidc", issuer=self.issuer,
            client_id="doorward", secret="CORP", created_at=NOW,
        )  # fmt: skip
        return replace(plain, **more)

    def declare(self, tx: Transaction, **more: Any) -> IdentityProvider:
        """Store the declaration and the secret."""
        provider = self.provider(**more)
        put_provider(tx, provider)
        sealed = upstream_secrets.seal("CORP", SECRET, sealer=SEALER, entropy=lambda count: b"n" * count)
        upstream_secrets.set_secret(tx, "CORP", sealed, now=NOW)
        return provider

    def approve(self, location: str, **more: str) -> str:
        """Do what the person does there; return the path and query that the browser is sent back to."""
        assert location.startswith(f"{self.server.url(f'{self.path}/authorize')}?"), location
        asked = {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self.codes[code] = asked
        back = urlsplit(asked["redirect_uri"])
        answer = {"code": code, "state": asked["state"]} | more
        return f"{back.path}?{urlencode({name: value for name, value in answer.items() if value})}"

    def claims(self, asked: Mapping[str, str], access_token: str) -> dict[str, Any]:
        """Return what the ID token for a request says."""
        seconds = self.now() // 1_000_000
        said = {
            "iss": self.issuer, "aud": asked["client_id"], "nonce": asked.get("nonce"), "iat": seconds,
            "exp": seconds + 300, "auth_time": seconds, "at_hash": at_hash(access_token), **self.person, **self.changed,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        head, body = self.server.requests[-1], self.server.bodies[-1]
        path = head.split(" ")[1].removeprefix(self.path)
        found: Any = {
            "/.well-known/openid-configuration": self._discovery,
            "/jwks": lambda: {"keys": [self.pair.public(self.kid) | {"use": "sig"}]},
            "/token": lambda: self._token(head, body),
            "/userinfo": lambda: {} if self.userinfo is None else self.userinfo,
        }.get(path, lambda: None)()
        status = "404 Not Found" if found is None else "400 Bad Request" if "error" in found else self.status
        writer.write(http(json.dumps(found).encode(), status=status))
        await writer.drain()

    def _discovery(self) -> dict[str, Any]:
        at = {
            name: self.server.url(f"{self.path}/{place}")
            for name, place in (
                ("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "jwks"),
            )
        }  # fmt: skip
        more = {} if self.userinfo is None else {"userinfo_endpoint": self.server.url(f"{self.path}/userinfo")}
        return {"issuer": self.issuer, **at, **more, **self.metadata}

    def _token(self, head: str, body: bytes) -> dict[str, Any]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        checks = {
            "code": asked is not None,
            "verifier": _base64url(verifier) == (asked or {}).get("code_challenge"),
            "redirect_uri": form.get("redirect_uri") == (asked or {}).get("redirect_uri"),
            "client": _basic(head) == ("doorward", SECRET),
        }
        failed = [name for name, holds in checks.items() if not holds]
        if asked is None or failed:
            self.refused.append(" ".join(failed))
            return {"error": "invalid_grant"}
        token = f"at-{form['code']}"
        claims = self.claims(asked, token)
        header = {} if self.kid is None else {"kid": self.kid}
        made = self.sign(claims) if self.sign else self.pair.sign(claims, **header, **self.header)
        return {"access_token": token, "token_type": "Bearer", "id_token": made}


def _basic(head: str) -> tuple[str, str] | None:
    for line in head.splitlines():
        name, _, value = line.partition(": ")
        if name.lower() == "authorization" and value.startswith("Basic "):
            user, _, secret = base64.b64decode(value.removeprefix("Basic ")).decode().partition(":")
            return unquote(user), unquote(secret)
    return None


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
