"""Asking identity providers: where they are, whom they let in, and with whose keys they sign.

By the guarded fetch, outside every transaction. What a provider publishes is kept in memory for as long as it says,
its keys in the database (``key_sets``). A provider that cannot be asked is another thing than one whose answer is wrong.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from doorward.credentials.client_assertion import verify
from doorward.federation.key_sets import KeySets
from doorward.federation.templates import Template, templates
from doorward.federation.vouching import NotVouched, Vouched, claims_of_account, vouched
from doorward.model import SECOND, IdentityProvider, Instant
from doorward.protocol import http_cache, jsonrpc, pkce, signed_jwt
from doorward.protocol import identity_provider as rules
from doorward.protocol.errors import JsonRpcError
from doorward.protocol.identity_provider import ProviderMetadata
from doorward.protocol.signed_jwt import BadAssertion
from doorward.storage import key_sets, upstream_secrets
from doorward.storage.database import Database
from doorward.storage.key_sets import URI
from doorward.vault import Unsealed
from doorward.web.fetch import Fetcher, TooManyFetches
from doorward.web.https_get import Failure, Fetched, FetchFailed

MAX_BYTES: Final = 64 * 1024
MAX_TOKEN: Final = 32 * 1024
_ACCEPT: Final = {"Accept": "application/json"}
_FORM: Final = {**_ACCEPT, "Content-Type": "application/x-www-form-urlencoded"}
_MINUTE: Final = 60 * SECOND
_FRESH: Final = _MINUTE
"""How far a provider's clock may be behind ours before an older proof is taken for one."""


class ProviderAway(Exception):  # noqa: N818  (a state of another system, answered 503)
    """The provider cannot be asked. The message is private."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One sign-in as it was sent to a provider: what its answer must fit."""

    redirect_uri: str
    nonce: str
    verifier: str
    started_at: Instant


