"""The gateway's own tool ``whoami`` (feature A9): who is calling, with what, and what is missing. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.about import KINDS, NO_ARGUMENTS, READ_ONLY, About, how, limited, missing, named, usable
from doorward.gateway.answers import Answer
from doorward.protocol import mcp

DEFINITION: Final[Mapping[str, Any]] = {
    "name": "whoami",
    "title": "Who am I?",
    "description": (
        "Tells who you are connected as: user, tenant, app or API key, which permissions this connection has, "
        "which ones are missing and how to get them. Changes nothing."
    ),
    "inputSchema": NO_ARGUMENTS,
    "annotations": {"title": "Who am I?", **READ_ONLY},
}


def answer(ask: mcp.CallTool, about: About) -> Answer:
    """Return the tool's answer, as text for people and as data."""
    known = _known(about)
    value = {"content": [{"type": "text", "text": _text(known, about)}], "structuredContent": known, "isError": False}
    return answers.own_result(ask, value)


def _known(about: About) -> dict[str, Any]:
    principal = about.principal
    return {
        "user": {"email": principal.user_email, "name": principal.user_name},
        "tenant": {"slug": principal.tenant_slug, "name": principal.tenant_name},
        "credential": {"kind": principal.credential.value, "name": principal.credential_name},
        "scopes": sorted(usable(principal)),
        "missing": [{"scope": scope, "how": how(scope, principal)} for scope in missing(about)],
        "limited_to_resources": limited(principal),
    }


def _text(known: Mapping[str, Any], about: About) -> str:
    user, tenant, credential = known["user"], known["tenant"], known["credential"]
    with_what = KINDS.get(about.principal.credential, "app")
    lines = [
        f"You are {user['name']} <{user['email']}> in the tenant {tenant['name']} ({tenant['slug']}).",
        f"Connected to {about.server.name} with the {with_what} “{credential['name']}”.",
        "Permissions of this connection:",
        *([f"- {named(scope, about.words)}" for scope in known["scopes"]] or ["- none"]),
    ]
    if known["missing"]:
        lines.append("You may also do this, but this connection was not given it:")
        lines += [f"- {one['scope']}: {one['how']}" for one in known["missing"]]
    if known["limited_to_resources"]:
        lines.append("It reaches only a part of the tenant's resources.")
    return "\n".join(lines)
