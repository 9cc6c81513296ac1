"""Three ways of knowing a bearer, as ``mcp`` token verifiers: all answer the verified token or None (401).

A failure to find out is told apart (``trouble``): ``http.Answers`` turns the 401 that follows into a 503, because a client
that is told 401 throws its tokens away and makes a person sign in again.
"""

import hashlib
import logging
import re
import time
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import httpx2
from mcp.server.auth.provider import AccessToken, TokenVerifier
from typing_extensions import override

from doorward.sdk import fetch, tokens
from doorward.sdk.caller import as_access_token
from doorward.sdk.errors import NotVerifiedError, UnavailableError
from doorward.sdk.tokens import Clock, IssuerKeys

log = logging.getLogger(__name__)

REMEMBERED_TOKENS: Final = 1024
STALE_AT_MOST: Final = 15 * 60
"""Seconds that a token may live to be believed without asking."""
TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]{1,8192}=*")

trouble: ContextVar[list[str] | None] = ContextVar("doorward_trouble", default=None)
"""Collects, for one HTTP request, why its bearer could not be checked."""


class Verifier(TokenVerifier):
    """What the three share. ``resource`` is this server's own URL, the audience of its tokens, byte for byte."""

    def __init__(
        self, *, issuer: str, resource: str, http: httpx2.AsyncClient | None = None, now: Clock = time.time
    ) -> None:
        self.issuer = fetch.origin(issuer)
        self.resource = resource
        self._now = now
        self._http = http or fetch.new_client()

    @override
    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the verified token with its claims, or None; the reason goes to the log."""
        if not TOKEN.fullmatch(token):
            log.info("bearer refused: not one by its form")
            return None
        try:
            return await self._verify(token)
        except NotVerifiedError as refused:
            log.info("bearer refused: %s", refused)
        except UnavailableError as failure:
            log.error("bearer not checked: %s", failure)  # noqa: TRY400  (not a defect of this program)
            told = trouble.get()
            if told is not None:
                told.append(str(failure))
        return None

    @abstractmethod
    async def _verify(self, token: str) -> AccessToken:
        """Return the verified token. Raises ``NotVerifiedError`` and ``UnavailableError``."""


class _Signed(Verifier):
    """A token that says by itself who is calling; kept until it expires."""

    typ: str

    def __init__(
        self, *, issuer: str, resource: str, http: httpx2.AsyncClient | None = None, now: Clock = time.time
    ) -> None:
        super().__init__(issuer=issuer, resource=resource, http=http, now=now)
        self._keys = IssuerKeys(issuer, self._http, now=now)
        self._seen: OrderedDict[bytes, AccessToken] = OrderedDict()

    @override
    async def _verify(self, token: str) -> AccessToken:
        place = hashlib.sha256(token.encode()).digest()
        known = self._seen.get(place)
        if known is not None and (known.expires_at or 0) > self._now():
            return known
        said = await tokens.verified(
            token, self._keys, typ=self.typ, issuer=self.issuer, audience=self.resource, now=self._now()
        )
        found = as_access_token(token, self._claims(said), expires_at=said["exp"], resource=self.resource)
        self._seen[place] = found
        if len(self._seen) > REMEMBERED_TOKENS:
            self._seen.popitem(last=False)
        return found

    def _claims(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        return said


class GatewayIdentity(_Signed):
    """For a server behind the gateway: its identity token, at most a minute old, made for this upstream's URL.

    What the caller may do was decided by the gateway at this very call. Anything else is refused, also a good access
    token of the same issuer: who reaches this server past the gateway gets no further.
    """

    typ = tokens.IDENTITY_TOKEN


class StaleTokens(_Signed):
    """For a server without the gateway that must not ask: access tokens believed until they expire.

    STALE: a right that was taken away, a disconnected app or a disabled user goes on working until the token's end.
    Therefore only tokens that live at most 15 minutes are taken; longer ones are an error of the set-up (503, and a log
    line that says what to change). An access token does not say which resources it is limited to, so its caller has no
    ``roots``, and no resource check lets it through. API keys are no tokens and are refused.
    """

    typ = tokens.ACCESS_TOKEN

    @override
    def _claims(self, said: Mapping[str, Any]) -> Mapping[str, Any]:
        lifetime = said["exp"] - said["iat"]
        if lifetime > STALE_AT_MOST:
            raise UnavailableError(
                f"this access token lives {lifetime} s, and StaleTokens takes at most {STALE_AT_MOST} s: lower the "
                "lifetime of access tokens in Doorward, or use LiveTokens"
            )
        scopes = said.get("scope")
        return {
            "iss": self.issuer,
            "sub": said.get("sub"),
            "tenant_id": said.get("tenant"),
            "client": said.get("client_id"),
            "credential": "access_token",
            "scopes": scopes.split() if isinstance(scopes, str) else None,
            "resources": [],
        }


class LiveTokens(Verifier):
    """For a server without the gateway: asks Doorward about the bearer of each call (RFC 7662).

    Access tokens for ``resource`` and API keys that work at this server. What was taken away is refused at the next call.
    ``client_id`` is a confidential client of Doorward that ``introspects`` this server. Nothing is kept.
    """

    def __init__(
        self, *, issuer: str, resource: str, client_id: str, client_secret: str,
        http: httpx2.AsyncClient | None = None, now: Clock = time.time,
    ) -> None:  # fmt: skip
        super().__init__(issuer=issuer, resource=resource, http=http, now=now)
        self._credentials = httpx2.BasicAuth(client_id, client_secret)

    @override
    async def _verify(self, token: str) -> AccessToken:
        answer = await fetch.json_object(
            self._http, "POST", f"{self.issuer}/oauth/introspect", data={"token": token}, auth=self._credentials
        )
        if answer.get("active") is not True:
            raise NotVerifiedError("not active")
        self._check(answer)
        return as_access_token(token, _introspected(answer), expires_at=answer.get("exp"), resource=self.resource)

    def _check(self, answer: Mapping[str, Any]) -> None:
        if answer.get("iss") != self.issuer:
            raise NotVerifiedError("another issuer")
        # An API key has no audience: that the key works at this server is what Doorward answered.
        key = answer.get("credential") == "api_key"
        if answer.get("aud") != self.resource and not (key and "aud" not in answer):
            raise NotVerifiedError("another audience")
        expires = answer.get("exp")
        if not (type(expires) is int and expires > self._now()) and not (key and expires is None):
            raise NotVerifiedError("expired")


def _introspected(answer: Mapping[str, Any]) -> dict[str, Any]:
    # Only a client that introspects the server is told of resources; of another client's answer they would be missing,
    # and missing reads as "the whole tenant".
    if not isinstance(answer.get("tenant_slug"), str) or not isinstance(answer.get("scope"), str):
        raise UnavailableError(
            "the answer is not one for a server: does this client introspect it (introspects: [...])?"
        )
    claims = {
        "iss": answer["iss"],
        "sub": answer.get("sub"),
        "email": answer.get("username"),
        "tenant": answer["tenant_slug"],
        "tenant_id": answer.get("tenant"),
        "client": answer.get("client_id"),
        "credential": answer.get("credential"),
        "scopes": answer["scope"].split(),
    }
    return claims | ({"resources": answer["resources"]} if "resources" in answer else {})
