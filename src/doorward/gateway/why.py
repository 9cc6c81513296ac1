"""The use case behind page, API and command: explain one decision from live data, and look as another person (D7).

It reads what the gateway reads, asks the same ``decide`` and calls nobody. That somebody looked at what another person
may do is an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from doorward import audit
from doorward.credentials.principals import (
    Unauthenticated,
    principal_of_connection,
    principal_of_key,
    principal_of_person,
)
from doorward.credentials.secret import KEY_ID_LENGTH
from doorward.gateway.access import OUT_OF_REACH
from doorward.gateway.own_tools import is_own
from doorward.gateway.target import target_of_call
from doorward.model import (
    ApiKeyId,
    Cause,
    ConnectionId,
    CredentialKind,
    Instant,
    Principal,
    RuleKind,
    Server,
    Status,
    Tenant,
    ToolRule,
    ToolState,
    User,
    UserId,
)
from doorward.policy.decide import Allowed, Denied, NeedsApproval, NoTarget, Question, Reachable
from doorward.policy.permission import expand
from doorward.policy.rules import ResourceTree, derived_rule, find_rule
from doorward.policy.vetting import standing
from doorward.policy.why import Explanation, Facts, RoleHeld, explain, no_credential, not_offered
from doorward.protocol import faults, jsonrpc
from doorward.protocol.errors import JsonRpcError
from doorward.storage import accounts, api_keys, clients, connections, events, known_tools, permissions, servers
from doorward.storage.database import Reader, Transaction
from doorward.storage.known_tools import KnownTool

_METHODS: Final[Mapping[str, RuleKind]] = {
    "tools/call": RuleKind.TOOL,
    "prompts/get": RuleKind.PROMPT,
    "resources/read": RuleKind.RESOURCE,
    "resources/subscribe": RuleKind.RESOURCE,
    "resources/unsubscribe": RuleKind.RESOURCE,
}


"""What it takes, at the tenant, to ask about its members. Not ``read``: a viewer's ``*:read`` must not tell what others may do."""


class CannotExplain(Exception):  # noqa: N818  (an answer)
    """There is nothing to decide: a person, tenant, credential or server that is asked about is not there.

    ``field`` is that of ``Asked``, where it is one.
    """

    def __init__(self, words: str, *, field: str = "") -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The call to explain. ``key`` is a key's id or shown prefix; without it and ``connection``: no credential."""

    tenant: str
    email: str
    server: str
    kind: RuleKind
    name: str
    """A tool's or prompt's name, or a resource's URI."""
    arguments: Mapping[str, Any] | None = None
    key: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class _Credential:
    words: str | None
    principal: Principal | None
    reason: str = ""


def explain_for(
    tx: Transaction, asked: Asked, *, actor_id: UserId | None, by: str, now: Instant, cause: Cause | None
) -> Explanation:
    """Explain a call to whoever asks, and note that they looked at another person. Raises ``CannotExplain``.

    ``actor_id`` is None at the command line, whose operator knows every server; others know those of their tenant.
    ``by`` says where they asked.
    """
    tenant, user = _who(tx, asked)
    server = servers.server_by_slug(tx, asked.server)
    foreign = server is not None and actor_id is not None and server.id not in servers.servers_of_tenant(tx, tenant.id)
    if server is None or foreign:
        raise CannotExplain(f"there is no server {asked.server[:80]!r}", field="server")
    explanation = _explained(tx, asked, tenant, user, server, now)
    if user.id != actor_id:
        audit.record(
            tx, name="decision:explained", at=now, tenant_id=tenant.id, actor_id=actor_id, subject=user.email,
            detail={"by": by, "server": asked.server, asked.kind.value: asked.name[:200]}, cause=cause,
        )  # fmt: skip
    return explanation


def told(explanation: Explanation, kind: RuleKind) -> str:
    """Return what the caller is answered, in words: never the reason (decision record 0006)."""
    match explanation.decision:
        case None:
            return "HTTP 401 with error=invalid_token."
        case Allowed():
            return "The call is passed on to the server."
        case NeedsApproval() if kind is RuleKind.TOOL:
            return f"Where to have it approved: a tool result with isError, or a request to open the page ({faults.APPROVAL_NEEDED.code})."
        case Reachable(scopes=scopes):
            return f"HTTP 403 insufficient_scope with scope={' '.join(sorted(scopes))}."
        case Denied(reason=reason) if kind is RuleKind.TOOL and reason in OUT_OF_REACH:
            return f"A tool result with isError, in the same words for a foreign and a missing resource ({faults.RESOURCE_OUTSIDE.code})."
        case _:
            return f"That there is no such {kind.value}; it is not listed either."


