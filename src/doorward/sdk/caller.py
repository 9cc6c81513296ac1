"""Who is calling, in one form whatever proved it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken

from doorward.sdk.errors import InsufficientScopeError, NotVerifiedError

Node = tuple[str, str]
"""A resource of the tenant's tree as ``(type, key)``."""

_TEXTS: Final = ("sub", "email", "name", "tenant", "tenant_id", "client", "credential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The verified caller. Texts that are not known are empty or None.

    ``scopes`` are what it may do now, within ``roots``: the nodes whose subtrees it may touch, None for the whole tenant.
    """

    user_id: str
    email: str
    name: str
    tenant: str | None
    """The slug."""
    tenant_id: str | None
    scopes: frozenset[str]
    roots: frozenset[Node] | None
    client: str | None
    """The OAuth client's id; None for API keys."""
    credential: str | None
    """``access_token`` or ``api_key``."""

    def may(self, permission: str) -> bool:
        """Say whether the caller has ``permission``."""
        return permission in self.scopes

    def require(self, *permissions: str) -> None:
        """Raise ``InsufficientScopeError`` unless the caller has all ``permissions``."""
        missing = set(permissions) - self.scopes
        if missing:
            raise InsufficientScopeError(missing)

    def reaches(self, path: Iterable[Node]) -> bool:
        """Say whether a node may be touched; ``path`` is the node and its ancestors, in any order."""
        return self.roots is None or not self.roots.isdisjoint(path)


NOBODY: Final = Caller(
    user_id="", email="", name="", tenant=None, tenant_id=None, scopes=frozenset(), roots=frozenset(), client=None,
    credential=None,
)  # fmt: skip


def current_caller() -> Caller:
    """Return the caller of the request being served; without one, a caller that may nothing."""
    token = get_access_token()
    return NOBODY if token is None else caller_of(token.claims or {})


def caller_of(claims: Mapping[str, Any]) -> Caller:
    """Read the claims of a verified identity token, which the other verifiers write too.

    Raises ``NotVerifiedError`` where their shape is wrong.
    """
    said = {name: claims.get(name) for name in _TEXTS}
    if any(not isinstance(value, str | None) for value in said.values()) or not said["sub"]:
        raise NotVerifiedError("claims of the wrong shape")
    scopes = claims.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise NotVerifiedError("scopes of the wrong shape")
    return Caller(
        user_id=said["sub"],
        email=said["email"] or "",
        name=said["name"] or said["email"] or said["sub"],
        tenant=said["tenant"],
        tenant_id=said["tenant_id"],
        scopes=frozenset(scopes),
        roots=_roots(claims),
        client=said["client"],
        credential=said["credential"],
    )


def as_access_token(token: str, claims: Mapping[str, Any], *, expires_at: int | None, resource: str) -> AccessToken:
    """Return what the frameworks keep of a verified bearer. ``expires_at`` is in seconds since the epoch."""
    caller = caller_of(claims)
    # A session of the older revisions stays with (client_id, iss, subject); the tenant and what kind of credential it is
    # are part of it, so that a session opened in one tenant cannot be continued in another.
    return AccessToken(
        token=token,
        client_id=f"{caller.tenant}/{caller.client}",
        scopes=sorted(caller.scopes),
        expires_at=expires_at,
        resource=resource,
        subject=caller.user_id,
        claims=dict(claims),
    )


def _roots(claims: Mapping[str, Any]) -> frozenset[Node] | None:
    # Absent means the whole tenant; anything there that is no list of nodes must not read as absent.
    if "resources" not in claims:
        return None
    try:
        return frozenset((_text(root["type"]), _text(root["key"])) for root in claims["resources"])
    except (KeyError, TypeError) as wrong:
        raise NotVerifiedError("resources of the wrong shape") from wrong


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
