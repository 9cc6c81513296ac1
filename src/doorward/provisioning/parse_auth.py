"""How the gateway says who it is to a server: by its identity token, a credential of the vault, or not at all (D6)."""

import re
from typing import Final

from doorward.model import AuthKind, UpstreamCredential
from doorward.provisioning.parse_stdio import named_secret
from doorward.provisioning.reading import Place
from doorward.provisioning.values import choice, needed

IDENTITY: Final = "identity"
_HEADER: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OURS: Final = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive",
    "last-event-id", "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip


def parse_auth(place: Place) -> UpstreamCredential | None:
    """Return what ``place`` declares; None for the identity token. Raises ``DocumentError``."""
    table = place.table("kind", "secret", "header")
    wanted = needed(place, table, "kind")
    kind = None if wanted.value == IDENTITY else choice(wanted, AuthKind)
    for name, of in {"secret": {AuthKind.BEARER, AuthKind.HEADER}, "header": {AuthKind.HEADER}}.items():
        if name in table and kind not in of:
            table[name].refuse(f"not for {wanted.value}", "Take it out")
    if kind is None:
        return None
    if kind is AuthKind.NONE:
        return UpstreamCredential(kind=kind)
    secret = named_secret(needed(place, table, "secret"))
    header = "" if kind is AuthKind.BEARER else _header(needed(place, table, "header"))
    return UpstreamCredential(kind=kind, secret=secret, header=header)


def _header(place: Place) -> str:
    name = place.text().lower()
    if not _HEADER.fullmatch(name) or name in _OURS or name.startswith("mcp-"):
        place.refuse("not a header for a credential", "Write it like x-api-key")
    return name
