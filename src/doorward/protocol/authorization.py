"""The authorization request and its answers (OAuth 2.1 section 4.1, RFC 9207, RFC 8707, OIDC Core section 3.1.2).

Two steps, in this order and no other: who asks and where an answer may go (``PageError``, nothing is redirected), then
everything else (``RedirectableError``). An error that is found before the redirect URI is proven never leaves by it
(CVE-2026-41479, CVE-2026-44681).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from doorward.model import Client, ClientAuthMethod, ClientId, Status
from doorward.protocol import faults, form, pkce, redirect_uri, resource, scope
from doorward.protocol.errors import OAuthError, PageError, RedirectableError
from doorward.protocol.faults import Fault

MAX_STATE = 4096
MAX_LOGIN_HINT = 320
MAX_NONCE = 1024
PROMPTS = frozenset({"none", "login", "consent", "select_account"})

_CLIENT_ID = re.compile(r"[\x20-\x7e]{1,2048}")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Who says it is asking, and where it wants the answer; nothing is proven yet."""

    client_id: ClientId
    redirect_uri: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A valid request of a proven client.

    ``scopes`` is as asked (None: no scope parameter); ``resource`` is one of ours in its published form, or None;
    ``max_age`` is in seconds.
    """

    client_id: ClientId
    redirect_uri: str
    redirect_uri_sent: bool
    state: str | None
    scopes: tuple[str, ...] | None
    code_challenge: str
    resource: str | None
    prompt: frozenset[str]
    login_hint: str | None
    max_age: int | None
    nonce: str | None = None
    """Given back in the ID token (OIDC Core section 3.1.2.1)."""

    def refusal(self, fault: Fault, error: str, *, issuer: str, reason: str) -> RedirectableError:
        """Return an error of a later step (sign-in, consent, scopes) that goes back to this request's client."""
        return RedirectableError(
            fault, error, reason=reason, redirect_uri=self.redirect_uri, state=self.state, issuer=issuer
        )


@dataclass(frozen=True, slots=True)
class _Refusal(Exception):  # noqa: N818
    """An error whose address is not yet attached."""

    fault: Fault
    error: str
    reason: str


def parse_client_and_redirect(params: Sequence[tuple[str, str]]) -> Identified:
    """Read client and redirect URI from the raw query pairs. Raises ``PageError``."""
    pairs = list(params)
    repeated = form.repeated(pairs) & {"client_id", "redirect_uri"}
    if repeated:
        raise PageError(faults.PARAMETER_REPEATED, reason=f"repeated: {', '.join(sorted(repeated))}")
    values = form.present(pairs)
    client_id = values.get("client_id")
    if client_id is None:
        raise PageError(faults.CLIENT_ID_MISSING, reason="no client_id")
    if _CLIENT_ID.fullmatch(client_id) is None:
        raise PageError(faults.CLIENT_UNKNOWN, reason="client_id is not printable ASCII of at most 2048 characters")
    return Identified(client_id=ClientId(client_id), redirect_uri=values.get("redirect_uri"))


def parse_authorization_request(
    params: Sequence[tuple[str, str]],
    client: Client,
    identified: Identified,
    *,
    issuer: str,
    is_resource: Callable[[str], bool],
) -> AuthorizationRequest:
    """Check a whole request of a client that was looked up by ``identified.client_id``.

    ``is_resource`` tells whether a URL, byte for byte, is one of our MCP servers. Raises ``PageError`` while the
    redirect URI is unproven, and ``RedirectableError`` afterwards.
    """
    pairs = list(params)
    values = form.present(pairs)
    target = _proven_redirect(client, identified, asks_openid="openid" in values.get("scope", "").split(" "))
    repeated = form.repeated(pairs, may_repeat="resource")
    state = None if "state" in repeated else values.get("state")
    try:
        _once(repeated)
        state = _state(state)
        _flow(values, client)
        return AuthorizationRequest(
            client_id=client.id,
            redirect_uri=target,
            redirect_uri_sent=identified.redirect_uri is not None,
            state=state,
            code_challenge=_challenge(values),
            prompt=_prompt(values.get("prompt", "")),
            max_age=_max_age(values.get("max_age")),
            scopes=_scopes(values.get("scope")),
            resource=_resource([value for name, value in pairs if name == "resource" and value], issuer, is_resource),
            login_hint=values.get("login_hint", "")[:MAX_LOGIN_HINT] or None,
            nonce=_nonce(values.get("nonce")),
        )
    except _Refusal as refusal:
        if refusal.fault is faults.STATE_INVALID:
            state = None
        raise RedirectableError(
            refusal.fault, refusal.error, reason=refusal.reason, redirect_uri=target, state=state, issuer=issuer
        ) from None


def success_location(redirect_uri: str, code: str, state: str | None, issuer: str) -> str:
    """Return the URL that carries the code to the client, with ``state`` byte for byte and ``iss`` (RFC 9207)."""
    return _location(redirect_uri, [("code", code), ("state", state), ("iss", issuer)])


def error_location(error: RedirectableError) -> str:
    """Return the URL that carries the error to the client, with ``state`` and ``iss`` like a success."""
    answer = [("error", error.error), ("error_description", error.description)]
    return _location(error.redirect_uri, [*answer, ("state", error.state), ("iss", error.issuer)])


