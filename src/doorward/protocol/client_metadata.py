"""Client metadata: dynamic registration (RFC 7591) and Client ID Metadata Documents (CIMD draft -02).

Only members that are understood are kept; privileged wishes (scopes of an administrator, skipped consent, other
grants) have no member here and therefore no effect (security E6). What a client says of itself never decides trust.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from doorward.model import SECOND, Client, ClientAuthMethod
from doorward.protocol import faults, id_token, jsonrpc, redirect_uri, scope, signed_jwt
from doorward.protocol.client_members import (
    auth_method,
    check_links,
    grant_types,
    invalid,
    list_of,
    name_of,
    redirect_uris,
    scopes,
    short_text,
)
from doorward.protocol.errors import JsonRpcError, OAuthError, PageError, ProtocolError
from doorward.protocol.token import AUTHORIZATION_CODE

MAX_BODY = 16 * 1024
MAX_DOCUMENT = 5 * 1024
"""Bytes (CIMD -02 section 8.7)."""

_ECHOED_URIS = frozenset({"client_uri", "logo_uri", "tos_uri", "policy_uri"})
_TEXT_MEMBERS = ("software_id", "software_version", "application_type")
_OPENID_MEMBERS = frozenset({"id_token_signed_response_alg", "post_logout_redirect_uris"})
_GIVEN_OUT = frozenset({
    "registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at",
})  # fmt: skip
_FORBIDDEN_IN_DOCUMENT = frozenset({"client_secret", "client_secret_expires_at"})
_PRIVATE_KEY_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_REGISTRABLE_METHODS = (ClientAuthMethod.NONE, ClientAuthMethod.SECRET_POST, ClientAuthMethod.SECRET_BASIC)
_DOCUMENT_METHODS = (ClientAuthMethod.NONE, ClientAuthMethod.PRIVATE_KEY_JWT)

_DOCUMENT_URL = re.compile(
    r"https://(?P<host>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9\-._~!$&'()+,;=:@/]+)"
)
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]+")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_WEB_PORTS = frozenset({443, 8443})
_FIRST_USER_PORT = 49152
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRequest:
    """What a client asks to be registered as.

    ``metadata`` holds the other members we understand, for the echo; ``scopes`` is as asked (None: not said).
    """

    name: str
    redirect_uris: tuple[str, ...]
    auth_method: ClientAuthMethod
    grant_types: frozenset[str]
    scopes: tuple[str, ...] | None
    client_uri: str | None
    metadata: Mapping[str, object]
    id_token_alg: str = id_token.ALGORITHMS[0]
    post_logout_redirect_uris: tuple[str, ...] = ()
    jwks: tuple[Mapping[str, str], ...] = ()
    """Of a document that declares ``private_key_jwt``."""
    jwks_uri: str | None = None
    """Where a document says that they are found instead."""


def parse_registration(body: bytes, *, vendor_schemes: Collection[str] = ()) -> RegistrationRequest:
    """Read the body of a registration request.

    No ``token_endpoint_auth_method`` means ``none`` (B3) and no ``grant_types`` code and refresh, both said in the answer;
    who registers for the device grant alone needs no redirect URI but a name; unknown members and unsupported grants are left out; an undotted redirect scheme that nobody knows is left out
    beside good ones. Raises ``OAuthError``: ``invalid_redirect_uri``, ``invalid_client_metadata`` or
    ``invalid_software_statement`` (RFC 7591 section 3.2.2).
    """
    if len(body) > MAX_BODY:
        raise invalid(faults.REGISTRATION_MALFORMED, f"{len(body)} bytes")
    try:
        members = _said(jsonrpc.decode_object(body))
    except JsonRpcError as error:
        raise invalid(faults.REGISTRATION_MALFORMED, error.reason) from None
    if "software_statement" in members:
        raise OAuthError(faults.SOFTWARE_STATEMENT, "invalid_software_statement", reason="sent")
    return _read(members, vendor_schemes, _REGISTRABLE_METHODS)


def parse_update(
    client: Client, body: bytes, *, secret_fits: Callable[[str], bool], vendor_schemes: Collection[str] = ()
) -> RegistrationRequest:
    """Read the body with which a confidential client replaces its metadata (RFC 7592 section 2.2).

    It names itself, sets nothing that the server gives out, repeats its secret or leaves it out, and does not become
    public: that would be less than its people approved. Raises ``OAuthError`` like ``parse_registration``.
    """
    asked = parse_registration(body, vendor_schemes=vendor_schemes)
    members = _said(jsonrpc.decode_object(body))
    if members.get("client_id") != client.id:
        raise invalid(faults.REGISTRATION_UPDATE, "client_id is missing or another one")
    if members.keys() & _GIVEN_OUT:
        raise invalid(faults.REGISTRATION_UPDATE, f"sets {min(members.keys() & _GIVEN_OUT)}")
    secret = members.get("client_secret")
    if secret is not None and not (isinstance(secret, str) and secret_fits(secret)):
        raise invalid(faults.REGISTRATION_UPDATE, "client_secret is not the one that it has")
    if asked.auth_method is ClientAuthMethod.NONE:
        raise invalid(faults.REGISTRATION_UPDATE, "token_endpoint_auth_method none")
    return asked


def is_metadata_document_url(client_id: str) -> bool:
    """Tell whether a client_id is an acceptable URL of a metadata document (CIMD -02 section 3; security F1, F3).

    https, a named host, a path that is more than ``/``, no query, fragment, user name or dot segments. Stricter than
    the draft: lower-case host, no percent-encoding, and no ports of other services.
    """
    found = _DOCUMENT_URL.fullmatch(client_id) if len(client_id) <= redirect_uri.MAX_LENGTH else None
    if found is None or _NUMERIC.fullmatch(found["host"].rpartition(".")[2]) is not None:
        return False
    port = int(found["port"] or 443)
    if port not in _WEB_PORTS and not _FIRST_USER_PORT <= port <= _LAST_PORT:
        return False
    return not any(segment.partition(";")[0] in {".", ".."} for segment in found["path"].split("/"))


def may_be_client_id(text: str) -> bool:
    """Tell whether a client id can be one of ours (letters, digits, ``.``, ``_``, ``-``) or a document's URL.

    Another one was damaged by whoever sent it (Visual Studio Code 1.138: microsoft/vscode#337052).
    """
    return _CLIENT_ID.fullmatch(text) is not None or text.startswith("https://")


def parse_metadata_document(url: str, body: bytes, *, vendor_schemes: Collection[str] = ()) -> RegistrationRequest:
    """Read the document fetched from ``url``, or a pinned copy of it. Raises ``PageError`` (CIMD -02 section 5.1).

    ``client_id`` must be the URL byte for byte; shared secrets and private keys are refused (section 4.1). A document
    that declares ``private_key_jwt`` has its keys in it (``jwks``) or says where they are (``jwks_uri``), not both (RFC
    7591 section 2): accepting it without them would be weaker than it asks for (section 8.2).
    """
    try:
        if len(body) > MAX_DOCUMENT:
            raise invalid(faults.METADATA_DOCUMENT_INVALID, f"{len(body)} bytes")
        members = _said(jsonrpc.decode_object(body))
        _check_document(url, members)
        read = _read(members, vendor_schemes, _DOCUMENT_METHODS)
        return _with_keys(read, members)
    except ProtocolError as error:
        raise PageError(faults.METADATA_DOCUMENT_INVALID, reason=str(error)) from None


def canonical_key(request: RegistrationRequest) -> str:
    """Return the key that makes registrations of public clients idempotent (B3).

    SHA-256 (hex) of the metadata in canonical form: order and loopback ports left out, because a native client has
    another port each time.
    """
    return hashlib.sha256(
        jsonrpc.encode(
            [
                request.name,
                sorted({redirect_uri.without_loopback_port(uri) for uri in request.redirect_uris}),
                request.auth_method,
                sorted(request.grant_types),
                None if request.scopes is None else sorted(request.scopes),
                sorted(request.metadata.items()),
            ]
        )
    ).hexdigest()


def registration_response(
    request: RegistrationRequest,
    client: Client,
    *,
    scopes: Iterable[str] | None = None,
    client_secret: str | None = None,
) -> dict[str, Any]:
    """Return the answer to a registration (RFC 7591 section 3.2.1): all metadata as registered, integers, no nulls.

    ``client`` may be the record of an earlier, equal registration: redirect URIs are echoed as they were sent now.
    ``scopes`` is what the client may ask for, where it named any. A secret does not expire (0).
    """
    answer: dict[str, Any] = {
        **request.metadata,
        "client_id": client.id,
        "client_id_issued_at": client.created_at // SECOND,
        "client_name": request.name,
        "redirect_uris": list(request.redirect_uris),
        "grant_types": sorted(request.grant_types),
        "response_types": ["code"] if AUTHORIZATION_CODE in request.grant_types else [],
        "token_endpoint_auth_method": request.auth_method.value,
    }
    if scopes is not None:
        answer["scope"] = scope.join(scopes)
    if client_secret is not None:
        answer |= {"client_secret": client_secret, "client_secret_expires_at": 0}
    return answer


def _read(
    members: Mapping[str, Any], vendor_schemes: Collection[str], methods: Collection[ClientAuthMethod]
) -> RegistrationRequest:
    grants = grant_types(members.get("grant_types"))
    uris = redirect_uris(members.get("redirect_uris"), vendor_schemes, needed=AUTHORIZATION_CODE in grants)
    check_links(members)
    metadata: dict[str, object] = {name: members[name] for name in sorted(_ECHOED_URIS & members.keys())}
    for name in _TEXT_MEMBERS:
        if name in members:
            metadata[name] = short_text(name, members[name])
    if "contacts" in members:
        metadata["contacts"] = [short_text("contacts", each) for each in list_of("contacts", members["contacts"])]
    _check_response_types(members, grants)
    algorithm = members.get("id_token_signed_response_alg", id_token.ALGORITHMS[0])
    if algorithm not in id_token.ALGORITHMS:
        raise invalid(faults.METADATA_INVALID, f"id_token_signed_response_alg {str(algorithm)[:64]!r}")
    after = tuple(dict.fromkeys(list_of("post_logout_redirect_uris", members.get("post_logout_redirect_uris") or [])))
    # Echoed and part of the canonical key only where they were said.
    metadata |= {name: members[name] for name in _OPENID_MEMBERS & members.keys()}
    return RegistrationRequest(
        id_token_alg=algorithm,
        post_logout_redirect_uris=after,
        name=name_of(members.get("client_name"), uris),
        redirect_uris=uris,
        auth_method=auth_method(members.get("token_endpoint_auth_method", "none"), methods),
        grant_types=grants,
        scopes=scopes(members.get("scope")),
        client_uri=members.get("client_uri"),
        metadata=metadata,
    )


def _check_response_types(members: Mapping[str, Any], grants: Collection[str]) -> None:
    if "response_types" not in members or AUTHORIZATION_CODE not in grants:
        return
    if "code" not in list_of("response_types", members["response_types"]):
        raise invalid(faults.METADATA_INVALID, "response_types without code")


def _check_document(url: str, members: Mapping[str, Any]) -> None:
    if members.get("client_id") != url:
        raise invalid(faults.METADATA_DOCUMENT_INVALID, "client_id is not the URL")
    if not isinstance(members.get("client_name"), str):
        raise invalid(faults.METADATA_DOCUMENT_INVALID, "no client_name")
    if members.keys() & _FORBIDDEN_IN_DOCUMENT:
        raise invalid(faults.METADATA_DOCUMENT_INVALID, "holds a client secret")
    jwks = members.get("jwks")
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if isinstance(keys, list) and any(isinstance(key, dict) and key.keys() & _PRIVATE_KEY_MEMBERS for key in keys):
        raise invalid(faults.METADATA_DOCUMENT_INVALID, "holds private key material")


def _with_keys(read: RegistrationRequest, members: Mapping[str, Any]) -> RegistrationRequest:
    """Add the keys of a document. One that says ``none`` and has a ``jwks_uri`` may prove itself nevertheless."""
    where = members.get("jwks_uri")
    usable = where is not None and "jwks" not in members and is_metadata_document_url(where)
    if usable:
        return replace(read, jwks_uri=where)
    if read.auth_method is ClientAuthMethod.NONE:
        return read
    if where is not None:
        raise invalid(faults.METADATA_DOCUMENT_INVALID, "jwks_uri beside jwks, or no URL that is ever fetched")
    return replace(read, jwks=_keys(members.get("jwks")))


def _keys(jwks: object) -> tuple[Mapping[str, str], ...]:
    try:
        return signed_jwt.public_keys(jwks)
    except ValueError as wrong:
        raise invalid(faults.METADATA_DOCUMENT_INVALID, f"private_key_jwt, and its jwks {wrong}") from None


def _said(members: Mapping[str, Any]) -> dict[str, Any]:
    """Drop null and empty members: some clients send what they do not have as null or ''."""
    return {name: value for name, value in members.items() if value is not None and value != ""}
