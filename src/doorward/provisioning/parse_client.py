"""A document's ``clients`` entry: an OAuth client that an administrator registers (features B5, B15)."""

import re
from collections.abc import Mapping
from typing import Final

from doorward.credentials.client_assertion import importable
from doorward.model import ClientAuthMethod
from doorward.protocol.client_metadata import is_metadata_document_url
from doorward.protocol.errors import OAuthError
from doorward.protocol.id_token import ALGORITHMS
from doorward.protocol.redirect_uri import registrable
from doorward.protocol.signed_jwt import public_keys
from doorward.provisioning import names
from doorward.provisioning.document import ClientDeclared
from doorward.provisioning.reading import Place
from doorward.provisioning.values import choice, flag, lifetime, needed, permissions, title, values

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OPENID: Final = ("post_logout_redirect_uris", "id_token_signed_response_alg")
_FOR_MACHINES: Final = ("service_account", "introspects", "jwks", "jwks_uri")


def parse_client(place: Place) -> ClientDeclared:
    """Return one client. Raises ``DocumentError``."""
    table = place.table(
        "id", "name", "redirect_uris", "type", "auth_method", "scopes", "access_ttl", "device", *_OPENID,
        *_FOR_MACHINES,
    )  # fmt: skip
    given = table.get("id")
    if given is not None and not _ID.fullmatch(given.text()):
        given.refuse("cannot be a client's id", "Use letters, digits, '.', '_' and '-'")
    device = flag(table.get("device"))
    without_redirect = device or "service_account" in table or "introspects" in table
    uris = table.get("redirect_uris") if without_redirect else needed(place, table, "redirect_uris")
    return ClientDeclared(
        path=place.path,
        id=None if given is None else given.text(),
        name=title(needed(place, table, "name")) or "",
        redirect_uris=None if uris is None else _redirect_uris(uris),
        auth_method=_auth_method(table),
        scopes=permissions(table.get("scopes")),
        access_ttl=lifetime(table.get("access_ttl")),
        jwks=public_jwks(table.get("jwks")),
        jwks_uri=_jwks_uri(table),
        service_account=_email(table.get("service_account")),
        introspects=values(table.get("introspects")),
        device=device,
        post_logout_redirect_uris=_after(table.get("post_logout_redirect_uris")),
        id_token_alg=_algorithm(table.get("id_token_signed_response_alg")),
    )


def _redirect_uris(place: Place) -> tuple[str, ...]:
    uris = values(place) or ()
    if not uris:
        place.refuse("no redirect URI", "Write at least one")
    for item in place.each():
        # An administrator may name any app's own scheme; the dangerous ones stay refused (decision 0077.2).
        scheme = item.text().partition(":")[0]
        try:
            registrable(item.text(), {scheme})
        except OAuthError as wrong:
            item.refuse(
                f"refused as a redirect URI ({wrong.reason})", "Use https, http on loopback, or the app's scheme"
            )
    return uris


def _after(place: Place | None) -> tuple[str, ...] | None:
    return None if place is None else (_redirect_uris(place) if place.value else ())


def _algorithm(place: Place | None) -> str | None:
    if place is not None and place.text() not in ALGORITHMS:
        place.refuse(f"{place.text()[:80]!r} is not known", "Write RS256 or ES256")
    return None if place is None else place.text()


def _auth_method(table: dict[str, Place]) -> ClientAuthMethod:
    kind, method = table.get("type"), choice(table.get("auth_method"), ClientAuthMethod)
    confidential = kind is not None and kind.text() == "confidential"
    if kind is not None and kind.text() not in {"public", "confidential"}:
        kind.refuse(f"{kind.text()[:80]!r} is not known", "Write public or confidential")
    if method is not None and confidential is (method is ClientAuthMethod.NONE):
        table["auth_method"].refuse(
            "does not fit the client's type", "A public client has none, a confidential one a secret or keys"
        )
    for name in _FOR_MACHINES:
        if name in table and not confidential:
            table[name].refuse("is for clients that can prove who they are", "Write type: confidential")
    keys = table.get("jwks") or table.get("jwks_uri")
    usual = ClientAuthMethod.SECRET_BASIC if keys is None else ClientAuthMethod.PRIVATE_KEY_JWT
    found = method or (usual if confidential else ClientAuthMethod.NONE)
    if keys is not None and found is not ClientAuthMethod.PRIVATE_KEY_JWT:
        keys.refuse(f"{found} uses no keys", "Write auth_method: private_key_jwt, or leave the keys out")
    return found


def _jwks_uri(table: dict[str, Place]) -> str | None:
    place = table.get("jwks_uri")
    if place is None:
        return None
    if "jwks" in table:
        place.refuse("beside jwks", "Keep one of the two")
    if not is_metadata_document_url(place.text()):
        place.refuse("not a URL that keys are fetched from", "Write an https URL with a named host and a path")
    return place.text()


def public_jwks(place: Place | None) -> tuple[Mapping[str, str], ...] | None:
    """Return the public keys of a JWK Set, all of them real ones. Raises ``DocumentError``."""
    if place is None:
        return None
    try:
        keys = public_keys(place.value)
    except ValueError as wrong:
        place.refuse(f"cannot be used ({wrong})", "Write the public keys as a JWK Set: {keys: [...]}")
    if not all(importable(key) for key in keys):
        place.refuse("holds a key that is none", "Export the public keys again")
    return keys


def _email(place: Place | None) -> str | None:
    email = None if place is None else names.email_of(place.text())
    if place is not None and email is None:
        place.refuse(f"{place.text()[:80]!r} is no e-mail address", "Write that of a user of kind service")
    return email
