"""Members of client metadata, each read by itself (RFC 7591 section 2). What does not fit raises ``OAuthError``."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from doorward.model import ClientAuthMethod
from doorward.protocol import faults, redirect_uri, scope
from doorward.protocol.errors import OAuthError
from doorward.protocol.faults import Fault
from doorward.protocol.plain_text import is_visible
from doorward.protocol.token import AUTHORIZATION_CODE, DEFAULT_GRANT_TYPES, DEVICE_CODE, GRANT_TYPES

MAX_REDIRECT_URIS = 32
MAX_NAME = 128
"""Characters. Claude Code puts the server's name into its own, so 64 would be too few; pages cut at 60."""
MAX_TEXT = 1024
_URI_MEMBERS = ("client_uri", "logo_uri", "tos_uri", "policy_uri", "jwks_uri", "sector_identifier_uri",
                "initiate_login_uri")  # fmt: skip
_URI_LIST_MEMBERS = ("post_logout_redirect_uris", "request_uris")
_LINK = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]*)?"
)


def redirect_uris(value: object, vendor_schemes: Collection[str], *, needed: bool) -> tuple[str, ...]:
    """Return the acceptable ones.

    One dangerous URI refuses the registration; one of a scheme that nobody knows is left out beside good ones (a client
    that sends several must not fail for one: Cursor, VS Code).
    """
    if not needed and value in (None, []):
        return ()
    if not isinstance(value, list) or not 0 < len(value) <= MAX_REDIRECT_URIS:
        raise OAuthError(faults.REDIRECT_URIS_MISSING, "invalid_redirect_uri", reason="no list of 1 to 32")
    accepted: dict[str, None] = {}
    unknown: OAuthError | None = None
    for uri in value:
        if not isinstance(uri, str):
            raise OAuthError(faults.REDIRECT_URI_REFUSED, "invalid_redirect_uri", reason="not a string")
        try:
            redirect_uri.registrable(uri, vendor_schemes)
            accepted[uri] = None
        except OAuthError as error:
            if error.fault is not faults.REDIRECT_SCHEME_UNKNOWN:
                raise
            unknown = error
    if unknown is not None and not accepted:
        raise unknown
    return tuple(accepted)


def check_links(members: Mapping[str, Any]) -> None:
    """Refuse every link that is not plain http(s), in language-tagged members (``client_uri#ja``) too (E2)."""
    for name, value in members.items():
        base = name.partition("#")[0]
        links = list_of(name, value) if base in _URI_LIST_MEMBERS else [value] if base in _URI_MEMBERS else []
        for link in links:
            if not isinstance(link, str) or len(link) > redirect_uri.MAX_LENGTH or _LINK.fullmatch(link) is None:
                raise invalid(faults.METADATA_URI_REFUSED, f"{name[:64]} is not a plain http or https URL")


def name_of(value: object, uris: Sequence[str]) -> str:
    """Return the name, or where there is none the host of the first redirect URI."""
    if value is None and uris:
        return redirect_uri.describe(uris[0]).host_display
    if not isinstance(value, str) or not 0 < len(value.strip()) <= MAX_NAME or not _visible(value.strip()):
        raise invalid(faults.CLIENT_NAME_REFUSED, "client_name is empty, too long or has invisible characters")
    return value.strip()


def _visible(text: str) -> bool:
    """Tell whether every character can be seen, with no other space than the plain one (E4)."""
    return is_visible(text) and not any(character != " " and character.isspace() for character in text)


def auth_method(value: object, methods: Collection[ClientAuthMethod]) -> ClientAuthMethod:
    """Return how the client proves who it is."""
    if not isinstance(value, str) or value not in methods:
        raise invalid(faults.METADATA_INVALID, f"token_endpoint_auth_method {str(value)[:64]!r}")
    return ClientAuthMethod(value)


def grant_types(value: object) -> frozenset[str]:
    """Return the grants asked for that there are."""
    asked = list_of("grant_types", value) if value is not None else []
    kept = frozenset(grant for grant in GRANT_TYPES if grant in asked) if asked else frozenset(DEFAULT_GRANT_TYPES)
    if not kept & {AUTHORIZATION_CODE, DEVICE_CODE}:
        raise invalid(faults.METADATA_INVALID, "grant_types without authorization_code or device_code")
    return kept


def scopes(value: object) -> tuple[str, ...] | None:
    """Return the scopes as asked; None where nothing is said."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(faults.METADATA_INVALID, "scope is not a string")
    try:
        return scope.parse(value)
    except OAuthError as error:
        raise invalid(faults.METADATA_INVALID, error.reason) from None


def short_text(name: str, value: object) -> str:
    """Return a text that fits."""
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise invalid(faults.METADATA_INVALID, f"{name} is not short text")
    return value


def list_of(name: str, value: object) -> list[Any]:
    """Return a list that fits."""
    if not isinstance(value, list) or len(value) > MAX_REDIRECT_URIS:
        raise invalid(faults.METADATA_INVALID, f"{name[:64]} is not a list of acceptable length")
    return value


def invalid(fault: Fault, reason: str) -> OAuthError:
    """Return the error for client metadata."""
    return OAuthError(fault, "invalid_client_metadata", reason=reason)
