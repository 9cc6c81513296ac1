"""The authorization endpoint: from a query to a pending request, and what has to happen next (security A1 to A36).

``GET`` has no side effects: it reads, decides and seals. Who is asked what, and when, is decided by ``next_step`` and
nowhere else; the consent page asks it again, so that a step cannot be skipped by editing a URL (A23).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from doorward.authserver import admission, identity
from doorward.authserver.clients import ClientDirectory
from doorward.authserver.discovery import default_scopes
from doorward.authserver.envelope import Pending
from doorward.credentials.secret import base64url
from doorward.credentials.signing_keys import SigningKeys
from doorward.model import SECOND, Client, ClientKind, Entropy, Instant, RequestId, Server, Session, User, UserId
from doorward.protocol import authorization, client_metadata, faults, form, scope
from doorward.protocol.authorization import AuthorizationRequest
from doorward.protocol.endpoints import Endpoint, Endpoints
from doorward.protocol.errors import PageError, RedirectableError
from doorward.storage import permissions, servers
from doorward.storage.database import Reader

SignedIn = tuple[Session, User]
"""A live browser session and its active user."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """The person has to sign in; with ``again`` although somebody is signed in."""

    again: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """The person has to be asked."""

    session: Session
    user: User


@dataclass(frozen=True, slots=True)
class Answer:
    """The client is told at once."""

    error: RedirectableError


NextStep = SignIn | Consent | Answer


def begin(  # noqa: PLR0913
    reader: Reader, params: Sequence[tuple[str, str]], *, directory: ClientDirectory, keys: SigningKeys, issuer: str,
    now: Instant, entropy: Entropy,
) -> Pending:  # fmt: skip
    """Check an authorization request, given as raw pairs.

    Raises ``PageError`` while client and redirect URI are not proven, ``RedirectableError`` afterwards.
    """
    identified = authorization.parse_client_and_redirect(params)
    client = directory.asking(reader, identified.client_id)
    if client is None:
        fault = (
            faults.CLIENT_UNKNOWN
            if client_metadata.may_be_client_id(identified.client_id)
            else faults.CLIENT_ID_DAMAGED
        )
        raise PageError(fault, reason=f"unknown client {identified.client_id[:200]!r}")
    if not admission.by_verdict_only(reader, client, identified.redirect_uri):
        client = admission.with_allowed(reader, client, identified.redirect_uri)
        return _checked(reader, params, identified, client, keys=keys, issuer=issuer, now=now, entropy=entropy)
    # A tenant's administrator allowed this address for that tenant. Until the person has chosen it nothing goes there:
    # no more than a page for what is refused.
    client = admission.with_allowed(reader, client, identified.redirect_uri)
    try:
        pending = _checked(reader, params, identified, client, keys=keys, issuer=issuer, now=now, entropy=entropy)
    except RedirectableError as wrong:
        raise PageError(wrong.fault, reason=wrong.reason) from None
    if "none" in pending.request.prompt:
        raise PageError(faults.REDIRECT_NOT_REGISTERED, reason="prompt=none to an address of one tenant only")
    return pending


def _checked(  # noqa: PLR0913
    reader: Reader, params: Sequence[tuple[str, str]], identified: authorization.Identified, client: Client, *,
    keys: SigningKeys, issuer: str, now: Instant, entropy: Entropy,
) -> Pending:  # fmt: skip
    endpoints = Endpoints(public_url=issuer, servers=servers.servers(reader))
    request = authorization.parse_authorization_request(
        params, client, identified, issuer=issuer, is_resource=lambda url: endpoints.by_url(url) is not None
    )
    endpoint = _endpoint(endpoints, request, issuer)
    return Pending(
        id=RequestId("req_" + base64url(entropy(12))),
        request=request,
        client_name=client.name,
        resource=endpoint.url,
        tenant_slug=endpoint.tenant_slug,
        scopes=_scopes(reader, request, client, endpoint, issuer),
        issued_at=now,
        expected=_expected(params, request, keys, issuer),
    )


def next_step(pending: Pending, signed_in: SignedIn | None, *, issuer: str) -> NextStep:
    """Decide what comes next. Consent is never silent here: there is no step that answers with a code (E14, G9)."""
    if signed_in is None:
        return _login_required(pending, issuer) if "none" in pending.request.prompt else SignIn(again=False)
    session, user = signed_in
    stale = session.authenticated_at < _fresh_since(pending)
    stranger = pending.expected not in (None, user.id)
    if not (stale or stranger):
        return Consent(session, user)
    if "none" in pending.request.prompt or (stranger and session.authenticated_at >= pending.issued_at):
        # OIDC Core section 3.1.2.2: whoever signed in on purpose and is not the one who was meant is not asked again.
        return _login_required(pending, issuer)
    return SignIn(again=True)


def consent_required(pending: Pending, issuer: str) -> RedirectableError | None:
    """Return the answer where a page is needed and the client forbids one (OIDC Core section 3.1.2.6), else None."""
    if "none" not in pending.request.prompt:
        return None
    return pending.request.refusal(
        faults.CONSENT_REQUIRED, "consent_required", issuer=issuer, reason="prompt=none: consent_required"
    )


def _login_required(pending: Pending, issuer: str) -> Answer:
    reason = "nobody, too long ago, or somebody else than the hint says"
    return Answer(pending.request.refusal(faults.LOGIN_REQUIRED, "login_required", issuer=issuer, reason=reason))


def _expected(
    params: Sequence[tuple[str, str]], request: AuthorizationRequest, keys: SigningKeys, issuer: str
) -> UserId | None:
    text = form.present(list(params)).get("id_token_hint")
    if text is None:
        return None
    hint = identity.read_hint(keys, text, issuer)
    if hint is None or hint.client_id != request.client_id:
        # Ignored it could end in a code for somebody else than the client means.
        raise request.refusal(
            faults.ID_TOKEN_HINT_INVALID, "invalid_request", issuer=issuer, reason="id_token_hint is not ours for it"
        )
    return hint.user_id


def _fresh_since(pending: Pending) -> Instant:
    """Return the moment before which a sign-in is too old for this request."""
    request = pending.request
    if request.prompt & {"login", "select_account"}:
        return pending.issued_at
    return Instant(0 if request.max_age is None else pending.issued_at - request.max_age * SECOND)


def _endpoint(endpoints: Endpoints, request: AuthorizationRequest, issuer: str) -> Endpoint:
    # Clients of before RFC 8707 name no server; root metadata, where they came from, is about the short URL.
    endpoint = endpoints.short() if request.resource is None else endpoints.by_url(request.resource)
    if endpoint is None:
        raise request.refusal(
            faults.RESOURCE_UNKNOWN, "invalid_target", issuer=issuer, reason="no resource, and no short URL"
        )
    return endpoint


def _scopes(
    reader: Reader, request: AuthorizationRequest, client: Client, endpoint: Endpoint, issuer: str
) -> tuple[str, ...]:
    shown = shown_scopes(reader, request.scopes, client, endpoint.server, named=request.resource is not None)
    if not shown:
        asked = " ".join(request.scopes or ())[:200]
        raise request.refusal(faults.SCOPE_INVALID, "invalid_scope", issuer=issuer, reason=f"nothing left of {asked!r}")
    return shown


def shown_scopes(
    reader: Reader, asked: tuple[str, ...] | None, client: Client, server: Server, *, named: bool
) -> tuple[str, ...]:
    """Return what the page will show: who the person is, what is in the catalogue (decision 0077.7), ``offline_access``.

    Empty where nothing is left to ask for. ``named``: the client named the server.
    """
    catalogue, person = permissions.catalogue(reader), scope.identity(asked)
    only_person = bool(person) and client.kind is ClientKind.REGISTERED
    shown = scope.narrow(asked, {entry.permission for entry in catalogue})
    if shown is None:
        # Self-registered MCP clients ask for OpenID scopes alone and mean our tools; whom an administrator registered
        # and who names no server wants to know who somebody is, and nothing more (decision 0044).
        shown = () if only_person and not named else default_scopes(catalogue, server)
    if client.scope_limit is not None:
        shown = tuple(each for each in shown if each in client.scope_limit)
    if not shown and not only_person:
        return ()
    return (*person, *shown, *((scope.OFFLINE_ACCESS,) if scope.OFFLINE_ACCESS in (asked or ()) else ()))
