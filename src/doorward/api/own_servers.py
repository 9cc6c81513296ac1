"""``/api/v1/tenants/{slug}/servers`` and ``/overrides``, for changing: what a tenant adds, allows and denies (F2, F4).

What the page *Servers* does by ``servers:manage`` is done here by the same use cases. A credential is taken and never
answered.
"""

from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from doorward.api.call import Call, Page
from doorward.api.common import MAYBE_SAID, PERMISSIONS, SAID_ROLES
from doorward.api.problems import Problem
from doorward.api.route import TENANT, ApiRoute
from doorward.api.shapes import Anything, Choice, Each, Flag, Members, Said, Shape, Text, Whole, answered
from doorward.model import AuthKind, Override, RuleKind, Server, Status, SubjectKind, ToolState
from doorward.protocol import faults
from doorward.provisioning import own_overrides, own_servers
from doorward.provisioning.own_server_wish import Wish
from doorward.provisioning.own_servers import ServerRefused
from doorward.provisioning.tools import NoSuchTool, ToolChanged, review
from doorward.rights import MANAGE_SERVERS
from doorward.storage import accounts, overrides, servers

PATH: Final = f"{TENANT}/servers"
ONE: Final = f"{PATH}/{{server}}"
OVERRIDES: Final = f"{TENANT}/overrides"
_IDENTITY: Final = "identity"
_KINDS: Final = {_IDENTITY: None, **{kind.value: kind for kind in AuthKind}}
_TITLE: Final = Text(most=128)
_URL: Final = Text(most=2000, like="an http or https address")
_SECRET: Final = Text(most=4000, says="A credential; kept sealed, and never answered.")
_AUTH: Final = Choice(list(_KINDS), says="What the server is shown: the identity token, a credential, …")
_WISH: Final[dict[str, Shape]] = {
    "title": _TITLE,
    "url": _URL,
    "auth": _AUTH,
    "header": Text(most=64),
    "secret": _SECRET,
}
SERVER: Final = answered(
    slug=Said(names="server"), name=Said(), urls=Each(Said("A URL for clients."), most=1000), address=Said("Where it is."),
    auth=Said("What it is shown; never a credential."), status=Choice([status.value for status in Status]),
)  # fmt: skip
OVERRIDE: Final = answered(
    "What the tenant says beyond a rule.", id=Said(names="override_id"), server=Said(names="server"), kind=Said(), match=Said(), effect=Said(),
    requires=SAID_ROLES, subject=Said(), whom=MAYBE_SAID, says=Said(),
)  # fmt: skip
_NAMES: Final = {RuleKind.TOOL: "tools", RuleKind.PROMPT: "prompts", RuleKind.RESOURCE: "resources"}
_SUBJECTS: Final = [kind.value for kind in SubjectKind if kind is not SubjectKind.EVERYBODY]


def _refused(refused: ServerRefused) -> Problem:
    at = [(f"/{refused.field}", refused.public)] if refused.field and refused.field != own_overrides.WHOLE else []
    return Problem(HTTPStatus(refused.status), f"{refused.public} ({refused.code})", fault=refused.fault, errors=at)


def _changed(_refused: ToolChanged) -> Problem:
    return Problem(HTTPStatus.CONFLICT, faults.TOOL_CHANGED.cause, fault=faults.TOOL_CHANGED)


def _unseen(_refused: NoSuchTool) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, faults.SERVER_NOT_HERE.cause, fault=faults.SERVER_NOT_HERE)


def _described(call: Call, server: Server) -> dict[str, Any]:
    return {
        "slug": server.slug, "name": server.name, "urls": [f"{call.parts.public_url}{path}" for path in server.paths],
        "address": server.upstream, "auth": _IDENTITY if server.auth is None else server.auth.kind.value,
        "status": server.status.value,
    }  # fmt: skip


def _wish(call: Call) -> Wish:
    said = call.body
    return Wish(
        name=said.get("name", ""), title=said["title"], url=said["url"], auth=_KINDS[said["auth"]],
        header=said.get("header", ""), secret=said.get("secret", ""),
    )  # fmt: skip


def _add(call: Call) -> dict[str, Any]:
    parts = call.parts
    made = own_servers.add(
        call.tx, call.tenant, _wish(call), call.actor(), sealer=parts.sealer, entropy=parts.entropy, now=call.now,
        allowed=parts.own_servers,
    )  # fmt: skip
    return _described(call, made)


def _change(call: Call) -> dict[str, Any]:
    parts = call.parts
    made = own_servers.change(
        call.tx, call.tenant, call.path["server"], _wish(call), call.actor(), sealer=parts.sealer,
        entropy=parts.entropy, now=call.now,
    )  # fmt: skip
    return _described(call, made)


def _status(call: Call) -> dict[str, Any]:
    wanted = Status(call.body["status"])
    server = own_servers.set_status(call.tx, call.tenant, call.path["server"], wanted, call.actor(), now=call.now)
    return _described(call, replace(server, status=wanted))


def _remove(call: Call) -> dict[str, Any]:
    own_servers.remove(call.tx, call.tenant, call.path["server"], call.actor(), now=call.now)
    return {"removed": call.path["server"]}


