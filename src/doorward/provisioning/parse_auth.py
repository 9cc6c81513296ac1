"""How the gateway says who it is to a server: by its identity token, a credential, a person's account, or not at all (D6)."""

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from doorward.model import AuthKind, Server, UpstreamCredential
from doorward.protocol.outbound.reading import MAX_TEXT, https_url, scopes_in
from doorward.provisioning.parse_stdio import named_secret
from doorward.provisioning.reading import Place, refuse
from doorward.provisioning.values import choice, needed, values

IDENTITY: Final = "identity"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ACCOUNTS: Final = frozenset({AuthKind.OAUTH})
_OF: Final[Mapping[str, Collection[AuthKind]]] = {
    "secret": {AuthKind.BEARER, AuthKind.HEADER, AuthKind.OAUTH},
    "header": {AuthKind.HEADER},
    "client_id": _ACCOUNTS,
    "scopes": _ACCOUNTS,
    "authorization_server": _ACCOUNTS,
}
"""The members of ``auth``, and which kinds have them."""
_HEADER: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OURS: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive",
    "last-event-id", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def parse_auth(place: Place) -> UpstreamCredential | None:
    """Return what ``place`` declares; None for the identity token. Raises ``DocumentError``."""
    table = place.table("kind", *_OF)
    wanted = needed(place, table, "kind")
    kind = None if wanted.value == IDENTITY else choice(wanted, AuthKind)
    for name, of in _OF.items():
        if name in table and kind not in of:
            table[name].refuse(f"not for {wanted.value}", "Take it out")
    if kind is None:
        return None
    if kind is AuthKind.NONE:
        return UpstreamCredential(kind=kind)
    if kind is AuthKind.OAUTH:
        return _oauth(table)
    secret = named_secret(needed(place, table, "secret"))
    header = "" if kind is AuthKind.BEARER else _header(needed(place, table, "header"))
    return UpstreamCredential(kind=kind, secret=secret, header=header)


def check_accounts(server: Server, path: str) -> None:
    """Refuse ``oauth`` where people's tokens would travel in the clear, or where nobody could say where they sign in.

    Raises ``DocumentError``.
    """
    auth = server.auth
    if auth is None or auth.kind is not AuthKind.OAUTH or server.upstream.startswith("https://"):
        return
    if server.stdio is not None:
        refuse(path, "a command has no accounts of people", "Take auth out, or give it the secret in env")
    if urlsplit(server.upstream).hostname not in LOOPBACK:
        refuse(path, "people's tokens would travel without TLS", "Give the server an https URL")
    if not auth.authorization_server:
        refuse(path, "a server without TLS is not asked where people sign in", "Add authorization_server to auth")


def _oauth(table: Mapping[str, Place]) -> UpstreamCredential:
    if "secret" in table and "client_id" not in table:
        table["secret"].refuse("a secret of nobody", "Add client_id, as what the gateway is registered there")
    return UpstreamCredential(
        kind=AuthKind.OAUTH,
        secret=named_secret(table["secret"]) if "secret" in table else "",
        client_id=_client_id(table.get("client_id")),
        scopes=_scopes(table.get("scopes")),
        authorization_server=_issuer(table.get("authorization_server")),
    )


def _client_id(place: Place | None) -> str:
    if place is None:
        return ""
    text = place.text()
    if not 0 < len(text) <= MAX_TEXT or not (text.isascii() and text.isprintable()):
        place.refuse("not a client_id", "Write it as the other side gave it")
    return text


def _scopes(place: Place | None) -> tuple[str, ...]:
    found = values(place) or ()
    if place is not None and scopes_in(" ".join(found)) != found:
        place.refuse("not a list of scopes, each once", "Write them like [read, write]")
    return found


def _issuer(place: Place | None) -> str:
    if place is None:
        return ""
    try:
        return https_url(place.text(), "authorization_server")
    except ValueError:
        place.refuse("not an issuer's https URL", "Write it exactly as it stands in its metadata")


def _header(place: Place) -> str:
    name = place.text().lower()
    if not credential_header_ok(name):
        place.refuse("not a header for a credential", "Write it like x-api-key")
    return name


def credential_header_ok(name: str) -> bool:
    """Say whether a credential may be sent in the header ``name`` (lower case): none that we send ourselves."""
    return _HEADER.fullmatch(name) is not None and name not in _OURS and not name.startswith("mcp-")
