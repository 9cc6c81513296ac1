"""Where clients come with their credentials: token, revocation, introspection."""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.authserver import clients, revocation, token
from doorward.authserver.client_keys import ClientKeys
from doorward.authserver.grants import jwt_bearer
from doorward.authserver.grants.device_code import Pace
from doorward.authserver.grants.outcome import Refused as GrantRefused
from doorward.authserver.grants.outcome import TokenRules
from doorward.authserver.http.answers import NO_STORE, POST
from doorward.authserver.http.machine import MachinePaths
from doorward.authserver.http.services import Services
from doorward.authserver.http.trail import Trail, trail
from doorward.authserver.introspection import Introspection, KeptAnswers
from doorward.authserver.throttle import SecretThrottle
from doorward.credentials.authenticate import Door
from doorward.model import Connection, Instant
from doorward.protocol import client_auth, faults
from doorward.protocol import token as token_messages
from doorward.protocol.discovery import DEVICE_AUTHORIZATION_PATH, INTROSPECTION_PATH, REVOCATION_PATH, TOKEN_PATH
from doorward.protocol.errors import OAuthError
from doorward.protocol.token import AUTHORIZATION_CODE, REFRESH_TOKEN
from doorward.storage import connections, issued
from doorward.storage.attempts import Step
from doorward.storage.database import Reader, StorageUnavailable, Unstorable
from doorward.web import causes
from doorward.web.budgets import MinuteBudget
from doorward.web.client_requests import presented_client, read_client_request, read_form

REFUSALS_TOLD: Final = 20
"""Of one trust rule and minute: anybody can send what is refused, and nobody may fill the audit trail with it."""

_STEPS: Final = {AUTHORIZATION_CODE: Step.TOKEN, REFRESH_TOKEN: Step.REFRESHED}