def described(explanation: Explanation, kind: RuleKind) -> dict[str, Any]:
    """Return the explanation as data: what ``--json`` prints and the API answers."""
    return {
        "decision": explanation.verdict,
        "reason": explanation.reason or None,
        "summary": explanation.summary,
        "remedy": explanation.remedy or None,
        "told": told(explanation, kind),
        "steps": [
            {"stage": step.stage.value, "outcome": step.outcome.value, "title": step.title, "detail": step.detail}
            for step in explanation.steps
        ],
    }


def _explained(reader: Reader, asked: Asked, tenant: Tenant, user: User, server: Server, now: Instant) -> Explanation:
    credential = _credential(reader, asked, tenant, user, now)
    if credential.principal is None:
        return no_credential(user.email, credential.words, credential.reason)
    newest = _newest(reader, server, asked)
    if newest is not None and (state := standing(server, asked.name, newest.digest)) is not ToolState.ALLOWED:
        return not_offered(asked.name, state)
    tree = ResourceTree(permissions.resources_of_tenant(reader, tenant.id))
    own = asked.kind is RuleKind.TOOL and is_own(server, asked.name, offered=newest is not None)
    rule, variables, origin = _own(asked) if own else _rule(server, asked, newest)
    arguments = variables if asked.kind is RuleKind.RESOURCE else asked.arguments or {}
    question = Question(
        server_id=server.id,
        kind=asked.kind,
        name=asked.name,
        requires=rule.requires,
        rule=rule.match,
        target=NoTarget() if own else target_of_call(rule, arguments, tree, server),
        approval=rule.approval,
        open=own,
    )
    facts = Facts(
        roles=_roles(reader, tenant, user), credential=credential.words, server=server.slug, rule=origin
    )  # fmt: skip
    principal = credential.principal
    if server.status is not Status.ACTIVE:
        # The gateway knows no disabled server, whoever has it enabled.
        principal = replace(principal, servers=principal.servers - {server.id})
    return explain(principal, question, tree, now, facts)


def _who(reader: Reader, asked: Asked) -> tuple[Tenant, User]:
    tenant = accounts.tenant_by_slug(reader, asked.tenant)
    if tenant is None:
        raise CannotExplain(f"there is no tenant {asked.tenant[:80]!r}")
    user = accounts.user_by_email(reader, asked.email.strip().lower())
    # Somebody of another tenant is nobody here, except by a credential of this tenant that they still have.
    named = asked.key is not None or asked.connection is not None
    if user is None and named:
        # In the words for somebody of another tenant: whether they have an account elsewhere is not told.
        raise _no_such(asked, tenant)
    if user is None or not (named or _is_member(reader, tenant, user)):
        raise CannotExplain(f"{asked.email[:80]!r} is no member of tenant {tenant.slug}", field="email")
    return tenant, user


def _no_such(asked: Asked, tenant: Tenant) -> CannotExplain:
    what, place = ("API key", "key") if asked.key is not None else ("connection", "connection")
    who = f"{asked.email.strip().lower()[:80]!r}"
    return CannotExplain(f"{who} has no such {what} in tenant {tenant.slug}", field=place)


def _is_member(reader: Reader, tenant: Tenant, user: User) -> bool:
    return any(member.id == user.id for member, _ in accounts.members_of_tenant(reader, tenant.id))


def _credential(reader: Reader, asked: Asked, tenant: Tenant, user: User, now: Instant) -> _Credential:
    if asked.key is not None:
        return _key(reader, asked, tenant, user, now)
    if asked.connection is not None:
        return _connection(reader, asked, tenant, user, now)
    try:
        return _Credential(None, principal_of_person(reader, user.id, tenant.id))
    except Unauthenticated as refused:
        return _Credential(None, None, refused.reason)


def _key(reader: Reader, asked: Asked, tenant: Tenant, user: User, now: Instant) -> _Credential:
    key = api_keys.api_key_by_id(reader, tenant.id, ApiKeyId((asked.key or "").rpartition("_")[2][:KEY_ID_LENGTH]))
    if key is None or key.user_id != user.id:
        raise _no_such(asked, tenant)
    from_where = f", from {' '.join(key.networks)} only" if key.networks else ""
    words = f"key “{key.name}” ({key.prefix}{from_where})"
    try:
        return _Credential(words, principal_of_key(reader, key, now))
    except Unauthenticated as refused:
        return _Credential(words, None, refused.reason)


