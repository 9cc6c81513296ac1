"""Token, revocation and introspection requests, and the token answer.

OAuth 2.1 section 3.2, RFC 7009 section 2.1, RFC 7662 section 2.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from doorward.model import ClientId
from doorward.protocol import faults, form, resource, scope, signed_jwt, trust
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import Fault
from doorward.protocol.signed_jwt import BadAssertion, SignedJwt

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105  (the name of a grant)
CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN)
"""What a client registers for that names none."""
GRANT_TYPES = (*DEFAULT_GRANT_TYPES, DEVICE_CODE)
"""What a client may register itself for."""
ALL_GRANT_TYPES = (*DEFAULT_GRANT_TYPES, CLIENT_CREDENTIALS, DEVICE_CODE, JWT_BEARER)
"""What the token endpoint answers, and what metadata therefore lists."""

MAX_BODY = 64 * 1024

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenForm:
    """The parameters of one request: each once, empty ones left out. Different ``resource`` values stay apart."""

    values: Mapping[str, str] = field(repr=False)
    resources: tuple[str, ...]

    def required(self, name: str) -> str:
        """Return a parameter, or raise ``OAuthError`` ``invalid_request``."""
        value = self.values.get(name)
        if value is None:
            raise _invalid(faults.TOKEN_PARAMETER_MISSING, f"no {name}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCodeRequest:
    """``redirect_uri`` is compared where it is sent (OAuth 2.0 clients send it, 2.1 ones need not)."""

    code: str = field(repr=False)
    code_verifier: str = field(repr=False)
    redirect_uri: str | None
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenRequest:
    """``scope`` and ``resource`` are None where the client left them out: as granted."""

    refresh_token: str = field(repr=False)
    scope: tuple[str, ...] | None
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentialsRequest:
    """``scope`` is None where the client named none: all it may have."""

    scope: tuple[str, ...] | None
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCodeRequest:
    """A device asks whether its person has answered (RFC 8628 section 3.4)."""

    device_code: str = field(repr=False)
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAuthorizationRequest:
    """A device wants a person to be asked (RFC 8628 section 3.1). ``scope`` is None where it named none."""

    scope: tuple[str, ...] | None
    resource: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRequest:
    """A workload shows its platform's token (RFC 7523 section 2.1). ``rule`` is its ``client_id``, where it sent one."""

    assertion: SignedJwt
    issuer: str
    rule: ClientId | None
    scope: tuple[str, ...] | None
    resource: str | None


TokenRequest = AuthorizationCodeRequest | RefreshTokenRequest | ClientCredentialsRequest | DeviceCodeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenQuestion:
    """Which token is to be revoked or described. An unknown or wrong hint changes nothing (RFC 7009 section 2.1)."""

    token: str = field(repr=False)
    hint: str | None


def parse_token_request(content_type: str | None, body: bytes, query: bytes | str = b"") -> TokenForm:
    """Read the form of a token or revocation request. Raises ``OAuthError`` ``invalid_request``.

    Refused: another content type (C12), anything in the URL (C11: it would be in access logs), a repeated parameter
    (C13; the same ``resource`` again is the same), more than ``MAX_BODY`` bytes, what is not UTF-8.
    """
    if (content_type or "").partition(";")[0].strip().lower() != _FORM:
        raise _invalid(faults.TOKEN_CONTENT_TYPE, f"content type {(content_type or '')[:80]!r}")
    if query:
        raise _invalid(faults.TOKEN_PARAMETERS_IN_URL, "the URL has a query")
    if len(body) > MAX_BODY:
        raise _invalid(faults.TOKEN_MALFORMED, f"{len(body)} bytes")
    try:
        pairs = form.parse(body)
    except ValueError:
        raise _invalid(faults.TOKEN_MALFORMED, "not UTF-8, or too many parameters") from None
    repeated = form.repeated(pairs, may_repeat="resource")
    if repeated:
        raise _invalid(faults.TOKEN_PARAMETER_REPEATED, f"{len(repeated)} parameters are repeated")
    resources = dict.fromkeys(value for name, value in pairs if name == "resource" and value)
    return TokenForm(values=form.present(pairs), resources=tuple(resources))


