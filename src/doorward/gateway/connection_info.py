"""The gateway's own tool ``connection_info`` (feature A9): this connection, what it lacks, and where to get it. Pure.

For agents whose app does not follow a 403: what is missing stands here in words, with the page that a person opens.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from doorward.gateway import answers
from doorward.gateway.about import KINDS, NO_ARGUMENTS, READ_ONLY, About, how, limited, missing, named, usable
from doorward.gateway.answers import Answer
from doorward.model import SECOND, CredentialKind
from doorward.protocol import mcp

DEFINITION: Final[Mapping[str, Any]] = {
    "name": "connection_info",
    "title": "About this connection",
    "description": (
        "Tells about this connection: server, app or API key, protocol revision, when it ends, what it may do and "
        "where, what is missing, and where a person gets that. Changes nothing."
    ),
    "inputSchema": NO_ARGUMENTS,
    "annotations": {"title": "About this connection", **READ_ONLY},
}
MAX_RESOURCES: Final = 50


def answer(ask: mcp.CallTool, about: About) -> Answer:
    """Return the tool's answer, as text for people and as data."""
    known = _known(ask, about)
    value = {"content": [{"type": "text", "text": _text(known, about)}], "structuredContent": known, "isError": False}
    return answers.own_result(ask, value)


def _known(ask: mcp.CallTool, about: About) -> dict[str, Any]:
    principal = about.principal
    return {
        "server": {"slug": about.server.slug, "name": about.server.name},
        "tenant": {"slug": principal.tenant_slug, "name": principal.tenant_name},
        "user": {"email": principal.user_email, "name": principal.user_name},
        "credential": {
            "kind": principal.credential.value,
            "name": principal.credential_name,
            "client_id": principal.client_id,
            "expires_at": _ends(about),
        },
        "protocol_version": ask.version,
        "scopes": sorted(usable(principal)),
        "missing": [{"scope": scope, "how": how(scope, principal), "where": _where(about)} for scope in missing(about)],
        "limited_to_resources": limited(principal),
        "resources": _resources(about),
        "pages": {
            "keys": f"{about.public_url}/settings/keys",
            "apps": f"{about.public_url}/settings/apps",
            "approvals": f"{about.public_url}/approvals",
        },
    }


def _ends(about: About) -> str | None:
    end = about.principal.expires_at
    return None if end is None else datetime.fromtimestamp(end // SECOND, tz=UTC).isoformat().replace("+00:00", "Z")


def _where(about: About) -> str | None:
    """Return the page where a person gets what is missing; None: the app opens it by itself."""
    return f"{about.public_url}/settings/keys" if about.principal.credential is CredentialKind.API_KEY else None


def _resources(about: About) -> list[dict[str, str]] | None:
    """Return what the credential is narrowed to; None for the whole tenant."""
    if about.principal.resources is None:
        return None
    found = (about.tree.get(each) for each in sorted(about.principal.resources))
    return [{"type": node.type, "key": node.key, "name": node.name} for node in found if node][:MAX_RESOURCES]


def _text(known: Mapping[str, Any], about: About) -> str:
    credential, tenant = known["credential"], known["tenant"]
    lines = [
        f"Server {about.server.name}, tenant {tenant['name']} ({tenant['slug']}), for {known['user']['email']}.",
        f"With the {KINDS.get(about.principal.credential, 'app')} “{credential['name']}”"
        + (f", good until {credential['expires_at']}." if credential["expires_at"] else ", without an end."),
        "It may:",
        *([f"- {named(scope, about.words)}" for scope in known["scopes"]] or ["- nothing"]),
    ]
    if known["resources"] is not None:
        lines += ["Only in:", *([f"- {each['type']} {each['name']} ({each['key']})" for each in known["resources"]])]
    if known["missing"]:
        lines.append("The person may also do this, but this connection was not given it:")
        lines += [_lacking(one, about) for one in known["missing"]]
    lines.append(f"For anything else, somebody who administers the tenant {tenant['name']} has to give a role.")
    return "\n".join(lines)


def _lacking(one: Mapping[str, Any], about: About) -> str:
    where = f" {one['where']}" if one["where"] else ""
    return f"- {named(one['scope'], about.words)}. {one['how']}{where}"