def _proven_redirect(client: Client, identified: Identified, *, asks_openid: bool) -> str:
    if client.status is not Status.ACTIVE or client.id != identified.client_id:
        raise PageError(faults.CLIENT_UNKNOWN, reason="client is disabled or not the identified one")
    if identified.redirect_uri is None:
        # OAuth 2.1 s4.1.1: may be left out with exactly one registered; OIDC Core s3.1.2.1: never with openid (A16).
        if len(client.redirect_uris) != 1 or asks_openid:
            raise PageError(faults.REDIRECT_MISSING, reason=f"none sent, {len(client.redirect_uris)} registered")
        return client.redirect_uris[0]
    public = client.auth_method is ClientAuthMethod.NONE
    if not redirect_uri.matches(client.redirect_uris, identified.redirect_uri, any_loopback_port=public):
        raise PageError(faults.REDIRECT_NOT_REGISTERED, reason=f"asked for {identified.redirect_uri[:200]!r}")
    return identified.redirect_uri


def _once(repeated: frozenset[str]) -> None:
    if repeated:
        names = ", ".join(sorted(name[:40] for name in repeated)[:5])
        raise _Refusal(faults.PARAMETER_REPEATED, "invalid_request", f"repeated: {names}")


def _state(state: str | None) -> str | None:
    """Keep ``state`` as it is; refuse what could not be given back byte for byte."""
    if state is not None and (len(state) > MAX_STATE or not _is_text(state)):
        raise _Refusal(faults.STATE_INVALID, "invalid_request", f"state of {len(state)} characters")
    return state


def _flow(values: dict[str, str], client: Client) -> None:
    # Before anything else is read: a request object could say something else than the query (OIDC Core s6, A25).
    if "request" in values:
        raise _Refusal(faults.REQUEST_OBJECT, "request_not_supported", "request sent")
    if "request_uri" in values:
        raise _Refusal(faults.REQUEST_URI, "request_uri_not_supported", "request_uri sent")
    if "registration" in values:
        raise _Refusal(faults.REGISTRATION_OBJECT, "registration_not_supported", "registration sent")
    response_type = values.get("response_type")
    if response_type is None:
        raise _Refusal(faults.RESPONSE_TYPE_MISSING, "invalid_request", "no response_type")
    if response_type != "code":
        raise _Refusal(faults.RESPONSE_TYPE_UNSUPPORTED, "unsupported_response_type", f"{response_type[:64]!r}")
    if values.get("response_mode", "query") != "query":
        raise _Refusal(faults.RESPONSE_MODE_UNSUPPORTED, "invalid_request", f"{values['response_mode'][:64]!r}")
    if "authorization_code" not in client.grant_types:
        raise _Refusal(faults.CLIENT_GRANT, "unauthorized_client", "grant_types lacks authorization_code")


def _challenge(values: dict[str, str]) -> str:
    challenge = values.get("code_challenge")
    if challenge is None:
        raise _Refusal(faults.PKCE_MISSING, "invalid_request", "no code_challenge")
    method = values.get("code_challenge_method", "plain")  # RFC 7636 s4.3: absent means plain
    if method != pkce.METHOD:
        raise _Refusal(faults.PKCE_METHOD, "invalid_request", f"method {method[:64]!r}")
    if not pkce.challenge_ok(challenge):
        raise _Refusal(faults.PKCE_MALFORMED, "invalid_request", f"challenge of {len(challenge)} characters")
    return challenge


def _prompt(text: str) -> frozenset[str]:
    prompts = frozenset(filter(None, text.split(" ")))
    if prompts - PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise _Refusal(faults.PROMPT_INVALID, "invalid_request", f"prompt {text[:64]!r}")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if _SECONDS.fullmatch(text) is None:
        raise _Refusal(faults.MAX_AGE_INVALID, "invalid_request", f"max_age {text[:64]!r}")
    return int(text)


def _nonce(text: str | None) -> str | None:
    if text is not None and (len(text) > MAX_NONCE or not _is_text(text)):
        raise _Refusal(faults.NONCE_INVALID, "invalid_request", f"nonce of {len(text)} characters")
    return text


def _scopes(text: str | None) -> tuple[str, ...] | None:
    """Return what was asked, nothing dropped yet; an empty scope counts as none (VS Code sends it)."""
    try:
        return (scope.parse(text) or None) if text is not None else None
    except OAuthError as error:
        raise _Refusal(error.fault, error.error, error.reason) from None


def _resource(sent: list[str], origin: str, is_resource: Callable[[str], bool]) -> str | None:
    """Return the one server that was asked for. Repeating the same one is legal (RFC 8707 section 2; Codex does).

    Our bare origin names no server and counts as nothing sent (Visual Studio Code's agent host, mcp-remote).
    """
    meant = {resource.resolve(value, is_resource) for value in sent if resource.canonical(value) != origin}
    if len(meant) > 1 or None in meant:
        raise _Refusal(faults.RESOURCE_UNKNOWN, "invalid_target", f"resource {[value[:200] for value in sent[:3]]!r}")
    return next(iter(meant), None)


def _location(target: str, parameters: list[tuple[str, str | None]]) -> str:
    # A registered URI keeps its query (RFC 6749 s3.1.2) and holds none of these names (redirect_uri.registrable).
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters if value is not None)
    return f"{target}{'&' if '?' in target else '?'}{query}"


def _is_text(value: str) -> bool:
    """Tell whether the text has no lone surrogates, which UTF-8 cannot carry."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
