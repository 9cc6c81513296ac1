"""The gateway's own tool ``whoami`` (``product.md`` A9): who is calling, with what, and what is missing. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.answers import Answer
from doorward.gateway.offer import Governed
from doorward.model import CredentialKind, Permission, PermissionEntry, Principal
from doorward.policy.reach import held_anywhere
from doorward.protocol import mcp

WHOAMI: Final = "whoami"
DEFINITION: Final[Mapping[str, Any]] = {
    "name": WHOAMI,
    "title": "Who am I?",
    "description": (
        "Tells who you are connected as: user, tenant, app or API key, which permissions this connection has, "
        "which ones are missing and how to get them. Changes nothing."
    ),
    "inputSchema": {"type": "object", "properties": {}, "additionalProperties": False},
    "annotations": {
        "title": "Who am I?",
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    },
}


def has_whoami(governed: Governed) -> bool:
    """Say whether the gateway adds its tool: the server allows it, and the upstream has none of that name."""
    return governed.server.builtin_tools and WHOAMI not in governed.offer.tools


def whoami(
    ask: mcp.CallTool, principal: Principal, governed: Governed, words: Mapping[Permission, PermissionEntry]
) -> Answer:
    """Return the tool's answer, as text for people and as data."""
    known = _known(principal, words)
    value = {"content": [{"type": "text", "text": _text(known, governed, words)}], "structuredContent": known}
    return answers.result(ask, {**value, "isError": False}, "allowed", "whoami")


def _known(principal: Principal, words: Mapping[Permission, PermissionEntry]) -> dict[str, Any]:
    held = held_anywhere(principal)
    usable = held & principal.scopes
    missing = (held & frozenset(words)) - principal.scopes
    return {
        "user": {"email": principal.user_email, "name": principal.user_name},
        "tenant": {"slug": principal.tenant_slug, "name": principal.tenant_name},
        "credential": {"kind": principal.credential.value, "name": principal.credential_name},
        "scopes": sorted(usable),
        "missing": [{"scope": scope, "how": _how(scope, principal)} for scope in sorted(missing)],
        "limited_to_resources": principal.resources is not None or bool(usable - principal.permissions),
    }


def _how(scope: Permission, principal: Principal) -> str:
    if not principal.can_step_up:
        return "Create an API key that has this scope."
    if scope in principal.declined:
        return "You left this out when you connected: disconnect, connect again and tick it."
    return "Call a tool that needs it: your app then asks for your approval."


_KINDS: Final = {CredentialKind.API_KEY.value: "API key", CredentialKind.EXTERNAL.value: "bearer of"}


def _text(known: Mapping[str, Any], governed: Governed, words: Mapping[Permission, PermissionEntry]) -> str:
    user, tenant, credential = known["user"], known["tenant"], known["credential"]
    with_what = _KINDS.get(credential["kind"], "app")
    lines = [
        f"You are {user['name']} <{user['email']}> in the tenant {tenant['name']} ({tenant['slug']}).",
        f"Connected to {governed.server.name} with the {with_what} “{credential['name']}”.",
        "Permissions of this connection:",
        *(_lines(known["scopes"], words) or ["- none"]),
    ]
    if known["missing"]:
        lines.append("You may also do this, but this connection was not given it:")
        lines += [f"- {one['scope']}: {one['how']}" for one in known["missing"]]
    if known["limited_to_resources"]:
        lines.append("It reaches only a part of the tenant's resources.")
    return "\n".join(lines)


def _lines(scopes: Iterable[str], words: Mapping[Permission, PermissionEntry]) -> list[str]:
    entries = ((scope, words.get(Permission(scope))) for scope in scopes)
    return [f"- {scope}" + (f": {entry.words}" if entry else "") for scope, entry in entries]