def _connection(reader: Reader, asked: Asked, tenant: Tenant, user: User, now: Instant) -> _Credential:
    connection = connections.connection_by_id(reader, ConnectionId(asked.connection or ""))
    if connection is None or connection.user_id != user.id or connection.tenant_id != tenant.id:
        raise _no_such(asked, tenant)
    client = clients.client_by_id(reader, connection.client_id)
    words = f"app “{connection.client_id if client is None else client.name}” ({connection.id})"
    try:
        return _Credential(words, principal_of_connection(reader, connection, now))
    except Unauthenticated as refused:
        return _Credential(words, None, refused.reason)


def _own(asked: Asked) -> tuple[ToolRule, Mapping[str, str], str]:
    rule = ToolRule(match=asked.name, requires=frozenset())
    return rule, {}, "It is a tool of the gateway's own, which whoever is let in may call"


def _rule(server: Server, asked: Asked, newest: KnownTool | None) -> tuple[ToolRule, Mapping[str, str], str]:
    found = find_rule(server.rules, asked.kind, asked.name)
    if found is not None:
        rule, variables = found
        number = [each for each in server.rules if each.kind is asked.kind].index(rule) + 1
        return rule, variables, f"{asked.kind.value.capitalize()} rule {number} of server {server.slug}: {rule.match}"
    rule = derived_rule(server, asked.kind, asked.name, None if newest is None else newest.annotations)
    if asked.kind is not RuleKind.TOOL:
        return rule, {}, f"No rule fits this {asked.kind.value}, so that one is derived"
    seen = "the server was never seen to offer it, so it counts as writing"
    if newest is not None:
        hints = [hint for hint in ("readOnlyHint", "destructiveHint") if newest.annotations.get(hint) is True]
        seen = f"its author says {' and '.join(hints) or 'neither that it only reads nor that it destroys'}"
    return rule, {}, f"No rule fits this tool, so that one is derived: {seen}"


def _newest(reader: Reader, server: Server, asked: Asked) -> KnownTool | None:
    if asked.kind is not RuleKind.TOOL:
        return None
    versions = [tool for tool in known_tools.known_of_server(reader, server.id) if tool.name == asked.name]
    return max(versions, key=lambda tool: tool.first_seen, default=None)


def _roles(reader: Reader, tenant: Tenant, user: User) -> tuple[RoleHeld, ...]:
    catalogue = [entry.permission for entry in permissions.catalogue(reader)]
    known = {role.name: expand(role.permissions, catalogue) for role in permissions.roles_of_tenant(reader, tenant.id)}
    at_tenant = [
        RoleHeld(name=name, place=None, permissions=known[name])
        for member, membership in accounts.members_of_tenant(reader, tenant.id)
        if member.id == user.id
        for name in membership.roles
    ]
    placed = permissions.placements_of_tenant(reader, tenant.id).get(user.id, ())
    return (
        *at_tenant,
        *(RoleHeld(name=each.role, place=each.resource_id, permissions=known[each.role]) for each in placed),
    )


def asked_before(
    reader: Reader, request_id: str, arguments: Mapping[str, Any] | None
) -> tuple[Asked, events.CallEvent]:  # fmt: skip
    """Return the question that a logged call was, and the call. Raises ``CannotExplain``."""
    call = next(iter(events.calls_of_request(reader, request_id)), None)
    kind = None if call is None else _METHODS.get(call.method)
    if call is None or kind is None or call.name is None:
        raise CannotExplain(
            f"the log holds no call of a tool, resource or prompt with the request id {request_id[:80]!r}"
        )
    tenant, user = accounts.tenant_by_id(reader, call.tenant_id), accounts.user_by_id(reader, call.user_id)
    server = next((each for each in servers.all_servers(reader) if each.id == call.server_id), None)
    if tenant is None or user is None or server is None:
        raise CannotExplain("the tenant, the person or the server of that call is gone")
    is_key = call.credential == CredentialKind.API_KEY.value
    asked = Asked(
        tenant=tenant.slug,
        email=user.email,
        server=server.slug,
        kind=kind,
        name=call.name,
        arguments=arguments,
        key=call.credential_id if is_key else None,
        connection=None if is_key else call.credential_id,
    )
    return asked, call


def arguments_of(text: str) -> dict[str, Any]:
    """Return arguments written as JSON, read as strictly as a call's. Raises ``ValueError`` with words for people."""
    try:
        return jsonrpc.decode_object(text.encode("utf-8", "replace"))
    except JsonRpcError as wrong:
        raise ValueError("is no strict JSON object") from wrong