class ProviderClient:
    """One per process. ``open_secret(name, sealed)`` opens a value of the vault and raises ``Unsealed``."""

    def __init__(
        self,
        *,
        database: Database,
        fetcher: Fetcher,
        now: Callable[[], Instant],
        open_secret: Callable[[str, str], str],
    ) -> None:
        self._database, self._fetcher, self._now, self._open_secret = database, fetcher, now, open_secret
        self._keys = KeySets(database=database, fetcher=fetcher, now=now)
        self._known: dict[tuple[str, str], tuple[Instant, ProviderMetadata]] = {}

    async def location(self, provider: IdentityProvider, asked: Asked, *, state: str, again: bool) -> str:
        """Return where the browser goes; with ``again`` the person has to prove anew who they are.

        Raises ``ProviderAway``, ``NotVouched``.
        """
        template, metadata = template_of(provider), await self.metadata(provider)
        pairs = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": asked.redirect_uri,
            "scope": " ".join(dict.fromkeys((*template.scopes, *provider.scopes))),
            "state": state,
            "code_challenge": pkce.challenge_of(asked.verifier),
            "code_challenge_method": pkce.METHOD,
        }
        pairs |= {"nonce": asked.nonce} if template.plain is None else {}
        pairs |= {"prompt": template.prompt} if again else {}
        start = metadata.authorization_endpoint
        return f"{start}{'&' if '?' in start else '?'}{urlencode(pairs)}"

    async def metadata(self, provider: IdentityProvider) -> ProviderMetadata:
        """Return what the provider publishes. Raises ``ProviderAway``, ``NotVouched``."""
        template = template_of(provider)
        if template.metadata is not None:
            return template.metadata
        place = template.key, provider.issuer
        until, known = self._known.get(place, (Instant(0), None))
        if known is not None and self._now() < until:
            return known
        answer = await self._get(provider, provider.issuer.removesuffix("/") + rules.DISCOVERY, _ACCEPT)
        try:
            found = rules.read_metadata(answer.body, template.named_by_tokens(provider.issuer))
        except ValueError as wrong:
            raise NotVouched(str(wrong)) from None
        fresh = http_cache.freshness(answer.headers)
        self._known[place] = Instant(self._now() + fresh * SECOND), found
        return found

    async def names_itself(self, provider: IdentityProvider, said: str | None) -> bool:
        """Say whether the ``iss`` of an answer is right (RFC 9207). Raises as ``metadata`` does."""
        metadata = await self.metadata(provider)
        return rules.answer_names(metadata.issuer, said, always=metadata.names_itself)

    async def redeem(self, provider: IdentityProvider, asked: Asked, code: str) -> Vouched:
        """Return who comes with ``code``. Raises ``ProviderAway``, ``NotVouched``."""
        template, metadata = template_of(provider), await self.metadata(provider)
        tokens = await self._tokens(provider, metadata, asked, code)
        access_token = tokens.get("access_token")
        if not isinstance(access_token, str) or not access_token.isascii() or not access_token.isprintable():
            raise NotVouched("no access token")
        if template.plain is not None:
            account = await self._member(provider, template.plain.user, access_token)
            addresses = _list(await self._get(provider, template.plain.emails, _bearer(access_token)))
            told = claims_of_account(account, addresses)
            return vouched(provider, template, told, issuer=provider.issuer, authenticated_at=self._now())
        claims = await self._claims(provider, metadata, asked, tokens.get("id_token"), access_token)
        proven_at = rules.authenticated_at(claims, self._now())
        if proven_at >= asked.started_at - _FRESH:
            proven_at = self._now()
        said = await self._with_address(provider, template, metadata, claims, access_token)
        return vouched(provider, template, said, issuer=claims["iss"], authenticated_at=proven_at)

    async def examine(self, provider: IdentityProvider) -> None:
        """Ask for all that a sign-in needs but a person. Raises ``ProviderAway``, ``NotVouched``."""
        metadata = await self.metadata(provider)
        await self._secret(provider)
        if metadata.jwks_uri is not None:
            source = URI + metadata.jwks_uri
            await self._keys.ready([source], None, asker=f"provider {provider.slug}")
            if await self._database.read(lambda reader: key_sets.key_set(reader, source)) is None:
                raise NotVouched(
                    f"{metadata.jwks_uri} holds no key for {', '.join(rules.ALGORITHMS)}, or cannot be fetched"
                )

    async def _tokens(
        self, provider: IdentityProvider, metadata: ProviderMetadata, asked: Asked, code: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
        }
        secret, headers = await self._secret(provider), dict(_FORM)
        if not secret or metadata.secret_in_body:
            form |= {"client_id": provider.client_id} | ({"client_secret": secret} if secret else {})
        else:
            # RFC 6749 section 2.3.1: both are form-encoded first.
            pair = f"{quote(provider.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        body = urlencode(form).encode()
        return _object(await self._get(provider, metadata.token_endpoint, headers, body))

    async def _claims(
        self, provider: IdentityProvider, metadata: ProviderMetadata, asked: Asked, id_token: object, access_token: str
    ) -> Mapping[str, Any]:  # fmt: skip
        """Return the claims of an ID token that is signed and the answer to what was asked."""
        if not isinstance(id_token, str) or metadata.jwks_uri is None:
            raise NotVouched("no ID token")
        try:
            token = signed_jwt.read(id_token, rules.TYPES, algorithms=rules.ALGORITHMS, longest=MAX_TOKEN)
            source = URI + metadata.jwks_uri
            await self._keys.ready([source], token.kid, asker=f"provider {provider.slug}")
            known = await self._database.read(lambda reader: key_sets.key_set(reader, source))
            if known is None:
                raise ProviderAway("its keys cannot be fetched")
            verify(token, known.keys)
        except BadAssertion as wrong:
            raise NotVouched(f"ID token: {wrong}") from None
        failed = rules.failures(
            token.claims, issuer=metadata.issuer, client_id=provider.client_id, nonce=asked.nonce,
            access_token=access_token, now=self._now(),
        )  # fmt: skip
        if failed:
            raise NotVouched(f"ID token does not fit by {', '.join(failed)}")
        return token.claims

    async def _with_address(
        self, provider: IdentityProvider, template: Template, metadata: ProviderMetadata, claims: Mapping[str, Any],
        access_token: str,
    ) -> Mapping[str, Any]:  # fmt: skip
        """Return the claims with what the userinfo endpoint says, where the ID token is silent about the address.

        Providers may tell it there only (Core section 5.4), or the address here and whether it is verified there: then
        all that is said of the person is taken from there.
        """
        said_here = {"email", template.verified_claim} <= claims.keys()
        # A claim of the provider's own is told nowhere else: without it the address is not verified.
        only_here = "email" in claims and template.verified_claim != "email_verified"
        if metadata.userinfo_endpoint is None or said_here or only_here:
            return claims
        told = await self._member(provider, metadata.userinfo_endpoint, access_token)
        if told.get("sub") != claims["sub"]:
            # Core section 5.3.2: else a token that was swapped would bring somebody else's address.
            raise NotVouched("userinfo is about another subject")
        about_address = {"email", "email_verified", template.verified_claim}
        kept = {name: value for name, value in claims.items() if name not in about_address}
        return {**told, **kept}

    async def _member(self, provider: IdentityProvider, url: str, access_token: str) -> Mapping[str, Any]:
        return _object(await self._get(provider, url, _bearer(access_token)))

    async def _secret(self, provider: IdentityProvider) -> str:
        if not provider.secret:
            return ""
        sealed = await self._database.read(upstream_secrets.sealed_secrets)
        if provider.secret not in sealed:
            raise ProviderAway(f"there is no secret {provider.secret}: run `doorward secret set {provider.secret}`")
        try:
            return self._open_secret(provider.secret, sealed[provider.secret])
        except Unsealed:
            raise ProviderAway(f"the secret {provider.secret} was sealed by another key") from None

    async def _get(
        self, provider: IdentityProvider, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Fetched:  # fmt: skip
        try:
            return await self._fetcher.get(
                url, asker=f"provider {provider.slug}", headers=headers, limit=MAX_BYTES, body=body
            )  # fmt: skip
        except TooManyFetches as busy:
            raise ProviderAway(str(busy)) from None
        except FetchFailed as failed:
            if failed.kind is Failure.ANSWER:
                raise NotVouched(f"{url.partition('?')[0]}: {failed.reason}") from None
            raise ProviderAway(failed.reason) from None


def template_of(provider: IdentityProvider) -> Template:
    """Return what is known of its kind; raises ``NotVouched`` where that is not known any more."""
    found = templates().get(provider.template)
    if found is None:
        raise NotVouched(f"unknown template {provider.template!r}")
    return found


def _bearer(access_token: str) -> dict[str, str]:
    return {**_ACCEPT, "Authorization": f"Bearer {access_token}"}


def _object(answer: Fetched) -> Mapping[str, Any]:
    try:
        return jsonrpc.decode_object(answer.body)
    except JsonRpcError as wrong:
        raise NotVouched(f"not a JSON object: {wrong.reason}") from None


def _list(answer: Fetched) -> list[Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise NotVouched("not JSON") from None
    if not isinstance(found, list):
        raise NotVouched("not a JSON list")
    return found
