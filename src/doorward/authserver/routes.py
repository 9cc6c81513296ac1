"""HTTP of the authorization server: reads requests, runs use cases, writes answers. Decides nothing.

Two kinds of paths. Pages (authorize, consent) are for a person's browser: no CORS, cookies, 303. Machine paths
(metadata, registration, token, revocation) are JSON whatever happens: a database that is away is a 503 that says so.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doorward.accounts.sessions import session_user
from doorward.authserver import authorize, clients, consent, cors, discovery, registration, revocation, token
from doorward.authserver.authorize import Answer, SignedIn, SignIn
from doorward.authserver.client_documents import ClientDocuments, account
from doorward.authserver.clients import ClientDirectory, Copies
from doorward.authserver.consent import Answered, AskAgain, ConsentRules, Question
from doorward.authserver.consent_page import CONSENT_PATH, context, sign_in_url
from doorward.authserver.envelope import Envelopes, Pending, ShownForm
from doorward.authserver.grants.outcome import Refused as GrantRefused
from doorward.authserver.grants.outcome import TokenRules
from doorward.authserver.introspection import Introspection
from doorward.authserver.throttle import SecretThrottle
from doorward.credentials.authenticate import Door
from doorward.credentials.issuer import TokenIssuer
from doorward.credentials.secret import Fingerprinter, base64url
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import Entropy, Instant
from doorward.protocol import authorization, client_auth, faults, form
from doorward.protocol import token as token_messages
from doorward.protocol.client_metadata import MAX_BODY, parse_registration
from doorward.protocol.discovery import (
    AUTHORIZATION_PATH,
    INTROSPECTION_PATH,
    JWKS_PATH,
    REGISTRATION_PATH,
    REVOCATION_PATH,
    TOKEN_PATH,
)
from doorward.protocol.errors import OAuthError, PageError, ProtocolError
from doorward.storage.database import Database, Reader, StorageUnavailable, Transaction, Unstorable
from doorward.vault import Sealer
from doorward.web import request_id
from doorward.web.client_requests import read_body, read_client_request
from doorward.web.cookies import Cookies
from doorward.web.errors import Errors
from doorward.web.fetch import Fetcher
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.pages import Pages
from doorward.web.refused import Refused
from doorward.web.requester import Requester

ALL_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Answered by ourselves, so that a wrong method gets the answer that belongs to the path."""
NO_STORE: Final = {"Cache-Control": "no-store"}
METADATA_CACHE: Final = {"Cache-Control": "public, max-age=60"}
"""Short: what the documents say changes with the configuration, and old signing keys must not linger (D8)."""
BROWSER_ID_BYTES: Final = 24
_FORM_FIELDS: Final = frozenset({"request", "scope", "tenant", "answer"})

_Handler = Callable[[Request], Awaitable[Response]]