def _review(call: Call) -> dict[str, Any]:
    said = call.body
    call.tx.lock_tenant(call.tenant.id, for_rights=True)
    server = own_servers.own_server(call.tx, call.tenant, call.path["server"], call.actor())
    count = review(
        call.tx,
        server.slug,
        said["name"],
        ToolState(said["state"]),
        by=call.caller.by,
        now=call.now,
        seen=said["version"],
    )
    return {"changed": count}


def _overrides(call: Call) -> Page[dict[str, Any]]:
    found = overrides.overrides_of_tenant(call.tx, call.tenant.id)
    return call.page_of_all(found, lambda each: (each.id,)).told(partial(_told, call))


def _told(call: Call, each: Override) -> dict[str, Any]:
    slugs = {server.id: server.slug for server in servers.all_servers(call.tx)}
    emails = {str(user.id): user.email for user, _ in accounts.members_of_tenant(call.tx, call.tenant.id)}
    whom = emails.get(each.subject_id, each.subject_id)
    return {
        "id": each.id, "server": slugs.get(each.server_id, ""), "kind": each.kind.value, "match": each.match,
        "effect": each.effect.value, "requires": sorted(each.requires), "subject": each.subject.value,
        "whom": whom or None, "says": own_overrides.in_words(each, whom),
    }  # fmt: skip


def _add_override(call: Call) -> dict[str, Any]:
    said = {"server": call.body["server"], _NAMES[RuleKind(call.body["kind"])]: call.body["match"]}
    said |= {name: call.body[name] for name in ("deny", "require", "approval") if name in call.body}
    if "subject" in call.body:
        said["for"] = {call.body["subject"]: call.body.get("whom", "")}
    added = own_overrides.add(call.tx, call.tenant, said, call.actor(), entropy=call.parts.entropy, now=call.now)
    return _told(call, added)


def _remove_override(call: Call) -> dict[str, Any]:
    gone = own_overrides.remove(call.tx, call.tenant, call.path["override_id"], call.actor(), now=call.now)
    return {"removed": gone.id}


_route = partial(
    ApiRoute, needs=MANAGE_SERVERS,
    refusals={ServerRefused: _refused, ToolChanged: _changed, NoSuchTool: _unseen},
    limited="A key that is limited to a part of the tree cannot look after the tenant's servers.",
)  # fmt: skip
_NOT_OWN: Final = {HTTPStatus.CONFLICT: "The operator declares this server."}
ROUTES: Final = (
    _route(
        method="POST", path=PATH, name="servers.add", says="Add a server for the tenant; its tools are held.", use=_add,
        answer=SERVER, status=HTTPStatus.CREATED, also={HTTPStatus.CONFLICT: "There are as many as there may be."},
        body=Members({"name": Text(most=31, pattern="[a-z][a-z0-9-]*", like="a name like wiki"), **_WISH}, needs=("name", "title", "url", "auth")),
    ),
    _route(
        method="PUT", path=ONE, name="servers.change", says="Change the tenant's own; without `secret`, the kept one stays where it may.",
        use=_change, answer=SERVER, body=Members(_WISH, needs=("title", "url", "auth")), also=_NOT_OWN,
    ),
    _route(
        method="PUT", path=f"{ONE}/status", name="servers.status", says="Disable the tenant's own, or enable it again.",
        use=_status, answer=SERVER, also=_NOT_OWN,
        body=Members({"status": Choice([status.value for status in Status])}, needs=("status",)),
    ),
    _route(
        method="DELETE", path=ONE, name="servers.remove", says="Remove the tenant's own, with all that was said of it.",
        use=_remove, answer=answered(removed=Said()), also=_NOT_OWN,
    ),
    _route(
        method="POST", path=f"{ONE}/review", name="servers.review", use=_review, answer=answered(changed=Whole()), fresh=False,
        says="Allow the version of a tool that was looked at, or hold or block all of them.",
        also={HTTPStatus.CONFLICT: "The operator declares this server, or the tool was changed meanwhile."},
        body=Members(
            {"name": Text(most=200), "state": Choice([state.value for state in ToolState]), "version": Text(most=64)},
            needs=("name", "state", "version"),
        ),
    ),
    _route(
        method="GET", path=OVERRIDES, name="overrides.list", says="What the tenant says beyond the rules of its servers.",
        use=_overrides, answer=OVERRIDE, pages="overrides",
    ),
    _route(
        method="POST", path=OVERRIDES, name="overrides.add", use=_add_override, answer=OVERRIDE, status=HTTPStatus.CREATED,
        says="Add one, with one of `deny`, `require` and `approval`. It never allows anything.", fresh=False,
        body=Members(
            {
                "server": Text(most=64), "kind": Choice([kind.value for kind in RuleKind]), "match": Text(most=200),
                "deny": Flag(), "require": PERMISSIONS, "approval": Anything(), "subject": Choice(_SUBJECTS),
                "whom": Text(most=254),
            },
            needs=("server", "kind", "match"),
        ),
    ),
    _route(
        method="DELETE", path=f"{OVERRIDES}/{{override_id}}", name="overrides.remove", says="Take one back.",
        use=_remove_override, answer=answered(removed=Said()),
    ),
)  # fmt: skip