def read_grant(token_form: TokenForm) -> TokenRequest:
    """Return what is asked for, once the client is authenticated.

    Raises ``OAuthError``: ``unsupported_grant_type``, ``invalid_request``, ``invalid_scope`` or ``invalid_target``.
    """
    grant_type = token_form.required("grant_type")
    if grant_type == AUTHORIZATION_CODE:
        return AuthorizationCodeRequest(
            code=token_form.required("code"),
            code_verifier=token_form.required("code_verifier"),
            redirect_uri=token_form.values.get("redirect_uri"),
            resource=_resource(token_form),
        )
    if grant_type == REFRESH_TOKEN:
        return RefreshTokenRequest(
            refresh_token=token_form.required("refresh_token"), scope=_scope(token_form), resource=_resource(token_form)
        )
    if grant_type == CLIENT_CREDENTIALS:
        return ClientCredentialsRequest(scope=_scope(token_form), resource=_resource(token_form))
    if grant_type == DEVICE_CODE:
        return DeviceCodeRequest(device_code=token_form.required("device_code"), resource=_resource(token_form))
    raise OAuthError(faults.GRANT_UNSUPPORTED, "unsupported_grant_type", reason=f"grant_type {grant_type[:64]!r}")


def read_device_authorization(token_form: TokenForm) -> DeviceAuthorizationRequest:
    """Return what a device asks for. Raises ``OAuthError`` ``invalid_scope`` or ``invalid_target``."""
    return DeviceAuthorizationRequest(scope=_scope(token_form), resource=_resource(token_form))


def read_workload(token_form: TokenForm, *, authorization: bool) -> WorkloadRequest:
    """Return what a workload asks for; nothing of its assertion is verified yet.

    It proves itself by the assertion and nothing else: credentials beside it (``authorization``: a header) are
    ``invalid_request``, for one that fails must not become none. Raises ``OAuthError``.
    """
    beside = token_form.values.keys() & {"client_secret", "client_assertion", "client_assertion_type"}
    if authorization or beside:
        reason = "client credentials beside the assertion of a workload"
        raise OAuthError(faults.CLIENT_AUTHENTICATION_AMBIGUOUS, "invalid_request", reason=reason)
    text = token_form.required("assertion")
    try:
        assertion = signed_jwt.read(text, trust.TYPES)
    except BadAssertion as wrong:
        raise untrusted(str(wrong)) from None
    issuer, client_id = assertion.claims.get("iss"), token_form.values.get("client_id")
    if not isinstance(issuer, str) or not 0 < len(issuer) <= trust.MAX_VALUE or not issuer.isprintable():
        raise untrusted("iss is no usable text")
    return WorkloadRequest(
        assertion=assertion,
        issuer=issuer,
        rule=None if client_id is None else ClientId(client_id),
        scope=_scope(token_form),
        resource=_resource(token_form),
    )


def untrusted(reason: str) -> OAuthError:
    """Return the one answer to a workload whose token is not taken, whatever is wrong with it."""
    return OAuthError(faults.WORKLOAD_UNTRUSTED, "invalid_grant", reason=reason)


def read_question(token_form: TokenForm) -> TokenQuestion:
    """Return which token a request is about. Raises ``OAuthError`` ``invalid_request`` where none is named."""
    return TokenQuestion(token=token_form.required("token"), hint=token_form.values.get("token_type_hint"))


def token_response(
    access_token: str, expires_in: int, scopes: Iterable[str], refresh_token: str | None
) -> dict[str, str | int]:
    """Return the answer's members (OAuth 2.1 section 3.2.3), ``expires_in`` in seconds, nothing null.

    ``scope`` is always said: what was granted may be less than what was asked.
    """
    answer: dict[str, str | int] = {"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in}
    answer["scope"] = scope.join(scopes)
    return answer if refresh_token is None else {**answer, "refresh_token": refresh_token}


def _scope(token_form: TokenForm) -> tuple[str, ...] | None:
    return scope.parse(token_form.values.get("scope", "")) or None


def _resource(token_form: TokenForm) -> str | None:
    if len({resource.canonical(each) or each for each in token_form.resources}) > 1:
        raise OAuthError(faults.TOKEN_RESOURCE, "invalid_target", reason=f"{len(token_form.resources)} resources")
    return next(iter(token_form.resources), None)


def _invalid(fault: Fault, reason: str) -> OAuthError:
    return OAuthError(fault, "invalid_request", reason=reason)
