"""The pages of an authorization: the request comes in, the person is asked, the client is answered (flow 1)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from doorward.authserver import attempts, authorize, consent, consent_memory, device, paste_back
from doorward.authserver.approval import ConsentRules
from doorward.authserver.authorize import Answer, Consent, SignedIn, SignIn
from doorward.authserver.client_documents import account
from doorward.authserver.consent import Answered, AskAgain, NotAdmitted, Question
from doorward.authserver.consent_page import CONSENT_PATH, context, sign_in_url
from doorward.authserver.envelope import Pending, ShownForm
from doorward.authserver.http.answers import see_other
from doorward.authserver.http.browsers import browser_of, to_consent
from doorward.authserver.http.services import Services
from doorward.authserver.http.trail import Trail, trail
from doorward.model import ClientId, Fingerprint, Instant
from doorward.protocol import authorization, faults, form
from doorward.protocol.discovery import AUTHORIZATION_PATH
from doorward.protocol.errors import PageError
from doorward.storage.attempts import Step
from doorward.storage.database import Reader, StorageUnavailable, Transaction, Unstorable
from doorward.web import causes, request_id
from doorward.web.forms import Form, read_form
from doorward.web.origin import require_same_origin
from doorward.web.refused import Refused

_FORM_FIELDS: Final = frozenset({"request", "scope", "tenant", "answer", "remember"})


class AuthorizationPages:
    """``/oauth/authorize`` and the consent page behind it."""

    def __init__(
        self, services: Services, *, rules: ConsentRules, verified_host: Callable[[str, str], str | None]
    ) -> None:
        self._with, self._consent_rules, self._verified_host = services, rules, verified_host

    def routes(self) -> list[Route]:
        """Return the routes of these pages."""
        noted = self._with.trails.noted
        authorize_ = noted(self._authorize, Step.AUTHORIZE)
        return [
            *(Route(path, authorize_, methods=["GET", "POST"]) for path in (AUTHORIZATION_PATH, "/authorize")),
            Route(CONSENT_PATH, noted(self._ask), methods=["GET"]),
            Route(CONSENT_PATH, noted(self._take_answer), methods=["POST"]),
        ]

    async def describe(self, next_path: str, browser: str | None) -> tuple[str, str | None, str | None] | None:
        """Return who waits behind the sign-in page, if ``next_path``, where the person goes then, is a request.

        The client's own name, and of a tenant what the server's URL tells anybody: its slug, whether it exists or not;
        and the address that the client thinks is the person's (``login_hint``), which proves nothing.
        """
        path, _, query = next_path.partition("?")
        try:
            sealed = dict(form.parse(query)).get("request", "") if path == CONSENT_PATH else ""
            pending = self._with.envelopes.open_request(sealed, browser, now=self._with.now())
        except (PageError, ValueError):
            return None
        return pending.client_name, pending.tenant_slug, pending.request.login_hint

    async def _authorize(self, request: Request) -> Response:
        pairs = await _authorization_parameters(request)
        now, secret = self._with.now(), self._with.cookies.session(request)
        identified = authorization.parse_client_and_redirect(pairs)
        mine = trail(request)
        mine.client_id, mine.redirect_uri = identified.client_id, identified.redirect_uri
        try:
            await self._with.documents.ready(
                identified,
                asker=lambda reader: account(self._with.session(reader, secret, now), self._with.requester.of(request)),
            )
            pending, signed_in, stands = await self._with.database.read(partial(self._look, pairs, secret, now))
        except PageError:
            await self._find_out(mine, pairs, secret, now)
            raise
        mine.about(pending, self._with.public_url)
        mine.user_id = None if signed_in is None else signed_in[1].id
        if request.method == "POST":
            # A cross-site POST comes without our cookies; the same request as GET brings them, and changes nothing.
            return see_other(f"{AUTHORIZATION_PATH}?{urlencode(pairs)}")
        step = authorize.next_step(pending, signed_in, issuer=self._with.public_url)
        if isinstance(step, Answer):
            raise step.error
        if stands and isinstance(step, Consent):
            browser, is_new = browser_of(request, self._with)
            answered = await self._approve_at_once(request, pending, browser)
            if answered is not None:
                _took(mine, answered)
                response = see_other(answered.location)
                if is_new:
                    self._with.cookies.set_browser_id(response, browser)
                return response
        return to_consent(request, pending, self._with)

    def _look(
        self, pairs: Sequence[tuple[str, str]], secret: str | None, now: Instant, reader: Reader
    ) -> tuple[Pending, SignedIn | None, bool]:
        """Return the request, who is signed in, and whether a remembered consent may answer it."""
        pending, signed_in = self._begin(reader, pairs, now), self._with.session(reader, secret, now)
        stands = signed_in is not None and consent_memory.may_stand(reader, pending, signed_in[1])
        return pending, signed_in, stands

    async def _approve_at_once(self, request: Request, pending: Pending, browser: str) -> Answered | None:
        """Answer what was approved earlier and is remembered (decision 0030); None where a page has to say what is."""
        now, secret, name = self._with.now(), self._with.cookies.session(request), causes.of(request)
        installed = self._with.fingerprinter.of(f"browser {browser}")

        def decide(tx: Transaction) -> Answered | None:
            step = authorize.next_step(pending, self._with.session(tx, secret, now), issuer=self._with.public_url)
            if not isinstance(step, Consent):
                return None
            return consent_memory.approve_as_before(
                tx, pending, (step.session, step.user), rules=self._consent_rules, now=now, entropy=self._with.entropy, cause=name, browser=installed,
            )  # fmt: skip

        try:
            return await self._with.database.write(decide)
        except PageError:
            return None  # The page says it, or tells the client where pages are forbidden.

    async def _find_out(self, mine: Trail, pairs: Sequence[tuple[str, str]], secret: str | None, now: Instant) -> None:
        """Say of a refused request whose it is: who is signed in, and the one tenant that it can be about."""

        def look(reader: Reader) -> None:
            client = self._with.directory.asking(reader, ClientId(mine.client_id or ""))
            mine.client_name = None if client is None else client.name
            signed_in = self._with.session(reader, secret, now)
            if signed_in is not None:
                resources = [value for name, value in pairs if name == "resource"]
                mine.user_id = signed_in[1].id
                mine.tenant_id = attempts.tenant_of(reader, signed_in[1].id, resources, self._with.public_url)

        with suppress(StorageUnavailable, Unstorable):
            await self._with.database.read(look)

    async def _ask(self, request: Request) -> Response:
        browser, now = self._with.cookies.browser_id(request), self._with.now()
        sealed = Form(tuple(_query(request))).one("request")
        pending = self._with.envelopes.open_request(sealed, browser, now=now)
        return await self._next(request, pending, None)

    async def _take_answer(self, request: Request) -> Response:
        require_same_origin(request, self._with.public_url)
        submitted = await read_form(request)
        browser, now = self._with.cookies.browser_id(request), self._with.now()
        shown = self._with.envelopes.open_form(submitted.one("request"), browser, now=now)
        if {name for name, _ in submitted.pairs} - _FORM_FIELDS:
            # G3: no field of the page names a client, a redirect URI, a user …
            raise PageError(faults.REQUEST_FOREIGN, reason="a field that the page does not have")
        mine = trail(request)
        mine.about(shown.pending, self._with.public_url)
        mine.step = Step.CONSENT
        try:
            outcome = await self._answer(request, shown, submitted)
        except NotAdmitted as refused:
            mine.tenant_id = refused.tenant.id
            raise
        if isinstance(outcome, Answered):
            _took(mine, outcome)
            shown_here = submitted.one("answer") == paste_back.ANSWER
            return self._address(request, shown, outcome) if shown_here else see_other(outcome.location)
        return await self._next(request, shown.pending, outcome)

    async def _answer(self, request: Request, shown: ShownForm, submitted: Form) -> Answered | AskAgain | None:
        """Return what the answer came to; None where the person has to sign in (again) first."""
        now, secret, name = self._with.now(), self._with.cookies.session(request), causes.of(request)
        step = await self._with.database.read(
            lambda reader: self._step(reader, shown.pending, self._with.session(reader, secret, now), now)
        )
        if isinstance(step, SignIn):
            return None
        if step.user.id != shown.user_id:
            raise Refused(faults.REQUEST_FOREIGN, status=403, reason="form of another user")
        trail(request).user_id = step.user.id
        answer, ticked = submitted.one("answer"), frozenset(submitted.many("scope"))
        tenant_slug, remember = submitted.one("tenant") or shown.tenant_slug, submitted.one("remember") == "yes"
        if answer == "show":
            return AskAgain(tenant_slug, ticked, shown.offered, None)
        rules = self._rules_for(answer, shown.pending)
        # An app that is answered by hand runs on another machine than this browser.
        installed = None if answer == paste_back.ANSWER else self._installed_here(request, shown.pending)

        def decide(tx: Transaction) -> Answered | AskAgain:
            # Looked at again in the transaction of the change: who signed out meanwhile answers nothing (G11).
            session, _ = self._with.require_session(tx, secret, now)
            if answer == "deny":
                return consent.deny(tx, shown, rules=rules, now=now, cause=name)
            outcome = consent.approve(
                tx, shown, tenant_slug=tenant_slug, ticked=ticked, session=session,
                rules=rules, now=now, entropy=self._with.entropy, cause=name, browser=installed,
            )  # fmt: skip
            consent_memory.keep(tx, shown, outcome, remember=remember, directory=rules.directory, now=now, cause=name)
            return outcome

        return await self._with.database.write(decide)

    def _rules_for(self, answer: str, pending: Pending) -> ConsentRules:
        """Return the rules by which an answer is taken. Raises ``PageError`` for one that the page does not offer."""
        if answer == paste_back.ANSWER and paste_back.is_possible(pending):
            return paste_back.longer(self._consent_rules)
        if answer not in {"approve", "deny"}:
            raise PageError(faults.REQUEST_FOREIGN, reason=f"answer {answer[:20]!r}")
        return self._consent_rules

    def _address(self, request: Request, shown: ShownForm, answered: Answered) -> Response:
        """Show the address instead of going there: nobody listens at it on the person's own machine."""
        return self._with.pages.render(
            "paste_back.html", request_id=request_id.of(request),
            **paste_back.context(answered.location, shown.pending.client_name),
        )  # fmt: skip

    async def _next(self, request: Request, pending: Pending, again: AskAgain | None) -> Response:
        """Show the page that the request needs now: sign-in, or consent bound to the user it is shown to (G11)."""
        found = await self._asked(request, pending, again)
        if isinstance(found, Question) and again is None:
            answered = await self._answer_as_before(request, found)
            if answered is not None:
                _took(trail(request), answered)
                return see_other(answered.location)
        self._keep_silent(pending)
        sealed = self._sealed(request, pending)
        if isinstance(found, SignIn):
            return see_other(sign_in_url(sealed, again=found.again))
        browser = self._with.cookies.browser_id(request) or ""
        form_seal = self._with.envelopes.seal_form(found.form, browser, entropy=self._with.entropy)
        status = 200 if again is None or again.message is None else 422
        return self._with.pages.render(
            "consent.html", status=status, may_leave=True, request_id=request_id.of(request),
            **context(
                found, sealed_form=form_seal, sealed_request=sealed, again=again, verified_host=self._verified_host,
                here=self._with.requester.of(request),
            ),
        )  # fmt: skip

    def _sealed(self, request: Request, pending: Pending) -> str:
        browser = self._with.cookies.browser_id(request) or ""
        return self._with.envelopes.seal_request(pending, browser, entropy=self._with.entropy)

    async def _asked(self, request: Request, pending: Pending, again: AskAgain | None) -> SignIn | Question:
        """Return what has to happen now, and leave it in the trail."""
        now, secret = self._with.now(), self._with.cookies.session(request)
        installed, slug = self._installed_here(request, pending), None if again is None else again.tenant_slug

        def look(reader: Reader) -> SignIn | Question:
            step = self._step(reader, pending, self._with.session(reader, secret, now), now)
            if isinstance(step, SignIn):
                return step
            with self._silent(pending):
                return consent.question(
                    reader,
                    pending,
                    (step.session, step.user),
                    rules=self._consent_rules,
                    tenant_slug=slug,
                    browser=installed,
                )

        mine = trail(request)
        mine.about(pending, self._with.public_url)
        mine.step = Step.CONSENT
        try:
            found = await self._with.database.read(look)
        except NotAdmitted as refused:
            mine.user_id, mine.tenant_id = refused.user.id, refused.tenant.id
            raise
        except Refused as refused:
            if refused.fault in {faults.NO_TENANT, faults.SERVER_OFF, faults.TENANT_ELSEWHERE}:
                refused.link = sign_in_url(self._sealed(request, pending), again=True), "Use another account"
            raise
        if isinstance(found, SignIn):
            mine.step = Step.SIGN_IN
        else:
            mine.user_id, mine.tenant_id = found.user.id, found.chosen.tenant.id
        return found

    def _step(self, reader: Reader, pending: Pending, signed_in: SignedIn | None, now: Instant) -> SignIn | Consent:
        """Return what the request needs now. Raises what the client is told at once, or that nothing goes to it."""
        # First, and never silent: nothing goes to an address that is not the client's any more, not even an error.
        consent.asker(reader, pending, self._consent_rules)
        step = authorize.next_step(pending, signed_in, issuer=self._with.public_url)
        if isinstance(step, Answer):
            raise step.error
        if isinstance(step, Consent) and pending.device is not None and not device.still_waits(reader, pending, now):
            raise PageError(faults.REQUEST_EXPIRED, reason=f"device request {pending.id} is over")
        return step

    async def _answer_as_before(self, request: Request, asked: Question) -> Answered | None:
        """Approve without a page what the person wants to be approved without one; None where there has to be one."""
        now, secret, name = self._with.now(), self._with.cookies.session(request), causes.of(request)
        installed = self._installed_here(request, asked.pending)
        look = partial(consent_memory.is_remembered, question=asked, now=now)
        if not await self._with.database.read(look):
            return None

        def decide(tx: Transaction) -> Answered | None:
            session, _ = self._with.require_session(tx, secret, now)
            return consent_memory.approve_as_before(
                tx, asked.pending, (session, asked.user), rules=self._consent_rules, now=now, entropy=self._with.entropy, cause=name, browser=installed,
            )  # fmt: skip

        return await self._with.database.write(decide)

    @contextmanager
    def _silent(self, pending: Pending) -> Iterator[None]:
        """Turn the refusal of a page into the client's answer where it forbids pages."""
        try:
            yield
        except PageError:
            self._keep_silent(pending)
            raise

    def _keep_silent(self, pending: Pending) -> None:
        """Answer the client where it forbids pages and there would be one now, of whatever kind (prompt=none)."""
        refused = authorize.consent_required(pending, self._with.public_url)
        if refused is not None:
            raise refused

    def _installed_here(self, request: Request, pending: Pending) -> Fingerprint | None:
        """Return what tells this browser's device from others, as it is stored; None for a client on another one."""
        browser = None if pending.device is not None else self._with.cookies.browser_id(request)
        return None if browser is None else self._with.fingerprinter.of(f"browser {browser}")

    def _begin(self, reader: Reader, pairs: Sequence[tuple[str, str]], now: Instant) -> Pending:
        return authorize.begin(
            reader,
            pairs,
            directory=self._with.directory,
            keys=self._with.keys.look(reader),
            issuer=self._with.public_url,
            now=now,
            entropy=self._with.entropy,
        )


def _took(mine: Trail, answered: Answered) -> None:
    mine.step = Step.DENIED if answered.connection is None else Step.APPROVED
    if answered.connection is not None:
        mine.connection_id, mine.tenant_id = answered.connection.id, answered.connection.tenant_id


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