class AuthServer:
    """All routes of the authorization server. Times are in seconds; ``public_url`` is the issuer, byte for byte."""

    def __init__(  # noqa: PLR0913  (the composition root fills it in once)
        self,
        *,
        database: Database,
        now: Callable[[], Instant],
        entropy: Entropy,
        public_url: str,
        issuer: TokenIssuer,
        signing_keys: Callable[[], SigningKeys],
        fingerprinter: Fingerprinter,
        sealer: Sealer,
        pages: Pages,
        errors: Errors,
        cookies: Cookies,
        pinned_documents: Copies,
        vendor_schemes: frozenset[str],
        verified_host: Callable[[str, str], str | None],
        code_ttl: int,
        access_ttl: int,
        refresh_idle: int,
        refresh_absolute: int,
        replay_window: int = 60,
        registration_policy: str = "open",
        api_key_prefix: str = "dw",
        allowed_origins: Collection[str] = (),
        bundled_documents: Copies | None = None,
        cimd_policy: str = "pinned",
        fetcher: Fetcher | None = None,
        requester: Requester | None = None,
    ) -> None:
        """Raise ``ValueError`` where a pinned document cannot be used; the message names it."""
        directory = ClientDirectory(
            pinned_documents=pinned_documents, bundled_documents=bundled_documents, policy=cimd_policy,
            vendor_schemes=vendor_schemes,
        )  # fmt: skip
        self._documents = ClientDocuments(database=database, directory=directory, fetcher=fetcher, now=now)
        self._cimd = cimd_policy != "off"
        self._database, self._now, self._entropy = database, now, entropy
        self._public_url, self._signing_keys = public_url, signing_keys
        self._fingerprinter, self._directory, self._vendor_schemes = fingerprinter, directory, vendor_schemes
        self._envelopes = Envelopes(sealer)
        self._pages, self._errors, self._cookies, self._verified_host = pages, errors, cookies, verified_host
        self._access_ttl, self._open = access_ttl, registration_policy == "open"
        self._requester, self._new_clients = requester or Requester(), registration.new_records(now)
        self._throttle, self._api_key_prefix = SecretThrottle(fingerprinter), api_key_prefix
        # RFC 7523 bis says the issuer, its libraries may add a slash; older clients take the token endpoint.
        self._audiences = (public_url, public_url + "/", public_url + TOKEN_PATH)
        self._origins = frozenset({public_url, *allowed_origins})
        self._token_rules = TokenRules(
            issuer=issuer, fingerprinter=fingerprinter, refresh_idle=refresh_idle, replay_window=replay_window
        )
        self._consent_rules = ConsentRules(
            issuer=public_url, directory=directory, fingerprinter=fingerprinter, code_ttl=code_ttl,
            access_ttl=access_ttl, refresh_absolute=refresh_absolute,
        )  # fmt: skip

    def routes(self) -> list[Route]:
        """Return the routes of this surface, the advertised paths and those that clients guess (B3, B6)."""
        post, get = ("POST",), ("GET", "HEAD")
        document = self._machine(self._document, get)
        endpoints = {
            **dict.fromkeys((TOKEN_PATH, "/token"), self._machine(self._token, post)),
            **dict.fromkeys((REVOCATION_PATH, "/revoke"), self._machine(self._revoke, post)),
            **dict.fromkeys((INTROSPECTION_PATH, "/introspect"), self._machine(self._introspect, post)),
            **dict.fromkeys((REGISTRATION_PATH, "/register"), self._machine(self._register, post)),
            **dict.fromkeys((JWKS_PATH, "/.well-known/{rest:path}", "/{inner:path}/.well-known/{rest:path}"), document),
        }
        return [
            *(Route(path, endpoint, methods=ALL_METHODS) for path, endpoint in endpoints.items()),
            *(Route(path, self._authorize, methods=["GET", "POST"]) for path in (AUTHORIZATION_PATH, "/authorize")),
            Route(CONSENT_PATH, self._ask, methods=["GET"]),
            Route(CONSENT_PATH, self._take_answer, methods=["POST"]),
        ]

    async def describe(self, next_path: str, browser: str | None) -> tuple[str, str | None] | None:
        """Return who waits behind the sign-in page, if ``next_path``, where the person goes then, is a request.

        The client's own name, and of a tenant what the server's URL tells anybody: its slug, whether it exists or not.
        """
        path, _, query = next_path.partition("?")
        try:
            sealed = dict(form.parse(query)).get("request", "") if path == CONSENT_PATH else ""
            pending = self._envelopes.open_request(sealed, browser, now=self._now())
        except (PageError, ValueError):
            return None
        return pending.client_name, pending.tenant_slug

    # Pages

    async def _authorize(self, request: Request) -> Response:
        pairs = await _authorization_parameters(request)
        now, secret = self._now(), self._cookies.session(request)
        identified = authorization.parse_client_and_redirect(pairs)
        await self._documents.ready(
            identified, asker=lambda reader: account(self._session(reader, secret, now), self._requester.of(request))
        )
        pending, signed_in = await self._database.read(
            lambda reader: (self._begin(reader, pairs, now), self._session(reader, secret, now))
        )
        if request.method == "POST":
            # A cross-site POST comes without our cookies; the same request as GET brings them, and changes nothing.
            return _see_other(f"{AUTHORIZATION_PATH}?{urlencode(pairs)}")
        step = authorize.next_step(pending, signed_in, issuer=self._public_url)
        if isinstance(step, Answer):
            raise step.error
        known = self._cookies.browser_id(request)
        browser = known or base64url(self._entropy(BROWSER_ID_BYTES))
        sealed = self._envelopes.seal_request(pending, browser, entropy=self._entropy)
        response = _see_other(f"{CONSENT_PATH}?{urlencode({'request': sealed})}")
        if known is None:
            self._cookies.set_browser_id(response, browser)
        return response

    async def _ask(self, request: Request) -> Response:
        browser, now = self._cookies.browser_id(request), self._now()
        sealed = Form(tuple(_query(request))).one("request")
        pending = self._envelopes.open_request(sealed, browser, now=now)
        return await self._next(request, pending, None)

    async def _take_answer(self, request: Request) -> Response:
        require_same_origin(request, self._public_url)
        submitted = await read_form(request)
        browser, now = self._cookies.browser_id(request), self._now()
        shown = self._envelopes.open_form(submitted.one("request"), browser, now=now)
        if {name for name, _ in submitted.pairs} - _FORM_FIELDS:
            # G3: no field of the page names a client, a redirect URI, a user …
            raise PageError(faults.REQUEST_FOREIGN, reason="a field that the page does not have")
        outcome = await self._answer(request, shown, submitted)
        if isinstance(outcome, Answered):
            return _see_other(outcome.location)
        return await self._next(request, shown.pending, outcome)

    async def _answer(self, request: Request, shown: ShownForm, submitted: Form) -> Answered | AskAgain | None:
        """Return what the answer came to; None where the person has to sign in (again) first."""
        now, secret, name = self._now(), self._cookies.session(request), request_id.of(request)
        signed_in = await self._database.read(lambda reader: self._session(reader, secret, now))
        step = authorize.next_step(shown.pending, signed_in, issuer=self._public_url)
        if isinstance(step, SignIn):
            return None
        if isinstance(step, Answer):
            raise step.error
        if step.user.id != shown.user_id:
            raise Refused(faults.REQUEST_FOREIGN, status=403, reason="form of another user")
        answer, ticked = submitted.one("answer"), frozenset(submitted.many("scope"))
        tenant_slug, rules = submitted.one("tenant") or shown.tenant_slug, self._consent_rules
        if answer == "show":
            return AskAgain(tenant_slug, ticked, shown.offered, None)
        if answer not in {"approve", "deny"}:
            raise PageError(faults.REQUEST_FOREIGN, reason=f"answer {answer[:20]!r}")

        def decide(tx: Transaction) -> Answered | AskAgain:
            # Looked at again in the transaction of the change: who signed out meanwhile answers nothing (G11).
            self._require_session(tx, secret, now)
            if answer == "deny":
                return consent.deny(tx, shown, rules=rules, now=now, request_id=name)
            return consent.approve(
                tx, shown, tenant_slug=tenant_slug, ticked=ticked, rules=rules, now=now, entropy=self._entropy,
                request_id=name,
            )  # fmt: skip

        return await self._database.write(decide)

    async def _next(self, request: Request, pending: Pending, again: AskAgain | None) -> Response:
        """Show the page that the request needs now: sign-in, or consent bound to the user it is shown to (G11)."""
        now, secret = self._now(), self._cookies.session(request)
        rules = self._consent_rules

        def look(reader: Reader) -> SignIn | Question:
            step = authorize.next_step(pending, self._session(reader, secret, now), issuer=self._public_url)
            if isinstance(step, Answer):
                raise step.error
            if isinstance(step, SignIn):
                return step
            slug = None if again is None else again.tenant_slug
            return consent.question(reader, pending, step.user, rules=rules, tenant_slug=slug)

        found = await self._database.read(look)
        browser = self._cookies.browser_id(request) or ""
        sealed = self._envelopes.seal_request(pending, browser, entropy=self._entropy)
        if isinstance(found, SignIn):
            return _see_other(sign_in_url(sealed, again=found.again))
        form_seal = self._envelopes.seal_form(found.form, browser, entropy=self._entropy)
        status = 200 if again is None or again.message is None else 422
        return self._pages.render(
            "consent.html", status=status, may_leave=True, request_id=request_id.of(request),
            **context(
                found, sealed_form=form_seal, sealed_request=sealed, again=again, verified_host=self._verified_host
            ),
        )  # fmt: skip

    def _begin(self, reader: Reader, pairs: Sequence[tuple[str, str]], now: Instant) -> Pending:
        return authorize.begin(
            reader, pairs, directory=self._directory, issuer=self._public_url, now=now, entropy=self._entropy
        )

    def _session(self, reader: Reader, secret: str | None, now: Instant) -> SignedIn | None:
        return session_user(reader, secret, fingerprinter=self._fingerprinter, now=now)

    def _require_session(self, tx: Transaction, secret: str | None, now: Instant) -> None:
        if self._session(tx, secret, now) is None:
            raise Refused(faults.SIGNED_OUT, status=403, reason="session ended meanwhile")

    # Machine paths

    async def _document(self, request: Request) -> Response:
        path = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1").partition("?")[0]
        found = await self._database.read(
            lambda reader: discovery.document(
                reader,
                path,
                public_url=self._public_url,
                registration=self._open,
                documents=self._cimd,
                keys=self._signing_keys(),
            )
        )
        if found is None:
            return JSONResponse({"error": "not_found"}, 404, headers=NO_STORE)
        return JSONResponse(found, headers=METADATA_CACHE)

    async def _register(self, request: Request) -> Response:
        if not self._open:
            raise registration.closed()
        asked = parse_registration(await read_body(request, MAX_BODY), vendor_schemes=self._vendor_schemes)
        now = self._now()
        registered = await self._database.read(lambda reader: registration.again(reader, asked, now=now))
        if registered is None:
            registration.require_budget(self._new_clients, self._requester.of(request))
        if registered is None or registered.to_be_noted:
            registered = await self._database.write(
                lambda tx: registration.register(
                    tx, asked, fingerprinter=self._fingerprinter, now=now, entropy=self._entropy
                )
            )
        return JSONResponse(registered.answer, 201, headers=NO_STORE)

    async def _token(self, request: Request) -> Response:
        sent, presented = await self._client_request(request)
        now, rules = self._now(), self._token_rules
        with self._throttle.watching(presented, self._requester.of(request), now):
            outcome = await self._database.write(
                lambda tx: token.exchange(
                    tx, sent, presented, directory=self._directory, rules=rules, now=now, entropy=self._entropy
                )
            )
        if isinstance(outcome, GrantRefused):
            raise outcome.error
        answer = token.answer(outcome, rules=rules, access_ttl=self._access_ttl, now=now, entropy=self._entropy)
        return JSONResponse(answer, headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        sent, presented = await self._client_request(request)
        text = token_messages.read_question(sent).token
        claims = revocation.read_access_token(self._signing_keys(), text, self._public_url)
        now = self._now()
        with self._throttle.watching(presented, self._requester.of(request), now):
            await self._database.write(
                lambda tx: revocation.revoke(
                    tx, text, claims, presented, directory=self._directory, fingerprinter=self._fingerprinter, now=now
                )
            )
        return Response(status_code=200, headers=NO_STORE)

    async def _introspect(self, request: Request) -> Response:
        sent, presented = await self._client_request(request)
        text, now = token_messages.read_question(sent).token, self._now()
        door = Door(
            issuer=self._public_url, keys=self._signing_keys(), fingerprinter=self._fingerprinter,
            prefix=self._api_key_prefix,
        )  # fmt: skip
        asked = Introspection(directory=self._directory, door=door)
        with self._throttle.watching(presented, self._requester.of(request), now):
            found = await self._database.read(lambda reader: asked.answer(reader, text, presented, now))
        return JSONResponse(found, headers=NO_STORE)

    async def _client_request(self, request: Request) -> tuple[token_messages.TokenForm, client_auth.PresentedClient]:
        """Return the form and who says to send it; an assertion is proven, a secret is not yet looked at."""
        sent, presented = await read_client_request(request)
        if presented.assertion is None:
            return sent, presented
        now = self._now()
        return sent, await self._database.write(
            lambda tx: clients.prove(tx, self._directory, presented, self._audiences, now)
        )

    def _machine(self, handler: _Handler, methods: Sequence[str]) -> _Handler:
        """Return ``handler`` for ``methods``, with CORS, preflights, and JSON for everything that is refused."""

        async def endpoint(request: Request) -> Response:
            origin = request.headers.get("origin")
            if request.method == "OPTIONS":
                response = Response(status_code=204, headers=cors.preflight_headers(origin, self._origins, methods))
            else:
                response = await self._guarded(request, handler, methods)
            response.headers.update(cors.answer_headers(origin, self._origins))
            return response

        return endpoint

    async def _guarded(self, request: Request, handler: _Handler, methods: Sequence[str]) -> Response:
        headers = {}
        try:
            self._require_trusted_origin(request)
            if request.method in methods:
                return await handler(request)
            fault = faults.TOKEN_METHOD if "POST" in methods else faults.METHOD_REFUSED
            refusal: ProtocolError = OAuthError(
                fault, "invalid_request", reason=f"method {request.method[:20]}", status=405
            )
            headers = {"Allow": ", ".join(methods)}
        except ProtocolError as error:
            refusal = error
        except Unstorable:
            refusal = OAuthError(faults.TOKEN_MALFORMED, "invalid_request", reason="a text that cannot be stored")
        except StorageUnavailable:
            refusal = OAuthError(
                faults.STORAGE_UNAVAILABLE, "temporarily_unavailable", reason="storage is unavailable", status=503
            )
            headers = {"Retry-After": "1"}
        response = self._errors.answer(request, refusal)
        response.headers.update(headers)
        return response

    def _require_trusted_origin(self, request: Request) -> None:
        origin = request.headers.get("origin")
        credentials = "authorization" in request.headers or "cookie" in request.headers
        if origin is not None and credentials and not cors.is_allowed(origin, self._origins):
            raise OAuthError(faults.CROSS_SITE, "access_denied", reason=f"origin {origin[:200]!r}", status=403)


async def _authorization_parameters(request: Request) -> list[tuple[str, str]]:
    """Return the pairs of query and, for POST, body together: what stands in both is repeated (A18)."""
    pairs = _query(request)
    if request.method == "POST":
        pairs = [*pairs, *(await read_form(request)).pairs]
    return pairs


def _query(request: Request) -> list[tuple[str, str]]:
    try:
        return form.parse(request.scope["query_string"])
    except ValueError:
        raise PageError(faults.REQUEST_MALFORMED, reason="query is not UTF-8, or has too many parameters") from None


def _see_other(location: str) -> Response:
    # 303 and never 307: a browser must not send the form, with what it holds, to the next address (A33).
    return Response(status_code=303, headers={"Location": location, **NO_STORE})