class TokenEndpoints:
    """Token (RFC 6749), revocation (RFC 7009) and introspection (RFC 7662)."""

    def __init__(self, services: Services, *, api_key_prefix: str, client_keys: ClientKeys) -> None:
        self._with, self._client_keys, self._pace = services, client_keys, Pace()
        door = Door(
            issuer=services.public_url, keys=services.keys.look, fingerprinter=services.fingerprinter,
            prefix=api_key_prefix,
        )  # fmt: skip
        self._introspection = Introspection(directory=services.directory, door=door)
        self._answers = KeptAnswers()
        self.throttle = SecretThrottle(services.fingerprinter)
        self._refusals = MinuteBudget(REFUSALS_TOLD, now=services.now)
        # RFC 7523 bis says the issuer, its libraries may add a slash; older clients take the token endpoint.
        issuer = services.public_url
        self._names = (issuer, issuer + "/", issuer + TOKEN_PATH)
        self._audiences = (*self._names, issuer + DEVICE_AUTHORIZATION_PATH)

    def routes(self, machine: MachinePaths) -> list[Route]:
        """Return the advertised paths and those that clients guess (B3)."""
        return [
            *machine.routes(self._with.trails.noted(self._followed), POST, TOKEN_PATH, "/token"),
            *machine.routes(self._revoke, POST, REVOCATION_PATH, "/revoke"),
            *machine.routes(self._introspect, POST, INTROSPECTION_PATH, "/introspect"),
        ]

    async def _followed(self, request: Request) -> Response:
        """Answer, and say whose attempt it was part of: a code or a refresh token of the client that sends it."""
        sent = await read_form(request)
        if sent.values.get("grant_type") == token_messages.JWT_BEARER:
            return await self._workload(request, sent)
        asked = presented_client(request, sent)
        mine, grant = trail(request), sent.values.get("grant_type", "")
        mine.client_id = asked.client_id
        try:
            response = await self._token(request, sent, asked)
        except OAuthError:
            mine.step = _STEPS.get(grant)
            await self._find_out(mine, sent)
            raise
        # A refresh that works is nothing to look at.
        mine.step = Step.TOKEN if grant == AUTHORIZATION_CODE or token.is_device(sent) else None
        return response

    async def _find_out(self, mine: Trail, sent: token_messages.TokenForm) -> None:
        of = self._with.fingerprinter.of

        def look(reader: Reader) -> Connection | None:
            found = issued.refresh_token_by_fingerprint(reader, of(sent.values.get(REFRESH_TOKEN, "")))
            code = issued.code_by_fingerprint(reader, of(sent.values.get("code", "")))
            proof = found or code
            if proof is None or proof.client_id != mine.client_id:
                return None
            return connections.connection_by_id(reader, proof.connection_id)

        with suppress(StorageUnavailable, Unstorable):
            _belongs(mine, await self._with.database.read(look))

    async def _token(
        self, request: Request, sent: token_messages.TokenForm, asked: client_auth.PresentedClient
    ) -> Response:
        presented = await self.proven(request, asked, asking=token.is_device(sent))
        now, rules = self._with.now(), self._rules(request)
        await self._with.keys.refresh()
        with self.throttle.watching(presented, self._with.requester.of(request), now):
            if token.is_device(sent):
                await self._look(sent, presented, now)
            outcome = await self._with.database.write(
                lambda tx: token.exchange(
                    tx,
                    sent,
                    presented,
                    directory=self._with.directory,
                    rules=rules,
                    now=now,
                    entropy=self._with.entropy,
                )
            )
        if isinstance(outcome, GrantRefused):
            raise outcome.error
        _belongs(trail(request), outcome.connection)
        answer = token.answer(outcome, rules=rules, now=now, entropy=self._with.entropy)
        return JSONResponse(answer, headers=NO_STORE)

    def _rules(self, request: Request) -> TokenRules:
        return replace(self._with.token_rules, cause=causes.of(request))

    async def _look(self, sent: token_messages.TokenForm, presented: client_auth.PresentedClient, now: Instant) -> None:
        """Answer a device that has to wait, without a write. Raises ``OAuthError``."""
        rules = self._with.token_rules
        try:
            await self._with.database.read(
                lambda reader: token.look(reader, sent, presented, directory=self._with.directory, rules=rules, now=now)
            )
        except OAuthError as waiting:
            if waiting.fault is faults.DEVICE_PENDING:
                self._pace.keep(self._with.fingerprinter.of(sent.required("device_code")), now)
            raise

    async def _workload(self, request: Request, sent: token_messages.TokenForm) -> Response:
        """Answer a workload, which no client stands for (RFC 7523 section 2.1)."""
        asked = token_messages.read_workload(sent, authorization="authorization" in request.headers)
        database, entropy = self._with.database, self._with.entropy
        sources = await database.read(lambda reader: jwt_bearer.sources(reader, asked))
        await self._with.key_sets.ready(sources, asked.assertion.kid, asker=self._with.requester.of(request))
        await self._with.keys.refresh()
        now, rules, names = self._with.now(), self._rules(request), self._names
        try:
            granted = await database.write(
                lambda tx: jwt_bearer.issue(tx, asked, rules=rules, audiences=names, now=now, entropy=entropy)
            )
        except jwt_bearer.NotTrusted as refused:
            wrong = refused
            if wrong.nearest is not None and self._refusals.spend(wrong.nearest.id):
                await database.write(lambda tx: jwt_bearer.record_refusal(tx, wrong, now, rules.cause))
            raise wrong.error from None
        answer = token.answer(granted, rules=rules, now=now, entropy=entropy)
        return JSONResponse(answer, headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        sent, presented = await self._client_request(request)
        text = token_messages.read_question(sent).token
        claims = revocation.read_access_token(await self._with.keys.refresh(), text, self._with.public_url)
        now = self._with.now()
        with self.throttle.watching(presented, self._with.requester.of(request), now):
            await self._with.database.write(
                lambda tx: revocation.revoke(
                    tx,
                    text,
                    claims,
                    presented,
                    directory=self._with.directory,
                    fingerprinter=self._with.fingerprinter,
                    now=now,
                    cause=causes.of(request),
                )
            )
        return Response(status_code=200, headers=NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        sent, presented = await self._client_request(request)
        text, now, asks = token_messages.read_question(sent).token, self._with.now(), presented.client_id
        keys, tenant_id = await self._with.keys.refresh(), self._answers.tenant_of(text, asks)
        # Before the rows: read the other way round, an old answer could get the new revision and stay for ever.
        stamp = await self._with.database.revisions(tenant_id)
        kept = self._answers.find(text, asks, stamp=stamp, keys=keys, now=now)
        with self.throttle.watching(presented, self._with.requester.of(request), now):
            found = await self._with.database.read(
                lambda reader: self._introspection.answer(reader, text, presented, now, kept)
            )
        if kept is None:
            self._answers.keep(text, asks, found, stamp=stamp, tenant_id=tenant_id, keys=keys)
        return JSONResponse(found, headers=NO_STORE)

    async def _client_request(self, request: Request) -> tuple[token_messages.TokenForm, client_auth.PresentedClient]:
        """Return the form and who says to send it; an assertion is proven, a secret is not yet looked at."""
        sent, presented = await read_client_request(request)
        # Of what was approved, whatever else stands in the form: who has a document today may not have had it then.
        return sent, await self.proven(request, presented, asking=False)

    async def proven(
        self, request: Request, presented: client_auth.PresentedClient, *, asking: bool
    ) -> client_auth.PresentedClient:
        """Return what was presented with its assertion, if it is one, checked and used up."""
        if presented.assertion is None:
            return presented
        await self._client_keys.ready(presented.assertion, asker=self._with.requester.of(request))
        now = self._with.now()
        return await self._with.database.write(
            lambda tx: clients.prove(tx, self._with.directory, presented, self._audiences, now, asking=asking)
        )


def _belongs(mine: Trail, connection: Connection | None) -> None:
    if connection is not None:
        mine.connection_id, mine.tenant_id = connection.id, connection.tenant_id
        mine.user_id, mine.redirect_uri = connection.user_id, connection.redirect_uri
